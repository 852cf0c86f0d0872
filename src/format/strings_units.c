/* UTF-16 strings: units of one script with ASCII. */
#include "format/strings_run.h"

/* So many doubtful units one after the other are no text of their script: see doubtful(). */
#define DOUBTFUL_ROW 16

/* What a unit can be; from LATIN on a run holds one of them only. */
enum script { NONE, ASCII, SIGN, LATIN, GREEK, CYRILLIC, ARMENIAN, HEBREW, ARABIC, DEVANAGARI, THAI, GEORGIAN, EAST };

/* Their high bytes are also in strings_bits.c. */
static const struct {
	uint16_t first, last;
	uint8_t script;
} script_table[] = {
    {'\t', '\t', ASCII},      {0x20, 0x7e, ASCII},        {0xa0, 0x17f, LATIN},       {0x370, 0x3ff, GREEK},
    {0x400, 0x52f, CYRILLIC}, {0x531, 0x58f, ARMENIAN},   {0x591, 0x5f4, HEBREW},     {0x600, 0x6ff, ARABIC},
    {0x218, 0x21b, LATIN},    {0x900, 0x97f, DEVANAGARI}, {0xe01, 0xe5b, THAI},       {0x10a0, 0x10ff, GEORGIAN},
    {0x1e00, 0x1eff, LATIN},  {0x1f00, 0x1ffe, GREEK},    {0x2010, 0x2027, SIGN},     {0x2030, 0x205e, SIGN},
    {0x20a0, 0x20c0, SIGN},   {0x2100, 0x214f, SIGN},     {0x2190, 0x21ff, SIGN},     {0x3001, 0x30ff, EAST},
    {0x4e00, 0x9fff, EAST},   {0xac00, 0xd7a3, EAST},     {0xff01, 0xffee, EAST},
};

void vmm__strings_scripts(uint8_t *ret_script)
{
	memset(ret_script, NONE, 1 << 16);
	for (size_t i = 0; i < ARRAY_LEN(script_table); i++)
		memset(ret_script + script_table[i].first, script_table[i].script,
		       (size_t)(script_table[i].last - script_table[i].first) + 1);
}

static bool ascii_byte(unsigned byte)
{
	return byte >= 0x20 && byte < 0x7f;
}

/*
 * Whether a unit may be something else: two ASCII bytes, or an ASCII character in UTF-16 of the other parity. A quarter of
 * the Han characters look so, and nearly all Hiragana, which are believed: few texts have a 0 in every other place.
 */
static bool doubtful(uint16_t unit)
{
	return unit > 0xff && !(unit > 0x3040 && unit < 0x30a0) && ascii_byte(unit >> 8) && (ascii_byte(unit & 0xff) || !(unit & 0xff));
}

static bool too_doubtful(const struct vmm_strings_units *u)
{
	uint64_t others = u->run.units - u->ascii;

	return u->doubtful > others / 3 * 2 + others % 3 * 2 / 3;
}

static bool mostly_ascii(const struct vmm_strings_units *u)
{
	return u->other <= LATIN && u->ascii >= u->run.units - u->run.units / 2;
}

static bool believed(const struct vmm_strings_units *u, bool terminated)
{
	if (u->run.units < u->min)
		return false;
	if (u->trusted || mostly_ascii(u))
		return true;
	return terminated && u->other && !too_doubtful(u) && u->changes >= u->run.units / 2;
}

static void tell_piece(struct vmm_strings_units *u, struct vmm_strings_sink *sink, unsigned i)
{
	size_t at = u->pieces[i].text, length = u->pieces[i].length;
	struct vmm_strings_hit hit = {u->pieces[i].address, length * 2, VMM_ENCODING_UTF16, false, u->run.text + at, length};
	char behind = u->run.text[at + length];

	if (sink->stop || !((sink->encodings >> VMM_ENCODING_UTF16) & 1))
		return;
	u->run.text[at + length] = '\0';
	sink->stop = sink->fn(sink->arg, &hit);
	u->run.text[at + length] = behind;
}

