import { render } from "preact";
import { embeddedData, embeddedInfo, ReportProvider } from "./data/report";
import { act } from "./state/store";
import { startUrl } from "./state/url";
import "./style/base.css";
import { App } from "./views/app";

/** Shows a snapshot of the provider: the last one when n is null. */
async function start(): Promise<void> {
  const info = embeddedInfo();
  const data = await embeddedData();
  if (!info || !data) {
    act({ loading: false, message: "This page holds no data: it is the empty template of vmmap report." });
    return;
  }
  const provider = new ReportProvider(info, data);
  const last = provider.snapshots().at(-1);
  act({ provider, snapshot: last ? await provider.snapshot(last.n) : null, loading: false });
}

const root = document.getElementById("app");
if (root) {
  startUrl();
  root.textContent = "";
  render(<App />, root);
  start().catch((e: unknown) => act({ loading: false, message: e instanceof Error ? e.message : String(e) }));
}
