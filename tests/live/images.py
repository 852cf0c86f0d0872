#!/usr/bin/env python3
"""Loaded ELF objects: sections and build-ids of every image are those of readelf, the loads are those that the
program's own loader tells of, and a file mapped as data is no image.

usage: images.py VMMAP [--all]. Looks at processes that it starts; --all: at every process of the machine too.
Standard library only, and readelf. Programs of linkers that are not installed are left out, and told.
"""
import argparse
import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
SOURCE = os.path.join(HERE, "images_program.c")
FILLERS = {"header", "gap", "file padding", "zero fill"}
SEGMENT_LABEL = re.compile(r"(text|rodata|data|no access) \([r-][w-][x-]\)$|bss$")
PAGE = os.sysconf("SC_PAGESIZE")

# name, compiler words; linked against libdl where they are not static.
PROGRAMS = [
    ("pie", "gcc"), ("exec", "gcc -no-pie"), ("pie32", "gcc -m32"), ("exec32", "gcc -m32 -no-pie"),
    ("static", "gcc -DSTATIC -static"), ("static-pie", "gcc -DSTATIC -static-pie"),
    ("big-pages", "gcc -Wl,-z,max-page-size=0x200000"),
    ("big-pages-exec", "gcc -no-pie -Wl,-z,max-page-size=0x200000 -Wl,-z,noseparate-code"),
    ("no-separate-code", "gcc -Wl,-z,noseparate-code"), ("gold", "gcc -fuse-ld=gold"),
    ("lld", "clang -fuse-ld=lld"), ("lld-separate", "clang -fuse-ld=lld -Wl,-z,separate-loadable-segments"),
    ("lld-no-rosegment", "clang -fuse-ld=lld -Wl,--no-rosegment"),
    ("musl", "musl-gcc"), ("musl-static", "musl-gcc -DSTATIC -static"),
]
LIBRARIES = [
    ("plain", "gcc"), ("big-pages", "gcc -Wl,-z,max-page-size=0x200000"),
    ("medium-pages", "gcc -Wl,-z,max-page-size=0x10000 -Wl,-z,noseparate-code"),
    ("lld", "clang -fuse-ld=lld"), ("lld-separate", "clang -fuse-ld=lld -Wl,-z,separate-loadable-segments"),
    ("lld-big-pages", "clang -fuse-ld=lld -Wl,-z,max-page-size=0x200000 -Wl,-z,separate-loadable-segments"),
    ("tables", "gcc -DTABLES -nostdlib -Wl,-z,noseparate-code"), ("stripped", "gcc -s"),
]
SYSTEM = [["sleep", "1000"], ["bash", "-c", "read x"], [sys.executable, "-c", "import ssl, ctypes, decimal, sys; sys.stdin.read()"],
          ["node", "-e", "process.stdin.resume()"], ["gdb", "-q", "-nx"]]


class Checks:
    def __init__(self):
        self.count = self.failed = self.images = self.sections = 0

    def true(self, condition, what):
        self.count += 1
        if not condition:
            self.failed += 1
            print("FAIL: " + what)
        return condition


def readelf(option, path):
    return subprocess.run(["readelf", option, path], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                          env=dict(os.environ, LC_ALL="C")).stdout.decode(errors="replace")


class Elf:
    """What readelf says of a file."""

    def __init__(self, path):
        self.sections, self.any_section = [], False
        line = re.compile(r"\s*\[\s*\d+\] (.*?)\s+(\S+|[0-9a-f]+: <unknown>)\s+([0-9a-f]{8,16}) ([0-9a-f]{6,}) ([0-9a-f]{6,}) "
                          r"[0-9a-f]+\s+([A-Za-z]*)\s+\d+\s+\d+\s+\d+$")
        for found in filter(None, map(line.match, readelf("-SW", path).splitlines())):
            name, kind, address, _, size, flags = found.groups()
            size = int(size, 16)
            if "A" in flags and size and not (kind == "NOBITS" and "T" in flags):
                self.sections.append((name.strip(), int(address, 16), size))
        build_id = re.search(r"Build ID: ([0-9a-f]+)", readelf("-nW", path))
        self.build_id = build_id.group(1) if build_id else ""
        loads = re.findall(r"^\s+LOAD\s+0x[0-9a-f]+ 0x([0-9a-f]+)", readelf("-lW", path), re.M)
        self.low = min(int(a, 16) for a in loads) & -PAGE if loads else None


