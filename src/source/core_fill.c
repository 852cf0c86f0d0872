/* From a core to a snapshot: what it tells, and nothing more. */
#include <stdlib.h>
#include <string.h>

#include "source/core.h"

/* Ends of user address spaces; Linux arch/x86/include/asm/page_64_types.h and page_32_types.h, arch/arm64/include/asm/processor.h. */
#define END_X86_64 UINT64_C(0x7ffffffff000)
#define END_X86_64_5LEVEL UINT64_C(0xfffffffffff000)
#define END_IA32_ON_64 UINT64_C(0xffffe000)
#define END_NATIVE_32 UINT64_C(0xc0000000)
#define END_ARM32_ON_64 UINT64_C(0x100000000)
#define STACK_RANDOM_MAX (UINT64_C(1) << 34) /* the most that any of these architectures moves the stack down */
#define STACK_RANDOM_MAX_32 (UINT64_C(16) << 20)

static void fill_numbers(struct vmm_vma *v, const struct core_piece *p)
{
	vmm_metric_set(&v->m, VMM_METRIC_SIZE, p->end - p->start);
	vmm_metric_set(&v->m, VMM_METRIC_STORED, p->stored);
}

static int fill_mappings(struct core_target *t, struct vmm_snapshot *s, struct vmm_err *err)
{
	const char **names = vmm_arena_array(s->arena, t->name_count + 1, sizeof(*names));

	s->vmas = vmm_arena_array(s->arena, t->piece_count, sizeof(*s->vmas));
	if (!names || !s->vmas)
		return vmm_fail_nomem(err);
	for (size_t i = 0; i < t->name_count; i++) {
		names[i] = vmm_arena_strdup(s->arena, t->names[i].path);
		if (!names[i])
			return vmm_fail_nomem(err);
	}
	for (size_t i = 0; i < t->piece_count; i++) {
		const struct core_piece *p = &t->pieces[i];
		struct vmm_vma *v = &s->vmas[i];

		*v = (struct vmm_vma){.start = p->start, .end = p->end, .offset = p->file_offset, .name = "", .backing = p->backing};
		v->prot = p->prot | (p->shared ? VMM_PROT_SHARED : p->shared_known ? 0 : VMM_PROT_UNKNOWN);
		if (p->special) {
			v->name = p->special;
		} else if (p->name != VMM_NONE) {
			v->name = names[p->name];
			v->deleted = t->names[p->name].deleted;
		}
		fill_numbers(v, p);
	}
	s->vma_count = (uint32_t)t->piece_count;
	return 0;
}

static int by_tid(const void *a, const void *b)
{
	const struct vmm_thread *x = a, *y = b;

	return (x->tid > y->tid) - (x->tid < y->tid);
}

static int fill_threads(struct core_target *t, struct vmm_snapshot *s, struct vmm_err *err)
{
	const struct vmm_thread *told = s->threads; /* by the sidecar */
	uint32_t told_count = s->thread_count;

	s->threads = vmm_arena_array(s->arena, t->thread_count + 1, sizeof(*s->threads));
	if (!s->threads)
		return vmm_fail_nomem(err);
	for (size_t i = 0; i < t->thread_count; i++) {
		const struct vmm_core_thread *from = &t->threads[i];
		struct vmm_thread *th = &s->threads[i];

		*th = (struct vmm_thread){.tid = from->tid, .sp_known = true, .sp = from->sp, .region = VMM_NONE};
		th->descriptor = from->tp_known ? from->tp : 0;
		if (from->tid == s->target.pid)
			th->name = s->target.name;
	}
	s->thread_count = (uint32_t)t->thread_count;
	core_sidecar_threads(t, s, told, told_count);
	qsort(s->threads, s->thread_count, sizeof(*s->threads), by_tid);
	s->threads_complete = !t->notes_cut && t->thread_count > 0;
	return 0;
}

