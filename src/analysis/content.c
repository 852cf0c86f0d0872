/* What the first bytes of a chunk look like. The order of the rules is that of their evidence. */
#include "vmmap/content.h"

#include <stdio.h>
#include <string.h>

#include "base/scan.h"
#include "base/text.h"
#include "model/target.h"

#define TEXT_LEAST 4       /* characters of a text with its end */
#define TEXT_LEAST_OPEN 8  /* and of one whose end is out of sight or is no NUL */
#define SMALL_NUMBER 65536 /* below: no pointer, perhaps a number */
#define NUMBERS_SHOWN 6

struct view {
	const struct vmm_content_context *context;
	const unsigned char *bytes;
	size_t length;
	uint64_t whole;
	unsigned word;
	struct vmm_content *ret;
};

static const struct {
	const char *id, *help;
} type_table[] = {
#define VMM_CONTENT(name, type_id, type_help) {.id = type_id, .help = type_help},
#include "vmmap/content.def"
#undef VMM_CONTENT
};

const char *vmm_content_id(enum vmm_content_type type)
{
	return (unsigned)type < VMM_CONTENT_COUNT ? type_table[type].id : "";
}

const char *vmm_content_help(enum vmm_content_type type)
{
	return (unsigned)type < VMM_CONTENT_COUNT ? type_table[type].help : "";
}

static uint64_t word_at(const unsigned char *p, unsigned word)
{
	uint64_t v = 0;

	/* Every target so far is little-endian. */
	for (unsigned i = word; i-- > 0;)
		v = v << 8 | p[i];
	return v;
}

