// What a finding rests on: facts, and the regions in question.
import type { JSX } from "preact";
import { parseAddress } from "../data/rows";
import { act, useStore } from "../state/store";
import { thousands } from "../format";
import { visible } from "../text";
import { Address, Name } from "./parts";

const ADDRESS = /^0x[0-9a-f]{1,16}$/;
const LINKS = 6; // of one list; all of them are behind the button
const FILTERED = 100; // terms of an expression that fits

/** All addresses in it, however deep, each once. */
export function addressesOf(item: unknown, found = new Set<string>(), depth = 0): Set<string> {
  if (typeof item === "string" && ADDRESS.test(item)) found.add(item);
  else if (typeof item === "object" && item !== null && depth < 8) for (const v of Object.values(item)) addressesOf(v, found, depth + 1);
  return found;
}

function Fact({ value }: { value: unknown }): JSX.Element {
  const addresses = Array.isArray(value) ? [...addressesOf(value)] : [];
  if (addresses.length && Array.isArray(value) && addresses.length === value.length)
    return <>{addresses.slice(0, LINKS).map((a) => <span key={a}><Address address={a} /> </span>)}{addresses.length > LINKS && <span class="dim">and {thousands(addresses.length - LINKS)} more</span>}</>;
  const words = typeof value === "number" ? thousands(value) : typeof value === "object" ? JSON.stringify(value) : String(value);
  return ADDRESS.test(words) ? <Address address={words} /> : <Name text={words} />;
}

/** A text, or an object with a text and the facts that it is about. */
export function Evidence({ item }: { item: unknown }): JSX.Element {
  if (typeof item !== "object" || item === null) return <li><Fact value={item} /></li>;
  const members = Object.entries(item);
  const text = members.find(([k]) => k === "text")?.[1];
  return (
    <li>
      {typeof text === "string" && <Name text={text} />}
      {members.filter(([k]) => k !== "text").map(([k, v]) => (
        <span class="fact" key={k}><span class="dim">{visible(k.replaceAll("_", " "))}</span> <Fact value={v} /></span>
      ))}
    </li>
  );
}

/** Leads to all regions that a finding names at once: a filter of the table of regions. */
export function EvidenceLink({ evidence }: { evidence: readonly unknown[] }): JSX.Element | null {
  const regions = useStore((s) => s.snapshot?.regions);
  if (!regions) return null;
  const starts = new Set<number>();
  for (const text of addressesOf(evidence)) {
    const address = parseAddress(text);
    let row = regions.find("address", address);
    if (row < 0) row = regions.holding(address);
    if (row >= 0) starts.add(regions.number("address", row));
  }
  if (starts.size < 2 || starts.size > FILTERED) return null;
  const where = [...starts].map((a) => "address=0x" + BigInt(a).toString(16)).join(" || ");
  return (
    <p class="no-print">
      <button type="button" class="button small" onClick={() => act({ tab: "regions", where, kinds: null, find: "", selected: [...starts][0] ?? null })}>
        Show the {thousands(starts.size)} regions
      </button>
    </p>
  );
}
