/*
 * Names for addresses inside loaded ELF objects, from their symbol tables.
 *
 * Files are opened through the target, when a first address inside them is asked for; the target must stay open and
 * the snapshot must outlive the symbols. One thread at a time.
 */
#ifndef VMMAP_SYMBOLS_H
#define VMMAP_SYMBOLS_H

#include "vmmap/err.h"
#include "vmmap/snapshot.h"

struct vmm_target;
struct vmm_symbols;

struct vmm_symbol {
	const char *name;    /* as the table has it, raw bytes; valid until vmm_symbols_destroy() */
	uint64_t address;    /* where it begins in the target */
	uint64_t size;       /* bytes; 0 when the table does not tell */
	bool function;       /* code; otherwise data, or unknown */
	uint32_t module;     /* index in snapshot.modules */
};

/* VMM_E_NOMEM. snapshot was taken with VMM_NEED_IMAGES. */
int vmm_symbols_create(struct vmm_target *target, const struct vmm_snapshot *snapshot, struct vmm_symbols **ret_symbols,
                       struct vmm_err *err);
/* NULL is allowed. */
void vmm_symbols_destroy(struct vmm_symbols *symbols);
/*
 * The symbol that holds an address; false when none is known: no module there, no table, a file that cannot be
 * opened, or lack of memory.
 */
bool vmm_symbols_find(struct vmm_symbols *symbols, uint64_t address, struct vmm_symbol *ret_symbol);

/*
 * Writes the plain name of a mangled C++ or Rust symbol: "vtable for ns::Class" becomes "ns::Class" of the class with
 * what set to "vtable". Parameters of functions are left out. False, and nothing written, where the name is not
 * mangled or beyond what is decoded here; then show it as it is.
 */
enum vmm_symbol_what { VMM_SYMBOL_PLAIN, VMM_SYMBOL_VTABLE, VMM_SYMBOL_TYPEINFO };
bool vmm_symbol_demangle(const char *name, char *ret_text, size_t size, enum vmm_symbol_what *ret_what);

#endif
