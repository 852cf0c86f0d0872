#include "format/cxx_name.h"

#include <string.h>

#define DEPTH_MAX 48
#define TEXT_MAX 2048
#define SUBSTITUTIONS_MAX 64
#define STORE_MAX 8192

struct span {
	uint16_t start, length;
};

struct parser {
	const char *p, *end;
	char text[TEXT_MAX]; /* the name as far as it is made */
	size_t length;
	char store[STORE_MAX]; /* texts of the substitutions */
	size_t stored;
	struct span subs[SUBSTITUTIONS_MAX];
	unsigned sub_count, depth;
};

static bool put(struct parser *p, const char *s, size_t n)
{
	if (n > sizeof(p->text) - 1 - p->length)
		return false;
	memcpy(p->text + p->length, s, n);
	p->length += n;
	return true;
}

static bool put_text(struct parser *p, const char *s)
{
	return put(p, s, strlen(s));
}

static bool next_is(struct parser *p, const char *s)
{
	size_t n = strlen(s);

	if ((size_t)(p->end - p->p) < n || memcmp(p->p, s, n) != 0)
		return false;
	p->p += n;
	return true;
}

static char peek(const struct parser *p)
{
	return p->p < p->end ? *p->p : '\0';
}

/* What was written from start on may be meant again by S_, S0_, ... */
static bool remember(struct parser *p, size_t start)
{
	size_t n = p->length - start;

	if (p->sub_count == SUBSTITUTIONS_MAX || n > sizeof(p->store) - p->stored)
		return false;
	memcpy(p->store + p->stored, p->text + start, n);
	p->subs[p->sub_count++] = (struct span){(uint16_t)p->stored, (uint16_t)n};
	p->stored += n;
	return true;
}

static bool parse_type(struct parser *p);
static bool parse_arguments(struct parser *p);

static bool parse_number(struct parser *p, size_t *ret)
{
	size_t n = 0;

	if (peek(p) < '0' || peek(p) > '9')
		return false;
	for (; peek(p) >= '0' && peek(p) <= '9'; p->p++) {
		n = n * 10 + (size_t)(*p->p - '0');
		if (n > TEXT_MAX)
			return false;
	}
	*ret = n;
	return true;
}

/* 3foo; also the name of an anonymous namespace, and tags of an ABI behind it. */
static bool parse_source_name(struct parser *p)
{
	size_t n, skipped;

	if (!parse_number(p, &n) || n == 0 || n > (size_t)(p->end - p->p))
		return false;
	if (n >= 10 && memcmp(p->p, "_GLOBAL__N", 10) == 0) {
		if (!put_text(p, "(anonymous namespace)"))
			return false;
	} else if (!put(p, p->p, n)) {
		return false;
	}
	p->p += n;
	while (next_is(p, "B")) {
		if (!parse_number(p, &skipped) || skipped > (size_t)(p->end - p->p))
			return false;
		p->p += skipped;
	}
	return true;
}

