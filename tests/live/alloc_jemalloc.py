#!/usr/bin/env python3
"""jemalloc: every block and every arena's totals are what the program and jemalloc's own statistics say."""
import ctypes.util
import os
import signal
import subprocess

from live import Checks, Target, arguments, parse_json, run, skip

BIG = 16384   # from here on a block has pages of its own, and one more than it needs
PAGE = 4096
# What the C library and the C++ library take for themselves: each thread's table of thread-local data and what comes
# with its first printf(), and one pool for exceptions when memory is out.
OTHERS_EACH, OTHERS, OTHER_MAX, POOL_MAX = 2, 12, 2048, 81920


def chunks_of(args, pid):
    done = subprocess.run([args.chunks, str(pid)], stdout=subprocess.PIPE, timeout=120, check=True)
    result = []
    for line in done.stdout.decode().splitlines():
        words = line.split()
        if words[0] != "note" and words[5].startswith("jemalloc."):
            result.append((words[0], int(words[1], 16), int(words[2], 16), int(words[3], 16), int(words[4], 16), words[5]))
    return result


def sums(chunks, heap):
    """Count and bytes of used and cached blocks of a heap, as jemalloc counts them: without their spare pages."""
    count = size = 0
    for state, _, whole, _, usable, of in chunks:
        if of == heap and state in ("used", "cached"):
            count += 1
            size += usable if state == "used" or whole < BIG else whole - PAGE
    return count, size


def check_arenas(checks, name, document, chunks, truth, caches):
    """caches: threads of this process that have one; the block with its stacks is jemalloc's own."""
    heaps = {h["id"]: h for h in document["heaps"] if h["id"].startswith("jemalloc.")}
    missing = internal = dirty = active = base = 0
    for arena in truth["jemalloc"]["arenas"]:
        heap = heaps.get("jemalloc.0.%d" % arena["arena"])
        active += arena["active"]
        dirty += arena["dirty"] + arena["muzzy"]
        base += arena["base"]
        internal += arena["internal"]
        if not heap:
            checks.equal(arena["count"], 0, "%s: no heap for arena %d" % (name, arena["arena"]))
            continue
        count, size = sums(chunks, heap["id"])
        missing += arena["count"] - count
        own = arena["small"] + arena["large"] - size
        checks.true(0 <= own <= arena["internal"], "%s: arena %d: %d bytes differ" % (name, arena["arena"], own))
        checks.equal(sum(c[2] for c in chunks if c[5] == heap["id"] and c[0] == "reserved"), arena["retained"],
                     "%s: retained of arena %d" % (name, arena["arena"]))
        if caches > 1:
            checks.equal(own, arena["internal"], "%s: bytes of arena %d" % (name, arena["arena"]))
    checks.equal(missing, caches, "%s: blocks that are jemalloc's own" % name)
    checks.true(all(h["proved"] for h in heaps.values()), "%s: a heap is not proved: %s" % (name, document["notes"]))
    meta = heaps["jemalloc.0.metadata"]
    blocks = sum(1 for r in document["regions"] if r.get("heap") == meta["id"])
    checks.equal(meta["size"], truth["jemalloc"]["mapped"] - active - dirty, "%s: metadata" % name)
    spare = sum(c[2] for c in chunks if c[5] == meta["id"] and c[0] == "meta") - base
    # The header of each block and the gap behind it are in no statistic.
    checks.true(0 <= spare <= 192 * blocks, "%s: metadata handed out: %d bytes more in %d blocks" % (name, spare, blocks))


def check_blocks(checks, name, chunks, truth, threads, stacks=0):
    """stacks: bytes of a tcache's stacks, where those of threads that this process does not have are nobody's."""
    used = {c[3]: c[4] for c in chunks if c[0] == "used"}
    for where, usable, _ in truth["blocks"]:
        checks.equal(used.pop(where, None), usable, "%s: usable bytes of %#x" % (name, where))
    others = sorted(size for size in used.values() if size != stacks)
    checks.true(len(used) - len(others) < threads + (threads == 1), "%s: too many stacks of caches" % name)
    if others and OTHER_MAX < others[-1] <= POOL_MAX:
        others.pop()
    checks.true(len(others) <= OTHERS_EACH * threads + OTHERS and all(size <= OTHER_MAX for size in others),
                "%s: used blocks that are not the program's: %s" % (name, others))
    # A place that was freed may have been taken again by the libraries or for a cache's stacks: such a block has the size
    # of its like elsewhere.
    theirs = {size for address, size in used.items() if address not in truth["freed"]}
    again = [a for a in truth["freed"] if a in used and used[a] not in theirs]
    checks.equal(again, [], "%s: freed blocks that are shown as used" % name)


