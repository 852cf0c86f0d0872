// One snapshot as the page keeps it: the head of the JSON document, and its rows as columns.
import { Rows, rowsOf, unpackRows } from "./rows";
import type { PackedRows, RowJson, SnapshotJson } from "./types";

export interface Snapshot {
  /** Everything but the rows. */
  head: Omit<SnapshotJson, "regions" | "blocks" | "mappings" | "gaps">;
  /** By address. */
  regions: Rows;
  /** By region, then address; column "region" is the index of the region. */
  blocks: Rows;
  /** Blocks of region i are firstBlock[i] .. firstBlock[i + 1] - 1. */
  firstBlock: Uint32Array;
  /** The kernel's mappings (raw view); empty when they were not sent. */
  mappings: Rows;
  /** Free and unusable stretches between the regions; columns address, size, kind. */
  gaps: Rows;
}

function packed(rows: RowJson[] | PackedRows | undefined): rows is PackedRows {
  return rows !== undefined && !Array.isArray(rows);
}

export function firstBlocks(regions: Rows, blocks: Rows): Uint32Array {
  const first = new Uint32Array(regions.count + 1);
  const owner = blocks.column("region");
  for (let b = 0; owner?.type === "number" && b < blocks.count; b++) {
    const r = owner.values[b] ?? NaN;
    if (r >= 0 && r < regions.count) first[r + 1]!++;
  }
  for (let r = 0; r < regions.count; r++) first[r + 1]! += first[r]!;
  return first;
}

/** Takes a document of `vmmap show --json` or `--format json-columns`. */
export function snapshotOf(document: SnapshotJson): Snapshot {
  const { regions: r, blocks: b, mappings: m, gaps: g, ...head } = document;
  let regions = Rows.empty;
  let blocks = Rows.empty;
  if (packed(r)) {
    regions = unpackRows(r);
    blocks = b ? unpackRows(b) : Rows.empty;
  } else if (r) {
    const owners: number[] = [];
    const all: RowJson[] = [];
    r.forEach((region, i) => {
      for (const block of region.blocks ?? []) {
        all.push(block);
        owners.push(i);
      }
    });
    regions = rowsOf(r);
    blocks = rowsOf(all, { region: owners });
  }
  const mappings = packed(m) ? unpackRows(m) : m ? rowsOf(m) : Rows.empty;
  return { head, regions, blocks, firstBlock: firstBlocks(regions, blocks), mappings, gaps: g ? unpackRows(g) : Rows.empty };
}
