"""What live tests share: starting targets, running vmmap, the kernel's own numbers, and checks.

A test is a program: it exits 0 when everything holds, 1 with one line per failure, 77 after "SKIP: reason".
Standard library only. Only processes that a test started itself are ever stopped or ended.
"""
import argparse
import contextlib
import fcntl
import json
import os
import re
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time

F_SETPIPE_SZ = 1031
USER_END = {64: 0x7FFFFFFFF000, 32: 0xFFFFE000}  # x86-64 kernel, four-level page tables
PAGE = os.sysconf("SC_PAGESIZE")
HUGETLB = ("Shared_Hugetlb", "Private_Hugetlb")
# Columns that are sums of smaps fields, as design and docs/columns.md define them.
SMAPS_COLUMNS = {
    "size": ("Size",),
    "rss": ("Rss",) + HUGETLB,
    "pss": ("Pss",),
    "uss": ("Private_Clean", "Private_Dirty", "Private_Hugetlb"),
    "shared": ("Shared_Clean", "Shared_Dirty", "Shared_Hugetlb"),
    "locked": ("Locked",),
    "swap": ("Swap",),
    "swap_pss": ("SwapPss",),
    "anonymous": ("Anonymous",),
    "dirty": ("Shared_Dirty", "Private_Dirty"),
    "referenced": ("Referenced",),
    "huge": ("AnonHugePages", "ShmemPmdMapped", "FilePmdMapped") + HUGETLB,
    "hugetlb": HUGETLB,
    "lazyfree": ("LazyFree",),
    "ksm": ("KSM",),
}
# What other processes and the kernel's own housekeeping may change while the target stands still.
DRIFTING = ("pss", "uss", "shared", "dirty", "referenced", "swap_pss", "ksm", "lazyfree")


def skip(reason):
    print("SKIP: %s" % reason)
    sys.exit(77)


class Checks:
    """Counts what was checked and prints what failed."""

    def __init__(self, most=40):
        self.count = 0
        self.failures = 0
        self.most = most

    def true(self, condition, what):
        self.count += 1
        if not condition:
            self.failures += 1
            if self.failures <= self.most:
                print("FAIL: %s" % what)
        return condition

    def equal(self, found, expected, what):
        return self.true(found == expected, "%s: is %s, must be %s" % (what, show(found), show(expected)))

    def finish(self):
        if self.failures > self.most:
            print("... and %d more" % (self.failures - self.most))
        print("%d checks, %d failed" % (self.count, self.failures))
        if self.count == 0:
            print("FAIL: nothing was checked")
        sys.exit(1 if self.failures or self.count == 0 else 0)


def show(value):
    return "%d (%#x)" % (value, value) if isinstance(value, int) and not isinstance(value, bool) else repr(value)


def arguments(description, **more):
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--vmmap", required=True, help="the program")
    parser.add_argument("--targets", required=True, help="folder of the target programs")
    for name, options in more.items():
        parser.add_argument("--" + name.replace("_", "-"), **options)
    args = parser.parse_args()
    args.vmmap = os.path.abspath(args.vmmap)
    args.targets = os.path.abspath(args.targets)
    if not os.access(args.vmmap, os.X_OK):
        skip("no program %s" % args.vmmap)
    return args


def test_count(default):
    """Number of repetitions: $VMMAP_TEST_COUNT makes it smaller where everything is slow."""
    return int(os.environ.get("VMMAP_TEST_COUNT", default))


