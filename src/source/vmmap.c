/*
 * Files of Sysinternals VMMap for Windows: .csv, and .mmp with one or more snapshots (FILE@N).
 * What they do not tell stays unknown: contents, page shares, swap, threads other than those whose stacks are named.
 */
#include "source/source.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/err.h"
#include "source/bytes.h"
#include "source/vmmap.h"
#include "vmmap/session.h"

#define FILE_MAX (UINT64_C(256) << 20)
#define PROBE_BYTES 4096
#define READ_BYTES (size_t)(1 << 20)
#define SNAPSHOTS_MAX 100000

struct vmmap_target {
	struct vmm_target base;
	char *bytes; /* the file */
	size_t length;
	bool xml, damaged;
	struct timespec changed; /* of the file */
	struct vmm_arena *arena;
	struct vmm_session_entry *entries; /* of XML: its snapshots */
	uint32_t entry_count;
	uint32_t number; /* the one that was asked for, from 1 */
};

/* A regular file for reading, or -1; never waits for a pipe. */
static int open_regular(const char *path, struct stat *ret_st)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

	if (fd >= 0 && (fstat(fd, ret_st) < 0 || !S_ISREG(ret_st->st_mode))) {
		close(fd);
		errno = EINVAL;
		return -1;
	}
	return fd;
}

/* The path without "@N" when there is no file of the whole name; *ret_which then points behind the @. */
static char *split_name(const char *name, const char **ret_which)
{
	const char *at = strrchr(name, '@');
	size_t length = strlen(name);
	struct stat st;
	char *path;

	*ret_which = NULL;
	if (at && stat(name, &st) < 0) {
		length = (size_t)(at - name);
		*ret_which = at + 1;
	}
	path = vmm_alloc_hook(NULL, length + 1);
	if (path) {
		memcpy(path, name, length);
		path[length] = '\0';
	}
	return path;
}

static bool vmmap_probe(const char *name)
{
	const char *which;
	VMM_CLEANUP_FREE char *path = NULL;
	struct vmm_bytes *bytes;
	char head[PROBE_BYTES];
	struct stat st;
	int64_t n;
	int fd;

	/* A number is a PID, also where a file is called so. */
	if (!name[0] || name[strspn(name, "0123456789")] == '\0')
		return false;
	path = split_name(name, &which);
	fd = path ? open_regular(path, &st) : -1;
	if (fd < 0 || vmm_bytes_open(fd, &bytes, NULL) < 0)
		return false;
	n = vmm_bytes_read(bytes, 0, head, sizeof(head), NULL);
	vmm_bytes_close(bytes);
	return n > 0 && (vmm_vmmap_is_mmp(head, (size_t)n) || (!which && vmm_vmmap_is_csv(head, (size_t)n)));
}

static void vmmap_close(struct vmm_target *base)
{
	struct vmmap_target *t = (struct vmmap_target *)base;

	free(t->bytes);
	free(t->entries);
	vmm_arena_destroy(t->arena);
	free(t);
}

/* Reads all of it, packed or not. */
static int read_bytes(struct vmmap_target *t, const char *path, struct vmm_bytes *bytes, struct vmm_err *err)
{
	size_t capacity = 0;
	int64_t n = 1;

	while (n > 0) {
		if (t->length > FILE_MAX)
			return vmm_fail(err, VMM_E_LIMIT, 0, "%s: larger than any file of VMMap should be (256 MiB)", path);
		if (!vmm_grow(&t->bytes, &capacity, t->length + READ_BYTES, 1))
			return vmm_fail_nomem(err);
		n = vmm_bytes_read(bytes, t->length, t->bytes + t->length, READ_BYTES, err);
		if (n < 0)
			return (int)n;
		t->length += (size_t)n;
	}
	t->damaged = vmm_bytes_damage(bytes) != NULL;
	return 0;
}

static int read_file(struct vmmap_target *t, const char *path, struct vmm_err *err)
{
	struct vmm_bytes *bytes;
	struct stat st;
	int fd = open_regular(path, &st), rc;

	if (fd < 0)
		return vmm_fail(err, errno == EACCES ? VMM_E_DENIED : VMM_E_IO, errno, "%s: cannot read: %s", path, strerror(errno));
	t->changed = st.st_mtim;
	rc = vmm_bytes_open(fd, &bytes, err);
	if (rc < 0)
		return rc;
	rc = read_bytes(t, path, bytes, err);
	vmm_bytes_close(bytes);
	if (rc == 0)
		t->xml = vmm_vmmap_is_mmp(t->bytes, t->length < PROBE_BYTES ? t->length : PROBE_BYTES);
	return rc;
}

