// The table of regions: what vmmap show says, by keyboard alone; find, filter, columns, the panel; names that would do
// harm; 60,000 regions, with figures of how long things take (no check is about time).
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const HOSTILE = `
import ctypes, mmap, os, sys, threading, time
libc = ctypes.CDLL(None, use_errno=True)
names = ["<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "\\x1b[31mred\\x1b[0m", "\\u202egnp.exe", "a" * 240, "line\\nbreak", "\\u200binvisible"]
keep = []
for i, name in enumerate(names):
    fd = os.memfd_create(name)
    os.ftruncate(fd, 4096 * (i + 1))
    keep.append(mmap.mmap(fd, 4096 * (i + 1)))
folder = sys.argv[1]
deep = folder
for i in range(14):
    deep = os.path.join(deep, "<b>" + "x" * 240)
    os.mkdir(deep)
    os.chdir(deep)
    deep = "."
with open("<i>long", "wb") as f:
    f.write(b"x" * 4096)
with open("<i>long", "r+b") as f:
    keep.append(mmap.mmap(f.fileno(), 4096))
def named():
    libc.prctl(15, b"<u>thread", 0, 0, 0)
    time.sleep(1000)
threading.Thread(target=named, daemon=True).start()
libc.mmap.restype = ctypes.c_void_p
libc.mmap(None, 8192, 7, 0x22, -1, 0)
time.sleep(0.3)
print("ready", flush=True)
sys.stdin.read()
`;

const MANY = `
import ctypes, sys
n = int(sys.argv[1])
libc = ctypes.CDLL(None, use_errno=True)
libc.mmap.restype = ctypes.c_void_p
libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long]
libc.mprotect.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
base = libc.mmap(None, n * 8192, 3, 0x22, -1, 0)
for i in range(0, n, 2):
    libc.mprotect(base + i * 8192, 8192, 1)
    ctypes.memset(base + (i + 1) * 8192, 1, 1)
print("ready", flush=True)
sys.stdin.read()
`;

/** Rows on the screen as texts, in the order in which they are shown. */
function shown(page) {
  return page.evaluate(() => [...document.querySelectorAll(".grid-row")].sort((a, b) => a.dataset.index - b.dataset.index)
    .map((r) => [...r.children].map((c) => c.textContent.trim())));
}

const active = (page) => page.evaluate(() => {
  const row = document.getElementById(document.querySelector(".grid").getAttribute("aria-activedescendant"));
  return row && { text: [...row.children].map((c) => c.textContent.trim()), level: row.getAttribute("aria-level"), open: row.getAttribute("aria-expanded"), index: Number(row.dataset.index) };
});
const total = (page) => page.evaluate(() => Number(document.querySelector(".grid").getAttribute("aria-rowcount")) - 1);

/** Effects run behind a frame, and what they change is drawn with a later one. */
const settled = (page) => page.evaluate(async () => {
  for (let i = 0; i < 5; i++) await new Promise((done) => requestAnimationFrame(() => setTimeout(done, 0)));
});

/** From outside the table into it, by Tab alone. */
async function tabTo(page, selector) {
  for (let i = 0; i < 60; i++) {
    if (await page.evaluate((s) => document.activeElement?.matches(s), selector)) return true;
    await page.keyboard.press("Tab");
  }
  return false;
}

/** Texts of a table that `vmmap show` prints, cut at its columns. */
const words = (line) => line.trim().split(/\s{2,}/);

async function sameAsShow(b, page, file) {
  const csv = b.run("show", file, "--view", "regions", "--csv", "--columns", "address").trim().split("\n").slice(1).map((l) => l.split(","));
  b.equal(await total(page), csv.length, "as many rows as vmmap show has regions");
  const head = await page.evaluate(() => [...document.querySelectorAll(".grid-title-text")].map((t) => t.textContent));
  const rows = await shown(page);
  b.equal(rows.map((r) => r[0]), csv.slice(0, rows.length).map((r) => r[0].slice(2)), "regions stand in the order of vmmap show");
  const text = b.run("show", file, "--view", "regions", "--columns", "address,size,committed,rss,blocks,protection").trim().split("\n").slice(1).map(words);
  const columns = ["Address", "Size KiB", "Committed", "RSS", "Blocks", "Prot"].map((t) => head.indexOf(t));
  b.check(columns.every((c) => c >= 0), "columns: " + head);
  b.equal(rows.map((r) => columns.map((c) => r[c].replace("W+X", "!"))), text.slice(0, rows.length), "numbers are written as vmmap show writes them");
}

