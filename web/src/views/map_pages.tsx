// Pages and chunks of what is in sight, once it is close enough: one strip below the picture.
import type { JSX } from "preact";
import { useEffect, useState } from "preact/hooks";
import type { PageRuns, Provider } from "../data/provider";
import { PAGE_STATES, stripParts } from "../grid/pages";
import { addressAt, type Line } from "../map/space";
import type { Window } from "../map/window";
import { bytes } from "../format";

const CLOSE = 64 << 20; // bytes in sight below which pages are asked for
const WIDTH = 1000;

export function MapPages({ line, view, provider }: { line: Line; view: Window; provider: Provider | null }): JSX.Element | null {
  const start = Math.floor(addressAt(line, view.from) / 4096) * 4096;
  const end = Math.ceil(addressAt(line, view.to) / 4096) * 4096;
  const close = end - start <= CLOSE && provider?.can.pages === true && provider.pages !== undefined;
  const [runs, setRuns] = useState<{ start: number; end: number; runs: PageRuns } | null>(null);
  useEffect(() => {
    if (!close) return setRuns(null);
    let wanted = true;
    // Not while the picture is still moving.
    const timer = setTimeout(() => {
      provider?.pages?.(start, end).then((r) => wanted && setRuns({ start, end, runs: r })).catch(() => wanted && setRuns(null));
    }, 150);
    return () => {
      wanted = false;
      clearTimeout(timer);
    };
  }, [provider, close, start, end]);
  if (!close || !runs) return null;
  const used = new Set(runs.runs.runs.map((r) => r.state));
  return (
    <div class="map-pages">
      <div class="map-legend"><b>Pages</b> <span class="dim">{bytes(end - start)} in sight</span>
        {PAGE_STATES.filter((p) => used.has(p.id)).map((p) => <span key={p.id} class="chip"><span class={"swatch page-" + p.id} />{p.label}</span>)}
      </div>
      <svg viewBox={`0 0 ${WIDTH} 14`} preserveAspectRatio="none" role="img" aria-label="Which pages of this stretch are resident">
        {stripParts(runs.runs, start, end, WIDTH).map((p) => <rect key={p.from} x={p.from} y="0" width={p.to - p.from} height="14" class={"page-" + p.state} />)}
      </svg>
    </div>
  );
}
