/*
 * Names of C++ (Itanium ABI) and legacy Rust symbols in plain words. Text in, text out.
 * Layer: format. Source: Itanium C++ ABI, section 5.1 "External Names"; Rust RFC 2603 on what legacy names look like.
 *
 * Not a whole demangler: names, namespaces, templates with types and integers, pointers, references, functions as
 * types, substitutions, constructors, vtables and type infos. Expressions, template parameters, operators and local
 * names are not decoded: the caller shows such a name as it is.
 */
#ifndef VMM_FORMAT_CXX_NAME_H
#define VMM_FORMAT_CXX_NAME_H

#include "base/base.h"

/* "V" vtable, "I" type info, "S" its name, "T" VTT, 0 a plain name. False: not mangled, or not decoded. */
bool vmm_cxx_name(const char *mangled, char *ret_text, size_t size, char *ret_special);

#endif