/* S_, S0_, St, Ss, ... *ret_std: only "std", a name must follow. */
static bool parse_substitution(struct parser *p, bool *ret_std)
{
	static const struct {
		const char *code, *text;
	} table[] = {{"t", "std"}, {"a", "std::allocator"}, {"b", "std::basic_string"}, {"s", "std::string"},
	             {"i", "std::istream"}, {"o", "std::ostream"}, {"d", "std::iostream"}};
	size_t index = 0;

	*ret_std = false;
	for (size_t i = 0; i < ARRAY_LEN(table); i++)
		if (next_is(p, table[i].code)) {
			*ret_std = i == 0;
			return put_text(p, table[i].text);
		}
	if (peek(p) != '_') {
		for (; peek(p) != '_'; p->p++) {
			char c = peek(p);

			if (!((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z')) || index > SUBSTITUTIONS_MAX)
				return false;
			index = index * 36 + (size_t)(c <= '9' ? c - '0' : c - 'A' + 10);
		}
		index++;
	}
	p->p++;
	return index < p->sub_count && put(p, p->store + p->subs[index].start, p->subs[index].length);
}

/* Where the last part of a name begins, behind "::" outside of < >. */
static size_t last_part(const struct parser *p, size_t start)
{
	size_t at = start;
	int level = 0;

	for (size_t i = start; i < p->length; i++) {
		level += (p->text[i] == '<') - (p->text[i] == '>');
		if (level == 0 && p->text[i] == ':')
			at = i + 1;
	}
	return at;
}

/* C1, D0: the last part of the name again. */
static bool parse_structor(struct parser *p, size_t start)
{
	bool down = *p->p++ == 'D';
	size_t from = last_part(p, start), n = 0;

	if (p->p == p->end)
		return false;
	p->p++;
	while (from + n < p->length && p->text[from + n] != '<')
		n++;
	return put_text(p, down ? "::~" : "::") && n < sizeof(p->text) && put(p, p->text + from, n);
}

/* The inside of N...E. */
static bool parse_nested(struct parser *p)
{
	size_t start = p->length;
	bool first = true, is_std;

	while (peek(p) == 'r' || peek(p) == 'V' || peek(p) == 'K' || peek(p) == 'R' || peek(p) == 'O')
		p->p++;
	for (; !next_is(p, "E"); first = false) {
		if (peek(p) == 'I') {
			if (first || !parse_arguments(p))
				return false;
		} else if (first && next_is(p, "S")) {
			if (!parse_substitution(p, &is_std))
				return false;
			continue; /* it is remembered already */
		} else if (!first && (peek(p) == 'C' || peek(p) == 'D')) {
			if (!parse_structor(p, start))
				return false;
		} else {
			next_is(p, "L"); /* internal linkage */
			if ((!first && !put_text(p, "::")) || !parse_source_name(p))
				return false;
		}
		if (!remember(p, start))
			return false;
	}
	return !first;
}

/* A name with its template arguments. */
static bool parse_name(struct parser *p)
{
	size_t start = p->length;
	bool is_std = false;

	if (next_is(p, "N"))
		return parse_nested(p);
	if (next_is(p, "S")) {
		if (!parse_substitution(p, &is_std))
			return false;
		if (is_std && (!put_text(p, "::") || !parse_source_name(p) || !remember(p, start)))
			return false;
	} else {
		next_is(p, "L");
		if (!parse_source_name(p) || !remember(p, start))
			return false;
	}
	return peek(p) != 'I' || (parse_arguments(p) && remember(p, start));
}

static bool parse_literal(struct parser *p)
{
	size_t start = p->length;
	bool is_bool = peek(p) == 'b';

	if (!parse_type(p))
		return false;
	p->length = start;
	if (is_bool && (peek(p) == '0' || peek(p) == '1')) {
		if (!put_text(p, *p->p++ == '1' ? "true" : "false"))
			return false;
	} else {
		if (next_is(p, "n") && !put_text(p, "-"))
			return false;
		for (; peek(p) >= '0' && peek(p) <= '9'; p->p++)
			if (!put(p, p->p, 1))
				return false;
	}
	return next_is(p, "E");
}

/* Arguments up to E, with commas between them. */
static bool parse_list(struct parser *p, bool *first)
{
	while (!next_is(p, "E")) {
		if (p->p == p->end)
			return false;
		if (next_is(p, "J")) {
			if (++p->depth > DEPTH_MAX || !parse_list(p, first))
				return false;
			p->depth--;
			continue;
		}
		if (!*first && !put_text(p, ", "))
			return false;
		*first = false;
		if (next_is(p, "L") ? !parse_literal(p) : !parse_type(p))
			return false;
	}
	return true;
}

static bool parse_arguments(struct parser *p)
{
	bool first = true, ok;

	if (!next_is(p, "I") || ++p->depth > DEPTH_MAX)
		return false;
	ok = put_text(p, "<") && parse_list(p, &first) && put_text(p, ">");
	p->depth--;
	return ok;
}

static const char *builtin(struct parser *p)
{
	static const char letters[] = "vwbcahstijlmxynofdegz";
	static const char *const names[] = {"void", "wchar_t", "bool", "char", "signed char", "unsigned char", "short",
	                                    "unsigned short", "int", "unsigned int", "long", "unsigned long", "long long",
	                                    "unsigned long long", "__int128", "unsigned __int128", "float", "double",
	                                    "long double", "__float128", "..."};
	const char *at = peek(p) ? strchr(letters, peek(p)) : NULL;

	if (next_is(p, "Dn"))
		return "decltype(nullptr)";
	if (next_is(p, "Di"))
		return "char32_t";
	if (next_is(p, "Ds"))
		return "char16_t";
	if (next_is(p, "Du"))
		return "char8_t";
	if (!at)
		return NULL;
	p->p++;
	return names[at - letters];
}

/* The inside of F...E: what it returns, then what it takes. */
static bool parse_function(struct parser *p)
{
	bool first = true;

	next_is(p, "Y");
	if (!parse_type(p) || !put_text(p, " ("))
		return false;
	if (next_is(p, "vE"))
		return put_text(p, ")");
	return parse_list(p, &first) && put_text(p, ")");
}

static bool parse_array(struct parser *p)
{
	const char *from = p->p;
	size_t n, digits;

	if (!parse_number(p, &n))
		return false;
	digits = (size_t)(p->p - from);
	return next_is(p, "_") && parse_type(p) && put_text(p, " [") && put(p, from, digits) && put_text(p, "]");
}

static bool parse_type_inside(struct parser *p)
{
	static const struct {
		const char *code, *behind;
	} around[] = {{"P", "*"}, {"R", "&"}, {"O", "&&"}, {"K", " const"}, {"V", " volatile"}};
	const char *name = builtin(p);
	size_t start = p->length;

	if (name)
		return put_text(p, name);
	for (size_t i = 0; i < ARRAY_LEN(around); i++)
		if (next_is(p, around[i].code))
			return parse_type(p) && put_text(p, around[i].behind) && remember(p, start);
	if (next_is(p, "F"))
		return parse_function(p) && remember(p, start);
	if (next_is(p, "A"))
		return parse_array(p) && remember(p, start);
	return parse_name(p);
}

static bool parse_type(struct parser *p)
{
	bool ok = ++p->depth <= DEPTH_MAX && parse_type_inside(p);

	p->depth--;
	return ok;
}

/* Legacy Rust names end with a hash: h and 16 hexadecimal digits. */
static void drop_hash(struct parser *p)
{
	size_t n = p->length;

	if (n < 20 || memcmp(p->text + n - 19, "::h", 3) != 0)
		return;
	for (size_t i = n - 16; i < n; i++)
		if (!memchr("0123456789abcdef", p->text[i], 16))
			return;
	p->length = n - 19;
}

bool vmm_cxx_name(const char *mangled, char *ret_text, size_t size, char *ret_special)
{
	struct parser p = {.p = mangled, .end = mangled + strlen(mangled)};
	char special = '\0';

	if (!next_is(&p, "_Z"))
		return false;
	if (peek(&p) == 'T' && p.p + 1 < p.end && memchr("VIST", p.p[1], 4)) {
		special = p.p[1];
		p.p += 2;
	}
	if (special ? !parse_type(&p) || p.p != p.end : !parse_name(&p))
		return false;
	drop_hash(&p);
	if (p.length + 1 > size)
		return false;
	memcpy(ret_text, p.text, p.length);
	ret_text[p.length] = '\0';
	*ret_special = special;
	return true;
}