def check_threads(checks, name, document, truth):
    labels = {h["id"]: h["label"] for h in document["heaps"]}
    for thread in truth["threads"]:
        label = labels.get("jemalloc.0.%d" % thread["arena"], "")
        if not thread["ended"] and " more" not in label:
            checks.true("thread %d " % thread["tid"] in label, "%s: thread %d is not in %r" % (name, thread["tid"], label))


def check_trim(checks, name, target, document):
    """What jemalloc gives back when asked is what was said."""
    os.kill(target.truth["child"], signal.SIGKILL)
    said = sum(h["trimmable"] or 0 for h in document["heaps"] if h["id"].startswith("jemalloc."))
    before = dict(rss_of(target.pid))
    target.child.stdin.write(b"g")
    target.child.stdin.flush()
    target.child.stdout.readline()
    after = dict(rss_of(target.pid))
    checks.equal(before["Anonymous"] - after["Anonymous"], said, "%s: memory given back" % name)


def rss_of(pid):
    with open("/proc/%d/smaps_rollup" % pid, encoding="ascii") as f:
        for line in f:
            words = line.split()
            if words[0].endswith(":") and words[-1] == "kB":
                yield words[0][:-1], int(words[1]) * 1024


def check(checks, args, name, program, library, threads, blocks, flush, trim=False):
    environment = dict(os.environ, T_ALLOC_FLUSH="1" if flush else "0", **({"LD_PRELOAD": library} if library else {}))
    command = [os.path.join(args.targets, program), str(threads), str(blocks), "aligned"]
    if not os.path.exists(command[0]):
        print("%s: not built" % program)
        return
    with Target(command, env=environment) as target:
        truth = target.truth
        if not checks.true("jemalloc" in truth, "%s: the program does not use jemalloc" % name):
            return
        for who, pid, caches in (("", target.pid, threads + (threads == 1)), (" child", truth["child"], 1)):
            done = run(args, "show", pid, "--json")
            checks.equal(done.returncode, 0, "%s%s: exit status" % (name, who))
            document = parse_json(done.stdout)
            chunks = chunks_of(args, pid)
            check_arenas(checks, name + who, document, chunks, truth, caches)
            if who == "" or flush:
                check_blocks(checks, name + who, chunks, truth, threads, stack_bytes(truth, threads) if who else 0)
            if who == "":
                check_threads(checks, name, document, truth)
                parent = document
        if trim:
            check_trim(checks, name, target, parent)
        print("%s: %d blocks, %d bytes" % (name, truth["live"], truth["usable"]))


def stack_bytes(truth, threads):
    """The block of one tcache's stacks: jemalloc has nothing else of its own among the blocks."""
    return sum(a["internal"] for a in truth["jemalloc"]["arenas"]) // (threads + (threads == 1))


def main():
    args = arguments(__doc__, chunks={"required": True, "help": "the program chunks_of"})
    checks = Checks()
    library = ctypes.util.find_library("jemalloc")
    if not library:
        skip("libjemalloc2 is not installed")
    for threads, blocks in ((1, 5000), (8, 3000), (60, 800)):
        check(checks, args, "%d threads" % threads, "t_alloc", library, threads, blocks, True, threads == 8)
        check(checks, args, "%d threads, full caches" % threads, "t_alloc", library, threads, blocks, False)
    for program in ("t_alloc_jemalloc", "t_alloc_jemalloc_static"):
        check(checks, args, program, program, None, 8, 2000, False)
    checks.finish()


if __name__ == "__main__":
    main()
