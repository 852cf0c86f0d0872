// The page served live: a target that grows, is paused and looked at, and exits; the picker; what a refresh costs.
import { spawn } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const GROWS = `
import mmap, sys
kept = []
print("ready", flush=True)
for line in sys.stdin:
    area = mmap.mmap(-1, 3 << 20, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    area.write(b"x" * (1 << 20))
    kept.append(area)
    print("grown", flush=True)
`;
// Regions that stay apart: every other page of a large area may not be written to.
const MANY = `
import ctypes, mmap, sys
libc = ctypes.CDLL(None, use_errno=True)
area = mmap.mmap(-1, 5000 * 8192, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
base = ctypes.addressof(ctypes.c_char.from_buffer(area))
for i in range(5000): libc.mprotect(ctypes.c_void_p(base + i * 8192), 4096, mmap.PROT_READ)
print("ready", flush=True)
at = 0
for line in sys.stdin:
    for i in range(50): area[(at * 50 + i) % 5000 * 8192 + 4096] = 1
    at += 1
    print("done", flush=True)
`;

// Regions that come below others: neighbours of different protection stay apart.
const APART = `
import mmap, sys
kept = []
print("ready", flush=True)
for line in sys.stdin:
    for prot in (mmap.PROT_READ, mmap.PROT_READ | mmap.PROT_WRITE):
        kept.append(mmap.mmap(-1, 64 << 10, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, prot=prot))
    print("grown", flush=True)
`;

/** vmmap serve; its address with the token. */
export function serve(b, ...words) {
  return serveIn(b, {}, ...words);
}

function serveIn(b, environment, ...words) {
  const child = spawn(b.vmmap, ["serve", "--duty", "50", ...words.map(String)], { stdio: ["ignore", "pipe", "pipe"], env: { ...process.env, ...environment } });
  return new Promise((done, fail) => {
    child.once("error", fail);
    child.once("exit", (status) => fail(new Error(`vmmap serve ended: ${status}`)));
    child.stdout.once("data", (line) => done({ url: String(line).split("\n")[0], end: () => child.kill("SIGTERM") }));
  });
}

function answer(target) {
  const said = new Promise((done) => target.child.stdout.once("data", done));
  target.child.stdin.write("\n");
  return said;
}

// A look that was under way when Pause was pressed may come besides.
const shownOf = (page, n) => page.waitForFunction((least) =>
  Number(/of ([\d,]+)$/.exec(document.querySelector(".snapshots span")?.textContent ?? "")?.[1]?.replaceAll(",", "") ?? 1) >= least, n);
const lookNow = (page) => page.click("text=Look now");

async function snapshots(page) {
  return Number(/of (\d+)/.exec((await page.textContent(".snapshots span").catch(() => "")) ?? "")?.[1] ?? 1);
}

async function document(page, path) {
  return page.evaluate(async (p) => (await fetch(p)).json(), path);
}

const kib = (n) => Math.round(n / 1024).toLocaleString("en-US");

/** What the page shows after changes is what a whole document says. */
async function sameAsWhole(b, page, what) {
  const whole = await document(page, "/api/snapshot?n=last");
  await page.click("#tab-overview");
  await page.waitForFunction((t) => document.querySelector('tr[data-kind="total"]')?.textContent.includes(t), kib(whole.summary.total.rss), { timeout: 10000 });
  await page.click("#tab-regions");
  await page.waitForSelector('[role="treegrid"]');
  const status = await page.textContent(".grid-status span");
  b.equal(status, whole.regions.rows.toLocaleString("en-US") + " regions", `${what}: as many regions as in the whole document`);
}

