// Terms that buttons put into an expression and take out again: parts joined by && on its top level.

/** The parts joined by && outside quotes and parentheses; null when || joins some of them, or brackets do not match. */
function split(where: string): string[] | null {
  const parts: string[] = [];
  let from = 0;
  let depth = 0;
  let quote = "";
  for (let i = 0; i < where.length; i++) {
    const c = where[i] ?? "";
    if (quote) quote = c === quote ? "" : quote;
    else if (c === '"' || c === "'") quote = c;
    else if (c === "(") depth++;
    else if (c === ")") depth--;
    else if (depth === 0 && where.startsWith("||", i)) return null;
    else if (depth === 0 && where.startsWith("&&", i)) {
      parts.push(where.slice(from, i).trim());
      from = ++i + 1;
    }
  }
  if (quote || depth) return null;
  parts.push(where.slice(from).trim());
  return parts.filter((p) => p !== "");
}

export function hasTerm(where: string, term: string): boolean {
  return split(where)?.includes(term) ?? false;
}

/** The expression with the term, or without it where it stood. */
export function toggleTerm(where: string, term: string): string {
  const parts = split(where);
  if (!parts) return `(${where.trim()}) && ${term}`;
  return (parts.includes(term) ? parts.filter((p) => p !== term) : [...parts, term]).join(" && ");
}
