// The picker: processes by memory, found by typing.
import type { JSX } from "preact";
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import type { ProcessRow } from "../data/provider";
import { openFiles } from "../state/drop";
import { replace } from "../state/follow";
import { act, useStore } from "../state/store";
import { messageOf, visible } from "../text";
import { Count, Name, SaveTable, Size, sortedBy, SortHead, type Sorting } from "./parts";

const SIZES: readonly [string, string, string][] = [
  ["rss", "RSS", "resident"], ["pss", "PSS", "resident, shared pages by their share"], ["uss", "USS", "resident, its own alone"],
  ["swap", "Swap", "swapped out"], ["committed", "Committed", "memory that it was promised"], ["size", "Size", "address space"],
];
const SAVED = ["pid", "name", "user", ...SIZES.map(([id]) => id), "threads", "cmdline"];
const MOST = 400; // rows drawn at a time; typing finds the others

function matches(p: ProcessRow, words: readonly string[]): boolean {
  const text = `${p.pid} ${p.name} ${p.cmdline ?? ""} ${p.user ?? ""}`.toLowerCase();
  return words.every((w) => text.includes(w));
}

function number(v: unknown): number | null {
  return typeof v === "number" ? v : null;
}

/** The same as dropping files on the page. */
function FileButton(): JSX.Element | null {
  const provider = useStore((s) => s.provider);
  const sending = useStore((s) => s.sending !== null);
  const input = useRef<HTMLInputElement>(null);
  if (!provider?.openFile) return null;
  const onChoose = (e: JSX.TargetedEvent<HTMLInputElement>): void => {
    const files = [...(e.currentTarget.files ?? [])];
    e.currentTarget.value = "";
    if (files.length) void openFiles(files, provider.info);
  };
  return (
    <>
      <button type="button" class="button small" disabled={sending} title="A core, a session, a capture or smaps text. It can be dropped on the page too"
        onClick={() => input.current?.click()}>Open a file…</button>
      <input ref={input} type="file" multiple hidden aria-label="File to open" onChange={onChoose} />
    </>
  );
}

export function Processes(): JSX.Element {
  const provider = useStore((s) => s.provider);
  const here = useStore((s) => s.snapshot?.head.target.pid ?? null);
  const [all, setAll] = useState<readonly ProcessRow[] | null>(null);
  const [find, setFind] = useState("");
  const [sort, setSort] = useState<Sorting>({ column: "rss", descending: true });
  const [cursor, setCursor] = useState(0);
  const [opening, setOpening] = useState<number | null>(null);
  const body = useRef<HTMLTableSectionElement>(null);
  const refresh = (): void => {
    provider?.processes?.().then(setAll).catch((e: unknown) => act({ message: `Processes cannot be listed: ${messageOf(e)}` }));
  };
  useEffect(refresh, [provider]);
  const rows = useMemo(() => {
    const words = find.toLowerCase().split(/\s+/).filter(Boolean);
    return sortedBy((all ?? []).filter((p) => matches(p, words)).sort((a, b) => a.pid - b.pid), sort, (p, column) => p[column]);
  }, [all, find, sort]);
  useEffect(() => body.current?.querySelector('[aria-selected="true"]')?.scrollIntoView({ block: "nearest" }), [cursor, rows]);
  const open = async (pid: number): Promise<void> => {
    if (!provider?.choose || opening !== null) return;
    setOpening(pid);
    try {
      const next = await provider.choose(pid);
      replace(next);
      act({ tab: "overview" });
    } catch (e) {
      act({ message: `Process ${pid} cannot be shown: ${messageOf(e)}` });
    }
    setOpening(null);
  };
  const drawn = rows.slice(0, MOST);
  const at = Math.min(cursor, Math.max(0, drawn.length - 1));
  const onKey = (e: KeyboardEvent): void => {
    const page = 15;
    const by = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -MOST, End: MOST }[e.key];
    const typing = e.target instanceof HTMLInputElement && (e.key === "Home" || e.key === "End");
    if (by !== undefined && !typing) setCursor(Math.max(0, Math.min(drawn.length - 1, at + by)));
    else if (e.key === "Enter" && !(e.target instanceof HTMLButtonElement)) {
      const row = drawn[at];
      if (row) void open(row.pid);
    } else if (e.key === "Escape") setFind("");
    else return;
    e.preventDefault();
  };
  const onSort = (s: Sorting): void => setSort(s);
  return (
    <div class="sections" onKeyDown={onKey}>
      <section class="panel processes" aria-label="Processes">
        <header>
          <h2>Processes</h2>
          <div class="tool-field find" role="search">
            <input type="text" autofocus spellcheck={false} autocomplete="off" aria-label="Find a process" placeholder="Name, PID, user, words of the command…" value={find}
              aria-controls="process-rows" onInput={(e) => { setFind(e.currentTarget.value); setCursor(0); }} />
          </div>
          <span class="dim" role="status">{all ? (rows.length === all.length ? `${rows.length} processes` : `${rows.length} of ${all.length}`) : "Being read…"}</span>
          <span class="grow" />
          <FileButton />
          <button type="button" class="button small" onClick={refresh}>Read again</button>
          <SaveTable name={["processes"]} data={() => ({
            columns: SAVED, rows: rows.map((p) => SAVED.map((id) => p[id] as string | number | null)),
          })} />
        </header>
        <div class="scroll">
          <table class="table">
            <thead>
              <tr>
                <SortHead id="pid" title="PID" number sort={sort} onSort={onSort} />
                <SortHead id="name" title="Name" sort={sort} onSort={onSort} />
                <SortHead id="user" title="User" sort={sort} onSort={onSort} />
                {SIZES.map(([id, title, help]) => <SortHead key={id} id={id} title={title} help={help + ", KiB"} number sort={sort} onSort={onSort} />)}
                <SortHead id="threads" title="Threads" number sort={sort} onSort={onSort} />
                <SortHead id="cmdline" title="Command" sort={sort} onSort={onSort} />
              </tr>
            </thead>
            <tbody id="process-rows" ref={body}>
              {drawn.map((p, i) => (
                <tr key={p.pid} class={(i === at ? "cursor" : "") + (p.pid === here ? " here" : "")} aria-selected={i === at} data-pid={p.pid}
                  onClick={() => { setCursor(i); void open(p.pid); }}>
                  <td class="number">{p.pid}</td>
                  <th scope="row"><button type="button" class="link" disabled={opening !== null}>{visible(p.name)}</button></th>
                  <td>{visible(String(p.user ?? ""))}</td>
                  {SIZES.map(([id]) => <Size key={id} value={number(p[id])} />)}
                  <Count value={number(p["threads"])} />
                  <td class="process-command"><Name text={(p.cmdline ?? "").slice(0, 400)} cut mono /></td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
        {rows.length > MOST && <p class="hint dim">{rows.length - MOST} more: type to find them.</p>}
        <p class="hint dim"><kbd>↑</kbd> <kbd>↓</kbd> choose · <kbd>Enter</kbd> show · "?" could not be read: run vmmap as its user or root</p>
      </section>
    </div>
  );
}
