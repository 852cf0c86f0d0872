#!/usr/bin/env python3
"""Reports: what the page holds against the kernel, the target and the other commands; packed, the same for the same
input, and safe whatever names are in it."""
import base64
import gzip
import html.parser
import itertools
import json
import os
import struct
import sys

from live import Checks, Target, arguments, run, skip, wait_asleep, work_folder

GROWN = 8 << 20
# Grows by GROWN touched bytes and says so for each line that it reads.
PROGRAM = """
import json, sys
kept = []
print(json.dumps({}), flush=True)
for line in sys.stdin:
    kept.append(bytearray(b"x" * %d))
    print("grown", flush=True)
""" % GROWN
HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(2)>\u202e\x1b[31m"


class Elements(html.parser.HTMLParser):
    """The start tags of a page, and the text of its script elements by their id."""

    def __init__(self, text):
        super().__init__(convert_charrefs=False)
        self.tags, self.scripts, self.inside = [], {}, None
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.inside = dict(attrs).get("id", "code") if tag == "script" else None
        if self.inside:
            self.scripts[self.inside] = ""

    def handle_endtag(self, tag):
        self.inside = None

    def handle_data(self, data):
        if self.inside:
            self.scripts[self.inside] += data


def data_of(page, name="vmmap-data"):
    scripts = Elements(page.decode()).scripts
    text = scripts[name]
    if text.startswith("{"):
        return json.loads(text)
    return json.loads(gzip.decompress(base64.b64decode(text, validate=True)))


def report(args, checks, target, *words):
    done = run(args, "report", target, "-o", "-", *words)
    checks.equal(done.returncode, 0, "report %s %s: exit status (%s)" % (target, words, done.stderr.decode().strip()))
    return done.stdout


def vm_size(pid):
    with open("/proc/%d/status" % pid, encoding="utf-8") as file:
        return next(int(line.split()[1]) * 1024 for line in file if line.startswith("VmSize:"))


def grow(target):
    target.child.stdin.write(b"\n")
    target.child.stdin.flush()
    target.child.stdout.readline()
    wait_asleep(target.pid)


def record(args, checks, target, session, count):
    """Snapshots of a target that grows in between; the kernel's size at each."""
    sizes = []
    for number in range(count):
        if number:
            grow(target)
        sizes.append(vm_size(target.pid))
        done = run(args, "save", target.pid, "-o", session, *(["--append"] if number else []))
        checks.equal(done.returncode, 0, "save %d" % number)
    return sizes


def addresses(regions):
    """Where regions that are packed begin."""
    found, last, column = [], 0, regions["columns"]["address"]
    for row, delta in enumerate(column["deltas"]):
        last = int(column["at"][str(row)], 16) if str(row) in column.get("at", {}) else last + delta * column.get("unit", 1)
        found.append(last)
    return found


def check_same(args, checks, session, data, before, after):
    """Which region is which: as vmmap diff pairs them."""
    same = data["targets"][0]["same"]
    sides = [addresses(next(s for s in data["snapshots"] if s["n"] == n)["regions"]) for n in (before, after)]
    ids = [list(itertools.accumulate(same["ids"][n - 1])) for n in (before, after)]
    checks.equal([len(side) for side in ids], [len(side) for side in sides], "a number for each region")
    pairs = {b: ids[0].index(number) if number in ids[0] else None for b, number in enumerate(ids[1])}
    for other in same["other"]:
        if (other["before"], other["after"]) == (before, after):
            for b, a in zip(other["regions"][::2], other["regions"][1::2]):
                pairs[b] = a if a >= 0 else None
    found = {(None if a is None else sides[0][a], sides[1][b]) for b, a in pairs.items()}
    found |= {(at, None) for a, at in enumerate(sides[0]) if a not in pairs.values()}
    diff = json.loads(run(args, "diff", "%s@%d" % (session, before), "%s@%d" % (session, after), "--json", "--all").stdout)
    expected = {tuple(int(row[side]["address"], 16) if row[side] else None for side in ("was", "is")) for row in diff["regions"]}
    checks.equal(sorted(found, key=str), sorted(expected, key=str), "which region is which from %d to %d" % (before, after))


def check_session(args, checks, session, sizes):
    data = data_of(report(args, checks, session))
    count, target = len(sizes), data["targets"][0]
    checks.equal([target["target"], target["snapshots"], target["shown"], data["shown"]], [1, count, count, count], "its target")
    checks.equal([s["n"] for s in data["snapshots"]], list(range(1, count + 1)), "numbers of the snapshots")
    checks.equal([s["summary"]["total"]["size"] for s in data["snapshots"]], sizes, "sizes, as the kernel told them")
    for name in ("size", "rss", "private"):
        totals = [s["summary"]["total"][name] for s in data["snapshots"]]
        checks.true(all(b - a >= GROWN for a, b in zip(totals, totals[1:])), "%s grew by what was allocated: %s" % (name, totals))
        checks.equal(target["timelines"][name]["total"]["values"], totals, "timeline of %s" % name)
    for before in range(1, count):
        for after in range(before + 1, count + 1):
            check_same(args, checks, session, data, before, after)
    checks.equal(data["notes"], [], "nothing is left out")
    last = json.loads(run(args, "show", session, "--format", "json-columns").stdout)
    shown = data["snapshots"][-1]
    for key in ("regions", "blocks", "gaps", "accounts", "modules", "threads", "heaps"):
        checks.equal(shown[key], last[key], "%s are those of show" % key)


def check_thinned(args, checks, session, count):
    for most in (1, 2, 3, count, count + 1):
        data = data_of(report(args, checks, session, "--snapshots", most))
        numbers = [s["n"] for s in data["snapshots"]]
        checks.equal(len(numbers), min(most, count), "--snapshots %d: so many" % most)
        checks.equal(numbers[-1], count, "--snapshots %d: the last one is there" % most)
        checks.true(most == 1 or numbers[0] == 1, "--snapshots %d: the first one is there" % most)
        checks.equal([n["count"] for n in data["notes"]], [count - most] if most < count else [], "--snapshots %d: a note says so" % most)
        checks.equal(len(data["targets"][0]["timelines"]["rss"]["looks"]), count, "--snapshots %d: timelines have all" % most)
    alone = data_of(report(args, checks, "%s@2" % session))
    checks.equal([s["n"] for s in alone["snapshots"]], [2], "one snapshot by its number")
    checks.true("targets" not in alone, "one snapshot has no timeline")


def check_targets(args, checks, folder):
    """Two targets in one session: both are there, the one looked at last is shown; --target takes one."""
    session = os.path.join(folder, "two.vmmap")
    with Target([sys.executable, "-c", PROGRAM, ""]) as one, Target([sys.executable, "-c", PROGRAM, ""]) as two:
        for number, pid in enumerate((one.pid, two.pid, one.pid)):
            checks.equal(run(args, "save", pid, "-o", session, *(["--append"] if number else [])).returncode, 0, "save of two targets")
        data = data_of(report(args, checks, session))
        checks.equal([(t["target"], t["pid"], t["snapshots"]) for t in data["targets"]], [(1, one.pid, 2), (2, two.pid, 1)], "two targets")
        checks.equal([(s["n"], s["of"]) for s in data["snapshots"]], [(1, 1), (3, 1), (2, 2)], "whose the snapshots are")
        checks.equal(data["shown"], 3, "the snapshot looked at last is shown")
        for wanted in (two.pid, "target:2"):
            alone = data_of(report(args, checks, session, "--target", wanted))
            checks.equal([[s["n"] for s in alone["snapshots"]], alone["shown"], len(alone["targets"])], [[2], 2, 1], "--target %s" % wanted)
        checks.equal(run(args, "report", session, "--target", "nobody", "-o", "-").returncode, 3, "--target of none")
        checks.equal(run(args, "report", one.pid, "--target", "1", "-o", "-").returncode, 2, "--target of a process")


def check_files(args, checks, session, folder):
    out = os.path.join(folder, "report.html")
    page = report(args, checks, session)
    checks.equal(run(args, "report", session, "-o", out).returncode, 0, "into a file")
    with open(out, "rb") as file:
        checks.true(file.read() == page, "the same session makes the same bytes, in a file or not")
    with open(out, "w", encoding="utf-8") as file:
        file.write("kept")
    for words, status in ((["report", "/nonexistent", "-o", out], 3), (["report", session], 2),
                          (["report", session, "--snapshots", "0", "-o", out], 2), (["report", os.getpid(), "--snapshots", "2", "-o", out], 2)):
        done = run(args, *words)
        checks.equal(done.returncode, status, "%s: exit status (%s)" % (words, done.stderr.decode().strip()))
    with open(out, encoding="utf-8") as file:
        checks.equal(file.read(), "kept", "a report that fails leaves the file")
    checks.equal([f for f in os.listdir(folder) if f.startswith("report.html.")], [], "nothing is left behind")


def check_hostile(args, checks, folder):
    """A target whose arguments and whose session's name would end the script element."""
    place = os.path.join(folder, HOSTILE.replace("/", "_"))
    with Target([sys.executable, "-c", PROGRAM, HOSTILE]) as target:
        checks.equal(run(args, "save", target.pid, "-o", place).returncode, 0, "save under a hostile name")
        for name, more in ((place, {"vmmap-mappings"}), (target.pid, {"vmmap-mappings", "vmmap-pages", "vmmap-chunks"})):
            page = report(args, checks, name)
            found = Elements(page.decode())
            own = set(found.scripts) - {"code", "vmmap-data", "vmmap-info"}
            checks.true(own <= more and "vmmap-mappings" in own, "no other script: %s" % own)
            checks.equal(found.tags.count("script"), 3 + len(own), "no script element twice")
            checks.true("img" not in found.tags, "no other element")
            checks.equal(page.count(b"<script>alert"), 0, "the name stands nowhere as markup")
            checks.true(data_of(page)["snapshots"][0]["target"]["cmdline"].endswith(HOSTILE), "the arguments are as they were")


def from_session(args, checks, target):
    """The largest chunks in the report of a session that keeps contents."""
    with work_folder() as folder:
        session = os.path.join(folder, "contents.vmmap")
        for words in ([], ["--append"]):
            checks.equal(run(args, "save", target.pid, "--with-memory", "heap", "-o", session, *words).returncode, 0, "save %s" % words)
        data = data_of(report(args, checks, session))
        checks.equal(len(data["snapshots"]), 2, "both snapshots are there")
        return data.get("heaps", {"largest": []})["largest"]


def check_heaps(args, checks):
    """Blocks that the target itself holds."""
    with Target([sys.executable, "-c", PROGRAM, ""]) as target:
        grow(target)
        wait_asleep(target.pid)
        data = data_of(report(args, checks, target.pid))
        checks.true("heaps" in data, "what the heaps hold is there")
        sizes = [c["size"] for c in data["heaps"]["largest"]]
        checks.true(sizes and GROWN <= sizes[0] < GROWN + 8192, "the largest chunk is the target's own: %s" % sizes[:3])
        fast = data_of(report(args, checks, target.pid, "--fast"))
        checks.true(sizes == [c["size"] for c in from_session(args, checks, target)], "a session with contents tells the same of its last snapshot")
        checks.true("heaps" not in fast and fast["snapshots"][0]["summary"]["total"]["pss"] is None, "--fast leaves them out")


def kernel_pages(pid, mappings):
    """Of pages in [start, end): how many the kernel's page map has in memory, and how many in swap."""
    present = swapped = 0
    with open("/proc/%d/pagemap" % pid, "rb", buffering=0) as pagemap:
        for start, end in mappings:
            entries = os.pread(pagemap.fileno(), (end - start) // 4096 * 8, start // 4096 * 8)
            for (entry,) in struct.iter_unpack("<Q", entries):
                present += entry >> 63 & 1
                swapped += entry >> 62 & 1
    return present, swapped


def check_more(args, checks):
    """Mappings as the kernel has them, pages as its page map has them, contents as they stand in memory."""
    with Target([sys.executable, "-c", PROGRAM, ""]) as target:
        wait_asleep(target.pid)
        page = report(args, checks, target.pid, "--with-memory", "stack,heap")
        with open("/proc/%d/maps" % target.pid, encoding="utf-8", errors="surrogateescape") as file:
            wanted = [tuple(int(a, 16) for a in line.split()[0].split("-")) for line in file]
        rows = data_of(page, "vmmap-mappings")["mappings"]
        checks.equal(rows["rows"], len(wanted), "as many mappings as /proc/PID/maps")
        user = [(start, end) for start, end in wanted if end < 1 << 63]
        runs = data_of(page, "vmmap-pages")
        counted = {}
        at, outside = 0, 0
        for skip_pages, pages, state in zip(runs["skip"], runs["pages"], runs["states"], strict=True):
            start, end = at + skip_pages * 4096, at + (skip_pages + pages) * 4096
            outside += not any(a <= start and end <= b for a, b in merged(user))
            counted[state] = counted.get(state, 0) + pages
            at = end
        checks.equal(outside, 0, "no page outside what is mapped")
        if runs["up_to"] is None or int(runs["up_to"], 16) >= user[-1][1]:
            present, swapped = kernel_pages(target.pid, user)
            checks.equal(counted.get("s", 0), swapped, "pages in swap")
            checks.equal(sum(n for state, n in counted.items() if state in "pfhz"), present, "pages in memory")
        check_chunks(args, checks, target, page)
        memory = data_of(page, "vmmap-memory")
        checks.true(memory["parts"], "there are contents")
        different = 0
        with open("/proc/%d/mem" % target.pid, "rb", buffering=0) as mem:
            for part in memory["parts"]:
                stored = bytes.fromhex(part["hex"]) if "hex" in part else bytes(part["zero"])
                different += os.pread(mem.fileno(), len(stored), int(part["address"], 16)) != stored
        checks.equal(different, 0, "contents are those of the target's memory")
        checks.true("vmmap-memory" not in Elements(report(args, checks, target.pid).decode()).scripts, "no contents unless they are asked for")
        checks.equal(run(args, "report", target.pid, "-o", "-", "--with-memory", "nothing").returncode, 2, "contents of no kind")


def check_strings(args, checks):
    """Strings in the contents: all that vmmap strings lists of the same kinds, and what the target planted, wide ones too."""
    program = os.path.join(args.targets, "t_strings")
    if not os.path.exists(program):
        return
    kinds = "heap,stack,private_data"
    with Target([program]) as target:
        wait_asleep(target.pid)
        page = report(args, checks, target.pid, "--with-memory", kinds)
        found = data_of(page, "vmmap-strings")
        checks.equal((found["left_out"], data_of(page, "vmmap-memory")["left_out"]), (0, 0), "nothing is left out")
        done = run(args, "strings", target.pid, "--json", "--kind", kinds)
        columns = ("address", "length", "encoding", "text", "cut")
        key = lambda row: (int(row["address"], 16), row["encoding"])
        wanted = [{name: row[name] for name in columns} for row in json.loads(done.stdout)["strings"]]
        checks.true(sorted(found["strings"], key=key) == sorted(wanted, key=key),
                    "strings of a report: %d, must be %d" % (len(found["strings"]), len(wanted)))
        checks.equal({row["encoding"] for row in wanted}, {"ascii", "utf8", "utf16"}, "encodings")
        at = {(int(row["address"], 16), row["encoding"]): row["text"] for row in found["strings"]}
        for planted in target.truth["strings"]:
            if planted["kind"] in kinds.split(","):
                checks.equal(at.get((planted["address"], planted["encoding"])), planted["text"], "planted: %s" % planted["name"])
        alone = data_of(report(args, checks, target.pid, "--with-memory", "stack"), "vmmap-strings")["strings"]
        checks.true(0 < len(alone) < len(found["strings"]), "strings of other kinds are not told")


def check_chunks(args, checks, target, page):
    """Chunks are those that vmmap heap lists of the same process, which stands still."""
    chunks = data_of(page, "vmmap-chunks")
    done = run(args, "heap", target.pid, "--chunks", "--csv", "--columns", "address,size,state,heap")
    wanted = sorted(line for line in done.stdout.decode().splitlines()[1:])
    found = []
    for heap in chunks["heaps"]:
        end = int(heap["base"], 16)
        for skip_bytes, size, head, less, state in zip(*(heap[m] for m in ("skip", "size", "head", "less", "state")), strict=True):
            start = end + skip_bytes
            end = start + size
            found.append("0x%x,%d,%s,%s" % (start + head, size - head - less, chunks["states"][state], heap["id"]))
    checks.true(wanted, "there are chunks: " + done.stderr.decode()[:200])
    checks.true(sorted(found) == wanted, "chunks of the heaps: %d, must be %d; first others %s" % (len(found), len(wanted), sorted(set(found) ^ set(wanted))[:4]))


def merged(ranges):
    out = []
    for start, end in ranges:
        if out and out[-1][1] == start:
            out[-1] = (out[-1][0], end)
        else:
            out.append((start, end))
    return out


def main():
    args = arguments(__doc__)
    done = run(args, "report", os.getpid(), "-o", "-", "--fast")
    if b"without its page" in done.stderr:
        skip("vmmap was built without its page")
    checks = Checks()
    with work_folder() as folder:
        session = os.path.join(folder, "grows.vmmap")
        with Target([sys.executable, "-c", PROGRAM, ""]) as target:
            sizes = record(args, checks, target, session, 5)
            check_session(args, checks, session, sizes)
            check_thinned(args, checks, session, 5)
        check_files(args, checks, session, folder)
        check_targets(args, checks, folder)
        check_hostile(args, checks, folder)
    check_heaps(args, checks)
    check_more(args, checks)
    check_strings(args, checks)
    checks.finish()


if __name__ == "__main__":
    sys.exit(main())
