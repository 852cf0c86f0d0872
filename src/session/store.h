/*
 * The inside of a session: its database, what was written last, rows.
 * Layer: session. Used by one thread at a time.
 */
#ifndef VMM_SESSION_STORE_H
#define VMM_SESSION_STORE_H

#include <sqlite3.h>

#include "base/arena.h"
#include "base/base.h"
#include "base/err.h"
#include "session/tables.h"
#include "vmmap/session.h"

#define VMM_SESSION_APPLICATION 0x564d4d53 /* "VMMS" */
#define VMM_SESSION_SCHEMA 1
#define VMM_TABLE_MISSING UINT64_MAX /* a table that came later than the file, and that does without it */

/* One row while it is made or read. Bit i of known: column i is not NULL. */
struct vmm_row {
	uint64_t known;
	uint64_t v[VMM_ROW_COLUMNS]; /* INT: the number; NAME: id in text */
	const void *data[VMM_ROW_COLUMNS]; /* TEXT, BLOB: the bytes, valid as long as who filled it says */
	uint32_t length[VMM_ROW_COLUMNS];
	char bounds[1024];
};

/* A row that holds still, as it was written: packed cells behind one another in vmm_live.cells. */
struct vmm_live_row {
	uint64_t key;
	uint32_t seq;    /* lower half of id */
	uint32_t at, n;  /* in cells */
};

struct vmm_live {
	struct vmm_live_row *rows; /* by rising key */
	size_t count, capacity;
	uint64_t *cells;
	size_t cell_count, cell_capacity;
	uint32_t next_seq;   /* of the next row */
	uint32_t key_seq;    /* the last key frame begins here */
};

/* What is known of one target while snapshots of it are added. */
struct vmm_session_target {
	uint32_t id;
	uint32_t last; /* number of its last snapshot; 0: none yet */
	struct vmm_live live[VMM_TABLE_COUNT];
	uint32_t cut[VMM_TABLE_COUNT]; /* key frame before which dropping has taken out all rows; 0: not known */
};

struct vmm_name_slot {
	uint64_t hash;
	uint32_t id; /* 0: empty */
	uint32_t length;
	const char *text; /* in name_texts; NULL: not asked for since the file was opened, or forgotten */
};

struct vmm_nameless;

struct vmm_session {
	sqlite3 *db;
	struct vmm_nameless *nameless; /* NULL: the file has a name */
	char *path;
	enum vmm_session_mode mode;
	int64_t data_version; /* SQLite's: it changes when another program writes */
	uint64_t ticks, tick_limit; /* of the progress handler: a query on a hostile file ends */
	uint64_t missing[VMM_TABLE_COUNT]; /* bit i: the file does not have this metric's column; or VMM_TABLE_MISSING */
	sqlite3_stmt *insert[VMM_TABLE_COUNT], *retire[VMM_TABLE_COUNT];
	/* For reading: to prepare them anew for each snapshot would take longer than to read a small one. */
	sqlite3_stmt *each[VMM_TABLE_COUNT], *segment, *moment;
	/* For adding; all of it is read again from the file after a failure. */
	struct vmm_session_target **targets;
	size_t target_count, target_capacity;
	struct vmm_name_slot *names;
	size_t name_count, name_capacity;
	sqlite3_stmt *insert_name, *find_name;
	struct vmm_arena *name_texts;
	size_t name_bytes; /* in it */
	bool names_read;
	uint32_t next_name;
	uint32_t swept_names; /* next_name when unused texts were last looked for */
	uint32_t drops;       /* calls of vmm_session_drop() that dropped something */
	/* The rows of `total` that were read last: asked for in turn they come from here. */
	struct vmm_total_cache *totals;
	struct vmm_reader *reader; /* whose rows are being handed over */
};

/* --- sql.c: statements --- */