/** Drawn along the areas: the whole page shows what the server says of the two, also when a newer snapshot comes. */
async function compareLive(b, page, target, last) {
  await page.locator(".timechart").focus();
  await page.keyboard.press("Escape");
  const box = await page.locator(".timechart .u-over").boundingBox();
  await page.mouse.move(box.x + 1, box.y + 50);
  await page.mouse.down();
  await page.mouse.move(box.x + box.width - 2, box.y + 60, { steps: 5 });
  await page.mouse.up();
  await page.waitForFunction((pair) => location.hash.includes("compare=" + pair), `1..${last}`);
  await answer(target);
  await lookNow(page);
  await page.waitForFunction((n) => document.querySelector(".snapshots")?.textContent.endsWith("of " + n), last + 1);
  const diff = await document(page, `/api/diff?before=1&after=${last}`);
  await page.click("#tab-regions");
  await page.waitForSelector('[role="treegrid"]');
  b.equal(await page.textContent(".grid-status span"), `${diff.regions.length.toLocaleString("en-US")} regions that changed`, "regions that changed, as the server says");
  await page.click("#tab-overview");
  const change = diff.types.find((t) => t.kind === "total").change.rss;
  b.equal(await page.getAttribute('.change-bars [data-measure="rss"] .bar-total', "title"), `+${kib(change)} KiB`, "bars of what changed");
  await page.click("#tab-heaps");
  await page.waitForFunction(() => /are those of now/.test(document.querySelector(".heap-picture .picture-head")?.textContent));
  b.check(await page.isHidden(".heap-picture canvas"), "there is no empty picture of chunks that cannot be had any more");
  b.check(await page.isHidden(".message"), "and the reason stands in its place alone");
  await page.click("#tab-time");
  await page.waitForSelector(".change-panel");
}

async function growing(b) {
  const target = await b.target("python3", ["-u", "-c", GROWS]);
  const server = await serve(b, target.pid);
  const page = await b.open(server.url, { offline: false });
  try {
    await page.click("text=Pause");
    await page.waitForSelector("text=paused");
    const before = await snapshots(page);
    await answer(target);
    await lookNow(page);
    await page.waitForFunction((n) => document.querySelector(".snapshots span")?.textContent.endsWith("of " + n), before + 1);
    for (let i = 0; i < 4; i++) {
      await answer(target);
      await lookNow(page);
      await page.waitForFunction((n) => document.querySelector(".snapshots span")?.textContent.endsWith("of " + n), before + 2 + i);
    }
    await sameAsWhole(b, page, "a target that grew");
    const kept = await snapshots(page);
    await page.selectOption(".live-growth label select", "5");
    await page.waitForSelector("text=paused, but on growth");
    await answer(target);
    await shownOf(page, kept + 1);
    await page.selectOption('[aria-label="Growth of"]', "committed");
    b.equal((await document(page, "/api/info")).growth, { measure: "committed", percent: 5 }, "growth of what was chosen is looked for");
    await b.picture(page, "live-growth");
    await page.selectOption(".live-growth label select", "0");
    await page.waitForFunction(() => document.querySelector(".live .badge")?.textContent === "paused");
    await page.click("#tab-time");
    await page.waitForSelector(".timechart canvas");
    b.equal(await page.getAttribute(".timechart", "aria-valuemax"), String(await snapshots(page)), "the chart has every snapshot");
    await page.locator(".timechart").focus();
    await page.keyboard.press("Shift+ArrowLeft");
    await page.waitForSelector(".change-panel");
    const now = await snapshots(page);
    const diff = await document(page, `/api/diff?before=${now - 1}&after=${now}`);
    const change = diff.types.find((t) => t.kind === "total").change.rss;
    b.check((await page.textContent('.change-panel tr[data-kind="total"]'))?.includes("+" + kib(change)), "two neighbours are compared as the server says");
    b.equal(await page.textContent(".snapshots"), `snapshots ${now - 1} → ${now} of ${now}`, "the header names both");
    await b.picture(page, "live-time");
    await compareLive(b, page, target, now);
    await page.click("text=Stop comparing");
    target.child.kill("SIGKILL");
    await page.click("text=Go on");
    await page.waitForSelector(".live .badge.bad", { timeout: 15000 });
    b.check(/exit|gone|ended|no longer/i.test(await page.textContent(".live .badge.bad")), "it is said that the target is gone: " + (await page.textContent(".live .badge.bad")));
    b.check((await page.textContent('.timelegend .sum'))?.includes("Total"), "what was seen stays");
    await b.picture(page, "live-gone");
  } finally {
    await page.context().close();
    server.end();
  }
}

