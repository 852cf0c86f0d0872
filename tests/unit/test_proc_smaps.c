/* The fields of smaps and smaps_rollup, against seeds of the fuzzer, totals taken with awk, and the running kernel. */
#include "test_proc.h"

#include "base/arena.h"
#include "format/proc_text.h"

#define RECORDS_MAX 512

struct seen {
	struct vmm_smaps_record r[RECORDS_MAX];
	char *name[RECORDS_MAX];
	unsigned count, stop_at;
};

static int collect(void *arg, const struct vmm_smaps_record *r)
{
	struct seen *s = arg;

	assert_true(s->count < RECORDS_MAX);
	s->r[s->count] = *r;
	s->r[s->count].maps.name = NULL;
	s->name[s->count] = strndup(r->maps.name, r->maps.name_length);
	s->count++;
	return s->stop_at && s->count == s->stop_at ? 42 : 0;
}

static void seen_clear(struct seen *s)
{
	for (unsigned i = 0; i < s->count; i++)
		free(s->name[i]);
	memset(s, 0, sizeof(*s));
}

struct outcome {
	uint64_t malformed, unknown_flags;
	char extra[VMM_SMAPS_EXTRA_MAX + 1][64];
};

/* Feeds text in pieces of chunk bytes, each a block of its own so that a read past its end is seen. */
static void parse(const char *text, size_t length, size_t chunk, struct seen *seen, struct outcome *ret)
{
	struct vmm_smaps_parser *p = vmm_smaps_create(collect, seen);

	assert_non_null(p);
	for (size_t at = 0; at < length; at += chunk) {
		size_t n = length - at < chunk ? length - at : chunk;
		char *piece = malloc(n);

		assert_non_null(piece);
		memcpy(piece, text + at, n);
		assert_int_equal(vmm_smaps_feed(p, piece, n), 0);
		memset(piece, 'Z', n);
		free(piece);
	}
	assert_int_equal(vmm_smaps_finish(p), 0);
	memset(ret, 0, sizeof(*ret));
	ret->malformed = vmm_smaps_malformed(p);
	ret->unknown_flags = vmm_smaps_unknown_flags(p);
	for (unsigned i = 0; vmm_smaps_extra_name(p, i); i++)
		snprintf(ret->extra[i], sizeof(ret->extra[i]), "%s", vmm_smaps_extra_name(p, i));
	vmm_smaps_destroy(p);
}

static void parse_seed(const char *name, struct seen *seen, struct outcome *ret)
{
	size_t length;
	char *text = seed(name, &length);

	parse(text, length, length, seen, ret);
	free(text);
}

static uint64_t sum(const struct seen *s, unsigned field)
{
	uint64_t total = 0;

	for (unsigned i = 0; i < s->count; i++) {
		assert_true(s->r[i].known >> field & 1);
		total += s->r[i].value[field];
	}
	return total;
}

