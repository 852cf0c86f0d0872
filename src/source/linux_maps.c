/* Mappings of the target: /proc/PID/maps, or /proc/PID/smaps when its numbers are wanted. Each is read once. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/scan.h"
#include "source/linux.h"

struct maps_build {
	struct linux_target *t;
	struct vmm_snapshot *s;
	struct vmm_vma *vmas;
	size_t count, capacity;
	bool extra;
	const char *last_name; /* interned; most neighbours share it */
	size_t last_length;
	uint64_t malformed;
};

/* Adds a mapping in rising order. A torn read can repeat one; what does not rise is dropped. */
static struct vmm_vma *vma_add(struct maps_build *b, const struct vmm_maps_line *line)
{
	struct vmm_vma *v;

	if (b->count && line->start < b->vmas[b->count - 1].end) {
		b->malformed++;
		return NULL;
	}
	if (!vmm_grow(&b->vmas, &b->capacity, b->count + 1, sizeof(*b->vmas)))
		return NULL;
	if (!b->last_name || b->last_length != line->name_length ||
	    memcmp(b->last_name, line->name, line->name_length) != 0) {
		b->last_name = vmm_arena_intern(b->s->arena, line->name, line->name_length);
		b->last_length = line->name_length;
		if (!b->last_name)
			return NULL;
	}
	v = &b->vmas[b->count++];
	memset(v, 0, sizeof(*v));
	v->start = line->start;
	v->end = line->end;
	v->offset = line->offset;
	v->inode = line->inode;
	v->dev_major = line->dev_major;
	v->dev_minor = line->dev_minor;
	v->prot = line->prot;
	v->name = b->last_name;
	vmm_metric_set(&v->m, VMM_METRIC_SIZE, line->end - line->start);
	return v;
}

static bool smaps_has(const struct vmm_smaps_record *r, uint32_t fields)
{
	return (r->known & fields) == fields;
}

#define FIELD(name) (UINT32_C(1) << VMM_SMAPS_##name)

/* Metrics that are one field of smaps. */
static const struct {
	uint8_t metric, field;
} smaps_direct[] = {
	{VMM_METRIC_PSS, VMM_SMAPS_PSS},           {VMM_METRIC_SWAP, VMM_SMAPS_SWAP},
	{VMM_METRIC_SWAP_PSS, VMM_SMAPS_SWAP_PSS}, {VMM_METRIC_ANONYMOUS, VMM_SMAPS_ANONYMOUS},
	{VMM_METRIC_REFERENCED, VMM_SMAPS_REFERENCED}, {VMM_METRIC_LAZYFREE, VMM_SMAPS_LAZY_FREE},
	{VMM_METRIC_KSM, VMM_SMAPS_KSM},           {VMM_METRIC_LOCKED, VMM_SMAPS_LOCKED},
};

/* Metrics that are sums of fields; all of them must be known. hugetlb pages stand in none of the others (proc.rst). */
static const struct {
	uint8_t metric;
	uint32_t fields;
} smaps_sums[] = {
	{VMM_METRIC_RSS, FIELD(RSS) | FIELD(SHARED_HUGETLB) | FIELD(PRIVATE_HUGETLB)},
	{VMM_METRIC_USS, FIELD(PRIVATE_CLEAN) | FIELD(PRIVATE_DIRTY) | FIELD(PRIVATE_HUGETLB)},
	{VMM_METRIC_SHARED, FIELD(SHARED_CLEAN) | FIELD(SHARED_DIRTY) | FIELD(SHARED_HUGETLB)},
	{VMM_METRIC_DIRTY, FIELD(SHARED_DIRTY) | FIELD(PRIVATE_DIRTY)},
	{VMM_METRIC_HUGETLB, FIELD(SHARED_HUGETLB) | FIELD(PRIVATE_HUGETLB)},
	{VMM_METRIC_HUGE, FIELD(ANON_HUGE_PAGES) | FIELD(SHMEM_PMD_MAPPED) | FIELD(FILE_PMD_MAPPED) | FIELD(SHARED_HUGETLB) |
	                      FIELD(PRIVATE_HUGETLB)},
};