/** What is selected, open and scrolled to stays through a refresh that numbers the rows anew. */
async function selection(b) {
  const target = await b.target("python3", ["-u", "-c", APART]);
  const server = await serve(b, target.pid);
  const page = await b.open(server.url + "#tab=regions", { offline: false });
  try {
    await page.click("text=Pause");
    await page.waitForSelector("text=paused");
    await page.waitForSelector('.grid-row[aria-expanded="false"]');
    const before = await snapshots(page);
    await page.locator('[role="treegrid"]').focus();
    await page.keyboard.press("End");
    await page.keyboard.press("ArrowUp");
    await page.keyboard.press("ArrowUp");
    await page.keyboard.press("Shift+ArrowUp");
    await page.locator('.grid-row[aria-expanded="false"]').last().locator(".grid-toggle").click();
    const state = () => page.evaluate(() => ({
      selected: [...document.querySelectorAll('.grid-row[aria-selected="true"]')].map((r) => r.textContent.match(/[0-9a-f]{9,16}/)?.[0]).sort(),
      cursor: document.querySelector(".grid-row.active")?.textContent.match(/[0-9a-f]{9,16}/)?.[0],
      open: [...document.querySelectorAll('.grid-row[aria-expanded="true"]')].map((r) => r.textContent.match(/[0-9a-f]{9,16}/)?.[0]).sort(),
      scrolled: document.querySelector('[role="treegrid"]').scrollTop,
    }));
    const was = await state();
    const rows = await page.getAttribute('[role="treegrid"]', "aria-rowcount");
    b.equal([was.selected.length, was.open.length, was.scrolled > 0], [2, 1, true], "two rows are selected, one is open, the table is scrolled");
    await answer(target);
    await lookNow(page);
    await shownOf(page, before + 1);
    await page.waitForFunction((n) => document.querySelector('[role="treegrid"]').getAttribute("aria-rowcount") !== n, rows);
    b.equal((await state()).scrolled, was.scrolled, "a refresh leaves the table where it was scrolled to");
    b.check((await page.textContent(".grid-status")).includes("2 rows selected"), "as many rows are selected as before");
    await page.evaluate(() => { const e = document.querySelector('[role="treegrid"]'); e.scrollTop = e.scrollHeight; });
    await page.waitForFunction(() => document.querySelectorAll('.grid-row[aria-selected="true"]').length === 2);
    b.equal({ ...(await state()), scrolled: 0 }, { ...was, scrolled: 0 }, "the same regions are selected and open, though their rows have other numbers");
    await b.picture(page, "live-selection");
  } finally {
    await page.context().close();
    server.end();
  }
}

/**
 * Presses Look now and waits until the page has shown what came, from within: a mouse on its way there, or a question in each frame,
 * costs as much as the refresh. The button is disabled until the look before was answered, which may be after its event.
 */
function lookInPage(page, number) {
  return page.evaluate((least) => new Promise((done) => {
    const button = () => [...globalThis.document.querySelectorAll(".live button")].find((e) => e.textContent === "Look now" && !e.disabled);
    const shown = () => Number(/of ([\d,]+)$/.exec(globalThis.document.querySelector(".snapshots span")?.textContent ?? "")?.[1]?.replaceAll(",", "") ?? 1) >= least;
    let pressed = false;
    const step = () => {
      if (!pressed && button()) {
        pressed = true;
        button().click();
      }
      if (!pressed || !shown()) return;
      watch.disconnect();
      requestAnimationFrame(() => setTimeout(done));
    };
    const watch = new MutationObserver(step);
    watch.observe(globalThis.document.querySelector(".header"), { subtree: true, childList: true, characterData: true, attributes: true });
    step();
  }), number);
}