/* The totals come from awk over the file. */
static void test_linux_6_18(void **state)
{
	struct seen s = {0};
	struct outcome o;

	parse_seed("fuzz_smaps/linux-6.18-x86_64", &s, &o);
	assert_int_equal(s.count, 22);
	assert_int_equal(o.malformed, 0);
	assert_int_equal(o.unknown_flags, 0);
	assert_int_equal(sum(&s, VMM_SMAPS_SIZE), 25194496);
	assert_int_equal(sum(&s, VMM_SMAPS_RSS), 2846720);
	assert_int_equal(sum(&s, VMM_SMAPS_PSS), 2842624);
	assert_int_equal(sum(&s, VMM_SMAPS_PRIVATE_DIRTY), 2842624);
	assert_int_equal(sum(&s, VMM_SMAPS_ANONYMOUS), 2162688);
	assert_int_equal(sum(&s, VMM_SMAPS_ANON_HUGE_PAGES), 2097152);
	assert_int_equal(sum(&s, VMM_SMAPS_LOCKED), 8192);
	assert_int_equal(sum(&s, VMM_SMAPS_SWAP), 0);
	for (unsigned i = 0; i < s.count; i++)
		assert_int_equal(s.r[i].known, (1u << VMM_SMAPS_COUNT) - 1);
	assert_string_equal(o.extra[0], "MMUPageSize");
	assert_string_equal(o.extra[1], "Pss_Dirty");
	assert_string_equal(o.extra[2], "THPeligible");
	assert_string_equal(o.extra[3], "");
	assert_int_equal(s.r[11].extra_known, 7);
	assert_int_equal(s.r[11].extra[0], 4096);
	assert_int_equal(s.r[11].extra[1], 8192);
	assert_int_equal(s.r[11].extra[2], 0);
	assert_int_equal(s.r[11].maps.prot, VMM_PROT_READ | VMM_PROT_WRITE | VMM_PROT_EXEC);
	assert_int_equal(s.r[11].vm_flags, VMM_VF_KNOWN | VMM_VF(rd) | VMM_VF(wr) | VMM_VF(ex) | VMM_VF(mr) | VMM_VF(mw) |
	                                       VMM_VF(me) | VMM_VF(lo) | VMM_VF(ac));
	assert_string_equal(s.name[11], "");
	assert_string_equal(s.name[14], "/memfd: two  words (deleted)");
	assert_string_equal(s.name[15],
	                    "/tmp/vmmap fixture/line\\012feed and (deleted) 00400000-00401000 r--p (deleted)");
	assert_int_equal(s.r[21].maps.start, 0xffffffffff600000);
	seen_clear(&s);
	parse_seed("fuzz_smaps/linux-6.18-i386", &s, &o);
	assert_int_equal(s.count, 22);
	assert_int_equal(sum(&s, VMM_SMAPS_RSS), 2777088);
	assert_int_equal(s.r[0].maps.start, 0x08048000);
	assert_string_equal(s.name[21], "[stack]");
	seen_clear(&s);
}

static void same_record(const struct vmm_smaps_record *a, const struct vmm_smaps_record *b)
{
	assert_int_equal(a->maps.start, b->maps.start);
	assert_int_equal(a->maps.end, b->maps.end);
	assert_int_equal(a->maps.offset, b->maps.offset);
	assert_int_equal(a->maps.inode, b->maps.inode);
	assert_int_equal(a->maps.prot, b->maps.prot);
	assert_int_equal(a->known, b->known);
	assert_int_equal(a->vm_flags, b->vm_flags);
	assert_int_equal(a->extra_known, b->extra_known);
	assert_memory_equal(a->value, b->value, sizeof(a->value));
	assert_memory_equal(a->extra, b->extra, sizeof(a->extra));
}

/* Chunks of any size give the records that one chunk gives, for good and for hostile text. */
static void test_chunks(void **state)
{
	static const char *const names[] = {"fuzz_smaps/linux-6.18-x86_64", "fuzz_smaps/hostile", "fuzz_smaps/linux-3.10-like",
	                                    "fuzz_smaps/converted-line-ends"};
	static const size_t chunks[] = {1, 2, 3, 7, 27, 28, 29, 80, 1000, 4096};

	for (unsigned n = 0; n < ARRAY_LEN(names); n++) {
		struct seen whole = {0}, cut = {0};
		struct outcome a, b;
		size_t length;
		char *text = seed(names[n], &length);

		parse(text, length, length, &whole, &a);
		for (unsigned c = 0; c < ARRAY_LEN(chunks); c++) {
			parse(text, length, chunks[c], &cut, &b);
			assert_int_equal(cut.count, whole.count);
			assert_memory_equal(&a, &b, sizeof(a));
			for (unsigned i = 0; i < whole.count; i++) {
				assert_string_equal(cut.name[i], whole.name[i]);
				same_record(&cut.r[i], &whole.r[i]);
			}
			seen_clear(&cut);
		}
		seen_clear(&whole);
		free(text);
	}
}

#define BIT(field) (1u << VMM_SMAPS_##field)

