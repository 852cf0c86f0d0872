/*
 * CSV exports of VMMap: Process and PID, a table of types, a table of regions with their blocks. Every field is quoted,
 * a line ends in CR CR LF, and the two headings end in a comma that their rows lack.
 */
#include "format/vmmap_file.h"

#include <string.h>
#include <strings.h>

#include "base/err.h"
#include "base/scan.h"

#define FIELDS_MAX 64

enum column {
	TYPE,
	ADDRESS,
	BLOCKS,
	LARGEST,
	PROTECTION,
	DETAILS,
	FIRST_METRIC, /* those of metric_columns follow */
};

static const struct {
	const char *title;
	enum vmm_metric metric;
} metric_columns[] = {
        {"Size", VMM_METRIC_SIZE},
        {"Committed", VMM_METRIC_COMMITTED},
        {"Private", VMM_METRIC_PRIVATE},
        {"Total WS", VMM_METRIC_RSS},
        {"Private WS", VMM_METRIC_USS},
        {"Shareable WS", VMM_METRIC_SHAREABLE},
        {"Shared WS", VMM_METRIC_SHARED},
        {"Locked WS", VMM_METRIC_LOCKED},
};
#define COLUMN_COUNT (FIRST_METRIC + ARRAY_LEN(metric_columns))
#define NO_FIELD SIZE_MAX

struct csv {
	char *p, *end;
	char delimiter;
	char *field[FIELDS_MAX];
	size_t count;
	bool open;   /* a quote of the record was never closed */
	bool at_end; /* the record has no line end */
	size_t place[COLUMN_COUNT]; /* field of each column in the table that is read, or NO_FIELD */
	size_t width;               /* fields that a row of it has */
	enum { NOTHING, SUMMARY, DETAIL } table;
	bool details_seen;
	const char *process;
	int64_t pid;
	const struct vmm_vmmap_events *events;
	struct vmm_vmmap_damage damage;
};

/* Reads a field in place and ends it with NUL, or leaves that to who looks at its delimiter, where p then stands. */
static void read_field(struct csv *c)
{
	char *to = c->p;
	bool open = c->p < c->end && *c->p == '"';

	/* A delimiter with nothing behind it: every field has its quotes. */
	c->open |= c->p >= c->end;
	if (open)
		c->p++;
	for (; c->p < c->end; c->p++) {
		if (open && *c->p == '"') {
			if (c->p + 1 < c->end && c->p[1] == '"') {
				c->p++;
			} else {
				open = false;
				continue;
			}
		} else if (*c->p == '\r' || *c->p == '\n' || (!open && *c->p == c->delimiter)) {
			break; /* nothing in these files has a line end within quotes */
		}
		*to++ = *c->p;
	}
	c->open |= open;
	if (to < c->p)
		*to = '\0';
}

/* One record into c->field; false at the end. Empty lines are skipped. */
static bool read_record(struct csv *c)
{
	while (c->p < c->end && (*c->p == '\r' || *c->p == '\n'))
		c->p++;
	c->count = 0;
	c->open = c->at_end = false;
	if (c->p >= c->end)
		return false;
	for (;;) {
		char *start = c->p;
		bool more;

		read_field(c);
		if (c->count < FIELDS_MAX)
			c->field[c->count++] = start;
		if (c->p >= c->end) {
			c->at_end = true;
			return true; /* the text has a NUL behind its end */
		}
		more = *c->p == c->delimiter;
		*c->p++ = '\0';
		if (!more)
			return true;
	}
}

static size_t column_of(const char *title)
{
	static const char *const titles[] = {[TYPE] = "Type",       [ADDRESS] = "Address",       [BLOCKS] = "Blocks",
	                                     [LARGEST] = "Largest", [PROTECTION] = "Protection", [DETAILS] = "Details"};

	for (size_t i = 0; i < ARRAY_LEN(titles); i++)
		if (strcasecmp(titles[i], title) == 0)
			return i;
	for (size_t i = 0; i < ARRAY_LEN(metric_columns); i++)
		if (strcasecmp(metric_columns[i].title, title) == 0)
			return FIRST_METRIC + i;
	return COLUMN_COUNT;
}

static void read_heading(struct csv *c)
{
	for (size_t i = 0; i < COLUMN_COUNT; i++)
		c->place[i] = NO_FIELD;
	c->width = 0;
	for (size_t i = 0; i < c->count; i++) {
		size_t column = column_of(c->field[i]);

		if (c->field[i][0])
			c->width = i + 1;
		if (column < COLUMN_COUNT && c->place[column] == NO_FIELD)
			c->place[column] = i;
	}
	c->table = c->place[ADDRESS] != NO_FIELD ? DETAIL : SUMMARY;
	c->details_seen |= c->table == DETAIL;
}

/* "Type","Size",... or "Address","Type","Size",...: no row has these words in these places. */
static bool is_heading(const struct csv *c)
{
	return (c->count > 2 && strcasecmp(c->field[0], "Type") == 0 && strcasecmp(c->field[1], "Size") == 0) ||
	       (c->count > 3 && strcasecmp(c->field[0], "Address") == 0 && strcasecmp(c->field[1], "Type") == 0);
}

static const char *field_of(const struct csv *c, size_t column)
{
	return c->place[column] < c->count ? c->field[c->place[column]] : NULL;
}