static int fill_process(struct core_target *t, struct vmm_snapshot *s, struct vmm_err *err)
{
	const struct vmm_core_process *p = &t->process;
	struct vmm_target_info *info = &s->target;
	uint64_t uid, euid;
	size_t length;

	if (!t->process_known) {
		vmm_snapshot_note(s, "core", "missing", 0, "the core does not tell which process it is of: it has no NT_PRPSINFO note");
		info->pid = t->thread_count ? t->threads[0].tid : 0;
		return 0;
	}
	info->pid = p->pid;
	info->ppid = p->ppid;
	info->uid = p->uid;
	/* The note has the real user; a program that got another by its file may have either. */
	if (core_auxv(t, VMM_AT_UID, &uid) && core_auxv(t, VMM_AT_EUID, &euid)) {
		if (p->uid_short && p->uid == 65534 && uid > UINT16_MAX)
			info->uid = (int64_t)uid;
		if (uid != euid && info->uid == (int64_t)uid)
			info->uid = -1;
	}
	info->name = vmm_arena_strndup(s->arena, p->name, p->name_length);
	length = p->args_length;
	while (length && p->args[length - 1] == ' ')
		length--;
	info->cmdline = vmm_arena_strndup(s->arena, p->args, length);
	return info->name && info->cmdline ? 0 : vmm_fail_nomem(err);
}

/* The file of the mapping that holds the program headers, else the entry point. */
static void fill_program(struct core_target *t, struct vmm_snapshot *s)
{
	static const uint8_t places[] = {VMM_AT_PHDR, VMM_AT_ENTRY};

	core_auxv(t, VMM_AT_ENTRY, &s->target.entry);
	for (size_t i = 0; i < ARRAY_LEN(places) && !s->target.exe[0]; i++) {
		uint64_t address;
		const struct vmm_vma *v = core_auxv(t, places[i], &address) ? vmm_snapshot_vma_at(s, address) : NULL;

		if (v && (v->name[0] == '/' || (v->name[0] && v->backing == VMM_BACKING_FILE))) {
			s->target.exe = v->name;
			s->target.exe_deleted = v->deleted;
		}
	}
}

/* The end of the main thread's stack; 0: not known. */
static uint64_t stack_end(const struct core_target *t)
{
	for (size_t i = t->piece_count; i-- > 0;)
		if (t->pieces[i].special && strcmp(t->pieces[i].special, "[stack]") == 0)
			return t->pieces[i].end;
	return 0;
}

/* The highest mapping below the kernel's half. */
static uint64_t highest_end(const struct core_target *t)
{
	for (size_t i = t->piece_count; i-- > 0;)
		if (t->pieces[i].end <= END_X86_64_5LEVEL + 4096)
			return t->pieces[i].end;
	return 0;
}

static bool stack_is_below(uint64_t stack, uint64_t end, uint64_t reach)
{
	return stack && stack <= end && end - stack <= reach;
}

/* Where the user address space ends: proved by the architecture, or by the stack, which the kernel puts close to it. */
static uint64_t user_end(const struct core_target *t)
{
	static const uint8_t bits_arm64[] = {36, 39, 42, 47, 48, 52};
	uint64_t stack = stack_end(t), high = highest_end(t), end = 0;

	switch (t->header.machine) {
	case VMM_EM_X86_64:
		end = high > END_X86_64 ? END_X86_64_5LEVEL : END_X86_64;
		break;
	case VMM_EM_386:
		if (stack_is_below(stack, END_NATIVE_32, STACK_RANDOM_MAX_32))
			end = END_NATIVE_32;
		else if (high > END_NATIVE_32)
			end = END_IA32_ON_64;
		break;
	case VMM_EM_ARM:
		if (stack_is_below(stack, END_ARM32_ON_64, STACK_RANDOM_MAX_32))
			end = END_ARM32_ON_64;
		break;
	default:
		for (size_t i = 0; i < ARRAY_LEN(bits_arm64) && !end; i++)
			if (stack_is_below(stack, UINT64_C(1) << bits_arm64[i], STACK_RANDOM_MAX))
				end = UINT64_C(1) << bits_arm64[i];
	}
	return end && end < high ? high : end;
}

