/*
 * Views: rows and columns over a snapshot, and their output as text, CSV, JSON and NDJSON.
 *
 * Layer: view. A table is a list of columns for one type of row; THE table of memory columns is
 * src/view/columns.c. Rows point into the snapshot, which must outlive them.
 */
#ifndef VMMAP_VIEW_H
#define VMMAP_VIEW_H

#include "vmmap/chunks.h"
#include "vmmap/diff.h"
#include "vmmap/err.h"
#include "vmmap/growth.h"
#include "vmmap/snapshot.h"
#include "vmmap/target.h"

struct vmm_out;

enum vmm_value_type {
	VMM_VALUE_BYTES,   /* a size; people see KiB */
	VMM_VALUE_COUNT,   /* a plain number */
	VMM_VALUE_ADDRESS, /* hexadecimal */
	VMM_VALUE_TEXT,    /* raw bytes of the target or our own words */
	VMM_VALUE_FLAG,    /* true or false */
	VMM_VALUE_CHANGE,  /* a size that may be negative: number is an int64_t; people see KiB with a sign */
	VMM_VALUE_CHANGE_COUNT, /* the same of a plain number */
};

enum vmm_value_state {
	VMM_UNKNOWN,
	VMM_KNOWN,
	VMM_AT_LEAST, /* number is a lower bound */
	VMM_AT_MOST,  /* of changes: number is an upper bound */
	VMM_ABSENT,   /* a row of this type has no such thing, e.g. the thread of a mapped file */
};

struct vmm_value {
	enum vmm_value_state state;
	uint64_t number;  /* BYTES, COUNT, ADDRESS, FLAG */
	const char *text; /* TEXT: in the snapshot, static, or in buffer; never NULL */
	const char *suffix; /* our own words for people behind it (" (deleted)", " / 65530"), static or in buffer; never NULL */
	char buffer[128];
};

enum vmm_row_type {
	VMM_ROW_REGION,  /* struct vmm_region */
	VMM_ROW_BLOCK,   /* struct vmm_block */
	VMM_ROW_VMA,     /* struct vmm_vma */
	VMM_ROW_GAP,     /* struct vmm_gap */
	VMM_ROW_TYPE,    /* struct vmm_type_total */
	VMM_ROW_THREAD,  /* struct vmm_thread */
	VMM_ROW_MODULE,  /* struct vmm_module */
	VMM_ROW_PROCESS, /* struct vmm_process */
	VMM_ROW_FILE,    /* struct vmm_file_total: all regions of one path */
	VMM_ROW_HEAP,    /* struct vmm_heap */
	VMM_ROW_PART,    /* struct vmm_heap_part: below a region, in text */
	VMM_ROW_CHUNK,   /* struct vmm_chunk_row: streamed, see vmm_stream_create() */
	VMM_ROW_STRING,  /* struct vmm_string */
	VMM_ROW_DIFF,    /* struct vmm_diff_row; snapshot is the one that its thing is in */
};

struct vmm_row {
	union {
		const struct vmm_snapshot *snapshot;
		const struct vmm_process_list *list; /* VMM_ROW_PROCESS; may be NULL */
	};
	const void *object;
	enum vmm_row_type type;
	uint32_t depth; /* 0 for top rows; a row's children follow it directly */
};

enum vmm_column_flag {
	VMM_COLUMN_DEFAULT = 1, /* shown when --columns is not given */
	VMM_COLUMN_SUMMARY = 2, /* shown in the table of types */
	VMM_COLUMN_WIDE = 4,    /* default only where the line is wide enough */
	VMM_COLUMN_JSON = 8,    /* part of every JSON region and block */
	VMM_COLUMN_ID = 16,     /* a number that names something: shown without thousands separators */
	VMM_COLUMN_EACH = 32,   /* of diffs: said of each region, not of a type or the total */
};

enum vmm_column_side { VMM_SIDE_CHANGE, VMM_SIDE_BEFORE, VMM_SIDE_AFTER };

struct vmm_column {
	const char *id;      /* for scripts, --columns, --sort, --where */
	const char *title;   /* heading for people */
	const char *vmmap;   /* VMMap's name; "" when it has none */
	const char *help;    /* definition, one sentence */
	enum vmm_value_type type;
	uint32_t needs;      /* enum vmm_need bits (enum vmm_process_need for processes) */
	uint32_t flags;      /* enum vmm_column_flag */
	int metric;          /* enum vmm_metric that it shows, or -1: then get is set */
	enum vmm_column_side side; /* of diffs: which side of the metric */
	void (*get)(const struct vmm_row *row, struct vmm_value *ret_value);
};

