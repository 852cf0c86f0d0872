// A server: vmmap serve. One request gives a snapshot whole; from then on come changes of it, as server-sent events.
import type { ChunkPage } from "./chunks";
import { applyChanges, type ChangesJson } from "./changes";
import type { Growth, LiveStatus, MemoryBytes, News, PageRuns, Provider, ProcessRow, SnapshotEntry, TargetEntry } from "./provider";
import { unpackRows, rowsOf, type Rows } from "./rows";
import { snapshotOf, type Snapshot } from "./snapshot";
import { messageOf } from "../text";
import type { Diff, Metric, PageInfo, SnapshotJson, Target, Timeline } from "./types";

export interface ServeInfo extends PageInfo {
  live: boolean;
  target: Target | null;
  can: { memory: boolean; pages: boolean; strings: boolean; processes: boolean; diff: boolean };
  gone: string | null;
  interval_ms: number | null;
  growth: LiveStatus["growth"];
  shown: number | null;
  snapshots: (SnapshotEntry & { target?: number })[];
  /** Of a session in a file. */
  targets?: TargetEntry[];
  cost: LiveStatus["cost"];
}

/** Snapshots that are kept beside the last; others are asked for again. */
const KEPT = 6;

/** The server's own words for what went wrong. */
async function failure(answer: Response): Promise<Error> {
  try {
    const body = (await answer.json()) as { error?: unknown };
    if (typeof body.error === "string") return new Error(body.error);
  } catch {
    // No JSON: then the status alone has to do.
  }
  return new Error(`the server answered ${answer.status}`);
}

export async function ask<T>(path: string, parameters: Record<string, string | number> = {}): Promise<T> {
  const query = new URLSearchParams(Object.entries(parameters).map(([k, v]) => [k, String(v)])).toString();
  const answer = await fetch(`api/${path}${query ? "?" + query : ""}`, { cache: "no-store" });
  if (!answer.ok) throw await failure(answer);
  return (await answer.json()) as T;
}

async function tell<T>(path: string, body: object): Promise<T> {
  const answer = await fetch(`api/${path}`, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });
  if (!answer.ok) throw await failure(answer);
  return (await answer.json()) as T;
}

/** A file as it stands on the disk: fetch does not tell how much of it has gone. */
function send<T>(file: File, progress: (sent: number, all: number) => void, stop: AbortSignal): Promise<T> {
  return new Promise((done, fail) => {
    const request = new XMLHttpRequest();
    // A name may hold what no address does; it is only shown.
    const name = [...file.name.replace(/[\u0000-\u001f\u007f]/g, "?")].slice(0, 60).join("") || "file";
    request.open("POST", "api/file?" + new URLSearchParams({ name }).toString());
    request.setRequestHeader("Content-Type", "application/octet-stream");
    request.responseType = "text";
    request.upload.onprogress = (e): void => progress(e.loaded, e.total);
    request.upload.onload = (e): void => progress(e.total, e.total);
    request.onload = (): void => {
      let body: unknown = null;
      try {
        body = JSON.parse(request.responseText);
      } catch {
        // No JSON: then the status alone has to do.
      }
      const error = (body as { error?: unknown } | null)?.error;
      if (request.status === 200 && body) done(body as T);
      else fail(new Error(typeof error === "string" ? error : `the server answered ${request.status}`));
    };
    request.onerror = (): void => fail(new Error(`${name}: the connection broke off: the server has ended, or takes another file just now, or this one is larger than 16 GiB`));
    request.onabort = (): void => fail(new Error("cancelled"));
    stop.addEventListener("abort", () => request.abort());
    request.send(file);
  });
}

function bytesOf(hex: string): Uint8Array {
  const bytes = new Uint8Array(hex.length >> 1);
  for (let i = 0; i < bytes.length; i++) bytes[i] = parseInt(hex.slice(2 * i, 2 * i + 2), 16);
  return bytes;
}

function hexAddress(n: number): string {
  return "0x" + BigInt(n).toString(16);
}

export class ServeProvider implements Provider {
  private readonly entries: SnapshotEntry[];
  private readonly kept = new Map<number, Promise<Snapshot>>();
  private readonly listeners = new Set<(news: News) => void>();
  private events: EventSource | null = null;
  /** The last snapshot that changes apply to. */
  private last: { n: number; snapshot: Snapshot } | null = null;
  private now: LiveStatus;
  readonly can;
  readonly shown: number | null;
  readonly target: number | null;

