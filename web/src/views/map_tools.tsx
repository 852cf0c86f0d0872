// What stands around the picture of the address space: its controls and what its colours mean.
import type { JSX } from "preact";
import { bytes, thousands } from "../format";
import { cssPaint } from "../kinds";
import type { Colours, Mode } from "../map/colours";
import { act } from "../state/store";
import { Menu } from "./parts";

const MODE_LABELS: Record<Mode, string> = { kind: "Type", protection: "Protection", residency: "Resident", node: "NUMA node", change: "Change" };

const PANEL_ROOM = 1400; // pixels from which on the details stand open by themselves

export function panelOpen(panel: boolean | null): boolean {
  return panel ?? window.innerWidth >= PANEL_ROOM;
}

export interface ToolsProps {
  modes: readonly Mode[];
  mode: Mode;
  onMode(m: Mode): void;
  square: boolean;
  onSquare(on: boolean): void;
  trueScale: boolean;
  onTrueScale(on: boolean): void;
  onZoom(factor: number): void;
  onWhole(): void;
  onFree: (() => void) | null;
  onSave(format: "png" | "svg"): void;
  /** Whether the details stand beside. */
  open: boolean;
}

export function MapTools(t: ToolsProps): JSX.Element {
  return (
    <div class="map-tools no-print">
      <div class="choice" role="radiogroup" aria-label="Colours say">
        {t.modes.map((m) => <button key={m} type="button" role="radio" aria-checked={m === t.mode} onClick={() => t.onMode(m)}>{MODE_LABELS[m]}</button>)}
      </div>
      <div class="choice" role="radiogroup" aria-label="Drawn as">
        <button type="button" role="radio" aria-checked={!t.square} onClick={() => t.onSquare(false)}>Rows</button>
        <button type="button" role="radio" aria-checked={t.square} onClick={() => t.onSquare(true)}>Hilbert square</button>
      </div>
      <button type="button" class="button" aria-pressed={t.trueScale} onClick={() => t.onTrueScale(!t.trueScale)} title="Draws giant stretches as long as they are">True scale</button>
      <span class="grow" />
      {t.onFree && <button type="button" class="button" title="Goes to the largest free block, which has a bracket below it" onClick={t.onFree}>Largest free</button>}
      <button type="button" class="button" title="Closer (+)" aria-label="Closer" onClick={() => t.onZoom(2)}>+</button>
      <button type="button" class="button" title="Farther (-)" aria-label="Farther" onClick={() => t.onZoom(0.5)}>−</button>
      <button type="button" class="button" title="Everything (Home)" onClick={t.onWhole}>Whole</button>
      <Menu label="Save" title="Save this picture">
        {(close) => (["png", "svg"] as const).map((f) => (
          <button key={f} type="button" class="item" onClick={() => { t.onSave(f); close(); }}>Picture, {f.toUpperCase()}</button>
        ))}
      </Menu>
      <button type="button" class="button" aria-pressed={t.open} title="What is known of the selected region, beside the picture" onClick={() => act({ panel: !t.open })}>Details</button>
    </div>
  );
}

export function MapLegend({ colours, mode, scale }: { colours: Colours; mode: Mode; scale: string }): JSX.Element {
  return (
    <div class="map-legend" aria-label="What the colours mean">
      {colours.legend.map((l) => (
        <span key={l.id} class="chip" data-id={l.id} title={`${thousands(l.count)} ${l.count === 1 ? "stretch" : "stretches"}, ${bytes(l.bytes)} of address space`}>
          <span class="swatch" style={{ background: cssPaint({ fill: l.fill, edge: l.fill, ink: "#000000", pattern: l.pattern }), boxShadow: "inset 0 0 0 1px var(--strong)" }} />
          {l.label} <span class="dim">{bytes(l.bytes)}{mode === "change" && l.id !== "same" && !l.id.startsWith("empty") ? ` in ${thousands(l.count)}` : ""}</span>
        </span>
      ))}
      {mode === "kind" && <span class="dim">pale: promised, not resident; palest: only reserved</span>}
      {scale && <span class="dim">{scale}</span>}
    </div>
  );
}
