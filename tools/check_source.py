#!/usr/bin/env python3
"""Checks the sources against the house rules of HACKING.md. Usage: check_source.py ROOT

Prints one line per rule, "ok RULE" or "FAIL RULE", each finding as "file:line: what" before it, and what is long but
allowed as information. Exit status 1 when a rule is broken.
"""
import os
import re
import sys
from collections import namedtuple

LAYERS = ["base", "format", "model", "session", "source", "reader", "analysis", "view", "face"]
# Folders that stand side by side do not know each other.
PEERS = {("source", "reader"), ("reader", "source")}
FUNCTION_AIM, FUNCTION_MAX, FILE_AIM, FILE_MAX = 40, 100, 400, 800
PAGE_COLUMNS = 140

# Without bounds: nowhere. Lenient parsers: not where a target's or a user's text is read.
UNBOUNDED = ["strcpy", "stpcpy", "strcat", "strncpy", "strncat", "sprintf", "vsprintf", "gets", "alloca"]
LENIENT = ["strtol", "strtoll", "strtoul", "strtoull", "strtod", "strtof", "strtold", "strtoimax", "strtoumax", "atoi",
           "atol", "atoll", "atof", "sscanf", "vsscanf", "fscanf", "scanf", "strtok", "strtok_r"]
ALLOCATORS = ["malloc", "calloc", "realloc", "reallocarray", "strdup", "strndup", "asprintf", "vasprintf",
              "aligned_alloc", "posix_memalign"]
PRINTERS = ["printf", "vprintf", "puts", "putchar", "fprintf", "vfprintf", "fputs", "fputc", "putc", "perror", "dprintf",
            "exit", "_exit", "_Exit", "quick_exit", "abort", "assert", "err", "errx", "warn", "warnx", "syslog"]
# A static that is written to says why on its own line.
MUTABLE_MARKER = re.compile(r"/\*.*(\bmutable:|only tests write it).*\*/|\bsig_atomic_t\b")
ASSERT = re.compile(r"\b(assert_\w+|fail|fail_msg|expect_\w+)\s*\(|\bTEST_SKIP\s*\(")

Source = namedtuple("Source", "path raw code lines")
Function = namedtuple("Function", "name first last body")


def blank(text):
    return re.sub(r"[^\n]", " ", text)


TOKEN = re.compile(r"//[^\n]*|/\*.*?\*/|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'", re.S)


def strip(text, keep_strings=False):
    """The text with comments and the insides of literals blanked: same length, same lines."""
    def replace(match):
        token = match.group(0)
        if token[0] == "/":
            return blank(token)
        return token if keep_strings else token[0] + " " * (len(token) - 2) + token[-1]
    return TOKEN.sub(replace, text)


def drop_preprocessor(code):
    return re.sub(r"^[ \t]*#(?:[^\n\\]|\\\n|\\.)*", lambda m: blank(m.group(0)), code, flags=re.M)


def load(root, *folders):
    for folder in folders:
        for directory, names, files in os.walk(os.path.join(root, folder)):
            names.sort()
            for name in sorted(files):
                if name.endswith((".c", ".h", ".def")):
                    path = os.path.join(directory, name)
                    with open(path, encoding="utf-8", errors="surrogateescape") as f:
                        raw = f.read()
                    yield Source(os.path.relpath(path, root), raw, strip(raw), raw.split("\n"))


def line_of(text, position):
    return text.count("\n", 0, position) + 1


def outer_statements(code):
    """(position, text, body) of each statement and definition at file scope; body is None or the span in braces."""
    code = drop_preprocessor(code)
    start, depth, open_at = 0, 0, None
    for match in re.finditer(r"[{};]", code):
        char, at = match.group(0), match.start()
        if char == "{":
            depth += 1
            if depth == 1:
                open_at = at
        elif char == "}":
            depth -= 1
            if depth == 0 and is_function(code[start:open_at]):
                yield start + leading(code, start), code[start:open_at].strip(), (open_at, at)
                start = at + 1
        elif depth == 0:
            text = code[start:at].strip()
            if text:
                yield start + leading(code, start), text, None
            start, open_at = at + 1, None


def leading(code, start):
    return len(code) - start - len(code[start:].lstrip())


def is_function(head):
    return bool(re.search(r"\)\s*$", head)) and "=" not in head


