// A host for MCP Apps (2026-01-26) inside Streamlit: the viewer runs in a sandboxed frame and can only post messages to this
// script, which passes its tool calls to Python.
//
// Pending calls are kept in the component state `calls` until they are answered; Python may answer a call more than once.

const POLICY =
  "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:; connect-src 'none'";
const INLINE_PX = 500;
const IMAGE_HEIGHT = 0.78; // of the window, for a single open image
const THEME_POLL_MS = 300; // no event announces a theme chosen in the menu
const hosts = new WeakMap();

class Host {
  constructor(root, html, hosting) {
    this.hosting = hosting;
    this.calls = new Map();
    this.nonce = crypto.getRandomValues(new Uint32Array(2)).join("-");
    this.frame = document.createElement("iframe");
    this.frame.setAttribute("sandbox", "allow-scripts");
    this.frame.title = "Viewer";
    this.height = hosting.opens ? Math.max(INLINE_PX, Math.round(window.innerHeight * IMAGE_HEIGHT)) : null;
    this.frame.style.cssText = "display: block; width: 100%; border: 0; border-radius: 8px;";
    this.frame.style.height = `${this.height ?? INLINE_PX}px`;
    const policy = `<meta http-equiv="Content-Security-Policy" content="${POLICY}">`;
    this.frame.srcdoc = html.replace("<head>", `<head>${policy}`);
    this.onMessage = ({ source, data }) => {
      if (source === this.frame.contentWindow && data?.jsonrpc === "2.0" && data.method) this.#receive(data);
    };
    window.addEventListener("message", this.onMessage);
    root.append(this.frame);
    if (this.height) this.frame.scrollIntoView({ block: "nearest", behavior: "smooth" });
    this.root = root;
    this.themes = setInterval(() => this.#sendTheme(), THEME_POLL_MS);
  }

  /** Take Python's answers, and the function that sets the component state. */
  update({ answers }, setStateValue) {
    this.setStateValue = setStateValue;
    let isChanged = false;
    for (const [id, result] of Object.entries(answers ?? {})) {
      const call = this.calls.get(id);
      if (!call) continue;
      this.calls.delete(id);
      this.#send({ id: call.number, result });
      isChanged = true;
    }
    if (isChanged) this.#publishCalls();
  }

  end() {
    clearInterval(this.themes);
    window.removeEventListener("message", this.onMessage);
    this.frame.remove();
  }

  #send(message) {
    this.frame.contentWindow?.postMessage({ jsonrpc: "2.0", ...message }, "*");
  }

  #receive({ id, method, params }) {
    if (method === "tools/call") return this.#call(id, params);
    const result = this.#answer(method, params);
    if (id === undefined) return;
    this.#send(result ? { id, result } : { id, error: { code: -32601, message: "Method not found" } });
  }

  #answer(method, params) {
    switch (method) {
      case "ui/initialize":
        return this.#initializeResult();
      case "ui/notifications/initialized":
        this.#send({ method: "ui/notifications/tool-input", params: { arguments: this.hosting.input } });
        this.#send({ method: "ui/notifications/tool-result", params: this.hosting.result });
        return {};
      case "ui/notifications/size-changed":
        if (this.mode !== "fullscreen" && !this.height) this.frame.style.height = `${params.height}px`;
        return {};
      case "ui/request-display-mode":
        return this.#setDisplayMode(params.mode);
      case "ui/update-model-context":
        this.setStateValue("context", params.content?.map(({ text }) => text).join("\n") ?? "");
        return {};
      default:
        return null;
    }
  }

  #initializeResult() {
    return {
      protocolVersion: "2026-01-26",
      hostInfo: { name: "mcp-cxr chat", version: "1" },
      hostCapabilities: { serverTools: {}, updateModelContext: { text: {} } },
      hostContext: {
        theme: (this.theme = themeOf(this.root)),
        displayMode: "inline",
        availableDisplayModes: ["inline", "fullscreen"],
        opens: this.hosting.opens,
        names: this.hosting.names,
        ...(this.height ? { containerDimensions: { height: this.height } } : {}),
      },
    };
  }

  #setDisplayMode(mode) {
    this.mode = mode;
    const { style } = this.frame;
    const isFull = mode === "fullscreen";
    style.position = isFull ? "fixed" : "static";
    style.inset = isFull ? "0" : "";
    style.zIndex = isFull ? "1000000" : "";
    style.height = isFull ? "100vh" : `${this.height ?? INLINE_PX}px`;
    style.width = isFull ? "100vw" : "100%";
    return { mode };
  }

  #call(number, { name, arguments: args }) {
    const id = `${this.nonce}-${number}`;
    this.calls.set(id, { number, name, arguments: args ?? {} });
    this.#publishCalls();
  }

  #publishCalls() {
    clearTimeout(this.publishing);
    this.publishing = setTimeout(() => {
      const calls = [...this.calls].map(([id, { name, arguments: args }]) => ({ id, name, arguments: args }));
      this.setStateValue("calls", calls);
    });
  }

  #sendTheme() {
    const theme = themeOf(this.root);
    if (theme !== this.theme) this.#send({ method: "ui/notifications/host-context-changed", params: { theme } });
    this.theme = theme;
  }
}

/** Streamlit gives components its colors, but not whether the theme is dark. */
function themeOf(root) {
  const color = getComputedStyle(root.host ?? root).getPropertyValue("--st-background-color");
  const canvas = new OffscreenCanvas(1, 1).getContext("2d");
  canvas.fillStyle = color || "#ffffff";
  canvas.fillRect(0, 0, 1, 1);
  const [red, green, blue] = canvas.getImageData(0, 0, 1, 1).data;
  return red + green + blue < 384 ? "dark" : "light";
}

export default function ({ parentElement, data, setStateValue }) {
  if (!hosts.has(parentElement)) hosts.set(parentElement, new Host(parentElement, data.html, data.hosting));
  hosts.get(parentElement).update(data, setStateValue);
  return () => {
    hosts.get(parentElement)?.end();
    hosts.delete(parentElement);
  };
}
