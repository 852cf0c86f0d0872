#!/usr/bin/env python3
"""tcmalloc of gperftools: every block told as the program and the allocator's own statistics know it."""
import argparse
import glob
import os
import signal
import subprocess
import sys
import time

from live import Checks, Target, parse_json, run, skip

LIBRARIES = ("libtcmalloc_minimal.so.4", "libtcmalloc.so.4")
# What runs in every process before main(): the emergency pool of libstdc++ (73 KB), and errors of dlsym().
OTHERS_BYTES = 80 * 1024
OF_A_THREAD = 320  # its table of thread-local storage


def find_library(name):
    found = glob.glob("/usr/lib/*-linux-gnu/" + name) + glob.glob("/usr/lib64/" + name)
    return found[0] if found else None


def preloading(library, **more):
    return dict(os.environ, LD_PRELOAD=library, **more)


def chunks_of(args, pid):
    """The chunks of tcmalloc's heap as (state, start, size, address, usable), and the notes."""
    done = subprocess.run([args.chunks, str(pid)], capture_output=True, timeout=120)
    chunks, notes = [], []
    for line in done.stdout.decode().splitlines():
        words = line.split()
        if words[0] == "note":
            notes.append(line)
        elif words[5].startswith("tcmalloc."):
            chunks.append((words[0],) + tuple(int(w, 16) for w in words[1:5]))
    return chunks, notes


def shown_heap(args, pid, *options):
    document = parse_json(run(args, "show", pid, "--json", *options).stdout)
    heaps = [h for h in document["heaps"] if h["reader"] == "tcmalloc"]
    return heaps[0] if len(heaps) == 1 else None, document


def check_blocks(checks, name, chunks, truth, allocated):
    """
    Every block of the program is there as it says, what else is in use is little, and nothing freed is in use. The C
    library and the loader may have got a freed block or two for what they keep of each thread.
    """
    used = {c[3]: c[4] for c in chunks if c[0] == "used"}
    starts = sorted((c[1], c[2], c[0]) for c in chunks)
    for i in range(1, len(starts)):
        if starts[i - 1][0] + starts[i - 1][1] > starts[i][0]:
            checks.true(False, "%s: chunks at %#x and %#x overlap" % (name, starts[i - 1][0], starts[i][0]))
            break
    live = {b[0]: b[1] for b in truth["blocks"]}
    wrong = [a for a, usable in live.items() if used.get(a) != usable]
    checks.equal(len(wrong), 0, "%s: blocks not told as they are, the first at %#x" % (name, wrong[0] if wrong else 0))
    others = {a: size for a, size in used.items() if a not in live}
    checks.true(sum(others.values()) <= OTHERS_BYTES + OF_A_THREAD * len(truth["threads"]), "%s: %d bytes of others" % (name, sum(others.values())))
    if allocated is not None:
        # Blocks that it samples stand alone in whole pages, all of which it counts.
        checks.equal(sum(c[2] for c in chunks if c[0] == "used"), allocated, "%s: bytes in use" % name)
    freed = [a for a in truth["freed"] if a not in live and a in others]
    checks.true(len(freed) <= 2, "%s: %d freed blocks told as in use, the first at %#x" % (name, len(freed), freed[0] if freed else 0))


def state_bytes(chunks, state):
    return sum(c[2] for c in chunks if c[0] == state)


def check_statistics(checks, name, chunks, heap, truth):
    says = truth["tcmalloc"]
    states = heap["states"]
    sampled = sum(c[2] - c[4] for c in chunks if c[0] == "used")
    for state in ("cached", "free", "reserved"):
        checks.equal(states[state]["bytes"], state_bytes(chunks, state), "%s: bytes %s shown and told" % (name, state))
        checks.equal(states[state]["count"], sum(c[0] == state for c in chunks), "%s: number %s shown and told" % (name, state))
    checks.equal(heap["used_count"], sum(c[0] == "used" for c in chunks), "%s: number in use shown and told" % name)
    checks.equal(heap["used_bytes"] + sampled, says["generic.current_allocated_bytes"], "%s: bytes in use" % name)
    checks.equal(states["reserved"]["bytes"], says["tcmalloc.pageheap_unmapped_bytes"], "%s: returned bytes" % name)
    checks.equal(states["cached"]["bytes"], says["tcmalloc.thread_cache_free_bytes"] + says["tcmalloc.transfer_cache_free_bytes"],
                 "%s: bytes in caches" % name)
    # What it calls free in central lists has the unusable ends of spans in it; the tables are not part of its heap.
    tables = heap["size"] - says["generic.heap_size"]
    checks.equal(states["free"]["bytes"] + states["meta"]["bytes"] - tables - sampled,
                 says["tcmalloc.pageheap_free_bytes"] + says["tcmalloc.central_cache_free_bytes"], "%s: free bytes" % name)


