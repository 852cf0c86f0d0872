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

#endif
