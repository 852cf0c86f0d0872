// A report: everything stands in the page itself, as gzip and base64 or as plain JSON.
import { diffOf } from "./compare";
import type { ChunkPage } from "./chunks";
import type { More } from "./more";
import type { MemoryBytes, PageRuns, Provider, SnapshotEntry, TargetEntry } from "./provider";
import type { Rows } from "./rows";
import { matesByAddress, Same, type SameJson } from "./same";
import { snapshotOf, type Snapshot } from "./snapshot";
import type { Diff, Metric, Note, PageInfo, SnapshotJson, Timeline } from "./types";

/** What a report holds. */
export interface ReportData {
  snapshots: (SnapshotJson & { n?: number; of?: number })[];
  /** Of a session. */
  targets?: (TargetEntry & { same: SameJson; timelines: Record<string, Timeline> })[];
  /** Number of the snapshot that is shown first, and that `heaps` is of. */
  shown?: number;
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

/** How to unpack an element of the page; null when there is none. */
export function packedElement(id: string): (() => Promise<unknown>) | null {
  const e = embedded(id);
  if (!e) return null;
  return async () => {
    const text = (e.textContent ?? "").trim();
    return JSON.parse(e.dataset["encoding"] === "gzip" ? await gunzip(text) : text) as unknown;
  };
}

export async function embeddedData(): Promise<ReportData | null> {
  return ((await packedElement("vmmap-data")?.()) ?? null) as ReportData | null;
}

export class ReportProvider implements Provider {
  readonly can;
  readonly target: number | null;
  private readonly made = new Map<number, Promise<Snapshot>>();
  private readonly mine: { n: number; json: SnapshotJson }[];
  private readonly same: Same | null;

  /** Of one target of a session: the one that was looked at last unless another is named. */
  constructor(
    readonly info: PageInfo,
    private readonly data: ReportData,
    private readonly more: More = {},
    target: number | null = null,
  ) {
    this.target = this.targets().find((t) => t.target === target)?.target ?? this.first();
    this.mine = data.snapshots.flatMap((json, i) => (this.target === null || json.of === this.target ? [{ n: json.n ?? i, json }] : []));
    const { same } = this.ofTarget() ?? {};
    this.same = same ? new Same(same, this.mine.map((s) => s.n)) : null;
    const last = this.mine.at(-1)?.n;
    const of = data.shown ?? last;
    this.moreOf = this.mine.find((s) => s.n === of)?.n ?? null;
    const { mappings, pages, memory, strings, chunks } = this.moreOf === null ? {} : more;
    this.can = { live: false, memory: memory !== undefined, pages: pages !== undefined, strings: strings !== undefined, processes: false, diff: this.mine.length > 1 };
    if (chunks) this.chunks = async (id, address, end, limit, n) => (await this.ofOne(n, chunks)).of(id, address, end, limit);
    if (mappings) this.mappings = (n) => this.ofOne(n, mappings);
  }

  /** The snapshot that mappings, pages and contents are of; null: of none of this target's. */
  private readonly moreOf: number | null;
  readonly mappings?: (n: number) => Promise<Rows>;
  readonly chunks?: (id: string, address: number, end: number, limit: number, n?: number) => Promise<ChunkPage>;

  /** The other snapshots have nothing to show instead. */
  private async ofOne<T>(n: number | undefined, get: (() => Promise<T>) | undefined): Promise<T> {
    if ((n ?? this.mine.at(-1)?.n) !== this.moreOf) throw new Error("This report holds them of its last snapshot alone.");
    if (!get) throw new Error("This report does not hold them.");
    return get();
  }

  async pages(address: number, end: number, n?: number): Promise<PageRuns> {
    return (await this.ofOne(n, this.more.pages)).of(address, end);
  }

  async memory(address: number, length: number, n?: number): Promise<MemoryBytes> {
    return (await this.ofOne(n, this.more.memory)).of(address, address + length);
  }

  async strings(address: number, end: number, n?: number): Promise<unknown> {
    (await this.ofOne(n, this.more.memory)).check(address, end);
    return (await this.ofOne(n, this.more.strings)).of(address, end);
  }

  private first(): number | null {
    const { snapshots, shown, targets } = this.data;
    return snapshots.find((s) => s.n === shown)?.of ?? targets?.[0]?.target ?? null;
  }

  private ofTarget(): NonNullable<ReportData["targets"]>[number] | undefined {
    return this.data.targets?.find((t) => t.target === this.target);
  }

  targets(): TargetEntry[] {
    return this.data.targets ?? [];
  }

  withTarget(target: number | null): Provider {
    return new ReportProvider(this.info, this.data, this.more, target);
  }

  snapshots(): SnapshotEntry[] {
    return this.mine.map(({ n, json }) => ({ n, taken_at: json.taken_at ?? "", pid: json.target.pid }));
  }

  snapshot(n: number): Promise<Snapshot> {
    let made = this.made.get(n);
    if (!made) {
      const found = this.mine.find((s) => s.n === n)?.json;
      made = found ? Promise.resolve(snapshotOf({ ...found, notes: [...found.notes, ...(this.data.notes ?? [])] })) : Promise.reject(new Error(`snapshot ${n} is not in this report`));
      this.made.set(n, made);
    }
    return made;
  }

  /** What grows is told once, beside what is resident. */
  timeline(measure: Metric): Promise<Timeline | null> {
    const timelines = this.ofTarget()?.timelines;
    const found = timelines?.[measure];
    return Promise.resolve(found ? { ...found, growth: timelines?.["rss"]?.growth ?? null } : null);
  }

  async diff(before: number, after: number): Promise<Diff | null> {
    const [a, b] = await Promise.all([this.snapshot(before), this.snapshot(after)]);
    return diffOf(a, b, this.same?.mates(before, after) ?? matesByAddress(a.regions, b.regions));
  }

  notes(): Note[] {
    return this.data.notes ?? [];
  }

  heaps(n = this.mine.at(-1)?.n): Promise<unknown> {
    return Promise.resolve(n !== undefined && n === this.moreOf ? (this.data.heaps ?? null) : null);
  }
}
