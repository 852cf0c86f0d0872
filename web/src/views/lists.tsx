// Threads and modules, each with the numbers of the region that is its.
import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { parseAddress } from "../data/rows";
import type { Snapshot } from "../data/snapshot";
import type { Module, Thread } from "../data/types";
import { thousands } from "../format";
import { visible } from "../text";
import { Address, More, Name, Path, SaveTable, Size, sortedBy, SortHead, type Sorting } from "./parts";

const FIRST = 100;

interface Region {
  size: number | null;
  rss: number | null;
  pss: number | null;
  committed: number | null;
}

/** Numbers of regions by address. */
function useRegions(snapshot: Snapshot): (address: string | undefined) => Region {
  const number = (id: string, row: number): number | null => {
    const v = snapshot.regions.number(id, row);
    return Number.isNaN(v) || snapshot.regions.isAtLeast(id, row) ? null : v;
  };
  return (address) => {
    const row = address === undefined ? -1 : snapshot.regions.find("address", parseAddress(address));
    if (row < 0) return { size: null, rss: null, pss: null, committed: null };
    return { size: number("size", row), rss: number("rss", row), pss: number("pss", row), committed: number("committed", row) };
  };
}

const STATES: Record<string, string> = {
  R: "running", S: "sleeping", D: "waiting on a device", T: "stopped", t: "traced", Z: "zombie", X: "dead", I: "idle",
};

export function Threads({ snapshot }: { snapshot: Snapshot }): JSX.Element | null {
  const [sort, setSort] = useState<Sorting | null>(null);
  const [all, setAll] = useState(false);
  const region = useRegions(snapshot);
  const { threads, target } = snapshot.head;
  if (!threads.length) return null;
  const value = (t: Thread, c: string): unknown => {
    switch (c) {
      case "tid": return t.tid;
      case "name": return t.name;
      case "state": return t.state;
      case "stack": return t.stack ? parseAddress(t.stack.address) : null;
      default: return region(t.stack?.address)[c as keyof Region];
    }
  };
  const rows = sortedBy(threads, sort, value);
  const columns = ["tid", "name", "state", "sp", "stack", "size", "rss"];
  return (
    <section class="panel long" aria-label="Threads">
      <header><h2>Threads</h2><span class="dim">{thousands(threads.length)}, their stacks in KiB</span><span class="grow" />
        <SaveTable name={[target.name, target.pid, "threads"]} data={() => ({
          columns, rows: rows.map((t) => [t.tid, t.name, t.state, t.sp, t.stack?.address, region(t.stack?.address).size, region(t.stack?.address).rss]),
        })} />
      </header>
      <table class="table fixed">
        <thead>
          <tr>
            <SortHead id="tid" title="Thread" number sort={sort} onSort={setSort} />
            <SortHead id="name" title="Name" sort={sort} onSort={setSort} />
            <SortHead id="state" title="State" sort={sort} onSort={setSort} />
            <SortHead id="stack" title="Stack" help="Region of its stack" sort={sort} onSort={setSort} />
            <SortHead id="size" title="Size" number sort={sort} onSort={setSort} />
            <SortHead id="rss" title="RSS" number sort={sort} onSort={setSort} />
          </tr>
        </thead>
        <tbody>
          {rows.slice(0, all ? rows.length : FIRST).map((t) => (
            <tr key={t.tid}>
              <th scope="row" class="number">{t.tid}</th>
              <td class="grow">{t.name === null ? <span class="dim">?</span> : <Name text={t.name} cut />}</td>
              <td title={t.state ? STATES[t.state] : undefined}>{t.state ? visible(t.state) : <span class="dim">?</span>}</td>
              <td>{t.stack ? <Address address={t.stack.address} /> : <span class="dim">?</span>}</td>
              <Size value={region(t.stack?.address).size} />
              <Size value={region(t.stack?.address).rss} />
            </tr>
          ))}
        </tbody>
      </table>
      <More count={threads.length} shown={all ? threads.length : FIRST} onAll={() => setAll(true)} />
    </section>
  );
}

/** What is remarkable of a module, in words. */
function marks(m: Module): { text: string; level: string; help: string }[] {
  const out: { text: string; level: string; help: string }[] = [];
  if (m.program) out.push({ text: "program", level: "", help: "The main program" });
  if (m.deleted) out.push({ text: "deleted", level: "warn", help: "Its file has no name any more" });
  if (m.replaced) out.push({ text: "replaced", level: "warn", help: "Another file stands at its path now" });
  if (m.in_memory) out.push({ text: "in memory", level: "warn", help: "No file is behind it" });
  return out;
}

export function Modules({ snapshot }: { snapshot: Snapshot }): JSX.Element | null {
  const [sort, setSort] = useState<Sorting | null>(null);
  const [all, setAll] = useState(false);
  const region = useRegions(snapshot);
  const { modules, target } = snapshot.head;
  if (!modules.length) return null;
  const value = (m: Module, c: string): unknown => {
    switch (c) {
      case "path": return m.path;
      case "address": return parseAddress(m.address);
      case "build_id": return m.build_id;
      default: return region(m.address)[c as keyof Region];
    }
  };
  const rows = sortedBy(modules, sort, value);
  const columns = ["address", "end", "path", "build_id", "size", "rss", "pss", "deleted", "replaced", "in_memory", "pie", "program", "bits"];
  return (
    <section class="panel long" aria-label="Modules">
      <header><h2>Modules</h2><span class="dim">{thousands(modules.length)} ELF objects, KiB</span><span class="grow" />
        <SaveTable name={[target.name, target.pid, "modules"]} data={() => ({
          columns,
          rows: rows.map((m) => [m.address, m.end, m.path, m.build_id, region(m.address).size, region(m.address).rss, region(m.address).pss,
            m.deleted, m.replaced, m.in_memory, m.pie, m.program, m.bits]),
        })} />
      </header>
      <table class="table fixed modules">
        <thead>
          <tr>
            <SortHead id="path" title="Path" sort={sort} onSort={setSort} />
            <SortHead id="address" title="Address" sort={sort} onSort={setSort} />
            <SortHead id="size" title="Size" number sort={sort} onSort={setSort} />
            <SortHead id="rss" title="RSS" number sort={sort} onSort={setSort} />
            <SortHead id="pss" title="PSS" number sort={sort} onSort={setSort} />
            <SortHead id="build_id" title="Build ID" sort={sort} onSort={setSort} />
          </tr>
        </thead>
        <tbody>
          {rows.slice(0, all ? rows.length : FIRST).map((m) => (
            <tr key={m.address}>
              <th scope="row" class="grow">
                <span class="path-line">
                  {m.path ? <Path text={m.path} /> : <span class="dim">no file</span>}
                  {marks(m).map((k) => <span key={k.text} class={"badge " + k.level} title={k.help}>{k.text}</span>)}
                </span>
              </th>
              <td><Address address={m.address} /></td>
              <Size value={region(m.address).size} />
              <Size value={region(m.address).rss} />
              <Size value={region(m.address).pss} />
              <td class="mono" title={m.build_id ?? undefined}>
                {m.build_id === null ? <span class="dim">?</span> : m.build_id === "" ? <span class="dim">none</span> : visible(m.build_id.slice(0, 12)) + (m.build_id.length > 12 ? "…" : "")}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
      <More count={modules.length} shown={all ? modules.length : FIRST} onAll={() => setAll(true)} />
    </section>
  );
}
