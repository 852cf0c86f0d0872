#!/usr/bin/env python3
"""Benchmarks: what a look at a process costs, as ratios against the kernel's own text and against pmap.

Commands are measured in turn (A B C A B C ...) in one run, the median of the rounds counts. Times are of the whole
command, start to end. Nothing here fails for being slow unless --check is given.
"""
import argparse
import json
import os
import shutil
import statistics
import struct
import subprocess
import sys
import tempfile

MIB = 1 << 20


class Bench:
    def __init__(self, args):
        self.vmmap = os.path.join(args.build, "vmmap")
        self.measure = os.path.join(args.build, "bench", "measure")
        self.copy = os.path.join(args.build, "bench", "raw_copy")
        self.read = os.path.join(args.build, "bench", "raw_read")
        self.targets = os.path.join(args.build, "tests", "targets")
        self.session_of = os.path.join(args.build, "tests", "live", "session_of")
        self.rounds = 1 if args.smoke else args.rounds
        self.missed = []
        for program in (self.vmmap, self.measure, os.path.join(self.targets, "t_maps")):
            if not os.access(program, os.X_OK):
                sys.exit("bench: no %s: configure with -DVMMAP_BENCH=ON -DVMMAP_TESTS=ON and build" % program)

    def target(self, name, *words):
        return Target([os.path.join(self.targets, name)] + [str(w) for w in words])

    def show(self, pid, *words):
        return [self.vmmap, "show", str(pid), "--json"] + list(words)

    def once(self, command):
        done = subprocess.run([self.measure] + command, stdout=subprocess.PIPE, check=True)
        result = json.loads(done.stdout)
        if result["status"] != 0:
            sys.exit("bench: %s: exit status %d" % (" ".join(command), result["status"]))
        return result

    def compare(self, commands):
        """Medians of each command by name, measured in turn; one round first warms up."""
        runs = {name: [] for name in commands}
        for number in range(self.rounds + 1):
            for name, command in commands.items():
                result = self.once(command)
                if number > 0:
                    runs[name].append(result)
        return {name: {key: statistics.median(r[key] for r in results) for key in ("wall_ns", "cpu_ns", "peak_bytes")}
                for name, results in runs.items()}

    def judge(self, what, value, limit, unit="", least=False):
        good = value >= limit if least else value <= limit
        print("  %-52s %8.2f%s  (%s %g%s)  %s" % (what, value, unit, "at least" if least else "at most", limit, unit,
                                                "ok" if good else "MISSED"))
        if not good:
            self.missed.append(what)


class Target:
    """A target program, alive while its standard input is open."""

    def __init__(self, command):
        self.child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        if not self.child.stdout.readline():
            sys.exit("bench: %s does not start" % command)
        self.pid = self.child.pid

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.child.stdin.close()
        self.child.wait()
        self.child.stdout.close()


def line(name, result):
    print("  %-52s %8.1f ms wall %8.1f ms CPU %7.1f MiB peak" % (
        name, result["wall_ns"] / 1e6, result["cpu_ns"] / 1e6, result["peak_bytes"] / MIB))


def against_the_kernel(bench, mappings, pages):
    print("%d mappings, %.1f GiB resident in 4K pages" % (mappings, mappings * pages * 4096 / (1 << 30)))
    with bench.target("t_maps", mappings, pages) as target:
        commands = {"cat smaps": ["cat", "/proc/%d/smaps" % target.pid], "vmmap --json": bench.show(target.pid),
                    "vmmap --json --fast": bench.show(target.pid, "--fast"), "vmmap (summary)": [bench.vmmap, str(target.pid)],
                    "vmmap --raw --json": bench.show(target.pid, "--raw")}
        if shutil.which("pmap"):
            commands["pmap -XX"] = ["pmap", "-XX", str(target.pid)]
            commands["pmap -X"] = ["pmap", "-X", str(target.pid)]
        results = bench.compare(commands)
    for name, result in results.items():
        line(name, result)
    for what, key in (("wall", "wall_ns"), ("CPU", "cpu_ns")):
        cat = results["cat smaps"][key]
        bench.judge("--json / cat smaps (%s)" % what, results["vmmap --json"][key] / cat, 1.4)
        bench.judge("--json --fast / cat smaps (%s)" % what, results["vmmap --json --fast"][key] / cat, 0.6)
        if "pmap -XX" in results:
            bench.judge("pmap -XX / --json (%s)" % what, results["pmap -XX"][key] / results["vmmap --json"][key], 4, least=True)
    bench.judge("peak memory", results["vmmap --json"]["peak_bytes"] / MIB, 64, " MiB")


