// Files dropped on the page: documents of `vmmap show --json` or `--format json-columns`, several of them as one history.
import { replace } from "./follow";
import { act } from "./store";
import { visible } from "../text";
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
  if (file.size > LARGEST) throw new Error(`${visible(file.name)} is larger than 512 MiB`);
  let found: unknown;
  try {
    found = JSON.parse(await file.text());
  } catch {
    throw new Error(`${visible(file.name)} is no JSON. vmmap show TARGET --json writes files that can be dropped here; cores and sessions open with vmmap report`);
  }
  if (!isSnapshot(found)) throw new Error(`${visible(file.name)} is no snapshot of vmmap show TARGET --json`);
  return found;
}

/** Snapshots in order of time, numbered from 1; those of one moment stay in the order of their names. */
export function historyOf(documents: readonly SnapshotJson[]): ReportData {
  const ordered = [...documents].sort((a, b) => Date.parse(a.taken_at ?? "") - Date.parse(b.taken_at ?? "") || 0);
  return { snapshots: ordered.map((s, i) => ({ ...s, n: i + 1 })) };
}

async function open(files: readonly File[], info: PageInfo): Promise<void> {
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
    open(files, tables).catch((x: unknown) => act({ message: x instanceof Error ? x.message : String(x) }));
  });
}
