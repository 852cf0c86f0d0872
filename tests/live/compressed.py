#!/usr/bin/env python3
"""Cores that gzip, zstd, lz4 and xz packed, and cores and sessions on standard input: the same answers as from the file.

Also a core stored by systemd-coredump(8), where that is installed and we may listen on its socket.
"""
import glob
import os
import shutil
import subprocess
import time

from live import Checks, Target, arguments, parse_json, run, skip, work_folder

PACKERS = {"gzip": ".gz", "zstd": ".zst", "lz4": ".lz4", "xz": ".xz"}
SOCKET = "/run/systemd/coredump"
HELPER = "/lib/systemd/systemd-coredump"
STORED = "/var/lib/systemd/coredump"


def document(args, checks, what, path, piped=None):
    """vmmap heap --json and vmmap show --json of a file, or of what comes through a pipe, without times."""
    made = []
    for words in (["show", path, "--json"], ["heap", path, "--json"]):
        if piped is None:
            done = run(args, *words)
        else:
            with subprocess.Popen(["cat", piped], stdout=subprocess.PIPE) as cat:
                done = subprocess.run([args.vmmap] + words, stdin=cat.stdout, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=120)
        if not checks.equal(done.returncode, 0, "%s: exit status of %s (%s)" % (what, words[0], done.stderr.decode().strip())):
            return None
        parsed = parse_json(done.stdout)
        parsed.pop("cost", None)
        taken = parsed.pop("taken_at")  # the file's own time, which a pipe does not tell
        checks.equal(taken is None, piped is not None, "%s: time of %s" % (what, words[0]))
        made.append(parsed)
    return made


def pack(program, path, packed):
    with open(path, "rb") as from_file, open(packed, "wb") as to_file:
        subprocess.run([program, "-c"], stdin=from_file, stdout=to_file, stderr=subprocess.DEVNULL, check=True)


