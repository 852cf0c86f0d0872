// Texts that come from a target, made fit to be seen: controls, bidirectional and invisible characters stand escaped, as
// the command line shows them (vmm_escape_terminal in src/base/text.c). What comes out is still text, never markup.

const UNSAFE =
  /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\\]|[\u{e0000}-\u{e0fff}]/gu;

function escapeOne(c: string): string {
  const point = c.codePointAt(0) ?? 0;
  if (c === "\n") return "\\n";
  if (c === "\t") return "\\t";
  if (c === "\\") return "\\\\";
  if (point === 0x1b) return "\\e";
  if (point < 0x80) return "\\x" + point.toString(16).padStart(2, "0");
  return `\\u{${point.toString(16)}}`;
}

/** The text as it may be shown. */
export function visible(text: string): string {
  UNSAFE.lastIndex = 0;
  return UNSAFE.test(text) ? text.replace(UNSAFE, escapeOne) : text;
}

/** What went wrong, in words that are still to be made visible. */
export function messageOf(e: unknown): string {
  return e instanceof Error ? e.message : String(e);
}

/** At most so many characters, "…" in place of what was cut; the end of a path says more than its middle. */
export function shortened(text: string, characters: number): string {
  const all = [...text.slice(0, 8 * characters + 64)];
  return all.length <= characters && all.join("").length === text.length ? text : all.slice(0, characters - 1).join("") + "…";
}
