// Heaps of two snapshots side by side. Arenas are numbered anew when one comes or goes: their regions tell which is which.
import { countsOf } from "./compareaccounts";
import type { Mates } from "./same";
import type { Snapshot } from "./snapshot";
import type { Counts, DiffRow, Heap } from "./types";

/** What is not there has nothing. */
function of(was: Heap | null, is: Heap | null, id: "size" | "rss" | "used_bytes" | "unused_rss" | "used_count" | "free_count"): Counts {
  return countsOf(was ? was[id] : 0, is ? is[id] : 0);
}

/** Heap of the first snapshot that each of the second was. */
function pairs(a: Snapshot, b: Snapshot, mates: Mates): Map<string, string> {
  const found = new Map<string, string>();
  const taken = new Set<string>();
  const join = (is: string, was: string): void => {
    if (!is || !was || found.has(is) || taken.has(was)) return;
    found.set(is, was);
    taken.add(was);
  };
  for (let k = 0; k < b.regions.count; k++) {
    const i = mates.of[k] ?? -1;
    if (i >= 0) join(b.regions.text("heap", k), a.regions.text("heap", i));
  }
  if (!mates.sameLayout) for (const h of b.head.heaps) if (a.head.heaps.some((x) => x.id === h.id)) join(h.id, h.id);
  return found;
}

function heapRow(was: Heap | null, is: Heap | null): DiffRow {
  const heap = is ?? was;
  const [size, rss, used, unused] = [of(was, is, "size"), of(was, is, "rss"), of(was, is, "used_bytes"), of(was, is, "unused_rss")];
  const numbers = { size, rss, used, unused };
  const side = (name: keyof Counts): Record<string, number | null> => Object.fromEntries(Object.entries(numbers).map(([id, s]) => [id, s[name]]));
  const [used_count, free_count] = [of(was, is, "used_count"), of(was, is, "free_count")];
  // What is freed and kept alone makes no change, as in vmmap diff.
  const differs = [size, rss, used, used_count].some((s) => s.change);
  const state = !was ? "new" : !is ? "gone" : size.change ? (size.change > 0 ? "grown" : "shrunk") : differs ? "changed" : "same";
  return {
    state, kind: "heap", id: heap?.id, id_before: was?.id ?? null, reader: heap?.reader, label: heap?.label, used_count, free_count,
    change: side("change"), before: was && side("before"), after: is && side("after"),
  };
}

/** Heaps of which a number changed: what has most of it first. */
export function heapRows(a: Snapshot, b: Snapshot, mates: Mates): DiffRow[] {
  const found = pairs(a, b, mates);
  const olds = new Map(a.head.heaps.map((h) => [h.id, h]));
  const gone = new Set(olds.keys());
  const rows = b.head.heaps.map((is) => {
    const was = olds.get(found.get(is.id) ?? "") ?? null;
    if (was) gone.delete(was.id);
    return heapRow(was, is);
  });
  for (const id of gone) rows.push(heapRow(olds.get(id) ?? null, null));
  const weight = (row: DiffRow): number => Math.max(...Object.values(row["change"] as Record<string, number | null>).map((v) => Math.abs(v ?? 0)));
  return rows.filter((r) => r.state !== "same").sort((x, y) => weight(y) - weight(x));
}
