#!/usr/bin/env python3
"""Files of VMMap for Windows: made-up processes whose numbers are worked out here, a process of this machine written as
such a file and read again, and, where it is at hand, an export that VMMap itself wrote."""
import csv
import gzip
import io
import os
import random
import re

from live import Checks, Target, arguments, parse_json, run, work_folder

KIB = 1024
GRANULE = 65536
COLUMNS = ("size", "committed", "private", "rss", "uss", "shareable", "shared", "locked")
SUMMARY = ["Type", "Size", "Committed", "Private", "Total WS", "Private WS", "Shareable WS", "Shared WS", "Locked WS", "Blocks", "Largest"]
DETAILS = ["Address"] + SUMMARY[:9] + ["Blocks", "Protection", "Details"]
# Words of VMMap: the long name of a type, its name in the summary, our kind, UseType of .mmp.
TYPES = (("Image (ASLR)", "Image", "image", 2), ("Mapped File", "Mapped File", "mapped_file", 3),
         ("Shareable", "Shareable", "shareable", 5), ("Heap (Private Data)", "Heap", "heap", 0),
         ("Managed Heap", "Managed Heap", "managed_heap", 8), ("Thread Stack", "Stack", "stack", 1),
         ("Private Data", "Private Data", "private_data", 4))
# Win32 PAGE_ constants (winnt.h).
PAGES = {"Reserved": 0, "No access": 1, "Read": 2, "Read/Write": 4, "Copy on write": 8, "Execute/Read": 0x20,
         "Execute/Read/Write": 0x40, "Execute/Copy on Write": 0x80, "Read/Write/Guard": 0x104}
LETTERS = {"Reserved": "---", "No access": "---", "Read": "r--", "Read/Write": "rw-", "Copy on write": "rw-",
           "Execute/Read": "r-x", "Execute/Read/Write": "rwx", "Execute/Copy on Write": "rwx", "Read/Write/Guard": "rw-"}
USER_END = 0x7FFF0000


class Region:
    def __init__(self, address, kind, blocks, details):
        self.address, self.kind, self.blocks, self.details = address, kind, blocks, details

    def sum(self, column):
        return sum(b[column] for b in self.blocks)

    def end(self):
        return self.address + self.sum("size")

    def runs(self):
        """Blocks as VirtualQuery counts them: neighbours of equal protection are one."""
        words = [b["protection"] for b in self.blocks]
        return sum(1 for i, w in enumerate(words) if i == 0 or words[i - 1] != w)


