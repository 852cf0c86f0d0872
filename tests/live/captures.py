#!/usr/bin/env python3
"""Captures made as docs/captures.md says, of programs that stand still, against the live view and the kernel's smaps.

The shell function in the document is run as it stands there, with the tools of this machine and with busybox. Sidecars:
a core of the same process with its capture must have all columns again. core-helper: by the kernel where this is root
and core_pattern can be set, which is put back at once; and by hand with a pipe.
"""
import contextlib
import io
import os
import re
import shutil
import signal
import subprocess
import sys
import tarfile
import time

from live import (SMAPS_COLUMNS, Checks, Target, arguments, blocks_of, column_of, kinds_command, parse_json, parse_smaps, read_file, run,
                  skip, span, work_folder)

HERE = os.path.dirname(os.path.abspath(__file__))
USER = 54321
PATTERN = "/proc/sys/kernel/core_pattern"
SUID_DUMPABLE = "/proc/sys/fs/suid_dumpable"
# What a capture cannot know: memory tells it.
BY_MEMORY = {"heap"}


def snippet():
    """The shell function of the document."""
    with open(os.path.join(HERE, "..", "..", "docs", "captures.md"), encoding="utf-8") as f:
        return re.search(r"^vmmap_capture\(\).*?^}$", f.read(), re.M | re.S).group(0)


def sh(command, *words, shell="sh", env=None):
    subprocess.run([*shell.split(), "-c", command, "sh", *[str(w) for w in words]], check=True, stdin=subprocess.DEVNULL, env=env)


def show(args, path, *words):
    done = run(args, "show", path, "--json", *words)
    if done.returncode != 0:
        raise RuntimeError("vmmap show %s: %d: %s" % (path, done.returncode, done.stderr.decode()))
    return parse_json(done.stdout)


def smaps_in(path, pid):
    """The smaps that the capture itself holds: Pss and the like move while other processes come and go."""
    if tarfile.is_tarfile(path):
        with tarfile.open(path) as tar:
            return tar.extractfile("proc/%d/smaps" % pid).read()
    return read_file(path)


def raw(args, path):
    done = run(args, "show", path, "--raw", "--json")
    return parse_json(done.stdout)["mappings"]


def check_numbers(checks, args, path, text, what):
    """Every column of every mapping is what the text says."""
    rows = raw(args, path)
    vmas = parse_smaps(text)
    checks.equal(len(rows), len(vmas), "%s: mappings" % what)
    for row, vma in zip(rows, vmas):
        where = "%s %#x" % (what, vma["start"])
        checks.equal(span(row), (vma["start"], vma["end"]), "%s: range" % where)
        checks.equal(row["protection"], vma["prot"], "%s: protection" % where)
        for column in SMAPS_COLUMNS:
            if column in row:
                checks.equal(row[column], column_of(vma, column), "%s: %s" % (where, column))


def is_image_end(live, capture, region):
    """Without program headers .bss stands behind the image as Private Data."""
    if region["kind"] not in ("image", "private_data"):
        return False
    start, end = span(region)
    return any(r["kind"] == "image" and span(r)[0] <= end and start <= span(r)[1] for r in live["regions"])


def takes_descriptor(region):
    """A stack without a guard, or of a thread that has ended: only the C library's descriptor in memory proves it."""
    return "ended thread" in region["details"] or not any(b.get("label") == "guard" for b in blocks_of(region))


def check_regions(checks, live, capture, what, threads):
    """The same regions and kinds, but for what memory alone tells."""
    found = {span(r): r for r in capture["regions"]}
    same = expected = 0
    for region in live["regions"]:
        other = found.get(span(region))
        if region["kind"] == "stack" and not threads and "main" not in region["details"]:
            continue
        expected += 1
        if other is None:
            checks.true(region["kind"] in BY_MEMORY or is_image_end(live, capture, region) or
                        any(span(h)[0] <= span(region)[1] and span(region)[0] <= span(h)[1] for h in live["regions"] if h["kind"] in BY_MEMORY),
                        "%s: no region %s %s" % (what, span(region), region["details"]))
            continue
        same += 1
        if region["kind"] in BY_MEMORY and "brk" not in region["details"]:
            continue
        if region["kind"] == "stack" and other["kind"] == "private_data" and takes_descriptor(region):
            continue
        checks.equal(other["kind"], region["kind"], "%s: kind of %#x %s" % (what, span(region)[0], region["details"]))
    checks.true(same * 4 >= expected * 3, "%s: only %d of %d regions" % (what, same, expected))


