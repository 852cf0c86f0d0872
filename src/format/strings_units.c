/* UTF-16 strings: units of one script with ASCII. */
#include "format/strings_run.h"

/* So many doubtful units one after the other are no text of their script: see doubtful(). */
#define DOUBTFUL_ROW 16

/* What a unit can be; from LATIN on a run holds one of them only. */
enum script { NONE, ASCII, SIGN, LATIN, GREEK, CYRILLIC, ARMENIAN, HEBREW, ARABIC, DEVANAGARI, THAI, GEORGIAN, EAST };

static const struct {
	uint16_t first, last;
	uint8_t script;
} script_table[] = {
    {'\t', '\t', ASCII},      {0x20, 0x7e, ASCII},        {0xa0, 0x24f, LATIN},       {0x370, 0x3ff, GREEK},
    {0x400, 0x52f, CYRILLIC}, {0x531, 0x58f, ARMENIAN},   {0x591, 0x5f4, HEBREW},     {0x600, 0x6ff, ARABIC},
    {0x750, 0x77f, ARABIC},   {0x900, 0x97f, DEVANAGARI}, {0xe01, 0xe5b, THAI},       {0x10a0, 0x10ff, GEORGIAN},
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

static bool believed(const struct vmm_strings_units *u, bool terminated)
{
	uint64_t n = u->run.units;

	if (n < u->min)
		return false;
	if (u->other <= LATIN && u->ascii >= n - n / 2)
		return true;
	return terminated && u->other && u->doubtful <= n / 2 && u->changes >= n / 2;
}

static void finish(struct vmm_strings_units *u, struct vmm_strings_sink *sink, bool terminated)
{
	if (believed(u, terminated))
		vmm__strings_tell(sink, &u->run, VMM_ENCODING_UTF16);
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

static void add(struct vmm_strings_units *u, uint64_t address, uint16_t unit, uint8_t script)
{
	char text[3];

	if (!u->run.units) {
		u->other = NONE;
		u->doubtful_row = 0;
		u->ascii = u->doubtful = u->changes = 0;
		u->last = unit;
	}
	vmm__strings_begin(&u->run, address);
	vmm__strings_add(&u->run, text, encode(text, unit), true);
	u->run.units++;
	u->run.bytes += 2;
	u->ascii += script == ASCII;
	u->other = script >= LATIN ? script : u->other;
	u->changes += unit != u->last;
	u->last = unit;
	u->doubtful_row = doubtful(unit) ? u->doubtful_row + 1 : 0;
	u->doubtful += u->doubtful_row > 0;
	u->dropped = u->doubtful_row >= DOUBTFUL_ROW;
	if (u->dropped)
		u->run.units = 0;
}

static void push(struct vmm_strings_units *u, struct vmm_strings_sink *sink, uint64_t address, uint16_t unit)
{
	uint8_t script = u->script[unit];

	if (u->run.units && (!script || (script >= LATIN && u->other && script != u->other)))
		finish(u, sink, unit == 0);
	if (script)
		add(u, address, unit, script);
}

static uint16_t unit_at(const unsigned char *p)
{
	return (uint16_t)(p[0] | p[1] << 8);
}

/* The first unit at i or above where a run of min units may begin; at the end the first that may go on. */
static size_t next_start(const struct vmm_strings_units *u, const unsigned char *p, size_t i, size_t n)
{
	size_t span = u->min * 2;

	/* As with bytes: a run covers every min-th unit. */
	while (n - i >= span) {
		size_t from = i + span - 2, to = from + 2;

		if (!u->script[unit_at(p + from)]) {
			i = from + 2;
			continue;
		}
		while (from > i && u->script[unit_at(p + from - 2)])
			from -= 2;
		while (to - from < span && n - to >= 2 && u->script[unit_at(p + to)])
			to += 2;
		if (to - from >= span || n - to < 2)
			return from;
		i = to + 2;
		if (i > n)
			return n;
	}
	if (n - i >= 2) {
		size_t from = i + (n - i) / 2 * 2;

		while (from > i && u->script[unit_at(p + from - 2)])
			from -= 2;
		return from;
	}
	return i;
}

void vmm__strings_units_feed(struct vmm_strings_units *u, struct vmm_strings_sink *sink, uint64_t address, const unsigned char *p,
                             size_t n)
{
	size_t i = u->carried ? 1 : (address ^ u->parity) & 1;

	if (n == 0)
		return;
	if (u->carried)
		push(u, sink, address - 1, (uint16_t)(u->carry | p[0] << 8));
	while (n - i >= 2 && !sink->stop) {
		if (!u->run.units)
			i = next_start(u, p, i, n);
		u->dropped = false;
		while (n - i >= 2) {
			push(u, sink, address + i, unit_at(p + i));
			i += 2;
			if (!u->run.units)
				break;
		}
		if (u->dropped)
			i += vmm__strings_ascii(p + i, n - i) / 2 * 2;
	}
	u->carried = n - i == 1;
	u->carry = p[n - 1];
}

void vmm__strings_units_end(struct vmm_strings_units *u, struct vmm_strings_sink *sink)
{
	finish(u, sink, false);
	u->carried = false;
}
