/* Memory that may be shared without a disk file: anonymous, memfd, SysV, POSIX, tmpfs, hugetlb. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "kinds.h"
#include "truth.h"

#define RW (PROT_READ | PROT_WRITE)
#define HUGE_SIZE (UINT64_C(2) << 20)

/* Mapped by this process alone: all of it is unique now, though it may be shared at any time. */
static struct truth shmem_truth(const char *sort, const void *p, uint64_t size, uint64_t touched)
{
	struct truth t = truth_init(sort, p, size, "shareable");

	t.committed = size;
	t.private_bytes = 0;
	t.rss = t.uss = t.shareable = touched;
	t.shared = t.swap = t.anonymous = t.locked = t.huge = t.hugetlb = 0;
	t.protection = "rw-s";
	return t;
}

/* Maps fd shared, writes touched pages, records. Closes fd. */
static void shmem_file(const char *sort, int fd, uint64_t pages, uint64_t touched, bool deleted)
{
	uint64_t page = truth_page();
	char *p;
	struct truth t;

	if (fd < 0 || ftruncate(fd, (off_t)(pages * page)) < 0 ||
	    !(p = truth_map(pages * page, RW, MAP_SHARED, fd, 0))) {
		truth_skip(sort, strerror(errno));
		return;
	}
	truth_write(p, touched);
	t = shmem_truth(sort, p, pages * page, touched * page);
	t.deleted = deleted;
	truth_add(&t);
	close(fd);
}

static void anonymous(void)
{
	uint64_t page = truth_page();
	char *p = truth_map(44 * page, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct truth t;

	if (!p)
		truth_die("shared anonymous memory");
	truth_write(p, 21);
	t = shmem_truth("shared_anonymous", p, 44 * page, 21 * page);
	truth_add(&t);
}

static void system_v(void)
{
	uint64_t page = truth_page();
	int id = shmget(IPC_PRIVATE, (size_t)(19 * page), IPC_CREAT | 0600);
	char *p = id < 0 ? (char *)-1 : shmat(id, truth_place(19 * page, 1 << 16), 0);
	struct truth t;

	if (p == (char *)-1) {
		truth_skip("system_v", strerror(errno));
		return;
	}
	shmctl(id, IPC_RMID, NULL);
	truth_write(p, 9);
	t = shmem_truth("system_v", p, 19 * page, 9 * page);
	truth_add(&t);
}

static void posix(void)
{
	char name[64];
	int fd;

	snprintf(name, sizeof(name), "/vmmap-test-%d", getpid());
	fd = shm_open(name, O_RDWR | O_CREAT | O_EXCL, 0600);
	shmem_file("posix_shared", fd, 17, 8, true);
	if (fd >= 0)
		shm_unlink(name);
	/* A tmpfs file that keeps its name while it is looked at would be left behind by a killed test: O_TMPFILE. */
	fd = open("/dev/shm", O_RDWR | O_TMPFILE | O_CLOEXEC, 0600);
	shmem_file("tmpfs_file", fd, 15, 6, true);
}

static void private_memfd(void)
{
	uint64_t page = truth_page();
	int fd = memfd_create("private copy", MFD_CLOEXEC);
	char *p = NULL;
	struct truth t;

	if (fd < 0 || ftruncate(fd, (off_t)(13 * page)) < 0 || !(p = truth_map(13 * page, RW, MAP_PRIVATE, fd, 0))) {
		truth_skip("memfd_private", strerror(errno));
		return;
	}
	truth_write(p, 5);
	t = shmem_truth("memfd_private", p, 13 * page, 5 * page);
	t.private_bytes = 13 * page;
	t.anonymous = 5 * page;
	t.shareable = 0;
	t.protection = "rw-p";
	truth_add(&t);
	close(fd);
}

/* Three of four reserved huge pages are written; neither Rss nor Pss of the kernel count them. */
static void huge(const char *sort, int flags, const char *kind)
{
	uint64_t size = 4 * HUGE_SIZE;
	char *p = mmap(truth_place(size, HUGE_SIZE), (size_t)size, RW, flags | MAP_FIXED | MAP_ANONYMOUS | MAP_HUGETLB | (21 << 26),
	               -1, 0);
	struct truth t;

	if (p == MAP_FAILED) {
		truth_skip(sort, "no free huge pages");
		return;
	}
	for (uint64_t i = 0; i < 3; i++)
		p[i * HUGE_SIZE] = 1;
	t = truth_init(sort, p, size, kind);
	t.committed = size;
	t.rss = t.hugetlb = t.huge = t.uss = 3 * HUGE_SIZE;
	t.private_bytes = flags & MAP_PRIVATE ? 3 * HUGE_SIZE : 0;
	t.swap = t.locked = t.shared = 0;
	t.protection = flags & MAP_PRIVATE ? "rw-p" : "rw-s";
	truth_add(&t);
}

static void secret(void)
{
#ifdef SYS_memfd_secret
	uint64_t page = truth_page();
	int fd = (int)syscall(SYS_memfd_secret, 0);
	char *p = NULL;
	struct truth t;

	if (fd < 0 || ftruncate(fd, (off_t)(11 * page)) < 0 || !(p = truth_map(11 * page, RW, MAP_SHARED, fd, 0))) {
		truth_skip("memfd_secret", strerror(errno));
		return;
	}
	truth_write(p, 4);
	t = shmem_truth("memfd_secret", p, 11 * page, 4 * page);
	t.locked = 4 * page; /* secret memory is always locked */
	truth_add(&t);
	close(fd);
#else
	truth_skip("memfd_secret", "no such system call here");
#endif
}

void kinds_shared(void)
{
	anonymous();
	shmem_file("memfd", memfd_create("plain", MFD_CLOEXEC), 23, 12, true);
	shmem_file("memfd_hostile_name", memfd_create("\033[31m\n\xff name", MFD_CLOEXEC), 5, 2, true);
	private_memfd();
	system_v();
	posix();
	secret();
	huge("hugetlb_shared", MAP_SHARED, "shareable");
	huge("hugetlb_private", MAP_PRIVATE, "private_data");
}