def check_identity(checks, live, capture, what, exe=True):
    for key in ("pid", "name", "uid", "ppid", "cmdline", "page_size", "bits", "started_at", "cgroup") + (("exe", "arch") if exe else ()):
        checks.equal(capture["target"][key], live["target"][key], "%s: %s" % (what, key))
    checks.equal(capture["target"]["source"], "capture", "%s: source" % what)
    for account in capture["accounts"]:
        if not account["id"].startswith("heaps"):
            checks.true(account["kernel"] is not None, "%s: account %s is not known" % (what, account["id"]))
    checks.equal([a["sum"] for a in capture["accounts"] if a["id"] == "size"], [a["sum"] for a in live["accounts"] if a["id"] == "size"],
                 "%s: sum of sizes" % what)
    stacks = {t["tid"]: (t["name"], t["sp"]) for t in live["threads"]}
    checks.equal({t["tid"]: (t["name"], t["sp"]) for t in capture["threads"]}, stacks, "%s: threads" % what)


def check_program(checks, args, command, folder, what):
    with Target(command) as target, target.stopped():
        pid = target.pid
        live = show(args, pid)
        tar = os.path.join(folder, "a.tar")
        sh(snippet() + '; vmmap_capture "$1" "$2"', pid, tar)
        capture = show(args, tar)
        check_identity(checks, live, capture, what + " tar")
        check_regions(checks, live, capture, what + " tar", True)
        check_numbers(checks, args, tar, smaps_in(tar, pid), what + " tar")
        if shutil.which("busybox"):
            box = os.path.join(folder, "box.tar")
            sh("mktemp() { busybox mktemp \"$@\"; }; cat() { busybox cat \"$@\"; }; tar() { busybox tar \"$@\"; };" + snippet() +
               '; vmmap_capture "$1" "$2"', pid, box, shell="busybox sh")
            check_identity(checks, live, show(args, box), what + " busybox")
            check_numbers(checks, args, box, smaps_in(box, pid), what + " busybox")
        own = os.path.join(folder, "own.proc.tar")
        checks.equal(run(args, "save", "--sidecar", pid, "-o", own).returncode, 0, what + ": save --sidecar")
        checks.true(run(args, "save", "--sidecar", pid, "-o", own).returncode != 0, what + ": an existing file was replaced")
        capture = show(args, own)
        check_identity(checks, live, capture, what + " save --sidecar")
        check_regions(checks, live, capture, what + " save --sidecar", True)
        check_numbers(checks, args, own, smaps_in(own, pid), what + " save --sidecar")
        checks.equal(capture["summary"]["total"]["committed"], live["summary"]["total"]["committed"], what + " save --sidecar: committed")
        names = ["/proc/%d/%s" % (pid, n) for n in ("smaps", "status", "limits", "stat", "cgroup", "cmdline", "auxv", "mountinfo")]
        tasks = ["/proc/%d/task/%s/%s" % (pid, t, n) for t in os.listdir("/proc/%d/task" % pid) for n in ("stat", "syscall")]
        for tail in ["tail"] + (["busybox tail"] if shutil.which("busybox") else []):
            text = os.path.join(folder, "tail.txt")
            with open(text, "wb") as f:
                subprocess.run([*tail.split(), "-n", "+1", *names, *tasks, "/proc/stat", "/proc/cmdline"], stdout=f, check=True)
            capture = show(args, text)
            check_identity(checks, live, capture, what + " " + tail, exe=False)
            check_regions(checks, live, capture, what + " " + tail, True)
        alone = os.path.join(folder, "alone")
        with open(alone, "wb") as f:
            f.write(read_file("/proc/%d/smaps" % pid))
        check_regions(checks, live, show(args, alone), what + " smaps alone", False)
        check_numbers(checks, args, alone, read_file(alone), what + " smaps alone")
        maps = os.path.join(folder, "maps.txt")
        with open(maps, "wb") as f:
            f.write(read_file("/proc/%d/maps" % pid))
        rows = raw(args, maps)
        checks.true(all(r["rss"] is None for r in rows), what + " maps alone: RSS is known")
        checks.equal([span(r) for r in rows], [(v["start"], v["end"]) for v in parse_smaps(read_file(maps))], what + " maps alone: ranges")
        print("%s: %d regions, %d threads" % (what, len(live["regions"]), len(live["threads"])))


