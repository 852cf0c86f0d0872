#!/usr/bin/env python3
"""Sessions: every command answers as it did on the process, numbers are the kernel's, and the queries of the document run."""
import glob
import os
import re
import shutil
import sqlite3
import subprocess
import tempfile

from live import DRIFTING, Checks, Target, arguments, parse_json, run

# What a plain look reads, and those that walk heaps besides.
TABLES = ["threads", "images", "files", "free"]
FORMATS = ["text", "csv", "json", "ndjson"]
VIEWS = ([["show", "--view", v, "--format", f] for v in ["summary", "regions"] for f in FORMATS if f != "json"] +
         [["show", "--raw", "--format", f] for f in FORMATS if f != "json"] +
         [["show", "--view", v, "--format", f] for v in TABLES for f in FORMATS] +
         [["show", "--format", "vmmap-csv"], ["show", "--format", "vmmap-txt"], ["free", "--map"],
          ["show", "--view", "tree", "--format", "ndjson"]] + [["free", "--format", f] for f in FORMATS])
WHOLE = ([["show", "--json"], ["show", "--view", "regions", "--json"], ["show", "--kind", "heap,stack", "--json"]] +
         [["show", "--view", v, "--format", f] for v in ("tree", "heaps") for f in FORMATS if (v, f) != ("tree", "ndjson")])
MEMORY = [["heap"], ["heap", "--json"], ["heap", "--chunks", "--csv"], ["strings", "--kind", "heap,stack", "--csv"]]
# In every format, of one allocator.
MORE = [["heap", "--csv"], ["heap", "--format", "ndjson"], ["heap", "--chunks", "--format", "ndjson"], ["heap", "--duplicates"],
        ["heap", "--duplicates", "--json"], ["strings", "--kind", "heap,stack", "--format", "ndjson"],
        ["strings", "--kind", "heap,stack", "--json"]]
ALLOCATORS = ("t_alloc", "t_alloc_static", "t_alloc_jemalloc_static", "t_alloc_tcmalloc_static")


def command(words, target):
    return [words[0], str(target)] + words[1:]


def plain(text):
    """What is said of the look itself, and what only a file can say, is left out."""
    text = re.sub(r'"taken_at":"[^"]*"', "", text)
    text = re.sub(r'"cost":\{[^}]*\}', "", text)
    text = re.sub(r',?"stored":(null|\d+)', "", text)
    # strings does not ask where stacks were touched; the session has it all the same.
    text = re.sub(r", touched \d+ [KMG]iB", "", text)
    return re.sub(r" · snapshot \d+ of [-0-9]+ [:0-9]+$", "", text, flags=re.M)


def answer(args, words, target):
    done = run(args, *command(words, target))
    text = plain(done.stdout.decode(errors="replace"))
    if words[0] == "at":
        # It does not walk heaps for their sums; the session has them all the same. Others map the same libraries.
        text = re.sub(r'"(unused|used|%s)":(null|\d+)' % "|".join(DRIFTING), "", text)
    return done.returncode, text, done.stderr.decode().replace(str(target), "TARGET")


def without_column(text, name):
    lines = [line.split(",") for line in text.splitlines()]
    if not lines or name not in lines[0]:
        return text
    at = lines[0].index(name)
    return "\n".join(",".join(line[:at] + line[at + 1:]) for line in lines)


def compare(checks, args, target, file, each, again):
    """The process stands still; what others do to shared pages may still change between two looks, so it gets three."""
    for words in each:
        for attempt in range(3):
            live = answer(args, words, target.pid)
            stored = answer(args, words, file)
            if "--csv" in words or "csv" in words:
                stored = (stored[0], without_column(stored[1], "stored"), stored[2])
                live = (live[0], without_column(live[1], "stored"), live[2])
            elif live[0] == 0 and not live[1].strip():
                checks.true(False, "%s: shows nothing" % " ".join(words))
            if live == stored:
                break
            if attempt < 2:
                again()
        if not checks.true(live == stored, "%s: differs on the session" % " ".join(words)):
            for a, b in zip(live[1].splitlines() + [""], stored[1].splitlines() + [""]):
                if a != b:
                    at = max(0, len(os.path.commonprefix([a, b])) - 60)
                    print("  live  %s\n  file  %s" % (a[at:at + 160], b[at:at + 160]))
                    break
            print("  status %d %d\n  %s  %s" % (live[0], stored[0], live[2], stored[2]))


