#!/usr/bin/env python3
"""glibc's heaps: every block is what the program holds, sums are what mallinfo2() says, trimming gives back what was said."""
import os
import shutil
import struct

from alloc_blocks import check_blocks, check_heaps, chunks_of, heaps_of
from live import PAGE, Checks, Target, arguments, parse_json, read_maps, run, skip, status_of, test_count

# What libc takes for itself: each thread's table of thread-local data, and a few blocks when it starts.
OTHERS = 24


def total(heaps, state, what):
    return sum(h["states"][state][what] for h in heaps.values() if h["states"])


def check_mallinfo(checks, name, heaps, truth, word):
    """mallinfo2() counts what threads have cached as in use, and the header of each top as free."""
    tops = sum(1 for h in heaps.values() if h["states"] and h["states"]["top"]["count"])
    free = total(heaps, "free", "bytes") + total(heaps, "fast", "bytes") + total(heaps, "top", "bytes") + word * tops
    checks.equal(free, truth["fordblks"], "%s: fordblks" % name)
    checks.equal(total(heaps, "fast", "count"), truth["smblks"], "%s: smblks" % name)
    checks.equal(total(heaps, "fast", "bytes"), truth["fsmblks"], "%s: fsmblks" % name)
    checks.equal(total(heaps, "free", "count") + tops, truth["ordblks"], "%s: ordblks" % name)
    if "glibc.0.0" in heaps:
        checks.equal(heaps["glibc.0.0"]["top"] + word, truth["keepcost"], "%s: keepcost" % name)
    mapped = heaps.get("glibc.0.mmapped", {"size": 0, "used_count": 0})
    # glibc 2.43 adds two words too many each time that realloc() moves such a block.
    checks.equal(mapped["size"], truth["hblkhd"] - truth["hblkhd"] % PAGE, "%s: hblkhd" % name)
    checks.equal(mapped["used_count"], truth["hblks"], "%s: hblks" % name)


