// What stands for a kind everywhere: a swatch in its colour beside its label. Colour never carries meaning alone.
import type { JSX } from "preact";
import { useEffect, useLayoutEffect, useState } from "preact/hooks";
import type { Kind } from "../data/types";
import { kindLooks, kindSheet, type KindLook } from "../kinds";
import { act, getState, useStore } from "../state/store";

const NO_KINDS: readonly Kind[] = [];
const DARK = "(prefers-color-scheme: dark)";

export function useKinds(): readonly Kind[] {
  return useStore((s) => s.provider?.info.kinds ?? NO_KINDS);
}

export function kindLabel(kinds: readonly Kind[], id: string): string {
  return kinds.find((k) => k.id === id)?.label ?? id;
}

export function useMedia(query: string): boolean {
  const [holds, setHolds] = useState(() => matchMedia(query).matches);
  useEffect(() => {
    const list = matchMedia(query);
    const update = (): void => setHolds(list.matches);
    update();
    list.addEventListener("change", update);
    return () => list.removeEventListener("change", update);
  }, [query]);
  return holds;
}

/** True when what is drawn now is on a dark ground; print never is. */
export function useDark(): boolean {
  const theme = useStore((s) => s.theme);
  const system = useMedia(DARK);
  const print = useMedia("print");
  return !print && (theme === "dark" || (theme === "auto" && system));
}

/** Looks of the kinds for drawings on a canvas and pictures; everything else takes the variables of the style sheet. */
export function useKindLooks(): ReadonlyMap<string, KindLook> {
  const kinds = useKinds();
  const palette = useStore((s) => s.palette);
  const dark = useDark();
  const [made, setMade] = useState(() => ({ kinds, palette, dark, looks: kindLooks(kinds, dark, palette) }));
  if (made.kinds !== kinds || made.palette !== palette || made.dark !== dark) {
    const next = { kinds, palette, dark, looks: kindLooks(kinds, dark, palette) };
    setMade(next);
    return next.looks;
  }
  return made.looks;
}

let sheet: CSSStyleSheet | null = null; // the one that is in force

/** Sets what the style sheets need to know: theme, palette, colours of kinds. */
export function useAppearance(): void {
  const theme = useStore((s) => s.theme);
  const palette = useStore((s) => s.palette);
  const kinds = useKinds();
  // Before anything is painted: no frame without colours.
  useLayoutEffect(() => {
    const data = document.documentElement.dataset;
    if (theme === "auto") delete data["theme"];
    else data["theme"] = theme;
    if (palette === "kinds") delete data["palette"];
    else data["palette"] = palette;
  }, [theme, palette]);
  useLayoutEffect(() => {
    const next = new CSSStyleSheet();
    next.replaceSync(kindSheet(kinds));
    document.adoptedStyleSheets = [...document.adoptedStyleSheets.filter((s) => s !== sheet), next];
    sheet = next;
  }, [kinds]);
}

export function paint(id: string): JSX.CSSProperties {
  return { background: `var(--paint-${id}, #808080)`, "--edge": `var(--edge-${id}, #606060)` } as JSX.CSSProperties;
}

export function Swatch({ kind }: { kind: string }): JSX.Element {
  return <span class="swatch" style={paint(kind)} aria-hidden="true" />;
}

export function KindName({ kind }: { kind: string }): JSX.Element {
  const kinds = useKinds();
  return <span class="kind"><Swatch kind={kind} /> {kindLabel(kinds, kind)}</span>;
}

/** Picks a kind as the filter; once more takes the filter away. `add` keeps those that are picked already. */
export function pickKind(id: string, add: boolean): void {
  const now = getState().kinds;
  if (!add) act({ kinds: now?.length === 1 && now[0] === id ? null : [id] });
  else {
    const next = now?.includes(id) ? now.filter((k) => k !== id) : [...(now ?? []), id];
    act({ kinds: next.length ? next : null });
  }
}

/** Says on every view that not all is shown, and takes it back. */
export function FilterStrip(): JSX.Element | null {
  const picked = useStore((s) => s.kinds);
  const kinds = useKinds();
  if (!picked) return null;
  return (
    <div class="filter-strip" role="group" aria-label="Kinds that are shown">
      <span class="dim">Only</span>
      {picked.map((id) => (
        <button key={id} type="button" class="chip" title={"Show no more " + kindLabel(kinds, id)} onClick={() => pickKind(id, true)}>
          <Swatch kind={id} /> {kindLabel(kinds, id)} <span aria-hidden="true">×</span>
        </button>
      ))}
      <button type="button" class="link" onClick={() => act({ kinds: null })}>Show all</button>
    </div>
  );
}
