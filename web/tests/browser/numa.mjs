// Colours of the address space by NUMA node. Of the machine's one node by numa_maps; of several, which few machines have, on a
// real document with their numbers put in.
import { existsSync, readFileSync } from "node:fs";
import { scan } from "../scan.mjs";

const TARGET = `
import mmap, threading, time
kept = [mmap.mmap(-1, (i % 9 + 1) * 65536, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) for i in range(30)]
for i, m in enumerate(kept):
    if i % 3: m[:4096] = b"x" * 4096
[threading.Thread(target=time.sleep, args=(900,), daemon=True).start() for _ in range(3)]
print("ready", flush=True); input()
`;

/** "1.2 MiB" as the page writes it. */
function size(n) {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let unit = 0;
  for (; n >= 1024 && unit < units.length - 1; unit++) n /= 1024;
  return `${(n < 100 ? Math.round(n * 10) / 10 : Math.round(n)).toLocaleString("en-US")} ${units[unit]}`;
}

/** What the legend says: the node ("-1": not told) and how much. */
function legend(page) {
  return page.$$eval(".map-legend .chip", (all) => all.filter((c) => /^(none|-?\d+)$/.test(c.dataset.id ?? "")).map((c) => [c.dataset.id, c.querySelector(".dim").textContent.trim()]));
}

async function byNode(page) {
  await page.click("#tab-map");
  await page.getByRole("radio", { name: "NUMA node" }).click();
  await page.waitForSelector('.map-legend .chip[data-id="0"]');
}

/** Bytes of the blocks by the node of their mappings, by the kernel; of one that several regions share the kernel does not tell. */
function byKernel(pid, document) {
  const sums = new Map();
  const lines = (name) => readFileSync(`/proc/${pid}/${name}`, "utf8").trim().split("\n");
  const nodes = new Map(lines("numa_maps").map((line) => [parseInt(line, 16), / N(\d+)=/.exec(line)?.[1]]));
  const mappings = lines("maps").map((line) => line.split(" ")[0].split("-").map((end) => parseInt(end, 16)));
  for (const region of document.regions.filter((r) => !r.outside))
    for (const block of region.blocks) {
      const [from, to] = mappings.findLast((m) => m[0] <= Number(block.address));
      const whole = from >= Number(region.address) && to <= Number(region.end);
      const node = block.rss === 0 ? "none" : whole ? (nodes.get(from) ?? "-1") : "-1";
      sums.set(node, (sums.get(node) ?? 0) + block.size);
    }
  return sums;
}

function sorted(sums) {
  return [...sums].map(([node, n]) => [String(node), size(n)]).sort();
}

/** What each block is said to be on, and so the node that has most of it: ties go to the lower one. "none": it has no pages. */
const SAID = [["N0=3", 0], ["N1=9 N0=2", 1], ["N0=1 N2=40 N1=39", 2], ["N9=5", 9], [null, -1], ["N3=7 N4=7", 3], ["", "none"]];

/** Puts nodes into the document; block address to node. */
function spread(document) {
  const nodes = new Map();
  for (const region of document.regions) {
    region.numa = null;
    if (region.outside) continue;
    for (const block of region.blocks) {
      const [text, node] = SAID[nodes.size % SAID.length];
      block.numa = text;
      block.rss = node === "none" ? 0 : block.size;
      nodes.set(Number(block.address), { end: Number(block.end), size: block.size, node });
    }
  }
  return nodes;
}

async function drop(page, text) {
  await page.evaluate((given) => {
    const data = new DataTransfer();
    data.items.add(new File([given], "nodes.json", { type: "application/json" }));
    dispatchEvent(new DragEvent("drop", { dataTransfer: data, cancelable: true, bubbles: true }));
  }, text);
}

/** The colour that is there most around each place; null where nothing is drawn, as between the rows. */
function pixels(page, places) {
  return page.evaluate((all) => {
    const canvas = document.querySelector(".map-ground");
    const box = canvas.getBoundingClientRect();
    const ratio = canvas.width / box.width;
    const context = canvas.getContext("2d");
    return all.map(({ x, y }) => {
      const { data } = context.getImageData((x - box.x - 2) * ratio, (y - box.y - 2) * ratio, 4 * ratio, 4 * ratio);
      const found = new Map();
      for (let i = 0; i < data.length; i += 4) {
        const colour = data[i + 3] ? `rgb(${data[i]}, ${data[i + 1]}, ${data[i + 2]})` : null;
        found.set(colour, (found.get(colour) ?? 0) + 1);
      }
      return [...found].sort((a, c) => c[1] - a[1])[0][0];
    });
  }, places);
}

