/* Where vmmap serve listens: a port of this machine alone, or a Unix socket of this user alone. */
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/err.h"
#include "face/serve/serve.h"

/* Nobody listens there any more. */
static bool is_left_over(const struct sockaddr_un *address)
{
	VMM_CLEANUP_FD int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct stat st;

	return lstat(address->sun_path, &st) == 0 && S_ISSOCK(st.st_mode) && fd >= 0 &&
	       connect(fd, (const struct sockaddr *)address, sizeof(*address)) < 0 && errno == ECONNREFUSED;
}

int srv_listen_unix(const char **path, int *ret_fd, struct vmm_err *err)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	mode_t mask;
	int bound;

	if (strlen(*path) >= sizeof(address.sun_path))
		return vmm_fail(err, VMM_E_USAGE, 0, "--socket: the path is longer than %zu bytes", sizeof(address.sun_path) - 1);
	memcpy(address.sun_path, *path, strlen(*path));
	if (is_left_over(&address))
		unlink(*path);
	*ret_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (*ret_fd < 0)
		return vmm_fail(err, VMM_E_IO, errno, "--socket: %s", strerror(errno));
	mask = umask(0177);
	bound = bind(*ret_fd, (const struct sockaddr *)&address, sizeof(address));
	umask(mask);
	if (bound < 0 || listen(*ret_fd, SRV_CONNECTIONS_MAX) < 0) {
		int os = errno;

		/* What another has put there stays. */
		*path = bound < 0 ? NULL : *path;
		return vmm_fail(err, VMM_E_IO, os, "--socket: cannot listen there: %s", strerror(os));
	}
	return 0;
}

int srv_listen_tcp(uint16_t *port, int *ret_fd, struct vmm_err *err)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(*port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t length = sizeof(address);
	int one = 1;

	*ret_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (*ret_fd < 0)
		return vmm_fail(err, VMM_E_IO, errno, "cannot listen: %s", strerror(errno));
	setsockopt(*ret_fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(*ret_fd, (const struct sockaddr *)&address, sizeof(address)) < 0 || listen(*ret_fd, SOMAXCONN) < 0 ||
	    getsockname(*ret_fd, (struct sockaddr *)&address, &length) < 0)
		return vmm_fail(err, VMM_E_IO, errno, "cannot listen on 127.0.0.1 port %u: %s", *port, strerror(errno));
	*port = ntohs(address.sin_port);
	return 0;
}
