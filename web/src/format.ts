// Numbers as people read them. Unknown is "?", never 0; a lower bound has "≥".
const UNITS = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];

export function thousands(n: number): string {
  return Math.trunc(n).toLocaleString("en-US");
}

/** Three figures and a unit: "1.23 MiB". */
export function bytes(n: number | null | undefined, atLeast = false): string {
  if (n === null || n === undefined || Number.isNaN(n)) return "?";
  const sign = (atLeast ? "≥ " : "") + (n < 0 ? "−" : "");
  let v = Math.abs(n);
  let unit = 0;
  while (v >= 999.5 && unit < UNITS.length - 1) {
    v /= 1024;
    unit++;
  }
  const digits = unit === 0 ? 0 : v < 9.995 ? 2 : v < 99.95 ? 1 : 0;
  return `${sign}${v.toFixed(digits)} ${UNITS[unit]}`;
}

/** Bytes in KiB with thousands separators, as the tables of the command line show them. */
export function kib(n: number | null | undefined, atLeast = false): string {
  if (n === null || n === undefined || Number.isNaN(n)) return "?";
  const k = n / 1024;
  const text = Number.isInteger(k) ? thousands(Math.abs(k)) : Math.abs(k).toLocaleString("en-US", { maximumFractionDigits: 1 });
  return (atLeast ? "≥ " : "") + (n < 0 ? "−" : "") + text;
}

export function change(n: number | null | undefined): string {
  if (n === null || n === undefined || Number.isNaN(n)) return "?";
  return (n > 0 ? "+" : "") + kib(n);
}
