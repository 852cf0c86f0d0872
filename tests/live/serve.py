#!/usr/bin/env python3
"""vmmap serve: who is let in, every document against the command line's own, events, and clients that mean no good.

The truth about documents is what the command line prints of the same stopped target or session, about memory what the
kernel says, about access what the test sends.
"""
import concurrent.futures
import contextlib
import http.client
import io
import json
import os
import re
import select
import shutil
import signal
import socket
import subprocess
import sys
import tarfile
import threading
import time
import urllib.parse

from live import (DRIFTING, Checks, Target, address, arguments, parse_json, read_smaps, run, test_count, wait_asleep, work_folder)

PATIENCE = 30  # seconds for what must come; how long it takes decides nothing
SLOW = 24      # clients that never finish their request
# Grows for each line, and becomes another program at "exec".
GROWER = """
import os, sys
print('"ready"', flush=True)
kept = []
for line in sys.stdin:
    if line.strip() == "exec":
        os.execv("/bin/sleep", ["sleep", "1000"])
    kept.append(bytearray(int(line) << 20))
"""


class Server:
    """vmmap serve, until it is ended."""

    def __init__(self, args, *words, socket_path=None, temporary=None):
        self.child = subprocess.Popen([args.vmmap, "serve"] + [str(w) for w in words], stdin=subprocess.DEVNULL,
                                      stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                                      env=dict(os.environ, TMPDIR=temporary) if temporary else None)
        line = self.child.stdout.readline().decode()
        match = re.fullmatch(r"http://([^/]+)/\?token=([0-9a-f]{64})\n", line)
        if not match:
            self.child.kill()
            self.child.wait()
            raise RuntimeError("vmmap serve said %r" % line)
        self.host, self.token, self.path = match.group(1), match.group(2), socket_path
        self.headers = {"Authorization": "Bearer " + self.token}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.child.poll() is None:
            self.child.kill()
            self.child.wait()

    def end(self):
        """The exit status after SIGTERM."""
        self.child.send_signal(signal.SIGTERM)
        return self.child.wait(PATIENCE)

    def connect(self):
        if self.path:
            s = socket.socket(socket.AF_UNIX)
            s.settimeout(PATIENCE)
            s.connect(self.path)
            return s
        name, port = self.host.rsplit(":", 1)
        return socket.create_connection((name, int(port)), PATIENCE)

    def ask(self, path, method="GET", headers=None, body=None):
        """(status, headers, body); headers None: those that let in."""
        connection = http.client.HTTPConnection(self.host, timeout=PATIENCE)
        connection.sock = self.connect()
        try:
            connection.request(method, path, body, self.headers if headers is None else headers)
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read()
        finally:
            connection.close()

    def json(self, path):
        status, _, body = self.ask(path)
        if status != 200:
            raise RuntimeError("%s: %d %s" % (path, status, body[:300]))
        return parse_json(body)

    def post(self, path, body=b"{}"):
        return self.ask(path, "POST", dict(self.headers, **{"Content-Type": "application/json"}), body)

    def send(self, name, data, **headers):
        """(status, document) of a file that is sent."""
        headers = dict(self.headers, **{"Content-Type": "application/octet-stream"}, **headers)
        status, _, body = self.ask("/api/file?name=" + urllib.parse.quote(name, safe=""), "POST", headers, data)
        return status, parse_json(body)

    def raw(self, data):
        """The first line of the answer to raw bytes; b"" when there is none."""
        with contextlib.closing(self.connect()) as s:
            with contextlib.suppress(OSError):
                s.sendall(data)
            with contextlib.suppress(OSError):
                return s.recv(4096).split(b"\r\n")[0]
        return b""

    def ticks(self):
        with open("/proc/%d/stat" % self.child.pid, "rb") as f:
            return sum(int(x) for x in f.read().rsplit(b")", 1)[1].split()[11:13])

    def status(self, key):
        with open("/proc/%d/status" % self.child.pid) as f:
            return int(re.search(r"^%s:\s+(\d+)" % key, f.read(), re.M).group(1))


class Events:
    """The stream of events: (type, data) one by one."""

    def __init__(self, server, n=None):
        self.socket = server.connect()
        path = "/api/events" + ("?n=%d" % n if n else "")
        self.socket.sendall(("GET %s HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\n\r\n" % (path, server.host, server.token)).encode())
        self.answer = http.client.HTTPResponse(self.socket)
        self.answer.begin()

    def next(self, *types):
        """The next event of these types."""
        kind, data = None, []
        while True:
            line = self.answer.readline()
            if not line:
                raise RuntimeError("the stream of events ended")
            text = line.decode().rstrip("\n")
            if text.startswith("event: "):
                kind = text[7:]
            elif text.startswith("data: "):
                data.append(text[6:])
            elif not text and kind:
                if not types or kind in types:
                    return kind, json.loads("\n".join(data))
                kind, data = None, []

    def close(self):
        self.answer.close()
        self.socket.close()


