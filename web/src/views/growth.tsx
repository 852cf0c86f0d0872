// What grows and which limits come nearer, as the library found it (docs/growth.md).
import type { JSX } from "preact";
import { bytes, thousands } from "../format";
import { act } from "../state/store";
import { KindName } from "./kinds";
import { Address, Name } from "./parts";

interface Rate {
  per_second: number | null;
  low?: number | null;
  high?: number | null;
}

export interface Trend extends Rate {
  verdict: string;
  points: number;
  first?: number | null;
  last?: number | null;
  seconds?: number | null;
}

interface Finding extends Rate {
  level: string;
  kind: string | null;
  name: string | null;
  heap?: string | null;
  address?: string | null;
  each?: number | null;
  regions?: number | null;
  tid?: number | null;
  thread?: string | null;
  measure: string;
}

interface Forecast {
  limit: string;
  text: string;
  soft: number | null;
  used: number | null;
  bytes: boolean;
  per_second: number | null;
  seconds: number | null;
}

export interface Growth {
  total?: Record<string, Trend>;
  kinds?: { kind: string; rss?: Trend }[];
  findings: Finding[];
  forecasts: Forecast[];
  looked_at: number;
  cut?: boolean;
}

export function growthOf(given: unknown): Growth | null {
  if (typeof given !== "object" || given === null) return null;
  const g = given as Partial<Growth>;
  return { ...g, findings: g.findings ?? [], forecasts: g.forecasts ?? [], looked_at: g.looked_at ?? 0 };
}

export function rate(perSecond: number | null | undefined, count = false): string {
  if (perSecond === null || perSecond === undefined) return "?";
  const sign = perSecond > 0 ? "+" : perSecond < 0 ? "−" : "";
  const of = Math.abs(perSecond);
  const [times, unit] = of * 60 < (count ? 1 : 1024) ? [3600, "h"] : of < (count ? 1 : 1 << 20) ? [60, "min"] : [1, "s"];
  return `${sign}${count ? (of * times).toLocaleString("en-US", { maximumFractionDigits: 1 }) : bytes(of * times)}/${unit}`;
}

/** "12 min", "3.5 h", "9 d". */
export function span(seconds: number): string {
  const s = Math.abs(seconds);
  const units: [number, string][] = [[86400, "d"], [3600, "h"], [60, "min"], [1, "s"]];
  const [per, unit] = units.find(([p]) => s >= p) ?? [0.001, "ms"];
  const v = s / per;
  return `${v < 10 && unit !== "ms" && v % 1 >= 0.05 ? v.toFixed(1) : Math.round(v)} ${unit}`;
}

export function trendText(t: Trend | null): string {
  if (!t) return "";
  if (t.verdict === "steady") return rate(t.per_second);
  return { flat: "no growth", noise: "uneven", jump: "jumped", ending: "grew, then stopped", too_few: "" }[t.verdict] ?? t.verdict;
}

/** What the words or the rate of a trend rest on. */
export function trendTitle(t: Trend | null): string {
  if (!t) return "";
  const { first, last, seconds } = t;
  const ends = typeof first === "number" && typeof last === "number" && seconds
    ? `first to last: ${bytes(first)} to ${bytes(last)} in ${span(seconds)}` : "";
  const why = {
    steady: `the median slope between all pairs of ${thousands(t.points)} snapshots; 99 % certain between ${rate(t.low)} and ${rate(t.high)}`,
    flat: "it does not rise", noise: "it changes unevenly: what it gained from first to last tells no rate",
    jump: "most of it came at once", ending: "it grew, and has stopped", too_few: "too few snapshots tell of it: eight, with time between them",
  }[t.verdict] ?? "";
  return [why, ends].filter((x) => x).join(" · ");
}

