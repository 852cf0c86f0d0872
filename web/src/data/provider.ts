// Where the page's data come from: a report's own bytes, a server, or a file that was dropped on it. Views ask through
// this alone and do not know which it is.
import type { Rows } from "./rows";
import type { ChunkPage } from "./chunks";
import type { Snapshot } from "./snapshot";
import type { Diff, Metric, Note, PageInfo, Timeline } from "./types";

export interface SnapshotEntry {
  /** Number as in FILE@N. */
  n: number;
  taken_at: string;
  pid: number | null;
}

/** One target of a session. */
export interface TargetEntry {
  target: number;
  pid: number | null;
  name: string;
  /** How many snapshots there are of it. */
  snapshots: number;
}

/** Bytes of memory; what is not resident or not stored is not there. */
export interface MemoryBytes {
  address: number;
  /** Pairs of start and bytes, by address. */
  parts: { address: number; bytes: Uint8Array }[];
}

/** Pages of a stretch as runs of equal state. */
export interface PageRuns {
  page_size: number;
  runs: { address: number; pages: number; state: string }[];
}

/** A row of `vmmap ps --json`. */
export interface ProcessRow {
  pid: number;
  name: string;
  cmdline?: string;
  user?: string | null;
  [column: string]: unknown;
}

/** How a running target is observed, and what that costs it. */
export interface LiveStatus {
  /** New snapshots come. */
  live: boolean;
  /** Why none come any more. */
  gone: string | null;
  /** That it runs another program now, until somebody has seen it; null: it does not. */
  exec: string | null;
  /** The server does not answer. */
  lost: boolean;
  /** 0: paused; null: nothing that runs. */
  interval_ms: number | null;
  /** Looked at besides when this has grown by so much; null: not so. */
  growth: Growth | null;
  cost: { looks?: number; last_ns?: number | null; duty?: number | null; duty_limit?: number | null; next_ms?: number | null } | null;
}

export interface Growth {
  measure: "rss" | "committed";
  percent: number;
}

export interface News {
  type: "snapshot" | "gone" | "exec" | "error" | "status";
  n?: number;
  text?: string;
}

export interface Provider {
  readonly info: PageInfo;
  /** What this one can tell; a view that needs more says so instead of showing nothing. */
  readonly can: { live: boolean; memory: boolean; pages: boolean; strings: boolean; processes: boolean; diff: boolean };
  /** Of a session: what it has snapshots of, which of these this one shows, and the provider of another (null: the first shown). */
  targets?(): TargetEntry[];
  readonly target?: number | null;
  withTarget?(target: number | null): Provider;
  /** In order of time; at least one unless the target could not be read. */
  snapshots(): SnapshotEntry[];
  snapshot(n: number): Promise<Snapshot>;
  timeline(measure: Metric): Promise<Timeline | null>;
  diff(before: number, after: number): Promise<Diff | null>;
  /** The kernel's mappings of a snapshot, where it came without them. */
  mappings?(n: number): Promise<Rows>;
  /** Of memory as it was with snapshot n, where that is another than the last. */
  memory?(address: number, length: number, n?: number): Promise<MemoryBytes>;
  pages?(address: number, end: number, n?: number): Promise<PageRuns>;
  /** Chunks of a heap in a stretch, at most `limit` of them. */
  chunks?(id: string, address: number, end: number, limit: number, n?: number): Promise<ChunkPage>;
  /** Documents of `vmmap strings --json`, `vmmap at --json`, `vmmap heap --json`, `vmmap ps --json`. */
  strings?(address: number, end: number, n?: number): Promise<unknown>;
  at?(address: number): Promise<unknown>;
  heaps?(n?: number): Promise<unknown>;
  processes?(): Promise<ProcessRow[]>;
  /** Live: calls back when there is a newer snapshot, a gone target, or other news. Returns how to end it. */
  subscribe?(listener: (news: News) => void): () => void;
  status?(): LiveStatus;
  /** What the data leave out, and why. */
  notes?(): Note[];
  /** The snapshot to show first; null or absent: the last one. */
  readonly shown?: number | null;
  /** Live: look now; set the interval in milliseconds, 0 pauses. */
  look?(): Promise<void>;
  setInterval?(ms: number): Promise<void>;
  /** Live: also takes a snapshot when a measure has grown by so many per cent; 0: no more. */
  setGrowth?(growth: Growth): Promise<void>;
  /** Live: the news of another program was seen. */
  seen?(): void;
  /** Shows another process: the provider of it. */
  choose?(pid: number): Promise<Provider>;
  /** Sends a file to be opened: the provider of it. What was shown stays where it cannot be. */
  openFile?(file: File, progress: (sent: number, all: number) => void, stop: AbortSignal): Promise<Provider>;
}
