/* Names for addresses: symbol tables read when they are first asked for, kept sorted. */
#include "vmmap/symbols.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/search.h"
#include "analysis/image.h"
#include "format/cxx_name.h"

#define TABLES_MAX (UINT64_C(512) << 20) /* bytes of symbols and their names, of all modules together */
#define SECTION_HEADERS_MAX (8 * 1024 * 1024)
#define BACK_MAX 16 /* symbols before the nearest one that may reach over it */

struct entry {
	uint64_t address, size;
	uint32_t name;
	uint8_t type, rank; /* rank: who is shown of several at one address, the highest */
};

struct table {
	bool tried;
	struct entry *entries;
	size_t count, capacity;
	char *names; /* names_length bytes, the last is NUL */
	size_t names_length;
};

struct vmm_symbols {
	struct vmm_target *target;
	const struct vmm_snapshot *snapshot;
	struct table *tables; /* by module */
	uint64_t budget;
};

/* What is read of one file on the way to its table. */
struct loading {
	struct vmm_image_bytes bytes;
	struct vmm_elf_header header;
	unsigned char *sections, *symbols;
	size_t sections_length, symbols_length;
};

static void loading_done(struct loading *l)
{
	vmm_close_fd(&l->bytes.fd);
	free(l->sections);
	free(l->symbols);
}