/* The kernel writes the thread that the signal hit first; gdb's cores are of processes that go on. */
static void fill_death(const struct core_target *t, struct vmm_snapshot *s)
{
	struct vmm_death *d = &s->target.death;
	int32_t number = t->signal_known ? t->signal.number : t->thread_count ? t->threads[0].signal : 0;

	if (t->by_gdb || !t->thread_count || !vmm_core_signal_name(number))
		return;
	*d = (struct vmm_death){.known = true, .signal = number, .tid = t->threads[0].tid};
	if (!t->signal_known)
		return;
	d->code = t->signal.code;
	d->address_known = t->signal.address_known;
	d->address = t->signal.address;
}

static void note_losses(const struct core_target *t, struct vmm_snapshot *s)
{
	uint64_t lost = 0, first = 0;
	uint32_t count = 0;

	for (size_t i = 0; i < t->piece_count; i++) {
		if (!t->pieces[i].lost)
			continue;
		if (!count++)
			first = t->pieces[i].start;
		lost = vmm_add_sat(lost, t->pieces[i].lost);
	}
	if (count)
		vmm_snapshot_note(s, "core", "truncated", first,
		                  "the core is cut off: it ends at byte %llu of %llu, so %llu bytes of %u mappings are missing; a limit (ulimit -c, "
		                  "systemd's ProcessSizeMax) or a full disk does that",
		                  (unsigned long long)t->size, (unsigned long long)t->wanted, (unsigned long long)lost, count);
	if (vmm_bytes_damage(t->bytes))
		vmm_snapshot_note(s, "core", "damaged", 0, "%s", vmm_bytes_damage(t->bytes));
	if (t->notes_cut)
		vmm_snapshot_note(s, "core", "truncated", 0, "the core's notes are cut off: threads and names of files can be missing");
	if (t->segments_dropped)
		vmm_snapshot_note(s, "core", "malformed", 0, "%u mappings of the core overlap others or cannot be: they are left out", t->segments_dropped);
	if (!t->has_files)
		vmm_snapshot_note(s, "core", "missing", 0,
		                  "the core does not tell which files were mapped (it has no NT_FILE note): images have the names that the dynamic linker's list "
		                  "has in memory, mappings of other files show as Private Data");
}

int core_fill(struct vmm_target *base, const struct vmm_take *take, struct vmm_snapshot *s, struct vmm_err *err)
{
	struct core_target *t = (struct core_target *)base;
	uint64_t page;
	const char *full;
	int rc;

	rc = t->sidecar ? core_sidecar_fill(t, take, s, err) : 0;
	if (rc < 0)
		return rc;
	s->target.source = "core";
	s->target.arch = vmm_core_arch(&t->header);
	s->target.bits = t->header.bits;
	s->target.page_size = core_auxv(t, VMM_AT_PAGESZ, &page) && page >= 4096 && page <= 65536 && !(page & (page - 1)) ? (uint32_t)page : 4096;
	s->target.user_end = user_end(t);
	s->taken_at = t->written;
	if (t->sidecar_refused)
		vmm_snapshot_note(s, "sidecar", "refused", t->sidecar_differs, "the capture beside the core is not used: %s", t->sidecar_refused);
	if (!t->sidecar) {
		rc = fill_process(t, s, err);
		if (rc == 0)
			rc = fill_mappings(t, s, err);
	}
	if (rc < 0)
		return rc;
	full = core_cmdline(t, s->arena);
	if (full)
		s->target.cmdline = full;
	fill_program(t, s);
	fill_death(t, s);
	note_losses(t, s);
	return take->needs & VMM_NEED_THREADS ? fill_threads(t, s, err) : 0;
}
