// The page live for long: targets that grow and shrink under a page that shows one view after the other; one becomes another
// program, one exits. VMMAP_SOAK_UPDATES=600 makes ten minutes of it, and tells every half minute what server and page take.
import { spawn, spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const UPDATES = Number(process.env.VMMAP_SOAK_UPDATES ?? 10);
const SAMPLES = 20;
const TABS = ["overview", "regions", "map", "heaps", "time"];

const PYTHON = `
import mmap, os, select, sys
kept, objects, at = [], [], 0
print("ready", flush=True)
while not select.select([sys.stdin], [], [], 0.4)[0]:
    at += 1
    if at % 40 == 0: kept.clear(); objects.clear()
    else:
        kept.append(mmap.mmap(-1, 1 << 20, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, prot=mmap.PROT_READ if at % 2 else mmap.PROT_READ | mmap.PROT_WRITE))
        objects.append([bytes(200) for _ in range(2000)])
        if not at % 2: kept[-1].write(b"x" * (1 << 19))
os.execv("/bin/sleep", ["sleep", "1000"])
`;
const JAVA = `
import java.util.*;
public class Soak {
  public static void main(String[] words) throws Exception {
    List<byte[]> kept = new ArrayList<>();
    System.out.println("ready");
    for (int at = 1; System.in.available() == 0; at++) {
      if (at % 40 == 0) { kept.clear(); System.gc(); }
      else kept.add(new byte[1 << 20]);
      if (at % 10 == 0) { Thread t = new Thread(() -> { try { Thread.sleep(2000); } catch (InterruptedException e) { } }); t.start(); }
      Thread.sleep(400);
    }
  }
}
`;

const mib = (bytes) => (bytes / (1 << 20)).toFixed(1);
const rss = (pid) => Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))[1]) * 1024;

function serve(b, pid) {
  const child = spawn(b.vmmap, ["serve", "--duty", "50", "--every", "1s", String(pid)], { stdio: ["ignore", "pipe", "ignore"] });
  return new Promise((done, fail) => {
    child.once("error", fail);
    child.once("exit", (status) => fail(new Error(`vmmap serve ended: ${status}`)));
    child.stdout.once("data", (line) => done({ url: String(line).split("\n")[0], pid: child.pid, end: () => child.kill("SIGTERM") }));
  });
}

/** Every view shows something, and can still be chosen. */
async function usable(b, page, what) {
  const shown = { overview: 'tr[data-kind="total"]', regions: ".grid-row", map: ".map-canvas", heaps: "#view > *", time: ".timechart canvas" };
  for (const tab of TABS) {
    await page.click("#tab-" + tab);
    await page.waitForSelector(shown[tab], { timeout: 20000 });
  }
  b.check(true, `${what}: every view is there`);
}

async function live(b, name, target, updates) {
  const server = await serve(b, target.pid);
  const page = await b.open(server.url, { offline: false, expected: /status of 410/ }); // asked of the process as it ended
  const cdp = await page.context().newCDPSession(page);
  await cdp.send("Performance.enable");
  const heap = async () => {
    await cdp.send("HeapProfiler.collectGarbage");
    return (await cdp.send("Performance.getMetrics")).metrics.find((m) => m.name === "JSHeapUsedSize").value;
  };
  const begin = Date.now();
  const seen = [];
  for (let i = 1; i <= SAMPLES; i++) {
    await page.click("#tab-" + TABS[i % TABS.length]);
    await page.waitForFunction((n) => Number(/of ([\d,]+)/.exec(document.querySelector(".snapshots span")?.textContent ?? "")?.[1]?.replaceAll(",", "") ?? 1) >= n,
      Math.ceil((updates * i) / SAMPLES), { timeout: 120000, polling: 200 });
    seen.push({ at: (Date.now() - begin) / 1000, server: rss(server.pid), page: await heap() });
    const last = seen.at(-1);
    if (updates >= 100) console.log(`soak: ${name}, ${last.at.toFixed(0)} s: server ${mib(last.server)} MiB, page ${mib(last.page)} MiB`);
  }
  const half = seen[SAMPLES / 2 - 1];
  const last = seen.at(-1);
  console.log(`soak: ${name}, ${updates} updates: server ${mib(half.server)} -> ${mib(last.server)} MiB, page ${mib(half.page)} -> ${mib(last.page)} MiB in the second half`);
  b.check(last.page - half.page < 4 << 20, `${name}: the page grows from ${half.page} to ${last.page} bytes`);
  b.check(last.server - half.server < 8 << 20, `${name}: the server grows from ${half.server} to ${last.server} bytes`);
  return { page, server };
}

async function python(b) {
  const target = await b.target("python3", ["-u", "-c", PYTHON]);
  const { page, server } = await live(b, "python3", target, UPDATES);
  try {
    target.child.stdin.write("\n");
    await page.waitForFunction(() => document.querySelector(".heading h1")?.textContent === "sleep", null, { timeout: 60000 });
    b.check(/runs another program/.test(await page.textContent(".live")), "that the process runs another program stays said");
    await usable(b, page, "after exec");
    await b.picture(page, "soak-exec");
  } finally {
    await page.context().close();
    server.end();
  }
}

async function java(b) {
  if (spawnSync("java", ["-version"]).status !== 0) return console.log("SKIP: there is no java");
  const file = join(b.folder, "Soak.java");
  writeFileSync(file, JAVA);
  const target = await b.target("java", ["-Xmx256m", "-Xlog:disable", file]).catch(() => null);
  if (!target) return console.log("SKIP: this java does not run a source file");
  const { page, server } = await live(b, "java", target, UPDATES);
  try {
    target.child.stdin.write("\n");
    await page.waitForSelector(".live .badge.bad", { timeout: 60000 });
    b.check(/has ended/.test(await page.textContent(".live .badge.bad")), "that the process has ended is said");
    await usable(b, page, "after the end");
    await b.picture(page, "soak-gone");
  } finally {
    await page.context().close();
    server.end();
  }
}

export default async function (b) {
  await Promise.all([python(b), java(b)]);
}
