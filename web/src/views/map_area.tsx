// The drawing area of the address space: the strip of the whole and the picture itself, with the pointer and keys.
import type { JSX } from "preact";
import type { Snapshot } from "../data/snapshot";
import type { Diff } from "../data/types";
import { addressOf, markedBy } from "../map/marks";
import { hitAt, zoomAt, type Hit } from "../map/place";
import { addressAt, pieceAtAddress, type Line } from "../map/space";
import { around, move, zoom, type Window } from "../map/window";
import { act, useStore } from "../state/store";
import { STRIP, type Canvases } from "./map_painting";
import { usePointer, type Gestures } from "./map_pointer";
import type { Sight } from "./map_sight";
import { spanText } from "./map_words";

/** Pieces `first` to `last` with some room around them. */
export function pieces(line: Line, first: number, last = first): Window {
  return around(line.at[first] ?? 0, line.at[last + 1] ?? 0, line);
}

/** Zooms at the middle. */
export function closer({ now, set, line }: Sight, factor: number): void {
  set(zoom(now(), line, factor, (now().from + now().to) / 2), true);
}

/** Selects the region after the one that is selected, or before it. */
function selectNext(s: Snapshot, { line, view }: Sight, selected: number | null, step: 1 | -1): void {
  const m = markedBy(s, line, selected);
  const from = m ? (step > 0 ? m.last : m.first) : pieceAtAddress(line, addressAt(line, view.from));
  const region = line.pieces[from]?.region ?? -1;
  for (let i = from + step; i >= 0 && i < line.pieces.length; i += step) {
    const other = line.pieces[i]?.region ?? -1;
    if (other >= 0 && other !== region) return act({ selected: s.regions.number("address", other) });
  }
}

function useKeys(s: Snapshot, sight: Sight): (e: KeyboardEvent) => void {
  const selected = useStore((st) => st.selected);
  const { line, now, set } = sight;
  return (e) => {
    const at = now();
    const span = at.to - at.from;
    const keys: Record<string, () => void> = {
      ArrowRight: () => set(move(at, line, span / 10)), ArrowLeft: () => set(move(at, line, -span / 10)),
      ArrowDown: () => set(move(at, line, span / 4)), ArrowUp: () => set(move(at, line, -span / 4)),
      PageDown: () => set(move(at, line, span)), PageUp: () => set(move(at, line, -span)),
      "+": () => closer(sight, 2), "=": () => closer(sight, 2), "-": () => closer(sight, 0.5), Home: () => set({ from: 0, to: line.length }, true),
      n: () => selectNext(s, sight, selected, 1), p: () => selectNext(s, sight, selected, -1),
      Enter: () => selected !== null && act({ tab: "regions" }), Escape: () => act({ selected: null }),
    };
    const key = e.ctrlKey || e.metaKey || e.altKey ? undefined : keys[e.key];
    if (!key) return;
    e.preventDefault();
    key();
  };
}

function gesturesOf(s: Snapshot, diff: Diff | null, sight: Sight, onHot: (hit: Hit | null) => void, onSelect: (address: number) => void): Gestures {
  const { line, view, now, set, places, placesAt, detail } = sight;
  const hit = (x: number, y: number): Hit | null => hitAt(line, view, places, devicePixelRatio || 1, detail, x, y);
  return {
    pan: (dx, dy) => {
      const at = now();
      const { rows } = placesAt(at.to - at.from);
      set(move(at, line, (-(dx / rows.width + dy / rows.pitch) * (at.to - at.from)) / rows.count));
    },
    zoom: (factor, x, y) => set(zoomAt(line, now(), factor, placesAt, x, y)),
    hover: (x, y) => onHot(hit(x, y)),
    leave: () => onHot(null),
    tap: (x, y) => {
      const address = addressOf(s, line, diff, hit(x, y));
      if (address !== null) onSelect(address);
    },
    again: (x, y) => {
      const i = hit(x, y)?.piece ?? -1;
      if (i >= 0) set(pieces(line, i), true);
    },
  };
}

/** The whole; pressing it moves the window there. */
function Strip({ canvas, sight }: { canvas: Canvases["strip"]; sight: Sight }): JSX.Element {
  const { line, now, set } = sight;
  const jump = (e: PointerEvent): void => {
    const box = (e.currentTarget as HTMLElement).getBoundingClientRect();
    const middle = ((e.clientX - box.left) / box.width) * line.length;
    const span = now().to - now().from;
    set({ from: middle - span / 2, to: middle + span / 2 });
  };
  return <canvas ref={canvas} class="map-strip" style={{ height: STRIP + "px" }} aria-hidden="true" onPointerDown={jump} onPointerMove={(e) => e.buttons && jump(e)} />;
}

export interface AreaProps {
  s: Snapshot;
  diff: Diff | null;
  sight: Sight;
  place: { current: HTMLDivElement | null };
  canvases: Canvases;
  onHot(hit: Hit | null): void;
  onSelect(address: number): void;
}

export function DrawingArea({ s, diff, sight, place, canvases, onHot, onSelect }: AreaProps): JSX.Element {
  const pointer = usePointer(canvases.marks, gesturesOf(s, diff, sight, onHot, onSelect));
  const onKey = useKeys(s, sight);
  return (
    <>
      <Strip canvas={canvases.strip} sight={sight} />
      <div class={"map-place" + (sight.places.square ? " with-square" : "")} ref={place}>
        <canvas ref={canvases.ground} class="map-ground" aria-hidden="true" />
        <canvas ref={canvases.marks} class="map-canvas" tabIndex={0} role="application" aria-describedby="map-keys" aria-label={spanText(sight.line, sight.view)}
          {...pointer} onKeyDown={onKey} />
      </div>
    </>
  );
}
