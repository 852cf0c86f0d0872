// A report: everything stands in the page itself, as gzip and base64 or as plain JSON.
import { diffOf } from "./compare";
import type { Provider, SnapshotEntry } from "./provider";
import { snapshotOf, type Snapshot } from "./snapshot";
import type { Diff, Metric, Note, PageInfo, SnapshotJson, Timeline } from "./types";

/** What a report holds. */
export interface ReportData {
  snapshots: (SnapshotJson & { n?: number })[];
  timelines?: Record<string, Timeline>;
  diffs?: { before: number; after: number; diff: Diff }[];
  heaps?: unknown;
  /** What is not in the report. */
  notes?: Note[];
}

async function gunzip(base64: string): Promise<string> {
  if (typeof DecompressionStream === "undefined") throw new Error("This browser is too old to unpack the page's data.");
  const text = atob(base64);
  const packed = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) packed[i] = text.charCodeAt(i);
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(stream).text();
}

/** The text of an embedded element, null when there is none. */
function embedded(id: string): HTMLElement | null {
  return document.getElementById(id);
}

export function embeddedInfo(): PageInfo | null {
  const e = embedded("vmmap-info");
  return e ? (JSON.parse(e.textContent ?? "") as PageInfo) : null;
}

export async function embeddedData(): Promise<ReportData | null> {
  const e = embedded("vmmap-data");
  if (!e) return null;
  const text = (e.textContent ?? "").trim();
  return JSON.parse(e.dataset["encoding"] === "gzip" ? await gunzip(text) : text) as ReportData;
}

export class ReportProvider implements Provider {
  readonly can;
  private readonly made = new Map<number, Promise<Snapshot>>();

  constructor(
    readonly info: PageInfo,
    private readonly data: ReportData,
  ) {
    this.can = { live: false, memory: false, pages: false, strings: false, processes: false, diff: data.snapshots.length > 1 };
  }

  snapshots(): SnapshotEntry[] {
    return this.data.snapshots.map((s, i) => ({ n: s.n ?? i, taken_at: s.taken_at ?? "", pid: s.target.pid }));
  }

  snapshot(n: number): Promise<Snapshot> {
    let made = this.made.get(n);
    if (!made) {
      const found = this.data.snapshots.find((s, i) => (s.n ?? i) === n);
      made = found ? Promise.resolve(snapshotOf({ ...found, notes: [...found.notes, ...(this.data.notes ?? [])] })) : Promise.reject(new Error(`snapshot ${n} is not in this report`));
      this.made.set(n, made);
    }
    return made;
  }

  timeline(measure: Metric): Promise<Timeline | null> {
    return Promise.resolve(this.data.timelines?.[measure] ?? null);
  }

  async diff(before: number, after: number): Promise<Diff | null> {
    const made = this.data.diffs?.find((d) => d.before === before && d.after === after)?.diff;
    return made ?? diffOf(await this.snapshot(before), await this.snapshot(after));
  }

  notes(): Note[] {
    return this.data.notes ?? [];
  }

  heaps(): Promise<unknown> {
    return Promise.resolve(this.data.heaps ?? null);
  }
}
