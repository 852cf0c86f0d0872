// The address space from near, served live and in a report: single pages are as the target left them, chunks as vmmap at tells them, a click
// selects one; fingers zoom and move.
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { scan } from "../scan.mjs";

const PAGES = 96;
const NEAR = 200 << 10; // bytes in sight, of which chunks can be told apart
const TARGET = `
import ctypes, mmap
PAGES = ${PAGES}
area = mmap.mmap(-1, PAGES * 4096, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
apart = mmap.mmap(-1, 4096 * 7)
for i in range(PAGES):
    if i % 3 == 0: area[i * 4096] = 1
kept = [bytearray(80 + i % 900) for i in range(3000)]
kept = [k for i, k in enumerate(kept) if i % 3]
print(hex(ctypes.addressof(ctypes.c_char.from_buffer(area))), flush=True)
input()
`;

const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

async function span(page) {
  const ends = /from (0x[0-9a-f]+) to (0x[0-9a-f]+)/.exec(await page.getAttribute(".map-canvas", "aria-label"));
  return { from: Number(ends[1]), to: Number(ends[2]) };
}

/** Shows a stretch that begins at an address as large as it goes. */
async function goTo(b, page, address) {
  await page.focus(".map-canvas");
  await page.keyboard.press("Home");
  await sleep(400);
  for (const p of await scan(page, 40, 24)) {
    const found = /^(0x[0-9a-f]+)–(0x[0-9a-f]+)/.exec(p.text);
    if (!found || !(Number(found[1]) <= address && address < Number(found[2]))) continue;
    await page.mouse.dblclick(p.x, p.y);
    await sleep(500);
    return true;
  }
  return b.check(false, "the picture shows 0x" + address.toString(16));
}

/** The picture as SVG: its text, and what it shows at a point of the canvas: the rectangle drawn last, of those that hide what is below. */
async function saveSvg(page) {
  await page.click(".map-tools >> text=Save");
  const [file] = await Promise.all([page.waitForEvent("download"), page.click(".map-tools .menu-body >> text=Picture, SVG")]);
  const text = readFileSync(await file.path(), "utf8");
  const rects = [...text.matchAll(/<rect x="([\d.-]+)" y="([\d.-]+)" width="([\d.]+)" height="([\d.]+)" fill="(#[0-9a-f]{6})"\/>/g)]
    .map((m) => ({ x: Number(m[1]), y: Number(m[2]), width: Number(m[3]), height: Number(m[4]), fill: m[5] }));
  const box = await page.locator(".map-canvas").boundingBox();
  const at = (p) => rects.findLast((r) => r.x <= p.x - box.x && p.x - box.x < r.x + r.width && r.y <= p.y - box.y && p.y - box.y < r.y + r.height);
  return { text, at };
}

/** Of the pixels of both canvases the share that the SVG has in another colour; words are not drawn alike to the pixel. */
function otherPixels(page, svg) {
  return page.evaluate(async (text) => {
    const image = new Image();
    image.src = URL.createObjectURL(new Blob([text], { type: "image/svg+xml" }));
    await image.decode();
    const [ground, marks] = [".map-ground", ".map-canvas"].map((c) => document.querySelector(c));
    const { width, height } = ground;
    const drawn = (...layers) => {
      const canvas = document.createElement("canvas");
      Object.assign(canvas, { width, height });
      const c = canvas.getContext("2d");
      c.fillStyle = getComputedStyle(document.documentElement).getPropertyValue("--ground");
      c.fillRect(0, 0, width, height);
      for (const [layer, y] of layers) c.drawImage(layer, 0, y);
      return c.getImageData(0, 0, width, height).data;
    };
    const a = drawn([ground, 0], [marks, 0]);
    const b = drawn([image, -30]);
    let other = 0;
    for (let i = 0; i < a.length; i += 4) other += [0, 1, 2].some((k) => Math.abs(a[i + k] - b[i + k]) > 64);
    return other / (a.length / 4);
  }, svg);
}

