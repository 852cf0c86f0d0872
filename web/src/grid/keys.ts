// What a key does in the table, as in a file manager: a function of what is shown and where the cursor is.
import type { Table } from "./table";

export interface KeyState {
  table: Table;
  visible: Uint32Array;
  /** Place of the cursor among the visible rows; -1 when it is nowhere. */
  at: number;
  /** Rows that fit on the screen. */
  page: number;
  open: ReadonlySet<number>;
  /** Control, or Command, is held. */
  control: boolean;
  alt: boolean;
  /** A name is being typed: a blank is a part of it. */
  typing: boolean;
}

export type KeyAction =
  | { do: "move"; to: number }
  | { do: "open" | "close"; top: number }
  | { do: "open-all" | "close-all" }
  | { do: "panel" }
  | { do: "all" }
  | { do: "pick"; row: number }
  /** The cursor's row alone is selected. */
  | { do: "only" }
  | { do: "aside"; by: 1 | -1 }
  | null;

function clamp(n: number, state: KeyState): number {
  return Math.max(0, Math.min(state.visible.length - 1, n));
}

function right(s: KeyState, row: number): KeyAction {
  if (s.table.level(row) === 2 || !s.table.childCount(row)) return null;
  return s.open.has(s.table.address(row)) ? { do: "move", to: clamp(s.at + 1, s) } : { do: "open", top: row };
}

function left(s: KeyState, row: number): KeyAction {
  if (s.table.level(row) === 2) return { do: "move", to: s.visible.indexOf(s.table.parent(row)) };
  return s.open.has(s.table.address(row)) && s.table.childCount(row) ? { do: "close", top: row } : null;
}

/** With Control: the cursor goes and the selection stays. */
function withControl(key: string, s: KeyState): KeyAction {
  const row = s.visible[s.at];
  switch (key) {
    case "a":
    case "A": return { do: "all" };
    case " ": return row === undefined ? null : { do: "pick", row };
    case "ArrowRight": return { do: "aside", by: 1 };
    case "ArrowLeft": return { do: "aside", by: -1 };
    case "ArrowDown":
    case "ArrowUp":
    case "PageDown":
    case "PageUp":
    case "Home":
    case "End": return plain(key, s);
    default: return null;
  }
}

/** null: the key is not the table's own. */
export function keyAction(key: string, s: KeyState): KeyAction {
  if (!s.visible.length || s.alt) return null;
  return s.control ? withControl(key, s) : plain(key, s);
}

function plain(key: string, s: KeyState): KeyAction {
  const row = s.visible[s.at];
  switch (key) {
    case "ArrowDown": return { do: "move", to: clamp(s.at + 1, s) };
    case "ArrowUp": return { do: "move", to: s.at < 0 ? 0 : clamp(s.at - 1, s) };
    case "PageDown": return { do: "move", to: clamp(Math.max(s.at, 0) + s.page, s) };
    case "PageUp": return { do: "move", to: clamp(s.at - s.page, s) };
    case "Home": return { do: "move", to: 0 };
    case "End": return { do: "move", to: s.visible.length - 1 };
    case "*": return { do: "open-all" };
    case "/": return null;
    case "-": return { do: "close-all" };
    case "ArrowRight": return row === undefined ? null : right(s, row);
    case "ArrowLeft": return row === undefined ? null : left(s, row);
    case "+": return row !== undefined && s.table.level(row) === 1 ? { do: "open", top: row } : null;
    case " ": return s.typing || row === undefined ? null : { do: "pick", row };
    case "Escape": return { do: "only" };
    case "Enter": return row === undefined ? null : { do: "panel" };
    default: return null;
  }
}

/** The names by which typing finds a row: its address, the last part of its path, what it is, its type. */
function names(table: Table, row: number): string[] {
  const path = table.text("path", row) || table.text("details", row);
  return [table.address(row).toString(16), path.slice(path.lastIndexOf("/") + 1), path, table.text("label", row), table.kindLabel(table.text("kind", row))]
    .filter((n) => n !== "").map((n) => n.toLowerCase());
}

/** The next visible row that begins with what was typed, from a place on and round; -1 when there is none. */
export function typeAhead(table: Table, visible: Uint32Array, from: number, typed: string): number {
  const wanted = typed.toLowerCase();
  for (let i = 0; i < visible.length; i++) {
    const at = (Math.max(from, 0) + i) % visible.length;
    const row = visible[at];
    if (row !== undefined && names(table, row).some((n) => n.startsWith(wanted))) return at;
  }
  return -1;
}
