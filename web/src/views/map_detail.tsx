// Pages and chunks of what is in sight of the picture: asked of a server for the window alone, or what a report holds of them.
import type { JSX } from "preact";
import { useEffect, useMemo, useState } from "preact/hooks";
import type { Chunk } from "../data/chunks";
import { heapDocument, STATES } from "../data/heaps";
import type { Provider } from "../data/provider";
import type { Snapshot } from "../data/snapshot";
import { bytes, thousands } from "../format";
import { PAGE_STATES } from "../grid/pages";
import { CHUNKS_SPAN, stretchesOf, type Detail, type Run, type Stretch } from "../map/detail";
import type { Line } from "../map/space";
import type { Window } from "../map/window";
import { useStore } from "../state/store";
import { visible } from "../text";

const CHUNKS_MOST = 16_384; // of one stretch

/** The largest chunks, which reports hold. They say what may be used of them, not where their headers are. */
function useLargest(provider: Provider | null): readonly Chunk[] | null {
  const [chunks, setChunks] = useState<readonly Chunk[] | null>(null);
  useEffect(() => {
    let wanted = true;
    setChunks(null);
    if (!provider?.chunks && provider?.heaps)
      provider.heaps().then((given) => {
        const found = heapDocument(given)?.largest ?? [];
        const made = found.map((c) => ({ address: Number(c.address), size: c.size, start: Number(c.address), stretch: c.size, state: c.state }));
        if (wanted) setChunks(made.sort((a, b) => a.start - b.start));
      }).catch(() => wanted && setChunks([]));
    return () => { wanted = false; };
  }, [provider]);
  return chunks;
}

/** Whether what is shown is what can be asked about: the last snapshot. */
function useLast(): boolean {
  const at = useStore((s) => s.at);
  const newest = useStore((s) => s.newest);
  const compare = useStore((s) => s.compare);
  return compare ? compare.after === newest : at === null || at === newest;
}

export interface Shown {
  detail: Detail | null;
  /** Pages or chunks can be shown when the picture is close enough. */
  possible: boolean;
  /** Why some are not shown. */
  why: string;
}

interface Answer {
  runs: Run[];
  chunks: Chunk[];
  why: string;
}

async function askFor(provider: Provider, stretches: readonly Stretch[], pages: boolean): Promise<Answer> {
  const answer: Answer = { runs: [], chunks: [], why: "" };
  const span = stretches.reduce((sum, one) => sum + (one.heap ? one.end - one.start : 0), 0);
  const failed = (e: unknown): void => { answer.why = e instanceof Error ? e.message : String(e); };
  await Promise.all(stretches.map(async (one) => {
    if (pages && provider.pages)
      await provider.pages(one.start, one.end).then((given) => {
        for (const r of given.runs) answer.runs.push({ address: r.address, end: r.address + r.pages * given.page_size, state: r.state });
      }).catch(failed);
    if (!one.heap || !provider.chunks) return;
    if (span > CHUNKS_SPAN) answer.why = `chunks are drawn from ${bytes(CHUNKS_SPAN)} of a heap in sight on`;
    else await provider.chunks(one.heap, one.start, one.end, CHUNKS_MOST).then((given) => {
      answer.chunks.push(...given.chunks);
      if (given.next !== null) answer.why = `of the chunks the first ${thousands(CHUNKS_MOST)} are drawn`;
    }).catch(failed);
  }));
  answer.runs.sort((a, b) => a.address - b.address);
  answer.chunks.sort((a, b) => a.start - b.start);
  return answer;
}

const REPORT_WHY = "A report holds no states of single pages";

export function useDetail(s: Snapshot, line: Line, calm: Window, pixelsPerPlace: number): Shown {
  const provider = useStore((st) => st.provider);
  const last = useLast();
  const largest = useLargest(provider);
  const pageSize = s.head.target.page_size ?? 4096;
  const pages = last && provider?.can.pages === true && provider.pages !== undefined;
  const asks = last && provider !== null && (pages || provider.chunks !== undefined);
  const [answer, setAnswer] = useState<Answer | null>(null);
  useEffect(() => {
    if (!asks) return setAnswer(null);
    const stretches = stretchesOf(s, line, calm, pageSize * pixelsPerPlace, pageSize);
    if (!stretches.length) return;
    let wanted = true;
    void askFor(provider, stretches, pages).then((a) => wanted && setAnswer(a));
    return () => { wanted = false; };
  }, [provider, asks, pages, s, line, calm, pixelsPerPlace, pageSize]);
  return useMemo(() => {
    if (asks) return { possible: true, why: answer?.why ?? "", detail: answer ? { pageSize, runs: answer.runs, chunks: answer.chunks } : null };
    if (provider?.can.live || provider?.can.pages) return { possible: false, why: "Pages and chunks are those of now: an older snapshot has none", detail: null };
    if (!largest?.length || !last) return { possible: false, why: REPORT_WHY + ", and this one no chunks: vmmap serve shows them", detail: null };
    return { possible: true, why: `${REPORT_WHY}, and of chunks the ${thousands(largest.length)} largest: vmmap serve shows all`, detail: { pageSize, runs: [], chunks: largest } };
  }, [asks, provider, answer, largest, last, pageSize]);
}

/** How many of each state, by the order of the table of states. */
function counts<T extends { state: string }>(all: readonly T[], weight: (one: T) => number): Map<string, number> {
  const sums = new Map<string, number>();
  for (const one of all) sums.set(one.state, (sums.get(one.state) ?? 0) + weight(one));
  return sums;
}

/** What the cells in the picture say, and how many there are. */
export function DetailLegend({ shown, close }: { shown: Shown; close: boolean }): JSX.Element {
  const { detail, why } = shown;
  const pages = useMemo(() => counts(detail?.runs ?? [], (r) => (r.end - r.address) / (detail?.pageSize ?? 4096)), [detail]);
  const chunks = useMemo(() => counts(detail?.chunks ?? [], () => 1), [detail]);
  if (!close) return <div class="map-legend map-detail">{shown.possible && <span class="dim">Closer, the picture shows single pages and chunks of heaps.</span>}</div>;
  return (
    <div class="map-legend map-detail" aria-label="What pages and chunks in sight are">
      {pages.size > 0 && <b>Pages</b>}
      {PAGE_STATES.filter((p) => pages.has(p.id)).map((p) => (
        <span key={p.id} class="chip" data-state={p.id}><span class={"swatch page-" + p.id} />{p.label} <span class="dim">{thousands(pages.get(p.id) ?? 0)}</span></span>
      ))}
      {chunks.size > 0 && <b>Chunks</b>}
      {STATES.filter((c) => chunks.has(c.id)).map((c) => (
        <span key={c.id} class="chip" data-state={c.id} title={c.help}><span class={"swatch state-" + c.look} />{c.label} <span class="dim">{thousands(chunks.get(c.id) ?? 0)}</span></span>
      ))}
      {why && <span class="dim">{visible(why)}.</span>}
    </div>
  );
}
