// Heaps: who holds what. One bar a heap on one scale, then one heap in depth: states, sizes, largest chunks.
import type { JSX } from "preact";
import { useEffect, useState } from "preact/hooks";
import { heapDocument, heapSegments, type HeapDocument } from "../data/heaps";
import type { Snapshot } from "../data/snapshot";
import type { Heap } from "../data/types";
import { bytes, moment } from "../format";
import { act, shownNumber, useStore } from "../state/store";
import { messageOf, visible } from "../text";
import { Accounts, Notes } from "./accounts";
import { HeapDetailView } from "./heap_detail";
import { HeapChanges } from "./heapchanges";
import { Address, Count, More, Name, SaveTable, Size, sortedBy, SortHead, type Sorting } from "./parts";
import "../style/heaps.css";

const LARGEST_SHOWN = 20;
const COLUMNS: { id: keyof Heap; title: string; count?: boolean; help: string }[] = [
  { id: "size", title: "Size", help: "bytes of address range" },
  { id: "rss", title: "RSS", help: "resident bytes" },
  { id: "used_bytes", title: "Used", help: "bytes in chunks that the program holds" },
  { id: "used_count", title: "Chunks", count: true, help: "chunks that the program holds" },
  { id: "free_bytes", title: "Free", help: "bytes in freed chunks: cached, in fastbins, in lists" },
  { id: "free_count", title: "Chunks", count: true, help: "freed chunks" },
  { id: "top", title: "Top", help: "bytes at its end from which new chunks are cut" },
  { id: "unused_rss", title: "Unused", help: "resident bytes that the allocator holds but nobody uses" },
  { id: "overhead", title: "Overhead", help: "headers, padding, tables" },
  { id: "largest_free", title: "Largest free", help: "its largest freed chunk or end" },
  { id: "trimmable", title: "Trimmable", help: "resident bytes that the allocator would give back if it were asked to" },
];

/**
 * The provider's document on heaps, null until it is there or where there is none. Walking heaps costs a running target
 * more than a snapshot does: there it is asked for once, and again when the reader wants it.
 */
function useHeapDocument(snapshot: Snapshot | null): { document: HeapDocument | null; failed: string; loading: boolean; again: (() => void) | null } {
  const provider = useStore((s) => s.provider);
  const [document, setDocument] = useState<HeapDocument | null>(null);
  const [failed, setFailed] = useState("");
  const [loading, setLoading] = useState(true);
  const [turn, setTurn] = useState(0);
  const n = useStore(shownNumber);
  const live = provider?.can.live ?? false;
  const any = Boolean(snapshot?.head.heaps.length);
  useEffect(() => {
    let wanted = true;
    const taken = (given: unknown, why = ""): void => {
      if (!wanted) return;
      setDocument(heapDocument(given));
      setFailed(why);
      setLoading(false);
    };
    setLoading(true);
    if (provider?.heaps && any) provider.heaps(n).then((given) => taken(given), (e: unknown) => taken(null, messageOf(e)));
    else taken(null);
    return () => {
      wanted = false;
    };
  }, [provider, any, turn, n]);
  return { document, failed, loading, again: live ? (): void => setTurn(turn + 1) : null };
}

export function HeapBar({ heap, scale }: { heap: Heap; scale: number }): JSX.Element {
  const segments = heapSegments(heap, scale);
  const words = segments.map((s) => `${s.look} ${bytes(s.bytes)}`).join(", ");
  return (
    <span class="heap-bar" role="img" aria-label={words || "states unknown"} title={words || "its chunks were not walked, or not proved"}>
      {!segments.length && <span class="state-unknown" style={{ width: ((heap.size ?? 0) / Math.max(1, scale)) * 100 + "%" }} />}
      {segments.map((s) => <span key={s.look} class={"state-" + s.look} style={{ width: s.share * 100 + "%" }} />)}
    </span>
  );
}

export function Legend(): JSX.Element {
  const looks: [string, string][] = [["used", "used"], ["free", "freed, kept"], ["top", "top"], ["meta", "overhead"], ["reserved", "reserved"]];
  return (
    <span class="legend">
      {looks.map(([id, label]) => <span key={id}><span class={"swatch state-" + id} aria-hidden="true" /> {label}</span>)}
    </span>
  );
}

function HeapRow({ heap, scale, selected }: { heap: Heap; scale: number; selected: boolean }): JSX.Element {
  const pick = (): void => act({ heap: heap.id });
  return (
    <tr class={selected ? "on" : ""} onClick={pick} data-heap={visible(heap.id)}>
      <th scope="row">
        <button type="button" class="kind-button" aria-pressed={selected}><Name text={heap.label} cut /></button>
        <HeapBar heap={heap} scale={scale} />
      </th>
      <td>{heap.proved ? <span class="dim" title="Its numbers add up">proved</span>
        : <span class="badge warn" title="Its chunks were not walked, or did not add up: their numbers are unknown">not proved</span>}</td>
      {COLUMNS.map((c) => (c.count ? <Count key={c.id} value={heap[c.id] as number | null} /> : <Size key={c.id} value={heap[c.id] as number | null} />))}
      <td class="number">{heap.threads.length || "-"}</td>
    </tr>
  );
}

