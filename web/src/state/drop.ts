// Files dropped on the page, or chosen in it: documents of `vmmap show --json` or `--format json-columns`, several of them as
// one history, are read here; cores, sessions, captures and smaps by the server, where it opens what its user chooses.
import { replace } from "./follow";
import { act, getState } from "./store";
import { messageOf } from "../text";
import type { Provider } from "../data/provider";
import { ReportProvider, type ReportData } from "../data/report";
import type { PageInfo, SnapshotJson } from "../data/types";

const LARGEST = 1 << 29; // a string holds no more in some browsers

function isSnapshot(d: unknown): d is SnapshotJson {
  if (typeof d !== "object" || d === null) return false;
  const s = d as Partial<Record<keyof SnapshotJson, unknown>>;
  return typeof s.target === "object" && s.target !== null && typeof s.summary === "object" && s.summary !== null &&
    Array.isArray((s.summary as { types?: unknown }).types) && Array.isArray(s.accounts) && Array.isArray(s.notes) &&
    (Array.isArray(s.regions) || Array.isArray(s.mappings) || typeof s.regions === "object");
}

async function read(file: File): Promise<SnapshotJson> {
  if (file.size > LARGEST) throw new Error(`${file.name} is larger than 512 MiB`);
  let found: unknown;
  try {
    found = JSON.parse(await file.text());
  } catch {
    throw new Error(`${file.name} is no JSON. vmmap show TARGET --json writes files that can be dropped here; cores and sessions open with vmmap report or vmmap gui`);
  }
  if (!isSnapshot(found)) throw new Error(`${file.name} is no snapshot of vmmap show TARGET --json`);
  return found;
}

/** Snapshots in order of time, numbered from 1; those of one moment stay in the order of their names. */
export function historyOf(documents: readonly SnapshotJson[]): ReportData {
  const ordered = [...documents].sort((a, b) => Date.parse(a.taken_at ?? "") - Date.parse(b.taken_at ?? "") || 0);
  return { snapshots: ordered.map((s, i) => ({ ...s, n: i + 1 })) };
}

/** The server, where it opens files; kept while documents that were dropped are shown. */
let server: Provider | null = null;

/** JSON starts with a brace, and nothing that the server opens does. */
async function isDocument(file: File): Promise<boolean> {
  return (await file.slice(0, 256).text()).trimStart().startsWith("{");
}

async function send(to: Provider, file: File): Promise<void> {
  const stop = new AbortController();
  const { name } = file;
  const show = (sent: number, all: number): void => act({ sending: { name, sent, all, cancel: () => stop.abort() } });
  if (getState().sending) throw new Error("another file is being sent: wait for its end, or cancel it");
  show(0, file.size);
  try {
    const next = await to.openFile!(file, show, stop.signal);
    server = next;
    replace(next);
    act({ tab: "overview" });
  } catch (e) {
    if (!stop.signal.aborted) throw e;
  } finally {
    act({ sending: null });
  }
}

async function open(files: readonly File[], info: PageInfo): Promise<void> {
  const { provider } = getState();
  if (provider?.openFile && provider.can.processes) server = provider;
  const documents = await Promise.all(files.map(isDocument));
  if (!server || documents.every(Boolean)) return openDocuments(files, info);
  if (files.length > 1) throw new Error("A core, session, capture or smaps is opened alone: choose one file");
  return send(server, files[0]!);
}

/** Opens them; what cannot be is told in the page's line. */
export function openFiles(files: readonly File[], info: PageInfo): Promise<void> {
  act({ message: "" });
  return open(files, info).catch((x: unknown) => act({ message: messageOf(x) }));
}

async function openDocuments(files: readonly File[], info: PageInfo): Promise<void> {
  const sorted = [...files].sort((a, b) => a.name.localeCompare(b.name));
  const documents = await Promise.all(sorted.map(read));
  const title = documents[0]?.target.name ?? info.title;
  replace(new ReportProvider({ ...info, mode: "report", title }, historyOf(documents)));
}

/** Takes files from now on. */
export function acceptDrops(info: () => PageInfo | null): void {
  addEventListener("dragover", (e) => {
    if (!e.dataTransfer?.types.includes("Files")) return;
    e.preventDefault();
    e.dataTransfer.dropEffect = "copy";
    document.documentElement.dataset["drop"] = "";
  });
  addEventListener("dragleave", (e) => {
    if (e.relatedTarget === null) delete document.documentElement.dataset["drop"];
  });
  addEventListener("drop", (e) => {
    delete document.documentElement.dataset["drop"];
    const files = [...(e.dataTransfer?.files ?? [])];
    const tables = info();
    if (!files.length) return;
    e.preventDefault();
    if (!tables) return;
    void openFiles(files, tables);
  });
}