/** Places in the picture have the colour that the legend gives their node. */
async function coloured(b, page, nodes, what) {
  const fills = new Map(await page.$$eval(".map-legend .chip", (all) => all.map((c) => [c.dataset.id, getComputedStyle(c.querySelector(".swatch")).backgroundColor])));
  const places = (await scan(page, 40, 40)).flatMap((p) => {
    const found = /^(0x[0-9a-f]+)–(0x[0-9a-f]+)/.exec(p.text);
    const at = found ? nodes.get(Number(found[1])) : undefined;
    return at && at.end === Number(found[2]) ? [{ ...p, node: at.node }] : [];
  });
  const seen = await pixels(page, places);
  const wrong = places.filter((p, i) => seen[i] !== null && seen[i] !== fills.get(String(p.node)));
  b.check(places.length > 60 && new Set(places.map((p) => p.node)).size === SAID.length, `${what}: ${places.length} places of every node`);
  // Some lie on the border of a block, or on a letter.
  b.check(wrong.length < places.length / 10, `${what}: ${places.length - wrong.length} of ${places.length} places have the colour of their node`);
}

async function several(b, page, document) {
  const nodes = spread(document);
  await drop(page, JSON.stringify(document));
  await page.waitForFunction(() => document.querySelector(".app[data-ready]"));
  await byNode(page);
  await page.waitForSelector('.map-legend .chip[data-id="9"]');
  const sums = new Map();
  for (const { size: n, node } of nodes.values()) sums.set(node, (sums.get(node) ?? 0) + n);
  b.equal((await legend(page)).sort(), sorted(sums), "each node has the blocks that are mostly on it");
  b.equal((await legend(page)).map((l) => l[0]), ["0", "1", "2", "3", "9", "none", "-1"], "nodes come in their order, what is not told comes last");
  const looks = () => page.$$eval(".map-legend .chip", (all) => all.filter((c) => /^(none|-?\d+)$/.test(c.dataset.id ?? "")).map((c) => c.querySelector(".swatch").getAttribute("style")));
  b.equal(new Set(await looks()).size, sums.size, "no two nodes look the same, also beyond the colours that there are");
  await page.waitForTimeout(400);
  await b.picture(page, "map-nodes");
  await coloured(b, page, nodes, "nodes");
  await page.click('button:text-is("Safe colours")');
  await page.waitForTimeout(400);
  b.equal(new Set(await looks()).size, sums.size, "nor in safe colours");
  await b.picture(page, "map-nodes-safe");
}

export default async function (b) {
  if (!existsSync("/proc/self/numa_maps")) {
    console.log("SKIP this kernel knows no NUMA nodes");
    b.check(true, "nothing to show");
    return;
  }
  const { pid, child } = await b.target("python3", ["-u", "-c", TARGET]);
  process.kill(pid, "SIGSTOP"); // the report, the document and numa_maps tell of one state
  const page = await b.open(b.report(pid, "numa", "--numa"), { width: 1440, height: 900 });
  const document = JSON.parse(b.run("show", pid, "--numa", "--json"));
  await byNode(page);
  const online = readFileSync("/sys/devices/system/node/online", "utf8").trim();
  if (online !== "0") console.log("SKIP the legend against numa_maps: parts of mappings may lie on any of nodes " + online);
  else b.equal((await legend(page)).sort(), sorted(byKernel(pid, document)), "bytes by node as numa_maps has them");
  const without = await b.open(b.report(pid, "without"), { width: 1440, height: 900 });
  await without.click("#tab-map");
  b.equal(await without.getByRole("radio", { name: "NUMA node" }).count(), 0, "without --numa there is nothing to choose");
  await without.context().close();
  await several(b, page, document);
  await page.context().close();
  child.kill();
}
