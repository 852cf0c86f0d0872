/*
 * VMMap's own files, XML. What is known of them is known from their readers: elements Snapshot (a time and
 * PageTableSize) and, within or behind it, Region, whose attributes are decimal numbers in bytes; a block is a Region
 * inside a Region, or behind it in its range. Names of other elements are not known.
 */
#include "format/vmmap_file.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/scan.h"

#ifdef VMM_HAVE_EXPAT
#include <expat.h>

#define DEPTH_MAX 64
#define PIECE_MAX (1 << 20) /* bytes that expat gets at once: it counts in int */
#define FILETIME_UNIX INT64_C(11644473600) /* seconds from 1601 to 1970 */
/* A FILETIME before 1990 or after 2200 is some other count. */
#define FILETIME_LEAST UINT64_C(122745024000000000)
#define FILETIME_MOST UINT64_C(190136160000000000)

struct mmp {
	XML_Parser parser;
	unsigned depth;
	unsigned region_depth; /* of the outermost Region that is open; 0: none */
	bool snapshots;
	bool refused;
	int rc; /* what an event returned */
	const struct vmm_vmmap_events *events;
	struct vmm_vmmap_damage damage;
};

static const char *const use_names[] = {"Heap",    "Stack", "Image",        "Mapped File", "Private Data", "Shareable",
                                        "Free",    "",      "Managed Heap", "Page Table",  "Unusable"};

static const struct {
	const char *name;
	enum vmm_metric metric;
} metric_attributes[] = {
        {"Size", VMM_METRIC_SIZE},
        {"Commit", VMM_METRIC_COMMITTED},
        {"PrivateBytes", VMM_METRIC_PRIVATE},
        {"PrivateWS", VMM_METRIC_USS},
        {"ShareableWS", VMM_METRIC_SHAREABLE},
        {"SharedWS", VMM_METRIC_SHARED},
};

static const char *attribute(const char **attributes, const char *name)
{
	for (size_t i = 0; attributes[i]; i += 2)
		if (strcmp(attributes[i], name) == 0)
			return attributes[i + 1];
	return NULL;
}

static bool number(struct mmp *m, const char *text, uint64_t *ret)
{
	struct vmm_scan s = vmm_scan_init(text ? text : "", text ? strlen(text) : 0);

	if (!text)
		return false;
	vmm_scan_blank(&s);
	if (vmm_scan_dec(&s, ret)) {
		vmm_scan_blank(&s);
		if (vmm_scan_done(&s))
			return true;
	}
	m->damage.numbers++;
	return false;
}

/* UseType says the kind; the words of Type say ASLR and sharing besides. */
static void read_type(struct mmp *m, const char **attributes, struct vmm_vmmap_row *row)
{
	const char *type = attribute(attributes, "Type");
	struct vmm_vmmap_row of_use = {0};
	uint64_t use;

	row->type = type ? type : "";
	vmm_vmmap_type_parse(row->type, row);
	if (!number(m, attribute(attributes, "UseType"), &use) || use >= ARRAY_LEN(use_names) || !use_names[use][0])
		return;
	vmm_vmmap_type_parse(use_names[use], &of_use);
	if (row->what & VMM_VMMAP_STRANGE_TYPE || row->kind != of_use.kind)
		row->what &= ~(uint32_t)(VMM_VMMAP_STRANGE_TYPE | VMM_VMMAP_ASLR | VMM_VMMAP_SHARED);
	row->kind = of_use.kind;
	if (!type)
		row->type = use_names[use];
}

/* Readers take what is missing for 0: the writer leaves out what is. */
static void read_numbers(struct mmp *m, const char **attributes, struct vmm_vmmap_row *row)
{
	uint64_t n;

	for (size_t i = 0; i < ARRAY_LEN(metric_attributes); i++) {
		const char *text = attribute(attributes, metric_attributes[i].name);

		if (!text)
			vmm_metric_set(&row->m, metric_attributes[i].metric, 0);
		else if (number(m, text, &n))
			vmm_metric_set(&row->m, metric_attributes[i].metric, n);
	}
	/* Total WS is not in the file: it is the sum of the two. */
	if (vmm_metric_known(&row->m, VMM_METRIC_USS) && vmm_metric_known(&row->m, VMM_METRIC_SHAREABLE))
		vmm_metric_set(&row->m, VMM_METRIC_RSS,
		               vmm_add_sat(row->m.value[VMM_METRIC_USS], row->m.value[VMM_METRIC_SHAREABLE]));
	row->blocks_known = number(m, attribute(attributes, "Blocks"), &row->blocks);
}

