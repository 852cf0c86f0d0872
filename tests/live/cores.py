#!/usr/bin/env python3
"""A core tells of a process what the process itself told while it stood still, but for what cores cannot hold.

Each program is stopped and looked at: by the kernel (maps) and by vmmap. Then gdb's gcore writes a core of it, and at last
SIGABRT makes the kernel write one. Every difference that is borne is named here and in docs/cores.md.
"""
import contextlib
import glob
import json
import os
import re
import resource
import shutil
import signal
import struct
import subprocess
import sys
import time

from live import Checks, Target, address, arguments, parse_json, read_maps, run, snapshot, span, wait_asleep, wait_stopped, work_folder

PATTERN = "/proc/sys/kernel/core_pattern"
PRIVATE = ("private_data", "free", "unusable")
LINKED = ("image", "heap", "stack", "system")
NT_FILE = 0x46494c45
CHUNKS = ("size", "used_bytes", "used_count", "free_bytes", "free_count", "top", "overhead", "reserved", "largest_free")
PYTHON = """
import mmap, sys, threading, time
for _ in range(3): threading.Thread(target=time.sleep, args=(600,), daemon=True).start()
shared = mmap.mmap(-1, 1 << 20); shared[:4] = b"core"
kept = [str(i) * 9 for i in range(30000)]
time.sleep(0.2)
print('{"pid": 1}', flush=True); sys.stdin.read()
"""
# Memory of every sort that a name tells apart. Its reservation is no larger than the kernel can walk in a moment.
OBJECTS = """
import ctypes, mmap, os, sys
def keep(fd, size, flags=mmap.MAP_SHARED, prot=mmap.PROT_READ | mmap.PROT_WRITE):
    m = mmap.mmap(fd, size, flags, prot); kept.append(m); return m
kept = []
path = os.path.join(sys.argv[1], "data of mine"); open(path, "wb").write(b"x" * 20000)
gone = os.path.join(sys.argv[1], "gone"); open(gone, "wb").write(b"y" * 20000)
fd = os.open(path, os.O_RDWR); keep(fd, 20000); keep(fd, 20000, mmap.MAP_PRIVATE)[100] = 1; keep(fd, 8192, mmap.MAP_PRIVATE, mmap.PROT_READ)
keep(os.open(gone, os.O_RDWR), 20000); os.unlink(gone)
memory = os.memfd_create("of mine"); os.ftruncate(memory, 40960); keep(memory, 40960)[0] = 2
keep(memory, 8192, mmap.MAP_PRIVATE)
zero = os.open("/dev/zero", os.O_RDWR); keep(zero, 12288)[0] = 1; keep(zero, 28672, mmap.MAP_PRIVATE)[0] = 1
libc = ctypes.CDLL(None, use_errno=True); libc.shmat.restype = ctypes.c_void_p; libc.mmap.restype = ctypes.c_void_p
segment = libc.shmget(0x1234abc, 16384, 0o1600); at = libc.shmat(segment, None, 0); libc.shmctl(segment, 0, None)
libc.mmap(None, 1 << 28, 0, 0x4022, -1, 0)
a = [bytes(1000) for _ in range(1000)]
print('{"pid": 1}', flush=True); sys.stdin.read()
"""
MUSL = r"""
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
static void *volatile kept[2000];
static void *run(void *arg) { (void)arg; getchar(); return NULL; }
int main(void)
{
	pthread_t t;
	for (int i = 0; i < 2000; i++) kept[i] = malloc(16 + i * 7);
	for (int i = 0; i < 2000; i += 3) free(kept[i]);
	pthread_create(&t, NULL, run, NULL);
	usleep(200000);
	puts("{\"pid\": 1}"); fflush(stdout);
	return pthread_join(t, NULL);
}
"""
HIDDEN = r"""
#include <stdio.h>
__thread int data_of_thread = 5;
__thread char bss_of_thread[100];
static __attribute__((noinline)) int hidden_function(int x) { return x * 3 + data_of_thread; }
static int hidden_table[64] = {1};
int main(void)
{
	int (*volatile f)(int) = hidden_function;
	hidden_table[1] = f(1) + bss_of_thread[3];
	printf("{\"pid\": 1, \"function\": %llu, \"table\": %llu}\n", (unsigned long long)(size_t)hidden_function, (unsigned long long)(size_t)hidden_table);
	fflush(stdout);
	return getchar() == hidden_table[2];
}
"""
NODE = "const a=[];for(let i=0;i<50000;i++)a.push({i});console.log('{\"pid\":1}');process.stdin.resume();process.stdin.on('end',()=>0)"
JAVA = "public class M{public static void main(String[] a)throws Exception{byte[][] b=new byte[64][];" \
       "for(int i=0;i<64;i++)b[i]=new byte[1<<14];System.out.println(\"{\\\"pid\\\":1}\");System.in.read();}}"


