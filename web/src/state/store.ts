// The one place where the page's state lies. Views are functions of it; what they want changed they say by act().
import { useEffect, useState } from "preact/hooks";
import type { LiveStatus, Provider } from "../data/provider";
import type { Snapshot } from "../data/snapshot";
import type { Diff, Metric } from "../data/types";

export const TABS = ["overview", "regions", "map", "heaps", "time", "processes"] as const;
export type Tab = (typeof TABS)[number];
export type Theme = "auto" | "light" | "dark";
export type Palette = "kinds" | "safe";

/** What is kept in the URL: enough to find the same picture again. */
export interface ViewState {
  tab: Tab;
  /** Which of a session's targets; null is the one looked at last. */
  target: number | null;
  /** Number of the snapshot shown; null is the last one. */
  at: number | null;
  /** Two snapshots compared: every view then shows signed differences. */
  compare: { before: number; after: number } | null;
  /** Kinds that are shown; null is all. */
  kinds: readonly string[] | null;
  where: string;
  find: string;
  raw: boolean;
  sort: { column: string; descending: boolean } | null;
  /** Columns of the region table in order; null is those shown when nobody has chosen. */
  columns: readonly string[] | null;
  /** The same of the table of types. */
  typeSort: { column: string; descending: boolean } | null;
  typeColumns: readonly string[] | null;
  /** Id of the heap that is looked at. */
  heap: string | null;
  /** Address of what is selected. */
  selected: number | null;
  measure: Metric;
  theme: Theme;
  palette: Palette;
}

export interface Sending {
  name: string;
  sent: number;
  all: number;
  cancel: () => void;
}

export interface State extends ViewState {
  provider: Provider | null;
  snapshot: Snapshot | null;
  diff: Diff | null;
  /** Number of the last snapshot that there is. */
  newest: number | null;
  /** How a running target is observed; null: nothing that runs. */
  live: LiveStatus | null;
  /** Region addresses whose blocks are shown. */
  expanded: ReadonlySet<number>;
  /** Widths of the region table's columns in pixels, by id, where somebody changed them. */
  widths: Readonly<Record<string, number>>;
  /** Whether the side panel is open; null: as there is room. */
  panel: boolean | null;
  /** A line for the reader: what could not be done and why. */
  message: string;
  /** A file that is on its way to the server; null: none. */
  sending: Sending | null;
  loading: boolean;
}

export const initialView: ViewState = {
  tab: "overview", target: null, at: null, compare: null, kinds: null, where: "", find: "", raw: false, sort: null, columns: null,
  typeSort: null, typeColumns: null, heap: null, selected: null, measure: "rss", theme: "auto", palette: "kinds",
};

let state: State = {
  ...initialView, provider: null, snapshot: null, diff: null, newest: null, live: null, expanded: new Set(), widths: {}, panel: null, message: "", sending: null, loading: true,
};
const listeners = new Set<(s: State) => void>();

/** Number of the snapshot in sight, of two the later; undefined: the last, whichever that is. */
export function shownNumber(s: State): number | undefined {
  return s.compare?.after ?? s.at ?? undefined;
}

export function getState(): State {
  return state;
}

/** Changes part of the state; equal values wake nobody. */
export function act(change: Partial<State>): void {
  const next = { ...state, ...change };
  if ((Object.keys(change) as (keyof State)[]).every((k) => Object.is(state[k], next[k]))) return;
  state = next;
  for (const listener of [...listeners]) listener(state);
}

export function subscribe(listener: (s: State) => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** What a view needs of the state; it is drawn again only when that changes (by identity). */
export function useStore<T>(select: (s: State) => T): T {
  const [value, setValue] = useState<{ v: T }>(() => ({ v: select(state) }));
  useEffect(() => {
    const update = (s: State): void => {
      const v = select(s);
      setValue((old) => (Object.is(old.v, v) ? old : { v }));
    };
    update(state);
    return subscribe(update);
    // A selector is a pure function of the state: which one of several equal ones runs does not matter.
  }, []);
  return value.v;
}
