// Comparing: a line on every view that says which two, and the table of types with before, after and change.
import type { JSX } from "preact";
import { amount } from "../bars";
import type { SnapshotEntry } from "../data/provider";
import { METRICS, type Diff, type DiffRow } from "../data/types";
import type { TableData } from "../export";
import { kib, moment, thousands } from "../format";
import { act, useStore } from "../state/store";
import { span } from "./growth";
import { kindLabel, pickKind, Swatch, useKinds } from "./kinds";
import { Changed, SaveTable, Size } from "./parts";

function whenOf(entries: readonly SnapshotEntry[], n: number): string {
  const e = entries.find((x) => x.n === n);
  return e?.taken_at ? moment(e.taken_at).slice(11) : "";
}

export function CompareStrip(): JSX.Element | null {
  const compare = useStore((s) => s.compare);
  const provider = useStore((s) => s.provider);
  const diff = useStore((s) => s.diff);
  if (!compare || !provider) return null;
  const entries = provider.snapshots();
  const elapsed = typeof diff?.["elapsed_ns"] === "number" ? diff["elapsed_ns"] / 1e9 : null;
  return (
    <div class="compare-strip" role="status">
      <b>Comparing</b>
      <span>snapshot {compare.before} <span class="dim">{whenOf(entries, compare.before)}</span> with {compare.after} <span class="dim">{whenOf(entries, compare.after)}</span></span>
      {elapsed !== null && <span class="dim">{span(elapsed)} {elapsed < 0 ? "earlier" : "later"}</span>}
      <span class="dim">every number is after less before</span>
      {diff?.["matched_by"] === "steps" && <span class="dim" title="This report is too large to hold which region is which between any two snapshots: they are followed from snapshot to snapshot, and what came back after it was gone is new. vmmap diff FILE@A FILE@B compares the two alone.">regions followed step by step</span>}
      {diff?.["matched_by"] === "address" && <span class="dim" title="These snapshots came without what tells which region is which: what moved counts as gone and new. vmmap diff A B knows better.">regions matched by address</span>}
      <button type="button" class="button small no-print" onClick={() => act({ compare: null })}>Stop comparing</button>
    </div>
  );
}

function Row({ row, measure, label }: { row: DiffRow; measure: string; label: JSX.Element | string }): JSX.Element {
  const side = (name: string): number | null => amount(row[name] as object | undefined, measure).value;
  return (
    <tr data-kind={row.kind ?? "total"}>
      <th scope="row">{label}</th>
      <Size value={side("before")} />
      <Size value={side("after")} />
      <Changed by={side("change")} before={kib(side("before"))} after={kib(side("after"))} />
    </tr>
  );
}

const STATES = ["new", "gone", "grown", "shrunk", "moved", "retyped", "protected", "changed"];

function Counts({ rows }: { rows: readonly DiffRow[] }): JSX.Element {
  const counts = STATES.map((state) => [state, rows.filter((r) => r.state === state).length] as const).filter(([, n]) => n > 0);
  if (!counts.length) return <p class="dim">No region came, went or changed.</p>;
  return (
    <p class="states">
      {counts.map(([state, n]) => (
        <button key={state} type="button" class="chip" onClick={() => act({ tab: "regions", where: `state=${state}` })}>{thousands(n)} {state}</button>
      ))}
    </p>
  );
}

/** The regions that changed as `vmmap diff --csv` has them, in bytes. */
function changesTable(diff: Diff): TableData {
  const text = (side: unknown, id: string): string | null => (typeof side === "object" && side !== null ? String((side as Record<string, unknown>)[id] ?? "") : null);
  const columns = ["state", "changes", "kind", "address", "end", "was", ...METRICS, ...METRICS.flatMap((id) => [id + "_before", id + "_after"]),
    "protection", "protection_before", "path", "details"];
  const number = (row: DiffRow, side: string, id: string): number | null => {
    const { value, atLeast } = amount(row[side] as object | undefined, id);
    return atLeast ? null : value;
  };
  return {
    columns,
    rows: diff.regions.map((row) => {
      const [was, is] = [row["was"], row["is"]];
      const here = is ?? was;
      return [row.state, row.changes?.join("+") ?? "", row.kind, text(here, "address"), text(here, "end"), text(was, "address"),
        ...METRICS.map((id) => number(row, "change", id)), ...METRICS.flatMap((id) => [number(row, "before", id), number(row, "after", id)]),
        text(here, "protection"), text(was, "protection"), String(row["path"] ?? ""), String(row["details"] ?? "")];
    }),
  };
}

export function ChangePanel(): JSX.Element | null {
  const diff = useStore((s) => s.diff);
  const compare = useStore((s) => s.compare);
  const target = useStore((s) => s.snapshot?.head.target);
  const measure = useStore((s) => s.measure);
  const info = useStore((s) => s.provider?.info.columns.find((c) => c.id === s.measure));
  const kinds = useKinds();
  if (!diff) return null;
  const types = Array.isArray(diff.types) ? diff.types : [];
  const regions = Array.isArray(diff.regions) ? diff.regions : [];
  return (
    <section class="panel change-panel" aria-label="What changed">
      <header>
        <h2>What changed</h2>
        <span class="dim">{info?.title ?? measure}, KiB</span>
        <span class="grow" />
        <button type="button" class="button small no-print" onClick={() => act({ tab: "regions" })}>Regions that changed</button>
        <button type="button" class="button small no-print" onClick={() => act({ tab: "map" })}>In the address space</button>
        <SaveTable name={[target?.name ?? "", target?.pid ?? null, "changes", compare ? `${compare.before}-${compare.after}` : null]} data={() => changesTable(diff)} />
      </header>
      <div class="body"><Counts rows={regions} /></div>
      <table class="table">
        <thead><tr><th scope="col">Type</th><th scope="col" class="number">Before</th><th scope="col" class="number">After</th><th scope="col" class="number">Change</th></tr></thead>
        <tbody>
          {types.map((row) => (
            <Row key={row.kind ?? "total"} row={row} measure={measure} label={row.kind && row.kind !== "total"
              ? <button type="button" class="kind-button" onClick={() => row.kind && pickKind(row.kind, false)}><Swatch kind={row.kind} />{kindLabel(kinds, row.kind)}</button>
              : <b>Total</b>} />
          ))}
        </tbody>
      </table>
    </section>
  );
}
