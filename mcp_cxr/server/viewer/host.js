// The host around this page: JSON-RPC over postMessage, as MCP Apps has it (2026-01-26).

const PROTOCOL = "2026-01-26";
const ANSWER_WITHIN_MS = 60_000;
const SHAKE_HANDS_WITHIN_MS = 10_000;

/** A tool that refused, or a host that does not pass calls on; the message is for the person. */
class Refusal extends Error {}

class Host {
  #sent = 0;
  #waiting = new Map();
  #listeners = new Map();

  constructor() {
    this.context = {};
    window.addEventListener("message", (event) => this.#hear(event));
  }

  /** Hear a notification of the host. */
  on(method, listener) {
    this.#listeners.set(method, listener);
  }

  /** Shake hands; a host that does not answer is worked with as far as it goes. */
  async start() {
    const asked = {
      appInfo: { name: "mcp-cxr viewer", version: "1" },
      appCapabilities: { availableDisplayModes: ["inline", "fullscreen"] },
      protocolVersion: PROTOCOL,
    };
    try {
      const answer = await this.request("ui/initialize", asked, SHAKE_HANDS_WITHIN_MS);
      this.context = answer?.hostContext ?? {};
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
    }
    this.notify("ui/notifications/initialized", {});
  }

  /** Call a tool of our server; refused where the host or the tool says no. */
  async call(name, args) {
    const result = await this.request("tools/call", { name, arguments: args });
    if (result?.isError) throw new Refusal(textsIn(result).join(" ") || `${name} failed.`);
    return result ?? {};
  }

  /** Tell the model what the person looks at; hosts that do not want to know say so, and that is all right. */
  tellModel(text) {
    this.request("ui/update-model-context", { content: [{ type: "text", text }] }).catch(() => {});
  }

  request(method, params, within = ANSWER_WITHIN_MS) {
    const id = ++this.#sent;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => this.#settle(id, null, "The host did not answer."), within);
      this.#waiting.set(id, { resolve, reject, timer });
      this.#send({ id, method, params });
    });
  }

  notify(method, params) {
    this.#send({ method, params });
  }

  #send(message) {
    window.parent.postMessage({ jsonrpc: "2.0", ...message }, "*");
  }

  #hear({ source, data }) {
    if (source !== window.parent || data?.jsonrpc !== "2.0") return;
    if (data.method === undefined) this.#settle(data.id, data.result, data.error?.message);
    else if (data.id === undefined) this.#listeners.get(data.method)?.(data.params ?? {});
    else this.#answer(data);
  }

  #answer({ id, method }) {
    const known = method === "ping" || method === "ui/resource-teardown";
    this.#send(known ? { id, result: {} } : { id, error: { code: -32601, message: "Method not found" } });
  }

  #settle(id, result, refusal) {
    const { resolve, reject, timer } = this.#waiting.get(id) ?? {};
    if (!resolve) return;
    clearTimeout(timer);
    this.#waiting.delete(id);
    if (refusal === undefined) resolve(result);
    else reject(new Refusal(refusal));
  }
}
