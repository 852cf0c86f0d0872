#!/usr/bin/env python3
"""vmmap serve: who is let in, every document against the command line's own, events, and clients that mean no good.

The truth about documents is what the command line prints of the same stopped target or session, about memory what the
kernel says, about access what the test sends.
"""
import concurrent.futures
import contextlib
import json
import os
import select
import shutil
import sys
import threading
import time

from live import Checks, Target, address, arguments, parse_json, read_smaps, run, test_count, wait_asleep, work_folder
from serving import GROWER, PATIENCE, Events, Server, cli, need_server, plain

SLOW = 24  # clients that never finish their request


def check_access(checks, server):
    right = {"Authorization": "Bearer " + server.token}
    wrong = "0" * 64 if server.token != "0" * 64 else "1" * 64
    status, headers, _ = server.ask("/?token=" + server.token, headers={})
    cookie = headers.get("Set-Cookie", "")
    checks.equal((status, headers.get("Location")), (303, "/"), "sign-in")
    checks.true("HttpOnly" in cookie and "SameSite=Strict" in cookie, "cookie: %s" % cookie)
    status, headers, body = server.ask("/", headers={"Cookie": cookie.split(";")[0]})
    checks.true(status in (200, 404) and "frame-ancestors 'none'" in headers["Content-Security-Policy"], "the page: %d" % status)
    checks.equal(server.ask("/api/info", headers={"Cookie": cookie.split(";")[0]})[0], 200, "info with the cookie")
    refused = [({}, "nothing"), ({"Authorization": "Bearer " + wrong}, "a wrong token"), ({"Cookie": cookie.split("=")[0] + "=" + wrong}, "a wrong cookie"),
               (dict(right, Host="evil.example"), "a foreign host"), (dict(right, Host="localhost:1"), "another port"),
               (dict(right, Origin="http://evil.example"), "a foreign origin"), (dict(right, Origin="null"), "no origin"),
               (dict(right, **{"Sec-Fetch-Site": "cross-site"}), "another site"), (dict(right, **{"Sec-Fetch-Site": "same-site"}), "another port's page")]
    texts = set()
    for headers, what in refused:
        for path in ("/", "/api/info", "/nothing"):
            status, _, body = server.ask(path, headers=headers)
            checks.equal(status, 403, "%s with %s" % (path, what))
            texts.add(body)
    checks.equal(len(texts), 1, "texts of refusals")
    checks.equal(server.ask("/?token=" + wrong, headers={})[0], 403, "sign-in with a wrong token")
    twice = "GET /api/info HTTP/1.1\r\nHost: %s\r\nHost: evil.example\r\nAuthorization: Bearer %s\r\n\r\n" % (server.host, server.token)
    checks.true(server.raw(twice.encode()).split()[1:2] in ([b"403"], [b"400"]), "two hosts")


