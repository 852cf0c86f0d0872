/*
 * The page map is read by slices of 64 MiB, when they are first asked for; what is present is known before it is read.
 * Single pages are kept in a direct-mapped cache, and pages behind each other are fetched together, more each time.
 */
#include "reader/walk_memory.h"

#include <stdlib.h>

#include "base/search.h"
#define PAGE UINT64_C(4096) /* the unit of reading; pages of targets are this or larger */
#define SLICE (UINT64_C(64) << 20)
#define SLICES 64
#define SLOTS 2048 /* pages in the cache */
#define AHEAD_MAX 64
#define WINDOW_MAX (UINT64_C(256) << 10) /* stays in the cache of one processor while it is looked at */
#define WINDOW_MIN (UINT64_C(16) << 10)
#define NOWHERE UINT64_MAX

struct run {
	uint64_t start, end;
	uint32_t what;
};

struct slice {
	uint64_t number; /* address / SLICE; NOWHERE: empty */
	struct run *runs;
	size_t count, capacity;
};

struct vmm_walk_memory {
	struct vmm_reading *r;
	struct slice slices[SLICES];
	uint64_t page_of[SLOTS]; /* page number in each slot of pages; NOWHERE: empty */
	unsigned char *pages;    /* SLOTS pages, and one more for what crosses a border */
	uint64_t next_page, ahead; /* where sequential reading goes on, and how many pages it fetches at once */
	unsigned char *window;
	uint64_t window_next, window_length;
	bool first_look; /* what is known of the page map from before is fresh enough */
	uint64_t budget, deadline_ns;
	const char *trouble;
};

struct vmm_walk_memory *vmm_walk_memory_create(struct vmm_reading *r)
{
	struct vmm_walk_memory *m = vmm_alloc_hook(NULL, sizeof(*m));

	if (!m)
		return NULL;
	memset(m, 0, sizeof(*m));
	m->r = r;
	m->pages = vmm_alloc_hook(NULL, SLOTS * PAGE + VMM_WALK_READ_MAX);
	m->window = vmm_alloc_hook(NULL, WINDOW_MAX);
	if (!m->pages || !m->window) {
		vmm_walk_memory_destroy(m);
		return NULL;
	}
	vmm_walk_memory_reset(m, true, 0, 0);
	return m;
}

void vmm_walk_memory_destroy(struct vmm_walk_memory *m)
{
	if (!m)
		return;
	for (size_t i = 0; i < SLICES; i++)
		free(m->slices[i].runs);
	free(m->pages);
	free(m->window);
	free(m);
}

void vmm_walk_memory_reset(struct vmm_walk_memory *m, bool first_look, uint64_t budget, uint64_t deadline_ns)
{
	m->first_look = first_look;
	for (size_t i = 0; i < SLICES; i++)
		m->slices[i].number = NOWHERE;
	memset(m->page_of, 0xff, sizeof(m->page_of));
	m->next_page = m->window_next = NOWHERE;
	m->ahead = 1;
	m->window_length = 0;
	m->budget = budget;
	m->deadline_ns = deadline_ns;
	m->trouble = NULL;
}

void vmm_walk_memory_extend(struct vmm_walk_memory *m, uint64_t ns)
{
	if (m->deadline_ns)
		m->deadline_ns = vmm_add_sat(m->deadline_ns, ns);
}

const char *vmm_walk_memory_trouble(const struct vmm_walk_memory *m)
{
	return m->trouble;
}

struct slice_fill {
	struct slice *s;
	bool full;
};

/* Runs that differ only in what does not matter here are joined: huge pages, exclusive ones. */
static int slice_add(void *arg, const struct vmm_page_run *run)
{
	struct slice_fill *f = arg;
	struct slice *s = f->s;
	uint32_t what = run->what & (VMM_PAGE_PRESENT | VMM_PAGE_SWAPPED | VMM_PAGE_ZERO | VMM_PAGE_GUARD);
	uint64_t first = s->number * SLICE, last = first + SLICE;
	struct run add = {vmm_max_u64(run->start, first), vmm_min_u64(run->end, last), what};

	if (add.start >= add.end)
		return 0;
	if (s->count && s->runs[s->count - 1].end == add.start && s->runs[s->count - 1].what == what) {
		s->runs[s->count - 1].end = add.end;
		return 0;
	}
	if (!vmm_grow(&s->runs, &s->capacity, s->count + 1, sizeof(*s->runs))) {
		f->full = true;
		return 1;
	}
	s->runs[s->count++] = add;
	return 0;
}