class Target:
    """A process that this test started. Its standard input stays open until the target shall end."""

    def __init__(self, command, truth=True, **options):
        self.folder = None
        self.child = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE if truth else subprocess.DEVNULL, **options)
        self.pid = self.child.pid
        self.truth = None
        if truth:
            line = self.child.stdout.readline()
            if not line:
                self.end()
                raise RuntimeError("%s said nothing, exit status %s" % (command, self.child.returncode))
            self.truth = json.loads(line)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.end()

    def end(self):
        with contextlib.suppress(OSError):
            self.child.stdin.close()
        try:
            self.child.wait(2)
        except subprocess.TimeoutExpired:
            self.child.send_signal(signal.SIGCONT)
            self.child.kill()
            self.child.wait()
        if self.child.stdout:
            self.child.stdout.close()

    @contextlib.contextmanager
    def stopped(self):
        self.child.send_signal(signal.SIGSTOP)
        try:
            wait_stopped(self.pid)
            yield
        finally:
            self.child.send_signal(signal.SIGCONT)


def wait_stopped(pid):
    for _ in range(2000):
        if all(state_of(pid, tid) in "TtZX" for tid in os.listdir("/proc/%d/task" % pid)):
            return
        time.sleep(0.005)
    raise RuntimeError("%d does not stop" % pid)


def wait_asleep(pid):
    """Lets a target that has told its truth come to rest: a thread stopped on its way to a system call goes on when it is let go."""
    for _ in range(400):
        if all(state_of(pid, tid) == "S" for tid in os.listdir("/proc/%d/task" % pid)):
            return
        time.sleep(0.005)


def state_of(pid, tid):
    try:
        with open("/proc/%d/task/%s/stat" % (pid, tid), "rb") as f:
            return f.read().rsplit(b")", 1)[1].split()[0].decode()
    except (FileNotFoundError, ProcessLookupError):
        return "X"


@contextlib.contextmanager
def work_folder():
    """A folder for files of targets, on the disk where the tests run (a tmpfs would change what is seen)."""
    folder = tempfile.mkdtemp(prefix="vmmap-live-", dir=os.getcwd())
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def kinds_command(args, folder, bits=64):
    """The command that starts t_kinds, or None when it was not built."""
    program = os.path.join(args.targets, "t_kinds" if bits == 64 else "t_kinds32")
    library = os.path.join(args.targets, "lib" if bits == 64 else "lib32", "target_lib.so")
    return [program, folder, library] if os.path.exists(program) else None


@contextlib.contextmanager
def huge_pages(count):
    """Raises the number of 2 MiB pages for a while where that is permitted."""
    path = "/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages"
    before = None
    try:
        with open(path, "r+") as f:
            before = int(f.read())
            f.seek(0)
            f.write(str(before + count))
    except OSError:
        pass
    try:
        yield
    finally:
        if before is not None:
            with contextlib.suppress(OSError), open(path, "w") as f:
                f.write(str(before))


