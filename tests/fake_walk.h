/* Readers on a made-up target: finding heaps and walking them, for tests. */
#ifndef VMM_TESTS_FAKE_WALK_H
#define VMM_TESTS_FAKE_WALK_H

#include "fake_target.h"
#include "reader/walk.h"

/* Looks for heaps in a snapshot of the target and walks them; fake_look_done() in the end. */
static VMM_UNUSED void fake_look_at(struct fake_target *t, struct vmm_snapshot *s, struct vmm_reading *r)
{
	assert_non_null(s);
	*r = (struct vmm_reading){.target = &t->base, .snapshot = s};
	assert_int_equal(vmm_readers_run(r, NULL), 0);
	assert_int_equal(vmm_reading_walk(r, NULL, NULL), 0);
}

/* The same with a snapshot made of the target's mappings. */
static VMM_UNUSED struct vmm_snapshot *fake_look(struct fake_target *t, int bits, struct vmm_reading *r)
{
	struct vmm_snapshot *s = fake_snapshot(t, "");

	assert_non_null(s);
	s->target.bits = bits;
	fake_look_at(t, s, r);
	return s;
}

static VMM_UNUSED void fake_look_done(struct vmm_reading *r, struct vmm_snapshot *s)
{
	vmm_reading_done(r);
	vmm_snapshot_destroy(s);
}

/* The same with the nth allocation failing, and all later ones. 0, or VMM_E_NOMEM as it must be. Takes the snapshot over. */
static VMM_UNUSED int fake_look_starved(struct fake_target *t, struct vmm_snapshot *s, unsigned long n)
{
	struct vmm_reading r = {.target = &t->base, .snapshot = s};
	int rc;

	assert_true(n < 1000);
	vmm_alloc_fail_after(n);
	rc = vmm_readers_run(&r, NULL);
	if (rc == 0)
		rc = vmm_reading_walk(&r, NULL, NULL);
	vmm_alloc_fail_after(0);
	assert_true(rc == 0 || rc == VMM_E_NOMEM);
	fake_look_done(&r, s);
	return rc;
}

#endif
