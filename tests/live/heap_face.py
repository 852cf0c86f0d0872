#!/usr/bin/env python3
"""vmmap heap: what planted chunks hold, the largest, duplicates, sizes, and all chunks as a stream, against the target."""
import csv
import io
import json
import os

from live import Checks, Target, arguments, parse_json, read_smaps, run, skip


def heap(args, checks, pid, *options):
    done = run(args, "heap", pid, *options)
    checks.equal(done.returncode, 0, "heap %s: exit status (%s)" % (" ".join(options), done.stderr.decode().strip()))
    return done.stdout


def document(args, checks, pid, *options):
    return parse_json(heap(args, checks, pid, "--json", *options))


def check_contents(checks, args, pid, truth, stripped):
    """Each planted chunk, found by its address."""
    for chunk in truth["chunks"]:
        found = document(args, checks, pid, "--where", "address=%#x" % chunk["address"])["largest"]
        name = "chunk at %#x (%s %s)" % (chunk["address"], chunk["type"], chunk["text"])
        if not checks.equal(len(found), 1, "%s: found" % name):
            continue
        found = found[0]
        checks.equal(found["size"], chunk["size"], "%s: size" % name)
        checks.equal(found["state"], "used", "%s: state" % name)
        checks.equal(found["content"]["type"], chunk["type"], "%s: type" % name)
        if stripped and chunk["type"] in ("function", "data"):
            continue  # the names are gone; section and offset stand there
        whole = chunk["type"] in ("object", "text", "utf16", "zero", "repeated", "numbers")
        text = found["content"]["text"]
        checks.true(text == chunk["text"] if whole else chunk["text"] in text, "%s: says %r" % (name, text))


def check_lists(checks, args, pid, truth):
    page = document(args, checks, pid, "--duplicates")
    checks.equal(int(page["largest"][0]["address"], 16), truth["big"], "largest chunk")
    checks.equal(page["largest"][0]["size"], truth["big_size"], "size of the largest chunk")
    checks.equal(page["largest"][0]["content"], {"type": "text", "text": "the largest of all", "cut": False}, "its content")
    sizes = [c["size"] for c in page["largest"]]
    checks.equal(sizes, sorted(sizes, reverse=True), "largest chunks are sorted")
    freed = [c for c in page["largest"] if int(c["start"], 16) <= truth["freed"] < int(c["start"], 16) + c["stretch"]]
    checks.equal([c["state"] for c in freed], ["free"], "state of the freed chunk")
    groups = page["duplicates"]["largest"]
    checks.equal(page["duplicates"]["approximate"], False, "duplicates are exact")
    checks.equal(groups[0]["count"], truth["copies"], "copies")
    checks.equal(groups[0]["size"], truth["copy_size"], "size of the copies")
    checks.equal(groups[0]["bytes"], truth["copies"] * truth["copy_size"], "bytes of the copies")
    checks.true(truth["copy_addresses"][0] <= int(groups[0]["address"], 16) <= truth["copy_addresses"][1], "address of a copy")
    checks.true(groups[0]["content"]["text"].startswith("the same line in very many"), "text of the copies")
    dogs = [g for g in groups if g["content"]["text"] == "zoo::Dog"]
    checks.equal([(g["count"], g["size"]) for g in dogs], [(truth["dogs"], truth["dog_size"])], "objects of one class")
    for account in page["accounts"]:
        checks.equal(account["remainder"], 0, "account %s" % account["id"])
    checks.equal(sorted(a["id"] for a in page["accounts"]), ["heaps", "heaps_rss"], "accounts")
    check_sizes(checks, page, truth)
    return page