def run(args, *words, timeout=120, **options):
    """Runs vmmap; output as bytes. A hang is an exception."""
    return subprocess.run([args.vmmap] + [str(w) for w in words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, timeout=timeout, **options)


def parse_json(data):
    """Strict JSON in strict UTF-8; a key may not come twice."""

    def pairs(items):
        keys = [key for key, _ in items]
        if len(set(keys)) != len(keys):
            raise ValueError("a key comes twice: %s" % keys)
        return dict(items)

    def no_constant(name):
        raise ValueError("not JSON: %s" % name)

    return json.loads(data.decode("utf-8", "strict"), object_pairs_hook=pairs, parse_constant=no_constant)


def snapshot(args, pid, *words):
    """The JSON document of `vmmap show PID`; an exception unless the exit status is 0."""
    done = run(args, "show", pid, "--json", *words)
    if done.returncode != 0:
        raise RuntimeError("vmmap show %d: exit status %d: %s" % (pid, done.returncode, done.stderr.decode(errors="replace")))
    return parse_json(done.stdout)


def snapshot_beside(args, pid, *words):
    """A snapshot and smaps of the target read while vmmap still runs, and the files that vmmap itself maps.

    vmmap shares libc with its target: were smaps read before or after it, Pss would differ for that alone. A pipe of
    one page holds vmmap in its first write, when it has read everything.
    """
    reader, writer = os.pipe()
    fcntl.fcntl(writer, F_SETPIPE_SZ, 4096)
    with os.fdopen(reader, "rb") as pipe, tempfile.TemporaryFile() as errors:
        child = subprocess.Popen([args.vmmap, "show", str(pid), "--json"] + list(words), stdin=subprocess.DEVNULL,
                                 stdout=writer, stderr=errors)
        os.close(writer)
        if not select.select([pipe], [], [], 120)[0]:
            child.kill()
            raise RuntimeError("vmmap show %d hangs" % pid)
        during = read_smaps(pid)
        try:
            own_files = {(v["dev"], v["inode"]) for v in read_maps(child.pid) if v["inode"]}
        except OSError:
            own_files = set()
        out = pipe.read()
        if child.wait(120) != 0:
            errors.seek(0)
            raise RuntimeError("vmmap show %d: exit status %d: %s" % (pid, child.returncode, errors.read().decode(errors="replace")))
    return parse_json(out), during, own_files


HEADER = re.compile(rb"^([0-9a-f]+)-([0-9a-f]+) (\S{4}) ([0-9a-f]+) ([0-9a-f]+:[0-9a-f]+) (\d+) *(.*)$")


def read_maps(pid):
    return parse_smaps(read_file("/proc/%d/maps" % pid))


def read_smaps(pid):
    return parse_smaps(read_file("/proc/%d/smaps" % pid))


def read_file(path):
    with open(path, "rb", buffering=1 << 20) as f:
        return f.read()


def parse_smaps(text):
    """Mappings in order: start, end, prot, offset, dev, inode, name (bytes), fields in bytes, flags."""
    result = []
    for line in text.split(b"\n"):
        header = HEADER.match(line)
        if header:
            start, end, prot, offset, dev, inode, name = header.groups()
            result.append({"start": int(start, 16), "end": int(end, 16), "prot": prot.decode(), "offset": int(offset, 16),
                           "dev": dev.decode(), "inode": int(inode), "name": name, "fields": {}, "flags": set()})
        elif line.startswith(b"VmFlags:"):
            result[-1]["flags"] = set(line.decode().split()[1:])
        elif line.endswith(b" kB"):
            key, value = line[:-3].split(b":")
            result[-1]["fields"][key.decode()] = int(value) * 1024
    return result


def column_of(vma, column):
    """A column's value for one mapping by the kernel's fields; None where this kernel lacks one."""
    fields = [vma["fields"].get(f) for f in SMAPS_COLUMNS[column]]
    return None if None in fields else sum(fields)


def status_of(pid):
    """/proc/PID/status; kB values in bytes."""
    result = {}
    for line in read_file("/proc/%d/status" % pid).decode(errors="replace").splitlines():
        key, _, value = line.partition(":")
        words = value.split()
        if len(words) == 2 and words[1] == "kB":
            result[key] = int(words[0]) * 1024
        else:
            result[key] = value.strip()
    return result


def address(text):
    return int(text, 16)


def blocks_of(region):
    return region["blocks"] if isinstance(region["blocks"], list) else []


def span(row):
    return address(row["address"]), address(row["end"])


def region_at(document, wanted):
    for region in document["regions"]:
        start, end = span(region)
        if start <= wanted < end:
            return region
    return None


def tiles(checks, document, where):
    """Regions and blocks are sorted and disjoint, blocks lie in their regions and add up to their size."""
    last = 0
    for region in document["regions"]:
        start, end = span(region)
        name = "%s region %#x" % (where, start)
        checks.true(last <= start < end, "%s: begins before the end of the last one, or is empty" % name)
        last = end
        position = start
        total = 0
        for block in blocks_of(region):
            low, high = span(block)
            checks.true(position <= low < high <= end, "%s: block %#x-%#x out of place" % (name, low, high))
            position = high
            total += high - low
        if blocks_of(region):
            checks.equal(region["size"], total, "%s: size and the sum of its blocks" % name)
