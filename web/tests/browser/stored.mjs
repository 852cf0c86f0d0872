// A session with contents, served: what memory held stands with the snapshot that it was kept with, not with the last.
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { serve } from "./live.mjs";

// Protection of its own keeps the area apart from its neighbours.
const REWRITES = `
import ctypes, mmap, sys
area = mmap.mmap(-1, 64 << 10, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, prot=7)
area[:16] = b"before that time"
kept = [b"%d" % i * 1000 for i in range(100)]
print(hex(ctypes.addressof(ctypes.c_char.from_buffer(area))), flush=True)
for line in sys.stdin:
    area[:16] = b"after the change"
    kept += [b"%d" % i * 1000 for i in range(500)]
    print("done", flush=True)
`;

/** The session: one snapshot before the change, one after it. */
async function record(b, file) {
  const target = await b.target("python3", ["-u", "-c", REWRITES]);
  const address = target.line.trim();
  const save = (...more) => execFileSync(b.vmmap, ["save", String(target.pid), "--with-memory", "private_data,heap", "-o", file, ...more]);
  save();
  const done = new Promise((said) => target.child.stdout.once("data", said));
  target.child.stdin.write("\n");
  await done;
  save("--append");
  return address;
}

async function bytes(page) {
  await page.click('.side button:text-is("Bytes")');
  await page.waitForSelector(".hex");
  return page.textContent(".hex");
}

export default async function (b) {
  const file = join(b.folder, "stored.vmmap");
  let server = null;
  try {
    const address = await record(b, file);
    server = await serve(b, file);
    const page = await b.open(`${server.url}#tab=regions&selected=${address}&at=1`, { offline: false, width: 1500 });
    const heaps = async (n) => page.evaluate(async (p) => (await (await fetch(p)).json()).heaps[0].states.used.count, `/api/heap?n=${n}`);
    b.check((await bytes(page)).includes("before t"), "bytes of the first snapshot are those of then");
    await page.click('[aria-label="Next snapshot"]');
    await page.waitForSelector(".hex", { state: "detached" });
    b.check(true, "bytes of another snapshot do not stay");
    b.check((await bytes(page)).includes("after th"), "bytes of the second are those of then");
    const used = [await heaps(1), await heaps(2)];
    b.check(used[0] < used[1], `the heap has more chunks in the second: ${used}`);
    await page.click("#tab-heaps");
    for (const n of [2, 1]) {
      const text = used[n - 1].toLocaleString("en-US");
      await page.waitForFunction((t) => document.querySelector(".heaps")?.textContent.includes(`in ${t} chunks`), text, { timeout: 10000 });
      b.check(true, `chunks of snapshot ${n}`);
      if (n === 2) await page.click('[aria-label="Snapshot before"]');
    }
  } finally {
    server?.end();
  }
}
