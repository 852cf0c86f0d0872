#!/usr/bin/env python3
"""save and record: what is kept is what the kernel said, files are never half written, and nothing is lost by any end.

The truth about a session is what SQLite itself reads in it, about a target /proc while it is stopped.
"""
import contextlib
import os
import random
import resource
import shutil
import signal
import sqlite3
import subprocess
import sys
import time

from live import Checks, Target, arguments, column_of, parse_json, read_smaps, run, test_count, work_folder

SECRET = "argument-that-nobody-shall-see"
PATIENCE = 30  # seconds for what must come; how long it takes decides nothing
# Grows by so many MiB for each line, and says when it has.
GROWER = """
import sys
print("ready", flush=True)
kept = []
for line in sys.stdin:
    kept.append(bytearray(int(line) << 20))
    print("grown", flush=True)
"""
# Takes and gives back memory all the time, but not with all of a processor.
CHURN = """
import os, random, sys, threading, time
def churn():
    kept = [None] * 64
    while True:
        kept[random.randrange(64)] = bytearray(random.randrange(1, 1 << 18))
        time.sleep(0.002)
threading.Thread(target=churn, daemon=True).start()
print("ready", flush=True)
sys.stdin.read()
os._exit(0)
"""
PARENT = """
import subprocess, sys
child = None
print("ready", flush=True)
for line in sys.stdin:
    child = subprocess.Popen(["sleep", "1000"])
    print(child.pid, flush=True)
if child:
    child.kill()
    child.wait()
"""


def until(condition):
    end = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.01)
    return True


def query(path, sql, *values):
    """Read-only: what stands beside the file stays as it is. A file that is being written may be locked for a while."""
    for _ in range(1000):
        try:
            with contextlib.closing(sqlite3.connect("file:%s?mode=ro" % path, uri=True)) as connection:
                return connection.execute(sql, values).fetchall()
        except sqlite3.OperationalError as e:
            if "locked" not in str(e):
                raise
            time.sleep(0.005)
    raise RuntimeError("%s stays locked" % path)


def count(path, where="1"):
    """Snapshots in a session that may be in the making."""
    if not os.path.exists(path) or os.path.getsize(path) == 0:
        return 0
    try:
        return query(path, "SELECT count(*) FROM snapshot WHERE " + where)[0][0]
    except sqlite3.OperationalError as e:
        if "no such table" in str(e):
            return 0
        raise


def whole(checks, args, path, what):
    """SQLite finds no fault, numbers have no gap, and vmmap itself opens it. Returns how many snapshots there are."""
    with contextlib.closing(sqlite3.connect(path)) as connection:  # rolls back what a killed writer left
        checks.equal(connection.execute("PRAGMA integrity_check").fetchall(), [("ok",)], "%s: integrity" % what)
        numbers = [n for n, in connection.execute("SELECT number FROM snapshot ORDER BY number")]
    checks.true(not numbers or numbers == list(range(numbers[0], numbers[0] + len(numbers))), "%s: numbers %s" % (what, numbers))
    if numbers:
        checks.equal(run(args, "show", path).returncode, 0, "%s: vmmap opens it" % what)
    return len(numbers)


