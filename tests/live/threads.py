#!/usr/bin/env python3
"""Every thread is listed with its name, its stack pointer is the debugger's, and its stack is found."""
import os
import shutil
import subprocess
import sys
import tempfile

from live import Checks, Target, address, arguments, region_at, snapshot, span

GDB = """python
for t in gdb.selected_inferior().threads():
    t.switch()
    print("SP", t.ptid[1], hex(int(gdb.parse_and_eval("(unsigned long)$sp"))))
end
"""


def gdb_stack_pointers(pid):
    """Thread id to stack pointer by gdb; None when gdb cannot do it here."""
    if not shutil.which("gdb"):
        return None
    with tempfile.NamedTemporaryFile("w", suffix=".gdb") as script:
        script.write(GDB)
        script.flush()
        done = subprocess.run(["gdb", "-nx", "-batch", "-p", str(pid), "-x", script.name], stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=120, check=False)
    words = [line.split() for line in done.stdout.decode(errors="replace").splitlines() if line.startswith("SP ")]
    return {int(w[1]): int(w[2], 16) for w in words} or None


def check_stacks(checks, document, truth, what):
    """Names, and that each thread's own local variable lies in the stack given for it, which no other thread has."""
    threads = {t["tid"]: t for t in document["threads"]}
    stacks = set()
    checks.equal(len(threads), len(truth["threads"]) + 1, "%s: number of threads" % what)
    for expected in truth["threads"]:
        thread = threads.get(expected["tid"])
        if not checks.true(thread, "%s: thread %d is missing" % (what, expected["tid"])):
            continue
        checks.equal(thread["name"], expected["name"], "%s: name of %d" % (what, expected["tid"]))
        if not checks.true(thread["stack"], "%s: no stack for thread %d %s" % (what, expected["tid"], expected["name"])):
            continue
        low, high = span(thread["stack"])
        inside = address(expected["inside"])
        checks.true(low <= inside < high, "%s: %#x of thread %d is not in %#x-%#x" % (what, inside, expected["tid"], low, high))
        stacks.add((low, high))
        region = region_at(document, inside)
        checks.true(region and region["kind"] == "stack", "%s: stack of %d is %s" % (what, expected["tid"], region and region["kind"]))
    checks.equal(len(stacks), len(truth["threads"]), "%s: different stacks" % what)


def check_stack_pointers(checks, document, found, what):
    threads = {t["tid"]: t for t in document["threads"]}
    checks.equal(sorted(threads), sorted(found), "%s: thread ids and gdb's" % what)
    for tid, sp in found.items():
        thread = threads.get(tid)
        if thread and checks.true(thread["sp"], "%s: no stack pointer of %d" % (what, tid)):
            checks.equal(address(thread["sp"]), sp, "%s: stack pointer of %d" % (what, tid))


def main():
    args = arguments(__doc__)
    checks = Checks()
    for name in ("t_threads", "t_threads32", "t_asan"):
        program = os.path.join(args.targets, name)
        if not os.path.exists(program):
            print("%s was not built" % name)
            continue
        with Target([program]) as target:
            check_stacks(checks, snapshot(args, target.pid), target.truth, "%s running" % name)
            with target.stopped():
                document = snapshot(args, target.pid)
                check_stacks(checks, document, target.truth, "%s stopped" % name)
                found = gdb_stack_pointers(target.pid)
                if found:
                    check_stack_pointers(checks, document, found, name)
                    print("%s: %d stack pointers compared with gdb" % (name, len(found)))
                else:
                    print("%s: no gdb here, stack pointers not compared" % name)
    checks.finish()


if __name__ == "__main__":
    sys.exit(main())
