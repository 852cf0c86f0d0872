#include "face/picture.h"

#include <stdlib.h>

#include "base/arena.h"
#include "base/err.h"

#define LINES_DEFAULT 40
#define LINES_MIN 12
#define WIDTH_DEFAULT 100
#define COLUMNS_STEP 16     /* rows are a multiple of this, so that their addresses are round */
#define COLUMNS_MAX 304
#define GAP_ROWS 2          /* a longer gap shrinks to one line */
#define GIANT_RATIO 4       /* a region this many times all smaller ones shrinks too */
#define CELL_SHIFT_MAX 56

/* A stretch of one region or one gap without a hole in it. */
struct piece {
	uint64_t start, end;
	enum vmm_kind kind;
	uint32_t region; /* VMM_NONE for gaps */
	bool giant;      /* shrinks whatever the scale */
	bool largest;    /* the largest free block */
};

struct picture {
	struct piece *v;
	size_t count, capacity;
	unsigned columns;
	unsigned address_digits;
	unsigned shift; /* a cell is 2^shift bytes */
};

static uint64_t piece_size(const struct piece *p)
{
	return p->end - p->start;
}

static bool add_piece(struct picture *p, const struct piece *piece)
{
	struct piece *last = p->count ? &p->v[p->count - 1] : NULL;

	if (piece->start >= piece->end)
		return true;
	if (last && piece->start < last->end)
		return true; /* a snapshot that overlaps itself is drawn as far as it makes sense */
	if (last && last->end == piece->start && last->region == piece->region && last->kind == piece->kind &&
	    piece->region != VMM_NONE) {
		last->end = piece->end;
		return true;
	}
	if (!vmm_grow(&p->v, &p->capacity, p->count + 1, sizeof(*p->v)))
		return false;
	p->v[p->count++] = *piece;
	return true;
}

/* Blocks and gaps merged by address; what lies outside the user address space is left out. */
static bool collect(struct picture *p, const struct vmm_snapshot *s)
{
	uint32_t b = 0, g = 0;

	while (b < s->block_count || g < s->gap_count) {
		struct piece piece = {.region = VMM_NONE};

		if (g < s->gap_count && (b == s->block_count || s->gaps[g].start < s->blocks[b].start)) {
			piece.start = s->gaps[g].start;
			piece.end = s->gaps[g].end;
			piece.kind = s->gaps[g++].kind;
		} else {
			const struct vmm_block *block = &s->blocks[b++];

			if (block->region >= s->region_count || s->regions[block->region].outside)
				continue;
			piece.start = block->start;
			piece.end = block->end;
			piece.kind = s->regions[block->region].kind;
			piece.region = block->region;
		}
		if (!add_piece(p, &piece))
			return false;
	}
	return true;
}

static int by_size_falling(const void *a, const void *b)
{
	uint64_t x = piece_size(*(struct piece *const *)a), y = piece_size(*(struct piece *const *)b);

	return x < y ? 1 : x > y ? -1 : 0;
}

/*
 * Marks the largest free block, and regions so large that beside them all others would vanish: from the largest on,
 * each that is several times everything smaller, as long as the rest does not fit at one page per cell.
 */
static bool mark_giants(struct picture *p, unsigned lines, uint32_t page_size)
{
	struct piece **mapped = vmm_alloc_hook(NULL, (p->count + 1) * sizeof(struct piece *)), *largest = NULL;
	uint64_t rest = 0, fits = (uint64_t)lines * p->columns * page_size;
	size_t n = 0;

	if (!mapped)
		return false;
	for (size_t i = 0; i < p->count; i++) {
		if (p->v[i].region != VMM_NONE) {
			mapped[n++] = &p->v[i];
			rest = vmm_add_sat(rest, piece_size(&p->v[i]));
		} else if (p->v[i].kind == VMM_KIND_FREE && (!largest || piece_size(&p->v[i]) > piece_size(largest))) {
			largest = &p->v[i];
		}
	}
	qsort(mapped, n, sizeof(struct piece *), by_size_falling);
	for (size_t i = 0; i < n && rest > fits; i++) {
		rest -= vmm_min_u64(rest, piece_size(mapped[i]));
		if (piece_size(mapped[i]) / GIANT_RATIO <= rest)
			break;
		mapped[i]->giant = true;
	}
	if (largest)
		largest->largest = largest->giant = true;
	free(mapped);
	return true;
}

