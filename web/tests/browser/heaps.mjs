// Heaps say what vmmap heap says; findings, remainders and what is unproved are shown, with what is unknown as such.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const PROGRAM = `
import time
kept = [bytes(3000 + i % 700) for i in range(5000)]
del kept[::3]
print('ready', flush=True)
time.sleep(3000)
`;
const cell = (n) => (n === null || n === undefined ? "?" : n === 0 ? "-" : n < 512 ? "<1" : Math.round(n / 1024).toLocaleString("en-US"));
const count = (n) => (n === null || n === undefined ? "?" : n === 0 ? "-" : n.toLocaleString("en-US"));

async function walked(b) {
  const { pid } = await b.target("python3", ["-u", "-c", PROGRAM]);
  await new Promise((done) => setTimeout(done, 300));
  process.kill(pid, "SIGSTOP");
  const url = b.report(pid, "heaps");
  const doc = JSON.parse(b.run("heap", pid, "--json"));
  const page = await b.open(url + "#tab=heaps", { height: 1000 });
  const rows = await page.$$eval(".heaps-table tbody tr", (all) => all.map((r) => [r.dataset.heap, ...[...r.querySelectorAll("td.number")].map((c) => c.textContent)]));
  const ids = ["size", "rss", "used_bytes", "used_count", "free_bytes", "free_count", "top", "unused_rss", "overhead", "largest_free", "trimmable"];
  b.equal(rows, doc.heaps.map((h) => [h.id, ...ids.map((id) => (id.endsWith("count") ? count : cell)(h[id])), count(h.threads.length)]), "numbers of heaps");
  const first = doc.heaps[0];
  const states = await page.$$eval(".state-table tbody tr", (all) => all.map((r) => [...r.querySelectorAll("td")].map((c) => c.textContent)));
  b.equal(states, ["used", "cached", "fast", "free", "top", "meta", "reserved"].map((s) => [count(first.states[s].count), cell(first.states[s].bytes), cell(first.states[s].rss)]), "states of the first heap");
  await page.waitForSelector(".histogram");
  const sizes = await page.$$eval(".histogram tbody tr", (all) => all.map((r) => [r.cells[0].textContent, r.cells[4].textContent]));
  b.equal(sizes, first.log2.map((c) => [count(c.used), count(c.free)]), "chunks by size");
  const largest = await page.$$eval('[aria-label="Largest chunks"] tbody tr', (all) => all.map((r) => r.cells[0].textContent));
  b.equal(largest.slice(0, 5), doc.largest.slice(0, 5).map((c) => c.address), "largest chunks");
  await page.waitForSelector(".heap-picture canvas");
  const lines = b.run("heap", pid, "--chunks", "--csv", "--columns", "heap").split("\n").filter((l) => l === first.id);
  await page.waitForFunction((n) => document.querySelector(".picture-head").textContent.includes(n + " chunks"), count(lines.length));
  b.check(await page.evaluate(() => {
    const canvas = document.querySelector(".heap-picture canvas");
    const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    return new Set(new Uint32Array(data.buffer)).size > 2;
  }), "the chunks of a heap are drawn in a report, in their colours");
  await page.focus(".heap-picture canvas");
  await page.keyboard.press("Home");
  await page.keyboard.press("ArrowRight");
  const chunk = b.run("heap", pid, "--chunks", "--csv", "--columns", "start,address,size,state,heap").split("\n")
    .map((l) => l.split(",")).filter((l) => l[4] === first.id).sort((x, y) => (BigInt(x[0]) < BigInt(y[0]) ? -1 : 1))[1];
  b.equal(await page.textContent("#chunk-told"), `${chunk[1]}: ${Number(chunk[2]).toLocaleString("en-US")} bytes, ${chunk[3]}`, "arrow keys go from chunk to chunk");
  const [svg] = await Promise.all([page.waitForEvent("download"), page.click('.picture-head .button:text-is("Save SVG")')]);
  const text = readFileSync(await svg.path(), "utf8");
  b.check(text.startsWith("<svg ") && text.includes("<path fill=") && text.includes("used"), "the picture is saved as SVG");
  b.check(await page.evaluate(async (source) => {
    const image = new Image();
    image.src = "data:image/svg+xml;base64," + btoa(unescape(encodeURIComponent(source)));
    await image.decode();
    return image.naturalWidth > 1000;
  }, text), "which a browser draws");
  writeFileSync(join(b.pictures, "heap-chunks.svg"), text);
  await b.picture(page, "heaps-light");
  if (doc.heaps.length > 1) {
    await page.click(`.heaps-table tr[data-heap="${doc.heaps[1].id}"] button`);
    b.check((await page.textContent(".heap-detail")).includes(doc.heaps[1].id), "a row shows its heap");
    b.check(page.url().includes("heap=" + doc.heaps[1].id), "and the URL holds it");
  }
  await page.context().close();
  return url;
}

/** A document with what seldom is: made of a real one. */
async function crafted(b, url) {
  const { pid } = await b.target("python3", ["-u", "-c", PROGRAM]);
  const doc = JSON.parse(b.run("show", pid, "--json"));
  const region = doc.regions[3].address;
  doc.verdicts = [
    { id: "map_count", severity: "critical", title: "65,001 of 65,530 mappings are used", evidence: [{ text: "guard pages split", address: region, count: 60000 }, "plain <b>words</b>",
      { text: "the regions in question", regions: [doc.regions[0].address, "0x" + (BigInt(doc.regions[1].address) + 16n).toString(16), doc.regions[1].address] }], remedy: "raise vm.max_map_count" },
    { id: "frag", severity: "warning", title: "<img src=x onerror=alert(1)>", evidence: [], remedy: "" },
  ];
  doc.accounts[0].remainder = -8192;
  doc.accounts[0].explanation = "the kernel counts in batches";
  doc.accounts[1].sum = null;
  doc.accounts[1].remainder = null;
  doc.accounts[1].explanation = "not all was read";
  doc.limits.max_map_count.used = 65001;
  doc.partial = true;
  doc.target.death = { signal: 11, code: 1, address: "0x10", tid: pid };
  doc.summary.total.rss = null;
  doc.summary.total.at_least = { rss: 8192 };
  for (const t of doc.summary.types) if (t.kind === "heap") t.pss = null;
  const bad = doc.heaps[0];
  bad.proved = false;
  for (const id in bad) if (typeof bad[id] === "number" && id !== "size") bad[id] = null;
  bad.states = Object.fromEntries(Object.keys(bad.states ?? {}).map((k) => [k, { count: null, bytes: null, rss: null }]));
  const file = join(b.folder, "crafted.html");
  const text = JSON.stringify({ snapshots: [doc] }).replaceAll("<", "\\u003c");
  const html = readFileSync(fileURLToPath(url), "utf8").replace(/<script[^>]*id="vmmap-data"[^>]*>[^<]*<\/script>/,
    () => `<script type="application/json" id="vmmap-data">${text}</script>`);
  writeFileSync(file, html);
  for (const dark of [false, true]) {
    const page = await b.open(pathToFileURL(file).href, { dark, height: 1400 });
    b.equal(await page.$$eval(".verdict", (all) => all.map((v) => v.className.split(" ").at(-1))), ["level-bad", "level-warn"], "findings by severity");
    b.equal(await page.$$eval("img, .verdict b b", (all) => all.length), 0, "texts of findings are texts");
    const rows = await page.$$eval(".accounts tbody tr", (all) => all.slice(0, 2).map((r) => [r.className, r.querySelector("td:last-child").textContent, r.querySelector(".why")?.textContent]));
    b.equal(rows, [["odd", "−8", "the kernel counts in batches"], ["", "?", "not all was read"]], "remainders with their reasons");
    b.equal(await page.textContent('.types-table [data-kind="total"] td:nth-of-type(4)'), "≥ 8", "a bound says so");
    b.equal(await page.textContent('.types-table [data-kind="heap"] td:nth-of-type(5)'), "?", "unknown is ?");
    b.check(await page.$(".meter .bad"), "a limit that is nearly used stands out");
    const head = await page.textContent(".header");
    b.check(head.includes("killed by SIGSEGV at 0x10") && head.includes("partial"), "the header tells death and partial");
    await b.picture(page, dark ? "findings-dark" : "findings");
    if (!dark) {
      await page.click("#tab-heaps");
      b.check((await page.textContent(".heap-detail")).includes("numbers are unknown"), "an unproved heap says so");
      b.check((await page.$$eval(".state-table tbody td", (all) => all.map((c) => c.textContent))).every((t) => t === "?"), "and shows no numbers");
      await b.picture(page, "heaps-unproved");
      await page.click("#tab-overview");
      await page.click(".verdict .link");
      b.check(page.url().includes("selected=" + region), "evidence leads to its region");
      await page.click("#tab-overview");
      await page.click('.verdict .button:text-is("Show the 3 regions")');
      await page.waitForSelector(".grid-row");
      const shown = await page.$$eval(".grid-row[data-index] > :first-child", (all) => all.map((c) => "0x" + c.textContent.trim()));
      b.equal(shown.sort(), [doc.regions[0], doc.regions[1], doc.regions[3]].map((r) => r.address).sort(), "all regions of a finding are shown, each once");
    }
    await page.context().close();
  }
}

export default async function (b) {
  const url = await walked(b);
  await crafted(b, url.replace(/#.*/, ""));
}
