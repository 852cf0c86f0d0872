// The address space as a picture: zoomed from the whole space down to pages and chunks; linked with the table in both directions.
import type { JSX } from "preact";
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import { coloursOf, MODES, numberOf, type Mode } from "../map/colours";
import type { Detail } from "../map/detail";
import { chunkIn, hasChunks, pageAt, placesOf } from "../map/detail";
import { lanes } from "../map/cells";
import type { Rows } from "../map/layout";
import { inkOf, paintBracket, paintOverlay, paintStrip, type Marked, type Marks } from "../map/overlay";
import { paintHilbert, paintRows, paintWhole, setUp, type Scene } from "../map/paint";
import { bytesIn, hitAt, pixelsPerPlace, placesFor, zoomAt, type Hit, type Places } from "../map/place";
import { addressAt, lineOf, pieceAtAddress, piecesOf, type Line, type Piece } from "../map/space";
import { svgOf } from "../map/svg";
import { around, move, zoom } from "../map/window";
import type { Chunk } from "../data/chunks";
import type { Snapshot } from "../data/snapshot";
import { formatAddress } from "../data/rows";
import { fileName, saveCanvas, savePicture } from "../export";
import { bytes, thousands } from "../format";
import { act, useStore } from "../state/store";
import { kindLabel, useDark, useKindLooks, useKinds } from "./kinds";
import { DetailLegend, useDetail } from "./map_detail";
import { MapList } from "./map_list";
import { usePointer } from "./map_pointer";
import { MapSide, pageWord, stateWord } from "./map_side";
import { MapLegend, MapTools, panelOpen } from "./map_tools";
import { useWindow } from "./map_window";
import { visible } from "../text";
import "../style/map.css";

const STRIP = 26;

function pieceText(s: Snapshot, p: Piece, label: string): string {
  if (p.gone >= 0) return `${label}, gone · ${bytes(p.size)}`;
  if (p.region < 0) return `${label} · ${bytes(p.size)}`;
  const block = p.block >= 0 ? s.blocks.text("details", p.block) || s.blocks.text("label", p.block) : "";
  const path = s.regions.text("path", p.region);
  const region = path && !path.startsWith("/dev/") ? path : s.regions.text("details", p.region);
  const name = region.startsWith("/") ? region.slice(region.lastIndexOf("/") + 1) : region;
  return visible([name || label, block && block !== region ? block : "", bytes(p.size)].filter(Boolean).join(" · "));
}

/** What is under the pointer in words: the piece, and in the close view its page and chunk. */
function told(s: Snapshot, line: Line, hit: Hit, label: string): string {
  const p = line.pieces[hit.piece];
  if (!p) return "";
  const rss = numberOf(s, p, "rss");
  const parts = [`${formatAddress(p.start)}–${formatAddress(p.start + p.size)}`, pieceText(s, p, label), label];
  if (p.region >= 0) parts.push(`${bytes(rss)} resident`);
  const pageSize = s.head.target.page_size ?? 4096;
  if (hit.page) parts.push(`page ${formatAddress(Math.floor(hit.address / pageSize) * pageSize)}: ${pageWord(hit.page.state)}`);
  if (hit.chunk) parts.push(`chunk ${formatAddress(hit.chunk.address)}: ${thousands(hit.chunk.size)} bytes, ${stateWord(hit.chunk.state)}`);
  return parts.join(" · ");
}

/** What is not to scale, if anything. */
function scaleWord(line: Line): string {
  const { mapped, free } = line.cuts;
  const what = [free < Infinity ? `free space longer than ${bytes(free)}` : "", mapped < Infinity ? `what else is longer than ${bytes(mapped)}` : ""].filter(Boolean);
  return what.length ? `hatched: ${what.join(" and ")}, drawn cut short` : "to scale";
}

