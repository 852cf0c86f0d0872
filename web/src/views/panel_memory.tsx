// Bytes and strings of the selected row, on demand: nothing is read of a target before somebody asks.
import type { JSX } from "preact";
import { useEffect, useState } from "preact/hooks";
import type { MemoryBytes } from "../data/provider";
import { hex } from "../grid/cells";
import { hexLines, stringsOf, type FoundString } from "../grid/memory";
import { act, shownNumber, useStore } from "../state/store";
import { messageOf, visible } from "../text";

const LOOK = 1024; // bytes at a time

type Got = { of: string; memory?: MemoryBytes; strings?: FoundString[]; leftOut?: boolean; why?: string; busy?: boolean };

function Hex({ start, end, at, memory, onMove }: { start: number; end: number; at: number; memory: MemoryBytes; onMove(to: number): void }): JSX.Element {
  const to = Math.min(end, at + LOOK);
  return (
    <>
      <pre class="hex" tabIndex={0} aria-label="Bytes">{hexLines(memory, at, to).join("\n")}</pre>
      <div class="side-links">
        <button type="button" class="button small" disabled={at <= start} onClick={() => onMove(Math.max(start, at - LOOK))}>Before</button>
        <button type="button" class="button small" disabled={to >= end} onClick={() => onMove(to)}>After</button>
        <span class="dim mono">{hex(at)}</span>
      </div>
    </>
  );
}

const STRINGS_SHOWN = 500;

/** The first of them; `command` shows all. */
function Strings({ found, leftOut, command }: { found: readonly FoundString[]; leftOut: boolean; command: JSX.Element }): JSX.Element {
  const more = found.length > STRINGS_SHOWN ? `The first ${STRINGS_SHOWN} are shown. All of them:` : leftOut ? "The report has left out some of its strings. All of them:" : "";
  return (
    <>
      {found.length === 0 && <p class="side-why">No strings in what is present.</p>}
      <table class="side-table strings">
        <thead class="hidden-label"><tr><th>Address</th><th>Text</th></tr></thead>
        <tbody>{found.slice(0, STRINGS_SHOWN).map((s) => (
          <tr key={s.address + s.text}>
            <td class="mono"><button type="button" class="link mono" onClick={() => act({ find: s.address })}>{s.address.replace(/^0x/, "")}</button></td>
            <td><bdi class="name">{visible(s.text)}</bdi></td>
          </tr>
        ))}</tbody>
      </table>
      {more && <p class="side-why">{more}{command}</p>}
    </>
  );
}

export function Contents({ start, end }: { start: number; end: number }): JSX.Element {
  const provider = useStore((s) => s.provider);
  const target = useStore((s) => s.snapshot?.head.target);
  const n = useStore(shownNumber);
  const [got, setGot] = useState<Got>({ of: "" });
  const [at, setAt] = useState(start);
  const of = `${n ?? ""}:${start}-${end}`;
  useEffect(() => setAt(start), [of]);
  const mine = got.of === of ? got : { of };
  const canRead = provider?.can.memory === true && provider.memory !== undefined;
  const canStrings = provider?.can.strings === true && provider.strings !== undefined;
  const name = target?.source === "live" && target.pid !== null ? String(target.pid) : "TARGET";

  const read = (from: number): void => {
    setAt(from);
    setGot({ of, busy: true });
    provider?.memory?.(from, Math.min(LOOK, end - from), n)
      .then((memory) => setGot({ of, memory }))
      .catch((e: unknown) => setGot({ of, why: messageOf(e) }));
  };
  const strings = (): void => {
    setGot({ of, busy: true });
    provider?.strings?.(start, end, n)
      .then((document) => setGot({ of, strings: stringsOf(document), leftOut: Number((document as { left_out?: unknown } | null)?.left_out ?? 0) > 0 }))
      .catch((e: unknown) => setGot({ of, why: messageOf(e) }));
  };

  const command = <code class="side-command">vmmap strings {name} --range 0x{hex(start)}-0x{hex(end)}</code>;
  return (
    <section class="side-part">
      <h2>Contents</h2>
      {!canRead && !canStrings ? (
        <p class="side-why">
          {provider?.info.mode === "report" ? "This report holds no contents of memory: vmmap report --with-memory stack,heap puts them in. On the target itself:" : "The contents cannot be read here. By hand:"}
          {command}
        </p>
      ) : (
        <div class="side-links">
          {canRead && <button type="button" class="button small" onClick={() => read(start)}>Bytes</button>}
          {canStrings && <button type="button" class="button small" onClick={strings}>Strings</button>}
        </div>
      )}
      {mine.busy && <p class="side-why">Reading…</p>}
      {mine.why && <p class="side-why bad">{visible(mine.why)}</p>}
      {mine.memory && <Hex start={start} end={end} at={at} memory={mine.memory} onMove={read} />}
      {mine.strings && <Strings found={mine.strings} leftOut={mine.leftOut === true} command={command} />}
    </section>
  );
}
