// Beside the picture: the page or chunk that was picked in it, and all that is known of its region.
import type { JSX } from "preact";
import { useMemo } from "preact/hooks";
import type { Chunk } from "../data/chunks";
import { STATES } from "../data/heaps";
import { formatAddress } from "../data/rows";
import type { Snapshot } from "../data/snapshot";
import { bytes, thousands } from "../format";
import { changeTable, regionTable } from "../grid/build";
import { PAGE_STATES } from "../grid/pages";
import type { Run } from "../map/detail";
import { useStore } from "../state/store";
import { visible } from "../text";
import { Panel } from "./panel";

export function stateWord(id: string): string {
  return STATES.find((s) => s.id === id)?.label ?? visible(id);
}

export function pageWord(id: string): string {
  return PAGE_STATES.find((s) => s.id === id)?.label ?? visible(id);
}

function ChunkFacts({ chunk, heap }: { chunk: Chunk; heap: string }): JSX.Element {
  const state = STATES.find((s) => s.id === chunk.state);
  return (
    <section class="map-picked" aria-label="Selected chunk">
      <h2><span class={"swatch state-" + (state?.look ?? "unknown")} aria-hidden="true" /> Chunk, {stateWord(chunk.state)}</h2>
      <dl>
        <dt>Address</dt><dd class="mono">{formatAddress(chunk.address)}</dd>
        <dt>Size</dt><dd>{thousands(chunk.size)} bytes that may be used</dd>
        {chunk.stretch !== chunk.size && <><dt>Takes</dt><dd>{thousands(chunk.stretch)} bytes from <span class="mono">{formatAddress(chunk.start)}</span> on</dd></>}
        <dt>State</dt><dd>{state?.help ?? stateWord(chunk.state)}</dd>
        {heap && <><dt>Heap</dt><dd class="mono">{visible(heap)}</dd></>}
      </dl>
    </section>
  );
}

function PageFacts({ run, address, pageSize }: { run: Run; address: number; pageSize: number }): JSX.Element {
  const pages = (run.end - run.address) / pageSize;
  return (
    <section class="map-picked" aria-label="Selected page">
      <h2><span class={"swatch page-" + run.state.replace(/[^a-z]/g, "")} aria-hidden="true" /> Page, {pageWord(run.state)}</h2>
      <dl>
        <dt>Address</dt><dd class="mono">{formatAddress(Math.floor(address / pageSize) * pageSize)}</dd>
        <dt>Like it</dt><dd>{thousands(pages)} {pages === 1 ? "page" : "pages in a row"}, {bytes(run.end - run.address)} from <span class="mono">{formatAddress(run.address)}</span> on</dd>
      </dl>
    </section>
  );
}

export function MapSide({ s, chunk, run }: { s: Snapshot; chunk: Chunk | null; run: Run | null }): JSX.Element | null {
  const info = useStore((st) => st.provider?.info);
  const diff = useStore((st) => st.diff);
  const selected = useStore((st) => st.selected);
  const table = useMemo(() => (info ? (diff ? changeTable(diff, info) : regionTable(s, info)) : null), [s, info, diff]);
  if (!table) return null;
  if (selected === null)
    return <div class="map-side no-print"><aside class="side" aria-label="Details"><p class="side-none">Nothing is selected. A click in the picture, or n and p on the keyboard, select a region; from near, a page or a chunk. Here stands then all that is known of it.</p></aside></div>;
  const top = table.topAt(selected);
  const row = top >= 0 && table.address(top) === selected ? top : table.at(selected);
  return (
    <div class="map-side no-print">
      {chunk && <ChunkFacts chunk={chunk} heap={top >= 0 ? table.text("heap", top) : ""} />}
      {run && <PageFacts run={run} address={selected} pageSize={s.head.target.page_size ?? 4096} />}
      {row >= 0 ? <Panel table={table} row={row} />
        : <aside class="side" aria-label="Details"><p class="side-none">{diff ? "This region is as it was before: it is not among the changes." : "No region has this address."}</p></aside>}
    </div>
  );
}