/* Linux 3.10 has no SwapPss, LazyFree, hugetlb or PMD fields, and puts the page sizes late. */
static void test_linux_3_10(void **state)
{
	const uint32_t missing = BIT(KSM) | BIT(LAZY_FREE) | BIT(SHMEM_PMD_MAPPED) | BIT(FILE_PMD_MAPPED) |
	                         BIT(SHARED_HUGETLB) | BIT(PRIVATE_HUGETLB) | BIT(SWAP_PSS);
	struct seen s = {0};
	struct outcome o;

	parse_seed("fuzz_smaps/linux-3.10-like", &s, &o);
	assert_int_equal(s.count, 3);
	assert_int_equal(s.r[0].known, ((1u << VMM_SMAPS_COUNT) - 1) & ~missing);
	assert_int_equal(s.r[0].value[VMM_SMAPS_SIZE], 48 * 1024);
	assert_int_equal(s.r[0].value[VMM_SMAPS_PRIVATE_CLEAN], 24 * 1024);
	assert_int_equal(s.r[1].value[VMM_SMAPS_SWAP], 4096);
	assert_int_equal(s.r[1].value[VMM_SMAPS_KERNEL_PAGE_SIZE], 4096);
	assert_int_equal(s.r[1].value[VMM_SMAPS_SWAP_PSS], 0);
	assert_string_equal(s.name[2], "[stack:1234]");
	assert_int_equal(s.r[2].known, BIT(SIZE) | BIT(RSS));
	assert_int_equal(s.r[2].vm_flags, VMM_VF_KNOWN | VMM_VF(rd) | VMM_VF(wr));
	assert_int_equal(o.unknown_flags, 2); /* nl and ?? */
	assert_int_equal(o.malformed, 0);
	assert_string_equal(o.extra[0], "MMUPageSize");
	assert_string_equal(o.extra[1], "Nonlinear");
	assert_int_equal(s.r[2].extra_known, 2);
	assert_int_equal(s.r[2].extra[1], 4096);
	seen_clear(&s);
}

static void test_linux_4_14_and_5_10(void **state)
{
	struct seen s = {0};
	struct outcome o;

	parse_seed("fuzz_smaps/linux-4.14-like", &s, &o);
	assert_int_equal(s.count, 2);
	assert_int_equal(o.malformed, 0);
	assert_int_equal(s.r[0].known, ((1u << VMM_SMAPS_COUNT) - 1) & ~(BIT(KSM) | BIT(FILE_PMD_MAPPED)));
	assert_int_equal(s.r[0].value[VMM_SMAPS_LAZY_FREE], 12 * 1024);
	assert_int_equal(s.r[0].value[VMM_SMAPS_LOCKED], 2052 * 1024);
	assert_int_equal(s.r[1].value[VMM_SMAPS_PRIVATE_HUGETLB], 2048 * 1024);
	assert_string_equal(o.extra[1], "ProtectionKey");
	assert_int_equal(s.r[0].extra[1], 1); /* no kB: as written */
	assert_string_equal(s.name[1], "/anon_hugepage (deleted)");
	seen_clear(&s);
	parse_seed("fuzz_smaps/linux-5.10-like", &s, &o);
	assert_int_equal(s.count, 2);
	assert_int_equal(o.malformed, 0);
	assert_string_equal(s.name[0], "[anon: glibc: malloc]");
	assert_string_equal(o.extra[1], "THPeligible");
	assert_int_equal(s.r[0].extra[1], 1);
	assert_int_equal(s.r[1].extra[1], 0);
	assert_int_equal(s.r[1].extra_known, 3);
	assert_int_equal(s.r[1].value[VMM_SMAPS_FILE_PMD_MAPPED], 2048 * 1024);
	assert_int_equal(s.r[1].maps.inode, UINT64_MAX);
	assert_int_equal(s.r[1].maps.dev_major, 0x103);
	seen_clear(&s);
	parse_seed("fuzz_smaps/32-bit-kernel", &s, &o);
	assert_string_equal(s.name[0], "/bin/true");
	seen_clear(&s);
}

