// Numbers as people read them. Unknown is "?", never 0; a lower bound has "≥".
const UNITS = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];

// One for all: to make it costs much more than to use it.
const GROUPED = new Intl.NumberFormat("en-US");
const TENTHS = new Intl.NumberFormat("en-US", { maximumFractionDigits: 1 });
const HUNDREDTHS = new Intl.NumberFormat("en-US", { maximumFractionDigits: 2 });

export function thousands(n: number): string {
  return GROUPED.format(Math.trunc(n));
}

/** "12.34 %" of a share from 0 to 1. */
export function percent(share: number): string {
  return HUNDREDTHS.format(share * 100) + " %";
}

/** A figure behind the point below 100, and a unit: "1.2 MiB", "8 MiB", as vmm_put_short_size. */
export function bytes(n: number | null | undefined, atLeast = false): string {
  if (n === null || n === undefined || Number.isNaN(n)) return "?";
  const sign = (atLeast ? "≥ " : "") + (n < 0 ? "−" : "");
  let v = Math.abs(n);
  let unit = 0;
  while (v >= 1024 && unit < UNITS.length - 1) {
    v /= 1024;
    unit++;
  }
  const tenths = v < 100 ? Math.round(v * 10) / 10 : Math.round(v);
  return `${sign}${TENTHS.format(tenths)} ${UNITS[unit]}`;
}

/** Bytes in KiB with thousands separators, as the tables of the command line show them. */
export function kib(n: number | null | undefined, atLeast = false): string {
  if (n === null || n === undefined || Number.isNaN(n)) return "?";
  // What is there is never shown as nothing.
  const k = Math.round(Math.abs(n) / 1024);
  const text = k === 0 && n !== 0 ? "<1" : thousands(k);
  return (atLeast ? "≥ " : "") + (n < 0 ? "−" : "") + text;
}

export function change(n: number | null | undefined): string {
  if (n === null || n === undefined || Number.isNaN(n)) return "?";
  return (n > 0 ? "+" : "") + kib(n);
}

/** A signed size with its unit: "+1.2 MiB"; no change is "±0". */
export function changedBytes(n: number | null | undefined): string {
  return n === 0 ? "±0" : (n ?? 0) > 0 ? "+" + bytes(n) : bytes(n);
}

/** "2026-11-22 19:40:05 UTC" of an RFC 3339 time; what is none stays as it is. */
export function moment(time: string): string {
  const found = /^(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d)(?:\.\d+)?Z$/.exec(time);
  return found ? `${found[1]} ${found[2]} UTC` : time;
}

/** A short time: "65 ms", "1.2 s". */
export function nanoseconds(ns: number): string {
  const units: [number, string][] = [[1e9, "s"], [1e6, "ms"], [1e3, "µs"]];
  const [per, unit] = units.find(([p]) => ns >= p) ?? [1, "ns"];
  const v = ns / per;
  return `${v < 10 && per > 1 ? v.toFixed(1) : Math.round(v)} ${unit}`;
}