def check_requests(checks, server):
    token = dict(server.headers)
    for method, path, status in (("PUT", "/api/info", 405), ("DELETE", "/", 405), ("POST", "/api/info", 405), ("GET", "/api/look", 405),
                                 ("OPTIONS", "/api/info", 405), ("POST", "/api/look", 415)):
        checks.equal(server.ask(path, method, token, None if method == "GET" else b"{}")[0] if path != "/api/info" or method != "GET" else 0,
                     status, "%s %s" % (method, path))
    for path in ("/../etc/passwd", "/api/../../etc/passwd", "/%2e%2e/%2e%2e/etc/passwd", "/etc/passwd", "/api", "/api/info/x", "//", "/page.html"):
        checks.equal(server.ask(path)[0], 404, path)
    for path in ("/api/info?x=1", "/api/snapshot?n=0", "/api/snapshot?n=-1", "/api/snapshot?n=../x", "/api/snapshot?n=1&n=1", "/api/snapshot?n=%00",
                 "/api/snapshot?n=%ff", "/api/snapshot?%", "/api/regions?view=summary", "/api/regions?where=rss%3E", "/api/regions?columns=nothing",
                 "/api/regions?sort=%1b", "/api/regions?kind=" + "x" * 300, "/api/regions?where=" + "(" * 1500, "/api/regions?limit=100001",
                 "/api/regions?view=regions%27--", "/api/memory?address=1&length=5", "/api/memory?address=0x10", "/api/memory?address=0x10&length=65537",
                 "/api/memory?address=0xfffffffffffffff0&length=4096", "/api/pages?address=0x2000&end=0x1000", "/api/at", "/api/at?address=zz",
                 "/api/heap?id=%3Cscript%3E", "/api/timeline?measure=x", "/api/timeline?by=x", "/api/diff", "/api/strings?address=0x2&end=0x1",
                 "/api/chunks?address=0x0&end=0xffff&limit=0"):
        status, headers, body = server.ask(path)
        checks.equal(status, 400, path)
        checks.true(isinstance(parse_json(body).get("error"), str) and headers["X-Content-Type-Options"] == "nosniff", "%s: %s" % (path, body))
    checks.equal(server.ask("/api/snapshot?n=4000000000")[0], 404, "a snapshot that is not there")
    checks.equal(server.ask("/api/processes")[0], 404, "processes beside a target")
    checks.equal(server.post("/api/target?name=1")[0], 404, "another target")
    status, answer = server.send("core", b"")
    checks.true(status == 403 and "one target" in answer["error"], "a file beside a target: %d %s" % (status, answer))
    for body, status in ((b"{}x", 400), (b"[]", 400), (b"x" * 4096, 400), (b"x" * 4097, 413), (b"{" * 100000, 413)):
        with contextlib.suppress(ConnectionError):
            checks.equal(server.post("/api/look", body)[0], status, "a body of %d bytes" % len(body))
    checks.equal(server.post("/api/interval", b'{"ms": -1}')[0], 400, "a wrong interval")
    for path in ("/" + "a" * 5000, "/?x=" + "a" * 14000):
        checks.true(server.raw(("GET %s HTTP/1.1\r\nHost: %s\r\n\r\n" % (path, server.host)).encode()).split()[1:2] in ([b"403"], [b"414"], [b"431"]),
                    "%d bytes of address" % len(path))
    checks.equal(server.ask("/api/info?" + "a" * 4090)[0], 414, "a long address of one who is let in")
    checks.true(server.raw(b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 70000 + b"\r\n\r\n").split()[1:2] in ([], [b"431"], [b"413"]), "70,000 bytes of header")
    for data in (b"\0\1\2\3\r\n\r\n", b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"\r\n" * 1000, b"POST /api/look HTTP/1.1\r\nContent-Length: -5\r\n\r\n"):
        checks.true(not server.raw(data).startswith(b"HTTP/1.1 2"), "%r" % data[:20])
    checks.equal(server.ask("/api/info")[0], 200, "alive after all that")


def check_documents(checks, args, server, target):
    pid = target.pid
    shown, ours = cli(args, "show", pid, "--format", "json-columns"), server.json("/api/snapshot?n=last")
    checks.true(ours["n"] >= 1, "n of the snapshot")
    for member in ("target", "modules", "heaps", "regions", "blocks", "gaps", "free", "limits"):
        checks.true(plain(ours[member]) == plain(shown[member]), "snapshot: %s differ from show" % member)
    raw = server.json("/api/snapshot?raw=1")
    checks.equal(raw["mappings"]["rows"], len(read_smaps(pid)), "raw mappings")
    rows = server.json("/api/regions?sort=size:desc&limit=3&offset=1&columns=address,size")
    biggest = cli(args, "show", pid, "--view", "regions", "--format", "json", "--sort", "size:desc", "--columns", "address,size")["regions"]
    checks.equal(rows["matched"], len(biggest), "matched")
    checks.equal([r["size"] for r in rows["regions"]], [r["size"] for r in biggest[1:4]], "the second to fourth largest")
    heap = next(r for r in cli(args, "show", pid, "--json", "--kind", "heap")["regions"] if "[heap]" in r["details"] or r["kind"] == "heap")
    start, end = address(heap["address"]), address(heap["end"])
    where = "address=%#x&end=%#x" % (start, end)
    place, ours = cli(args, "at", pid, "%#x" % (start + 0x2c0), "--json"), server.json("/api/at?address=%#x" % (start + 0x2c0))
    for document in (place, ours):  # the server knows what is used of a heap: its snapshot walked it
        for member in ("region", "block", "mapping"):
            for number in ("used", "unused"):
                document["addresses"][0][member].pop(number, None)
    checks.true(plain(ours) == plain(place), "at")
    checks.true(plain(server.json("/api/heap")) == plain(cli(args, "heap", pid, "--json")), "heap")
    checks.true(plain(server.json("/api/strings?top=100000&" + where)) == plain(cli(args, "strings", pid, "--json", "--range", "%#x-%#x" % (start, end))), "strings")
    found, at = [], start
    while at is not None:
        page = server.json("/api/chunks?limit=500&address=%#x&end=%#x" % (at, end))
        found += page["chunks"]
        at = address(page["next"]) if page["next"] else None
    checks.equal(sum(c["stretch"] for c in found), end - start, "chunks tile the heap")
    checks.true(all(address(a["start"]) + a["stretch"] == address(b["start"]) for a, b in zip(found, found[1:])), "chunks follow each other")
    check_memory(checks, server, pid, start)