static void read_protection(struct mmp *m, const char **attributes, struct vmm_vmmap_row *row)
{
	uint64_t page;

	if (!number(m, attribute(attributes, "Protection"), &page))
		return;
	vmm_vmmap_protection_of(page, row);
	/* No PAGE_ value stands for what is reserved; what is committed and cannot be reached has 1. */
	if (page == 1 && vmm_metric_known(&row->m, VMM_METRIC_COMMITTED) && row->m.value[VMM_METRIC_COMMITTED] == 0)
		row->what = (row->what & ~(uint32_t)VMM_VMMAP_NO_ACCESS) | VMM_VMMAP_RESERVED;
}

static int read_region(struct mmp *m, const char **attributes)
{
	struct vmm_vmmap_row row = {.heap_id = VMM_VMMAP_NO_ID, .child = m->region_depth != 0, .protection = ""};
	const char *details = attribute(attributes, "Details");
	uint64_t id;

	if (!number(m, attribute(attributes, "Address"), &row.address)) {
		m->damage.rows++;
		return 0;
	}
	row.details = details ? details : "";
	read_type(m, attributes, &row);
	read_numbers(m, attributes, &row);
	read_protection(m, attributes, &row);
	if (row.kind == VMM_KIND_HEAP && number(m, attribute(attributes, "Id"), &id))
		row.heap_id = id;
	return m->events->row(m->events->arg, &row);
}

/* The name of the time's attribute is not known: it is the first. */
static int read_snapshot(struct mmp *m, const char **attributes)
{
	struct vmm_metrics page_table = {0};
	uint64_t time = 0, size;
	bool known = attributes[0] && strcmp(attributes[0], "PageTableSize") != 0 && number(m, attributes[1], &time) &&
	             time >= FILETIME_LEAST && time < FILETIME_MOST;

	if (number(m, attribute(attributes, "PageTableSize"), &size))
		vmm_metric_set(&page_table, VMM_METRIC_SIZE, size);
	m->snapshots = true;
	return m->events->snapshot(m->events->arg, known, known ? (int64_t)(time / 10000000) - FILETIME_UNIX : 0,
	                           known ? (uint32_t)(time % 10000000 * 100) : 0, &page_table);
}

static bool is_one_of(const char *name, const char *const *all, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (strcasecmp(name, all[i]) == 0)
			return true;
	return false;
}

/* Where the process stands is not known either: attributes of these names, before the regions, can mean nothing else. */
static int read_other(struct mmp *m, const char **attributes)
{
	static const char *const names[] = {"Process", "ProcessName"}, *const pids[] = {"PID", "ProcessId"};
	struct vmm_vmmap_head head = {.process = "", .pid = -1};

	for (size_t i = 0; attributes[i]; i += 2) {
		uint64_t pid;

		if (is_one_of(attributes[i], names, ARRAY_LEN(names)))
			head.process = attributes[i + 1];
		else if (is_one_of(attributes[i], pids, ARRAY_LEN(pids)) && number(m, attributes[i + 1], &pid) && pid <= UINT32_MAX)
			head.pid = (int64_t)pid;
	}
	return head.process[0] || head.pid >= 0 ? m->events->head(m->events->arg, &head) : 0;
}

static void stop(struct mmp *m, int rc)
{
	m->rc = rc;
	if (rc != 0)
		XML_StopParser(m->parser, XML_FALSE);
}

static void on_start(void *arg, const char *name, const char **attributes)
{
	struct mmp *m = arg;

	if (m->rc != 0)
		return;
	if (++m->depth > DEPTH_MAX) {
		stop(m, VMM_E_LIMIT);
	} else if (strcmp(name, "Snapshot") == 0) {
		stop(m, read_snapshot(m, attributes));
	} else if (strcmp(name, "Region") == 0) {
		/* Regions without a snapshot around them are one. */
		const char *nothing[] = {NULL};
		int rc = m->snapshots ? 0 : read_snapshot(m, nothing);

		stop(m, rc != 0 ? rc : read_region(m, attributes));
		if (m->region_depth == 0)
			m->region_depth = m->depth;
	} else if (m->region_depth == 0) {
		stop(m, read_other(m, attributes));
	}
}