def check_sizes(checks, page, truth):
    """Histogram and classes count the same chunks as the states."""
    for one in page["heaps"]:
        states = one["states"]
        free = sum(states[s]["count"] for s in ("cached", "fast", "free"))
        checks.equal(sum(r["used"] for r in one["log2"]), states["used"]["count"], "%s: used chunks by log2" % one["id"])
        checks.equal(sum(r["free"] for r in one["log2"]), free, "%s: free chunks by log2" % one["id"])
        checks.true(one["classes_complete"], "%s: all classes" % one["id"])
        checks.equal(sum(c["used"] * c["size"] for c in one["classes"]), one["used_bytes"], "%s: bytes of classes" % one["id"])
        checks.equal(sum(states[s]["bytes"] for s in states), one["size"], "%s: states and size" % one["id"])
        checks.equal(sum(states[s]["rss"] for s in states), one["rss"], "%s: resident states and rss" % one["id"])
    copies = sum(c["used"] for h in page["heaps"] for c in h["classes"] if c["size"] == truth["copy_size"])
    checks.true(copies >= truth["copies"], "chunks of the copies' size: %d" % copies)


def check_stream(checks, args, pid, truth, page):
    """All chunks tile the regions, whatever the format, and agree with the table of heaps."""
    rows = [json.loads(line) for line in heap(args, checks, pid, "--chunks", "--format", "ndjson").splitlines()]
    text = heap(args, checks, pid, "--chunks", "--csv").decode()
    table = list(csv.DictReader(io.StringIO(text)))
    checks.equal([{k: str(v) for k, v in r.items()} for r in rows], table, "NDJSON and CSV say the same")
    checks.equal(len(heap(args, checks, pid, "--chunks").splitlines()), len(rows) + 1, "rows of text")
    # The quick way and the general one write the same bytes.
    columns = ("--columns", "address,size,start,stretch,state,heap,region")
    checks.equal(heap(args, checks, pid, "--chunks", "--csv", *columns).decode(), text, "CSV with columns named")
    by_region = {}
    for row in rows:
        by_region.setdefault(int(row["region"], 16), []).append((int(row["start"], 16), row["stretch"]))
    mapped = [(v["start"], v["end"]) for v in read_smaps(pid)]
    for region, chunks in sorted(by_region.items()):
        chunks.sort()
        position = region
        for start, stretch in chunks:
            checks.equal(start, position, "region %#x: next chunk" % region)
            position = start + stretch
        # The kernel may have joined the mapping with one behind it that is not malloc's.
        checks.true(position % 4096 == 0 and any(start < position <= end for start, end in mapped),
                    "region %#x: %#x ends on a page of a mapping" % (region, position))
    used = {int(r["address"], 16): r["size"] for r in rows if r["state"] == "used"}
    for chunk in truth["chunks"]:
        checks.equal(used.get(chunk["address"]), chunk["size"], "%#x in the stream" % chunk["address"])
    checks.equal(len(used), sum(h["used_count"] for h in page["heaps"]), "used chunks")
    picked = heap(args, checks, pid, "--chunks", "--csv", "--where", "state=used && size>=%d" % truth["big_size"])
    checks.equal(len(picked.splitlines()), 2, "rows that --where picks")
    checks.equal(len(heap(args, checks, pid, "--chunks", "--csv", "--top", "5").splitlines()), 6, "rows with --top 5")
    return rows