def read_maps(pid):
    maps = []
    with open("/proc/%d/maps" % pid, errors="surrogateescape") as text:
        for line in text:
            words = line.rstrip("\n").split(None, 5)
            start, end = (int(x, 16) for x in words[0].split("-"))
            maps.append((start, end, words[1], int(words[4]), words[5] if len(words) > 5 else ""))
    return maps


def file_at(pid, maps, address):
    for start, end, _, inode, _ in maps:
        if start <= address < end and inode:
            return "/proc/%d/map_files/%x-%x" % (pid, start, end)
    return None


def check_module(checks, what, module, blocks, elf):
    start, end = int(module["address"], 16), int(module["end"], 16)
    bias = start - elf.low
    mine = [b for b in blocks if start <= b[0] and b[1] <= end]
    named = 0
    checks.images += 1
    checks.true(module["build_id"] == elf.build_id,
                "%s: build-id %s, readelf says %s" % (what, module["build_id"], elf.build_id))
    if not elf.sections:
        checks.true(all(l in FILLERS or SEGMENT_LABEL.match(l) for _, _, l in mine), "%s: labels without sections" % what)
        return
    for name, address, size in elf.sections:
        low, high = address + bias, address + bias + size
        inside = [b for b in mine if b[0] >= low and b[1] <= high]
        checks.sections += 1
        named += size
        checks.true(sum(b[1] - b[0] for b in inside) == size and all(b[2] == name for b in inside),
                    "%s: %s must be %#x-%#x, blocks there: %s" % (what, name, low, high, inside))
    found = sum(b[1] - b[0] for b in mine if b[2] not in FILLERS)
    checks.true(found == named, "%s: %d bytes in sections, readelf says %d" % (what, found, named))


