/* What the bytes of mallocng's context and metas mean. */
#include "reader/musl.h"

const uint16_t musl_class_units[MUSL_CLASSES] = {
	1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 15, 18, 20, 25, 31, 36, 42, 50, 63, 72, 84, 102, 127,
	146, 170, 204, 255, 292, 340, 409, 511, 584, 682, 818, 1023, 1169, 1364, 1637, 2047, 2340, 2730, 3276, 4095, 4680, 5460, 6552, 8191};

/* secret, [page size,] init_done and mmap_counter, free_meta_head, avail_meta, avail_meta_count, avail_meta_area_count,
 * meta_alloc_shift, meta_area_head, meta_area_tail, avail_meta_areas, active[48], usage_by_class[48] */
bool musl_parse_context(uint64_t address, const uint64_t *words, unsigned shift, struct musl_context *ret)
{
	const uint64_t *w = words + shift;
	struct musl_context c = {
		.address = address,
		.secret = words[0],
		.head = w[7],
		.tail = w[8],
		.next_page = w[9],
		.next_count = w[5],
		.usage = address + (10 + shift + MUSL_CLASSES) * 8,
	};

	if ((uint32_t)w[1] != 1 || !c.head || c.head % MUSL_PAGE || !c.tail || c.tail % MUSL_PAGE || c.next_page % MUSL_PAGE)
		return false;
	if (w[2] % 8 || w[3] % 8 || w[4] > MUSL_METAS || c.next_count > MUSL_PAGES_MAX || w[6] > 40)
		return false;
	if (shift && (words[1] < MUSL_PAGE || words[1] & (words[1] - 1)))
		return false;
	*ret = c;
	return true;
}

/* prev, next, mem, avail_mask and freed_mask, then bits: last_idx 5, freeable 1, sizeclass 6, maplen 52 */
enum musl_meta musl_parse_meta(uint64_t address, const unsigned char *bytes, struct musl_group *ret)
{
	uint64_t masks = vmm_word_of(bytes, 8, 3), bits = vmm_word_of(bytes, 8, 4), pages = bits >> 12, all;
	struct musl_group g = {
		.mem = vmm_word_of(bytes, 8, 2),
		.meta = address,
		.avail = (uint32_t)masks,
		.freed = (uint32_t)(masks >> 32),
		.count = (uint8_t)((bits & 31) + 1),
		.class = bits >> 6 & 63,
		.donated = !(bits >> 5 & 1),
	};

	if (!g.mem)
		return MUSL_META_UNUSED;
	all = (UINT64_C(2) << (g.count - 1)) - 1;
	if (g.mem % MUSL_UNIT || (pages && g.mem % MUSL_PAGE) || pages > UINT64_MAX / MUSL_PAGE / 2 || g.mem > UINT64_MAX / 2 ||
	    (g.avail & g.freed) || (g.avail | g.freed) & ~all || (g.class >= MUSL_CLASSES && (g.class != MUSL_CLASS_MAPPED || !pages || g.count > 1)))
		return MUSL_META_BAD;
	if (g.donated && (pages || g.count > 1))
		return MUSL_META_BAD;
	g.size = pages * MUSL_PAGE;
	g.stride = pages && g.count == 1 ? g.size - MUSL_UNIT : (uint64_t)MUSL_UNIT * musl_class_units[g.class % MUSL_CLASSES];
	if (g.size && MUSL_UNIT + g.count * g.stride > g.size)
		return MUSL_META_BAD;
	*ret = g;
	return MUSL_META_GROUP;
}
