// The address space as a picture: it shows what `vmmap at` says, and is linked with the table in both directions.
const PYTHON = `
import mmap, threading, time
kept = [mmap.mmap(-1, (i % 40 + 1) * 65536) for i in range(300)]
for m in kept: m[:4096] = b"x" * 4096
[threading.Thread(target=time.sleep, args=(900,), daemon=True).start() for _ in range(3)]
print("ready", flush=True); input()
`;

async function pictureOf(b, page, name) {
  await page.waitForTimeout(350); // a zoom under way ends
  await b.picture(page, name);
}

export default async function (b) {
  const { pid } = await b.target("python3", ["-u", "-c", PYTHON]);
  const document = JSON.parse(b.run("show", pid, "--json"));
  const page = await b.open(b.report(pid, "map"));
  await page.click("#tab-map");
  await pictureOf(b, page, "map");

  // Every pixel tells what vmmap at says of the address that it names.
  const canvas = await page.locator(".map-canvas").boundingBox();
  let told = 0;
  for (let i = 0; i < 60; i++) {
    await page.mouse.move(canvas.x + 130 + ((i * 97) % (canvas.width - 150)), canvas.y + 12 + 26 * (i % Math.floor(canvas.height / 26)));
    const text = (await page.textContent(".map-tell")) ?? "";
    const found = /^0x([0-9a-f]+)–0x([0-9a-f]+)/.exec(text);
    if (!found) continue;
    const region = document.regions.find((r) => Number(r.address) <= parseInt(found[1], 16) && Number(r.end) >= parseInt(found[2], 16));
    const label = region ? region.kind.split("_").map((w) => w[0].toUpperCase() + w.slice(1)).join(" ") : /Free|Unusable/;
    told += b.check(region ? text.includes(label) : label.test(text), `${text} is ${region?.kind ?? "nothing's"}`);
  }
  b.check(told > 30, `pixels tell what they show: ${told}`);

  // From the table into the picture, and back.
  const small = document.regions.filter((r) => r.kind === "image").sort((x, y) => x.size - y.size)[0];
  await page.click("#tab-regions");
  await page.fill("input[type=search], .find input, input[placeholder^=Find]", small.address);
  await page.keyboard.press("Enter");
  await page.click("#tab-map");
  await pictureOf(b, page, "map-selected");
  const seen = (await page.getAttribute(".map-canvas", "aria-label")) ?? "";
  const ends = /from (0x[0-9a-f]+) to (0x[0-9a-f]+)/.exec(seen);
  b.check(ends && Number(ends[1]) <= Number(small.address) && Number(ends[2]) >= Number(small.address), `the selected region is in sight: ${seen}`);
  b.check(ends && Number(ends[2]) - Number(ends[1]) < 2 ** 46, "the picture went closer to it: " + seen);

  // Keyboard alone: whole, closer, the next region.
  await page.focus(".map-canvas");
  await page.keyboard.press("Home");
  await page.waitForTimeout(350);
  const whole = await page.getAttribute(".map-canvas", "aria-label");
  for (const key of ["+", "+", "ArrowRight", "n"]) await page.keyboard.press(key);
  await page.waitForTimeout(350);
  b.check((await page.getAttribute(".map-canvas", "aria-label")) !== whole, "plus goes closer");
  await page.keyboard.press("Home");

  // The other drawing and colours, and a true scale.
  await page.getByRole("radio", { name: "Hilbert square" }).click();
  await pictureOf(b, page, "map-hilbert");
  await page.getByRole("radio", { name: "Rows" }).click();
  for (const mode of ["Protection", "Resident"]) {
    await page.getByRole("radio", { name: mode }).click();
    await pictureOf(b, page, "map-" + mode.toLowerCase());
  }
  await page.getByRole("button", { name: "True scale" }).click();
  b.check((await page.textContent(".map-legend"))?.includes("to scale"), "true scale says so");
  await page.locator(".map-list summary").click();
  await page.waitForSelector(".map-list tbody tr");
  b.check((await page.locator(".map-list tbody tr").count()) > 3, "the table beside the picture has rows");
  await page.context().close();

  // 60,000 mappings are drawn, in the dark.
  const many = await b.target("python3", ["-u", "-c", `
import ctypes
libc = ctypes.CDLL(None); libc.mmap.restype = ctypes.c_void_p
base = libc.mmap(None, 60000 * 4096, 3, 0x22, -1, 0)
for i in range(0, 60000, 2): libc.mprotect(ctypes.c_void_p(base + i * 4096), 4096, 1)
print("ready", flush=True); input()`]);
  const dark = await b.open(b.report(many.pid, "many"), { dark: true });
  await dark.click("#tab-map");
  const cdp = await dark.context().newCDPSession(dark);
  await cdp.send("Performance.enable", { timeDomain: "threadTicks" });
  const cpu = async () => (await cdp.send("Performance.getMetrics")).metrics.find((m) => m.name === "TaskDuration").value * 1000;
  const steps = 30;
  const before = await cpu();
  await dark.evaluate(async (steps) => {
    const canvas = document.querySelector(".map-canvas");
    const box = canvas.getBoundingClientRect();
    for (let i = 0; i < steps; i++) {
      canvas.dispatchEvent(new WheelEvent("wheel", { deltaY: i % 2 ? 60 : -60, clientX: box.x + 600, clientY: box.y + 200, bubbles: true, cancelable: true }));
      await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
    }
  }, steps);
  console.log(`60,000 mappings: ${(((await cpu()) - before) / steps).toFixed(1)} ms of the page's CPU for a step of zooming; a frame has 16.7`);
  await pictureOf(b, dark, "map-many-dark");
  b.check(((await dark.textContent(".map-tell")) ?? "").length > 5, "the picture of 60,000 mappings tells something");
}