def save(args, target, file, *options):
    done = run(args, "save", target, "-o", file, *options)
    if done.returncode != 0:
        raise RuntimeError(done.stderr.decode())


def addresses(pid):
    """The first byte of the first mappings with a name of each sort, and of the heap."""
    found = {}
    with open("/proc/%d/maps" % pid, encoding="utf-8", errors="surrogateescape") as maps:
        for line in maps:
            words = line.split(None, 5)
            name = words[5].strip() if len(words) > 5 else ""
            found.setdefault(name + words[1], int(words[0].split("-")[0], 16))
    return ["0x%x" % (a + 0x10) for n, a in sorted(found.items()) if not n.startswith("[v")][:12]


def check_views(checks, args, folder):
    with Target([os.path.join(args.targets, "t_alloc_static"), "2", "100"]) as target, target.stopped():
        file = os.path.join(folder, "views.vmmap")

        def plain_look():
            if os.path.exists(file):
                os.unlink(file)
            subprocess.run([args.adder, file, str(target.pid)], stdout=subprocess.DEVNULL, timeout=60, check=True)
        plain_look()
        compare(checks, args, target, file, VIEWS, plain_look)
        save(args, target.pid, file, "--force")
        compare(checks, args, target, file, WHOLE, lambda: save(args, target.pid, file, "--force"))
        for attempt in range(3):
            # Heaps are not walked for it; the session has what they hold all the same.
            live, stored = ([{k: v for k, v in m.items() if k not in ("used", "unused", "stored")} for m in
                             parse_json(run(args, "show", name, "--raw", "--json").stdout)["mappings"]] for name in (target.pid, file))
            if live == stored or attempt == 2:
                break
            save(args, target.pid, file, "--force")
        checks.true(len(live) > 5 and live == stored, "mappings of show --raw --json differ on the session")
        check_kernel(checks, target.pid, file)


def check_kernel(checks, pid, file):
    """SQL on the file against /proc of the process, which stands still."""
    db = sqlite3.connect("file:%s?mode=ro" % file, uri=True)
    with open("/proc/%d/maps" % pid, encoding="utf-8", errors="surrogateescape") as maps:
        expected = [tuple(int(x, 16) for x in line.split()[0].split("-")) for line in maps]
    found = sorted((start & 2**64 - 1, (start & 2**64 - 1) + span) for start, span in db.execute("SELECT start, span FROM mappings WHERE snapshot = 1"))
    checks.equal(found, sorted(expected), "mappings in SQL and in maps")
    with open("/proc/%d/smaps_rollup" % pid, encoding="ascii", errors="replace") as rollup:
        numbers = dict(re.findall(r"^(\w+): +(\d+) kB$", rollup.read(), re.M))
    rss, pages = db.execute("SELECT rss, (SELECT rss FROM types WHERE kind = 'page_table') FROM types WHERE kind = 'total'").fetchone()
    checks.equal(rss, int(numbers["Rss"]) * 1024, "total rss in SQL and in smaps_rollup")
    checks.equal(db.execute("SELECT sum(rss) FROM types WHERE kind NOT IN ('total', 'page_table')").fetchone()[0], rss, "sum of kinds")
    checks.equal(db.execute("SELECT sum(rss) FROM regions").fetchone()[0], rss, "sum of regions")
    checks.true(pages and pages > 0, "page tables are known")
    db.close()


