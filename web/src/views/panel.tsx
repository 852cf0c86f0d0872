// All that is known of the selected row, in words.
import type { ComponentChildren, JSX } from "preact";
import type { Heap, Module, Thread } from "../data/types";
import { bytes, thousands } from "../format";
import { cell, chunkDetails, hex, isNumber, stateWord } from "../grid/cells";
import type { GridColumn, Table } from "../grid/table";
import { act, useStore } from "../state/store";
import { visible } from "../text";
import { Swatch } from "./kinds";
import { Contents } from "./panel_memory";
import { Residency } from "./panel_pages";
import { Picked } from "./picked";
import "../style/panel.css";

/** Said in the heading or in a part of its own. */
const ELSEWHERE = new Set(["address", "end", "kind", "details", "path", "label", "build_id", "heap", "thread", "wx", "protection", "state", "changes", "was", "protection_before"]);

function Fact({ name, help, children }: { name: string; help?: string; children: ComponentChildren }): JSX.Element {
  return (
    <div class="fact">
      <dt title={help}>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}

function Part({ title, children }: { title: string; children: ComponentChildren }): JSX.Element {
  return (
    <section class="side-part">
      <h2>{title}</h2>
      {children}
    </section>
  );
}

function Text({ text }: { text: string }): JSX.Element {
  return <bdi class="name">{visible(text)}</bdi>;
}

const LETTERS: readonly [string, string][] = [["r", "may be read"], ["w", "may be written to"], ["x", "may be executed"]];

/** A protection in words: "rw-p" is "may be read, may be written to; private". */
function protectionWords(text: string): string {
  return text.split(",").map((one) => {
    const may = LETTERS.filter(([c]) => one.includes(c)).map(([, words]) => words);
    const sharing = one.endsWith("s") ? "; shared" : one.endsWith("p") ? "; private" : "";
    return (may.length ? may.join(", ") : "no access") + sharing;
  }).join(" | ");
}

function ModuleFacts({ m }: { m: Module }): JSX.Element {
  const facts = [
    m.program ? "the main program" : "", m.pie ? "position independent (PIE)" : "fixed address", m.bits ? `${m.bits} bits` : "",
    m.deleted ? "its file was deleted" : "", m.replaced ? "another file stands at its path now" : "", m.in_memory ? "no file behind it" : "",
  ].filter((f) => f !== "");
  return (
    <Part title="Image">
      <dl>
        <Fact name="Path">{m.path ? <Text text={m.path} /> : "none"}</Fact>
        <Fact name="Build ID" help="GNU build-id">{m.build_id === null ? "?" : m.build_id === "" ? "none" : <code>{m.build_id}</code>}</Fact>
        <Fact name="Facts">{facts.join(", ")}</Fact>
      </dl>
    </Part>
  );
}

function ThreadFacts({ t }: { t: Thread }): JSX.Element {
  return (
    <Part title="Thread">
      <dl>
        <Fact name="Id">{t.tid}</Fact>
        <Fact name="Name">{t.name === null ? "?" : <Text text={t.name} />}</Fact>
        <Fact name="State">{t.state ?? "?"}</Fact>
        <Fact name="Stack pointer">{t.sp === null ? "?" : (
          <button type="button" class="link mono" onClick={() => act({ find: t.sp ?? "" })}>{t.sp}</button>
        )}</Fact>
      </dl>
    </Part>
  );
}

function amount(n: number | null): string {
  return n === null ? "?" : thousands(n);
}

function HeapFacts({ h }: { h: Heap }): JSX.Element {
  const states = Object.entries(h.states ?? {}).filter(([, s]) => s.bytes !== 0);
  return (
    <Part title="Heap">
      <dl>
        <Fact name="Heap"><Text text={h.label} /> <code>{visible(h.id)}</code></Fact>
        <Fact name="Proved" help="the numbers of this heap add up">{h.proved ? "yes: its chunks tile it" : "no: see the notes"}</Fact>
        <Fact name="In use">{bytes(h.used_bytes)} in {amount(h.used_count)} chunks</Fact>
        <Fact name="Freed">{bytes(h.free_bytes)} in {amount(h.free_count)} chunks</Fact>
        <Fact name="Unused RSS" help="resident bytes of freed chunks and top: held by the allocator, used by nobody">{bytes(h.unused_rss)}</Fact>
        <Fact name="Trimmable" help="what the allocator would give back when asked">{bytes(h.trimmable)}</Fact>
        <Fact name="Largest free">{bytes(h.largest_free)}</Fact>
        {h.regions.length > 1 && <Fact name="Regions">{thousands(h.regions.length)}</Fact>}
      </dl>
      {states.length > 0 && (
        <table class="side-table">
          <thead><tr><th scope="col">Chunks</th><th scope="col" class="number">Count</th><th scope="col" class="number">Bytes</th><th scope="col" class="number">Resident</th></tr></thead>
          <tbody>{states.map(([id, s]) => (
            <tr key={id}><th scope="row">{stateWord(id)}</th><td class="number">{amount(s.count)}</td><td class="number">{amount(s.bytes)}</td><td class="number">{amount(s.rss)}</td></tr>
          ))}</tbody>
        </table>
      )}
    </Part>
  );
}

/** A number with its exact bytes: "1.2 MiB", "1,258,291 bytes". */
function NumberFact({ table, column, row }: { table: Table; column: GridColumn; row: number }): JSX.Element {
  const value = table.number(column.id, row);
  const c = cell(table, column, row);
  const unknown = c.tone === "unknown";
  const exact = Math.abs(value);
  const sign = column.change && value > 0 ? "+" : value < 0 ? "−" : "";
  const bound = table.atLeast(column.id, row) ? "≥ " : "";
  return (
    <tr>
      <th scope="row" title={column.help}>{column.title}</th>
      <td class={"number " + c.tone}>{unknown ? "?" : column.type === "bytes" && value !== 0 ? bound + sign + bytes(exact) : c.text}</td>
      <td class="number dim">{unknown || column.type !== "bytes" || value === 0 ? "" : sign + thousands(exact)}</td>
      <td class="side-help">{column.help}</td>
    </tr>
  );
}

function Numbers({ table, row }: { table: Table; row: number }): JSX.Element {
  const shown = table.columns.filter((c) => (isNumber(c) || c.type === "flag" || c.type === "text" || c.type === "address") && !ELSEWHERE.has(c.id) && table.has(c.id, row));
  // What was not there before has no numbers of before: that is not unknown.
  const gone = { new: "_before", gone: "_after" }[table.text("state", row)];
  const numbers = shown.filter((c) => isNumber(c) && !c.name && !(table.mode === "changes" && gone && c.id.endsWith(gone)));
  const told = numbers.filter((c) => table.number(c.id, row) !== 0 && !(c.id === "stored" && Number.isNaN(table.number(c.id, row)))); // contents of no file
  const zero = numbers.filter((c) => table.number(c.id, row) === 0);
  const others = shown.filter((c) => !(isNumber(c) && !c.name) && cell(table, c, row).text !== "");
  return (
    <>
      {others.length > 0 && <dl>{others.map((c) => <Fact key={c.id} name={c.title} help={c.help}><span class="mono name">{cell(table, c, row).text}</span></Fact>)}</dl>}
      <table class="side-table side-numbers">
        <thead class="hidden-label"><tr><th>Number</th><th>Size</th><th>Bytes</th><th>Meaning</th></tr></thead>
        <tbody>{told.map((c) => <NumberFact key={c.id} table={table} column={c} row={row} />)}</tbody>
      </table>
      {zero.length > 0 && <p class="side-zero"><span class="dim">Zero:</span> {zero.map((c, i) => <span key={c.id} title={c.help}>{i ? ", " : ""}{c.title}</span>)}</p>}
    </>
  );
}

function Heading({ table, row }: { table: Table; row: number }): JSX.Element {
  const kind = table.text("kind", row);
  const what = table.isChunk(row) ? chunkDetails(table, row) : table.text("details", row);
  const address = table.isChunk(row) ? table.parent(row) : row;
  const level = table.isChunk(row) ? "Chunks of" : table.level(row) === 2 ? "Block of" : table.mode === "mappings" ? "Mapping" : "";
  const state = table.text("state", row);
  return (
    <header>
      <div class="side-kind">
        {kind && <Swatch kind={kind} />}
        <b>{level} {kind && table.kindLabel(kind)}</b>
        {table.mode === "changes" && state && <span class="badge">{visible(state)}</span>}
        {table.flag("wx", row) && <span class="grid-wx">W+X</span>}
        {table.flag("guard", row) && <span class="badge">guard</span>}
        <button type="button" class="side-close" aria-label="Close the details" title="Enter" onClick={() => act({ panel: false })}>×</button>
      </div>
      <p class="side-range mono">{hex(table.address(address))}–{hex(table.end(address))}</p>
      {what && <p class="side-what"><Text text={what} /></p>}
    </header>
  );
}

export function Panel({ table, row }: { table: Table; row: number }): JSX.Element {
  const head = useStore((s) => s.snapshot?.head);
  if (row < 0)
    return <aside class="side" aria-label="Details"><p class="side-none">Nothing is selected. The arrow keys or a click select a row; here stands then all that is known of it.</p></aside>;
  const top = table.parent(row);
  const start = table.address(top);
  const heapId = table.text("heap", top);
  const tid = table.number("thread", top);
  const module = table.mode === "regions" ? head?.modules.find((m) => Number(m.address) === start) : undefined;
  const thread = head?.threads.find((t) => t.tid === tid);
  const heap = heapId ? head?.heaps.find((h) => h.id === heapId) : undefined;
  const protection = table.text("protection", row);
  const path = table.text("path", top);
  const was = table.number("was", row);
  const own = table.isChunk(row) ? top : row;
  return (
    <aside class="side" aria-label="Details">
      <Heading table={table} row={row} />
      <Picked />
      <div class="side-links">
        <button type="button" class="button small" onClick={() => act({ tab: "map", selected: table.address(own) })}>Show in address space</button>
        {table.level(row) === 2 && <button type="button" class="button small" onClick={() => act({ selected: start })}>Its region</button>}
      </div>
      <Part title="What it is">
        <dl>
          {protection && <Fact name="Protection"><code>{visible(protection)}</code> <span class="dim">{protectionWords(protection)}</span></Fact>}
          {path && !module && <Fact name="Path"><Text text={path} /></Fact>}
          {!Number.isNaN(was) && table.mode === "changes" && <Fact name="Was at"><code>{hex(was)}</code></Fact>}
          {table.mode === "changes" && <Fact name="Changes">{visible(table.text("changes", row)) || "none"}</Fact>}
        </dl>
      </Part>
      {!table.isChunk(row) && <Residency table={table} row={row} />}
      {module && <ModuleFacts m={module} />}
      {thread && <ThreadFacts t={thread} />}
      {heap && <HeapFacts h={heap} />}
      <Part title="Numbers"><Numbers table={table} row={row} /></Part>
      {!table.isChunk(row) && <Contents start={table.address(row)} end={table.end(row)} />}
    </aside>
  );
}
