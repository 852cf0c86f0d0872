import type { ComponentType, JSX } from "preact";
import { act, TABS, useStore, type Tab } from "../state/store";
import { visible } from "../text";
import { Header } from "./header";
import { FilterStrip, useAppearance } from "./kinds";
import { Overview } from "./overview";
import { Regions } from "./regions";
import { AddressMap } from "./map";
import { Heaps } from "./heaps";
import { Time } from "./time";
import { Processes } from "./processes";
import { CompareStrip } from "./changes";

const VIEWS: Record<Tab, { label: string; view: ComponentType }> = {
  overview: { label: "Overview", view: Overview },
  regions: { label: "Regions", view: Regions },
  map: { label: "Address space", view: AddressMap },
  heaps: { label: "Heaps", view: Heaps },
  time: { label: "Time", view: Time },
  processes: { label: "Processes", view: Processes },
};

function tabs(hasProcesses: boolean): Tab[] {
  return TABS.filter((t) => t !== "processes" || hasProcesses);
}

/** Arrow keys move between tabs, as in the pattern of the ARIA authoring practices. */
function onTabKey(e: KeyboardEvent, shown: Tab[], tab: Tab): void {
  const step = e.key === "ArrowRight" ? 1 : e.key === "ArrowLeft" ? -1 : 0;
  if (!step) return;
  e.preventDefault();
  const next = shown[(shown.indexOf(tab) + step + shown.length) % shown.length]!;
  act({ tab: next });
  document.getElementById("tab-" + next)?.focus();
}

/** How far a file has gone to the server. Once it is there it is opened, which nothing stops. */
function SendStrip(): JSX.Element | null {
  const sending = useStore((s) => s.sending);
  if (!sending) return null;
  const gone = sending.sent >= sending.all;
  return (
    <div class="sending">
      <span role="status">{gone ? "Opening" : "Sending"} {visible(sending.name)}…</span>
      <progress aria-label={"How much of " + visible(sending.name) + " was sent"} max={Math.max(1, sending.all)} {...(gone ? {} : { value: sending.sent })} />
      <button type="button" class="button small" disabled={gone} onClick={sending.cancel}>Cancel</button>
    </div>
  );
}

export function App(): JSX.Element {
  const wanted = useStore((s) => s.tab);
  const message = useStore((s) => s.message);
  const hasProcesses = useStore((s) => s.provider?.can.processes ?? false);
  const loading = useStore((s) => s.loading);
  const shown = tabs(hasProcesses);
  const tab = shown.includes(wanted) ? wanted : "overview";
  useAppearance();
  const View = VIEWS[tab].view;
  return (
    <div class="app" data-ready={!loading}>
      <Header />
      <div class="tab-row" role="navigation" aria-label="Views and filter">
        <div class="tabs" role="tablist" aria-label="Views">
          {shown.map((t) => (
            <button key={t} id={"tab-" + t} role="tab" aria-selected={t === tab} aria-controls="view" tabIndex={t === tab ? 0 : -1}
              onClick={() => act({ tab: t })} onKeyDown={(e) => onTabKey(e, shown, tab)}>
              {VIEWS[t].label}
            </button>
          ))}
        </div>
        <FilterStrip />
      </div>
      <CompareStrip />
      <SendStrip />
      <div class="message" role="status" hidden={!message}>{visible(message)}</div>
      <main class="main">
        <div id="view" role="tabpanel" aria-labelledby={"tab-" + tab} class={"view view-" + tab}>
          {loading ? <p class="empty">Reading…</p> : <View />}
        </div>
      </main>
    </div>
  );
}
