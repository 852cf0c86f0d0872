// A newer snapshot numbers its rows anew: what is selected is found again by what it is, not by its place.
import type { Table } from "./table";

function childLike(before: Table, after: Table, row: number, top: number): number {
  const chunk = before.isChunk(row);
  let found = -1;
  after.eachChild(top, (child) => {
    if (found >= 0 || after.isChunk(child) !== chunk) return;
    if (chunk ? after.text("state", child) === before.text("state", row) : after.address(child) === before.address(row)) found = child;
  });
  return found;
}

/** Of a row of one table the same thing in the next: a region by its address, what lies below it by its own; -1: it is gone. */
export function carried(before: Table, after: Table, row: number): number {
  if (row < 0 || row >= before.rowCount || before.mode !== after.mode || before.mode === "changes") return -1;
  const top = after.top.find("address", before.address(before.parent(row)));
  return top < 0 || before.level(row) === 1 ? top : childLike(before, after, row, top);
}

/** The row that begins at an address, else the deepest that holds it; -1: none does. */
export function rowAt(table: Table, address: number): number {
  const top = table.topAt(address);
  return top >= 0 && table.address(top) === address ? top : table.at(address);
}
