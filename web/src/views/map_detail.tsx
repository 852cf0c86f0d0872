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
import { shownNumber, useStore } from "../state/store";
import { visible } from "../text";

const CHUNKS_MOST = 16_384; // of one stretch

/** The largest chunks, which reports hold that were made without all. They say what may be used of them, not where their headers are. */
export function useLargest(provider: Provider | null): readonly Chunk[] | null {
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
export function useLast(): boolean {
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

/** What is asked for: pages of snapshot n (the last: undefined), and chunks. */
interface Wanted {
  provider: Provider;
  pages: boolean;
  chunks: boolean;
  n: number | undefined;
}

async function askFor(w: Wanted, stretches: readonly Stretch[]): Promise<Answer> {
  const answer: Answer = { runs: [], chunks: [], why: "" };
  const span = stretches.reduce((sum, one) => sum + (one.heap ? one.end - one.start : 0), 0);
  const failed = (e: unknown): void => { answer.why = e instanceof Error ? e.message : String(e); };
  await Promise.all(stretches.map(async (one) => {
    if (w.pages && w.provider.pages)
      await w.provider.pages(one.start, one.end, w.n).then((given) => {
        for (const r of given.runs) answer.runs.push({ address: r.address, end: r.address + r.pages * given.page_size, state: r.state });
      }).catch(failed);
    if (!one.heap || !w.chunks || !w.provider.chunks) return;
    if (span > CHUNKS_SPAN) answer.why = `Chunks are drawn from ${bytes(CHUNKS_SPAN)} of a heap in sight on`;
    else await w.provider.chunks(one.heap, one.start, one.end, CHUNKS_MOST, w.n).then((given) => {
      answer.chunks.push(...given.chunks);
      if (given.next !== null) answer.why = `Of the chunks the first ${thousands(CHUNKS_MOST)} are drawn`;
    }).catch(failed);
  }));
  answer.runs.sort((a, b) => a.address - b.address);
  answer.chunks.sort((a, b) => a.start - b.start);
  return answer;
}

/** What a report or an older snapshot has not. */
function lacking(pages: boolean, provider: Provider | null, last: boolean, largest: number): string {
  if (provider?.chunks) return last ? "" : "Chunks are known of the last snapshot alone";
  const chunks = last && largest > 0 ? `of chunks this report holds the ${thousands(largest)} largest` : "this report holds no chunks";
  const all = `${pages ? "" : "single pages are not in this report, "}${chunks}: vmmap serve shows all`;
  return all.charAt(0).toUpperCase() + all.slice(1);
}

export function useDetail(s: Snapshot, line: Line, calm: Window, pixelsPerPlace: number): Shown {
  const provider = useStore((st) => st.provider);
  const n = useStore(shownNumber);
  const last = useLast();
  const largest = useLargest(provider);
  const pageSize = s.head.target.page_size ?? 4096;
  const pages = provider?.can.pages === true && provider.pages !== undefined;
  const chunks = last && provider?.chunks !== undefined;
  const asks = pages || chunks;
  const [answer, setAnswer] = useState<Answer | null>(null);
  useEffect(() => {
    if (!asks || !provider) return setAnswer(null);
    const stretches = stretchesOf(s, line, calm, pageSize * pixelsPerPlace, pageSize);
    if (!stretches.length) return;
    let wanted = true;
    void askFor({ provider, pages, chunks, n }, stretches).then((a) => wanted && setAnswer(a));
    return () => { wanted = false; };
  }, [provider, asks, pages, chunks, n, s, line, calm, pixelsPerPlace, pageSize]);
  return useMemo(() => {
    const held = last && !chunks ? (largest ?? []) : [];
    const possible = asks || held.length > 0;
    return {
      possible, why: answer?.why || lacking(pages, provider, last, held.length),
      detail: possible ? { pageSize, runs: answer?.runs ?? [], chunks: answer?.chunks.length ? answer.chunks : held } : null,
    };
  }, [asks, pages, chunks, provider, answer, largest, last, pageSize]);
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
