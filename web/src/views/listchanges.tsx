// Threads and images while two snapshots are compared: those that came, went or changed, with how much of their regions did.
import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { amount } from "../bars";
import type { Snapshot } from "../data/snapshot";
import type { Diff, DiffRow, Metric, Thread } from "../data/types";
import { kib } from "../format";
import { visible } from "../text";
import { useChangeName } from "./accountchanges";
import { Address, Changed, More, Name, Path, SaveTable } from "./parts";

const FIRST = 100;

interface Row {
  key: string;
  state: string;
  name: string | null;
  tid: number | null;
  /** Of a build: what it is, and what it was where that is another. */
  build: { is: string | null; was: string | null } | null;
  /** What the diff says of its region; null: that did not change, or there is none. */
  region: DiffRow | null;
  address: string | null;
}

function placeOf(region: DiffRow | null): string | null {
  const place = (region?.["is"] ?? region?.["was"]) as { address?: string } | null | undefined;
  return place?.address ?? null;
}

/** Threads that came or went, then those that stayed and whose stacks changed. */
function threadRows(diff: Diff, threads: readonly Thread[]): Row[] {
  const stacks = new Map<number, DiffRow>();
  for (const r of diff.regions) if (typeof r["tid"] === "number" && r.kind === "stack" && !stacks.has(r["tid"])) stacks.set(r["tid"], r);
  const row = (tid: number, state: string, name: string | null): Row => {
    const region = stacks.get(tid) ?? null;
    return { key: `${state} ${tid}`, state, name, tid, build: null, region, address: placeOf(region) };
  };
  const moved = (diff.threads ?? []).map((t) => row(t.tid, t.state, t.name));
  const told = new Set(moved.map((t) => t.tid));
  return [...moved, ...threads.flatMap((t) => (told.has(t.tid) || !stacks.has(t.tid) ? [] : [row(t.tid, stacks.get(t.tid)?.state ?? "", t.name)]))];
}

/** Images that came, went or are another build, then those whose memory changed. */
function moduleRows(diff: Diff): Row[] {
  const images = new Map<string | null, DiffRow>(diff.regions.flatMap((r): [string | null, DiffRow][] => (r.kind === "image" ? [[placeOf(r), r]] : [])));
  const rows = (diff.modules ?? []).map((m): Row => ({
    key: `${m.state} ${m.address}`, state: m.state, name: m.path, tid: null, build: { is: m.build_id, was: m.build_id_before },
    region: images.get(m.address) ?? null, address: m.address,
  }));
  const told = new Set(rows.map((r) => r.address));
  return [...rows, ...[...images].flatMap(([address, r]): Row[] => (told.has(address) ? [] : [{
    key: String(address), state: r.state, name: String(r["path"] ?? ""), tid: null, build: null, region: r, address,
  }]))];
}

function Bytes({ row, id }: { row: Row; id: Metric }): JSX.Element {
  const { region } = row;
  if (!region) return <td class="number zero">-</td>;
  const side = (name: string): number | null => (region[name] === null ? 0 : amount(region[name] as object | undefined, id).value);
  return <Changed by={side("change")} before={kib(side("before"))} after={kib(side("after"))} />;
}

function Place({ row }: { row: Row }): JSX.Element {
  if (row.address === null) return <td />;
  return <td>{row.state === "gone" ? <span class="dim mono">{row.address}</span> : <Address address={row.address} />}</td>;
}

function Build({ row }: { row: Row }): JSX.Element {
  const short = (id: string | null): string => (id ? visible(id.slice(0, 12)) + (id.length > 12 ? "…" : "") : "");
  const { is, was } = row.build ?? { is: null, was: null };
  return <td class="mono" title={is ?? undefined}>{was && is && was !== is ? <>{short(was)} <span class="dim">→</span> {short(is)}</> : short(is)}</td>;
}

const METRICS: readonly Metric[] = ["size", "rss"];

function List({ id, title, rows, threads }: { id: string; title: string; rows: readonly Row[]; threads: boolean }): JSX.Element {
  const [all, setAll] = useState(false);
  const name = useChangeName(id);
  const number = (r: Row, m: Metric): number | null => (r.region ? amount(r.region["change"] as object | undefined, m).value : 0);
  return (
    <section class="panel long" aria-label={title}>
      <header><h2>{title}</h2><span class="dim">change in KiB, after less before</span><span class="grow" />
        {rows.length > 0 && <SaveTable name={name} data={() => ({
          columns: ["state", threads ? "tid" : "build_id", threads ? "name" : "path", "address", ...METRICS],
          rows: rows.map((r) => [r.state, threads ? r.tid : (r.build?.is ?? null), r.name, r.address, ...METRICS.map((m) => number(r, m))]),
        })} />}
      </header>
      {rows.length === 0 ? <p class="body dim">None did.</p> : (
        <table class={"table fixed" + (threads ? "" : " modules")}>
          <thead>
            <tr>
              {threads && <th scope="col" class="number">Thread</th>}
              <th scope="col">{threads ? "Name" : "Path"}</th><th scope="col">State</th><th scope="col">{threads ? "Stack" : "Address"}</th>
              <th scope="col" class="number">Size</th><th scope="col" class="number">RSS</th>{!threads && <th scope="col">Build ID</th>}
            </tr>
          </thead>
          <tbody>
            {rows.slice(0, all ? rows.length : FIRST).map((r) => (
              <tr key={r.key} data-state={r.state}>
                {threads && <th scope="row" class="number">{r.tid}</th>}
                {threads ? <td class="grow">{r.name === null ? <span class="dim">?</span> : <Name text={r.name} cut />}</td>
                  : <th scope="row" class="grow">{r.name ? <span class="path-line"><Path text={r.name} /></span> : <span class="dim">no file</span>}</th>}
                <td>{r.state}</td>
                <Place row={r} />
                {METRICS.map((m) => <Bytes key={m} row={r} id={m} />)}
                {!threads && <Build row={r} />}
              </tr>
            ))}
          </tbody>
        </table>
      )}
      <More count={rows.length} shown={all ? rows.length : FIRST} onAll={() => setAll(true)} />
    </section>
  );
}

export function ThreadChanges({ diff, snapshot }: { diff: Diff; snapshot: Snapshot }): JSX.Element {
  return <List id="threads" title="Threads that changed" rows={threadRows(diff, snapshot.head.threads)} threads />;
}

export function ModuleChanges({ diff }: { diff: Diff }): JSX.Element {
  return <List id="modules" title="Modules that changed" rows={moduleRows(diff)} threads={false} />;
}
