"""What tests of vmmap serve share: the server, its events, and the documents of the command line beside its own."""
import contextlib
import http.client
import json
import os
import re
import signal
import socket
import subprocess
import time
import urllib.parse

from live import DRIFTING, parse_json, run, skip

PATIENCE = 30  # seconds for what must come; how long it takes decides nothing
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


def need_server(args):
    if b"libmicrohttpd" in run(args, "serve", "99999999").stderr:
        skip("built without libmicrohttpd")


def wait_until(holds):
    end = time.monotonic() + PATIENCE
    while not holds() and time.monotonic() < end:
        time.sleep(0.02)
    return holds()


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

    def held(self, folder):
        """{inode: stat} of the files in this folder that the server has open, but for SQLite's own."""
        found = {}
        for fd in os.listdir("/proc/%d/fd" % self.child.pid):
            path = "/proc/%d/fd/%s" % (self.child.pid, fd)
            with contextlib.suppress(OSError):
                if os.readlink(path).startswith(folder + "/") and "/etilqs_" not in os.readlink(path):
                    st = os.stat(path)
                    found[st.st_ino] = st
        return found

    def ticks(self):
        with open("/proc/%d/stat" % self.child.pid, "rb") as f:
            return sum(int(x) for x in f.read().rsplit(b")", 1)[1].split()[11:13])

    def status(self, key):
        with open("/proc/%d/status" % self.child.pid) as f:
            return int(re.search(r"^%s:\s+(\d+)" % key, f.read(), re.M).group(1))


def file_head(server, length, **headers):
    """A request that sends a file, up to its first byte."""
    lines = dict({"Host": server.host, "Authorization": "Bearer " + server.token, "Content-Type": "application/octet-stream"}, **headers)
    if length is not None:
        lines["Content-Length"] = str(length)
    return ("POST /api/file?name=x HTTP/1.1\r\n" + "".join("%s: %s\r\n" % line for line in lines.items() if line[1]) + "\r\n").encode()


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
