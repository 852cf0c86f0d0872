#!/usr/bin/env python3
"""Every rule of tools/check_source.py finds what it forbids and leaves alone what it allows. Usage: checks.py SOURCE_DIR"""
import contextlib
import io
import os
import sys
import tempfile

LONG = "int f(void)\n{\n" + "\treturn 0;\n" * 99 + "}\n"
# (rule, file, text, broken)
CASES = [
    ("layers", "src/format/a.c", '#include "model/build.h"\n', True),
    ("layers", "src/source/a.c", '#include "reader/reader.h"\n', True),
    ("layers", "src/reader/a.c", '#include "source/live.h"\n', True),
    ("layers", "src/view/a.c", '#include "analysis/x.h"\n#include "vmmap/view.h"\n#include "b.h"\n', False),
    ("layers", "src/base/a.c", '/* #include "face/x.h" */\n', False),
    ("layers", "src/other/a.c", "int x(void);\n", True),
    ("layers", "src/face/cli/a.c", '#include "view/x.h"\n', False),
    ("public-headers", "include/vmmap/a.h", '#include "base/base.h"\n', True),
    ("public-headers", "include/vmmap/a.h", '#include "vmmap/err.h"\n', False),
    ("banned-functions", "src/base/a.c", "int f(const char *s)\n{\n\treturn atoi(s);\n}\n", True),
    ("banned-functions", "tests/targets/a.c", "int f(const char *s)\n{\n\treturn atoi(s);\n}\n", False),
    ("banned-functions", "tests/unit/test_a.c", "void f(char *s)\n{\n\tstrcpy(s, s);\n}\n", True),
    ("banned-functions", "src/base/a.c", '/* atoi(s) */\nconst char f[] = "strcpy(x)"; int my_atoi(int);\n', False),
    ("allocation", "src/view/a.c", "void *f(void)\n{\n\treturn malloc(1);\n}\n", True),
    ("allocation", "src/base/a.c", "void *f(void)\n{\n\treturn malloc(1);\n}\n", False),
    ("library-silent", "src/model/a.c", 'void f(void)\n{\n\tprintf("x");\n}\n', True),
    ("library-silent", "src/model/a.c", "void f(void)\n{\n\texit(1);\n}\n", True),
    ("library-silent", "src/model/a.c", "int f(const char *, ...) __attribute__((format(printf, 1, 2)));\n", False),
    ("library-silent", "src/face/a.c", 'void f(void)\n{\n\tprintf("x");\n}\n', False),
    ("no-mutable-statics", "src/base/a.c", "static int x;\n", True),
    ("no-mutable-statics", "src/base/a.c", "int x = 3;\n", True),
    ("no-mutable-statics", "src/base/a.c", 'static const char *names[] = {"a"};\n', True),
    ("no-mutable-statics", "src/base/a.c", "int f(void)\n{\n\tstatic int n;\n\treturn n++;\n}\n", True),
    ("no-mutable-statics", "src/base/a.c",
     "int f(void)\n{\n\tstatic const struct {\n\t\tconst char *a;\n\t} t[] = {{0}};\n\treturn !t[0].a;\n}\n", False),
    ("no-mutable-statics", "src/base/a.c", 'static const char *const names[] = {"a", "b"};\n', False),
    ("no-mutable-statics", "src/base/a.c", "static const struct {\n\tconst char *id;\n} t[] = {{.id = 0}};\n", False),
    ("no-mutable-statics", "src/base/a.c", "static int x; /* mutable: set once before threads start */\n", False),
    ("no-mutable-statics", "src/base/a.c", "struct s;\nstruct t {\n\tint a;\n};\nenum e { A };\nstatic int f(void);\n", False),
    ("no-mutable-statics", "src/base/a.c", "int (*f(void))(int);\ntypedef int t;\nint g(void)\n{\n\tint a = 1;\n\treturn a;\n}\n",
     False),
    ("function-length", "src/base/a.c", LONG.replace("return 0;\n", "return 0;\n", 1), True),
    ("function-length", "src/base/a.c", LONG.replace("\treturn 0;\n", "", 3), False),
    ("file-length", "src/base/a.c", "\n" * 801, True),
    ("file-length", "src/base/a.c", "\n" * 800, False),
    ("tests-assert", "tests/unit/test_a.c", "static void t(void **s)\n{\n}\nint x[] = {cmocka_unit_test(t)};\n", True),
    ("tests-assert", "tests/unit/test_a.c",
     "#define IS(x) \\\n\tassert_true(x)\nstatic void t(void **s)\n{\n\tIS(1);\n}\nint x[] = {cmocka_unit_test(t)};\n", False),
    ("tests-assert", "tests/unit/test_a.c",
     "static void h(void)\n{\n\tassert_true(1);\n}\nstatic void t(void **s)\n{\n\th();\n}\nint x[] = {cmocka_unit_test(t)};\n", False),
]


def verdicts(check, files):
    """Whether each rule fails on a tree of these files, and the exit status."""
    with tempfile.TemporaryDirectory() as tree:
        for path, text in files.items():
            os.makedirs(os.path.join(tree, os.path.dirname(path)), exist_ok=True)
            with open(os.path.join(tree, path), "w") as f:
                f.write(text)
        with contextlib.redirect_stdout(io.StringIO()) as output:
            status = check(tree)
    words = dict(reversed(line.split()) for line in output.getvalue().splitlines() if line.split()[0] in ("ok", "FAIL"))
    return {rule: word == "FAIL" for rule, word in words.items()}, status


def main():
    sys.dont_write_bytecode = True
    sys.path.insert(0, os.path.join(sys.argv[1], "tools"))
    from check_source import check_tree
    bad = 0
    for rule, path, text, broken in CASES:
        found, status = verdicts(check_tree, {path: text})
        if found.get(rule) != broken or (broken and status != 1):
            print(f"{rule}: {path} {'passes' if broken else 'fails'}, but must not:\n{text}")
            bad = 1
    print(f"{len(CASES)} cases")
    return bad


if __name__ == "__main__":
    sys.exit(main())
