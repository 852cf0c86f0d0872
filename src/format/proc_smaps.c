#include "format/proc_smaps.h"

#include <stdlib.h>

#include "base/arena.h"

#define LINE_MAX_BYTES (64 * 1024) /* a path has at most 4 KiB, each byte of it at most 4 when escaped */

struct vmm_smaps_parser {
	vmm_smaps_fn fn;
	void *arg;
	int result; /* first failure; it stays */
	struct vmm_smaps_record record;
	bool open;      /* record has a header and was not delivered */
	bool borrowed;  /* its name lies in bytes of the caller or in carry */
	struct smaps_keys keys;
	char *name;     /* own copy of the name of an open record */
	size_t name_capacity;
	char *carry;    /* start of a line whose end has not come yet */
	size_t carry_length, carry_capacity;
};

struct vmm_smaps_parser *vmm_smaps_create(vmm_smaps_fn fn, void *arg)
{
	struct vmm_smaps_parser *p = vmm_alloc_hook(NULL, sizeof(*p));

	if (!p)
		return NULL;
	memset(p, 0, sizeof(*p));
	p->fn = fn;
	p->arg = arg;
	vmm__smaps_keys_init(&p->keys, true);
	return p;
}

void vmm_smaps_destroy(struct vmm_smaps_parser *p)
{
	if (!p)
		return;
	free(p->name);
	free(p->carry);
	free(p);
}

const char *vmm_smaps_extra_name(const struct vmm_smaps_parser *p, unsigned i)
{
	return i < p->keys.extra_count ? p->keys.extra_name[i] : NULL;
}

uint64_t vmm_smaps_malformed(const struct vmm_smaps_parser *p)
{
	return p->keys.malformed;
}

uint64_t vmm_smaps_unknown_flags(const struct vmm_smaps_parser *p)
{
	return p->keys.unknown_flags;
}

static int deliver(struct vmm_smaps_parser *p)
{
	struct vmm_maps_line *m = &p->record.maps;

	if (!p->open)
		return 0;
	p->open = false;
	p->keys.expect = SMAPS_KEY_NONE;
	/* A text with converted line ends has them on the field lines too; otherwise it is the name's own. */
	if (p->keys.carriage_return && m->name_length && m->name[m->name_length - 1] == '\r')
		m->name_length--;
	return p->fn(p->arg, &p->record);
}

/* The name must outlive the bytes that it stands in. */
static int keep_name(struct vmm_smaps_parser *p)
{
	struct vmm_maps_line *m = &p->record.maps;

	if (!p->open || !p->borrowed)
		return 0;
	if (m->name_length) {
		if (!vmm_grow(&p->name, &p->name_capacity, m->name_length, 1))
			return VMM_E_NOMEM;
		memcpy(p->name, m->name, m->name_length);
	}
	m->name = m->name_length ? p->name : "";
	p->borrowed = false;
	return 0;
}

static int start_record(struct vmm_smaps_parser *p, const struct vmm_maps_line *m)
{
	int r = deliver(p);

	if (r)
		return r;
	memset(&p->record, 0, sizeof(p->record));
	p->record.maps = *m;
	p->open = p->borrowed = true;
	vmm__smaps_keys_restart(&p->keys);
	return 0;
}

/* Addresses are in lower case; keys begin with a capital, but one of a hexadecimal digit is still read as a key. */
static bool may_be_header(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
}

/* One line without its line end. */
static int parse_line(struct vmm_smaps_parser *p, const char *line, size_t length)
{
	enum smaps_line what = SMAPS_LINE_OTHER;
	struct vmm_maps_line m;

	if (length > LINE_MAX_BYTES)
		return VMM_E_LIMIT;
	if (length && may_be_header(line[0]) && vmm_maps_parse_line(line, length, &m))
		return start_record(p, &m);
	if (p->open)
		what = vmm__smaps_field(&p->keys, line, length, &p->record);
	if (what == SMAPS_LINE_FIELD)
		return 0;
	p->keys.malformed++;
	/*
	 * What has no key may be a header that was damaged: the fields after it are another mapping's and must not count
	 * for this one. An empty line says nothing.
	 */
	return what == SMAPS_LINE_OTHER && length ? deliver(p) : 0;
}

/* All whole lines of a chunk; *ret_rest is where the last, unfinished one starts. */
static int parse_lines(struct vmm_smaps_parser *p, const char *at, const char *end, const char **ret_rest)
{
	int r = 0;

	while (at < end && r == 0) {
		size_t n = smaps_foretold_field(&p->keys, at, end, &p->record);
		const char *nl;

		if (n) {
			at += n;
			continue;
		}
		nl = memchr(at, '\n', (size_t)(end - at));
		if (!nl)
			break;
		r = parse_line(p, at, (size_t)(nl - at));
		at = nl + 1;
	}
	*ret_rest = at;
	return r;
}

static int carry_add(struct vmm_smaps_parser *p, const char *bytes, size_t length)
{
	if (length > LINE_MAX_BYTES - p->carry_length)
		return VMM_E_LIMIT;
	if (length == 0)
		return 0;
	if (!vmm_grow(&p->carry, &p->carry_capacity, p->carry_length + length, 1))
		return VMM_E_NOMEM;
	memcpy(p->carry + p->carry_length, bytes, length);
	p->carry_length += length;
	return 0;
}

/* Completes the carried line with the start of a chunk; *ret_used bytes of it belong there. */
static int finish_carried(struct vmm_smaps_parser *p, const char *bytes, size_t length, size_t *ret_used)
{
	const char *nl = memchr(bytes, '\n', length);
	size_t part = nl ? (size_t)(nl - bytes) : length;
	int r = carry_add(p, bytes, part);

	*ret_used = nl ? part + 1 : part;
	if (r || !nl)
		return r;
	length = p->carry_length;
	p->carry_length = 0;
	return parse_line(p, p->carry, length);
}

static int feed(struct vmm_smaps_parser *p, const char *bytes, size_t length)
{
	const char *end = bytes + length, *rest;
	size_t used = 0;
	int r = 0;

	if (p->carry_length)
		r = finish_carried(p, bytes, length, &used);
	if (r || p->carry_length)
		return r;
	r = parse_lines(p, bytes + used, end, &rest);
	if (r)
		return r;
	r = keep_name(p);
	return r ? r : carry_add(p, rest, (size_t)(end - rest));
}

int vmm_smaps_feed(struct vmm_smaps_parser *p, const char *bytes, size_t length)
{
	if (p->result == 0 && length)
		p->result = feed(p, bytes, length);
	return p->result;
}

int vmm_smaps_finish(struct vmm_smaps_parser *p)
{
	if (p->result)
		return p->result;
	if (p->carry_length) {
		p->keys.malformed++;
		p->carry_length = 0;
	}
	p->result = deliver(p);
	return p->result;
}
