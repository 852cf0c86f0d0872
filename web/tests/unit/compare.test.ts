// Differences that the page finds in a report against `vmmap diff --json`, for every pair of snapshots: a session of a target
// that maps, unmaps, moves, grows and protects memory, starts and ends threads, loads and unloads a library, and lowers a limit.
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "node:test";
import { gunzipSync } from "node:zlib";
import { ReportProvider, type ReportData } from "../../src/data/report";
import { threads } from "../../src/data/compareaccounts";
import { rowsOf } from "../../src/data/rows";
import { Same, type Mates } from "../../src/data/same";
import type { Snapshot } from "../../src/data/snapshot";
import type { Diff, DiffRow, PageInfo } from "../../src/data/types";

const vmmap = process.env["VMMAP"] ?? "";
const INFO = { tool: "", mode: "report", title: "", kinds: [], columns: [] } as PageInfo;
const STEPS = 9;

/** Memory comes below what is there (a start that moves), above it, goes, changes its protection, moves; threads and heaps come. */
const TARGET = `
import _ctypes, ctypes, mmap, random, resource, sys, threading, time
random.seed(5)
libc = ctypes.CDLL(None)
libc.mmap.restype = libc.mremap.restype = ctypes.c_void_p
libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long]
libc.mremap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_size_t, ctypes.c_int]
libc.munmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
libc.mprotect.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
kept, ended = [], threading.Event()
place = 0x200000000000
print("ready", flush=True)
for step, line in enumerate(sys.stdin):
    for i in range(6):
        size = random.choice([1, 2, 5, 17]) << 14
        at = libc.mmap(place if i % 2 else 0, size, 3, 0x22 | (0x100000 if i % 2 else 0), -1, 0)
        place -= random.choice([0, 1 << 20]) + (4 << 14) * 5
        ctypes.memset(at, 1, size // 2)
        kept.append([at, size])
    random.shuffle(kept)
    for _ in range(2):
        libc.munmap(*kept.pop())
    libc.mprotect(kept[0][0], 4096, random.choice([0, 1, 5]))
    grown = libc.mremap(kept[1][0], kept[1][1], kept[1][1] * 2, 1)
    kept[1] = [grown, kept[1][1] * 2]
    libc.munmap(kept[2][0], 4096)
    kept[2] = [kept[2][0] + 4096, kept[2][1] - 4096]
    if step == 2: library = ctypes.CDLL("libBrokenLocale.so.1")
    if step == 4: resource.setrlimit(resource.RLIMIT_MEMLOCK, (32768, resource.getrlimit(resource.RLIMIT_MEMLOCK)[1]))
    if step == 5: _ctypes.dlclose(library._handle)
    if step == 3: [threading.Thread(target=ended.wait).start() for _ in range(3)]
    if step == 6: ended.set(); time.sleep(.1)
    print("done", flush=True)
ended.set()
`;

function run(...words: string[]): string {
  return execFileSync(vmmap, words, { encoding: "utf8", maxBuffer: 1 << 28 });
}

async function record(session: string): Promise<void> {
  const target = spawn("python3", ["-u", "-c", TARGET], { stdio: ["pipe", "pipe", "inherit"] });
  const answer = (): Promise<unknown> => new Promise((done, fail) => {
    target.stdout.once("data", done);
    target.once("exit", () => fail(new Error("the target ended")));
  });
  try {
    await answer();
    for (let i = 0; i < STEPS; i++) {
      run("save", String(target.pid), "-o", session, ...(i ? ["--append"] : []));
      const done = answer();
      target.stdin.write("\n");
      await done;
    }
  } finally {
    target.kill("SIGKILL");
  }
}

function reportOf(session: string, ...words: string[]): ReportData {
  const page = run("report", session, "-o", "-", ...words);
  const [, encoding, text] = /<script[^>]*id="vmmap-data"([^>]*)>([^<]*)<\/script>/.exec(page) ?? [];
  return JSON.parse(encoding?.includes("gzip") ? gunzipSync(Uint8Array.from(atob(text ?? ""), (c) => c.charCodeAt(0))).toString() : (text ?? "")) as ReportData;
}

/** What the page reads of a row, without members that say nothing. */
function plain(row: DiffRow): object {
  return JSON.parse(JSON.stringify(row)) as object;
}

/** Heaps by their ids: what of them the page shows. */
function sameHeaps(found: readonly DiffRow[], expected: readonly DiffRow[], what: string): void {
  const numbers = (row: DiffRow): unknown[] => {
    const by = row["change"] as Record<string, number | null>;
    return [row["id_before"], by["size"], by["rss"], by["used"], by["unused"], row["used_count"], row["free_count"]];
  };
  for (const row of found) {
    const other = expected.find((r) => r["id"] === row["id"] && (r.state === "gone") === (row.state === "gone"));
    assert.ok(other, `heap ${String(row["id"])} of ${what} changed`);
    assert.deepEqual(numbers(row), numbers(other as DiffRow), `heap ${String(row["id"])} of ${what}`);
  }
  for (const row of expected.filter((r) => ["new", "gone", "grown", "shrunk"].includes(r.state)))
    assert.equal(found.find((r) => r["id"] === row["id"])?.state, row.state, `heap ${String(row["id"])} of ${what}`);
}