void linux_smaps_metrics(const struct vmm_smaps_record *r, struct vmm_metrics *ret)
{
	for (size_t i = 0; i < ARRAY_LEN(smaps_direct); i++)
		if (smaps_has(r, UINT32_C(1) << smaps_direct[i].field))
			vmm_metric_set(ret, smaps_direct[i].metric, r->value[smaps_direct[i].field]);
	for (size_t i = 0; i < ARRAY_LEN(smaps_sums); i++) {
		uint32_t fields = smaps_sums[i].fields;
		uint64_t sum = 0;

		if (!smaps_has(r, fields))
			continue;
		for (; fields; fields &= fields - 1)
			sum = vmm_add_sat(sum, r->value[__builtin_ctz(fields)]);
		vmm_metric_set(ret, smaps_sums[i].metric, sum);
	}
}

static int on_smaps(void *arg, const struct vmm_smaps_record *r)
{
	struct maps_build *b = arg;
	uint64_t malformed = b->malformed;
	struct vmm_vma *v = vma_add(b, &r->maps);
	uint64_t *extra;

	if (!v)
		return b->malformed > malformed ? 0 : VMM_E_NOMEM;
	linux_smaps_metrics(r, &v->m);
	v->vm_flags = r->vm_flags;
	if (r->known & FIELD(KERNEL_PAGE_SIZE) && r->value[VMM_SMAPS_KERNEL_PAGE_SIZE] <= UINT32_MAX)
		v->page_size = (uint32_t)r->value[VMM_SMAPS_KERNEL_PAGE_SIZE];
	if (!b->extra)
		return 0;
	extra = vmm_arena_array(b->s->arena, VMM_SMAPS_EXTRA_MAX, sizeof(*extra));
	if (!extra)
		return VMM_E_NOMEM;
	for (unsigned i = 0; i < VMM_SMAPS_EXTRA_MAX; i++)
		extra[i] = r->extra_known >> i & 1 ? r->extra[i] : UINT64_MAX;
	v->extra = extra;
	return 0;
}

struct chunk_state {
	const struct vmm_take *take;
	const char *what;
	uint64_t begin_ns, done;
	struct vmm_smaps_parser *parser; /* smaps */
	struct maps_build *build;        /* maps */
	char *carry;                     /* a line that straddles chunks */
	size_t carry_length, carry_capacity;
};

static void tell_progress(struct chunk_state *c, size_t length)
{
	c->done += length;
	if (c->take->progress)
		c->take->progress(c->take->progress_arg, c->what, c->done, vmm_now_ns() - c->begin_ns);
}

static int smaps_chunk(void *arg, const char *bytes, size_t length)
{
	struct chunk_state *c = arg;

	tell_progress(c, length);
	return vmm_smaps_feed(c->parser, bytes, length);
}

static int maps_line(struct maps_build *b, const char *line, size_t length)
{
	uint64_t malformed = b->malformed;
	struct vmm_maps_line m;

	if (!vmm_maps_parse_line(line, length, &m)) {
		b->malformed++;
		return 0;
	}
	return vma_add(b, &m) || b->malformed > malformed ? 0 : VMM_E_NOMEM;
}

