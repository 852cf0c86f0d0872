// What the colours of the address space say: kind, protection, how much is resident, NUMA node, or what has changed.
import type { Snapshot } from "../data/snapshot";
import type { Diff } from "../data/types";
import { lookOfKind, luminance, mixed, type KindLook, type Pattern } from "../kinds";
import type { Palette } from "../state/store";
import { isEmpty, type Piece } from "./space";

export const MODES = ["kind", "protection", "residency", "node", "change"] as const;
export type Mode = (typeof MODES)[number];

export interface LegendEntry {
  id: string;
  label: string;
  fill: string;
  pattern: Pattern;
  /** Bytes of address space that are drawn so. */
  bytes: number;
  /** Regions, or what else is one thing, that are drawn so. */
  count: number;
}

/** How a piece is drawn. */
export interface Look {
  fill: string;
  edge: string;
  ink: string;
  pattern: Pattern;
  /** Place in the legend. */
  entry: number;
}

export interface Colours {
  looks: Look[];
  /** Of each piece the place among the looks. */
  of: Uint16Array;
  legend: LegendEntry[];
}

/** A class of pieces: id, label, colours on light and dark ground, and safe ones with their pattern. */
type Class = readonly [id: string, label: string, light: string, dark: string, safeLight: string, safeDark: string, pattern: Pattern];

const PROTECTIONS: readonly Class[] = [
  ["-", "no access", "#c4c8d0", "#4a4f58", "#d9dce1", "#3d434c", "dots"], ["r", "read", "#9cc5a1", "#4f8a5b", "#cfe8f7", "#9cc3da", "solid"],
  ["rw", "read, write", "#7fb0e6", "#4a80bd", "#56b4e9", "#2f86bb", "rise"], ["rx", "read, execute", "#e3b262", "#b5853a", "#e69f00", "#d08f00", "across"],
  ["x", "execute only", "#b08bd0", "#8a62ad", "#7b4ea3", "#9a6fd0", "upright"], ["rwx", "write and execute", "#d9483b", "#e0584b", "#8c2d04", "#c2491a", "cross"],
  ["?", "unknown", "#e3dede", "#5a5454", "#f0eeee", "#5a5454", "fall"],
];
const NODES = ["#4e79a7", "#f28e2b", "#59a14f", "#b07aa1", "#edc948", "#76b7b2", "#e15759", "#9c755f"];
const NODE_PATTERNS: readonly Pattern[] = ["solid", "rise", "fall", "across", "upright", "dots", "cross"];
const CHANGES: readonly Class[] = [
  ["new", "new", "#c9483f", "#e0655b", "#a63603", "#d9622b", "solid"], ["gone", "gone", "#2f9e57", "#4cc27a", "#0072b2", "#3f9fd8", "cross"],
  ["grown", "grown", "#e7a13d", "#d9963a", "#e69f00", "#e69f00", "rise"], ["shrunk", "shrunk", "#8ecf6a", "#7fb85f", "#9ad0f0", "#8cc4e6", "fall"],
  ["protected", "changed protection", "#9a6fd0", "#a883da", "#cc79a7", "#d88fb8", "dots"], ["moved", "moved", "#5b9bd5", "#6aa9e0", "#009e73", "#1fb68b", "across"],
  ["retyped", "became another type", "#c95f9b", "#d873ab", "#5b2a86", "#8a5cc0", "upright"], ["changed", "changed", "#d7c64a", "#c8b84a", "#f0e442", "#d8cd3c", "dots"],
  ["same", "as before", "#d3d7dd", "#3d434c", "#dfe2e7", "#3d434c", "solid"],
];
const LEVELS = 16; // shades of what is partly resident

/** "r-xp" or "r,rx,rw" as a class of protections: the strongest of all. */
export function protectionClass(text: string): string {
  if (!text || text.includes("?")) return "?";
  const has = (c: string): boolean => text.includes(c);
  if (text.split(",").some((p) => p.includes("w") && p.includes("x"))) return "rwx";
  return (has("r") ? "r" : "") + (has("w") ? "w" : has("x") ? "x" : "") || (has("w") ? "rw" : "-");
}