/* The error that SQLite had last on this session, told in one line. */
int vmm_sql_fail(struct vmm_session *s, int rc, struct vmm_err *err);
int vmm_sql_exec(struct vmm_session *s, const char *sql, struct vmm_err *err);
/* *ret is to be finalized by the caller; VMM_CLEANUP_STMT does it. */
int vmm_sql_prepare(struct vmm_session *s, const char *sql, sqlite3_stmt **ret, struct vmm_err *err);
/* 1: a row is there; 0: the end; or an error. */
int vmm_sql_step(struct vmm_session *s, sqlite3_stmt *st, struct vmm_err *err);
/* Runs a statement that gives no rows, and resets it. */
int vmm_sql_run(struct vmm_session *s, sqlite3_stmt *st, struct vmm_err *err);
/* The first column of the first row; *ret_known is false where there is none or it is NULL. */
int vmm_sql_number(struct vmm_session *s, const char *sql, int64_t *ret, bool *ret_known, struct vmm_err *err);
/* A fresh allowance of steps for the next work on a file that may be hostile. */
void vmm_sql_allow(struct vmm_session *s);
void vmm_sql_finalize(sqlite3_stmt **st);
#define VMM_CLEANUP_STMT VMM_CLEANUP(vmm_sql_finalize)
/* For a statement that the session keeps: it must not stand on a row when its transaction ends. */
void vmm_sql_reset(sqlite3_stmt **st);
#define VMM_CLEANUP_RESET VMM_CLEANUP(vmm_sql_reset)
/* "the session is damaged: ..." */
int vmm_session_damaged(struct vmm_session *s, const char *table, struct vmm_err *err);
/* Column i as an integer within [low, high]; false: it is something else. */
bool vmm_sql_int(sqlite3_stmt *st, int i, int64_t low, int64_t high, int64_t *ret);
/* Column i as text without NUL; "" for NULL. NULL: it is something else. Valid until the next step. */
const char *vmm_sql_text(sqlite3_stmt *st, int i, size_t *ret_length);

/* --- nameless.c --- */

/* What SQLite reads a file by that has no name any more, of the path that leads to it; *ret NULL: it has one. VMM_E_NOMEM. */
int vmm_nameless_open(const char *path, struct vmm_nameless **ret, struct vmm_err *err);
/* For sqlite3_open_v2(). NULL is none. */
const char *vmm_nameless_vfs(const struct vmm_nameless *n);
/* After the database was closed. NULL is none. */
void vmm_nameless_close(struct vmm_nameless *n);

/* --- schema.c --- */

int vmm_schema_create(struct vmm_session *s, struct vmm_err *err);
/* That this is a session of a version that is understood, and that its tables are plain ones. */
int vmm_schema_check(struct vmm_session *s, struct vmm_err *err);
/*
 * Statements on all columns of a table behind id, first and last: the rows where something holds, by id, with NULL for
 * columns that the file does not have; and one to add a row. free() them; NULL: out of memory.
 */
char *vmm_schema_select(const struct vmm_session *s, enum vmm_session_table table, const char *where);
/* One row's id, first, last and metrics, by its id. */
char *vmm_schema_select_metrics(const struct vmm_session *s, enum vmm_session_table table);
/* A statement that calls vmm_row() with id, first, last and the columns of each row that can hold in a snapshot. */
char *vmm_schema_each(const struct vmm_session *s, enum vmm_session_table table, bool metrics);
char *vmm_schema_insert(const struct vmm_session *s, enum vmm_session_table table);

/* --- names.c: the table text --- */