static bool shrinks(const struct picture *p, const struct piece *piece)
{
	return piece->giant ||
	       (piece->region == VMM_NONE && piece_size(piece) >> p->shift > (uint64_t)p->columns * GAP_ROWS);
}

/* The first piece from i on that shrinks; p->count when none does. */
static size_t segment_end(const struct picture *p, size_t i)
{
	while (i < p->count && !shrinks(p, &p->v[i]))
		i++;
	return i;
}

/* Cells of the stretch of pieces [i, end). */
static uint64_t segment_cells(const struct picture *p, size_t i, size_t end)
{
	return ((p->v[end - 1].end - 1) >> p->shift) - (p->v[i].start >> p->shift) + 1;
}

static uint64_t count_lines(const struct picture *p)
{
	uint64_t lines = 0;

	for (size_t i = 0; i < p->count;) {
		size_t end = segment_end(p, i);

		if (end > i)
			lines += (segment_cells(p, i, end) + p->columns - 1) / p->columns;
		lines += end < p->count;
		i = end + 1;
	}
	return lines;
}

static void put_address(struct vmm_out *out, const struct vmm_look *look, const struct picture *p, uint64_t address)
{
	vmm_put_dim(out, look);
	vmm_out_hex(out, address, p->address_digits);
	vmm_put_plain(out, look);
	vmm_out_text(out, "  ");
}

static void put_shrunk(struct vmm_out *out, const struct vmm_look *look, const struct picture *p,
                       const struct piece *piece)
{
	struct vmm_out *memory = vmm_out_create_memory();
	const char *rule = piece->region == VMM_NONE ? "─" : "═";
	char *text;
	size_t width;

	if (!memory)
		return;
	vmm_put_short_size(memory, piece_size(piece));
	vmm_out_char(memory, ' ');
	vmm_out_text(memory, piece->kind == VMM_KIND_FREE ? "free" : vmm_kind_label(piece->kind));
	vmm_out_text(memory, piece->largest ? ", the largest free block" : "");
	text = vmm_out_take(memory, NULL);
	if (!text)
		return;
	width = strlen(text) + 4;
	put_address(out, look, p, piece->start);
	if (piece->region != VMM_NONE) {
		vmm_put_background(out, look, vmm_kind_colour256(piece->kind));
		vmm_out_char(out, vmm_kind_letter(piece->kind));
		vmm_put_plain(out, look);
		width++;
	}
	vmm_out_repeat(out, rule, 2);
	vmm_put_bold(out, look);
	vmm_out_printf(out, " %s ", text);
	vmm_put_plain(out, look);
	vmm_out_repeat(out, rule, width < p->columns ? p->columns - width : 2);
	vmm_out_char(out, '\n');
	free(text);
}

/* What one cell shows. */
struct cell {
	enum vmm_kind kind; /* VMM_KIND_FREE: nothing mapped; VMM_KIND_COUNT: beyond the stretch */
	bool sparse;        /* less than half of it is of regions */
	size_t first;       /* index of the piece that gives it its kind */
};

/* *at is the first piece that reaches into the cell; it moves on with the cells. */
static struct cell look_at_cell(const struct picture *p, uint64_t start, uint64_t end, size_t *at, size_t last)
{
	uint64_t bytes[VMM_KIND_COUNT] = {0}, mapped = 0, best = 0;
	struct cell cell = {.kind = VMM_KIND_COUNT};

	while (*at < last && p->v[*at].end <= start)
		(*at)++;
	for (size_t i = *at; i < last && p->v[i].start < end; i++) {
		const struct piece *piece = &p->v[i];
		uint64_t part = vmm_min_u64(piece->end, end) - vmm_max_u64(piece->start, start);

		bytes[piece->kind] += part;
		if (piece->kind == VMM_KIND_FREE) {
			if (cell.kind == VMM_KIND_COUNT)
				cell.kind = VMM_KIND_FREE;
			continue;
		}
		mapped += part;
		if (bytes[piece->kind] > best) {
			if (cell.kind != piece->kind)
				cell.first = i;
			best = bytes[piece->kind];
			cell.kind = piece->kind;
		}
	}
	cell.sparse = mapped < (end - start) / 2;
	return cell;
}

