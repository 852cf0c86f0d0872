/* Who is connected to vmmap serve, and for how long: who is too slow is cut. */
#include "face/serve/serve.h"

#ifdef VMM_HAVE_MICROHTTPD
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/err.h"
#include "face/serve/http.h"

#define HEAD_NS (10 * VMM_SECOND_NS)  /* from the first byte of a request, or the end of the one before, to its last; of a file, to the next */
#define SEND_NS (120 * VMM_SECOND_NS) /* for an answer, however slow who takes it is */

struct srv_client {
	struct srv_client *next, **link;
	struct srv_clients *all;
	int fd;
	enum srv_phase phase;
	uint64_t since_ns;
};

int srv_clients_init(struct srv_clients *clients, struct vmm_err *err)
{
	pthread_mutex_init(&clients->lock, NULL);
	clients->first = NULL;
	clients->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	return clients->wake_fd < 0 ? vmm_fail(err, VMM_E_IO, errno, "cannot start: %s", strerror(errno)) : 0;
}

void srv_clients_done(struct srv_clients *clients)
{
	vmm_close_fd(&clients->wake_fd);
	pthread_mutex_destroy(&clients->lock);
}

static void come(struct srv_clients *clients, struct MHD_Connection *c, void **context)
{
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(c, MHD_CONNECTION_INFO_CONNECTION_FD);
	struct srv_client *client = vmm_alloc_hook(NULL, sizeof(*client));
	uint64_t one = 1;
	bool first;

	if (!client)
		return;
	memset(client, 0, sizeof(*client));
	client->all = clients;
	client->fd = info ? info->connect_fd : -1;
	client->since_ns = vmm_now_ns();
	pthread_mutex_lock(&clients->lock);
	first = !clients->first;
	client->next = clients->first;
	client->link = &clients->first;
	if (client->next)
		client->next->link = &client->next;
	clients->first = client;
	pthread_mutex_unlock(&clients->lock);
	*context = client;
	if (first)
		(void)!write(clients->wake_fd, &one, sizeof(one));
}

static void go(struct srv_clients *clients, struct srv_client *client)
{
	if (!client)
		return;
	pthread_mutex_lock(&clients->lock);
	*client->link = client->next;
	if (client->next)
		client->next->link = client->link;
	pthread_mutex_unlock(&clients->lock);
	free(client);
}

void srv_clients_notify(void *arg, struct MHD_Connection *c, void **context, enum MHD_ConnectionNotificationCode code)
{
	if (code == MHD_CONNECTION_NOTIFY_STARTED) {
		come(arg, c, context);
	} else {
		go(arg, *context);
		*context = NULL;
	}
}

void srv_client_phase(struct MHD_Connection *c, enum srv_phase phase)
{
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(c, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
	struct srv_client *client = info ? info->socket_context : NULL;

	if (!client)
		return;
	pthread_mutex_lock(&client->all->lock);
	client->phase = phase;
	client->since_ns = vmm_now_ns();
	pthread_mutex_unlock(&client->all->lock);
}

bool srv_clients_sweep(struct srv_clients *clients)
{
	uint64_t now = vmm_now_ns();
	bool any;

	pthread_mutex_lock(&clients->lock);
	for (struct srv_client *c = clients->first; c; c = c->next) {
		uint64_t most = c->phase <= SRV_PHASE_FILE ? HEAD_NS : c->phase == SRV_PHASE_SEND ? SEND_NS : UINT64_MAX;

		/* Its end is libmicrohttpd's to see and to clean up. */
		if (now > c->since_ns && now - c->since_ns > most)
			shutdown(c->fd, SHUT_RDWR);
	}
	any = clients->first != NULL;
	pthread_mutex_unlock(&clients->lock);
	return any;
}
#endif
