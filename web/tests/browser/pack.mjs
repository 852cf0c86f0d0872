// Packed data: a report of 60,000 regions opens at once, one of a session has its snapshots, and hostile names stay text.
import { mkdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const HOSTILE = `"><img src=x onerror="document.title='owned'"></script><script>document.title='owned'</script>\u202etxt.\x1b[31m`;
const MAPPER = `
import mmap, os, sys
kept = []
for name in os.listdir(sys.argv[1]):
    with open(os.path.join(sys.argv[1], name), "r+b") as f:
        kept.append(mmap.mmap(f.fileno(), 0))
print("ready", flush=True)
input()
`;

/** Every view in turn; calls back with its name when it is shown. */
export async function everyTab(page, each) {
  for (const tab of await page.$$eval("[role=tab]", (tabs) => tabs.map((t) => t.id))) {
    await page.click("#" + tab);
    await page.waitForSelector(`#${tab}[aria-selected=true]`);
    await page.waitForTimeout(150);
    await each(tab.replace(/^tab-/, ""));
  }
}

async function opensFast(b) {
  const { pid } = await b.target(join(b.targets, "t_maps"), ["60000", "1", "islands"]);
  const url = b.report(pid, "many");
  const bytes = statSync(fileURLToPath(url)).size;
  b.check(bytes < 6e6, `60,000 regions make ${bytes} bytes: at most 6 MB`);
  const times = [];
  for (let i = 0; i < 3; i++) {
    const page = await b.open(url);
    // Since the navigation: when what is useful was there, which App says by data-ready.
    times.push(await page.evaluate(() => performance.now()));
    if (i === 2) await b.picture(page, "pack-many");
    await page.context().close();
  }
  const best = Math.min(...times);
  console.log(`60,000 regions: ${bytes} bytes, ready after ${times.map((t) => t.toFixed(0)).join(", ")} ms`);
  b.check(best < 3000, `it is ready within 3 s even where much else runs: ${best} ms`);
}

async function hostileNames(b) {
  const folder = join(b.folder, "hostile");
  mkdirSync(folder);
  const names = [HOSTILE.replaceAll("/", "_"), "x".repeat(255), "\u202e\u2066gnp.exe", "a\nb\tc"];
  for (const name of names) writeFileSync(join(folder, name), "x".repeat(8192));
  const { pid } = await b.target("python3", ["-c", MAPPER, folder, HOSTILE, "y".repeat(4096)]);
  const page = await b.open(b.report(pid, "hostile"), { width: 1024 });
  let seen = false;
  await everyTab(page, async (tab) => {
    b.check((await page.title()) !== "owned", `${tab}: no script of the target runs`);
    b.equal(await page.$$eval("img", (all) => all.length), 0, `${tab}: no element of the target`);
    const text = await page.evaluate(() => document.body.innerText);
    seen ||= text.includes("<img src=x");
    b.check(!/[\u202a-\u202e\u2066-\u2069\u0000-\u0008\u000b-\u001f\u007f]/.test(text), `${tab}: no control or bidi character is shown as it is`);
    const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    b.check(wide <= 0, `${tab}: the page is not wider than the window (${wide} px)`);
    await b.picture(page, "pack-hostile-" + tab);
  });
  b.check(seen, "the name stands in the page as text");
  await page.context().close();
}

async function sessionOpens(b) {
  const { pid, child } = await b.target("python3", ["-u", "-c", "print('ready')\nkept=[]\nwhile input(): kept.append(bytearray(b'x'*4000000)); print('more')"]);
  const file = join(b.folder, "grows.vmmap");
  for (let i = 0; i < 4; i++) {
    if (i) {
      child.stdin.write("go\n");
      await new Promise((done) => child.stdout.once("data", done));
    }
    b.run("save", pid, "-o", file, ...(i ? ["--append"] : []));
  }
  const page = await b.open(b.report(file, "session"));
  await everyTab(page, async (tab) => b.picture(page, "pack-session-" + tab));
  await page.context().close();
  const thinned = await b.open(b.report(file, "thinned", "--snapshots", "2"));
  const text = await thinned.evaluate(() => document.body.innerText);
  b.check(text.includes("2 of 4 snapshots"), "a note says that snapshots were left out");
  await thinned.context().close();
}

export default async function (b) {
  await opensFast(b);
  await hostileNames(b);
  await sessionOpens(b);
}