static void test_converted_line_ends(void **state)
{
	struct seen s = {0};
	struct outcome o;

	parse_seed("fuzz_smaps/converted-line-ends", &s, &o);
	assert_int_equal(s.count, 2);
	assert_int_equal(o.malformed, 0);
	assert_string_equal(s.name[0], "/bin/a");
	assert_string_equal(s.name[1], "");
	assert_int_equal(s.r[0].value[VMM_SMAPS_RSS], 4096);
	assert_true(s.r[1].vm_flags & VMM_VF(sd));
	seen_clear(&s);
	/* The kernel's own lines end in a line feed alone: the carriage return is the file's. */
	parse("1000-2000 r--p 0 1:1 5 /a\r\nRss:  4 kB\n", 38, 38, &s, &o);
	assert_string_equal(s.name[0], "/a\r");
	seen_clear(&s);
}

static void test_hostile(void **state)
{
	struct seen s = {0};
	struct outcome o;

	parse_seed("fuzz_smaps/hostile", &s, &o);
	assert_int_equal(s.count, 2);
	assert_int_equal(o.malformed, 34); /* counted by hand */
	/* Only Rss: Pss does not fit in bytes, Size has no unit, Swap a strange one; Locked follows what has no key. */
	assert_int_equal(s.r[0].known, BIT(RSS));
	assert_int_equal(s.r[0].value[VMM_SMAPS_PSS], 0);
	assert_int_equal(s.r[0].value[VMM_SMAPS_LOCKED], 0);
	/* The headers that run backwards or hold a NUL are none, and their fields go to nobody. */
	assert_int_equal(s.r[1].maps.start, 0x5000);
	assert_int_equal(s.r[1].known, 0);
	assert_int_equal(s.r[1].extra_known, 0);
	seen_clear(&s);
}

static void test_many_extras(void **state)
{
	char text[2048];
	int n = snprintf(text, sizeof(text), "1000-2000 r--p 0 1:1 5\n");
	struct seen s = {0};
	struct outcome o;

	for (int i = 0; i < 20; i++)
		n += snprintf(text + n, sizeof(text) - (size_t)n, "K%d: %d kB\n", i, i);
	n += snprintf(text + n, sizeof(text) - (size_t)n, "Rss:     4 kB\nVmFlags: rd zz ?? wrx q \303\251\n");
	parse(text, (size_t)n, (size_t)n, &s, &o);
	assert_int_equal(s.count, 1);
	assert_int_equal(o.malformed, 0);
	assert_int_equal(s.r[0].extra_known, 0xffff);
	assert_int_equal(s.r[0].extra[15], 15 * 1024);
	assert_string_equal(o.extra[15], "K15");
	assert_int_equal(s.r[0].known, BIT(RSS));
	assert_int_equal(s.r[0].vm_flags, VMM_VF_KNOWN | VMM_VF(rd));
	assert_int_equal(o.unknown_flags, 5);
	seen_clear(&s);
}

