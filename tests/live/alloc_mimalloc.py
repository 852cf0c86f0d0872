#!/usr/bin/env python3
"""mimalloc: every block of the program found as such, heaps of threads, abandoned segments, huge blocks, a child, churn."""
import argparse
import contextlib
import glob
import os
import shutil
import subprocess
import sys

import live
from alloc_blocks import Chunks, check_blocks, check_heaps, chunks_of, heaps_of, settle
from live import Checks, Target, skip

TLS_BYTES = 320  # what pthread_create() takes for a thread's vector of thread-local data

HUGE = """
import ctypes, json, os, sys
c = ctypes.CDLL(None)
c.malloc.restype = c.aligned_alloc.restype = ctypes.c_void_p
c.malloc.argtypes = [ctypes.c_size_t]
c.aligned_alloc.argtypes = [ctypes.c_size_t, ctypes.c_size_t]
c.free.argtypes = [ctypes.c_void_p]
c.malloc_usable_size.restype = ctypes.c_size_t
c.malloc_usable_size.argtypes = [ctypes.c_void_p]
blocks = [c.malloc(n << 20) for n in (1, 9, 15, 17, 20, 33, 100, 3072)]
blocks += [c.aligned_alloc(a << 20, n << 20) for a, n in ((1, 1), (8, 2), (64, 1), (32, 40))]
freed = [c.malloc(n << 20) for n in (18, 5)]
for p in freed:
    c.free(p)
text = json.dumps({"pid": os.getpid(), "blocks": [[p, c.malloc_usable_size(p)] for p in blocks], "freed": freed})
sys.stdout.write(text + chr(10))
sys.stdout.flush()
sys.stdin.read()
"""


def library(given):
    if given:
        return given
    found = sorted(glob.glob("/usr/lib/*/libmimalloc.so.2*") + glob.glob("/usr/lib*/libmimalloc.so.2*"))
    return found[0] if found else None


def preloaded(path):
    return dict(os.environ, LD_PRELOAD=path)


def check_program(checks, args, threads, blocks, aligned):
    name = "%d threads%s" % (threads, ", aligned" if aligned else "")
    command = [os.path.join(args.targets, "t_alloc"), str(threads), str(blocks)] + (["aligned"] if aligned else [])
    with Target(command, env=preloaded(args.library)) as target:
        truth = target.truth
        settle(truth["child"])
        for pid, who in ((truth["pid"], name), (truth["child"], name + ", child")):
            heaps, document = heaps_of(args, pid, "mimalloc")
            chunks, notes = chunks_of(args, pid)
            check_heaps(checks, who, heaps, document, chunks)
            checks.equal(notes, [], "%s: notes" % who)
            # Vectors of threads that ended stay with their stacks; the C library asks for a message where it finds no function.
            extra = check_blocks(checks, who, chunks, truth["blocks"], truth["freed"], threads + 4, aligned)
            checks.true(sum(c[4] == TLS_BYTES for c in extra) >= threads, "%s: threads' vectors are in use" % who)
            used = sum(h["used_count"] for h in heaps.values())
            checks.equal(used - len(extra), truth["live"], "%s: blocks in use" % who)
            if not aligned:
                checks.equal(sum(h["used_bytes"] for h in heaps.values()) - sum(c[4] for c in extra), truth["usable"], "%s: bytes in use" % who)
            checks.equal(len(set(heaps) - {"mimalloc.freed"}), threads + 1, "%s: heaps: threads, the main one, and of the ended one what it left" % who)
            checks.equal("mimalloc.abandoned" in heaps, threads > 1, "%s: abandoned segments" % who)
        heaps, _ = heaps_of(args, target.pid, "mimalloc")
        labels = [h["label"] for h in heaps.values()]
        for thread in truth["threads"]:
            named = any(label.startswith("mimalloc, thread %d " % thread["tid"]) for label in labels)
            checks.equal(named, not thread["ended"], "%s: thread %d has a heap" % (name, thread["tid"]))
        print("%s: %d blocks, %d bytes, %d of others" % (name, truth["live"], truth["usable"], used - truth["live"]))


def check_huge(checks, args):
    with Target([sys.executable, "-c", HUGE], env=preloaded(args.library)) as target:
        settle(target.pid)
        heaps, document = heaps_of(args, target.pid, "mimalloc")
        chunks, notes = chunks_of(args, target.pid)
        check_heaps(checks, "huge", heaps, document, chunks)
        finder = Chunks(chunks)
        for address, usable in target.truth["blocks"]:
            c = finder.at(address)
            checks.true(c and c[0] == "used" and c[1] <= address and c[3] + c[4] == address + usable,
                        "huge: block at %#x of %d bytes is %s" % (address, usable, c))
        for address in target.truth["freed"]:
            c = finder.at(address)
            checks.true(not c or c[0] != "used", "huge: freed block at %#x is in use" % address)
        print("huge: %d blocks in use" % sum(h["used_count"] for h in heaps.values()))