def small_process(bench):
    print("a small process (bash)")
    bash = subprocess.Popen(["bash", "-c", "echo; read -r x"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    bash.stdout.readline()
    commands = {"vmmap --json": bench.show(bash.pid), "vmmap (summary)": [bench.vmmap, str(bash.pid)],
                "cat smaps": ["cat", "/proc/%d/smaps" % bash.pid]}
    if shutil.which("pmap"):
        commands["pmap -XX"] = ["pmap", "-XX", str(bash.pid)]
    results = bench.compare(commands)
    bash.communicate()
    for name, result in results.items():
        line(name, result)
    for name in ("vmmap --json", "vmmap (summary)"):
        bench.judge("%s: time" % name, results[name]["wall_ns"] / 1e6, 10, " ms")
        bench.judge("%s: peak memory" % name, results[name]["peak_bytes"] / MIB, 12, " MiB")


def heaps(bench, chunks):
    """glibc's heap with so many chunks against a copy of its bytes; then the same with many of them in fastbins."""
    for mode, limit in (("many", 2), ("many_freed", 5)):
        print("a heap of %d chunks%s" % (chunks, "" if mode == "many" else ", a quarter freed into fastbins"))
        with bench.target("t_heap", mode, chunks) as target:
            pid = str(target.pid)
            commands = {"copy of the heap": [bench.copy, pid],
                        "vmmap show --view heaps": [bench.vmmap, "show", pid, "--view", "heaps"],
                        "the map alone (--view regions)": [bench.vmmap, "show", pid, "--view", "regions"],
                        "vmmap heap": [bench.vmmap, "heap", pid]}
            results = bench.compare(commands)
            for name, result in results.items():
                line(name, result)
            for what, key in (("wall", "wall_ns"), ("CPU", "cpu_ns")):
                ratio = results["vmmap show --view heaps"][key] / results["copy of the heap"][key]
                bench.judge("totals / copy (%s)" % what, ratio, limit)
            bench.judge("peak memory", max(r["peak_bytes"] for r in results.values()) / MIB, 150, " MiB")
            if mode == "many":
                stream(bench, pid, chunks)


def stream(bench, pid, chunks):
    results = bench.compare({form: [bench.vmmap, "heap", pid, "--chunks", "--format", form, "-o", "/dev/null"] for form in ("ndjson", "csv")})
    for name, result in results.items():
        line("vmmap heap --chunks --format %s" % name, result)
        bench.judge("%s: chunks in a second" % name, chunks / result["wall_ns"] * 1e3, 2, " M", least=True)
        bench.judge("%s: peak memory" % name, result["peak_bytes"] / MIB, 150, " MiB")


def small_heap(bench):
    """What looking into a small heap adds to the map."""
    print("a small heap (bash)")
    bash = subprocess.Popen(["bash", "-c", "echo; read -r x"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    bash.stdout.readline()
    commands = {"map": [bench.vmmap, "show", str(bash.pid), "--view", "regions"],
                "map and heap": [bench.vmmap, "show", str(bash.pid), "--view", "regions", "--columns", "address,size,used,unused"]}
    results = bench.compare(commands)
    bash.communicate()
    for name, result in results.items():
        line(name, result)
    bench.judge("the heap's share", (results["map and heap"]["wall_ns"] - results["map"]["wall_ns"]) / 1e6, 5, " ms")


def heap_ranges(core, document):
    """Where the bytes of heap regions stand in a core: "offset:length" of each."""
    loads = []
    with open(core, "rb") as f:
        head = f.read(64)
        offset, = struct.unpack_from("<Q", head, 32)
        entry, count = struct.unpack_from("<HH", head, 54)
        f.seek(offset)
        table = f.read(entry * count)
    for i in range(count):
        kind, _, at, start, _, stored = struct.unpack_from("<IIQQQQ", table, i * entry)
        if kind == 1:
            loads.append((start, start + stored, at))
    spans = [(int(r["address"], 16), int(r["end"], 16)) for r in document["regions"] if r["kind"] == "heap"]
    found = [(at + max(start, first) - first, min(end, last) - max(start, first)) for start, end in spans for first, last, at in loads
             if max(start, first) < min(end, last)]
    return ["%d:%d" % pair for pair in found]


def cores(bench, chunks):
    """A core of a process with so many chunks: the map at once, the heap's totals against reading its bytes once."""
    if not shutil.which("gcore"):
        print("no core: gdb's gcore is not installed")
        return
    print("a core with %d chunks" % chunks)
    with tempfile.TemporaryDirectory(dir=os.environ.get("TMPDIR", "/var/tmp")) as folder:
        with bench.target("t_heap", "many_wide", chunks) as target:
            subprocess.run(["gcore", "-o", os.path.join(folder, "core"), str(target.pid)], stdout=subprocess.DEVNULL,
                           stderr=subprocess.DEVNULL, check=True)
            core = os.path.join(folder, "core.%d" % target.pid)
        document = json.loads(subprocess.run(bench.show(core), stdout=subprocess.PIPE, check=True).stdout)
        heap = document["heaps"][0]
        print("  %.1f GiB, %d chunks in use" % (os.path.getsize(core) / (1 << 30), heap["used_count"]))
        if not heap["proved"] or heap["used_count"] < chunks:
            sys.exit("bench: the heap of the core is not proved")
        commands = {"read of the heap's bytes": [bench.read, core] + heap_ranges(core, document),
                    "vmmap CORE (summary)": [bench.vmmap, core], "vmmap show --view heaps": [bench.vmmap, "show", core, "--view", "heaps"],
                    "vmmap heap": [bench.vmmap, "heap", core]}
        results = bench.compare(commands)
    for name, result in results.items():
        line(name, result)
    bench.judge("the map", results["vmmap CORE (summary)"]["wall_ns"] / 1e6, 200, " ms")
    bench.judge("the map: peak memory", results["vmmap CORE (summary)"]["peak_bytes"] / MIB, 60, " MiB")
    for what, key in (("wall", "wall_ns"), ("CPU", "cpu_ns")):
        bench.judge("totals / read (%s)" % what, results["vmmap show --view heaps"][key] / results["read of the heap's bytes"][key], 2)
    bench.judge("totals: peak memory", results["vmmap show --view heaps"]["peak_bytes"] / MIB, 60, " MiB")


def sessions(bench, mappings, regions, snapshots):
    """Two saved processes compared, and one over time: what a look costs when nothing runs any more."""
    with tempfile.TemporaryDirectory(dir=os.environ.get("TMPDIR", "/var/tmp")) as folder:
        first, second, again, long = (os.path.join(folder, name + ".vmmap") for name in ("first", "second", "again", "long"))
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "check": True}
        with bench.target("t_maps", mappings, 1, "islands") as target:
            for path in (first, again):
                subprocess.run([bench.vmmap, "save", str(target.pid), "-o", path], **quiet)
        with bench.target("t_maps", mappings, 1, "islands") as target:
            subprocess.run([bench.vmmap, "save", str(target.pid), "-o", second], **quiet)
        with bench.target("t_maps", regions, 1, "islands") as target:
            subprocess.run([bench.session_of, long, "--times", str(snapshots), str(target.pid)], **quiet)
        print("two sessions of %d mappings; one of %d snapshots of %d" % (mappings, snapshots, regions))
        commands = {"vmmap diff (a process and itself)": [bench.vmmap, "diff", first, again],
                    "vmmap diff (two processes)": [bench.vmmap, "diff", first, second],
                    "vmmap show --json": [bench.vmmap, "show", first, "--json"],
                    "vmmap timeline": [bench.vmmap, "timeline", long]}
        results = bench.compare(commands)
    for name, result in results.items():
        line(name, result)
    for name in ("vmmap diff (a process and itself)", "vmmap diff (two processes)"):
        bench.judge("%s: time" % name, results[name]["wall_ns"] / 1e6, 500, " ms")
    bench.judge("vmmap timeline: time", results["vmmap timeline"]["wall_ns"] / 1e6, 2000, " ms")


def page(bench, mappings):
    """A report of so many regions: what writing it costs beside --json, its size, and what it is in Chromium."""
    print("a report of %d regions" % mappings)
    here = os.path.dirname(os.path.abspath(__file__))
    packages = os.path.join(os.path.dirname(bench.vmmap), "web", "node_modules")
    with tempfile.TemporaryDirectory() as folder, bench.target("t_maps", mappings, 1, "islands") as target:
        out = os.path.join(folder, "report.html")
        report = [bench.vmmap, "report", str(target.pid), "-o", out]
        done = subprocess.run(report, stderr=subprocess.PIPE)
        if b"without its page" in done.stderr:
            print("  vmmap was built without its page")
            return
        columns = [bench.vmmap, "show", str(target.pid), "--format", "json-columns", "-o", os.path.join(folder, "columns.json")]
        results = bench.compare({"vmmap show --json": bench.show(target.pid, "-o", os.path.join(folder, "all.json")),
                                 "vmmap show --format json-columns": columns, "vmmap report": report})
        for name, result in results.items():
            line(name, result)
        for name in ("all.json", "columns.json", "report.html"):
            print("  %-52s %8.2f MiB" % (name, os.path.getsize(os.path.join(folder, name)) / MIB))
        over = results["vmmap report"]["wall_ns"] - results["vmmap show --json"]["wall_ns"]
        bench.judge("report over show --json", over / 1e9, 1, " s")
        bench.judge("size of the report", os.path.getsize(out) / 1e6, 6, " MB")
        if not shutil.which("node") or not os.path.isdir(packages):
            print("  no node, or no packages in %s: what it is in a browser was not measured" % packages)
            return
        done = subprocess.run(["node", os.path.join(here, "page.mjs"), out, str(bench.rounds)], stdout=subprocess.PIPE,
                              env=dict(os.environ, VMMAP_PAGE_PACKAGES=packages))
        if done.returncode:
            print("  no Chromium: what the report is in a browser was not measured" if done.returncode == 77 else "  page.mjs failed")
            return
    times = json.loads(done.stdout)
    bench.judge("first picture", times["ready"] / 1000, 1, " s")
    print("  %-52s %8.0f ms CPU" % ("  of that in the page", times["cpu"]))
    print("  %-52s %8.0f ms" % ("to the table of regions", times["regions"]))
    for key, what in (("sort", "sort by RSS"), ("sort_text", "sort by text"),
                      ("filter", "filter"), ("no_filter", "all again"), ("find", "find")):
        if times[key] is None:
            print("  %s: not found in the page" % what)
        else:
            bench.judge(what, times[key], 100, " ms")
    print("  scrolling: a frame in %.1f ms, the longest %.1f ms" % (times["frame"] or 0, times["longest_frame"] or 0))


def growth(bench, what, program, arguments, sizes, limit):
    """Cost per size, and how much faster than the size it grows from the smallest to the largest."""
    print("growth with %s" % what)
    results = []
    for words, size in zip(arguments, sizes):
        with bench.target(program, *words) as target:
            result = bench.compare({"show": bench.show(target.pid)})["show"]
        line("%d %s" % (size, what), result)
        results.append(result)
    for key, name, unit in (("cpu_ns", "CPU", 1e6), ("peak_bytes", "peak memory", MIB)):
        times = results[-1][key] / results[0][key]
        bench.judge("%s: grows by (%s %.0f times)" % (name, what, sizes[-1] / sizes[0]), times, limit(sizes[-1] / sizes[0]))
        print("    per step: %s" % ", ".join("%.1f" % (r[key] / unit) for r in results))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", required=True, help="build folder, best one of type Release or RelWithDebInfo")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--smoke", action="store_true", help="one small round: shows only that everything runs")
    parser.add_argument("--check", action="store_true", help="exit with 1 when a limit is missed")
    parser.add_argument("--only", choices=["heaps", "cores", "diff", "page"], help="just these")
    args = parser.parse_args()
    bench = Bench(args)
    # Linear means: no more than the size grows, and a quarter for noise. Flat means: half as much again at most.
    linear, flat = (lambda times: 1.25 * times), (lambda times: 1.5)
    if args.only == "cores":
        cores(bench, 20000 if args.smoke else 40000000)
    elif args.only == "diff":
        sessions(bench, *((1000, 300, 20) if args.smoke else (60000, 5000, 600)))
    elif args.only == "page":
        page(bench, 2000 if args.smoke else 60000)
    elif args.only:
        heaps(bench, 20000 if args.smoke else 10000000)
        small_heap(bench)
    elif args.smoke:
        against_the_kernel(bench, 2000, 1)
        small_process(bench)
        heaps(bench, 20000)
        small_heap(bench)
        cores(bench, 20000)
        sessions(bench, 1000, 300, 20)
        page(bench, 2000)
        growth(bench, "mappings", "t_maps", [(500, 1), (1000, 1)], [500, 1000], linear)
        growth(bench, "TiB reserved", "t_reserve", [(1,), (2,)], [1, 2], flat)
    else:
        against_the_kernel(bench, 60000, 18)
        small_process(bench)
        heaps(bench, 10000000)
        small_heap(bench)
        cores(bench, 40000000)
        sessions(bench, 60000, 5000, 600)
        page(bench, 60000)
        growth(bench, "mappings", "t_maps", [(n, 1) for n in (15000, 30000, 60000)], [15000, 30000, 60000], linear)
        growth(bench, "MiB resident", "t_maps", [(1000, n * 256) for n in (1, 2, 4)], [1000, 2000, 4000], linear)
        growth(bench, "TiB reserved", "t_reserve", [(n,) for n in (1, 5, 20)], [1, 5, 20], flat)
    if bench.missed:
        print("missed: %s" % ", ".join(bench.missed))
    return 1 if args.check and bench.missed else 0


if __name__ == "__main__":
    sys.exit(main())
