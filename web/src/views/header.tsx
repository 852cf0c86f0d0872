// What is looked at, when, and what that cost; the switches of the page's looks.
import type { JSX } from "preact";
import { useState } from "preact/hooks";
import type { Provider, SnapshotEntry } from "../data/provider";
import type { Snapshot } from "../data/snapshot";
import { bytes, moment, nanoseconds, thousands } from "../format";
import { chooseTarget } from "../state/follow";
import { act, getState, useStore, type Theme } from "../state/store";
import { visible } from "../text";
import { Live } from "./live";
import { Path } from "./parts";
import "../style/header.css";

const SIGNALS: Record<number, string> = {
  1: "SIGHUP", 2: "SIGINT", 3: "SIGQUIT", 4: "SIGILL", 5: "SIGTRAP", 6: "SIGABRT", 7: "SIGBUS", 8: "SIGFPE", 9: "SIGKILL", 11: "SIGSEGV",
  13: "SIGPIPE", 14: "SIGALRM", 15: "SIGTERM", 24: "SIGXCPU", 25: "SIGXFSZ", 31: "SIGSYS",
};
const SOURCES: Record<string, string> = {
  live: "process", core: "core", capture: "saved text", session: "session", vmmap: "VMMap file",
};

/** Why there is less than one might think, or why it ended. */
function Badges({ s }: { s: Snapshot }): JSX.Element {
  const t = s.head.target;
  const death = t.death;
  return (
    <>
      {t.source !== "live" && <span class="badge">{visible(SOURCES[t.source] ?? t.source)}</span>}
      {t.exe_deleted && <span class="badge warn" title="The file of the program has no name any more">deleted</span>}
      {s.head.partial && <span class="badge bad" title="The target went away while it was read; what was read until then is shown">partial</span>}
      {death && (
        <span class="badge bad">
          killed by {SIGNALS[death.signal] ?? `signal ${death.signal}`}
          {death.address !== null && ` at ${visible(death.address)}`}{death.tid !== null && ` in thread ${death.tid}`}
        </span>
      )}
    </>
  );
}

function facts(s: Snapshot, compared: boolean): { text: string; title?: string }[] {
  const { target: t, limits, cost, taken_at, threads } = s.head;
  const mappings = limits["max_map_count"]?.used;
  const out: { text: string; title?: string }[] = [];
  const add = (text: string, title?: string): number => out.push(title ? { text, title } : { text });
  if (t.bits) add(`${t.bits}-bit ${visible(t.arch ?? "")}`.trim());
  if (t.uid !== null) add(`user ${t.uid}`, "User id that it runs as");
  if (threads.length) add(threads.length === 1 ? "1 thread" : thousands(threads.length) + " threads");
  if (typeof mappings === "number") add(thousands(mappings) + " mappings", "As the kernel counts them for vm.max_map_count");
  if (t.page_size) add(bytes(t.page_size) + " pages");
  if (t.started_at) add("started " + moment(t.started_at));
  add((compared ? "the later one " : "") + (taken_at ? "taken " + moment(taken_at) : "time unknown"), taken_at ?? undefined);
  if (typeof cost["total_ns"] === "number") {
    const stopped = cost["stopped_ns"];
    add(`reading it took ${nanoseconds(cost["total_ns"])}` + (typeof stopped === "number" ? `, held it for ${nanoseconds(stopped)}` : ""),
      typeof stopped === "number" ? "The target stood still for a while" : "What taking this snapshot took; the target went on meanwhile");
  }
  return out;
}

function Command({ text }: { text: string }): JSX.Element | null {
  const [whole, setWhole] = useState(false);
  if (!text) return null;
  const shown = visible(text);
  return (
    <div class={"command" + (whole ? " whole" : "")}>
      <bdi class="name mono">{shown}</bdi>
      {shown.length > 100 && (
        <button type="button" class="link no-print" aria-expanded={whole} onClick={() => setWhole(!whole)}>{whole ? "less" : "whole command"}</button>
      )}
    </div>
  );
}

/** Its number, and its place where that is another: some may have been left out, or be of another target. */
function placeText(entries: SnapshotEntry[], i: number): string {
  const n = entries[i]?.n ?? i + 1;
  return n === i + 1 ? `snapshot ${thousands(n)} of ${thousands(entries.length)}` : `snapshot ${thousands(n)} (${thousands(i + 1)} of ${thousands(entries.length)})`;
}

/** A session may have several processes, or cores. */
function Targets({ provider }: { provider: Provider }): JSX.Element | null {
  const all = provider.targets?.() ?? [];
  if (all.length < 2) return null;
  const show = (to: string): void => chooseTarget(Number(to));
  return (
    <label class="targets"><span class="dim">Target</span>
      <select value={String(provider.target)} onChange={(e) => show(e.currentTarget.value)}>
        {all.map((t) => (
          <option key={t.target} value={String(t.target)}>
            {visible(t.name).slice(0, 60)}{t.pid === null ? "" : " " + t.pid}, {t.snapshots === 1 ? "1 snapshot" : thousands(t.snapshots) + " snapshots"}
          </option>
        ))}
      </select>
    </label>
  );
}