/* Values in the kernel's columns, and what looks like them. */
static void test_values(void **state)
{
	static const struct {
		const char *line;
		bool known;
		uint64_t bytes;
	} cases[] = {
		{"Rss:                   0 kB\n", true, 0},
		{"Rss:            12345678 kB\n", true, UINT64_C(12345678) * 1024},
		{"Rss:            99999999 kB\n", true, UINT64_C(102399998976)},
		{"Rss:            00000010 kB\n", true, 10240},
		{"Rss:            123456789 kB\n", true, UINT64_C(126419751936)},
		{"Rss:            18014398509481983 kB\n", true, UINT64_C(18446744073709550592)},
		{"Rss:            18014398509481984 kB\n", false, 0},
		{"Rss:            99999999999999999999 kB\n", false, 0},
		{"Rss:                1  2 kB\n", false, 0},
		{"Rss:               1/2:3 kB\n", false, 0},
		{"Rss:              1:2345 kB\n", false, 0},
		{"Rss:              1?2345 kB\n", false, 0},
		{"Rss:                  -1 kB\n", false, 0},
		{"Rss:                     kB\n", false, 0},
		{"Rss:                   1 KB\n", false, 0},
		{"Rss:                   1 kB x\n", false, 0},
		{"Rss:                   1\n", false, 0},
		{"Rss:\n", false, 0},
		{"Rss:7 kB\n", true, 7168},
		{"Rss:\t7 kB\n", true, 7168},
	};

	for (unsigned i = 0; i < ARRAY_LEN(cases); i++)
		for (unsigned foretold = 0; foretold < 2; foretold++) {
			struct seen s = {0};
			struct outcome o;
			char text[512];
			/* The second mapping's Rss line is foretold by the first one's. */
			int n = snprintf(text, sizeof(text), "%s1000-2000 r--p 0 0:0 0\n%s0-1 ---p 0 0:0 0\n\n\n\n\n\n\n\n",
			                 foretold ? "0-1 ---p 0 0:0 0\nRss:                   4 kB\n" : "", cases[i].line);

			parse(text, (size_t)n, (size_t)n, &s, &o);
			assert_int_equal(s.count, 2 + foretold);
			assert_int_equal(s.r[foretold].known, cases[i].known ? BIT(RSS) : 0);
			assert_int_equal(s.r[foretold].value[VMM_SMAPS_RSS], cases[i].bytes);
			assert_int_equal(o.malformed, 7 + !cases[i].known);
			seen_clear(&s);
		}
}

/* Lines that agree with a foretold one in its first columns only, or stand where nothing is foretold. */
static void test_not_foretold(void **state)
{
	static const char zeros[] = "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0       1 kB\n";
	static const char lost[] = "1000-2000 r--p 0 0:0 0\nRss:                   4 kB\nnonsense\nPss:                   4 kB\n";
	static const char empty[] = "1000-2000 r--p 0 0:0 0\nRss:                   4 kB\n\nPss:                   4 kB\n";
	static const char longer[] = "1000-2000 r--p 0 0:0 0\nA_very_long_key_of_one:       1 kB\n"
				     "2000-3000 r--p 0 0:0 0\nA_very_long_key_of_two:       2 kB\nA_very_long_key_1      3 kB\n";
	struct seen s = {0};
	struct outcome o;

	parse(zeros, sizeof(zeros) - 1, 1000, &s, &o);
	assert_int_equal(s.count, 0);
	assert_int_equal(o.malformed, 1);
	parse(longer, sizeof(longer) - 1, 1000, &s, &o);
	assert_int_equal(s.count, 2);
	assert_int_equal(o.malformed, 1);
	assert_string_equal(o.extra[1], "A_very_long_key_of_two");
	assert_int_equal(s.r[1].extra_known, 2);
	assert_int_equal(s.r[1].extra[1], 2048);
	seen_clear(&s);
	/* What follows a line that may have been a header is nobody's, even where it is the field that was to come. */
	parse(lost, sizeof(lost) - 1, 1000, &s, &o);
	assert_int_equal(s.count, 1);
	assert_int_equal(s.r[0].known, BIT(RSS));
	assert_int_equal(o.malformed, 2);
	seen_clear(&s);
	/* An empty line is no header. */
	parse(empty, sizeof(empty) - 1, 1000, &s, &o);
	assert_int_equal(s.count, 1);
	assert_int_equal(s.r[0].known, BIT(RSS) | BIT(PSS));
	assert_int_equal(o.malformed, 1);
	seen_clear(&s);
}

static void test_end_of_input(void **state)
{
	struct seen s = {0};
	struct outcome o;

	parse("", 0, 1, &s, &o);
	assert_int_equal(s.count, 0);
	/* A header with nothing behind it is a mapping of which nothing is known. */
	parse("1000-2000 r--p 0 0:0 0\n", 23, 23, &s, &o);
	assert_int_equal(s.count, 1);
	assert_int_equal(s.r[0].known, 0);
	assert_int_equal(s.r[0].vm_flags, 0);
	assert_int_equal(o.malformed, 0);
	seen_clear(&s);
	/* What was cut off is not guessed at: neither a value nor a header. */
	parse("1000-2000 r--p 0 0:0 0\nRss:    4 kB\nPss:   4", 44, 44, &s, &o);
	assert_int_equal(s.count, 1);
	assert_int_equal(s.r[0].known, BIT(RSS));
	assert_int_equal(o.malformed, 1);
	seen_clear(&s);
	parse("1000-2000 r--p 0 0:0 0\n2000-3000 r--p 0 0:0 0", 45, 45, &s, &o);
	assert_int_equal(s.count, 1);
	assert_int_equal(o.malformed, 1);
	seen_clear(&s);
}