/** Figures only: no test asserts a time. Processor time of the page's own thread, whatever else the machine does. */
async function refreshes(b, tab, rounds) {
  const target = await b.target("python3", ["-u", "-c", MANY]);
  const server = await serve(b, target.pid);
  const page = await b.open(server.url + "#tab=" + tab, { offline: false });
  try {
    const cdp = await page.context().newCDPSession(page);
    const sizes = [];
    await cdp.send("Network.enable");
    cdp.on("Network.eventSourceMessageReceived", (e) => e.eventName === "changes" && sizes.push(e.data.length));
    await page.click("text=Pause");
    await page.waitForSelector("text=paused");
    await cdp.send("Performance.enable", { timeDomain: "threadTicks" });
    const measure = async () => Object.fromEntries((await cdp.send("Performance.getMetrics")).metrics.map((m) => [m.name, m.value]));
    const heap = async () => {
      await cdp.send("HeapProfiler.collectGarbage");
      return (await measure()).JSHeapUsedSize;
    };
    const median = (all) => [...all].sort((a, c) => a - c)[all.length >> 1] ?? NaN;
    const first = await snapshots(page);
    const cold = Math.floor(rounds / 3);
    const costs = [];
    let warm = 0;
    for (let i = 0; i < rounds; i++) {
      if (i === cold) warm = await heap();
      await answer(target);
      const from = await measure();
      await lookInPage(page, first + i + 1);
      const to = await measure();
      if (i >= cold) costs.push({ all: (to.TaskDuration - from.TaskDuration) * 1000, script: (to.ScriptDuration - from.ScriptDuration) * 1000 });
    }
    console.log(`live: ${tab}, 5,000 regions, 1 % changed: ${(median(sizes) / 1024).toFixed(1)} KiB an update, ` +
      `${median(costs.map((c) => c.all)).toFixed(1)} ms of processor time in the page (script ${median(costs.map((c) => c.script)).toFixed(1)} ms; medians), ` +
      `heap ${(warm / 1e6).toFixed(1)} -> ${((await heap()) / 1e6).toFixed(1)} MB after ${costs.length} more`);
    b.check(sizes.length > 0, "updates come as changes");
    b.check(median(sizes) <= 50 << 10, `an update is ${median(sizes)} bytes long`);
    await sameAsWhole(b, page, "5,000 regions");
  } finally {
    await page.context().close();
    server.end();
  }
}

async function picker(b) {
  const target = await b.target("python3", ["-u", "-c", GROWS]);
  const server = await serve(b);
  const page = await b.open(server.url, { offline: false });
  try {
    await page.waitForSelector("#process-rows tr");
    await b.picture(page, "live-picker");
    await page.fill('[aria-label="Find a process"]', String(target.pid));
    await page.keyboard.press("ArrowDown");
    await page.keyboard.press("Home");
    await page.waitForFunction((pid) => document.querySelector('#process-rows tr[aria-selected="true"]')?.dataset.pid === pid, String(target.pid));
    await page.keyboard.press("Enter");
    await page.waitForFunction((pid) => document.querySelector(".pid")?.textContent === "PID " + pid, target.pid);
    b.check((await page.getAttribute("#tab-overview", "aria-selected")) === "true", "the process that was picked is shown");
  } finally {
    await page.context().close();
    server.end();
  }
}

/** Drops one file on the page: (name, bytes). */
function dropper(page) {
  return (name, bytes) => page.evaluate(([n, all]) => {
    const data = new DataTransfer();
    data.items.add(new File([Uint8Array.from(atob(all), (c) => c.charCodeAt(0))], n));
    globalThis.document.body.dispatchEvent(new DragEvent("drop", { bubbles: true, cancelable: true, dataTransfer: data }));
  }, [name, bytes.toString("base64")]);
}

