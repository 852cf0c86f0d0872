#!/usr/bin/env python3
"""--stop: nothing moves while the target is read, nothing is lost by it, and it is let go whatever happens."""
import contextlib
import ctypes
import json
import mmap
import os
import random
import re
import signal
import sqlite3
import struct
import subprocess
import sys
import time

from live import Checks, Target, arguments, parse_json, run, snapshot, state_of, status_of, test_count, wait_stopped, work_folder

THREADS_MAX = 2048  # layout of the file of t_stop.c
SIGNALS_MAX = 65536
MAPPINGS = 20000  # a pause long enough to look into it
LINE = re.compile(r"^vmmap: (\d+) was stopped for \d+\.\d ms \((\d+) threads?(; (\d+) more could not be stopped)?\)$")
PTRACE_SEIZE = 0x4206
ENDS = (signal.SIGKILL, signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

libc = ctypes.CDLL(None, use_errno=True)
libc.sigqueue.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_void_p]
libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]


class Counting(Target):
    """t_stop and the file it counts in."""

    def __init__(self, args, folder, mode, threads, mappings=10):
        self.path = os.path.join(folder, "counts")
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.path)
        super().__init__([os.path.join(args.targets, "t_stop"), self.path, mode, str(threads), str(mappings)])
        with open(self.path, "rb") as f:
            self.memory = mmap.mmap(f.fileno(), 0, prot=mmap.PROT_READ)

    def counts(self, threads):
        return struct.unpack_from("=%dQ" % threads, self.memory, 0)

    def signals(self):
        return struct.unpack_from("=%dI" % SIGNALS_MAX, self.memory, 8 * THREADS_MAX)

    def tids(self):
        return sorted(int(t) for t in os.listdir("/proc/%d/task" % self.pid))

    def states(self):
        return "".join(state_of(self.pid, tid) for tid in self.tids())