/** A number of the block, or of the region that has none; NaN when that is not known. */
export function numberOf(s: Snapshot, p: Piece, id: string): number {
  return p.block >= 0 ? s.blocks.number(id, p.block) : p.region >= 0 ? s.regions.number(id, p.region) : NaN;
}

function textOf(s: Snapshot, p: Piece, id: string): string {
  return (p.block >= 0 ? s.blocks.text(id, p.block) : "") || (p.region >= 0 ? s.regions.text(id, p.region) : "");
}

/** Share of a piece that is resident; NaN when that is not known. */
export function residentShare(s: Snapshot, p: Piece): number {
  return Math.min(1, numberOf(s, p, "rss") / p.size);
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
  if (p.block < 0) return p.gone >= 0 ? 0.8 : 0;
  if (s.blocks.number("committed", p.block) === 0) return 0.62;
  return s.blocks.number("rss", p.block) === 0 && s.blocks.number("swap", p.block) === 0 ? 0.35 : 0;
}

export interface Ground {
  dark: boolean;
  palette: Palette;
  looks: ReadonlyMap<string, KindLook>;
  kindLabel(id: string): string;
}

/** Colours that are made while pieces are gone through: equal ones once. */
class Maker {
  readonly looks: Look[] = [];
  readonly legend: (LegendEntry & { order: number })[] = [];
  private readonly places = new Map<string, number>();
  private readonly entries = new Map<string, number>();

  constructor(private readonly ground: Ground) {}

  entry(id: string, label: string, fill: string, pattern: Pattern, order: number): number {
    let e = this.entries.get(id);
    if (e === undefined) {
      e = this.legend.push({ id, label, fill, pattern, bytes: 0, count: 0, order }) - 1;
      this.entries.set(id, e);
    }
    return e;
  }

  look(entry: number, fill: string, pattern: Pattern): number {
    const key = `${entry} ${fill}`;
    let i = this.places.get(key);
    if (i === undefined) {
      i = this.looks.push({ fill, pattern, entry, edge: mixed(fill, this.ground.dark ? "#ffffff" : "#1d2127", 0.3), ink: luminance(fill) > 0.24 ? "#14171b" : "#f4f6f8" }) - 1;
      this.places.set(key, i);
    }
    return i;
  }

  /** One class of a table. */
  pick(table: readonly Class[], id: string): number {
    const { dark, palette } = this.ground;
    const order = table.findIndex((t) => t[0] === id);
    const [, label, light, night, safeLight, safeDark, pattern] = table[order] ?? [id, id, "#e8e2da", "#55504a", "#e8e2da", "#55504a", "solid"];
    const safe = palette === "safe";
    const fill = safe ? (dark ? safeDark : safeLight) : dark ? night : light;
    return this.look(this.entry(id, label, fill, safe ? pattern : "solid", order < 0 ? 99 : order), fill, safe ? pattern : "solid");
  }

  empty(kind: string): number {
    const { dark, looks, kindLabel } = this.ground;
    const fill = dark ? "#22252a" : "#f4f5f7";
    const own = kind === "unusable" ? mixed(lookOfKind(looks, kind).fill, dark ? "#17191d" : "#ffffff", 0.5) : fill;
    return this.look(this.entry("empty-" + kind, kindLabel(kind), own, "solid", 200 + (kind === "free" ? 0 : 1)), own, "solid");
  }
}

function kindColours(m: Maker, s: Snapshot, g: Ground): (p: Piece) => number {
  const order = new Map([...g.looks.keys()].map((id, i) => [id, i]));
  const made = new Map<string, Map<number, number>>(); // of each kind the look by how pale it is: a few for thousands of pieces
  const make = (kind: string, pale: number): number => {
    const look = lookOfKind(g.looks, kind);
    const entry = m.entry(kind, g.kindLabel(kind), look.fill, look.pattern, order.get(kind) ?? 99);
    return m.look(entry, mixed(look.fill, g.dark ? "#17191d" : "#ffffff", pale), look.pattern);
  };
  return (p) => {
    const pale = paleness(s, p);
    let ofKind = made.get(p.kind);
    if (!ofKind) made.set(p.kind, (ofKind = new Map()));
    let look = ofKind.get(pale);
    if (look === undefined) ofKind.set(pale, (look = make(p.kind, pale)));
    return look;
  };
}