function Snapshots({ entries }: { entries: SnapshotEntry[] }): JSX.Element | null {
  const at = useStore((s) => s.at);
  const compare = useStore((s) => s.compare);
  if (entries.length < 2) return null;
  if (compare) {
    return (
      <span class="snapshots" role="group" aria-label="Snapshots that are compared">
        <span>snapshots {thousands(compare.before)} → {thousands(compare.after)} of {thousands(entries.length)}</span>
      </span>
    );
  }
  const i = at === null ? entries.length - 1 : Math.max(0, entries.findIndex((e) => e.n === at));
  const go = (to: number): void => act({ at: entries[to]?.n ?? null, compare: null });
  return (
    <span class="snapshots" role="group" aria-label="Snapshot">
      <button type="button" class="button small" disabled={i <= 0} aria-label="Snapshot before" onClick={() => go(i - 1)}>‹</button>
      <span>{placeText(entries, i)}</span>
      <button type="button" class="button small" disabled={i >= entries.length - 1} aria-label="Next snapshot" onClick={() => go(i + 1)}>›</button>
    </span>
  );
}

const THEMES: { id: Theme; label: string; title: string }[] = [
  { id: "auto", label: "Auto", title: "Light or dark as the system" },
  { id: "light", label: "Light", title: "Light" },
  { id: "dark", label: "Dark", title: "Dark" },
];

function onThemeKey(e: KeyboardEvent): void {
  const step = e.key === "ArrowRight" || e.key === "ArrowDown" ? 1 : e.key === "ArrowLeft" || e.key === "ArrowUp" ? -1 : 0;
  if (!step || !(e.currentTarget instanceof HTMLElement)) return;
  e.preventDefault();
  const i = THEMES.findIndex((t) => t.id === getState().theme);
  const next = (i + step + THEMES.length) % THEMES.length;
  act({ theme: THEMES[next]?.id ?? "auto" });
  const button = e.currentTarget.children[next];
  if (button instanceof HTMLElement) button.focus();
}

async function copyLink(setCopied: (done: string) => void): Promise<void> {
  try {
    await navigator.clipboard.writeText(location.href);
    setCopied("Copied");
  } catch {
    setCopied("Copy it from the address bar");
  }
  setTimeout(() => setCopied(""), 2500);
}

function Switches(): JSX.Element {
  const theme = useStore((s) => s.theme);
  const palette = useStore((s) => s.palette);
  const [copied, setCopied] = useState("");
  return (
    <div class="switches no-print">
      <button type="button" class="button small" title="Copy a link to this very view" onClick={() => void copyLink(setCopied)}>
        <span role="status">{copied || "Copy link"}</span>
      </button>
      <button type="button" class="button small" aria-pressed={palette === "safe"}
        title="Colours and patterns that colour-blind eyes, and grey printers, tell apart"
        onClick={() => act({ palette: palette === "safe" ? "kinds" : "safe" })}>Safe colours</button>
      <div class="choice small" role="radiogroup" aria-label="Theme" onKeyDown={onThemeKey}>
        {THEMES.map((t) => (
          <button key={t.id} type="button" role="radio" aria-checked={t.id === theme} tabIndex={t.id === theme ? 0 : -1} title={t.title}
            onClick={() => act({ theme: t.id })}>{t.label}</button>
        ))}
      </div>
    </div>
  );
}

export function Header(): JSX.Element {
  const snapshot = useStore((s) => s.snapshot);
  const provider = useStore((s) => s.provider);
  const t = snapshot?.head.target;
  const compare = useStore((s) => s.compare);
  useStore((s) => s.newest); // more snapshots come while another one is shown
  const entries = provider?.snapshots() ?? [];
  return (
    <header class="header">
      <div class="heading">
        <h1><bdi class="name" title={t ? visible(t.name) : undefined}>{visible(t?.name || provider?.info.title || "vmmap")}</bdi></h1>
        {t && t.pid !== null && <span class="pid">PID {t.pid}</span>}
        {snapshot && <Badges s={snapshot} />}
        {t?.exe && <span class="mono exe"><Path text={t.exe} /></span>}
        <span class="grow" />
        {provider && <Targets provider={provider} />}
        <Snapshots entries={entries} />
        <Switches />
      </div>
      {snapshot && (
        <div class="facts">
          {facts(snapshot, compare !== null).map((f) => <span key={f.text} title={f.title}>{f.text}</span>)}
        </div>
      )}
      {t && <Command text={t.cmdline} />}
      {provider && <Live provider={provider} />}
    </header>
  );
}