/* What a parser hands over: counts snapshots, and keeps the rows of one of them. */
struct events {
	struct vmmap_target *t;
	struct vmmap_rows rows; /* rows.s NULL: only count */
	size_t capacity;
	uint32_t seen;
};

static int on_head(void *arg, const struct vmm_vmmap_head *head)
{
	struct events *e = arg;
	struct vmm_target_info *info = e->rows.s ? &e->rows.s->target : NULL;

	if (!info)
		return 0;
	if (head->process[0])
		info->name = vmm_arena_strdup(e->rows.s->arena, head->process);
	if (head->pid >= 0 && head->pid <= INT32_MAX)
		info->pid = (int32_t)head->pid;
	return info->name ? 0 : VMM_E_NOMEM;
}

static int on_snapshot(void *arg, bool time_known, int64_t seconds, uint32_t nanoseconds, const struct vmm_metrics *page_table)
{
	struct events *e = arg;
	struct vmmap_target *t = e->t;

	e->seen++;
	if (e->rows.s) {
		if (e->seen == t->number && vmm_metric_known(page_table, VMM_METRIC_SIZE)) {
			e->rows.summary[VMM_KIND_PAGE_TABLE].m = *page_table;
			e->rows.has_summary[VMM_KIND_PAGE_TABLE] = true;
		}
		return e->seen > t->number ? 1 : 0;
	}
	if (e->seen > SNAPSHOTS_MAX)
		return VMM_E_LIMIT;
	if (!vmm_grow(&t->entries, &e->capacity, e->seen, sizeof(*t->entries)))
		return VMM_E_NOMEM;
	t->entries[t->entry_count++] = (struct vmm_session_entry){.number = e->seen, .target = 1, .source = "vmmap", .name = "",
	                                                          .taken_at = time_known ? (struct timespec){(time_t)seconds, (long)nanoseconds} : t->changed};
	return 0;
}

static int on_row(void *arg, const struct vmm_vmmap_row *row)
{
	struct events *e = arg;

	return e->rows.s && (!e->t->xml || e->seen == e->t->number) ? vmmap_rows_add(&e->rows, row) : 0;
}

static int parse(struct vmmap_target *t, struct events *e, struct vmm_vmmap_damage *damage, const char **ret_encoding,
                 struct vmm_err *err)
{
	struct vmm_vmmap_events events = {on_head, on_snapshot, on_row, e};
	VMM_CLEANUP_FREE char *text = NULL;
	size_t length;
	int rc = vmm_vmmap_text(t->bytes, t->length, &text, &length, ret_encoding, err);

	if (rc < 0)
		return rc;
	memset(damage, 0, sizeof(*damage));
	rc = t->xml ? vmm_vmmap_mmp_parse(text, length, &events, damage, err)
	            : vmm_vmmap_csv_parse(text, length, &events, damage, err);
	/* The events tell codes alone. */
	if (rc == VMM_E_NOMEM)
		return vmm_fail_nomem(err);
	if (rc == VMM_E_LIMIT && e->rows.count)
		return vmm_fail(err, rc, 0, "more regions than any process has");
	return rc > 0 ? 0 : rc;
}

/* Which snapshot of an .mmp file is wanted. */
static int choose(struct vmmap_target *t, const char *which, struct vmm_err *err)
{
	struct vmm_session_index index = {.entries = t->entries, .count = t->entry_count, .target_count = 1};

	t->number = t->entry_count;
	return which && which[0] ? vmm_session_find(&index, which, &t->number, err) : 0;
}

/* Lists the snapshots of XML and finds the one that is wanted. */
static int open_read(struct vmmap_target *t, const char *which, struct vmm_err *err)
{
	struct events counting = {.t = t};
	struct vmm_vmmap_damage damage;
	const char *encoding;
	int rc;

	if (!t->xml)
		return 0;
	rc = parse(t, &counting, &damage, &encoding, err);
	return rc < 0 ? rc : choose(t, which, err);
}

static struct vmmap_target *create(void)
{
	struct vmmap_target *t = vmm_alloc_hook(NULL, sizeof(*t));

	if (!t)
		return NULL;
	memset(t, 0, sizeof(*t));
	t->base.ops = &vmm_source_vmmap;
	t->base.residency_unknown = true;
	return t;
}