  /** Of one target of a session: the one whose snapshot the server shows unless another is named. */
  constructor(readonly info: ServeInfo, target: number | null = null) {
    this.can = { ...info.can, live: info.live };
    const first = info.snapshots.find((s) => s.n === info.shown)?.target ?? null;
    this.target = this.targets().find((t) => t.target === target)?.target ?? first;
    this.entries = info.snapshots.filter((s) => this.target === null || s.target === this.target);
    this.shown = this.target === first ? info.shown : null;
    this.now = { live: info.live, gone: info.gone, exec: null, lost: false, interval_ms: info.interval_ms, growth: info.growth, cost: info.cost };
  }

  static async open(): Promise<ServeProvider> {
    return new ServeProvider(await ask<ServeInfo>("info"));
  }

  targets(): TargetEntry[] {
    return this.info.targets ?? [];
  }

  withTarget(target: number | null): Provider {
    return new ServeProvider(this.info, target);
  }

  status(): LiveStatus {
    return this.now;
  }

  snapshots(): SnapshotEntry[] {
    return this.entries;
  }

  snapshot(n: number): Promise<Snapshot> {
    if (this.last?.n === n) return Promise.resolve(this.last.snapshot);
    const had = this.kept.get(n);
    this.kept.delete(n);
    const made = had ?? this.fetchSnapshot(n);
    this.kept.set(n, made);
    made.catch(() => this.kept.delete(n));
    for (const old of this.kept.keys()) if (this.kept.size > KEPT) this.kept.delete(old);
    return made;
  }

  private async fetchSnapshot(n: number): Promise<Snapshot> {
    const snapshot = snapshotOf(await ask<SnapshotJson>("snapshot", { n }));
    if (n === this.entries.at(-1)?.n) this.last = { n, snapshot };
    return snapshot;
  }

  async setGrowth({ measure, percent }: Growth): Promise<void> {
    this.news({ type: "status" }, await tell<Partial<LiveStatus>>(`growth?measure=${measure}&percent=${percent}`, {}));
  }

  /** Contents of a process are those of now: of one that has ended, or of an earlier snapshot, nobody need be asked. */
  private contents<T>(path: string, n: number | undefined, parameters: Record<string, string | number> = {}): Promise<T> {
    if (this.now.gone !== null) return Promise.reject(new Error(this.now.gone));
    if (n === undefined || (this.now.live && n === this.entries.at(-1)?.n)) return ask<T>(path, parameters);
    if (this.now.live) return Promise.reject(new Error("The contents of a process are those of now: the last snapshot shows them."));
    return ask<T>(path, { ...parameters, n });
  }

  timeline(measure: Metric): Promise<Timeline | null> {
    return ask<Timeline>("timeline", { measure, by: "kind", ...(this.targets().length > 1 ? { target: `target:${this.target}` } : {}) });
  }

  diff(before: number, after: number): Promise<Diff | null> {
    return ask<Diff>("diff", { before, after });
  }

  async mappings(n: number): Promise<Rows> {
    const { mappings: m } = await ask<SnapshotJson>("snapshot", { n, raw: 1 });
    return Array.isArray(m) ? rowsOf(m) : m ? unpackRows(m) : rowsOf([]);
  }

  async memory(address: number, length: number, n?: number): Promise<MemoryBytes> {
    const given = await this.contents<{ parts: { address: string; hex: string }[] }>("memory", n, { address: hexAddress(address), length });
    return { address, parts: given.parts.map((p) => ({ address: Number(p.address), bytes: bytesOf(p.hex) })) };
  }

  async pages(address: number, end: number, n?: number): Promise<PageRuns> {
    const given = await this.contents<{ page_size: number; runs: { address: string; pages: number; state: string }[] }>(
      "pages", n, { address: hexAddress(address), end: hexAddress(end) });
    return { page_size: given.page_size, runs: given.runs.map((r) => ({ ...r, address: Number(r.address) })) };
  }

  strings(address: number, end: number, n?: number): Promise<unknown> {
    return this.contents("strings", n, { address: hexAddress(address), end: hexAddress(end) });
  }

  at(address: number): Promise<unknown> {
    return ask("at", { address: hexAddress(address) });
  }

  heaps(n?: number): Promise<unknown> {
    return this.contents("heap", n);
  }

  async chunks(id: string, address: number, end: number, limit: number, n?: number): Promise<ChunkPage> {
    const given = await this.contents<{ chunks: { address: string; size: number; start: string; stretch: number; state: string }[]; next: string | null }>(
      "chunks", n, { id, address: hexAddress(address), end: hexAddress(end), limit });
    const chunks = given.chunks.map((c) => ({ ...c, address: Number(c.address), start: Number(c.start) }));
    return { chunks, next: given.next === null ? null : Number(given.next) };
  }

