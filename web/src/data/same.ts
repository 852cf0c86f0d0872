// Which region of one snapshot is which of another, as the library matched them and a report keeps it (docs/json.md).

/** Member "same" of a report's target. */
export interface SameJson {
  /** Of each snapshot: the numbers of its regions, as distances to the one before. Equal numbers are the same region. */
  ids: number[][];
  /** Of each snapshot; equal ones lie in the same layout. */
  layouts: number[];
  /** Pairs of snapshots that the library matches otherwise: regions of the second, each with that of the first, -1 for none. */
  other: { before: number; after: number; same_layout: boolean; regions: number[] }[];
  /** Pairs that begin with one of the first so many snapshots are all known. */
  known: number;
}

export interface Mates {
  /** For each region of the second: its place in the first; -1: there is none like it. */
  of: Int32Array;
  /** Equal addresses mean equal places. */
  sameLayout: boolean;
  /** By the library for these two; by it step by step from one to the other; or by nobody: then equal addresses are the same. */
  by: "library" | "steps" | "address";
}

export class Same {
  private readonly made = new Map<number, Int32Array>();
  private readonly other: Map<string, SameJson["other"][number]>;

  constructor(
    private readonly json: SameJson,
    /** Numbers of the snapshots, in the order of `ids`. */
    private readonly numbers: readonly number[],
  ) {
    this.other = new Map(json.other.map((o) => [`${o.before}..${o.after}`, o]));
  }

  private ids(place: number): Int32Array {
    let ids = this.made.get(place);
    if (!ids) {
      let last = 0;
      ids = Int32Array.from(this.json.ids[place] ?? [], (by) => (last += by));
      this.made.set(place, ids);
    }
    return ids;
  }

  /** Null: one of them is not here. */
  mates(before: number, after: number): Mates | null {
    const a = this.numbers.indexOf(before);
    const b = this.numbers.indexOf(after);
    if (a < 0 || b < 0 || a > b) return null;
    const places = new Map<number, number>();
    this.ids(a).forEach((id, i) => places.set(id, i));
    const of = this.ids(b).map((id) => places.get(id) ?? -1);
    const other = this.other.get(`${before}..${after}`);
    for (let i = 0; other && i + 1 < other.regions.length; i += 2) of[other.regions[i] ?? -1] = other.regions[i + 1] ?? -1;
    return {
      of, sameLayout: other ? other.same_layout : this.json.layouts[a] === this.json.layouts[b], by: b - a < 2 || a < this.json.known ? "library" : "steps",
    };
  }
}

/** Two snapshots that nobody has matched: regions by their first address. What moved counts as gone and new. */
export function matesByAddress(a: { count: number; number(id: string, row: number): number }, b: typeof a): Mates {
  const places = new Map<number, number>();
  for (let i = 0; i < a.count; i++) places.set(a.number("address", i), i);
  return { of: Int32Array.from({ length: b.count }, (_, i) => places.get(b.number("address", i)) ?? -1), sameLayout: true, by: "address" };
}
