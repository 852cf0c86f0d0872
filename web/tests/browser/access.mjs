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
      b.check(bad.length === 0, `${tab}, ${dark ? "dark" : "light"}:\n    ${bad.join("\n    ")}`);
    });
    await page.context().close();
  }
}