test("every pair of snapshots differs as vmmap diff says", { skip: !vmmap && "VMMAP is not set" }, async () => {
  const folder = mkdtempSync(join(tmpdir(), "vmmap-compare-"));
  const session = join(folder, "s.vmmap");
  try {
    await record(session);
    const data = reportOf(session);
    const page = new ReportProvider(INFO, data);
    const numbers = page.snapshots().map((s) => s.n);
    const states = new Set<string>();
    const told = new Set<string>();
    assert.equal(numbers.length, STEPS);
    for (const before of numbers)
      for (const after of numbers.filter((n) => n > before)) {
        const what = `${before} with ${after}`;
        const expected = JSON.parse(run("diff", `${session}@${before}`, `${session}@${after}`, "--json")) as Diff;
        const found = await page.diff(before, after);
        assert.deepEqual(found?.types.map(plain), expected.types, `types of ${what}`);
        assert.deepEqual(found?.regions.map(plain), expected.regions, `regions of ${what}`);
        for (const part of ["identities", "limits", "threads", "modules", "notes_before", "notes_after"] as const)
          assert.deepEqual(JSON.parse(JSON.stringify(found?.[part])), expected[part], `${part} of ${what}`);
        for (const t of expected.threads ?? []) told.add("thread " + t.state);
        for (const m of expected.modules ?? []) told.add("image " + m.state);
        for (const l of expected.limits ?? []) told.add("limit " + l.id);
        sameHeaps(found?.heaps ?? [], expected.heaps ?? [], what);
        assert.equal(found?.["elapsed_ns"], expected["elapsed_ns"], `time between ${what}`);
        assert.equal(found?.["matched_by"], "library", `${what} is the library's own answer`);
        for (const row of expected.regions) for (const word of row.changes ?? []) states.add(word);
      }
    for (const word of ["new", "gone", "grown", "shrunk", "protected", "changed"]) assert.ok(states.has(word), `some region is ${word}`);
    for (const word of ["thread new", "thread gone", "image new", "image gone", "limit as", "limit memlock"]) assert.ok(told.has(word), `${word} is among them`);
    // Without what the report says of pairs that are far apart some would be mistaken: else this test shows nothing.
    const other = data.targets?.[0]?.same.other ?? [];
    assert.ok(other.length > 0, "regions that came back are matched otherwise than step by step");
    await targets(session);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

/** A session of two targets: each with its own snapshots, the last one first. */
async function targets(session: string): Promise<void> {
  const other = spawn("python3", ["-u", "-c", "print('ready'); input()"], { stdio: ["pipe", "pipe", "inherit"] });
  try {
    await new Promise((done) => other.stdout.once("data", done));
    run("save", String(other.pid), "-o", session, "--append");
    run("save", String(other.pid), "-o", session, "--append");
    const data = reportOf(session);
    const page = new ReportProvider(INFO, data);
    assert.deepEqual(page.targets().map((t) => [t.target, t.snapshots]), [[1, STEPS], [2, 2]]);
    assert.equal(page.target, 2);
    assert.deepEqual(page.snapshots().map((s) => s.pid), [other.pid, other.pid]);
    const first = page.withTarget(1);
    assert.equal(first.snapshots().length, STEPS);
    assert.deepEqual((await first.timeline("rss"))?.looks.map((l) => l.snapshot), first.snapshots().map((s) => s.n));
    assert.equal(page.withTarget(99).target, 2);
    const alone = new ReportProvider(INFO, reportOf(session, "--target", "target:1"));
    assert.deepEqual([alone.targets().length, alone.target, alone.snapshots().length], [1, 1, STEPS]);
  } finally {
    other.kill("SIGKILL");
  }
}

test("threads of two processes: the main one, then by stacks, then by names in the order of their numbers", () => {
  const side = (pid: number, tids: number[], list: [number, string | null][]): Snapshot => ({
    head: { target: { pid, started_at: null }, threads: list.map(([tid, name]) => ({ tid, name, state: "S", sp: null, stack: null })) },
    regions: rowsOf(tids.map((tid, i) => ({ address: "0x" + (4096 * (i + 1)).toString(16), end: "0x0", kind: "stack", tid }))),
  }) as unknown as Snapshot;
  const a = side(7, [7, 9], [[7, "main"], [9, "stays"], [8, "x"], [5, "x"], [4, null]]);
  const b = side(97, [97, 90], [[97, "other"], [90, "renamed"], [93, "x"], [92, "x"], [91, "x"]]);
  const told = (mates: Mates, from = a): string[] => threads(from, b, mates).map((t) => `${t.state} ${t.tid}`);
  const of = Int32Array.from([-1, 1]);
  assert.deepEqual(told({ of, sameLayout: false, by: "address" }), ["new 93", "gone 4"]);
  assert.deepEqual(told({ of: Int32Array.from([-1, -1]), sameLayout: false, by: "address" }), ["new 90", "new 93", "gone 9", "gone 4"]);
  // One process: only numbers count.
  assert.deepEqual(told({ of, sameLayout: true, by: "address" }, side(97, [], [[97, "main"], [90, "a"], [93, "b"], [95, "x"]])), ["new 92", "new 91", "gone 95"]);
});

test("numbers of regions join two snapshots; what is told otherwise goes before them", () => {
  const same = new Same({ ids: [[0, 1, 1], [0, 2], [1, 2, -1]], layouts: [0, 0, 1], known: 1,
    other: [{ before: 1, after: 9, same_layout: true, regions: [1, 0, 2, -1] }] }, [1, 4, 9]);
  assert.deepEqual([...(same.mates(1, 4)?.of ?? [])], [0, 2]);
  assert.deepEqual([...(same.mates(1, 9)?.of ?? [])], [1, 0, -1]);
  assert.equal(same.mates(1, 9)?.sameLayout, true);
  assert.deepEqual([...(same.mates(4, 9)?.of ?? [])], [-1, -1, 1]);
  assert.deepEqual([same.mates(4, 9)?.sameLayout, same.mates(4, 9)?.by], [false, "library"]);
  assert.equal(same.mates(1, 7), null);
  assert.equal(same.mates(9, 1), null);
});
