#include "vmmap/snapshot.h"

#include <string.h>

#include "base/arena.h"
#include "base/base.h"

static const struct {
	const char *id, *label, *help;
	uint32_t light, dark;
	int ansi;
} kind_table[] = {
#define VMM_KIND(name, kind_id, kind_label, kind_light, kind_dark, kind_ansi, kind_help) \
	{.id = kind_id, .label = kind_label, .help = kind_help, .light = kind_light, .dark = kind_dark, .ansi = kind_ansi},
#include "vmmap/kinds.def"
#undef VMM_KIND
};

static const char *const metric_ids[] = {
#define VMM_METRIC(name, id) id,
#include "vmmap/metrics.def"
#undef VMM_METRIC
};
_Static_assert(VMM_METRIC_COUNT <= 32, "masks of struct vmm_metrics have 32 bits");

static const struct {
	const char *code, *help;
} vmflag_table[] = {
#define VMM_VMFLAG(flag, flag_help) {.code = #flag, .help = flag_help},
#include "vmmap/vmflags.def"
#undef VMM_VMFLAG
};
_Static_assert(VMM_VMFLAG_COUNT < 63, "bit 63 of vm_flags is VMM_VF_KNOWN");

const char *vmm_kind_id(enum vmm_kind kind)
{
	return (unsigned)kind < VMM_KIND_COUNT ? kind_table[kind].id : "";
}

const char *vmm_kind_label(enum vmm_kind kind)
{
	return (unsigned)kind < VMM_KIND_COUNT ? kind_table[kind].label : "";
}

const char *vmm_kind_help(enum vmm_kind kind)
{
	return (unsigned)kind < VMM_KIND_COUNT ? kind_table[kind].help : "";
}

uint32_t vmm_kind_colour(enum vmm_kind kind, bool dark)
{
	if ((unsigned)kind >= VMM_KIND_COUNT)
		return 0;
	return dark ? kind_table[kind].dark : kind_table[kind].light;
}

int vmm_kind_colour256(enum vmm_kind kind)
{
	return (unsigned)kind < VMM_KIND_COUNT ? kind_table[kind].ansi : 0;
}

enum vmm_kind vmm_kind_find(const char *id)
{
	for (int k = 0; k < VMM_KIND_COUNT; k++)
		if (strcmp(kind_table[k].id, id) == 0)
			return (enum vmm_kind)k;
	return VMM_KIND_COUNT;
}

const char *vmm_metric_id(enum vmm_metric metric)
{
	return (unsigned)metric < VMM_METRIC_COUNT ? metric_ids[metric] : "";
}

void vmm_metrics_zero(struct vmm_metrics *m)
{
	memset(m, 0, sizeof(*m));
	m->known = (uint32_t)((UINT64_C(1) << VMM_METRIC_COUNT) - 1);
}

void vmm_metrics_add(struct vmm_metrics *sum, const struct vmm_metrics *part)
{
	uint32_t lost = ~(sum->known & part->known) & (uint32_t)((UINT64_C(1) << VMM_METRIC_COUNT) - 1);
	uint64_t overflow = 0;

	for (int i = 0; i < VMM_METRIC_COUNT; i++) {
		sum->value[i] += part->value[i];
		overflow |= sum->value[i] < part->value[i];
	}
	if (overflow)
		for (int i = 0; i < VMM_METRIC_COUNT; i++)
			if (sum->value[i] < part->value[i])
				sum->value[i] = UINT64_MAX;
	/* What was exact stays exact only when the part is; a part that says anything leaves a lower bound. */
	sum->known &= part->known;
	sum->at_least |= lost & (part->known | part->at_least);
	for (uint32_t rest = lost & ~sum->at_least; rest; rest &= rest - 1)
		if (sum->value[__builtin_ctz(rest)])
			sum->at_least |= rest & -rest;
}

void vmm_prot_text(uint8_t prot, char ret_text[5])
{
	ret_text[0] = prot & VMM_PROT_READ ? 'r' : '-';
	ret_text[1] = prot & VMM_PROT_WRITE ? 'w' : '-';
	ret_text[2] = prot & VMM_PROT_EXEC ? 'x' : '-';
	ret_text[3] = prot & VMM_PROT_UNKNOWN ? '?' : prot & VMM_PROT_SHARED ? 's' : 'p';
	ret_text[4] = '\0';
}

/* Weakest first: no access, then by the power that executing and writing give. */
static const uint8_t prot_order[] = {0, 16, 1, 17, 4, 20, 5, 21, 2, 18, 3, 19, 6, 22, 7, 23, 8, 9, 12, 13, 10, 11, 14, 15};

void vmm_prot_set_text(uint32_t prot_set, char ret_text[VMM_PROT_SET_TEXT])
{
	static const char letters[] = "rwxs";
	char *to = ret_text;

	if (prot_set && (prot_set & (prot_set - 1)) == 0) {
		vmm_prot_text((uint8_t)__builtin_ctz(prot_set), ret_text);
		return;
	}
	for (size_t i = 0; i < ARRAY_LEN(prot_order); i++) {
		uint8_t known = prot_order[i] & ~VMM_PROT_UNKNOWN;

		if (!(prot_set >> prot_order[i] & 1) || (known != prot_order[i] && prot_set >> known & 1))
			continue;
		if (to != ret_text)
			*to++ = ',';
		if (!(prot_order[i] & (VMM_PROT_READ | VMM_PROT_WRITE | VMM_PROT_EXEC)))
			*to++ = '-';
		for (int bit = 0; bit < 4; bit++)
			if (prot_order[i] >> bit & 1)
				*to++ = letters[bit];
	}
	*to = '\0';
}

const char *vmm_vmflag_code(unsigned place)
{
	return place < VMM_VMFLAG_COUNT ? vmflag_table[place].code : NULL;
}

const char *vmm_vmflag_help(unsigned place)
{
	return place < VMM_VMFLAG_COUNT ? vmflag_table[place].help : NULL;
}

/*
 * Finds in a sorted array of records that begin with {start, end} the one that holds address. Images may have holes,
 * so a hit is decided by end alone and the caller says what lies inside.
 */
static const void *range_find(const void *array, uint32_t count, size_t size, uint64_t address)
{
	uint32_t low = 0, high = count;

	while (low < high) {
		uint32_t mid = low + (high - low) / 2;
		uint64_t range[2];

		memcpy(range, (const char *)array + mid * size, sizeof(range));
		if (address < range[0])
			high = mid;
		else if (address >= range[1])
			low = mid + 1;
		else
			return (const char *)array + mid * size;
	}
	return NULL;
}

const struct vmm_vma *vmm_snapshot_vma_at(const struct vmm_snapshot *s, uint64_t address)
{
	return range_find(s->vmas, s->vma_count, sizeof(*s->vmas), address);
}

const struct vmm_region *vmm_snapshot_region_at(const struct vmm_snapshot *s, uint64_t address)
{
	const struct vmm_block *b = vmm_snapshot_block_at(s, address);

	return b ? &s->regions[b->region] : NULL;
}

const struct vmm_block *vmm_snapshot_block_at(const struct vmm_snapshot *s, uint64_t address)
{
	return range_find(s->blocks, s->block_count, sizeof(*s->blocks), address);
}

const struct vmm_gap *vmm_snapshot_gap_at(const struct vmm_snapshot *s, uint64_t address)
{
	return range_find(s->gaps, s->gap_count, sizeof(*s->gaps), address);
}

void vmm_snapshot_destroy(struct vmm_snapshot *s)
{
	/* The snapshot itself lies in its arena. */
	if (s)
		vmm_arena_destroy(s->arena);
}
