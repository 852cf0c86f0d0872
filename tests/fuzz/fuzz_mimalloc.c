/*
 * The reader of mimalloc over hostile memory. The input: a byte of flags (bit 0: the second half of the segment cannot
 * be accessed, bit 1: its second slice is absent, bit 2: swapped out), then the memory that is not 0: a page that heaps
 * may lie in, the first bytes of the segment and of its second slice.
 */
#include "fuzz.h"

#include "../fake_target.h"
#include "reading_check.h"

#define DATA 0x500000u
#define DATA_BYTES 4096u
#define HEADER_BYTES 1024u
#define BLOCKS_BYTES 2048u
#define SEGMENT UINT64_C(0x20000000000)
#define SIZE (UINT64_C(32) << 20)
#define SLICE 0x10000u
#define SLICES 6u

static void map_segment(struct fake_target *t, uint8_t flags, const unsigned char *memory)
{
	uint64_t second = SEGMENT + SLICE;

	fake_map(t, SEGMENT, SEGMENT + SIZE / 2, "rw-p", 0, "", -1);
	fake_map(t, SEGMENT + SIZE / 2, SEGMENT + SIZE + SIZE / 2, flags & 1 ? "---p" : "rw-p", 0, "", -1);
	t->memory[t->memory_count++] = (struct fake_memory){SEGMENT, second, memory, 0};
	if (flags & 6)
		t->memory[t->memory_count] = (struct fake_memory){second, second + SLICE, memory + SLICE, flags & 4 ? VMM_PAGE_SWAPPED : VMM_PAGE_GUARD};
	else
		t->memory[t->memory_count] = (struct fake_memory){second, second + SLICE, memory + SLICE, 0};
	t->memory_count++;
	t->memory[t->memory_count++] = (struct fake_memory){second + SLICE, SEGMENT + SLICES * SLICE, memory + 2 * SLICE, 0};
}

/* What is proved adds up to the area. */

struct input {
	const uint8_t *data;
	size_t size;
};

static void take(struct input *input, unsigned char *bytes, size_t length)
{
	length = vmm_min_u64(length, input->size);
	memcpy(bytes, input->data, length);
	input->data += length;
	input->size -= length;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static unsigned char memory[DATA_BYTES + SLICES * SLICE];
	struct vmm_thread threads[] = {{.tid = 7, .name = "t", .descriptor = UINT64_C(0x7f0000001a20), .region = VMM_NONE}};
	struct fake_target t = {0};
	struct vmm_reading r = {.target = &t.base};
	struct vmm_snapshot *s;
	struct input input;

	if (size < 1)
		return 0;
	memset(memory, 0, sizeof(memory));
	input = (struct input){data + 1, size - 1};
	take(&input, memory, DATA_BYTES);
	take(&input, memory + DATA_BYTES, HEADER_BYTES);
	take(&input, memory + DATA_BYTES + SLICE, BLOCKS_BYTES);
	fake_map(&t, DATA, DATA + DATA_BYTES, "rw-p", 0, "", -1);
	t.memory[t.memory_count++] = (struct fake_memory){DATA, DATA + DATA_BYTES, memory, 0};
	map_segment(&t, data[0], memory + DATA_BYTES);
	s = fake_snapshot(&t, "");
	FUZZ_CHECK(s);
	s->target.bits = 64;
	s->threads = threads;
	s->thread_count = 1;
	r.snapshot = s;
	FUZZ_CHECK(vmm_readers_run(&r, NULL) == 0);
	FUZZ_CHECK(vmm_reading_walk(&r, NULL, NULL) == 0);
	fuzz_check_heaps(&r);
	vmm_reading_done(&r);
	vmm_snapshot_destroy(s);
	return 0;
}
