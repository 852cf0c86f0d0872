/*
 * The target chooses its names and what stands in its memory, and two that have one hash in a session are easy to make: each
 * is kept as it is.
 */
#include "session_sample.h"

#include "../session_build.h"
#include "session/memory.h"

/* Of session/store.h, whose rows are others than those of vmmap.h. */
uint64_t vmm_session_hash(const void *data, size_t length);

/*
 * The hash of text with these bits turned is the same: what the first of two words does to its top bit, a multiplication by
 * an odd number leaves there, the shift copies to bit 31, and the second word takes back.
 */
static void turn(char *text)
{
	text[7] ^= (char)0x80;
	text[11] ^= (char)0x80;
	text[15] ^= (char)0x80;
}

static struct vmm_session *open_session(const char *path, enum vmm_session_mode mode)
{
	struct vmm_session *session = NULL;
	struct vmm_err err = {0};

	if (vmm_session_open(path, mode, &session, &err) < 0)
		fail_msg("%s", err.text);
	return session;
}

static void add_named(struct vmm_session *session, const char *first, const char *second)
{
	struct vmm_snapshot *s = session_process(1, 20, 0);

	s->vmas[3].name = first;
	s->vmas[5].name = second;
	assert_int_equal(vmm_session_add(session, s, NULL, NULL, NULL), 0);
	vmm_snapshot_destroy(s);
}

static void check_named(struct vmm_session *session, uint32_t number, const char *first, const char *second)
{
	struct vmm_snapshot *s;

	assert_int_equal(vmm_session_load(session, number, &s, NULL), 0);
	assert_string_equal(s->vmas[3].name, first);
	assert_string_equal(s->vmas[5].name, second);
	vmm_snapshot_destroy(s);
}

static void names_of_one_hash_stay_apart(void **state)
{
	const char *path = session_path("names");
	struct vmm_session *session = open_session(path, VMM_SESSION_CREATE);
	char one[] = "/tmp/a file of mine", other[] = "/tmp/a file of mine";

	turn(other);
	assert_int_equal(vmm_session_hash(one, sizeof(one) - 1), vmm_session_hash(other, sizeof(other) - 1));
	add_named(session, one, other);
	add_named(session, other, one);
	vmm_session_close(session);
	/* What was written is found again in the file. */
	session = open_session(path, VMM_SESSION_APPEND);
	add_named(session, one, one);
	add_named(session, one, other);
	check_named(session, 1, one, other);
	check_named(session, 2, other, one);
	check_named(session, 3, one, one);
	check_named(session, 4, one, other);
	vmm_session_close(session);
	assert_int_equal(session_query(path, "SELECT count(*) FROM text WHERE value = '/tmp/a file of mine'"), 1);
	assert_int_equal(session_query(path, "SELECT count(DISTINCT value) - count(*) FROM text"), 0);
}

static void check_byte(struct vmm_session *session, uint32_t number, unsigned char expected)
{
	struct vmm_stored *m;
	unsigned char byte = 0;

	assert_int_equal(vmm_stored_open(session, number, &m, NULL), 0);
	assert_non_null(m);
	assert_int_equal(vmm_stored_read(m, 0x500007, &byte, 1, NULL), 1);
	assert_int_equal(byte, expected);
	vmm_stored_close(m);
}

static void contents_of_one_hash_stay_apart(void **state)
{
	const char *path = session_path("contents");
	struct vmm_session *session = open_session(path, VMM_SESSION_CREATE);
	struct built_memory *memory = malloc(sizeof(*memory));
	struct vmm_session_memory how = {.kinds = UINT32_C(1) << VMM_KIND_HEAP};
	struct vmm_snapshot *s = built_snapshot();

	assert_non_null(memory);
	built_memory_init(memory);
	how.target = &memory->target.base;
	for (int i = 0; i < 3; i++) {
		assert_int_equal(vmm_session_add(session, s, &how, NULL, NULL), 0);
		turn((char *)memory->heap);
	}
	assert_int_equal(vmm_session_add(session, s, &how, NULL, NULL), 0);
	assert_int_equal(vmm_session_add(session, s, &how, NULL, NULL), 0);
	for (uint32_t i = 1; i <= 4; i++)
		check_byte(session, i, built_byte(0x500007) ^ (i % 2 ? 0 : 0x80));
	check_byte(session, 5, built_byte(0x500007) ^ 0x80);
	vmm_session_close(session);
	vmm_snapshot_destroy(s);
	free(memory);
}

TEST_MAIN(cmocka_unit_test(names_of_one_hash_stay_apart), cmocka_unit_test(contents_of_one_hash_stay_apart))