def check_hostile(checks, args, folder):
    """Nothing outside is read or written, and every answer is one line or a table."""
    good = read_file("/proc/self/smaps")
    secret = os.path.join(folder, "secret")
    with open(secret, "w", encoding="ascii") as f:
        f.write("1000-2000 rw-p 00000000 00:00 0 leaked\n")

    def tar(name, entries):
        path = os.path.join(folder, name)
        with tarfile.open(path, "w") as t:
            for entry, data, kind in entries:
                info = tarfile.TarInfo(entry)
                info.type = kind
                if kind in (tarfile.SYMTYPE, tarfile.LNKTYPE):
                    info.linkname = data
                else:
                    info.size = len(data)
                t.addfile(info, io.BytesIO(data if isinstance(data, bytes) else b""))
        return path

    regular, link, hard = tarfile.REGTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE
    cases = [
        ("links", [("proc/1/smaps", secret, link), ("proc/1/maps", secret, hard)], 3),
        ("out", [("../../proc/1/smaps", good, regular), ("a/../smaps", good, regular)], 3),
        ("empty", [("proc/1/smaps", b"", regular)], 3),
        ("none", [("README", b"hello", regular)], 3),
        ("two", [("proc/1/smaps", good, regular), ("proc/2/smaps", good, regular)], None),
        ("fifo", [("proc/1/smaps", b"", tarfile.FIFOTYPE), ("proc/1/status", b"", tarfile.CHRTYPE)], 3),
        ("garbage", [("proc/1/smaps", os.urandom(100000), regular)], 3),
        ("good", [("x/" * 30 + "proc/1/smaps", good, regular), ("proc/1/exe", "/etc/passwd", link)], 0),
    ]
    for name, entries, status in cases:
        done = run(args, "show", tar(name + ".tar", entries))
        if status is not None:
            checks.equal(done.returncode, status, "hostile %s: status (%s)" % (name, done.stderr.decode(errors="replace")))
        else:
            checks.true(done.returncode in (2, 3), "hostile %s: status %d" % (name, done.returncode))
        checks.true(b"leaked" not in done.stdout, "hostile %s: a file outside was read" % name)
        checks.true(done.returncode == 0 or done.stderr.count(b"\n") == 1, "hostile %s: %r" % (name, done.stderr))
    inner = os.path.join(folder, "dir")
    os.makedirs(inner)
    os.symlink(secret, os.path.join(inner, "smaps"))
    done = run(args, "show", inner)
    checks.true(done.returncode == 3 and b"leaked" not in done.stdout, "a folder with a link as smaps: %d" % done.returncode)
    done = subprocess.run([args.vmmap, "show", "-"], input=good, stdout=subprocess.PIPE, check=False)
    checks.equal(done.returncode, 0, "standard input: status")
    many = b"".join(b"%x-%x rw-p 00000000 00:00 0 \nSize: 4 kB\nRss: 4 kB\nVmFlags: rd wr\n" % (i << 13, (i << 13) + 4096) for i in range(1, 65531))
    done = subprocess.run([args.vmmap, "show", "-", "--raw", "--json"], input=many, stdout=subprocess.PIPE, check=False)
    checks.equal(len(parse_json(done.stdout)["mappings"]), 65530, "65,530 mappings")


