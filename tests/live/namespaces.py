#!/usr/bin/env python3
"""Targets in PID and mount namespaces, seen from outside and from inside."""
import json
import os
import shutil
import subprocess
import sys
import tempfile

from live import Checks, arguments, address, parse_json, region_at, run, skip, snapshot

# A library on a tmpfs that only this namespace mounts; the target loads it from there.
INSIDE = """set -e
mount -t tmpfs none "$1"
mkdir "$1/files"
cp "$2" "$1/private_lib.so"
exec "$3" "$1/files" "$1/private_lib.so"
"""


def unshare(*words):
    return ["unshare", "--pid", "--mount", "--fork", "--mount-proc", "--kill-child"] + [str(w) for w in words]


def host_pid(parent):
    """The PID here of the only child of unshare."""
    with open("/proc/%d/task/%d/children" % (parent, parent), encoding="ascii") as f:
        return int(f.read().split()[0])


def check_from_outside(checks, args):
    point = tempfile.mkdtemp(prefix="vmmap-live-")
    command = unshare("sh", "-c", INSIDE, "sh", point, os.path.join(args.targets, "lib", "target_lib.so"),
                      os.path.join(args.targets, "t_kinds"))
    child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        truth = json.loads(child.stdout.readline())
        pid = host_pid(child.pid)
        document = snapshot(args, pid)
        checks.equal(truth["pid"], 1, "the target's own PID")
        checks.equal(document["target"]["pid"], pid, "the target's PID here")
        checks.true(not os.path.exists(point + "/private_lib.so"), "the library must not be visible from here")
        sorts = {s["sort"]: s for s in truth["sorts"]}
        for sort in ("program", "loaded_library", "memfd_library", "deleted_library"):
            start = address(sorts[sort]["address"])
            region = region_at(document, start)
            checks.true(region and region["kind"] == "image", "%s: is %s" % (sort, region and region["kind"]))
            module = [m for m in document["modules"] if address(m["address"]) == start]
            checks.true(module and module[0]["build_id"], "%s: no build-id" % sort)
        main_thread = [t for t in document["threads"] if t["tid"] == pid]
        checks.true(main_thread and main_thread[0]["stack"], "the main thread is found by its PID here")
        checks.equal(len(document["threads"]), len(truth["threads"]) + 1, "number of threads")
        for thread in document["threads"]:
            checks.true(thread["stack"], "stack of thread %d" % thread["tid"])
    finally:
        child.stdin.close()
        child.wait(10)
        child.stdout.close()
        os.rmdir(point)


def check_from_inside(checks, args):
    done = subprocess.run(unshare(args.vmmap, "show", "1", "--json"), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, timeout=60, check=False)
    if checks.equal(done.returncode, 0, "inside: exit status (%s)" % done.stderr.decode().strip()):
        document = parse_json(done.stdout)
        checks.equal(document["target"]["pid"], 1, "inside: PID of itself")
        checks.true(any(r["kind"] == "image" for r in document["regions"]), "inside: an image")


def main():
    args = arguments(__doc__)
    if not shutil.which("unshare") or subprocess.run(unshare("true"), check=False, stderr=subprocess.DEVNULL).returncode != 0:
        skip("namespaces cannot be made here")
    if not os.path.exists("/proc/self/task/%d/children" % os.getpid()):
        skip("this kernel does not list children")
    checks = Checks()
    check_from_outside(checks, args)
    check_from_inside(checks, args)
    checks.equal(run(args, "show", os.getpid(), "--json").returncode, 0, "a process of this namespace")
    checks.finish()


if __name__ == "__main__":
    sys.exit(main())