static int finish(struct vmmap_target *t, int rc, struct vmm_target **ret_target)
{
	if (rc < 0)
		vmmap_close(&t->base);
	else
		*ret_target = &t->base;
	return rc < 0 ? rc : 0;
}

int vmmap_open_bytes(const void *bytes, size_t length, bool xml, const char *which, struct vmm_target **ret_target,
                     struct vmm_err *err)
{
	struct vmmap_target *t = create();

	if (!t)
		return vmm_fail_nomem(err);
	t->xml = xml;
	t->bytes = vmm_alloc_hook(NULL, length + 1);
	if (!t->bytes)
		return finish(t, vmm_fail_nomem(err), ret_target);
	memcpy(t->bytes, bytes, length);
	t->length = length;
	return finish(t, open_read(t, which, err), ret_target);
}

static int vmmap_open(const char *name, const struct vmm_open *how, struct vmm_target **ret_target, struct vmm_err *err)
{
	const char *which;
	VMM_CLEANUP_FREE char *path = split_name(name, &which);
	struct vmmap_target *t = path ? create() : NULL;
	int rc;

	if (!t)
		return vmm_fail_nomem(err);
	rc = read_file(t, path, err);
	if (rc == 0)
		rc = open_read(t, which, err);
	return finish(t, rc, ret_target);
}

static void tell(struct vmmap_target *t, struct vmm_snapshot *s, const struct vmm_vmmap_damage *d, const char *encoding)
{
	if (d->cut)
		vmm_snapshot_note(s, "vmmap", "cut", 0, "the file ends within a row: what lies behind it is missing, also among what is free");
	if (d->rows)
		vmm_snapshot_note(s, "vmmap", "malformed", 0, "rows of the file that make no sense are left out: %llu",
		                  (unsigned long long)d->rows);
	if (d->numbers)
		vmm_snapshot_note(s, "vmmap", "malformed", 0, "numbers of the file that make no sense are unknown: %llu",
		                  (unsigned long long)d->numbers);
	if (strcmp(encoding, "Windows-1252") == 0)
		vmm_snapshot_note(s, "vmmap", "code_page", 0,
		                  "the file is in a code page that it does not name: names were read as Windows-1252");
	vmm_snapshot_note(s, "vmmap", "file", 0, "a file of VMMap: %sno contents (strings, what heaps hold), no swap and no page shares are in it",
	                  t->xml ? "" : "no time, ");
}

static int vmmap_load(struct vmm_target *base, const struct vmm_take *take, struct vmm_snapshot *s, struct vmm_err *err)
{
	struct vmmap_target *t = (struct vmmap_target *)base;
	struct events e = {.t = t, .rows = {.s = s, .xml = t->xml}};
	struct vmm_vmmap_damage damage;
	const char *encoding;
	int rc;

	s->target.source = "vmmap";
	/* All that is in the file is told, whatever was asked for, and nothing else can be. */
	s->needs = VMM_NEED_DEFAULT;
	s->taken_at = t->xml ? t->entries[t->number - 1].taken_at : t->changed;
	rc = parse(t, &e, &damage, &encoding, err);
	damage.cut |= t->damaged;
	e.rows.cut = damage.cut;
	if (rc == 0) {
		tell(t, s, &damage, encoding);
		rc = vmmap_build(&e.rows, err);
	}
	free(e.rows.rows);
	return rc;
}

static int64_t vmmap_read(struct vmm_target *t, uint64_t address, void *ret_bytes, size_t length, struct vmm_err *err)
{
	return vmm_fail(err, VMM_E_UNSUPPORTED, 0, "a file of VMMap holds no contents of memory");
}

static int vmmap_pages(struct vmm_target *t, uint64_t start, uint64_t end, uint32_t flags, vmm_page_fn fn, void *arg,
                       struct vmm_err *err)
{
	return vmm_fail(err, VMM_E_UNSUPPORTED, 0, "a file of VMMap holds no contents of memory");
}

static int vmmap_open_file(struct vmm_target *t, const struct vmm_vma *vma, struct vmm_err *err)
{
	return vmm_fail(err, VMM_E_NO_TARGET, 0, "files of another system");
}

const struct vmm_source_ops vmm_source_vmmap = {
	.id = "vmmap",
	.help = "a file of VMMap for Windows, .csv or .mmp (FILE@N for its Nth snapshot)",
	.probe = vmmap_probe,
	.open = vmmap_open,
	.close = vmmap_close,
	.load = vmmap_load,
	.read = vmmap_read,
	.pages = vmmap_pages,
	.open_file = vmmap_open_file,
};
