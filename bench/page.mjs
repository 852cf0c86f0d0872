// What a report costs in Chromium: page.mjs REPORT.html [ROUNDS] prints one JSON object of medians in milliseconds.
// VMMAP_PAGE_PACKAGES is where the packages of the page lie. Times are of the page's own thread, from the trace.
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";

const packages = process.env.VMMAP_PAGE_PACKAGES ?? "web/node_modules";
const { chromium } = createRequire(join(resolve(packages), "x.js"))("playwright-core");
const [file, rounds = "3"] = process.argv.slice(2);
const program = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"].find(existsSync);
if (!program) process.exit(77);

const median = (all) => [...all].sort((a, b) => a - b)[Math.floor(all.length / 2)];
const browser = await chromium.launch({ executablePath: program, args: ["--no-sandbox", "--disable-gpu"] });

/** Milliseconds from a key or a changed text until the page has drawn what follows from it; NaN: there is no such element. */
async function act(page, selector, text) {
  await page.waitForTimeout(300);
  return page.evaluate(
    ([selector, text]) =>
      new Promise((done) => {
        const element = document.querySelector(selector);
        if (!element) return done(NaN);
        const begin = performance.now();
        if (text === null) element.dispatchEvent(new KeyboardEvent("keydown", { key: "Enter", bubbles: true }));
        else if (text === "click") element.click();
        else {
          element.value = text;
          element.dispatchEvent(new Event("input", { bubbles: true }));
        }
        // What is drawn in this frame is there when the next task runs.
        requestAnimationFrame(() => setTimeout(() => done(performance.now() - begin)));
      }),
    [selector, text],
  );
}

/** Frames while the table is scrolled from end to end in a second: the median and the longest distance between two. */
async function scroll(page) {
  return page.evaluate(
    () =>
      new Promise((done) => {
        const box = [...document.querySelectorAll("main *")].find((e) => e.scrollHeight > 4 * e.clientHeight && /auto|scroll/.test(getComputedStyle(e).overflowY));
        if (!box) return done({ median: NaN, longest: NaN });
        const times = [];
        const begin = performance.now();
        const step = (now) => {
          times.push(now);
          box.scrollTop = ((now - begin) / 1000) * (box.scrollHeight - box.clientHeight);
          if (now - begin < 1000) requestAnimationFrame(step);
          else {
            const gaps = times.slice(1).map((t, i) => t - times[i]).sort((a, b) => a - b);
            done({ median: gaps[gaps.length >> 1], longest: gaps.at(-1) });
          }
        };
        requestAnimationFrame(step);
      }),
  );
}

async function once() {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, offline: true });
  const page = await context.newPage();
  const cdp = await context.newCDPSession(page);
  await cdp.send("Performance.enable", { timeDomain: "threadTicks" });
  await page.goto(pathToFileURL(resolve(file)).href);
  await page.waitForSelector(".app[data-ready]");
  const result = { ready: await page.evaluate(() => performance.now()) };
  const { metrics } = await cdp.send("Performance.getMetrics");
  result.cpu = (metrics.find((m) => m.name === "TaskDuration")?.value ?? NaN) * 1000;
  result.regions = await act(page, "#tab-regions", "click");
  result.sort = await act(page, "[role=columnheader][data-column=rss]", null);
  result.sort_text = await act(page, "[role=columnheader][data-column=details]", null);
  result.filter = await act(page, "input[aria-label^=Filter]", "rss>1M || size<8K");
  result.no_filter = await act(page, "input[aria-label^=Filter]", "");
  result.find = await act(page, "input[aria-label=Find]", "7f");
  await page.waitForTimeout(300);
  const frames = await scroll(page);
  result.frame = frames.median;
  result.longest_frame = frames.longest;
  await context.close();
  return result;
}

const all = [];
for (let i = 0; i < Number(rounds); i++) all.push(await once());
await browser.close();
const medians = {};
for (const key of Object.keys(all[0])) medians[key] = median(all.map((r) => r[key]));
console.log(JSON.stringify(medians));