def check_memory(checks, args, folder, program, environment=None):
    path = os.path.join(args.targets, program)
    if not os.path.exists(path):
        print("%s: not built" % program)
        return
    with Target([path, "3", "300"], env=environment) as target, target.stopped():
        file = os.path.join(folder, "memory.vmmap")

        def look():
            save(args, target.pid, file, "--force", "--with-memory", "heap,stack")
        look()
        compare(checks, args, target, file, MEMORY + (MORE if program == ALLOCATORS[0] and not environment else []), look)
        compare(checks, args, target, file, [["at", *addresses(target.pid), "--json"], ["at", *addresses(target.pid)]], look)
        heaps = parse_json(run(args, "heap", file, "--json").stdout)["heaps"]
        checks.true(heaps and all(h["proved"] for h in heaps), "%s: heaps of the session are proved" % program)
        print("%s: %d heaps, %d bytes of file" % (os.path.basename(program), len(heaps), os.path.getsize(file)))


def check_others(checks, args, folder):
    """Allocators that come as a library to preload, and musl's, where they are installed."""
    preload = next(iter(sorted(glob.glob("/usr/lib/*/libmimalloc.so.*"))), None)
    if preload:
        check_memory(checks, args, folder, "t_alloc", dict(os.environ, LD_PRELOAD=preload))
    if shutil.which("musl-gcc"):
        sources = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "targets")
        program = os.path.join(folder, "t_musl")
        subprocess.run(["musl-gcc", "-O1", "-Wl,--build-id", "-D_GNU_SOURCE", "-I", sources, "-o", program, os.path.join(sources, "t_alloc.c"), "-pthread"],
                       check=True, timeout=60)
        check_memory(checks, args, folder, program)


def check_core(checks, args, folder):
    """A core and a session made of it give the same answers."""
    if not shutil.which("gdb"):
        print("no gdb: no core")
        return
    core, file = os.path.join(folder, "a.core"), os.path.join(folder, "core.vmmap")
    with Target([os.path.join(args.targets, "t_alloc_static"), "1", "200"]) as target:
        subprocess.run(["gdb", "-batch", "-nx", "-p", str(target.pid), "-ex", "generate-core-file " + core], stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL, timeout=120, check=False)
    if not os.path.exists(core):
        print("gdb made no core")
        return
    save(args, core, file, "--with-memory", "all")
    for words in (["heap", "--json"], ["heap", "--chunks", "--csv"], ["strings", "--csv"], ["show", "--view", "threads", "--csv"],
                  ["show", "--view", "images", "--csv"]):
        one, other = answer(args, words, core), answer(args, words, file)
        if "--csv" in words:
            one, other = (one[0], without_column(one[1], "stored")), (other[0], without_column(other[1], "stored"))
        checks.true(one[0] == 0 and one[:2] == other[:2], "%s: a core and the session of it differ" % " ".join(words))


def check_none(checks, args, folder):
    """Without contents: numbers as before, and one line where there are none."""
    with Target([os.path.join(args.targets, "t_alloc"), "1", "50"]) as target, target.stopped():
        file = os.path.join(folder, "none.vmmap")
        save(args, target.pid, file)
        for words in (["strings"], ["heap", "--chunks"]):
            done = run(args, *command(words, file))
            checks.equal(done.returncode, 3, "%s without contents: exit status" % words)
            checks.equal(done.stderr.decode().count("\n"), 1, "%s without contents: lines of error" % words)
            checks.true(b"--with-memory" in done.stderr, "%s without contents: says how to have them" % words)
            checks.equal(done.stdout, b"", "%s without contents: no heading before the error" % words)
        live = parse_json(run(args, "heap", target.pid, "--json").stdout)
        stored = parse_json(run(args, "heap", file, "--json").stdout)
        checks.equal([h.get("used_bytes") for h in stored["heaps"]], [h.get("used_bytes") for h in live["heaps"]], "used bytes without contents")
        for options in (["--stop"], ["--watch", "1"]):
            done = run(args, "show", file, *options)
            checks.true(done.returncode in (2, 3) and done.stderr.count(b"\n") == 1, "%s on a session is refused in one line" % options[0])
        # What was not read is not known, and not 0.
        save(args, target.pid, file, "--force", "--fast")
        document = parse_json(run(args, "show", file, "--json").stdout)
        checks.equal([document["summary"]["total"][c] for c in ("pss", "uss", "committed")], [None, None, None], "numbers that --fast leaves out")
        checks.true(document["summary"]["total"]["size"] > 0, "size is known")


