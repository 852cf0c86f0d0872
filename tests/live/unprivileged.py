#!/usr/bin/env python3
"""Another user's process with fewer and fewer rights: unknown is null with a note that says the remedy, never 0."""
import os
import shutil
import subprocess
import sys
import tempfile

from live import Checks, Target, arguments, blocks_of, parse_json, skip, snapshot

NOBODY = 65534
REMEDY = ("CAP_", "root", "its user", "sudo")


def as_nobody(program, capabilities, *words):
    prefix = ["setpriv", "--reuid", str(NOBODY), "--regid", str(NOBODY), "--clear-groups"]
    if capabilities:
        prefix += ["--inh-caps", capabilities, "--ambient-caps", capabilities]
    return subprocess.run(prefix + [program] + [str(w) for w in words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, timeout=60, check=False)


def can(capabilities):
    """Whether capabilities can be handed over at all here."""
    done = as_nobody("/bin/grep", capabilities, "CapEff", "/proc/self/status")
    return done.returncode == 0 and int(done.stdout.split()[1], 16) != 0


def check_refused(checks, program, pid):
    """Without any right not even the map: one line that says what would help, and exit status 3."""
    done = as_nobody(program, None, "show", pid, "--json")
    error = done.stderr.decode()
    checks.equal(done.returncode, 3, "no rights: exit status (%s)" % error.strip())
    checks.equal(len(error.strip().splitlines()), 1, "no rights: lines on standard error")
    checks.true(any(word in error for word in REMEDY), "no rights: the message names no remedy: %s" % error)
    checks.true(str(pid) in error, "no rights: the message does not name the target: %s" % error)


def check_ps(checks, program, pid):
    done = as_nobody(program, None, "ps", "--json")
    checks.equal(done.returncode, 0, "ps: exit status")
    rows = [r for r in parse_json(done.stdout)["processes"] if r["pid"] == pid]
    if checks.equal(len(rows), 1, "ps: rows of the target"):
        checks.equal(rows[0]["pss"], None, "ps: pss of a process that may not be read")
        checks.true(rows[0]["rss"], "ps: rss, which anybody may read")


def check_notes(checks, document, what):
    texts = [n["text"] for n in document["notes"]]
    checks.true(texts, "%s: no note says what is missing" % what)
    checks.true(any(any(word in t for word in REMEDY) for t in texts), "%s: no note names a remedy: %s" % (what, texts))
    checks.equal(len(set(texts)), len(texts), "%s: different notes" % what)


def check_perfmon(checks, program, pid, full):
    """CAP_PERFMON opens maps and smaps, but neither page map nor memory nor files."""
    done = as_nobody(program, "+perfmon", "show", pid, "--json")
    if not checks.equal(done.returncode, 0, "CAP_PERFMON: exit status (%s)" % done.stderr.decode().strip()):
        return
    document = parse_json(done.stdout)
    check_notes(checks, document, "CAP_PERFMON")
    total, whole = document["summary"]["total"], full["summary"]["total"]
    for column in ("size", "rss", "anonymous", "private"):
        checks.equal(total[column], whole[column], "CAP_PERFMON: total %s" % column)
    unknown = [b for r in document["regions"] for b in blocks_of(r) if b["rss"] is None]
    print("CAP_PERFMON: %d blocks with unknown rss, notes: %s" % (len(unknown), [n["code"] for n in document["notes"]]))
    for module in document["modules"]:
        checks.true(module["build_id"] is None or module["build_id"] != "", "CAP_PERFMON: a build-id that was not read is ''")


def check_same(checks, program, capabilities, pid, full):
    """Enough rights: the same kinds, borders and resident bytes as root sees."""
    done = as_nobody(program, capabilities, "show", pid, "--json")
    if not checks.equal(done.returncode, 0, "%s: exit status (%s)" % (capabilities, done.stderr.decode().strip())):
        return None
    document = parse_json(done.stdout)
    see = lambda d: [(r["address"], r["end"], r["kind"], r["rss"]) for r in d["regions"]]
    return document, see(document) == see(full)


def main():
    args = arguments(__doc__)
    if os.geteuid() != 0:
        skip("needs root, to give up rights")
    if not shutil.which("setpriv"):
        skip("no setpriv")
    checks = Checks()
    with tempfile.TemporaryDirectory(prefix="vmmap-live-") as folder:
        # The build folder may lie where other users cannot reach it.
        os.chmod(folder, 0o755)
        program = shutil.copy(args.vmmap, folder)
        os.chmod(program, 0o755)
        if as_nobody(program, None, "--version").returncode != 0:
            skip("another user cannot run the program")
        with Target([os.path.join(args.targets, "t_threads"), "5", "0"]) as target:
            full = snapshot(args, target.pid)
            check_refused(checks, program, target.pid)
            check_ps(checks, program, target.pid)
            if not can("+perfmon"):
                print("SKIP: capabilities cannot be handed over here")
                checks.finish()
            check_perfmon(checks, program, target.pid, full)
            partly = check_same(checks, program, "+sys_ptrace", target.pid, full)
            if partly:
                check_notes(checks, partly[0], "CAP_SYS_PTRACE")
            whole = check_same(checks, program, "+sys_ptrace,+dac_read_search", target.pid, full)
            if whole:
                checks.true(whole[1], "CAP_SYS_PTRACE + CAP_DAC_READ_SEARCH: not what root sees")
    checks.finish()


if __name__ == "__main__":
    sys.exit(main())
