// Time: where memory went from snapshot to snapshot. A press shows one, a stretch compares two, play goes through them.
import type { JSX } from "preact";
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { chartSvg } from "../chart";
import type { Provider, SnapshotEntry } from "../data/provider";
import { extended, lookTimes, stackOf } from "../data/stack";
import type { Metric, Timeline } from "../data/types";
import { savePicture } from "../export";
import { change, kib, moment, thousands } from "../format";
import { act, getState, useStore } from "../state/store";
import { messageOf } from "../text";
import { ChangePanel } from "./changes";
import { growthOf, GrowthPanel, trendText, trendTitle, type Trend } from "./growth";
import { pickKind, Swatch, useDark, useKindLooks } from "./kinds";
import { Count, SaveTable, Size, sizeClass } from "./parts";
import { TimeChart, type Tick } from "./timechart";
import "../style/time.css";

const MEASURES: readonly [Metric, string][] = [
  ["committed", "Committed"], ["private", "Private"], ["rss", "Resident"], ["pss", "PSS"], ["uss", "USS"], ["swap", "Swap"], ["size", "Size"], ["used", "Used"],
];
const NO_ENTRIES: SnapshotEntry[] = [];
const PLAY_MS = 700;
const TABLE_ROWS = 500;

/** The library's timeline; of a running target each new snapshot adds its own totals, and now and then it is asked again. */
function useTimeline(provider: Provider | null, measure: Metric): { timeline: Timeline | null; asked: boolean } {
  const [got, setGot] = useState<{ of: Provider; measure: Metric; timeline: Timeline | null; at: number } | null>(null);
  const newest = useStore((s) => s.newest);
  const mine = got && got.of === provider && got.measure === measure ? got : null;
  const stale = mine !== null && Date.now() - mine.at > 20_000 && provider?.can.live === true;
  useEffect(() => {
    let wanted = true;
    if (!provider || newest === null || (mine && !stale)) return undefined;
    provider.timeline(measure)
      .then((timeline) => wanted && setGot({ of: provider, measure, timeline, at: Date.now() }))
      .catch((e: unknown) => {
        if (!wanted) return;
        setGot({ of: provider, measure, timeline: null, at: Date.now() });
        act({ message: `The timeline cannot be shown: ${messageOf(e)}` });
      });
    return () => { wanted = false; };
  }, [provider, measure, mine === null, stale, newest === null]);
  useEffect(() => {
    let wanted = true;
    if (!provider?.can.live || newest === null || !mine?.timeline) return undefined;
    void provider.snapshot(newest).then((s) => {
      if (!wanted) return;
      setGot((old) => (old?.timeline && old.of === provider && old.measure === measure ? { ...old, timeline: extended(old.timeline, newest, s, measure) } : old));
    }).catch(() => undefined);
    return () => { wanted = false; };
  }, [newest, mine === null]);
  return { timeline: mine?.timeline ?? null, asked: mine !== null };
}

function ticksOf(entries: readonly SnapshotEntry[], timeline: Timeline | null): Tick[] {
  if (!timeline) return [];
  const times = lookTimes(timeline);
  const byNumber = new Map(timeline.looks.map((l, i) => [l.snapshot, times[i] ?? 0]));
  return entries.flatMap((e) => {
    const time = byNumber.get(e.n) ?? Date.parse(e.taken_at) / 1000;
    return Number.isFinite(time) ? [{ n: e.n, time }] : [];
  });
}

function step(entries: readonly SnapshotEntry[], by: number): boolean {
  const { at, newest } = getState();
  const i = entries.findIndex((e) => e.n === (at ?? newest));
  const to = entries[Math.max(0, Math.min(entries.length - 1, (i < 0 ? entries.length - 1 : i) + by))];
  if (!to || to.n === (at ?? newest)) return false;
  act({ at: to.n, compare: null });
  return true;
}

function usePlay(entries: readonly SnapshotEntry[]): { playing: boolean; toggle: () => void } {
  const [playing, setPlaying] = useState(false);
  const snapshot = useStore((s) => s.snapshot);
  const latest = useRef(entries);
  latest.current = entries;
  // The next one only after this one is on the page.
  useEffect(() => {
    if (!playing) return undefined;
    const timer = setTimeout(() => {
      if (!step(latest.current, 1)) setPlaying(false);
    }, PLAY_MS);
    return () => clearTimeout(timer);
  }, [playing, snapshot]);
  const toggle = (): void => {
    const { at, newest } = getState();
    const atEnd = (at ?? newest) === entries.at(-1)?.n;
    if (!playing && atEnd) act({ at: entries[0]?.n ?? null, compare: null });
    setPlaying(!playing);
  };
  return { playing, toggle };
}

