/* Whole cores: opened, shown with their heaps, read from end to end. */
#include "fuzz.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "model/target.h"
#include "vmmap/vmmap.h"

#define SIZE_MAX_TRIED 65536
#define RUNS_MAX 200000

struct check {
	struct vmm_target *t;
	uint64_t last;
	unsigned runs, reads;
};

static int on_run(void *arg, const struct vmm_page_run *run)
{
	struct check *c = arg;
	unsigned char bytes[64];

	FUZZ_CHECK(run->start < run->end && run->start >= c->last);
	c->last = run->end;
	/* What pages() promises read() gives: its first bytes and its last. */
	if (c->reads++ < 64) {
		uint64_t length = run->end - run->start < sizeof(bytes) ? run->end - run->start : sizeof(bytes);

		FUZZ_CHECK(c->t->ops->read(c->t, run->start, bytes, length, NULL) == (int64_t)length);
		FUZZ_CHECK(c->t->ops->read(c->t, run->end - length, bytes, length, NULL) >= (int64_t)length);
	}
	return ++c->runs > RUNS_MAX;
}

static void check_snapshot(const struct vmm_snapshot *s, size_t size)
{
	for (uint32_t i = 0; i < s->vma_count; i++) {
		FUZZ_CHECK(s->vmas[i].start < s->vmas[i].end);
		FUZZ_CHECK(i == 0 || s->vmas[i - 1].end <= s->vmas[i].start);
		FUZZ_CHECK(s->vmas[i].m.value[VMM_METRIC_STORED] <= size);
		FUZZ_CHECK(!vmm_metric_known(&s->vmas[i].m, VMM_METRIC_RSS));
	}
	for (uint32_t i = 0; i < s->block_count; i++)
		FUZZ_CHECK(i == 0 || s->blocks[i - 1].end <= s->blocks[i].start);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct vmm_take take = {.needs = VMM_NEED_DEFAULT | VMM_NEED_HEAPS};
	struct vmm_snapshot *s = NULL;
	struct check check = {0};
	char path[40];
	int fd = memfd_create("core", MFD_CLOEXEC);

	if (size > SIZE_MAX_TRIED || size < 4 || memcmp(data, "\177ELF", 4) != 0 || fd < 0 || write(fd, data, size) != (ssize_t)size) {
		close(fd);
		return 0;
	}
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (vmm_target_open(path, &check.t, NULL) == 0) {
		FUZZ_CHECK(check.t->residency_unknown);
		if (vmm_target_snapshot(check.t, &take, &s, NULL) == 0)
			check_snapshot(s, size);
		check.t->ops->pages(check.t, 0, UINT64_MAX, 0, on_run, &check, NULL);
		vmm_snapshot_destroy(s);
		vmm_target_close(check.t);
	}
	close(fd);
	return 0;
}
