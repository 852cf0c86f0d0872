// Beside the picture: all that is known of the region that is selected in it.
import type { JSX } from "preact";
import { useMemo } from "preact/hooks";
import type { Snapshot } from "../data/snapshot";
import { changeTable, regionTable } from "../grid/build";
import { rowAt } from "../grid/carry";
import { useStore } from "../state/store";
import { Panel } from "./panel";
import { Picked } from "./picked";

export function MapSide({ s }: { s: Snapshot }): JSX.Element | null {
  const info = useStore((st) => st.provider?.info);
  const diff = useStore((st) => st.diff);
  const selected = useStore((st) => st.selected);
  const table = useMemo(() => (info ? (diff ? changeTable(diff, info) : regionTable(s, info)) : null), [s, info, diff]);
  if (!table) return null;
  if (selected === null)
    return <div class="map-side no-print"><aside class="side" aria-label="Details"><p class="side-none">Nothing is selected. A click in the picture, or n and p on the keyboard, select a region; from near, a page or a chunk. Here stands then all that is known of it.</p></aside></div>;
  const row = rowAt(table, selected);
  return (
    <div class="map-side no-print">
      {row >= 0 ? <Panel table={table} row={row} />
        : <aside class="side" aria-label="Details"><Picked /><p class="side-none">{diff ? "This region is as it was before: it is not among the changes." : "No region has this address."}</p></aside>}
    </div>
  );
}
