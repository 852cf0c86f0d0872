/* Texts are kept once, in the table text, and called by their id. */
#include "session/store.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"

#define NAMES_MAX (UINT32_C(1) << 28)
#define TEXTS_MAX (16u << 20) /* bytes of texts that are remembered: more are read in the file again */

uint64_t vmm_session_hash(const void *data, size_t length)
{
	const unsigned char *p = data;
	uint64_t h = UINT64_C(0x9e3779b97f4a7c15) ^ length, word;

	for (; length >= 8; p += 8, length -= 8) {
		memcpy(&word, p, 8);
		h = (h ^ word) * UINT64_C(0xff51afd7ed558ccd);
		h ^= h >> 32;
	}
	word = 0;
	if (length)
		memcpy(&word, p, length);
	h = (h ^ word) * UINT64_C(0xc4ceb9fe1a85ec53);
	h ^= h >> 29;
	h *= UINT64_C(0xff51afd7ed558ccd);
	return h ^ h >> 32;
}

static bool names_reserve(struct vmm_session *s)
{
	size_t capacity = s->name_capacity ? s->name_capacity * 2 : 1024;
	struct vmm_name_slot *fresh;

	if (s->name_count + 1 < s->name_capacity / 2)
		return true;
	fresh = vmm_alloc_hook(NULL, capacity * sizeof(*fresh));
	if (!fresh)
		return false;
	memset(fresh, 0, capacity * sizeof(*fresh));
	for (size_t i = 0; i < s->name_capacity; i++) {
		size_t at = s->names[i].hash & (capacity - 1);

		if (!s->names[i].id)
			continue;
		while (fresh[at].id)
			at = (at + 1) & (capacity - 1);
		fresh[at] = s->names[i];
	}
	free(s->names);
	s->names = fresh;
	s->name_capacity = capacity;
	return true;
}

/* Remembers the text of a slot, so that the next look need not ask the file. */
static bool text_remember(struct vmm_session *s, struct vmm_name_slot *slot, const char *text, size_t length)
{
	if (s->name_bytes + length > TEXTS_MAX) {
		for (size_t i = 0; i < s->name_capacity; i++)
			s->names[i].text = NULL;
		vmm_arena_destroy(s->name_texts);
		s->name_texts = NULL;
		s->name_bytes = 0;
	}
	if (!s->name_texts)
		s->name_texts = vmm_arena_create();
	slot->text = s->name_texts ? vmm_arena_strndup(s->name_texts, text, length) : NULL;
	slot->length = (uint32_t)length;
	s->name_bytes += length;
	return slot->text != NULL;
}

/* text: NULL, or the text, which is remembered too. */
static bool name_remember(struct vmm_session *s, uint64_t hash, uint32_t id, const char *text, size_t length)
{
	size_t at;

	if (!names_reserve(s))
		return false;
	at = hash & (s->name_capacity - 1);
	while (s->names[at].id)
		at = (at + 1) & (s->name_capacity - 1);
	s->names[at] = (struct vmm_name_slot){.hash = hash, .id = id};
	s->name_count++;
	return !text || text_remember(s, &s->names[at], text, length);
}

/* What an existing session has, when it is continued. */
static int names_read(struct vmm_session *s, struct vmm_err *err)
{
	VMM_CLEANUP_STMT sqlite3_stmt *st = NULL;
	int rc = vmm_sql_prepare(s, "SELECT id, value FROM text ORDER BY id", &st, err);
	int64_t id = 0, last = 0;

	while (rc >= 0 && (rc = vmm_sql_step(s, st, err)) == 1) {
		size_t length;
		const char *text = vmm_sql_text(st, 1, &length);

		if (!text || !vmm_sql_int(st, 0, last + 1, NAMES_MAX - 1, &id))
			return vmm_session_damaged(s, "text", err);
		last = id;
		if (!name_remember(s, vmm_session_hash(text, length), (uint32_t)id, NULL, 0))
			return vmm_fail_nomem(err);
	}
	s->next_name = (uint32_t)last + 1;
	s->names_read = rc == 0;
	return rc;
}

static bool is_utf8(const char *text, size_t length)
{
	for (size_t i = 0; i < length;) {
		uint32_t point;

		i += vmm_utf8_decode(text + i, length - i, &point);
		if (point == UINT32_MAX)
			return false;
	}
	return true;
}

static int name_insert(struct vmm_session *s, const char *text, size_t length, uint32_t *ret_id, struct vmm_err *err)
{
	int rc = 0;

	if (!s->insert_name)
		rc = vmm_sql_prepare(s, "INSERT INTO text(id, value) VALUES(?1, ?2)", &s->insert_name, err);
	if (rc < 0)
		return rc;
	if (s->next_name >= NAMES_MAX)
		return vmm_fail(err, VMM_E_LIMIT, 0, "%.200s: too many different names", s->path);
	sqlite3_bind_int64(s->insert_name, 1, s->next_name);
	if (is_utf8(text, length))
		rc = sqlite3_bind_text(s->insert_name, 2, text, (int)length, SQLITE_STATIC);
	else
		rc = sqlite3_bind_blob(s->insert_name, 2, text, (int)length, SQLITE_STATIC);
	rc = rc == SQLITE_OK ? vmm_sql_run(s, s->insert_name, err) : vmm_sql_fail(s, rc, err);
	if (rc == 0)
		*ret_id = s->next_name++;
	return rc;
}