/** Sizes of an element, followed as it changes. */
function useSize(element: { current: HTMLElement | null }): { width: number; height: number } {
  const [size, setSize] = useState({ width: 0, height: 0 });
  useEffect(() => {
    const e = element.current;
    if (!e) return;
    const update = (): void => setSize({ width: e.clientWidth, height: e.clientHeight });
    update();
    const observer = new ResizeObserver(update);
    observer.observe(e);
    return () => observer.disconnect();
  }, []);
  return size;
}

/** Changes once the style sheet of another theme is in force: a canvas takes its colours from there. */
function useThemed(dark: boolean, palette: string): number {
  const [times, setTimes] = useState(0);
  useEffect(() => {
    const frame = requestAnimationFrame(() => setTimes((n) => n + 1));
    return () => cancelAnimationFrame(frame);
  }, [dark, palette]);
  return times;
}

/** Pieces that an address stands for: of the region that begins there all, else the one that holds it. */
function markedBy(s: Snapshot, line: Line, address: number | null): { first: number; last: number } | null {
  const one = address === null ? -1 : pieceAtAddress(line, address);
  const p = line.pieces[one];
  if (!p) return null;
  const same = (i: number): boolean => (p.gone >= 0 ? line.pieces[i]?.gone === p.gone : p.region >= 0 && line.pieces[i]?.region === p.region);
  if (p.gone < 0 && (p.region < 0 || address !== s.regions.number("address", p.region))) return { first: one, last: one };
  let first = one;
  let last = one;
  while (same(first - 1)) first--;
  while (same(last + 1)) last++;
  return { first, last };
}

/** What is marked, as stretches of the line. */
function marksOf(s: Snapshot, line: Line, rows: Rows, detail: Detail | null, selected: number | null, hit: Hit | null, largestFree: number): Marks {
  const whole = (first: number, last = first): Marked => ({ from: line.at[first] ?? 0, to: line.at[last + 1] ?? 0 });
  const marked = markedBy(s, line, selected);
  const chunk = detail && selected !== null && marked ? chunkIn(detail, selected) : null;
  const pageSize = s.head.target.page_size ?? 4096;
  const page = (address: number): number => Math.floor(address / pageSize) * pageSize;
  const ofChunk = (piece: number, k: Chunk): Marked => ({ ...placesOf(line, piece, k.start, k.start + k.stretch), lane: lanes(rows, true).chunks });
  const ofPage = (piece: number, address: number): Marked => ({ ...placesOf(line, piece, page(address), page(address) + pageSize), lane: lanes(rows, hasChunks(detail, line, piece)).pages });
  const hot = !hit ? null : hit.chunk ? ofChunk(hit.piece, hit.chunk) : hit.page ? ofPage(hit.piece, hit.address) : whole(hit.piece);
  const inside = marked !== null && selected !== null && selected !== line.pieces[marked.first]?.start;
  const picked = !marked || selected === null ? null : chunk && chunk.address === selected ? ofChunk(marked.first, chunk)
    : inside && detail && pageAt(detail, selected) ? ofPage(marked.first, selected) : whole(marked.first, marked.last);
  return {
    selected: picked, hot, free: largestFree >= 0 ? whole(largestFree) : null,
  };
}

export function AddressMap(): JSX.Element {
  const snapshot = useStore((s) => s.snapshot);
  return snapshot && snapshot.regions.count ? <Picture s={snapshot} /> : <p class="empty">There are no regions to draw.</p>;
}

