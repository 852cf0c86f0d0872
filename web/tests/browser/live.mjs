// The page served live: a target that grows, is paused and looked at, and exits; the picker; what a refresh costs.
import { spawn } from "node:child_process";

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

/** vmmap serve; its address with the token. */
function serve(b, ...words) {
  const child = spawn(b.vmmap, ["serve", "--duty", "50", ...words.map(String)], { stdio: ["ignore", "pipe", "pipe"] });
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
    await page.click("#tab-time");
    await page.waitForSelector(".timechart canvas");
    b.equal(await page.getAttribute(".timechart", "aria-valuemax"), String(before + 5), "the chart has every snapshot");
    await page.locator(".timechart").focus();
    await page.keyboard.press("Shift+ArrowLeft");
    await page.waitForSelector(".change-panel");
    const now = before + 5;
    const diff = await document(page, `/api/diff?before=${now - 1}&after=${now}`);
    const change = diff.types.find((t) => t.kind === "total").change.rss;
    b.check((await page.textContent('.change-panel tr[data-kind="total"]'))?.includes("+" + kib(change)), "two neighbours are compared as the server says");
    await b.picture(page, "live-time");
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

/** Figures only: no test asserts a time. */
async function refreshes(b) {
  const target = await b.target("python3", ["-u", "-c", MANY]);
  const server = await serve(b, target.pid);
  const page = await b.open(server.url + "#tab=regions", { offline: false });
  try {
    const cdp = await page.context().newCDPSession(page);
    const sizes = [];
    await cdp.send("Network.enable");
    cdp.on("Network.eventSourceMessageReceived", (e) => e.eventName === "changes" && sizes.push(e.data.length));
    await page.click("text=Pause");
    await page.waitForSelector("text=paused");
    await cdp.send("Performance.enable");
    const measure = async () => Object.fromEntries((await cdp.send("Performance.getMetrics")).metrics.map((m) => [m.name, m.value]));
    const heap = async () => {
      await cdp.send("HeapProfiler.collectGarbage");
      return (await measure()).JSHeapUsedSize;
    };
    const rounds = Number(process.env.VMMAP_LIVE_ROUNDS ?? 12);
    const first = await snapshots(page);
    let [warm, from] = [0, await measure()];
    for (let i = 0; i < rounds; i++) {
      if (i === Math.floor(rounds / 3)) warm = await heap();
      if (i === Math.floor(rounds / 3)) from = await measure();
      await answer(target);
      await lookNow(page);
      await page.waitForFunction((n) => document.querySelector(".snapshots span")?.textContent.endsWith("of " + n.toLocaleString("en-US")), first + i + 1, { polling: 50 });
    }
    const to = await measure();
    const n = rounds - Math.floor(rounds / 3);
    sizes.sort((a, c) => a - c);
    console.log(`live: 5,000 regions, 1 % changed: ${(sizes[sizes.length >> 1] / 1024).toFixed(1)} KiB an update, ` +
      `${(((to.TaskDuration - from.TaskDuration) * 1000) / n).toFixed(1)} ms in the page (script ${(((to.ScriptDuration - from.ScriptDuration) * 1000) / n).toFixed(1)} ms), ` +
      `heap ${(warm / 1e6).toFixed(1)} -> ${((await heap()) / 1e6).toFixed(1)} MB after ${n} more`);
    b.check(sizes.length > 0, "updates come as changes");
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

export default async function (b) {
  await growing(b);
  await picker(b);
  await refreshes(b);
}