function residencyColours(m: Maker, s: Snapshot, g: Ground): (p: Piece) => number {
  const none = g.dark ? "#30343b" : "#dfe6ee";
  const full = g.dark ? "#5aa2ff" : "#0b4f9e";
  const unknown = g.dark ? "#55504a" : "#e8e2da";
  return (p) => {
    const share = residentShare(s, p);
    if (Number.isNaN(share)) return m.look(m.entry("?", "unknown", unknown, "fall", 3), unknown, "fall");
    if (share === 0) return m.look(m.entry("none", "not resident", none, "solid", 0), none, "solid");
    if (share >= 1) return m.look(m.entry("all", "all resident", full, "solid", 2), full, "solid");
    const entry = m.entry("partly", "partly, the darker the more".replace("darker", g.dark ? "brighter" : "darker"), mixed(none, full, 0.5), "solid", 1);
    return m.look(entry, mixed(none, full, 0.12 + 0.8 * (Math.ceil(share * LEVELS) / LEVELS)), "solid");
  };
}

/** Nodes beyond the colours that there are take them again, with a pattern. */
function nodeLook(node: number, g: Ground): { fill: string; pattern: Pattern } {
  if (node < 0) return { fill: g.dark ? "#55504a" : "#e8e2da", pattern: "solid" };
  const pattern = g.palette === "safe" ? node : Math.floor(node / NODES.length);
  return { fill: NODES[node % NODES.length] ?? "#808080", pattern: NODE_PATTERNS[pattern % NODE_PATTERNS.length] ?? "solid" };
}

function nodeColours(m: Maker, s: Snapshot, g: Ground): (p: Piece) => number {
  const nothing = g.dark ? "#2f3339" : "#f0efed";
  return (p) => {
    // Of a part of a mapping only its region's nodes are told; what has no pages is on none of them.
    if (numberOf(s, p, "rss") === 0) return m.look(m.entry("none", "no pages", nothing, "solid", 1e6), nothing, "solid");
    const node = mainNode(textOf(s, p, "numa"));
    const { fill, pattern } = nodeLook(node, g);
    return m.look(m.entry(String(node), node < 0 ? "not told" : `mostly node ${node}`, fill, pattern, node < 0 ? 1e6 + 1 : node), fill, pattern);
  };
}

function pickerOf(mode: Mode, m: Maker, s: Snapshot, diff: Diff | null, g: Ground): (p: Piece) => number {
  if (mode === "kind") return kindColours(m, s, g);
  if (mode === "residency") return residencyColours(m, s, g);
  if (mode === "node") return nodeColours(m, s, g);
  if (mode === "protection") return (p) => m.pick(PROTECTIONS, protectionClass(textOf(s, p, "protection")));
  const changes = changesOf(diff);
  return (p) => m.pick(CHANGES, changes.get(s.regions.number("address", p.region)) ?? "same");
}

/** The colour of each piece, and what each of them says with how much there is of it. */
export function coloursOf(mode: Mode, s: Snapshot, diff: Diff | null, pieces: readonly Piece[], g: Ground): Colours {
  const m = new Maker(g);
  const pick = pickerOf(mode, m, s, diff, g);
  const of = new Uint16Array(pieces.length);
  const last: number[] = []; // the region that an entry counted last
  pieces.forEach((p, i) => {
    const look = isEmpty(p.kind) ? m.empty(p.kind) : p.gone >= 0 && mode !== "kind" ? m.pick(CHANGES, "gone") : pick(p);
    of[i] = look;
    const entry = m.looks[look]?.entry ?? 0;
    const sum = m.legend[entry];
    if (!sum) return;
    sum.bytes += p.size;
    const region = p.region >= 0 ? p.region : -2 - i;
    if (last[entry] !== region) sum.count++;
    last[entry] = region;
  });
  const order = m.legend.map((_, i) => i).sort((a, b) => (m.legend[a]?.order ?? 0) - (m.legend[b]?.order ?? 0));
  const to = new Map(order.map((from, place) => [from, place]));
  for (const l of m.looks) l.entry = to.get(l.entry) ?? 0;
  return { looks: m.looks, of, legend: order.map((i) => m.legend[i] as LegendEntry) };
}
