/*
 * Long files of /proc, chunk by chunk.
 *
 * The kernel spends most of the time of a long smaps in walking page tables inside read(); a second thread does the
 * reading then, so that parsing costs no wall time.
 */
#include <errno.h>
#include <pthread.h>
#include <unistd.h>

#include "source/linux.h"

#define BUFFER_BYTES ((size_t)256 * 1024)
#define BUFFER_COUNT 4

/* Reads until the buffer is full or the file ends. seq_file hands out about a page a call. */
static ssize_t fill_buffer(int fd, char *buffer)
{
	size_t used = 0;

	while (used < BUFFER_BYTES) {
		ssize_t n = read(fd, buffer + used, BUFFER_BYTES - used);

		if (n < 0 && errno == EINTR)
			continue;
		/* ESRCH: the process has gone; what was read before still counts. */
		if (n < 0)
			return used ? (ssize_t)used : -errno;
		if (n == 0)
			break;
		used += (size_t)n;
	}
	return (ssize_t)used;
}

/* A ring of buffers between the thread that reads and the one that parses. */
struct read_ahead {
	int fd;
	char *buffers[BUFFER_COUNT];
	ssize_t filled[BUFFER_COUNT]; /* bytes; 0 end; negative errno */
	unsigned head, tail;          /* buffers filled and consumed so far */
	bool stop;
	pthread_mutex_t lock;
	pthread_cond_t moved;
};

static void *read_ahead_thread(void *arg)
{
	struct read_ahead *r = arg;
	ssize_t n;

	do {
		unsigned slot;

		pthread_mutex_lock(&r->lock);
		while (r->head - r->tail == BUFFER_COUNT && !r->stop)
			pthread_cond_wait(&r->moved, &r->lock);
		slot = r->head % BUFFER_COUNT;
		if (r->stop) {
			pthread_mutex_unlock(&r->lock);
			break;
		}
		pthread_mutex_unlock(&r->lock);
		n = fill_buffer(r->fd, r->buffers[slot]);
		pthread_mutex_lock(&r->lock);
		r->filled[slot] = n;
		r->head++;
		pthread_cond_broadcast(&r->moved);
		pthread_mutex_unlock(&r->lock);
	} while (n > 0);
	return NULL;
}

static int consume_ahead(struct read_ahead *r, linux_chunk_fn fn, void *arg)
{
	int rc = 0;

	for (;;) {
		ssize_t n;

		pthread_mutex_lock(&r->lock);
		while (r->head == r->tail)
			pthread_cond_wait(&r->moved, &r->lock);
		n = r->filled[r->tail % BUFFER_COUNT];
		pthread_mutex_unlock(&r->lock);
		if (n > 0)
			rc = fn(arg, r->buffers[r->tail % BUFFER_COUNT], (size_t)n);
		else
			rc = n < 0 && n != -ESRCH ? linux_code((int)-n) : 0;
		if (n <= 0 || rc < 0)
			break;
		pthread_mutex_lock(&r->lock);
		r->tail++;
		pthread_cond_broadcast(&r->moved);
		pthread_mutex_unlock(&r->lock);
	}
	pthread_mutex_lock(&r->lock);
	r->stop = true;
	pthread_cond_broadcast(&r->moved);
	pthread_mutex_unlock(&r->lock);
	return rc;
}

static int read_rest_ahead(int fd, char *first, linux_chunk_fn fn, void *arg)
{
	struct read_ahead r = {.fd = fd, .buffers = {first}, .lock = PTHREAD_MUTEX_INITIALIZER, .moved = PTHREAD_COND_INITIALIZER};
	VMM_CLEANUP_FREE char *more = vmm_alloc_hook(NULL, BUFFER_BYTES * (BUFFER_COUNT - 1));
	pthread_t thread;
	int rc;

	if (!more)
		return VMM_E_NOMEM;
	for (unsigned i = 1; i < BUFFER_COUNT; i++)
		r.buffers[i] = more + (i - 1) * BUFFER_BYTES;
	if (pthread_create(&thread, NULL, read_ahead_thread, &r) != 0)
		return VMM_E_NOMEM;
	rc = consume_ahead(&r, fn, arg);
	pthread_join(thread, NULL);
	pthread_mutex_destroy(&r.lock);
	pthread_cond_destroy(&r.moved);
	return rc;
}

int linux_read_chunks(int fd, linux_chunk_fn fn, void *arg)
{
	VMM_CLEANUP_FREE char *buffer = vmm_alloc_hook(NULL, BUFFER_BYTES);
	ssize_t n;
	int rc;

	if (!buffer)
		return VMM_E_NOMEM;
	n = fill_buffer(fd, buffer);
	if (n < 0)
		return linux_code((int)-n);
	rc = n ? fn(arg, buffer, (size_t)n) : 0;
	if (rc < 0 || (size_t)n < BUFFER_BYTES)
		return rc;
	return read_rest_ahead(fd, buffer, fn, arg);
}
