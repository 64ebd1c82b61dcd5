// The viewer's host on the page of `mcp-cxr chat`: calls tools over HTTP, with the secret of the session.
//
// It stands in for `HostClient`, which a chat host's frame uses.

import { CallError } from "/viewer/host_client.js";
import { ServerGone, connected, request } from "./session.js";

const FIRST_HEIGHT_PX = 500;
const ANSWER_TIMEOUT_MS = 60_000;
const THEME_POLL_MS = 300; // no event announces a theme chosen in Streamlit's menu

export class ServerHost {
  #listeners = new Map();
  #told = Promise.resolve();

  /** @param viewId Names the view that the server keeps: a query. */
  constructor(viewId) {
    this.viewId = viewId;
    this.context = {};
  }

  on(method, listener) {
    this.#listeners.set(method, listener);
  }

  /** Load the view and hand it over; a view that is gone leaves an empty search. */
  async start() {
    const { query } = await this.#view();
    this.context = {
      theme: themeOf((this.background = backgroundAround(window.frameElement))),
      displayMode: "inline",
      availableDisplayModes: ["inline", "fullscreen"],
    };
    this.#setHeight(FIRST_HEIGHT_PX);
    setInterval(() => this.#followTheme(), THEME_POLL_MS);
    document.addEventListener("fullscreenchange", () => this.#change({ displayMode: this.#displayMode }));
    queueMicrotask(() => {
      this.#tell("ui/notifications/tool-input", { arguments: query ?? {} });
      this.#tell("ui/notifications/tool-result", { content: [] }); // the viewer then searches by itself
    });
  }

  /** Call a tool of the user's server; a `CallError` if the tool or the server refuses. */
  async call(name, args) {
    const result = await this.#sent("/api/tool", { name, arguments: args ?? {} });
    if (!result.isError) return result;
    throw new CallError(result.content?.map(({ text }) => text).join(" ") || `${name} failed.`);
  }

  /** Tell the server what the user looks at, one thing after the other; it is sent to the model with the next message. */
  updateModelContext(text) {
    this.#told = this.#told.then(() => this.#sent(`/api/view/${this.viewId}/context`, { text })).catch(() => {});
  }

  /** Show the viewer on the whole screen, or in its place again. */
  async request(_method, { mode }) {
    try {
      if (mode === "fullscreen") await document.documentElement.requestFullscreen();
      else if (document.fullscreenElement) await document.exitFullscreen();
    } catch (error) {
      throw new CallError(error.message);
    }
    return { mode: this.#displayMode };
  }

  /** The viewer's height changes with its content. */
  notify(_method, { height }) {
    if (this.#displayMode === "inline") this.#setHeight(height);
  }

  get #displayMode() {
    return document.fullscreenElement ? "fullscreen" : "inline";
  }

  async #view() {
    try {
      const answer = await request(`/api/view/${this.viewId}`);
      return answer.ok ? await connected(() => answer.json()) : {};
    } catch (error) {
      if (error instanceof ServerGone) return {};
      throw error;
    }
  }

  async #sent(path, body) {
    try {
      const signal = AbortSignal.timeout(ANSWER_TIMEOUT_MS);
      const answer = await request(path, { method: "POST", body: JSON.stringify(body), signal });
      if (!answer.ok) throw new CallError(await connected(() => answer.text()));
      return await connected(() => answer.json());
    } catch (error) {
      if (error instanceof ServerGone) throw new CallError(error.message);
      throw error;
    }
  }

  #tell(method, params) {
    this.#listeners.get(method)?.(params);
  }

  #change(change) {
    this.#tell("ui/notifications/host-context-changed", change);
  }

  #setHeight(height) {
    if (window.frameElement) window.frameElement.style.height = `${height}px`;
  }

  #followTheme() {
    const background = backgroundAround(window.frameElement);
    if (background === this.background) return;
    this.background = background;
    this.#change({ theme: themeOf(background) });
  }
}

/** The background around an element, as CSS. */
function backgroundAround(element) {
  for (let outer = element?.parentElement; outer; outer = outer.parentElement) {
    const { backgroundColor } = getComputedStyle(outer);
    if (!/^(transparent|rgba\(.*, 0\))$/.test(backgroundColor)) return backgroundColor;
  }
  return "";
}

/** Whether a background is that of a dark theme; Streamlit says the theme nowhere else. */
function themeOf(background) {
  if (!background) return undefined;
  const canvas = new OffscreenCanvas(1, 1).getContext("2d");
  canvas.fillStyle = background;
  canvas.fillRect(0, 0, 1, 1);
  const [red, green, blue] = canvas.getImageData(0, 0, 1, 1).data;
  return red + green + blue < 384 ? "dark" : "light";
}
