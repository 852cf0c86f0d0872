// What the picture of the address space shows at the moment: its line, colours, window, and what is near enough for pages and chunks.
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import type { Snapshot } from "../data/snapshot";
import type { Diff } from "../data/types";
import { textWidth } from "../map/canvas";
import { coloursOf, MODES, type Colours, type Mode } from "../map/colours";
import type { Detail } from "../map/detail";
import { markedBy, pageSizeOf } from "../map/marks";
import { pixelsPerPlace, placesFor, type Places, type Size } from "../map/place";
import { inkOf, type Scene } from "../map/scene";
import { lineOf, pieceAtAddress, piecesOf, samePieces, type Line, type Piece } from "../map/space";
import { around } from "../map/window";
import { useStore } from "../state/store";
import { kindLabel, useDark, useKindLooks, useKinds } from "./kinds";
import { useDetail, type Shown } from "./map_detail";
import { useWindow, type View } from "./map_window";
import { pieceText } from "./map_words";

/** How the reader wants it drawn. */
export interface Choices {
  modes: readonly Mode[];
  mode: Mode;
  setMode(m: Mode): void;
  square: boolean;
  setSquare(on: boolean): void;
  trueScale: boolean;
  setTrueScale(on: boolean): void;
}

export function useChoices(s: Snapshot, diff: Diff | null): Choices {
  const [wanted, setMode] = useState<Mode | null>(null);
  const [square, setSquare] = useState(false);
  const [trueScale, setTrueScale] = useState(false);
  const hasNodes = s.regions.ids().includes("numa") || s.blocks.ids().includes("numa");
  const modes = useMemo(() => MODES.filter((m) => (m === "node" ? hasNodes : m === "change" ? diff !== null : true)), [hasNodes, diff !== null]);
  const mode = wanted !== null && modes.includes(wanted) ? wanted : diff ? "change" : "kind";
  return { modes, mode, setMode, square, setSquare, trueScale, setTrueScale };
}

/** The line of a snapshot; the one before where only numbers changed: what is made of a line then holds. */
function useLine(s: Snapshot, diff: Diff | null, trueScale: boolean): Line {
  const held = useRef<{ s: Snapshot; diff: Diff | null; trueScale: boolean; line: Line } | null>(null);
  const was = held.current;
  const same = was !== null && was.diff === diff && was.trueScale === trueScale && (was.s === s || samePieces(was.s, s));
  const line = same ? was.line : lineOf(piecesOf(s, diff), trueScale);
  held.current = { s, diff, trueScale, line };
  return line;
}

export interface Sight extends View {
  line: Line;
  colours: Colours;
  /** Place among the pieces; -1: there is none. */
  largestFree: number;
  shown: Shown;
  places: Places;
  /** Where rows would be of another span. */
  placesAt(span: number): Places;
  /** What there is to draw of pages and chunks. */
  detail: Detail | null;
  /** Pages are as large here as where they can be drawn. */
  near: boolean;
}

const NEAR = 6; // pixels of a page

export function useSight(s: Snapshot, diff: Diff | null, { mode, square, trueScale }: Choices, size: Size): Sight {
  const kinds = useKinds();
  const looks = useKindLooks();
  const dark = useDark();
  const palette = useStore((st) => st.palette);
  const line = useLine(s, diff, trueScale);
  const view = useWindow(line);
  const colours = useMemo(() => coloursOf(mode, s, diff, line.pieces, { dark, palette, looks, kindLabel: (id) => kindLabel(kinds, id) }), [mode, s, diff, looks, kinds, dark, palette, line]);
  const largest = s.head.free.largest?.address;
  const largestFree = useMemo(() => (largest ? pieceAtAddress(line, Number(largest)) : -1), [largest, line]);
  const span = view.calm.to - view.calm.from;
  const pixels = pixelsPerPlace(placesFor(size, square, span, 0).rows, span);
  const shown = useDetail(s, line, view.calm, pixels);
  const placesAt = (of: number): Places => placesFor(size, square, of, shown.possible ? pageSizeOf(s) : 0);
  const places = placesAt(view.view.to - view.view.from);
  const near = places.rows.close || (!shown.possible && pageSizeOf(s) * pixels >= NEAR);
  return { ...view, line, colours, largestFree, shown, places, placesAt, detail: places.rows.close ? shown.detail : null, near };
}

/** Changes once the style sheet of another theme is in force: a canvas takes its colours from there. */
function useThemed(): number {
  const dark = useDark();
  const palette = useStore((st) => st.palette);
  const [times, setTimes] = useState(0);
  useEffect(() => {
    const frame = requestAnimationFrame(() => setTimes((n) => n + 1));
    return () => cancelAnimationFrame(frame);
  }, [dark, palette]);
  return times;
}

/** All that is drawn; the same object while nothing of it changes. */
export function useScene(s: Snapshot, sight: Sight, size: Size): Scene {
  const kinds = useKinds();
  const picked = useStore((st) => st.kinds);
  const themed = useThemed();
  const ink = useMemo(inkOf, [themed]);
  const { line, view, places, colours, detail, largestFree } = sight;
  const { rows, square } = places;
  const ratio = devicePixelRatio || 1;
  return useMemo(() => ({
    line, window: view, rows, square, width: size.width, height: size.height, ratio, colours, picked, largestFree, detail, ink, measure: textWidth,
    label: (i: number) => pieceText(s, line.pieces[i] as Piece, kindLabel(kinds, line.pieces[i]?.kind ?? "")),
  }), [s, line, view, size, ratio, colours, picked, detail, largestFree, ink, kinds, rows.close, square === null]);
}

/** What was selected elsewhere comes into sight; `here` is what was picked in the picture itself, and is in sight already. */
export function useSelectedInSight(s: Snapshot, { line, now, set }: Sight, here: { current: number | null }): void {
  const selected = useStore((st) => st.selected);
  useEffect(() => {
    if (selected === here.current) return;
    here.current = null;
    const m = markedBy(s, line, selected);
    if (!m) return;
    const from = line.at[m.first] ?? 0;
    const to = line.at[m.last + 1] ?? 0;
    const at = now();
    if (from < at.to && to > at.from && (to - from) / (at.to - at.from) > 0.0015) return;
    set(around(from, Math.min(to, from + line.length / 20), line), true);
  }, [selected, line]);
}
