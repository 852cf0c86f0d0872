// What the picture of the address space tells at the points of a raster; in one call, for a real mouse takes its time.
export async function scan(page, rows, columns) {
  const box = await page.locator(".map-canvas").boundingBox();
  const found = await page.evaluate(async ([rows, columns]) => {
    const canvas = document.querySelector(".map-canvas");
    const tell = document.querySelector(".map-tell");
    const { x, y, width, height } = canvas.getBoundingClientRect();
    const all = [];
    const drawn = () => new Promise((done) => { const c = new MessageChannel(); c.port1.onmessage = done; c.port2.postMessage(0); });
    for (let r = 0; r < rows; r++)
      for (let c = 0; c < columns; c++) {
        const at = { x: 124 + ((c + 0.5) / columns) * (width - 140), y: 6 + (r / rows) * (height - 10) };
        canvas.dispatchEvent(new PointerEvent("pointermove", { clientX: x + at.x, clientY: y + at.y, bubbles: true }));
        await drawn();
        all.push({ ...at, text: tell.textContent });
      }
    return all;
  }, [rows, columns]);
  return found.map((p) => ({ ...p, x: box.x + p.x, y: box.y + p.y }));
}