def wait_for(condition, seconds=30):
    for _ in range(seconds * 20):
        if condition():
            return True
        time.sleep(0.05)
    return False


def cores_in(folder):
    return sorted(f for f in (os.listdir(folder) if os.path.isdir(folder) else []) if f.startswith("core.") and not f.endswith(".proc.tar"))


@contextlib.contextmanager
def core_pattern(text, path=PATTERN):
    before = read_file(path)
    with open(path, "w", encoding="ascii") as f:
        f.write(text)
    try:
        yield
    finally:
        with open(path, "wb") as f:
            f.write(before)


def check_core(checks, args, core, live, what):
    """All columns again: each mapping as the live view had it, but for what other processes may have changed."""
    document = show(args, core)
    checks.equal(document["target"]["source"], "core", what + ": source")
    for key in ("pid", "name", "exe", "uid", "cgroup", "bits", "arch", "started_at"):
        checks.equal(document["target"][key], live["target"][key], "%s: %s" % (what, key))
    checks.true(any(n["from"] == "sidecar" and n["code"] == "used" for n in document["notes"]), what + ": the sidecar is not used")
    found = {span(r): r for r in document["regions"]}
    for region in live["regions"]:
        other = found.get(span(region))
        if checks.true(other, "%s: no region %s %s" % (what, span(region), region["details"])):
            checks.equal(other["kind"], region["kind"], "%s: kind of %#x" % (what, span(region)[0]))
            checks.equal(other["private"], region["private"], "%s: private of %#x %s" % (what, span(region)[0], region["details"]))
    checks.equal({t["tid"]: t["name"] for t in document["threads"]}, {t["tid"]: t["name"] for t in live["threads"]}, what + ": threads")
    # Parts of mappings have the numbers that the live page map gave them; what others map too changes without us.
    parts = {span(b): b for r in document["regions"] for b in r["blocks"]}
    for b in (b for r in live["regions"] for b in r["blocks"] if what == "gcore"):  # the kernel's own dump touches pages
        for key in ("rss", "swap", "anonymous", "private", "committed"):
            checks.equal(parts.get(span(b), {}).get(key), b[key], "%s: %s of block %#x %s" % (what, key, span(b)[0], b["label"]))
    for account in document["accounts"]:
        checks.true(account["sum"] is not None and account["kernel"] is not None or account["id"].startswith("heaps"),
                    "%s: account %s: %s" % (what, account["id"], account["explanation"]))
    rows = raw(args, core)
    checks.true(rows and all(r["rss"] is not None and r["pss"] is not None and r["committed"] is not None for r in rows),
                what + ": a mapping lacks rss, pss or committed")
    return document


def check_helper_by_kernel(checks, args, command, folder):
    if os.geteuid() != 0 or not os.access(PATTERN, os.W_OK):
        print("core-helper by the kernel: not here: core_pattern cannot be set")
        return
    kept = os.path.join(folder, "kept")
    helper = os.path.join(folder, "v")
    os.symlink(args.vmmap, helper)
    pattern = "|%s core-helper --dir %s %%P %%i %%s %%t %%e" % (helper, kept)
    if len(pattern) > 126:
        print("core-helper by the kernel: not here: the folder's name is too long for core_pattern")
        return
    with Target(command) as target:
        with target.stopped():
            live = show(args, target.pid)
        with core_pattern(pattern):
            target.child.send_signal(signal.SIGABRT)
            target.child.wait()
            checks.true(wait_for(lambda: cores_in(kept)), "core-helper by the kernel: no core")
    cores = cores_in(kept)
    if not checks.equal(len(cores), 1, "core-helper by the kernel: cores"):
        return
    core = os.path.join(kept, cores[0])
    checks.equal(os.stat(core).st_mode & 0o7777, 0o600, "core-helper: mode of the core")
    checks.true(os.stat(core).st_blocks * 512 < os.stat(core).st_size, "core-helper: the core has no holes")
    document = check_core(checks, args, core, live, "core-helper by the kernel")
    checks.equal(document["target"]["death"]["signal"], int(signal.SIGABRT), "core-helper: signal")
    # A capture of another process is refused, and said so.
    with Target(command) as other:
        run(args, "save", "--sidecar", other.pid, "-o", core + ".proc.tar", "--force")
    done = parse_json(run(args, "show", core, "--json").stdout)
    checks.true(any(n["from"] == "sidecar" and n["code"] == "refused" for n in done["notes"]), "a wrong sidecar is used")


