// The address space of a running target: after a refresh only what changed is drawn again, and the canvases are to the pixel what a
// whole drawing gives.
import { serve } from "./live.mjs";

// Regions that stay apart: every other page of an area may not be written to.
const TARGET = `
import ctypes, mmap, sys
libc = ctypes.CDLL(None, use_errno=True)
area = mmap.mmap(-1, 600 * 8192, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
base = ctypes.addressof(ctypes.c_char.from_buffer(area))
for i in range(600): libc.mprotect(ctypes.c_void_p(base + i * 8192), 4096, mmap.PROT_READ)
print(hex(base), flush=True)
for line in sys.stdin:
    for i in range(int(line), int(line) + 30): area[i * 8192 + 4096] = 1
    print("done", flush=True)
`;
const CANVASES = [".map-ground", ".map-canvas", ".map-strip"];

/** From now on counts how often parts of each canvas are cleared, which is once for each part that is drawn. */
function count(page) {
  return page.evaluate(() => {
    globalThis.drawn = {};
    const clear = CanvasRenderingContext2D.prototype.clearRect;
    CanvasRenderingContext2D.prototype.clearRect = function (...area) {
      globalThis.drawn[this.canvas.className] = (globalThis.drawn[this.canvas.className] ?? 0) + 1;
      return clear.apply(this, area);
    };
  });
}

async function drawn(page) {
  return page.evaluate(() => {
    const counts = globalThis.drawn;
    globalThis.drawn = {};
    return counts;
  });
}

/** What each canvas shows; kept in the page under a name, for there are many pixels. */
function keep(page, name) {
  return page.evaluate(([as, all]) => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => {
    globalThis[as] = all.map((c) => {
      const canvas = document.querySelector(c);
      return canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    });
    done();
  }))), [name, CANVASES]);
}

/** Pixels of each canvas that differ. */
function differing(page, a, b) {
  return page.evaluate(([x, y]) => globalThis[x].map((one, i) => {
    const other = globalThis[y][i];
    if (one.width !== other.width || one.height !== other.height) return -1;
    const left = new Uint32Array(one.data.buffer);
    const right = new Uint32Array(other.data.buffer);
    return left.reduce((sum, p, at) => sum + (p !== right[at]), 0);
  }), [a, b]);
}

/** A canvas that was of another size has nothing left of what it showed. */
async function drawnWhole(page) {
  const { width, height } = page.viewportSize();
  const wide = () => page.evaluate(() => document.querySelector(".map-ground").width);
  const was = await wide();
  await page.setViewportSize({ width: width - 40, height });
  await page.waitForFunction((w) => document.querySelector(".map-ground").width !== w, was);
  await page.setViewportSize({ width, height });
  await page.waitForFunction((w) => document.querySelector(".map-ground").width === w, was);
}

/** Thirty regions from `first` on are written to, and looked at. */
async function refresh(page, target, first) {
  const snapshots = () => page.evaluate(() => Number(/of (\d+)/.exec(document.querySelector(".snapshots span")?.textContent ?? "")?.[1] ?? 1));
  const before = await snapshots();
  const said = new Promise((done) => target.child.stdout.once("data", done));
  target.child.stdin.write(first + "\n");
  await said;
  await page.click("text=Look now");
  await page.waitForFunction((n) => document.querySelector(".snapshots span")?.textContent.endsWith("of " + n), before + 1);
}

/** A window that is on its way arrives. */
function standsStill(page) {
  return page.waitForFunction(() => {
    const was = globalThis.shownSpan;
    globalThis.shownSpan = document.querySelector(".map-canvas").getAttribute("aria-label");
    return was === globalThis.shownSpan;
  }, null, { polling: 300 });
}

/** Drawn in part after a refresh, the canvases are what they are drawn whole; `settled` waits for what comes after the snapshot. */
async function sameAsWhole(b, page, target, first, what, settled = async () => {}) {
  await standsStill(page);
  await keep(page, "before");
  await drawn(page);
  await refresh(page, target, first);
  await settled();
  await keep(page, "part");
  const parts = await drawn(page);
  await drawnWhole(page);
  await keep(page, "whole");
  const [ground, marks, strip] = await differing(page, "before", "part");
  b.check(ground > 0, `${what}: the refresh changes the picture: ${ground} pixels`);
  b.equal([marks, strip < ground], [0, true], `${what}: of what lies above nothing changes`);
  b.equal(await differing(page, "part", "whole"), [0, 0, 0], `${what}: pixels that differ from a whole drawing`);
  return parts;
}

export default async function (b) {
  const target = await b.target("python3", ["-u", "-c", TARGET]);
  const base = Number(target.line.trim());
  const server = await serve(b, target.pid);
  for (const [ratio, first] of [[1, 0], [1.25, 300]]) {
    const page = await b.open(server.url + "#tab=map", { offline: false, deviceScaleFactor: ratio });
    await page.click("text=Pause");
    await page.waitForSelector("text=paused");
    await count(page);
    const parts = await sameAsWhole(b, page, target, first, `rows at ${ratio}`);
    const rows = await page.evaluate(() => Math.floor((document.querySelector(".map-ground").clientHeight - 6) / 26));
    b.check(parts["map-ground"] > 0 && parts["map-ground"] < rows / 2, `of ${rows} rows few are drawn again: ${JSON.stringify(parts)}`);
    b.equal(parts["map-canvas"] ?? 0, 0, "what is above the rows is not drawn again");
    await page.getByRole("radio", { name: "Hilbert square" }).click();
    await page.waitForSelector(".with-square");
    await sameAsWhole(b, page, target, first + 100, `with the square at ${ratio}`);
    await page.getByRole("radio", { name: "Rows" }).click();
    // From near single pages come after the snapshot.
    await page.evaluate((a) => { location.hash = "#tab=map&selected=" + a; }, "0x" + (base + (first + 210) * 8192).toString(16));
    await page.waitForSelector(".map-detail [data-state=absent]");
    await sameAsWhole(b, page, target, first + 200, `from near, with a region selected, at ${ratio}`, () => page.waitForSelector(".map-detail [data-state=present]"));
    await b.picture(page, "maplive-" + ratio);
    await page.context().close();
  }
  server.end();
}
