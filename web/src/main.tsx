import { render } from "preact";
import { acceptDrops } from "./state/drop";
import { moreOf } from "./data/more";
import { embeddedData, embeddedInfo, packedElement, ReportProvider } from "./data/report";
import { ServeProvider } from "./data/serve";
import { startFollowing, take } from "./state/follow";
import { act, getState } from "./state/store";
import { startUrl } from "./state/url";
import "./style/base.css";
import { messageOf } from "./text";
import { App } from "./views/app";

/** Data are in the page, or come from the server that it is from. */
async function start(): Promise<void> {
  const info = embeddedInfo();
  if (info?.mode === "serve") {
    const provider = await ServeProvider.open();
    if (provider.can.processes && provider.snapshots().length === 0) act({ tab: "processes" });
    take(provider);
    return;
  }
  const data = await embeddedData();
  if (!info || !data) {
    act({ loading: false, message: "This page holds no data: it is the empty template of vmmap report." });
    return;
  }
  take(new ReportProvider(info, data, moreOf(packedElement)));
}

const root = document.getElementById("app");
if (root) {
  startUrl();
  startFollowing();
  root.textContent = "";
  render(<App />, root);
  acceptDrops(() => getState().provider?.info ?? embeddedInfo());
  start().catch((e: unknown) => act({ loading: false, message: messageOf(e) }));
}