static void test_limits_and_stop(void **state)
{
	struct seen s = {.stop_at = 1};
	struct vmm_smaps_parser *p = vmm_smaps_create(collect, &s);
	static char line[70000];
	const char *two = "1000-2000 r--p 0 0:0 0\n2000-3000 r--p 0 0:0 0\n3000-4000 r--p 0 0:0 0\n";

	assert_int_equal(vmm_smaps_feed(p, two, strlen(two)), 42);
	assert_int_equal(vmm_smaps_feed(p, two, strlen(two)), 42);
	assert_int_equal(vmm_smaps_finish(p), 42);
	assert_int_equal(s.count, 1);
	vmm_smaps_destroy(p);
	seen_clear(&s);
	memset(line, 'x', sizeof(line));
	line[65536] = '\n';
	for (size_t first = 0; first <= 65536; first += 65536 / 4) {
		/* 64 KiB is the longest line that is taken, wherever it was split. */
		p = vmm_smaps_create(collect, &s);
		assert_int_equal(vmm_smaps_feed(p, line, first), 0);
		assert_int_equal(vmm_smaps_feed(p, line + first, 65537 - first), 0);
		vmm_smaps_destroy(p);
		p = vmm_smaps_create(collect, &s);
		assert_int_equal(vmm_smaps_feed(p, "x", 1), 0);
		vmm_smaps_feed(p, line, first);
		assert_int_equal(vmm_smaps_feed(p, line + first, 65537 - first), VMM_E_LIMIT);
		vmm_smaps_destroy(p);
	}
	vmm_smaps_destroy(NULL);
}

/* Every allocation fails once: an error, no leak, no crash. */
static void test_out_of_memory(void **state)
{
	size_t length;
	char *text = seed("fuzz_smaps/linux-6.18-x86_64", &length);
	unsigned long n = 1;

	for (;; n++) {
		struct seen s = {0};
		struct vmm_smaps_parser *p;
		int r = 0;

		assert_true(n < 100);
		vmm_alloc_fail_after(n);
		p = vmm_smaps_create(collect, &s);
		for (size_t at = 0; p && r == 0 && at < length; at += 100)
			r = vmm_smaps_feed(p, text + at, length - at < 100 ? length - at : 100);
		vmm_alloc_fail_after(0);
		assert_true(!p || r == 0 || r == VMM_E_NOMEM);
		vmm_smaps_destroy(p);
		seen_clear(&s);
		if (p && r == 0)
			break;
	}
	assert_true(n > 3);
	free(text);
}

static void test_rollup(void **state)
{
	struct vmm_smaps_record r, part;
	size_t length;
	char *text = seed("fuzz_rollup/linux-6.18-x86_64", &length);

	assert_true(vmm_smaps_rollup_parse(text, length, &r));
	assert_int_equal(r.maps.start, 0x400000);
	assert_int_equal(r.maps.name_length, 8);
	assert_int_equal(r.known, ((1u << VMM_SMAPS_COUNT) - 1) & ~(BIT(SIZE) | BIT(KERNEL_PAGE_SIZE)));
	assert_int_equal(r.value[VMM_SMAPS_ANON_HUGE_PAGES], 2097152);
	assert_int_equal(r.extra_known, 0);
	/* Cut anywhere, it never tells a number that the whole does not: only the kB at the end proves one complete. */
	for (size_t cut = 0; cut < length; cut++)
		for (unsigned i = 0; i < VMM_SMAPS_COUNT && vmm_smaps_rollup_parse(text, cut, &part); i++)
			assert_true(!(part.known >> i & 1) || part.value[i] == r.value[i]);
	assert_false(vmm_smaps_rollup_parse(text, length - 3, &part));
	assert_false(vmm_smaps_rollup_parse(text, 0, &part));
	assert_false(vmm_smaps_rollup_parse(text, 70, &part));
	free(text);
	text = seed("fuzz_rollup/linux-4.14-like", &length);
	assert_true(vmm_smaps_rollup_parse(text, length, &r));
	assert_int_equal(r.known & (BIT(KSM) | BIT(FILE_PMD_MAPPED)), 0);
	free(text);
	text = seed("fuzz_smaps/linux-6.18-x86_64", &length);
	assert_false(vmm_smaps_rollup_parse(text, length, &r));
	free(text);
}