static void put_cell(struct vmm_out *out, const struct vmm_look *look, const struct cell *cell, bool fresh)
{
	char letter;

	if (cell->kind == VMM_KIND_COUNT) {
		vmm_out_char(out, ' ');
		return;
	}
	if (cell->kind == VMM_KIND_FREE) {
		vmm_put_dim(out, look);
		vmm_out_text(out, "·");
		vmm_put_plain(out, look);
		return;
	}
	letter = vmm_kind_letter(cell->kind);
	if (cell->sparse) {
		vmm_put_foreground(out, look, vmm_kind_colour256(cell->kind));
		vmm_out_char(out, (char)(letter - 'A' + 'a'));
	} else {
		vmm_put_background(out, look, vmm_kind_colour256(cell->kind));
		vmm_out_char(out, look->style.colour && !fresh ? ' ' : letter);
	}
	vmm_put_plain(out, look);
}

/* The rows of pieces [i, last), which lie next to each other. */
static void put_segment(struct vmm_out *out, const struct vmm_look *look, const struct picture *p, size_t i,
                        size_t last)
{
	uint64_t cells = segment_cells(p, i, last), first = p->v[i].start >> p->shift;
	struct cell before = {.kind = VMM_KIND_COUNT};

	for (uint64_t c = 0; c < cells; c++) {
		uint64_t start = (first + c) << p->shift;
		struct cell cell = look_at_cell(p, start, start + (UINT64_C(1) << p->shift), &i, last);
		bool row_start = c % p->columns == 0;

		if (row_start)
			put_address(out, look, p, start);
		put_cell(out, look, &cell, row_start || cell.kind != before.kind || cell.first != before.first);
		before = cell;
		if ((c + 1) % p->columns == 0 || c + 1 == cells)
			vmm_out_char(out, '\n');
	}
}

static void put_key(struct vmm_out *out, const struct vmm_look *look, const struct picture *p)
{
	uint32_t kinds = 0;

	for (size_t i = 0; i < p->count; i++)
		if (p->v[i].kind != VMM_KIND_FREE)
			kinds |= UINT32_C(1) << p->v[i].kind;
	vmm_out_text(out, "\nOne character is ");
	vmm_put_short_size(out, UINT64_C(1) << p->shift);
	vmm_out_text(out, ", one line ");
	vmm_put_short_size(out, (uint64_t)p->columns << p->shift);
	vmm_out_text(out, ".\n");
	vmm_put_legend(out, look, kinds);
	vmm_out_text(out, "· free   small letter: less than half of it is mapped\n");
}

static void set_size(struct picture *p, const struct vmm_look *look, const struct vmm_snapshot *s)
{
	unsigned width = look->style.width ? look->style.width : WIDTH_DEFAULT;

	p->address_digits = s->target.bits == 32 ? 8 : 12;
	p->columns = width > p->address_digits + 2 ? (width - p->address_digits - 2) / COLUMNS_STEP * COLUMNS_STEP : 0;
	p->columns = p->columns < COLUMNS_STEP ? COLUMNS_STEP : p->columns;
	p->columns = p->columns > COLUMNS_MAX ? COLUMNS_MAX : p->columns;
}

int vmm_picture_emit(struct vmm_out *out, const struct vmm_look *look, const struct vmm_snapshot *s, unsigned lines,
                     struct vmm_err *err)
{
	uint32_t page = s->target.page_size ? s->target.page_size : 4096;
	struct picture p = {0};

	lines = lines ? lines : LINES_DEFAULT;
	lines = lines < LINES_MIN ? LINES_MIN : lines;
	set_size(&p, look, s);
	if (!collect(&p, s) || !mark_giants(&p, lines, page)) {
		free(p.v);
		return vmm_fail_nomem(err);
	}
	while (UINT64_C(1) << p.shift < page)
		p.shift++;
	while (p.shift < CELL_SHIFT_MAX && count_lines(&p) > lines)
		p.shift++;
	for (size_t i = 0; i < p.count;) {
		size_t end = segment_end(&p, i);

		if (end > i)
			put_segment(out, look, &p, i, end);
		if (end < p.count)
			put_shrunk(out, look, &p, &p.v[end]);
		i = end + 1;
	}
	put_key(out, look, &p);
	free(p.v);
	return 0;
}
