/* Who listens to vmmap serve, and what is sent to them: events, each made once for all of them. */
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/out.h"
#include "base/scan.h"
#include "face/serve/serve.h"
#include "view/json_write.h"

#define LISTENERS_MAX 16
#define BEHIND_MAX (UINT64_C(8) << 20)   /* bytes that wait for one listener */
#define KEPT_MAX (UINT64_C(2) << 20)     /* bytes of changes that are kept for who comes back */

/* --- events --- */

static void release(struct srv_bytes *b)
{
	if (b && --b->users == 0) {
		free(b->text);
		free(b);
	}
}

struct srv_bytes *srv_event(const char *type, uint32_t id, struct vmm_out *data)
{
	struct vmm_out *out = vmm_out_create_memory();
	size_t length = 0;
	char *text = data ? vmm_out_take(data, &length) : NULL;
	struct srv_bytes *b = vmm_alloc_hook(NULL, sizeof(*b));

	if (out && text && b) {
		struct vmm_scan s = vmm_scan_init(text, length), line;

		vmm_out_printf(out, "event: %s\n", type);
		if (id)
			vmm_out_printf(out, "id: %u\n", id);
		while (vmm_scan_line(&s, &line)) {
			vmm_out_text(out, "data: ");
			vmm_out_bytes(out, line.p, (size_t)(line.end - line.p));
			vmm_out_char(out, '\n');
		}
		vmm_out_char(out, '\n');
	}
	if (b)
		*b = (struct srv_bytes){.users = 1};
	if (b && out && text)
		b->text = vmm_out_take(out, &b->length);
	else
		vmm_out_discard(out);
	free(text);
	if (b && !b->text) {
		free(b);
		return NULL;
	}
	return b;
}

struct srv_bytes *srv_event_text(const char *type, const char *text, uint32_t n)
{
	struct vmm_out *data = vmm_out_create_memory();

	if (!data)
		return NULL;
	vmm__json_key_text(data, "{\"text\":", text);
	if (n)
		vmm_out_printf(data, ",\"n\":%u", n);
	vmm_out_char(data, '}');
	return srv_event(type, 0, data);
}

struct srv_bytes *srv_event_reload(uint32_t n)
{
	struct vmm_out *data = vmm_out_create_memory();

	if (data)
		vmm_out_printf(data, "{\"n\":%u}", n);
	return data ? srv_event("reload", n, data) : NULL;
}

struct srv_bytes *srv_event_pace(const struct srv_history *h)
{
	struct vmm_out *data = vmm_out_create_memory();

	if (!data)
		return NULL;
	vmm_out_char(data, '{');
	srv_history_pace(data, h);
	vmm_out_char(data, '}');
	return srv_event("interval", 0, data);
}

void srv_work_wake(struct srv_work *w, struct srv_listener *l)
{
	if (l->suspended) {
		l->suspended = false;
		w->resume(l->connection);
	}
}

static struct srv_bytes **pending_at(struct srv_listener *l, size_t i)
{
	return &l->pending[(l->first + i) % SRV_PENDING_MAX];
}

/* Takes back what was not begun to be sent. */
static void drop_pending(struct srv_listener *l)
{
	size_t begun = l->count && l->at ? 1 : 0;

	while (l->count > begun)
		release(*pending_at(l, --l->count));
}

static void push(struct srv_work *w, struct srv_listener *l, struct srv_bytes *b)
{
	uint64_t waits = 0;

	for (size_t i = 0; i < l->count; i++)
		waits += (*pending_at(l, i))->length;
	if (l->count == SRV_PENDING_MAX || waits > BEHIND_MAX) {
		struct srv_bytes *reload = srv_event_reload(w->history.last.n);

		drop_pending(l);
		if (!reload)
			return;
		*pending_at(l, l->count++) = reload;
	} else {
		b->users++;
		*pending_at(l, l->count++) = b;
	}
	srv_work_wake(w, l);
}

void srv_work_forget_kept(struct srv_work *w)
{
	while (w->kept_count > 0)
		release(w->kept[--w->kept_count]);
}