def make_block(dice, kind, protection):
    size = 4 * KIB * dice.randint(1, 400)
    committed = 0 if protection == "Reserved" else size
    resident = 4 * KIB * dice.randint(0, committed // (4 * KIB))
    shareable = resident if kind in ("image", "mapped_file", "shareable") else 0
    return {"size": size, "committed": committed, "private": 0 if kind in ("mapped_file", "shareable") else committed,
            "rss": resident, "uss": resident - shareable, "shareable": shareable, "locked": 0,
            "shared": 4 * KIB * dice.randint(0, shareable // (4 * KIB)), "protection": protection, "details": ""}


def make_process(seed):
    """Regions at multiples of 64 KiB, as VirtualAlloc places them."""
    dice = random.Random(seed)
    regions, at = [], GRANULE
    choices = {"image": ["Read", "Execute/Read", "Copy on write", "Read/Write", "Execute/Copy on Write"], "mapped_file": ["Read", "Read/Write"],
               "shareable": ["Read", "Read/Write", "Reserved"], "stack": ["Reserved", "Read/Write/Guard", "Read/Write"]}
    for i in range(120):
        _, _, kind, _ = TYPES[i % len(TYPES)]
        words = choices.get(kind, ["Read/Write", "Reserved", "No access", "Execute/Read/Write"])
        words = words if kind == "stack" else [dice.choice(words) for _ in range(dice.randint(1, 6))]
        blocks = [make_block(dice, kind, w) for w in words]
        details = {"image": "C:\\a b\\%d.dll" % i, "mapped_file": "C:\\Windows\\f%d.nls" % i, "heap": "Heap ID: %d [LOW FRAGMENTATION]" % (i % 3),
                   "stack": "Thread ID: %d" % (1000 + i), "managed_heap": "GC"}.get(kind, "")
        for b in blocks:
            b["details"] = details if kind == "heap" else ".text" if kind == "image" else ""
        at += dice.choice([0, 0, GRANULE, 40 * GRANULE])
        regions.append(Region(at, kind, blocks, details))
        at = (regions[-1].end() + GRANULE - 1) // GRANULE * GRANULE
    return regions


def spaces(regions):
    """Free and unusable stretches by VMMap's rules: what is left of a region's last 64 KiB, and all the rest."""
    free, unusable, at = [], [], 0
    for start, end in [(r.address, r.end()) for r in regions] + [(USER_END, USER_END)]:
        step = min((at + GRANULE - 1) // GRANULE * GRANULE, start)
        if step > at:
            unusable.append(step - at)
        if start > step:
            free.append(start - step)
        at = end
    return free, unusable


def size_text(size, comma=","):
    return "{:,}".format(size // KIB).replace(",", comma) if size else ""


def write_csv(regions, page_tables, comma=",", end="\r\r\n", digits=8):
    rows, free, unusable = [], *spaces(regions)
    quoted = lambda cells: ",".join('"%s"' % c for c in cells)
    total = [page_tables if c in ("size", "committed", "private", "rss", "uss") else 0 for c in COLUMNS]
    total = [t + sum(r.sum(c) for r in regions) for t, c in zip(total, COLUMNS)]
    total[0] += sum(unusable)
    rows += [quoted(["Process:", "made.exe"]), quoted(["PID:", "4711"]), "", quoted(SUMMARY) + ","]
    rows.append(quoted(["Total"] + [size_text(t, comma) for t in total] + [sum(r.runs() for r in regions), ""]))
    for _, name, kind, _ in TYPES:
        mine = [r for r in regions if r.kind == kind]
        rows.append(quoted([name] + [size_text(sum(r.sum(c) for r in mine), comma) for c in COLUMNS] +
                           [sum(r.runs() for r in mine), size_text(max(r.sum("size") for r in mine), comma)]))
    tables = size_text(page_tables, comma)
    rows.append(quoted(["Page Table"] + [tables] * 5 + [""] * 5))
    rows.append(quoted(["Unusable", size_text(sum(unusable), comma)] + [""] * 8 + [size_text(max(unusable), comma)]))
    rows.append(quoted(["Free", size_text(sum(free), comma)] + [""] * 7 + [len(free), size_text(max(free), comma)]))
    rows += ["", quoted(DETAILS) + ","]
    for r in regions:
        name = next(t[0] for t in TYPES if t[2] == r.kind)
        highest = max((b["protection"] for b in r.blocks), key=PAGES.get)
        rows.append(quoted(["%0*X" % (digits, r.address), name] + [size_text(r.sum(c), comma) for c in COLUMNS] + [r.runs(), highest, r.details]))
        at = r.address
        for b in r.blocks:
            rows.append(quoted(["  %0*X" % (digits, at), name] + [size_text(b[c], comma) for c in COLUMNS] + ["", b["protection"], b["details"]]))
            at += b["size"]
    return "".join(row + end for row in rows + [""])


def write_mmp(snapshots, nested):
    """As the readers of .mmp describe it: no file that VMMap wrote is public."""
    out = ['<?xml version="1.0" encoding="UTF-8"?>', "<Root>"]
    for time, regions, page_tables in snapshots:
        out.append('<Snapshot Time="%d" PageTableSize="%d">' % (time, page_tables))
        at = 0
        for r in regions:
            long_name, _, _, use = next(t for t in TYPES if t[2] == r.kind)
            step = min((at + GRANULE - 1) // GRANULE * GRANULE, r.address)
            if r.address > step:
                out.append('<Region Address="%d" Size="%d" Blocks="0" UseType="6" Type="Free" Details=""/>' % (step, r.address - step))

            def element(address, values, blocks, page, details, close):
                return ('<Region Address="%d" Blocks="%d" ShareableWS="%d" SharedWS="%d" Size="%d" Commit="%d" PrivateBytes="%d" PrivateWS="%d" '
                        'Id="%d" Protection="%d" Storage="0" UseType="%d" Type="%s" Details="%s"%s>'
                        % (address, blocks, values["shareable"], values["shared"], values["size"], values["committed"], values["private"],
                           values["uss"], int(details.split()[2]) if details.startswith("Heap ID") else 0, page, use, long_name, details, close))

            out.append(element(r.address, {c: r.sum(c) for c in COLUMNS}, r.runs(), max(PAGES[b["protection"]] for b in r.blocks) or 1,
                               r.details, "" if nested else "/"))
            at = r.address
            for b in r.blocks:
                out.append(element(at, b, 0, PAGES[b["protection"]] or 1, b["details"], "/"))
                at += b["size"]
            if nested:
                out.append("</Region>")
        step = (at + GRANULE - 1) // GRANULE * GRANULE
        out.append('<Region Address="%d" Size="%d" Blocks="0" UseType="6" Type="Free" Details=""/>' % (step, USER_END - step))
        out.append("</Snapshot>")
    return "\n".join(out + ["</Root>", ""])


def look(args, checks, path, *words):
    done = run(args, "show", path, "--json", *words)
    if not checks.equal(done.returncode, 0, "%s: exit status (%s)" % (os.path.basename(path), done.stderr.decode(errors="replace").strip())):
        return None
    return parse_json(done.stdout)


def compare_regions(checks, found, regions, name):
    checks.equal(len(found["regions"]), len(regions), "%s: regions" % name)
    for f, r in zip(found["regions"], regions):
        where = "%s: %x" % (name, r.address)
        checks.equal((f["address"], f["end"], f["kind"]), ("0x%x" % r.address, "0x%x" % r.end(), r.kind), where)
        for c in COLUMNS:
            if c != "locked" or f[c] is not None:
                checks.equal(f[c], r.sum(c), "%s %s" % (where, c))
        checks.equal(f["details"], r.details, "%s details" % where)
        checks.equal(len(f["blocks"]), len(r.blocks), "%s blocks" % where)
        at = r.address
        for fb, b in zip(f["blocks"], r.blocks):
            checks.equal((int(fb["address"], 16), int(fb["end"], 16)), (at, at + b["size"]), "%s block" % where)
            checks.equal(fb["protection"][:3], LETTERS[b["protection"]], "%s block protection" % where)
            checks.equal((fb["committed"], fb["rss"]), (b["committed"], b["rss"]), "%s block numbers" % where)
            at += b["size"]


def compare_process(checks, found, regions, page_tables, name, told=True):
    free, unusable = spaces(regions)
    compare_regions(checks, found, regions, name)
    types = {t["kind"]: t for t in found["summary"]["types"]}
    for _, _, kind, _ in TYPES:
        mine = [r for r in regions if r.kind == kind]
        for c in COLUMNS[:-1]:
            checks.equal(types[kind][c], sum(r.sum(c) for r in mine), "%s: %s %s" % (name, kind, c))
        checks.equal(types[kind]["largest"], max(r.sum("size") for r in mine), "%s: %s largest" % (name, kind))
    for c in COLUMNS[:-1]:
        checks.equal(found["summary"]["total"][c], sum(r.sum(c) for r in regions), "%s: total %s" % (name, c))
    for unknown in ("pss", "swap", "anonymous", "dirty", "used"):
        checks.equal(found["summary"]["total"][unknown], None, "%s: %s" % (name, unknown))
    checks.equal(types["page_table"]["size"], page_tables, "%s: page tables" % name)
    checks.equal((types["unusable"]["size"], types["unusable"]["blocks"]), (sum(unusable), len(unusable)), "%s: unusable" % name)
    checks.equal((found["free"]["total"], found["free"]["count"], found["free"]["largest"]["size"]), (sum(free), len(free), max(free)),
                 "%s: free" % name)
    checks.equal((found["target"]["source"], found["target"]["arch"], found["target"]["bits"]), ("vmmap", "windows", 32), "%s: target" % name)
    stacks = [r for r in regions if r.kind == "stack"]
    checks.equal([t["tid"] for t in found["threads"]], [int(r.details.split()[-1]) for r in stacks], "%s: threads" % name)
    checks.equal(len(found["heaps"]), 3, "%s: heaps" % name)
    checks.equal(len(found["accounts"]) >= 10, told, "%s: accounts" % name)
    for a in found["accounts"]:
        checks.equal(a["remainder"], 0, "%s: account %s" % (name, a["id"]))


def check_made(args, checks, folder):
    for seed, (comma, end, digits) in enumerate([(",", "\r\r\n", 8), (".", "\n", 8), ("'", "\r\n", 16), ("\xa0", "\r\r\n", 8), (" ", "\r", 8)]):
        regions, path = make_process(seed), os.path.join(folder, "made%d.csv" % seed)
        text = write_csv(regions, 400 * KIB, comma, end, digits)
        with open(path, "wb") as f:
            f.write(text.encode("cp1252"))
        found = look(args, checks, path)
        if found and digits == 16:
            checks.equal(found["target"]["bits"], 64, "16 digits")
            found["target"]["bits"] = 32
        if found:
            compare_process(checks, found, regions, 400 * KIB, "made %d" % seed)
    check_packed(args, checks, folder, text, regions)
    check_again(args, checks, folder)
    check_unknown(args, checks, os.path.join(folder, "made0.csv"))
    check_saved(args, checks, folder, os.path.join(folder, "made0.csv"))


def check_packed(args, checks, folder, text, regions):
    path = os.path.join(folder, "packed.csv.gz")
    with gzip.open(path, "wb") as f:
        f.write(text.encode("utf-16"))
    found = look(args, checks, path)
    if found:
        compare_process(checks, found, regions, 400 * KIB, "packed UTF-16")


def check_again(args, checks, folder):
    """What VMMap wrote is written back as it was, byte by byte."""
    path = os.path.join(folder, "made0.csv")
    done = run(args, "show", path, "--format", "vmmap-csv")
    with open(path, "rb") as f:
        checks.equal(done.stdout.decode(), f.read().decode(), "the same file again")


SHOWN = [["show", "--view", v] for v in ("summary", "regions", "tree", "heaps", "threads", "images", "files", "free")] + [
    ["show", "--raw"], ["show", "--json"], ["show", "--json", "--raw"], ["show", "--csv"], ["show", "--format", "ndjson"], ["show", "--format", "vmmap-csv"],
    ["show", "--format", "vmmap-txt"], ["free"], ["free", "--map"], ["free", "--json"], ["heap"], ["heap", "--json"], ["at", "10000", "20010", "--json"]]


def check_saved(args, checks, folder, path):
    """A session of it shows what the file shows, its own totals too; only what a look costs and which snapshot it is differ."""
    session = os.path.join(folder, "saved.vmmap")
    done = run(args, "save", path, "-o", session, "--force", "--with-memory", "all")
    checks.equal(done.returncode, 0, "save %s" % os.path.basename(path))
    checks.true(b"no contents" in done.stdout, "that there are no contents is said: %s" % done.stdout.decode())
    told = 0
    for words in SHOWN:
        texts = []
        for target in (path, session):
            text = run(args, words[0], target, *words[1:]).stdout.decode()
            text = re.sub(r'"cost":\{[^}]*\}', "", text)
            texts.append(re.sub(r" · snapshot 1 of [-0-9]+ [:0-9]+$", "", text, flags=re.M))
        checks.true(len(texts[0]) > 20 and texts[0] == texts[1], "%s: %s differs in the session" % (os.path.basename(path), " ".join(words)))
        told = max(told, texts[1].count("= VMMap's"))
    checks.equal(told, 10 if path.endswith(".csv") else 0, "accounts in the session of %s" % os.path.basename(path))


def check_unknown(args, checks, path):
    """What no file of VMMap tells is said in one line, and nothing of Linux is."""
    for words in (["strings", path], ["heap", path, "--chunks"]):
        done = run(args, *words)
        checks.equal((done.returncode, done.stdout, done.stderr.count(b"\n")), (3, b"", 1), " ".join(words[:1]))
    for words in (["show", path], ["show", path, "--view", "tree"], ["free", path, "--map"], ["free", path], ["heap", path], ["at", path, "10000", "1"],
                  ["show", path, "--view", "threads"], ["show", path, "--view", "images"], ["show", path, "--view", "files"]):
        done = run(args, *words)
        checks.equal((done.returncode, done.stderr), (0, b""), " ".join(words))
        for word in (b"VmSize", b"VmRSS", b"kernel", b"smaps", b"mmap_min_addr", b"\\\\", b"VmFlags", b"limits"):
            checks.true(word not in done.stdout, "%s: %s" % (" ".join(words), word.decode()))


def check_mmp(args, checks, folder):
    # 2017-05-23 08:00:00 UTC in 100 ns since 1601.
    first, second, start = make_process(11), make_process(12), 131400000000000000
    for nested in (True, False):
        path = os.path.join(folder, "made-%s.mmp" % ("nested" if nested else "flat"))
        with open(path, "w", encoding="utf-8") as f:
            f.write(write_mmp([(start, first, 8 * KIB), (start + 10 ** 8, second, 12 * KIB)], nested))
        for which, regions, tables, time in (("@1", first, 8, "08:00:00"), ("@2", second, 12, "08:00:10"), ("", second, 12, "08:00:10"),
                                             ("@-2", first, 8, "08:00:00")):
            found = look(args, checks, path + which)
            if found:
                compare_process(checks, found, regions, tables * KIB, "%s%s" % (os.path.basename(path), which), told=False)
                checks.equal(found["taken_at"][:19], "2017-05-23T" + time, "time")
        checks.equal(run(args, "show", path + "@3").returncode, 3, "no third snapshot")
        check_saved(args, checks, folder, path)


def check_own(args, checks, folder):
    """A process of this machine: its regions come back from both of VMMap's forms with the same addresses, types, sizes."""
    program = os.path.join(args.targets, "t_threads")
    session, exported = os.path.join(folder, "own.vmmap"), os.path.join(folder, "own.csv")
    with Target([program, "5", "0"]) as target:
        # One moment for both, from a session.
        checks.equal(run(args, "save", target.pid, "-o", session).returncode, 0, "save")
        done = run(args, "-p", target.pid, os.path.join(folder, "p.csv"))
        checks.equal(done.returncode, 0, "-p PID FILE.csv: %s" % done.stderr.decode())
        checks.equal(run(args, "-p", target.pid, os.path.join(folder, "p.txt")).returncode, 0, "-p PID FILE.txt")
    before = look(args, checks, session)
    checks.equal(run(args, "show", session, "--format", "vmmap-csv", "-o", exported).returncode, 0, "export")
    after = look(args, checks, exported)
    end = int(max((r["end"] for r in before["regions"] if int(r["end"], 16) < 1 << 48), key=lambda e: int(e, 16)), 16)
    checks.true(end > 0, "there are regions")
    old = [r for r in before["regions"] if int(r["address"], 16) < end]
    checks.equal(len(after["regions"]), len(old), "regions that come back")
    for o, n in zip(old, after["regions"]):
        for column in ("address", "kind", "details" if o["kind"] not in ("image", "mapped_file") else "kind") + COLUMNS:
            checks.equal(n[column], o[column], "%s %s" % (o["address"], column))
    for column in COLUMNS:
        checks.equal(after["summary"]["total"][column], before["summary"]["total"][column], "total %s" % column)
    checks.equal(after["target"]["pid"], before["target"]["pid"], "pid")
    compare_text(checks, run(args, "show", session, "--format", "vmmap-txt").stdout.decode(), exported)


def table_of(path):
    with open(path, newline="", encoding="utf-8") as f:
        rows = list(csv.reader(io.StringIO(f.read().replace("\r\r\n", "\n"))))
    at = next(i for i, r in enumerate(rows) if r and r[0] == "Address")
    return rows[:at], [r for r in rows[at + 1:] if r]


def compare_text(checks, text, exported):
    """Its public reader finds the fields of a line between the places where the headings begin."""
    lines = text.split("\r\n")
    at = next(i for i, line in enumerate(lines) if line.startswith("Address"))
    places, start = [], 0
    for title in DETAILS:
        start = lines[at].index(title, start)
        places.append(start)
        start += len(title)
    cut = lambda line: [line[a:b].strip() for a, b in zip(places, places[1:] + [None])]
    found = [cut(line) for line in lines[at + 1:] if line]
    expected = [[cell.strip() for cell in row] for row in table_of(exported)[1]]
    checks.equal(len(found), len(expected), "lines of text")
    for f, e in zip(found, expected):
        checks.equal(f, e, "text of %s" % e[0])


def number(text):
    return int(text.replace(",", "")) * KIB if text else 0


def check_sample(args, checks, folder):
    """The export of a real process by VMMap itself."""
    head, rows = table_of(args.sample)
    types = {r[0]: r for r in head if len(r) > 10}
    found = look(args, checks, args.sample)
    parents = [r for r in rows if not r[0].startswith(" ")]
    checks.equal((len(parents), len(rows) - len(parents)), (1233, 7489), "rows of the sample")
    checks.equal(len(found["regions"]), 1233, "regions of the sample")
    checks.equal(sum(len(r["blocks"]) for r in found["regions"]), 7489, "blocks of the sample")
    kinds = {t["kind"]: t for t in found["summary"]["types"]}
    for _, name, kind, _ in TYPES + (("", "Page Table", "page_table", 9), ("", "Unusable", "unusable", 10), ("", "Free", "free", 6)):
        for i, column in enumerate(COLUMNS):
            checks.equal(kinds[kind][column], number(types[name][1 + i]), "sample: %s %s" % (name, column))
        if name != "Page Table":
            checks.equal(kinds[kind]["largest"], number(types[name][10]), "sample: %s largest" % name)
    checks.equal(found["free"]["count"], int(types["Free"][9]), "sample: free blocks")
    for a in found["accounts"]:
        if a["id"] != "private_rows":
            checks.equal(a["remainder"], 0, "sample: account %s" % a["id"])
    own = sum(number(r[4]) for r in parents)
    account = next(a for a in found["accounts"] if a["id"] == "private_rows")
    checks.equal(account["kernel"], own, "sample: Private of its rows")
    raw = parse_json(run(args, "show", args.sample, "--json", "--raw").stdout)
    checks.equal(len(raw["mappings"]), int(types["Total"][9]), "sample: mappings are VMMap's Blocks")
    check_sample_again(args, checks, folder, rows)


def check_sample_again(args, checks, folder, rows):
    path = os.path.join(folder, "again.csv")
    run(args, "show", args.sample, "--format", "vmmap-csv", "-o", path)
    with open(path, "rb") as f, open(args.sample, "rb") as g:
        new, old = f.read().split(b"\r\r\n"), g.read().split(b"\r\r\n")
    checks.equal(len(new), len(old), "sample: lines written again")
    children, differing = {}, 0
    for r in rows:
        if r[0].startswith(" "):
            children[last] += number(r[4])
        else:
            last = r[0]
            children[last] = 0
    for n, o in zip(new, old):
        if n == o:
            continue
        a, b = next(csv.reader([n.decode()])), next(csv.reader([o.decode()]))
        differing += 1
        # Where VMMap's region says less than its blocks, ours says what they add up to.
        checks.equal(a[:4] + a[5:], b[:4] + b[5:], "sample: %s again" % b[0])
        checks.equal(number(a[4]), children[b[0]], "sample: Private of %s" % b[0])
    checks.equal(differing, 268, "sample: regions whose Private is not that of their blocks")
    second = os.path.join(folder, "second.csv")
    run(args, "show", path, "--format", "vmmap-csv", "-o", second)
    with open(path, "rb") as f, open(second, "rb") as g:
        checks.true(f.read() == g.read(), "sample: read and written twice")


def main():
    args = arguments(__doc__, sample={"default": "", "help": "an export by VMMap itself"})
    checks = Checks()
    with work_folder() as folder:
        check_made(args, checks, folder)
        if b"built without expat" in run(args, "show", make_one(folder)).stderr:
            print("without expat: no .mmp")
        else:
            check_mmp(args, checks, folder)
        if os.path.exists(os.path.join(args.targets, "t_threads")):
            check_own(args, checks, folder)
        if os.path.exists(args.sample):
            check_sample(args, checks, folder)
        else:
            print("not compared with an export by VMMap itself: no %s" % args.sample)
    checks.finish()


def make_one(folder):
    path = os.path.join(folder, "one.mmp")
    with open(path, "w", encoding="utf-8") as f:
        f.write('<a><Snapshot Time="1"/><Region Address="65536" Size="4096"/></a>')
    return path


if __name__ == "__main__":
    main()
