// Draws pictures on canvases. A canvas remembers what it shows: of the next picture only the bands that differ are drawn.
import { canvasPaint } from "../kinds";
import { FONTS, sameBand, sameFrame, tearLines, type Band, type Fill, type Font, type Image, type Path, type Picture, type Shape, type Tear, type Words } from "./shapes";

interface Shown {
  picture: Picture;
  /** Images of the bands, one below the other, before they are stretched. */
  images: HTMLCanvasElement;
}

const shownOn = new WeakMap<HTMLCanvasElement, Shown>();

function fontOf(font: Font): string {
  return `${FONTS[font].size}px ${FONTS[font].family}`;
}

const MEASURED_MOST = 4000;
const measured = new Map<string, number>();
let ruler: CanvasRenderingContext2D | null = null;

export function textWidth(text: string, font: Font): number {
  const key = font + text;
  let width = measured.get(key);
  if (width === undefined) {
    ruler ??= document.createElement("canvas").getContext("2d");
    if (ruler) ruler.font = fontOf(font);
    width = ruler?.measureText(text).width ?? 0;
    if (measured.size >= MEASURED_MOST) measured.clear();
    measured.set(key, width);
  }
  return width;
}

const STYLES_MOST = 500;
const styles = new Map<string, string | CanvasPattern>(); // tiles of patterns cost more than what is filled with them

function styleOf(c: CanvasRenderingContext2D, f: Fill): string | CanvasPattern {
  if (f.pattern === "solid") return f.fill;
  const key = f.pattern + f.fill + f.ink;
  let style = styles.get(key);
  if (style === undefined) {
    style = canvasPaint(c, { fill: f.fill, edge: f.fill, ink: f.ink, pattern: f.pattern });
    if (styles.size >= STYLES_MOST) styles.clear();
    styles.set(key, style);
  }
  return style;
}

function drawTear(c: CanvasRenderingContext2D, t: Tear): void {
  c.globalAlpha = 0.3;
  c.strokeStyle = t.colour;
  c.lineWidth = 1;
  c.beginPath();
  tearLines(t, (x0, y0, x1, y1) => {
    c.moveTo(x0, y0);
    c.lineTo(x1, y1);
  });
  c.stroke();
}

function drawPath(c: CanvasRenderingContext2D, p: Path): void {
  const path = new Path2D(p.d);
  c.strokeStyle = p.stroke;
  c.lineWidth = p.line;
  if (p.stroke) c.stroke(path);
  c.fillStyle = p.fill;
  if (p.fill) c.fill(path);
}

function drawWords(c: CanvasRenderingContext2D, w: Words): void {
  c.font = fontOf(w.font);
  c.textBaseline = "middle";
  c.textAlign = w.end ? "right" : "left";
  c.fillStyle = w.colour;
  c.fillText(w.text, w.x, w.y);
}

function drawShape(c: CanvasRenderingContext2D, s: Shape): void {
  c.globalAlpha = "alpha" in s ? s.alpha : 1;
  switch (s.shape) {
    case "fill":
      c.fillStyle = styleOf(c, s);
      return c.fillRect(s.x, s.y, s.width, s.height);
    case "frame":
      c.setLineDash(s.dashed ? [4, 3] : []);
      c.strokeStyle = s.colour;
      c.lineWidth = s.line;
      c.strokeRect(s.x, s.y, s.width, s.height);
      return c.setLineDash([]);
    case "words": return drawWords(c, s);
    case "tear": return drawTear(c, s);
    case "path": return drawPath(c, s);
  }
}

function linesOf(image: Image | null): number {
  return image ? image.pixels.length / image.columns : 0;
}

/** Puts the images of some bands below each other; tells at which line each begins. */
function putImages(images: HTMLCanvasElement, picture: Picture, bands: ReadonlySet<Band>): Map<Band, number> {
  const width = Math.max(1, ...picture.bands.map((b) => b.image?.columns ?? 0));
  const height = Math.max(1, picture.bands.reduce((sum, b) => sum + linesOf(b.image), 0));
  if (images.width !== width) images.width = width;
  if (images.height !== height) images.height = height;
  const context = images.getContext("2d");
  const begins = new Map<Band, number>();
  let line = 0;
  for (const band of picture.bands) {
    const { image } = band;
    if (image && bands.has(band)) {
      begins.set(band, line);
      context?.putImageData(new ImageData(new Uint8ClampedArray(image.pixels.buffer, image.pixels.byteOffset, image.pixels.byteLength), image.columns), 0, line);
    }
    line += linesOf(image);
  }
  return begins;
}

function drawBand(c: CanvasRenderingContext2D, band: Band, images: HTMLCanvasElement, line: number): void {
  c.save();
  c.beginPath();
  c.rect(band.x, band.y, band.width, band.height);
  c.clip();
  c.clearRect(band.x, band.y, band.width, band.height);
  c.imageSmoothingEnabled = false;
  const { image } = band;
  if (image) c.drawImage(images, 0, line, image.columns, linesOf(image), image.x, image.y, image.width, image.height);
  for (const s of band.shapes) drawShape(c, s);
  c.restore();
}

function shownBy(canvas: HTMLCanvasElement): Shown | undefined {
  const shown = shownOn.get(canvas);
  if (!shown) canvas.addEventListener("contextrestored", () => shownOn.delete(canvas)); // then it shows nothing
  return shown;
}

/** Shows a picture on a canvas, which nobody else may draw on. */
export function paint(canvas: HTMLCanvasElement, picture: Picture): void {
  const c = canvas.getContext("2d");
  if (!c) return;
  const shown = shownBy(canvas);
  const width = Math.round(picture.width * picture.ratio);
  const height = Math.round(picture.height * picture.ratio);
  const same = shown !== undefined && canvas.width === width && canvas.height === height && sameFrame(shown.picture, picture);
  const bands = new Set(picture.bands.filter((b, i) => !same || !sameBand(b, shown.picture.bands[i] as Band)));
  const images = shown?.images ?? document.createElement("canvas");
  shownOn.set(canvas, { picture, images });
  if (!bands.size && same) return;
  if (canvas.width !== width) canvas.width = width;
  if (canvas.height !== height) canvas.height = height;
  c.setTransform(picture.ratio, 0, 0, picture.ratio, 0, 0);
  if (!same) c.clearRect(0, 0, picture.width, picture.height);
  const begins = putImages(images, picture, bands);
  for (const band of bands) drawBand(c, band, images, begins.get(band) ?? 0);
}
