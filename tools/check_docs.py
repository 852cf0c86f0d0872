#!/usr/bin/env python3
"""Checks that the documents name what the tables hold. Usage: check_docs.py ROOT

A document that does not exist is not looked for.
"""
import os
import re
import sys

# (pattern of a row whose group is the name, how the documents write it, file of the rows, documents, all of them or any)
TABLES = [
    (r'^VMM_KIND\(\w+, "(\w+)"', "{}", "include/vmmap/kinds.def", ["docs/json.md", "docs/vmmap.schema.json"], any),
    (r'^VMM_METRIC\(\w+, "(\w+)"', "{}", "include/vmmap/metrics.def",
     ["docs/columns.md", "docs/json.md", "docs/vmmap.schema.json"], any),
    (r'^VMM_OPTION\(\w+, "([\w-]+)"', "--{}", "src/face/options.def", ["man/vmmap.1", "docs/cli.md"], all),
    (r'^VMM_COMMAND\(\w+, "([\w-]+)"', "{}", "src/face/commands.def", ["man/vmmap.1", "docs/cli.md"], all),
]


def read(path):
    with open(path, encoding="utf-8", errors="replace") as f:
        return f.read()


def main():
    root, bad = sys.argv[1], 0
    for pattern, form, source, documents, quantifier in TABLES:
        documents = [d for d in documents if os.path.exists(os.path.join(root, d))]
        found = [read(os.path.join(root, d)).replace("\\-", "-") for d in documents]
        if not os.path.exists(os.path.join(root, source)) or not found:
            continue
        for name in re.findall(pattern, read(os.path.join(root, source)), re.M):
            word = re.compile(r"(?<![\w-])" + re.escape(form.format(name)) + r"(?![\w-])")
            if not quantifier(word.search(text) for text in found):
                print(f"{source}: {form.format(name)} is not in {' and '.join(documents)}")
                bad = 1
    return bad


if __name__ == "__main__":
    sys.exit(main())