function HeapTable({ snapshot, heaps, selected }: { snapshot: Snapshot; heaps: readonly Heap[]; selected: string | undefined }): JSX.Element {
  const [sort, setSort] = useState<Sorting | null>(null);
  const value = (h: Heap, c: string): unknown => (c === "threads" ? h.threads.length : c === "proved" ? Number(h.proved) : h[c as keyof Heap]);
  const rows = sortedBy(heaps, sort, value);
  const scale = Math.max(...heaps.map((h) => h.size ?? 0));
  const { name, pid } = snapshot.head.target;
  return (
    <section class="panel" aria-label="Heaps">
      <header>
        <h2>Heaps</h2><span class="dim">KiB; bars on one scale</span><Legend /><span class="grow" />
        <SaveTable name={[name, pid, "heaps"]} data={() => ({
          columns: ["id", "label", "reader", "proved", ...COLUMNS.map((c) => c.id)],
          rows: rows.map((h) => [h.id, h.label, h.reader, h.proved, ...COLUMNS.map((c) => h[c.id] as number | null)]),
        })} />
      </header>
      <div class="scroll">
        <table class="table heaps-table">
          <thead>
            <tr>
              <SortHead id="label" title="Heap" sort={sort} onSort={setSort} />
              <SortHead id="proved" title="Proof" sort={sort} onSort={setSort} help="Whether its numbers add up" />
              {COLUMNS.map((c) => <SortHead key={c.id} id={c.id} title={c.title} help={c.help} number sort={sort} onSort={setSort} />)}
              <SortHead id="threads" title="Threads" number sort={sort} onSort={setSort} help="Threads that allocate from it, as far as known" />
            </tr>
          </thead>
          <tbody>{rows.map((h) => <HeapRow key={h.id} heap={h} scale={scale} selected={h.id === selected} />)}</tbody>
        </table>
      </div>
    </section>
  );
}

function Largest({ document }: { document: HeapDocument }): JSX.Element | null {
  const [all, setAll] = useState(false);
  if (!document.largest.length) return null;
  return (
    <section class="panel long" aria-label="Largest chunks">
      <header><h2>Largest chunks</h2><span class="dim">of all heaps, bytes that may be used</span><span class="grow" />
        <SaveTable name={["largest-chunks"]} data={() => ({
          columns: ["address", "size", "state", "heap", "content", "text"],
          rows: document.largest.map((c) => [c.address, c.size, c.state, c.heap, c.content?.type, c.content?.text]),
        })} />
      </header>
      <table class="table fixed">
        <thead><tr>
          <th scope="col">Address</th><th scope="col" class="number">Bytes</th><th scope="col">State</th><th scope="col">Heap</th><th scope="col">Begins with</th>
        </tr></thead>
        <tbody>
          {document.largest.slice(0, all ? document.largest.length : LARGEST_SHOWN).map((c) => (
            <tr key={c.address}>
              <th scope="row"><Address address={c.address} /></th>
              <td class="number">{c.size.toLocaleString("en-US")}</td>
              <td>{visible(c.state)}</td>
              <td><button type="button" class="link" onClick={() => act({ heap: c.heap })}>{visible(c.heap)}</button></td>
              <td class="grow">{c.content ? <span class="path-line"><span class="badge">{visible(c.content.type)}</span><Name text={c.content.text + (c.content.cut ? "…" : "")} cut mono /></span> : ""}</td>
            </tr>
          ))}
        </tbody>
      </table>
      <More count={document.largest.length} shown={all ? document.largest.length : LARGEST_SHOWN} onAll={() => setAll(true)} />
    </section>
  );
}

export function Heaps(): JSX.Element {
  const snapshot = useStore((s) => s.snapshot);
  const wanted = useStore((s) => s.heap);
  const diff = useStore((s) => s.diff);
  const { document, failed, loading, again } = useHeapDocument(snapshot);
  if (!snapshot) return <p class="empty">Nothing was read.</p>;
  const { notes, taken_at } = snapshot.head;
  // Snapshots that follow a running target do not walk heaps: what a walk of its own told stands in for them.
  const heaps = snapshot.head.heaps.map((h) => (h.proved ? h : (document?.heaps.find((d) => d.id === h.id) ?? h)));
  if (!heaps.length)
    return <div class="sections"><p class="empty">No allocator that vmmap understands was found here.</p><Notes notes={notes} /></div>;
  const selected = heaps.find((h) => h.id === wanted) ?? heaps[0];
  const other = document && document.taken_at !== taken_at && document.taken_at;
  return (
    <div class="sections heaps">
      {diff && <HeapChanges diff={diff} />}
      {diff && <p class="dim later">From here on: the later of the two as it is.</p>}
      <HeapTable snapshot={snapshot} heaps={heaps} selected={selected?.id} />
      {selected && <HeapDetailView heap={selected} detail={document?.heaps.find((h) => h.id === selected.id) ?? null} />}
      {other && <p class="dim">Sizes and chunks were looked at on their own, {moment(other)}: they may differ from the numbers above.
        {again && <> <button type="button" class="link" onClick={again}>Look again</button></>}</p>}
      {!document && loading && <p class="dim" role="status">Heaps are being walked …</p>}
      {!document && !loading && <p class="dim" role="status">{failed || "Sizes of chunks and the largest of them are not stored here: vmmap heap shows them of a process, a core, or a session that keeps contents."}</p>}
      {document && <Largest document={document} />}
      {document && document.accounts.length > 0 && <Accounts snapshot={{ ...snapshot, head: { ...snapshot.head, accounts: document.accounts } }} />}
      <Notes notes={document?.notes ?? notes} />
    </div>
  );
}