static bool is_zero(struct view *v)
{
	for (size_t i = 0; i < v->length; i++)
		if (v->bytes[i])
			return false;
	v->ret->type = VMM_CONTENT_ZERO;
	return true;
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static const char *module_name(const struct vmm_snapshot *s, uint32_t module)
{
	return module < s->module_count ? base_name(s->modules[module].path) : "";
}

static void put_offset(char *ret, size_t size, uint64_t offset)
{
	size_t at = strlen(ret);

	if (offset && at < size)
		snprintf(ret + at, size - at, "+0x%llx", (unsigned long long)offset);
}

/* The plain name of a symbol, or the name as it is; cut to size. */
static enum vmm_symbol_what plain_name(const char *name, char *ret, size_t size)
{
	enum vmm_symbol_what what = VMM_SYMBOL_PLAIN;

	if (!vmm_symbol_demangle(name, ret, size, &what)) {
		what = strncmp(name, "_ZTV", 4) == 0 ? VMM_SYMBOL_VTABLE : VMM_SYMBOL_PLAIN;
		snprintf(ret, size, "%s", name);
	}
	return what;
}

static bool read_word(const struct view *v, uint64_t address, uint64_t *ret)
{
	unsigned char bytes[8];
	uint64_t absent;

	if (vmm_target_read_present(v->context->target, address, bytes, v->word, &absent, NULL) < 0 || absent)
		return false;
	*ret = word_at(bytes, v->word);
	return true;
}

/*
 * A vtable without a symbol: the word before its functions leads to a type info, whose own vtable is one of the C++
 * runtime's, and whose second word is the class's mangled name (Itanium C++ ABI, section 2.9).
 */
static bool class_by_type_info(const struct view *v, uint64_t vtable, char *ret, size_t size)
{
	struct vmm_symbol symbol;
	uint64_t info, kind, name, absent;
	char mangled[VMM_CONTENT_TEXT_MAX] = "_ZTI";

	if (!v->context->target || !v->context->symbols || vtable < SMALL_NUMBER)
		return false;
	if (!read_word(v, vtable - v->word, &info) || info < SMALL_NUMBER || !read_word(v, info, &kind) ||
	    !vmm_symbols_find(v->context->symbols, kind, &symbol) || strncmp(symbol.name, "_ZTVN10__cxxabiv1", 17) != 0 ||
	    !read_word(v, info + v->word, &name))
		return false;
	if (vmm_target_read_present(v->context->target, name, mangled + 4, sizeof(mangled) - 5, &absent, NULL) < 0)
		return false;
	mangled[sizeof(mangled) - 1] = '\0';
	if (mangled[4] == '*') /* a type of this object alone: its name is not to be compared */
		memmove(mangled + 4, mangled + 5, strlen(mangled + 5) + 1);
	for (const char *p = mangled; *p; p++)
		if ((unsigned char)*p < 0x21 || (unsigned char)*p > 0x7e)
			return false;
	if (!mangled[4])
		return false;
	plain_name(mangled, ret, size);
	return true;
}

static void image_pointer(struct view *v, uint64_t value, const struct vmm_region *r)
{
	const struct vmm_snapshot *s = v->context->snapshot;
	const struct vmm_vma *vma = vmm_snapshot_vma_at(s, value);
	const struct vmm_block *b = vmm_snapshot_block_at(s, value);
	struct vmm_content *c = v->ret;
	const char *module = module_name(s, r->module);
	char name[160];
	struct vmm_symbol symbol;
	bool code = vma && vma->prot & VMM_PROT_EXEC;

	c->type = code ? VMM_CONTENT_FUNCTION : VMM_CONTENT_DATA;
	if (!code && class_by_type_info(v, value, c->text, sizeof(c->text))) {
		c->type = VMM_CONTENT_OBJECT;
		return;
	}
	if (!v->context->symbols || !vmm_symbols_find(v->context->symbols, value, &symbol)) {
		snprintf(c->text, sizeof(c->text), "%.80s %.40s+0x%llx", module, b ? b->label : "",
		         (unsigned long long)(value - (b ? b->start : r->start)));
		return;
	}
	if (plain_name(symbol.name, name, sizeof(name)) == VMM_SYMBOL_VTABLE && !code) {
		c->type = VMM_CONTENT_OBJECT;
		snprintf(c->text, sizeof(c->text), "%s", name);
		/* The first two words are no functions: an object points behind them, a base inside it further on. */
		put_offset(c->text, sizeof(c->text), value - symbol.address == 2 * v->word ? 0 : value - symbol.address);
		return;
	}
	snprintf(c->text, sizeof(c->text), "%s", name);
	put_offset(c->text, sizeof(c->text), value - symbol.address);
	if (module[0] && strlen(c->text) + 4 < sizeof(c->text))
		snprintf(c->text + strlen(c->text), sizeof(c->text) - strlen(c->text), " (%.60s)", module);
}

static bool is_pointer(struct view *v)
{
	const struct vmm_snapshot *s = v->context->snapshot;
	const struct vmm_region *r;
	uint64_t value;

	if (v->length < v->word)
		return false;
	value = word_at(v->bytes, v->word);
	r = value >= SMALL_NUMBER ? vmm_snapshot_region_at(s, value) : NULL;
	if (!r)
		return false;
	if (r->kind == VMM_KIND_IMAGE) {
		image_pointer(v, value, r);
		return true;
	}
	v->ret->type = VMM_CONTENT_POINTER;
	snprintf(v->ret->text, sizeof(v->ret->text), "0x%llx %s", (unsigned long long)value, vmm_kind_label(r->kind));
	if (r->heap < s->heap_count)
		snprintf(v->ret->text, sizeof(v->ret->text), "0x%llx %s, %.150s", (unsigned long long)value,
		         vmm_kind_label(r->kind), s->heaps[r->heap].label);
	else if (r->path[0])
		snprintf(v->ret->text, sizeof(v->ret->text), "0x%llx %s, %.150s", (unsigned long long)value,
		         vmm_kind_label(r->kind), base_name(r->path));
	return true;
}

/* A count, then a pointer to what the object is: CPython's objects begin so. */
static bool is_counted(struct view *v)
{
	struct view second = *v;
	uint64_t count;
	char text[VMM_CONTENT_TEXT_MAX];

	if (v->length < 2 * v->word)
		return false;
	count = word_at(v->bytes, v->word);
	second.bytes += v->word;
	second.length -= v->word;
	if (count == 0 || count >= SMALL_NUMBER || !v->context->symbols || !is_pointer(&second) || v->ret->type != VMM_CONTENT_DATA)
		return false;
	memcpy(text, v->ret->text, sizeof(text));
	snprintf(v->ret->text, sizeof(v->ret->text), "%.200s, after %llu", text, (unsigned long long)count);
	return true;
}

/* Bytes of the character at p that may stand in a text; 0: none. */
static size_t printable(const unsigned char *p, size_t length)
{
	uint32_t point;
	size_t n;

	if (*p == '\t' || *p == '\n' || *p == '\r')
		return 1;
	n = vmm_utf8_decode((const char *)p, length, &point);
	return point == UINT32_MAX || point == 0 || vmm_point_unsafe(point) ? 0 : n;
}

static bool is_text(struct view *v)
{
	size_t at = 0, characters = 0, n;
	bool ended, in_sight = v->length >= v->whole;

	while (at < v->length && (n = printable(v->bytes + at, v->length - at))) {
		at += n;
		characters++;
	}
	/* A character may be cut off where our sight ends. */
	ended = at < v->length && v->bytes[at] == 0;
	if (characters < (ended ? TEXT_LEAST : TEXT_LEAST_OPEN))
		return false;
	v->ret->cut = !ended && !(at == v->length && in_sight);
	v->ret->type = VMM_CONTENT_STRING;
	memcpy(v->ret->text, v->bytes, at);
	v->ret->text[at] = '\0';
	return true;
}

/* UTF-16LE of the Basic Multilingual Plane, mostly ASCII: other scripts look like any number. */
static bool is_utf16(struct view *v)
{
	size_t at = 0, ascii = 0, written = 0;
	bool ended = false;

	for (; at + 2 <= v->length; at += 2) {
		unsigned unit = v->bytes[at] | (unsigned)v->bytes[at + 1] << 8;

		ended = unit == 0;
		if (ended || unit > 0x24f || (vmm_point_unsafe(unit) && unit != '\t' && unit != '\n' && unit != '\r'))
			break;
		if (unit < 0x80) {
			ascii++;
			v->ret->text[written++] = (char)unit;
		} else {
			v->ret->text[written++] = (char)(0xc0 | unit >> 6);
			v->ret->text[written++] = (char)(0x80 | (unit & 0x3f));
		}
	}
	v->ret->text[written] = '\0';
	if (at / 2 < (ended ? TEXT_LEAST : TEXT_LEAST_OPEN) || ascii * 4 < at / 2 * 3)
		return false;
	v->ret->cut = !ended;
	v->ret->type = VMM_CONTENT_UTF16;
	return true;
}

static bool repeats(const struct view *v, size_t period)
{
	for (size_t i = period; i < v->length; i++)
		if (v->bytes[i] != v->bytes[i - period])
			return false;
	return v->length >= 2 * period;
}

static bool is_repeated(struct view *v)
{
	static const unsigned periods[] = {1, 2, 4, 8};

	for (size_t i = 0; i < ARRAY_LEN(periods); i++)
		if (repeats(v, periods[i])) {
			v->ret->type = VMM_CONTENT_REPEATED;
			snprintf(v->ret->text, sizeof(v->ret->text), "0x%0*llx", (int)(2 * periods[i]),
			         (unsigned long long)word_at(v->bytes, periods[i]));
			return true;
		}
	return false;
}

/* Words that are all small, or a little below zero. */
static bool numbers_of(struct view *v, unsigned width)
{
	size_t count = v->length / width, at = 0;
	uint64_t top = width == 8 ? UINT64_MAX : UINT32_MAX;

	if (count < 1)
		return false;
	for (size_t i = 0; i < count; i++) {
		uint64_t n = word_at(v->bytes + i * width, width);

		if (n >= SMALL_NUMBER && n < top - SMALL_NUMBER)
			return false;
	}
	v->ret->type = VMM_CONTENT_NUMBERS;
	for (size_t i = 0; i < count && i < NUMBERS_SHOWN; i++) {
		uint64_t n = word_at(v->bytes + i * width, width);

		at += (size_t)snprintf(v->ret->text + at, sizeof(v->ret->text) - at, "%s%lld", i ? " " : "",
		                       n < SMALL_NUMBER ? (long long)n : -(long long)(top - n) - 1);
	}
	if (count > NUMBERS_SHOWN)
		snprintf(v->ret->text + at, sizeof(v->ret->text) - at, " ...");
	return true;
}

static void as_bytes(struct view *v)
{
	size_t n = v->length < 16 ? v->length : 16;
	char *at = v->ret->text;

	v->ret->type = VMM_CONTENT_BYTES;
	v->ret->cut = v->whole > n;
	for (size_t i = 0; i < n; i++) {
		if (i && i % 4 == 0)
			*at++ = ' ';
		*at++ = "0123456789abcdef"[v->bytes[i] >> 4];
		*at++ = "0123456789abcdef"[v->bytes[i] & 15];
	}
	*at = '\0';
}

void vmm_content_decode(const struct vmm_content_context *context, const unsigned char *bytes, size_t length,
                        uint64_t whole, struct vmm_content *ret)
{
	struct view v = {.context = context,
	                 .bytes = bytes,
	                 .length = length < VMM_CONTENT_LOOK ? length : VMM_CONTENT_LOOK,
	                 .whole = whole,
	                 .word = context->snapshot->target.bits == 32 ? 4 : 8,
	                 .ret = ret};

	ret->cut = false;
	ret->text[0] = '\0';
	ret->type = VMM_CONTENT_ABSENT;
	if (v.length == 0 || is_zero(&v))
		return;
	/* A word of four letters may be an address of a 32-bit program; one of eight is none. */
	if (v.word == 4 ? is_text(&v) || is_pointer(&v) : is_pointer(&v) || is_text(&v))
		return;
	if (is_repeated(&v) || is_utf16(&v) || is_counted(&v))
		return;
	if (!numbers_of(&v, 8) && !numbers_of(&v, 4))
		as_bytes(&v);
}

void vmm_content_line(const struct vmm_content *c, char ret[VMM_CONTENT_LINE_MAX])
{
	static const char *const before[VMM_CONTENT_COUNT] = {
	    [VMM_CONTENT_STRING] = "\"", [VMM_CONTENT_UTF16] = "UTF-16 \"",   [VMM_CONTENT_OBJECT] = "class ",
	    [VMM_CONTENT_FUNCTION] = "-> code ",    [VMM_CONTENT_DATA] = "-> ", [VMM_CONTENT_POINTER] = "-> ",
	    [VMM_CONTENT_REPEATED] = "all "};
	bool quoted = c->type == VMM_CONTENT_STRING || c->type == VMM_CONTENT_UTF16;

	if (c->type == VMM_CONTENT_ABSENT || c->type == VMM_CONTENT_ZERO)
		snprintf(ret, VMM_CONTENT_LINE_MAX, "%s", c->type == VMM_CONTENT_ZERO ? "zeros" : "not resident");
	else
		snprintf(ret, VMM_CONTENT_LINE_MAX, "%s%s%s%s", before[c->type] ? before[c->type] : "", c->text, quoted ? "\"" : "",
		         c->cut ? "…" : "");
}