static void on_end(void *arg, const char *name)
{
	struct mmp *m = arg;

	if (m->region_depth == m->depth)
		m->region_depth = 0;
	m->depth--;
}

/* What a file of VMMap has no use for, and an attacker has: entities grow without bound. */
static void on_entity(void *arg, const char *name, int is_parameter, const char *value, int value_length, const char *base,
                      const char *system_id, const char *public_id, const char *notation)
{
	struct mmp *m = arg;

	m->refused = true;
	stop(m, VMM_E_FORMAT);
}

static int feed(struct mmp *m, const char *text, size_t length)
{
	enum XML_Status status = XML_STATUS_OK;

	while (length > PIECE_MAX && status == XML_STATUS_OK) {
		status = XML_Parse(m->parser, text, PIECE_MAX, 0);
		text += PIECE_MAX;
		length -= PIECE_MAX;
	}
	if (status == XML_STATUS_OK)
		status = XML_Parse(m->parser, text, (int)length, 1);
	return status == XML_STATUS_OK ? 0 : VMM_E_FORMAT;
}

static int tell_error(struct mmp *m, struct vmm_err *err)
{
	enum XML_Error code = XML_GetErrorCode(m->parser);

	if (m->refused)
		return vmm_fail(err, VMM_E_FORMAT, 0, "it declares entities: refused, files of VMMap have none");
	if (m->rc == VMM_E_LIMIT)
		return vmm_fail(err, VMM_E_LIMIT, 0, "its elements are nested more than %d deep", DEPTH_MAX);
	if (m->rc != 0)
		return m->rc;
	if (code == XML_ERROR_NO_MEMORY)
		return vmm_fail_nomem(err);
	/* What was read until then is worth showing: a file that was cut is malformed at its end. */
	if (m->snapshots) {
		m->damage.cut = true;
		return 0;
	}
	return vmm_fail(err, VMM_E_FORMAT, 0, "no XML of VMMap: %s in line %llu", XML_ErrorString(code),
	                (unsigned long long)XML_GetCurrentLineNumber(m->parser));
}

static void *hook_alloc(size_t size)
{
	return vmm_alloc_hook(NULL, size);
}

int vmm_vmmap_mmp_parse(const char *text, size_t length, const struct vmm_vmmap_events *events,
                        struct vmm_vmmap_damage *ret_damage, struct vmm_err *err)
{
	const XML_Memory_Handling_Suite memory = {hook_alloc, vmm_alloc_hook, free};
	/* text is UTF-8 whatever the file declares. */
	struct mmp m = {.parser = XML_ParserCreate_MM("UTF-8", &memory, NULL), .events = events};
	int rc;

	if (!m.parser)
		return vmm_fail_nomem(err);
	XML_SetUserData(m.parser, &m);
	XML_SetElementHandler(m.parser, on_start, on_end);
	XML_SetEntityDeclHandler(m.parser, on_entity);
	rc = feed(&m, text, length);
	if (rc < 0)
		rc = tell_error(&m, err);
	else if (!m.snapshots)
		rc = vmm_fail(err, VMM_E_FORMAT, 0, "no file of VMMap: it has no Snapshot and no Region");
	XML_ParserFree(m.parser);
	if (rc == 0)
		*ret_damage = m.damage;
	return rc;
}

#else

int vmm_vmmap_mmp_parse(const char *text, size_t length, const struct vmm_vmmap_events *events,
                        struct vmm_vmmap_damage *ret_damage, struct vmm_err *err)
{
	return vmm_fail(err, VMM_E_UNSUPPORTED, 0, "this vmmap was built without expat and reads no .mmp files");
}

#endif

bool vmm_vmmap_is_mmp(const char *bytes, size_t length)
{
	VMM_CLEANUP_FREE char *text = NULL;
	const char *encoding;
	size_t n;

	if (vmm_vmmap_text(bytes, length & ~(size_t)1, &text, &n, &encoding, NULL) < 0)
		return false;
	/* The root's name is not known. */
	return text[strspn(text, " \t\r\n")] == '<' &&
	       (strstr(text, "<Snapshot") || strstr(text, "<Region ") || strcasestr(text, "<vmmap"));
}