function Controls({ entries, playing, toggle }: { entries: readonly SnapshotEntry[]; playing: boolean; toggle: () => void }): JSX.Element {
  const at = useStore((s) => s.at);
  const newest = useStore((s) => s.newest);
  const after = useStore((s) => s.compare?.after ?? null);
  const i = entries.findIndex((e) => e.n === (after ?? at ?? newest));
  const go = (to: number): void => act({ at: entries[to]?.n ?? null, compare: null });
  return (
    <div class="play no-print" role="group" aria-label="Go through the snapshots">
      <button type="button" class="button small" aria-label="First snapshot" title="Home" disabled={i <= 0} onClick={() => go(0)}>«</button>
      <button type="button" class="button small" aria-label="Snapshot before this" title="←" disabled={i <= 0} onClick={() => go(i - 1)}>‹</button>
      <button type="button" class="button small" aria-label={playing ? "Stop playing" : "Play"} title="Space" aria-pressed={playing} onClick={toggle}>{playing ? "❚❚" : "▶"}</button>
      <button type="button" class="button small" aria-label="Snapshot after this" title="→" disabled={i >= entries.length - 1} onClick={() => go(i + 1)}>›</button>
      <button type="button" class="button small" aria-label="Last snapshot" title="End" disabled={i >= entries.length - 1} onClick={() => act({ at: null, compare: null })}>»</button>
      <input type="range" min={0} max={Math.max(0, entries.length - 1)} value={Math.max(0, i)} aria-label="Snapshot"
        aria-valuetext={`snapshot ${i + 1} of ${entries.length}`} onInput={(e) => go(Number(e.currentTarget.value))} />
    </div>
  );
}

/** A value at a look, or by how much it is another than at the one before. */
function Amount({ values, look, than }: { values: readonly (number | null)[]; look: number; than: number }): JSX.Element {
  const value = values[look] ?? null;
  if (than < 0) return <Size value={value} />;
  const was = values[than] ?? null;
  const by = value === null || was === null ? null : value - was;
  return (
    <td class={sizeClass(by) + ((by ?? 0) > 0 ? " grown" : (by ?? 0) < 0 ? " shrunk" : "")} title={`${kib(was)} → ${kib(value)}`}>{by === 0 ? "-" : change(by)}</td>
  );
}

/** Values of all kinds at a look, or what differs between two: colour key and filter. */
function Legend({ timeline, look, than, hovered }: { timeline: Timeline; look: number; than: number; hovered: boolean }): JSX.Element {
  const picked = useStore((s) => s.kinds);
  const at = timeline.looks[look];
  const words = !at ? "" : than >= 0 ? `snapshot ${at.snapshot} less ${timeline.looks[than]?.snapshot ?? ""}`
    : `${hovered ? "" : "Shown: "}snapshot ${at.snapshot}, ${moment(at.taken_at).slice(11)}`;
  return (
    <section class="timelegend" aria-label="Kinds at this moment">
      <p class="dim">{words}</p>
      <table class="table">
        <thead><tr><th scope="col">Kind</th><th scope="col" class="number">{than >= 0 ? "Change, KiB" : "KiB"}</th><th scope="col" title="A rate where it grows or shrinks steadily: the median slope between all pairs of snapshots, not the first against the last">Steady rate</th></tr></thead>
        <tbody>
          {[...timeline.rows].reverse().map((r) => (
            <tr key={r.id} class={picked && r.kind && !picked.includes(r.kind) ? "off" : ""} data-kind={r.kind}>
              <th scope="row">
                <button type="button" class="kind-button" aria-pressed={picked?.includes(r.kind ?? "") ?? false}
                  onClick={(e) => r.kind && pickKind(r.kind, e.ctrlKey || e.metaKey || e.shiftKey)}>
                  <Swatch kind={r.kind ?? ""} />{r.label}
                </button>
              </th>
              <Amount values={r.values} look={look} than={than} />
              <td class="dim" title={trendTitle(r.trend as Trend | null)}>{trendText(r.trend as Trend | null)}</td>
            </tr>
          ))}
        </tbody>
        <tbody class="sum">
          <tr><th scope="row">Total</th><Amount values={timeline.total.values} look={look} than={than} /><td class="dim" title={trendTitle(timeline.total.trend as Trend | null)}>{trendText(timeline.total.trend as Trend | null)}</td></tr>
        </tbody>
      </table>
    </section>
  );
}