def check_child(checks, args, name, truth):
    """It has the blocks as they were; the allocator's caches of threads that it does not have are there too."""
    chunks, notes = chunks_of(args, truth["child"])
    if checks.equal(notes, [], "%s: notes of the child" % name):
        check_blocks(checks, name + " child", chunks, truth, None)


def heap_rss(pid, heap):
    """What the kernel counts for the mappings in which the heap lies."""
    ranges = [(int(r["address"], 16), int(r["end"], 16)) for r in heap]
    total, wanted = 0, False
    with open("/proc/%d/smaps" % pid) as f:
        for line in f:
            words = line.split()
            if "-" in words[0] and ":" not in words[0]:
                start, end = (int(w, 16) for w in words[0].split("-"))
                wanted = any(start < b and a < end for a, b in ranges)
            elif wanted and words[0] == "Rss:":
                total += int(words[1]) * 1024
    return total


def check_release(checks, args, name, target):
    """What it gives back when asked is what was foretold."""
    heap, document = shown_heap(args, target.pid)
    regions = [r for r in document["regions"] if r.get("heap") == heap["id"]]
    before = heap_rss(target.pid, regions)
    target.child.send_signal(signal.SIGUSR1)
    checks.equal(target.child.stdout.readline(), b"released\n", "%s: answer" % name)
    after = heap_rss(target.pid, regions)
    # The library writes to its spans and may touch a table for the first time.
    checks.true(abs(before - after - heap["trimmable"]) <= 16384,
                "%s: %d bytes went, %d were foretold" % (name, before - after, heap["trimmable"]))
    heap, _ = shown_heap(args, target.pid)
    checks.equal(heap["proved"], True, "%s: proved after it gave memory back" % name)
    checks.equal(heap["trimmable"], 0, "%s: what is left to give back" % name)
    checks.true(heap["states"]["reserved"]["bytes"] > 0, "%s: nothing was returned" % name)


def check_program(checks, args, name, command, environment):
    with Target(command, env=environment) as target:
        truth = target.truth
        chunks, notes = chunks_of(args, target.pid)
        heap, document = shown_heap(args, target.pid)
        if not checks.true(heap and heap["proved"], "%s: not proved: %s %s" % (name, notes, document["notes"])):
            return
        checks.equal(notes, [], "%s: notes" % name)
        checks.equal([h for h in document["heaps"] if h["reader"] == "glibc"], [], "%s: arenas of glibc" % name)
        check_blocks(checks, name, chunks, truth, truth["tcmalloc"]["generic.current_allocated_bytes"])
        check_statistics(checks, name, chunks, heap, truth)
        check_child(checks, args, name, truth)
        check_release(checks, args, name, target)
    print("%s: %d blocks, %d bytes in use, %d chunks" % (name, truth["live"], heap["used_bytes"], len(chunks)))


PROGRAMS = {
    "python3": ["python3", "-c", "import sys\nx = [str(i) * (i % 90) for i in range(50000)]\nprint(1, flush=True)\nsys.stdin.read()"],
    "bash": ["bash", "-c", "for i in {1..3000}; do a[i]=$i$i$i; done; echo 1; read x"],
    "sqlite3": ["sqlite3", "-interactive", ":memory:"],
}


def check_real(checks, args, library):
    """Programs that know nothing of this: proved, and the sums are what the regions have."""
    for name, command in PROGRAMS.items():
        if subprocess.run(["which", command[0]], stdout=subprocess.DEVNULL).returncode != 0:
            print("%s: not installed" % name)
            continue
        with Target(command, truth=name != "sqlite3", env=preloading(library)) as target:
            if name == "sqlite3":
                target.child.stdin.write(b"create table t(a); with recursive c(x) as (select 1 union all select x+1 from c "
                                         b"limit 20000) insert into t select hex(randomblob(x % 90)) from c;\n.print\n")
                target.child.stdin.flush()
                wait_quiet(target.pid)
            heap, document = shown_heap(args, target.pid)
            if not checks.true(heap and heap["proved"], "%s: not proved: %s" % (name, document["notes"])):
                continue
            checks.equal(sum(s["bytes"] for s in heap["states"].values()), heap["size"], "%s: states and size" % name)
            checks.true(heap["used_bytes"] > 100000, "%s: %d bytes in use" % (name, heap["used_bytes"]))
            print("%s: %d blocks, %d bytes in use" % (name, heap["used_count"], heap["used_bytes"]))


