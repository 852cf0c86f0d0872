// One heap in depth: what it holds in words, its states, its chunks by size.
import type { JSX } from "preact";
import { STATES, type HeapDetail } from "../data/heaps";
import type { Heap } from "../data/types";
import type { Cell, TableData } from "../export";
import { bytes, thousands } from "../format";
import { act } from "../state/store";
import { visible } from "../text";
import { HeapPicture } from "./heap_picture";
import { Address, Count, Name, SaveTable, Size } from "./parts";

const SIZES_SHOWN = 12;

/** What matters, in words; nothing is said of what is unknown. */
function Story({ heap }: { heap: Heap }): JSX.Element {
  if (!heap.proved)
    return <p class="story warn">Its chunks were not walked, or did not add up because the program changed them meanwhile: their numbers are unknown. The notes say what failed, and where.</p>;
  return (
    <p class="story">
      {heap.used_bytes !== null && <>The program uses <b>{bytes(heap.used_bytes)}</b>{heap.used_count !== null && ` in ${thousands(heap.used_count)} ${heap.used_count === 1 ? "chunk" : "chunks"}`}. </>}
      {heap.unused_rss !== null && <>{heap.rss === null ? "Of what is" : `Of its ${bytes(heap.rss)}`} resident nobody uses <b>{bytes(heap.unused_rss)}</b>: freed but kept. </>}
      {heap.trimmable !== null && heap.trimmable > 0 && <>Trimming would return <b>{bytes(heap.trimmable)}</b>. </>}
    </p>
  );
}

function StatesTable({ heap }: { heap: Heap }): JSX.Element {
  return (
    <table class="table state-table">
      <thead><tr><th scope="col">State</th><th scope="col" class="number">Chunks</th><th scope="col" class="number">KiB</th><th scope="col" class="number">RSS</th></tr></thead>
      <tbody>
        {STATES.map((s) => {
          const state = heap.states?.[s.id];
          return (
            <tr key={s.id}>
              <th scope="row" title={s.help}><span class={"swatch state-" + s.look} aria-hidden="true" /> {s.label}</th>
              <Count value={state?.count} /><Size value={state?.bytes} /><Size value={state?.rss} />
            </tr>
          );
        })}
      </tbody>
    </table>
  );
}

function sizeWord(n: number): string {
  return n === 0 ? "0" : bytes(n);
}

/** Used chunks to the left, freed ones to the right, by size. */
function Histogram({ log2 }: { log2: NonNullable<HeapDetail["log2"]> }): JSX.Element {
  const most = Math.max(1, ...log2.map((c) => Math.max(c.used ?? 0, c.free ?? 0)));
  const bar = (n: number | null, look: string): JSX.Element =>
    <td class={"histo-" + look} aria-hidden="true">{n ? <span class={"state-" + look} style={{ width: `max(2px, ${(n / most) * 100}%)` }} /> : null}</td>;
  return (
    <table class="table histogram">
      <caption class="hidden-label">Chunks by size: each class goes up to twice its size</caption>
      <thead><tr>
        <th scope="col" class="number">Used</th><td /><th scope="col" class="middle">From</th><td /><th scope="col">Freed</th>
      </tr></thead>
      <tbody>
        {log2.map((c) => (
          <tr key={c.from}>
            <Count value={c.used} />{bar(c.used, "used")}
            <th scope="row" class="middle">{sizeWord(c.from)}</th>
            {bar(c.free, "free")}<td class={c.free ? "" : "zero"}>{c.free === null ? "?" : c.free ? thousands(c.free) : "-"}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

/** Exact sizes that hold most, by what their chunks take together. */
function Sizes({ detail }: { detail: HeapDetail }): JSX.Element | null {
  if (!detail.classes?.length) return null;
  const weight = (c: { size: number; used: number | null; free: number | null }): number => c.size * ((c.used ?? 0) + (c.free ?? 0));
  const rows = [...detail.classes].sort((a, b) => weight(b) - weight(a)).slice(0, SIZES_SHOWN);
  return (
    <table class="table sizes">
      <thead><tr><th scope="col" class="number">Bytes each</th><th scope="col" class="number">Used</th><th scope="col" class="number">Freed</th></tr></thead>
      <tbody>
        {rows.map((c) => <tr key={c.size}><th scope="row" class="number">{thousands(c.size)}</th><Count value={c.used} /><Count value={c.free} /></tr>)}
      </tbody>
    </table>
  );
}

/** States, then used and freed chunks by size. */
function heapData(heap: Heap, detail: HeapDetail | null): TableData {
  const rows: Cell[][] = STATES.map((s) => ["state", s.id, heap.states?.[s.id]?.count, heap.states?.[s.id]?.bytes, heap.states?.[s.id]?.rss, null]);
  for (const c of detail?.log2 ?? []) rows.push(["from_size", c.from, c.used, null, null, c.free]);
  for (const c of detail?.classes ?? []) rows.push(["size", c.size, c.used, null, null, c.free]);
  return { columns: ["row", "key", "count", "bytes", "rss", "free_count"], rows };
}

export function HeapDetailView({ heap, detail }: { heap: Heap; detail: HeapDetail | null }): JSX.Element {
  return (
    <section class="panel heap-detail" aria-label="One heap">
      <header>
        <h2><Name text={heap.label} /></h2><span class="dim mono">{visible(heap.id)}</span><span class="badge">{visible(heap.reader)}</span>
        <span class="grow" />
        <SaveTable name={[heap.id]} data={() => heapData(heap, detail)} />
        {heap.regions[0] && (
          <button type="button" class="button small" onClick={() => act({ selected: Number(heap.regions[0]), tab: "map" })}>Show in address space</button>
        )}
      </header>
      <div class="body">
        <Story heap={heap} />
        <p class="heap-regions">
          <span class="part">
            <span class="dim">{heap.regions.length === 1 ? "Region" : thousands(heap.regions.length) + " regions"}</span>{" "}
            {heap.regions.slice(0, 8).map((r) => <span key={r}><Address address={r} /> </span>)}
            {heap.regions.length > 8 && <span class="dim">…</span>}
          </span>
          {heap.threads.length > 0 && (
            <span class="part">
              <span class="dim">{heap.threads.length === 1 ? "Thread" : "Threads"}</span> {heap.threads.slice(0, 12).join(", ")}{heap.threads.length > 12 && " …"}
            </span>
          )}
        </p>
        <div class="heap-grid">
          <div><h3>States</h3><StatesTable heap={heap} /></div>
          {detail?.log2 && detail.log2.length > 0 && <div><h3>Chunks by size</h3><Histogram log2={detail.log2} /></div>}
          {detail?.classes && detail.classes.length > 0 && <div><h3>Sizes with most bytes{detail.classes_complete === false && <span class="dim"> of those listed</span>}</h3><Sizes detail={detail} /></div>}
        </div>
        <HeapPicture heap={heap} />
      </div>
    </section>
  );
}
