// The rows of the address space as SVG: the same boxes, for print and tickets.
import { formatAddress } from "../data/rows";
import { bytes } from "../format";
import { svgDocument, xmlText } from "../export";
import { rowBoxes, rowsFor } from "./layout";
import { LEFT, lookOf, type Scene } from "./paint";
import { isCut } from "./place";
import { addressAt } from "./space";
import type { LegendEntry } from "./colours";

export function svgOf(s: Scene, title: string, legend: readonly LegendEntry[]): string {
  const head = 30;
  const foot = 34;
  const rows = rowsFor(LEFT, s.width - LEFT - 8, s.height, s.window.to - s.window.from, 0);
  const parts = [`<g font-family="sans-serif" font-size="11"><text x="8" y="19" font-size="14" font-weight="600" fill="${s.ink.text}">${xmlText(title)}</text>`];
  const perRow = (s.window.to - s.window.from) / rows.count;
  for (let r = 0; r < rows.count; r++)
    parts.push(`<text x="8" y="${head + r * rows.pitch + 17}" font-family="monospace" fill="${s.ink.dim}">${formatAddress(Math.floor(addressAt(s.line, s.window.from + r * perRow)))}</text>`);
  for (const b of rowBoxes(s.line, s.window, rows, 2).boxes) {
    const { fill: colour, edge, ink } = lookOf(s, b.piece);
    const x = b.x.toFixed(2);
    const y = (b.y + head).toFixed(1);
    parts.push(`<rect x="${x}" y="${y}" width="${b.width.toFixed(2)}" height="${b.height}" fill="${colour}"${b.width > 3 ? ` stroke="${edge}" stroke-width="0.6"` : ""}${isCut(s.line, b.piece) ? ' stroke-dasharray="4 3"' : ""}/>`);
    const room = Math.floor((b.width - 10) / 6.2);
    const label = s.label(b.piece);
    if (room >= 5) parts.push(`<text x="${(b.x + 6).toFixed(1)}" y="${b.y + head + 14}" fill="${ink}">${xmlText(label.length > room ? label.slice(0, room - 1) + "…" : label)}</text>`);
  }
  let x = 8;
  const y = head + rows.count * rows.pitch + 18;
  for (const l of legend) {
    parts.push(`<rect x="${x}" y="${y - 10}" width="11" height="11" rx="2" fill="${l.fill}" stroke="${s.ink.dim}" stroke-width="0.5"/><text x="${x + 16}" y="${y}" fill="${s.ink.text}">${xmlText(`${l.label} ${bytes(l.bytes)}`)}</text>`);
    x += 34 + (l.label.length + bytes(l.bytes).length + 1) * 6.4;
  }
  parts.push("</g>");
  return svgDocument(s.width, head + rows.count * rows.pitch + foot, parts.join(""), s.ink.ground);
}
