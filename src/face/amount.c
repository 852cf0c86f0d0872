#include "face/amount.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/err.h"
#include "base/scan.h"

#define FRACTION_DIGITS 9
#define FRACTION_SCALE UINT64_C(1000000000) /* 10^FRACTION_DIGITS */

/* Whole number and fraction in parts of 10^9; more digits than those are read over. */
static bool scan_amount(struct vmm_scan *s, uint64_t *ret_whole, uint64_t *ret_fraction)
{
	uint64_t unit = FRACTION_SCALE / 10;

	*ret_fraction = 0;
	if (!vmm_scan_dec(s, ret_whole))
		return false;
	if (!vmm_scan_char(s, '.'))
		return true;
	if (vmm_scan_done(s) || *s->p < '0' || *s->p > '9')
		return false;
	for (; s->p < s->end && *s->p >= '0' && *s->p <= '9'; s->p++, unit /= 10)
		*ret_fraction += (uint64_t)(*s->p - '0') * unit;
	return true;
}

/* (whole + fraction) * unit without overflow; the unit is below 2^60. */
static bool times(uint64_t whole, uint64_t fraction, uint64_t unit, uint64_t *ret)
{
	uint64_t part = (uint64_t)((vmm_wide)fraction * (vmm_wide)unit / (vmm_wide)FRACTION_SCALE);

	return !__builtin_mul_overflow(whole, unit, ret) && !__builtin_add_overflow(*ret, part, ret);
}

struct unit {
	const char *word;
	uint64_t factor;
};

static const struct unit duration_units[] = {
	{"ms", VMM_SECOND_NS / 1000}, {"s", VMM_SECOND_NS}, {"sec", VMM_SECOND_NS}, {"m", 60 * VMM_SECOND_NS},
	{"min", 60 * VMM_SECOND_NS},  {"h", 3600 * VMM_SECOND_NS}, {"d", VMM_DAY_NS},
};

/* Not m: in a ring's limit that is minutes. */
static const struct unit size_units[] = {
	{"K", 1 << 10}, {"k", 1 << 10}, {"KiB", 1 << 10}, {"KB", 1 << 10}, {"M", 1 << 20}, {"MiB", 1 << 20}, {"MB", 1 << 20},
	{"G", 1 << 30}, {"g", 1 << 30}, {"GiB", 1 << 30}, {"GB", 1 << 30}, {"T", UINT64_C(1) << 40}, {"TiB", UINT64_C(1) << 40},
};

/* A whole text that is an amount with one of these units behind it. */
static bool scan_unit(const char *text, const struct unit *units, size_t count, uint64_t *ret)
{
	struct vmm_scan s = vmm_scan_init(text, strlen(text));
	uint64_t whole, fraction;

	if (!scan_amount(&s, &whole, &fraction))
		return false;
	for (size_t i = 0; i < count; i++)
		if ((size_t)(s.end - s.p) == strlen(units[i].word) && memcmp(s.p, units[i].word, strlen(units[i].word)) == 0)
			return times(whole, fraction, units[i].factor, ret);
	return false;
}

static bool scan_duration(const char *text, uint64_t *ret_ns)
{
	return scan_unit(text, duration_units, ARRAY_LEN(duration_units), ret_ns);
}

static bool scan_size(const char *text, uint64_t *ret_bytes)
{
	return scan_unit(text, size_units, ARRAY_LEN(size_units), ret_bytes);
}

/* The same as a bare number: seconds, bytes. */
static bool scan_bare(const char *text, uint64_t unit, uint64_t *ret)
{
	static const char *const no_unit = "";
	const struct unit bare = {no_unit, unit};

	return scan_unit(text, &bare, 1, ret);
}

static void describe(char *ret, size_t size, uint64_t ns)
{
	struct vmm_out *out = vmm_out_create_memory();
	char *text = NULL;

	if (out) {
		vmm_put_duration(out, ns);
		text = vmm_out_take(out, NULL);
	}
	snprintf(ret, size, "%s", text ? text : "?");
	free(text);
}

int vmm_amount_duration(const char *option, const char *text, uint64_t lowest, uint64_t highest, uint64_t *ret_ns,
                        struct vmm_err *err)
{
	char low[40], high[40];
	uint64_t ns;

	if (!scan_duration(text, &ns) && !scan_bare(text, VMM_SECOND_NS, &ns))
		return vmm_fail(err, VMM_E_USAGE, 0, "--%s: '%.60s' is no duration such as 0.5, 250ms, 10s, 10m, 2h or 1d", option, text);
	if (ns < lowest || ns > highest) {
		describe(low, sizeof(low), lowest);
		describe(high, sizeof(high), highest);
		return vmm_fail(err, VMM_E_USAGE, 0, "--%s: '%.60s' is not between %s and %s", option, text, low, high);
	}
	*ret_ns = ns;
	return 0;
}

