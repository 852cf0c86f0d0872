// The picture of the address space as SVG, for print and tickets: the shapes that its canvases show.
import { svgPaint } from "../bars";
import { svgDocument, xmlText } from "../export";
import { bytes } from "../format";
import type { LegendEntry } from "./colours";
import type { Ink } from "./scene";
import { FONTS, tearLines, type Fill, type Image, type Picture, type Shape } from "./shapes";

const HEAD = 30;
const LINE = 20; // of the legend
const LETTER = 6.4; // pixels, about

function number(v: number): string {
  return String(Math.round(v * 100) / 100);
}

/** Patterns that are in use. */
class Patterns {
  readonly defs: string[] = [];
  private readonly made = new Map<string, string>();

  fill(f: Pick<Fill, "fill" | "pattern" | "ink">): string {
    if (f.pattern === "solid") return f.fill;
    const key = f.pattern + f.fill + f.ink;
    let fill = this.made.get(key);
    if (fill === undefined) {
      const paint = svgPaint(String(this.made.size), { fill: f.fill, edge: f.fill, ink: f.ink, pattern: f.pattern });
      this.defs.push(paint.defs);
      this.made.set(key, (fill = paint.fill));
    }
    return fill;
  }
}

function area(a: { x: number; y: number; width: number; height: number }): string {
  return `x="${number(a.x)}" y="${number(a.y)}" width="${number(a.width)}" height="${number(a.height)}"`;
}

function opacity(alpha: number): string {
  return alpha < 1 ? ` opacity="${number(alpha)}"` : "";
}

function shapeText(s: Shape, patterns: Patterns): string {
  switch (s.shape) {
    case "fill": return `<rect ${area(s)} fill="${patterns.fill(s)}"${opacity(s.alpha)}/>`;
    case "frame": return `<rect ${area(s)} fill="none" stroke="${s.colour}" stroke-width="${s.line}"${s.dashed ? ' stroke-dasharray="4 3"' : ""}${opacity(s.alpha)}/>`;
    case "path": return `<path d="${s.d}" fill="${s.fill || "none"}"${s.stroke ? ` stroke="${s.stroke}" stroke-width="${s.line}" paint-order="stroke"` : ""}/>`;
    case "tear": {
      const lines: string[] = [];
      tearLines(s, (x0, y0, x1, y1) => lines.push(`M${number(x0)} ${number(y0)}L${number(x1)} ${number(y1)}`));
      return `<path d="${lines.join("")}" fill="none" stroke="${s.colour}" opacity="0.3"/>`;
    }
    case "words": {
      const { size } = FONTS[s.font];
      const family = s.font === "address" ? "monospace" : "sans-serif";
      // Not every program knows a baseline in the middle.
      return `<text x="${number(s.x)}" y="${number(s.y + 0.35 * size)}" font-family="${family}" font-size="${size}" fill="${s.colour}"` +
        `${s.end ? ' text-anchor="end"' : ""}${opacity(s.alpha)}>${xmlText(s.text)}</text>`;
    }
  }
}

/** Rectangles of equal pixels, one path for each colour. */
function imageText(image: Image): string {
  const { pixels, columns } = image;
  const wide = image.width / columns;
  const high = image.height / (pixels.length / columns);
  const paths = new Map<number, string[]>();
  for (let at = 0; at < pixels.length; ) {
    const pixel = pixels[at] ?? 0;
    const rowEnd = at - (at % columns) + columns;
    let to = at + 1;
    while (to < rowEnd && pixels[to] === pixel) to++;
    const path = paths.get(pixel) ?? [];
    if (pixel >>> 24) path.push(`M${number(image.x + (at % columns) * wide)} ${number(image.y + Math.floor(at / columns) * high)}h${number((to - at) * wide)}v${number(high)}h${number((at - to) * wide)}z`);
    paths.set(pixel, path);
    at = to;
  }
  const colour = (pixel: number): string => "#" + (((pixel & 255) << 16) | (pixel & 0xff00) | ((pixel >> 16) & 255)).toString(16).padStart(6, "0");
  return [...paths].map(([pixel, d]) => (d.length ? `<path d="${d.join("")}" fill="${colour(pixel)}"${opacity((pixel >>> 24) / 255)} shape-rendering="crispEdges"/>` : "")).join("");
}

/** The legend in as many lines as it takes. */
function legendText(legend: readonly LegendEntry[], width: number, top: number, ink: Ink, patterns: Patterns): { text: string; lines: number } {
  let x = 8;
  let line = 0;
  const parts = legend.map((l) => {
    const words = `${l.label} ${bytes(l.bytes)}`;
    const takes = 34 + words.length * LETTER;
    if (x > 8 && x + takes > width) {
      x = 8;
      line++;
    }
    const y = top + line * LINE;
    const fill = patterns.fill({ fill: l.fill, pattern: l.pattern, ink: "#000000" });
    const part = `<rect x="${number(x)}" y="${y - 10}" width="11" height="11" rx="2" fill="${fill}" stroke="${ink.dim}" stroke-width="0.5"/>` +
      `<text x="${number(x + 16)}" y="${y}" fill="${ink.text}">${xmlText(words)}</text>`;
    x += takes;
    return part;
  });
  return { text: parts.join(""), lines: line + 1 };
}

/** Pictures of one size above each other, with a title and what the colours say. */
export function svgOf(pictures: readonly Picture[], title: string, legend: readonly LegendEntry[], ink: Ink): string {
  const { width, height } = pictures[0] ?? { width: 0, height: 0 };
  const patterns = new Patterns();
  const bands = pictures.flatMap((p) => p.bands);
  const drawn = bands.map((b) => (b.image ? imageText(b.image) : "") + b.shapes.map((s) => shapeText(s, patterns)).join("")).join("\n");
  const below = legendText(legend, width, HEAD + height + 18, ink, patterns);
  const text = `<g font-family="sans-serif" font-size="11"><defs>${patterns.defs.join("")}</defs>` +
    `<text x="8" y="19" font-size="14" font-weight="600" fill="${ink.text}">${xmlText(title)}</text>` +
    `<g class="picture" transform="translate(0 ${HEAD})">${drawn}</g>${below.text}</g>`;
  return svgDocument(width, HEAD + height + 14 + below.lines * LINE, text, ink.ground);
}
