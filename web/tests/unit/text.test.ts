import assert from "node:assert/strict";
import test from "node:test";
import { csvOf, fileName, jsonOf, xmlText } from "../../src/export";
import { bytes, change, kib, moment, nanoseconds } from "../../src/format";
import { shortened, visible } from "../../src/text";

test("controls, bidirectional and invisible characters are escaped as on a terminal", () => {
  assert.equal(visible("a\u001b[31m\n\t\\\u0000"), "a\\e[31m\\n\\t\\\\\\x00");
  assert.equal(visible("\u202e\u200b\ufeff\u{e0041}\u0085"), "\\u{202e}\\u{200b}\\u{feff}\\u{e0041}\\u{85}");
  assert.equal(visible("<b>ünï 漢字 😀"), "<b>ünï 漢字 😀");
  assert.equal(visible("x"), visible(visible("x")));
});

test("long texts are cut with an ellipsis, never inside a character", () => {
  assert.equal(shortened("abcdef", 4), "abc…");
  assert.equal(shortened("abcd", 4), "abcd");
  assert.equal(shortened("😀😀😀", 2), "😀…");
});

test("numbers for people: unknown is ?, what is there is never 0", () => {
  assert.deepEqual([kib(null), kib(0), kib(40), kib(-40), kib(1536), kib(1 << 30), kib(4096, true)], ["?", "0", "<1", "−<1", "2", "1,048,576", "≥ 4"]);
  assert.deepEqual([bytes(null), bytes(8388608), bytes(1023), bytes(1288490189), bytes(151552)], ["?", "8 MiB", "1,023 B", "1.2 GiB", "148 KiB"]);
  assert.deepEqual([change(4096), change(-4096), change(0), change(null)], ["+4", "−4", "0", "?"]);
  assert.deepEqual([nanoseconds(950), nanoseconds(65482117), nanoseconds(1.23e9)], ["950 ns", "65 ms", "1.2 s"]);
  assert.deepEqual([moment("2026-11-22T19:40:03.960000000Z"), moment("soon")], ["2026-11-22 19:40:03 UTC", "soon"]);
});

test("saved tables: fields are quoted, formulas are texts, unknown is empty or null", () => {
  const table = { columns: ["a", "b"], rows: [["x,\"y\"", null], ["=1+1", 5], ["\u001b", NaN], [true, undefined]] };
  assert.equal(csvOf(table), 'a,b\n"x,""y""",\n"\'=1+1",5\n\\e,\ntrue,\n');
  assert.deepEqual(JSON.parse(jsonOf(table)), [{ a: 'x,"y"', b: null }, { a: "=1+1", b: 5 }, { a: "\u001b", b: null }, { a: true, b: null }]);
});

test("file names and SVG texts take nothing that does harm", () => {
  assert.equal(fileName(["../../etc/passwd", 12, null, "bars"], "svg"), "etc-passwd-12-bars.svg");
  assert.equal(fileName(["/"], "png"), "vmmap.png");
  assert.equal(xmlText('<a href="x">&\u0001'), "&#60;a href=&#34;x&#34;&#62;&#38;\\x01");
});
