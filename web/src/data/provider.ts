// Where the page's data come from: a report's own bytes, a server, or a file that was dropped on it. Views ask through
// this alone and do not know which it is.
import type { Rows } from "./rows";
import type { ChunkPage } from "./chunks";
import type { Snapshot } from "./snapshot";
import type { Diff, Metric, PageInfo, Timeline } from "./types";

export interface SnapshotEntry {
  /** Number as in FILE@N. */
  n: number;
  taken_at: string;
  pid: number | null;
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

export interface Provider {
  readonly info: PageInfo;
  /** What this one can tell; a view that needs more says so instead of showing nothing. */
  readonly can: { live: boolean; memory: boolean; pages: boolean; strings: boolean; processes: boolean; diff: boolean };
  /** In order of time; at least one unless the target could not be read. */
  snapshots(): SnapshotEntry[];
  snapshot(n: number): Promise<Snapshot>;
  timeline(measure: Metric): Promise<Timeline | null>;
  diff(before: number, after: number): Promise<Diff | null>;
  /** The kernel's mappings of a snapshot, where it came without them. */
  mappings?(n: number): Promise<Rows>;
  memory?(address: number, length: number): Promise<MemoryBytes>;
  pages?(address: number, end: number): Promise<PageRuns>;
  /** Chunks of a heap in a stretch, at most `limit` of them. */
  chunks?(id: string, address: number, end: number, limit: number): Promise<ChunkPage>;
  /** Documents of `vmmap strings --json`, `vmmap at --json`, `vmmap heap --json`, `vmmap ps --json`. */
  strings?(address: number, end: number): Promise<unknown>;
  at?(address: number): Promise<unknown>;
  heaps?(): Promise<unknown>;
  processes?(): Promise<unknown>;
  /** Live: calls back when there is a newer snapshot, a gone target, or other news. Returns how to end it. */
  subscribe?(listener: (news: { type: "snapshot" | "gone" | "error"; n?: number; text?: string }) => void): () => void;
  /** Live: look now; set the interval in milliseconds, 0 pauses. */
  look?(): Promise<void>;
  setInterval?(ms: number): Promise<void>;
}