def cli(args, *words):
    done = run(args, *words)
    if done.returncode != 0:
        raise RuntimeError("vmmap %s: %s" % (" ".join(map(str, words)), done.stderr.decode(errors="replace")))
    return parse_json(done.stdout)


def plain(value):
    """A document without what differs from look to look: times, costs, and numbers that other processes move."""
    if isinstance(value, dict):
        return {k: plain(v) for k, v in value.items()
                if k not in DRIFTING and k not in ("taken_at", "cost", "n", "tool", "state", "seconds", "explanation", "elapsed_ns")}
    return [plain(v) for v in value] if isinstance(value, list) else value


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


def file_head(server, length, **headers):
    lines = dict({"Host": server.host, "Authorization": "Bearer " + server.token, "Content-Type": "application/octet-stream"}, **headers)
    if length is not None:
        lines["Content-Length"] = str(length)
    return ("POST /api/file?name=x HTTP/1.1\r\n" + "".join("%s: %s\r\n" % line for line in lines.items() if line[1]) + "\r\n").encode()


def wait_until(holds):
    end = time.monotonic() + PATIENCE
    while not holds() and time.monotonic() < end:
        time.sleep(0.02)
    return holds()


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
    checks.equal(os.listdir(temporary), [], "left of what was refused")
    checks.equal(server.ask("/api/file?name=x", "OPTIONS", {"Origin": "http://evil.example"})[0], 403, "what a browser asks before")
    checks.equal(server.ask("/api/file?name=x")[0], 405, "a file with GET")


def check_aborted_file(checks, server, temporary):
    """One at a time, and half of one leaves nothing behind."""
    with contextlib.closing(server.connect()) as half:
        half.sendall(file_head(server, 1 << 20) + b"x" * 100000)
        checks.true(wait_until(lambda: os.listdir(temporary)), "a file that is being sent stands in a folder")
        folder = os.path.join(temporary, os.listdir(temporary)[0])
        checks.equal(os.stat(folder).st_mode & 0o7777, 0o700, "mode of the folder")
        checks.true(wait_until(lambda: os.listdir(folder)), "the file in it")
        checks.equal(os.stat(os.path.join(folder, os.listdir(folder)[0])).st_mode & 0o7777, 0o600, "mode of the file")
        checks.equal(server.raw(file_head(server, 5)).split()[1:2], [b"409"], "a second file")
    checks.true(wait_until(lambda: not os.listdir(temporary)), "left of what was broken off")
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
        checks.equal(len(os.listdir(temporary)), 1, "folders while %s is shown" % name)
        body = server.ask("/api/snapshot")[2] + server.ask("/api/info")[2]
        checks.true(os.listdir(temporary)[0].encode() not in body, "%s: the place of ours is told" % name)
        shown = server.json("/api/snapshot")
        with open(args.vmmap, "rb") as f:
            program = f.read(100000)
        for wrong, data in (("garbage.bin", os.urandom(5000)), ("empty", b""), ("a/../b\u00e9", b"text"), ("program", program)):
            status, answer = server.send(wrong, data)
            checks.true(status == 422 and answer["error"].startswith(wrong + ": ") and temporary not in answer["error"], "%s: %d %s" % (wrong, status, answer))
        checks.true(server.json("/api/snapshot") == shown, "%s stays when another is none" % name)
        checks.equal(len(os.listdir(temporary)), 1, "folders after files that are none")
    checks.equal(server.post("/api/target?name=%d" % target.pid)[0], 200, "a process after a file")
    checks.equal(os.listdir(temporary), [], "left when a process is shown")


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
            checks.true(wait_until(lambda: len(os.listdir(temporary)) == 2), "one shown, one being sent")
            checks.equal(server.end(), 0, "exit status with both")
            half.close()
        checks.equal(os.listdir(temporary), [], "left after the end")


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
    if b"libmicrohttpd" in run(args, "serve", "99999999").stderr:
        print("SKIP: built without libmicrohttpd")
        sys.exit(77)
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
            check_socket(checks, args, folder)
            check_files(checks, args, folder)
            check_slow(checks, slow)
            stop.set()
            dripping.join()
            check_crowd(checks, args, server)
            checks.equal(server.end(), 0, "exit status on SIGTERM, with all that behind it")
        shutil.rmtree(folder, ignore_errors=True)
    checks.finish()


if __name__ == "__main__":
    main()