function ValuesTable({ timeline }: { timeline: Timeline }): JSX.Element {
  const first = Math.max(0, timeline.looks.length - TABLE_ROWS);
  return (
    <div class="scroll values">
      {first > 0 && <p class="dim body">The last {thousands(TABLE_ROWS)} of {thousands(timeline.looks.length)}; saved files hold all.</p>}
      <table class="table">
        <caption class="hidden-label">Values in KiB at each snapshot</caption>
        <thead>
          <tr><th scope="col" class="number">Snapshot</th><th scope="col">Taken</th>{timeline.rows.map((r) => <th key={r.id} scope="col" class="number">{r.label}</th>)}<th scope="col" class="number">Total</th></tr>
        </thead>
        <tbody>
          {timeline.looks.slice(first).map((l, k) => (
            <tr key={l.snapshot}>
              <Count value={l.snapshot} />
              <th scope="row">{moment(l.taken_at)}{l.gap && <span class="dim"> after a time that was not recorded</span>}</th>
              {timeline.rows.map((r) => <Size key={r.id} value={r.values[first + k] ?? null} />)}
              <Size value={timeline.total.values[first + k] ?? null} />
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function lookOf(timeline: Timeline, shown: number | null): number {
  const i = timeline.looks.findIndex((l) => l.snapshot === shown);
  return i < 0 ? timeline.looks.length - 1 : i;
}

function onChartKey(e: KeyboardEvent, entries: readonly SnapshotEntry[], toggle: () => void): void {
  const { at, newest, compare } = getState();
  const by = e.key === "ArrowRight" ? 1 : e.key === "ArrowLeft" ? -1 : 0;
  if (e.key === "Escape" && compare) act({ compare: null });
  else if (e.key === " ") toggle();
  else if (e.key === "Home") act({ at: entries[0]?.n ?? null, compare: null });
  else if (e.key === "End") act({ at: null, compare: null });
  else if (by && e.shiftKey) {
    // One end stays where it was, the other one moves.
    const from = compare?.before ?? at ?? newest;
    const moving = entries.findIndex((x) => x.n === (compare?.after ?? at ?? newest));
    const fixed = entries.findIndex((x) => x.n === from);
    const pair = compare ? [fixed, moving + by] : by > 0 ? [fixed, fixed + 1] : [fixed - 1, fixed];
    const [before, after] = [entries[pair[0] ?? -1], entries[pair[1] ?? -1]];
    if (before && after && before.n < after.n) act({ compare: { before: before.n, after: after.n } });
    else if (compare) act({ compare: null });
  } else if (by) step(entries, by);
  else return;
  e.preventDefault();
}

export function Time(): JSX.Element {
  const provider = useStore((s) => s.provider);
  const measure = useStore((s) => s.measure);
  const kinds = useStore((s) => s.kinds);
  const at = useStore((s) => s.at);
  const newest = useStore((s) => s.newest);
  const compare = useStore((s) => s.compare);
  const target = useStore((s) => s.snapshot?.head.target);
  const [hover, setHover] = useState<number | null>(null);
  const [table, setTable] = useState(false);
  const looks = useKindLooks();
  const dark = useDark();
  const { timeline, asked } = useTimeline(provider, measure);
  const entries = provider?.snapshots() ?? NO_ENTRIES;
  const stack = useMemo(() => (timeline ? stackOf(timeline, kinds) : null), [timeline, kinds]);
  const ticks = useMemo(() => ticksOf(entries, timeline), [timeline, entries.length, entries]);
  const { playing, toggle } = usePlay(entries);
  const shown = at ?? newest;
  if (!provider || newest === null) return <p class="empty">Nothing was read.</p>;
  if (entries.length < 2 && !provider.can.live)
    return <p class="empty">This page holds one moment. What changes over time is recorded with <code>vmmap record PID -o FILE</code>, and shown with <code>vmmap report FILE -o out.html</code>.</p>;
  const hovered = hover !== null ? (stack?.looks[hover] ?? -1) : -1;
  const look = timeline ? (hovered >= 0 ? hovered : lookOf(timeline, compare?.after ?? shown)) : -1;
  const than = timeline && compare && hovered < 0 ? timeline.looks.findIndex((l) => l.snapshot === compare.before) : -1;
  const label = MEASURES.find(([id]) => id === measure)?.[1] ?? measure;
  const values = (): { columns: string[]; rows: (string | number | null)[][] } => ({
    columns: ["snapshot", "taken_at", ...(timeline?.rows ?? []).map((r) => r.id), "total"],
    rows: (timeline?.looks ?? []).map((l, i) => [l.snapshot, l.taken_at, ...(timeline?.rows ?? []).map((r) => r.values[i] ?? null), timeline?.total.values[i] ?? null]),
  });
  const picture = (format: "svg" | "png"): void => {
    if (!stack || !timeline) return;
    const numbers = compare ? [compare.before, compare.after] : shown !== null ? [shown] : [];
    const marks = ticks.flatMap((t) => (numbers.includes(t.n) ? [{ time: t.time, text: String(t.n) }] : []));
    const title = `${label} of ${target?.name ?? ""}${target?.pid ? " " + target.pid : ""}`;
    const svg = chartSvg({ stack, total: kinds === null ? timeline.total.values : null, title, marks, ticks: ticks.map((t) => t.time) }, looks, dark);
    void savePicture([target?.name ?? "", target?.pid ?? null, "timeline", measure], format, svg);
  };
  return (
    <div class="sections time">
      <section class="panel" aria-label="Memory over time">
        <header>
          <div class="choice" role="radiogroup" aria-label="Measure">
            {MEASURES.map(([id, title]) => (
              <button key={id} type="button" role="radio" aria-checked={id === measure} title={provider.info.columns.find((c) => c.id === id)?.help}
                onClick={() => act({ measure: id })}>{title}</button>
            ))}
          </div>
          <span class="grow" />
          {entries.length > 1 && <Controls entries={entries} playing={playing} toggle={toggle} />}
          <button type="button" class="button small" aria-pressed={table} onClick={() => setTable(!table)}>Table</button>
          {timeline && <SaveTable name={[target?.name ?? "", target?.pid ?? null, "timeline", measure]} data={values} picture={picture} />}
        </header>
        {!timeline && <p class="empty">{asked ? `There is no timeline of this measure: ${label.toLowerCase()}.` : "The timeline is read…"}</p>}
        {timeline && stack && (
          <div class="time-main">
            {timeline.total.values.every((v) => v === null)
              ? <p class="empty">{label} is unknown in all of these snapshots.</p>
              : (
                <TimeChart stack={stack} total={kinds === null ? timeline.total.values : null} ticks={ticks} shown={shown} compare={compare} looks={looks} dark={dark}
                  label={`${label} over time: arrow keys go from snapshot to snapshot`} onShow={(n) => act({ at: n === newest ? null : n, compare: null })}
                  onCompare={(before, after) => act({ compare: { before, after } })} onHover={setHover} onKey={(e) => onChartKey(e, entries, toggle)} />
              )}
            <Legend timeline={timeline} look={look} than={than} hovered={hovered >= 0} />
          </div>
        )}
        <p class="hint dim no-print">
          Click: show a snapshot · drag: compare two · <kbd>←</kbd> <kbd>→</kbd> step · <kbd>Shift</kbd> <kbd>→</kbd> compare · <kbd>Space</kbd> play · <kbd>Ctrl</kbd> wheel zooms, double click: all
          {timeline && timeline.timeline.set_back > 0 && <span class="warn"> · the clock was set back {timeline.timeline.set_back === 1 ? "once" : `${timeline.timeline.set_back} times`}: times there are not true</span>}
        </p>
        {timeline && table && <ValuesTable timeline={timeline} />}
        {provider.notes?.().map((n) => <p class="hint warn" key={n.code}>{n.text}</p>)}
      </section>
      {compare && <ChangePanel />}
      {timeline && <GrowthPanel growth={growthOf(timeline.growth)} />}
    </div>
  );
}
