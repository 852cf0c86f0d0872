// The JSON documents of docs/json.md, as far as the page reads them. Bytes are numbers, addresses "0x..." texts, unknown
// is null.

export const METRICS = [
  "size", "committed", "private", "rss", "pss", "uss", "shareable", "shared", "locked", "swap", "swap_pss", "anonymous",
  "dirty", "referenced", "huge", "hugetlb", "lazyfree", "ksm", "used", "unused", "stored",
] as const;
export type Metric = (typeof METRICS)[number];

/** Kinds that are no regions: in no total, and in no bar. */
export const APART: ReadonlySet<string> = new Set(["page_table", "unusable", "free"]);

export type Bytes = number | null;
/** Numbers of a row; those in at_least are lower bounds. */
export type Metrics = { [M in Metric]?: Bytes } & { at_least?: { [M in Metric]?: number } };

export interface Kind {
  id: string;
  label: string;
  /** Colours "#rrggbb" on a light and on a dark ground. */
  light: string;
  dark: string;
  help: string;
}

/** A column of src/view/columns.c. */
export interface ColumnInfo {
  id: string;
  title: string;
  help: string;
  type: "bytes" | "count" | "address" | "text" | "flag";
  /** Shown when nobody has chosen. */
  shown: boolean;
  /** The number names something and has no thousands separators. */
  name: boolean;
}

export interface TypeTotal extends Metrics {
  kind: string;
  blocks: Bytes;
  largest: Bytes;
  regions: Bytes;
}

export interface Target {
  source: string;
  pid: number | null;
  name: string;
  exe: string | null;
  cmdline: string;
  arch: string | null;
  bits: number | null;
  page_size: number | null;
  started_at: string | null;
  uid: number | null;
  exe_deleted: boolean;
  cgroup: string | null;
  death?: { signal: number; code: number | null; address: string | null; tid: number | null } | null;
}

export interface Account {
  id: string;
  label: string;
  sum: Bytes;
  kernel: Bytes;
  remainder: number | null;
  explanation: string;
}

export interface Limit {
  text: string;
  soft: number | "unlimited" | null;
  hard: number | "unlimited" | null;
  used: Bytes;
  unit: "bytes" | "count";
}

export interface Thread {
  tid: number;
  name: string | null;
  state: string | null;
  sp: string | null;
  stack: { address: string; end: string } | null;
}

export interface Module {
  address: string;
  end: string;
  path: string;
  build_id: string | null;
  deleted: boolean;
  replaced: boolean;
  in_memory: boolean;
  pie: boolean;
  program: boolean;
  bits: number | null;
}

export interface HeapState {
  count: Bytes;
  bytes: Bytes;
  rss: Bytes;
}

export interface Heap {
  id: string;
  reader: string;
  label: string;
  proved: boolean;
  regions: string[];
  size: Bytes;
  rss: Bytes;
  used_bytes: Bytes;
  used_count: Bytes;
  free_bytes: Bytes;
  free_count: Bytes;
  top: Bytes;
  overhead: Bytes;
  reserved: Bytes;
  unused_rss: Bytes;
  largest_free: Bytes;
  trimmable: Bytes;
  states: Record<string, HeapState>;
  threads: number[];
}

export interface Note {
  from: string;
  code: string;
  text: string;
  address: string | null;
  count: number;
}

export interface Verdict {
  id: string;
  severity: string;
  title: string;
  evidence: unknown[];
  remedy: string;
}

/** Members of a region or block beyond its numbers. */
export interface RowJson extends Metrics {
  address: string;
  end: string;
  kind: string;
  protection?: string;
  wx?: boolean;
  details?: string;
  path?: string;
  build_id?: string;
  heap?: string;
  thread?: number;
  label?: string;
  guard?: boolean;
  blocks?: RowJson[];
  chunks?: ChunkSums | null;
  [other: string]: unknown;
}