/* Keeps a change for who comes back soon. */
static void keep_change(struct srv_work *w, struct srv_bytes *b, uint32_t from)
{
	uint64_t bytes = b->length;
	size_t drop = 0;

	for (size_t i = w->kept_count; i > 0; i--) {
		bytes += w->kept[i - 1]->length;
		if (bytes > KEPT_MAX || w->kept_count - i + 2 > SRV_PENDING_MAX) {
			drop = i;
			break;
		}
	}
	for (size_t i = 0; i < drop; i++)
		release(w->kept[i]);
	memmove(w->kept, w->kept + drop, (w->kept_count - drop) * sizeof(*w->kept));
	memmove(w->kept_from, w->kept_from + drop, (w->kept_count - drop) * sizeof(*w->kept_from));
	w->kept_count -= drop;
	b->users++;
	w->kept[w->kept_count] = b;
	w->kept_from[w->kept_count++] = from;
}

void srv_work_send(struct srv_work *w, struct srv_bytes *b, bool change, uint32_t from)
{
	if (!b)
		return;
	pthread_mutex_lock(&w->lock);
	if (change)
		keep_change(w, b, from);
	for (struct srv_listener *l = w->listeners; l; l = l->next)
		if (!l->closed && !l->fresh)
			push(w, l, b);
	release(b);
	pthread_mutex_unlock(&w->lock);
}

void srv_work_greet(struct srv_work *w, struct srv_listener *l)
{
	uint32_t now = w->history.last.n;
	struct srv_bytes *reload;
	size_t i = 0;

	l->fresh = false;
	if (!l->after || l->after == now)
		return;
	while (i < w->kept_count && w->kept_from[i] != l->after)
		i++;
	for (size_t j = i; j < w->kept_count; j++)
		push(w, l, w->kept[j]);
	reload = i == w->kept_count ? srv_event_reload(now) : NULL;
	if (reload) {
		push(w, l, reload);
		release(reload);
	}
}

/* --- listeners --- */

bool srv_work_listen(struct srv_work *w, struct srv_listener *l)
{
	bool room;

	pthread_mutex_lock(&w->lock);
	room = !w->ending && w->listener_count < LISTENERS_MAX;
	if (room) {
		l->fresh = true;
		l->next = w->listeners;
		w->listeners = l;
		w->listener_count++;
		pthread_cond_signal(&w->wake);
	}
	pthread_mutex_unlock(&w->lock);
	return room;
}

void srv_work_forget(struct srv_work *w, struct srv_listener *l)
{
	struct srv_listener **at = &w->listeners;

	pthread_mutex_lock(&w->lock);
	while (*at && *at != l)
		at = &(*at)->next;
	if (*at) {
		*at = l->next;
		w->listener_count--;
		pthread_cond_signal(&w->wake);
	}
	while (l->count > 0)
		release(*pending_at(l, --l->count));
	pthread_mutex_unlock(&w->lock);
}

void srv_work_prune(struct srv_work *w)
{
	pthread_mutex_lock(&w->lock);
	for (struct srv_listener *l = w->listeners; l; l = l->next) {
		struct pollfd p = {.fd = l->fd, .events = POLLRDHUP};

		if (!l->suspended || poll(&p, 1, 0) <= 0)
			continue;
		l->closed = true;
		srv_work_wake(w, l);
	}
	pthread_mutex_unlock(&w->lock);
}

long srv_work_take(struct srv_work *w, struct srv_listener *l, char *ret, size_t size, void (*suspend)(void *connection))
{
	long taken = -1;

	pthread_mutex_lock(&w->lock);
	if (l->count > 0) {
		struct srv_bytes *b = l->pending[l->first];
		size_t n = (size_t)vmm_min_u64(size, b->length - l->at);

		memcpy(ret, b->text + l->at, n);
		l->at += n;
		taken = (long)n;
		if (l->at == b->length) {
			release(b);
			l->first = (l->first + 1) % SRV_PENDING_MAX;
			l->count--;
			l->at = 0;
		}
	} else if (!l->closed) {
		l->suspended = true;
		suspend(l->connection);
		taken = 0;
	}
	pthread_mutex_unlock(&w->lock);
	return taken;
}
