/*
 * Adds snapshots of targets to a session: session_of FILE [--heaps] [--extra] [--fast] [--memory KINDS] [--times N] TARGET...
 * Prints the number of each.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmmap/vmmap.h"

static int add(struct vmm_session *session, const char *name, uint32_t needs, uint32_t kinds, int times)
{
	struct vmm_take take = {.needs = needs};
	struct vmm_target *target;
	struct vmm_snapshot *s;
	struct vmm_err err;
	uint32_t number;
	int rc = vmm_target_open(name, &target, &err);

	if (rc == 0) {
		struct vmm_session_memory memory = {.target = target, .kinds = kinds};

		rc = vmm_target_snapshot(target, &take, &s, &err);
		for (int i = 0; rc == 0 && i < times; i++) {
			rc = vmm_session_add(session, s, kinds ? &memory : NULL, &number, &err);
			if (rc == 0 && times == 1)
				printf("%u\n", number);
		}
		if (rc == 0)
			vmm_snapshot_destroy(s);
		vmm_target_close(target);
	}
	if (rc < 0)
		fprintf(stderr, "session_of: %s\n", err.text);
	return rc;
}

static uint32_t kinds_of(char *text)
{
	uint32_t kinds = 0;

	for (char *save = NULL, *word = strtok_r(text, ",", &save); word; word = strtok_r(NULL, ",", &save))
		kinds |= strcmp(word, "all") == 0 ? UINT32_MAX : UINT32_C(1) << vmm_kind_find(word);
	return kinds;
}

int main(int argc, char **argv)
{
	uint32_t needs = VMM_NEED_DEFAULT, kinds = 0;
	struct vmm_session *session;
	struct vmm_err err;
	int rc = 0, times = 1;

	if (argc < 3)
		return 2;
	if (vmm_session_open(argv[1], VMM_SESSION_APPEND, &session, &err) < 0) {
		fprintf(stderr, "session_of: %s\n", err.text);
		return 1;
	}
	for (int i = 2; i < argc; i++) {
		if (strcmp(argv[i], "--heaps") == 0)
			needs |= VMM_NEED_HEAPS;
		else if (strcmp(argv[i], "--extra") == 0)
			needs |= VMM_NEED_EXTRA | VMM_NEED_NUMA;
		else if (strcmp(argv[i], "--fast") == 0)
			needs = VMM_NEED_FAST;
		else if (strcmp(argv[i], "--memory") == 0 && i + 1 < argc)
			kinds = kinds_of(argv[++i]);
		else if (strcmp(argv[i], "--times") == 0 && i + 1 < argc)
			times = (int)strtol(argv[++i], NULL, 10);
		else if ((rc = add(session, argv[i], needs, kinds, times)) < 0)
			break;
	}
	vmm_session_close(session);
	return rc < 0;
}