def check_refusals(checks, args, folder):
    """What is no session, or no snapshot of it, is one line that says what it is, and a status."""
    good = os.path.join(folder, "good.vmmap")
    with Target([os.path.join(args.targets, "t_static")], truth=False) as target:
        save(args, target.pid, good)
    made = {"empty": b"", "text": b"no database\n", "newer": None, "cut": None, "other": None}
    for name, content in made.items():
        path = made[name] = os.path.join(folder, name + ".vmmap")
        if content is not None:
            with open(path, "wb") as file:
                file.write(content)
    shutil.copy(good, made["newer"])
    shutil.copy(good, made["cut"])
    os.truncate(made["cut"], 6000)
    for path, sql in ((made["newer"], "PRAGMA user_version = 7"), (made["other"], "CREATE TABLE mine(x)")):
        db = sqlite3.connect(path)
        db.execute(sql)
        db.commit()
        db.close()
    os.mkdir(os.path.join(folder, "dir.vmmap"))
    for words, status, text in ((["show", made["empty"]], 3, b"empty"), (["timeline", made["empty"]], 3, b"empty"), (["show", made["text"]], 3, b"no core, session"),
                                (["timeline", made["text"]], 3, b"no session"), (["show", made["other"]], 3, b"no core, session"),
                                (["timeline", made["other"]], 3, b"no session of vmmap"), (["show", made["newer"]], 3, b"written by a newer vmmap"),
                                (["show", made["cut"]], 3, b"damaged"), (["show", os.path.join(folder, "dir.vmmap")], 3, b"folder"),
                                (["show", os.path.join(folder, "missing.vmmap")], 3, b"no such file"), (["show", good + "@7"], 3, b"no snapshot 7"),
                                (["show", good + "@2001-01-01 00:00"], 3, b"no snapshot was taken"), (["timeline", good + "@1"], 2, b"--from"),
                                (["diff", good + "@1"], 2, b"one snapshot"), (["diff", made["empty"]], 2, b"empty"),
                                (["record", good, "-o", os.path.join(folder, "no.vmmap")], 2, b"only what runs can be recorded"),
                                (["save", made["text"], "-o", os.path.join(folder, "no.vmmap")], 3, b"no core, session"),
                                (["show", good, "--watch", "1"], 2, b"does not run"), (["show", good, "--stop"], 3, b"does not run")):
        done = run(args, *words)
        checks.equal((done.returncode, done.stdout, done.stderr.count(b"\n")), (status, b"", 1), "%s: %r" % (words, done.stderr))
        checks.true(text in done.stderr, "%s: %r" % (words, done.stderr))
    checks.true(not os.path.exists(os.path.join(folder, "no.vmmap")), "a file is left of what was refused")


KINDS = ("image", "mapped_file", "shareable", "heap", "managed_heap", "stack", "private_data", "device", "system", "page_table", "unusable", "free", "total")


