// The address space as a picture: zoomed from the whole space down to pages and chunks; linked with the table in both directions.
import type { JSX } from "preact";
import { useMemo, useRef, useState } from "preact/hooks";
import type { Snapshot } from "../data/snapshot";
import { bytes, thousands } from "../format";
import { marksOf } from "../map/marks";
import { bytesIn, type Hit } from "../map/place";
import { act, useStore } from "../state/store";
import { kindLabel, useKinds } from "./kinds";
import { closer, DrawingArea, pieces } from "./map_area";
import { DetailLegend } from "./map_detail";
import { MapList } from "./map_list";
import { useCanvases, usePainting, useSize, type Painting } from "./map_painting";
import { MapSide } from "./map_side";
import { useChoices, useScene, useSelectedInSight, useSight, type Choices, type Sight } from "./map_sight";
import { MapLegend, MapTools, panelOpen } from "./map_tools";
import { scaleText, told } from "./map_words";
import "../style/map.css";

export function AddressMap(): JSX.Element {
  const snapshot = useStore((s) => s.snapshot);
  return snapshot && snapshot.regions.count ? <Picture s={snapshot} /> : <p class="empty">There are no regions to draw.</p>;
}

/** The controls above the picture and what its colours mean; made anew only when they show something else. */
function useHead(s: Snapshot, sight: Sight, choices: Choices, painting: Painting, withSide: boolean): JSX.Element {
  const latest = useRef({ s, sight, painting });
  latest.current = { s, sight, painting };
  const { line, largestFree, colours } = sight;
  const { modes, mode, square, trueScale } = choices;
  const save = (format: "png" | "svg"): void => {
    const { target } = latest.current.s.head;
    latest.current.painting.save(format, [target.name, target.pid, "address-space"], latest.current.sight.colours.legend);
  };
  const tools = useMemo(() => (
    <MapTools modes={modes} mode={mode} onMode={choices.setMode} square={square} onSquare={choices.setSquare} trueScale={trueScale} onTrueScale={choices.setTrueScale}
      onZoom={(f) => closer(latest.current.sight, f)} onWhole={() => latest.current.sight.set({ from: 0, to: line.length }, true)} onSave={save} open={withSide}
      onFree={largestFree < 0 ? null : () => latest.current.sight.set(pieces(line, largestFree), true)} />
  ), [modes, mode, square, trueScale, line, largestFree, withSide]);
  const legend = useMemo(() => <MapLegend colours={colours} mode={mode} scale={scaleText(line)} />, [colours, mode, line]);
  return <>{tools}{legend}</>;
}

/** What is under the pointer, else how much is in sight. */
function Tell({ s, sight, hot, hidden }: { s: Snapshot; sight: Sight; hot: Hit | null; hidden: number }): JSX.Element {
  const kinds = useKinds();
  const { line, view } = sight;
  return (
    <p class="map-tell" role="status">
      {hot ? told(s, line, hot, kindLabel(kinds, line.pieces[hot.piece]?.kind ?? ""))
        : `${bytes(bytesIn(line, view))} in sight${hidden ? `; ${thousands(hidden)} stretches share a pixel with another: zoom in to tell them apart` : ""}`}
    </p>
  );
}

function Picture({ s }: { s: Snapshot }): JSX.Element {
  const diff = useStore((st) => (st.compare ? st.diff : null));
  const selected = useStore((st) => st.selected);
  const withSide = panelOpen(useStore((st) => st.panel)); // also when nothing is selected: the picture does not jump under the pointer
  const [hot, setHot] = useState<Hit | null>(null);
  const place = useRef<HTMLDivElement>(null);
  const size = useSize(place);
  const choices = useChoices(s, diff);
  const sight = useSight(s, diff, choices, size);
  const { line, calm, set, detail, largestFree, places: { rows } } = sight;
  const chosenHere = useRef<number | null>(null);
  useSelectedInSight(s, sight, chosenHere);
  const canvases = useCanvases();
  const marks = useMemo(() => marksOf(s, line, rows, detail, selected, hot, largestFree), [s, line, detail, selected, hot, largestFree, rows.pitch, rows.close]);
  const painting = usePainting(canvases, useScene(s, sight, size), marks);
  const head = useHead(s, sight, choices, painting, withSide);
  const list = useMemo(() => <MapList s={s} line={line} view={calm} onZoom={(i) => set(pieces(line, i), true)} />, [s, line, calm]);
  const side = useMemo(() => (withSide ? <MapSide s={s} /> : null), [withSide, s]);
  const select = (address: number): void => {
    chosenHere.current = address;
    act({ selected: address });
  };
  return (
    <div class="map-with-side">
      <div class="map">
        {head}
        <DrawingArea s={s} diff={diff} sight={sight} place={place} canvases={canvases} onHot={setHot} onSelect={select} />
        <Tell s={s} sight={sight} hot={hot} hidden={painting.hidden} />
        <DetailLegend shown={sight.shown} close={sight.near} />
        <p id="map-keys" class="hidden-label">Arrow keys move, plus and minus zoom, Home shows everything, n and p select the next and previous region, Enter shows it in the table.</p>
        {list}
      </div>
      {side}
    </div>
  );
}
