/* Accounts that a file told of itself: kept in a session; and sessions from before there was a table of them. */
#include "session_sample.h"

static struct vmm_session *open_session(const char *path, enum vmm_session_mode mode)
{
	struct vmm_session *session = NULL;
	struct vmm_err err = {0};

	if (vmm_session_open(path, mode, &session, &err) < 0)
		fail_msg("%s", err.text);
	return session;
}

static struct vmm_snapshot *told(uint64_t size)
{
	struct vmm_snapshot *s = session_process(1, 10, 0);

	s->accounts = vmm_arena_array(s->arena, 2, sizeof(*s->accounts));
	assert_non_null(s->accounts);
	s->accounts[0] = (struct vmm_account){.id = "size", .label = "sizes = Total", .kernel_known = true, .kernel = size, .told = true,
	                                      .explanation = "half of it is missing"};
	s->accounts[1] = (struct vmm_account){.id = "locked", .label = "\033locked", .told = true, .explanation = ""};
	s->account_count = 2;
	return s;
}

static void add(struct vmm_session *session, struct vmm_snapshot *s)
{
	struct vmm_err err = {0};

	if (vmm_session_add(session, s, NULL, NULL, &err) < 0)
		fail_msg("%s", err.text);
	vmm_snapshot_destroy(s);
}

static struct vmm_snapshot *load(struct vmm_session *session, uint32_t number)
{
	struct vmm_snapshot *s = NULL;

	assert_int_equal(vmm_session_load(session, number, &s, NULL), 0);
	return s;
}

/* session_process() has 0x2000 bytes a mapping. */
static void check(struct vmm_session *session, uint32_t number, uint64_t size)
{
	struct vmm_snapshot *s = load(session, number);

	assert_int_equal(s->account_count, 2);
	assert_string_equal(s->accounts[0].id, "size");
	assert_string_equal(s->accounts[0].label, "sizes = Total");
	assert_true(s->accounts[0].told && s->accounts[0].sum_known && s->accounts[0].kernel_known);
	assert_int_equal(s->accounts[0].kernel, size);
	assert_int_equal(s->accounts[0].sum, 0x14000);
	assert_int_equal(s->accounts[0].remainder, 0x14000 - (int64_t)size);
	assert_string_equal(s->accounts[0].explanation, "half of it is missing");
	assert_string_equal(s->accounts[1].label, "\033locked");
	assert_false(s->accounts[1].kernel_known);
	assert_int_equal(s->accounts[1].remainder, 0);
	vmm_snapshot_destroy(s);
}

static void told_accounts_are_kept(void **state)
{
	const char *path = session_path("told");
	struct vmm_session *session = open_session(path, VMM_SESSION_CREATE);
	struct vmm_snapshot *s;

	add(session, told(0x14000));
	add(session, told(0x14000));
	add(session, told(0x15000));
	/* What follows from the rest takes no rows. */
	add(session, session_process(1, 10, 0));
	check(session, 1, 0x14000);
	check(session, 2, 0x14000);
	check(session, 3, 0x15000);
	s = load(session, 4);
	for (uint32_t i = 0; i < s->account_count; i++)
		assert_false(s->accounts[i].told);
	vmm_snapshot_destroy(s);
	vmm_session_close(session);
	assert_int_equal(session_query(path, "SELECT count(*) FROM account"), 3);
}

static void older_sessions_have_none(void **state)
{
	char path[256];
	struct vmm_session *session;
	struct vmm_snapshot *s;

	snprintf(path, sizeof(path), "%s", session_path("older"));
	session = open_session(path, VMM_SESSION_CREATE);
	add(session, session_process(1, 10, 0));
	vmm_session_close(session);
	session_change(path, "DROP TABLE account");
	session = open_session(path, VMM_SESSION_READ);
	s = load(session, 1);
	assert_int_equal(s->vma_count, 10);
	vmm_snapshot_destroy(s);
	vmm_session_close(session);
	assert_int_equal(session_query(path, "SELECT count(*) FROM sqlite_schema WHERE name = 'account'"), 0);
	/* Continued, it gets one. */
	session = open_session(path, VMM_SESSION_APPEND);
	add(session, told(0x13000));
	check(session, 2, 0x13000);
	vmm_session_close(session);
	session = open_session(path, VMM_SESSION_APPEND);
	check(session, 2, 0x13000);
	vmm_session_close(session);
}

/* Something else of that name is no table of ours. */
static void impostors_are_refused(void **state)
{
	static const char *const changes[] = {"DROP TABLE account; CREATE VIEW account AS SELECT * FROM note", "DROP TABLE account; CREATE TABLE account(x)",
	                                      "CREATE TRIGGER harm AFTER INSERT ON account BEGIN DELETE FROM text; END",
	                                      "DROP TABLE account; CREATE TABLE Account(x)"};
	static const enum vmm_session_mode modes[] = {VMM_SESSION_READ, VMM_SESSION_APPEND};

	for (size_t i = 0; i < ARRAY_LEN(changes); i++)
		for (size_t k = 0; k < ARRAY_LEN(modes); k++) {
			char path[256];
			struct vmm_session *session;

			snprintf(path, sizeof(path), "%s", session_path("impostor"));
			session = open_session(path, VMM_SESSION_CREATE);
			add(session, told(1));
			vmm_session_close(session);
			session_change(path, changes[i]);
			assert_int_equal(vmm_session_open(path, modes[k], &session, NULL), VMM_E_FORMAT);
		}
}

TEST_MAIN(cmocka_unit_test(told_accounts_are_kept), cmocka_unit_test(older_sessions_have_none), cmocka_unit_test(impostors_are_refused))