def check_packed(args, checks, core, truth, folder):
    for program, ending in PACKERS.items():
        if not shutil.which(program):
            print("no program %s" % program)
            continue
        packed = os.path.join(folder, "core" + ending)
        pack(program, core, packed)
        checks.true(document(args, checks, program, packed) == truth, "%s: the same as of the core itself" % program)
        checks.true(document(args, checks, program + " in a pipe", "-", packed) == truth, "%s in a pipe: the same" % program)
        cut = os.path.join(folder, "cut" + ending)
        with open(packed, "rb") as whole, open(cut, "wb") as part:
            part.write(whole.read(os.path.getsize(packed) * 2 // 3))
        found = parse_json(run(args, "show", cut, "--json").stdout)
        checks.true(any(program in n["text"] and n["code"] == "damaged" for n in found["notes"]), "%s cut short: a note says so" % program)
        os.unlink(packed)
        os.unlink(cut)


def check_pipe(args, checks, core, truth):
    checks.true(document(args, checks, "pipe", "-", core) == truth, "a core in a pipe: the same as of the file")
    with open(core, "rb") as file:
        done = subprocess.run([args.vmmap, "show", "-", "--json"], stdin=file, stdout=subprocess.PIPE, timeout=120)
    checks.equal(parse_json(done.stdout)["regions"], truth[0]["regions"], "a core as standard input: regions")
    for data, words in ((b"", "is empty"), (b"nonsense\n", "is no core"), (b"\x7fELF, not really", "no core")):
        done = subprocess.run([args.vmmap, "show", "-"], input=data, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60)
        checks.equal(done.returncode, 3, "%r: exit status" % data)
        lines = done.stderr.decode().splitlines()
        checks.true(len(lines) == 1 and words in lines[0] and lines[0].startswith("vmmap: -: "), "%r: one line that says why: %r" % (data, lines))


def check_session_in_pipe(args, checks, pid, folder):
    path = os.path.join(folder, "one.vmmap")
    checks.equal(run(args, "save", pid, "-o", path).returncode, 0, "save: exit status")
    with open(path, "rb") as file:
        data = file.read()
    direct = parse_json(run(args, "show", path, "--json").stdout)
    for name in ("-", "-@1"):
        done = subprocess.run([args.vmmap, "show", name, "--json"], input=data, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60)
        if checks.equal(done.returncode, 0, "session %s: exit status (%s)" % (name, done.stderr.decode())):
            checks.equal(parse_json(done.stdout)["regions"], direct["regions"], "session %s: regions" % name)
    done = subprocess.run([args.vmmap, "show", "-@7"], input=data, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60)
    checks.true(done.returncode == 3 and b"7" in done.stderr, "no such snapshot: %r" % done.stderr)


def check_no_room(args, checks, packed):
    done = run(args, "show", packed, env=dict(os.environ, TMPDIR="/nonexistent/folder"))
    lines = done.stderr.decode().splitlines()
    checks.true(done.returncode == 2 and len(lines) == 1 and "TMPDIR" in lines[0], "no folder to unpack in: %d %r" % (done.returncode, lines))


def check_systemd(args, checks, core, truth):
    """Hands the core to systemd-coredump as the kernel does, through a socket that we listen on in systemd's place."""
    activate = shutil.which("systemd-socket-activate")
    if os.geteuid() != 0 or not activate or not os.path.exists(HELPER) or os.path.exists(SOCKET):
        print("systemd-coredump not tried: it is not installed, not ours to call, or systemd runs")
        return
    os.makedirs("/run/systemd", exist_ok=True)
    os.makedirs(STORED, exist_ok=True)
    before = set(glob.glob(STORED + "/core.*"))
    listener = subprocess.Popen([activate, "-l", SOCKET, "--seqpacket", "-a", HELPER], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    sleeper = subprocess.Popen(["sleep", "60"])
    try:
        for _ in range(50):
            if os.path.exists(SOCKET):
                break
            time.sleep(0.1)
        with open(core, "rb") as file:
            subprocess.run([HELPER, str(sleeper.pid), "0", "0", "6", "1700000000", "18446744073709551615", "host"], stdin=file,
                           stderr=subprocess.DEVNULL, timeout=60)
        new = set()
        for _ in range(100):
            new = set(glob.glob(STORED + "/core.sleep.*.%d.*" % sleeper.pid)) - before
            if new:
                break
            time.sleep(0.1)
        if not new:
            print("systemd-coredump stored nothing")
            return
        stored = new.pop()
        checks.true(document(args, checks, "systemd", stored) == truth, "%s: the same as of the core itself" % os.path.basename(stored))
        os.unlink(stored)
    finally:
        for child in (listener, sleeper):
            child.kill()
            child.wait()
        if os.path.exists(SOCKET):
            os.unlink(SOCKET)


def main():
    args = arguments(__doc__)
    checks = Checks()
    if not shutil.which("gcore"):
        skip("gdb's gcore is not installed")
    with work_folder() as folder, Target([os.path.join(args.targets, "t_heap"), "random"]) as target:
        subprocess.run(["gcore", "-o", os.path.join(folder, "core"), str(target.pid)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=120)
        core = os.path.join(folder, "core.%d" % target.pid)
        if not os.path.exists(core):
            skip("gcore made no core")
        truth = document(args, checks, "core", core)
        if truth:
            checks.true(truth[1]["heaps"] and truth[1]["heaps"][0]["proved"], "the core's heap is proved")
            checks.equal(truth[1]["heaps"][0]["used_count"] >= target.truth["live"], True, "as many used chunks as the program holds")
            check_packed(args, checks, core, truth, folder)
            check_pipe(args, checks, core, truth)
            check_systemd(args, checks, core, truth)
        packed = os.path.join(folder, "small.gz")
        pack("gzip", core, packed)
        check_no_room(args, checks, packed)
        check_session_in_pipe(args, checks, target.pid, folder)
    checks.finish()


main()