/* Fills a slice from what was read of the page map before. False: that does not reach so far. */
static bool fill_from_known(const struct vmm_walk_memory *m, struct slice_fill *fill)
{
	const struct vmm_page_run *runs = m->r->runs;
	uint64_t start = fill->s->number * SLICE;
	size_t count = m->r->run_count;

	if (!m->first_look || !count || m->r->runs_end < start + SLICE)
		return false;
	for (size_t i = VMM_FIRST_ABOVE(runs, count, end, start); i < count && runs[i].start < start + SLICE; i++)
		slice_add(fill, &runs[i]);
	return true;
}

static const struct slice *slice_of(struct vmm_walk_memory *m, uint64_t address)
{
	uint64_t number = address / SLICE;
	struct slice *s = &m->slices[number % SLICES];
	struct slice_fill fill = {.s = s};
	int rc;

	if (s->number == number)
		return s;
	s->number = number;
	s->count = 0;
	rc = fill_from_known(m, &fill)
	         ? 0
	         : m->r->target->ops->pages(m->r->target, number * SLICE, number * SLICE + SLICE, 0, slice_add, &fill, NULL);
	if (rc < 0 || fill.full) {
		s->count = 0;
		m->trouble = fill.full ? "memory is out" : rc == VMM_E_GONE ? "the process ended" : "the page map cannot be read";
	}
	return s;
}

uint32_t vmm_walk_memory_run(struct vmm_walk_memory *m, uint64_t address, uint64_t *ret_start, uint64_t *ret_end)
{
	const struct slice *s = slice_of(m, address);
	size_t i = VMM_FIRST_ABOVE(s->runs, s->count, end, address);

	if (i < s->count && s->runs[i].start <= address) {
		*ret_start = s->runs[i].start;
		*ret_end = s->runs[i].end;
		return s->runs[i].what;
	}
	*ret_start = i ? s->runs[i - 1].end : s->number * SLICE;
	*ret_end = i < s->count ? s->runs[i].start : s->number * SLICE + SLICE;
	return 0;
}

/* Whether length more bytes may be copied; counts them. */
static bool afford(struct vmm_walk_memory *m, uint64_t length)
{
	if (m->trouble)
		return false;
	if (length > m->budget)
		m->trouble = "it would take more reading than its size warrants";
	else if (m->deadline_ns && vmm_now_ns() > m->deadline_ns)
		m->trouble = "it takes too long";
	else
		m->budget -= length;
	return !m->trouble;
}

/* Copies bytes of present pages; short when a page vanished meanwhile. */
static size_t copy(struct vmm_walk_memory *m, uint64_t address, unsigned char *ret_bytes, uint64_t length)
{
	int64_t n = afford(m, length) ? m->r->target->ops->read(m->r->target, address, ret_bytes, (size_t)length, NULL) : 0;

	if (n == VMM_E_GONE)
		m->trouble = "the process ended";
	else if (n < 0)
		m->trouble = "memory cannot be read";
	return n > 0 ? (size_t)n : 0;
}

/* The page in the cache; NULL when it is absent. */
static const unsigned char *page_at(struct vmm_walk_memory *m, uint64_t page)
{
	uint64_t slot = page % SLOTS, start, end, count, got;

	if (m->page_of[slot] == page)
		return m->pages + slot * PAGE;
	if (!(vmm_walk_memory_run(m, page * PAGE, &start, &end) & VMM_PAGE_PRESENT))
		return NULL;
	m->ahead = page == m->next_page ? vmm_min_u64(2 * m->ahead, AHEAD_MAX) : 1;
	count = vmm_min_u64(vmm_min_u64(m->ahead, end / PAGE - page), SLOTS - slot);
	got = copy(m, page * PAGE, m->pages + slot * PAGE, count * PAGE) / PAGE;
	for (uint64_t i = 0; i < count; i++)
		m->page_of[slot + i] = i < got ? page + i : NOWHERE;
	m->next_page = page + got;
	return got ? m->pages + slot * PAGE : NULL;
}

