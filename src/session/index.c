/* What a session holds. */
#include "vmmap/session.h"

#include <stdlib.h>
#include <string.h>

#include "session/store.h"

struct build {
	struct vmm_session *s;
	struct vmm_session_index *index;
	struct vmm_session_entry *entries;
	size_t count, capacity;
	uint32_t *next;  /* by entry: the target's next one; VMM_NONE: none */
	uint32_t *first; /* by target: the entry that the next row is for */
	struct vmm_err *err;
};

static int add_entry(struct build *b, sqlite3_stmt *st)
{
	struct vmm_session_entry *e;
	int64_t number, target, taken, pid, partial, memory;
	int64_t before = b->count ? b->entries[b->count - 1].number : 0;
	const char *source = vmm_sql_text(st, 5, NULL);

	if (!vmm_sql_int(st, 0, before + 1, INT32_MAX, &number) || !vmm_sql_int(st, 1, 1, b->index->target_count, &target) ||
	    !vmm_sql_int(st, 2, 0, INT64_MAX, &taken) || !vmm_sql_int(st, 3, 0, 1, &partial) || !vmm_sql_int(st, 4, 0, 3, &memory) ||
	    !vmm_sql_int(st, 6, 0, INT32_MAX, &pid) || !source)
		return vmm_session_damaged(b->s, "snapshot", b->err);
	if (!vmm_grow(&b->entries, &b->capacity, b->count + 1, sizeof(*b->entries)))
		return vmm_fail_nomem(b->err);
	e = &b->entries[b->count++];
	*e = (struct vmm_session_entry){.number = (uint32_t)number,
	                                .target = (uint32_t)target,
	                                .taken_at = {.tv_sec = taken / 1000000000, .tv_nsec = taken % 1000000000},
	                                .source = vmm_arena_intern(b->index->arena, source, strlen(source)),
	                                .name = "",
	                                .pid = (int32_t)pid,
	                                .partial = partial,
	                                .has_memory = memory & 1};
	return e->source ? 0 : vmm_fail_nomem(b->err);
}

/* Targets count from 1 without a hole: none is ever taken out. */
static int count_targets(struct build *b)
{
	int64_t most, count;
	bool known;
	int rc = vmm_sql_number(b->s, "SELECT max(id) FROM target", &most, &known, b->err);

	if (rc == 0)
		rc = vmm_sql_number(b->s, "SELECT count(*) FROM target", &count, &known, b->err);
	if (rc == 0 && (most < 0 || count != most || most >= INT32_MAX))
		rc = vmm_session_damaged(b->s, "target", b->err);
	if (rc == 0)
		b->index->target_count = (uint32_t)most;
	return rc;
}

static int read_entries(struct build *b)
{
	VMM_CLEANUP_STMT sqlite3_stmt *st = NULL;
	int rc = vmm_sql_prepare(b->s, "SELECT s.number, s.target, s.taken_at, s.partial, s.contents, t.source, t.pid"
	                               " FROM snapshot s LEFT JOIN target t ON t.id = s.target ORDER BY s.number", &st, b->err);

	while (rc >= 0 && (rc = vmm_sql_step(b->s, st, b->err)) == 1)
		rc = add_entry(b, st);
	return rc;
}

/* Rows come in the order in which they began to hold, and those of one key do not overlap: each entry is met once. */
static int chain_targets(struct build *b)
{
	size_t targets = (size_t)b->index->target_count + 1;

	if (!b->next) {
		b->next = vmm_alloc_hook(NULL, (b->count + 1) * sizeof(*b->next));
		b->first = vmm_alloc_hook(NULL, targets * sizeof(*b->first));
	}
	if (!b->next || !b->first)
		return vmm_fail_nomem(b->err);
	memset(b->first, 0xff, targets * sizeof(*b->first));
	for (size_t i = b->count; i-- > 0;) {
		b->next[i] = b->first[b->entries[i].target];
		b->first[b->entries[i].target] = (uint32_t)i;
	}
	return 0;
}

typedef int (*entry_fn)(struct build *b, struct vmm_session_entry *e, const void *value);

