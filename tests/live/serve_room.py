#!/usr/bin/env python3
"""vmmap serve where there is no room for a file that is sent: from the start, and while it comes.

The disk is a tmpfs of a mount namespace of our own, which is made smaller while a file comes.
"""
import contextlib
import http.client
import os
import shutil
import subprocess
import sys

from live import Checks, arguments, parse_json, skip, work_folder
from serving import Server, file_head, need_server, wait_until

MIB = 1 << 20
ROOMY, SMALL = "size=3g", "size=8m"  # a tenth and 1 GiB stay free


def mount(folder, *options):
    subprocess.run(["mount", "-t", "tmpfs", "-o", ",".join(options), "none", folder], check=True)


def used(folder):
    st = os.statvfs(folder)
    return (st.f_blocks - st.f_bfree) * st.f_frsize


def check_answer(checks, server, folder, status, answer, words, what):
    error = answer["error"]
    checks.true(status == 507 and len(error.splitlines()) == 1 and folder in error and words in error and "TMPDIR" in error,
                "%s: %d %s" % (what, status, error))
    checks.true(wait_until(lambda: used(folder) == 0), "%s: %d bytes are left" % (what, used(folder)))
    checks.equal((server.held(folder), os.listdir(folder)), ({}, []), "%s: what is left" % what)
    checks.equal(server.json("/api/info")["target"], None, "%s: what is shown" % what)


def fill_up(server, folder):
    """(status, document) of a file for which there is room until some of it has come."""
    length = 32 * MIB
    with contextlib.closing(server.connect()) as s:
        s.sendall(file_head(server, length) + b"x" * (4 * MIB))
        if not wait_until(lambda: used(folder) >= 4 * MIB):
            raise RuntimeError("the first bytes do not come to the disk")
        mount(folder, "remount", SMALL)
        s.sendall(b"x" * (length - 4 * MIB))
        answer = http.client.HTTPResponse(s)
        answer.begin()
        return answer.status, parse_json(answer.read())


def main():
    args = arguments(__doc__, inside={"action": "store_true", "help": "in a namespace, where this calls itself"})
    need_server(args)
    if not args.inside:
        words = ["unshare", "--map-root-user", "--mount"]
        if not shutil.which("unshare") or subprocess.run(words + ["mount", "-t", "tmpfs", "none", "/mnt"], check=False, stderr=subprocess.DEVNULL).returncode:
            skip("nothing can be mounted here")
        os.execvp("unshare", words + [sys.executable, "-B", os.path.abspath(__file__)] + sys.argv[1:] + ["--inside"])
    checks = Checks()
    with work_folder() as folder:
        disk = os.path.join(folder, "disk")
        os.mkdir(disk)
        mount(disk, SMALL)
        with Server(args, temporary=disk) as server:
            check_answer(checks, server, disk, *server.send("much", b"x" * MIB), "no room for this file", "no room from the start")
            mount(disk, "remount", ROOMY)
            check_answer(checks, server, disk, *fill_up(server, disk), "No space left on device", "no room any more")
            mount(disk, "remount", ROOMY)
            with open("/proc/self/smaps", "rb") as f:
                checks.equal(server.send("smaps", f.read())[0], 200, "a file when there is room again")
            checks.true(used(disk) > 0, "it stands on that disk")
            checks.equal(server.end(), 0, "exit status")
        checks.equal(used(disk), 0, "left after the end")
        with contextlib.suppress(OSError):
            subprocess.run(["umount", disk], check=False)
    checks.finish()


if __name__ == "__main__":
    main()