/* The id of a text, which is added when it is new. Within a transaction. */
int vmm_name_id(struct vmm_session *s, const char *text, uint32_t *ret_id, struct vmm_err *err);
/* The texts that were remembered are read again. */
void vmm_names_forget(struct vmm_session *s);
/* Finds what may be the same fast. The target chooses the bytes, and equal hashes are easy to make: it proves nothing. */
uint64_t vmm_session_hash(const void *data, size_t length);
/* Texts by id, copied into an arena as they are asked for. */
struct vmm_names {
	struct vmm_session *session;
	struct vmm_arena *arena;
	sqlite3_stmt *st;
	struct vmm_known_name {
		uint64_t id; /* 0: empty slot */
		const char *text;
	} *known; /* open addressing by id: ids may be far apart */
	size_t count, capacity;
};
int vmm_names_open(struct vmm_session *s, struct vmm_arena *arena, struct vmm_names *ret, struct vmm_err *err);
void vmm_names_done(struct vmm_names *n);
/* VMM_E_FORMAT: there is none. */
int vmm_names_get(struct vmm_names *n, uint64_t id, const char **ret, struct vmm_err *err);

/* --- live.c: writing rows that changed --- */

/* Rows of one table of one target, given by rising key: what is new is written, what is gone is closed. */
struct vmm_writer {
	struct vmm_session *session;
	struct vmm_session_target *target;
	enum vmm_session_table table;
	uint32_t number;
	bool whole;           /* a key frame: every row anew */
	size_t at;            /* in the rows before */
	struct vmm_live next; /* what holds from now on */
	struct vmm_row row;   /* the one being made */
	struct vmm_err *err;
};

int vmm_writer_begin(struct vmm_writer *w, struct vmm_session *s, struct vmm_session_target *t, enum vmm_session_table table,
                     uint32_t number, struct vmm_err *err);
/* Takes w->row, whose first column is the key, and empties it. VMM_E_FORMAT: not above the key before. */
int vmm_writer_put(struct vmm_writer *w);
/* Whether w->row is what holds already, as the row *ret_id: then its contents need not be made. */
bool vmm_writer_same(struct vmm_writer *w, int64_t *ret_id);
/* Closes what is left of the rows before. Always called; rc < 0: gives up. Returns rc or an error. */
int vmm_writer_end(struct vmm_writer *w, int rc);
/* The state of a target, read from the file when it is not there yet. */
int vmm_session_target_get(struct vmm_session *s, uint32_t id, struct vmm_session_target **ret, struct vmm_err *err);
/* Forgets what was written: it is read again. */
void vmm_session_forget(struct vmm_session *s);

static inline void vmm_row_int(struct vmm_row *r, unsigned column, uint64_t v)
{
	r->v[column] = v;
	r->known |= UINT64_C(1) << column;
}

static inline void vmm_row_data(struct vmm_row *r, unsigned column, const void *data, size_t length)
{
	r->data[column] = data;
	r->length[column] = (uint32_t)length;
	r->known |= UINT64_C(1) << column;
}

/* --- segment.c: reading rows --- */

/*
 * Which target a snapshot is of, and what of its memory was kept: bits of enum vmm_contents (NULL: not asked for).
 * VMM_E_NO_TARGET: there is no such snapshot; VMM_E_FORMAT.
 */
int vmm_segment_target(struct vmm_session *s, uint32_t number, uint32_t *ret_target, uint32_t *ret_contents, struct vmm_err *err);
/* The ids that hold all rows of a table that hold in a snapshot: [*ret_low, *ret_high]. */
int vmm_segment_find(struct vmm_session *s, uint32_t target, enum vmm_session_table table, uint32_t number, int64_t *ret_low,
                     int64_t *ret_high, struct vmm_err *err);

/* Snapshots [*ret_from, *ret_to) lie between the same key frames of a table as one of them. */
int vmm_segment_numbers(struct vmm_session *s, uint32_t target, enum vmm_session_table table, uint32_t number, uint32_t *ret_from,
                        uint32_t *ret_to, struct vmm_err *err);

