// What a report holds beside its data (src/face/report_more.c), of its last snapshot: the kernel's mappings, the state of
// every page, chunks of heaps, contents of memory and their strings. Nothing is unpacked before it is asked for.
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

  /** Throws where nothing of a stretch is here. */
  check(address: number, end: number): void {
    if (this.parts.some((p) => p.address < end && p.end > address)) return;
    throw new Error(this.json.left_out
      ? "Nothing of this is in the report: it was not asked for, not in memory, or left out because it was too much."
      : "Nothing of this is in the report: it was not asked for, or not in memory.");
  }

  of(address: number, end: number): MemoryBytes {
    const parts: MemoryBytes["parts"] = [];
    this.check(address, end);
    for (const p of this.parts) {
      const from = Math.max(address, p.address);
      const to = Math.min(end, p.end);
      if (from >= to) continue;
      const bytes = new Uint8Array(to - from);
      if (p.hex !== null) for (let i = 0; i < bytes.length; i++) bytes[i] = parseInt(p.hex.substr(2 * (from - p.address + i), 2), 16);
      parts.push({ address: from, bytes });
    }
    return { address, parts };
  }
}

interface StringsJson {
  /** By region; those of one encoding by address. */
  strings: { address: string; length: number; encoding: string; text: string; cut: boolean }[];
  /** Found, but too many. */
  left_out: number;
}

const ENCODINGS = ["ascii", "utf8", "utf16"];

/** Strings in the contents that a report holds. */
export class Strings {
  private readonly rows: { at: number; order: number; row: StringsJson["strings"][number] }[];

  constructor(private readonly json: StringsJson) {
    this.rows = json.strings.map((row) => ({ at: Number(row.address), order: ENCODINGS.indexOf(row.encoding), row }))
      .sort((x, y) => x.at - y.at || x.order - y.order);
  }

  /** Those that begin there, as `vmmap strings --json` lists them. */
  of(address: number, end: number): StringsJson {
    return { strings: this.rows.filter((r) => address <= r.at && r.at < end).map((r) => r.row), left_out: this.json.left_out };
  }
}

function once<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | null = null;
  return () => (made ??= make());
}

export interface More {
  mappings?: () => Promise<Rows>;
  pages?: () => Promise<Pages>;
  memory?: () => Promise<Contents>;
  strings?: () => Promise<Strings>;
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
  const strings = unpack("vmmap-strings");
  if (strings) more.strings = once(async () => new Strings((await strings()) as StringsJson));
  const chunks = unpack("vmmap-chunks");
  if (chunks) more.chunks = once(async () => new HeapChunks((await chunks()) as ChunksJson));
  return more;
}
