// The canvases of the address space: drawn when what they show changes, and saved as a picture.
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import { fileName, saveCanvas, savePicture } from "../export";
import { paint } from "../map/canvas";
import type { LegendEntry } from "../map/colours";
import { groundPicture, marksPicture, stripPicture, type Marks } from "../map/overlay";
import type { Size } from "../map/place";
import { wholePixels } from "../map/rows";
import type { Scene } from "../map/scene";
import type { Picture } from "../map/shapes";
import { svgOf } from "../map/svg";

export const STRIP = 26;
const BESIDE = 16; // pixels of the strip's margins
const LEAST = 200; // a narrower picture shows nothing

type CanvasRef = { current: HTMLCanvasElement | null };

export interface Canvases {
  ground: CanvasRef;
  marks: CanvasRef;
  strip: CanvasRef;
}

export function useCanvases(): Canvases {
  const ground = useRef<HTMLCanvasElement>(null);
  const marks = useRef<HTMLCanvasElement>(null);
  const strip = useRef<HTMLCanvasElement>(null);
  return useMemo(() => ({ ground, marks, strip }), []);
}

/** Sizes of an element, followed as it changes. */
export function useSize(element: { current: HTMLElement | null }): Size {
  const [size, setSize] = useState<Size>({ width: 0, height: 0 });
  useEffect(() => {
    const e = element.current;
    if (!e) return;
    const update = (): void => setSize({ width: e.clientWidth, height: e.clientHeight });
    update();
    const observer = new ResizeObserver(update);
    observer.observe(e);
    return () => observer.disconnect();
  }, []);
  return size;
}

function usePaint(canvas: CanvasRef, picture: Picture | null): void {
  useLayoutEffect(() => {
    if (canvas.current && picture) paint(canvas.current, picture);
  }, [picture]);
}

export interface Painting {
  /** How many pieces share a pixel with another. */
  hidden: number;
  save(format: "png" | "svg", name: readonly (string | number | null)[], legend: readonly LegendEntry[]): void;
}

export function usePainting({ ground, marks: above, strip }: Canvases, scene: Scene, marks: Marks): Painting {
  const ready = scene.width >= LEAST;
  const wide = scene.width - BESIDE;
  const rows = useMemo(() => (ready ? groundPicture(scene) : null), [scene]);
  const over = useMemo(() => (ready ? marksPicture(scene, marks) : null), [scene, marks]);
  const whole = useMemo(() => (ready ? wholePixels(scene, Math.round(wide * scene.ratio)) : null), [scene.line, scene.colours, scene.picked, scene.ratio, wide]);
  const window = useMemo(() => (whole ? stripPicture(whole, scene, marks, wide, STRIP) : null), [whole, scene, marks]);
  usePaint(ground, rows?.picture ?? null);
  usePaint(above, over);
  usePaint(strip, window);
  return {
    hidden: rows?.hidden ?? 0,
    save: (format, name, legend) => {
      if (!rows || !over || !ground.current || !above.current) return;
      if (format === "png") void saveCanvas(fileName(name, "png"), together(ground.current, above.current, scene.ink.ground));
      else void savePicture(name, "svg", svgOf([rows.picture, over], `${name[0] ?? ""} ${name[1] ?? ""}`, legend, scene.ink));
    },
  };
}

/** Both canvases as one picture. */
function together(below: HTMLCanvasElement, above: HTMLCanvasElement, ground: string): HTMLCanvasElement {
  const both = document.createElement("canvas");
  both.width = below.width;
  both.height = below.height;
  const c = both.getContext("2d");
  if (c) c.fillStyle = ground;
  c?.fillRect(0, 0, both.width, both.height);
  c?.drawImage(below, 0, 0);
  c?.drawImage(above, 0, 0);
  return both;
}
