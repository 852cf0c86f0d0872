// The address space as a picture: zoomed from the whole space down to pages; linked with the table in both directions.
import type { JSX } from "preact";
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { coloursOf, isEmpty, MODES, type Mode } from "../map/colours";
import { HILBERT_ORDER, LEFT, paintHilbert, paintOverview, paintRows, squareSide, type Painted, type Scene } from "../map/paint";
import { addressAt, lineOf, pieceAtAddress, piecesOf, placeOf, type Line, type Piece } from "../map/space";
import { around, between, clamp, move, zoom, type Window } from "../map/window";
import { hilbertPlace } from "../map/layout";
import { svgOf } from "../map/svg";
import type { Snapshot } from "../data/snapshot";
import { formatAddress } from "../data/rows";
import { fileName, saveCanvas, savePicture } from "../export";
import { bytes, thousands } from "../format";
import { mixed } from "../kinds";
import { act, useStore } from "../state/store";
import { FilterStrip, kindLabel, useDark, useKindLooks, useKinds } from "./kinds";
import { MapList } from "./map_list";
import { MapPages } from "./map_pages";
import { Menu } from "./parts";
import { visible } from "../text";
import "../style/map.css";

const MODE_LABELS: Record<Mode, string> = { kind: "Type", protection: "Protection", residency: "Resident", node: "NUMA node", change: "Change" };
const STRIP = 26;

