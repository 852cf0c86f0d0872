// Bundles the page into one HTML file without any reference to a network: build.mjs [OUTPUT.html] [--dev]
// Scripts and styles stand in the file itself; the Content-Security-Policy names them by their hashes, so that nothing
// that a target's data might smuggle in can run.
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const here = dirname(fileURLToPath(import.meta.url));
const words = process.argv.slice(2);
const dev = words.includes("--dev");
const output = words.find((w) => !w.startsWith("--")) ?? join(here, "dist", "page.html");

const result = await build({
  entryPoints: [join(here, "src", "main.tsx")],
  bundle: true,
  write: false,
  outdir: "out",
  format: "iife",
  target: ["chrome103", "firefox113", "safari16.4"],
  minify: !dev,
  sourcemap: dev ? "inline" : false,
  legalComments: "eof",
  jsx: "automatic",
  jsxImportSource: "preact",
  loader: { ".svg": "text" },
  absWorkingDir: here,
});

// "</script" inside a script would end it; in JavaScript "<\/" is the same in every string and regular expression.
const text = (ending) => result.outputFiles.filter((f) => f.path.endsWith(ending)).map((f) => f.text).join("\n");
const script = text(".js").replaceAll("</script", "<\\/script").replaceAll("<!--", "<\\!--");
const style = text(".css");
const hash = (s) => `'sha256-${createHash("sha256").update(s, "utf8").digest("base64")}'`;
const policy = [
  "default-src 'none'",
  `script-src ${hash(script)}`,
  `style-src ${hash(style)}`,
  "style-src-attr 'unsafe-inline'", // widths of bars and columns are styles of elements
  "img-src data: blob:",
  "connect-src 'self'",
  "form-action 'none'",
  "base-uri 'none'",
].join("; ");

const template = readFileSync(join(here, "src", "page.html"), "utf8");
const page = template
  .replace("@POLICY@", () => policy)
  .replace("@STYLE@", () => style)
  .replace("@SCRIPT@", () => script);
mkdirSync(dirname(output), { recursive: true });
writeFileSync(output, page);
