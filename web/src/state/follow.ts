// Keeps what is shown in step with what is asked for: which snapshot, which two are compared, and news of a running target.
import type { News, Provider } from "../data/provider";
import { messageOf } from "../text";
import { act, getState, subscribe } from "./store";

/** The message that this file put up, so that it takes away no other one. */
let said = "";

function say(text: string): void {
  if (text || getState().message === said) act({ message: text });
  said = text;
}

let turn = 0; // an answer that comes after a newer question is of no account

async function showSnapshot(provider: Provider, n: number): Promise<void> {
  const mine = ++turn;
  try {
    const snapshot = await provider.snapshot(n);
    if (mine !== turn) return;
    act({ snapshot, diff: null, loading: false });
    say("");
  } catch (e) {
    if (mine !== turn) return;
    act({ loading: false });
    say(`Snapshot ${n} cannot be shown: ${messageOf(e)}`);
  }
}

async function showDiff(provider: Provider, before: number, after: number): Promise<void> {
  const mine = ++turn;
  try {
    const [diff, snapshot] = await Promise.all([provider.diff(before, after), provider.snapshot(after)]);
    if (mine !== turn) return;
    act({ snapshot, diff, loading: false });
    say(diff ? "" : `This page cannot compare snapshot ${before} with ${after}.`);
  } catch (e) {
    if (mine !== turn) return;
    act({ loading: false, compare: null });
    say(`Snapshots ${before} and ${after} cannot be compared: ${messageOf(e)}`);
  }
}

/** The snapshot that is shown when the view names none. */
export function newest(provider: Provider): number | null {
  return provider.snapshots().at(-1)?.n ?? null;
}

function onNews(provider: Provider, news: News): void {
  if (getState().provider !== provider) return;
  act({ live: provider.status?.() ?? null, newest: newest(provider) });
  if (news.type === "error") say(news.text ?? "");
}

/** Takes a provider into the page: its first snapshot is shown, and what comes after it followed. */
export function take(given: Provider): void {
  const { target } = getState();
  const provider = target !== null && given.withTarget && given.target !== target ? given.withTarget(target) : given;
  const at = provider.shown !== undefined && provider.shown !== null && provider.shown !== newest(provider) ? provider.shown : null;
  const state = getState();
  const wanted = state.at !== null && provider.snapshots().some((s) => s.n === state.at) ? state.at : at;
  act({ provider, newest: newest(provider), live: provider.status?.() ?? null, at: wanted, ...(newest(provider) === null ? { loading: false } : {}) });
}

/** Shows another target of the session. */
export function chooseTarget(target: number | null): void {
  act({ target, at: null, compare: null, selected: null, heap: null, expanded: new Set(), message: "" });
}

/** Leaves what was shown, for another provider. */
export function replace(provider: Provider): void {
  act({ snapshot: null, diff: null, target: null, compare: null, at: null, selected: null, kinds: null, heap: null, expanded: new Set(), message: "", loading: true });
  take(provider);
}

/** Called once. */
export function startFollowing(): void {
  let shown = "";
  let followed: Provider | null = null;
  let stop: (() => void) | undefined;
  let target: number | null = getState().target;
  subscribe((s) => {
    const { provider } = s;
    if (!provider) return;
    if (s.target !== target) {
      // By the chooser, a link, or going back: then the snapshots are other ones.
      target = s.target;
      const next = provider.withTarget?.(target);
      if (next && next.target !== provider.target) {
        act({ provider: next, newest: newest(next), at: s.at ?? next.shown ?? null });
        return;
      }
    }
    if (provider !== followed) {
      stop?.();
      followed = provider;
      shown = "";
      stop = provider.subscribe?.((news) => onNews(provider, news));
    }
    const key = s.compare ? `${s.compare.before}..${s.compare.after}` : String(s.at ?? s.newest);
    if (key === shown || key === "null") return;
    shown = key;
    if (s.compare) void showDiff(provider, s.compare.before, s.compare.after);
    else void showSnapshot(provider, s.at ?? s.newest ?? 0);
  });
}
