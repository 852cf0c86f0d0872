// Heaps while two snapshots are compared: how much more each holds, and hands out.
import type { JSX } from "preact";
import { amount } from "../bars";
import type { Diff, DiffRow } from "../data/types";
import { kib, thousands } from "../format";
import { act, useStore } from "../state/store";
import { Changed, Name, SaveTable } from "./parts";

const BYTES = [["size", "Size"], ["rss", "RSS"], ["used", "Used"], ["unused", "Unused"]] as const;
const COUNTS = [["used_count", "Chunks in use"], ["free_count", "Freed chunks"]] as const;

function Bytes({ row, id }: { row: DiffRow; id: string }): JSX.Element {
  const side = (name: string): number | null => (row[name] === null ? 0 : amount(row[name] as object | undefined, id).value);
  return <Changed by={side("change")} before={kib(side("before"))} after={kib(side("after"))} />;
}

function Chunks({ row, id }: { row: DiffRow; id: string }): JSX.Element {
  const side = (name: string): number | null => amount(row[id] as object | undefined, name).value;
  const show = (n: number | null): string => (n === null ? "?" : thousands(n));
  return <Changed by={side("change")} before={show(side("before"))} after={show(side("after"))} count />;
}

export function HeapChanges({ diff }: { diff: Diff }): JSX.Element {
  const rows = diff.heaps ?? [];
  const compare = useStore((s) => s.compare);
  const target = useStore((s) => s.snapshot?.head.target);
  const table = (): { columns: string[]; rows: (string | number | null)[][] } => ({
    columns: ["state", "heap", "label", ...BYTES.map(([id]) => id), ...COUNTS.map(([id]) => id)],
    rows: rows.map((r) => [r.state, String(r["id"] ?? ""), String(r["label"] ?? ""), ...BYTES.map(([id]) => amount(r["change"] as object, id).value),
      ...COUNTS.map(([id]) => amount(r[id] as object | undefined, "change").value)]),
  });
  return (
    <section class="panel heap-changes" aria-label="Heaps that changed">
      <header>
        <h2>Heaps that changed</h2><span class="dim">change in KiB, after less before</span><span class="grow" />
        {rows.length > 0 && <SaveTable name={[target?.name ?? "", target?.pid ?? null, "heaps", compare ? `change-${compare.before}-${compare.after}` : null]} data={table} />}
      </header>
      {rows.length === 0 && <p class="body dim">None did.</p>}
      {rows.length > 0 && (
        <div class="scroll">
          <table class="table">
            <thead>
              <tr>
                <th scope="col">Heap</th><th scope="col">State</th>
                {[...BYTES, ...COUNTS].map(([id, title]) => <th key={id} scope="col" class="number">{title}</th>)}
              </tr>
            </thead>
            <tbody>
              {rows.map((r) => (
                <tr key={`${r["id"]} ${r.state}`} data-heap={String(r["id"])}>
                  <th scope="row">
                    {r.state === "gone" ? <Name text={String(r["label"] ?? "")} />
                      : <button type="button" class="link" onClick={() => act({ heap: String(r["id"]) })}><Name text={String(r["label"] ?? "")} /></button>}
                    {" "}<span class="dim mono"><Name text={String(r["id"])} /></span>
                  </th>
                  <td>{r.state}</td>
                  {BYTES.map(([id]) => <Bytes key={id} row={r} id={id} />)}
                  {COUNTS.map(([id]) => <Chunks key={id} row={r} id={id} />)}
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </section>
  );
}