/** Every sort gives the order of vmmap show --sort. */
async function sorts(b, page, file) {
  for (const [column, keys] of [["size", 1], ["rss", 1], ["address", 2], ["kind", 1], ["protection", 1], ["details", 2]]) {
    for (let i = 0; i < keys; i++) await page.evaluate((c) => document.querySelector(`[data-column="${c}"]`).dispatchEvent(new KeyboardEvent("keydown", { key: "Enter", bubbles: true })), column);
    const direction = await page.getAttribute(`[data-column="${column}"]`, "aria-sort");
    await page.evaluate(() => (document.querySelector(".grid").scrollTop = 0));
    await settled(page);
    const wanted = b.run("show", file, "--view", "regions", "--csv", "--columns", "address", "--sort", `${column}:${direction === "descending" ? "desc" : "asc"}`).trim().split("\n").slice(1);
    const rows = await shown(page);
    b.equal(rows.map((r) => "0x" + r[0]), wanted.slice(0, rows.length), `sorted by ${column}, ${direction}`);
    while ((await page.getAttribute(`[data-column="${column}"]`, "aria-sort")) !== "none")
      await page.evaluate((c) => document.querySelector(`[data-column="${c}"]`).dispatchEvent(new KeyboardEvent("keydown", { key: "Enter", bubbles: true })), column);
  }
}

/** A filter picks what --where picks. */
async function filters(b, page, file) {
  for (const where of ["kind=image && rss>100K", "protection~x || wx", "!(size>=16K)", "details~lib && pss>rss-1M", "address>0x7f0000000000"]) {
    await page.fill('[aria-label="Filter by an expression"]', where);
    await settled(page);
    const wanted = b.run("show", file, "--view", "regions", "--csv", "--columns", "address", "--where", where).trim().split("\n").slice(1);
    b.equal(await total(page), wanted.length, `rows of ${where}`);
    const rows = await shown(page);
    b.equal(rows.map((r) => "0x" + r[0]), wanted.slice(0, rows.length), `what ${where} picks`);
  }
  await page.fill('[aria-label="Filter by an expression"]', "kind=heap && rsz>1M");
  b.check((await page.textContent(".where-error")).includes("unknown column 'rsz' (did you mean 'rss'?) at column 14"), "a mistake is told with its place");
  b.equal(await page.evaluate(() => document.querySelector(".where-error pre").textContent.split("\n")[1].indexOf("^")), 13, "the caret stands below the mistake");
  await b.picture(page, "regions-mistake");
  await page.press('[aria-label="Filter by an expression"]', "Escape");
  b.check(!(await page.$(".where-error")), "Escape takes the filter away");
}

/** Everything of the table without a mouse. */
async function keyboard(b, page, file) {
  b.check(await tabTo(page, "#tab-overview, #tab-regions"), "Tab comes to the views");
  while (!(await page.evaluate(() => document.activeElement?.id === "tab-regions"))) await page.keyboard.press("ArrowRight");
  b.check(await tabTo(page, ".grid"), "Tab comes to the table");
  await page.keyboard.press("Home");
  const first = await active(page);
  b.equal([first.level, first.open, first.index], ["1", "false", 0], "Home goes to the first region, which is closed");
  const regions = await total(page);
  const blocks = Number(first.text[(await shown(page))[0].length - 3]);
  await page.keyboard.press("ArrowRight");
  b.equal(await total(page), regions + blocks, "ArrowRight opens it: its blocks stand below it");
  await page.keyboard.press("ArrowRight");
  b.equal((await active(page)).level, "2", "once more goes to its first block");
  await page.keyboard.press("ArrowLeft");
  b.equal((await active(page)).level, "1", "ArrowLeft goes back to it");
  await page.keyboard.press("ArrowLeft");
  b.equal(await total(page), regions, "and closes it");
  await page.keyboard.press("*");
  const tree = b.run("show", file, "--view", "tree", "--csv", "--columns", "address,size").trim().split("\n").slice(1).map((l) => l.split(","));
  b.equal(await total(page), tree.filter((r) => r[1]).length + (await partRows(b, file)), "* opens all");
  await page.keyboard.press("End");
  b.check((await active(page)).index === (await total(page)) - 1, "End goes to the last row");
  await page.keyboard.press("PageUp");
  b.check((await active(page)).index < (await total(page)) - 5, "PageUp goes up by a page");
  await page.keyboard.press("-");
  b.equal(await total(page), regions, "- closes all");
  await page.keyboard.press("Home");
  await page.keyboard.type("stack");
  b.check((await active(page)).text.includes("Stack"), "typing goes to the row that begins so");
  await page.keyboard.press("Home");
  await page.keyboard.press("Shift+ArrowDown");
  await page.keyboard.press("Shift+ArrowDown");
  b.equal(await page.evaluate(() => document.querySelectorAll('.grid-row[aria-selected="true"]').length), 3, "Shift extends the selection");
  const copied = await page.evaluate(() => {
    const data = new DataTransfer();
    document.querySelector(".grid").dispatchEvent(new ClipboardEvent("copy", { clipboardData: data, bubbles: true, cancelable: true }));
    return data.getData("text/plain").trimEnd().split("\n");
  });
  b.equal(copied.length, 4, "three rows and their heading are copied");
  b.check(copied[0].startsWith("Address") && copied[1].startsWith((await shown(page))[0][0]), "as text: " + copied[0]);
  await page.keyboard.press("Enter");
  b.check(await page.$(".side"), "Enter opens the panel");
  await page.keyboard.press("Enter");
  await picking(b, page);
}