def functions(source):
    for at, head, body in outer_statements(source.code):
        if body:
            name = re.search(r"(\w+)\s*\(", re.sub(r"__attribute__\s*\(\(.*?\)\)|VMM_\w+\([^)]*\)", "", head, flags=re.S))
            yield Function(name.group(1) if name else "?", line_of(source.code, at), line_of(source.code, body[1]),
                           source.code[body[0]:body[1] + 1])


def calls(source, names):
    pattern = re.compile(r"(?<![\w.>])(" + "|".join(names) + r")\s*\(")
    code = drop_preprocessor_directives_only(source.code)
    for match in pattern.finditer(code):
        yield line_of(code, match.start()), match.group(1)


def drop_preprocessor_directives_only(code):
    # A macro's body is code; attribute arguments such as format(printf, ...) are not calls.
    return re.sub(r"__attribute__\s*\(\(.*?\)\)", lambda m: blank(m.group(0)), code, flags=re.S)


def layer_of(path):
    parts = path.split(os.sep)
    return parts[1] if parts[0] == "src" and len(parts) > 2 else None


def check_layers(sources):
    for s in sources:
        own = layer_of(s.path)
        if own not in LAYERS:
            yield s.path, 1, "is in no layer: src/ has " + ", ".join(LAYERS)
            continue
        text = strip(s.raw, keep_strings=True)
        for match in re.finditer(r"^[ \t]*#[ \t]*include[ \t]*\"([^\"]+)\"", text, re.M):
            target, line = match.group(1), line_of(text, match.start())
            if target.startswith("vmmap/"):
                continue
            other = target.split("/")[0] if "/" in target else own
            if other not in LAYERS:
                yield s.path, line, f"includes {target}, which is in no layer"
            elif LAYERS.index(other) > LAYERS.index(own) or (own, other) in PEERS:
                yield s.path, line, f"{own} must not include {target} of {other}"


def check_public(sources):
    for s in sources:
        for match in re.finditer(r"^[ \t]*#[ \t]*include[ \t]*\"([^\"]+)\"", strip(s.raw, keep_strings=True), re.M):
            if not match.group(1).startswith("vmmap/"):
                yield s.path, line_of(s.raw, match.start()), f"a public header includes {match.group(1)}"


def check_banned(sources):
    for s in sources:
        for line, name in calls(s, UNBOUNDED + (LENIENT if layer_of(s.path) else [])):
            yield s.path, line, f"calls {name}(): use base/scan.h, base/text.h or snprintf"


def check_allocation(sources):
    for s in sources:
        if layer_of(s.path) == "base":
            continue
        for line, name in calls(s, ALLOCATORS):
            yield s.path, line, f"calls {name}(): use the arena, vmm_grow or vmm_alloc_hook"


def check_silent(sources):
    for s in sources:
        if layer_of(s.path) == "face":
            continue
        for line, name in calls(s, PRINTERS):
            yield s.path, line, f"calls {name}(): the library never prints, exits or aborts"


def const_object(text):
    """True when the object that a declaration makes is const itself, not only what it points to."""
    head = re.sub(r"\{.*\}", "", re.split(r"=", text, maxsplit=1)[0], flags=re.S)
    if "*" in head:
        return bool(re.search(r"\*\s*const\b[^*]*$", head))
    return bool(re.search(r"\bconst\b", head))


def mutable(source, at, text):
    line = line_of(source.code, at)
    shown = " ".join(source.lines[line - 1:line + text.count("\n")])
    return not MUTABLE_MARKER.search(shown) and not const_object(text), line


def statement_at(code, start):
    """The text from start to the semicolon that ends its statement, braces skipped."""
    depth = 0
    for match in re.finditer(r"[{};]", code[start:]):
        depth += {"{": 1, "}": -1, ";": 0}[match.group(0)]
        if match.group(0) == ";" and depth == 0:
            return code[start:start + match.start()]
    return code[start:]


def check_statics(sources):
    for s in sources:
        for at, text, body in outer_statements(s.code):
            if body:
                for match in re.finditer(r"^[ \t]*(?=static\b)", s.code[body[0]:body[1]], re.M):
                    at = body[0] + match.end()
                    bad, line = mutable(s, at, statement_at(s.code, at))
                    if bad:
                        yield s.path, line, "a mutable static"
            elif not re.match(r"(typedef|extern|struct\s+\w+$|union\s+\w+$|enum\b|_Static_assert)", text) \
                    and not re.match(r"(struct|union)\s+\w+\s*\{[^=]*\}$", text, re.S) \
                    and not re.search(r"\w\s*\([^=]*\)[^=\[]*$", re.split("=", text)[0], re.S) \
                    and not re.match(r"[A-Z_]+\s*\(", text):
                bad, line = mutable(s, at, text)
                if bad:
                    yield s.path, line, "a mutable variable at file scope"