def until(condition, seconds=20):
    """Waits for something that must come; how long that takes decides nothing."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.002)
    return True


def untraced(target):
    return all(tracer_of(target.pid, tid) == 0 for tid in target.tids())


def tracer_of(pid, tid):
    try:
        with open("/proc/%d/task/%d/status" % (pid, tid), "rb") as f:
            return int(re.search(rb"^TracerPid:\t(\d+)", f.read(), re.M).group(1))
    except (FileNotFoundError, ProcessLookupError):
        return 0


def check_runs(checks, target, threads, what):
    """Untraced, not stopped, and every thread counts on."""
    checks.true(until(lambda: untraced(target)), "%s: still traced" % what)
    checks.true(until(lambda: "t" not in target.states()), "%s: threads in state %s" % (what, target.states()))
    before = target.counts(threads)
    checks.true(until(lambda: all(a > b for a, b in zip(target.counts(threads), before))), "%s: a thread does not run" % what)


def start(args, *words, **options):
    return subprocess.Popen([args.vmmap] + [str(w) for w in words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, **options)


def finish(child):
    out, error = child.communicate(timeout=60)
    return subprocess.CompletedProcess(child.args, child.returncode, out, error)


def catch(args, target, *words):
    """vmmap stopped itself (SIGSTOP) in the middle of the pause it made; the caller lets it go or ends it."""
    for _ in range(200):
        child = start(args, *words)
        while child.poll() is None:
            # All of them: the first one stands still a moment before the last, and vmmap must not be caught between the two.
            if set(target.states()) == {"t"}:
                child.send_signal(signal.SIGSTOP)
                wait_stopped(child.pid)
                if child.poll() is None and set(target.states()) == {"t"}:
                    return child
                child.send_signal(signal.SIGCONT)
                break
        finish(child)
    raise RuntimeError("vmmap was never seen in its pause")


def one_line(checks, done, what):
    text = done.stderr.decode()
    checks.equal(len(text.splitlines()), 1, "%s: lines on standard error (%r)" % (what, text))
    return text.strip()


def check_answer(checks, args, folder):
    """What is printed, in every command and format."""
    with Counting(args, folder, "busy", 4) as target:
        for words in (["show", target.pid], ["show", target.pid, "--view", "threads"], ["at", target.pid, "0"],
                      ["free", target.pid], ["show", target.pid, "--csv"], ["show", target.pid, "--fast"]):
            done = run(args, *words, "--stop")
            what = " ".join(map(str, words))
            checks.equal(done.returncode, 0, "%s: exit status" % what)
            match = LINE.match(one_line(checks, done, what))
            if checks.true(match, "%s: %r" % (what, done.stderr)):
                checks.equal((int(match.group(1)), int(match.group(2))), (target.pid, 5), "%s: PID and threads" % what)
        for words, place in ((["show", target.pid], lambda d: d["cost"]), (["at", target.pid, "0"], lambda d: d),
                             (["show", target.pid, "--view", "threads"], lambda d: d), (["free", target.pid], lambda d: d)):
            begin = time.monotonic_ns()
            done = run(args, *words, "--stop", "--json")
            wall = time.monotonic_ns() - begin
            checks.equal((done.returncode, done.stderr), (0, b""), "%s --json: exit status and standard error" % words)
            stopped = place(parse_json(done.stdout)).get("stopped_ns")
            checks.true(stopped and 0 < stopped <= wall, "%s --json: stopped_ns is %s of %d" % (words, stopped, wall))
            checks.true(place(parse_json(run(args, *words, "--json").stdout)).get("stopped_ns") is None, "%s: stopped_ns" % words)
        document = snapshot(args, target.pid, "--stop")
        checks.equal(len(document["threads"]), 5, "threads")
        checks.true(all(t["sp"] for t in document["threads"]), "the stack pointer of a thread that runs is not known")
        checks.true(all(t["state"] in "RS" for t in document["threads"]), "states: %s" % [t["state"] for t in document["threads"]])
        checks.equal(document["notes"], [], "notes")
        check_runs(checks, target, 4, "after the answers")


def check_still(checks, args, folder):
    """In the pause every thread stands still, and afterwards runs; the answer is whole."""
    with Counting(args, folder, "busy", 4, MAPPINGS) as target:
        for _ in range(5):
            child = catch(args, target, "show", target.pid, "--stop")
            before = target.counts(4)
            time.sleep(0.1)
            checks.equal(target.counts(4), before, "counters in the pause")
            checks.true(all(tracer_of(target.pid, tid) for tid in target.tids()), "a thread is not traced in the pause")
            child.send_signal(signal.SIGCONT)
            done = finish(child)
            checks.equal(done.returncode, 0, "in the pause: exit status")
            checks.true(LINE.match(one_line(checks, done, "in the pause")), "in the pause: %r" % done.stderr)
            check_runs(checks, target, 4, "after the pause")


def check_ended(checks, args, folder, count):
    """vmmap ended at random moments and in the pause leaves the target running; every signal arrives once."""
    inside = 0
    sent = 0
    with Counting(args, folder, "busy", 4, MAPPINGS) as target:
        longest = 0.0
        for _ in range(3):
            begin = time.monotonic()
            run(args, "show", target.pid, "--stop", "--fast")
            longest = max(longest, time.monotonic() - begin)
        for i in range(count):
            if i % 4 == 3:
                child = catch(args, target, "show", target.pid, "--stop", "--fast")
            else:
                child = start(args, "show", target.pid, "--stop", "--fast")
                end = time.monotonic() + random.random() * longest
                while time.monotonic() < end:
                    libc.sigqueue(target.pid, signal.SIGRTMIN + 3, sent)
                    sent += 1
                    time.sleep(0.0005)
            inside += state_of(target.pid, target.pid) == "t"
            child.send_signal(ENDS[i // 4 % len(ENDS)] if i % 4 > 1 else signal.SIGKILL)
            child.send_signal(signal.SIGCONT)
            finish(child)
            check_runs(checks, target, 4, "vmmap ended, %d" % i)
        check_signals(checks, target, sent, "vmmap ended")
        checks.true(inside >= count // 4, "vmmap was ended only %d times in its pause" % inside)
        print("vmmap ended %d times, %d of them in its pause, %d signals" % (count, inside, sent))


def check_signals(checks, target, sent, what):
    expected = (1,) * sent + (0,) * (SIGNALS_MAX - sent)
    until(lambda: sum(target.signals()) >= sent)
    found = target.signals()
    if not checks.equal(found == expected, True, "%s: each of %d signals arrives once" % (what, sent)):
        print([(i, n) for i, n in enumerate(found) if n != expected[i]][:10])


def check_signals_arrive(checks, args, folder, count):
    """Signals for the process and, through a flood, for threads that are just about to be stopped."""
    sent = 0
    for mode in ("busy", "sleep"):
        with Counting(args, folder, mode, 4) as target:
            sent = 0
            for i in range(count):
                child = start(args, "show", target.pid, "--stop", "--fast")
                while child.poll() is None and sent < SIGNALS_MAX - 1:
                    if libc.sigqueue(target.pid, signal.SIGRTMIN + 3, sent) == 0:
                        sent += 1
                    if i % 2:
                        time.sleep(0.0002)
                checks.equal(finish(child).returncode, 0, "signals, %s: exit status" % mode)
            check_signals(checks, target, sent, "signals, %s" % mode)
            print("%s: %d signals, %d stops" % (mode, sent, count))


def check_group_stop(checks, args, folder):
    """A target that is stopped stays so, whether vmmap ends well or not, and its parent hears nothing of it."""
    with Counting(args, folder, "busy", 3, MAPPINGS) as target:
        target.child.send_signal(signal.SIGSTOP)
        checks.equal(os.waitpid(target.pid, os.WUNTRACED)[0], target.pid, "the parent hears of SIGSTOP")
        wait_stopped(target.pid)
        for how in ("well", "killed", "well"):
            child = catch(args, target, "show", target.pid, "--stop", "--json")
            if how == "killed":
                child.kill()
            child.send_signal(signal.SIGCONT)
            done = finish(child)
            if how == "well":
                states = [t["state"] for t in parse_json(done.stdout)["threads"]]
                checks.equal(set(states), {"T"}, "states of a stopped target")
            checks.true(until(lambda: untraced(target) and set(target.states()) == {"T"}), "stopped target, %s: %s" % (how, target.states()))
            checks.equal(os.waitpid(target.pid, os.WUNTRACED | os.WNOHANG | os.WCONTINUED)[0], 0, "stopped target, %s: the parent hears" % how)
        child = catch(args, target, "show", target.pid, "--stop", "--json")
        target.child.send_signal(signal.SIGCONT)
        child.send_signal(signal.SIGCONT)
        finish(child)
        check_runs(checks, target, 3, "SIGCONT in the pause")
        child = catch(args, target, "show", target.pid, "--stop", "--json")
        target.child.send_signal(signal.SIGSTOP)
        child.send_signal(signal.SIGCONT)
        finish(child)
        checks.true(until(lambda: untraced(target) and set(target.states()) == {"T"}), "SIGSTOP in the pause: %s" % target.states())
        target.child.send_signal(signal.SIGCONT)
        check_runs(checks, target, 3, "continued")


def check_suspended(checks, args, folder):
    """Ctrl-Z in the pause suspends vmmap only behind it."""
    with Counting(args, folder, "busy", 2, MAPPINGS) as target:
        for _ in range(10):
            # A group of its own in this session: not orphaned, so that SIGTSTP has its effect.
            child = start(args, "show", target.pid, "--stop", preexec_fn=lambda: os.setpgid(0, 0))
            until(lambda: state_of(target.pid, target.pid) == "t" or child.poll() is not None)
            child.send_signal(signal.SIGTSTP)
            until(lambda: state_of(child.pid, child.pid) in "TZ")
            checks.true("t" not in target.states(), "vmmap is suspended while its target is stopped")
            child.send_signal(signal.SIGCONT)
            finish(child)
        check_runs(checks, target, 2, "after Ctrl-Z")


def check_watch(checks, args, folder):
    """Each look is a pause of its own; the line of the table says how long it was."""
    with Counting(args, folder, "busy", 2) as target:
        child = start(args, "show", target.pid, "--stop", "--watch", "0.1")
        seen = b""
        while seen.count(b", stopped for ") < 3:
            more = os.read(child.stdout.fileno(), 65536)
            if not checks.true(more, "watch: ends by itself"):
                break
            seen += more
        check_runs(checks, target, 2, "between two looks")
        child.send_signal(signal.SIGTERM)
        done = finish(child)
        checks.equal((done.returncode, done.stderr), (0, b""), "watch: exit status and standard error")
        check_runs(checks, target, 2, "after watch")


def seize_in_child(pid):
    """A process that traces another one until standard input closes."""
    reader, writer = os.pipe()
    told, tell = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(writer)
        for tid in os.listdir("/proc/%d/task" % pid):
            libc.ptrace(PTRACE_SEIZE, int(tid), None, None)
        os.write(tell, b"x")
        os.read(reader, 1)
        os._exit(0)
    os.close(reader)
    os.close(tell)
    os.read(told, 1)
    os.close(told)
    return child, writer


def pauses(path):
    db = sqlite3.connect("file:%s?mode=ro" % path, uri=True)
    rows = [row[0] for row in db.execute("SELECT stopped_ns FROM snapshot ORDER BY number")]
    db.close()
    return rows


def check_kept(checks, args, folder):
    """Sessions keep how long the target stood still: what is told when it happens, in SQL, in JSON, in the head of the page."""
    path = os.path.join(folder, "kept.vmmap")
    with Counting(args, folder, "busy", 4) as target:
        for options in ([], ["--with-memory", "all"], ["--with-memory", "heap,stack"]):
            begin = time.monotonic_ns()
            done = run(args, "save", target.pid, "-o", path, "--stop", "--force", *options)
            wall = time.monotonic_ns() - begin
            what = "save --stop %s" % " ".join(options)
            checks.equal(done.returncode, 0, "%s: exit status" % what)
            line = one_line(checks, done, what)
            checks.true(LINE.match(line), "%s: %r" % (what, line))
            kept = pauses(path)
            if checks.true(len(kept) == 1 and kept[0] and 0 < kept[0] <= wall, "%s: %s of %d" % (what, kept, wall)):
                checks.true("for %.1f ms" % (kept[0] / 1e6) in line or "for %.1f ms" % (kept[0] / 1e6 + 0.05) in line, "%s: %d and %r" % (what, kept[0], line))
                document = parse_json(run(args, "show", path, "--json").stdout)
                checks.equal((document["cost"]["stopped_ns"], document["notes"]), (kept[0], []), "%s: JSON" % what)
                checks.true(b"stopped for " in run(args, "show", path).stdout.splitlines()[1], "%s: the page does not tell it" % what)
            check_runs(checks, target, 4, what)
        done = run(args, "record", target.pid, "-o", path, "--stop", "--force", "--every", "100ms", "--duty", "50", "--for", "1s")
        checks.equal(done.returncode, 0, "record --stop: exit status")
        kept = pauses(path)
        checks.true(len(kept) > 1 and all(0 < k < 10**9 for k in kept), "record --stop: %s" % kept)
        checks.true(re.search(rb"^  stopped  %d times, for .* on average, .* at most$" % len(kept), done.stderr, re.M), "record --stop: %r" % done.stderr)
        check_runs(checks, target, 4, "record --stop")
        run(args, "record", target.pid, "-o", path, "--force", "--for", "100ms")
        checks.true(not any(pauses(path)), "record without --stop: %s" % pauses(path))
        os.unlink(path)
        tracer, writer = seize_in_child(target.pid)
        done = run(args, "record", target.pid, "-o", path, "--stop", "--for", "300ms", "--every", "100ms")
        os.close(writer)
        os.waitpid(tracer, 0)
        checks.equal(done.returncode, 3, "record of what is traced: exit status")
        checks.equal(done.stderr.count(b"traces it already"), 1, "record of what is traced: %r" % done.stderr)
        checks.true(not os.path.exists(path), "record of what is traced: a file is left")
        check_runs(checks, target, 4, "record of what is traced")


def check_refused(checks, args, folder):
    with Counting(args, folder, "busy", 2) as target:
        tracer, writer = seize_in_child(target.pid)
        done = run(args, "show", target.pid, "--stop")
        os.close(writer)
        os.waitpid(tracer, 0)
        checks.equal((done.returncode, done.stdout), (3, b""), "traced by another: exit status and output")
        line = one_line(checks, done, "traced by another")
        checks.true("process %d " % tracer in line and "traces it already" in line, "traced by another: %r" % line)
        check_runs(checks, target, 2, "traced by another")
        checks.equal(run(args, "show", target.pid, "--stop").returncode, 0, "the tracer has gone: exit status")
        if os.geteuid() == 0:
            done = run(args, "show", target.pid, "--stop", preexec_fn=lambda: (os.setgroups([]), os.setgid(65534), os.setuid(65534)))
            checks.equal((done.returncode, done.stdout), (3, b""), "another user: exit status and output")
            checks.true("not permitted to stop it" in one_line(checks, done, "another user"), "another user: %r" % done.stderr)
            check_runs(checks, target, 2, "another user")
    done = subprocess.run(["sh", "-c", 'exec "$0" show $$ --stop', args.vmmap], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          timeout=60, check=False)
    checks.equal((done.returncode, done.stdout), (3, b""), "itself: exit status and output")
    checks.true("itself" in one_line(checks, done, "itself"), "itself: %r" % done.stderr)
    done = subprocess.run(["sh", "-c", '"$0" show $$ --stop; echo runs', args.vmmap], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          timeout=60, check=False)
    checks.true(done.returncode == 0 and done.stdout.endswith(b"runs\n"), "its shell: %r" % done.stderr)
    done = run(args, "ps", "--stop")
    checks.equal(done.returncode, 2, "ps --stop: exit status")


def check_empty(checks, args):
    """What has no thread that could run is not stopped, and the answer is the same as without."""
    with Target([os.path.join(args.targets, "t_zombie")]) as target:
        done = run(args, "show", target.truth["pid"], "--stop", "--json")
        checks.equal((done.returncode, done.stderr), (0, b""), "zombie: exit status and standard error")
        checks.equal(parse_json(done.stdout)["cost"]["stopped_ns"], None, "zombie: stopped_ns")


def check_many(checks, args, folder):
    with Counting(args, folder, "sleep", 1000) as target:
        checks.true(until(lambda: set(target.states()) == {"S"}), "1,000 threads do not come to rest")
        document = snapshot(args, target.pid, "--stop")
        checks.equal(len([t for t in document["threads"] if t["sp"]]), 1001, "1,000 threads: stack pointers")
        checks.equal({t["state"] for t in document["threads"]}, {"S"}, "1,000 threads: states")
        done = run(args, "show", target.pid, "--stop", "--fast")
        line = one_line(checks, done, "1,000 threads")
        checks.true("(1001 threads)" in line, "1,000 threads: %r" % line)
        print(line)
        checks.true(until(lambda: untraced(target)), "1,000 threads: still traced")


def check_odd_threads(checks, args, folder):
    with Counting(args, folder, "leader", 3) as target:
        checks.true(until(lambda: state_of(target.pid, target.pid) == "Z"), "the first thread has not ended")
        done = run(args, "show", target.pid, "--stop")
        line = one_line(checks, done, "first thread ended")
        checks.true(done.returncode == 0 and "(4 threads)" in line, "first thread ended: %r" % line)
        checks.true(until(lambda: untraced(target)), "first thread ended: still traced")
    with Counting(args, folder, "vfork", 2, 2000) as target:
        checks.true(until(lambda: state_of(target.pid, target.pid) == "D"), "no vfork")
        done = run(args, "show", target.pid, "--stop")
        match = LINE.match(one_line(checks, done, "vfork"))
        checks.true(match and match.group(2) == "2" and match.group(4) == "1", "vfork: %r" % done.stderr)
        document = snapshot(args, target.pid, "--stop")
        checks.true(any(n["from"] == "stop" and n["code"] == "running" for n in document["notes"]), "vfork: no note")
        # vmmap hangs on its full pipe: what it could not stop it must have let go all the same.
        child = start(args, "show", target.pid, "--stop", "--json", "--raw")
        child.stderr.close()
        checks.true(until(lambda: untraced(target) and state_of(child.pid, child.pid) == "S" and waits_for_pipe(child.pid)),
                    "vfork: vmmap does not wait for its pipe")
        target.child.stdin.write(b"x")
        target.child.stdin.flush()
        check_runs(checks, target, 1, "vfork has returned while vmmap writes")
        checks.equal(child.poll(), None, "vfork: vmmap has ended before")
        child.kill()
        child.wait()
        child.stdout.close()


def waits_for_pipe(pid):
    """True in write(), number 1 on x86-64; elsewhere any system call will do."""
    try:
        with open("/proc/%d/syscall" % pid) as f:
            return f.read().split()[0] == "1" or os.uname().machine != "x86_64"
    except OSError:
        return False


def check_restless(checks, args, folder, count):
    """Threads that come and go, exec, start others faster than they can be listed."""
    for mode, threads in (("chain", 3), ("exec", 1)):
        with Counting(args, folder, mode, threads) as target:
            statuses = set()
            for _ in range(count):
                done = run(args, "show", target.pid, "--stop", "--view", "threads", "--json", timeout=60)
                statuses.add(done.returncode)
            checks.true(statuses <= {0, 4}, "%s: exit statuses %s" % (mode, statuses))
            check_runs(checks, target, 1, mode)
    with Target([os.path.join(args.targets, "t_chaos")]) as target:
        statuses = {}
        for _ in range(count):
            done = run(args, "show", target.pid, "--stop", "--json", timeout=60)
            statuses[done.returncode] = statuses.get(done.returncode, 0) + 1
            checks.true(done.returncode in (0, 4), "t_chaos: exit status %d: %r" % (done.returncode, done.stderr))
            if done.returncode == 0:
                document = parse_json(done.stdout)
                checks.true(document["cost"]["stopped_ns"], "t_chaos: was not stopped")
                checks.equal([n for n in document["notes"] if n["from"] == "stop"], [], "t_chaos: notes")
        checks.equal(target.child.poll(), None, "t_chaos runs")
        checks.equal(status_of(target.pid)["TracerPid"], "0", "t_chaos: TracerPid")
        print("t_chaos: exit statuses %s" % statuses)


def check_dying(checks, args, folder, count):
    program = os.path.join(args.targets, "t_dies")
    statuses = {}
    for i in range(count):
        with Target([program, str((5, 20, 50)[i % 3])]) as target:
            while True:
                done = run(args, "show", target.pid, "--stop", "--json", timeout=60)
                statuses[done.returncode] = statuses.get(done.returncode, 0) + 1
                checks.true(done.returncode in (0, 3, 4), "dying: exit status %d: %r" % (done.returncode, done.stderr))
                if not done.stdout:
                    one_line(checks, done, "dying")
                if done.returncode or target.child.poll() is not None:
                    break
    print("dying: exit statuses %s" % statuses)
    for _ in range(5):
        with Counting(args, folder, "busy", 4, MAPPINGS) as target:
            child = catch(args, target, "show", target.pid, "--stop", "--json")
            target.child.kill()
            child.send_signal(signal.SIGCONT)
            done = finish(child)
            checks.true(done.returncode in (0, 4), "killed in the pause: exit status %d: %r" % (done.returncode, done.stderr))
            checks.equal(target.child.wait(20), -signal.SIGKILL, "killed in the pause: its parent is told")
            if done.stdout:
                json.loads(done.stdout)


def main():
    args = arguments(__doc__, count={"type": int, "default": test_count(100), "help": "repetitions (100)"})
    checks = Checks()
    with work_folder() as folder:
        check_answer(checks, args, folder)
        check_still(checks, args, folder)
        check_ended(checks, args, folder, args.count)
        check_signals_arrive(checks, args, folder, max(args.count // 4, 4))
        check_group_stop(checks, args, folder)
        check_suspended(checks, args, folder)
        check_watch(checks, args, folder)
        check_kept(checks, args, folder)
        check_refused(checks, args, folder)
        check_empty(checks, args)
        check_many(checks, args, folder)
        check_odd_threads(checks, args, folder)
        check_restless(checks, args, folder, args.count * 2)
        check_dying(checks, args, folder, max(args.count // 4, 4))
    checks.finish()


if __name__ == "__main__":
    sys.exit(main())
