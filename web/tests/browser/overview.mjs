// The overview says what vmmap says, in numbers and in pictures; kinds filter from everywhere; looks and links hold.
import { readFileSync } from "node:fs";
import { join } from "node:path";

const PROGRAM = `
import mmap, threading, time
kept = [bytes(5000) for i in range(4000)]
del kept[::2]
for i in range(3):
    threading.Thread(target=time.sleep, args=(3000,), daemon=True).start()
m = mmap.mmap(-1, 32 << 20)
m[:5 << 20] = b'x' * (5 << 20)
print('ready', flush=True)
time.sleep(3000)
`;
const kib = (n) => Math.round(n / 1024).toLocaleString("en-US");
const cell = (n) => (n === null || n === undefined ? "?" : n === 0 ? "-" : n < 512 ? "<1" : kib(n));

/** The document that a report holds is vmmap's own: the page is held against vmmap reading the same snapshot again. */
function documentOf(b, session) {
  return JSON.parse(b.run("show", session, "--json"));
}

async function bars(b, page, head) {
  const { types, total } = head.summary;
  const measures = [["committed", "Committed"], ["private", "Private"], ["rss", "Resident"]];
  const widths = await page.$$eval(".bar", (all) => all.map((bar) => ({
    label: bar.querySelector(".bar-label").textContent,
    track: bar.querySelector(".bar-track").getBoundingClientRect().width,
    segments: [...bar.querySelectorAll("button")].map((s) => [s.dataset.kind, s.getBoundingClientRect().width]),
  })));
  const scale = Math.max(...measures.map(([id]) => total[id]));
  b.equal(widths.map((w) => w.label), measures.map((m) => m[1]), "three bars");
  measures.forEach(([id], i) => {
    const want = types.filter((t) => t[id] > 0 && !["page_table", "unusable", "free"].includes(t.kind));
    b.equal(widths[i].segments.map((s) => s[0]), want.map((t) => t.kind), "segments of " + id);
    // A segment is never narrower than 2 pixels; what is lost to that, others give.
    for (const [kind, width] of widths[i].segments) {
      const exact = (types.find((t) => t.kind === kind)[id] / scale) * widths[i].track;
      b.check(Math.abs(width - exact) < 22, `${id} of ${kind} is drawn ${width} wide, must be about ${exact}`);
    }
  });
}

async function table(b, page, head) {
  const columns = ["size", "committed", "private", "rss", "pss", "uss", "shareable", "shared", "locked", "swap", "blocks", "largest"];
  const rows = await page.$$eval(".types-table tbody tr", (all) => all.map((r) => [r.dataset.kind, ...[...r.querySelectorAll("td")].map((c) => c.textContent)]));
  const shown = [...head.summary.types.filter((t) => t.size !== 0)];
  const place = shown.findIndex((t) => t.kind === "page_table");
  shown.splice(place < 0 ? shown.length : place, 0, head.summary.total);
  b.equal(rows.map((r) => r[0]), shown.map((t) => t.kind), "rows of the table of types");
  for (const [i, t] of shown.entries())
    b.equal(rows[i]?.slice(1), columns.map((c) => (t[c] === null && ["page_table", "unusable", "free"].includes(t.kind) ? "" :
      c === "blocks" ? (t[c] === null ? "?" : t[c] === 0 ? "-" : t[c].toLocaleString("en-US")) : cell(t[c]))), "numbers of " + t.kind);
}

async function accounts(b, page, head) {
  const rows = await page.$$eval(".accounts tbody tr", (all) => all.map((r) => [...r.querySelectorAll("td")].map((c) => c.textContent)));
  b.equal(rows.map((r) => r[0]), head.accounts.map((a) => (a.sum === 0 ? "0" : cell(a.sum))), "sums of the accounts");
  b.equal(rows.map((r) => r[2] === "0"), head.accounts.map((a) => a.remainder === 0), "accounts without a remainder");
}

async function filter(b, page) {
  const state = () => page.$$eval(".types-table tr.on", (all) => all.map((r) => r.dataset.kind));
  await page.click('.bar[data-measure="rss"] button[data-kind="heap"]');
  b.equal(await state(), ["heap"], "a segment picks its kind in the table");
  b.check((await page.textContent(".filter-strip"))?.includes("Heap"), "the strip names what is picked");
  await page.click('.types-table tr[data-kind="stack"]', { modifiers: ["Control"] });
  b.equal(await state(), ["heap", "stack"], "with Control a row adds its kind");
  b.equal(await page.$$eval('.bar[data-measure="committed"] button[aria-pressed="true"]', (all) => all.map((s) => s.dataset.kind)), ["heap", "stack"], "and the bars show it");
  b.check(page.url().includes("kind=heap,stack"), "the URL holds the filter: " + page.url());
  await page.goBack();
  b.equal(await state(), ["heap"], "back takes the last pick away");
  await page.click('.types-table tr[data-kind="total"] button');
  b.equal(await state(), [], "Total shows all");
  await page.focus('.bar[data-measure="committed"] button');
  await page.keyboard.press("ArrowRight");
  await page.keyboard.press("Enter");
  const second = await page.$eval('.bar[data-measure="committed"] button:nth-child(2)', (s) => s.dataset.kind);
  b.equal(await state(), [second], "the keyboard goes along a bar and picks");
  await page.keyboard.press("Enter");
  b.equal(await state(), [], "once more takes it away");
}

