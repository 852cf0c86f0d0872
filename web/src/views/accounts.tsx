// What must add up, what is limited, what is missing, what was found.
import type { JSX } from "preact";
import type { Snapshot } from "../data/snapshot";
import type { Account, Limit, Note, Verdict } from "../data/types";
import type { TableData } from "../export";
import { bytes, change, kib, thousands } from "../format";
import { visible } from "../text";
import { Address, Name, SaveTable } from "./parts";
import { Evidence, EvidenceLink } from "./evidence";

function AccountRow({ a }: { a: Account }): JSX.Element {
  const even = a.remainder === 0;
  const why = a.explanation && (!even || a.sum === null || a.kernel === null) ? visible(a.explanation) : "";
  return (
    <tr class={even ? "even" : a.remainder === null ? "" : "odd"}>
      <th scope="row">{visible(a.label)}{why && <p class="why">{why}</p>}</th>
      <td class="number">{kib(a.sum)}</td>
      <td class="number">{kib(a.kernel)}</td>
      <td class={"number remainder" + (even ? " zero" : "")}>{change(a.remainder)}</td>
    </tr>
  );
}

/** The table of identities, of one snapshot or of what changed between two. */
export function AccountPanel(p: {
  words: string; name: readonly (string | number | null)[]; data: () => TableData; rows: JSX.Element[]; changed?: boolean;
}): JSX.Element {
  return (
    <section class={"panel accounts" + (p.changed ? " changed" : "")} aria-label="Accounts">
      <header><h2>Accounts</h2><span class="dim">{p.words}</span><span class="grow" /><SaveTable name={p.name} data={p.data} /></header>
      <table class="table">
        <thead>
          <tr><th scope="col">Identity</th><th scope="col" class="number">Sum</th><th scope="col" class="number">Kernel</th><th scope="col" class="number">Remainder</th></tr>
        </thead>
        <tbody>{p.rows}</tbody>
      </table>
    </section>
  );
}

export function Accounts({ snapshot }: { snapshot: Snapshot }): JSX.Element | null {
  const { accounts, target } = snapshot.head;
  // Files have few of the kernel's counters: sums that nothing can be held against are not listed there.
  const shown = target.source === "core" ? accounts.filter((a) => a.sum !== null && a.kernel !== null) : accounts;
  if (!shown.length) return null;
  return (
    <AccountPanel words="rows against the kernel, KiB" name={[target.name, target.pid, "accounts"]} rows={shown.map((a) => <AccountRow key={a.id} a={a} />)}
      data={() => ({
        columns: ["id", "label", "sum", "kernel", "remainder", "explanation"], rows: shown.map((a) => [a.id, a.label, a.sum, a.kernel, a.remainder, a.explanation]),
      })} />
  );
}

export function limitText(value: Limit["soft"], unit: Limit["unit"]): string {
  if (value === null) return "?";
  return value === "unlimited" ? "unlimited" : unit === "bytes" ? bytes(value) : thousands(value);
}

/** "RLIMIT_AS" and "whole address space". */
export function limitName(text: string): [string, string] {
  const at = text.indexOf(": ");
  return at < 0 ? [text, ""] : [text.slice(0, at), text.slice(at + 2)];
}

function LimitRow({ l }: { l: Limit }): JSX.Element {
  const bounded = typeof l.soft === "number" && l.soft > 0 && l.used !== null;
  const share = bounded ? Math.min(1, Number(l.used) / Number(l.soft)) : 0;
  const level = share >= 0.9 ? "bad" : share >= 0.5 ? "warn" : "";
  const [name, text] = limitName(l.text);
  return (
    <tr>
      <th scope="row"><span class="mono">{visible(name)}</span>{text && <span class="dim limit-text">{visible(text)}</span>}</th>
      <td class="limit-bar">
        {bounded && <span class="meter" aria-hidden="true"><span class={level + (l.used === 0 ? " none" : "")} style={{ width: share * 100 + "%" }} /></span>}
      </td>
      <td class={"number " + level} title={l.hard === l.soft ? undefined : "hard limit " + limitText(l.hard, l.unit)}>
        {l.used !== null && <>{limitText(l.used, l.unit)} <span class="dim">of</span> </>}{limitText(l.soft, l.unit)}
      </td>
    </tr>
  );
}

export function Limits({ snapshot }: { snapshot: Snapshot }): JSX.Element | null {
  const limits = Object.entries(snapshot.head.limits);
  const { name, pid } = snapshot.head.target;
  if (!limits.length) return null;
  return (
    <section class="panel limits" aria-label="Limits">
      <header><h2>Limits</h2><span class="grow" />
        <SaveTable name={[name, pid, "limits"]} data={() => ({
          columns: ["id", "text", "used", "soft", "hard", "unit"], rows: limits.map(([id, l]) => [id, l.text, l.used, l.soft, l.hard, l.unit]),
        })} />
      </header>
      <table class="table">
        <thead class="hidden-label"><tr><th scope="col">Limit</th><th scope="col">Share used</th><th scope="col">Used of soft limit</th></tr></thead>
        <tbody>{limits.map(([id, l]) => <LimitRow key={id} l={l} />)}</tbody>
      </table>
    </section>
  );
}

/** A note, and which of two snapshots has it where only one does. */
type SidedNote = Note & { side?: string };

function NoteRow({ n }: { n: SidedNote }): JSX.Element {
  return (
    <li>
      <span class="badge">{visible(n.from)}</span>
      <span>{n.side && <b>{n.side} </b>}<Name text={n.text} />
        {n.address && <> ({n.count > 1 ? "first at " : "at "}<Address address={n.address} />)</>}
        {n.count > 1 && <span class="dim"> ×{thousands(n.count)}</span>}
      </span>
    </li>
  );
}

export function Notes({ notes }: { notes: readonly SidedNote[] }): JSX.Element | null {
  if (!notes.length) return null;
  return (
    <section class="panel notes" aria-label="Notes">
      <header><h2>Notes</h2><span class="dim">what is missing or went wrong</span><span class="grow" />
        <SaveTable name={["notes"]} data={() => ({
          columns: ["from", "code", "text", "address", "count"], rows: notes.map((n) => [n.from, n.code, n.text, n.address, n.count]),
        })} />
      </header>
      <ul class="body">{notes.map((n, i) => <NoteRow key={i} n={n} />)}</ul>
    </section>
  );
}

const LEVELS: Record<string, string> = { critical: "bad", error: "bad", severe: "bad", high: "bad", warning: "warn", warn: "warn", medium: "warn" };

export function Verdicts({ verdicts }: { verdicts: readonly Verdict[] }): JSX.Element | null {
  if (!verdicts.length) return null;
  return (
    <section class="verdicts" aria-label="Findings">
      {verdicts.map((v) => (
        <article class={"panel verdict level-" + (LEVELS[v.severity] ?? "other")} key={v.id}>
          <header><span class={"badge " + (LEVELS[v.severity] ?? "")}>{visible(v.severity)}</span><h2><Name text={v.title} /></h2></header>
          <div class="body">
            {v.evidence.length > 0 && <ul>{v.evidence.map((e, i) => <Evidence key={i} item={e} />)}</ul>}
            <EvidenceLink evidence={v.evidence} />
            {v.remedy && <p class="remedy"><b>Remedy</b> <Name text={v.remedy} /></p>}
          </div>
        </article>
      ))}
    </section>
  );
}