function pieceText(s: Snapshot, p: Piece, label: string): string {
  if (p.region < 0) return `${label} · ${bytes(p.size)}`;
  const block = p.block >= 0 ? s.blocks.text("details", p.block) || s.blocks.text("label", p.block) : "";
  const path = s.regions.text("path", p.region);
  const region = path && !path.startsWith("/dev/") ? path : s.regions.text("details", p.region);
  const name = region.startsWith("/") ? region.slice(region.lastIndexOf("/") + 1) : region;
  return visible([name || label, block && block !== region ? block : "", bytes(p.size)].filter(Boolean).join(" · "));
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

export function AddressMap(): JSX.Element {
  const snapshot = useStore((s) => s.snapshot);
  return snapshot && snapshot.regions.count ? <Picture s={snapshot} /> : <p class="empty">There are no regions to draw.</p>;
}

function Picture({ s }: { s: Snapshot }): JSX.Element {
  const kinds = useKinds();
  const looks = useKindLooks();
  const dark = useDark();
  const diff = useStore((st) => st.diff);
  const picked = useStore((st) => st.kinds);
  const selected = useStore((st) => st.selected);
  const provider = useStore((st) => st.provider);
  const [wanted, setMode] = useState<Mode>("kind");
  const [square, setSquare] = useState(false);
  const [trueScale, setTrueScale] = useState(false);
  const [hot, setHot] = useState(-1);
  const [hidden, setHidden] = useState(0);
  const place = useRef<HTMLDivElement>(null);
  const canvas = useRef<HTMLCanvasElement>(null);
  const strip = useRef<HTMLCanvasElement>(null);
  const painted = useRef<Painted | null>(null);
  const cells = useRef<Int32Array | null>(null);
  const size = useSize(place);
  const hasNodes = useMemo(() => s.regions.ids().includes("numa") || s.blocks.ids().includes("numa"), [s]);
  const modes = MODES.filter((m) => (m === "node" ? hasNodes : m === "change" ? diff !== null : true));
  const mode = modes.includes(wanted) ? wanted : "kind";
  const line = useMemo(() => lineOf(piecesOf(s), trueScale), [s, trueScale]);
  const [view, setView] = useWindow(line);
  const colours = useMemo(() => coloursOf(mode, s, diff, looks, (id) => kindLabel(kinds, id), dark), [mode, s, diff, looks, kinds, dark]);
  const largestFree = useMemo(() => {
    const found = s.head.free.largest;
    return found ? pieceAtAddress(line, Number(found.address)) : -1;
  }, [s, line]);
  const marked = useMemo(() => {
    const found = new Set<number>();
    if (selected === null) return found;
    const one = pieceAtAddress(line, selected);
    const region = line.pieces[one]?.region ?? -1;
    if (region < 0 || selected !== s.regions.number("address", region)) return one >= 0 ? found.add(one) : found;
    line.pieces.forEach((p, i) => p.region === region && found.add(i));
    return found;
  }, [line, selected, s]);

  // What was selected elsewhere comes into sight here.
  useEffect(() => {
    const places = [...marked];
    const from = Math.min(...places.map((i) => line.at[i] ?? 0));
    const to = Math.max(...places.map((i) => line.at[i + 1] ?? 0));
    if (!places.length || (from < view.to && to > view.from && (to - from) / (view.to - view.from) > 0.0015)) return;
    setView(around(from, Math.min(to, from + line.length / 20), line.length), true);
  }, [marked, line]);

  const fills = useMemo(() => line.pieces.map((p) => colours.of(p)), [line, colours]);
  const edges = useMemo(() => {
    const made = new Map<string, string>();
    for (const f of fills) if (!made.has(f)) made.set(f, mixed(f, dark ? "#ffffff" : "#1d2127", 0.25));
    return made;
  }, [fills, dark]);

  const scene = (): Scene => {
    const style = getComputedStyle(document.documentElement);
    const ink = (name: string): string => style.getPropertyValue(name).trim();
    const piece = (i: number): Piece => line.pieces[i] as Piece;
    return {
      line, window: view, width: size.width, height: size.height, ratio: devicePixelRatio || 1, selected: marked, hot, largestFree,
      colour: (i) => fills[i] ?? "#808080", edge: (i) => edges.get(fills[i] ?? "") ?? "#606060",
      label: (i) => pieceText(s, piece(i), kindLabel(kinds, piece(i).kind)),
      matters: (i) => !isEmpty(piece(i).kind), dimmed: (i) => picked !== null && !picked.includes(piece(i).kind),
      ink: { text: ink("--text"), dim: ink("--dim"), ground: ink("--ground"), accent: ink("--accent"), line: ink("--line") },
    };
  };
  useEffect(() => {
    if (!canvas.current || !strip.current || size.width < 200) return;
    const now = scene();
    if (square) {
      cells.current = paintHilbert(canvas.current, now);
      painted.current = null;
      setHidden(0);
    } else {
      painted.current = paintRows(canvas.current, now);
      cells.current = null;
      setHidden(painted.current.hidden);
    }
    paintOverview(strip.current, { ...now, width: size.width - 16, height: STRIP });
  }, [line, view, size, square, colours, picked, marked, hot, dark, largestFree]);

  /** Place on the line under the pointer; null beside the picture. */
  const placeAt = (e: MouseEvent): number | null => {
    const box = canvas.current?.getBoundingClientRect();
    if (!box) return null;
    const x = e.clientX - box.left - LEFT;
    const y = e.clientY - box.top;
    const span = view.to - view.from;
    if (square) {
      const side = squareSide(size);
      const count = 1 << HILBERT_ORDER;
      const cx = Math.floor((x / side) * count);
      const cy = Math.floor(((y - 4) / side) * count);
      if (cx < 0 || cy < 0 || cx >= count || cy >= count) return null;
      return view.from + ((hilbertPlace(HILBERT_ORDER, cx, cy) + 0.5) / (count * count)) * span;
    }
    const rows = painted.current?.rows;
    if (!rows || x < 0 || x > rows.width) return null;
    const row = Math.min(rows.count - 1, Math.max(0, Math.floor(y / rows.pitch)));
    return view.from + ((row + x / rows.width) / rows.count) * span;
  };
  /** The piece drawn under the pointer: what is smaller than a pixel is what the pixel shows. */
  const pieceAt = (e: MouseEvent): number => {
    const at = placeAt(e);
    if (at === null) return -1;
    if (cells.current) return cells.current[Math.min(cells.current.length - 1, Math.floor(((at - view.from) / (view.to - view.from)) * cells.current.length))] ?? -1;
    const box = canvas.current?.getBoundingClientRect();
    const x = e.clientX - (box?.left ?? 0);
    const y = e.clientY - (box?.top ?? 0);
    const near = painted.current?.boxes.filter((b) => y >= b.y - 3 && y < b.y + b.height + 3 && x >= b.x - 1.5 && x <= b.x + Math.max(b.width, 1) + 1.5) ?? [];
    near.sort((a, b) => Number(isEmpty(line.pieces[a.piece]?.kind ?? "")) - Number(isEmpty(line.pieces[b.piece]?.kind ?? "")) || a.width - b.width);
    const inside = near.filter((b) => x >= b.x && x < b.x + b.width);
    return (inside.find((b) => b.width > 3) ?? near[0] ?? inside[0])?.piece ?? -1;
  };
  const select = (i: number): void => {
    const p = line.pieces[i];
    if (p && p.region >= 0) act({ selected: s.regions.number("address", p.region) });
  };
  const drag = useRef<{ x: number; from: number; moved: boolean } | null>(null);
  const onMove = (e: PointerEvent): void => {
    if (!drag.current) return setHot(pieceAt(e));
    const perPixel = (view.to - view.from) / Math.max(1, painted.current ? painted.current.rows.width * painted.current.rows.count : size.width * 8);
    if (Math.abs(e.clientX - drag.current.x) > 3) drag.current.moved = true;
    if (drag.current.moved) setView(move({ from: drag.current.from, to: drag.current.from + view.to - view.from }, line.length, (drag.current.x - e.clientX) * perPixel));
  };
  const onWheel = (e: WheelEvent): void => {
    e.preventDefault();
    const span = view.to - view.from;
    if (e.shiftKey || Math.abs(e.deltaX) > Math.abs(e.deltaY)) setView(move(view, line.length, (span * (e.deltaX || e.deltaY)) / 800));
    else setView(zoom(view, line.length, Math.exp(-e.deltaY / 300), placeAt(e) ?? view.from + span / 2));
  };
  const next = (step: number): void => {
    const from = [...marked].at(step > 0 ? -1 : 0) ?? pieceAtAddress(line, addressAt(line, view.from));
    const region = line.pieces[from]?.region ?? -1;
    for (let i = from + step; i >= 0 && i < line.pieces.length; i += step)
      if ((line.pieces[i]?.region ?? -1) >= 0 && line.pieces[i]?.region !== region) return select(i);
  };
  const onKey = (e: KeyboardEvent): void => {
    const span = view.to - view.from;
    const keys: Record<string, () => void> = {
      ArrowRight: () => setView(move(view, line.length, span / 10)), ArrowLeft: () => setView(move(view, line.length, -span / 10)),
      ArrowDown: () => setView(move(view, line.length, span / 4)), ArrowUp: () => setView(move(view, line.length, -span / 4)),
      PageDown: () => setView(move(view, line.length, span)), PageUp: () => setView(move(view, line.length, -span)),
      "+": () => setView(zoom(view, line.length, 2, (view.from + view.to) / 2), true), "=": () => setView(zoom(view, line.length, 2, (view.from + view.to) / 2), true),
      "-": () => setView(zoom(view, line.length, 0.5, (view.from + view.to) / 2), true), Home: () => setView({ from: 0, to: line.length }, true),
      n: () => next(1), p: () => next(-1), Enter: () => selected !== null && act({ tab: "regions" }),
      Escape: () => act({ selected: null }),
    };
    const key = e.ctrlKey || e.metaKey || e.altKey ? undefined : keys[e.key];
    if (!key) return;
    e.preventDefault();
    key();
  };
  useEffect(() => {
    const c = canvas.current;
    c?.addEventListener("wheel", onWheel, { passive: false });
    return () => c?.removeEventListener("wheel", onWheel);
  });
  const told = line.pieces[hot] ?? null;
  const name = [s.head.target.name, s.head.target.pid, "address-space"];
  return (
    <div class="map">
      <FilterStrip />
      <div class="map-tools no-print">
        <div class="choice" role="radiogroup" aria-label="Colours say">
          {modes.map((m) => <button key={m} type="button" role="radio" aria-checked={m === mode} onClick={() => setMode(m)}>{MODE_LABELS[m]}</button>)}
        </div>
        <div class="choice" role="radiogroup" aria-label="Drawn as">
          <button type="button" role="radio" aria-checked={!square} onClick={() => setSquare(false)}>Rows</button>
          <button type="button" role="radio" aria-checked={square} onClick={() => setSquare(true)}>Hilbert square</button>
        </div>
        <button type="button" class="button" aria-pressed={trueScale} onClick={() => setTrueScale(!trueScale)} title="Draws giant stretches as long as they are">True scale</button>
        <span class="grow" />
        <button type="button" class="button" title="Closer (+)" aria-label="Closer" onClick={() => setView(zoom(view, line.length, 2, (view.from + view.to) / 2), true)}>+</button>
        <button type="button" class="button" title="Farther (-)" aria-label="Farther" onClick={() => setView(zoom(view, line.length, 0.5, (view.from + view.to) / 2), true)}>−</button>
        <button type="button" class="button" title="Everything (Home)" onClick={() => setView({ from: 0, to: line.length }, true)}>Whole</button>
        <Menu label="Save" title="Save this picture">
          {(close) => (["png", "svg"] as const).map((f) => (
            <button key={f} type="button" class="item" onClick={() => {
              if (f === "png" && canvas.current) void saveCanvas(fileName(name, "png"), canvas.current);
              else void savePicture(name, "svg", svgOf(scene(), `${s.head.target.name} ${s.head.target.pid ?? ""}`, colours.legend));
              close();
            }}>Picture, {f.toUpperCase()}</button>
          ))}
        </Menu>
      </div>
      <div class="map-legend" aria-label="What the colours mean">
        {colours.legend.map((l) => <span key={l.id} class="chip"><span class="swatch" style={{ background: l.fill, boxShadow: "inset 0 0 0 1px var(--strong)" }} />{l.label}</span>)}
        {mode === "kind" && <span class="dim">pale: promised, not resident; palest: only reserved ·</span>}
        <span class="dim">{trueScale || line.cut === Infinity ? "to scale" : `hatched: longer than ${bytes(line.cut)}, drawn cut short`}</span>
      </div>
      <canvas ref={strip} class="map-strip" style={{ height: STRIP + "px" }} aria-hidden="true"
        onPointerDown={(e) => jump(e, line, view, setView)} onPointerMove={(e) => e.buttons && jump(e, line, view, setView)} />
      <div class="map-place" ref={place}>
        <canvas ref={canvas} class="map-canvas" tabIndex={0} role="application" aria-describedby="map-keys"
          aria-label={`Address space from ${formatAddress(Math.floor(addressAt(line, view.from)))} to ${formatAddress(Math.floor(addressAt(line, view.to)))}`}
          onPointerDown={(e) => { drag.current = { x: e.clientX, from: view.from, moved: false }; e.currentTarget.setPointerCapture(e.pointerId); }}
          onPointerUp={(e) => { if (drag.current && !drag.current.moved) select(pieceAt(e)); drag.current = null; }}
          onPointerCancel={() => { drag.current = null; }}
          onPointerMove={onMove} onPointerLeave={() => setHot(-1)} onKeyDown={onKey}
          onDblClick={(e) => { const i = pieceAt(e); if (i >= 0) setView(around(line.at[i] ?? 0, line.at[i + 1] ?? 0, line.length), true); }} />
      </div>
      <MapPages line={line} view={view} provider={provider} />
      <p class="map-tell" role="status">
        {told ? `${formatAddress(told.start)}–${formatAddress(told.start + told.size)} · ${pieceText(s, told, kindLabel(kinds, told.kind))} · ${kindLabel(kinds, told.kind)}` +
          (told.region >= 0 ? ` · ${bytes(told.block >= 0 ? s.blocks.number("rss", told.block) : s.regions.number("rss", told.region))} resident` : "")
          : `${bytes(placesBytes(line, view))} in sight${hidden ? `; ${thousands(hidden)} stretches share a pixel with another: zoom in to tell them apart` : ""}`}
      </p>
      <p id="map-keys" class="hidden-label">Arrow keys move, plus and minus zoom, Home shows everything, n and p select the next and previous region, Enter shows it in the table.</p>
      <MapList s={s} line={line} view={view} onZoom={(i) => setView(around(line.at[i] ?? 0, line.at[i + 1] ?? 0, line.length), true)} />
    </div>
  );
}

/** True bytes between the ends of a window. */
function placesBytes(line: Line, w: Window): number {
  return addressAt(line, w.to) - addressAt(line, w.from);
}

function jump(e: PointerEvent, line: Line, view: Window, setView: (w: Window) => void): void {
  const box = (e.currentTarget as HTMLElement).getBoundingClientRect();
  const middle = ((e.clientX - box.left) / box.width) * line.length;
  const span = view.to - view.from;
  setView(move({ from: middle - span / 2, to: middle + span / 2 }, line.length, 0));
}

/** The window, moved smoothly where the reader has nothing against it; it keeps its addresses when the line changes. */
function useWindow(line: Line): [Window, (w: Window, smooth?: boolean) => void] {
  const [held, setHeld] = useState<{ line: Line; view: Window }>(() => ({ line, view: { from: 0, to: line.length } }));
  const frame = useRef(0);
  let now = held;
  if (held.line !== line) {
    const whole = held.view.from <= 0 && held.view.to >= held.line.length;
    const view = whole ? { from: 0, to: line.length }
      : clamp({ from: placeOf(line, addressAt(held.line, held.view.from)), to: placeOf(line, addressAt(held.line, held.view.to)) }, line.length);
    now = { line, view };
    setHeld(now);
  }
  const latest = useRef(now.view);
  latest.current = now.view;
  const set = (to: Window, smooth = false): void => {
    cancelAnimationFrame(frame.current);
    const target = clamp(to, line.length);
    if (!smooth || matchMedia("(prefers-reduced-motion: reduce)").matches) return setHeld({ line, view: target });
    const from = latest.current;
    const begin = performance.now();
    const step = (): void => {
      const share = Math.min(1, (performance.now() - begin) / 220);
      const eased = 1 - (1 - share) ** 3;
      setHeld({ line, view: share < 1 ? clamp(between(from, target, eased), line.length) : target });
      if (share < 1) frame.current = requestAnimationFrame(step);
    };
    step();
  };
  useEffect(() => () => cancelAnimationFrame(frame.current), []);
  return [now.view, set];
}