/* Columns of one view. */
struct vmm_table {
	const char *id;   /* "regions", "tree", "threads", "images", "free", "files", "heaps", "types", "strings", "processes" */
	const char *help;
	enum vmm_row_type row_type; /* of its top rows */
	const char *defaults;       /* ids of the default columns, "a,b"; NULL: those with the flag of this table */
	uint32_t default_flag;      /* VMM_COLUMN_DEFAULT or VMM_COLUMN_SUMMARY */
	uint32_t needs;             /* what its rows are made of, bits as in vmm_column.needs */
	const struct vmm_column *columns;
	size_t column_count;
};

/* The table of a view; NULL when there is none. vmm_table_at iterates over all: NULL past the end. */
const struct vmm_table *vmm_table_find(const char *id);
const struct vmm_table *vmm_table_at(size_t i);
/* The column with this id in a table, or NULL. */
const struct vmm_column *vmm_column_find(const struct vmm_table *table, const char *id);
/* The value of a column in a row. */
void vmm_column_value(const struct vmm_column *column, const struct vmm_row *row, struct vmm_value *ret_value);

/* A compiled --where expression over the columns of one table. Grammar: docs/where.md. */
struct vmm_expr;
/* VMM_E_EXPRESSION: err->column is the place of the mistake. */
int vmm_expr_compile(const struct vmm_table *table, const char *text, struct vmm_expr **ret_expr, struct vmm_err *err);
void vmm_expr_destroy(struct vmm_expr *expr);
uint32_t vmm_expr_needs(const struct vmm_expr *expr);
/* Unknown values make a comparison false, and its negation false too. */
bool vmm_expr_matches(const struct vmm_expr *expr, const struct vmm_row *row);

/* What to show: parsed from the command line or filled by a client. */
struct vmm_query {
	const struct vmm_table *table;
	const struct vmm_column **columns; /* in order; owned by the query */
	size_t column_count;
	const struct vmm_column *sort;     /* NULL: by address */
	bool descending;
	struct vmm_expr *where;            /* NULL: everything */
	uint32_t kinds;                    /* bits of enum vmm_kind; 0: all */
	uint64_t top;                      /* 0: no limit on top rows */
	bool raw;                          /* kernel mappings instead of regions */
	bool blocks;                       /* with the blocks below each region */
	bool columns_chosen;               /* the columns were named by the user */
	bool no_gaps;                      /* of columns: without the stretches between the regions */
	bool unchanged;                    /* of diffs: with what did not change */
	bool parts;                        /* with what a heap's chunks are (VMM_ROW_PART) below the blocks of its region */
};

/* Needs of everything that the query shows, sorts by or filters on. */
uint32_t vmm_query_needs(const struct vmm_query *q);
/*
 * Fills a query from texts as on the command line; each may be NULL. columns "a,b", sort "rss:desc", where an
 * expression, kinds "heap,stack". VMM_E_USAGE names the unknown word and lists those that exist.
 */
int vmm_query_init(struct vmm_query *q, const char *view, const char *columns, const char *sort, const char *where,
                   const char *kinds, struct vmm_err *err);
void vmm_query_done(struct vmm_query *q);

/* Rows that a query picks, sorted; children stay under their parents. */
struct vmm_rows {
	struct vmm_row *rows;
	size_t count;
	uint64_t matched; /* top rows that matched before --top cut the list */
	struct vmm_arena *arena;
};
int vmm_rows_build(struct vmm_rows *rows, const struct vmm_query *q, const struct vmm_snapshot *s, struct vmm_err *err);
int vmm_rows_build_processes(struct vmm_rows *rows, const struct vmm_query *q, const struct vmm_process_list *list,
                             struct vmm_err *err);
/* Of a table of what differs: vmm_table_find("diff_types"), ... Without a sort column what changed most comes first. */
int vmm_rows_build_diff(struct vmm_rows *rows, const struct vmm_query *q, const struct vmm_diff *diff, struct vmm_err *err);
void vmm_rows_done(struct vmm_rows *rows);

/* All regions of one path or object. */
struct vmm_file_total {
	const char *path;
	enum vmm_kind kind;
	uint64_t regions;
	struct vmm_metrics m;
};

/* What chunks of one sort take of a heap's region. */
struct vmm_heap_part {
	const char *label;   /* "used", "free, resident", ... */
	uint64_t count;      /* of chunks; 0: not told */
	uint64_t bytes, rss;
	bool resident_known; /* rss says something */
};

/* One chunk with where it comes from. */
struct vmm_chunk_row {
	const struct vmm_chunk_batch *batch;
	const struct vmm_chunk *chunk;
};

