// What the picture of the address space says in words.
import { formatAddress } from "../data/rows";
import type { Snapshot } from "../data/snapshot";
import { bytes, thousands } from "../format";
import { numberOf } from "../map/colours";
import { pageStart } from "../map/marks";
import type { Hit } from "../map/place";
import { addressAt, type Line, type Piece } from "../map/space";
import type { Window } from "../map/window";
import { visible } from "../text";
import { pageWord, stateWord } from "./picked";

/** The label of a piece in the picture. */
export function pieceText(s: Snapshot, p: Piece, label: string): string {
  if (p.gone >= 0) return `${label}, gone · ${bytes(p.size)}`;
  if (p.region < 0) return `${label} · ${bytes(p.size)}`;
  const block = p.block >= 0 ? s.blocks.text("details", p.block) || s.blocks.text("label", p.block) : "";
  const path = s.regions.text("path", p.region);
  const region = path && !path.startsWith("/dev/") ? path : s.regions.text("details", p.region);
  const name = region.startsWith("/") ? region.slice(region.lastIndexOf("/") + 1) : region;
  return visible([name || label, block && block !== region ? block : "", bytes(p.size)].filter(Boolean).join(" · "));
}

/** What is under the pointer: the piece, and in the close view its page and chunk. */
export function told(s: Snapshot, line: Line, hit: Hit, label: string): string {
  const p = line.pieces[hit.piece];
  if (!p) return "";
  const parts = [`${formatAddress(p.start)}–${formatAddress(p.start + p.size)}`, pieceText(s, p, label), label];
  if (p.region >= 0) parts.push(`${bytes(numberOf(s, p, "rss"))} resident`);
  if (hit.page) parts.push(`page ${formatAddress(pageStart(s, hit.address))}: ${pageWord(hit.page.state)}`);
  if (hit.chunk) parts.push(`chunk ${formatAddress(hit.chunk.address)}: ${thousands(hit.chunk.size)} bytes, ${stateWord(hit.chunk.state)}`);
  return parts.join(" · ");
}

/** The ends of what is in sight. */
export function spanText(line: Line, view: Window): string {
  return `Address space from ${formatAddress(Math.floor(addressAt(line, view.from)))} to ${formatAddress(Math.floor(addressAt(line, view.to)))}`;
}

/** What is not to scale, if anything. */
export function scaleText(line: Line): string {
  const { mapped, free } = line.cuts;
  const what = [free < Infinity ? `free space longer than ${bytes(free)}` : "", mapped < Infinity ? `what else is longer than ${bytes(mapped)}` : ""].filter(Boolean);
  return what.length ? `hatched: ${what.join(" and ")}, drawn cut short` : "to scale";
}
