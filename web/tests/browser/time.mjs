// A recorded session: the areas are the timeline's own numbers; pressing shows a snapshot, drawing along compares two, and
// everything goes by keyboard.
import { copyFileSync, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { findings } from "./access.mjs";
import { serve } from "./live.mjs";

const GROWS = `
import mmap, resource, sys, threading
kept = []
print("ready", flush=True)
for line in sys.stdin:
    kept.append(bytearray(1 << 20))
    area = mmap.mmap(-1, 2 << 20, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    area.write(b"x" * (1 << 20))
    kept.append(area)
    if len(kept) == 4: threading.Thread(target=threading.Event().wait, daemon=True).start()
    if len(kept) == 8: resource.setrlimit(resource.RLIMIT_MEMLOCK, (32768, resource.getrlimit(resource.RLIMIT_MEMLOCK)[1]))
    if len(kept) == 14: kept.pop(1).close()
    print("grown", flush=True)
`;
const STEPS = 9;

function grow({ child }) {
  const grown = new Promise((done, fail) => {
    child.stdout.once("data", done);
    child.once("exit", () => fail(new Error("the target ended")));
  });
  child.stdin.write("\n");
  return grown;
}

/** One snapshot for each step of the target; a file of its own, so that times do not matter. */
async function record(b, file) {
  const { pid, child } = await b.target("python3", ["-u", "-c", GROWS]);
  for (let i = 0; i < STEPS; i++) {
    b.run("record", pid, "-o", file, ...(i ? ["--append"] : []), "--every", "100ms", "--for", "50ms");
    await grow({ child });
  }
}

const kib = (n) => (n === 0 ? "-" : n === null ? "?" : Math.round(n / 1024) === 0 ? "<1" : Math.round(n / 1024).toLocaleString("en-US"));

async function legend(page) {
  return page.$$eval(".timelegend tbody tr", (rows) => Object.fromEntries(rows.map((r) => [r.dataset.kind ?? "total", r.querySelector("td").textContent])));
}

/** Middle of the snapshot's tick on the chart, in pixels of the page. */
async function place(page, timeline, i) {
  const box = await page.locator(".timechart .u-over").boundingBox();
  const times = timeline.looks.map((l) => Date.parse(l.taken_at));
  const share = (times[i] - times[0]) / (times.at(-1) - times[0]);
  return { x: box.x + share * (box.width - 1), y: box.y + box.height / 2 };
}

const header = (page) => page.textContent(".snapshots span");

async function pressAndDraw(b, page, timeline) {
  const third = await place(page, timeline, 2);
  await page.mouse.click(third.x, third.y);
  await page.waitForFunction(() => document.querySelector(".snapshots span")?.textContent.startsWith("snapshot 3 "));
  await page.mouse.move(5, 5);
  const expected = Object.fromEntries([...timeline.rows.map((r) => [r.kind, kib(r.values[2])]), ["total", kib(timeline.total.values[2])]]);
  b.equal(Object.entries(await legend(page)).sort(), Object.entries(expected).sort(), "the legend has the timeline's numbers of the snapshot that was pressed");
  const last = await place(page, timeline, timeline.looks.length - 1);
  const first = await place(page, timeline, 0);
  await page.mouse.move(first.x + 1, first.y);
  await page.mouse.down();
  await page.mouse.move(last.x - 60, last.y, { steps: 4 });
  await page.mouse.move(last.x - 1, last.y, { steps: 4 });
  await b.picture(page, "time-drawing");
  await page.mouse.up();
  await page.waitForSelector(".compare-strip");
}

/** What vmmap diff says of the two, in the page's table. */
async function compared(b, page, file, before, after) {
  const diff = JSON.parse(b.run("diff", `${file}@${before}`, `${file}@${after}`, "--json"));
  await page.waitForSelector(".change-panel");
  const shown = await page.$$eval(".change-panel tbody tr", (rows) => rows.map((r) => [r.dataset.kind, ...[...r.querySelectorAll("td")].map((c) => c.textContent)]));
  const sign = (n) => (n === 0 ? "-" : n === null ? "?" : (n > 0 ? "+" : "−") + kib(Math.abs(n)));
  const expected = diff.types.map((t) => [t.kind ?? "total", kib(t.before.rss), kib(t.after.rss), sign(t.change.rss)]);
  for (const row of expected) b.equal(shown.find((r) => r[0] === row[0]), row, `change of ${row[0]} between ${before} and ${after} is what vmmap diff says`);
  b.check(expected.length > 2 && shown.length === expected.length, `all ${expected.length} types that vmmap diff lists are there: ${shown.length}`);
}

const signed = (n) => (n === 0 ? "-" : n === null ? "?" : (n > 0 ? "+" : "−") + kib(Math.abs(n)));

/** Rows of a table: what names each, and its cells. */
function rowsOf(page, selector, key) {
  return page.$$eval(selector + " tbody tr",
    (rows, name) => rows.map((r) => [r.dataset[name] ?? r.querySelector("th").textContent, ...[...r.querySelectorAll("td")].map((c) => c.textContent)]), key);
}

async function accountsCompared(b, page, diff) {
  const accounts = diff.identities.filter((a) => a.sum.change !== null || a.kernel.change !== null);
  b.equal(await rowsOf(page, ".accounts", "account"), accounts.map((a) => [a.id, ...["sum", "kernel", "remainder"].map((id) => signed(a[id].change))]), "accounts are signed");
  b.check(accounts.some((a) => a.kernel.change > 0), "some account changed");
}

/** Accounts, limits, threads and images of the overview: what vmmap diff says of them, and nothing of one side as it is. */
async function owners(b, page, diff) {
  await accountsCompared(b, page, diff);
  const limits = await rowsOf(page, ".limits", "limit");
  b.equal(limits.map((l) => l[0]), diff.limits.map((l) => l.id), "limits that changed are listed");
  const as = diff.limits.find((l) => l.id === "as");
  b.equal(limits.find((l) => l[0] === "as")?.[1], signed(as.used.change), "with what is used of them");
  b.equal(limits.find((l) => l[0] === "memlock")?.[3].replace(/^.* → /, ""), "32 KiB", "and with what they are now");
  const threads = await rowsOf(page, '[aria-label="Threads that changed"]', "none");
  b.equal(threads.filter((t) => t[2] === "new" || t[2] === "gone").map((t) => [Number(t[0]), t[2]]), diff.threads.map((t) => [t.tid, t.state]), "threads that came or went");
  for (const t of diff.threads.filter((x) => x.state === "new")) {
    const stack = diff.regions.find((r) => r.tid === t.tid && r.kind === "stack");
    const row = threads.find((r) => Number(r[0]) === t.tid);
    b.equal(row?.slice(3), [stack.is.address, signed(stack.change.size), signed(stack.change.rss)], "a new thread has its stack's numbers");
  }
  b.check(diff.threads.some((t) => t.state === "new"), "some thread is new");
  const images = await rowsOf(page, '[aria-label="Modules that changed"]', "none");
  b.equal(images.map((m) => m[2]).sort(), diff.regions.filter((r) => r.kind === "image").map((r) => r.is.address).sort(), "images whose memory changed");
}

/** Every view shows the two: header, bars, types, regions, and what is saved. */
async function wholePage(b, page, file, before, after, count) {
  const diff = JSON.parse(b.run("diff", `${file}@${before}`, `${file}@${after}`, "--json"));
  const total = diff.types.find((t) => t.kind === "total");
  b.equal(await page.textContent(".snapshots"), `snapshots ${before} → ${after} of ${count}`, "the header names both");
  await page.click("#tab-overview");
  for (const id of ["committed", "private", "rss"]) {
    const shown = await page.getAttribute(`.change-bars [data-measure="${id}"] .bar-total`, "title");
    b.equal(shown, (total.change[id] === 0 ? "0" : signed(total.change[id])) + " KiB", `the bar of ${id} has the change of the total`);
    const kinds = await page.$$eval(`.change-bars [data-measure="${id}"] .segment`, (all) => all.map((s) => s.dataset.kind).sort());
    const apart = ["total", "page_table", "unusable", "free"];
    b.equal(kinds, diff.types.filter((t) => t.change[id] && !apart.includes(t.kind)).map((t) => t.kind).sort(), `each kind whose ${id} changed has a segment`);
  }
  const heap = diff.types.find((t) => t.kind === "heap");
  b.equal(await page.$$eval('.types-table tr[data-kind="heap"] td', (cells) => cells.slice(0, 4).map((c) => c.textContent)),
    ["size", "committed", "private", "rss"].map((id) => signed(heap.change[id])), "the table of types is signed");
  await owners(b, page, diff);
  await b.picture(page, "time-compare-overview");
  await page.click("#tab-regions");
  await page.waitForSelector('[role="treegrid"]');
  b.equal(await page.textContent(".grid-status span"), `${diff.regions.length.toLocaleString("en-US")} regions that changed`, "all regions that changed are listed");
  const first = await page.textContent('[role="treegrid"] [role="row"][data-index="0"]');
  b.check(first.includes(diff.regions[0].state) && first.includes(signed(diff.regions[0].change.rss)), `the first is what changed most: ${first}`);
  await b.picture(page, "time-compare-regions");
  await page.click("#tab-heaps");
  await page.waitForSelector(".heap-changes tbody tr");
  const heaps = await page.$$eval(".heap-changes tbody tr", (rows) => rows.map((r) => [r.dataset.heap, ...[...r.querySelectorAll("td")].slice(0, 3).map((c) => c.textContent)]));
  b.equal(heaps.sort(), diff.heaps.map((h) => [h.id, h.state, signed(h.change.size), signed(h.change.rss)]).sort(), "heaps are signed");
  await b.picture(page, "time-compare-heaps");
  await page.click("#tab-map");
  await page.waitForTimeout(200);
  await b.picture(page, "time-compare-map");
  await page.click("#tab-time");
  await page.waitForSelector(".change-panel");
  const [csv] = await Promise.all([page.waitForEvent("download"), page.click(".change-panel >> text=Save").then(() => page.click(".change-panel .menu-body >> text=CSV"))]);
  const lines = readFileSync(await csv.path(), "utf8").trim().split("\n");
  b.equal(lines.length - 1, diff.regions.length, "the CSV has a line for each region that changed");
  const place = lines[0].split(",").indexOf("rss");
  b.equal(lines.slice(1).map((l) => l.split(",")[place]), diff.regions.map((r) => String(r.change.rss ?? "")), "with its change in bytes");
}

/** The areas as pictures: SVG that holds every kind, PNG that is one. */
async function pictures(b, page, timeline) {
  const save = async (word) => {
    await page.click(".time .panel:first-child header >> text=Save");
    const [file] = await Promise.all([page.waitForEvent("download"), page.click(`.time .menu-body >> text=${word}`)]);
    return file;
  };
  const svg = await save("Picture, SVG");
  b.check(/^python3-\d+-timeline-rss\.svg$/.test(svg.suggestedFilename()), "the picture has a name: " + svg.suggestedFilename());
  const text = readFileSync(await svg.path(), "utf8");
  for (const row of timeline.rows) b.check(text.includes(`>${row.label}<`), `${row.label} is in the picture`);
  const png = await save("Picture, PNG");
  b.equal([...readFileSync(await png.path()).subarray(1, 4)], [...Buffer.from("PNG")], "the other one is a PNG");
  copyFileSync(await png.path(), join(b.pictures, "time-saved.png"));
}

/** No serious finding of axe-core, in each of the looks. */
async function accessible(b, url) {
  for (const [look, dark] of [["", false], ["", true], ["&palette=safe", false], ["&palette=safe", true]])
    for (const [view, ready] of [["tab=time", ".timechart canvas"], ["tab=time&compare=1..5", ".change-panel"], ["compare=1..5", ".change-bars"]]) {
      const page = await b.open(`${url}#${view}${look}`, { dark, bypassCSP: true, height: 1100 });
      await page.waitForSelector(ready);
      await page.addScriptTag({ path: b.axe });
      const bad = await findings(page);
      const name = `${view} ${dark ? "dark" : "light"}${look}`;
      b.check(bad.length === 0, `${name}:\n    ${bad.join("\n    ")}`);
      await b.picture(page, "time-look-" + name.replace(/[^a-z0-9]+/g, "-"));
      await page.context().close();
    }
}

/** The same session served: the server is asked for what differs, and for the other target's timeline. */
async function servedTargets(b, file, first, second) {
  const server = await serve(b, file);
  const page = await b.open(server.url, { offline: false });
  try {
    await page.waitForFunction((text) => document.querySelector(".pid")?.textContent === text, "PID " + second);
    await page.selectOption(".targets select", "1");
    await page.waitForFunction((text) => document.querySelector(".pid")?.textContent === text, "PID " + first);
    await page.click("#tab-time");
    await page.waitForSelector(".timechart canvas");
    b.equal(await page.getAttribute(".timechart", "aria-valuemax"), "3", "served, the areas are of the target's snapshots");
    await page.locator(".timechart").focus();
    await page.keyboard.press("Shift+ArrowLeft");
    await page.waitForSelector(".compare-strip");
    await compared(b, page, file, 3, 4);
    await page.click("#tab-overview");
    await accountsCompared(b, page, JSON.parse(b.run("diff", `${file}@3`, `${file}@4`, "--json")));
  } finally {
    await page.context().close();
    server.end();
  }
}

/** Two targets in one session: the last one is shown, the other by the chooser; the link keeps it, back goes back. */
async function twoTargets(b, folder) {
  const file = join(folder, "two.vmmap");
  const [one, two] = [await b.target("python3", ["-u", "-c", GROWS]), await b.target("python3", ["-u", "-c", GROWS])];
  for (const [i, t] of [one, two, one, one, two].entries()) {
    b.run("save", t.pid, "-o", file, ...(i ? ["--append"] : []));
    await grow(t);
  }
  const page = await b.open(b.report(file, "two"));
  const pid = () => page.textContent(".pid");
  const shows = (n) => page.waitForFunction((text) => document.querySelector(".pid")?.textContent === text, "PID " + n);
  await shows(two.pid);
  b.equal(await header(page), "snapshot 5 (2 of 2)", "only its own snapshots count");
  b.equal(await page.$$eval(".targets option", (all) => all.map((o) => o.textContent)),
    [`python3 ${one.pid}, 3 snapshots`, `python3 ${two.pid}, 2 snapshots`], "both targets can be chosen");
  await page.selectOption(".targets select", "1");
  await shows(one.pid);
  b.equal(await header(page), "snapshot 4 (3 of 3)", "the other's last snapshot");
  b.check(page.url().includes("target=1"), "the link holds the target");
  await b.picture(page, "time-targets");
  await page.reload();
  await shows(one.pid);
  await page.click("#tab-time");
  await page.waitForSelector(".timechart canvas");
  b.equal(await page.getAttribute(".timechart", "aria-valuemax"), "3", "the areas are of its snapshots");
  await page.goBack();
  await page.goBack();
  await shows(two.pid);
  b.equal(await pid(), "PID " + two.pid, "back goes back");
  await page.context().close();
  await servedTargets(b, file, one.pid, two.pid);
}

async function byKeyboard(b, page, count) {
  await page.locator(".timechart").focus();
  await page.keyboard.press("Escape");
  b.equal(await page.locator(".compare-strip").count(), 0, "Escape ends comparing");
  await page.keyboard.press("Home");
  await page.waitForFunction(() => document.querySelector(".snapshots span")?.textContent.startsWith("snapshot 1 "));
  await page.keyboard.press("ArrowRight");
  await page.waitForFunction(() => document.querySelector(".snapshots span")?.textContent.startsWith("snapshot 2 "));
  b.equal(await page.getAttribute(".timechart", "aria-valuenow"), "2", "the chart tells which snapshot is shown");
  await page.keyboard.press("Shift+ArrowRight");
  await page.keyboard.press("Shift+ArrowRight");
  b.check((await page.textContent(".compare-strip"))?.includes("snapshot 2 ") && page.url().includes("compare=2..4"), "Shift and arrow keys compare");
  await page.keyboard.press("Escape");
  await page.keyboard.press("End");
  await page.keyboard.press("Space");
  await page.waitForFunction(() => document.querySelector(".snapshots span")?.textContent.startsWith("snapshot 3 "), undefined, { timeout: 15000 });
  await page.keyboard.press("Space");
  b.check((await header(page)).includes(" of " + count), "playing goes on from the first");
  await page.fill(".play input", "4");
  await page.waitForFunction(() => document.querySelector(".snapshots span")?.textContent.startsWith("snapshot 5 "));
  await page.click('[aria-label="Snapshot before this"]');
  await page.waitForFunction(() => document.querySelector(".snapshots span")?.textContent.startsWith("snapshot 4 "));
  await page.click('[aria-label="Last snapshot"]');
  await page.waitForFunction((n) => document.querySelector(".snapshots span")?.textContent.startsWith(`snapshot ${n} `), count);
}

async function dropped(b, page, file) {
  const files = [];
  for (const n of [2, 5]) {
    const text = b.run("show", `${file}@${n}`, ...(n === 2 ? ["--json"] : ["--format", "json-columns"]));
    files.push({ name: `at-${n}.json`, text });
  }
  const drop = (list) => page.evaluate((given) => {
    const data = new DataTransfer();
    for (const f of given) data.items.add(new File([f.text], f.name, { type: "application/json" }));
    dispatchEvent(new DragEvent("drop", { dataTransfer: data, cancelable: true, bubbles: true }));
  }, list);
  await drop(files);
  await page.waitForFunction(() => document.querySelector(".snapshots span")?.textContent === "snapshot 2 of 2");
  const total = JSON.parse(files[1].text).summary.total.rss;
  await page.click("#tab-overview");
  b.check((await page.textContent('tr[data-kind="total"]')).includes(kib(total)), "a dropped snapshot shows its own total");
  await drop([{ name: "evil\u202e<img src=x onerror=alert(1)>.json", text: "{}" }]);
  await page.waitForFunction(() => document.querySelector(".message")?.textContent.includes("no snapshot"));
  b.equal(await page.locator(".message img").count(), 0, "a hostile file name stays text");
}

export default async function (b) {
  const folder = join(b.folder, "time");
  mkdirSync(folder);
  const file = join(folder, "s.vmmap");
  await record(b, file);
  const timeline = JSON.parse(b.run("timeline", file, "--json"));
  const count = timeline.looks.length;
  b.check(count >= STEPS, `the session has a snapshot of each step: ${count}`);
  const url = b.report(file, "session");
  const page = await b.open(url + "#tab=time");
  await page.waitForSelector(".timechart canvas");
  await b.picture(page, "time-light-1280");
  await pressAndDraw(b, page, timeline);
  await compared(b, page, file, 1, count);
  await b.picture(page, "time-compare");
  await wholePage(b, page, file, 1, count, count);
  await pictures(b, page, timeline);
  await byKeyboard(b, page, count);
  await page.goto(url + "#tab=time&compare=2..6");
  await page.reload();
  await page.waitForSelector(".change-panel");
  await compared(b, page, file, 2, 6);
  await page.goto(url + "#tab=regions&compare=3..7");
  await page.reload();
  await page.waitForSelector(".grid-status");
  b.equal(await page.textContent(".snapshots"), `snapshots 3 → 7 of ${count}`, "a link leads to two that are compared");
  await accessible(b, url);
  await twoTargets(b, folder);
  for (const [width, dark] of [[1024, false], [1920, true]]) {
    const other = await b.open(url + "#tab=time", { width, height: 900, dark });
    await other.waitForSelector(".timechart canvas");
    const wide = await other.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    const out = await other.$eval(".timelegend table", (t) => t.getBoundingClientRect().right - t.closest(".panel").getBoundingClientRect().right);
    b.check(wide <= 0 && out <= 0, `nothing is wider than its place at ${width}: ${wide}, ${out}`);
    await other.click("text=Table");
    b.equal(await other.locator(".values tbody tr").count(), count, "the table has a row for each snapshot");
    await b.picture(other, `time-${dark ? "dark" : "light"}-${width}`);
    await other.context().close();
  }
  await dropped(b, page, file);
}