enum vmm_units { VMM_UNITS_KIB, VMM_UNITS_BYTES, VMM_UNITS_MIB, VMM_UNITS_AUTO };

struct vmm_style {
	enum vmm_units units;
	unsigned width; /* columns of the terminal; 0: no limit */
	bool colour;    /* escape sequences for colour allowed */
	bool dark;      /* dark background */
	bool heading;   /* with a heading line */
};

/* Each writes the whole table. Errors of the output stick in out and are told by vmm_out_finish. */
void vmm_emit_text(struct vmm_out *out, const struct vmm_query *q, const struct vmm_rows *rows, const struct vmm_style *style);
void vmm_emit_csv(struct vmm_out *out, const struct vmm_query *q, const struct vmm_rows *rows);
void vmm_emit_ndjson(struct vmm_out *out, const struct vmm_query *q, const struct vmm_rows *rows);
/* The whole document of docs/json.md; rows are what goes into "regions". */
void vmm_emit_json(struct vmm_out *out, const struct vmm_query *q, const struct vmm_rows *rows, const struct vmm_snapshot *s);
/* The same with its rows as columns, and the stretches between the regions ("json-columns" in docs/json.md). */
void vmm_emit_json_columns(struct vmm_out *out, const struct vmm_query *q, const struct vmm_rows *rows, const struct vmm_snapshot *s);
/*
 * The whole snapshot as VMMap for Windows exports one, as CSV or as text (docs/vmmap-files.md). VMM_E_NOMEM.
 */
int vmm_emit_vmmap(struct vmm_out *out, const struct vmm_snapshot *s, bool csv, struct vmm_err *err);
/* {"schema", "tool", "taken_at", "<table id>": [rows]} for tables other than regions and tree. */
void vmm_emit_json_table(struct vmm_out *out, const struct vmm_query *q, const struct vmm_rows *rows, const struct vmm_snapshot *s);

/* What --fail-if found: whether an expression holds of a diff. */
struct vmm_diff_check {
	const char *expression;
	int truth;                     /* 1: it holds; 0: it does not; -1: an unknown number decides */
	const struct vmm_diff_row *of; /* the row that decided; NULL where none holds */
	uint64_t count;                /* rows of which it holds */
	char values[160];              /* "rss +4096": what it asks for, of that row; bytes */
};
/*
 * Asks the total; where the expression names kind every type; where it names what only regions have, every region.
 * expr is compiled for the table "diff_regions".
 */
void vmm_diff_check(const struct vmm_diff *diff, const struct vmm_expr *expr, struct vmm_diff_check *ret_check);

/* A diff with what is to be shown of it; a section without a query is left out. */
struct vmm_diff_page {
	const struct vmm_diff *diff;
	const char *names[2]; /* of the targets, as the user gave them */
	const struct vmm_query *types, *regions, *heaps, *classes;
	bool rest;            /* also threads, images, accounts and notes */
	const struct vmm_growth *growth; /* what grows steadily between them; NULL: not asked */
	const struct vmm_diff_check *checks;
	size_t check_count;
};
/* The document of docs/json.md. VMM_E_NOMEM: nothing was written. */
int vmm_emit_json_diff(struct vmm_out *out, const struct vmm_diff_page *page, struct vmm_err *err);
/* The object "growth" of docs/json.md, without a key. */
void vmm_emit_json_growth(struct vmm_out *out, const struct vmm_growth *growth);

/*
 * Rows written one by one in bounded memory, for tables whose rows are streamed. Text has columns of fixed width. The
 * query, style and out must outlive the stream. NULL: out of memory.
 */
enum vmm_stream_format { VMM_STREAM_TEXT, VMM_STREAM_CSV, VMM_STREAM_NDJSON };
struct vmm_stream;
struct vmm_stream *vmm_stream_create(struct vmm_out *out, const struct vmm_query *q, enum vmm_stream_format format,
                                     const struct vmm_style *style);
/* Writes the row when it fits --where; false when no more are wanted: --top is reached, or the output failed. */
bool vmm_stream_row(struct vmm_stream *stream, const struct vmm_row *row);
/* Rows written so far. */
uint64_t vmm_stream_count(const struct vmm_stream *stream);
/* NULL is allowed. */
void vmm_stream_destroy(struct vmm_stream *stream);

/*
 * Buffered output to a descriptor that the caller keeps open. vmm_out_finish flushes, frees, and tells the first
 * error: VMM_E_OUTPUT with errno, or 0. EPIPE is an error like any other.
 */
struct vmm_out *vmm_out_create(int fd);
int vmm_out_finish(struct vmm_out *out, struct vmm_err *err);

#endif