static int maps_chunk(void *arg, const char *bytes, size_t length)
{
	struct chunk_state *c = arg;
	const char *p = bytes, *end = bytes + length, *nl;
	int rc = 0;

	tell_progress(c, length);
	while (rc == 0 && p < end && (nl = memchr(p, '\n', (size_t)(end - p)))) {
		if (c->carry_length) {
			if (!vmm_grow(&c->carry, &c->carry_capacity, c->carry_length + (size_t)(nl - p), 1))
				return VMM_E_NOMEM;
			memcpy(c->carry + c->carry_length, p, (size_t)(nl - p));
			rc = maps_line(c->build, c->carry, c->carry_length + (size_t)(nl - p));
			c->carry_length = 0;
		} else {
			rc = maps_line(c->build, p, (size_t)(nl - p));
		}
		p = nl + 1;
	}
	if (rc < 0 || p == end)
		return rc;
	if (!vmm_grow(&c->carry, &c->carry_capacity, c->carry_length + (size_t)(end - p), 1))
		return VMM_E_NOMEM;
	memcpy(c->carry + c->carry_length, p, (size_t)(end - p));
	c->carry_length += (size_t)(end - p);
	return 0;
}

static int read_maps(struct linux_target *t, const struct vmm_take *take, struct maps_build *b, struct vmm_err *err)
{
	struct chunk_state c = {.take = take, .what = "maps", .begin_ns = vmm_now_ns(), .build = b};
	int rc = linux_target_chunks(t, "maps", maps_chunk, &c, err);

	free(c.carry);
	return rc;
}

/* Takes over what the parser learned about fields that no column stands for. */
static int keep_extras(struct vmm_snapshot *s, const struct vmm_smaps_parser *p)
{
	unsigned n = 0;

	while (n < VMM_SMAPS_EXTRA_MAX && vmm_smaps_extra_name(p, n))
		n++;
	s->extra_names = vmm_arena_array(s->arena, n ? n : 1, sizeof(*s->extra_names));
	if (!s->extra_names)
		return VMM_E_NOMEM;
	for (unsigned i = 0; i < n; i++) {
		s->extra_names[i] = vmm_arena_strdup(s->arena, vmm_smaps_extra_name(p, i));
		if (!s->extra_names[i])
			return VMM_E_NOMEM;
	}
	s->extra_count = n;
	return 0;
}

static int read_smaps(struct linux_target *t, const struct vmm_take *take, struct maps_build *b, struct vmm_err *err)
{
	struct chunk_state c = {.take = take, .what = "smaps", .begin_ns = vmm_now_ns()};
	int rc;

	c.parser = vmm_smaps_create(on_smaps, b);
	if (!c.parser)
		return vmm_fail_nomem(err);
	rc = linux_target_chunks(t, "smaps", smaps_chunk, &c, err);
	if (rc == 0) {
		rc = vmm_smaps_finish(c.parser);
		if (rc == 0 && b->extra)
			rc = keep_extras(b->s, c.parser);
		if (rc < 0)
			vmm_fail(err, rc, 0, "%d: smaps: %s", t->pid, vmm_error_text(rc));
	}
	b->malformed += vmm_smaps_malformed(c.parser);
	if (vmm_smaps_unknown_flags(c.parser))
		vmm_snapshot_note(b->s, "smaps", "unknown_flags", 0, "the kernel told VmFlags codes that vmmap does not know");
	vmm_smaps_destroy(c.parser);
	return rc;
}

int linux_fill_maps(struct linux_target *t, const struct vmm_take *take, struct vmm_snapshot *s, struct vmm_err *err)
{
	struct maps_build b = {.t = t, .s = s, .extra = (take->needs & VMM_NEED_EXTRA) != 0};
	int rc = VMM_E_DENIED;

	if (take->needs & VMM_NEED_SMAPS)
		rc = read_smaps(t, take, &b, err);
	/* A kernel built without smaps still tells the map itself. */
	if (!(take->needs & VMM_NEED_SMAPS) || (rc == VMM_E_GONE && b.count == 0 && linux_alive(t))) {
		rc = read_maps(t, take, &b, err);
		if (take->needs & VMM_NEED_SMAPS && rc == 0)
			vmm_snapshot_note(s, "smaps", "unsupported", 0, "%s no smaps: most numbers are unknown",
			                  t->saved ? "the capture has" : "this kernel has");
	}
	/* What arrived before an error stays: a vanished target gives a partial map. */
	s->vmas = vmm_arena_keep(s->arena, b.vmas);
	if (!s->vmas && b.count)
		return vmm_fail_nomem(err);
	s->vma_count = (uint32_t)vmm_min_u64(b.count, UINT32_MAX);
	if (b.malformed)
		vmm_snapshot_note(s, take->needs & VMM_NEED_SMAPS ? "smaps" : "maps", "torn", 0,
		                  "%llu lines of the map were repeated or not understood and left out", (unsigned long long)b.malformed);
	return rc;
}

