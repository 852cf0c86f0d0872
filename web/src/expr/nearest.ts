/** Insertions, removals and replacements that make one word of the other. */
function distance(a: string, b: string): number {
  const row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    let corner = row[0] ?? 0;
    row[0] = i;
    for (let j = 1; j <= b.length; j++) {
      const replaced = corner + (a[i - 1] === b[j - 1] ? 0 : 1);
      corner = row[j] ?? 0;
      row[j] = Math.min(replaced, corner + 1, (row[j - 1] ?? 0) + 1);
    }
  }
  return row[b.length] ?? 0;
}

const WORD_MAX = 31;

/** The id that somebody may have meant; null when none is near. */
export function nearest(ids: readonly string[], name: string): string | null {
  let best: string | null = null;
  let least = name.length <= 3 ? 1 : name.length <= 6 ? 2 : 3;
  if (!name.length || name.length > WORD_MAX) return null;
  for (const id of ids) {
    const d = id.length <= WORD_MAX ? distance(name, id) : WORD_MAX;
    if (d < least || (d === least && best === null)) {
      least = d;
      best = id;
    }
  }
  return best;
}
