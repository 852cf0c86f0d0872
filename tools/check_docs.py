#!/usr/bin/env python3
"""Checks that the documents name what the tables hold. Usage: check_docs.py ROOT

Options and commands are compared with the program itself by the golden tests; this looks only at files.
"""
import os
import re
import sys

# What is named where: (pattern of a row, its file, documents of which one must hold the name).
TABLES = [
    (r'^VMM_KIND\(\w+, "(\w+)"', "include/vmmap/kinds.def", ["docs/json.md", "docs/vmmap.schema.json"]),
    (r'^VMM_METRIC\(\w+, "(\w+)"', "include/vmmap/metrics.def", ["docs/columns.md", "docs/json.md", "docs/vmmap.schema.json"]),
    (r'"(--[a-z][a-z-]+)"', "src/face", ["man/vmmap.1", "docs/cli.md"]),
    (r'\{"id":|\.id = "(\w+)"', "src/view/columns.c", ["docs/columns.md", "docs/json.md", "docs/vmmap.schema.json"]),
]


def read(path):
    if os.path.isdir(path):
        return "\n".join(read(os.path.join(path, name)) for name in sorted(os.listdir(path)))
    with open(path, encoding="utf-8", errors="replace") as f:
        return f.read()


def main():
    root, bad = sys.argv[1], 0
    for pattern, source, documents in TABLES:
        found = [read(os.path.join(root, d)).replace("\\-", "-") for d in documents if os.path.exists(os.path.join(root, d))]
        if not os.path.exists(os.path.join(root, source)) or not found:
            continue
        for name in dict.fromkeys(re.findall(pattern, read(os.path.join(root, source)), re.M)):
            if name and not any(re.search(r"(?<![\w-])" + re.escape(name) + r"(?![\w-])", text) for text in found):
                print(f"{source}: {name} is in none of {', '.join(documents)}")
                bad = 1
    return bad


if __name__ == "__main__":
    sys.exit(main())