static void finish(struct vmm_strings_units *u, struct vmm_strings_sink *sink, bool terminated)
{
	if (u->run.units && believed(u, terminated))
		vmm__strings_tell(sink, &u->run, VMM_ENCODING_UTF16);
	else if (u->run.units)
		for (unsigned i = 0; i < u->piece_count; i++)
			tell_piece(u, sink, i);
	u->run.units = 0;
}

static size_t encode(char ret[3], uint16_t unit)
{
	if (unit < 0x80) {
		ret[0] = (char)unit;
		return 1;
	}
	if (unit < 0x800) {
		ret[0] = (char)(0xc0 | unit >> 6);
		ret[1] = (char)(0x80 | (unit & 0x3f));
		return 2;
	}
	ret[0] = (char)(0xe0 | unit >> 12);
	ret[1] = (char)(0x80 | (unit >> 6 & 0x3f));
	ret[2] = (char)(0x80 | (unit & 0x3f));
	return 3;
}

static void begin(struct vmm_strings_units *u, uint64_t address, uint16_t unit)
{
	vmm__strings_begin(&u->run, address);
	u->other = NONE;
	u->trusted = false;
	u->doubtful_row = u->piece_count = 0;
	u->ascii = u->ascii_row = u->doubtful = u->changes = 0;
	u->last = unit;
}

/*
 * Gives up the whole, which is too long or has too many pieces: tells the pieces. The ASCII right before address goes on as
 * a run of its own.
 */
static void split(struct vmm_strings_units *u, struct vmm_strings_sink *sink, uint64_t address)
{
	size_t row = (size_t)u->ascii_row;
	unsigned told = u->piece_count - (row >= u->min);

	for (unsigned i = 0; i < told; i++)
		tell_piece(u, sink, i);
	u->run.units = 0;
	u->split = true;
	if (row == 0)
		return;
	memmove(u->run.text, u->run.text + u->run.text_length - row, row);
	begin(u, address - 2 * row, u->last);
	u->run.text_length = row;
	u->run.units = u->ascii = u->ascii_row = row;
	u->run.bytes = row * 2;
	u->trusted = true;
}

/* Keeps which parts are ASCII: called for each such unit, when its text has been added. */
static void grow_piece(struct vmm_strings_units *u, uint64_t address)
{
	u->ascii_row++;
	if (u->ascii_row == u->min) {
		u->pieces[u->piece_count].address = address - 2 * (u->min - 1);
		u->pieces[u->piece_count].text = u->run.text_length - u->min;
		u->pieces[u->piece_count++].length = u->min;
	} else if (u->ascii_row > u->min) {
		u->pieces[u->piece_count - 1].length++;
	}
}

/* Before a unit is added: whether the run can still be taken back. */
static void keep_room(struct vmm_strings_units *u, struct vmm_strings_sink *sink, uint64_t address, uint8_t script)
{
	bool full = u->run.text_length + 3 > VMM_STRING_SHOWN_MAX;

	if (u->trusted || !u->run.units)
		return;
	if (full && mostly_ascii(u))
		u->trusted = true;
	else if (full || (script == ASCII && u->ascii_row == 0 && u->piece_count == VMM_STRINGS_PIECES))
		split(u, sink, address);
}

