// Unit tests of the page: unit.mjs [WORD...] bundles tests/unit/*.test.ts (those whose names hold a word) for Node and runs
// them with its own test runner. Tests that compare with vmmap itself get it in VMMAP; without it they are skipped.
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
// Packages lie in the build folder (cmake/page.cmake) or beside the sources.
const packages = process.env.VMMAP_PAGE_PACKAGES ?? join(here, "..", "node_modules");
const { buildSync } = createRequire(join(packages, "x.js"))(join(packages, "esbuild"));

const words = process.argv.slice(2);
const files = readdirSync(join(here, "unit"))
  .filter((f) => f.endsWith(".test.ts") && (words.length === 0 || words.some((w) => f.includes(w))))
  .sort();
if (files.length === 0) {
  console.error("unit.mjs: there is no such test");
  process.exit(2);
}

const folder = mkdtempSync(join(tmpdir(), "vmmap-unit-"));
let status = 1;
try {
  buildSync({
    entryPoints: files.map((f) => join(here, "unit", f)),
    outdir: folder,
    outExtension: { ".js": ".mjs" },
    bundle: true,
    platform: "node",
    format: "esm",
    target: "node18",
    jsx: "automatic",
    jsxImportSource: "preact",
    loader: { ".css": "empty", ".svg": "text" },
    nodePaths: [packages],
    absWorkingDir: join(here, ".."),
    logLevel: "warning",
  });
  const bundles = files.map((f) => join(folder, f.replace(/\.ts$/, ".mjs")));
  status = spawnSync(process.execPath, ["--test", ...bundles], { stdio: "inherit" }).status ?? 1;
} finally {
  rmSync(folder, { recursive: true, force: true });
}
process.exit(status);