/** The SVG has what the picture shows: each thing that was pointed at in the colour of its state, and all in all the same pixels. */
async function asSvg(b, page, seen, variable) {
  await page.mouse.move(5, 5);
  const { text, at } = await saveSvg(page);
  const colours = await page.evaluate(() => {
    const style = getComputedStyle(document.documentElement);
    return Object.fromEntries(["ground", "canvas", "page-present", "state-used", "state-free", "state-top", "state-meta"].map((id) => [id, style.getPropertyValue("--" + id).trim()]));
  });
  const box = await page.locator(".map-canvas").boundingBox();
  const pitch = Math.floor((box.height - 6) / Math.floor((box.height - 6) / 60));
  const inRow = ({ y }) => (y - box.y - 3) % pitch < pitch - 6; // between two rows the pointer finds what is next to it
  for (const [what, thing] of seen) if (inRow(thing)) b.equal(at(thing)?.fill, colours[variable(thing.state)], `${what}, ${thing.state}, in the SVG`);
  const other = await otherPixels(page, text);
  b.check(other < 0.03, `share of pixels that the SVG has otherwise: ${other}`);
}

/** Among the regions the row that holds what was picked is selected, and beside it stands what was picked; so too back here. */
async function amongRegions(b, page, address, within, words) {
  const told = () => page.waitForFunction((all) => all.every((w) => document.querySelector(".side .map-picked")?.textContent.includes(w)), [address, ...words])
    .then(() => true, () => false);
  await page.click("#tab-regions");
  await page.waitForSelector('[role="treegrid"] [aria-selected="true"]');
  if (!(await page.$(".side"))) await page.click(".tool:text-is('Details')");
  b.check(await told(), `beside the regions stands ${address}: ${await page.textContent(".side")}`);
  const row = await page.textContent('[role="treegrid"] [aria-selected="true"] [role="gridcell"]');
  const start = Number("0x" + /[0-9a-f]{8,16}/.exec(row)?.[0]);
  b.check(start <= Number(address) && start >= within, `the row that holds ${address} is selected: ${row}`);
  b.check(page.url().includes("selected=" + address), "what was picked stays selected: " + page.url());
  await b.picture(page, "map-picked-regions");
  await page.click("#tab-map");
  b.check(await told(), `back in the picture ${address} is still told of`);
  await page.click("#tab-regions");
  await page.locator('[role="treegrid"]').focus();
  await page.keyboard.press("ArrowDown");
  await page.waitForFunction((a) => !location.hash.includes("selected=" + a), address);
  b.equal(await page.locator(".map-picked").count(), 0, "another row has no page or chunk");
  await page.click("#tab-map");
}

async function pages(b, page, area, picture) {
  // The selection leads there, since nothing is as small as this in the whole picture.
  await page.evaluate((a) => { location.hash = "#tab=map&selected=" + a; }, "0x" + area.toString(16));
  await sleep(500);
  await goTo(b, page, area);
  await page.waitForSelector(".map-detail [data-state=present]");
  await b.picture(page, picture);
  const seen = new Map();
  for (const p of await scan(page, 24, 30)) {
    const found = /page (0x[0-9a-f]+): (.*?)( ·|$)/.exec(p.text);
    const i = found ? (Number(found[1]) - area) / 4096 : -1;
    if (found && i >= 0 && i < PAGES) seen.set(i, { state: found[2], ...p });
  }
  b.check(seen.size > 40, `pages that the picture tells of: ${seen.size}`);
  for (const [i, { state }] of seen) b.equal(state, i % 3 === 0 ? "resident" : "not there", `page ${i}`);
  await asSvg(b, page, seen, (state) => (state === "resident" ? "page-present" : "ground"));
  const [i, { x, y }] = [...seen][5];
  await page.mouse.click(x, y);
  const address = "0x" + (area + i * 4096).toString(16);
  b.check((await page.textContent(".map-picked")).includes(address), "a click on a page selects it");
  b.check(page.url().includes("selected=" + address), "the selected page is in the link");
  await amongRegions(b, page, address, area - 4096 * PAGES, ["Page, " + (i % 3 === 0 ? "resident" : "not there"), i % 3 === 0 ? "1 page," : "2 pages in a row"]);
}

