/*
 * THE table of memory columns: text, CSV, JSON, sorting, filters, needs and help all come from it.
 * The order is that of the help and of default output.
 */
#include "view/view.h"

#define D VMM_COLUMN_DEFAULT
#define S VMM_COLUMN_SUMMARY
#define W VMM_COLUMN_WIDE
#define J VMM_COLUMN_JSON
#define ID VMM_COLUMN_ID

#define MAPS VMM_NEED_MAPS
#define SMAPS VMM_NEED_SMAPS
#define PAGES VMM_NEED_PAGES
#define HEAPS VMM_NEED_HEAPS
#define IMAGES VMM_NEED_IMAGES
#define THREADS VMM_NEED_THREADS
/* What tells an image from a file and a stack from private data. */
#define OWNERS (VMM_NEED_MAPS | VMM_NEED_IMAGES | VMM_NEED_THREADS)

#define METRIC(column_id, metric_name, column_title, theirs, need, column_flags, text)                                \
	{.id = column_id, .title = column_title, .vmmap = theirs, .help = text, .type = VMM_VALUE_BYTES, .needs = need, \
	 .flags = column_flags, .metric = VMM_METRIC_##metric_name}
#define COLUMN(column_id, column_type, getter, column_title, theirs, need, column_flags, text)                        \
	{.id = column_id, .title = column_title, .vmmap = theirs, .help = text, .type = VMM_VALUE_##column_type,        \
	 .needs = need, .flags = column_flags, .metric = -1, .get = vmm__get_##getter}

/* clang-format off */
static const struct vmm_column memory_columns[] = {
	COLUMN("address", ADDRESS, address, "Address", "Address", MAPS, D | J, "first address"),
	COLUMN("end", ADDRESS, end, "End", "", MAPS, J, "first address behind it"),
	COLUMN("kind", TEXT, kind, "Type", "Type", OWNERS, D | S | J, "type of memory: the id of a kind, see vmmap help kinds"),
	METRIC("size", SIZE, "Size", "Size", MAPS, D | S | J, "bytes of address range that are mapped"),
	METRIC("committed", COMMITTED, "Committed", "Committed", SMAPS, D | S | W | J,
	       "what is promised or provided: accessible file-backed and accounted bytes; of unaccounted anonymous memory "
	       "(MAP_NORESERVE, PROT_NONE) only what is resident or swapped; guards are not"),
	METRIC("private", PRIVATE, "Private", "Private", SMAPS, D | S | W | J,
	       "commit charge of this process alone: private mappings that the kernel accounts (VmFlag ac), and private pages "
	       "of the others; exceeds committed where charged memory was made inaccessible, for the charge stays"),
	METRIC("rss", RSS, "RSS", "Total WS", PAGES, D | S | J, "resident bytes, hugetlb included"),
	METRIC("pss", PSS, "PSS", "", SMAPS, D | S | W | J, "resident bytes, each page divided by the number of its users"),
	METRIC("uss", USS, "USS", "Private WS", SMAPS, D | S | W | J,
	       "resident bytes that only this process maps: Private_Clean + Private_Dirty + Private_Hugetlb"),
	METRIC("shareable", SHAREABLE, "Shareable", "Shareable WS", SMAPS, D | S | W | J,
	       "resident bytes of file or shmem mappings that are no private copies"),
	METRIC("shared", SHARED, "Shared", "Shared WS", SMAPS, D | S | W | J,
	       "resident bytes that another process maps now: Shared_Clean + Shared_Dirty + Shared_Hugetlb"),
	METRIC("locked", LOCKED, "Locked", "Locked WS", SMAPS, D | S | W | J, "bytes locked into memory"),
	METRIC("swap", SWAP, "Swap", "", PAGES, D | S | J, "swapped bytes"),
	METRIC("swap_pss", SWAP_PSS, "Swap PSS", "", SMAPS, J, "swapped bytes, each page divided by the number of its users"),
	METRIC("anonymous", ANONYMOUS, "Anonymous", "", SMAPS, J, "resident bytes that belong to no file, private copies of file pages included"),
	METRIC("dirty", DIRTY, "Dirty", "", SMAPS, J, "resident bytes written to since they were read or last written back"),
	METRIC("referenced", REFERENCED, "Referenced", "", SMAPS, J, "resident bytes marked as accessed"),
	METRIC("huge", HUGE, "Huge", "", SMAPS, J, "bytes mapped by huge pages: anonymous, shmem and file THP, and hugetlb"),
	METRIC("hugetlb", HUGETLB, "Hugetlb", "", SMAPS, J, "resident bytes of hugetlb pages"),
	METRIC("lazyfree", LAZYFREE, "Lazyfree", "", SMAPS, J, "bytes given back with MADV_FREE that the kernel has not taken yet"),
	METRIC("ksm", KSM, "KSM", "", SMAPS, J, "resident bytes merged with equal pages (KSM)"),
	METRIC("used", USED, "Used", "", HEAPS, J, "of heaps: bytes in live blocks"),
	METRIC("unused", UNUSED, "Unused", "", HEAPS, J, "of heaps: resident bytes that the allocator holds but nobody uses"),
	METRIC("stored", STORED, "Stored", "", MAPS, D | S | J,
	       "bytes whose contents are in the file: of cores and of sessions that keep contents"),
	COLUMN("used_count", COUNT, used_count, "Chunks", "", HEAPS, 0, "of heaps: number of live blocks"),
	COLUMN("free", BYTES, free, "Free", "", HEAPS, 0, "of heaps: bytes in freed blocks: cached, in fastbins, in lists"),
	COLUMN("free_count", COUNT, free_count, "Chunks", "", HEAPS, W, "of heaps: number of freed blocks"),
	COLUMN("top", BYTES, top, "Top", "", HEAPS, W, "of heaps: bytes at their ends from which new blocks are cut"),
	COLUMN("overhead", BYTES, overhead, "Overhead", "", HEAPS, W, "of heaps: the allocator's own: headers, padding, tables"),
	COLUMN("reserved", BYTES, reserved, "Reserved", "", HEAPS, W,
	       "of heaps: address space that the allocator holds but cannot hand out as it is"),
	COLUMN("largest_free", BYTES, largest_free, "Largest free", "", HEAPS, W, "of a heap: bytes of its largest freed block or end"),
	COLUMN("trimmable", BYTES, trimmable, "Trimmable", "", HEAPS, 0,
	       "of a heap: resident bytes that the allocator would give back if it were asked to"),
	COLUMN("threads", COUNT, heap_threads, "Threads", "", HEAPS | THREADS, W, "of a heap: threads that allocate from it, as far as known"),
	COLUMN("blocks", COUNT, blocks, "Blocks", "Blocks", OWNERS, D | S | W | J, "number of blocks"),
	COLUMN("largest", BYTES, largest, "Largest", "Largest", OWNERS, S | W | J, "of a kind its largest region, of a region its largest block"),
	COLUMN("regions", COUNT, regions, "Regions", "", OWNERS, 0, "of a kind or a file: number of regions"),
	COLUMN("protection", TEXT, protection, "Prot", "Protection", MAPS, D | J,
	       "rwx and s (shared) or p (private) as the kernel writes it; of a region whose blocks differ, each of theirs in "
	       "brief (r,rx,rw); ! in text: some block is writable and executable at once"),
	COLUMN("wx", FLAG, wx, "W+X", "", MAPS, J, "some part is writable and executable at once"),
	COLUMN("numa", TEXT, numa, "NUMA", "", VMM_NEED_NUMA, 0, "pages by NUMA node"),
	COLUMN("guard", FLAG, guard, "Guard", "", OWNERS, 0, "of a block: never accessible"),
	COLUMN("offset", ADDRESS, offset, "Offset", "", MAPS, 0, "offset in the file"),
	COLUMN("device", TEXT, device, "Device", "", MAPS, 0, "device of the file, major:minor in hexadecimal"),
	COLUMN("inode", COUNT, inode, "Inode", "", MAPS, ID, "inode number of the file"),
	COLUMN("vmflags", TEXT, vmflags, "VmFlags", "", SMAPS, 0, "the kernel's two-letter flags; of a region the union of its blocks"),
	COLUMN("page_size", BYTES, page_size, "Page", "", SMAPS, 0, "page size; of a region the largest of its blocks"),
	COLUMN("deleted", FLAG, deleted, "Deleted", "", MAPS, 0, "the file behind it has no name any more"),
	COLUMN("thread", COUNT, thread, "Thread", "", THREADS, ID, "id of the thread whose stack it is"),
	COLUMN("name", TEXT, name, "Name", "", THREADS, 0, "name of the thread whose stack it is"),
	COLUMN("state", TEXT, state, "State", "", THREADS, 0, "state of that thread: R, S, D, T, t, Z, X, I"),
	COLUMN("sp", ADDRESS, sp, "Stack pointer", "", THREADS, 0, "user stack pointer of that thread"),
	COLUMN("build_id", TEXT, build_id, "Build ID", "", IMAGES, W, "of an image: GNU build-id"),
	COLUMN("bits", COUNT, bits, "Bits", "", IMAGES, 0, "of an image: 32 or 64"),
	COLUMN("pie", FLAG, pie, "PIE", "", IMAGES, 0, "of an image: position independent (ET_DYN)"),
	COLUMN("replaced", FLAG, replaced, "Replaced", "", IMAGES, 0, "of an image: another file stands at its path now"),
	COLUMN("in_memory", FLAG, in_memory, "In memory", "", IMAGES, 0, "of an image: no file behind it, or a memfd"),
	COLUMN("heap", TEXT, heap, "Heap", "", HEAPS, 0, "id of the heap that it belongs to"),
	COLUMN("reader", TEXT, reader, "Reader", "", HEAPS, 0, "the code that understood that heap"),
	COLUMN("proved", FLAG, proved, "Proved", "", HEAPS, 0, "the numbers of that heap add up"),
	COLUMN("label", TEXT, label, "Label", "", OWNERS, 0, "of a block: its section, guard, generation, ..."),
	COLUMN("path", TEXT, path, "Path", "", MAPS, 0, "file or object behind it"),
	COLUMN("details", TEXT, details, "Details", "Details", OWNERS, D | J,
	       "what it is: path, thread, arena, runtime, section; in raw mode the kernel's name"),
};

#define ROLLUP VMM_PROCESS_ROLLUP
#define COMMIT VMM_PROCESS_COMMITTED

static const struct vmm_column process_columns[] = {
	COLUMN("pid", COUNT, pid, "PID", "", 0, D | ID, "process id"),
	COLUMN("ppid", COUNT, ppid, "Parent", "", 0, ID, "process id of the parent"),
	COLUMN("uid", COUNT, uid, "UID", "", 0, ID, "effective user id"),
	COLUMN("user", TEXT, user, "User", "", 0, D, "effective user by name"),
	COLUMN("state", TEXT, process_state, "State", "", 0, 0, "R, S, D, T, t, Z, X, I"),
	METRIC("rss", RSS, "RSS", "", 0, D, "resident bytes, hugetlb included"),
	METRIC("pss", PSS, "PSS", "", ROLLUP, D | W, "resident bytes, each page divided by the number of its users"),
	METRIC("uss", USS, "USS", "", ROLLUP, D | W, "resident bytes that only this process maps"),
	METRIC("swap", SWAP, "Swap", "", 0, D, "swapped bytes"),
	METRIC("size", SIZE, "Size", "", 0, D | W, "bytes of address range that are mapped"),
	METRIC("committed", COMMITTED, "Committed", "", COMMIT, D | W, "what is promised or provided, as in vmmap show"),
	METRIC("private", PRIVATE, "Private", "", COMMIT, 0,
	       "commit charge of this process alone, as in vmmap show; exceeds committed where charged memory was made inaccessible"),
	COLUMN("mappings", COUNT, mappings, "Mappings", "", VMM_PROCESS_MAPPINGS, D | W, "number of mappings, beside vm.max_map_count"),
	COLUMN("map_limit", COUNT, map_limit, "Map limit", "", 0, 0, "vm.max_map_count"),
	COLUMN("threads", COUNT, threads, "Threads", "", 0, D | W, "number of threads"),
	COLUMN("kernel_thread", FLAG, kernel_thread, "Kernel", "", 0, 0, "a thread of the kernel, without memory of its own"),
	COLUMN("name", TEXT, process_name, "Name", "", 0, D, "name of the process"),
	COLUMN("cgroup", TEXT, cgroup, "Cgroup", "", VMM_PROCESS_CGROUP, D | W, "path in the memory hierarchy of cgroups"),
	COLUMN("missing", TEXT, missing, "Missing", "", 0, 0, "why a number is unknown"),
	COLUMN("cmdline", TEXT, cmdline, "Command", "", VMM_PROCESS_CMDLINE, D, "arguments"),
};

static const struct vmm_column chunk_columns[] = {
	COLUMN("address", ADDRESS, heap_chunk_address, "Address", "", MAPS, D | J,
	       "what the allocation function returned; of what nobody uses its start"),
	COLUMN("size", BYTES, heap_chunk_size, "Size", "", MAPS, D | J, "bytes that may be used from there on"),
	COLUMN("start", ADDRESS, heap_chunk_start, "Start", "", MAPS, D | J, "first address, headers included"),
	COLUMN("stretch", BYTES, heap_chunk_stretch, "Stretch", "", MAPS, D | J, "all bytes from start on, headers and padding included"),
	COLUMN("state", TEXT, heap_chunk_state, "State", "", MAPS, D | J, "used, cached, fast, free, top, meta or reserved"),
	COLUMN("heap", TEXT, heap_chunk_heap, "Heap", "", OWNERS, D | J, "id of its heap"),
	COLUMN("region", ADDRESS, heap_chunk_region, "Region", "", OWNERS, D | J, "where the region begins that it lies in"),
	COLUMN("label", TEXT, heap_chunk_label, "Label", "", OWNERS, 0, "what its heap is"),
};

static const struct vmm_column string_columns[] = {
	COLUMN("address", ADDRESS, address, "Address", "", MAPS, D | J, "where it begins"),
	COLUMN("end", ADDRESS, end, "End", "", MAPS, 0, "first address behind it"),
	COLUMN("length", COUNT, length, "Length", "", MAPS, D | J, "bytes that it takes in memory"),
	COLUMN("encoding", TEXT, encoding, "Code", "", MAPS, D | W | J, "ascii, utf8 or utf16 (little-endian)"),
	COLUMN("kind", TEXT, kind, "Type", "", OWNERS, D | J, "type of memory that holds it, see vmmap help kinds"),
	COLUMN("state", TEXT, chunk_state, "State", "", HEAPS, D | W | J,
	       "of a heap's memory: used, cached, fast, free, top, meta or reserved"),
	COLUMN("chunk", ADDRESS, chunk, "Chunk", "", HEAPS, D | J,
	       "the heap's chunk that it begins in: of one in use what malloc() returned, of others where they start"),
	COLUMN("chunk_size", COUNT, chunk_size, "Chunk size", "", HEAPS, D | W | J, "bytes of that chunk that the program may use"),
	COLUMN("heap", TEXT, heap, "Heap", "", OWNERS, J, "id of the heap"),
	COLUMN("region", ADDRESS, region, "Region", "", OWNERS, J, "first address of the region that holds it"),
	COLUMN("protection", TEXT, protection, "Prot", "", MAPS, 0, "protection of that region"),
	COLUMN("thread", COUNT, thread, "Thread", "", THREADS, ID, "id of the thread whose stack holds it"),
	COLUMN("path", TEXT, path, "Path", "", MAPS, 0, "file or object behind the region"),
	COLUMN("details", TEXT, details, "Details", "", OWNERS, D | W | J, "what that region is"),
	COLUMN("cut", FLAG, cut, "Cut", "", MAPS, J, "text is only its first 4096 bytes"),
	COLUMN("text", TEXT, text, "Text", "", MAPS, D | J, "the string, escaped"),
};

#define EACH VMM_COLUMN_EACH
/* A metric of what differs: its change, and what it was before and after. */
#define CHANGE(column_id, metric_name, column_title, need, column_flags)                                                \
	{.id = column_id, .title = column_title, .vmmap = "", .help = "change of " column_id ": after less before",      \
	 .type = VMM_VALUE_CHANGE, .needs = need, .flags = column_flags, .metric = VMM_METRIC_##metric_name},              \
	{.id = column_id "_before", .title = column_title " before", .vmmap = "", .help = column_id " before",           \
	 .type = VMM_VALUE_BYTES, .needs = need, .metric = VMM_METRIC_##metric_name, .side = VMM_SIDE_BEFORE},             \
	{.id = column_id "_after", .title = column_title " after", .vmmap = "", .help = column_id " after",              \
	 .type = VMM_VALUE_BYTES, .needs = need, .metric = VMM_METRIC_##metric_name, .side = VMM_SIDE_AFTER}

static const struct vmm_column diff_columns[] = {
	COLUMN("state", TEXT, change_state, "State", "", MAPS, EACH, "new, gone, retyped, grown, shrunk, protected, moved, changed or same"),
	COLUMN("changes", TEXT, changes, "Changes", "", MAPS, EACH, "all of these that hold, joined by +"),
	COLUMN("kind", TEXT, kind, "Type", "", OWNERS, 0, "type of memory: the id of a kind, see vmmap help kinds"),
	COLUMN("address", ADDRESS, address, "Address", "", MAPS, EACH, "first address, of what is gone where it was"),
	COLUMN("end", ADDRESS, end, "End", "", MAPS, EACH, "first address behind it"),
	COLUMN("was", ADDRESS, was, "Was at", "", MAPS, EACH, "first address before"),
	CHANGE("size", SIZE, "Size", MAPS, 0),
	CHANGE("committed", COMMITTED, "Committed", SMAPS, 0),
	CHANGE("private", PRIVATE, "Private", SMAPS, W),
	CHANGE("rss", RSS, "RSS", PAGES, 0),
	CHANGE("pss", PSS, "PSS", SMAPS, W),
	CHANGE("uss", USS, "USS", SMAPS, W),
	CHANGE("shareable", SHAREABLE, "Shareable", SMAPS, W),
	CHANGE("shared", SHARED, "Shared", SMAPS, W),
	CHANGE("locked", LOCKED, "Locked", SMAPS, W),
	CHANGE("swap", SWAP, "Swap", PAGES, 0),
	CHANGE("swap_pss", SWAP_PSS, "Swap PSS", SMAPS, W),
	CHANGE("anonymous", ANONYMOUS, "Anonymous", SMAPS, W),
	CHANGE("dirty", DIRTY, "Dirty", SMAPS, W),
	CHANGE("referenced", REFERENCED, "Referenced", SMAPS, W),
	CHANGE("huge", HUGE, "Huge", SMAPS, W),
	CHANGE("hugetlb", HUGETLB, "Hugetlb", SMAPS, W),
	CHANGE("lazyfree", LAZYFREE, "Lazyfree", SMAPS, W),
	CHANGE("ksm", KSM, "KSM", SMAPS, W),
	CHANGE("used", USED, "Used", HEAPS, 0),
	CHANGE("unused", UNUSED, "Unused", HEAPS, 0),
	CHANGE("stored", STORED, "Stored", MAPS, W),
	COLUMN("count", CHANGE_COUNT, count_change, "Count", "", MAPS, 0,
	       "change of the number of regions of a type, blocks of a region, or chunks in use of a heap or a size"),
	COLUMN("free_count", CHANGE_COUNT, free_count_change, "Freed", "", HEAPS, W, "change of the number of freed chunks of a heap or a size"),
	COLUMN("class", COUNT, class_size, "Bytes each", "", HEAPS, EACH, "bytes of such a chunk that the program may use"),
	COLUMN("protection", TEXT, protection, "Prot", "", MAPS, EACH, "protection after; of what is gone before"),
	COLUMN("protection_before", TEXT, protection_before, "Prot before", "", MAPS, EACH, "protection before"),
	COLUMN("thread", COUNT, thread, "Thread", "", THREADS, ID | EACH, "id of the thread whose stack it is"),
	COLUMN("name", TEXT, name, "Name", "", THREADS, EACH, "name of the thread whose stack it is"),
	COLUMN("heap", TEXT, heap, "Heap", "", HEAPS, EACH, "id of the heap that it is or belongs to"),
	COLUMN("path", TEXT, path, "Path", "", MAPS, EACH, "file or object behind it"),
	COLUMN("details", TEXT, details, "Details", "", OWNERS, EACH, "what it is: path, thread, arena, runtime"),
};

#define MEMORY(table_id, type, default_columns, flag, need, text)                                                       \
	{.id = table_id, .help = text, .row_type = VMM_ROW_##type, .columns = memory_columns,                            \
	 .column_count = ARRAY_LEN(memory_columns), .defaults = default_columns, .default_flag = flag, .needs = MAPS | (need)}

#define DIFF(table_id, default_columns, need, text)                                                                      \
	{.id = table_id, .help = text, .row_type = VMM_ROW_DIFF, .columns = diff_columns, .defaults = default_columns,      \
	 .column_count = ARRAY_LEN(diff_columns), .needs = OWNERS | (need)}

/* The views. Their rows are made in rows.c. */
static const struct vmm_table tables[] = {
	MEMORY("types", TYPE, NULL, S, OWNERS, "one row for each type of memory, with the total"),
	MEMORY("regions", REGION, NULL, D, OWNERS, "one row for each region"),
	MEMORY("tree", REGION, NULL, D, OWNERS, "regions, each with its blocks below it"),
	MEMORY("heaps", HEAP, "heap,proved,size,rss,stored,used,used_count,free,free_count,top,overhead,unused,reserved,largest_free,trimmable,threads,label", 0, OWNERS | HEAPS,
	       "one row for each heap of an allocator"),
	MEMORY("threads", THREAD, "thread,state,sp,address,end,size,committed,rss,swap,stored,name", 0, OWNERS,
	       "one row for each thread, with its stack"),
	MEMORY("images", MODULE, "address,end,size,committed,rss,pss,uss,swap,stored,build_id,path", 0, OWNERS,
	       "one row for each ELF object: program, libraries, vdso"),
	/* Only VmFlags tell which mappings grow down and keep a gap below them. */
	MEMORY("free", GAP, "address,end,kind,size,details", 0, OWNERS | SMAPS, "one row for each stretch without a mapping"),
	MEMORY("files", FILE, "kind,regions,size,committed,rss,pss,uss,swap,stored,path", 0, OWNERS,
	       "one row for each file or object, all its regions together"),
	{.id = "chunks", .help = "one row for each chunk of a heap (vmmap heap --chunks)", .row_type = VMM_ROW_CHUNK,
	 .columns = chunk_columns, .column_count = ARRAY_LEN(chunk_columns), .default_flag = D, .needs = OWNERS},
	{.id = "strings", .help = "one row for each string in present memory (vmmap strings)", .row_type = VMM_ROW_STRING,
	 .columns = string_columns, .column_count = ARRAY_LEN(string_columns), .default_flag = D, .needs = OWNERS},
	DIFF("diff_types", "kind,size,committed,private,rss,pss,uss,swap,count", 0, "changes of each type of memory, with the total (vmmap diff)"),
	DIFF("diff_regions", "state,kind,address,size,committed,private,rss,swap,protection,details", 0, "regions that changed (vmmap diff)"),
	DIFF("diff_heaps", "state,heap,size,rss,used,count,unused,free_count,details", HEAPS, "heaps that changed (vmmap diff)"),
	DIFF("diff_classes", "class,state,used,count,free_count", HEAPS, "chunk sizes of which there are more or fewer (vmmap diff)"),
	{.id = "processes", .help = "one row for each process", .row_type = VMM_ROW_PROCESS, .columns = process_columns,
	 .column_count = ARRAY_LEN(process_columns), .default_flag = D},
};
/* clang-format on */

const struct vmm_table *vmm_table_at(size_t i)
{
	return i < ARRAY_LEN(tables) ? &tables[i] : NULL;
}

const struct vmm_table *vmm_table_find(const char *id)
{
	for (size_t i = 0; i < ARRAY_LEN(tables); i++)
		if (strcmp(tables[i].id, id) == 0)
			return &tables[i];
	return NULL;
}

const struct vmm_column *vmm__column_find(const struct vmm_table *table, const char *name, size_t length)
{
	for (size_t i = 0; i < table->column_count; i++)
		if (strlen(table->columns[i].id) == length && memcmp(table->columns[i].id, name, length) == 0)
			return &table->columns[i];
	return NULL;
}

const struct vmm_column *vmm_column_find(const struct vmm_table *table, const char *id)
{
	return vmm__column_find(table, id, strlen(id));
}

#define WORD_MAX 31 /* a longer word is like no id */

/* Insertions, deletions and replacements that lead from a to b (Levenshtein). */
static unsigned distance(const char *a, size_t a_length, const char *b, size_t b_length)
{
	unsigned row[WORD_MAX + 1];

	for (unsigned j = 0; j <= b_length; j++)
		row[j] = j;
	for (unsigned i = 1; i <= a_length; i++) {
		unsigned corner = row[0];

		row[0] = i;
		for (unsigned j = 1; j <= b_length; j++) {
			unsigned replaced = corner + (a[i - 1] != b[j - 1]);
			unsigned shorter = row[j] < row[j - 1] ? row[j] : row[j - 1];

			corner = row[j];
			row[j] = shorter + 1 < replaced ? shorter + 1 : replaced;
		}
	}
	return row[b_length];
}

const char *vmm__nearest(const char *const *ids, size_t count, const char *name, size_t length)
{
	const char *best = NULL;
	unsigned least = length <= 3 ? 1 : length <= 6 ? 2 : 3;

	if (length == 0 || length > WORD_MAX)
		return NULL;
	for (size_t i = 0; i < count; i++) {
		size_t n = strlen(ids[i]);
		unsigned d = n <= WORD_MAX ? distance(name, length, ids[i], n) : WORD_MAX;

		if (d < least || (d == least && !best)) {
			least = d;
			best = ids[i];
		}
	}
	return best;
}

const char *vmm__column_nearest(const struct vmm_table *table, const char *name, size_t length)
{
	const char *ids[ARRAY_LEN(memory_columns) + ARRAY_LEN(diff_columns)];

	for (size_t i = 0; i < table->column_count; i++)
		ids[i] = table->columns[i].id;
	return vmm__nearest(ids, table->column_count, name, length);
}