/* A walk over the rows of one table in one snapshot, by rising id. */
struct vmm_reader {
	struct vmm_session *session;
	enum vmm_session_table table;
	uint32_t number;
	sqlite3_stmt *st;
	sqlite3_value **values;   /* of the row, when it is told by vmm_reader_each(); else they are the statement's columns */
	bool apart;               /* metrics are asked for row by row: few of this table have their own */
	bool kept;                /* st is the session's */
	sqlite3_stmt *metrics_st;
	int64_t last_id;
	struct vmm_err *err;
	int (*fn)(void *arg);     /* of vmm_reader_each() */
	void *arg;
	int rc;
};
int vmm_reader_begin(struct vmm_reader *r, struct vmm_session *s, uint32_t target, enum vmm_session_table table, uint32_t number,
                     struct vmm_err *err);
/* 1: the next row is there. */
int vmm_reader_next(struct vmm_reader *r);
/*
 * Instead of begin and next, for many rows: calls fn for each, with the reader on it; a negative result ends the walk. The
 * rows are handed over inside SQLite, by a function in the WHERE clause that lets none pass: half the cost of a row is
 * in leaving SQLite with it. vmm_reader_end() after it.
 */
int vmm_reader_each(struct vmm_reader *r, struct vmm_session *s, uint32_t target, enum vmm_session_table table, uint32_t number,
                    int (*fn)(void *arg), void *arg, struct vmm_err *err);
/* The same of the rows with ids of [low, high]. */
int vmm_reader_range(struct vmm_reader *r, struct vmm_session *s, enum vmm_session_table table, uint32_t number, int64_t low, int64_t high,
                     int (*fn)(void *arg), void *arg, struct vmm_err *err);
/* Makes that function known to a connection. */
int vmm_reader_install(struct vmm_session *s);
void vmm_reader_end(struct vmm_reader *r);
/* A column of the row; *ret_known false for NULL. False: no integer. */
bool vmm_reader_int(struct vmm_reader *r, unsigned column, uint64_t *ret, bool *ret_known);
const void *vmm_reader_blob(struct vmm_reader *r, unsigned column, size_t *ret_length);
/* Metrics and bounds of the row. 0, VMM_E_FORMAT without a text, or another error. */
int vmm_reader_metrics(struct vmm_reader *r, struct vmm_metrics *ret);

/* --- blob.c: what is packed into blobs, as varints --- */

struct vmm_pack {
	unsigned char *bytes;
	size_t used, capacity;
	bool failed;
};
void vmm_pack_put(struct vmm_pack *p, uint64_t v);
void vmm_pack_done(struct vmm_pack *p);

struct vmm_unpack {
	const unsigned char *p, *end;
	bool failed;
};
uint64_t vmm_unpack_get(struct vmm_unpack *u);

void vmm_pack_sums(struct vmm_pack *p, const struct vmm_chunk_sums *sums);
void vmm_unpack_sums(struct vmm_unpack *u, struct vmm_chunk_sums *ret);
void vmm_pack_sizes(struct vmm_pack *p, const struct vmm_heap_contents *c);
/* VMM_E_FORMAT, VMM_E_NOMEM. */
int vmm_unpack_sizes(struct vmm_unpack *u, struct vmm_arena *arena, struct vmm_heap_contents *ret);

/* --- encode.c, decode.c --- */

int vmm_session_encode(struct vmm_session *s, struct vmm_session_target *t, uint32_t number, const struct vmm_snapshot *snapshot,
                       struct vmm_err *err);
void vmm_row_metrics(struct vmm_row *r, enum vmm_session_table table, const struct vmm_metrics *m);

/* --- memory_write.c --- */

/* Keeps page runs and contents; *ret_contents gets bits of enum vmm_contents (memory.h), 0: nothing could be kept. */
int vmm_session_keep_memory(struct vmm_session *s, struct vmm_session_target *st, uint32_t number, const struct vmm_snapshot *snapshot,
                            const struct vmm_session_memory *memory, uint32_t *ret_contents, struct vmm_err *err);

/* --- totals.c --- */

/* Snapshots are added or dropped: what is remembered of totals is read again. */
void vmm_totals_forget(struct vmm_session *s);
void vmm_total_cache_destroy(struct vmm_total_cache *c);

#endif