def check_memory(checks, server, pid, heap):
    with open("/proc/%d/mem" % pid, "rb", buffering=0) as f:
        f.seek(heap)
        truth = f.read(512)
    parts = server.json("/api/memory?address=%#x&length=512" % heap)["parts"]
    checks.equal([(p["address"], bytes.fromhex(p["hex"])) for p in parts], [("%#x" % heap, truth)], "bytes of the heap")
    for v in [v for v in read_smaps(pid) if v["inode"] == 0 and b"[v" not in v["name"] and v["end"] - v["start"] < 1 << 30]:
        runs = server.json("/api/pages?address=%#x&end=%#x" % (v["start"], v["end"]))
        checks.equal(runs["next"], None, "all pages of %#x" % v["start"])
        checks.equal(sum(r["pages"] for r in runs["runs"]) * 4096, v["end"] - v["start"], "pages of %#x" % v["start"])
        checks.equal(sum(r["pages"] for r in runs["runs"] if r["state"] in ("present", "file", "huge")) * 4096, v["fields"]["Rss"], "resident pages of %#x" % v["start"])
        # Reading makes nothing resident.
        server.json("/api/memory?address=%#x&length=%d" % (v["start"], min(65536, v["end"] - v["start"])))
        again = next(w for w in read_smaps(pid) if w["start"] == v["start"])
        checks.equal(again["fields"]["Rss"], v["fields"]["Rss"], "resident bytes of %#x after reading" % v["start"])


def check_session(checks, args, folder):
    """A session of three snapshots; its documents are those of the command line, name and all."""
    file = os.path.join(folder, "three.vmmap")
    with Target([sys.executable, "-c", GROWER]) as target:
        for n in range(3):
            wait_asleep(target.pid)
            run(args, "save", target.pid, "-o", file, *(["--append"] if n else ["--with-memory", "heap,stack"]))
            target.child.stdin.write(b"8\n")
            target.child.stdin.flush()
            time.sleep(0.1)
    with Server(args, file) as server:
        info = server.json("/api/info")
        checks.equal([(s["n"], s["pid"]) for s in info["snapshots"]], [(n, target.pid) for n in (1, 2, 3)], "snapshots of the session")
        checks.equal((info["live"], info["shown"], info["can"]["diff"]), (False, 3, True), "info of a session")
        checks.equal([(t["target"], t["pid"], t["snapshots"]) for t in info["targets"]], [(1, target.pid, 3)], "its target")
        checks.equal([s["target"] for s in info["snapshots"]], [1, 1, 1], "whose the snapshots are")
        checks.equal(server.json("/api/timeline?target=target%3A1&by=kind")["looks"], server.json("/api/timeline?by=kind")["looks"], "the only target")
        for n in (1, 2, 3, 1):
            mine = server.json("/api/snapshot?n=%d" % n)
            theirs = cli(args, "show", "%s@%d" % (file, n), "--format", "json-columns")
            mine.pop("n")
            checks.true(mine == theirs, "snapshot %d" % n)
        checks.true(server.json("/api/diff?before=1&after=3") == cli(args, "diff", file + "@1", file + "@3", "--json"), "diff")
        checks.true(server.json("/api/timeline?measure=committed&by=kind") == cli(args, "timeline", file, "--json", "--measure", "committed", "--by", "kind"), "timeline")
        checks.equal(server.post("/api/look")[0], 501, "a look at what does not run")
    with Server(args, file + "@2") as server:
        checks.equal(server.json("/api/info")["shown"], 2, "the snapshot that was named")
        checks.equal(server.json("/api/snapshot")["n"], 2, "last means the one that was named")


