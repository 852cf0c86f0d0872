// What the colours of the address space say: kind, protection, how much is resident, NUMA node, or what has changed.
import type { Snapshot } from "../data/snapshot";
import type { Diff } from "../data/types";
import { lookOfKind, mixed, type KindLook } from "../kinds";
import type { Piece } from "./space";

export const MODES = ["kind", "protection", "residency", "node", "change"] as const;
export type Mode = (typeof MODES)[number];

export interface LegendEntry {
  id: string;
  label: string;
  fill: string;
}

/** What is drawn as empty ground: nobody has it. */
export function isEmpty(kind: string): boolean {
  return kind === "free" || kind === "unusable";
}

const PROTECTIONS: readonly [string, string, string, string][] = [
  ["-", "no access", "#c4c8d0", "#4a4f58"], ["r", "read", "#9cc5a1", "#4f8a5b"], ["rw", "read, write", "#7fb0e6", "#4a80bd"],
  ["rx", "read, execute", "#e3b262", "#b5853a"], ["x", "execute only", "#b08bd0", "#8a62ad"],
  ["rwx", "write and execute", "#d9483b", "#e0584b"], ["?", "unknown", "#e3dede", "#5a5454"],
];
const NODES = ["#4e79a7", "#f28e2b", "#59a14f", "#b07aa1", "#edc948", "#76b7b2", "#e15759", "#9c755f"];
const CHANGES: readonly [string, string, string, string][] = [
  ["new", "new", "#2f9e57", "#4cc27a"], ["grown", "grown", "#8ecf6a", "#7fb85f"], ["shrunk", "shrunk", "#e7a13d", "#d9963a"],
  ["protected", "changed protection", "#9a6fd0", "#a883da"], ["moved", "moved", "#5b9bd5", "#6aa9e0"],
  ["retyped", "became another type", "#c95f9b", "#d873ab"], ["changed", "changed", "#d7c64a", "#c8b84a"], ["same", "as before", "#d3d7dd", "#3d434c"],
];

/** "r-xp" or "r,rx,rw" as a class of protections: the strongest of all. */
export function protectionClass(text: string): string {
  if (!text || text.includes("?")) return "?";
  const has = (c: string): boolean => text.includes(c);
  if (text.split(",").some((p) => p.includes("w") && p.includes("x"))) return "rwx";
  return (has("r") ? "r" : "") + (has("w") ? "w" : has("x") ? "x" : "") || (has("w") ? "rw" : "-");
}

/** Share of a piece that is resident; NaN when that is not known. */
export function residentShare(s: Snapshot, p: Piece): number {
  const rss = p.block >= 0 ? s.blocks.number("rss", p.block) : p.region >= 0 ? s.regions.number("rss", p.region) : NaN;
  return Math.min(1, rss / p.size);
}

/** The node with most pages in "N0=12 N1=3"; -1 when nothing is told. */
export function mainNode(text: string): number {
  let node = -1;
  let most = 0;
  for (const found of text.matchAll(/N(\d+)=(\d+)/g)) {
    const pages = Number(found[2]);
    if (pages > most) {
      most = pages;
      node = Number(found[1]);
    }
  }
  return node;
}

/** Change of each region by its address, from the rows of a diff. */
export function changesOf(diff: Diff | null): ReadonlyMap<number, string> {
  const changes = new Map<number, string>();
  for (const row of diff?.regions ?? []) {
    const place = row["is"];
    const address = typeof place === "object" && place !== null ? (place as { address?: unknown }).address : row.address;
    if (typeof address === "string") changes.set(Number(address), row.state);
  }
  return changes;
}

/** What nobody provided yet is pale: half what is only promised, more what is only reserved. */
function paleness(s: Snapshot, p: Piece): number {
  if (p.block < 0) return 0;
  if (s.blocks.number("committed", p.block) === 0) return 0.62;
  return s.blocks.number("rss", p.block) === 0 && s.blocks.number("swap", p.block) === 0 ? 0.35 : 0;
}

export interface Colours {
  of(p: Piece): string;
  legend: LegendEntry[];
}

export function coloursOf(mode: Mode, s: Snapshot, diff: Diff | null, looks: ReadonlyMap<string, KindLook>, labels: (id: string) => string,
  dark: boolean): Colours {
  const empty = dark ? "#22252a" : "#f4f5f7";
  const unknown = dark ? "#55504a" : "#e8e2da";
  const text = (id: string, p: Piece): string => (p.block >= 0 ? s.blocks.text(id, p.block) : "") || (p.region >= 0 ? s.regions.text(id, p.region) : "");
  const pick = (table: readonly [string, string, string, string][], id: string): string => table.find((t) => t[0] === id)?.[dark ? 3 : 2] ?? unknown;
  const legendOf = (table: readonly [string, string, string, string][], used: Set<string>): LegendEntry[] =>
    table.filter((t) => used.has(t[0])).map((t) => ({ id: t[0], label: t[1], fill: t[dark ? 3 : 2] }));
  const used = new Set<string>();
  const each = (f: (p: Piece) => void): void => {
    for (let r = 0; r < s.regions.count; r++) f({ start: 0, size: s.regions.number("size", r), region: r, block: -1, gap: -1, kind: s.regions.text("kind", r) });
  };
  switch (mode) {
    case "kind":
      each((p) => used.add(p.kind));
      return {
        of: (p) => (p.kind === "free" ? empty : mixed(lookOfKind(looks, p.kind).fill, dark ? "#17191d" : "#ffffff", paleness(s, p))),
        legend: [...looks].filter(([id]) => used.has(id)).map(([id, look]) => ({ id, label: labels(id), fill: look.fill })),
      };
    case "protection":
      for (let b = 0; b < s.blocks.count; b++) used.add(protectionClass(s.blocks.text("protection", b)));
      return { of: (p) => (p.region < 0 ? empty : pick(PROTECTIONS, protectionClass(text("protection", p)))), legend: legendOf(PROTECTIONS, used) };
    case "residency": {
      const none = dark ? "#30343b" : "#dfe6ee";
      const full = dark ? "#5aa2ff" : "#0b4f9e";
      return {
        of: (p) => {
          if (p.region < 0) return empty;
          const share = residentShare(s, p);
          return Number.isNaN(share) ? unknown : mixed(none, full, share === 0 ? 0 : 0.15 + 0.85 * share);
        },
        legend: [["0", "not resident", none], ["half", "half", mixed(none, full, 0.57)], ["all", "all resident", full], ["?", "unknown", unknown]]
          .map(([id, label, fill]) => ({ id: id ?? "", label: label ?? "", fill: fill ?? "" })),
      };
    }
    case "node": {
      const nodes = new Set<number>();
      each((p) => nodes.add(mainNode(text("numa", p))));
      const fill = (n: number): string => (n < 0 ? unknown : NODES[n % NODES.length] ?? unknown);
      return {
        of: (p) => (p.region < 0 ? empty : fill(mainNode(text("numa", p)))),
        legend: [...nodes].sort((a, b) => a - b).map((n) => ({ id: String(n), label: n < 0 ? "not told" : `mostly node ${n}`, fill: fill(n) })),
      };
    }
    case "change": {
      const changes = changesOf(diff);
      const state = (p: Piece): string => changes.get(s.regions.number("address", p.region)) ?? "same";
      each((p) => used.add(state(p)));
      return { of: (p) => (p.region < 0 ? empty : pick(CHANGES, state(p))), legend: legendOf(CHANGES, used) };
    }
  }
}
