import assert from "node:assert/strict";
import test from "node:test";
import { cssPaint, kindLooks, kindSheet, luminance, type KindLook } from "../../src/kinds";
import type { Kind } from "../../src/data/types";

const IDS = ["image", "mapped_file", "shareable", "heap", "managed_heap", "stack", "private_data", "device", "system", "page_table", "unusable", "free"];
const kinds: Kind[] = IDS.map((id) => ({ id, label: id, light: "#d2a0ff", dark: "#a070d8", help: "" }));

type Triple = [number, number, number];

function linear(colour: string): Triple {
  return [1, 3, 5].map((i) => {
    const c = parseInt(colour.slice(i, i + 2), 16) / 255;
    return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
  }) as Triple;
}

/** CIE Lab of linear RGB (D65). */
function lab([r, g, b]: Triple): Triple {
  const f = (t: number): number => (t > 216 / 24389 ? Math.cbrt(t) : (t * 24389 / 27 + 16) / 116);
  const x = f((0.4124 * r + 0.3576 * g + 0.1805 * b) / 0.9505);
  const y = f(0.2126 * r + 0.7152 * g + 0.0722 * b);
  const z = f((0.0193 * r + 0.1192 * g + 0.9505 * b) / 1.089);
  return [116 * y - 16, 500 * (x - y), 200 * (y - z)];
}

// Machado, Oliveira and Fernandes (2009), severity 1; the last is grey.
const EYES: Record<string, number[]> = {
  normal: [1, 0, 0, 0, 1, 0, 0, 0, 1],
  deuteranopia: [0.367322, 0.860646, -0.227968, 0.280085, 0.672501, 0.047413, -0.01182, 0.04294, 0.968881],
  protanopia: [0.152286, 1.052583, -0.204868, 0.114503, 0.786281, 0.099216, -0.003882, -0.048116, 1.051998],
  tritanopia: [1.255528, -0.076749, -0.178779, -0.078411, 0.930809, 0.147602, 0.004733, 0.691367, 0.3039],
  grey: [0.2126, 0.7152, 0.0722, 0.2126, 0.7152, 0.0722, 0.2126, 0.7152, 0.0722],
};

function seen(colour: string, eye: number[]): Triple {
  const c = linear(colour);
  const out = [0, 3, 6].map((i) => Math.max(0, Math.min(1, (eye[i] ?? 0) * c[0] + (eye[i + 1] ?? 0) * c[1] + (eye[i + 2] ?? 0) * c[2])));
  return lab(out as Triple);
}

test("kinds of the safe palette with one pattern are told apart by every eye, and in grey", () => {
  for (const dark of [false, true]) {
    const looks = [...kindLooks(kinds, dark, "safe")];
    for (const [name, eye] of Object.entries(EYES))
      for (const [i, [a, left]] of looks.entries())
        for (const [b, right] of looks.slice(i + 1)) {
          if (left.pattern !== right.pattern) continue;
          const [l, r] = [seen(left.fill, eye), seen(right.fill, eye)];
          const distance = Math.hypot(l[0] - r[0], l[1] - r[1], l[2] - r[2]);
          assert.ok(distance >= 9, `${a} and ${b} for ${name} on ${dark ? "dark" : "light"}: ${distance.toFixed(1)}`);
        }
  }
});

test("text on a fill reads: 4.5 to 1", () => {
  for (const palette of ["kinds", "safe"] as const)
    for (const dark of [false, true])
      for (const [id, look] of kindLooks(kinds, dark, palette)) {
        const [a, b] = [luminance(look.fill) + 0.05, luminance(look.ink) + 0.05];
        assert.ok(Math.max(a, b) / Math.min(a, b) >= 4.5, `${id} ${palette} ${dark}`);
      }
});

test("colours that are none, and ids that are none, make no rule", () => {
  const odd: Kind[] = [
    { id: "x}body{display:none", label: "", light: "#000000", dark: "#000000", help: "" },
    { id: "good", label: "", light: "red;}*{color:red", dark: "#zzzzzz", help: "" },
  ];
  const sheet = kindSheet(odd);
  assert.ok(!sheet.includes("body") && !sheet.includes("color:red") && !sheet.includes("zz"));
  assert.ok(sheet.includes("--kind-good:#808080"));
  const looks: KindLook[] = [...kindLooks(odd, false, "kinds").values()];
  assert.equal(looks[1] && cssPaint(looks[1]), "#808080");
});
