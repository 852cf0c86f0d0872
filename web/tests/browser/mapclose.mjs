// The address space from near, served live and in a report: single pages are as the target left them, chunks as vmmap at tells them, a click
// selects one; fingers zoom and move.
import { spawn } from "node:child_process";
import { scan } from "../scan.mjs";

const PAGES = 96;
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
  const [i, { x, y }] = [...seen][5];
  await page.mouse.click(x, y);
  b.check((await page.textContent(".map-picked")).includes("0x" + (area + i * 4096).toString(16)), "a click on a page selects it");
  b.check(page.url().includes("selected=0x" + (area + i * 4096).toString(16)), "the selected page is in the link");
}

async function chunks(b, page, pid, heap, picture) {
  await page.keyboard.press("Escape");
  await goTo(b, page, Number(heap.address) + 4096);
  for (let i = 0; i < 14 && !(await page.locator(".map-detail [data-state=used]").count()); i++) {
    await page.keyboard.press("+");
    await sleep(450);
  }
  for (let i = 0; i < 3; i++) await page.keyboard.press("+");
  await sleep(700);
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
  const [address, c] = [...seen].at(-1);
  await page.mouse.click(c.x, c.y);
  const panel = await page.textContent(".map-picked");
  b.check(panel.includes(address) && panel.includes(c.state) && panel.includes(c.size.toLocaleString("en-US")), `the panel shows the chunk ${address}: ${panel}`);
  await page.mouse.move(5, 5);
  await b.picture(page, picture + "-selected");
}

async function span(page) {
  const ends = /from (0x[0-9a-f]+) to (0x[0-9a-f]+)/.exec(await page.getAttribute(".map-canvas", "aria-label"));
  return { from: Number(ends[1]), to: Number(ends[2]) };
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
