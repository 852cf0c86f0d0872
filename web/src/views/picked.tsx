// The page or chunk that is selected: what lies at the selected address where neither a region nor a block of it begins.
import type { JSX } from "preact";
import { useEffect, useState } from "preact/hooks";
import { chunkAt, type Chunk } from "../data/chunks";
import { STATES } from "../data/heaps";
import type { PageRuns } from "../data/provider";
import { formatAddress } from "../data/rows";
import type { Snapshot } from "../data/snapshot";
import { bytes, thousands } from "../format";
import { PAGE_STATES } from "../grid/pages";
import { shownNumber, useStore } from "../state/store";
import { visible } from "../text";
import { useLargest, useLast } from "./map_detail";
import { usePages } from "./panel_pages";

const CHUNKS_MOST = 16; // at one address there is one

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
        <dt>Heap</dt><dd class="mono">{visible(heap)}</dd>
      </dl>
    </section>
  );
}

function PageFacts({ run, address, pageSize }: { run: PageRuns["runs"][number]; address: number; pageSize: number }): JSX.Element {
  return (
    <section class="map-picked" aria-label="Selected page">
      <h2><span class={"swatch page-" + run.state.replace(/[^a-z]/g, "")} aria-hidden="true" /> Page, {pageWord(run.state)}</h2>
      <dl>
        <dt>Address</dt><dd class="mono">{formatAddress(Math.floor(address / pageSize) * pageSize)}</dd>
        <dt>Like it</dt><dd>{thousands(run.pages)} {run.pages === 1 ? "page" : "pages in a row"}, {bytes(run.pages * pageSize)} from <span class="mono">{formatAddress(run.address)}</span> on</dd>
      </dl>
    </section>
  );
}

/** What holds an address: a block, or a region where that has none. */
interface Holder {
  start: number;
  end: number;
  /** Id of the heap; "": none. */
  heap: string;
}

/** Null where a region or block begins at the address, or nothing lies there. */
function holderOf(s: Snapshot, address: number): Holder | null {
  const r = s.regions.holding(address);
  if (r < 0 || s.regions.number("address", r) === address) return null;
  const heap = s.regions.text("heap", r);
  for (let b = s.firstBlock[r] ?? 0; b < (s.firstBlock[r + 1] ?? 0); b++) {
    const start = s.blocks.number("address", b);
    const end = start + s.blocks.number("size", b);
    if (start <= address && address < end) return start === address ? null : { start, end, heap };
  }
  const start = s.regions.number("address", r);
  return { start, end: start + s.regions.number("size", r), heap };
}

/** The chunk that holds an address of a heap; null: none that is known, undefined: it is being asked for. */
function useChunk(s: Snapshot, heap: string, address: number): Chunk | null | undefined {
  const provider = useStore((st) => st.provider);
  const n = useStore(shownNumber);
  const last = useLast();
  const largest = useLargest(provider);
  const asks = heap !== "" && last && provider?.chunks !== undefined;
  const [asked, setAsked] = useState<{ address: number; chunk: Chunk | null } | null>(null);
  useEffect(() => {
    if (!asks || !provider?.chunks) return undefined;
    let wanted = true;
    const take = (chunks: readonly Chunk[]): unknown => wanted && setAsked({ address, chunk: chunkAt(chunks, address) });
    provider.chunks(heap, address, address + 1, CHUNKS_MOST, n).then((page) => take(page.chunks)).catch(() => take([]));
    return () => { wanted = false; };
  }, [provider, asks, heap, address, s, n]);
  if (asks) return asked?.address === address ? asked.chunk : undefined;
  return heap && last ? chunkAt(largest ?? [], address) : null;
}

function CellFacts({ s, held, address }: { s: Snapshot; held: Holder; address: number }): JSX.Element | null {
  const chunk = useChunk(s, held.heap, address);
  const { runs } = usePages(held.start, held.end);
  if (chunk?.address === address) return <ChunkFacts chunk={chunk} heap={held.heap} />;
  const run = chunk === undefined ? undefined : runs?.runs.find((r) => r.address <= address && address < r.address + r.pages * runs.page_size);
  return run && runs ? <PageFacts run={run} address={address} pageSize={runs.page_size} /> : null;
}

export function Picked(): JSX.Element | null {
  const s = useStore((st) => st.snapshot);
  const address = useStore((st) => st.selected);
  const held = s && address !== null ? holderOf(s, address) : null;
  return s && held && address !== null ? <CellFacts s={s} held={held} address={address} /> : null;
}