async function sorting(b, page, head) {
  await page.click('.types-table thead button:text-is("RSS")');
  const order = await page.$$eval(".types-table tbody:first-of-type tr", (all) => all.map((r) => r.dataset.kind));
  const want = head.summary.types.filter((t) => t.size !== 0 && !["page_table", "unusable", "free"].includes(t.kind)).sort((x, y) => y.rss - x.rss).map((t) => t.kind);
  b.equal(order, want, "sorted by RSS");
  const segments = await page.$$eval('.bar[data-measure="rss"] button', (all) => all.map((s) => s.dataset.kind));
  b.equal(segments, want.filter((k) => segments.includes(k)), "bars follow the order of the table");
  await page.click('button[title="Choose columns"]');
  await page.click('.menu-body label:has-text("written to since")');
  await page.keyboard.press("Escape");
  b.check(await page.$('.types-table thead button:text-is("Dirty")'), "a column can be chosen");
  b.check(page.url().includes("typesort=rss:desc") && page.url().includes("dirty"), "the URL holds both");
}

/** What is saved of the table is what vmmap says, in bytes. */
async function saved(b, page, head) {
  await page.click('.types button[title^="Save"]');
  const [download] = await Promise.all([page.waitForEvent("download"), page.click('.types .menu-body button:has-text("JSON")')]);
  const rows = JSON.parse(readFileSync(await download.path(), "utf8"));
  b.equal(rows.find((r) => r.kind === "heap")?.rss, head.summary.types.find((t) => t.kind === "heap").rss, "saved bytes");
  await page.click('.types button[title^="Save"]');
  const [picture] = await Promise.all([page.waitForEvent("download"), page.click('.types .menu-body button:has-text("PNG")')]);
  const png = readFileSync(await picture.path());
  b.check(png.length > 2000 && png.subarray(1, 4).toString() === "PNG", "the bars are saved as PNG");
}

/** Text reads against its ground, and dark is dark. */
async function looks(b, url) {
  for (const [dark, theme] of [[true, ""], [false, "dark"], [true, "light"]]) {
    const page = await b.open(url + (theme ? "#theme=" + theme : ""), { dark });
    const ground = await page.$eval(".view", (e) => getComputedStyle(e).backgroundColor);
    const sum = ground.match(/\d+/g).slice(0, 3).reduce((a, n) => a + Number(n), 0);
    b.equal(sum < 200, theme ? theme === "dark" : dark, `ground with theme ${theme || "auto"} on a ${dark ? "dark" : "light"} system`);
    if (!theme) await b.picture(page, "overview-dark");
    await page.emulateMedia({ media: "print" });
    b.equal(await page.$eval(".view", (e) => getComputedStyle(e).backgroundColor), "rgb(255, 255, 255)", "print is light");
    b.check(!(await page.isVisible(".switches")) && !(await page.isVisible(".tabs")), "print has no controls");
    if (theme === "dark") await b.picture(page, "overview-print", { fullPage: true });
    await page.context().close();
  }
}

/** Matrices of Machado, Oliveira and Fernandes (2009), severity 1, for linear RGB. */
const EYES = {
  deuteranopia: "0.367322 0.860646 -0.227968 0 0  0.280085 0.672501 0.047413 0 0  -0.011820 0.042940 0.968881 0 0  0 0 0 1 0",
  protanopia: "0.152286 1.052583 -0.204868 0 0  0.114503 0.786281 0.099216 0 0  -0.003882 -0.048116 1.051998 0 0  0 0 0 1 0",
  grey: "0.2126 0.7152 0.0722 0 0  0.2126 0.7152 0.0722 0 0  0.2126 0.7152 0.0722 0 0  0 0 0 1 0",
};

async function safe(b, url) {
  const page = await b.open(url, { width: 1280, height: 700 });
  await page.click('button:text-is("Safe colours")');
  b.check(page.url().includes("palette=safe"), "the URL holds the palette");
  b.check((await page.$eval('.types-table [data-kind="stack"] .swatch', (e) => getComputedStyle(e).backgroundImage)).includes("gradient"), "stacks have a pattern");
  await b.picture(page, "overview-safe");
  for (const [name, matrix] of Object.entries(EYES)) {
    await page.evaluate(([id, values]) => {
      document.getElementById("eyes")?.remove();
      const ns = "http://www.w3.org/2000/svg";
      const svg = document.createElementNS(ns, "svg");
      svg.id = "eyes";
      const eyes = document.createElementNS(ns, "filter");
      eyes.id = "f-" + id;
      eyes.setAttribute("color-interpolation-filters", "linearRGB");
      const m = document.createElementNS(ns, "feColorMatrix");
      m.setAttribute("values", values);
      eyes.append(m);
      svg.append(eyes);
      document.body.append(svg);
      document.querySelector(".app").style.filter = `url(#f-${id})`;
    }, [name, matrix]);
    await b.picture(page, "overview-safe-" + name);
  }
  await page.context().close();
}

