// Chunks of heaps that a report holds (src/face/report_chunks.c): arrays by heap, by address.
import type { Chunk, ChunkPage } from "./chunks";

export interface ChunksJson {
  states: string[];
  heaps: {
    id: string;
    base: string;
    /** Bytes behind the end of the chunk before, bytes of all, where what may be used begins, how much behind it may not be. */
    skip: number[];
    size: number[];
    head: number[];
    less: number[];
    /** Places in `states`. */
    state: number[];
  }[];
}

export class HeapChunks {
  private readonly made = new Map<string, Chunk[]>();

  constructor(private readonly json: ChunksJson) {}

  private all(id: string): Chunk[] {
    const had = this.made.get(id);
    if (had) return had;
    const heap = this.json.heaps.find((h) => h.id === id);
    if (!heap) throw new Error("The chunks of this heap are not in the report: they were too many, or could not be walked to the end.");
    let end = Number(heap.base);
    const chunks = heap.size.map((stretch, i) => {
      const start = end + (heap.skip[i] ?? 0);
      const head = heap.head[i] ?? 0;
      end = start + stretch;
      return { address: start + head, size: stretch - head - (heap.less[i] ?? 0), start, stretch, state: this.json.states[heap.state[i] ?? -1] ?? "" };
    });
    this.made.set(id, chunks);
    return chunks;
  }

  /** Chunks that touch [address, end), at most `limit` of them. */
  of(id: string, address: number, end: number, limit: number): ChunkPage {
    const chunks = this.all(id);
    let low = 0;
    for (let high = chunks.length; low < high; ) {
      const middle = (low + high) >> 1;
      const c = chunks[middle];
      if (c && c.start + c.stretch <= address) low = middle + 1;
      else high = middle;
    }
    let to = low;
    while (to < chunks.length && to - low < limit && (chunks[to]?.start ?? end) < end) to++;
    const next = chunks[to]?.start ?? end;
    return { chunks: chunks.slice(low, to), next: next < end ? next : null };
  }
}
