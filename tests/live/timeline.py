#!/usr/bin/env python3
"""What grows in a recorded session: a target that leaks in one place below noise, and says how much.

The test drives the time: after each round of the target it takes a look with the next second as its time. So the truth is
what the target says that it leaked, by a clock that no load can disturb.
"""
import csv
import io
import json
import os
import subprocess
import sys

from live import Checks, Target, arguments, parse_json, run, skip, work_folder

START = 1800000000


class Leak(Target):
    def __init__(self, args, where, folder):
        super().__init__([os.path.join(args.targets, "t_leak"), where], cwd=folder)

    def round(self):
        self.child.stdin.write(b"\n")
        self.child.stdin.flush()
        return json.loads(self.child.stdout.readline())["leaked"]


class Looks:
    """Adds looks at a target to a session."""

    def __init__(self, args, path, pid):
        self.child = subprocess.Popen([args.looks, path, str(pid)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def add(self, seconds):
        self.child.stdin.write(b"%.3f\n" % (START + seconds))
        self.child.stdin.flush()
        return int(self.child.stdout.readline())

    def end(self):
        self.child.stdin.close()
        self.child.stdout.close()
        if self.child.wait() != 0:
            raise RuntimeError("looks_of: exit status %d" % self.child.returncode)


def record(args, path, where, rounds, folder, start=0):
    """A session of so many looks, one a second, with a round before each; bytes leaked a second, and the target's truth."""
    with Leak(args, where, folder) as target:
        looks = Looks(args, path, target.pid)
        leaked = []
        for i in range(rounds):
            leaked.append(target.round())
            looks.add(start + i)
        looks.end()
        return (leaked[-1] - leaked[0]) / (rounds - 1), target.truth


def document(args, *words):
    done = run(args, *words, "--json")
    if done.returncode != 0:
        raise RuntimeError("%s: exit status %d: %s" % (words, done.returncode, done.stderr.decode(errors="replace")))
    return parse_json(done.stdout)


def near(checks, found, truth, what):
    checks.true(abs(found - truth) <= 0.05 * truth, "%s: %.0f bytes a second, must be %.0f within 5 %%" % (what, found, truth))


def one_finding(checks, growth, what):
    found = growth["findings"]
    if checks.equal(len(found), 1, "%s: findings (%s)" % (what, [(f["kind"], f["name"], f["per_second"]) for f in found])):
        return found[0]
    return None


def check_leak(args, checks, folder, where, rounds, expected):
    """One leak: named, with its rate; and nothing else is."""
    path = os.path.join(folder, where + ".vmmap")
    truth, target = record(args, path, where, rounds, folder)
    for command in ("diff", "timeline"):
        what = "%s of a leak in %s" % (command, where)
        growth = document(args, command, path)["growth"]
        checks.equal(growth["snapshots"], rounds, what + ": snapshots")
        finding = one_finding(checks, growth, what)
        if finding is None:
            continue
        near(checks, finding["per_second"], truth if truth else expected["rate"], what)
        for key, value in expected.items():
            if key != "rate":
                checks.equal(finding[key], value, "%s: %s" % (what, key))
        if where in ("arena", "main"):
            checks.equal(finding["tid"], target["leaker"], what + ": thread")
        checks.true(finding["low"] <= finding["per_second"] <= finding["high"], what + ": the interval holds the rate")
    text = run(args, "timeline", path).stdout.decode()
    checks.true("Grows steadily" in text and "KiB/s" in text + "MiB/s", "text of a leak in %s" % where)
    return path


def check_none(args, checks, folder, rounds):
    """Noise alone: nothing is called steady, neither in the findings nor in a row."""
    path = os.path.join(folder, "none.vmmap")
    record(args, path, "none", rounds, folder)
    found = document(args, "timeline", path)
    checks.equal(found["growth"]["findings"], [], "noise: findings")
    for row in found["rows"] + [found["total"]]:
        checks.true(row["trend"]["verdict"] != "steady", "noise: %s is steady" % row["id"])
    checks.true(b"Nothing grows steadily" in run(args, "diff", path).stdout, "noise: the text of diff says so")


def check_rows(args, checks, path):
    """Numbers of the timeline are those of each snapshot."""
    for measure in ("rss", "committed", "size"):
        line = document(args, "timeline", path, "--measure", measure)
        count = len(line["looks"])
        for place in (0, count // 2, count - 1):
            number = line["looks"][place]["snapshot"]
            shown = document(args, "show", "%s@%d" % (path, number))
            types = {t["kind"]: t for t in shown["summary"]["types"]}
            checks.equal(line["looks"][place]["taken_at"], shown["taken_at"], "time of snapshot %d" % number)
            checks.equal(line["total"]["values"][place], shown["summary"]["total"][measure], "%s in all of snapshot %d" % (measure, number))
            for row in line["rows"]:
                checks.equal(row["values"][place], types[row["id"]][measure], "%s of %s of snapshot %d" % (measure, row["id"], number))
    some = document(args, "timeline", path, "--where", "kind=heap", "--measure", "rss")
    all_of_it = document(args, "timeline", path, "--measure", "rss")
    heap = [r for r in all_of_it["rows"] if r["id"] == "heap"][0]
    checks.equal([r["id"] for r in some["rows"]], ["heap"], "rows of --where")
    checks.equal(some["rows"][0]["values"], heap["values"], "values of --where")
    heaps = document(args, "timeline", path, "--by", "heap", "--top", "100")
    checks.equal([sum(v) for v in zip(*[r["values"] for r in heaps["rows"]])], heaps["total"]["values"], "heaps add up")
    regions = document(args, "timeline", path, "--by", "region", "--top", "3")
    checks.equal([sum(x or 0 for x in v) for v in zip(*[r["values"] for r in regions["rows"]])], regions["total"]["values"],
                 "regions and the others add up")


def check_csv(args, checks, path):
    rows = list(csv.DictReader(io.StringIO(run(args, "timeline", path, "--csv").stdout.decode())))
    line = document(args, "timeline", path)
    totals = [int(r["rss"]) for r in rows if r["kind"] == "total"]
    checks.equal(totals, line["total"]["values"], "CSV: total rss")
    checks.equal([int(r["snapshot"]) for r in rows if r["kind"] == "total"], [x["snapshot"] for x in line["looks"]], "CSV: snapshots")
    some = list(csv.DictReader(io.StringIO(run(args, "timeline", path, "--csv", "--by", "heap").stdout.decode())))
    checks.true(some and set(some[0]) == {"time", "snapshot", "target", "pid", "heap", "label", "rss"}, "CSV by heap: columns")


def check_schema(args, checks, path, two):
    """Against docs/vmmap.schema.json, with the python3 that has jsonschema."""
    documents = [(words, run(args, *words, "--json").stdout) for words in (
        ["timeline", path], ["timeline", path, "--by", "heap"], ["timeline", path, "--by", "region", "--measure", "used"],
        ["timeline", path, "--where", "rss>1M"], ["timeline", two], ["diff", path])]
    for words, document in documents:
        with open("document.json", "wb") as f:
            f.write(document)
        name = "growth" if words[0] == "diff" else "timeline"
        code = """
import json, sys
try:
    import jsonschema
except ImportError:
    sys.exit(77)
schema = json.load(open(sys.argv[1]))
document = json.load(open(sys.argv[2]))
document = document["growth"] if sys.argv[3] == "growth" else document
errors = list(jsonschema.Draft202012Validator(dict(schema, anyOf=[{"$ref": "#/$defs/" + sys.argv[3]}])).iter_errors(document))
for e in errors[:3]:
    print("/".join(map(str, e.absolute_path)), e.message[:200])
sys.exit(1 if errors else 0)
"""
        done = subprocess.run(["/usr/bin/python3", "-c", code, args.schema, "document.json", name], stdout=subprocess.PIPE, cwd=os.getcwd())
        os.unlink("document.json")
        if done.returncode == 77:
            print("no jsonschema for python3: documents are not compared with the schema")
            return
        checks.equal(done.returncode, 0, "%s against the schema: %s" % (words[:1] + words[2:], done.stdout.decode()))


def check_range(args, checks, path):
    line = document(args, "timeline", path, "--from", "5", "--to", "9")
    checks.equal([x["snapshot"] for x in line["looks"]], [5, 6, 7, 8, 9], "--from 5 --to 9")
    checks.equal(line["growth"]["findings"], [], "5 snapshots tell no growth")
    when = document(args, "timeline", path)["looks"][20]["taken_at"]
    line = document(args, "timeline", path, "--from", when, "--to", when)
    checks.equal([x["snapshot"] for x in line["looks"]], [21], "--from and --to of one time")
    done = run(args, "timeline", path, "--from", "5", "--to", "5")
    checks.true(done.returncode == 0 and b"here is 1" in done.stdout, "one snapshot")
    for words, status in ((("--from", "nonsense"), 2), (("--to", "100000"), 3), (("--by", "class"), 2), (("--target", "nobody"), 3),
                          (("--where", "nothing=1"), 2), (("--format", "ndjson"), 2)):
        done = run(args, "timeline", path, *words)
        checks.true(done.returncode == status and done.stderr.count(b"\n") >= 1 and not done.stdout,
                    "%s: exit status %d, must be %d" % (words, done.returncode, status))
    checks.equal(run(args, "timeline", args.vmmap).returncode, 3, "a file that is no session: exit status")


def check_targets(args, checks, folder):
    """A program that was started again, and two at a time; a gap between."""
    path = os.path.join(folder, "again.vmmap")
    for run_number in range(2):
        record(args, path, "none", 12, folder, start=run_number * 500)
    line = document(args, "timeline", path)
    checks.equal(line["timeline"]["by"], "kind", "two runs: one line")
    checks.equal([t["snapshots"] for t in line["targets"]], [12, 12], "two runs: targets")
    checks.equal([i for i, x in enumerate(line["looks"]) if x["gap"]], [12], "two runs: the gap between")
    text = run(args, "timeline", path).stdout.decode()
    checks.true("another run" in text and "Nothing was recorded" in text, "two runs: the text says so")
    path = os.path.join(folder, "two.vmmap")
    with Leak(args, "none", folder) as a, Leak(args, "main", folder) as b:
        pids = [a.pid, b.pid]
        for i in range(10):
            for place, target in enumerate((a, b)):
                target.round()
                looks = Looks(args, path, target.pid)
                looks.add(i + place / 100)
                looks.end()
    line = document(args, "timeline", path)
    checks.equal(line["timeline"]["by"], "target", "two at a time: by target")
    checks.equal(line["growth"], None, "two at a time: growth is not told of both")
    last = [r["values"][-1] for r in line["rows"]]
    checks.equal(sum(last), line["total"]["values"][-1], "two at a time: they add up")
    kinds = document(args, "timeline", path, "--by", "kind")
    checks.equal(kinds["total"]["values"], line["total"]["values"], "two at a time: by kind it is the same in all")
    one = document(args, "timeline", path, "--target", str(pids[1]))
    checks.equal([t["pid"] for t in one["targets"]], [pids[1]], "--target")
    finding = one_finding(checks, one["growth"], "--target of two")
    checks.true(finding is None or finding["tid"] == pids[1], "--target: what grows in it")
    checks.equal(run(args, "timeline", path, "--by", "heap").returncode, 2, "--by heap of two: exit status")
    return path


def main():
    args = arguments(__doc__, looks={"required": True, "help": "the program that adds looks"},
                     schema={"required": True, "help": "docs/vmmap.schema.json"})
    checks = Checks()
    if not os.path.exists(os.path.join(args.targets, "t_leak")):
        skip("no t_leak")
    rounds = 40  # with fewer the noise of this program, which is the same in every run, happens to grow
    page = os.sysconf("SC_PAGESIZE")
    with work_folder() as folder:
        path = check_leak(args, checks, folder, "arena", rounds, {"level": "heap", "kind": "heap", "measure": "used"})
        check_leak(args, checks, folder, "main", rounds, {"level": "heap", "heap": "glibc.0.0", "measure": "used"})
        check_leak(args, checks, folder, "chunks", rounds * 3, {"level": "heap", "heap": "glibc.0.mmapped", "each": 200704})
        check_leak(args, checks, folder, "growing", rounds, {"level": "region", "kind": "private_data"})
        check_leak(args, checks, folder, "mappings", rounds * 6, {"level": "group", "kind": "private_data", "each": 65536})
        check_leak(args, checks, folder, "file", rounds, {"level": "region", "kind": "mapped_file", "measure": "rss"})
        check_leak(args, checks, folder, "stacks", rounds, {"level": "group", "kind": "stack", "rate": 8 << 20, "each": (8 << 20) + page})
        check_none(args, checks, folder, rounds)
        check_rows(args, checks, path)
        check_csv(args, checks, path)
        check_range(args, checks, path)
        two = check_targets(args, checks, folder)
        check_schema(args, checks, path, two)
    checks.finish()


if __name__ == "__main__":
    sys.exit(main())
