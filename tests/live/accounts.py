#!/usr/bin/env python3
"""For many processes: blocks and gaps tile the address space, and every sum is the kernel's own.

Targets that this test starts are stopped meanwhile. With --all the machine's other processes are looked at too, but
never stopped: where smaps changed during the look, the process is tried again and then left out.
"""
import contextlib
import os
import re
import shutil
import sys
import time

from live import (DRIFTING, PAGE, SMAPS_COLUMNS, USER_END, Checks, Target, address, arguments, blocks_of, column_of,
                  huge_pages, kinds_command, parse_json, read_smaps, run, snapshot_beside, span, status_of, tiles,
                  work_folder)

STRICT = [c for c in SMAPS_COLUMNS if c not in DRIFTING]
RSS_ERROR = 3 * max(32, 2 * (os.cpu_count() or 1)) * (os.cpu_count() or 1) * PAGE  # Linux lib/percpu_counter.c


def strict_view(vmas):
    return [(v["start"], v["end"], v["prot"], v["name"]) + tuple(column_of(v, c) for c in STRICT) for v in vmas]


def blocks_by_mapping(document, vmas):
    """For each mapping the blocks that begin below its end, in order; and how many are left over."""
    blocks = [b for region in document["regions"] for b in blocks_of(region)]
    result = []
    place = 0
    for vma in vmas:
        first = place
        while place < len(blocks) and address(blocks[place]["address"]) < vma["end"]:
            place += 1
        result.append(blocks[first:place])
    return result, len(blocks) - place


class Looked:
    """One document with its gaps, and smaps before, beside and after it."""

    def __init__(self, args, pid):
        self.before = read_smaps(pid)
        self.document, self.vmas, self.own_files = snapshot_beside(args, pid)
        self.free = run(args, "show", pid, "--view", "free", "--json", "--columns", "address,end,kind,size")
        self.status = status_of(pid)
        self.after = read_smaps(pid)
        self.blocks, self.stray = blocks_by_mapping(self.document, self.vmas)
        self.stable = strict_view(self.before) == strict_view(self.vmas) == strict_view(self.after)

    def comparable(self, i, column):
        """Whether nobody else can have changed the column of mapping i meanwhile."""
        if column not in DRIFTING:
            return True
        if column in ("pss", "uss", "shared") and (self.vmas[i]["dev"], self.vmas[i]["inode"]) in self.own_files:
            return False
        return column_of(self.before[i], column) == column_of(self.vmas[i], column) == column_of(self.after[i], column)


def check_blocks(checks, looked, what):
    """Every mapping is covered exactly by blocks, and their numbers add up to its own."""
    compared = unknown = 0
    for i, (vma, mine) in enumerate(zip(looked.vmas, looked.blocks)):
        name = "%s %#x" % (what, vma["start"])
        position = vma["start"]
        for block in mine:
            low, high = span(block)
            checks.equal(low, position, "%s: next block" % name)
            checks.true(high <= vma["end"], "%s: block %#x-%#x crosses the mapping's end" % (name, low, high))
            checks.equal(block["protection"][:4], vma["prot"], "%s: protection of a block" % name)
            position = high
        checks.equal(position, vma["end"], "%s: blocks end" % name)
        for column in SMAPS_COLUMNS:
            expected = column_of(vma, column)
            parts = [b[column] for b in mine]
            # With all rights only shares of pages that sections divide may be beyond proof.
            checks.true(None not in parts or expected is None or column in DRIFTING, "%s: %s is unknown" % (name, column))
            if None in parts or expected is None:
                unknown += 1
            elif looked.comparable(i, column):
                compared += 1
                checks.equal(sum(parts), expected, "%s %s: %s of %d blocks" % (name, vma["name"], column, len(parts)))
    checks.equal(looked.stray, 0, "%s: blocks that lie in no mapping" % what)
    return compared, unknown