@contextlib.contextmanager
def kernel_cores():
    """True while the kernel writes cores beside the process; a pipe is put back afterwards."""
    before = open(PATTERN).read()
    if not before.startswith("|") and "/" not in before:
        yield True
        return
    try:
        with open(PATTERN, "w") as f:
            f.write("core")
    except OSError:
        print("SKIP the kernel's own cores: core_pattern is %r, and only root may change it" % before.strip())
        yield False
        return
    try:
        yield True
    finally:
        with open(PATTERN, "w") as f:
            f.write(before)


def unlimited():
    hard = resource.getrlimit(resource.RLIMIT_CORE)[1]
    resource.setrlimit(resource.RLIMIT_CORE, (hard, hard))


def core_document(args, core, *words):
    done = run(args, "show", core, "--json", *words)
    if done.returncode != 0:
        raise RuntimeError("vmmap show %s: exit status %d: %s" % (core, done.returncode, done.stderr.decode(errors="replace")))
    return parse_json(done.stdout)


def check_mappings(checks, maps, document, gcore, what):
    """Against /proc/PID/maps: the kernel stores every mapping; gdb leaves some out, and says that all may be read."""
    found = {address(m["address"]): m for m in document["mappings"]}
    expected = {m["start"]: m for m in maps}
    for start, m in expected.items():
        c = found.get(start)
        name = m["name"].decode(errors="replace")
        if gcore and (not c or address(c["end"]) != m["end"]) and (name.startswith("[vvar") or not name or m["prot"][3] == "s"):
            continue  # not stored, and no file that NT_FILE could name
        if not checks.true(c, "%s: mapping %x %s is missing" % (what, start, name)):
            continue
        checks.equal(address(c["end"]), m["end"], "%s: end of mapping %x" % (what, start))
        if not gcore:
            checks.equal(c["protection"][:3], m["prot"][:3], "%s: protection of %x %s" % (what, start, name))
        checks.true(c["protection"][3] in ("?", m["prot"][3]), "%s: %x %s is %s, not %s" % (what, start, name, c["protection"], m["prot"]))
        if name.startswith("/"):
            bare = name[:-10] if name.endswith(" (deleted)") else name
            checks.equal(c["name"], bare, "%s: name of %x" % (what, start))
            checks.equal(address(c["offset"]), m["offset"], "%s: offset of %x" % (what, start))
    if not gcore:
        checks.equal(sorted(found), sorted(expected), "%s: mappings" % what)


def areas(document):
    """Private memory as stretches: where one region of it ends and the next begins is told by flags that a core lacks."""
    merged = []
    for r in sorted(document["regions"], key=lambda r: address(r["address"])):
        start, end = span(r)
        if r["kind"] != "private_data":
            continue
        if merged and merged[-1][1] == start:
            merged[-1] = (merged[-1][0], end)
        else:
            merged.append((start, end))
    return merged


