"""What tests of allocators' readers share: the chunks that the library tells, held against what the program holds."""
import bisect
import subprocess
import time

from live import parse_json, run


def chunks_of(args, pid):
    """All chunks as (state, start, size, address, usable, heap), by address, and the notes."""
    done = subprocess.run([args.chunks, str(pid)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, timeout=300)
    chunks, notes = [], []
    for line in done.stdout.decode(errors="replace").splitlines():
        words = line.split()
        if words[0] == "note":
            notes.append(line)
        else:
            chunks.append((words[0],) + tuple(int(w, 16) for w in words[1:5]) + (words[5],))
    if done.returncode != 0:
        notes.append("exit status %d" % done.returncode)
    chunks.sort(key=lambda c: c[1])
    return chunks, notes


def settle(pid):
    """Waits until a program that said its line is waiting for the next one: saying it may have changed its memory."""
    quiet, before = 0, None
    for _ in range(200):
        with open("/proc/%d/stat" % pid) as f:
            fields = f.read().rsplit(")", 1)[1].split()
        now = (fields[11], fields[12], fields[7], fields[9])
        quiet = quiet + 1 if fields[0] == "S" and now == before else 0
        before = now
        if quiet == 3:
            return
        time.sleep(0.01)


def heaps_of(args, pid, reader, *options):
    """The reader's heaps by id, and the whole document."""
    done = run(args, "show", pid, "--json", *options)
    if done.returncode != 0:
        raise RuntimeError("vmmap show %d: exit status %d" % (pid, done.returncode))
    document = parse_json(done.stdout)
    return {h["id"]: h for h in document["heaps"] if h["reader"] == reader}, document


class Chunks:
    """Finds chunks by address."""

    def __init__(self, chunks):
        self.chunks = chunks
        self.starts = [c[1] for c in chunks]

    def at(self, address):
        i = bisect.bisect_right(self.starts, address) - 1
        return self.chunks[i] if i >= 0 and address < self.chunks[i][1] + self.chunks[i][2] else None


def check_blocks(checks, name, chunks, blocks, freed, extra_most, inside=False):
    """
    Each block is the user's part of one chunk in use, to the byte, and nothing else is in use but extra_most chunks that
    the C library made for itself. inside: a block may begin inside its chunk, as aligned ones do; then its end is the
    chunk's. Freed blocks lie in no chunk in use, unless that is another block now.
    """
    finder, held, wrong, used_again = Chunks(chunks), {}, [], set()
    for a, b in zip(chunks, chunks[1:]):
        if a[1] + a[2] > b[1]:
            checks.true(False, "%s: chunks at %#x and %#x overlap" % (name, a[1], b[1]))
            break
    for block in blocks:
        address, usable = block[:2]
        c = finder.at(address)
        if not c or c[0] != "used" or c[1] in held or address + usable != c[3] + c[4] or not (address == c[3] or inside and address > c[3]):
            wrong.append(address)
        else:
            held[c[1]] = address
    checks.equal(len(wrong), 0, "%s: blocks not told as they are, the first at %#x" % (name, wrong[0] if wrong else 0))
    extra = [c for c in chunks if c[0] == "used" and c[1] not in held]
    checks.true(len(extra) <= extra_most, "%s: %d chunks of others are in use: %s" % (name, len(extra), [c[4] for c in extra[:20]]))
    for address in freed:
        c = finder.at(address)
        if c and c[0] == "used" and c[1] not in held:
            used_again.add(c[1])  # one place may have been freed by several threads in turn
    checks.true(len(used_again) <= 2, "%s: %d freed blocks are told as in use" % (name, len(used_again)))
    return extra


def check_heaps(checks, name, heaps, document, chunks):
    """What is shown is what is told; states add up to the size, resident parts to what the kernel counts for the regions."""
    checks.true(all(h["proved"] for h in heaps.values()), "%s: not proved: %s" % (name, document["notes"]))
    for identifier, heap in heaps.items():
        if not heap["proved"]:
            continue
        told = [c for c in chunks if c[5] == identifier]
        checks.equal(heap["used_count"], sum(c[0] == "used" for c in told), "%s: %s: chunks in use" % (name, identifier))
        checks.equal(heap["used_bytes"], sum(c[4] for c in told if c[0] == "used"), "%s: %s: bytes in use" % (name, identifier))
        checks.equal(sum(s["bytes"] for s in heap["states"].values()), heap["size"], "%s: %s: sum of states" % (name, identifier))
        checks.equal(sum(c[2] for c in told), heap["size"], "%s: %s: sum of chunks" % (name, identifier))
        checks.equal(sum(s["rss"] for s in heap["states"].values()), heap["rss"], "%s: %s: resident" % (name, identifier))