/** What Control does, as in a file manager. */
async function picking(b, page) {
  const picked = () => page.evaluate(() => [...document.querySelectorAll('.grid-row[aria-selected="true"]')].map((r) => Number(r.dataset.index)).sort((x, y) => x - y));
  await page.keyboard.press("Home");
  await page.keyboard.press("Control+ArrowDown");
  await page.keyboard.press("Control+ArrowDown");
  b.equal([await picked(), (await active(page)).index], [[0], 2], "Control with an arrow leaves the selection");
  await page.keyboard.press("Control+Space");
  b.equal(await picked(), [0, 2], "Control+Space adds a row");
  await page.keyboard.press("Control+ArrowDown");
  await page.keyboard.press("Control+ArrowDown");
  await page.keyboard.press("Control+Shift+ArrowDown");
  b.equal(await picked(), [0, 2, 4, 5], "with Shift a range is added");
  await page.keyboard.press("Control+Space");
  b.equal(await picked(), [0, 2, 4], "once more takes the row away");
  await page.keyboard.press("Escape");
  b.equal(await picked(), [5], "Escape leaves the cursor's row");
  await page.keyboard.press("Control+a");
  b.equal((await page.textContent(".grid-status")).includes(`${await total(page)} rows selected`), true, "Control+A selects all");
  await page.keyboard.press("Home");
  await page.keyboard.type("private d");
  await settled(page);
  const row = await active(page);
  b.check(row?.text.includes("Private Data"), "a blank belongs to the name that is typed: " + row?.text);
  await page.keyboard.press("Home");
}

/** Tables that are saved hold what vmmap says. */
async function saving(b, page, file) {
  await page.fill('[aria-label="Filter by an expression"]', "rss>100K && kind=image");
  await settled(page);
  const save = async (what) => {
    await page.click('.drop-button:text-is("Export")');
    const [download] = await Promise.all([page.waitForEvent("download"), page.click(`.drop-item:has-text("Save ${what}")`)]);
    return { name: download.suggestedFilename(), text: readFileSync(await download.path(), "utf8") };
  };
  // What is shared with others changes with them: it is left out.
  const own = "address,kind,size,committed,private,rss,blocks,protection,details".split(",");
  await page.evaluate((ids) => (location.hash = location.hash.replace(/&columns=[^&]*/, "") + "&columns=" + ids), own);
  await page.click("#tab-regions");
  await settled(page);
  const csv = await save("CSV");
  b.check(/^python3.*-regions\.csv$/.test(csv.name), "the file is named after the target: " + csv.name);
  const wanted = b.run("show", file, "--view", "regions", "--csv", "--columns", own.join(","), "--where", "rss>100K && kind=image");
  b.equal(csv.text.trim().split("\n").filter((l) => /^(0|depth),/.test(l)).map((l) => l.replace(/^\w+,/, "")), wanted.trim().split("\n"), "saved CSV is that of vmmap show");
  const rows = JSON.parse((await save("JSON")).text);
  const doc = JSON.parse(b.run("show", file, "--json", "--where", "rss>100K && kind=image"));
  b.equal(rows.filter((r) => r.depth === 0).map((r) => [r.address, r.rss, r.details]), doc.regions.map((r) => [r.address, r.rss, r.details]), "saved JSON is that of vmmap show");
  await page.fill('[aria-label="Filter by an expression"]', "");
  await page.click("text=Columns");
  await page.click("text=As when nobody has chosen");
}