def check_regions(checks, live, core, gcore, what):
    found = {r["address"]: r for r in core["regions"]}
    for r in live["regions"]:
        name = "%s %s %s %s" % (what, r["address"], r["kind"], r["details"][:60])
        c = found.get(r["address"])
        if r["kind"] == "private_data" or (gcore and r.get("path", "").startswith("[vvar")):
            continue
        if gcore and not c and r["kind"] in ("shareable", "device"):
            continue  # not stored, and its file has no name for NT_FILE
        if not checks.true(c, "%s is missing" % name):
            continue
        for key in ("kind", "end", "size", "path", "build_id", "heap"):
            checks.equal(c.get(key), r.get(key), "%s: %s" % (name, key))
        checks.true(c["rss"] is None and c["stored"] is not None, "%s: resident %s, stored %s" % (name, c["rss"], c["stored"]))
        checks.true((c["stored"] or 0) <= c["size"], "%s: more stored than there is" % name)
    if not gcore:
        checks.equal(areas(core), areas(live), "%s: private data" % what)


def check_threads(checks, live, core, what):
    known = {t["tid"]: t for t in core["threads"]}
    checks.equal(sorted(known), sorted(t["tid"] for t in live["threads"]), "%s: threads" % what)
    for t in live["threads"]:
        c = known.get(t["tid"], {})
        checks.equal(c.get("sp"), t["sp"], "%s: stack pointer of %d" % (what, t["tid"]))
        checks.equal(c.get("stack"), t["stack"], "%s: stack of %d" % (what, t["tid"]))
        main = t["tid"] == live["target"]["pid"]
        checks.equal(c.get("name"), live["target"]["name"] if main else None, "%s: name of %d" % (what, t["tid"]))


def check_modules(checks, live, core, gcore, what):
    def of(document):
        return {m["address"]: (m["end"], m["path"], m["build_id"], m.get("pie"), m["deleted"], m["bits"])
                for m in document["modules"]}
    checks.equal(of(core), of(live), "%s: modules" % what)


def document_bits(document):
    return document["target"]["bits"]


def check_heaps(checks, live, core, gcore, what):
    known = {h["id"]: h for h in core["heaps"]}
    checks.equal(sorted(known), sorted(h["id"] for h in live["heaps"]), "%s: heaps" % what)
    proved = 0
    for h in live["heaps"]:
        c = known.get(h["id"])
        if not c or not h["proved"]:
            continue
        proved += 1
        # gdb tells no thread pointer of i386: caches that hang on it count as used.
        if gcore and document_bits(live) == 32:
            continue
        if not checks.true(c["proved"], "%s: heap %s is not proved: %s" % (what, h["id"], core["notes"])):
            continue
        for key in CHUNKS:
            checks.equal(c[key], h[key], "%s: %s of %s" % (what, key, h["id"]))
        for state, numbers in h["states"].items():
            for key in ("count", "bytes"):
                checks.equal(c["states"][state][key], numbers[key], "%s: %s %s of %s" % (what, state, key, h["id"]))
        checks.true((c["rss"] is None or not c["regions"]) and c["unused_rss"] is None, "%s: resident bytes of %s are told" % (what, h["id"]))
    return proved


def check_target(checks, live, core, what):
    for key in ("pid", "ppid", "name", "exe", "cmdline", "arch", "bits", "page_size", "uid", "exe_deleted"):
        checks.equal(core["target"][key], live["target"][key], "%s: %s" % (what, key))
    checks.equal(core["target"]["source"], "core", "%s: source" % what)
    for key in ("started_at", "cgroup"):
        checks.equal(core["target"][key], None, "%s: %s" % (what, key))


def compare(checks, args, live, maps, core, gcore, what):
    document = core_document(args, core)
    check_target(checks, live, document, what)
    check_mappings(checks, maps, core_document(args, core, "--raw"), gcore, what)
    check_regions(checks, live, document, gcore, what)
    check_threads(checks, live, document, what)
    check_modules(checks, live, document, gcore, what)
    proved = check_heaps(checks, live, document, gcore, what)
    if gcore:
        checks.equal(document["target"]["death"], None, "%s: gdb's core is of a process that goes on" % what)
    else:
        death = document["target"]["death"] or {}
        checks.equal(death.get("signal"), signal.SIGABRT, "%s: signal" % what)
        checks.equal(death.get("tid") in [t["tid"] for t in live["threads"]], True, "%s: thread that it hit" % what)
    return proved


