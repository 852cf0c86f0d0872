// Pictures and tables as files: nothing leaves the page but what the reader saves.
import { visible } from "./text";

/** A file name made of what a target says: letters, digits, dot, dash and underscore alone. */
export function fileName(parts: readonly (string | number | null | undefined)[], ending: string): string {
  const words = parts.filter((p) => p !== null && p !== undefined && p !== "").map((p) => String(p).replace(/[^A-Za-z0-9._-]+/g, "-"));
  return (words.join("-").replace(/^[.-]+/, "").slice(0, 100) || "vmmap") + "." + ending;
}

export function saveBlob(name: string, blob: Blob): void {
  const url = URL.createObjectURL(blob);
  const a = document.createElement("a");
  a.href = url;
  a.download = name;
  a.click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

export function saveText(name: string, type: string, text: string): void {
  saveBlob(name, new Blob([text], { type: type + ";charset=utf-8" }));
}

export type Cell = string | number | boolean | null | undefined;
export interface TableData {
  /** Ids, as in --csv and --json of the command line. */
  columns: readonly string[];
  rows: readonly (readonly Cell[])[];
}

/** As vmm_out_csv: quoted where it must be, controls escaped; unknown is an empty field. */
function csvField(cell: Cell): string {
  if (cell === null || cell === undefined || (typeof cell === "number" && Number.isNaN(cell))) return "";
  if (typeof cell === "boolean") return String(cell);
  if (typeof cell === "number") return String(cell);
  const text = visible(cell);
  // A spreadsheet would take such a field for a formula.
  const safe = /^[=+\-@]/.test(text) ? "'" + text : text;
  return /[,"\s;']/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

export function csvOf(table: TableData): string {
  return [table.columns.join(","), ...table.rows.map((r) => r.map(csvField).join(","))].join("\n") + "\n";
}

export function jsonOf(table: TableData): string {
  const objects = table.rows.map((r) => Object.fromEntries(table.columns.map((c, i) => {
    const v = r[i];
    return [c, v === undefined || (typeof v === "number" && Number.isNaN(v)) ? null : v];
  })));
  return "[\n" + objects.map((o) => JSON.stringify(o)).join(",\n") + "\n]\n";
}

export function saveTable(parts: readonly (string | number | null | undefined)[], format: "csv" | "json", table: TableData): void {
  if (format === "csv") saveText(fileName(parts, "csv"), "text/csv", csvOf(table));
  else saveText(fileName(parts, "json"), "application/json", jsonOf(table));
}

/** Text inside SVG made as a string. */
export function xmlText(text: string): string {
  return visible(text).replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`).replace(/[\ud800-\udfff\ufffe\uffff]/g, "�");
}

/** A whole SVG document around its inner elements; ground is drawn first. */
export function svgDocument(width: number, height: number, inner: string, ground: string): string {
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}">` +
    `<rect width="100%" height="100%" fill="${ground}"/>${inner}</svg>\n`;
}

export function saveCanvas(name: string, canvas: HTMLCanvasElement): Promise<void> {
  return new Promise((done, fail) => canvas.toBlob((b) => {
    if (!b) return fail(new Error("the picture is too large for this browser"));
    saveBlob(name, b);
    done();
  }, "image/png"));
}

/** Draws an SVG document on a canvas, at twice its size so that print is sharp. */
async function drawSvg(svg: string, scale: number): Promise<HTMLCanvasElement> {
  const url = URL.createObjectURL(new Blob([svg], { type: "image/svg+xml" }));
  try {
    const image = new Image();
    image.src = url;
    await image.decode();
    const canvas = document.createElement("canvas");
    canvas.width = image.width * scale;
    canvas.height = image.height * scale;
    canvas.getContext("2d")?.drawImage(image, 0, 0, canvas.width, canvas.height);
    return canvas;
  } finally {
    URL.revokeObjectURL(url);
  }
}

/** Saves a picture that is an SVG document, as it is or as PNG. */
export async function savePicture(parts: readonly (string | number | null | undefined)[], format: "svg" | "png", svg: string): Promise<void> {
  if (format === "svg") saveText(fileName(parts, "svg"), "image/svg+xml", svg);
  else await saveCanvas(fileName(parts, "png"), await drawSvg(svg, 2));
}
