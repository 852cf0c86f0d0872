#!/usr/bin/env python3
"""Names chosen by an attacker never reach a terminal raw, in whatever output, and JSON stays JSON."""
import csv
import io
import os
import subprocess
import sys

from live import Checks, Target, address, arguments, kinds_command, parse_json, run, work_folder

VIEWS = ("summary", "regions", "tree", "heaps", "threads", "images", "free", "files")
# Renames itself, then waits: file names, comm and arguments are all hostile.
RENAMED = "import sys; open('/proc/self/comm', 'wb').write(b'\\x1b[31m\\n\\xff'); print(0, flush=True); sys.stdin.read()"


def forms(target):
    for view in VIEWS:
        yield ["show", target.pid, "--view", view]
        yield ["show", target.pid, "--view", view, "--units", "bytes"]
    yield ["show", target.pid, "--raw"]
    yield ["show", target.pid, "--csv"]
    yield ["show", target.pid, "--raw", "--csv"]
    yield ["show", target.pid, "--format", "ndjson"]
    yield ["show", target.pid, "--json"]
    yield ["show", target.pid, "--raw", "--json"]
    yield ["free", target.pid]
    yield ["free", target.pid, "--map"]
    yield ["ps"]
    yield ["ps", "--csv"]
    yield ["ps", "--json"]
    for sort in target.truth["sorts"] if isinstance(target.truth, dict) else []:
        if sort["sort"].startswith(("file_name", "memfd_hostile")):
            yield ["at", target.pid, sort["address"]]
            yield ["at", target.pid, sort["address"], "--json"]


def harmful(character):
    code = ord(character)
    return (code < 32 and character != "\n") or 127 <= code < 160 or code in (0x2028, 0x2029, 0xFEFF) or \
        0x200B <= code <= 0x200F or 0x202A <= code <= 0x202E or 0x2066 <= code <= 0x2069


def check_output(checks, data, what):
    try:
        text = data.decode("utf-8", "strict")
    except UnicodeDecodeError as error:
        checks.true(False, "%s: not UTF-8: %s" % (what, error))
        return
    bad = sorted({hex(ord(c)) for c in text if harmful(c)})
    checks.true(not bad, "%s: raw characters %s" % (what, bad))


def check_form(checks, args, words):
    what = " ".join(str(w) for w in words)
    done = run(args, *words)
    checks.equal(done.returncode, 0, "%s: exit status (%s)" % (what, done.stderr.decode(errors="replace").strip()))
    check_output(checks, done.stdout, what)
    check_output(checks, done.stderr, what + " (standard error)")
    if "--json" in words:
        checks.true(parse_json(done.stdout) is not None, what)
    elif "ndjson" in words:
        for line in done.stdout.splitlines():
            checks.true(isinstance(parse_json(line), dict), "%s: a line is no object" % what)
    elif "--csv" in words:
        rows = list(csv.reader(io.StringIO(done.stdout.decode("utf-8", "replace"))))
        checks.equal({len(r) for r in rows}, {len(rows[0])}, "%s: fields in a row" % what)


def check_names(checks, args, target):
    """The text table has a row for each region even where a name holds a line end."""
    lines = run(args, "show", target.pid, "--view", "regions", "--columns", "address,details").stdout.decode().splitlines()
    starts = [line.split()[0] for line in lines if line.strip()]
    for sort in target.truth["sorts"]:
        if sort["sort"].startswith("file_name"):
            found = [s for s in starts if s.lower().removeprefix("0x").lstrip("0") == "%x" % address(sort["address"])]
            checks.equal(len(found), 1, "rows of %s" % sort["sort"])


def main():
    args = arguments(__doc__)
    checks = Checks()
    with work_folder() as folder:
        with Target(kinds_command(args, folder)) as target:
            for words in forms(target):
                check_form(checks, args, words)
            check_names(checks, args, target)
        argv = ["\033]0;owned\007", "-c", RENAMED, "a\nb", "\033[2J", b"\xff\xfe", "\u202e"]
        with Target(argv, executable=sys.executable, stderr=subprocess.DEVNULL,
                    env=dict(os.environ, PYTHONHOME=sys.base_prefix)) as target:
            for words in forms(target):
                check_form(checks, args, words)
    checks.finish()


if __name__ == "__main__":
    sys.exit(main())
