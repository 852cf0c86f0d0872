// Tests of the page in a real Chromium: browser.mjs VMMAP TARGETS_FOLDER [OUT_FOLDER] [ONLY...]
// Each file of tests/browser/ is a group of checks; its screenshots go to OUT_FOLDER. The last line counts.
import { spawnSync, spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
// Packages lie in the build folder (cmake/page.cmake) or beside the sources.
const packages = process.env.VMMAP_PAGE_PACKAGES ?? join(here, "..", "node_modules");
const { chromium } = (await import(pathToFileURL(join(packages, "playwright-core", "index.js")).href)).default;
const axe = join(packages, "axe-core", "axe.min.js");

const [vmmap, targets, out = "", ...only] = process.argv.slice(2);
if (!vmmap || !targets) {
  console.error("browser.mjs VMMAP TARGETS_FOLDER [OUT_FOLDER] [ONLY...]");
  process.exit(2);
}
const program = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"].find(existsSync);
if (!program) {
  console.log("SKIP there is no Chromium: apt-get install chromium");
  process.exit(77);
}

const folder = mkdtempSync(join(tmpdir(), "vmmap-page-"));
const pictures = out ? resolve(out) : folder;
mkdirSync(pictures, { recursive: true });
const browser = await chromium.launch({ executablePath: program, args: ["--no-sandbox", "--disable-gpu", "--force-color-profile=srgb"] });
let checks = 0;
let failed = 0;
const children = new Set();

/** What every group gets. */
const bench = {
  axe, browser, folder, pictures, targets, vmmap,
  check(holds, what) {
    checks++;
    if (!holds) {
      failed++;
      console.log("FAIL: " + what);
    }
    return Boolean(holds);
  },
  equal(found, expected, what) {
    const same = JSON.stringify(found) === JSON.stringify(expected);
    return bench.check(same, same ? what : `${what}: is ${JSON.stringify(found)}, must be ${JSON.stringify(expected)}`);
  },
  /** Runs vmmap; throws unless the exit status is 0. */
  run(...words) {
    const done = spawnSync(vmmap, words.map(String), { encoding: "utf8", maxBuffer: 1 << 30, stdio: ["ignore", "pipe", "pipe"] });
    if (done.status !== 0) throw new Error(`vmmap ${words.join(" ")}: status ${done.status}: ${done.stderr}`);
    return done.stdout;
  },
  /** A program that runs until the tests end; resolves when it has written its first line. */
  target(command, args = [], options = {}) {
    const child = spawn(command, args, { stdio: ["pipe", "pipe", "ignore"], ...options });
    children.add(child);
    return new Promise((done, fail) => {
      child.once("error", fail);
      child.once("exit", () => fail(new Error(command + " ended")));
      child.stdout.once("data", (line) => done({ pid: child.pid, child, line: String(line) }));
    });
  },
  report(target, name, ...words) {
    const file = join(folder, name + ".html");
    bench.run("report", target, "-o", file, ...words);
    return pathToFileURL(file).href;
  },
  /** A page with the network cut; anything that it would fetch, and any error but an expected one, is a failed check. */
  async open(url, { width = 1280, height = 800, dark = false, offline = true, expected = /^$/, ...options } = {}) {
    const context = await browser.newContext({ viewport: { width, height }, colorScheme: dark ? "dark" : "light", offline, ...options });
    const page = await context.newPage();
    page.on("pageerror", (e) => bench.check(false, "error in the page: " + e));
    page.on("console", (m) => m.type() === "error" && !expected.test(m.text()) && bench.check(false, "console: " + m.text()));
    if (offline)
      page.on("request", (r) => bench.check(/^(file|data|blob):/.test(r.url()), "the page fetches " + r.url()));
    await page.goto(url);
    await page.waitForSelector(".app[data-ready]", { timeout: 20000 });
    return page;
  },
  async picture(page, name, options = {}) {
    await page.screenshot({ path: join(pictures, name + ".png"), ...options });
  },
};

try {
  const groups = readdirSync(join(here, "browser")).filter((f) => f.endsWith(".mjs")).sort();
  for (const file of groups) {
    const name = file.replace(/\.mjs$/, "");
    if (only.length && !only.includes(name)) continue;
    try {
      await (await import(pathToFileURL(join(here, "browser", file)).href)).default(bench);
    } catch (e) {
      bench.check(false, `${name}: ${e.stack ?? e}`);
    }
  }
} finally {
  await browser.close();
  for (const child of children) child.kill("SIGKILL");
  rmSync(folder, { recursive: true, force: true });
}
console.log(`${checks} checks, ${failed} failed`);
process.exit(failed || !checks ? 1 : 0);
