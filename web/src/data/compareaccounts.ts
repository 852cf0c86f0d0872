// Accounts, limits, threads and images of two snapshots side by side, as `vmmap diff --json` has them.
import type { Mates } from "./same";
import type { Snapshot } from "./snapshot";
import type { Account, Bytes, Counts, Identity, Limit, LimitChange, ModuleChange, Module, Thread, ThreadChange } from "./types";

/** What a side does not tell is unknown, not nothing. */
export function countsOf(before: Bytes, after: Bytes): Counts {
  return { before, after, change: before === null || after === null ? null : after - before };
}

function identity(was: Account | undefined, is: Account | undefined): Identity {
  const of = (id: "sum" | "kernel" | "remainder"): Counts => countsOf(was?.[id] ?? null, is?.[id] ?? null);
  const { id = "", label = "" } = is ?? was ?? {};
  return {
    id, label, sum: of("sum"), kernel: of("kernel"), remainder: of("remainder"),
    explanation_before: was?.explanation ?? null, explanation: is?.explanation ?? null,
  };
}

export function identities(a: Snapshot, b: Snapshot): Identity[] {
  const [was, is] = [a.head.accounts, b.head.accounts];
  const gone = was.filter((x) => !is.some((y) => y.id === x.id));
  return [...is.map((y) => identity(was.find((x) => x.id === y.id), y)), ...gone.map((x) => identity(x, undefined))];
}

function differ(was: Limit, is: Limit): boolean {
  const by = (id: "soft" | "hard" | "used"): boolean => was[id] !== null && is[id] !== null && was[id] !== is[id];
  return by("soft") || by("hard") || by("used");
}

/** Those that both tell. */
export function limits(a: Snapshot, b: Snapshot): LimitChange[] {
  return Object.entries(b.head.limits).flatMap(([id, is]) => {
    const was = Object.hasOwn(a.head.limits, id) ? a.head.limits[id] : undefined;
    if (!was || !differ(was, is)) return [];
    return [{
      id, text: is.text, unit: is.unit, used: countsOf(was.used, is.used),
      soft: { before: was.soft, after: is.soft }, hard: { before: was.hard, after: is.hard },
    }];
  });
}

/** Which of one list is which of the other; what has a mate gets no second one. */
class Pairs {
  readonly ofA = new Map<number, number>();
  readonly ofB = new Map<number, number>();

  join(a: number | undefined, b: number | undefined): void {
    if (a === undefined || b === undefined || this.ofA.has(a) || this.ofB.has(b)) return;
    this.ofA.set(a, b);
    this.ofB.set(b, a);
  }

  /** New ones in the order of b, then those that are gone. */
  rows<T, R>(a: readonly T[], b: readonly T[], row: (was: T | undefined, is: T | undefined) => R): R[] {
    const gone = a.filter((_, i) => !this.ofA.has(i)).map((t) => row(t, undefined));
    return [...b.map((t, k) => row(a[this.ofB.get(k) ?? -1], t)), ...gone];
  }
}

function regionPairs(b: Snapshot, mates: Mates, join: (i: number, k: number) => void): void {
  for (let k = 0; k < b.regions.count; k++) if ((mates.of[k] ?? -1) >= 0) join(mates.of[k] ?? -1, k);
}

function sameProcess(a: Snapshot, b: Snapshot, mates: Mates): boolean {
  const [was, is] = [a.head.target, b.head.target];
  const startedAlike = was.started_at === null || is.started_at === null || was.started_at === is.started_at;
  return was.pid !== null && was.pid === is.pid && startedAlike && mates.sameLayout;
}

/** Of one process by number; else the main thread, then by the stacks, then those of one name in the order of their numbers. */
function threadPairs(a: Snapshot, b: Snapshot, mates: Mates): Pairs {
  const pairs = new Pairs();
  const places = (of: Snapshot): Map<number, number> => new Map(of.head.threads.map((t, i) => [t.tid, i]));
  const [was, is] = [places(a), places(b)];
  if (sameProcess(a, b, mates)) {
    for (const [tid, k] of is) pairs.join(was.get(tid), k);
    return pairs;
  }
  pairs.join(was.get(a.head.target.pid ?? NaN), is.get(b.head.target.pid ?? NaN));
  regionPairs(b, mates, (i, k) => pairs.join(was.get(a.regions.number("tid", i)), is.get(b.regions.number("tid", k))));
  const free = (of: readonly Thread[], taken: Map<number, number>): [string, number, number][] =>
    of.flatMap((t, i): [string, number, number][] => (taken.has(i) || t.name === null ? [] : [[t.name, t.tid, i]])).sort((x, y) => x[1] - y[1]);
  const left = free(a.head.threads, pairs.ofA);
  for (const [name, , k] of free(b.head.threads, pairs.ofB)) pairs.join(left.find((t) => t[0] === name && !pairs.ofA.has(t[2]))?.[2], k);
  return pairs;
}

export function threads(a: Snapshot, b: Snapshot, mates: Mates): ThreadChange[] {
  const row = (was: Thread | undefined, is: Thread | undefined): ThreadChange[] => {
    const t = is ?? was;
    const state = !was ? "new" : "gone";
    return t && !(was && is) ? [{ state, changes: [state], tid: t.tid, name: t.name }] : [];
  };
  return threadPairs(a, b, mates).rows(a.head.threads, b.head.threads, row).flat();
}

/** Images by the regions that are theirs. */
function modulePairs(a: Snapshot, b: Snapshot, mates: Mates): Pairs {
  const pairs = new Pairs();
  const places = (of: Snapshot): Map<number, number> => new Map(of.head.modules.map((m, i) => [Number(m.address), i]));
  const [was, is] = [places(a), places(b)];
  regionPairs(b, mates, (i, k) => pairs.join(was.get(a.regions.number("address", i)), is.get(b.regions.number("address", k))));
  return pairs;
}

export function modules(a: Snapshot, b: Snapshot, mates: Mates): ModuleChange[] {
  const changes = (was: Module | undefined, is: Module | undefined): string[] => {
    if (!was || !is) return [was ? "gone" : "new"];
    const other = was.build_id !== null && is.build_id !== null && was.build_id !== is.build_id;
    return [...(mates.sameLayout && was.address !== is.address ? ["moved"] : []), ...(other ? ["changed"] : [])];
  };
  const row = (was: Module | undefined, is: Module | undefined): ModuleChange[] => {
    const found = changes(was, is);
    const m = is ?? was;
    if (!m || found[0] === undefined) return [];
    return [{ state: found[0], changes: found, address: m.address, path: m.path, build_id: m.build_id, build_id_before: was?.build_id ?? null }];
  };
  return modulePairs(a, b, mates).rows(a.head.modules, b.head.modules, row).flat();
}