def check_commands(checks, args, core, document, what):
    """The other commands work, and those for running processes refuse in one line."""
    program = document["modules"][0]
    for words in (["at", core, program["address"]], ["free", core], ["heap", core], ["strings", core, "--top", "3"],
                  ["show", core, "--view", "tree", "--csv"], ["diff", core, core]):
        done = run(args, *words)
        checks.equal((done.returncode, done.stderr), (0, b""), "%s: %s" % (what, " ".join(words[:1])))
    for words, status in ((["show", core, "--stop"], 3), (["show", core, "--watch", "1"], 2)):
        done = run(args, *words)
        checks.equal(done.returncode, status, "%s: %s" % (what, words[-1]))
        checks.equal(done.stderr.count(b"\n"), 1, "%s: %s says one line: %r" % (what, words[-1], done.stderr))


def without_files(core, stripped):
    """A copy of the core whose NT_FILE note has become one of an unknown type, as cores of old kernels have none."""
    shutil.copyfile(core, stripped)
    with open(stripped, "r+b") as f:
        head = f.read(64)
        wide = head[4] == 2
        table = struct.unpack_from("<Q" if wide else "<I", head, 32 if wide else 28)[0]
        entry, count = struct.unpack_from("<HH", head, 54 if wide else 42)
        for i in range(count):
            f.seek(table + i * entry)
            segment = f.read(entry)
            offset, size = [struct.unpack_from("<Q", segment, at)[0] for at in (8, 32)] if wide else struct.unpack_from("<I8xI", segment, 4)
            if struct.unpack_from("<I", segment)[0] != 4:
                continue
            f.seek(offset)
            notes, at = f.read(size), 0
            while at + 12 <= len(notes):
                name, length, kind = struct.unpack_from("<III", notes, at)
                if kind == NT_FILE:
                    f.seek(offset + at + 8)
                    f.write(struct.pack("<I", 0x7fffffff))
                    return True
                at += 12 + (name + 3 & ~3) + (length + 3 & ~3)
    return False


def check_without_files(checks, args, core, place, what):
    """Names of images from the dynamic linker's list: the same images, heaps and stacks as with NT_FILE.

    Not chunks that glibc mapped in Java's: what of its archive of classes looks like one is anonymous memory without NT_FILE.
    """
    stripped = core + ".cut"
    if not checks.true(without_files(core, stripped), "%s: no NT_FILE in the core" % what):
        return
    whole, linked = core_document(args, core), core_document(args, stripped)
    os.unlink(stripped)
    checks.true(any("NT_FILE" in n["text"] for n in linked["notes"]), "%s: no note says that NT_FILE is missing" % what)

    def resolved(path):
        return os.path.realpath(os.path.join(place, path)) if path and path[0] != "[" else path

    def of(document, key, names):
        return sorted((tuple(resolved(x.get(n)) if n == "path" else x.get(n) for n in names)
                       for x in document[key] if x.get("kind", LINKED[0]) in LINKED and not (
                           "java" in what and (x.get("heap") or x.get("id", "")).endswith(".mmapped"))), key=str)
    for key, names in (("regions", ("address", "end", "kind", "path", "build_id", "heap")), ("threads", ("tid", "sp", "stack")),
                       ("modules", ("address", "end", "path", "build_id", "bits", "pie")),
                       ("heaps", ("id", "proved") + CHUNKS)):
        a, b = of(whole, key, names), of(linked, key, names)
        checks.true(a == b, "%s: %s differ: %s" % (what, key, [x for x in a + b if (x in a) != (x in b)][:4]))
    checks.equal(resolved(linked["target"]["exe"]), resolved(whole["target"]["exe"]), "%s: exe" % what)


