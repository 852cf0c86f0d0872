/*
 * smaps: one chunk and many small ones (their size is drawn from the input) give the same records, counts and names, so
 * the quick way through foretold lines and the way through carried lines check each other.
 */
#include "fuzz.h"

#include "format/proc_text.h"

struct digest {
	uint64_t hash, records;
};

static void mix(struct digest *d, const void *bytes, size_t n)
{
	for (size_t i = 0; i < n; i++)
		d->hash = (d->hash ^ ((const uint8_t *)bytes)[i]) * UINT64_C(1099511628211);
}

static int take(void *arg, const struct vmm_smaps_record *r)
{
	struct digest *d = arg;

	FUZZ_CHECK(r->maps.start < r->maps.end);
	for (unsigned i = 0; i < VMM_SMAPS_COUNT; i++)
		FUZZ_CHECK((r->known >> i & 1) || r->value[i] == 0);
	for (unsigned i = 0; i < VMM_SMAPS_EXTRA_MAX; i++)
		FUZZ_CHECK((r->extra_known >> i & 1) || r->extra[i] == 0);
	FUZZ_CHECK(r->vm_flags == 0 || (r->vm_flags & VMM_VF_KNOWN));
	d->records++;
	mix(d, &r->maps.start, sizeof(r->maps.start));
	mix(d, &r->maps.end, sizeof(r->maps.end));
	mix(d, &r->maps.offset, sizeof(r->maps.offset));
	mix(d, &r->maps.inode, sizeof(r->maps.inode));
	mix(d, &r->maps.prot, sizeof(r->maps.prot));
	mix(d, r->maps.name, r->maps.name_length);
	mix(d, r->value, sizeof(r->value));
	mix(d, &r->known, sizeof(r->known));
	mix(d, &r->vm_flags, sizeof(r->vm_flags));
	mix(d, r->extra, sizeof(r->extra));
	mix(d, &r->extra_known, sizeof(r->extra_known));
	return 0;
}

static int parse(const uint8_t *data, size_t size, size_t chunk, struct digest *d)
{
	struct vmm_smaps_parser *p = vmm_smaps_create(take, d);
	uint64_t counts[2];
	int r = 0;

	FUZZ_CHECK(p);
	for (size_t at = 0; at < size && r == 0; at += chunk) {
		size_t n = size - at < chunk ? size - at : chunk;
		char *piece = malloc(n);

		FUZZ_CHECK(piece);
		memcpy(piece, data + at, n);
		r = vmm_smaps_feed(p, piece, n);
		free(piece);
	}
	FUZZ_CHECK(vmm_smaps_finish(p) == r);
	for (unsigned i = 0; vmm_smaps_extra_name(p, i); i++)
		mix(d, vmm_smaps_extra_name(p, i), strlen(vmm_smaps_extra_name(p, i)) + 1);
	counts[0] = vmm_smaps_malformed(p);
	counts[1] = vmm_smaps_unknown_flags(p);
	mix(d, counts, sizeof(counts));
	vmm_smaps_destroy(p);
	return r;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct digest whole = {0}, cut = {0};
	size_t drawn = size ? data[size / 2] : 0, chunk = 1 + drawn * drawn / 16;
	int r = parse(data, size, size ? size : 1, &whole);

	FUZZ_CHECK(r == 0 || r == VMM_E_LIMIT);
	FUZZ_CHECK(parse(data, size, chunk, &cut) == r);
	FUZZ_CHECK(cut.records == whole.records && (r || cut.hash == whole.hash));
	return 0;
}