/* Calls fn for each entry in which the row of a statement that begins with id, first, last holds. */
static int each_entry(struct build *b, const char *table, sqlite3_stmt *st, entry_fn fn, const void *value)
{
	int64_t id, first, last = INT32_MAX;
	uint32_t *at;
	int rc = 0;

	if (!vmm_sql_int(st, 0, 0, INT64_MAX, &id) || !vmm_sql_int(st, 1, 1, INT32_MAX, &first) ||
	    (sqlite3_column_type(st, 2) != SQLITE_NULL && !vmm_sql_int(st, 2, 0, INT32_MAX, &last)) || id >> 32 > b->index->target_count)
		return vmm_session_damaged(b->s, table, b->err);
	at = &b->first[id >> 32];
	while (*at != VMM_NONE && b->entries[*at].number < first)
		*at = b->next[*at];
	for (; rc == 0 && *at != VMM_NONE && b->entries[*at].number <= last; *at = b->next[*at])
		rc = fn(b, &b->entries[*at], value);
	return rc;
}

static int set_name(struct build *b, struct vmm_session_entry *e, const void *value)
{
	e->name = value;
	return 0;
}

static int read_process_names(struct build *b)
{
	VMM_CLEANUP_STMT sqlite3_stmt *st = NULL;
	int rc = chain_targets(b);

	if (rc == 0)
		rc = vmm_sql_prepare(b->s, "SELECT p.id, p.first, p.last, t.value FROM process p JOIN text t ON t.id = p.name ORDER BY p.id", &st,
		                     b->err);
	while (rc >= 0 && (rc = vmm_sql_step(b->s, st, b->err)) == 1) {
		size_t length;
		const char *text = vmm_sql_text(st, 3, &length);

		if (!text)
			return vmm_session_damaged(b->s, "text", b->err);
		text = vmm_arena_intern(b->index->arena, text, length);
		if (!text)
			return vmm_fail_nomem(b->err);
		rc = each_entry(b, "process", st, set_name, text);
	}
	return rc;
}

static int set_total(struct build *b, struct vmm_session_entry *e, const void *value)
{
	e->total = *(const struct vmm_metrics *)value;
	return 0;
}

static int read_all_totals(struct build *b)
{
	/* The row of all kinds together stands behind those of each. */
	VMM_CLEANUP_FREE char *sql = vmm_schema_select(b->s, VMM_TABLE_TOTAL, "kind = (SELECT id FROM text WHERE value = 'total')");
	struct vmm_reader r = {.session = b->s, .table = VMM_TABLE_TOTAL, .last_id = -1, .err = b->err};
	int rc = sql ? chain_targets(b) : vmm_fail_nomem(b->err);

	if (rc == 0)
		rc = vmm_sql_prepare(b->s, sql, &r.st, b->err);
	while (rc >= 0 && (rc = vmm_reader_next(&r)) == 1) {
		struct vmm_metrics m;

		if (vmm_reader_metrics(&r, &m) < 0)
			rc = vmm_session_damaged(b->s, "total", b->err);
		else
			rc = each_entry(b, "total", r.st, set_total, &m);
		if (rc < 0)
			break;
	}
	vmm_reader_end(&r);
	return rc;
}

int vmm_session_index(struct vmm_session *session, struct vmm_session_index **ret_index, struct vmm_err *err)
{
	struct vmm_arena *arena = vmm_arena_create();
	struct build b = {.s = session, .err = err, .index = arena ? vmm_arena_alloc(arena, sizeof(*b.index)) : NULL};
	int rc;

	if (!b.index) {
		vmm_arena_destroy(arena);
		return vmm_fail_nomem(err);
	}
	b.index->arena = arena;
	vmm_sql_allow(session);
	rc = vmm_sql_exec(session, "BEGIN", err);
	if (rc == 0) {
		rc = count_targets(&b);
		if (rc == 0)
			rc = read_entries(&b);
		if (rc == 0)
			rc = read_process_names(&b);
		if (rc == 0)
			rc = read_all_totals(&b);
		sqlite3_exec(session->db, "COMMIT", NULL, NULL, NULL);
	}
	free(b.next);
	free(b.first);
	b.index->count = (uint32_t)b.count;
	b.index->entries = vmm_arena_keep(arena, b.entries);
	if (rc >= 0 && b.count && !b.index->entries)
		rc = vmm_fail_nomem(err);
	if (rc < 0) {
		vmm_arena_destroy(arena);
		return rc;
	}
	*ret_index = b.index;
	return 0;
}

void vmm_session_index_destroy(struct vmm_session_index *index)
{
	if (index)
		vmm_arena_destroy(index->arena);
}