def start(args, *words, **options):
    return subprocess.Popen([args.vmmap] + [str(w) for w in words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, **options)


def finish(child, number=None):
    """Standard error and status of a recorder, after a signal."""
    if number:
        child.send_signal(number)
    out, err = child.communicate(timeout=120)
    return err.decode(), child.returncode


@contextlib.contextmanager
def talking(script):
    with subprocess.Popen([sys.executable, "-c", script, SECRET], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        try:
            assert child.stdout.readline() == "ready\n"
            yield child
        finally:
            with contextlib.suppress(OSError):
                child.stdin.close()


def ask(child, text):
    child.stdin.write("%s\n" % text)
    child.stdin.flush()
    return child.stdout.readline().strip()


def check_save_is_the_kernel(checks, args, folder):
    path = os.path.join(folder, "kernel.vmmap")
    with Target([os.path.join(args.targets, "t_maps"), "300", "3"]) as target, target.stopped():
        done = run(args, "save", target.pid, "-o", path)
        checks.equal(done.returncode, 0, "save: status (%s)" % done.stderr)
        kernel = read_smaps(target.pid)
    # SQL has no unsigned numbers: [vsyscall] has a negative address there.
    saved = {low & (1 << 64) - 1: row for low, *row in query(path, "SELECT start, span, rss FROM mappings WHERE snapshot = 1")}
    checks.equal(len(saved), len(kernel), "save: mappings")
    wrong = [hex(v["start"]) for v in kernel
             if saved.get(v["start"]) != [v["end"] - v["start"], column_of(v, "rss")]]
    checks.equal(wrong, [], "save: mappings whose size or RSS is not the kernel's")
    for where in ("kind = 'total'", "kind NOT IN ('total', 'page_table')"):
        total = query(path, "SELECT sum(rss) FROM types WHERE snapshot = 1 AND " + where)[0][0]
        checks.equal(total, sum(column_of(v, "rss") for v in kernel), "save: sum of RSS by type, %s" % where)


def check_save_files(checks, args, folder):
    path = os.path.join(folder, "files.vmmap")
    with talking(GROWER) as child:
        for words, status, snapshots in (((), 0, 1), ((), 2, 1), (("--append",), 0, 2), (("--force",), 0, 1), (("--append", "--force"), 2, 1),
                                         (("--redact", "--with-memory", "heap"), 2, 1), (("--with-memory", "nothing"), 2, 1)):
            before = open(path, "rb").read() if os.path.exists(path) else None
            done = run(args, "save", child.pid, "-o", path, *words)
            checks.equal(done.returncode, status, "save %s: status" % " ".join(words))
            checks.equal(len(done.stderr.splitlines()), 0 if status == 0 else 1, "save %s: lines on standard error" % " ".join(words))
            checks.equal(count(path), snapshots, "save %s: snapshots" % " ".join(words))
            checks.true(status == 0 or open(path, "rb").read() == before, "save %s: refused, and the file changed" % " ".join(words))
        checks.true(SECRET.encode() in open(path, "rb").read(), "save: the argument is in the file")
        run(args, "save", child.pid, "-o", path, "--force", "--redact")
        checks.true(SECRET.encode() not in open(path, "rb").read(), "save --redact: the argument is not in the file")
        checks.true(os.path.realpath(sys.executable).encode() in open(path, "rb").read(), "save --redact: paths are in the file")
        checks.equal(run(args, "save", child.pid, "-o", path + ".d/x").returncode, 2, "save: no such folder")
        checks.equal(run(args, "save", child.pid, "-o", folder, "--force").returncode, 2, "save: a folder")
        checks.equal(run(args, "save", 99999999, "-o", path + ".none").returncode, 3, "save: no such process")
        done = run(args, "save", 99999999, child.pid, "-o", path + ".some")
        checks.equal((done.returncode, count(path + ".some")), (3, 1), "save: one of two")
        again = os.path.join(folder, "again.vmmap")
        checks.equal(run(args, "-p", child.pid, again).returncode, 0, "-p PID FILE.vmmap")
        copy = os.path.join(folder, "copy.vmmap")
        checks.equal(run(args, "save", again, "-o", copy).returncode, 0, "save of a session")
        one, two = (parse_json(run(args, "show", f, "--json").stdout) for f in (again, copy))
        checks.equal(one["regions"], two["regions"], "save of a session: regions")
        checks.true(len(one["regions"]) > 10, "save of a session: there are regions")
        limit_files(checks, args, child.pid, path)
    checks.equal(sorted(f for f in os.listdir(folder) if "files.vmmap" in f), ["files.vmmap", "files.vmmap.some"], "save: files left over")


def limit_files(checks, args, pid, path):
    """No room: one line, status 2, and the old file stands."""
    before = open(path, "rb").read()
    for words, where in ((("--force",), path), ((), path + ".new"), (("--append",), path)):
        done = run(args, "save", pid, "-o", where, *words,
                   preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (20000, 20000)))
        checks.equal((done.returncode, len(done.stderr.splitlines())), (2, 1), "save %s without room: %s" % (words, done.stderr))
    checks.true(not os.path.exists(path + ".new"), "save without room leaves no file")
    whole(checks, args, path, "save without room")
    checks.true(count(path) == 1 and SECRET.encode() not in before, "save without room: the old snapshot stands")


def check_several(checks, args, folder):
    """Two PIDs and one that ends; the summary's numbers are those of the file."""
    path = os.path.join(folder, "several.vmmap")
    with talking(GROWER) as one, subprocess.Popen(["sleep", "1000"]) as two:
        child = start(args, "record", one.pid, two.pid, "-o", path, "--every", "20ms", "--duty", "100")
        checks.true(until(lambda: count(path, "target = 1") >= 3 and count(path, "target = 2") >= 3), "several: both are recorded")
        two.kill()
        two.wait()
        before = count(path, "target = 1")
        checks.true(until(lambda: count(path, "target = 1") >= before + 3), "several: the other goes on")
        err, status = finish(child, signal.SIGINT)
        checks.equal(status, 0, "several: status (%s)" % err)
        n = whole(checks, args, path, "several")
        checks.true("%s: %d snapshots of 2 processes" % (path, n) in err.replace(",", ""), "several: summary %r, %d in the file" % (err, n))
        checks.equal(query(path, "SELECT pid FROM target ORDER BY id"), [(one.pid,), (two.pid,)], "several: targets")


def check_growth(checks, args, folder):
    """Kept: the first, one whenever it grew by so much, the last. Between them it is looked at, and nothing is kept."""
    path = os.path.join(folder, "growth.vmmap")
    # The kernel's own total: RSS by type is unknown where a look fell in the middle of it.
    rss = "SELECT VmRSS, VmData FROM snapshot ORDER BY number"
    with talking(GROWER) as target:
        child = start(args, "record", target.pid, "-o", path, "--every", "10ms", "--duty", "100", "--on-growth", "+8M")
        checks.true(until(lambda: count(path) == 1), "growth: the first is kept")
        for i in range(3):
            ask(target, 1)  # too little
            checks.equal(ask(target, 20), "grown", "growth: the target grows")
            first = query(path, rss)[0][0]
            # All but what a look in the middle of it may have kept already.
            if not checks.true(until(lambda: query(path, rss)[-1][0] - first > ((i + 1) * 21 - 10) << 20), "growth: kept when it grew"):
                break
        kept = query(path, rss)
        checks.true(4 <= len(kept) <= 8, "growth: no more than for each 8 MiB: %s" % kept)
        checks.true(all(max(y - x for x, y in zip(a, b)) > 6 << 20 for a, b in zip(kept, kept[1:])),
                    "growth: each is 8 MiB above the one before: %s" % kept)
        err, status = finish(child, signal.SIGTERM)
        # What grew last may have been kept in two steps, the second of them only now.
        checks.true(status == 0 and len(kept) < count(path) <= len(kept) + 2,
                    "growth: status %d, %d kept of %d, and the last one (%s)" % (status, count(path), len(kept), err))


def check_tree(checks, args, folder):
    path = os.path.join(folder, "tree.vmmap")
    with talking(PARENT) as parent:
        child = start(args, "record", parent.pid, "--tree", "-o", path, "--every", "20ms", "--duty", "100")
        checks.true(until(lambda: count(path) >= 1), "tree: begins")
        grandchild = int(ask(parent, "child"))
        wanted = "target = (SELECT id FROM target WHERE pid = %d)" % grandchild
        checks.true(until(lambda: count(path, wanted) >= 2), "tree: what is started later is recorded")
        parent.stdin.close()
        err, status = finish(child)
        checks.equal(status, 0, "tree: ends with its targets (%s)" % err)
        whole(checks, args, path, "tree")


@contextlib.contextmanager
def own_cgroup():
    """A new cgroup that counts memory and may be joined, or None."""
    for root in ("/sys/fs/cgroup/memory", "/sys/fs/cgroup"):
        group = "%s/vmmap-test-%d" % (root, os.getpid())
        if root == "/sys/fs/cgroup" and not os.path.exists(root + "/cgroup.procs"):
            continue
        with contextlib.suppress(OSError):
            os.mkdir(group)
            os.mkdir(group + "/below")
            try:
                yield group
            finally:
                until(lambda: not open(group + "/below/cgroup.procs").read())
                os.rmdir(group + "/below")
                os.rmdir(group)
            return
    yield None


def check_cgroup(checks, args, folder):
    path = os.path.join(folder, "cgroup.vmmap")
    with own_cgroup() as group:
        if not group:
            print("no cgroup can be made: not checked")
            return
        sleeps = [subprocess.Popen(["sleep", "1000"]) for _ in range(3)]
        try:
            for sleep, where in zip(sleeps, (group, group + "/below")):
                with open(where + "/cgroup.procs", "w") as f:
                    f.write(str(sleep.pid))
            child = start(args, "record", "--cgroup", group, "-o", path, "--every", "20ms", "--duty", "100")
            checks.true(until(lambda: count(path) >= 2), "cgroup: begins")
            for sleep in sleeps[:2]:
                sleep.kill()
                sleep.wait()
            err, status = finish(child)
            checks.equal(status, 0, "cgroup: ends with its processes (%s)" % err)
            found = [p for p, in query(path, "SELECT pid FROM target ORDER BY pid")]
            checks.equal(found, sorted(s.pid for s in sleeps[:2]), "cgroup: its processes and no others")
            checks.equal(run(args, "record", "--cgroup", group, "-o", path + ".2").returncode, 3, "cgroup: empty")
        finally:
            for sleep in sleeps:
                sleep.kill()
                sleep.wait()


def check_restart(checks, args, folder):
    """A name is followed over restarts, and waited for when nobody has it."""
    path, program = os.path.join(folder, "restart.vmmap"), os.path.join(folder, "vmm-restarts")
    shutil.copy(shutil.which("sleep"), program)
    child = start(args, "record", "vmm-restarts", "-o", path, "--every", "20ms", "--duty", "100")
    pids = []
    for _ in range(3):
        with subprocess.Popen([program, "1000"]) as sleep:
            pids.append(sleep.pid)
            checks.true(until(lambda: count(path, "target = (SELECT id FROM target WHERE pid = %d)" % sleep.pid) >= 2),
                        "restart: the next one is picked up")
            sleep.kill()
    err, status = finish(child, signal.SIGHUP)
    checks.equal(status, 0, "restart: status (%s)" % err)
    checks.equal([p for p, in query(path, "SELECT pid FROM target ORDER BY id")], pids, "restart: targets")


def check_reuse(checks, args, folder):
    """Another process with the PID of one that has ended is not taken for it."""
    path, last = os.path.join(folder, "reuse.vmmap"), "/proc/sys/kernel/ns_last_pid"
    with subprocess.Popen(["sleep", "1000"]) as first:
        child = start(args, "record", first.pid, "-o", path, "--every", "10s")
        checks.true(until(lambda: count(path) == 1), "reuse: begins")
        child.send_signal(signal.SIGSTOP)  # so that it sees the end only when the PID is in use again
        first.kill()
    for _ in range(200):
        try:
            with open(last, "w") as f:
                f.write(str(first.pid - 1))
        except OSError:
            break
        with subprocess.Popen(["sleep", "1000"]) as second:
            if second.pid == first.pid:
                child.send_signal(signal.SIGCONT)
                err, status = finish(child)
                checks.equal((status, count(path)), (0, 1), "reuse: the recording ends with the first one (%s)" % err)
            second.kill()
        if child.returncode is not None:
            return
    print("no PID can be used again here: not checked")
    child.send_signal(signal.SIGCONT)
    finish(child)


def check_command(checks, args, folder):
    for script, wanted in (("sleep 0.3; exit 7", 7), ("sleep 0.3; kill -9 $$", 137), ("sleep 0.3", 0)):
        path = os.path.join(folder, "command.vmmap")
        done = run(args, "record", "-o", path, "--force", "--every", "50ms", "--duty", "100", "--", "sh", "-c", script)
        checks.equal(done.returncode, wanted, "command '%s': status (%s)" % (script, done.stderr))
        checks.true(whole(checks, args, path, "command") >= 1, "command '%s': is recorded" % script)
        checks.true(b"signal 9" in done.stderr if wanted == 137 else b"exit status %d" % wanted in done.stderr, "command: told")
    done = run(args, "record", "-o", path + ".none", "--", "no such command")
    checks.equal((done.returncode, os.path.exists(path + ".none")), (3, False), "command that is not there: status, file")
    # Neither our blocked signals nor our files are its own.
    done = run(args, "record", "-o", path, "--force", "--", "sh", "-c", "grep SigBlk /proc/self/status; ls /proc/self/fd; sleep 0.3")
    lines = done.stdout.decode().split()
    checks.equal(int(lines[1], 16), 0, "command: signals blocked")
    checks.true(set(lines[2:]) <= {"0", "1", "2", "3"}, "command: files open: %s" % lines[2:])


def check_ends(checks, args, folder, target):
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        path = os.path.join(folder, "end%d.vmmap" % number)
        child = start(args, "record", target.pid, "-o", path, "--every", "10ms", "--duty", "100")
        checks.true(until(lambda: count(path) >= 1), "%s: begins" % number.name)
        err, status = finish(child, number)
        checks.equal(status, 0, "%s: status (%s)" % (number.name, err))
        checks.true(whole(checks, args, path, number.name) >= 2, "%s: the last state is kept" % number.name)
        checks.true(not os.path.exists(path + "-journal"), "%s: one file is left" % number.name)
    path = os.path.join(folder, "for.vmmap")
    done = run(args, "record", target.pid, "-o", path, "--for", "0.2", "--every", "1m")
    checks.equal((done.returncode, whole(checks, args, path, "for")), (0, 2), "--for: the first and the last")
    checks.equal(run(args, "record", target.pid, "-o", path, "--for", "0.1").returncode, 2, "record refuses a file that stands there")
    run(args, "record", target.pid, "-o", path, "--for", "0.1", "--append")
    checks.equal(whole(checks, args, path, "append"), 4, "record --append")
    checks.equal(query(path, "SELECT count(*) FROM target")[0][0], 1, "record --append knows its target again")


def check_kills(checks, args, folder, target):
    """Killed at any moment: what was committed before is there."""
    chance = random.Random(4711)
    for i in range(test_count(10)):
        path = os.path.join(folder, "kill%d.vmmap" % i)
        child = start(args, "record", target.pid, "-o", path, "--every", "10ms", "--duty", "100")
        checks.true(until(lambda: count(path) >= 1), "kill: begins")
        time.sleep(chance.random() * 0.1)
        before = count(path)
        finish(child, signal.SIGKILL)
        checks.true(whole(checks, args, path, "kill") >= before, "kill: a snapshot was lost")
        os.unlink(path)


def check_no_room(checks, args, folder, target):
    path = os.path.join(folder, "room.vmmap")
    done = run(args, "record", target.pid, "-o", path, "--every", "10ms", "--duty", "100", "--heaps",
               preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (200000, 200000)))
    told = [line for line in done.stderr.decode().splitlines() if line.startswith("vmmap: ") and "a look takes" not in line]
    checks.equal((done.returncode, len(told)), (2, 1), "no room: status, lines: %s" % done.stderr.decode())
    checks.true(whole(checks, args, path, "no room") >= 1, "no room: the snapshots before are there")