/** On paper stand all rows, under a heading on every sheet; at 1024 pixels details are in sight, and with more columns the address stays there. */
async function narrowAndPaper(b, url) {
  const page = await b.open(url + "#tab=regions", { width: 1024 });
  const right = await page.$eval('.grid-title[data-column="details"]', (t) => t.getBoundingClientRect().left + 150);
  b.check(right < 1024, `of details something is in sight: ${right}`);
  const cut = await page.$$eval(".grid-row .grid-cell", (all) => all.filter((c) => c.classList.contains("number") && c.scrollWidth > c.clientWidth + 1).map((c) => c.textContent));
  b.equal(cut, [], "numbers fit their columns");
  await b.picture(page, "regions-1024");
  await page.evaluate(() => { location.hash = "#tab=regions&columns=address,kind,size,committed,private,rss,pss,uss,shareable,shared,blocks,protection,details"; });
  await page.waitForSelector('.grid-title[data-column="blocks"]');
  await page.focus(".grid");
  await page.keyboard.press("Home");
  for (let i = 0; i < 4; i++) await page.keyboard.press("Control+ArrowRight");
  await settled(page);
  const place = await page.evaluate(() => [document.querySelector(".grid").scrollLeft > 100, document.querySelector(".grid-row > :first-child").getBoundingClientRect().left,
    document.querySelector(".grid-title").getBoundingClientRect().left]);
  b.equal(place, [true, 0, 0], "scrolled aside the address stays");
  await page.keyboard.press("*");
  const all = await total(page);
  await page.evaluate(() => dispatchEvent(new Event("beforeprint")));
  await page.emulateMedia({ media: "print" });
  await settled(page);
  b.equal((await shown(page)).length, all, "on paper stand all rows");
  await page.evaluate(() => dispatchEvent(new Event("afterprint")));
  await page.emulateMedia({ media: "screen" });
  const paper = await page.context().newCDPSession(page);
  const { data } = await paper.send("Page.printToPDF", { printBackground: true, preferCSSPageSize: true });
  writeFileSync(join(b.pictures, "regions.pdf"), Buffer.from(data, "base64"));
  await settled(page);
  b.check((await shown(page)).length < all, "and the screen is as it was");
  await page.context().close();
}

/** Rows of chunk states that the page has below heaps: those of the JSON document with bytes. */
async function partRows(b, file) {
  const doc = JSON.parse(b.run("show", file, "--json"));
  const blocks = doc.regions.reduce((n, r) => n + r.blocks.length, 0);
  const states = doc.regions.reduce((n, r) => n + Object.values(r.chunks ?? {}).filter((s) => s.bytes).length, 0);
  const tree = b.run("show", file, "--view", "tree", "--csv", "--columns", "address,size").trim().split("\n").length - 1;
  return doc.regions.length + blocks + states - tree;
}

