// Where the pages of the selected row are: page by page where the source can tell, else in sum.
import type { JSX } from "preact";
import { useEffect, useState } from "preact/hooks";
import type { PageRuns } from "../data/provider";
import type { Snapshot } from "../data/snapshot";
import { bytes, thousands } from "../format";
import { PAGE_STATES, pagesByState, stripParts } from "../grid/pages";
import type { Table } from "../grid/table";
import { shownNumber, useStore } from "../state/store";
import { messageOf, visible } from "../text";

const WIDTH = 320;

/** What was asked for last: several parts of the page may want the same. */
let asked: { of: Snapshot | null; key: string; answer: Promise<PageRuns> } | null = null;

function askPages(of: Snapshot | null, key: string, ask: () => Promise<PageRuns>): Promise<PageRuns> {
  if (asked?.of === of && asked.key === key) return asked.answer;
  const mine = { of, key, answer: ask() };
  asked = mine;
  mine.answer.catch(() => { if (asked === mine) asked = null; });
  return mine.answer;
}

/** A stretch's pages; `why` when they cannot be told. */
export function usePages(start: number, end: number): { runs: PageRuns | null; why: string } {
  const provider = useStore((s) => s.provider);
  const snapshot = useStore((s) => s.snapshot);
  const n = useStore(shownNumber);
  const can = provider?.can.pages === true && provider.pages !== undefined;
  const [got, setGot] = useState<{ key: string; runs: PageRuns | null; why: string }>({ key: "", runs: null, why: "" });
  const key = `${n ?? ""}:${start}-${end}`;
  useEffect(() => {
    if (!can || !provider?.pages) return undefined;
    let wanted = true;
    const timer = setTimeout(() => {
      askPages(snapshot, key, () => provider.pages!(start, end, n))
        .then((runs) => wanted && setGot({ key, runs, why: "" }))
        .catch((e: unknown) => wanted && setGot({ key, runs: null, why: messageOf(e) }));
    }, 120); // not for every row that the cursor passes
    return () => {
      wanted = false;
      clearTimeout(timer);
    };
  }, [key, can, provider, snapshot, n]);
  return can && got.key === key ? got : { runs: null, why: "" };
}

function Strip({ runs, start, end }: { runs: PageRuns; start: number; end: number }): JSX.Element {
  const counts = pagesByState(runs);
  const label = PAGE_STATES.filter((s) => counts.has(s.id)).map((s) => `${thousands(counts.get(s.id) ?? 0)} ${s.label}`).join(", ");
  return (
    <>
      <svg class="strip" viewBox={`0 0 ${WIDTH} 16`} preserveAspectRatio="none" role="img" aria-label={"Pages by address: " + label}>
        {stripParts(runs, start, end, WIDTH).map((p) => (
          <rect key={p.from} x={p.from} y="0" width={p.to - p.from} height="16" class={"page-" + p.state.replace(/[^a-z]/g, "")} />
        ))}
      </svg>
      <ul class="strip-key">
        {PAGE_STATES.filter((s) => counts.has(s.id)).map((s) => (
          <li key={s.id}><i class={"page-" + s.id} />{s.label} <b>{thousands(counts.get(s.id) ?? 0)}</b></li>
        ))}
      </ul>
    </>
  );
}

/** What is known in sum: resident and swapped of all bytes, and how much of it cannot be said. */
function Sums({ table, row }: { table: Table; row: number }): JSX.Element {
  const size = table.number("size", row);
  const of = (id: string): number => table.number(id, row);
  const share = (n: number): string => `${Math.max(0, Math.min(100, (n / size) * 100)) || 0}%`;
  const rss = of("rss");
  const swap = of("swap");
  const atLeast = table.atLeast("rss", row);
  return (
    <>
      <div class={"strip sums" + (Number.isNaN(rss) || atLeast ? " unknown" : "")} role="img"
        aria-label={`Resident ${bytes(rss, atLeast)}, swapped ${bytes(swap)} of ${bytes(size)}`}>
        {rss > 0 && <i class="page-present" style={{ width: share(rss) }} />}
        {swap > 0 && <i class="page-swapped" style={{ width: share(swap) }} />}
      </div>
      <ul class="strip-key">
        <li><i class="page-present" />resident <b>{bytes(rss, atLeast)}</b></li>
        {swap !== 0 && <li><i class="page-swapped" />swapped <b>{bytes(swap)}</b></li>}
        {of("huge") > 0 && <li>huge pages <b>{bytes(of("huge"))}</b></li>}
        <li class="dim">of {bytes(size)}</li>
      </ul>
    </>
  );
}

export function Residency({ table, row }: { table: Table; row: number }): JSX.Element | null {
  const provider = useStore((s) => s.provider);
  const start = table.address(row);
  const end = table.end(row);
  const { runs, why } = usePages(start, end);
  if (table.mode === "changes") return null;
  return (
    <section class="side-part">
      <h2>Pages</h2>
      {runs ? <Strip runs={runs} start={start} end={end} /> : <Sums table={table} row={row} />}
      {!runs && <p class="side-why">{why ? visible(why) : provider?.can.pages ? "Looking at each page…" : "In sum: page by page it is not known here."}</p>}
    </section>
  );
}