def check_ring(checks, args, folder, target):
    path = os.path.join(folder, "ring.vmmap")
    child = start(args, "record", target.pid, "-o", path, "--every", "10ms", "--duty", "100", "--keep", "5")
    checks.true(until(lambda: count(path, "number >= 20") >= 1), "ring: goes on")
    err, status = finish(child, signal.SIGINT)
    checks.equal((status, whole(checks, args, path, "ring")), (0, 5), "ring: five are kept (%s)" % err)
    checks.true(query(path, "SELECT min(number) FROM snapshot")[0][0] >= 16, "ring: the last five")


def check_no_right(checks, args, folder):
    """One of two targets may not be read: that is told once, and the other is recorded."""
    if os.getuid() != 0:
        print("not root: targets without the right to read them are not checked")
        return
    path = os.path.join(folder, "right.vmmap")
    os.chmod(folder, 0o777)
    program = os.path.join(folder, "vmmap")
    shutil.copy(args.vmmap, program)

    def nobody():
        os.setgroups([])
        os.setgid(65534)
        os.setuid(65534)

    with subprocess.Popen(["sleep", "1000"]) as mine, subprocess.Popen(["sleep", "1000"], preexec_fn=nobody) as other:
        try:
            child = subprocess.Popen([program, "record", str(mine.pid), str(other.pid), "-o", path, "--every", "20ms", "--duty", "100"],
                                     stderr=subprocess.PIPE, preexec_fn=nobody, cwd="/")
            if not until(lambda: count(path, "NOT unreadable") >= 3 or child.poll() is not None) or child.returncode is not None:
                print("the test's folder cannot be reached by others: not checked (%s)" % child.communicate()[0])
                return
            err, status = finish(child, signal.SIGINT)
            checks.equal(status, 3, "no right: status (%s)" % err)
            checks.equal(err.count("vmmap: %d: not permitted" % mine.pid), 1, "no right: told once: %s" % err)
            checks.equal(query(path, "SELECT pid FROM target t WHERE EXISTS (SELECT 1 FROM snapshot WHERE target = t.id AND NOT unreadable)"),
                         [(other.pid,)], "no right: the other is recorded")
        finally:
            mine.kill()
            other.kill()


def main():
    args = arguments(__doc__.splitlines()[0])
    checks = Checks()
    with work_folder() as folder:
        for check in (check_save_is_the_kernel, check_save_files, check_several, check_growth, check_tree, check_cgroup, check_restart, check_reuse,
                      check_command, check_no_right):
            check(checks, args, folder)
        with talking(CHURN) as target:
            for check in (check_ends, check_kills, check_no_room, check_ring):
                check(checks, args, folder, target)
    checks.finish()


main()