async function finding(b, page, file) {
  await page.keyboard.press("Control+f");
  b.check(await page.evaluate(() => document.activeElement?.getAttribute("aria-label") === "Find"), "Ctrl+F goes to the field");
  await page.keyboard.type(".rodata");
  await settled(page);
  const doc = JSON.parse(b.run("show", file, "--json"));
  const hits = doc.regions.flatMap((r) => r.blocks).filter((x) => x.details.toLowerCase().includes(".rodata")).length;
  b.check((await page.textContent(".tool-field .count")) === `1 of ${hits}`, `the first of ${hits} matches in closed rows: ${await page.textContent(".tool-field .count")}`);
  b.equal((await active(page)).level, "2", "its region was opened");
  await page.keyboard.press("Enter");
  b.equal(await page.textContent(".tool-field .count"), `2 of ${hits}`, "Enter goes to the next");
  await page.keyboard.press("Shift+Enter");
  await page.keyboard.press("Shift+Enter");
  b.equal(await page.textContent(".tool-field .count"), `${hits} of ${hits}`, "and backwards round");
  const block = doc.regions.flatMap((r) => r.blocks)[3];
  await page.fill('[aria-label="Find"]', "0x" + (BigInt(block.address) + 1n).toString(16));
  await settled(page);
  b.equal((await active(page)).text[0], block.address.slice(2), "an address leads to the block that holds it");
  const chunks = doc.regions.filter((r) => r.chunks?.meta?.bytes).length;
  await page.fill('[aria-label="Find"]', "overhead");
  await settled(page);
  b.equal((await page.textContent(".tool-field .count")).replace(/^\d+ of /, ""), String(chunks), "what a heap's chunks are is found below closed rows");
  await page.fill('[aria-label="Find"]', "0x10");
  await settled(page);
  b.check((await page.textContent(".tool-field .count")).includes("not mapped"), "an address of nothing is told");
  await b.picture(page, "regions-find");
  await page.keyboard.press("Escape");
}

async function columns(b, page) {
  const titles = () => page.evaluate(() => [...document.querySelectorAll(".grid-title")].map((t) => t.dataset.column));
  await page.evaluate(() => document.querySelector(".grid").focus());
  await page.focus('[data-column="rss"]');
  const before = await titles();
  await page.keyboard.press("Alt+ArrowLeft");
  await settled(page);
  b.equal((await titles()).indexOf("rss"), before.indexOf("rss") - 1, "Alt+Left moves a column");
  const width = () => page.evaluate(() => document.querySelector('[data-column="size"]').getBoundingClientRect().width);
  const narrow = await width();
  await page.focus('[data-column="size"]');
  await page.keyboard.press("Shift+ArrowRight");
  await settled(page);
  b.check((await width()) > narrow, "Shift+Right makes it wider");
  await page.focus('[data-column="pss"]');
  await page.keyboard.press("Delete");
  await settled(page);
  b.check(!(await titles()).includes("pss"), "Delete hides it");
  await page.click("text=Columns");
  await b.picture(page, "regions-columns");
  await page.check('.drop-item:has-text("resident bytes marked as accessed") input');
  b.check((await titles()).includes("referenced"), "a column is chosen by what it means");
  await page.click("text=As when nobody has chosen");
  b.equal(await titles(), before, "and back to what it was");
  await page.keyboard.press("Escape");
  // by mouse: a column dragged behind the next one
  const from = await page.locator('[data-column="size"]').boundingBox();
  const to = await page.locator('[data-column="rss"]').boundingBox();
  await page.mouse.move(from.x + 20, from.y + 10);
  await page.mouse.down();
  await page.mouse.move(to.x + to.width - 5, to.y + 10, { steps: 5 });
  await page.mouse.up();
  const dragged = await titles();
  b.check(dragged.indexOf("size") === before.indexOf("rss"), "dragging puts a column elsewhere: " + dragged);
}

async function hostile(b) {
  const script = join(b.folder, "hostile.py");
  writeFileSync(script, HOSTILE);
  const { pid } = await b.target("python3", ["-u", script, b.folder]);
  const page = await b.open(b.report(pid, "hostile"), { width: 1600 });
  let dialogs = 0;
  page.on("dialog", (d) => { dialogs++; d.dismiss(); });
  await page.click("#tab-regions");
  await page.focus(".grid");
  await page.keyboard.press("*");
  const say = async (text) => {
    await page.fill('[aria-label="Find"]', text);
    await settled(page);
    return { row: (await active(page))?.text.join(" ") ?? "", side: (await page.textContent(".side")) ?? "" };
  };
  const first = await say("alert(1)</script>");
  b.check(first.row.includes("<script>alert(1)</script>") && first.side.includes("<script>alert(1)</script>"), "markup stands as text: " + first.row);
  b.check((await say("onerror")).row.includes('"><img src=x onerror=alert(1)>'), "an element that would fetch stands as text");
  b.check((await say("[31mred")).row.includes("\\e[31mred"), "escape sequences are shown escaped");
  b.check((await say("gnp.exe")).row.includes("\\u{202e}gnp.exe"), "a name that turns the line round is shown escaped");
  b.check((await say("invisible")).row.includes("\\u{200b}invisible"), "what cannot be seen is shown");
  await b.picture(page, "regions-hostile");
  const long = await say("<i>long");
  b.check(long.row.length < 1000 && long.row.includes("<b>xxxx"), "a path of 3,400 characters is cut in its row");
  b.check(long.side.includes("<i>long"), "and whole in the panel");
  b.check((await say("<u>thread")).row.includes("<u>thread"), "a thread's name stands as text");
  b.equal(await page.evaluate(() => document.querySelectorAll(".view script, .view img, .view iframe, .view u, .view i.x, .view b.x").length), 0, "no element is made of a name");
  b.equal(dialogs, 0, "nothing of it runs");
  await page.fill('[aria-label="Find"]', "");
  await page.fill('[aria-label="Filter by an expression"]', "wx");
  await settled(page);
  b.check((await shown(page))[0]?.join(" ").includes("W+X"), "what is writable and executable is marked");
  await page.context().close();
}

