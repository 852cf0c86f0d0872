#!/usr/bin/env python3
"""Cores of other architectures against what the program that died had said: fixtures of aarch64 and 32-bit arm.

tests/fixtures/foreign/make.py made them with qemu: as qemu writes cores, and as a kernel would have written them.
"""
import json
import os

from live import Checks, address, arguments, parse_json, region_at, run, skip

FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "fixtures", "foreign")
FREE = ("fast", "free", "top")


def check_threads(checks, name, document, truth):
    checks.equal([t["tid"] for t in document["threads"]], [t["tid"] for t in truth["threads"]], "%s: threads" % name)
    for thread, said in zip(document["threads"], truth["threads"]):
        what = "%s: stack of thread %d" % (name, said["tid"])
        if checks.true(thread["stack"] is not None, "%s: is known" % what):
            start, end = address(thread["stack"]["address"]), address(thread["stack"]["end"])
            checks.equal(end, said["stack"] + said["size"], "%s: end" % what)
            # glibc may make the guard larger than was asked for.
            checks.true(said["stack"] - 65536 <= start <= said["stack"], "%s: begins at %#x" % (what, start))


def check_heaps(checks, name, document, truth, pointers):
    heaps = document["heaps"]
    states = [h["states"] for h in heaps if not h["id"].endswith("mmapped")]
    checks.true(all(h["proved"] for h in heaps) and len(heaps) == 3, "%s: three heaps, all proved" % name)
    checks.equal(sum(s[f]["bytes"] for s in states for f in FREE) + truth["word"] * len(states), truth["fordblks"], "%s: fordblks" % name)
    checks.equal(sum(h["size"] - h["reserved"] for h in heaps[:2]), truth["arena"], "%s: arena" % name)
    checks.equal((heaps[2]["used_count"], heaps[2]["size"]), (truth["hblks"], truth["hblkhd"]), "%s: mmapped chunks" % name)
    for heap, said in zip(heaps, (truth["main"], truth["second"])):
        # The C library holds a few blocks of its own, cut from what was freed.
        checks.true(0 <= heap["used_count"] - said["live"] <= 8, "%s: used chunks of %s: %d" % (name, heap["id"], heap["used_count"]))
        checks.true(-4 <= heap["free_count"] - said["freed"] <= 4, "%s: free chunks of %s: %d" % (name, heap["id"], heap["free_count"]))
        checks.true(0 <= heap["used_bytes"] - said["usable"] <= 8192, "%s: used bytes of %s: %d" % (name, heap["id"], heap["used_bytes"]))
        checks.true(heap["rss"] is None and heap["trimmable"] is None, "%s: residency is unknown" % name)
    if pointers:
        tids = [[t["tid"]] for t in truth["threads"]]
        checks.equal([h["threads"] for h in heaps[:2]], tids, "%s: whose arenas these are" % name)
    for account in document["accounts"]:
        if account["id"] == "heaps":
            checks.equal(account["remainder"], 0, "%s: chunks tile the heaps" % name)


def check_images(checks, name, document, truth):
    found = {m["path"]: m["build_id"] for m in document["modules"]}
    checks.equal(found, truth["build_ids"], "%s: images and their build-ids" % name)
    for line in truth["maps"]:
        span, path = line.split()[0], line.split(maxsplit=5)[5:]
        if path and path[0].startswith("/"):
            region = region_at(document, int(span.split("-")[0], 16))
            checks.true(region is not None and region["kind"] == "image", "%s: %s at %s" % (name, path[0], span))


def check(args, checks, arch, ending):
    core = os.path.join(FOLDER, arch + ending + ".core.xz")
    name = arch + ending
    with open(os.path.join(FOLDER, arch + ".json"), encoding="utf-8") as f:
        truth = json.load(f)
    done = run(args, "show", core, "--json")
    if not checks.equal(done.returncode, 0, "%s: exit status (%s)" % (name, done.stderr.decode().strip())):
        return
    document = parse_json(done.stdout)
    target = document["target"]
    checks.equal((target["arch"], target["bits"], target["name"]), (arch, 8 * truth["word"], "guest"), "%s: target" % name)
    checks.equal((target["death"]["signal"], target["death"]["tid"]), (6, truth["threads"][0]["tid"]), "%s: death" % name)
    check_threads(checks, name, document, truth)
    check_heaps(checks, name, document, truth, arch == "aarch64" and not ending)
    if not ending:
        check_images(checks, name, document, truth)
    big = truth["big"]
    at = parse_json(run(args, "at", core, hex(big["address"] + 1), "--json").stdout)
    chunk = at["addresses"][0]["chunk"]
    checks.equal((address(chunk["address"]), chunk["size"], chunk["state"]), (big["address"], big["usable"], "used"), "%s: the big block" % name)


def main():
    args = arguments(__doc__)
    checks = Checks()
    probe = run(args, "show", os.path.join(FOLDER, "arm.core.xz"), "--json")
    if b"without libarchive" in probe.stderr:
        skip("this vmmap was built without libarchive: the fixtures are packed")
    for arch in ("aarch64", "arm"):
        for ending in ("", "-qemu"):
            check(args, checks, arch, ending)
    checks.finish()


main()
