#!/usr/bin/env python3
"""vmmap diff: a program changes its memory in ways that it knows; every change is told with its state and bytes, nothing
else is, and the sums add up. Two runs of one program compare without noise. --fail-if decides what it says.
"""
import csv
import io
import os
import resource
import subprocess

import live

STACK = 64 << 20
LOCKED = 32 << 10  # less than any system allows
# What code that runs may touch without mapping anything.
OWN_PAGES = ("image", "heap", "stack", "private_data")
NO_REGIONS = ("page_table", "unusable", "free")


def look(args, session, pid):
    done = subprocess.run([args.session_of, session, "--heaps", str(pid)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, timeout=60)
    if done.returncode != 0:
        raise RuntimeError("session_of: %s" % done.stderr.decode(errors="replace"))


def diff(args, *words):
    done = live.run(args, "diff", *words, "--json")
    if done.returncode != 0:
        raise RuntimeError("vmmap diff: exit status %d: %s" % (done.returncode, done.stderr.decode(errors="replace")))
    return live.parse_json(done.stdout)


def at(document, address, side="is"):
    """The row whose region holds this address after (is) or before (was)."""
    for row in document["regions"]:
        place = row[side]
        if place and live.address(place["address"]) <= address < live.address(place["end"]):
            return row
    return None


def adds_up(checks, document, what):
    """Sums over the rows, formed here, against the types' and the total's."""
    types = {row["kind"]: row for row in document["types"]}
    total = types["total"]["change"]
    for metric in total:
        sums, known = {}, True
        for row in document["regions"]:
            if row.get("outside"):
                continue
            for side, sign in (("after", 1), ("before", -1)):
                if row[side] is None:
                    continue
                place = row["is"] if side == "after" else row["was"]
                if row[side][metric] is None:
                    known = False
                else:
                    sums[place["kind"]] = sums.get(place["kind"], 0) + sign * row[side][metric]
        account = [a for a in document["accounts"] if a["id"] == metric][0]
        if not known or total[metric] is None:
            continue
        checks.equal(sum(sums.values()), total[metric], "%s: sum of %s over the regions" % (what, metric))
        checks.equal(account["adds_up"], True, "%s: the account of %s" % (what, metric))
        for kind, row in types.items():
            if kind != "total" and kind not in NO_REGIONS:
                checks.equal(sums.get(kind, 0), row["change"][metric], "%s: sum of %s over %s" % (what, metric, kind))


def expected_changes(t, page):
    """(name, address, side, state, size, rss) of every change that the program made."""
    return [
        ("up", t["up"], "is", "grown", 8 * page, 8 * page),
        ("down", t["down"], "is", "grown", 8 * page, 0),
        ("tail", t["tail"], "is", "shrunk", -6 * page, -6 * page),
        ("moves", t["moved_to"], "is", "moved", 0, 0),
        ("protects", t["protects"], "is", "protected", 0, 0),
        ("touched", t["touched"], "is", "changed", 0, 5 * page),
        ("gone", t["gone"], "was", "gone", -19 * page, -19 * page),
        ("arrived", t["arrived"], "is", "new", 29 * page, 3 * page),
        ("file gone", t["file_gone"], "was", "gone", -8 * page, None),
        ("file new", t["file_new"], "is", "new", 12 * page, None),
        ("stack that ended", t["stack_ended"], "was", "gone", -(STACK + page), None),
        ("stack that started", t["stack_started"], "is", "new", STACK + page, None),
    ]


def told_changes(checks, document, t, page):
    told = []
    for name, address, side, state, size, rss in expected_changes(t, page):
        row = at(document, address, side)
        if not checks.true(row is not None, "%s: no row" % name):
            continue
        told.append(id(row))
        checks.equal(row["state"], state, "%s: state" % name)
        checks.equal(row["change"]["size"], size, "%s: size" % name)
        if rss is not None:
            checks.equal(row["change"]["rss"], rss, "%s: rss" % name)
    same = at(document, t["same"])
    checks.true(same is not None and same["state"] == "same", "what the program left alone: %s" % (same and same["state"]))
    moved = at(document, t["moved_to"])
    checks.equal(moved and live.address(moved["was"]["address"]), t["moves"], "where the moved mapping was")
    protected = at(document, t["protects"])
    checks.equal(protected and (protected["was"]["protection"], protected["is"]["protection"]), ("rw-p", "r--p"), "protections")
    return told


def nothing_else(checks, document, told, library):
    for row in document["regions"]:
        if id(row) in told or row["state"] == "same":
            continue
        if row["path"].endswith(library):
            checks.equal((row["state"], row["kind"]), ("new", "image"), "the library that was loaded")
            continue
        if row["kind"] == "heap" and row["state"] == "grown":
            continue  # 700 more chunks
        checks.true(row["state"] == "changed" and row["kind"] in OWN_PAGES,
                    "told without cause: %s %s %s" % (row["state"], row["kind"], row["is"] or row["was"]))


def lock_less(pid, size):
    resource.prlimit(pid, resource.RLIMIT_MEMLOCK, (size, resource.prlimit(pid, resource.RLIMIT_MEMLOCK)[1]))


def one_process(args, checks, folder):
    library = os.path.join(args.targets, "lib", "target_lib.so")
    session = os.path.join(folder, "diff.vmmap")
    with live.Target([os.path.join(args.targets, "t_diff"), library]) as target:
        page = target.truth["page"]
        lock_less(target.pid, LOCKED)
        look(args, session, target.pid)
        before = live.status_of(target.pid)
        target.child.stdin.write(b"go\n")
        target.child.stdin.flush()
        truth = live.json.loads(target.child.stdout.readline())
        lock_less(target.pid, LOCKED - 4096)
        look(args, session, target.pid)
        document = diff(args, session, "--all")
        checks.equal(document["same_process"], True, "one process is recognised")
        told = told_changes(checks, document, truth, page)
        nothing_else(checks, document, told, "target_lib.so")
        adds_up(checks, document, "one process")
        owners(checks, document, target, truth)
        chunks(checks, document, truth)
        kernel(checks, document, before, live.status_of(target.pid))
        # The same answers for two operands, for a live target, and in CSV.
        pair = diff(args, session + "@1", session + "@2", "--all")
        checks.equal([r["change"] for r in pair["regions"]], [r["change"] for r in document["regions"]], "FILE and FILE@1 FILE@2")
        alive = diff(args, session + "@1", target.pid, "--all")
        told_changes(checks, alive, truth, page)
        table(args, checks, session, document)
        fail_if(args, checks, session, document)


def owners(checks, document, target, truth):
    threads = [(row["state"], row["tid"]) for row in document["threads"]]
    checks.equal(sorted(threads), sorted([("gone", target.truth["ends"]), ("new", truth["starts"])]), "threads")
    modules = [(row["state"], os.path.basename(row["path"])) for row in document["modules"]]
    checks.equal(modules, [("new", "target_lib.so")], "images")


def kernel(checks, document, before, after):
    """Accounts against the kernel's counters at the two moments; the one limit that was changed."""
    accounts = {row["id"]: row for row in document["identities"]}
    for account, field in (("size", "VmSize"), ("anonymous", "RssAnon")):
        row = accounts[account]
        checks.equal([row["kernel"][side] for side in ("before", "after", "change")],
                     [before[field], after[field], after[field] - before[field]], "the kernel's side of %s" % account)
        checks.equal(row["sum"]["change"] - row["kernel"]["change"], row["remainder"]["change"], "remainder of %s" % account)
    checks.equal(accounts["size"]["sum"]["change"], [r for r in document["types"] if r["kind"] == "total"][0]["change"]["size"],
                 "the sum of sizes changed as the total")
    limits = {row["id"]: row for row in document["limits"]}
    checks.equal(limits.get("memlock", {}).get("soft"), {"before": LOCKED, "after": LOCKED - 4096}, "the limit that was lowered")
    checks.equal(limits["as"]["used"]["change"], after["VmSize"] - before["VmSize"], "what is used of the address space")
    checks.equal([row["id"] for row in limits.values() if row["soft"]["before"] != row["soft"]["after"]], ["memlock"], "no other limit changed")


def chunks(checks, document, truth):
    if not checks.true(document["classes"] is not None, "sizes of chunks are known"):
        return
    sizes = {row["size"]: row for row in document["classes"]}
    for size, count, what in ((truth["usable"], truth["chunks"], "allocated"), (truth["freed_usable"], -truth["freed"], "freed")):
        row = sizes.get(size)
        if checks.true(row is not None, "%s chunks: no row for %d bytes" % (what, size)):
            checks.equal(row["used_count"]["change"], count, "%s chunks of %d bytes" % (what, size))
            checks.equal(row["used_bytes_change"], count * size, "bytes in %s chunks" % what)
    heap = [row for row in document["heaps"] if row["id"] == "glibc.0.0"]
    checks.true(len(heap) == 1 and heap[0]["state"] in ("grown", "changed"), "the main arena changed")


def table(args, checks, session, document):
    done = live.run(args, "diff", session, "--by", "region", "--csv", "--columns", "state,address,size,rss,rss_before,rss_after")
    rows = list(csv.DictReader(io.StringIO(done.stdout.decode())))
    changed = [row for row in document["regions"] if row["state"] != "same"]
    checks.equal(len(rows), len(changed), "rows of CSV")
    for row, wanted in zip(rows, changed):
        checks.equal(int(row["size"]), wanted["change"]["size"], "size in CSV")
        checks.equal(int(row["rss"]), wanted["change"]["rss"], "rss in CSV")
        checks.equal(int(row["rss_after"] or 0) - int(row["rss_before"] or 0), wanted["change"]["rss"], "rss on both sides in CSV")
    done = live.run(args, "diff", session, "--sort", "size:asc", "--top", "1", "--format", "ndjson", "--kind", "stack")
    checks.equal(live.parse_json(done.stdout)["state"], "gone", "the stack that shrank most")


def fail_if(args, checks, session, document):
    total = [row for row in document["types"] if row["kind"] == "total"][0]
    heap = [row for row in document["types"] if row["kind"] == "heap"][0]
    size, rss, used = total["change"]["size"], total["change"]["rss"], heap["change"]["used"]
    share = 100 * used // heap["before"]["used"]
    cases = [
        ("size=%d" % size, 1),
        ("rss>%d" % (rss - 1), 1), ("rss>%d" % rss, 0), ("rss<=%+d" % rss, 1),
        ("heap.used=%d" % used, 1), ("heap.used>%+d%%" % (share - 1), 1), ("heap.used>%+d%%" % (share + 1), 0),
        ("kind=heap && used>%d" % (used - 1), 1), ("kind=stack && used>0", 0),
        ("state=moved", 1), ("state=moved && size>0", 0), ("state=new && size=%d" % (29 * live.PAGE), 1),
        ("rss<-1G", 0), ("rss>-1G", 1), ("stored>0", 3), ("!(stored>0)", 3), ("rss>5% && rss_before<1", 0),
    ]
    for expression, status in cases:
        done = live.run(args, "diff", session, "--by", "type", "--fail-if", expression)
        checks.equal(done.returncode, status, "--fail-if '%s'" % expression)
        checks.equal(b"--fail-if" in done.stderr, status != 0, "a line about '%s'" % expression)
    done = live.run(args, "diff", session, "--fail-if", "rss<-1G", "--fail-if", "state=moved", "--json")
    checks.equal(done.returncode, 1, "one of two holds")
    checks.equal([c["holds"] for c in live.parse_json(done.stdout)["fail_if"]], [False, True], "which of two holds")
    for wrong in ("rss>", "nothing>1", "rss>5%%", "5%<rss", "heap.state=new", "text>5%"):
        done = live.run(args, "diff", session, "--fail-if", wrong)
        checks.equal(done.returncode, 2, "--fail-if '%s' is wrong" % wrong)
    checks.equal(live.run(args, "diff", os.getpid()).returncode, 2, "one live process is not enough")


def two_runs(args, checks):
    command = [os.path.join(args.targets, "t_diff"), os.path.join(args.targets, "lib", "target_lib.so")]
    with live.Target(command) as first, live.Target(command) as second:
        document = diff(args, first.pid, second.pid, "--all")
        checks.equal(document["same_process"], False, "two processes are told apart")
        for row in document["regions"]:
            what = "%s at %s" % (row["kind"], row["is"] or row["was"])
            if "/vmmap-t-diff-" in row["path"]:
                continue  # each run has a file of its own
            small = row["kind"] == "stack" and abs(row["change"]["size"]) <= 16 << 10  # arguments and environment lie at random
            checks.true(row["state"] in ("same", "changed") or small, "noise between two runs: %s %s" % (row["state"], what))
        checks.equal([row for row in document["threads"] + document["modules"]], [], "threads and images of two runs")
        adds_up(checks, document, "two runs")


def main():
    args = live.arguments(__doc__, session_of={"required": True, "help": "adds snapshots to a session"})
    args.session_of = os.path.abspath(args.session_of)
    checks = live.Checks()
    if not os.path.exists(os.path.join(args.targets, "t_diff")):
        live.skip("t_diff was not built")
    with live.work_folder() as folder:
        one_process(args, checks, folder)
    two_runs(args, checks)
    checks.finish()


main()