def check_function_length(sources):
    for s in sources:
        for f in functions(s):
            if f.last - f.first + 1 > FUNCTION_MAX:
                yield s.path, f.first, f"{f.name}() has {f.last - f.first + 1} lines, at most {FUNCTION_MAX}"


def check_file_length(sources):
    for s in sources:
        lines = s.raw.count("\n")
        if lines > FILE_MAX:
            yield s.path, lines, f"{lines} lines, at most {FILE_MAX}"


def check_asserts(sources):
    for s in sources:
        if not re.match(r"tests/unit/test_\w+\.c$", s.path):
            continue
        by_name = {f.name: f for f in functions(s)}
        bodies = {n: f.body for n, f in by_name.items()}
        bodies.update(re.findall(r"^[ \t]*#[ \t]*define[ \t]+(\w+)\(((?:[^\n\\]|\\\n|\\.)*)", s.code, re.M))
        asserting = {n for n, body in bodies.items() if ASSERT.search(body)}
        while True:
            more = {n for n, body in bodies.items() if n not in asserting
                    and any(re.search(r"\b" + re.escape(a) + r"\b", body) for a in asserting)}
            if not more:
                break
            asserting |= more
        for name in re.findall(r"\bcmocka_unit_test\w*\s*\(\s*(\w+)", s.code):
            if name in by_name and name not in asserting:
                yield s.path, by_name[name].first, f"{name}() asserts nothing"


def information(sources):
    long_functions = [(f.last - f.first + 1, f"{s.path}:{f.first} {f.name}") for s in sources for f in functions(s)
                      if f.last - f.first + 1 > FUNCTION_AIM]
    long_files = [(s.raw.count("\n"), s.path) for s in sources if s.raw.count("\n") > FILE_AIM]
    for what, aim, found in (("functions", FUNCTION_AIM, long_functions), ("files", FILE_AIM, long_files)):
        if found:
            print(f"info {len(found)} {what} over {aim} lines: "
                  + ", ".join(f"{where} ({lines})" for lines, where in sorted(found, reverse=True)))


def page_information(root):
    """Of the page's sources, which are no C: files over the aim and lines over 140 columns."""
    long_files, long_lines = [], []
    for folder in ("web/src", "web/tests"):
        for place, _, names in os.walk(os.path.join(root, folder)):
            for name in sorted(names):
                if not name.endswith((".ts", ".tsx", ".mjs", ".css")) or "node_modules" in place:
                    continue
                path = os.path.relpath(os.path.join(place, name), root)
                with open(os.path.join(place, name), encoding="utf-8") as file:
                    lines = file.read().split("\n")
                if len(lines) > FILE_AIM:
                    long_files.append(f"{path} ({len(lines)})")
                over = sum(len(line.expandtabs(2)) > PAGE_COLUMNS for line in lines)
                if over:
                    long_lines.append(f"{path} ({over})")
    for found, what in ((long_files, f"files of the page over {FILE_AIM} lines"),
                        (long_lines, f"files of the page with lines over {PAGE_COLUMNS} columns")):
        if found:
            print(f"info {len(found)} {what}: " + ", ".join(found))


def check_tree(root):
    """Prints what the rules find below root; returns the exit status."""
    src, public = list(load(root, "src")), list(load(root, "include"))
    other = list(load(root, "tests", "bench", "examples"))
    rules = [
        ("layers", check_layers(src)),
        ("public-headers", check_public(public)),
        ("banned-functions", check_banned(src + other)),
        ("allocation", check_allocation(src)),
        ("library-silent", check_silent(src)),
        ("no-mutable-statics", check_statics([s for s in src if s.path.endswith(".c")])),
        ("function-length", check_function_length(src + other)),
        ("file-length", check_file_length(src + public + other)),
        ("tests-assert", check_asserts(other)),
    ]
    failed = 0
    for name, findings in rules:
        bad = 0
        for path, line, what in findings:
            print(f"{path}:{line}: {what}")
            bad += 1
        print(f"FAIL {name}" if bad else f"ok {name}")
        failed += bad > 0
    information(src + public + other)
    page_information(root)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(check_tree(sys.argv[1]))
