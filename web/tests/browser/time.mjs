// A recorded session: the areas are the timeline's own numbers; pressing shows a snapshot, drawing along compares two, and
// everything goes by keyboard.
import { mkdirSync } from "node:fs";
import { join } from "node:path";

const GROWS = `
import mmap, sys
kept = []
print("ready", flush=True)
for line in sys.stdin:
    kept.append(bytearray(1 << 20))
    area = mmap.mmap(-1, 2 << 20, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    area.write(b"x" * (1 << 20))
    kept.append(area)
    if len(kept) == 14: kept.pop(1).close()
    print("grown", flush=True)
`;
const STEPS = 9;

/** One snapshot for each step of the target; a file of its own, so that times do not matter. */
async function record(b, file) {
  const { pid, child } = await b.target("python3", ["-u", "-c", GROWS]);
  for (let i = 0; i < STEPS; i++) {
    b.run("record", pid, "-o", file, ...(i ? ["--append"] : []), "--every", "100ms", "--for", "50ms");
    const grown = new Promise((done, fail) => {
      child.stdout.once("data", done);
      child.once("exit", () => fail(new Error("the target ended")));
    });
    child.stdin.write("\n");
    await grown;
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
  await page.click("#tab-overview");
  await b.picture(page, "time-compare-overview");
  await page.click("#tab-regions");
  await page.waitForSelector('[role="treegrid"]');
  await b.picture(page, "time-compare-regions");
  await page.click("#tab-time");
  await byKeyboard(b, page, count);
  await page.goto(url + "#tab=time&compare=2..6");
  await page.reload();
  await page.waitForSelector(".change-panel");
  await compared(b, page, file, 2, 6);
  for (const [width, dark] of [[1024, false], [1920, true]]) {
    const other = await b.open(url + "#tab=time", { width, height: 900, dark });
    await other.waitForSelector(".timechart canvas");
    await other.click("text=Table");
    b.equal(await other.locator(".values tbody tr").count(), count, "the table has a row for each snapshot");
    await b.picture(other, `time-${dark ? "dark" : "light"}-${width}`);
    await other.context().close();
  }
  await dropped(b, page, file);
}
