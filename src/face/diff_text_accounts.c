/* Of what differs: accounts and limits, as text. */
#include <stdio.h>

#include "base/text.h"
#include "face/diff_text.h"
#include "face/summary.h"

static void put_signed(struct vmm_out *out, const struct vmm_look *look, const struct vmm_diff_counts *c)
{
	int64_t change;

	if (vmm_diff_count_change(c, &change))
		vmm_put_change(out, look, change);
	else
		vmm_out_char(out, '?');
}

/* Only what is known to have changed has a line: what is not known is no news. */
static bool identity_differs(const struct vmm_diff_identity *d)
{
	int64_t sum, kernel;

	return (vmm_diff_count_change(&d->sum, &sum) && sum) || (vmm_diff_count_change(&d->kernel, &kernel) && kernel);
}

static void put_identity(struct vmm_out *out, const struct vmm_look *look, const struct vmm_diff_identity *d, size_t width)
{
	const struct vmm_account *a = d->after ? d->after : d->before;
	int64_t sum, kernel;

	vmm_out_text(out, "  ");
	vmm_out_repeat(out, " ", width + 2 - vmm_min_u64(width, vmm_out_escaped(out, a->label, 0)));
	put_signed(out, look, &d->sum);
	if (vmm_diff_count_change(&d->sum, &sum) && vmm_diff_count_change(&d->kernel, &kernel) && sum == kernel) {
		vmm_out_text(out, ", remainder as before");
	} else {
		vmm_out_text(out, ", the kernel's ");
		put_signed(out, look, &d->kernel);
		if (a->explanation[0]) {
			vmm_out_text(out, ": ");
			vmm_out_escaped(out, a->explanation, 0);
		}
	}
	vmm_out_char(out, '\n');
}

static void put_identities(struct vmm_out *out, const struct vmm_look *look, const struct vmm_diff *d)
{
	size_t width = 0;

	for (uint32_t i = 0; i < d->identity_count; i++) {
		const struct vmm_diff_identity *one = &d->identities[i];
		const char *label = one->after ? one->after->label : one->before->label;

		if (identity_differs(one))
			width = vmm_max_u64(width, vmm_text_width(label, strlen(label)));
	}
	if (width)
		vmm_put_heading(out, look, "Accounts");
	for (uint32_t i = 0; i < d->identity_count; i++)
		if (identity_differs(&d->identities[i]))
			put_identity(out, look, &d->identities[i], width);
}

static bool bound_differs(const struct vmm_diff_limit *d)
{
	return d->before->known && d->after->known && (d->before->soft != d->after->soft || d->before->hard != d->after->hard);
}

/* What changed of a limit itself, and of those that matter in a summary also what is used of them. */
static bool limit_told(const struct vmm_diff_limit *d)
{
	return bound_differs(d) || vmm_summary_limit_matters(d->before) || vmm_summary_limit_matters(d->after);
}

static void put_limit_used(struct vmm_out *out, const struct vmm_diff_limit *d)
{
	uint64_t was = d->used.value[0], is = d->used.value[1];

	vmm_summary_amount(out, d->after, was);
	if (was != is) {
		vmm_out_text(out, " -> ");
		vmm_summary_amount(out, d->after, is);
	}
	vmm_out_text(out, " of ");
}

static void put_limit(struct vmm_out *out, const struct vmm_diff_limit *d, size_t width)
{
	vmm_out_text(out, "  ");
	vmm_out_repeat(out, " ", width + 2 - vmm_min_u64(width, vmm_out_escaped(out, d->after->text, 0)));
	if (d->used.known[0] && d->used.known[1])
		put_limit_used(out, d);
	if (bound_differs(d)) {
		vmm_summary_amount(out, d->before, d->before->soft);
		vmm_out_text(out, " -> ");
	}
	if (d->after->known)
		vmm_summary_amount(out, d->after, d->after->soft);
	else
		vmm_out_char(out, '?');
	if (bound_differs(d) && d->before->hard != d->after->hard) {
		vmm_out_text(out, ", hard ");
		vmm_summary_amount(out, d->before, d->before->hard);
		vmm_out_text(out, " -> ");
		vmm_summary_amount(out, d->after, d->after->hard);
	}
	vmm_out_char(out, '\n');
}

static void put_limits(struct vmm_out *out, const struct vmm_look *look, const struct vmm_diff *d)
{
	size_t width = 0;

	for (uint32_t i = 0; i < d->limit_count; i++)
		if (limit_told(&d->limits[i]))
			width = vmm_max_u64(width, vmm_text_width(d->limits[i].after->text, strlen(d->limits[i].after->text)));
	if (width)
		vmm_put_heading(out, look, "Limits");
	for (uint32_t i = 0; i < d->limit_count; i++)
		if (limit_told(&d->limits[i]))
			put_limit(out, &d->limits[i], width);
}

void vmm_diff_accounts_text(struct vmm_out *out, const struct vmm_look *look, const struct vmm_diff *d)
{
	put_identities(out, look, d);
	put_limits(out, look, d);
}