def check_regions(checks, looked, what):
    """The numbers of a region are the sum of its blocks, or the kernel's where it consists of whole mappings."""
    document = looked.document
    columns = [c for c in document["summary"]["total"] if c in SMAPS_COLUMNS or c in ("committed", "private", "shareable")]
    for region in document["regions"]:
        for column in columns:
            parts = [b[column] for b in blocks_of(region)]
            if region[column] is not None and None not in parts:
                checks.equal(sum(parts), region[column], "%s %s: sum of blocks' %s" % (what, region["address"], column))
    totals = document["summary"]["total"]
    for column in columns:
        inside = [r for r in document["regions"] if address(r["end"]) <= 1 << 63]
        by_kind = {}
        for region in inside:
            by_kind.setdefault(region["kind"], []).append(region[column])
        for kind in document["summary"]["types"]:
            parts = by_kind.get(kind["kind"], [])
            if kind["kind"] not in ("free", "unusable", "page_table") and kind[column] is not None and None not in parts:
                checks.equal(kind[column], sum(parts), "%s: %s of kind %s" % (what, column, kind["kind"]))
        parts = [r[column] for r in inside]
        if totals[column] is not None and None not in parts:
            checks.equal(totals[column], sum(parts), "%s: total %s" % (what, column))
        known = [column_of(v, column) for v in looked.vmas if v["name"] != b"[vsyscall]"] if column in STRICT else [None]
        if None not in known:
            checks.equal(totals[column], sum(known), "%s: total %s and smaps" % (what, column))


def check_accounts(checks, looked, what):
    document = looked.document
    checks.equal(document["summary"]["total"]["size"], looked.status["VmSize"], "%s: size and VmSize" % what)
    rss = looked.status["VmRSS"] + looked.status.get("HugetlbPages", 0)
    difference = abs(document["summary"]["total"]["rss"] - rss)
    checks.true(difference <= RSS_ERROR, "%s: rss and the kernel's counters differ by %d" % (what, difference))
    for account in document["accounts"]:
        if account["remainder"] is None:
            continue
        exact = account["id"] in ("size", "swap")
        checks.true(abs(account["remainder"]) <= (0 if exact else RSS_ERROR),
                    "%s: account %s has the remainder %d" % (what, account["id"], account["remainder"]))


def check_gaps(checks, looked, what):
    """Gaps are what is left between the mappings of the user address space."""
    if not checks.equal(looked.free.returncode, 0, "%s: exit status of --view free" % what):
        return
    pieces = [span(g) for g in parse_json(looked.free.stdout)["free"]] + [
        (v["start"], v["end"]) for v in looked.vmas if v["name"] != b"[vsyscall]"]
    position = 0
    for low, high in sorted(pieces):
        checks.equal(low, position, "%s: mapping or gap" % what)
        position = high
    if os.uname().machine == "x86_64":
        checks.equal(position, USER_END[looked.document["target"]["bits"]], "%s: end of the address space" % what)


def drifted(looked):
    """
    Whether a number that other processes bear on differs. A process that maps the same file for a moment changes it
    between two reads of ours, which no comparison before and after can see.
    """
    for i, (vma, mine) in enumerate(zip(looked.vmas, looked.blocks)):
        for column in DRIFTING:
            parts, expected = [b[column] for b in mine], column_of(vma, column)
            if None not in parts and expected is not None and looked.comparable(i, column) and sum(parts) != expected:
                return True
    return False


def look(checks, args, pid, what, own):
    for attempt in range(8):
        looked = Looked(args, pid)
        if looked.stable and not drifted(looked):
            break
        time.sleep(0.05 * attempt)
    if not looked.stable:
        checks.true(not own, "%s: smaps changes although the process is stopped" % what)
        print("%-28s changes all the time, left out" % what)
        return
    tiles(checks, looked.document, what)
    compared, unknown = check_blocks(checks, looked, what)
    check_regions(checks, looked, what)
    check_accounts(checks, looked, what)
    check_gaps(checks, looked, what)
    print("%-28s %6d mappings, %6d numbers compared, %d unknown" % (what, len(looked.vmas), compared, unknown))


