// Every state of a page: in the strip of the panel and in the picture from near, served live and in a report, as the kernel's
// page map has it. The target makes each of them; swap is had with a file where there is none.
import { spawn } from "node:child_process";
import { closeSync, openSync, readFileSync, readSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { serve } from "./live.mjs";
import { scan } from "../scan.mjs";

const PAGE = 4096;
const PAGES = 64;
const HUGE = 2 << 20;
const STRIP = 320;
const AT = { mixed: 0x200000000000, huge: 0x210000000000, file: 0x220000000000 };
const SWAP_BYTES = 32 << 20;

/** Eight sorts of pages in turn; two huge pages of which one is touched; a file that was read. */
const TARGET = `
import ctypes, mmap, os, sys, tempfile
libc = ctypes.CDLL(None, use_errno=True)
libc.mmap.restype = ctypes.c_void_p
libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long]
libc.madvise.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
PAGE, PAGES, HUGE = ${PAGE}, ${PAGES}, ${HUGE}
NOHUGE, HUGEPAGE, PAGEOUT, GUARD = 15, 14, 21, 102
made = []
def advise(at, size, what):
    return libc.madvise(at, size, what) == 0
def place(at, size, flags, fd=-1, protection=3):
    if libc.mmap(at, size, protection, flags | 0x100000, fd, 0) != at: sys.exit("mmap")
def peek(at):
    return ctypes.c_ubyte.from_address(at).value
mixed = ${AT.mixed}
place(mixed, PAGES * PAGE, 0x22)
advise(mixed, PAGES * PAGE, NOHUGE)
for i in range(PAGES):
    at, sort = mixed + i * PAGE, ("touched", "not", "read", "guard", "swapped", "not", "touched", "swapped")[i % 8]
    if sort in ("touched", "swapped"): ctypes.memset(at, i + 1, 1)
    if sort == "read": peek(at)
    if sort == "guard" and not advise(at, PAGE, GUARD): sort = "no guard: " + os.strerror(ctypes.get_errno())
    made.append(sort)
for i in range(PAGES):
    if made[i] == "swapped": advise(mixed + i * PAGE, PAGE, PAGEOUT)
place(${AT.huge}, 2 * HUGE, 0x22)
advise(${AT.huge}, 2 * HUGE, HUGEPAGE)
ctypes.memset(${AT.huge}, 1, 1)
file = tempfile.TemporaryFile()
file.write(b"x" * PAGE * 8)
file.flush()
place(${AT.file}, PAGE * 8, 2, file.fileno(), 1)
for i in range(8): peek(${AT.file} + i * PAGE)
print(",".join(made), flush=True)
input()
`;

/** Swap for as long as the tests run; a reason where it cannot be had. It goes too when this program dies: its shell waits for that. */
async function swap(b) {
  if (readFileSync("/proc/swaps", "utf8").trim().split("\n").length > 1) return { why: "", end: async () => undefined };
  if (process.getuid() !== 0) return { why: "no swap, and only root may add some", end: async () => undefined };
  const file = join(b.folder, "swap");
  writeFileSync(file, Buffer.alloc(SWAP_BYTES), { mode: 0o600 });
  const shell = spawn("sh", ["-c", 'mkswap "$0" >/dev/null 2>&1 && swapon "$0" 2>&1 && echo on && read x; swapoff "$0" 2>/dev/null; rm -f "$0"', file],
    { stdio: ["pipe", "pipe", "ignore"] });
  const gone = new Promise((done) => shell.once("exit", done));
  const said = await new Promise((done) => {
    shell.stdout.once("data", (text) => done(String(text).trim()));
    shell.once("exit", () => done("mkswap failed"));
  });
  const end = async () => {
    shell.stdin.end();
    await gone;
  };
  return { why: said === "on" ? "" : `no swap: ${said}`, end };
}

/** Words of the page map, one for each page. */
function pagemap(pid, address, count) {
  const bytes = Buffer.alloc(count * 8);
  const file = openSync(`/proc/${pid}/pagemap`, "r");
  try {
    if (readSync(file, bytes, 0, bytes.length, (address / PAGE) * 8) !== bytes.length) throw new Error("the page map ends early");
  } finally {
    closeSync(file);
  }
  return Array.from({ length: count }, (_, i) => bytes.readBigUInt64LE(i * 8));
}

/** What a page is by the kernel; what its map does not tell by what the target did to it. */
function stateOf(word, sort) {
  const bit = (n) => ((word >> BigInt(n)) & 1n) === 1n;
  if (sort === "guard") return "guard"; // older kernels show one as swapped
  if (bit(62)) return "swapped";
  if (!bit(63)) return "absent";
  return bit(61) ? "file" : sort === "read" ? "zero" : sort === "huge" ? "huge" : "present";
}

function truthOf(pid, sorts) {
  const states = (at, count, sort) => pagemap(pid, at, count).map((word, i) => stateOf(word, sort(i)));
  return {
    mixed: states(AT.mixed, PAGES, (i) => sorts[i]),
    huge: states(AT.huge, (2 * HUGE) / PAGE, () => "huge"),
    file: states(AT.file, 8, () => ""),
  };
}

/** Bytes in huge pages of the mapping there, by smaps. */
function hugeBytes(pid, address) {
  const text = readFileSync(`/proc/${pid}/smaps`, "utf8");
  const of = text.slice(text.indexOf(address.toString(16) + "-"));
  return Number(/AnonHugePages:\s+(\d+)/.exec(of)?.[1] ?? 0) * 1024;
}

const countOf = (states) => Object.entries(states.reduce((sum, s) => ({ ...sum, [s]: (sum[s] ?? 0) + 1 }), {})).sort();

/** The strip of the panel: how many there are of each, and where each page is drawn. */
async function strip(b, page, address, states, what) {
  await page.evaluate((a) => { location.hash = "#tab=regions&selected=" + a; }, "0x" + address.toString(16));
  if (!(await page.locator(".side").count())) await page.getByRole("button", { name: "Details" }).click();
  await page.waitForFunction((a) => document.querySelector(".side .side-range")?.textContent.startsWith(a) && document.querySelector(".side svg.strip rect"), address.toString(16));
  const shown = await page.$$eval(".strip-key li", (all) => all.map((li) => [li.querySelector("i").className.replace("page-", ""), Number(li.querySelector("b").textContent.replaceAll(",", ""))]));
  b.equal(shown.sort(), countOf(states), `${what}: pages by state`);
  const parts = await page.$$eval("svg.strip rect", (all) => all.map((r) => {
    const from = Number(r.getAttribute("x"));
    return { from, to: from + Number(r.getAttribute("width")), state: r.getAttribute("class").replace("page-", ""), fill: getComputedStyle(r).fill };
  }));
  const drawn = (i) => parts.find((p) => p.from <= ((i + 0.5) * STRIP) / states.length && p.to > ((i + 0.5) * STRIP) / states.length);
  b.equal(states.map((_, i) => drawn(i)?.state), states, `${what}: each page of the strip`);
  const fills = new Map(parts.map((p) => [p.state, p.fill]));
  b.equal(new Set(fills.values()).size, fills.size, `${what}: states have colours of their own: ${[...fills]}`);
}

/** As people read them. */
const LABELS = { present: "resident", huge: "resident, huge page", zero: "zero page", file: "resident, of a file", swapped: "swapped", guard: "guard", absent: "not there" };

/** The picture from near: what it tells of each page, and the colour that it has there. */
async function picture(b, page, address, states, what) {
  await page.evaluate((a) => { location.hash = "#tab=map&selected=" + a; }, "0x" + address.toString(16));
  await page.waitForSelector(".map-canvas");
  await page.waitForTimeout(500);
  await page.focus(".map-canvas");
  await page.keyboard.press("Home");
  await page.waitForTimeout(400);
  const there = (await scan(page, 40, 24)).find((p) => {
    const found = /^(0x[0-9a-f]+)–(0x[0-9a-f]+)/.exec(p.text);
    return found && Number(found[1]) <= address && address < Number(found[2]);
  });
  if (!b.check(there, `${what}: it is in the whole picture`)) return;
  await page.mouse.dblclick(there.x, there.y);
  await page.waitForSelector(".map-detail [data-state]");
  await page.waitForTimeout(600);
  await b.picture(page, "pagestates-" + what.replaceAll(" ", "-"));
  const seen = (await scan(page, 30, 40)).flatMap((p) => {
    const found = /page (0x[0-9a-f]+): (.*?)( ·|$)/.exec(p.text);
    const i = found ? (Number(found[1]) - address) / PAGE : -1;
    return i >= 0 && i < states.length ? [{ ...p, i, told: found[2] }] : [];
  });
  const wrong = seen.filter((p) => p.told !== LABELS[states[p.i]]);
  b.check(seen.length > 20 && wrong.length === 0, `${what}: ${seen.length} places tell their pages; wrong: ${JSON.stringify(wrong.slice(0, 3))}`);
  for (const state of new Set(states)) b.check(seen.some((p) => states[p.i] === state), `${what}: a page that is ${state} is in sight`);
  // What lies beside it may be in sight too.
  const legend = await page.$$eval(".map-detail [data-state]", (all) => all.map((e) => e.dataset.state));
  b.equal([...new Set(states)].filter((state) => !legend.includes(state)), [], `${what}: the legend has its states`);
  await colours(b, page, seen, states, what);
}

/** Pixels around each place: of all states' colours, which the key beside the picture has, the page's own is there most. */
async function colours(b, page, seen, states, what) {
  const drawn = Object.keys(LABELS).filter((state) => state !== "absent"); // that one has the ground's
  const winners = await page.evaluate(([places, all]) => {
    const canvas = document.querySelector(".map-ground");
    const box = canvas.getBoundingClientRect();
    const ratio = canvas.width / box.width;
    const context = canvas.getContext("2d");
    const probe = document.createElement("i");
    document.body.append(probe);
    const wanted = all.map((state) => {
      probe.className = "page-" + state;
      return [state, getComputedStyle(probe).backgroundColor.match(/[\d.]+/g).map(Number)];
    });
    probe.remove();
    return places.map(({ x, y }) => {
      const { data } = context.getImageData((x - box.x - 3) * ratio, (y - box.y - 3) * ratio, 6 * ratio, 6 * ratio);
      const hits = wanted.map(([state, [r, g, bl]]) => {
        let n = 0;
        for (let i = 0; i < data.length; i += 4) if (Math.abs(data[i] - r) + Math.abs(data[i + 1] - g) + Math.abs(data[i + 2] - bl) < 12) n++;
        return [n, state];
      }).sort((a, c) => c[0] - a[0]);
      return hits[0][0] > 0 ? hits[0][1] : null;
    });
  }, [seen, drawn]);
  for (const state of new Set(states)) {
    const of = winners.filter((_, k) => states[seen[k].i] === state);
    const [own, others] = [of.filter((w) => w === state).length, of.filter((w) => w !== null && w !== state).length];
    // The band above the pages has the region's colour; at the border of a page its neighbour may win.
    if (state !== "absent") b.check(own > of.length / 2 && others < of.length / 6, `${what}: ${own} of ${of.length} places that are ${state} have its colour, ${others} another's`);
    else b.check(others < of.length / 6, `${what}: of ${of.length} places that are not there ${others} have a colour`);
  }
}

async function shown(b, page, truth, what) {
  for (const [name, at] of Object.entries(AT)) await strip(b, page, at, truth[name], `${what} ${name}`);
  for (const name of ["mixed", "huge"]) await picture(b, page, AT[name], truth[name], `${what} ${name}`);
}

async function all(b, noSwap) {
  const { pid, line, child } = await b.target("python3", ["-u", "-c", TARGET]);
  const sorts = line.trim().split(",");
  const truth = truthOf(pid, sorts);
  const has = new Set(Object.values(truth).flat());
  if (noSwap) console.log("SKIP swapped pages: " + noSwap);
  else b.check(has.has("swapped"), "the target has swapped pages");
  const refused = sorts.find((s) => s.startsWith("no guard"));
  if (refused) console.log("SKIP guard pages: " + refused);
  const huge = hugeBytes(pid, AT.huge);
  if (huge === 0) console.log("SKIP huge pages: the kernel gave none");
  b.equal(truth.huge.filter((s) => s === "huge").length * PAGE >= huge, true, "huge pages as smaps says");
  if (huge === 0) truth.huge = truth.huge.map((s) => (s === "huge" ? "present" : s));
  const report = await b.open(b.report(pid, "states"), { width: 1440, height: 900 });
  await shown(b, report, truth, "report");
  await report.context().close();
  const server = await serve(b, String(pid));
  const live = await b.open(server.url, { width: 1440, height: 900, offline: false, dark: true });
  try {
    await live.getByRole("button", { name: "Pause" }).click();
    await shown(b, live, truth, "live");
  } finally {
    await live.context().close();
    server.end();
  }
  b.equal(countOf(truthOf(pid, sorts).mixed), countOf(truth.mixed), "the kernel left the pages as they were");
  child.kill();
}

export default async function (b) {
  const { why, end } = await swap(b);
  try {
    await all(b, why);
  } finally {
    await end();
  }
}
