// `vmmap heap --json`, as far as the page reads it.
import type { Account, Bytes, Heap, Note } from "./types";

export interface SizeClass {
  used: Bytes;
  free: Bytes;
}

export interface HeapDetail extends Heap {
  /** Chunks by size: from 2^n (0 first) up to twice that. */
  log2: (SizeClass & { from: number })[] | null;
  classes: (SizeClass & { size: number })[] | null;
  classes_complete?: boolean;
  trimmable_size?: Bytes;
}

export interface LargeChunk {
  address: string;
  size: number;
  state: string;
  heap: string;
  region: string;
  content: { type: string; text: string; cut: boolean } | null;
}

export interface HeapDocument {
  taken_at: string | null;
  heaps: HeapDetail[];
  largest: LargeChunk[];
  notes: Note[];
  accounts: Account[];
}

/** What a provider gave, when it is such a document. */
export function heapDocument(given: unknown): HeapDocument | null {
  if (typeof given !== "object" || given === null) return null;
  const d = given as Partial<HeapDocument>;
  return Array.isArray(d.heaps) ? { taken_at: d.taken_at ?? null, heaps: d.heaps, largest: d.largest ?? [], notes: d.notes ?? [], accounts: d.accounts ?? [] } : null;
}

/** States in the order in which bars and tables have them: what the program holds, what is freed, the allocator's own. */
export const STATES: readonly { id: string; label: string; look: string; help: string }[] = [
  { id: "used", label: "used", look: "used", help: "the program holds it" },
  { id: "cached", label: "cached", look: "free", help: "freed, kept in a thread's cache" },
  { id: "fast", label: "fast", look: "free", help: "freed, kept in lists that are searched first" },
  { id: "free", label: "free", look: "free", help: "freed, in the allocator's lists" },
  { id: "top", label: "top", look: "top", help: "the end of the heap, from which new chunks are cut" },
  { id: "meta", label: "overhead", look: "meta", help: "headers, padding and tables of the allocator" },
  { id: "reserved", label: "reserved", look: "reserved", help: "address space that it holds but cannot hand out as it is" },
];

/** Segments of a heap's bar by look, each a share of `scale` bytes; empty where its states are unknown. */
export function heapSegments(heap: Heap, scale: number): { look: string; bytes: number; share: number }[] {
  const out: { look: string; bytes: number; share: number }[] = [];
  for (const s of STATES) {
    const bytes = heap.states?.[s.id]?.bytes ?? 0;
    if (!bytes || scale <= 0) continue;
    const last = out.at(-1);
    if (last?.look === s.look) {
      last.bytes += bytes;
      last.share = last.bytes / scale;
    } else out.push({ look: s.look, bytes, share: bytes / scale });
  }
  return out;
}
