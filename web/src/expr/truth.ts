// Truth of three values, and comparing numbers that are known within bounds (src/view/expr_eval.c).
import type { Compare } from "./ast";

export const NO = 0;
export const YES = 1;
export const UNSURE = 2;

/** Open: no bound on that side. */
export interface Bounds<T extends number | bigint> {
  low: T;
  high: T;
  lowOpen: boolean;
  highOpen: boolean;
}

function less<T extends number | bigint>(a: Bounds<T>, b: Bounds<T>): number {
  if (!a.highOpen && !b.lowOpen && a.high < b.low) return YES;
  if (!a.lowOpen && !b.highOpen && a.low >= b.high) return NO;
  return UNSURE;
}

function not(t: number): number {
  return t === UNSURE ? UNSURE : 1 - t;
}

function equal<T extends number | bigint>(a: Bounds<T>, b: Bounds<T>): number {
  const exact = (x: Bounds<T>): boolean => !x.lowOpen && !x.highOpen && x.low === x.high;
  if (less(a, b) === YES || less(b, a) === YES) return NO;
  return exact(a) && exact(b) ? YES : UNSURE;
}

export function compareBounds<T extends number | bigint>(how: Compare, a: Bounds<T>, b: Bounds<T>): number {
  switch (how) {
    case "=":
      return equal(a, b);
    case "!=":
      return not(equal(a, b));
    case "<":
      return less(a, b);
    case ">=":
      return not(less(a, b));
    case ">":
      return less(b, a);
    default:
      return not(less(b, a));
  }
}