static void add(struct vmm_strings_units *u, struct vmm_strings_sink *sink, uint64_t address, uint16_t unit, uint8_t script)
{
	char text[3];

	keep_room(u, sink, address, script);
	if (u->split && script != ASCII) {
		finish(u, sink, false);
		return;
	}
	if (!u->run.units)
		begin(u, address, unit);
	vmm__strings_add(&u->run, text, encode(text, unit));
	u->run.units++;
	u->run.bytes += 2;
	u->ascii += script == ASCII;
	u->other = script >= LATIN ? script : u->other;
	u->changes += unit != u->last;
	u->last = unit;
	u->doubtful_row = doubtful(unit) ? u->doubtful_row + 1 : 0;
	u->doubtful += u->doubtful_row > 0;
	if (script != ASCII)
		u->ascii_row = 0;
	else if (!u->trusted)
		grow_piece(u, address);
	u->skipping = u->doubtful_row >= DOUBTFUL_ROW;
	if (u->skipping)
		finish(u, sink, false);
}

/*
 * Whether a unit ends a run that it could go on. ASCII text of bytes may stand right before or behind one in UTF-16: what
 * is mostly doubtful does not belong to the ASCII behind it, nor a doubtful unit to the ASCII before it.
 */
static bool parts(const struct vmm_strings_units *u, uint16_t unit, uint8_t script)
{
	if (script >= LATIN && u->other && script != u->other)
		return true;
	if (script == ASCII)
		return too_doubtful(u);
	return doubtful(unit) && u->ascii == u->run.units;
}

static void push(struct vmm_strings_units *u, struct vmm_strings_sink *sink, uint64_t address, uint16_t unit)
{
	uint8_t script = u->script[unit];

	if (u->skipping && script && doubtful(unit))
		return;
	u->skipping = false;
	if (u->run.units && (!script || parts(u, unit, script)))
		finish(u, sink, unit == 0);
	if (script)
		add(u, sink, address, unit, script);
	else
		u->split = false;
}

static uint16_t unit_at(const unsigned char *p)
{
	return (uint16_t)(p[0] | p[1] << 8);
}

/*
 * The first unit at i or above where a run that is believed may begin; at the end the first that may go on. What is not
 * followed by a zero unit has to be ASCII by half.
 */
static size_t next_start(const struct vmm_strings_units *u, const struct vmm_strings_bits *bits, const unsigned char *p, size_t i, size_t n)
{
	uint64_t mask = i & 1 ? UINT64_C(0xaaaaaaaaaaaaaaaa) : UINT64_C(0x5555555555555555);
	size_t from;

	for (;;) {
		size_t from_run = vmm__strings_next(bits->unit_runs, i, n, mask), to;

		if (from_run == n)
			break;
		to = vmm__strings_gap(bits->unit, from_run, n, mask);
		if (n - to < 2 || (p[to] == 0 && p[to + 1] == 0) ||
		    vmm__strings_count(bits->narrow, from_run, to, mask, u->min) >= u->min / 2)
			return from_run;
		i = to;
	}
	from = i + (n - i) / 2 * 2;
	while (from > i && u->script[unit_at(p + from - 2)])
		from -= 2;
	return from;
}

/* Whether units may be left out: what was seen so far has no bearing on those to come. */
static bool searching(const struct vmm_strings_units *u)
{
	return !u->run.units && !u->skipping && !u->split;
}

void vmm__strings_units_feed(struct vmm_strings_units *u, struct vmm_strings_sink *sink, const struct vmm_strings_bits *bits,
                             uint64_t address, const unsigned char *p, size_t n)
{
	size_t i = u->carried ? 1 : (address ^ u->parity) & 1;

	if (n == 0)
		return;
	if (u->carried)
		push(u, sink, address - 1, (uint16_t)(u->carry | p[0] << 8));
	while (n - i >= 2 && !sink->stop) {
		if (searching(u))
			i = next_start(u, bits, p, i, n);
		while (n - i >= 2) {
			push(u, sink, address + i, unit_at(p + i));
			i += 2;
			if (searching(u))
				break;
		}
	}
	u->carried = n - i == 1;
	u->carry = p[n - 1];
}

void vmm__strings_units_end(struct vmm_strings_units *u, struct vmm_strings_sink *sink)
{
	finish(u, sink, false);
	u->carried = u->skipping = u->split = false;
}