async function links(b, url) {
  const page = await b.open(url + "#tab=heaps&kind=heap&typesort=rss:desc&palette=safe&theme=dark");
  b.equal(await page.getAttribute("#tab-heaps", "aria-selected"), "true", "a link opens its view");
  b.equal(await page.evaluate(() => ({ ...document.documentElement.dataset })), { theme: "dark", palette: "safe" }, "with its looks");
  await page.click("#tab-overview");
  b.equal(await page.$$eval(".types-table tr.on", (all) => all.map((r) => r.dataset.kind)), ["heap"], "and its filter");
  await page.goBack();
  b.equal(await page.getAttribute("#tab-heaps", "aria-selected"), "true", "back goes back");
  await page.goForward();
  b.equal(await page.getAttribute("#tab-overview", "aria-selected"), "true", "and forward forward");
  for (const hash of ["tab=__proto__&kind=<img src=x onerror=alert(1)>&typesort=constructor:x&types=a,b", "%", "kind=,,,&at=1e99&compare=9..x&selected=0xzz",
    "find=" + "x".repeat(20000), "heap=<script>alert(1)</script>&tab=heaps", "kind=nothing_such&typesort=nothing:desc&types=nothing"]) {
    await page.goto(url + "#" + hash);
    await page.reload();
    await page.waitForSelector(".app[data-ready]");
    b.equal(await page.$$eval("img, .view script", (all) => all.length), 0, "no element is made of a hash");
    b.check(await page.isVisible(".tabs"), "the page stands with the hash " + hash.slice(0, 40));
  }
  await page.context().close();
}

/** Names of a target stay texts. */
async function hostile(b) {
  const names = ['<script>alert(1)</script>', '"><img src=x onerror=alert(1)>', "\u001b[31mred", "\u202egnp.exe", "x".repeat(200)];
  const program = `
import ctypes, os, threading, time
libc = ctypes.CDLL(None)
names = ${JSON.stringify(names)}
def named(n):
    libc.prctl(15, n.encode()[:15], 0, 0, 0)
    time.sleep(3000)
for n in names:
    fd = os.memfd_create(n)
    os.ftruncate(fd, 65536)
    import mmap
    globals()['m%d' % fd] = mmap.mmap(fd, 65536)
    threading.Thread(target=named, args=(n,), daemon=True).start()
libc.prctl(15, names[1].encode()[:15], 0, 0, 0)
time.sleep(0.3)
print('ready', flush=True)
time.sleep(3000)
`;
  const { pid } = await b.target("python3", ["-c", program, "\u202e</script><script>alert(2)</script>", "y".repeat(4096)]);
  const url = b.report(pid, "hostile");
  const page = await b.open(url);
  let dialogs = 0;
  page.on("dialog", (d) => {
    dialogs++;
    void d.dismiss();
  });
  for (const tab of ["overview", "heaps"]) {
    await page.click("#tab-" + tab);
    await page.waitForTimeout(100);
    b.equal(await page.$$eval("img, .app script", (all) => all.length), 0, "no element is made of a name in " + tab);
    b.check(!/[\u001b\u202e]/.test(await page.textContent(".app")), "controls and bidirectional marks stand escaped in " + tab);
  }
  await page.click("#tab-overview");
  const threads = await page.textContent('[aria-label="Threads"]');
  b.check(threads.includes("<script>alert(") && threads.includes("\\e[31mred") && threads.includes("\\u{202e}"), "names are shown as they are, escaped");
  b.equal(dialogs, 0, "no dialog");
  b.check((await page.evaluate(() => document.documentElement.scrollWidth)) <= 1280, "long names do not widen the page");
  await b.picture(page, "hostile");
  await page.click('button:text-is("whole command")');
  await b.picture(page, "hostile-command");
  await page.context().close();
}

export default async function (b) {
  const { pid } = await b.target("python3", ["-u", "-c", PROGRAM]);
  const session = join(b.folder, "overview.vmmap");
  b.run("save", pid, "-o", session);
  const head = documentOf(b, session);
  const url = b.report(session, "overview");
  const page = await b.open(url, { height: 900, acceptDownloads: true });
  await bars(b, page, head);
  await table(b, page, head);
  await accounts(b, page, head);
  await b.picture(page, "overview-light");
  await filter(b, page);
  await sorting(b, page, head);
  await saved(b, page, head);
  const link = page.locator('[aria-label="Modules"] .link.mono').first();
  const address = await link.textContent();
  await link.click();
  b.check(page.url().includes("selected=" + address) && page.url().includes("tab=regions"), "a module leads to its region");
  await page.context().close();
  for (const width of [1024, 1920]) {
    const other = await b.open(url, { width, height: 900 });
    b.check((await other.evaluate(() => document.documentElement.scrollWidth)) <= width, `nothing sticks out at ${width}`);
    await b.picture(other, "overview-" + width);
    await other.context().close();
  }
  await looks(b, url);
  await safe(b, url);
  await links(b, url);
  await hostile(b);
}