def check_growth(checks, server, target, events):
    """While paused: what grows by more than was said is looked at by itself, and nothing else is."""
    for path in ("measure=size&percent=10", "percent=1001", "percent=-1", "percent=x", "measure=rss&n=1"):
        checks.equal(server.post("/api/growth?" + path)[0], 400, "growth by " + path)
    for measure in ("rss", "committed"):
        status, _, body = server.post("/api/growth?measure=%s&percent=25" % measure)
        checks.equal((status, parse_json(body)["growth"]), (200, {"measure": measure, "percent": 25}), "growth is looked for")
        checks.equal(events.next("interval")[1]["growth"], {"measure": measure, "percent": 25}, "growth is told")
        before = json.loads(server.post("/api/look")[2])["n"]
        size = server.json("/api/snapshot?n=%d" % before)["summary"]["total"][measure]
        time.sleep(1)
        checks.equal(server.json("/api/info")["shown"], before, "snapshots of what does not grow")
        target.child.stdin.write(b"%d\n" % (size // 2 >> 20))
        target.child.stdin.flush()
        n = before
        while n <= before:
            n = events.next("changes", "reload")[1]["n"]
        checks.equal(server.json("/api/info")["interval_ms"], 0, "paused all the while")
    checks.equal(parse_json(server.post("/api/growth?percent=0")[2])["growth"], None, "growth is looked for no more")


def check_aside(checks, server, target, events):
    """What takes long is answered beside what is shown live: both come, whatever is asked at a time."""
    paths = ("/api/heap", "/api/strings?top=5", "/api/chunks?address=0x0&end=0xfffffffffffff000&limit=100", "/api/heap?id=nothing", "/api/snapshot",
             "/api/strings?where=x%3D%3D", "/api/heap?n=last", "/api/heap?n=1")
    with concurrent.futures.ThreadPoolExecutor(len(paths)) as pool:
        answers = [pool.submit(server.ask, path) for path in paths * 4]
        first = events.next("changes", "reload")[1]["n"]
        checks.true(events.next("changes", "reload")[1]["n"] > first, "events beside long questions")
        results = {path: set() for path in paths}
        for path, answer in zip(paths * 4, answers):
            results[path].add(answer.result()[0])
    for path in paths[:3] + paths[4:5] + paths[6:7]:
        checks.equal(results[path], {200}, path)
    checks.equal((results[paths[3]], results[paths[5]], results[paths[7]]), ({400}, {400}, {501}), "what is wrong is told there too")
    pids = {parse_json(server.ask(path)[2])["target"]["pid"] for path in paths[:2]}
    checks.equal(pids, {target.pid}, "whom the answers are about")


def check_live(checks, args):
    with Target([sys.executable, "-c", GROWER]) as target, Server(args, target.pid, "--duty", "50", "--every", "200ms") as server:
        first = server.json("/api/info")["shown"]
        time.sleep(1)
        before = server.ticks()
        time.sleep(1)
        checks.equal(server.ticks(), before, "processor time while nobody is connected")
        checks.equal(server.json("/api/info")["shown"], first, "snapshots while nobody listens")
        events = Events(server, first)
        target.child.stdin.write(b"64\n")
        target.child.stdin.flush()
        grown = 0
        while grown < 64 << 20:
            kind, data = events.next("changes", "reload")
            document = data if kind == "changes" else server.json("/api/snapshot?n=%d" % data["n"])
            grown = document["summary"]["total"]["rss"] or 0  # unknown where it grew while it was read
        checks.true(kind == "reload" or data["before"] == data["n"] - 1, "the snapshot that the changes are against")
        again = Events(server, first)
        checks.true(again.next("changes", "reload")[1]["n"] > first, "what was missed")
        again.close()
        check_aside(checks, server, target, events)
        checks.equal(server.post("/api/interval", b'{"ms": 0}')[0], 200, "pause")
        while events.next("interval")[1]["interval_ms"] != 0:
            pass
        paused = json.loads(server.post("/api/look")[2])["n"]
        checks.equal(server.json("/api/info")["shown"], paused, "a look by hand while paused")
        measure = server.json("/api/timeline?measure=rss")
        checks.equal([m["snapshot"] for m in measure["looks"]], [s["n"] for s in server.json("/api/info")["snapshots"]], "looks of the timeline")
        check_growth(checks, server, target, events)
        server.post("/api/interval", b'{"ms": 200}')
        target.child.stdin.write(b"exec\n")
        target.child.stdin.flush()
        checks.true("another program" in events.next("exec")[1]["text"], "exec is told")
        checks.equal(server.json("/api/snapshot")["target"]["name"], "sleep", "the program after exec")
        target.child.kill()
        target.child.wait()
        events.next("gone")
        info = server.json("/api/info")
        checks.true(not info["live"] and info["gone"] and len(info["snapshots"]) >= 3, "the history after the end")
        checks.equal(server.post("/api/look")[0], 410, "a look at what has gone")
        checks.equal(server.ask("/api/memory?address=0x1000&length=16")[0], 410, "memory of what has gone")
        checks.equal(server.ask("/api/snapshot?n=%d" % first)[0], 200, "a snapshot of what has gone")
        events.close()
        checks.equal(server.end(), 0, "exit status")


def check_asked(checks, args, target):
    """A look that was asked for does not put off those by themselves, however small their share of the time."""
    with Server(args, target.pid, "--duty", "0.001", "--every", "200ms") as server:
        asked = json.loads(server.post("/api/look")[2])["n"]
        events = Events(server)
        try:
            checks.equal(events.next("changes", "reload")[1]["n"], asked + 1, "a look by itself after one that was asked for")
        except TimeoutError:
            checks.true(False, "no look by itself follows one that was asked for")
        events.close()


def is_sanitized(args):
    with open(args.vmmap, "rb") as f:
        return b"__asan_init" in f.read()


def check_crowd(checks, args, server):
    def one(i):
        try:
            return server.ask(("/api/info", "/api/regions?limit=5", "/", "/api/snapshot", "/nothing")[i % 5])[0]
        except OSError:
            return 0

    count = test_count(600)
    with concurrent.futures.ThreadPoolExecutor(100) as pool:
        results = list(pool.map(one, range(count)))
    checks.true(set(results) <= {200, 404, 503, 0}, "answers to a crowd: %s" % sorted(set(results)))
    checks.true(results.count(200) >= count // 2, "of %d requests %d were answered" % (count, results.count(200)))
    checks.equal(server.ask("/api/info")[0], 200, "alive after the crowd")
    if not is_sanitized(args):  # a sanitizer's own memory is several times ours
        checks.true(server.status("VmRSS") < 30 << 10, "%d KiB resident after the crowd" % server.status("VmRSS"))


def check_slow(checks, slow):
    """Clients that began long ago and never ended have been cut."""
    end = time.monotonic() + PATIENCE
    left = list(slow)
    while left and time.monotonic() < end:
        for s in select.select(left, [], [], 1)[0]:
            with contextlib.suppress(OSError):
                if s.recv(4096):
                    continue
            left.remove(s)
    checks.equal(len(left), 0, "slow clients that are still there")
    for s in slow:
        s.close()


def drip(slow, stop):
    """A byte now and then, so that they are never idle."""
    while not stop.wait(1):
        for s in slow:
            with contextlib.suppress(OSError):
                s.send(b"a")


def check_socket(checks, args, folder):
    path = os.path.join(folder, "s")
    with Server(args, "--socket", path, socket_path=path) as server:
        checks.equal(os.stat(path).st_mode & 0o777, 0o600, "mode of the socket")
        info = server.json("/api/info")
        checks.equal((info["target"], info["can"]["processes"]), (None, True), "info without a target")
        checks.equal(server.ask("/api/snapshot")[0], 404, "a snapshot of nothing")
        pids = [p["pid"] for p in server.json("/api/processes?columns=pid")["processes"]]
        checks.true(os.getpid() in pids, "our own process is listed")
        checks.equal(server.post("/api/target?name=python3")[0], 400, "a target by name")
        checks.equal(server.post("/api/target?name=%2Fetc%2Fpasswd")[0], 400, "a target that is a file")
        checks.equal(server.post("/api/target?name=2147483647")[0], 404, "a process that is not there")
        with Target([sys.executable, "-c", GROWER]) as target:
            status, _, body = server.post("/api/target?name=%d" % target.pid)
            checks.equal((status, parse_json(body)["target"]["pid"]), (200, target.pid), "a chosen process")
            checks.equal(server.json("/api/snapshot")["target"]["pid"], target.pid, "its snapshot")
        checks.equal(server.ask("/api/info", headers=dict(server.headers, Host="evil.example"))[0], 403, "a foreign host on the socket")
        checks.equal(server.end(), 0, "exit status on SIGTERM")
    checks.true(not os.path.exists(path), "the socket is left behind")


def main():
    args = arguments(__doc__)
    need_server(args)
    checks = Checks()
    with work_folder() as folder, Target([sys.executable, "-c", GROWER]) as target:
        wait_asleep(target.pid)
        with target.stopped(), Server(args, target.pid) as server:
            slow, stop = [server.connect() for _ in range(SLOW)], threading.Event()
            for s in slow:
                s.sendall(b"GET /api/info HTTP/1.1\r\nHost: localhost\r\nX-Slow: ")
            dripping = threading.Thread(target=drip, args=(slow, stop), daemon=True)
            dripping.start()
            check_access(checks, server)
            check_requests(checks, server)
            check_documents(checks, args, server, target)
            check_session(checks, args, folder)
            check_live(checks, args)
            check_asked(checks, args, target)
            check_socket(checks, args, folder)
            check_slow(checks, slow)
            stop.set()
            dripping.join()
            check_crowd(checks, args, server)
            checks.equal(server.end(), 0, "exit status on SIGTERM, with all that behind it")
        shutil.rmtree(folder, ignore_errors=True)
    checks.finish()


if __name__ == "__main__":
    main()