/** `vmmap show TARGET --json`. */
export interface SnapshotJson {
  schema: number;
  tool: string;
  target: Target;
  taken_at: string | null;
  partial: boolean;
  summary: { types: TypeTotal[]; total: TypeTotal };
  accounts: Account[];
  limits: Record<string, Limit>;
  threads: Thread[];
  modules: Module[];
  heaps: Heap[];
  /** Objects, or columns of them (--format json-columns). */
  regions?: RowJson[] | PackedRows;
  blocks?: PackedRows;
  mappings?: RowJson[] | PackedRows;
  gaps?: PackedRows;
  free: { count: Bytes; total: Bytes; largest: { address: string; size: number } | null };
  notes: Note[];
  verdicts: Verdict[];
  cost: Record<string, number | null>;
}

export type PackedValue = number | string | boolean | null;

/**
 * One value of every row; or one for all of them but some; or places in a list of texts; or distances to the row before,
 * `at` has whole values of some rows instead. Numbers are to be multiplied by `unit` (1).
 */
export type PackedColumn =
  | { values: PackedValue[]; unit?: number }
  | { all: PackedValue; unit?: number; but?: { rows: number[]; values: PackedValue[] } }
  | { texts: string[]; index: (number | null)[] }
  | { deltas: (number | null)[]; unit?: number; at?: Record<string, string> };

/**
 * Rows as columns: `columns.address` and `columns.size` are always there, `end` where it is not address + size in all rows; of
 * blocks `columns.region` is the index of the region of each. `at_least` lists the rows whose value of a column is a lower
 * bound; `chunks` are those of heaps' regions by row.
 */
export interface PackedRows {
  rows: number;
  columns: Record<string, PackedColumn>;
  at_least?: Record<string, number[]>;
  chunks?: Record<string, ChunkSums>;
}

/** Chunks by state. */
export type ChunkSums = Record<string, HeapState>;

/** What the page is told beside data: tables of libvmmap that no face writes again. */
export interface PageInfo {
  tool: string;
  mode: "report" | "serve";
  title: string;
  kinds: Kind[];
  columns: ColumnInfo[];
}

/** `vmmap timeline FILE --json`. */
export interface Timeline {
  timeline: { file: string; measure: string; by: string; snapshots: number; set_back: number };
  looks: { snapshot: number; target: number; taken_at: string; gap: boolean }[];
  rows: { id: string; label: string; kind: string | null; trend: unknown; values: Bytes[] }[];
  total: { values: Bytes[]; trend: unknown };
  growth: unknown;
}

/** Numbers of a row of a diff: what it is less what it was, and both. */
export interface DiffRow {
  state: string;
  changes?: readonly string[];
  kind: string | null;
  address?: string | null;
  end?: string | null;
  [column: string]: unknown;
}

/** A number on both sides; null is unknown. */
export interface Counts {
  before: Bytes;
  after: Bytes;
  change: number | null;
}

/** An account before and after. */
export interface Identity {
  id: string;
  label: string;
  sum: Counts;
  kernel: Counts;
  remainder: Counts;
  explanation_before: string | null;
  explanation: string | null;
}

/** A limit that changed, or of which another amount is used. */
export interface LimitChange {
  id: string;
  text: string;
  used: Counts;
  soft: { before: Limit["soft"]; after: Limit["soft"] };
  hard: { before: Limit["hard"]; after: Limit["hard"] };
  unit: Limit["unit"];
}

export interface ThreadChange {
  state: string;
  changes: readonly string[];
  tid: number;
  name: string | null;
}

export interface ModuleChange {
  state: string;
  changes: readonly string[];
  address: string;
  path: string;
  build_id: string | null;
  build_id_before: string | null;
}

/** `vmmap diff A B --json`. */
export interface Diff {
  types: DiffRow[];
  regions: DiffRow[];
  heaps?: DiffRow[];
  classes?: DiffRow[];
  threads?: ThreadChange[];
  modules?: ModuleChange[];
  identities?: Identity[];
  limits?: LimitChange[];
  notes_before?: Note[];
  notes_after?: Note[];
  [other: string]: unknown;
}