def check_cut(checks, args, core, what):
    """A core that ends too early says where, and shows the rest; the sum of what it stores is what it has."""
    size = os.path.getsize(core)
    whole = core_document(args, core)["summary"]["total"]["stored"]
    cut = core + ".cut"
    for part in (0.9, 0.5):
        shutil.copyfile(core, cut)
        os.truncate(cut, int(size * part))
        document = core_document(args, cut)
        notes = [n["text"] for n in document["notes"] if n["code"] == "truncated"]
        stored = document["summary"]["total"]["stored"]
        checks.true(any("ends at byte %d of" % int(size * part) in n for n in notes), "%s cut: %r" % (what, notes))
        lost = re.search(r"so (\d+) bytes of", " ".join(notes))
        checks.equal(lost and stored + int(lost.group(1)) in (whole, whole + 4096), True, "%s cut: %s stored, %s missing of %s" % (
            what, stored, lost and lost.group(1), whole))
    for length in (0, 1, 17, 64, 200):
        os.truncate(cut, length)
        done = run(args, "show", cut)
        checks.true(done.returncode in (2, 3) and done.stderr.count(b"\n") == 1, "%s cut to %d: status %d, %r" % (
            what, length, done.returncode, done.stderr))
    os.unlink(cut)


def programs(args, folder):
    """Name, command, whether some heap must be proved."""
    def target(name):
        return os.path.join(args.targets, name)
    yield "python3", [sys.executable, "-c", PYTHON], True
    yield "threads", [target("t_threads")], True
    yield "threads32", [target("t_threads32")], True
    yield "arenas", [target("t_arenas")], True
    yield "static", [target("t_arenas_static")], True
    yield "static_pie", [target("t_static_pie")], False
    yield "objects", [sys.executable, "-c", OBJECTS, folder], True
    yield "jemalloc", [target("t_alloc_jemalloc")], True
    yield "tcmalloc", [target("t_alloc_tcmalloc_static")], True
    preload = "/usr/lib/x86_64-linux-gnu/libmimalloc.so.2"
    if os.path.exists(preload):
        yield "mimalloc", ["env", "LD_PRELOAD=" + preload, sys.executable, "-c", PYTHON], True
    yield "asan", [target("t_asan")], False
    yield "stripped", [target("t_objects_stripped")], False
    if shutil.which("musl-gcc"):
        source, program = os.path.join(folder, "musl.c"), os.path.join(folder, "musl_program")
        with open(source, "w") as f:
            f.write(MUSL)
        subprocess.run(["musl-gcc", "-O1", "-pthread", "-o", program, source], check=True, stdin=subprocess.DEVNULL)
        yield "musl", [program], True
    if shutil.which("node"):
        yield "node", [shutil.which("node"), "-e", NODE], False
    if shutil.which("javac"):
        with open(os.path.join(folder, "M.java"), "w") as f:
            f.write(JAVA)
        subprocess.run(["javac", "-d", folder, os.path.join(folder, "M.java")], check=True, stdin=subprocess.DEVNULL)
        yield "java", ["java", "-Xmx64m", "-cp", folder, "M"], False


def newest_core(folder):
    cores = [f for f in glob.glob(os.path.join(folder, "core*")) if not f.endswith(".cut")]
    return cores[0] if cores else None


