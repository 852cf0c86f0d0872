// What a report holds beside its data: pages and contents, as src/face/report_more.c writes them.
import assert from "node:assert/strict";
import test from "node:test";
import { HeapChunks } from "../../src/data/more_chunks";
import { Contents, Pages, Strings } from "../../src/data/more";

const K = 4096;

test("pages of a stretch", () => {
  const pages = new Pages({ page_size: K, up_to: "0x20000", skip: [2, 0, 3], pages: [2, 1, 4], states: "pzs" });
  assert.deepEqual(pages.of(0, 14 * K).runs, [
    { address: 0, pages: 2, state: "absent" }, { address: 2 * K, pages: 2, state: "present" }, { address: 4 * K, pages: 1, state: "zero" },
    { address: 5 * K, pages: 3, state: "absent" }, { address: 8 * K, pages: 4, state: "swapped" }, { address: 12 * K, pages: 2, state: "absent" },
  ]);
  assert.deepEqual(pages.of(3 * K, 4 * K).runs, [{ address: 3 * K, pages: 1, state: "present" }]);
  assert.deepEqual(pages.of(3 * K + 100, 3 * K + 200).runs, [{ address: 3 * K, pages: 1, state: "present" }]); // a block inside a page
  assert.deepEqual(pages.of(13 * K, 14 * K).runs, [{ address: 13 * K, pages: 1, state: "absent" }]);
  assert.throws(() => pages.of(0x1f000, 0x21000), /does not tell/); // unknown is not absent
});

test("strings of a stretch, by address", () => {
  const row = (address: string, encoding: string, text: string): { address: string; length: number; encoding: string; text: string; cut: boolean } =>
    ({ address, length: 9, encoding, text, cut: false });
  const [a, b, c, d] = [row("0x3000", "ascii", "above"), row("0x1010", "utf16", "wide"), row("0x1010", "utf8", "narrow"), row("0x1000", "utf16", "first")];
  const strings = new Strings({ strings: [a, b, c, d], left_out: 3 });
  assert.deepEqual(strings.of(0x1000, 0x3000), { strings: [d, c, b], left_out: 3 });
  assert.deepEqual(strings.of(0x1001, 0x3001).strings, [c, b, a]);
});

test("contents", () => {
  const hex = (text: string): string => [...new TextEncoder().encode(text)].map((b) => b.toString(16).padStart(2, "0")).join("");
  const contents = new Contents({ parts: [{ address: "0x3000", hex: "ff00" }, { address: "0x1000", hex: hex("\u0000grüße!\u0001short\u0000<script>\u0000") }], left_out: 0 });
  const memory = contents.of(0x1000, 0x3001);
  assert.deepEqual(memory.parts.map((p) => [p.address, p.bytes.length]), [[0x1000, 25], [0x3000, 1]]);
  assert.deepEqual([...(contents.of(0x1001, 0x1003).parts[0]?.bytes ?? [])], [0x67, 0x72]);
  const zeros = new Contents({ parts: [{ address: "0x1000", zero: 1 << 30 }], left_out: 0 });
  assert.deepEqual([...(zeros.of(0x2000, 0x2002).parts[0]?.bytes ?? [1])], [0, 0]);
  assert.throws(() => contents.check(0x2000, 0x3000), /Nothing of this is in the report/);
  contents.check(0x2000, 0x3001);
  assert.throws(() => contents.of(0x5000, 0x6000), /Nothing of this is in the report/);
});

test("chunks of a heap", () => {
  const chunks = new HeapChunks({ states: ["used", "free"], heaps: [{ id: "glibc.0", base: "0x1000", skip: [0, 0, 16], size: [32, 64, 48], head: [16, 0, 16], less: [0, 0, 8], state: [0, 1, 0] }] });
  assert.deepEqual(chunks.of("glibc.0", 0, 0x2000, 2), {
    chunks: [{ address: 0x1010, size: 16, start: 0x1000, stretch: 32, state: "used" }, { address: 0x1020, size: 64, start: 0x1020, stretch: 64, state: "free" }], next: 0x1070,
  });
  assert.deepEqual(chunks.of("glibc.0", 0x1070, 0x2000, 2), { chunks: [{ address: 0x1080, size: 24, start: 0x1070, stretch: 48, state: "used" }], next: null });
  assert.deepEqual(chunks.of("glibc.0", 0x1021, 0x1022, 9).chunks.map((c) => c.state), ["free"]);
  assert.throws(() => chunks.of("other", 0, 1, 1), /not in the report/);
});
