// A heap as it lies in memory: low addresses on top, each cell in the colour of the state that has most of it.
import type { JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { cellStates, chunkAt, NO_STATE, type Chunk } from "../data/chunks";
import { STATES } from "../data/heaps";
import { formatAddress } from "../data/rows";
import type { Heap } from "../data/types";
import { saveCanvas, fileName, savePicture, svgDocument, xmlText } from "../export";
import { bytes, thousands } from "../format";
import { getState, shownNumber, useStore } from "../state/store";
import { messageOf } from "../text";
import { useDark } from "./kinds";
import { toAddress } from "./parts";

const PAGE = 32_768; // chunks asked for at a time
const MOST = 400_000; // more are not drawn: the page says so
const ROWS = 36;
const ROW_HEIGHT = 7;
const SVG_WIDTH = 1000;
const KEYS: Readonly<Record<string, number>> = { ArrowRight: 1, ArrowLeft: -1, PageDown: 100, PageUp: -100, Home: -Infinity, End: Infinity };

interface Loaded {
  region: string;
  chunks: Chunk[];
  /** Where what was loaded ends; null: all is here. */
  next: number | null;
  /** Why there are no more, in words; "" as long as nothing failed. */
  failed: string;
}

/** Chunks of one region of a heap, piece by piece. */
function useChunks(heap: Heap, region: string | undefined): Loaded | null {
  const provider = useStore((s) => s.provider);
  const n = useStore(shownNumber);
  const [loaded, setLoaded] = useState<Loaded | null>(null);
  useEffect(() => {
    let wanted = true;
    setLoaded(null);
    const load = async (): Promise<void> => {
      const regions = getState().snapshot?.regions;
      if (!provider?.chunks || !region || !regions) return;
      const start = Number(region);
      let row = 0;
      while (row < regions.count && regions.number("address", row) !== start) row++;
      const end = start + regions.number("size", row);
      const chunks: Chunk[] = [];
      for (let next: number | null = start; next !== null && chunks.length < MOST && wanted;) {
        const page = await provider.chunks(heap.id, next, end, PAGE, n);
        chunks.push(...page.chunks);
        next = page.next !== null && page.next > next ? page.next : null;
        if (wanted) setLoaded({ region, chunks: [...chunks], next, failed: "" });
      }
    };
    load().catch((e: unknown) => wanted && setLoaded((had) => ({ region: region ?? "", chunks: had?.chunks ?? [], next: had?.next ?? null, failed: messageOf(e) })));
    return () => {
      wanted = false;
    };
  }, [provider, heap.id, region, n]);
  return loaded;
}

/** Without the reserved end, which says nothing and would take most of the picture. */
function extent(chunks: readonly Chunk[]): { start: number; end: number } {
  const shown = chunks.filter((c) => c.state !== "reserved");
  const last = shown.at(-1);
  return { start: chunks[0]?.start ?? 0, end: last ? last.start + last.stretch : 0 };
}

/** Calls back for each run of cells of one state in a row: row, first cell, cell behind the last, place in STATES. */
function eachRun(chunks: readonly Chunk[], width: number, call: (row: number, from: number, to: number, state: number) => void): void {
  const { start, end } = extent(chunks);
  const cells = cellStates(chunks, start, end, width * ROWS);
  for (let i = 0; i < cells.length;) {
    const state = cells[i] ?? NO_STATE;
    const row = Math.floor(i / width);
    let to = i + 1;
    while (to < (row + 1) * width && cells[to] === state) to++;
    if (state !== NO_STATE) call(row, i - row * width, to - row * width, state);
    i = to;
  }
}

function coloursOf(element: Element): string[] {
  const style = getComputedStyle(element);
  return STATES.map((s) => style.getPropertyValue(s.look === "reserved" ? "--line" : "--state-" + s.look).trim());
}

/** The picture as an SVG document, with what its colours mean. */
function svgOf(element: Element, chunks: readonly Chunk[], title: string): string {
  const style = getComputedStyle(element);
  const ink = style.getPropertyValue("--text").trim();
  const colours = coloursOf(element);
  const paths = STATES.map(() => "");
  eachRun(chunks, SVG_WIDTH, (row, from, to, state) => {
    paths[state] += `M${from} ${row * ROW_HEIGHT}h${to - from}v${ROW_HEIGHT - 1}h${from - to}z`;
  });
  const text = (x: number, y: number, words: string): string => `<text x="${x}" y="${y}" fill="${ink}" font-family="sans-serif" font-size="12">${xmlText(words)}</text>`;
  const there = STATES.flatMap((s, i) => (paths[i] ? [{ label: s.label, i }] : []));
  const key = there.map(({ label, i }, at) => `<rect x="${12 + at * 100}" y="30" width="11" height="11" fill="${xmlText(colours[i] ?? "")}" stroke="${ink}" stroke-width=".4"/>${text(28 + at * 100, 40, label)}`);
  const body = paths.map((d, i) => (d ? `<path fill="${xmlText(colours[i] ?? "")}" d="${d}"/>` : "")).join("");
  return svgDocument(SVG_WIDTH + 24, ROWS * ROW_HEIGHT + 62, text(12, 20, title) + key.join("") + `<g transform="translate(12 52)">${body}</g>`, style.getPropertyValue("--ground").trim());
}

function draw(canvas: HTMLCanvasElement, chunks: readonly Chunk[]): void {
  const ratio = devicePixelRatio || 1;
  const width = Math.max(1, Math.round(canvas.clientWidth * ratio));
  const height = Math.round(ROWS * ROW_HEIGHT * ratio);
  canvas.width = width;
  canvas.height = height;
  const context = canvas.getContext("2d");
  if (!context) return;
  const colours = coloursOf(canvas);
  eachRun(chunks, width, (row, from, to, state) => {
    context.fillStyle = colours[state] ?? "transparent";
    context.fillRect(from, Math.round(row * ROW_HEIGHT * ratio), to - from, Math.max(1, Math.round((ROW_HEIGHT - 1) * ratio)));
  });
}

export function HeapPicture({ heap }: { heap: Heap }): JSX.Element | null {
  // A report has chunks of its last snapshot alone.
  const can = useStore((s) => Boolean(s.provider?.chunks) && (s.provider?.info.mode !== "report" || (s.compare?.after ?? s.at ?? s.newest) === s.newest));
  const [picked, setPicked] = useState<string | null>(null);
  const [hot, setHot] = useState<Chunk | null>(null);
  const canvas = useRef<HTMLCanvasElement>(null);
  const region = heap.regions.find((r) => r === picked) ?? heap.regions[0];
  const loaded = useChunks(heap, can && heap.proved ? region : undefined);
  const dark = useDark();
  useEffect(() => {
    const place = canvas.current;
    if (!place || !loaded) return;
    const again = (): void => draw(place, loaded.chunks);
    again();
    const observer = new ResizeObserver(again);
    observer.observe(place);
    return () => observer.disconnect();
  }, [loaded, dark]);
  if (!can || !heap.proved || !heap.regions.length) return null;
  const chunks = loaded?.chunks ?? [];
  const { start, end } = extent(chunks);
  const under = (e: MouseEvent): Chunk | null => {
    const box = canvas.current?.getBoundingClientRect();
    if (!box || !chunks.length) return null;
    const row = Math.min(ROWS - 1, Math.max(0, Math.floor((e.clientY - box.top) / ROW_HEIGHT)));
    return chunkAt(chunks, start + ((row + (e.clientX - box.left) / box.width) / ROWS) * (end - start));
  };
  const onKey = (e: KeyboardEvent): void => {
    const by = KEYS[e.key];
    const at = hot ? chunks.indexOf(hot) : -1;
    if (by !== undefined && chunks.length) setHot(chunks[Math.max(0, Math.min(chunks.length - 1, at + by))] ?? null);
    else if (e.key === "Enter" && hot) toAddress(hot.address);
    else return;
    e.preventDefault();
  };
  return (
    <div class="heap-picture">
      <div class="picture-head">
        <h3>As it lies in memory</h3>
        {heap.regions.length > 1 && (
          <label>Region <select value={region} onChange={(e) => setPicked(e.currentTarget.value)}>
            {heap.regions.slice(0, 500).map((r) => <option key={r} value={r}>{r}</option>)}
          </select></label>
        )}
        <span class="dim" role="status">
          {loaded?.failed ? loaded.failed : loaded ? `${thousands(chunks.length)} chunks from ${formatAddress(start)} on, a row is ${bytes((end - start) / ROWS)}` : "reading …"}
          {loaded?.next != null && chunks.length >= MOST && `; what is behind ${formatAddress(loaded.next)} is not drawn`}
        </span>
        <button type="button" class="button small no-print" disabled={!chunks.length} onClick={() => canvas.current && void saveCanvas(fileName([heap.id, "chunks"], "png"), canvas.current)}>Save PNG</button>
        <button type="button" class="button small no-print" disabled={!chunks.length}
          onClick={() => canvas.current && void savePicture([heap.id, "chunks"], "svg", svgOf(canvas.current, chunks, `${heap.label}, from ${formatAddress(start)} on`))}>Save SVG</button>
      </div>
      <canvas ref={canvas} hidden={Boolean(loaded?.failed) && !chunks.length} role="application" tabIndex={0} aria-label={"Chunks of " + heap.id + " by address; arrow keys go from one to the next, Enter shows its region"}
        aria-describedby="chunk-told" onKeyDown={onKey} style={{ height: ROWS * ROW_HEIGHT + "px" }}
        onPointerMove={(e) => setHot(under(e))} onPointerLeave={() => setHot(null)}
        onClick={(e) => { const c = under(e); if (c) toAddress(c.address); }} />
      <p class="dim tell" id="chunk-told" role="status" hidden={!chunks.length}>{hot ? `${formatAddress(hot.address)}: ${thousands(hot.size)} bytes, ${hot.state}` : "Point at a chunk, or go from one to the next by arrow keys; a click or Enter shows its region."}</p>
    </div>
  );
}