/* The file of a module. Of an object without one, memory holds what the loader took, which has no table. */
static bool open_module(const struct vmm_symbols *syms, const struct vmm_module *m, struct vmm_image_bytes *ret)
{
	const struct vmm_snapshot *s = syms->snapshot;
	const struct vmm_region *r = m->region < s->region_count ? &s->regions[m->region] : NULL;
	struct stat st;

	*ret = (struct vmm_image_bytes){.fd = -1};
	for (uint32_t i = 0; r && i < r->block_count && r->first_block + i < s->block_count; i++) {
		uint32_t at = s->blocks[r->first_block + i].vma;
		const struct vmm_vma *v = at < s->vma_count ? &s->vmas[at] : NULL;

		if (!v || (v->backing != VMM_BACKING_FILE && v->backing != VMM_BACKING_SHMEM))
			continue;
		ret->fd = syms->target->ops->open_file(syms->target, v, NULL);
		if (ret->fd >= 0 && fstat(ret->fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0) {
			ret->size = (uint64_t)st.st_size;
			return true;
		}
		vmm_close_fd(&ret->fd);
		return false;
	}
	return false;
}

static bool read_sections(struct loading *l)
{
	unsigned char raw[VMM_ELF_HEADER_BYTES] = {0};
	struct vmm_elf_section zero;
	uint64_t count;

	if (vmm_image_bytes_read(&l->bytes, 0, raw, sizeof(raw), NULL) < 0 ||
	    vmm_elf_parse_header(raw, sizeof(raw), &l->header, NULL) < 0 || l->header.shoff == 0)
		return false;
	count = l->header.shnum;
	if (count == 0) {
		size_t length = l->header.bits == 64 ? 64 : 40;

		if (vmm_image_bytes_read(&l->bytes, l->header.shoff, raw, length, NULL) < 0 ||
		    !vmm_elf_section_at(&l->header, raw, length, 0, &zero))
			return false;
		count = zero.size;
	}
	if (count > VMM_ELF_SECTIONS_MAX || count * l->header.shentsize > SECTION_HEADERS_MAX)
		return false;
	l->sections_length = (size_t)(count * l->header.shentsize);
	return vmm_image_table_read(&l->bytes, l->header.shoff, l->sections_length, &l->sections, NULL) >= 0;
}

static bool section_of_type(const struct loading *l, uint32_t type, struct vmm_elf_section *ret)
{
	for (uint32_t i = 0; vmm_elf_section_at(&l->header, l->sections, l->sections_length, i, ret); i++)
		if (ret->type == type && ret->size)
			return true;
	return false;
}

/* Public names before inner ones, plain before underlined: malloc rather than __libc_malloc. */
static uint8_t rank_of(const struct vmm_elf_symbol *s, const char *name)
{
	unsigned underlines = (unsigned)strspn(name, "_");
	bool mangled = name[0] == '_' && (name[1] == 'Z' || name[1] == 'R');

	return (uint8_t)((s->size ? 32 : 0) + (s->type != VMM_ELF_STT_NOTYPE ? 16 : 0) + (s->bind == VMM_ELF_STB_GLOBAL ? 4 : s->bind ? 3 : 0) +
	                 (mangled || underlines == 0 ? 8 : underlines == 1 ? 4 : 0));
}

static bool takes(const struct vmm_elf_symbol *s, const char *name)
{
	return s->section != 0 && s->value != 0 && name[0] && name[0] != '$' &&
	       (s->type == VMM_ELF_STT_FUNC || s->type == VMM_ELF_STT_OBJECT || s->type == VMM_ELF_STT_IFUNC ||
	        (s->type == VMM_ELF_STT_NOTYPE && s->bind != VMM_ELF_STB_LOCAL));
}

static int by_address(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;

	if (x->address != y->address)
		return x->address < y->address ? -1 : 1;
	if (x->rank != y->rank)
		return x->rank > y->rank ? -1 : 1;
	return x->name < y->name ? -1 : x->name > y->name;
}

static bool collect(struct table *t, const struct loading *l, const struct vmm_module *m)
{
	struct vmm_elf_symbol s;
	size_t kept = 0;

	for (uint32_t i = 0; vmm_elf_symbol_at(&l->header, l->symbols, l->symbols_length, i, &s); i++) {
		const char *name = vmm_elf_section_name(t->names, t->names_length, s.name);

		if (!takes(&s, name))
			continue;
		if (!vmm_grow(&t->entries, &t->capacity, t->count + 1, sizeof(*t->entries)))
			return false;
		t->entries[t->count++] = (struct entry){s.value + m->bias, s.size, s.name, s.type, rank_of(&s, name)};
	}
	if (t->count)
		qsort(t->entries, t->count, sizeof(*t->entries), by_address);
	for (size_t i = 0; i < t->count; i++)
		if (i == 0 || t->entries[i].address != t->entries[kept - 1].address)
			t->entries[kept++] = t->entries[i];
	t->count = kept;
	return true;
}

/* Reads the symbols of one type; false: the file has none, or they are malformed. */
static bool take_table(struct vmm_symbols *syms, const struct vmm_module *m, struct loading *l, uint32_t type, struct table *t)
{
	struct vmm_elf_section symbols, names;
	unsigned char *text = NULL;
	uint64_t cost;

	if (!l->sections || !section_of_type(l, type, &symbols) ||
	    !vmm_elf_section_at(&l->header, l->sections, l->sections_length, symbols.link, &names) || names.size == 0)
		return false;
	cost = vmm_add_sat(vmm_add_sat(symbols.size, symbols.size), names.size);
	if (cost > syms->budget)
		return false;
	syms->budget -= cost;
	if (vmm_image_table_read(&l->bytes, names.offset, names.size, &text, NULL) < 0)
		return false;
	t->names = (char *)text;
	t->names_length = (size_t)names.size;
	l->symbols_length = (size_t)symbols.size;
	if (vmm_image_table_read(&l->bytes, symbols.offset, symbols.size, &l->symbols, NULL) < 0 || !collect(t, l, m))
		t->count = 0;
	return true;
}

/* The file with debugging information of a module, which its build-id finds and proves. */
static bool open_debug(const struct vmm_symbols *syms, const struct vmm_module *m, struct vmm_image_bytes *ret)
{
	*ret = (struct vmm_image_bytes){.fd = -1};
	return m->build_id && m->build_id[0] && vmm_image_debug_open(syms->target, m->build_id, ret);
}

/* The full table where the file was not stripped, that of its debug file, else that of the dynamic linker. */
static void load_table(struct vmm_symbols *syms, const struct vmm_module *m, struct table *t)
{
	VMM_CLEANUP(loading_done) struct loading file = {.bytes.fd = -1}, debug = {.bytes.fd = -1};

	if (open_module(syms, m, &file.bytes) && read_sections(&file) && take_table(syms, m, &file, VMM_ELF_SHT_SYMTAB, t))
		return;
	if (open_debug(syms, m, &debug.bytes) && read_sections(&debug) && take_table(syms, m, &debug, VMM_ELF_SHT_SYMTAB, t))
		return;
	take_table(syms, m, &file, VMM_ELF_SHT_DYNSYM, t);
}

int vmm_symbols_create(struct vmm_target *target, const struct vmm_snapshot *snapshot, struct vmm_symbols **ret_symbols,
                       struct vmm_err *err)
{
	struct vmm_symbols *syms = vmm_alloc_hook(NULL, sizeof(*syms));
	size_t bytes = (snapshot->module_count + (size_t)1) * sizeof(*syms->tables);

	if (!syms)
		return vmm_fail_nomem(err);
	*syms = (struct vmm_symbols){.target = target, .snapshot = snapshot, .budget = TABLES_MAX};
	syms->tables = vmm_alloc_hook(NULL, bytes);
	if (!syms->tables) {
		free(syms);
		return vmm_fail_nomem(err);
	}
	memset(syms->tables, 0, bytes);
	*ret_symbols = syms;
	return 0;
}

void vmm_symbols_destroy(struct vmm_symbols *syms)
{
	if (!syms)
		return;
	for (uint32_t i = 0; i < syms->snapshot->module_count; i++) {
		free(syms->tables[i].entries);
		free(syms->tables[i].names);
	}
	free(syms->tables);
	free(syms);
}

/* The last entry at or below an address that holds it. */
static const struct entry *find_entry(const struct table *t, uint64_t address)
{
	size_t above = VMM_FIRST_ABOVE(t->entries, t->count, address, address);

	for (size_t back = 0; back < BACK_MAX && back < above; back++) {
		const struct entry *e = &t->entries[above - 1 - back];

		/* One of unknown size reaches to the next; it is the nearest then. */
		if (address - e->address < e->size || (e->size == 0 && back == 0 && address - e->address < 65536))
			return e;
	}
	return NULL;
}

bool vmm_symbols_find(struct vmm_symbols *syms, uint64_t address, struct vmm_symbol *ret)
{
	const struct vmm_snapshot *s = syms->snapshot;
	const struct vmm_region *r = vmm_snapshot_region_at(s, address);
	const struct entry *e;
	struct table *t;

	if (!r || r->module >= s->module_count)
		return false;
	t = &syms->tables[r->module];
	if (!t->tried) {
		t->tried = true;
		load_table(syms, &s->modules[r->module], t);
	}
	e = find_entry(t, address);
	if (!e)
		return false;
	*ret = (struct vmm_symbol){.name = vmm_elf_section_name(t->names, t->names_length, e->name), .address = e->address,
	                           .size = e->size, .module = r->module,
	                           .function = e->type == VMM_ELF_STT_FUNC || e->type == VMM_ELF_STT_IFUNC};
	return true;
}

bool vmm_symbol_demangle(const char *name, char *ret_text, size_t size, enum vmm_symbol_what *ret_what)
{
	char special;

	if (!vmm_cxx_name(name, ret_text, size, &special))
		return false;
	*ret_what = special == 'V' || special == 'T' ? VMM_SYMBOL_VTABLE : special ? VMM_SYMBOL_TYPEINFO : VMM_SYMBOL_PLAIN;
	return true;
}