def look(args, pid):
    done = subprocess.run([args.vmmap, "show", str(pid), "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    if done.returncode:
        raise RuntimeError("vmmap: exit status %d: %s" % (done.returncode, done.stderr.decode(errors="replace")))
    return json.loads(done.stdout)


def check_process(checks, args, pid, what, cache):
    """Returns the document, for checks that know more of the target."""
    document, maps = look(args, pid), read_maps(pid)
    blocks = [(int(b["address"], 16), int(b["end"], 16), b.get("label") or "")
              for r in document["regions"] if r["kind"] == "image" for b in r["blocks"]]
    for module in document["modules"]:
        path = file_at(pid, maps, int(module["address"], 16))
        if not path:
            continue
        stat = os.stat(path)
        key = stat.st_dev, stat.st_ino, stat.st_mtime_ns
        if key not in cache:
            cache[key] = Elf(path)
        if checks.true(cache[key].low is not None, "%s %s: an image without PT_LOAD" % (what, module["path"])):
            check_module(checks, "%s %s" % (what, module["path"]), module, blocks, cache[key])
    return document, maps


def claimed(document, start, end):
    return [r for r in document["regions"] if r["kind"] == "image" and int(r["address"], 16) < end and start < int(r["end"], 16)]


def check_truth(checks, what, document, maps, told):
    starts = {}
    for module in document["modules"]:
        starts.setdefault(int(module["address"], 16), module)
    special = [(s, e) for s, e, _, inode, _ in maps if not inode]
    for kind, first, rest in told:
        if kind == "load":
            # A load bias is the start of the first page where that page's p_vaddr is 0; programs at fixed addresses have 0.
            if first and not any(s <= first < e for s, e in special):  # the vdso
                checks.true(first in starts, "%s: %s loaded at %#x is no image" % (what, rest, first))
        elif kind == "data":
            checks.true(not claimed(document, first, int(rest, 16)), "%s: data at %#x became an image" % (what, first))
        elif kind == "hand":
            module = starts.get(first)
            if checks.true(module is not None, "%s: object at %#x is no image" % (what, first)):
                checks.true(module["in_memory"] and int(module["end"], 16) == int(rest, 16),
                            "%s: object at %#x: %s" % (what, first, module))
    data = [(first, int(rest, 16)) for kind, first, rest in told if kind == "data"]
    for start, end, prot, inode, name in maps:
        if "x" in prot and inode and not any(s <= start < e for s, e in data):
            checks.true(claimed(document, start, end), "%s: executable mapping of %s at %#x is no image" % (what, name, start))
    loads = sum(1 for kind, _, rest in told if kind == "load")
    if loads:
        hands = sum(1 for kind, _, _ in told if kind == "hand")
        vdso = sum(1 for kind, first, _ in told if kind == "load" and first and any(s <= first < e for s, e in special))
        checks.true(len(document["modules"]) == loads - vdso + hands, "%s: %d images, the loader knows %d" %
                    (what, len(document["modules"]), loads - vdso + hands))


@contextlib.contextmanager
def started(command, tells):
    child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE if tells else subprocess.DEVNULL,
                             stderr=subprocess.DEVNULL)
    try:
        told = []
        while tells:
            words = child.stdout.readline().decode(errors="replace").rstrip("\n").split(" ", 2)
            if words[0] in ("ready", ""):
                break
            if words[0] == "error":
                raise RuntimeError(" ".join(words))
            told.append((words[0], int(words[1], 16), words[2]))
        if not tells:
            settle(child.pid)
        yield child.pid, told
    finally:
        child.kill()
        child.wait()


def settle(pid):
    """Waits until a program that says nothing has loaded what it needs: its map stays as it is, and it sleeps."""
    last, same = None, 0
    for _ in range(400):
        now = read_maps(pid)
        same = same + 1 if now == last and now else 0
        if same > 20:
            return
        last = now
        subprocess.run(["sleep", "0.02"])


def build(folder, name, words, library):
    words = words.split()
    path = os.path.join(folder, ("lib-%s.so" if library else "%s") % name)
    if not shutil.which(words[0]):
        return None
    extra = ["-shared", "-fPIC", "-DLIBRARY"] if library else [] if "-DSTATIC" in words else ["-ldl"]
    done = subprocess.run([words[0], "-O1", "-g", "-w", "-D_GNU_SOURCE", SOURCE, "-o", path] + words[1:] + extra,
                          stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    if done.returncode:
        print("left out: %s cannot link %s" % (words[0], name))
        return None
    return path


def without_sections(path):
    """A copy whose ELF header no longer tells of section headers, as sstrip leaves it."""
    copy = path + ".sstrip"
    with open(path, "rb") as source, open(copy, "wb") as target:
        image = bytearray(source.read())
        image[0x28:0x30] = bytes(8)
        image[0x3C:0x40] = bytes(4)
        target.write(image)
    return copy


def cases(folder):
    programs = {n: build(folder, n, w, False) for n, w in PROGRAMS}
    libraries = {n: p for n, p in ((n, build(folder, n, w, True)) for n, w in LIBRARIES) if p}
    for name, path in programs.items():
        if path:
            yield "program " + name, [path]
    pie, plain = programs["pie"], libraries.get("plain")
    if not pie:
        return
    for name, path in libraries.items():
        yield "library " + name, [pie, "lib=" + path]
        yield "data " + name, [pie, "map=" + path, "mapx=" + path]
        yield "library and data " + name, [pie, "map=" + path, "lib=" + path, "mapx=" + path]
    yield "own file as data", [pie, "map=" + pie, "mapx=" + pie]
    if plain:
        yield "without address randomization", ["setarch", "-R", pie, "lib=" + plain]
        yield "two namespaces", [pie, "ns=" + plain, "lib=" + plain]
        yield "memfd", [pie, "memfd=" + plain]
        yield "by hand", [pie, "hand=" + plain]
        yield "no section headers", [pie, "lib=" + without_sections(plain)]
        gone = shutil.copy(plain, os.path.join(folder, "gone.so"))
        yield "deleted", [pie, "lib=" + gone, "rm=" + gone]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("vmmap")
    parser.add_argument("--all", action="store_true", help="look at every process of the machine too")
    args = parser.parse_args()
    if not shutil.which("readelf") or os.geteuid() != 0:
        print("SKIP: needs readelf, and root to open mappings")
        sys.exit(77)
    checks, cache = Checks(), {}
    with tempfile.TemporaryDirectory() as folder:
        for what, command in cases(folder):
            with started(command, True) as (pid, told):
                document, maps = check_process(checks, args, pid, what, cache)
                check_truth(checks, what, document, maps, told)
        java = os.path.join(folder, "Wait.java")
        with open(java, "w") as text:
            text.write("class Wait { public static void main(String[] a) throws Exception { System.in.read(); } }")
        for command in SYSTEM + [["java", java]]:
            if shutil.which(command[0]):
                with started(command, False) as (pid, _):
                    check_process(checks, args, pid, command[0], cache)
    for pid in sorted(int(d) for d in os.listdir("/proc") if d.isdigit()) if args.all else []:
        with contextlib.suppress(OSError, RuntimeError):  # it ended
            check_process(checks, args, pid, "process %d" % pid, cache)
    print("%d checks of %d images and %d sections, %d failed" % (checks.count, checks.images, checks.sections, checks.failed))
    sys.exit(1 if checks.failed or not checks.images else 0)


if __name__ == "__main__":
    main()
