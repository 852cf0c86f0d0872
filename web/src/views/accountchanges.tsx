// Accounts, limits and notes while two snapshots are compared: what is more or less of each, in the places of accounts.tsx.
import type { JSX } from "preact";
import type { Counts, Diff, Identity, Limit, LimitChange, Note } from "../data/types";
import { bytes, kib, thousands } from "../format";
import { useStore } from "../state/store";
import { visible } from "../text";
import { AccountPanel, limitName, limitText, Notes } from "./accounts";
import { Changed, SaveTable } from "./parts";

/** The name of a saved table of changes. */
export function useChangeName(table: string): (string | number | null)[] {
  const compare = useStore((s) => s.compare);
  const target = useStore((s) => s.snapshot?.head.target);
  return [target?.name ?? "", target?.pid ?? null, table, compare ? `change-${compare.before}-${compare.after}` : null];
}

function Bytes({ of }: { of: Counts }): JSX.Element {
  return <Changed by={of.change} before={kib(of.before)} after={kib(of.after)} />;
}

/** A remainder that came, or one that cannot be told, is never left without its reason. */
function reason({ remainder, explanation, explanation_before }: Identity): string {
  if (remainder.change === 0) return "";
  return remainder.before === null ? (explanation_before ?? explanation ?? "") : (explanation || explanation_before) ?? "";
}

function IdentityRow({ of }: { of: Identity }): JSX.Element {
  const why = reason(of);
  return (
    <tr class={of.remainder.change ? "odd" : ""} data-account={of.id}>
      <th scope="row">{visible(of.label)}{why && <p class="why">{visible(why)}</p>}</th>
      <Bytes of={of.sum} />
      <Bytes of={of.kernel} />
      <Bytes of={of.remainder} />
    </tr>
  );
}

export function AccountChanges({ diff }: { diff: Diff }): JSX.Element | null {
  const name = useChangeName("accounts");
  // As without comparing: what a file cannot tell is not listed.
  const shown = (diff.identities ?? []).filter((d) => d.sum.change !== null || d.kernel.change !== null);
  if (!shown.length) return null;
  const columns = (["sum", "kernel", "remainder"] as const).flatMap((id) => (["before", "after", "change"] as const).map((side) => [id, side] as const));
  return (
    <AccountPanel changed words="change in KiB, after less before" name={name} rows={shown.map((d) => <IdentityRow key={d.id} of={d} />)}
      data={() => ({
        columns: ["id", "label", ...columns.map(([id, side]) => `${id}_${side}`)],
        rows: shown.map((d) => [d.id, d.label, ...columns.map(([id, side]) => d[id][side])]),
      })} />
  );
}

/** "8 MiB", or "8 MiB → 16 MiB" where the limit itself changed. */
function Bound({ of, unit }: { of: LimitChange["soft"]; unit: Limit["unit"] }): JSX.Element {
  const [was, is] = [limitText(of.before, unit), limitText(of.after, unit)];
  return <td class="number">{was === is ? is : <>{was} <span class="dim">→</span> {is}</>}</td>;
}

function LimitRow({ of }: { of: LimitChange }): JSX.Element {
  const [name, text] = limitName(of.text);
  const show = (n: number | null): string => (n === null ? "?" : of.unit === "bytes" ? bytes(n) : thousands(n));
  return (
    <tr data-limit={of.id}>
      <th scope="row"><span class="mono">{visible(name)}</span>{text && <span class="dim limit-text">{visible(text)}</span>}</th>
      <Changed by={of.used.change} before={show(of.used.before)} after={show(of.used.after)} count={of.unit === "count"} />
      <td class="number">{show(of.used.after)}</td>
      <Bound of={of.soft} unit={of.unit} />
    </tr>
  );
}

export function LimitChanges({ diff }: { diff: Diff }): JSX.Element {
  const name = useChangeName("limits");
  const rows = diff.limits ?? [];
  const sides = ["before", "after"] as const;
  return (
    <section class="panel limits changed" aria-label="Limits that changed">
      <header><h2>Limits that changed</h2><span class="dim">or what is used of them, KiB</span><span class="grow" />
        {rows.length > 0 && <SaveTable name={name} data={() => ({
          columns: ["id", "text", "used_before", "used_after", "used_change", "soft_before", "soft_after", "hard_before", "hard_after", "unit"],
          rows: rows.map((l) => [l.id, l.text, l.used.before, l.used.after, l.used.change, ...sides.map((s) => l.soft[s]), ...sides.map((s) => l.hard[s]), l.unit]),
        })} />}
      </header>
      {rows.length === 0 ? <p class="body dim">None did.</p> : (
        <table class="table">
          <thead>
            <tr><th scope="col">Limit</th><th scope="col" class="number">Change</th><th scope="col" class="number">Used</th><th scope="col" class="number">Soft limit</th></tr>
          </thead>
          <tbody>{rows.map((l) => <LimitRow key={l.id} of={l} />)}</tbody>
        </table>
      )}
    </section>
  );
}

/** Notes of both, each once, with the side that has it. */
export function NoteChanges({ diff }: { diff: Diff }): JSX.Element | null {
  const [before, after] = [diff.notes_before ?? [], diff.notes_after ?? []];
  const has = (notes: readonly Note[], n: Note): boolean => notes.some((m) => m.from === n.from && m.text === n.text);
  return (
    <Notes notes={[
      ...before.map((n) => ({ ...n, side: has(after, n) ? "" : "before" })),
      ...after.filter((n) => !has(before, n)).map((n) => ({ ...n, side: "after" })),
    ]} />
  );
}
