// Chunks of a heap as a picture: which state has most of each cell of the drawing.
import { STATES } from "./heaps";

export interface Chunk {
  address: number;
  /** Bytes that may be used from there on. */
  size: number;
  start: number;
  /** All bytes from start on. */
  stretch: number;
  state: string;
}

/** A piece of the chunks of a stretch, by start; `next` is where the rest begins. */
export interface ChunkPage {
  chunks: Chunk[];
  next: number | null;
}

/** Where each cell of [start, end) has no chunk at all. */
export const NO_STATE = 255;

/** For each of `cells` equal parts of [start, end) the place in STATES of what has most of its bytes. Chunks are by start. */
export function cellStates(chunks: readonly Chunk[], start: number, end: number, cells: number): Uint8Array {
  const out = new Uint8Array(cells).fill(NO_STATE);
  const per = (end - start) / cells;
  if (!(per > 0)) return out;
  const places = new Map(STATES.map((s, i) => [s.id, i]));
  const most = new Float64Array(cells);
  const sums = new Float64Array(STATES.length);
  let cell = -1;
  const settle = (): void => {
    if (cell >= 0 && cell < cells) sums.forEach((bytes, i) => {
      if (bytes > (most[cell] ?? 0)) {
        most[cell] = bytes;
        out[cell] = i;
      }
    });
    sums.fill(0);
  };
  for (const c of chunks) {
    const place = places.get(c.state);
    const from = Math.max(c.start, start);
    const to = Math.min(c.start + c.stretch, end);
    if (place === undefined || !(to > from)) continue;
    const first = Math.min(cells - 1, Math.floor((from - start) / per));
    const last = Math.min(cells - 1, Math.ceil((to - start) / per) - 1);
    if (first !== cell) {
      settle();
      cell = first;
    }
    sums[place] = (sums[place] ?? 0) + Math.min(to, start + (first + 1) * per) - from;
    if (last > first) {
      settle();
      out.fill(place, first + 1, last); // whole cells are this chunk's
      cell = last;
      sums[place] = to - (start + last * per);
    }
  }
  settle();
  return out;
}

/** The chunk that holds an address, by halving; null between chunks. */
export function chunkAt(chunks: readonly Chunk[], address: number): Chunk | null {
  let low = 0;
  let high = chunks.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((chunks[middle]?.start ?? Infinity) <= address) low = middle + 1;
    else high = middle;
  }
  const found = chunks[low - 1];
  return found && address < found.start + found.stretch ? found : null;
}
