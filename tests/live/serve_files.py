#!/usr/bin/env python3
"""Files that a client sends to vmmap serve: opened as if they had been named, and gone with what shows them.

The truth is what the command line prints of the same files; what is left is what the kernel lists: of the folder for
temporary files, and of what the server has open.
"""
import contextlib
import io
import os
import shutil
import subprocess
import sys
import tarfile

from live import Checks, Target, arguments, run, work_folder
from serving import GROWER, PATIENCE, Server, cli, file_head, need_server, plain, wait_until


def check_refused_files(checks, server, temporary):
    heads = [(403, file_head(server, 5, Origin="http://evil.example")), (403, file_head(server, 5, Authorization=None)),
             (403, file_head(server, 5, Host="evil.example")), (415, file_head(server, 5, **{"Content-Type": "text/plain"})),
             (415, file_head(server, 5, **{"Content-Type": "application/json"})), (411, file_head(server, None)),
             (411, file_head(server, None, **{"Transfer-Encoding": "chunked"})), (413, file_head(server, (16 << 30) + 1)),
             (413, file_head(server, 1 << 63)), (400, file_head(server, 5).replace(b"?name=x", b"")), (400, file_head(server, 5).replace(b"=x", b"=")),
             (400, file_head(server, 5).replace(b"=x", b"=" + b"x" * 256)), (400, file_head(server, 5).replace(b"=x", b"=%0a"))]
    for status, head in heads:
        answer = server.raw(head)
        checks.equal(answer.split()[1:2], [b"%d" % status], "a file with %s" % head.decode().replace(server.token, "TOKEN"))
    checks.equal(server.held(temporary), {}, "left of what was refused")
    checks.equal(server.ask("/api/file?name=x", "OPTIONS", {"Origin": "http://evil.example"})[0], 403, "what a browser asks before")
    checks.equal(server.ask("/api/file?name=x")[0], 405, "a file with GET")


def check_aborted_file(checks, server, temporary):
    """One at a time, and half of one leaves nothing behind."""
    with contextlib.closing(server.connect()) as half:
        half.sendall(file_head(server, 1 << 20) + b"x" * 100000)
        checks.true(wait_until(lambda: [st for st in server.held(temporary).values() if st.st_size]), "a file that is being sent stands on the disk")
        checks.equal([(st.st_mode & 0o7777, st.st_nlink) for st in server.held(temporary).values()], [(0o600, 0)], "its mode and names")
        checks.equal(server.raw(file_head(server, 5)).split()[1:2], [b"409"], "a second file")
    checks.true(wait_until(lambda: not server.held(temporary)), "left of what was broken off")
    checks.equal(server.json("/api/info")["target"], None, "nothing is shown of it")


def check_opened_files(checks, args, server, target, files, temporary):
    for name, (path, members) in files.items():
        with open(path, "rb") as f:
            status, info = server.send(name, f.read())
        checks.equal((status, info["title"], info["live"], info["can"]["processes"]), (200, name, False, True), "%s is opened" % name)
        theirs = cli(args, "show", path, "--format", "json-columns")
        mine = server.json("/api/snapshot")
        for member in members:
            checks.true(plain(mine[member]) == plain(theirs[member]), "%s: %s differ from show" % (name, member))
        checks.equal(len(server.held(temporary)), 1, "files while %s is shown" % name)
        body = server.ask("/api/snapshot")[2] + server.ask("/api/info")[2]
        checks.true(temporary.encode() not in body and b"/proc/self" not in body, "%s: the place of ours is told" % name)
        shown = server.json("/api/snapshot")
        with open(args.vmmap, "rb") as f:
            program = f.read(100000)
        for wrong, data in (("garbage.bin", os.urandom(5000)), ("empty", b""), ("a/../b\u00e9", b"text"), ("program", program)):
            status, answer = server.send(wrong, data)
            checks.true(status == 422 and answer["error"].startswith(wrong + ": ") and "/proc" not in answer["error"], "%s: %d %s" % (wrong, status, answer))
        checks.true(server.json("/api/snapshot") == shown, "%s stays when another is none" % name)
        checks.equal(len(server.held(temporary)), 1, "files after some that are none")
    checks.equal(server.post("/api/target?name=%d" % target.pid)[0], 200, "a process after a file")
    checks.equal(server.held(temporary), {}, "left when a process is shown")


def make_core(pid, path):
    if not shutil.which("gcore"):
        print("gcore: not here: no core is sent")
        return False
    subprocess.run(["gcore", "-o", path, str(pid)], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
    if os.path.exists("%s.%d" % (path, pid)):
        os.rename("%s.%d" % (path, pid), path)
    return os.path.exists(path)


def check_files(checks, args, folder):
    """Files that are sent are opened as if they had been named; their bytes go with them."""
    temporary = os.path.join(folder, "temporary")
    os.mkdir(temporary)
    with Target([sys.executable, "-c", GROWER]) as target, target.stopped():
        session, core, capture, smaps = (os.path.join(folder, name) for name in ("one.vmmap", "core", "one.tar", "smaps"))
        run(args, "save", target.pid, "-o", session, "--with-memory", "heap")
        with tarfile.open(capture, "w") as tar:
            for name in ("smaps", "maps", "status", "stat", "cmdline"):
                with open("/proc/%d/%s" % (target.pid, name), "rb") as f:
                    data = f.read()
                entry = tarfile.TarInfo("%d/%s" % (target.pid, name))
                entry.size = len(data)
                tar.addfile(entry, io.BytesIO(data))
                if name == "smaps":
                    with open(smaps, "wb") as f:
                        f.write(data)
        all_members = ("target", "summary", "regions", "modules", "free", "limits")
        files = {"caf\u00e9.vmmap": (session, all_members), "a b.tar": (capture, all_members[1:]), "smaps.txt": (smaps, all_members[1:])}
        if make_core(target.pid, core):
            files["core.4711"] = core, all_members[1:]
        with Server(args, temporary=temporary) as server:
            check_refused_files(checks, server, temporary)
            check_aborted_file(checks, server, temporary)
            check_opened_files(checks, args, server, target, files, temporary)
            with open(session, "rb") as f:
                checks.equal(server.send("again", f.read())[0], 200, "the session again")
            half = server.connect()
            half.sendall(file_head(server, 1 << 20) + b"x" * 1000)
            checks.true(wait_until(lambda: len(server.held(temporary)) == 2), "one shown, one being sent")
            checks.equal(os.listdir(temporary), [], "names of them, which would stay behind a server that is killed")
            checks.equal(server.end(), 0, "exit status with both")
            half.close()


def check_silent(checks, server, silent):
    """Who began to send and sent nothing more is cut, and the next one may send."""
    silent.settimeout(PATIENCE)
    with contextlib.suppress(ConnectionError):
        checks.equal(silent.recv(4096), b"", "an answer to who sends nothing more")
    silent.close()
    checks.true(wait_until(lambda: server.send("next", b"text")[0] == 422), "the next file after one that was cut")


def main():
    args = arguments(__doc__)
    need_server(args)
    checks = Checks()
    with work_folder() as folder, Server(args) as server:
        silent = server.connect()
        silent.sendall(file_head(server, 1 << 20) + b"x" * 1000)
        check_files(checks, args, folder)
        check_silent(checks, server, silent)
        shutil.rmtree(folder, ignore_errors=True)
    checks.finish()


if __name__ == "__main__":
    main()
