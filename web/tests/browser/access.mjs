// axe-core on every view, light and dark: no serious and no critical finding.
import { everyTab } from "./pack.mjs";

/** What axe found, one line for each rule, with the first elements. */
function told(violations) {
  return violations
    .filter((v) => v.impact === "serious" || v.impact === "critical")
    .map((v) => `${v.id} (${v.impact}, ${v.nodes.length}): ${v.help}: ${v.nodes.slice(0, 3).map((n) => n.html.slice(0, 160)).join(" | ")}`);
}

/** Serious and critical findings of a page into which axe was put. */
export async function findings(page) {
  return told((await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ["violations"] }))).violations);
}

/** By Tab alone from the address bar round to it again: each stop has a name, is seen, and shows that it has the focus. */
async function walk(b, page, tab) {
  await page.evaluate(() => {
    document.activeElement?.blur();
    window.walked = new WeakSet();
  });
  await page.focus("#tab-" + tab);
  const stops = new Set();
  for (let i = 0; i < 400; i++) {
    await page.keyboard.press("Tab");
    const stop = await page.evaluate(() => {
      const e = document.activeElement;
      if (!e || e === document.body) return null;
      const box = e.getBoundingClientRect();
      const style = getComputedStyle(e);
      const name = e.getAttribute("aria-label") ?? (e.getAttribute("aria-labelledby") ? document.getElementById(e.getAttribute("aria-labelledby"))?.textContent : null) ??
        (e.labels?.[0]?.textContent || e.textContent || e.title);
      const again = window.walked.has(e);
      window.walked.add(e);
      return {
        again, name: (name ?? "").trim(), html: e.outerHTML.slice(0, 120), seen: box.width > 0 && box.height > 0 && box.bottom > 0 && box.top < innerHeight,
        marked: style.outlineStyle !== "none" || style.boxShadow !== "none" || e.matches(".grid, input") || e.closest(".grid-head") !== null,
      };
    });
    if (!stop || stop.again) break;
    stops.add(stop.html);
    b.check(stop.name !== "", `${tab}: what has the focus has a name: ${stop.html}`);
    b.check(stop.seen, `${tab}: what has the focus is seen: ${stop.html}`);
    b.check(stop.marked, `${tab}: the focus is seen: ${stop.html}`);
  }
  b.check(stops.size < 390, `${tab}: Tab comes to ${stops.size} places and out again`);
}

export default async function (b) {
  const { pid } = await b.target("python3", ["-u", "-c", "import threading,time; threading.Thread(target=time.sleep,args=(999,),daemon=True).start(); print('ready'); input()"]);
  const url = b.report(pid, "access");
  for (const dark of [false, true]) {
    // The page's own policy lets no script of others run: it is lifted for axe alone.
    const page = await b.open(url, { dark, bypassCSP: true });
    await page.addScriptTag({ path: b.axe });
    await everyTab(page, async (tab) => {
      const found = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ["violations"] }));
      const bad = told(found.violations);
      b.check(found.passes.length > 5, `${tab}: axe looked at the page`);
      if (!dark) await walk(b, page, tab);
      b.check(bad.length === 0, `${tab}, ${dark ? "dark" : "light"}:\n    ${bad.join("\n    ")}`);
    });
    await page.context().close();
  }
}