def check_churn(checks, args):
    """
    Four threads allocate at full speed. What is called proved is true, but for blocks that a thread had just taken off a
    page's list of those that others freed, to count them: held in its registers alone, they pass for used.
    """
    proved = still = exact = 0
    with Target([os.path.join(args.targets, "t_churn"), "4", "20000"], env=preloaded(args.library)) as target:
        live_blocks, threads = target.truth["live"], target.truth["threads"]
        for _ in range(live.test_count(10)):
            heaps, _ = heaps_of(args, target.pid, "mimalloc")
            checks.true(heaps, "churn: mimalloc is not found")
            if all(h["proved"] for h in heaps.values()):
                proved += 1
        # Stopped at random moments, four threads are often inside malloc(): look until some looks were proved.
        looks = 0
        while still < 5 and looks < 80:
            looks += 1
            with target.stopped():
                heaps, document = heaps_of(args, target.pid, "mimalloc")
                # Stopped inside malloc() a page may be caught in the middle of a change: then it is said.
                if all(h["proved"] for h in heaps.values()):
                    still += 1
                    check_heaps(checks, "churn", heaps, document, chunks_of(args, target.pid)[0])
                    used = sum(h["used_count"] for h in heaps.values())
                    exact += used <= live_blocks + 3 * threads + 4
                    checks.true(live_blocks <= used <= live_blocks * 1.03, "churn: %d blocks in use of %d" % (used, live_blocks))
    checks.true(2 * exact > still, "churn: exact in %d of %d looks while it stood still" % (exact, still))
    print("churn: all heaps proved in %d of %d looks; stopped in %d of %d, exact in %d" % (proved, live.test_count(10), still, looks, exact))


def check_real(checks, args):
    """Programs that know nothing of it."""
    programs = {"python3": [sys.executable, "-c", "import json, sys; x = [str(i) for i in range(99999)]; print('{}', flush=True); sys.stdin.read()"],
                "bash": ["bash", "-c", "x=$(seq 1000); echo '{}'; read -r y"]}
    if shutil.which("sqlite3"):
        programs["sqlite3"] = ["sqlite3", "-batch", "-init", "/dev/null", ":memory:"]
    for name, command in programs.items():
        if name == "sqlite3":
            text = "create table t(x); with recursive c(x) as (select 1 union all select x + 1 from c limit 50000) insert into t select x || 'a' from c; select '{}';\n"
            child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=preloaded(args.library))
            child.stdin.write(text.encode())
            child.stdin.flush()
            child.stdout.readline()
            try:
                check_one_real(checks, args, name, child.pid)
            finally:
                child.stdin.close()
                child.wait()
                child.stdout.close()
            continue
        with Target(command, env=preloaded(args.library)) as target:
            check_one_real(checks, args, name, target.pid)


def check_one_real(checks, args, name, pid):
    settle(pid)
    heaps, document = heaps_of(args, pid, "mimalloc")
    chunks, notes = chunks_of(args, pid)
    checks.true(heaps, "%s: no heap" % name)
    checks.equal(notes, [], "%s: notes" % name)
    check_heaps(checks, name, heaps, document, chunks)
    used = sum(h["used_bytes"] or 0 for h in heaps.values())
    checks.true(0 < used < sum(h["size"] for h in heaps.values()), "%s: %d bytes in use" % (name, used))
    print("%s: %d blocks, %d bytes in use" % (name, sum(h["used_count"] or 0 for h in heaps.values()), used))


def check_others(checks, args):
    """Programs without it."""
    with contextlib.ExitStack() as stack:
        start = stack.enter_context
        targets = [start(Target([os.path.join(args.targets, "t_alloc"), "4", "500"])), start(Target([os.path.join(args.targets, "t_arenas"), "4", "20"])),
                   start(Target(["sleep", "1000"], truth=False)), start(Target(["cat"], truth=False)),
                   start(Target([sys.executable, "-c", "import mmap, sys; m = mmap.mmap(-1, 1 << 34); m[0] = 1; print('{}', flush=True); sys.stdin.read()"]))]
        for target in targets:
            heaps, _ = heaps_of(args, target.pid, "mimalloc")
            checks.equal(sorted(heaps), [], "%s: mimalloc where there is none" % target.child.args[0])
            if target.truth is None:
                target.child.kill()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    for option in ("--vmmap", "--targets", "--chunks"):
        parser.add_argument(option, required=True, type=os.path.abspath)
    parser.add_argument("--library", help="another build of mimalloc 2")
    args = parser.parse_args()
    args.library = library(args.library)
    if not args.library:
        skip("mimalloc is not installed (apt install libmimalloc2.0)")
    checks = Checks()
    for threads, blocks in ((1, 3000), (8, 2000), (60, 300)):
        check_program(checks, args, threads, blocks, False)
    check_program(checks, args, 8, 2000, True)
    check_huge(checks, args)
    check_churn(checks, args)
    check_real(checks, args)
    check_others(checks, args)
    checks.finish()


if __name__ == "__main__":
    main()
