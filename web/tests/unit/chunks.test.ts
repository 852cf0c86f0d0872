import assert from "node:assert/strict";
import test from "node:test";
import { cellStates, chunkAt, NO_STATE, type Chunk } from "../../src/data/chunks";
import { STATES } from "../../src/data/heaps";

const chunk = (start: number, stretch: number, state: string): Chunk => ({ address: start + 8, size: stretch - 8, start, stretch, state });
const place = (id: string): number => STATES.findIndex((s) => s.id === id);

test("a cell has the state that most of its bytes have", () => {
  const chunks = [chunk(0, 60, "used"), chunk(60, 40, "free"), chunk(100, 240, "free"), chunk(340, 60, "used")];
  assert.deepEqual([...cellStates(chunks, 0, 400, 4)], [place("used"), place("free"), place("free"), place("used")]);
  assert.deepEqual([...cellStates(chunks, 0, 800, 2)], [place("free"), NO_STATE]);
});

test("against counting byte by byte", () => {
  let seed = 12345;
  const next = (n: number): number => (seed = (seed * 1103515245 + 12345) & 0x7fffffff) % n;
  for (let round = 0; round < 50; round++) {
    const chunks: Chunk[] = [];
    let at = 1000 + next(20);
    while (at < 2000) {
      const stretch = 1 + next(round < 25 ? 12 : 120);
      if (next(5)) chunks.push(chunk(at, stretch, STATES[next(STATES.length)]?.id ?? "used"));
      at += stretch;
    }
    const cells = 37;
    const got = cellStates(chunks, 1000, 1000 + cells * 29, cells);
    for (let c = 0; c < cells; c++) {
      const counts = STATES.map(() => 0);
      for (let b = 0; b < 29; b++) {
        const found = chunks.find((k) => k.start <= 1000 + c * 29 + b && 1000 + c * 29 + b < k.start + k.stretch);
        if (found) counts[place(found.state)] = (counts[place(found.state)] ?? 0) + 1;
      }
      const most = Math.max(...counts);
      if (most === 0) assert.equal(got[c], NO_STATE);
      else assert.equal(counts[got[c] ?? -1], most, `round ${round} cell ${c}`);
    }
  }
});

test("the chunk at an address", () => {
  const chunks = [chunk(10, 10, "used"), chunk(30, 5, "free")];
  assert.deepEqual([9, 10, 19, 20, 30, 34, 35].map((a) => chunkAt(chunks, a)?.start ?? null), [null, 10, 10, null, 30, 30, null]);
  assert.equal(chunkAt([], 5), null);
});

test("what is empty or odd draws nothing", () => {
  assert.deepEqual([...cellStates([], 0, 0, 3)], [NO_STATE, NO_STATE, NO_STATE]);
  assert.deepEqual([...cellStates([chunk(0, 10, "nonsense")], 0, 10, 2)], [NO_STATE, NO_STATE]);
});
