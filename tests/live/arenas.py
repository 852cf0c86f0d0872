#!/usr/bin/env python3
"""Arenas of glibc: all found, their sizes what mallinfo2() says, each thread's blocks in the arena that names it."""
import os

from live import Checks, Target, arguments, parse_json, run


def heap_bytes(document, heap):
    """What the allocator got from the system: a sub-heap's reserve and what others got by sbrk() are not part of it."""
    return sum(b["size"] for r in document["regions"] if r.get("heap") == heap["id"]
               for b in r["blocks"] if b["label"] not in ("reserved", "not malloc's"))


def region_of(document, address):
    for region in document["regions"]:
        if int(region["address"], 16) <= address < int(region["end"], 16):
            return region
    return None


def check_mmapped(checks, document, truth, heaps, name):
    heap = heaps.pop("glibc.0.mmapped", None)
    if not checks.true(heap, "%s: no heap of mmapped chunks" % name):
        return
    regions = [r for r in document["regions"] if r.get("heap") == heap["id"]]
    checks.equal(len(regions), truth["mmapped_count"], "%s: mmapped chunks" % name)
    checks.equal(heap["size"], truth["mmapped_bytes"], "%s: bytes of mmapped chunks" % name)
    for address in truth["big"]:
        region = region_of(document, address)
        checks.equal(region and region.get("heap"), heap["id"], "%s: heap of the block at %#x" % (name, address))
        # The block begins two words behind its mapping; 32-bit chunks stand 8 bytes in.
        checks.true(region and address - int(region["address"], 16) == 16, "%s: %#x begins its mapping" % (name, address))


def check(checks, args, name, threads, blocks, options=()):
    program = os.path.join(args.targets, name)
    if not os.path.exists(program):
        print("%s: not built" % name)
        return
    with Target([program, str(threads), str(blocks)]) as target:
        done = run(args, "show", target.pid, "--json", *options)
        checks.equal(done.returncode, 0, "%s: exit status" % name)
        document = parse_json(done.stdout)
        heaps = {h["id"]: h for h in document["heaps"]}
        check_mmapped(checks, document, target.truth, heaps, name)
        checks.equal(len(heaps), threads + 1, "%s: arenas, one for each thread and the main one" % name)
        checks.equal(sum(heap_bytes(document, h) for h in heaps.values()), target.truth["system_bytes"],
                     "%s: bytes from the system" % name)
        for thread in target.truth["threads"]:
            region = region_of(document, thread["address"])
            if not checks.true(region and region["kind"] == "heap" and region.get("heap") in heaps,
                               "%s: %#x is in no heap" % (name, thread["address"])):
                continue
            label = heaps[region["heap"]]["label"]
            checks.true("thread %d " % thread["tid"] in label, "%s: heap of thread %d is %r" % (name, thread["tid"], label))
        for heap in heaps.values():
            regions = [r for r in document["regions"] if r.get("heap") == heap["id"]]
            checks.equal(heap["size"], sum(r["size"] for r in regions), "%s: size of %s" % (name, heap["id"]))
            checks.equal(heap["rss"], sum(r["rss"] for r in regions), "%s: rss of %s" % (name, heap["id"]))
        print("%s: %d arenas, %d bytes" % (name, len(heaps), target.truth["system_bytes"]))


def main():
    args = arguments(__doc__)
    checks = Checks()
    for name in ("t_arenas", "t_arenas32", "t_arenas_static"):
        check(checks, args, name, 8, 3000)
        check(checks, args, name, 40, 20, ("--fast",))
    checks.finish()


if __name__ == "__main__":
    main()
