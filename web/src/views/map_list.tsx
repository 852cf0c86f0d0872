// What is in sight of the picture as a table: the largest first. For whoever cannot or will not look at a picture.
import type { JSX } from "preact";
import { useMemo, useState } from "preact/hooks";
import { thousands } from "../format";
import { formatAddress } from "../data/rows";
import type { Snapshot } from "../data/snapshot";
import type { Line } from "../map/space";
import { pieceAtPlace } from "../map/space";
import type { Window } from "../map/window";
import { KindName } from "./kinds";
import { Name, Size, toAddress } from "./parts";

const MOST = 12;

export function MapList({ s, line, view, onZoom }: { s: Snapshot; line: Line; view: Window; onZoom: (piece: number) => void }): JSX.Element {
  const [open, setOpen] = useState(false);
  const largest = useMemo(() => {
    const found: number[] = [];
    if (!open) return { count: 0, pieces: found };
    for (let i = Math.max(0, pieceAtPlace(line, view.from)); i < line.pieces.length && (line.at[i] ?? 0) < view.to; i++) found.push(i);
    const count = found.length;
    found.sort((a, b) => (line.pieces[b]?.size ?? 0) - (line.pieces[a]?.size ?? 0));
    return { count, pieces: found.slice(0, MOST) };
  }, [line, view, open]);
  return (
    <details class="map-list" onToggle={(e) => setOpen(e.currentTarget.open)}>
      <summary>{open ? `The largest of ${thousands(largest.count)} stretches in sight` : "The largest stretches in sight, as a table"}</summary>
      <table class="table">
        <thead><tr><th scope="col">Address</th><th scope="col">Type</th><th scope="col" class="number">Size KiB</th><th scope="col" class="number">RSS</th><th scope="col">Details</th><th scope="col" /></tr></thead>
        <tbody>
          {largest.pieces.map((i) => {
            const p = line.pieces[i];
            if (!p) return null;
            const rss = p.block >= 0 ? s.blocks.number("rss", p.block) : p.region >= 0 ? s.regions.number("rss", p.region) : 0;
            const details = p.region < 0 ? "" : s.regions.text("details", p.region) + (p.block >= 0 && s.blocks.text("label", p.block) ? ", " + s.blocks.text("label", p.block) : "");
            return (
              <tr key={i}>
                <td>{p.region >= 0 ? <button type="button" class="link mono" onClick={() => toAddress(p.start)}>{formatAddress(p.start)}</button> : <span class="mono">{formatAddress(p.start)}</span>}</td>
                <td><KindName kind={p.kind} /></td>
                <Size value={p.size} />
                <Size value={Number.isNaN(rss) ? null : rss} />
                <td><Name text={details} cut /></td>
                <td><button type="button" class="link" onClick={() => onZoom(i)}>zoom</button></td>
              </tr>
            );
          })}
        </tbody>
      </table>
    </details>
  );
}
