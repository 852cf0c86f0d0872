import type { JSX } from "preact";
import { useStore } from "../state/store";

export function Heaps(): JSX.Element {
  const snapshot = useStore((s) => s.snapshot);
  return <p>{snapshot ? `${snapshot.regions.count} regions` : "Nothing was read."}</p>;
}