  async processes(): Promise<ProcessRow[]> {
    return (await ask<{ processes: ProcessRow[] }>("processes")).processes;
  }

  /** Another process from now on; what this one knew is of no account then. */
  async choose(pid: number): Promise<Provider> {
    const info = await tell<ServeInfo>(`target?name=${pid}`, {});
    this.close();
    return new ServeProvider(info);
  }

  async openFile(file: File, progress: (sent: number, all: number) => void, stop: AbortSignal): Promise<Provider> {
    const info = await send<ServeInfo>(file, progress, stop);
    this.close();
    return new ServeProvider(info);
  }

  async look(): Promise<void> {
    await tell("look", {});
  }

  async setInterval(ms: number): Promise<void> {
    this.news({ type: "status" }, await tell<Partial<LiveStatus>>("interval", { ms }));
  }

  seen(): void {
    this.news({ type: "status" }, { exec: null });
  }

  subscribe(listener: (news: News) => void): () => void {
    this.listeners.add(listener);
    if (this.now.live && !this.events) this.listen();
    return () => {
      this.listeners.delete(listener);
      if (!this.listeners.size) this.close();
    };
  }

  close(): void {
    this.events?.close();
    this.events = null;
  }

  private news(news: News, status: Partial<LiveStatus> = {}): void {
    this.now = { ...this.now, ...status };
    for (const listener of [...this.listeners]) listener(news);
  }

  private listen(): void {
    const last = this.entries.at(-1)?.n;
    const events = new EventSource("api/events" + (last === undefined ? "" : "?n=" + last));
    this.events = events;
    const on = (type: string, take: (data: unknown) => void): void =>
      events.addEventListener(type, (e) => {
        if (e instanceof MessageEvent && typeof e.data === "string") take(JSON.parse(e.data));
      });
    const text = (d: unknown): string => String((d as { text?: unknown }).text ?? "");
    on("changes", (d) => this.onChanges(d as ChangesJson));
    on("reload", (d) => this.onReload((d as { n: number }).n));
    on("exec", (d) => this.news({ type: "exec", text: text(d) }, { exec: text(d) }));
    on("interval", (d) => this.news({ type: "status" }, d as Partial<LiveStatus>));
    on("gone", (d) => {
      this.close();
      this.news({ type: "gone", text: text(d) }, { live: false, gone: text(d) });
    });
    // A connection that fails is an event "error" too, but without data.
    on("error", (d) => this.news({ type: "error", text: text(d) }));
    events.onerror = (e): void => {
      if (!(e instanceof MessageEvent)) this.news({ type: "status" }, { lost: true });
      if (events.readyState === EventSource.CLOSED && this.events === events) {
        this.events = null;
        setTimeout(() => this.listeners.size && !this.events && this.listen(), 3000);
      }
    };
    events.onopen = (): void => this.news({ type: "status" }, { lost: false });
  }

  private add(n: number, head: Snapshot["head"]): void {
    if (!this.entries.some((e) => e.n === n)) this.entries.push({ n, taken_at: head.taken_at ?? "", pid: head.target.pid });
    this.news({ type: "snapshot", n });
    this.refreshCost();
  }

  private onChanges(document: ChangesJson): void {
    if (this.last?.n !== document.before) {
      this.onReload(document.n);
      return;
    }
    const snapshot = applyChanges(this.last.snapshot, document);
    this.last = { n: document.n, snapshot };
    this.add(document.n, snapshot.head);
  }

  private onReload(n: number): void {
    ask<SnapshotJson>("snapshot", { n })
      .then((document) => {
        if (this.last && this.last.n > n) return;
        const snapshot = snapshotOf(document);
        this.last = { n, snapshot };
        this.add(n, snapshot.head);
      })
      .catch((e: unknown) => this.news({ type: "error", text: messageOf(e) }));
  }

  private costAsked = 0;

  /** What observing costs is the server's to say; every few seconds is enough. Old snapshots may have been dropped there. */
  private refreshCost(): void {
    if (Date.now() - this.costAsked < 4000) return;
    this.costAsked = Date.now();
    ask<ServeInfo>("info")
      .then((info) => {
        const oldest = info.snapshots[0]?.n ?? 0;
        while (this.entries.length && (this.entries[0]?.n ?? oldest) < oldest) this.entries.shift();
        this.news({ type: "status" }, { cost: info.cost, interval_ms: info.interval_ms, growth: info.growth });
      })
      .catch(() => undefined); // the stream of events tells when the server is away
  }
}
