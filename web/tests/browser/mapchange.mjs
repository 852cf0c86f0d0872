// Two snapshots in the address space: colours and amounts of what changed are those of vmmap diff, what is gone is drawn and
// selected too; a 32-bit target ends at 4 GiB; what is smaller than a pixel has a pin.
import { existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { scan } from "../scan.mjs";

const CHANGES = `
import ctypes
libc = ctypes.CDLL(None); libc.mmap.restype = libc.mremap.restype = ctypes.c_void_p
P = 4096
def at(p): return ctypes.c_void_p(p)
hole = libc.mmap(None, 4096 * P, 0, 0x4022, -1, 0)
libc.munmap(at(hole), 4096 * P)
def put(page, pages, prot=3): return libc.mmap(at(hole + page * P), pages * P, prot, 0x22 | 0x10, -1, 0)
gone = put(100, 64); grown = put(300, 32); shrunk = put(500, 128); prot = put(800, 16); same = put(1000, 24); tiny = put(1500, 1)
print(hex(hole), flush=True); input()
libc.munmap(at(gone), 64 * P); libc.mremap(at(grown), 32 * P, 96 * P, 0); libc.mremap(at(shrunk), 128 * P, 40 * P, 0)
libc.mprotect(at(prot), 16 * P, 1); put(1200, 48)
print("changed", flush=True); input()
`;
const PAGE = 4096;
/** State by the first page in the hole: what the target did. */
const TRUTH = { 100: ["gone", 64], 300: ["grown", 96], 500: ["shrunk", 40], 800: ["changed protection", 16], 1200: ["new", 48] };
const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

async function pointAt(page, start) {
  for (const p of await scan(page, 45, 150)) {
    const found = /^(0x[0-9a-f]+)–(0x[0-9a-f]+)/.exec(p.text);
    if (found && Number(found[1]) === start) return { ...p, end: Number(found[2]) };
  }
  return null;
}

/** Pixels of a colour of the style sheet on the canvas of marks. */
async function marked(page) {
  return page.evaluate(() => {
    const c = document.querySelector(".map-canvas");
    const n = parseInt(getComputedStyle(document.documentElement).getPropertyValue("--accent").trim().slice(1), 16);
    const data = new Uint32Array(c.getContext("2d").getImageData(0, 0, c.width, c.height).data.buffer);
    const pixel = ((255 << 24) | ((n & 255) << 16) | (n & 0xff00) | (n >> 16)) >>> 0;
    return data.reduce((sum, p) => sum + (p === pixel), 0);
  });
}

async function select(page, address) {
  await page.evaluate((a) => { location.hash = location.hash.replace(/&selected=0x[0-9a-f]+/, "") + "&selected=" + a; }, "0x" + address.toString(16));
  await sleep(500);
}

async function compared(b) {
  const { pid, child, line } = await b.target("python3", ["-u", "-c", CHANGES]);
  const hole = Number(line.trim());
  const file = join(b.folder, "changes.vmmap");
  b.run("record", pid, "-o", file, "--every", "100ms", "--for", "50ms");
  const changed = new Promise((done) => child.stdout.once("data", done));
  child.stdin.write("\n");
  await changed;
  b.run("record", pid, "-o", file, "--append", "--every", "100ms", "--for", "50ms");
  const info = JSON.parse(b.run("timeline", file, "--json"));
  const last = info.looks.at(-1).snapshot;
  const page = await b.open(b.report(file, "changes"), { width: 1440, height: 900 });
  await page.evaluate((hash) => { location.hash = hash; }, `#tab=map&compare=${info.looks[0].snapshot}..${last}`);
  await page.waitForSelector(".map-legend [data-id=gone]");
  const legend = Object.fromEntries(await page.$$eval(".map-legend [data-id]", (chips) => chips.map((c) => [c.dataset.id, c.textContent])));
  for (const state of ["new", "gone", "grown", "shrunk", "protected", "same"]) b.check(legend[state], `the legend has ${state}: ${Object.keys(legend)}`);
  b.check(/ 256 KiB in 1$/.test(legend.gone ?? ""), "of what is gone the legend says how much: " + legend.gone);
  await b.picture(page, "map-change-whole");

  // Each is drawn where it was or is, and selected in the table by a click here.
  for (const [first, [state, pages]] of Object.entries(TRUTH)) {
    const start = hole + first * PAGE;
    await select(page, start);
    const found = await pointAt(page, start);
    if (!b.check(found, `${state} is drawn`)) continue;
    b.equal(found.end, start + pages * PAGE, state + " ends where it did");
    await page.keyboard.press("Escape");
    await page.mouse.click(found.x, found.y);
    b.check(page.url().includes("selected=0x" + start.toString(16)), `a click selects what is ${state}: ${page.url()}`);
    const side = (await page.textContent(".map-side .side")) ?? "";
    b.check(side.includes(state === "changed protection" ? "protected" : state) && side.includes(start.toString(16)), `beside stands what is ${state}: ${side.slice(0, 80)}`);
    if (state === "gone") await b.picture(page, "map-change-gone");
    await page.click("#tab-regions");
    await page.waitForSelector('.grid [aria-selected="true"]');
    b.check((await page.textContent('.grid [aria-selected="true"]'))?.includes(start.toString(16)), `the table has selected what is ${state}`);
    await page.click("#tab-map");
  }
  // From the table into the picture: the row of what is gone.
  await page.click("#tab-regions");
  await page.locator(".grid .state-gone").first().click();
  await page.click("#tab-map");
  await sleep(500);
  b.check((await marked(page)) > 50, "what is gone is framed when the table has selected it");
  for (const [theme, palette, width] of [["dark", "", 1920], ["light", "safe", 1024]]) {
    await page.setViewportSize({ width, height: 900 });
    await page.evaluate(([t, p]) => { location.hash = location.hash.replace(/&(theme|palette)=[^&]*/g, "") + `&theme=${t}&palette=${p}`; }, [theme, palette]);
    await sleep(400);
    b.check((await marked(page)) > 50, `what is selected is framed in the colours of ${theme}`);
    await b.picture(page, `map-change-${theme}-${width}`);
    await page.getByRole("radio", { name: "Hilbert square" }).click();
    await sleep(200);
    await b.picture(page, `map-hilbert-${theme}-${width}`);
    await page.getByRole("radio", { name: "Rows" }).click();
  }

  // A page among all that there is: a pin says where.
  await page.evaluate(() => { location.hash = "#tab=map"; });
  await select(page, hole + 1500 * PAGE);
  await page.focus(".map-canvas");
  await page.keyboard.press("Home");
  await sleep(500);
  const pin = await marked(page);
  b.check(pin > 15 && pin < 2500, `a pin of ${pin} pixels`);
  await b.picture(page, "map-pin");
  await page.context().close();
}

async function small(b) {
  const program = join(b.targets, "t_kinds32");
  if (!existsSync(program)) return console.log("no 32-bit target: gcc-multilib is not there");
  const folder = join(b.folder, "kinds32");
  mkdirSync(folder);
  const library = join(b.targets, "lib32", "target_lib.so");
  const { pid } = await b.target(program, [folder, library]);
  const page = await b.open(b.report(pid, "small"), { width: 1440, height: 900 });
  await page.click("#tab-map");
  await sleep(300);
  const ends = /from (0x[0-9a-f]+) to (0x[0-9a-f]+)/.exec(await page.getAttribute(".map-canvas", "aria-label"));
  b.equal(Number(ends[1]), 0, "a 32-bit space begins at 0");
  b.check(Number(ends[2]) <= 2 ** 32 && Number(ends[2]) > 2 ** 31, "and ends below 4 GiB: " + ends[2]);
  await b.picture(page, "map-32");
  const document = JSON.parse(b.run("show", pid, "--json"));
  const stack = document.regions.find((r) => r.kind === "stack");
  await select(page, Number(stack.address));
  b.check((await marked(page)) > 50, "its stack is framed");
  await b.picture(page, "map-32-stack");
  await page.context().close();
}

export default async function (b) {
  await compared(b);
  await small(b);
}
