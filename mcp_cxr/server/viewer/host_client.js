// The page's client of the host: JSON-RPC over postMessage, as MCP Apps specifies it (2026-01-26).

import { textsOf } from "./tool_results.js";

const PROTOCOL = "2026-01-26";
const ANSWER_TIMEOUT_MS = 60_000;
const HANDSHAKE_TIMEOUT_MS = 10_000;

/** A tool refused a call, or the host did not forward it; the message is shown to the user. */
export class CallError extends Error {}

export class HostClient {
  #lastId = 0;
  #pending = new Map();
  #listeners = new Map();

  constructor() {
    this.context = {};
    window.addEventListener("message", (event) => this.#receive(event));
  }

  /** Listen to a notification of the host. */
  on(method, listener) {
    this.#listeners.set(method, listener);
  }

  /** Do the handshake; a host that does not answer it may still forward calls. */
  async start() {
    const params = {
      appInfo: { name: "mcp-cxr viewer", version: "1" },
      appCapabilities: { availableDisplayModes: ["inline", "fullscreen"] },
      protocolVersion: PROTOCOL,
    };
    try {
      const answer = await this.request("ui/initialize", params, HANDSHAKE_TIMEOUT_MS);
      this.context = answer?.hostContext ?? {};
    } catch (error) {
      if (!(error instanceof CallError)) throw error;
    }
    this.notify("ui/notifications/initialized", {});
  }

  /** Call a tool of the server; a `CallError` if the host or the tool refuses. */
  async call(name, args) {
    const result = await this.request("tools/call", { name, arguments: args });
    if (result?.isError) throw new CallError(textsOf(result).join(" ") || `${name} failed.`);
    return result ?? {};
  }

  /** Tell the model what the user looks at; a host that does not support this refuses, which is ignored. */
  updateModelContext(text) {
    this.request("ui/update-model-context", { content: [{ type: "text", text }] }).catch(() => {});
  }

  request(method, params, timeout_ms = ANSWER_TIMEOUT_MS) {
    const id = ++this.#lastId;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => this.#settle(id, null, "The chat application did not answer; search again."), timeout_ms);
      this.#pending.set(id, { resolve, reject, timer });
      this.#send({ id, method, params });
    });
  }

  notify(method, params) {
    this.#send({ method, params });
  }

  #send(message) {
    window.parent.postMessage({ jsonrpc: "2.0", ...message }, "*");
  }

  #receive({ source, data }) {
    if (source !== window.parent || data?.jsonrpc !== "2.0") return;
    if (data.method === undefined) this.#settle(data.id, data.result, data.error?.message);
    else if (data.id === undefined) this.#listeners.get(data.method)?.(data.params ?? {});
    else this.#answer(data);
  }

  #answer({ id, method }) {
    const known = method === "ping" || method === "ui/resource-teardown";
    this.#send(known ? { id, result: {} } : { id, error: { code: -32601, message: "Method not found" } });
  }

  #settle(id, result, problem) {
    const { resolve, reject, timer } = this.#pending.get(id) ?? {};
    if (!resolve) return;
    clearTimeout(timer);
    this.#pending.delete(id);
    if (problem === undefined) resolve(result);
    else reject(new CallError(problem));
  }
}