/* 1: the slot is of this text, 0: of another that has the same hash. */
static int name_is(struct vmm_session *s, struct vmm_name_slot *slot, const char *text, size_t length, struct vmm_err *err)
{
	const char *found;
	int rc = 0;

	if (!slot->text) {
		if (!s->find_name)
			rc = vmm_sql_prepare(s, "SELECT value FROM text WHERE id = ?1", &s->find_name, err);
		if (rc < 0)
			return rc;
		sqlite3_bind_int64(s->find_name, 1, slot->id);
		rc = vmm_sql_step(s, s->find_name, err);
		if (rc >= 0) {
			size_t n = 0;

			found = rc == 1 ? vmm_sql_text(s->find_name, 0, &n) : NULL;
			rc = !found ? vmm_session_damaged(s, "text", err) : text_remember(s, slot, found, n) ? 0 : vmm_fail_nomem(err);
		}
		sqlite3_reset(s->find_name);
	}
	return rc < 0 ? rc : slot->length == length && memcmp(slot->text, text, length) == 0;
}

int vmm_name_id(struct vmm_session *s, const char *text, uint32_t *ret_id, struct vmm_err *err)
{
	size_t length = strnlen(text, 1 << 24);
	uint64_t hash = vmm_session_hash(text, length);
	int rc = s->names_read ? 0 : names_read(s, err);

	if (rc < 0)
		return rc;
	for (size_t at = hash & (s->name_capacity - 1); s->name_capacity && s->names[at].id; at = (at + 1) & (s->name_capacity - 1)) {
		if (s->names[at].hash != hash)
			continue;
		rc = name_is(s, &s->names[at], text, length, err);
		if (rc == 1)
			*ret_id = s->names[at].id;
		if (rc != 0)
			return rc < 0 ? rc : 0;
	}
	rc = name_insert(s, text, length, ret_id, err);
	if (rc == 0 && !name_remember(s, hash, *ret_id, text, length))
		return vmm_fail_nomem(err);
	return rc;
}

void vmm_names_forget(struct vmm_session *s)
{
	free(s->names);
	s->names = NULL;
	s->name_count = s->name_capacity = 0;
	vmm_arena_destroy(s->name_texts);
	s->name_texts = NULL;
	s->name_bytes = 0;
	s->names_read = false;
}

int vmm_names_open(struct vmm_session *s, struct vmm_arena *arena, struct vmm_names *ret, struct vmm_err *err)
{
	*ret = (struct vmm_names){.session = s, .arena = arena};
	return vmm_sql_prepare(s, "SELECT value FROM text WHERE id = ?1", &ret->st, err);
}

void vmm_names_done(struct vmm_names *n)
{
	free(n->known);
	sqlite3_finalize(n->st);
	n->known = NULL;
	n->st = NULL;
}

/* The slot of an id, or the empty one where it belongs; capacity is a power of two with room left. */
static struct vmm_known_name *known_slot(struct vmm_known_name *known, size_t capacity, uint64_t id)
{
	size_t at = (size_t)(id * UINT64_C(0x9e3779b97f4a7c15) >> 32) & (capacity - 1);

	while (known[at].id && known[at].id != id)
		at = (at + 1) & (capacity - 1);
	return &known[at];
}

static bool known_reserve(struct vmm_names *n)
{
	size_t capacity = n->capacity ? n->capacity * 2 : 1024;
	struct vmm_known_name *fresh;

	if (n->count + 1 < n->capacity / 2)
		return true;
	fresh = vmm_alloc_hook(NULL, capacity * sizeof(*fresh));
	if (!fresh)
		return false;
	memset(fresh, 0, capacity * sizeof(*fresh));
	for (size_t i = 0; i < n->capacity; i++)
		if (n->known[i].id)
			*known_slot(fresh, capacity, n->known[i].id) = n->known[i];
	free(n->known);
	n->known = fresh;
	n->capacity = capacity;
	return true;
}

int vmm_names_get(struct vmm_names *n, uint64_t id, const char **ret, struct vmm_err *err)
{
	struct vmm_known_name *slot;
	const char *text;
	size_t length;
	int rc;

	if (id == 0 || id >= NAMES_MAX)
		return vmm_session_damaged(n->session, "text", err);
	if (!known_reserve(n))
		return vmm_fail_nomem(err);
	slot = known_slot(n->known, n->capacity, id);
	if (!slot->id) {
		sqlite3_bind_int64(n->st, 1, (int64_t)id);
		rc = vmm_sql_step(n->session, n->st, err);
		text = rc == 1 ? vmm_sql_text(n->st, 0, &length) : NULL;
		if (rc >= 0 && !text)
			rc = vmm_session_damaged(n->session, "text", err);
		if (rc >= 0) {
			slot->text = vmm_arena_strndup(n->arena, text, length);
			rc = slot->text ? 0 : vmm_fail_nomem(err);
		}
		sqlite3_reset(n->st);
		if (rc < 0)
			return rc;
		slot->id = id;
		n->count++;
	}
	*ret = slot->text;
	return 0;
}