const unsigned char *vmm_walk_bytes(struct vmm_walk *w, uint64_t address, size_t length)
{
	struct vmm_walk_memory *m = w->memory;
	uint64_t page = address / PAGE, at = address % PAGE;
	const unsigned char *first = page_at(m, page), *second;
	unsigned char *joined = m->pages + SLOTS * PAGE;
	size_t part = (size_t)(PAGE - at);

	if (!first || length > VMM_WALK_READ_MAX)
		return NULL;
	if (length <= part)
		return first + at;
	memcpy(joined, first + at, part);
	second = page_at(m, page + 1);
	if (!second)
		return NULL;
	memcpy(joined + part, second, length - part);
	return joined;
}

bool vmm_walk_words(struct vmm_walk *w, uint64_t address, uint64_t *ret_words, unsigned count)
{
	unsigned word = vmm_reading_word(w->r);
	const unsigned char *bytes = count <= 64 ? vmm_walk_bytes(w, address, (size_t)count * word) : NULL;

	if (!bytes)
		return false;
	for (unsigned i = 0; i < count; i++)
		ret_words[i] = vmm_word_of(bytes, word, i);
	return true;
}

bool vmm_walk_words_now(struct vmm_walk *w, uint64_t address, uint64_t *ret_words, unsigned count)
{
	unsigned char bytes[64 * 8];
	unsigned word = vmm_reading_word(w->r);
	uint64_t start, end, length = (uint64_t)count * word;

	if (count > 64 || !(vmm_walk_memory_run(w->memory, address, &start, &end) & VMM_PAGE_PRESENT) || end - address < length ||
	    copy(w->memory, address, bytes, length) < length)
		return false;
	for (unsigned i = 0; i < count; i++)
		ret_words[i] = vmm_word_of(bytes, word, i);
	return true;
}

void vmm_walk_forget(struct vmm_walk *w)
{
	memset(w->memory->page_of, 0xff, sizeof(w->memory->page_of));
	w->memory->next_page = NOWHERE;
	w->memory->ahead = 1;
}

/* A page that was absent when its slice was read may be there by now: heaps grow while they are walked. */
static bool present_now(struct vmm_walk_memory *m, uint64_t address, uint64_t *ret_start, uint64_t *ret_end)
{
	if (vmm_walk_memory_run(m, address, ret_start, ret_end) & VMM_PAGE_PRESENT)
		return true;
	m->slices[address / SLICE % SLICES].number = NOWHERE;
	m->first_look = false;
	return vmm_walk_memory_run(m, address, ret_start, ret_end) & VMM_PAGE_PRESENT;
}

/*
 * Small windows after a jump, since the next chunk may be a big one too; large ones while reading goes on where it
 * stopped, which is somewhere in the chunk that crosses the end.
 */
const unsigned char *vmm_walk_window(struct vmm_walk *w, uint64_t address, size_t *ret_length)
{
	struct vmm_walk_memory *m = w->memory;
	uint64_t start, end, length;

	*ret_length = 0;
	if (!present_now(m, address, &start, &end))
		return m->window;
	if (address - m->window_next < WINDOW_MIN || m->window_next - address < WINDOW_MIN)
		m->window_length = vmm_min_u64(2 * m->window_length, WINDOW_MAX);
	else
		m->window_length = WINDOW_MIN;
	length = vmm_min_u64(end - address, m->window_length);
	*ret_length = copy(m, address, m->window, length);
	m->window_next = address + *ret_length;
	return m->window;
}

uint64_t vmm_walk_resident(struct vmm_walk *w, uint64_t start, uint64_t end)
{
	uint64_t sum = 0, from, to;

	for (; start < end; start = to) {
		uint32_t what = vmm_walk_memory_run(w->memory, start, &from, &to);

		if (to <= start)
			break;
		if (what & VMM_PAGE_PRESENT && !(what & VMM_PAGE_ZERO))
			sum += vmm_min_u64(to, end) - start;
	}
	return sum;
}

bool vmm_walk_swapped(struct vmm_walk *w, uint64_t address)
{
	uint64_t from, to;

	return vmm_walk_memory_run(w->memory, address, &from, &to) & VMM_PAGE_SWAPPED;
}