def check_owners(checks, args, folder):
    """Who gets the core: the user, but for programs with rights of their own, whose memory the kernel keeps from their users."""
    if os.geteuid() != 0 or not os.access(PATTERN, os.W_OK) or os.statvfs(folder).f_flag & os.ST_NOSUID:
        print("owners of cores: not here: core_pattern cannot be set, or programs get no rights by their files")
        return
    kept, helper = os.path.join(folder, "own"), os.path.join(folder, "v")
    pattern = "|%s core-helper --dir %s %%P %%i %%s %%t" % (helper, kept)
    if len(pattern) > 126:
        print("owners of cores: not here: the folder's name is too long for core_pattern")
        return
    os.chmod(folder, 0o755)
    if not os.path.lexists(helper):
        os.symlink(args.vmmap, helper)
    for name, uid, gid, mode, expected in (("plain", 0, 0, 0o755, (USER, USER)), ("of_root", 0, 0, 0o4755, (0, 0)),
                                           ("of_other", USER + 1, 0, 0o4755, (0, 0)), ("of_group", 0, USER + 1, 0o2755, (0, 0))):
        program = os.path.join(folder, name)
        shutil.copyfile("/bin/sleep", program)
        os.chown(program, uid, gid)
        os.chmod(program, mode)
        with core_pattern(pattern), core_pattern("2", SUID_DUMPABLE):
            child = subprocess.Popen([program, "600"], cwd="/", user=USER, group=USER, extra_groups=[])
            wait_for(lambda: read_file("/proc/%d/comm" % child.pid) == name.encode() + b"\n")
            child.send_signal(signal.SIGABRT)
            child.wait()
            wait_for(lambda: [f for f in cores_in(kept) if name in f])
        made = [f for f in (os.listdir(kept) if os.path.isdir(kept) else []) if f.startswith("core.%s." % name)]
        checks.equal(len(made), 2, "%s: core and sidecar" % name)
        for file in made:
            st = os.stat(os.path.join(kept, file))
            checks.equal((st.st_uid, st.st_gid, st.st_mode & 0o7777), expected + (0o600,), "owner and mode of %s" % file)


def check_gcore(checks, args, command, folder):
    """gdb's core of a process that stands still, and a capture of the same moment."""
    if not shutil.which("gcore"):
        print("gcore: not here")
        return
    with Target(command) as target, target.stopped():
        core = os.path.join(folder, "g.%d" % target.pid)
        subprocess.run(["gcore", "-o", os.path.join(folder, "g"), str(target.pid)], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL, check=False)
        if not checks.true(os.path.exists(core), "gcore: no core"):
            return
        # gdb's breakpoints make private copies of pages: what it left behind is what counts.
        live = show(args, target.pid)
        run(args, "save", "--sidecar", target.pid, "-o", core + ".proc.tar")
        check_core(checks, args, core, live, "gcore")