/* Per cent in parts of a million; the sign must stand when wanted. */
static bool scan_share(const char *text, bool sign_needed, uint64_t *ret_ppm)
{
	struct vmm_scan s = vmm_scan_init(text, strlen(text));
	uint64_t whole, fraction;

	if (!scan_amount(&s, &whole, &fraction) || (!vmm_scan_char(&s, '%') && sign_needed) || !vmm_scan_done(&s))
		return false;
	return times(whole, fraction, 10000, ret_ppm);
}

int vmm_amount_share(const char *option, const char *text, uint32_t *ret_ppm, struct vmm_err *err)
{
	uint64_t ppm;

	if (!scan_share(text, false, &ppm) || ppm == 0 || ppm > 1000000)
		return vmm_fail(err, VMM_E_USAGE, 0, "--%s: '%.60s' is no percentage above 0 up to 100", option, text);
	*ret_ppm = (uint32_t)ppm;
	return 0;
}

int vmm_amount_growth(const char *option, const char *text, struct vmm_threshold *ret, struct vmm_err *err)
{
	const char *amount = text + (text[0] == '+');
	struct vmm_threshold g = {0};
	uint64_t ppm;

	if (scan_share(amount, true, &ppm) && ppm > 0 && ppm <= UINT32_MAX)
		g.ppm = (uint32_t)ppm;
	else if ((!scan_size(amount, &g.bytes) && !scan_bare(amount, 1, &g.bytes)) || g.bytes == 0)
		return vmm_fail(err, VMM_E_USAGE, 0, "--%s: '%.60s' is no change such as 10%% or +10M", option, text);
	*ret = g;
	return 0;
}

bool vmm_threshold_reached(const struct vmm_threshold *g, uint64_t before, uint64_t now)
{
	uint64_t change = now > before ? now - before : before - now;

	if (change == 0)
		return false;
	if (g->bytes)
		return change >= g->bytes;
	return (vmm_wide)change * 1000000 >= (vmm_wide)before * (vmm_wide)g->ppm;
}

int vmm_amount_keep(const char *option, const char *text, struct vmm_session_keep *ret, struct vmm_err *err)
{
	struct vmm_scan s = vmm_scan_init(text, strlen(text));
	struct vmm_session_keep keep = {0};
	uint64_t count;

	if (vmm_scan_dec(&s, &count) && vmm_scan_done(&s)) {
		if (count == 0 || count > UINT32_MAX)
			return vmm_fail(err, VMM_E_USAGE, 0, "--%s: '%.60s' is no number of snapshots of 1 or more", option, text);
		keep.snapshots = (uint32_t)count;
	} else if ((!scan_duration(text, &keep.age_ns) && !scan_size(text, &keep.bytes)) || keep.age_ns + keep.bytes == 0) {
		return vmm_fail(err, VMM_E_USAGE, 0, "--%s: '%.60s' is no number of snapshots (3600), age (12h) or size (100M)", option,
		                text);
	}
	*ret = keep;
	return 0;
}

void vmm_put_duration(struct vmm_out *out, uint64_t ns)
{
	static const struct {
		const char *large, *small;
		uint64_t factor, part;
	} scales[] = {
		{"d", "h", VMM_DAY_NS, 3600 * VMM_SECOND_NS},
		{"h", "min", 3600 * VMM_SECOND_NS, 60 * VMM_SECOND_NS},
		{"min", "s", 60 * VMM_SECOND_NS, VMM_SECOND_NS},
	};

	for (size_t i = 0; i < ARRAY_LEN(scales); i++) {
		uint64_t rest = ns % scales[i].factor / scales[i].part;

		if (ns < scales[i].factor)
			continue;
		vmm_out_printf(out, "%llu %s", (unsigned long long)(ns / scales[i].factor), scales[i].large);
		if (rest)
			vmm_out_printf(out, " %llu %s", (unsigned long long)rest, scales[i].small);
		return;
	}
	if (ns >= 10 * VMM_SECOND_NS || ns % VMM_SECOND_NS == 0)
		vmm_out_printf(out, "%llu s", (unsigned long long)(ns / VMM_SECOND_NS));
	else if (ns >= VMM_SECOND_NS)
		vmm_out_printf(out, "%llu.%llu s", (unsigned long long)(ns / VMM_SECOND_NS), (unsigned long long)(ns / 100000000 % 10));
	else if (ns >= 10000000)
		vmm_out_printf(out, "%llu ms", (unsigned long long)(ns / 1000000));
	else
		vmm_out_printf(out, "%llu.%llu ms", (unsigned long long)(ns / 1000000), (unsigned long long)(ns / 100000 % 10));
}
