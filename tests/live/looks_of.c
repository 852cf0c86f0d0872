/*
 * Adds looks at a process to a session, at times that its user chooses: for each line SECONDS[.FRACTION] on standard
 * input a snapshot with that time; answers with its number. Usage: looks_of FILE PID
 */
#include <stdio.h>
#include <stdlib.h>

#include <vmmap/vmmap.h>

static int add(struct vmm_session *session, int32_t pid, double seconds, uint32_t *ret_number, struct vmm_err *err)
{
	const struct vmm_take take = {.needs = VMM_NEED_DEFAULT | VMM_NEED_HEAPS};
	struct vmm_target *target;
	struct vmm_snapshot *s;
	int rc = vmm_target_open_pid(pid, &target, err);

	if (rc < 0)
		return rc;
	rc = vmm_target_snapshot(target, &take, &s, err);
	vmm_target_close(target);
	if (rc < 0)
		return rc;
	s->taken_at.tv_sec = (time_t)seconds;
	s->taken_at.tv_nsec = (long)((seconds - (double)s->taken_at.tv_sec) * 1e9);
	rc = vmm_session_add(session, s, NULL, ret_number, err);
	vmm_snapshot_destroy(s);
	return rc;
}

int main(int argc, char **argv)
{
	struct vmm_session *session;
	struct vmm_err err;
	uint32_t number;
	char line[64];
	int rc;

	if (argc != 3)
		return 2;
	rc = vmm_session_open(argv[1], VMM_SESSION_APPEND, &session, &err);
	while (rc == 0 && fgets(line, sizeof(line), stdin)) {
		rc = add(session, (int32_t)strtol(argv[2], NULL, 10), strtod(line, NULL), &number, &err);
		if (rc == 0) {
			printf("%u\n", number);
			fflush(stdout);
		}
	}
	if (rc < 0) {
		fprintf(stderr, "looks_of: %s\n", err.text);
		return 1;
	}
	vmm_session_close(session);
	return 0;
}
