#!/usr/bin/env python3
"""Strings: those that the target planted are found with their chunks, those that strings(1) finds in the same memory too,
and nothing becomes resident by it. And what `at` says of chunks."""
import csv
import io
import json
import os
import resource
import shutil
import struct
import subprocess
import tempfile

from live import PAGE, Checks, Target, arguments, parse_json, run, skip, state_of

SHOWN = 4096


def rows_of(args, target, *words):
    done = run(args, "strings", target.pid, "--format", "ndjson", *words)
    return done, [json.loads(line) for line in done.stdout.decode().splitlines()]


def pagemap(pid, start, size):
    with open("/proc/%d/pagemap" % pid, "rb") as f:
        f.seek(start // PAGE * 8)
        words = struct.unpack("=%dQ" % (size // PAGE), f.read(size // PAGE * 8))
    return [word >> 62 for word in words]  # present, swapped


def memory(pid, start, size):
    data = b""
    with open("/proc/%d/mem" % pid, "rb", buffering=0) as f:
        f.seek(start)
        while len(data) < size:
            data += f.read(size - len(data))
    return data


def chunk_of(want):
    """Where a chunk begins, and its size: of one that is not in use with the word of its size before it."""
    header = 0 if want["state"] == "used" else 8
    return want["chunk"] - header, want["usable"] + header


def planted(target):
    return {t["name"]: t for t in target.truth["strings"] + target.truth["more"]}


def check_planted(checks, target, done, rows):
    by_address = {(int(r["address"], 16), r["encoding"]): r for r in rows}
    checks.equal(done.returncode, 0, "exit status")
    addresses = [int(r["address"], 16) for r in rows]
    checks.true(addresses == sorted(addresses), "strings do not come by rising address")
    for name, want in planted(target).items():
        row = by_address.get((want["address"], want["encoding"]))
        if not checks.true(row, "%s at %#x is not found" % (name, want["address"])):
            continue
        for key in ("length", "text", "kind"):
            checks.equal(row[key], want[key], "%s: %s" % (name, key))
        checks.equal(row["cut"], False, "%s: cut" % name)
        if "chunk" in want:
            checks.equal((int(row["chunk"] or "0", 16), row["chunk_size"]), chunk_of(want), "%s: chunk" % name)
            checks.equal(row["state"], want["state"], "%s: state" % name)
        else:
            checks.equal(row["chunk"], None, "%s: chunk" % name)
    start, length = target.truth["long"]
    row = by_address.get((start, "ascii"))
    if checks.true(row, "the long string is not found"):
        checks.equal(row["length"], length, "long: length")
        checks.equal(row["cut"], True, "long: cut")
        checks.equal(row["text"], "y" * SHOWN, "long: text")


def strings_of(path, encoding):
    out = subprocess.run(["strings", "-a", "-t", "x", "-n", "6", "-e", encoding, path], stdout=subprocess.PIPE, check=True).stdout
    found = {}
    for line in out.split(b"\n"):
        if line:
            offset, text = line.lstrip(b" ").split(b" ", 1)
            found[int(offset, 16)] = text
    return found


def check_binutils(checks, args, target, name, start, size):
    """strings(1) on the same bytes, read through /proc/PID/mem."""
    with tempfile.NamedTemporaryFile() as dump:
        data = memory(target.pid, start, size)
        dump.write(data)
        dump.flush()
        theirs, wide, eight = (strings_of(dump.name, encoding) for encoding in "slS")

    def ours_of(encoding):
        _, rows = rows_of(args, target, "--range", "%x-%x" % (start, start + size), "--encoding", encoding)
        return {int(r["address"], 16) - start: r for r in rows}

    ours = ours_of("ascii")
    checks.equal(sorted(ours), sorted(theirs), "%s: where strings begin" % name)
    checks.true(all(r["text"].encode() == theirs[at][:SHOWN] and r["length"] == len(theirs[at]) for at, r in ours.items()
                    if at in theirs), "%s: texts differ" % name)
    # Ours may hold letters that theirs do not know, and are then longer.
    ours = ours_of("utf16")
    for at, text in wide.items():
        checks.true(any(a <= at and at + 2 * len(text) <= a + r["length"] for a, r in ours.items()),
                    "%s: UTF-16 at %#x is not found" % (name, at))
    for at, row in ours.items():
        if row["text"].isascii():
            checks.equal(row["text"].encode(), wide.get(at), "%s: UTF-16 at %#x" % (name, at))
    # Theirs take any byte above 0x7f for a letter.
    for at, row in ours_of("utf8").items():
        checks.true(data[at:at + row["length"]].decode() == row["text"], "%s: UTF-8 at %#x" % (name, at))
        checks.true(not row["text"].isascii(), "%s: UTF-8 at %#x is ASCII" % (name, at))
        checks.true(any(a <= at and at + row["length"] <= a + len(text) for a, text in eight.items()),
                    "%s: UTF-8 at %#x is no string of 8-bit letters" % (name, at))
    print("%s: %d strings in ASCII and %d in UTF-16 as strings(1) has them" % (name, len(theirs), len(wide)))


def check_choice(checks, args, target):
    truth = planted(target)
    heap = truth["heap ascii"]
    _, rows = rows_of(args, target, "--where", "text~'still there' && state=cached")
    checks.equal([int(r["address"], 16) for r in rows], [truth["heap freed"]["address"]], "--where")
    _, rows = rows_of(args, target, "--kind", "stack", "--min", "20")
    checks.true(rows and all(r["kind"] == "stack" and r["length"] >= 20 for r in rows), "--kind and --min")
    _, rows = rows_of(args, target, "--at", "%x" % heap["address"], "--top", "3")
    checks.equal(len(rows), 3, "--top")
    checks.true(all(r["kind"] == "heap" for r in rows), "--at")
    _, rows = rows_of(args, target, "--range", "%x-%x" % (heap["address"] + 3, heap["address"] + 12))
    checks.equal([r["text"] for r in rows], ["the heap,"], "--range")
    _, rows = rows_of(args, target, "--columns", "text,chunk", "--range", "%#x-%#x" % (heap["address"], heap["address"] + 16))
    checks.equal(rows, [{"text": "in the heap, one", "chunk": "%#x" % heap["chunk"]}], "--columns")
    for words, said in ((("--encoding", "utf32"), "utf8"), (("--range", "5-4"), "empty"), (("--range", "5"), "range"),
                        (("--at", "zz"), "address"), (("--at", "10"), "mapped"), (("--min", "0"), "min"),
                        (("--at", "10", "--range", "1-2"), "choose")):
        done = run(args, "strings", target.pid, *words)
        checks.equal(done.returncode, 2, "%s: exit status" % " ".join(words))
        checks.true(said.encode() in done.stderr and not done.stdout, "%s: says %r" % (" ".join(words), done.stderr))


def check_formats(checks, args, target):
    place = "%x-%x" % (target.truth["area"][0], target.truth["area"][0] + PAGE)
    document = parse_json(run(args, "strings", target.pid, "--json", "--range", place).stdout)
    _, rows = rows_of(args, target, "--range", place)
    checks.equal(document["strings"], rows, "JSON and NDJSON")
    checks.equal(document["searched"], PAGE, "searched")
    checks.equal(document["partial"], False, "partial")
    comma = run(args, "strings", target.pid, "--csv", "--range", place).stdout
    checks.equal([r["address"] for r in csv.DictReader(io.StringIO(comma.decode()))], [r["address"] for r in rows], "CSV and NDJSON")
    text = run(args, "strings", target.pid, "--range", place).stdout
    checks.equal(text.count(b"\n"), len(rows) + 1, "lines of text")
    for name, out in (("text", text), ("CSV", comma)):
        checks.true("\u202e".encode() not in out and rb"safe\u{202e}txt.exe" in out, "%s: a bidirectional control stands raw" % name)
        checks.true(not any(byte < 32 and byte != 10 for byte in out), "%s: a control character stands raw" % name)
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "out")
        run(args, "strings", target.pid, "--format", "ndjson", "--range", place, "-o", path)
        with open(path, encoding="utf-8") as f:
            checks.equal([json.loads(line) for line in f], rows, "-o")


def check_untouched(checks, args, target):
    start, size = target.truth["sparse"]
    before = pagemap(target.pid, start, size)
    done, rows = rows_of(args, target, "--range", "%x-%x" % (start, start + size))
    after = pagemap(target.pid, start, size)
    checks.equal(done.returncode, 0, "sparse: exit status")
    checks.true(before == after, "sparse: %d pages became resident" % sum(a != b for a, b in zip(before, after)))
    checks.equal(len(rows), sum(1 for page in before if page == 2), "sparse: strings, one on each page")


def check_stop(checks, args, target):
    place = "%x-%x" % (target.truth["area"][0], target.truth["area"][0] + target.truth["area"][1])
    _, running = rows_of(args, target, "--range", place)
    done, stopped = rows_of(args, target, "--range", place, "--stop")
    if done.returncode == 3:
        print("--stop: not permitted here")
        return
    checks.equal(stopped, running, "--stop")
    checks.true(b"was stopped for" in done.stderr, "--stop: nothing is said of it")
    checks.true(state_of(target.pid, target.pid) in "RS", "--stop: the target does not run again")
    document = parse_json(run(args, "strings", target.pid, "--json", "--stop", "--range", place).stdout)
    checks.equal(document["strings"], running, "--stop --json")
    checks.true(document["stopped_ns"] > 0, "stopped_ns")


def check_chunk(checks, target, want, place):
    name = "at %s" % want["name"]
    chunk = place["chunk"]
    if not checks.true(chunk, "%s: no chunk" % name):
        return
    address, size = chunk_of(want)
    checks.equal((int(chunk["address"], 16), chunk["size"]), (address, size), "%s: address and size" % name)
    checks.equal(chunk["state"], want["state"], "%s: state" % name)
    checks.equal(place["chunk_offset"], want["address"] + 3 - address, "%s: offset" % name)
    checks.equal(place["chunk_head"], memory(target.pid, address, min(64, size)).hex(), "%s: first bytes" % name)
    checks.equal(place["heap"]["broken"], False, "%s: broken" % name)
    # Neighbours touch it.
    above, below = place["heap"]["above"], place["heap"]["below"]
    checks.true(above and int(above["start"], 16) == int(chunk["start"], 16) + chunk["stretch"], "%s: above" % name)
    checks.true(below and int(below["start"], 16) + below["stretch"] == int(chunk["start"], 16), "%s: below" % name)


def check_at(checks, args, target):
    truth = planted(target)
    wanted = [truth[name] for name in ("heap ascii", "heap utf16", "heap utf8", "heap freed", "heap last")]
    words = ["%x" % (w["address"] + 3) for w in wanted] + ["%x" % truth["stack"]["address"]]
    done = run(args, "at", target.pid, "--json", *words)
    checks.equal(done.returncode, 0, "at: exit status")
    places = parse_json(done.stdout)["addresses"]
    for want, place in zip(wanted, places):
        check_chunk(checks, target, want, place)
    # They were allocated one after the other.
    for first, second, place in zip(wanted, wanted[1:], places):
        checks.equal(place["heap"] and int(place["heap"]["above"]["address"], 16), chunk_of(second)[0],
                     "at %s: the next" % first["name"])
    checks.equal(places[-1]["chunk"], None, "at a stack: chunk")
    checks.equal(places[-1]["heap"], None, "at a stack: heap")
    out = run(args, "at", target.pid, words[0]).stdout.decode()
    checks.true("used  0x%x, %d bytes, +0x3 into it" % (wanted[0]["chunk"], wanted[0]["usable"]) in out, "at: text %r" % out)
    checks.true("69 6e 20 74 68 65 20 68  65 61 70 2c 20 6f 6e 65  in the heap, one" in out, "at: bytes %r" % out)


def check_many(checks, args):
    """A million strings in bounded memory, each with its chunk."""
    with Target([os.path.join(args.targets, "t_strings"), "64"]) as target:
        before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
        _, rows = rows_of(args, target, "--columns", "text,chunk,state,kind")
        peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
        many = [r for r in rows if r["text"].startswith("one of many strings") and r["kind"] == "heap" and len(r["text"]) == 37]
        checks.equal(len(many), target.truth["many"], "many: strings")
        checks.equal(len({r["chunk"] for r in many}), len(many), "many: chunks")
        checks.true(all(r["state"] == "used" for r in many), "many: states")
        with open(args.vmmap, "rb") as f:
            checked = b"__asan_init" in f.read()  # its own bookkeeping takes memory
        checks.true(checked or peak <= max(before, 160 << 10), "many: %d KiB of memory" % peak)
        print("many: %d strings, peak of all children %d MiB" % (len(many), peak >> 10))


def main():
    args = arguments(__doc__)
    checks = Checks()
    if not shutil.which("strings"):
        skip("no strings(1): apt install binutils")
    check_many(checks, args)
    with Target([os.path.join(args.targets, "t_strings")]) as target:
        done, rows = rows_of(args, target)
        check_planted(checks, target, done, rows)
        with target.stopped():
            for name in ("area", "noise", "long"):
                check_binutils(checks, args, target, name, *target.truth[name])
        check_choice(checks, args, target)
        check_formats(checks, args, target)
        check_untouched(checks, args, target)
        check_stop(checks, args, target)
        check_at(checks, args, target)
    checks.finish()


if __name__ == "__main__":
    main()