/* Unknown: there is no such column, or a question mark, which our own files have. */
static bool read_size(struct csv *c, size_t column, uint64_t *ret)
{
	const char *text = field_of(c, column);

	if (!text || strcmp(text, "?") == 0)
		return false;
	if (vmm_vmmap_size_parse(text, ret))
		return true;
	c->damage.numbers++;
	return false;
}

/* "  001A0000": blanks before it make it a block's. */
static bool read_address(const char *text, struct vmm_vmmap_row *row)
{
	struct vmm_scan s = vmm_scan_init(text, strlen(text));
	const char *digits;

	vmm_scan_blank(&s);
	row->child = s.p > text;
	vmm_scan_text(&s, "0x");
	digits = s.p;
	if (!vmm_scan_hex(&s, &row->address) || !vmm_scan_done(&s))
		return false;
	row->address_digits = (uint8_t)vmm_min_u64((uint64_t)(s.p - digits), 255);
	return true;
}

static void read_numbers(struct csv *c, struct vmm_vmmap_row *row)
{
	uint64_t n;

	for (size_t i = 0; i < ARRAY_LEN(metric_columns); i++)
		if (read_size(c, FIRST_METRIC + i, &n))
			vmm_metric_set(&row->m, metric_columns[i].metric, n);
	row->largest_known = read_size(c, LARGEST, &row->largest);
	row->blocks_known = read_size(c, BLOCKS, &n);
	row->blocks = row->blocks_known ? n >> 10 : 0;
}

static int read_row(struct csv *c)
{
	struct vmm_vmmap_row row = {.summary = c->table == SUMMARY, .heap_id = VMM_VMMAP_NO_ID, .type = "", .protection = "", .details = ""};
	const char *text = field_of(c, TYPE);

	if (!text || c->count < c->width || c->open) {
		c->damage.cut |= c->at_end;
		c->damage.rows += !c->at_end;
		return 0;
	}
	row.type = text;
	row.total = row.summary && strcasecmp(text, "Total") == 0;
	if (!row.total)
		vmm_vmmap_type_parse(text, &row);
	if (!row.summary && !read_address(field_of(c, ADDRESS), &row)) {
		c->damage.rows++;
		return 0;
	}
	read_numbers(c, &row);
	text = field_of(c, PROTECTION);
	if (text) {
		row.protection = text;
		vmm_vmmap_protection_parse(text, &row);
	}
	text = field_of(c, DETAILS);
	row.details = text ? text : "";
	return c->events->row(c->events->arg, &row);
}

static void read_preamble(struct csv *c)
{
	struct vmm_scan s;
	uint64_t pid;

	if (c->count < 2)
		return;
	if (strcasecmp(c->field[0], "Process:") == 0)
		c->process = c->field[1];
	s = vmm_scan_init(c->field[1], strlen(c->field[1]));
	if (strcasecmp(c->field[0], "PID:") == 0 && vmm_scan_dec(&s, &pid) && vmm_scan_done(&s) && pid <= UINT32_MAX)
		c->pid = (int64_t)pid;
}

static int read_any(struct csv *c)
{
	bool first = c->table == NOTHING;

	if (!is_heading(c) && first) {
		read_preamble(c);
		return 0;
	}
	if (!is_heading(c))
		return read_row(c);
	read_heading(c);
	if (first) {
		struct vmm_vmmap_head head = {.process = c->process, .pid = c->pid};

		return c->events->head(c->events->arg, &head);
	}
	return 0;
}

/* What stands behind "Process:" or, in a file without it, between the first two fields. */
static char find_delimiter(const char *text)
{
	static const char all[] = ",;\t";
	const char *line_end = text + strcspn(text, "\r\n");
	const char *at = strchr(text, '"');

	at = at && at < line_end ? strchr(at + 1, '"') : NULL;
	return at && at < line_end && at[1] && strchr(all, at[1]) ? at[1] : ',';
}

int vmm_vmmap_csv_parse(char *text, size_t length, const struct vmm_vmmap_events *events, struct vmm_vmmap_damage *ret_damage,
                        struct vmm_err *err)
{
	struct csv c = {.p = text, .end = text + length, .delimiter = find_delimiter(text), .process = "", .pid = -1, .events = events};
	int rc = 0;

	while (rc == 0 && read_record(&c))
		rc = read_any(&c);
	if (rc != 0)
		return rc;
	*ret_damage = c.damage;
	if (!c.details_seen)
		return vmm_fail(err, VMM_E_FORMAT, 0, "no table of regions: it must begin with \"Address\",\"Type\",\"Size\"");
	return 0;
}

bool vmm_vmmap_is_csv(const char *bytes, size_t length)
{
	static const char *const heads[] = {"\"Process:\"", "\"Address\",\"Type\",\"Size\"", "\"Type\",\"Size\",\"Committed\""};
	VMM_CLEANUP_FREE char *text = NULL;
	const char *encoding, *p;
	size_t n;

	/* An even number of bytes, so that UTF-16 is not cut within a character. */
	if (vmm_vmmap_text(bytes, length < 256 ? length : 256, &text, &n, &encoding, NULL) < 0)
		return false;
	p = text + strspn(text, " \t\r\n");
	for (size_t i = 0; i < ARRAY_LEN(heads); i++)
		if (strncmp(p, heads[i], strlen(heads[i])) == 0)
			return true;
	return false;
}
