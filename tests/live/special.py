#!/usr/bin/env python3
"""Targets that have no memory, are gone, are vmmap itself, or never were: the documented exit statuses."""
import os
import subprocess
import sys

from live import Checks, Target, arguments, parse_json, run


def one_line(checks, done, what):
    error = done.stderr.decode()
    checks.equal(len(error.splitlines()), 1, "%s: lines on standard error (%r)" % (what, error))
    checks.true(error.startswith("vmmap: "), "%s: %r does not begin with 'vmmap: '" % (what, error))
    checks.equal(done.stdout, b"", "%s: standard output" % what)


def kernel_thread():
    """A thread of the kernel, or None where a PID namespace hides them."""
    for pid in sorted(int(p) for p in os.listdir("/proc") if p.isdigit()):
        try:
            with open("/proc/%d/stat" % pid, "rb") as f:
                if int(f.read().rsplit(b")", 1)[1].split()[6]) & 0x00200000:
                    return pid
        except OSError:
            continue
    return None


def check_without_memory(checks, args, pid, what):
    """No memory is an answer (0, and no regions) or a refusal (3, one line); not a crash, and no made-up numbers."""
    for words in (["--json"], []):
        done = run(args, "show", pid, *words)
        checks.true(done.returncode in (0, 3), "%s %s: exit status %d" % (what, words, done.returncode))
        if done.returncode == 3:
            one_line(checks, done, what)
        elif words:
            document = parse_json(done.stdout)
            checks.equal(document["regions"], [], "%s: regions" % what)
            checks.true(document["notes"], "%s: no note says that there is no memory" % what)
        print("%s %s: exit status %d %s" % (what, words, done.returncode, done.stderr.decode().strip()))


def check_gone(checks, args):
    child = subprocess.Popen(["true"])
    child.wait()
    for name in (child.pid, 4194305, 999999999, "99999999999999999999"):
        done = run(args, "show", name, "--json")
        checks.equal(done.returncode, 3, "PID %s: exit status" % name)
        one_line(checks, done, "PID %s" % name)


def check_wrong_names(checks, args):
    for name, statuses in (("no-such-program-anywhere", (3,)), ("", (2, 3)), ("0", (2, 3)), ("-1", (2,)), ("\033[31m", (3,)),
                           ("/proc", (2, 3)), ("../../etc/passwd", (2, 3))):
        done = run(args, "show", name, "--json")
        checks.true(done.returncode in statuses, "target %r: exit status %d" % (name, done.returncode))
        one_line(checks, done, "target %r" % name)
        checks.true(b"\033" not in done.stderr, "target %r: an escape sequence on standard error" % name)
    done = run(args)
    checks.equal(done.returncode, 2, "no arguments: exit status")


def check_self(checks, args):
    done = subprocess.run(["sh", "-c", 'exec "$0" show $$ --json', args.vmmap], stdout=subprocess.PIPE, timeout=60, check=False)
    if checks.equal(done.returncode, 0, "itself: exit status"):
        document = parse_json(done.stdout)
        checks.equal(document["partial"], False, "itself: partial")
        checks.true(any(r["kind"] == "stack" for r in document["regions"]), "itself: a stack")


def check_output(checks, args):
    """Output that cannot be written is an error, a closed pipe is not a noise."""
    if os.path.exists("/dev/full"):
        with open("/dev/full", "wb") as full:
            done = subprocess.run([args.vmmap, "show", str(os.getpid()), "--json"], stdout=full, stderr=subprocess.PIPE,
                                  timeout=60, check=False)
        checks.equal(done.returncode, 2, "full disk: exit status")
        checks.equal(len(done.stderr.splitlines()), 1, "full disk: lines on standard error")
    done = subprocess.run(["sh", "-c", '"$0" show $$ --json | head -c 10', args.vmmap], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, timeout=60, check=False)
    checks.equal(done.stderr, b"", "closed pipe: standard error")


def main():
    args = arguments(__doc__)
    checks = Checks()
    pid = kernel_thread()
    if pid:
        check_without_memory(checks, args, pid, "kernel thread")
    else:
        print("no kernel thread is visible here")
    with Target([os.path.join(args.targets, "t_zombie")]) as target:
        check_without_memory(checks, args, target.truth["pid"], "zombie")
    check_gone(checks, args)
    check_wrong_names(checks, args)
    check_self(checks, args)
    check_output(checks, args)
    checks.finish()


if __name__ == "__main__":
    sys.exit(main())
