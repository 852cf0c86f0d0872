// Bytes as lines of hexadecimal digits and characters, and strings out of the document of `vmmap strings --json`.
import type { MemoryBytes } from "../data/provider";
import { hex } from "./cells";

const LINE = 8; // bytes, so that a line with its characters fits the panel

/** What is not there stands as "··": not resident, not stored, or never read (guards, devices). */
export function hexLines(memory: MemoryBytes, from: number, to: number): string[] {
  const lines: string[] = [];
  const byte = (address: number): number => {
    const part = memory.parts.find((p) => p.address <= address && address < p.address + p.bytes.length);
    return part?.bytes[address - part.address] ?? -1;
  };
  let skipped = false;
  for (let line = from - (from % LINE); line < to; line += LINE) {
    const bytes = Array.from({ length: LINE }, (_, i) => (line + i < from || line + i >= to ? -2 : byte(line + i)));
    if (bytes.every((b) => b < 0)) {
      if (!skipped) lines.push(`${hex(line)}  not there`);
      skipped = true;
      continue;
    }
    skipped = false;
    const digits = bytes.map((b) => (b >= 0 ? b.toString(16).padStart(2, "0") : b === -1 ? "··" : "  "));
    const text = bytes.map((b) => (b >= 0x20 && b < 0x7f ? String.fromCharCode(b) : b === -2 ? " " : b === -1 ? " " : "."));
    lines.push(`${hex(line)}  ${digits.join(" ")}  ${text.join("")}`);
  }
  return lines;
}

export interface FoundString {
  address: string;
  text: string;
}

/** Rows of a document with an array of objects that have an address and a text; whatever else is left out. */
export function stringsOf(document: unknown): FoundString[] {
  if (typeof document !== "object" || document === null) return [];
  const rows = Object.values(document).find((v) => Array.isArray(v) && v.some((r) => typeof r === "object" && r !== null && "text" in r && "address" in r));
  if (!Array.isArray(rows)) return [];
  return rows
    .filter((r): r is FoundString & { cut?: unknown } => typeof r === "object" && r !== null && typeof r.address === "string" && typeof r.text === "string")
    .map(({ address, text, cut }) => ({ address, text: cut === true ? text + " …" : text }));
}