async function many(b) {
  const script = join(b.folder, "many.py");
  writeFileSync(script, MANY);
  const { pid } = await b.target("python3", ["-u", script, "60000"]);
  const page = await b.open(b.report(pid, "many"));
  await page.click("#tab-regions");
  await page.waitForSelector(".grid-row");
  b.check((await total(page)) > 60000, `${await total(page)} regions`);
  /* From the event until the frame that shows what it did has been drawn. */
  await page.evaluate(() => {
    window.took = (what) => new Promise((done) => {
      const start = performance.now();
      what();
      const behind = new MessageChannel();
      behind.port1.onmessage = () => done(Math.round(performance.now() - start));
      requestAnimationFrame(() => behind.port2.postMessage(0));
    });
  });
  const key = (selector, name) => page.evaluate(([s, k]) => window.took(() => document.querySelector(s).dispatchEvent(new KeyboardEvent("keydown", { key: k, bubbles: true }))), [selector, name]);
  const input = (label, value) => page.evaluate(([l, v]) => window.took(() => {
    const e = document.querySelector(`[aria-label="${l}"]`);
    e.value = v;
    e.dispatchEvent(new InputEvent("input", { bubbles: true }));
  }), [label, value]);
  const figures = [];
  for (const column of ["size", "rss", "address", "protection", "details"]) {
    figures.push(`sort ${column} ${await key(`[data-column="${column}"]`, "Enter")} ms`);
    if (column === "rss") b.check((await shown(page)).length > 10, "rows are shown after sorting");
  }
  for (let i = 0; i < 2 && (await page.getAttribute('[data-column="details"]', "aria-sort")) !== "none"; i++) await key('[data-column="details"]', "Enter");
  for (const text of ["7f", "libc", "0x7f0000000000"]) figures.push(`find ${text} ${await input("Find", text)} ms`);
  await input("Find", "");
  for (const where of ["protection~w && rss>=4K", "!(size>8K) || details~lib"]) figures.push(`filter '${where}' ${await input("Filter by an expression", where)} ms`);
  await input("Filter by an expression", "");
  figures.push(`open all ${await key(".grid", "*")} ms`, `close all ${await key(".grid", "-")} ms`);
  for (const step of [132, 660]) figures.push(await scrolled(b, page, step));
  console.log("figures, 60,000 regions: " + figures.join("; "));
  await page.keyboard.press("Control+f");
  await page.context().close();
}

/** Frames of two seconds of scrolling, and what the main thread did for each, out of a trace. */
async function scrolled(b, page, step) {
  await b.browser.startTracing(page, { categories: ["devtools.timeline"] });
  const frames = await page.evaluate((by) => new Promise((done) => {
    const grid = document.querySelector(".grid");
    grid.scrollTop = 0;
    const times = [];
    let last = performance.now();
    const frame = (now) => {
      times.push(now - last);
      last = now;
      if (times.length > 100) return done(times.slice(1));
      grid.scrollBy(0, by);
      return requestAnimationFrame(frame);
    };
    requestAnimationFrame(frame);
  }), step);
  const events = JSON.parse((await b.browser.stopTracing()).toString()).traceEvents;
  const work = events.filter((e) => e.ph === "X" && ["FireAnimationFrame", "EventDispatch", "UpdateLayoutTree", "Layout", "PrePaint", "Paint", "Layerize", "Commit"].includes(e.name));
  const busy = work.reduce((n, e) => n + (e.tdur ?? 0), 0) / 1000 / frames.length;
  frames.sort((x, y) => x - y);
  b.check((await page.evaluate(() => document.querySelector(".grid").scrollTop)) > 50 * step, "the table scrolls");
  return `scrolling ${step} px a frame: median ${frames[50].toFixed(1)} ms, 95 % ${frames[95].toFixed(1)} ms, main thread ${busy.toFixed(1)} ms of processor time`;
}