def check_helper_by_hand(checks, args, folder):
    """Limits, owners and names, with a pipe instead of the kernel."""
    kept = os.path.join(folder, "hand")
    data = os.urandom(3 << 20) + bytes(5 << 20) + os.urandom(1 << 20)
    child = subprocess.Popen(["sleep", "600"])

    def helper(*words, data=data, when=1000):
        return subprocess.run([args.vmmap, "core-helper", "--dir", kept, "--keep-free", "0", *words, str(child.pid), "1", "11", str(when)],
                              input=data, stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)

    try:
        wait_for(lambda: read_file("/proc/%d/comm" % child.pid) == b"sleep\n")
        checks.equal(helper().returncode, 0, "by hand: status")
        core = os.path.join(kept, "core.sleep.%d.1000" % child.pid)
        checks.equal(read_file(core), data, "by hand: the core's bytes")
        checks.true(os.stat(core).st_blocks * 512 <= 4 << 20 | 65536, "by hand: zeros take room")
        checks.true(os.path.exists(core + ".proc.tar"), "by hand: no sidecar")
        checks.equal(helper("--max-size", "2M", when=1001).returncode, 0, "by hand: cut")
        cut = os.path.join(kept, "core.sleep.%d.1001.truncated" % child.pid)
        checks.equal(read_file(cut), data[:2 << 20], "by hand: the cut core")
        checks.true(os.path.exists(cut + ".proc.tar"), "by hand: no sidecar of the cut core")
        if helper("--zstd", when=1002).returncode == 0 and shutil.which("zstd"):
            packed = os.path.join(kept, "core.sleep.%d.1002.zst" % child.pid)
            checks.equal(subprocess.run(["zstd", "-dcq", packed], stdout=subprocess.PIPE, check=True).stdout, data, "by hand: the packed core")
        for i in range(4):
            helper("--keep", "3", when=2000 + i)
            time.sleep(0.01)
        checks.equal(len(cores_in(kept)), 3, "by hand: cores kept")
        checks.true(helper("--keep-free", "100%", when=3000).returncode != 0, "by hand: a full disk got a core")
        checks.true(os.path.exists(os.path.join(kept, "core.sleep.%d.3000.truncated.proc.tar" % child.pid)), "by hand: no sidecar on a full disk")
        checks.true(not [f for f in os.listdir(kept) if f.endswith(".part")], "by hand: something half-written was left")
        # What stands behind the PID is never an option.
        bad = subprocess.run([args.vmmap, "core-helper", "--dir", kept, str(child.pid), "1", "11", "4000", "--then=/bin/false"],
                             input=b"x", stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
        checks.equal(bad.returncode, 0, "by hand: a process called --then: %s" % bad.stderr)
        then = subprocess.run([args.vmmap, "core-helper", "--dir", kept, "--then", "/bin/cat", str(child.pid)], input=b"", stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, check=False)
        checks.true(then.returncode == 1 and b"/%d:" % child.pid not in then.stdout, "by hand: --then did not start the program: %s" % then)
        then = subprocess.run([args.vmmap, "core-helper", "--dir", kept, "--then", "/usr/bin/env", "-", "sh", "-c", "cat"], input=b"core",
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
        checks.true(then.returncode != 0 and not then.stdout, "by hand: --then without a PID: %s" % then)
        os.chmod(kept, 0o777)
        checks.true(helper(when=5000).returncode != 0, "by hand: a folder that others may write to")
    finally:
        child.kill()
        child.wait()


def main():
    args = arguments(__doc__)
    checks = Checks()
    with work_folder() as folder:
        kinds = kinds_command(args, folder)
        threads = [os.path.join(args.targets, "t_threads")]
        if not kinds or not os.path.exists(threads[0]):
            skip("no t_kinds or t_threads")
        check_program(checks, args, kinds, folder, "t_kinds")
        os.remove(os.path.join(folder, "own.proc.tar"))
        check_program(checks, args, threads, folder, "t_threads")
        check_hostile(checks, args, folder)
        check_helper_by_hand(checks, args, folder)
        check_gcore(checks, args, [os.path.join(args.targets, "t_arenas")], folder)
        check_helper_by_kernel(checks, args, threads, folder)
        check_owners(checks, args, folder)
    checks.finish()


if __name__ == "__main__":
    sys.exit(main())