def check_tables(checks, args, pid, page, rows):
    table = list(csv.DictReader(io.StringIO(heap(args, checks, pid, "--csv").decode())))
    for row in table:
        one = [h for h in page["heaps"] if h["id"] == row["heap"]][0]
        for column, member in (("used", "used_bytes"), ("free", "free_bytes"), ("top", "top"), ("overhead", "overhead"),
                               ("reserved", "reserved"), ("unused", "unused_rss"), ("largest_free", "largest_free")):
            checks.equal(int(row[column]), one[member], "%s: %s in CSV" % (row["heap"], column))
        count = len([r for r in rows if r["heap"] == row["heap"] and r["state"] == "used"])
        checks.equal(int(row["used_count"]), count, "%s: used chunks in the stream" % row["heap"])
    checks.equal(len(table), len(page["heaps"]), "rows of heaps")
    whole = parse_json(run(args, "show", pid, "--json").stdout)
    regions = [r for r in whole["regions"] if "heap" in r]
    total = sum(r["chunks"]["used"]["count"] for r in regions)
    checks.equal(total, sum(int(r["used_count"]) for r in table), "used chunks of regions")
    for region in regions:
        checks.equal(sum(s["bytes"] for s in region["chunks"].values()), region["size"], "%s: chunks and size" % region["address"])
    tree = run(args, "show", pid, "--view", "tree").stdout.decode()
    checks.true("used: %s bytes in %s chunks" % (format(regions[0]["chunks"]["used"]["bytes"], ","),
                                               format(regions[0]["chunks"]["used"]["count"], ",")) in tree, "parts in the tree")
    one = page["heaps"][0]["id"]
    single = document(args, checks, pid, "--heap", one)
    checks.equal([h["id"] for h in single["heaps"]], [one], "--heap")
    checks.true(all(c["heap"] == one for c in single["largest"]), "chunks of --heap")


def check_at(checks, args, pid, truth, stripped):
    """The command at names symbols and says what a chunk holds."""
    dog = truth["chunks"][0]["address"]
    places = [truth["function"] + 1, truth["table"] + 8, dog + 2]
    done = run(args, "at", pid, *["%#x" % p for p in places], "--json")
    function, table, chunk = parse_json(done.stdout)["addresses"]
    if stripped:
        checks.equal((function["symbol"], table["symbol"]), (None, None), "symbols of a stripped program")
    else:
        checks.equal(function["symbol"]["name"], "planted_function", "symbol of a function")
        checks.equal(int(function["symbol"]["address"], 16), truth["function"], "its address")
        checks.true(function["symbol"]["function"], "it is a function")
        checks.equal((table["symbol"]["plain"], table["symbol"]["size"], table["symbol"]["function"]), ("planted_table", 256, False),
                     "symbol of a table")
    checks.equal(chunk["content"], {"type": "object", "text": "zoo::Dog", "cut": False}, "content of a chunk")
    text = run(args, "at", pid, "%#x" % dog).stdout.decode()
    checks.true("class zoo::Dog" in text, "content of a chunk in text")


def check_usage(checks, args, pid):
    for options in (("--heap", "nonsense"), ("--chunks", "--json"), ("--chunks", "--duplicates"), ("--chunks", "--stop"),
                    ("--where", "sise>1"), ("--csv", "--where", "size>1"), ("--top", "0")):
        done = run(args, "heap", pid, *options)
        checks.equal(done.returncode, 2, "heap %s: exit status" % " ".join(options))
        checks.true(done.stderr.startswith(b"vmmap: "), "heap %s: says why" % " ".join(options))
    text = run(args, "heap", pid, "--duplicates", "--color=always").stdout.decode()
    for words in ("Who holds it", "malloc_trim(0)", "Chunks by size", "Largest chunks", "remainder 0", "class zoo::Dog"):
        checks.true(words in text, "%r in the text" % words)


def main():
    args = arguments(__doc__)
    checks = Checks()
    for name in ("t_objects", "t_objects_stripped"):
        program = os.path.join(args.targets, name)
        if not os.path.exists(program):
            skip("no %s (apt install g++)" % name)
        with Target([program]) as target:
            truth = target.truth
            check_contents(checks, args, target.pid, truth, name.endswith("stripped"))
            page = check_lists(checks, args, target.pid, truth)
            rows = check_stream(checks, args, target.pid, truth, page)
            check_tables(checks, args, target.pid, page, rows)
            check_at(checks, args, target.pid, truth, name.endswith("stripped"))
            check_usage(checks, args, target.pid)
            print("%s: %d chunks" % (name, len(rows)))
    checks.finish()


if __name__ == "__main__":
    main()