def wait_quiet(pid):
    """Until it sleeps in the kernel for want of input: its processor time stands still."""
    spent = None
    for _ in range(300):
        with open("/proc/%d/stat" % pid, "rb") as f:
            words = f.read().rsplit(b")", 1)[1].split()
        if words[0] == b"S" and words[11:13] == spent:
            return
        spent = words[11:13]
        time.sleep(0.05)


def check_churn(checks, args, library):
    """
    Threads that do nothing but allocate: what is called proved is true. Objects that a thread has taken from a central list
    and not yet put into its cache count as used, as they do in tcmalloc's own statistics: 32 at once.
    """
    proved = {}
    with Target([os.path.join(args.targets, "t_churn"), "4", "5000"], env=preloading(library)) as target:
        live, threads = target.truth["live"], target.truth["threads"]
        for options, count in (((), 10), (("--stop",), 30)):
            proved[options] = 0
            for _ in range(count):
                heap, document = shown_heap(args, target.pid, *options)
                if not checks.true(heap, "churn: no heap"):
                    continue
                proved[options] += heap["proved"]
                if heap["proved"]:
                    checks.true(live <= heap["used_count"] <= live + (2 + 32) * threads + 16,
                                "churn: %d blocks are in use, %d are held" % (heap["used_count"], live))
                else:
                    checks.equal(heap["used_bytes"], None, "churn: a number that is not proved")
    # A thread can be held in the middle of malloc().
    checks.true(proved[("--stop",)] >= 10, "churn: proved %d times of 30 while it is held" % proved[("--stop",)])
    print("churn: proved %d of 10 times, held %d of 30" % (proved[()], proved[("--stop",)]))


def check_without(checks, args):
    """A process with another malloc has no heap of it."""
    with Target([os.path.join(args.targets, "t_alloc"), "2", "500"]) as target:
        heap, _ = shown_heap(args, target.pid)
        checks.equal(heap, None, "heap of a process without it")


def check_loaded(args):
    """Under another release's C library and tcmalloc: the folder of targets holds scripts that start programs so."""
    checks = Checks()
    for threads in ("1", "8", "60"):
        check_program(checks, args, "%s threads" % threads, [os.path.join(args.targets, "t_alloc"), threads, "1000", "aligned"], None)
    checks.finish()


def main():
    parser = argparse.ArgumentParser()
    for name in ("vmmap", "targets", "chunks"):
        parser.add_argument("--" + name, required=True)
    parser.add_argument("--loaded", action="store_true", help="t_alloc comes with tcmalloc: check it alone")
    args = parser.parse_args()
    if args.loaded:
        check_loaded(args)
    libraries = [path for path in map(find_library, LIBRARIES) if path]
    if not libraries:
        skip("no libtcmalloc (apt install libtcmalloc-minimal4)")
    checks = Checks()
    program = os.path.join(args.targets, "t_alloc")
    for library in libraries:
        name = os.path.basename(library)
        for threads, blocks in ((1, 5000), (8, 3000), (60, 400)):
            check_program(checks, args, "%s %d threads" % (name, threads), [program, str(threads), str(blocks), "aligned"],
                          preloading(library))
    name = os.path.basename(libraries[-1])
    check_program(checks, args, name + " without sbrk", [program, "4", "2000"], preloading(libraries[-1], TCMALLOC_SKIP_SBRK="1"))
    check_program(checks, args, name + " returning at once", [program, "4", "2000"],
                  preloading(libraries[-1], TCMALLOC_AGGRESSIVE_DECOMMIT="1"))
    check_program(checks, args, name + " sampling", [program, "4", "2000"], preloading(libraries[-1], TCMALLOC_SAMPLE_PARAMETER="20000"))
    static = program + "_tcmalloc_static"
    if os.path.exists(static):
        check_program(checks, args, "static program", [static, "4", "2000", "aligned"], None)
    check_churn(checks, args, libraries[0])
    check_real(checks, args, libraries[0])
    check_without(checks, args)
    checks.finish()


if __name__ == "__main__":
    sys.exit(main())