function Picture({ s }: { s: Snapshot }): JSX.Element {
  const kinds = useKinds();
  const looks = useKindLooks();
  const dark = useDark();
  const diff = useStore((st) => (st.compare ? st.diff : null));
  const picked = useStore((st) => st.kinds);
  const palette = useStore((st) => st.palette);
  const selected = useStore((st) => st.selected);
  const panel = useStore((st) => st.panel);
  const [wanted, setMode] = useState<Mode | null>(null);
  const [square, setSquare] = useState(false);
  const [trueScale, setTrueScale] = useState(false);
  const [hot, setHot] = useState<Hit | null>(null);
  const [hidden, setHidden] = useState(0);
  const place = useRef<HTMLDivElement>(null);
  const canvas = useRef<HTMLCanvasElement>(null);
  const overlay = useRef<HTMLCanvasElement>(null);
  const strip = useRef<HTMLCanvasElement>(null);
  const wholeStrip = useRef<HTMLCanvasElement | null>(null);
  const chosenHere = useRef<number | null>(null); // what was picked in the picture itself is in sight already
  const size = useSize(place);
  const hasNodes = useMemo(() => s.regions.ids().includes("numa") || s.blocks.ids().includes("numa"), [s]);
  const modes = useMemo(() => MODES.filter((m) => (m === "node" ? hasNodes : m === "change" ? diff !== null : true)), [hasNodes, diff]);
  const mode = wanted !== null && modes.includes(wanted) ? wanted : diff ? "change" : "kind";
  const line = useMemo(() => lineOf(piecesOf(s, diff), trueScale), [s, diff, trueScale]);
  const { view, calm, now, set } = useWindow(line);
  const colours = useMemo(() => coloursOf(mode, s, diff, line.pieces, { dark, palette, looks, kindLabel: (id) => kindLabel(kinds, id) }), [mode, s, diff, looks, kinds, dark, palette, line]);
  const largestFree = useMemo(() => (s.head.free.largest ? pieceAtAddress(line, Number(s.head.free.largest.address)) : -1), [s, line]);
  const pageSize = s.head.target.page_size ?? 4096;
  const calmRows = placesFor(size, square, calm.to - calm.from, 0).rows;
  const shown = useDetail(s, line, calm, pixelsPerPlace(calmRows, calm.to - calm.from));
  const placesAt = (span: number): Places => placesFor(size, square, span, shown.possible ? pageSize : 0);
  const places = placesAt(view.to - view.from);
  const detail = places.rows.close ? shown.detail : null;
  const largerList = useMemo(() => <MapList s={s} line={line} view={calm} onZoom={(i) => set(around(line.at[i] ?? 0, line.at[i + 1] ?? 0, line), true)} />, [s, line, calm]);

  // What was selected elsewhere comes into sight here.
  useEffect(() => {
    if (selected === chosenHere.current) return;
    chosenHere.current = null;
    const m = markedBy(s, line, selected);
    if (!m) return;
    const from = line.at[m.first] ?? 0;
    const to = line.at[m.last + 1] ?? 0;
    const at = now();
    if (from < at.to && to > at.from && (to - from) / (at.to - at.from) > 0.0015) return;
    set(around(from, Math.min(to, from + line.length / 20), line), true);
  }, [selected, line]);

  const scene = (): Scene => ({
    line, window: view, rows: places.rows, square: places.square, width: size.width, height: size.height, ratio: devicePixelRatio || 1, colours, picked,
    largestFree, detail, label: (i) => pieceText(s, line.pieces[i] as Piece, kindLabel(kinds, line.pieces[i]?.kind ?? "")), ink: inkOf(),
  });
  const marks = useMemo(() => marksOf(s, line, places.rows, detail, selected, hot, largestFree), [s, line, detail, selected, hot, largestFree, places.rows.pitch, places.rows.close]);
  const ready = size.width >= 200;
  const themed = useThemed(dark, palette);
  useLayoutEffect(() => {
    if (!ready) return;
    wholeStrip.current ??= document.createElement("canvas");
    paintWhole(wholeStrip.current, scene(), size.width - 16, STRIP);
  }, [line, size, colours, picked, ready, themed]);
  useLayoutEffect(() => {
    if (!canvas.current || !ready) return;
    const sc = scene();
    const c = setUp(canvas.current, sc);
    if (!c) return;
    setHidden(paintRows(c, sc));
    if (sc.square) paintHilbert(c, sc, sc.square);
    if (marks.free) paintBracket(c, sc, marks.free);
  }, [line, view, size, square, colours, picked, detail, largestFree, places.rows.close, ready, themed]);
  useLayoutEffect(() => {
    if (!overlay.current || !strip.current || !wholeStrip.current || !ready) return;
    const sc = scene();
    paintOverlay(overlay.current, sc, marks);
    paintStrip(strip.current, wholeStrip.current, sc, marks, size.width - 16, STRIP);
  }, [line, view, size, square, colours, marks, picked, places.rows.close, ready, themed]);

  const hit = (x: number, y: number): Hit | null => hitAt(line, view, places, devicePixelRatio || 1, detail, x, y);
  const select = (address: number): void => {
    chosenHere.current = address;
    act({ selected: address });
  };
  const pointer = usePointer(overlay, {
    pan: (dx, dy) => {
      const at = now();
      const rows = placesAt(at.to - at.from).rows;
      set(move(at, line, (-(dx / rows.width + dy / rows.pitch) * (at.to - at.from)) / rows.count));
    },
    zoom: (factor, x, y) => set(zoomAt(line, now(), factor, placesAt, x, y)),
    hover: (x, y) => setHot(hit(x, y)),
    leave: () => setHot(null),
    tap: (x, y) => {
      const found = hit(x, y);
      const p = found ? line.pieces[found.piece] : undefined;
      if (!found || !p || (p.region < 0 && p.gone < 0)) return;
      if (found.chunk) select(found.chunk.address);
      else if (found.page) select(Math.floor(found.address / pageSize) * pageSize);
      else select(goneStart(p) ?? p.start);
    },
    again: (x, y) => {
      const i = hit(x, y)?.piece ?? -1;
      if (i >= 0) set(around(line.at[i] ?? 0, line.at[i + 1] ?? 0, line), true);
    },
  });
  /** Where a gone region began, also where something else lies there today. */
  const goneStart = (p: Piece): number | null => {
    const was = p.gone >= 0 ? (diff?.regions[p.gone]?.["was"] as { address?: unknown } | undefined) : undefined;
    return typeof was?.address === "string" && pieceAtAddress(line, Number(was.address)) >= 0 && line.pieces[pieceAtAddress(line, Number(was.address))]?.gone === p.gone ? Number(was.address) : null;
  };
  const next = (step: number): void => {
    const m = markedBy(s, line, selected);
    const from = m ? (step > 0 ? m.last : m.first) : pieceAtAddress(line, addressAt(line, view.from));
    const region = line.pieces[from]?.region ?? -1;
    for (let i = from + step; i >= 0 && i < line.pieces.length; i += step) {
      const other = line.pieces[i]?.region ?? -1;
      if (other >= 0 && other !== region) return act({ selected: s.regions.number("address", other) });
    }
  };
  const closer = (factor: number): void => set(zoom(now(), line, factor, (now().from + now().to) / 2), true);
  const onKey = (e: KeyboardEvent): void => {
    const at = now();
    const span = at.to - at.from;
    const keys: Record<string, () => void> = {
      ArrowRight: () => set(move(at, line, span / 10)), ArrowLeft: () => set(move(at, line, -span / 10)),
      ArrowDown: () => set(move(at, line, span / 4)), ArrowUp: () => set(move(at, line, -span / 4)),
      PageDown: () => set(move(at, line, span)), PageUp: () => set(move(at, line, -span)),
      "+": () => closer(2), "=": () => closer(2), "-": () => closer(0.5), Home: () => set({ from: 0, to: line.length }, true),
      n: () => next(1), p: () => next(-1), Enter: () => selected !== null && act({ tab: "regions" }), Escape: () => act({ selected: null }),
    };
    const key = e.ctrlKey || e.metaKey || e.altKey ? undefined : keys[e.key];
    if (!key) return;
    e.preventDefault();
    key();
  };
  const name = [s.head.target.name, s.head.target.pid, "address-space"];
  const save = (format: "png" | "svg"): void => {
    if (format === "svg") return void savePicture(name, "svg", svgOf(scene(), `${s.head.target.name} ${s.head.target.pid ?? ""}`, colours.legend));
    if (canvas.current && overlay.current) void saveCanvas(fileName(name, "png"), together(canvas.current, overlay.current, inkOf().ground));
  };
  const withSide = panelOpen(panel); // also when nothing is selected: the picture does not jump under the pointer
  const latest = useRef({ closer, set, save });
  latest.current = { closer, set, save };
  const tools = useMemo(() => (
    <MapTools modes={modes} mode={mode} onMode={setMode} square={square} onSquare={setSquare} trueScale={trueScale} onTrueScale={setTrueScale}
      onZoom={(f) => latest.current.closer(f)} onWhole={() => latest.current.set({ from: 0, to: line.length }, true)} onSave={(f) => latest.current.save(f)} open={withSide}
      onFree={largestFree < 0 ? null : () => latest.current.set(around(line.at[largestFree] ?? 0, line.at[largestFree + 1] ?? 0, line), true)} />
  ), [modes, mode, square, trueScale, line, largestFree, withSide]);
  const legend = useMemo(() => (
    <MapLegend colours={colours} mode={mode} scale={scaleWord(line)} />
  ), [colours, mode, line]);
  const chunk = detail && selected !== null ? chunkIn(detail, selected) : null;
  const pickedChunk = chunk?.address === selected ? chunk : null;
  const marked = markedBy(s, line, selected);
  const run = detail && selected !== null && !pickedChunk && marked && selected !== line.pieces[marked.first]?.start ? pageAt(detail, selected) : null;
  const side = useMemo(() => (withSide ? <MapSide s={s} chunk={pickedChunk} run={run} /> : null), [withSide, s, pickedChunk, run]);
  const jump = (e: PointerEvent): void => {
    const box = (e.currentTarget as HTMLElement).getBoundingClientRect();
    const middle = ((e.clientX - box.left) / box.width) * line.length;
    const span = now().to - now().from;
    set({ from: middle - span / 2, to: middle + span / 2 });
  };
  return (
    <div class="map-with-side">
      <div class="map">
        {tools}
        {legend}
        <canvas ref={strip} class="map-strip" style={{ height: STRIP + "px" }} aria-hidden="true" onPointerDown={jump} onPointerMove={(e) => e.buttons && jump(e)} />
        <div class={"map-place" + (square ? " with-square" : "")} ref={place}>
          <canvas ref={canvas} class="map-ground" aria-hidden="true" />
          <canvas ref={overlay} class="map-canvas" tabIndex={0} role="application" aria-describedby="map-keys"
            aria-label={`Address space from ${formatAddress(Math.floor(addressAt(line, view.from)))} to ${formatAddress(Math.floor(addressAt(line, view.to)))}`}
            {...pointer} onKeyDown={onKey} />
        </div>
        <p class="map-tell" role="status">
          {hot ? told(s, line, hot, kindLabel(kinds, line.pieces[hot.piece]?.kind ?? ""))
            : `${bytes(bytesIn(line, view))} in sight${hidden ? `; ${thousands(hidden)} stretches share a pixel with another: zoom in to tell them apart` : ""}`}
        </p>
        <DetailLegend shown={shown} close={places.rows.close || (!shown.possible && pageSize * pixelsPerPlace(calmRows, calm.to - calm.from) >= 6)} />
        <p id="map-keys" class="hidden-label">Arrow keys move, plus and minus zoom, Home shows everything, n and p select the next and previous region, Enter shows it in the table.</p>
        {largerList}
      </div>
      {side}
    </div>
  );
}

/** Both canvases as one picture. */
function together(below: HTMLCanvasElement, above: HTMLCanvasElement, ground: string): HTMLCanvasElement {
  const both = document.createElement("canvas");
  both.width = below.width;
  both.height = below.height;
  const c = both.getContext("2d");
  if (c) c.fillStyle = ground;
  c?.fillRect(0, 0, both.width, both.height);
  c?.drawImage(below, 0, 0);
  c?.drawImage(above, 0, 0);
  return both;
}
