// The bars of the overview while two snapshots are compared: by how much each kind grew or shrank.
import type { JSX } from "preact";
import { changeBarsOf, type ChangeBar, type ChangeSegment } from "../changebars";
import { APART, type Diff } from "../data/types";
import { change, changedBytes } from "../format";
import { useStore } from "../state/store";
import { onBarKey } from "./bars";
import { kindLabel, paint, pickKind, useKinds } from "./kinds";

interface Hot {
  hot: string;
  onHot(kind: string): void;
}

function Segment({ s, bar, first, hot, onHot }: { s: ChangeSegment; bar: ChangeBar; first: boolean } & Hot): JSX.Element {
  const picked = useStore((st) => st.kinds);
  const label = kindLabel(useKinds(), s.kind);
  const off = picked !== null && !picked.includes(s.kind);
  return (
    <button type="button" data-kind={s.kind} class={"segment" + (off ? " off" : "") + (hot === s.kind ? " hot" : "")} tabIndex={first ? 0 : -1}
      style={{ ...paint(s.kind), width: s.share * 100 + "%", color: `var(--ink-${s.kind})` }} aria-pressed={picked?.includes(s.kind) ?? false}
      title={`${label}: ${change(s.by)} KiB ${bar.label.toLowerCase()}`} aria-label={`${label}: ${changedBytes(s.by)} ${bar.label.toLowerCase()}`}
      onClick={(e) => pickKind(s.kind, e.ctrlKey || e.metaKey || e.shiftKey)}
      onPointerEnter={() => onHot(s.kind)} onPointerLeave={() => onHot("")} onFocus={() => onHot(s.kind)} onBlur={() => onHot("")}>
      {s.share > 0.09 && <span aria-hidden="true" style={{ background: `var(--kind-${s.kind})` }}>{label}</span>}
    </button>
  );
}

export function ChangeBarsPanel({ diff, order, hot, onHot }: { diff: Diff; order: readonly string[] } & Hot): JSX.Element {
  const { bars, zero } = changeBarsOf(diff, order, APART);
  return (
    <section class="panel bars change-bars" aria-label="Bars of what changed" style={{ "--zero": `${zero * 100}%` }}>
      {bars.map((bar) => {
        // In the order in which they stand, so that arrow keys go along them.
        const less = [...bar.less].reverse();
        const empty = zero - less.reduce((all, s) => all + s.share, 0);
        return (
          <div class="bar" key={bar.id} data-measure={bar.id}>
            <span class="bar-label">{bar.label}</span>
            <div class="bar-track" role="group" aria-label={`${bar.label}: ${changedBytes(bar.total)}`} onKeyDown={onBarKey}>
              <span style={{ width: empty * 100 + "%" }} />
              {[...less, ...bar.more].map((s, i) => <Segment key={s.kind} s={s} bar={bar} first={i === 0} hot={hot} onHot={onHot} />)}
            </div>
            <span class={"bar-total" + ((bar.total ?? 0) > 0 ? " grown" : (bar.total ?? 0) < 0 ? " shrunk" : " dim")} title={change(bar.total) + " KiB"}>
              {changedBytes(bar.total)}
            </span>
          </div>
        );
      })}
    </section>
  );
}
