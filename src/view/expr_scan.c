/* The words of --where: numbers with their suffixes, percentages, operators. */
#include "view/expr.h"

#include <string.h>

bool vmm__name_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

size_t vmm__name_length(const char *at, const char *end)
{
	const char *p = at;

	while (p < end && vmm__name_char(*p))
		p++;
	return (size_t)(p - at);
}

/* The bytes that a suffix stands for: K, KiB, KB, k, ...; 1 for none, 0 for an unknown one. */
static uint64_t suffix_factor(const char *at, size_t length)
{
	static const char letters[] = "KMGTPE";
	const char *letter;

	if (length == 0 || (length == 1 && (*at == 'B' || *at == 'b')))
		return 1;
	letter = strchr(letters, *at >= 'a' ? *at - 'a' + 'A' : *at);
	if (!letter || !*letter || length > 3 || (length == 3 && memcmp(at + 1, "iB", 2) != 0) ||
	    (length == 2 && at[1] != 'B' && at[1] != 'b'))
		return 0;
	return UINT64_C(1) << (10 * (letter - letters + 1));
}

bool vmm__scan_number(struct vmm_scan *s, uint64_t *ret)
{
	struct vmm_scan t = *s;
	uint64_t whole, factor, fraction = 0, divisor = 1, part;
	size_t n;

	if (vmm_scan_text(&t, "0x") || vmm_scan_text(&t, "0X")) {
		if (!vmm_scan_hex(&t, ret) || vmm__name_length(t.p, t.end))
			return false;
		*s = t;
		return true;
	}
	if (!vmm_scan_dec(&t, &whole))
		return false;
	if (vmm_scan_char(&t, '.')) {
		const char *digits = t.p;

		if (!vmm_scan_dec(&t, &fraction) || t.p - digits > 6)
			return false;
		for (; digits < t.p; digits++)
			divisor *= 10;
	}
	n = vmm__name_length(t.p, t.end);
	factor = suffix_factor(t.p, n);
	if (!factor || __builtin_mul_overflow(whole, factor, &whole))
		return false;
	part = (uint64_t)((vmm_wide)fraction * factor / divisor);
	if (__builtin_add_overflow(whole, part, ret))
		return false;
	t.p += n;
	*s = t;
	return true;
}

bool vmm__scan_percent(struct vmm_scan *s, uint64_t *ret)
{
	struct vmm_scan t = *s;
	uint64_t whole, part = 0, scale = 1000;

	if (!vmm_scan_dec(&t, &whole) || whole > UINT32_MAX)
		return false;
	if (vmm_scan_char(&t, '.'))
		for (; t.p < t.end && *t.p >= '0' && *t.p <= '9' && scale > 1; t.p++) {
			scale /= 10;
			part += (uint64_t)(*t.p - '0') * scale;
		}
	if (!vmm_scan_char(&t, '%'))
		return false;
	*ret = whole * 1000 + part;
	*s = t;
	return true;
}

bool vmm__scan_operator(struct vmm_scan *s, enum vmm__compare *ret)
{
	/* Longer ones first. */
	static const struct {
		const char *text;
		enum vmm__compare compare;
	} operator_table[] = {
	    {"==", VMM__EQUAL}, {"!=", VMM__UNEQUAL},      {"<=", VMM__LESS_EQUAL}, {">=", VMM__GREATER_EQUAL},
	    {"=~", VMM__CONTAINS}, {"!~", VMM__CONTAINS_NOT}, {"=", VMM__EQUAL},       {"<", VMM__LESS},
	    {">", VMM__GREATER},   {"~", VMM__CONTAINS},
	};

	vmm_scan_blank(s);
	for (size_t i = 0; i < ARRAY_LEN(operator_table); i++)
		if (vmm_scan_text(s, operator_table[i].text)) {
			*ret = operator_table[i].compare;
			return true;
		}
	return false;
}
