#!/usr/bin/env python3
"""One known mapping of each sort: vmmap must tell kind, borders and numbers to the byte."""
import sys

from live import (Checks, Target, address, arguments, blocks_of, huge_pages, kinds_command, os, parse_json, region_at, run,
                  show, skip, snapshot, span, tiles, work_folder)

NUMBERS = ("size", "committed", "private", "rss", "uss", "shareable", "shared", "swap", "anonymous", "locked", "huge",
           "hugetlb")


def check_region(checks, document, truth, what):
    start = address(truth["address"])
    region = region_at(document, start)
    if not checks.true(region, "%s: no region at %#x" % (what, start)):
        return
    low, high = span(region)
    checks.true(region["kind"] in truth["kind"].split("|"), "%s: kind is %s, must be %s" % (what, region["kind"], truth["kind"]))
    if truth["tid"]:
        check_thread(checks, document, truth, region, what)
    if truth["scope"] == "inside":
        checks.true(start + truth["size"] <= high, "%s: reaches beyond its region %#x-%#x" % (what, low, high))
        return
    checks.equal(low, start, "%s: start" % what)
    checks.true(high - low >= truth["size"] and region["size"] == truth["size"],
                "%s: size is %s, must be %s" % (what, show(region["size"]), show(truth["size"])))
    for number in NUMBERS:
        if truth[number] is not None:
            checks.equal(region[number], truth[number], "%s: %s" % (what, number))
    if truth["protection"]:
        checks.equal(region["protection"], truth["protection"], "%s: protection" % what)
    if truth["path"]:
        checks.true(truth["path"] in region["details"], "%s: %r lacks %r" % (what, region["details"], truth["path"]))
    if truth["guard"] is not None:
        guard = sum(b["size"] for b in blocks_of(region) if "guard" in (b.get("label") or ""))
        checks.equal(guard, truth["guard"], "%s: bytes of guard blocks" % what)
    for number in NUMBERS:
        parts = [b[number] for b in blocks_of(region)]
        if region[number] is not None and None not in parts:
            checks.equal(sum(parts), region[number], "%s: sum of the blocks' %s" % (what, number))


def check_thread(checks, document, truth, region, what):
    thread = [t for t in document["threads"] if t["tid"] == truth["tid"]]
    if checks.equal(len(thread), 1, "%s: threads with id %d" % (what, truth["tid"])):
        stack = thread[0]["stack"]
        checks.true(stack and span(stack) == span(region), "%s: stack of the thread is %s" % (what, stack))


def check_images(checks, document, truth, what):
    sorts = {s["sort"]: s for s in truth["sorts"]}
    by_start = {address(m["address"]): m for m in document["modules"]}
    ids = set()
    for sort in ("loaded_library", "memfd_library", "deleted_library", "replaced_library"):
        module = by_start.get(address(sorts[sort]["address"]))
        if not checks.true(module, "%s %s: no module there" % (what, sort)):
            continue
        ids.add(module["build_id"])
        checks.equal(module["deleted"], sorts[sort]["deleted"], "%s %s: deleted" % (what, sort))
    # Four loads of the same bytes.
    checks.true(len(ids) == 1 and None not in ids, "%s: build-ids of one library differ: %s" % (what, ids))


def check_gaps(checks, args, pid, truth, what):
    """What no mapping can get: below vm.mmap_min_addr, and the kernel's guard gap below a mapping that grows down."""
    # The column committed makes vmmap read VmFlags, which tell what grows down.
    columns = "address,end,kind,size,committed"
    gaps = parse_json(run(args, "show", pid, "--view", "free", "--json", "--columns", columns).stdout)["free"]
    by_end = {address(g["end"]): g for g in gaps}
    for sort in truth["sorts"]:
        if sort["sort"] == "grows_down":
            gap = by_end.get(address(sort["address"]), {})
            checks.equal(gap.get("kind"), "unusable", "%s: kind of the gap below a growing mapping" % what)
            checks.equal(gap.get("size"), 256 * truth["page_size"], "%s: size of the gap below a growing mapping" % what)
    with open("/proc/sys/vm/mmap_min_addr", encoding="ascii") as f:
        lowest = int(f.read())
    if lowest:
        checks.true(gaps[0]["kind"] == "unusable" and address(gaps[0]["end"]) == lowest, "%s: lowest gap is %s" % (what, gaps[0]))


def check(checks, args, command, what):
    with Target(command) as target:
        for skipped in target.truth["skipped"]:
            print("%s: not here: %s: %s" % (what, skipped["sort"], skipped["reason"]))
        document = snapshot(args, target.pid)
        tiles(checks, document, what)
        checks.equal(document["target"]["bits"], target.truth["bits"], "%s: bits" % what)
        for sort in target.truth["sorts"]:
            check_region(checks, document, sort, "%s %s" % (what, sort["sort"]))
        check_gaps(checks, args, target.pid, target.truth, what)
        print("%s: %d sorts of memory" % (what, len(target.truth["sorts"])))
        return document, target.truth


def main():
    args = arguments(__doc__, bits={"choices": ["32", "64"], "default": "64"})
    checks = Checks()
    bits = int(args.bits)
    with work_folder() as folder, huge_pages(8):
        command = kinds_command(args, folder, bits)
        if not command:
            skip("no t_kinds of %d bits (gcc-multilib?)" % bits)
        document, truth = check(checks, args, command, "t_kinds%d" % bits)
        check_images(checks, document, truth, "t_kinds%d" % bits)
        programs = [["t_merged_stacks"], ["t_static"], ["t_static_pie"], ["t_reserve"], ["t_packed", command[2]]]
        for words in programs if bits == 64 else []:
            program = os.path.join(args.targets, words[0])
            if os.path.exists(program):
                check(checks, args, [program] + words[1:], words[0])
    checks.finish()


if __name__ == "__main__":
    sys.exit(main())
