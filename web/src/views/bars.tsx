// The bars on one scale: what is promised, what is this process's alone, what is resident; coloured by kind.
import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { barsOf, type Bar, type Segment } from "../bars";
import type { Snapshot } from "../data/snapshot";
import { bytes, kib } from "../format";
import { useStore } from "../state/store";
import { kindLabel, paint, pickKind, Swatch, useKinds } from "./kinds";

interface Tip {
  x: number;
  y: number;
  bar: Bar;
  segment: Segment;
}

/** Arrow keys go along a bar; up and down to the same kind, or the first, of the next one. */
export function onBarKey(e: KeyboardEvent): void {
  if (!(e.target instanceof HTMLElement)) return;
  const bars = [...document.querySelectorAll<HTMLElement>(".bar-track")];
  const bar = e.target.closest<HTMLElement>(".bar-track");
  if (!bar) return;
  const here = [...bar.querySelectorAll<HTMLElement>("button")];
  const i = here.indexOf(e.target);
  let next: HTMLElement | undefined;
  if (e.key === "ArrowRight") next = here[i + 1];
  else if (e.key === "ArrowLeft") next = here[i - 1];
  else if (e.key === "Home") next = here[0];
  else if (e.key === "End") next = here.at(-1);
  else if (e.key === "ArrowDown" || e.key === "ArrowUp") {
    const other = bars[bars.indexOf(bar) + (e.key === "ArrowDown" ? 1 : -1)];
    const same = [...(other?.querySelectorAll<HTMLElement>("button") ?? [])];
    next = same.find((b) => b.dataset["kind"] === (e.target as HTMLElement).dataset["kind"]) ?? same[0];
  } else return;
  e.preventDefault();
  next?.focus();
}

function Track({ bar, hot, onHot, onTip }: { bar: Bar; hot: string; onHot: (kind: string) => void; onTip: (t: Tip | null) => void }): JSX.Element {
  const picked = useStore((s) => s.kinds);
  const kinds = useKinds();
  return (
    <div class="bar-track" role="group" aria-label={`${bar.label}: ${bytes(bar.total.value, bar.total.atLeast)}`} onKeyDown={onBarKey}>
      {bar.segments.map((s, i) => {
        const label = kindLabel(kinds, s.kind);
        const off = picked !== null && !picked.includes(s.kind);
        const tip = (e: MouseEvent): void => onTip({ x: e.clientX, y: e.clientY, bar, segment: s });
        return (
          <button key={s.kind} type="button" data-kind={s.kind} class={"segment" + (off ? " off" : "") + (hot === s.kind ? " hot" : "")}
            style={{ ...paint(s.kind), width: s.share * 100 + "%", color: `var(--ink-${s.kind})` }} tabIndex={i === 0 ? 0 : -1}
            aria-pressed={picked?.includes(s.kind) ?? false} aria-label={`${label}: ${bytes(s.amount.value, s.amount.atLeast)} ${bar.label.toLowerCase()}`}
            onClick={(e) => pickKind(s.kind, e.ctrlKey || e.metaKey || e.shiftKey)}
            onPointerMove={tip} onPointerEnter={() => onHot(s.kind)} onPointerLeave={() => { onHot(""); onTip(null); }}
            onFocus={() => onHot(s.kind)} onBlur={() => onHot("")}>
            {s.share > 0.09 && <span aria-hidden="true" style={{ background: `var(--kind-${s.kind})` }}>{label}</span>}
          </button>
        );
      })}
    </div>
  );
}

function TipBox({ tip }: { tip: Tip }): JSX.Element {
  const kinds = useKinds();
  const { amount } = tip.segment;
  const right = tip.x > innerWidth - 260;
  return (
    <div class="tip" role="presentation" style={{ top: tip.y + 16 + "px", ...(right ? { right: innerWidth - tip.x + 8 + "px" } : { left: tip.x + 10 + "px" }) }}>
      <div><Swatch kind={tip.segment.kind} /> <b>{kindLabel(kinds, tip.segment.kind)}</b></div>
      <div>{kib(amount.value, amount.atLeast)} KiB {tip.bar.label.toLowerCase()}</div>
      <div class="dim">of {kib(tip.bar.total.value, tip.bar.total.atLeast)} KiB</div>
    </div>
  );
}

/** `order` are kinds as the table below has them; `hot` is the kind under the pointer, here or there. */
export function Bars({ snapshot, order, hot, onHot }: { snapshot: Snapshot; order: readonly string[]; hot: string; onHot: (kind: string) => void }): JSX.Element {
  const [tip, setTip] = useState<Tip | null>(null);
  const bars = barsOf(snapshot.head, order);
  return (
    <section class="panel bars" aria-label="Bars">
      {bars.map((bar) => (
        <div class="bar" key={bar.id} data-measure={bar.id}>
          <span class="bar-label">{bar.label}</span>
          <Track bar={bar} hot={hot} onHot={onHot} onTip={setTip} />
          <span class={"bar-total" + (bar.total.value === null ? " dim" : "")} title={kib(bar.total.value, bar.total.atLeast) + " KiB"}>
            {bytes(bar.total.value, bar.total.atLeast)}
          </span>
        </div>
      ))}
      {bars.length === 0 && <p class="dim">This file tells neither what was committed nor what was resident.</p>}
      {tip && <TipBox tip={tip} />}
    </section>
  );
}