/* A stopped child's smaps must add up to what the kernel itself adds up in smaps_rollup and counts in status. */
static void test_running_kernel(void **state)
{
	/* Who else maps a page may change between two reads, and with it whether it is shared or private: not the sum. */
	static const unsigned parts[] = {VMM_SMAPS_SHARED_CLEAN, VMM_SMAPS_SHARED_DIRTY, VMM_SMAPS_PRIVATE_CLEAN,
	                                 VMM_SMAPS_PRIVATE_DIRTY};
	/* Not Referenced: the kernel's own monitors (DAMON, reclaim) clear it as they please. */
	static const unsigned exact[] = {VMM_SMAPS_RSS, VMM_SMAPS_ANONYMOUS, VMM_SMAPS_SWAP, VMM_SMAPS_LOCKED};
	struct vmm_smaps_record rollup;
	struct vmm_status_record status;
	struct seen s = {0};
	struct outcome o;
	size_t length, rollup_length, status_length;
	uint64_t size, of_mappings = 0, of_rollup = 0;
	pid_t pid = child_stopped();
	char *text = proc_file(pid, "smaps", &length), *rollup_text = proc_file(pid, "smaps_rollup", &rollup_length);
	char *status_text = proc_file(pid, "status", &status_length);

	child_end(pid);
	parse(text, length, 4096, &s, &o);
	assert_int_equal(o.malformed, 0);
	assert_true(vmm_smaps_rollup_parse(rollup_text, rollup_length, &rollup));
	for (unsigned i = 0; i < ARRAY_LEN(exact); i++)
		if (rollup.known >> exact[i] & 1)
			assert_int_equal(sum(&s, exact[i]), rollup.value[exact[i]]);
	for (unsigned i = 0; i < ARRAY_LEN(parts); i++) {
		of_mappings += sum(&s, parts[i]);
		of_rollup += rollup.value[parts[i]];
	}
	assert_int_equal(of_mappings, of_rollup);
	size = sum(&s, VMM_SMAPS_SIZE);
	for (unsigned i = 0; i < s.count; i++) {
		assert_int_equal(s.r[i].value[VMM_SMAPS_SIZE], s.r[i].maps.end - s.r[i].maps.start);
		if (strcmp(s.name[i], "[vsyscall]") == 0)
			size -= s.r[i].value[VMM_SMAPS_SIZE];
	}
	vmm_status_parse(status_text, status_length, &status);
	assert_int_equal(size, status.value[VMM_STATUS_VM_SIZE]);
	seen_clear(&s);
	free(text);
	free(rollup_text);
	free(status_text);
}

TEST_MAIN(cmocka_unit_test(test_linux_6_18), cmocka_unit_test(test_chunks), cmocka_unit_test(test_linux_3_10),
          cmocka_unit_test(test_linux_4_14_and_5_10), cmocka_unit_test(test_converted_line_ends), cmocka_unit_test(test_hostile),
          cmocka_unit_test(test_many_extras), cmocka_unit_test(test_values), cmocka_unit_test(test_not_foretold), cmocka_unit_test(test_end_of_input),
          cmocka_unit_test(test_limits_and_stop), cmocka_unit_test(test_out_of_memory), cmocka_unit_test(test_rollup),
          cmocka_unit_test(test_running_kernel))
