/*
 * Prints the memory of a process by type, as a client of libvmmap:
 *
 *     cc types.c $(pkg-config --cflags --libs vmmap) -o types && ./types 4711
 */
#include <inttypes.h>
#include <stdio.h>

#include <vmmap/vmmap.h>

/* A size in KiB, "?" when it is unknown, ">=" when only a lower bound is known. */
static void print_metric(const struct vmm_metrics *m, enum vmm_metric i)
{
	char text[32];

	if (vmm_metric_known(m, i))
		snprintf(text, sizeof(text), "%" PRIu64, m->value[i] / 1024);
	else if (m->at_least >> i & 1)
		snprintf(text, sizeof(text), ">=%" PRIu64, m->value[i] / 1024);
	else
		snprintf(text, sizeof(text), "?");
	printf(" %15s", text);
}

static void print_row(const char *label, const struct vmm_type_total *row)
{
	printf("%-14s", label);
	print_metric(&row->m, VMM_METRIC_SIZE);
	print_metric(&row->m, VMM_METRIC_COMMITTED);
	print_metric(&row->m, VMM_METRIC_RSS);
	print_metric(&row->m, VMM_METRIC_PSS);
	printf(" %8" PRIu64 "\n", row->blocks);
}

static void print_types(const struct vmm_snapshot *s)
{
	printf("%-14s %15s %15s %15s %15s %8s\n", "Type", "Size KiB", "Committed", "RSS", "PSS", "Blocks");
	for (int kind = 0; kind < VMM_KIND_COUNT; kind++)
		if (kind != VMM_KIND_FREE && s->types[kind].blocks > 0)
			print_row(vmm_kind_label((enum vmm_kind)kind), &s->types[kind]);
	print_row("Total", &s->total);
	for (uint32_t i = 0; i < s->note_count; i++)
		printf("note: %s: %s\n", s->notes[i].from, s->notes[i].text);
}

/* Opens the target, takes one snapshot, closes the target: the snapshot outlives it. */
static int take_snapshot(const char *name, struct vmm_snapshot **ret_snapshot, struct vmm_err *err)
{
	const struct vmm_take take = {.needs = VMM_NEED_DEFAULT};
	struct vmm_target *target;
	int r = vmm_target_open(name, &target, err);

	if (r < 0)
		return r;
	r = vmm_target_snapshot(target, &take, ret_snapshot, err);
	vmm_target_close(target);
	return r;
}

int main(int argc, char **argv)
{
	struct vmm_snapshot *snapshot;
	struct vmm_err err;
	int r;

	if (argc != 2) {
		fprintf(stderr, "usage: %s PID|NAME\n", argv[0]);
		return 2;
	}
	r = take_snapshot(argv[1], &snapshot, &err);
	if (r < 0) {
		fprintf(stderr, "%s: %s\n", argv[0], err.text);
		return vmm_error_status(r);
	}
	print_types(snapshot);
	vmm_snapshot_destroy(snapshot);
	return 0;
}