def java_command(folder):
    source = os.path.join(folder, "Wait.java")
    with open(source, "w", encoding="ascii") as f:
        f.write("public class Wait { public static void main(String[] a) throws Exception {"
                " byte[] b = new byte[50 << 20]; System.out.println(b.length); System.in.read(); } }\n")
    if shutil.which("javac") and os.system("javac -d '%s' '%s'" % (folder, source)) == 0:
        return ["java", "-cp", folder, "Wait"]
    return ["java", source]


def targets(args, folder):
    """Commands by name; the second value: the target prints one line when it is ready."""
    t = lambda name, *words: [os.path.join(args.targets, name)] + list(words)
    library = os.path.join(args.targets, "lib", "target_lib.so")
    result = {name: t(name) for name in ("t_threads", "t_threads32", "t_asan", "t_static", "t_static_pie",
                                         "t_merged_stacks", "t_reserve")}
    result.update({"t_kinds": kinds_command(args, folder), "t_kinds32": kinds_command(args, folder, 32),
                   "t_packed": t("t_packed", library), "t_maps": t("t_maps", "5000", "3"),
                   "t_maps islands": t("t_maps", "2000", "2", "islands"), "t_maps files": t("t_maps", "2000", "2", "files")})
    result = {name: command for name, command in result.items() if command and os.path.exists(command[0])}
    others = {"python3": [sys.executable, "-c", "import ssl, sqlite3, sys; x = list(range(1000000)); print(0, flush=True); sys.stdin.read()"],
              "node": ["node", "-e", "console.log(0); process.stdin.resume()"],
              "bash": ["bash", "-c", "echo 0; read -r x"],
              "sqlite3": ["sqlite3", "-cmd", "select 0;"]}
    others["java"] = java_command(folder) if shutil.which("java") else ["java"]
    result.update({name: command for name, command in others.items() if shutil.which(command[0])})
    return result


def settle(pid):
    """Runtimes go on working after their first line: wait until the number of mappings stays."""
    last = None
    for _ in range(50):
        now = strict_view(read_smaps(pid))
        if now == last:
            return
        last = now
        time.sleep(0.1)


def look_at_targets(checks, args):
    with work_folder() as folder, huge_pages(8):
        for name, command in targets(args, folder).items():
            try:
                target = Target(command)
            except (RuntimeError, ValueError) as error:
                print("%-28s cannot be started: %s" % (name, error))
                continue
            with target:
                settle(target.pid)
                with target.stopped():
                    look(checks, args, target.pid, name, True)


def kernel_thread(pid):
    with open("/proc/%d/stat" % pid, "rb") as f:
        return int(f.read().rsplit(b")", 1)[1].split()[6]) & 0x00200000 != 0


def look_at_others(checks, args):
    """Everything but ourselves, our ancestors, init and what --exclude names."""
    spared = {1, os.getpid()}
    pid = os.getpid()
    while pid > 1:
        with open("/proc/%d/stat" % pid, "rb") as f:
            pid = int(f.read().rsplit(b")", 1)[1].split()[1])
        spared.add(pid)
    for pid in sorted(int(p) for p in os.listdir("/proc") if p.isdigit()):
        with contextlib.suppress(OSError, RuntimeError, KeyError):
            with open("/proc/%d/comm" % pid, encoding="utf-8", errors="replace") as f:
                name = f.read().strip()
            if pid in spared or kernel_thread(pid) or args.exclude and re.search(args.exclude, name):
                continue
            look(checks, args, pid, "%d %s" % (pid, name), False)


def main():
    args = arguments(__doc__, all={"action": "store_true", "help": "the other processes of this machine too"},
                     exclude={"help": "with --all: leave out processes whose name matches this expression"})
    checks = Checks()
    look_at_targets(checks, args)
    if args.all:
        look_at_others(checks, args)
    checks.finish()


if __name__ == "__main__":
    sys.exit(main())