struct measure {
	struct vmm_vma *v;
	bool found;
};

/* Stops at the mapping, or where it would be. */
static int on_measured(void *arg, const struct vmm_smaps_record *r)
{
	struct measure *a = arg;
	struct vmm_vma *v = a->v;

	if (r->maps.start < v->start)
		return 0;
	a->found = r->maps.start == v->start && r->maps.end == v->end && r->maps.offset == v->offset && r->maps.inode == v->inode &&
	           r->maps.prot == v->prot;
	if (a->found) {
		memset(&v->m, 0, sizeof(v->m));
		vmm_metric_set(&v->m, VMM_METRIC_SIZE, v->end - v->start);
		linux_smaps_metrics(r, &v->m);
	}
	return VMM_E_LIMIT;
}

static int measure_chunk(void *arg, const char *bytes, size_t length)
{
	return vmm_smaps_feed(arg, bytes, length);
}

int linux_measure(struct vmm_target *base, struct vmm_vma *v, struct vmm_err *err)
{
	const struct linux_target *t = (const struct linux_target *)base;
	struct measure a = {.v = v};
	struct vmm_smaps_parser *p = vmm_smaps_create(on_measured, &a);
	int rc;

	if (!p)
		return vmm_fail_nomem(err);
	rc = linux_target_chunks(t, "smaps", measure_chunk, p, NULL);
	/* The last mapping of all is told at the end. */
	if (rc == 0)
		(void)vmm_smaps_finish(p);
	vmm_smaps_destroy(p);
	if (a.found)
		return 0;
	return vmm_fail(err, VMM_E_NO_TARGET, 0, "%d: a mapping changed while it was read", t->pid);
}

/* "N0=12 N1=3": pages of the base size by node. */
static const char *numa_text(struct vmm_snapshot *s, const struct vmm_numa_line *n)
{
	char text[512];
	size_t at = 0;

	text[0] = '\0';
	for (unsigned node = 0; node < VMM_NUMA_NODES && at < sizeof(text); node++)
		if (n->nodes >> node & 1)
			at += (size_t)snprintf(text + at, sizeof(text) - at, "%sN%u=%llu", at ? " " : "", node,
			                       (unsigned long long)n->pages[node]);
	return vmm_arena_intern(s->arena, text, strlen(text));
}

int linux_fill_numa(struct linux_target *t, struct vmm_snapshot *s, struct vmm_err *err)
{
	struct vmm_scan all, line;
	struct linux_text text;
	struct vmm_numa_line n;
	uint32_t at = 0;
	int rc = linux_target_file(t, "numa_maps", (size_t)1 << 30, &text, err);

	if (rc == VMM_E_GONE && linux_alive(t)) {
		vmm_snapshot_note(s, "numa_maps", "unsupported", 0, "%s no numa_maps: pages per NUMA node are unknown",
		                  t->saved ? "the capture has" : "this kernel has");
		return 0;
	}
	if (rc < 0)
		return rc;
	all = vmm_scan_init(text.bytes, text.length);
	while (vmm_scan_line(&all, &line)) {
		if (!vmm_numa_parse_line(line.p, (size_t)(line.end - line.p), &n))
			continue;
		while (at < s->vma_count && s->vmas[at].start < n.address)
			at++;
		if (at < s->vma_count && s->vmas[at].start == n.address)
			s->vmas[at].numa = numa_text(s, &n);
	}
	linux_text_done(&text);
	return 0;
}
