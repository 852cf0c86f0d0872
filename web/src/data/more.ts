// What a report holds beside its data (src/face/report_more.c), of its last snapshot: the kernel's mappings, the state of
// every page, chunks of heaps, contents of memory. Nothing is unpacked before it is asked for.
import { HeapChunks, type ChunksJson } from "./more_chunks";
import type { MemoryBytes, PageRuns } from "./provider";
import { rowsOf, unpackRows, type Rows } from "./rows";
import type { SnapshotJson } from "./types";

/** Unpacks an element of the page; null when there is none. */
export type Unpack = (id: string) => (() => Promise<unknown>) | null;

interface PagesJson {
  page_size: number;
  /** Nothing is known of pages from there on; null: of all. */
  up_to: string | null;
  /** Of each run that is not absent: pages behind the end of the one before, how many, and the first letter of what. */
  skip: number[];
  pages: number[];
  states: string;
}

const STATES: Readonly<Record<string, string>> = { p: "present", f: "file", h: "huge", z: "zero", s: "swapped", g: "guard" };

/** All pages of a report as runs by address. */
export class Pages {
  private readonly starts: Float64Array;
  private readonly counts: Float64Array;
  private readonly upTo: number;

  constructor(private readonly json: PagesJson) {
    const n = Math.min(json.skip.length, json.pages.length, json.states.length);
    this.starts = new Float64Array(n);
    this.counts = new Float64Array(n);
    this.upTo = json.up_to === null ? Infinity : Number(json.up_to);
    let end = 0;
    for (let i = 0; i < n; i++) {
      const start = end + (json.skip[i] ?? 0) * json.page_size;
      this.starts[i] = start;
      this.counts[i] = json.pages[i] ?? 0;
      end = start + (json.pages[i] ?? 0) * json.page_size;
    }
  }

  /** The first run that ends above an address. */
  private first(address: number): number {
    let from = 0;
    let to = this.starts.length;
    while (from < to) {
      const middle = (from + to) >> 1;
      if ((this.starts[middle] ?? 0) + (this.counts[middle] ?? 0) * this.json.page_size <= address) from = middle + 1;
      else to = middle;
    }
    return from;
  }

  /** Runs of a stretch; what is between them is absent. */
  of(address: number, end: number): PageRuns {
    if (end > this.upTo) throw new Error("This report does not tell the pages at these addresses.");
    const size = this.json.page_size;
    const start = address - (address % size);
    const runs: PageRuns["runs"] = [];
    const put = (from: number, to: number, state: string): void => {
      if (to > from) runs.push({ address: from, pages: Math.ceil((to - from) / size), state });
    };
    let at = start;
    for (let i = this.first(start); i < this.starts.length && (this.starts[i] ?? 0) < end; i++) {
      const from = Math.max(at, this.starts[i] ?? 0);
      const to = Math.min(end, (this.starts[i] ?? 0) + (this.counts[i] ?? 0) * size);
      put(at, from, "absent");
      put(from, to, STATES[this.json.states[i] ?? ""] ?? "absent");
      at = to;
    }
    put(at, end, "absent");
    return { page_size: size, runs };
  }
}

interface MemoryJson {
  /** Bytes, or how many of 0 there are. */
  parts: { address: string; hex?: string; zero?: number }[];
  left_out: number;
}

/** Contents that a report holds. */
export class Contents {
  private readonly parts: { address: number; end: number; hex: string | null }[];

  constructor(private readonly json: MemoryJson) {
    this.parts = json.parts
      .map(({ address, hex, zero }) => ({ address: Number(address), end: Number(address) + (hex === undefined ? (zero ?? 0) : hex.length / 2), hex: hex ?? null }))
      .sort((a, b) => a.address - b.address);
  }

  /** Bytes of a stretch; of a large one zeros may be left out. */
  of(address: number, end: number, zeros = true): MemoryBytes {
    const parts: MemoryBytes["parts"] = [];
    let found = false;
    for (const p of this.parts) {
      const from = Math.max(address, p.address);
      const to = Math.min(end, p.end);
      if (from >= to) continue;
      found = true;
      if (p.hex === null && !zeros) continue;
      const bytes = new Uint8Array(to - from);
      if (p.hex !== null) for (let i = 0; i < bytes.length; i++) bytes[i] = parseInt(p.hex.substr(2 * (from - p.address + i), 2), 16);
      parts.push({ address: from, bytes });
    }
    if (!found)
      throw new Error(this.json.left_out
        ? "Nothing of this is in the report: it was not asked for, not in memory, or left out because it was too much."
        : "Nothing of this is in the report: it was not asked for, or not in memory.");
    return { address, parts };
  }
}

const SHORTEST = 6; // as vmmap strings
const MOST = 1000;
const SHOWN = 1000; // bytes of one

/** Printable ASCII and whole UTF-8 sequences in a row, as `vmmap strings --encoding ascii,utf8`; at most 1000 of them. */
export function stringsIn(memory: MemoryBytes): { address: string; text: string }[] {
  const found: { address: string; text: string }[] = [];
  for (const { address, bytes } of memory.parts) {
    let start = 0;
    let characters = 0;
    for (let i = 0; i <= bytes.length && found.length < MOST; ) {
      const length = i < bytes.length ? characterAt(bytes, i) : 0;
      if (length) {
        i += length;
        characters++;
        continue;
      }
      if (characters >= SHORTEST) found.push({ address: "0x" + BigInt(address + start).toString(16), text: shownText(bytes.subarray(start, i)) });
      start = ++i;
      characters = 0;
    }
  }
  return found;
}

function shownText(bytes: Uint8Array): string {
  const text = new TextDecoder().decode(bytes.subarray(0, SHOWN));
  return bytes.length > SHOWN ? text.replace(/\ufffd+$/, "") + "…" : text;
}

/** Bytes of the printable character that begins there; 0: none does. */
function characterAt(bytes: Uint8Array, i: number): number {
  const first = bytes[i] ?? 0;
  if (first < 0x80) return (first >= 0x20 && first < 0x7f) || first === 9 ? 1 : 0;
  const length = first >= 0xc2 && first < 0xe0 ? 2 : first >= 0xe0 && first < 0xf0 ? 3 : first >= 0xf0 && first < 0xf5 ? 4 : 0;
  if (!length || i + length > bytes.length) return 0;
  const text = new TextDecoder().decode(bytes.subarray(i, i + length));
  return text.length <= 2 && /^[\p{L}\p{N}\p{P}\p{S}\p{Zs}]$/u.test(text) && !text.includes("\ufffd") ? length : 0;
}

function once<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | null = null;
  return () => (made ??= make());
}

export interface More {
  mappings?: () => Promise<Rows>;
  pages?: () => Promise<Pages>;
  memory?: () => Promise<Contents>;
  chunks?: () => Promise<HeapChunks>;
}

export function moreOf(unpack: Unpack): More {
  const more: More = {};
  const mappings = unpack("vmmap-mappings");
  const pages = unpack("vmmap-pages");
  const memory = unpack("vmmap-memory");
  if (mappings) more.mappings = once(async () => {
    const { mappings: m } = (await mappings()) as SnapshotJson;
    return Array.isArray(m) ? rowsOf(m) : m ? unpackRows(m) : rowsOf([]);
  });
  if (pages) more.pages = once(async () => new Pages((await pages()) as PagesJson));
  if (memory) more.memory = once(async () => new Contents((await memory()) as MemoryJson));
  const chunks = unpack("vmmap-chunks");
  if (chunks) more.chunks = once(async () => new HeapChunks((await chunks()) as ChunksJson));
  return more;
}
