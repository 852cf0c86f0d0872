/* The server of vmmap serve: its socket, libmicrohttpd behind it, and what takes their place where that was not there. */
#include "face/serve/serve.h"

#include "base/err.h"

#ifdef VMM_HAVE_MICROHTTPD
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/arena.h"
#include "face/serve/http.h"
#include "face/serve/reply.h"

#define CONNECTION_MEMORY (16 << 10) /* request line, headers, and the head of the answer */
#define IDLE_SECONDS 10

static void resume(void *connection)
{
	MHD_resume_connection(connection);
}

static int start(struct srv_server *s, struct vmm_err *err)
{
	const struct MHD_OptionItem options[] = {
	    {MHD_OPTION_LISTEN_SOCKET, s->listen_fd, NULL},
	    {MHD_OPTION_CONNECTION_LIMIT, SRV_CONNECTIONS_MAX, NULL},
	    {MHD_OPTION_CONNECTION_MEMORY_LIMIT, CONNECTION_MEMORY, NULL},
	    {MHD_OPTION_CONNECTION_TIMEOUT, IDLE_SECONDS, NULL},
	    {MHD_OPTION_STRICT_FOR_CLIENT, 1, NULL},
	    {MHD_OPTION_NOTIFY_COMPLETED, (intptr_t)srv_http_completed, s},
	    {MHD_OPTION_NOTIFY_CONNECTION, (intptr_t)srv_clients_notify, &s->clients},
	    {MHD_OPTION_URI_LOG_CALLBACK, (intptr_t)srv_http_address, s},
	    {MHD_OPTION_END, 0, NULL},
	};

	s->work->resume = resume;
	s->daemon = MHD_start_daemon(MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ITC, 0, NULL, NULL, srv_http_request, s,
	                             MHD_OPTION_ARRAY, options, MHD_OPTION_END);
	if (!s->daemon)
		return vmm_fail(err, VMM_E_IO, errno, "cannot start the server: %s", strerror(errno));
	s->listen_fd = -1; /* closed with the daemon */
	return 0;
}

int srv_server_check(struct vmm_err *err)
{
	(void)err;
	return 0;
}

int srv_server_start(struct srv_plan *plan, struct srv_server **ret, struct vmm_err *err)
{
	struct srv_server *s = vmm_alloc_hook(NULL, sizeof(*s));
	int code;

	if (!s)
		return vmm_fail_nomem(err);
	memset(s, 0, sizeof(*s));
	s->listen_fd = -1;
	s->socket = plan->socket;
	s->work = plan->work;
	s->picker = plan->picker;
	s->start_ns = vmm_now_ns();
	code = srv_clients_init(&s->clients, err);
	if (code == 0)
		code = srv_reply_page(&s->page, err);
	if (code == 0)
		code = plan->socket ? srv_listen_unix(&s->socket, &s->listen_fd, err) : srv_listen_tcp(&plan->port, &s->listen_fd, err);
	if (code == 0) {
		plan->guard.port = plan->socket ? 0 : plan->port;
		snprintf(plan->guard.cookie, sizeof(plan->guard.cookie), "vmmap_%u", (unsigned)plan->guard.port);
		s->guard = plan->guard;
		code = start(s, err);
	}
	if (code < 0) {
		srv_server_stop(s);
		return code;
	}
	*ret = s;
	return 0;
}

void srv_server_stop(struct srv_server *s)
{
	if (!s)
		return;
	if (s->daemon)
		MHD_stop_daemon(s->daemon);
	if (s->page)
		MHD_destroy_response(s->page);
	if (s->socket)
		unlink(s->socket);
	vmm_close_fd(&s->listen_fd);
	srv_clients_done(&s->clients);
	free(s);
}

int srv_server_fd(const struct srv_server *s)
{
	return s->clients.wake_fd;
}

int srv_server_sweep(struct srv_server *s)
{
	srv_work_prune(s->work);
	return srv_clients_sweep(&s->clients) ? 1000 : -1;
}

#else

int srv_server_start(struct srv_plan *plan, struct srv_server **ret, struct vmm_err *err)
{
	(void)plan;
	(void)ret;
	return srv_server_check(err);
}

int srv_server_check(struct vmm_err *err)
{
	return vmm_fail(err, VMM_E_UNSUPPORTED, 0,
	                "vmmap was built without libmicrohttpd: build it where libmicrohttpd-dev is installed, or write a page with vmmap report");
}

void srv_server_stop(struct srv_server *s)
{
	(void)s;
}

int srv_server_fd(const struct srv_server *s)
{
	(void)s;
	return -1;
}

int srv_server_sweep(struct srv_server *s)
{
	(void)s;
	return -1;
}
#endif
