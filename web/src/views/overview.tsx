import type { JSX } from "preact";
import { useState } from "preact/hooks";
import type { Snapshot } from "../data/snapshot";
import type { Diff } from "../data/types";
import { useStore } from "../state/store";
import { AccountChanges, LimitChanges, NoteChanges } from "./accountchanges";
import { Accounts, Limits, Notes, Verdicts } from "./accounts";
import { Bars } from "./bars";
import { ChangeBarsPanel } from "./changebars";
import { ModuleChanges, ThreadChanges } from "./listchanges";
import { Modules, Threads } from "./lists";
import { orderedTypes, TypesTable } from "./types";
import "../style/overview.css";

function Owners({ snapshot }: { snapshot: Snapshot }): JSX.Element {
  return (
    <>
      <div class="pair">
        <Accounts snapshot={snapshot} />
        <Limits snapshot={snapshot} />
      </div>
      <Notes notes={snapshot.head.notes} />
      <div class="pair uneven">
        <Modules snapshot={snapshot} />
        <Threads snapshot={snapshot} />
      </div>
    </>
  );
}

function Changes({ diff, snapshot }: { diff: Diff; snapshot: Snapshot }): JSX.Element {
  return (
    <>
      <div class="pair">
        <AccountChanges diff={diff} />
        <LimitChanges diff={diff} />
      </div>
      <NoteChanges diff={diff} />
      <div class="pair uneven">
        <ModuleChanges diff={diff} />
        <ThreadChanges diff={diff} snapshot={snapshot} />
      </div>
    </>
  );
}

export function Overview(): JSX.Element {
  const snapshot = useStore((s) => s.snapshot);
  const sort = useStore((s) => s.typeSort);
  const diff = useStore((s) => s.diff);
  const [hot, setHot] = useState("");
  if (!snapshot) return <p class="empty">Nothing was read.</p>;
  const order = orderedTypes(snapshot, sort, diff).regions.map((t) => t.kind);
  return (
    <div class="sections overview">
      <Verdicts verdicts={snapshot.head.verdicts} />
      {diff
        ? <ChangeBarsPanel diff={diff} order={order} hot={hot} onHot={setHot} />
        : <Bars snapshot={snapshot} order={order} hot={hot} onHot={setHot} />}
      <TypesTable snapshot={snapshot} hot={hot} onHot={setHot} />
      {diff ? <Changes diff={diff} snapshot={snapshot} /> : <Owners snapshot={snapshot} />}
    </div>
  );
}
