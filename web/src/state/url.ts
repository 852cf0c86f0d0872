// The view in the URL: #tab=regions&kind=heap,stack&sort=rss:desc. Only what differs from the initial view stands there.
// A hash comes from whoever made the link: what does not fit is left out, and never more than text.
import { formatAddress } from "../data/rows";
import { METRICS, type Metric } from "../data/types";
import { act, getState, initialView, subscribe, TABS, type Palette, type Tab, type Theme, type ViewState } from "./store";

const TEXT_MAX = 4096;
const LIST_MAX = 64;
const ID = /^[a-z][a-z0-9_]{0,39}$/;

function list(text: string | null): string[] | null {
  if (text === null) return null;
  const words = [...new Set(text.split(","))].filter((w) => ID.test(w)).slice(0, LIST_MAX);
  return words.length ? words : null;
}

function count(text: string | null | undefined): number | null {
  return text && /^\d{1,9}$/.test(text) ? Number(text) : null;
}

function oneOf<T extends string>(all: readonly T[], text: string | null, otherwise: T): T {
  return all.find((t) => t === text) ?? otherwise;
}

function sorting(text: string | null): ViewState["sort"] {
  const [column, direction, more] = (text ?? "").split(":");
  if (!column || !ID.test(column) || more !== undefined) return null;
  return { column, descending: direction === "desc" };
}

function comparing(text: string | null): ViewState["compare"] {
  const found = /^(\d{1,9})\.\.(\d{1,9})$/.exec(text ?? "");
  if (!found || Number(found[1]) === Number(found[2])) return null;
  const [a, b] = [Number(found[1]), Number(found[2])];
  return { before: Math.min(a, b), after: Math.max(a, b) };
}

function address(text: string | null): number | null {
  if (!text || !/^0x[0-9a-f]{1,16}$/i.test(text)) return null;
  const n = Number(text);
  return Number.isFinite(n) ? n : null;
}

export function viewOfHash(hash: string): ViewState {
  const p = new URLSearchParams(hash.replace(/^#/, "").slice(0, 4 * TEXT_MAX));
  return {
    tab: oneOf<Tab>(TABS, p.get("tab"), initialView.tab),
    target: count(p.get("target")),
    at: count(p.get("at")),
    compare: comparing(p.get("compare")),
    kinds: list(p.get("kind")),
    where: (p.get("where") ?? "").slice(0, TEXT_MAX),
    find: (p.get("find") ?? "").slice(0, TEXT_MAX),
    raw: p.get("raw") === "1",
    sort: sorting(p.get("sort")),
    columns: list(p.get("columns")),
    typeColumns: list(p.get("types")),
    typeSort: sorting(p.get("typesort")),
    selected: address(p.get("selected")),
    heap: (p.get("heap") ?? "").slice(0, 200) || null,
    measure: oneOf<Metric>(METRICS, p.get("measure"), initialView.measure),
    theme: oneOf<Theme>(["auto", "light", "dark"], p.get("theme"), initialView.theme),
    palette: oneOf<Palette>(["kinds", "safe"], p.get("palette"), initialView.palette),
  };
}

export function hashOfView(v: ViewState): string {
  const p = new URLSearchParams();
  const sort = (s: ViewState["sort"]): string => (s ? `${s.column}:${s.descending ? "desc" : "asc"}` : "");
  const put = (key: string, value: string): void => {
    if (value) p.set(key, value);
  };
  put("tab", v.tab === initialView.tab ? "" : v.tab);
  put("target", v.target === null ? "" : String(v.target));
  put("at", v.at === null ? "" : String(v.at));
  put("compare", v.compare ? `${v.compare.before}..${v.compare.after}` : "");
  put("kind", v.kinds?.join(",") ?? "");
  put("where", v.where);
  put("find", v.find);
  put("raw", v.raw ? "1" : "");
  put("sort", sort(v.sort));
  put("columns", v.columns?.join(",") ?? "");
  put("types", v.typeColumns?.join(",") ?? "");
  put("typesort", sort(v.typeSort));
  put("selected", v.selected === null ? "" : formatAddress(v.selected));
  put("heap", v.heap ?? "");
  put("measure", v.measure === initialView.measure ? "" : v.measure);
  put("theme", v.theme === initialView.theme ? "" : v.theme);
  put("palette", v.palette === initialView.palette ? "" : v.palette);
  // ":" and "," need no escape in a fragment, and are read more easily so.
  const text = p.toString().replaceAll("%2C", ",").replaceAll("%3A", ":");
  return text ? "#" + text : "";
}

/** Changes of these are steps to go back to; others (typing, sorting, selecting) change the step that one is on. */
const STEPS = ["tab", "target", "at", "compare", "kinds", "raw"] as const;

/** Takes the view of the URL, and keeps both the same from then on. */
export function startUrl(): void {
  let current = location.hash === "#" ? "" : location.hash;
  act(viewOfHash(current));
  let before = getState();
  const read = (): void => {
    if (location.hash === current) return;
    current = location.hash;
    act(viewOfHash(current));
  };
  subscribe((s) => {
    const step = STEPS.some((k) => !Object.is(s[k], before[k]));
    before = s;
    const hash = hashOfView(s);
    if (hash === hashOfView(viewOfHash(current))) return;
    current = hash;
    try {
      history[step ? "pushState" : "replaceState"](null, "", hash || location.pathname + location.search);
    } catch {
      // Too many changes in a second are refused by some browsers; the next one brings it up to date.
    }
  });
  addEventListener("popstate", read);
  addEventListener("hashchange", read);
}
