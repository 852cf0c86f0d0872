// A running target: how often it is looked at, what that costs it, and plain words when it is gone.
import type { JSX } from "preact";
import { useState } from "preact/hooks";
import type { Growth, LiveStatus, Provider } from "../data/provider";
import { nanoseconds, percent } from "../format";
import { act, useStore } from "../state/store";
import { messageOf, visible } from "../text";

const GROWTHS = [5, 10, 25];
const INTERVALS = [250, 500, 1000, 2000, 5000, 10_000, 30_000, 60_000];

function run(what: string, doing: Promise<void> | undefined): void {
  doing?.catch((e: unknown) => act({ message: `${what}: ${messageOf(e)}` }));
}

function every(ms: number): string {
  return ms < 1000 ? `${ms} ms` : ms < 60_000 ? `${ms / 1000} s` : `${ms / 60_000} min`;
}

function costText(cost: { last_ns?: number | null; duty?: number | null } | null): string {
  const parts: string[] = [];
  if (typeof cost?.last_ns === "number") parts.push(`a look took ${nanoseconds(cost.last_ns)}`);
  if (typeof cost?.duty === "number") parts.push(`${percent(cost.duty)} of the time`);
  return parts.join(", ");
}

/** Snapshots by themselves when the process has grown, besides those by the clock: also while that is paused. */
function OnGrowth({ provider, live }: { provider: Provider; live: LiveStatus }): JSX.Element | null {
  const [measure, setMeasure] = useState<Growth["measure"]>(live.growth?.measure ?? "rss");
  if (!provider.setGrowth) return null;
  const percent = live.growth?.percent ?? 0;
  const set = (to: Growth): void => run("Snapshots on growth were not changed", provider.setGrowth?.(to));
  const choices = !percent || GROWTHS.includes(percent) ? GROWTHS : [...GROWTHS, percent].sort((a, b) => a - b);
  return (
    <span class="live-growth">
      <label class="live-every" title="Takes a snapshot when so much has come, or gone, since the last one; also while paused"><span class="dim">on growth</span>
        <select value={percent} onChange={(e) => set({ measure, percent: Number(e.currentTarget.value) })}>
          <option value={0}>off</option>
          {choices.map((c) => <option key={c} value={c}>+{c} %</option>)}
        </select>
      </label>
      {percent > 0 && (
        <select aria-label="Growth of" value={live.growth?.measure ?? measure}
          onChange={(e) => { const to = e.currentTarget.value === "committed" ? "committed" : "rss"; setMeasure(to); set({ measure: to, percent }); }}>
          <option value="rss">Resident</option>
          <option value="committed">Committed</option>
        </select>
      )}
    </span>
  );
}

export function Live({ provider }: { provider: Provider }): JSX.Element | null {
  const live = useStore((s) => s.live);
  const at = useStore((s) => s.at);
  const compare = useStore((s) => s.compare);
  const [looking, setLooking] = useState(false);
  const [before, setBefore] = useState(1000);
  if (!live) return null;
  const exec = live.exec !== null && (
    <span class="badge warn" role="status">{visible(live.exec)} <button type="button" class="link" aria-label="Seen: say it no more" onClick={() => provider.seen?.()}>×</button></span>
  );
  if (live.gone !== null) return <div class="live"><span class="badge bad" role="status">{visible(live.gone)}</span>{exec}</div>;
  if (!live.live) return null;
  const paused = live.interval_ms === 0;
  const ms = live.interval_ms ?? 1000;
  const set = (to: number): void => run("The interval was not changed", provider.setInterval?.(to));
  const look = (): void => {
    setLooking(true);
    run("No snapshot was taken", provider.look?.().finally(() => setLooking(false)));
  };
  const choices = INTERVALS.includes(ms) || paused ? INTERVALS : [...INTERVALS, ms].sort((a, b) => a - b);
  const limit = live.cost?.duty_limit;
  return (
    <div class="live" role="group" aria-label="Live">
      <span class={"badge " + (live.lost ? "bad" : paused ? "warn" : "good")} role="status">{live.lost ? "connection lost, trying again" : paused ? (live.growth ? "paused, but on growth" : "paused") : "live"}</span>
      {exec}
      <button type="button" class="button small" aria-pressed={paused} onClick={() => { if (!paused) setBefore(ms); set(paused ? before : 0); }}>{paused ? "Go on" : "Pause"}</button>
      <label class="live-every"><span class="dim">every</span>
        <select value={paused ? before : ms} onChange={(e) => { const to = Number(e.currentTarget.value); setBefore(to); if (!paused) set(to); }}>
          {choices.map((c) => <option key={c} value={c}>{every(c)}</option>)}
        </select>
      </label>
      <OnGrowth provider={provider} live={live} />
      <button type="button" class="button small" disabled={looking} onClick={look}>Look now</button>
      {(at !== null || compare) && <button type="button" class="button small" onClick={() => act({ at: null, compare: null })}>Show the newest</button>}
      <span class="dim cost" title={typeof limit === "number" ? `Looks by themselves take at most ${limit * 100} % of the time: where one takes long, the next comes later` : undefined}>{costText(live.cost)}</span>
    </div>
  );
}