/** Why nothing is named although numbers grow: a total may grow by many things of which none does so steadily. */
function Nothing({ growth }: { growth: Growth }): JSX.Element {
  const kinds = (growth.kinds ?? []).flatMap(({ kind, rss: t }) => (t?.verdict === "steady" ? [{ kind, t }] : []));
  const total = growth.total?.["rss"];
  if (kinds.length) {
    return (
      <p class="body dim">
        No single heap, region or sort of regions grows steadily by an amount worth naming, though as a whole {kinds.map(({ kind, t }, i) => (
          <span key={kind}>{i > 0 && ", "}<KindName kind={kind} /> does, by <span title={trendTitle(t)}>{rate(t.per_second)}</span></span>
        ))}.
      </p>
    );
  }
  const words = total?.verdict === "steady" ? `resident memory as a whole does, by ${rate(total.per_second)}, but no single thing in it`
    : { noise: "resident memory changes unevenly", flat: "resident memory does not rise", jump: "resident memory jumped once",
      ending: "resident memory grew, then stopped" }[total?.verdict ?? ""];
  if (total?.verdict === "too_few") return <p class="body dim">What grows steadily cannot be told yet: that takes eight snapshots or more, with time between them.</p>;
  return <p class="body dim" title={trendTitle(total ?? null)}>Nothing grows steadily{words ? ": " + words : ""}.</p>;
}

function Where({ f }: { f: Finding }): JSX.Element {
  const what = f.level === "total" ? "All of it" : (f.name ?? f.kind ?? "");
  const threaded = f.tid !== null && f.tid !== undefined && !(what + " ").includes(`thread ${f.tid} `); // names of arenas tell it themselves
  return (
    <>
      {f.kind && <KindName kind={f.kind} />} {what && <Name text={what} />}
      {threaded && <span class="dim"> thread {f.tid}{f.thread ? " " : ""}{f.thread && <Name text={f.thread} />}</span>}
      {f.regions !== null && f.regions !== undefined && f.regions > 1 && f.each ? <span class="dim"> in {thousands(f.regions)} regions of {bytes(f.each)}</span> : null}
    </>
  );
}

export function GrowthPanel({ growth }: { growth: Growth | null }): JSX.Element {
  return (
    <section class="panel growth" aria-label="Growth">
      <header>
        <h2>Growth</h2>
        <span class="dim">{growth ? `steady growth of single heaps, regions and sorts of regions, over ${thousands(growth.looked_at)} snapshots: not the difference of two of them` : ""}</span>
      </header>
      {!growth && <p class="body dim">Told when there are enough snapshots of one target.</p>}
      {growth && growth.findings.length === 0 && <Nothing growth={growth} />}
      {growth && growth.findings.length > 0 && (
        <table class="table">
          <thead><tr><th scope="col">What grows</th><th scope="col" class="number" title="The median of the slopes between all pairs of snapshots: outliers hardly move it">Steady rate</th><th scope="col" class="number" title="99 % certain to lie between these">Between</th><th scope="col">Where</th></tr></thead>
          <tbody>
            {growth.findings.map((f, i) => (
              <tr key={i}>
                <th scope="row"><Where f={f} /></th>
                <td class="number">{rate(f.per_second, f.measure === "regions")} <span class="dim">{f.measure}</span></td>
                <td class="number dim">{rate(f.low, f.measure === "regions")} … {rate(f.high, f.measure === "regions")}</td>
                <td>
                  {f.address && <Address address={f.address} />}
                  {f.heap && <> <button type="button" class="link" onClick={() => act({ tab: "heaps", heap: f.heap ?? null })}>its heap</button></>}
                  {!f.address && !f.heap && f.kind && <button type="button" class="link" onClick={() => act({ tab: "regions", kinds: f.kind ? [f.kind] : null })}>its regions</button>}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
      {growth?.cut && <p class="body dim">There was more than can be followed: what grows little may be missing.</p>}
      {growth?.forecasts.map((f) => (
        <p class="body forecast" key={f.limit}>
          <span class="badge warn">{f.seconds === null ? "?" : "in about " + span(f.seconds)}</span> {f.text}: {f.bytes ? bytes(f.used) : thousands(f.used ?? 0)} of {f.bytes ? bytes(f.soft) : thousands(f.soft ?? 0)}, {rate(f.per_second, !f.bytes)}
        </p>
      ))}
    </section>
  );
}
