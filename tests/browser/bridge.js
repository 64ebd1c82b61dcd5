// The host side of MCP Apps as its makers publish it; `tests/support/npm.py` bundles it.
import { AppBridge, PostMessageTransport } from "@modelcontextprotocol/ext-apps/app-bridge";

const frame = document.querySelector("iframe");
const bridge = new AppBridge(
  null,
  { name: "bridge", version: "0" },
  { serverTools: {}, updateModelContext: { text: {} } },
  { hostContext: hosting.context },
);
hosting.heard = [];
bridge.oncalltool = (params) => {
  hosting.heard.push({ method: "tools/call", params });
  return window.callTool(params);
};
bridge.onupdatemodelcontext = async (params) => {
  hosting.heard.push({ method: "ui/update-model-context", params });
  return {};
};
bridge.onrequestdisplaymode = async ({ mode }) => ({ mode });
bridge.addEventListener("sizechange", ({ height }) => {
  frame.style.height = `${height}px`;
});
bridge.addEventListener("initialized", async () => {
  await bridge.sendToolInput({ arguments: hosting.input });
  await bridge.sendToolResult(hosting.result);
});
hosting.teardown = () => bridge.teardownResource({});
await bridge.connect(new PostMessageTransport(frame.contentWindow, frame.contentWindow));
frame.src = "/viewer.html";