def check_program(checks, args, name, command, must_prove, kernel):
    environment = dict(os.environ, ASAN_OPTIONS="disable_coredump=0")
    with work_folder() as place, Target(command, cwd=place, preexec_fn=unlimited, env=environment) as target:
        if kernel:
            with open("/proc/%d/coredump_filter" % target.pid, "w") as f:
                f.write("0x33")
        wait_asleep(target.pid)
        target.child.send_signal(signal.SIGSTOP)
        try:
            wait_stopped(target.pid)
            live = snapshot(args, target.pid)
            maps = read_maps(target.pid)
            # gdb writes out what they reserve, terabytes and gigabytes, and leaves out the guard that musl puts below its brk heap.
            if shutil.which("gcore") and name not in ("asan", "java", "musl"):
                done = subprocess.run(["gcore", "-o", os.path.join(place, "gdb"), str(target.pid)], stdin=subprocess.DEVNULL,
                                      stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=120, check=False)
                core = os.path.join(place, "gdb.%d" % target.pid)
                if checks.equal(done.returncode, 0, "%s: gcore" % name):
                    proved = compare(checks, args, live, maps, core, True, name + " gcore")
                    check_without_files(checks, args, core, place, name + " gcore without NT_FILE")
                    checks.true(proved or not must_prove, "%s gcore: no heap is proved" % name)
                    os.unlink(core)
            if kernel:
                target.child.send_signal(signal.SIGABRT)
        finally:
            target.child.send_signal(signal.SIGCONT)
        if not kernel:
            return
        target.child.wait(60)
        core = newest_core(place)
        if not checks.true(core, "%s: the kernel wrote no core" % name):
            return
        proved = compare(checks, args, live, maps, core, False, name + " core")
        check_without_files(checks, args, core, place, name + " core without NT_FILE")
        checks.true(proved or not must_prove, "%s core: no heap is proved" % name)
        if name == "threads":
            check_commands(checks, args, core, core_document(args, core), name)
            check_cut(checks, args, core, name)


def check_files(checks, args, folder):
    """The program's file counts where its build-id is that of the core, wherever it lies; another one never does."""
    if not shutil.which("gcore"):
        return
    program, core = os.path.join(folder, "program"), os.path.join(folder, "files")
    shutil.copy(os.path.join(args.targets, "t_threads"), program)
    with Target([program]) as target:
        subprocess.run(["gcore", "-o", core, str(target.pid)], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL, timeout=120, check=True)
        core += ".%d" % target.pid

    def look(what, sections, replaced, *words):
        document = core_document(args, core, *words)
        module = next(m for m in document["modules"] if m["path"] == program)
        region = next(r for r in document["regions"] if r["address"] == module["address"])
        labels = [b["label"] for b in region["blocks"]]
        checks.equal((".text" in labels, module["replaced"]), (sections, replaced), "files: %s" % what)
        return module["build_id"]

    build_id = look("at its path", True, False)
    checks.true(build_id, "files: no build-id")
    root, debug = os.path.join(folder, "root"), os.path.join(folder, "debug")
    os.makedirs(root + folder)
    os.rename(program, root + program)
    checks.equal(look("gone", False, False), build_id, "files: build-id from memory")
    look("below --sysroot", True, False, "--sysroot", root)
    os.makedirs(os.path.join(debug, ".build-id", build_id[:2]))
    os.rename(root + program, os.path.join(debug, ".build-id", build_id[:2], build_id[2:]))
    look("by build-id", True, False, "--debug-dir", "/nowhere:" + debug)
    shutil.copy(os.path.join(args.targets, "t_maps"), program)
    look("another one at its path", False, True)
    look("another one there, and by build-id", True, False, "--debug-dir", debug)
    os.unlink(core)