async function chunks(b, page, pid, heap, picture) {
  await page.keyboard.press("Escape");
  await goTo(b, page, Number(heap.address) + 4096);
  for (let i = 0; i < 14 && (await span(page)).to - (await span(page)).from > NEAR; i++) {
    await page.keyboard.press("+");
    await sleep(450);
  }
  await page.waitForSelector(".map-detail [data-state=used]");
  await sleep(300);
  await b.picture(page, picture);
  const seen = new Map();
  for (const p of await scan(page, 20, 20)) {
    const found = /chunk (0x[0-9a-f]+): ([\d,]+) bytes, (\S+)/.exec(p.text);
    if (found) seen.set(found[1], { size: Number(found[2].replaceAll(",", "")), state: found[3], ...p });
  }
  b.check(seen.size > 10, `chunks that the picture tells of: ${seen.size}`);
  for (const [address, c] of [...seen].slice(0, 12)) {
    const [told] = JSON.parse(b.run("at", pid, address, "--json")).addresses;
    b.equal([c.size, c.state === "overhead" ? "meta" : c.state, address], [told.chunk?.size, told.chunk?.state, told.chunk?.address], "vmmap at " + address);
  }
  const looks = { used: "state-used", free: "state-free", cached: "state-free", fast: "state-free", top: "state-top", overhead: "state-meta", meta: "state-meta" };
  await asSvg(b, page, seen, (state) => looks[state] ?? "canvas");
  const [address, c] = [...seen].at(-1);
  await page.mouse.click(c.x, c.y);
  const panel = await page.textContent(".map-picked");
  b.check(panel.includes(address) && panel.includes(c.state) && panel.includes(c.size.toLocaleString("en-US")), `the panel shows the chunk ${address}: ${panel}`);
  await page.mouse.move(5, 5);
  await b.picture(page, picture + "-selected");
  await amongRegions(b, page, address, Number(heap.address), ["Chunk, " + c.state, c.size.toLocaleString("en-US")]);
}

async function fingers(b, url) {
  const page = await b.open(url, { hasTouch: true });
  await page.click("#tab-map");
  await sleep(300);
  const box = await page.locator(".map-canvas").boundingBox();
  const cdp = await page.context().newCDPSession(page);
  const touch = (type, ...places) => cdp.send("Input.dispatchTouchEvent", { type, touchPoints: places.map(([x, y], id) => ({ x: box.x + x, y: box.y + y, id })) });
  const whole = await span(page);
  await touch("touchStart", [500, 250], [560, 250]);
  for (let i = 1; i <= 10; i++) await touch("touchMove", [500 - 18 * i, 250], [560 + 18 * i, 250]);
  await touch("touchEnd");
  await sleep(300);
  const near = await span(page);
  b.check(near.from > whole.from && near.to < whole.to, `two fingers zoom: ${JSON.stringify(near)}`);
  b.check(!page.url().includes("selected"), "which selects nothing");
  await touch("touchStart", [600, 250]);
  for (let i = 1; i <= 8; i++) await touch("touchMove", [600 - 40 * i, 250]);
  await touch("touchEnd");
  await sleep(300);
  const on = await span(page);
  b.check(on.from > near.from && on.to > near.to, `one finger moves: ${JSON.stringify(on)}`);
  await page.context().close();
}

export default async function (b) {
  const { pid, line } = await b.target("python3", ["-u", "-c", TARGET], { env: { ...process.env, PYTHONMALLOC: "malloc" } });
  const document = JSON.parse(b.run("show", pid, "--json"));
  const heap = document.regions.find((r) => r.kind === "heap" && r.details === "glibc main arena");
  const server = spawn(b.vmmap, ["serve", String(pid)], { stdio: ["ignore", "pipe", "ignore"] });
  try {
    const url = await new Promise((done, fail) => {
      server.stdout.once("data", (text) => done(String(text).trim()));
      server.once("exit", () => fail(new Error("serve ended")));
    });
    const page = await b.open(url, { width: 1440, height: 900, offline: false });
    await page.click("#tab-map");
    await page.getByRole("button", { name: "Pause" }).click();
    await pages(b, page, Number(line.trim()), "map-pages");
    await chunks(b, page, pid, heap, "map-chunks");
    await page.context().close();
  } finally {
    server.kill("SIGINT");
  }
  const report = b.report(pid, "close");
  const page = await b.open(report, { width: 1440, height: 900 });
  await page.click("#tab-map");
  await pages(b, page, Number(line.trim()), "map-report-pages");
  await chunks(b, page, pid, heap, "map-report-chunks");
  await page.context().close();
  await fingers(b, report);
}