def check_hostile_texts(checks, args, folder):
    """Every text of a session may hold what a terminal would obey, and lines that look like ours: none comes out as it is."""
    file = os.path.join(folder, "texts.vmmap")
    with Target([os.path.join(args.targets, "t_alloc_static"), "2", "100"]) as target:
        save(args, target.pid, file, "--with-memory", "heap,stack")
        save(args, target.pid, file, "--append")
    db = sqlite3.connect(file)
    changed = db.execute("UPDATE text SET value = value || char(27) || '[31mX' || char(10) || 'FORGED' WHERE value NOT IN (%s)" %
                         ",".join("?" * len(KINDS)), KINDS).rowcount
    db.execute("UPDATE target SET name = name || char(27) || '[31m'")
    db.commit()
    db.close()
    checks.true(changed > 20, "texts that were changed: %d" % changed)
    shown = ([["show", "--view", v] for v in TABLES + ["summary", "regions", "tree", "heaps"]] + [["show", "--raw"], ["show", "--json"], ["show", "--csv"]] +
             [["show", "--format", "vmmap-csv"], ["show", "--format", "vmmap-txt"], ["heap"], ["heap", "--json"], ["free", "--map"],
              ["at", "0x400010"], ["timeline"], ["timeline", "--by", "heap"], ["timeline", "--csv", "--by", "region"], ["diff"], ["diff", "--json"]])
    for words in shown:
        done = run(args, *command(words, file))
        checks.equal(done.returncode, 0, "%s: exit status with hostile texts (%s)" % (" ".join(words), done.stderr.decode(errors="replace")))
        checks.true(b"\x1b" not in done.stdout + done.stderr, "%s: an escape sequence came out" % " ".join(words))
        checks.true(not re.search(rb"^FORGED", done.stdout, re.M), "%s: a line was forged" % " ".join(words))


def check_names(checks, args, folder):
    """Several targets in one file, and a file with @ in its name."""
    file = os.path.join(folder, "several@home.vmmap")
    with Target([os.path.join(args.targets, "t_alloc"), "1", "50"]) as one, Target([os.path.join(args.targets, "t_static")], truth=False) as two:
        save(args, one.pid, file)
        save(args, two.pid, file, "--append")
        save(args, one.pid, file, "--append")
        for selector, pid in (("", one.pid), ("@1", one.pid), ("@2", two.pid), ("@last", one.pid), ("@first", one.pid), ("@-2", two.pid),
                              ("@pid:%d" % two.pid, two.pid), ("@t_static", two.pid), ("@name:t_alloc,first", one.pid), ("@target:2", two.pid)):
            done = run(args, "show", file + selector, "--json")
            checks.equal(done.returncode, 0, "FILE%s: exit status" % selector)
            if done.returncode == 0:
                checks.equal(parse_json(done.stdout)["target"]["pid"], pid, "FILE%s: PID" % selector)
        for selector in ("@4", "@0", "@-4", "@pid:1", "@nobody", "@01:99", "@2001-01-01 00:00"):
            done = run(args, "show", file + selector)
            checks.equal(done.returncode, 3, "FILE%s: exit status" % selector)
            checks.equal(done.stderr.count(b"\n"), 1, "FILE%s: lines of error" % selector)
        check_document(checks, args, file)


def check_document(checks, args, file):
    """Every query of docs/session.md runs, in sqlite3(1) where it is installed, and gives rows."""
    with open(args.document, encoding="utf-8") as document:
        queries = re.findall(r"^```sql\n(.*?)^```", document.read(), re.M | re.S)
    checks.true(len(queries) >= 5, "the document has queries")
    for query in queries:
        if shutil.which("sqlite3"):
            done = subprocess.run(["sqlite3", "-readonly", file, query], stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60, check=False)
            rows, failed = done.stdout.decode(errors="replace").splitlines(), done.stderr.decode()
        else:
            rows, failed = sqlite3.connect(file).execute(query).fetchall(), ""
        checks.equal(failed, "", "query %r" % query[:60])
        checks.true(rows or "NOT IN" in query, "query %r gives rows" % query[:60])


def main():
    args = arguments(__doc__, document={"required": True}, adder={"required": True})
    args.adder = os.path.abspath(args.adder)
    checks = Checks()
    with tempfile.TemporaryDirectory(prefix="vmmap-live-", dir=os.getcwd()) as folder:
        check_views(checks, args, folder)
        for program in ALLOCATORS:
            check_memory(checks, args, folder, program)
        check_others(checks, args, folder)
        check_core(checks, args, folder)
        check_none(checks, args, folder)
        check_names(checks, args, folder)
        check_refusals(checks, args, folder)
        check_hostile_texts(checks, args, folder)
    checks.finish()


if __name__ == "__main__":
    main()
