/* What the kernel and its drivers map: rings, vdso, vsyscall. */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/io_uring.h>
#include <linux/perf_event.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "kinds.h"
#include "truth.h"

#define RW (PROT_READ | PROT_WRITE)

static void record(const char *sort, const void *p, uint64_t size)
{
	struct truth t;

	if (!p) {
		truth_skip(sort, strerror(errno));
		return;
	}
	t = truth_init(sort, p, size, "device");
	t.private_bytes = t.swap = t.hugetlb = 0;
	t.protection = "rw-s";
	truth_add(&t);
}

static void device(const char *sort, int fd, uint64_t size)
{
	record(sort, fd < 0 ? NULL : truth_map(size, RW, MAP_SHARED | MAP_POPULATE, fd, 0), size);
}

static void packet_ring(void)
{
	struct tpacket_req req = {.tp_frame_size = 2048};
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);

	req.tp_block_size = (unsigned)(4 * truth_page());
	req.tp_block_nr = 2;
	req.tp_frame_nr = req.tp_block_size / req.tp_frame_size * req.tp_block_nr;
	if (fd >= 0 && setsockopt(fd, SOL_PACKET, PACKET_RX_RING, &req, sizeof(req)) < 0) {
		truth_skip("packet_ring", strerror(errno));
		close(fd);
		return;
	}
	device("packet_ring", fd, 8 * truth_page());
}

static void perf_ring(void)
{
	struct perf_event_attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.size = sizeof(attr);
	attr.type = PERF_TYPE_SOFTWARE;
	attr.config = PERF_COUNT_SW_DUMMY;
	attr.exclude_kernel = 1;
	device("perf_ring", (int)syscall(SYS_perf_event_open, &attr, 0, -1, -1, PERF_FLAG_FD_CLOEXEC), 5 * truth_page());
}

static void io_uring_ring(void)
{
	struct io_uring_params params;
	int fd;
	void *p;

	memset(&params, 0, sizeof(params));
	fd = (int)syscall(SYS_io_uring_setup, 8, &params);
	/* io_uring refuses an address of the caller's choice. */
	p = fd < 0 ? MAP_FAILED : mmap(NULL, (size_t)truth_page(), RW, MAP_SHARED | MAP_POPULATE, fd, IORING_OFF_SQES);
	record("io_uring", p == MAP_FAILED ? NULL : p, truth_page());
}

static void from_kernel(void)
{
	void *vdso = (void *)(uintptr_t)getauxval(AT_SYSINFO_EHDR);
	struct truth t;

	if (!vdso) {
		truth_skip("vdso", "no AT_SYSINFO_EHDR");
		return;
	}
	t = truth_init("vdso", vdso, truth_page(), "system");
	t.scope = TRUTH_INSIDE;
	truth_add(&t);
}

void kinds_special(void)
{
	packet_ring();
	perf_ring();
	io_uring_ring();
	from_kernel();
}