/** A report has the kernel's mappings, every page, and contents where they were asked for. */
async function stored(b) {
  const secret = "correct horse battery staple";
  const wide = "wide horse battery staple";
  const { pid } = await b.target("python3", ["-u", "-c", `s = (bytes(${JSON.stringify(secret + "\n")}, "ascii") + "${wide}".encode("utf-16-le") + bytes(6)) * 20000\nprint("ready")\ninput()`]);
  const page = await b.open(b.report(pid, "stored", "--with-memory", "heap,private_data"), { width: 1600, height: 1000 });
  await page.click("#tab-regions");
  await page.fill('[aria-label="Filter by an expression"]', "kind=heap || kind=private_data");
  await page.fill('[aria-label="Find"]', "main arena");
  await settled(page);
  await page.waitForSelector(".side svg.strip");
  const told = await page.textContent(".side .strip-key");
  const rss = JSON.parse(b.run("show", pid, "--json", "--where", "details~'main arena'")).regions[0];
  b.check(told.includes(`resident ${(rss.rss / 4096).toLocaleString("en-US")}`), `pages of a report: ${told}, resident are ${rss.rss / 4096}`);
  await page.click('.side button:text-is("Bytes")');
  await page.waitForSelector(".hex");
  const first = (await page.textContent(".hex")).split("\n")[0];
  b.check(first.startsWith(rss.address.slice(2) + "  "), "bytes of a report: " + first);
  await page.click('.side button:text-is("Strings")');
  await page.waitForSelector(".strings");
  let found = false;
  const rows = await total(page);
  await page.focus(".grid");
  await page.keyboard.press("Home");
  for (let i = 0; i < rows && !found; i++) {
    await settled(page);
    await page.click('.side button:text-is("Strings")');
    await page.waitForSelector(".strings, .side-why");
    await settled(page);
    found = await page.$eval(".side", (side, [a, c]) => side.textContent.includes(a) && side.textContent.includes(c), [secret, wide]);
    if (!found) await page.press(".grid", "ArrowDown");
  }
  b.check(found, "strings of a report have what the target holds, wide ones too");
  await b.picture(page, "regions-contents");
  await page.fill('[aria-label="Filter by an expression"]', "");
  await page.click('.tool:text-is("Raw")');
  await settled(page);
  const wanted = b.run("show", pid, "--raw", "--csv", "--columns", "address,protection").trim().split("\n").slice(1).map((l) => l.split(","));
  b.equal(await total(page), wanted.length, "as many mappings as vmmap show --raw");
  await page.press(".grid", "Home");
  await settled(page);
  const raw = await shown(page);
  const place = await page.evaluate(() => [...document.querySelectorAll(".grid-title")].findIndex((t) => t.dataset.column === "protection"));
  b.equal(raw.map((r) => ["0x" + r[0], r[place]]), wanted.slice(0, raw.length), "mappings as vmmap show --raw has them");
  await b.picture(page, "regions-raw");
  await page.context().close();
}

export default async function (b) {
  const { pid } = await b.target("python3", ["-u", "-c", "import ssl, threading, time; threading.Thread(target=time.sleep, args=(900,), daemon=True).start(); print('ready'); input()"]);
  process.kill(pid, "SIGSTOP");
  let page;
  try {
    page = await b.open(b.report(pid, "regions"), { width: 1400, height: 900 });
    await page.click("#tab-regions");
    await sameAsShow(b, page, pid);
    await b.picture(page, "regions");
    await sorts(b, page, pid);
    await filters(b, page, pid);
    await page.reload();
    await page.waitForSelector(".app[data-ready=true]");
    await keyboard(b, page, pid);
    await finding(b, page, pid);
    await saving(b, page, pid);
    await columns(b, page);
    await page.context().close();
    await narrowAndPaper(b, b.report(pid, "narrow"));
  } finally {
    process.kill(pid, "SIGCONT");
  }
  await stored(b);
  await hostile(b);
  await many(b);
}
