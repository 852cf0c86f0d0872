import type { JSX } from "preact";
import { useStore } from "../state/store";

export function Header(): JSX.Element {
  const snapshot = useStore((s) => s.snapshot);
  const title = useStore((s) => s.provider?.info.title ?? "vmmap");
  const t = snapshot?.head.target;
  return (
    <header class="header">
      <h1>{t ? t.name : title}</h1>
      {t && <span class="target">{t.source} · PID {t.pid ?? "?"} · {t.arch ?? "?"} · {snapshot.head.taken_at ?? "time unknown"}</span>}
    </header>
  );
}