/** Files that are chosen or dropped are opened by the server; one that is none leaves what is shown. */
async function files(b) {
  const target = await b.target("python3", ["-u", "-c", GROWS]);
  const session = join(b.folder, "dropped.vmmap");
  const smaps = join(b.folder, "dropped.smaps");
  b.run("save", target.pid, "-o", session);
  writeFileSync(smaps, readFileSync(`/proc/${target.pid}/smaps`));
  const server = await serve(b);
  const page = await b.open(server.url, { offline: false, expected: /status of 422/ });
  const drop = dropper(page);
  const title = async () => (await document(page, "/api/info")).title;
  try {
    await page.waitForSelector("#process-rows tr");
    const chooser = page.waitForEvent("filechooser");
    await page.focus("text=Open a file…");
    await page.keyboard.press("Enter");
    await (await chooser).setFiles(smaps);
    await page.waitForSelector('tr[data-kind="total"]');
    b.equal(await title(), "dropped.smaps", "the file that was chosen is shown");
    await drop("notes.txt", Buffer.from("no target at all"));
    await page.waitForFunction(() => globalThis.document.querySelector(".message")?.textContent.startsWith("notes.txt: the file is no core"));
    b.equal(await title(), "dropped.smaps", "what was shown stays");
    await drop("dropped.vmmap", readFileSync(session));
    await page.waitForFunction((pid) => globalThis.document.querySelector(".pid")?.textContent === "PID " + pid, target.pid);
    b.equal(await title(), "dropped.vmmap", "the session that was dropped is shown");
    const whole = await document(page, "/api/snapshot?n=last");
    await page.waitForFunction((t) => globalThis.document.querySelector('tr[data-kind="total"]')?.textContent.includes(t), kib(whole.summary.total.rss));
    b.check(await page.locator(".message").isHidden(), "no message is left");
    await drop("shown.json", Buffer.from(b.run("show", session, "--json")));
    await page.waitForSelector("#tab-processes", { state: "detached" });
    await drop("dropped.vmmap", readFileSync(session));
    await page.waitForSelector("#tab-processes");
    await cancelled(b, page, drop);
  } finally {
    await page.context().close();
    server.end();
  }
}

/** While a file goes a strip tells so; cancelled, it leaves everything as it was. */
async function cancelled(b, page, drop) {
  let reached;
  const held = new Promise((done) => { reached = done; });
  await page.click("#tab-processes");
  await page.route("**/api/file*", () => reached()); // it never gets on
  await drop("large.core", Buffer.alloc(1 << 20, 1));
  await held;
  await page.waitForSelector(".sending progress");
  b.check((await page.textContent(".sending")).includes("large.core"), "the file that goes is named");
  await b.picture(page, "live-sending");
  await page.click(".sending button");
  await page.waitForSelector(".sending", { state: "detached" });
  b.equal((await document(page, "/api/info")).title, "dropped.vmmap", "what was shown stays when another is cancelled");
  b.check(await page.locator(".message").isHidden(), "cancelling is no error");
}

/** Where a file cannot be kept, the page tells why and what helps, however much of it was to come. */
async function noRoom(b) {
  const server = await serveIn(b, { TMPDIR: "/nonexistent" });
  const page = await b.open(server.url, { offline: false, expected: /status of 507/ });
  try {
    await page.waitForSelector("#process-rows tr");
    await dropper(page)("large.core", Buffer.alloc(16 << 20, 1));
    await page.waitForSelector(".message:not([hidden])");
    b.equal(await page.textContent(".message"), "no temporary file in /nonexistent: No such file or directory; set TMPDIR to a folder that can be written", "why a file cannot be kept");
  } finally {
    await page.context().close();
    server.end();
  }
}

export default async function (b) {
  await growing(b);
  await picker(b);
  await files(b);
  await noRoom(b);
  await selection(b);
  const rounds = Number(process.env.VMMAP_LIVE_ROUNDS ?? 9);
  for (const tab of ["overview", "regions", "map"]) await refreshes(b, tab, rounds);
}
