/*
 * The reader of musl's allocator over hostile memory: the image of musl_image.h with some bytes changed. The input: a byte
 * of flags (bit 0: the groups are swapped out), then records of two bytes of place, one byte of length, and so many
 * bytes that are written there. Places count through the image: data, metas, groups.
 */
#include "fuzz.h"

#include "../musl_image.h"
#include "reading_check.h"

static void change(struct musl_image *image, const uint8_t *data, size_t size)
{
	unsigned char *bytes = (unsigned char *)image;

	while (size >= 3) {
		size_t place = (data[0] | (size_t)data[1] << 8) % sizeof(*image), length = vmm_min_u64(data[2], size - 3);

		length = vmm_min_u64(length, sizeof(*image) - place);
		memcpy(bytes + place, data + 3, length);
		data += 3 + length;
		size -= 3 + length;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct musl_image image;
	struct fake_target t;
	struct vmm_reading r = {0};
	struct vmm_snapshot *s;

	if (size < 1)
		return 0;
	image_make(&image);
	change(&image, data + 1, size - 1);
	image_map(&t, &image);
	if (data[0] & 1)
		t.memory[2].what = VMM_PAGE_SWAPPED;
	s = fake_snapshot(&t, "");
	FUZZ_CHECK(s);
	s->target.bits = 64;
	r = (struct vmm_reading){.target = &t.base, .snapshot = s};
	FUZZ_CHECK(vmm_readers_run(&r, NULL) == 0);
	FUZZ_CHECK(vmm_reading_walk(&r, NULL, NULL) == 0);
	fuzz_check_heaps(&r);
	vmm_reading_done(&r);
	vmm_snapshot_destroy(s);
	return 0;
}
