#!/usr/bin/env python3
"""Targets that change as fast as they can, exec, or die: no hang, a documented exit status, sound JSON."""
import collections
import os
import subprocess
import sys

from live import Checks, Target, arguments, parse_json, run, test_count, tiles

FORMS = ([], ["--fast"], ["--raw"], ["--view", "threads"])


def check_document(checks, document, status, words, what):
    checks.equal(document["partial"], status == 4, "%s: partial" % what)
    if "--raw" in words:
        last = 0
        for mapping in document["mappings"]:
            low, high = int(mapping["address"], 16), int(mapping["end"], 16)
            checks.true(last <= low < high, "%s: mapping %#x out of order" % (what, low))
            last = high
    elif "--view" not in words:
        tiles(checks, document, what)


def one(checks, args, pid, words, statuses, counts):
    what = "%s %s" % (pid, " ".join(words))
    try:
        done = run(args, "show", pid, "--json", *words, timeout=60)
    except subprocess.TimeoutExpired:
        checks.true(False, "%s: hangs" % what)
        return None
    counts[done.returncode] += 1
    checks.true(done.returncode in statuses, "%s: exit status %d: %s" % (what, done.returncode, done.stderr.decode(errors="replace")))
    if done.returncode == 3:
        checks.equal(done.stdout, b"", "%s: output of a target that could not be opened" % what)
    if done.stdout:
        try:
            document = parse_json(done.stdout)
        except ValueError as error:
            checks.true(False, "%s: %s" % (what, error))
            return done.returncode
        if "--view" not in words:
            check_document(checks, document, done.returncode, words, what)
    else:
        checks.true(done.returncode != 0 and len(done.stderr.splitlines()) == 1, "%s: says nothing" % what)
    return done.returncode


def restless(checks, args, count, counts):
    with Target([os.path.join(args.targets, "t_chaos")]) as target:
        for i in range(count):
            one(checks, args, target.pid, FORMS[i % len(FORMS)], (0, 4), counts)
            if target.child.poll() is not None:
                raise RuntimeError("t_chaos ended by itself: %d" % target.child.returncode)


def dying(checks, args, count, counts):
    program = os.path.join(args.targets, "t_dies")
    for i in range(count):
        with Target([program, str((5, 20, 50)[i % 3])]) as target:
            while one(checks, args, target.pid, FORMS[i % len(FORMS)], (0, 3, 4), counts) == 0 and target.child.poll() is None:
                pass


def main():
    args = arguments(__doc__, count={"type": int, "default": test_count(150), "help": "snapshots of each sort (150)"})
    checks = Checks()
    for what, test in (("restless", restless), ("dying", dying)):
        counts = collections.Counter()
        test(checks, args, args.count, counts)
        print("%s: exit statuses %s" % (what, dict(counts)))
    checks.finish()


if __name__ == "__main__":
    sys.exit(main())