def check_alloc(checks, args, program, threads, blocks, options=()):
    path = os.path.join(args.targets, program)
    if not os.path.exists(path):
        print("%s: not built" % program)
        return
    with Target([path, str(threads), str(blocks), *options]) as target:
        for pid in (target.pid, target.truth["child"]):
            name = "%s %d%s" % (program, threads, "" if pid == target.pid else ", its child")
            heaps, document = heaps_of(args, pid, "glibc")
            chunks, notes = chunks_of(args, pid)
            checks.equal(notes, [], "%s: notes" % name)
            extra = check_blocks(checks, name, chunks, target.truth["blocks"], [], threads + OTHERS)
            # What is freed is not in use, unless libc has taken it again for a thread that it made later.
            again = {c[3] for c in extra} & set(target.truth["freed"])
            checks.true(len(again) <= 2 + threads // 4, "%s: %d freed blocks are in use" % (name, len(again)))
            checks.true(all(c[4] < 20000 for c in extra), "%s: blocks of others: %s" % (name, [c[4] for c in extra]))
            check_heaps(checks, name, heaps, document, chunks)
            if pid == target.pid:
                check_mallinfo(checks, name, heaps, target.truth["mallinfo"], 4 if program.endswith("32") else 8)
                live = {t["tid"] for t in target.truth["threads"] if not t["ended"]}
                named = {t for h in heaps.values() for t in h["threads"]}
                checks.true(live <= named, "%s: threads without a heap: %s" % (name, live - named))
        print("%s: %d heaps, %d chunks" % (name, len(heaps), len(chunks)))


def check_shapes(checks, args):
    """Main arenas that are not in one piece."""
    for mode in ("plain", "blocked", "foreign"):
        with Target([os.path.join(args.targets, "t_heap"), mode]) as target:
            heaps, document = heaps_of(args, target.pid, "glibc")
            check_mallinfo(checks, mode, heaps, target.truth, 8)
            checks.equal(total(heaps, "used", "count"), target.truth["live"], "%s: blocks" % mode)
            checks.equal(total(heaps, "used", "bytes"), target.truth["usable"], "%s: usable bytes" % mode)
            check_heaps(checks, mode, heaps, document, chunks_of(args, target.pid)[0])


def check_corrupt(checks, args):
    """A heap that is broken on purpose: no number, and a note that says where."""
    for what, near in (("size", 4096), ("small", 4096), ("huge", 4096), ("odd", 4096), ("loop", 1 << 26), ("wild", 1 << 26)):
        with Target([os.path.join(args.targets, "t_heap"), "corrupt", what]) as target:
            heaps, document = heaps_of(args, target.pid, "glibc")
            main = heaps["glibc.0.0"]
            checks.equal((main["proved"], main["used_bytes"], main["states"]), (False, None, None), "corrupt %s" % what)
            notes = [n for n in document["notes"] if n["code"] == "unproved"]
            if checks.equal(len(notes), 1, "corrupt %s: notes" % what):
                where = int(notes[0]["address"], 16)
                checks.true(abs(where - target.truth["broken"]) <= near, "corrupt %s: told at %#x, is at %#x" % (what, where, target.truth["broken"]))
                checks.true("%#x" % where in notes[0]["text"], "corrupt %s: %r" % (what, notes[0]["text"]))
            checks.equal(len(chunks_of(args, target.pid)[1]), 1, "corrupt %s: notes of the chunks" % what)
    with Target([os.path.join(args.targets, "t_heap"), "corrupt", "fake"]) as target:
        heaps, _ = heaps_of(args, target.pid, "glibc")
        checks.equal(set(heaps), {"glibc.0.0"}, "a fake arena")
        checks.equal(total(heaps, "used", "count"), target.truth["live"], "a fake arena: blocks")


def pages_of(pid):
    """The page map's present bits of all private memory."""
    bits = {}
    with open("/proc/%d/pagemap" % pid, "rb") as f:
        for v in read_maps(pid):
            start, end = v["start"], v["end"]
            if end - start > 1 << 32 or end > 1 << 47:
                continue
            f.seek(start // PAGE * 8)
            data = f.read((end - start) // PAGE * 8)
            bits[start] = [v >> 62 for v, in struct.iter_unpack("Q", data)]
    return bits


def check_trim(checks, args):
    with Target([os.path.join(args.targets, "t_heap"), "trim"]) as target:
        before_pages = pages_of(target.pid)
        heaps, _ = heaps_of(args, target.pid, "glibc")
        chunks_of(args, target.pid)
        checks.true(pages_of(target.pid) == before_pages, "the page map is another one after a walk")
        said = sum(h["trimmable"] or 0 for h in heaps.values())
        before = status_of(target.pid)["RssAnon"]
        target.child.stdin.write(b"x")
        target.child.stdin.flush()
        target.child.stdout.readline()
        given = before - status_of(target.pid)["RssAnon"]
        # The kernel's counter lags by a few pages for each processor.
        checks.true(abs(given - said) <= max(given // 100, 16 * PAGE), "trimming gave back %d, said was %d" % (given, said))
        # Now the heap has holes: looking at it must not fill them.
        before_pages = pages_of(target.pid)
        heaps, _ = heaps_of(args, target.pid, "glibc")
        chunks_of(args, target.pid)
        checks.true(pages_of(target.pid) == before_pages, "the page map is another one after a walk over holes")
        checks.true(all(h["proved"] for h in heaps.values()), "a heap with holes is not proved")
        print("trim: said %d, given %d" % (said, given))


def check_churn(checks, args, count):
    """Threads that allocate at full speed: what is shown is either proved or not, and while they are held it is proved."""
    unproved = heaps_seen = 0
    with Target([os.path.join(args.targets, "t_heap"), "churn", "4"]) as target:
        for _ in range(count):
            heaps, document = heaps_of(args, target.pid, "glibc")
            for heap in heaps.values():
                heaps_seen += 1
                unproved += not heap["proved"]
                if heap["proved"]:
                    checks.true(sum(s["bytes"] for s in heap["states"].values()) >= heap["size"], "churn: sum of states")
                else:
                    checks.equal(heap["used_bytes"], None, "churn: a number that is not proved")
            checks.true(document["partial"] is False, "churn: partial")
        held = held_unproved = 0
        for _ in range(min(count, 100)):
            heaps, document = heaps_of(args, target.pid, "glibc", "--stop")
            held += len(heaps)
            held_unproved += sum(not h["proved"] for h in heaps.values())
        # A thread can be stopped in the middle of malloc(): its arena is in between two states then.
        checks.true(held_unproved <= held // 4 + 5, "churn: %d of %d heaps are not proved while it is held" % (held_unproved, held))
        print("churn: %d of %d heaps not proved in %d walks; held: %d of %d" % (unproved, heaps_seen, count, held_unproved, held))


REAL = (("python3", "-c", "import json, time; x = [str(i) * 20 for i in range(50000)]; print('{}', flush=True); time.sleep(60)"),
        ("bash", "-c", "x=$(seq 20000); echo '{}'; read y"),
        ("perl", "-e", "$|=1; @x = map {$_ x 10} 1..50000; print qq({}\\n); <STDIN>"),
        ("sqlite3", "-cmd", "create table t(a); insert into t select hex(randomblob(100)) from generate_series(1,20000); select '{}';"))


def other_processes(most):
    """Some running processes that are not this one's ancestors."""
    mine, pid = set(), os.getpid()
    while pid > 1:
        mine.add(pid)
        with open("/proc/%d/stat" % pid, encoding="utf-8", errors="replace") as f:
            pid = int(f.read().rsplit(")", 1)[1].split()[1])
    found = [int(e) for e in os.listdir("/proc") if e.isdigit() and int(e) not in mine and os.path.exists("/proc/%s/exe" % e)]
    return found[:most]


def check_real(checks, args):
    for command in REAL:
        if not shutil.which(command[0]):
            print("%s: not installed" % command[0])
            continue
        with Target(list(command)) as target:
            heaps, document = heaps_of(args, target.pid, "glibc")
            checks.true(heaps and all(h["proved"] for h in heaps.values()), "%s: %s" % (command[0], document["notes"]))
    seen = {True: 0, False: 0}
    for pid in other_processes(60):
        done = run(args, "show", pid, "--json")
        if done.returncode != 0:
            continue
        document = parse_json(done.stdout)
        for heap in document["heaps"]:
            seen[heap["proved"]] += 1
            checks.true(heap["proved"] or any(n["from"] == "heaps" for n in document["notes"]), "%d: unproved without a reason" % pid)
    print("other processes: %d heaps proved, %d not" % (seen[True], seen[False]))


def main():
    args = arguments(__doc__, chunks={"required": True, "help": "the program that prints chunks"},
                     count={"type": int, "default": min(12, test_count(12)), "help": "walks of a heap in motion"})
    checks = Checks()
    for program in ("t_alloc", "t_alloc32", "t_alloc_static"):
        check_alloc(checks, args, program, 1, 3000)
        check_alloc(checks, args, program, 8, 2000, ("aligned",))
        check_alloc(checks, args, program, 60, 200, ("aligned",))
    check_shapes(checks, args)
    check_corrupt(checks, args)
    check_trim(checks, args)
    check_churn(checks, args, args.count)
    check_real(checks, args)
    checks.finish()


if __name__ == "__main__":
    main()
