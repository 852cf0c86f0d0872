#!/usr/bin/env python3
"""The shared library exports exactly the functions that the public headers declare.

Usage: exports.py SOURCE_DIR LIBRARY. The headers are read by the compiler's preprocessor, the library by nm.
"""
import os
import re
import subprocess
import sys


def declared(source):
    headers = os.path.join(source, "include")
    text = subprocess.run([os.environ.get("CC", "cc"), "-E", "-I", headers, os.path.join(headers, "vmmap", "vmmap.h")],
                          check=True, capture_output=True, text=True).stdout
    own, lines = False, []
    for line in text.splitlines():
        marker = re.match(r'# \d+ "([^"]*)"', line)
        if marker:
            own = marker.group(1).startswith(headers)
        elif own:
            lines.append(line)
    code = "\n".join(lines)
    # Bodies (inline functions, structs with their callbacks) declare nothing that is exported.
    while re.search(r"\{[^{}]*\}", code):
        code = re.sub(r"\{[^{}]*\}", ";", code)
    names = set()
    for statement in code.split(";"):
        if "static inline" not in statement:
            names.update(re.findall(r"\b(vmm_\w+)\s*\(", statement))
    return names


def exported(library):
    text = subprocess.run(["nm", "-D", "--defined-only", library], check=True, capture_output=True, text=True).stdout
    symbols = {}
    for line in text.splitlines():
        kind, name = line.split()[-2:]
        if kind != "A":
            symbols[name.split("@")[0]] = name
    return symbols


def main():
    headers, library = declared(sys.argv[1]), exported(sys.argv[2])
    missing, extra = headers - set(library), set(library) - headers
    unversioned = [s for s in library.values() if "@@VMMAP_" not in s]
    for name in sorted(missing):
        print(f"declared but not exported: {name}")
    for name in sorted(extra):
        print(f"exported but not declared: {name}")
    for name in unversioned:
        print(f"without a version: {name}")
    print(f"{len(headers)} functions declared, {len(library)} symbols exported")
    return 1 if missing or extra or unversioned or not headers else 0


if __name__ == "__main__":
    sys.exit(main())