def check_debug_files(checks, args, folder):
    """A stripped program's symbols, and sections when it is gone, come from the file that objcopy made of it, found by build-id."""
    if not all(shutil.which(p) for p in ("gcore", "gcc", "objcopy", "strip")):
        print("no gcore, gcc or binutils: files with debugging information are not tried")
        return
    program, core = os.path.join(folder, "hidden"), os.path.join(folder, "debug")
    with open(program + ".c", "w") as f:
        f.write(HIDDEN)
    subprocess.run(["gcc", "-O1", "-g", "-Wl,--build-id", "-o", program, program + ".c"], check=True)
    subprocess.run(["objcopy", "--only-keep-debug", program, program + ".debug"], check=True)
    subprocess.run(["strip", program], check=True)
    with Target([program]) as target:
        truth = target.truth
        subprocess.run(["gcore", "-o", core, str(target.pid)], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL, timeout=120, check=True)
        core += ".%d" % target.pid
        build_id = next(m for m in core_document(args, core)["modules"] if m["path"] == program)["build_id"]
        places = {"folder": ".build-id/%s/%s.debug" % (build_id[:2], build_id[2:]), "cache": build_id + "/debuginfo",
                  "root": "usr/lib/debug/.build-id/%s/%s.debug" % (build_id[:2], build_id[2:]),
                  "other": ".build-id/%s/%s.debug" % (build_id[:2], build_id[2:]), "program": ".build-id/%s/%s" % (build_id[:2], build_id[2:])}
        for place, path in places.items():
            places[place] = os.path.join(folder, "debug-" + place)
            os.makedirs(os.path.dirname(os.path.join(places[place], path)))
            shutil.copy("/bin/true" if place == "other" else program + ".debug", os.path.join(places[place], path))
        check_symbols(checks, args, str(target.pid), truth, (), "live, stripped", False)
        check_symbols(checks, args, str(target.pid), truth, ("--debug-dir", places["folder"]), "live", True)
    check_symbols(checks, args, core, truth, (), "stripped", False)
    for place in ("folder", "cache", "root"):
        check_symbols(checks, args, core, truth, ("--debug-dir", "/nowhere:" + places[place]), place, True)
    check_symbols(checks, args, core, truth, ("--sysroot", places["root"]), "sysroot", True)
    check_symbols(checks, args, core, truth, ("--debug-dir", places["other"]), "another file's symbols", False)

    def blocks(*words):
        document = core_document(args, core, *words)
        region = next(r for r in document["regions"] if r.get("path") == program)
        return [(b["address"], b["end"], b["label"]) for b in region["blocks"]]
    whole = blocks()
    checks.true({".text", ".tdata", ".bss"} <= {b[2] for b in whole}, "sections: %s" % whole)
    os.rename(program, program + ".away")
    for place in ("folder", "cache"):
        checks.equal(blocks("--debug-dir", places[place]), whole, "sections by the debug file in %s" % place)
    for place in ("other", "program"):
        checks.true(".text" not in {b[2] for b in blocks("--debug-dir", places[place])}, "sections by %s" % place)
    check_symbols(checks, args, core, truth, ("--debug-dir", places["folder"]), "program gone", True)
    os.makedirs(os.path.join(places["cache"], build_id), exist_ok=True)
    os.rename(program + ".away", os.path.join(places["cache"], build_id, "executable"))
    checks.equal(blocks("--debug-dir", places["cache"]), whole, "sections by the executable in the cache")
    os.unlink(core)


def check_symbols(checks, args, target, truth, words, what, known):
    done = run(args, "at", target, "%x" % truth["function"], "%x" % (truth["table"] + 8), "--json", *words)
    found = [(p["symbol"]["name"], address(p["symbol"]["address"])) if p["symbol"] else None for p in parse_json(done.stdout)["addresses"]]
    truth = [("hidden_function", truth["function"]), ("hidden_table", truth["table"])] if known else [None, None]
    checks.equal(found, truth, "debug files, %s: symbols" % what)


def main():
    args = arguments(__doc__, only=dict(default=None, help="one program"))
    checks = Checks()
    with kernel_cores() as kernel, work_folder() as folder:
        for name, command, must_prove in programs(args, folder):
            if args.only not in (None, name) or not (os.path.exists(command[0]) or shutil.which(command[0])):
                continue
            begin = time.monotonic()
            try:
                check_program(checks, args, name, command, must_prove, kernel)
            except (RuntimeError, subprocess.SubprocessError, json.JSONDecodeError) as e:
                checks.true(False, "%s: %s" % (name, e))
            if args.only or os.environ.get("VMMAP_TEST_VERBOSE"):
                print("%s: %.1f s, %d failed" % (name, time.monotonic() - begin, checks.failures))
        if args.only in (None, "files"):
            check_files(checks, args, folder)
        if args.only in (None, "debug"):
            check_debug_files(checks, args, folder)
    checks.finish()


main()
