// Adds studies of some days from the PACS: first how many would come, then progress and what came.

import { element, iconButton, notices } from "/viewer/dom.js";
import { CallError } from "/viewer/host_client.js";
import { inWords } from "./words.js";

const POLL_MS = 1000;
const DAYS = 7;

/** The panel; `onadded` is called when a pull that ran here has ended. */
export class AddFromPacs {
  constructor(server, { onadded }) {
    this.server = server;
    this.onadded = onadded;
    this.since = element("input", { type: "date", name: "since", value: day(-DAYS) });
    this.until = element("input", { type: "date", name: "until", value: day(0) });
    this.status = element("div", { class: "ingest", role: "status" });
    this.button = element("button", { type: "submit", class: "tool labeled primary" }, "Count");
    this.root = element(
      "form",
      { class: "add-folder", onsubmit: (event) => {
        event.preventDefault();
        this.#start(true);
      } },
      element("label", { class: "field-label" }, element("span", {}, "Studies from"), this.since),
      element("label", { class: "field-label" }, element("span", {}, "to"), this.until),
      this.button,
      this.status,
    );
  }

  /** Show a pull that runs, or that has ended while this page was away. */
  async follow() {
    try {
      this.#show(await this.server.pull());
    } catch (error) {
      this.#fail(error);
    }
  }

  async #start(dryRun) {
    try {
      await this.server.startPull({ since: this.since.value, until: this.until.value, dryRun });
      this.isCount = dryRun;
      this.#show({ state: "running", progress: "" });
    } catch (error) {
      this.#fail(error);
    }
  }

  #fail(error) {
    if (!(error instanceof CallError)) throw error;
    this.status.replaceChildren(notices([error.message]));
  }

  #show(job) {
    const isRunning = job.state === "running";
    this.button.disabled = isRunning;
    if (isRunning) {
      const stop = iconButton("close", "Stop", () => this.server.stopPull(), { words: true });
      this.status.replaceChildren(element("p", {}, job.progress || "Asking the PACS"), stop);
      this.wasRunning = true;
      setTimeout(() => this.root.isConnected && this.follow(), POLL_MS);
      return;
    }
    const ended = {
      done: () => (this.isCount ? this.#counted(job.summary) : pulled(job.summary)),
      stopped: () => [notices(["Stopped. Images already added stay; pull again to continue."])],
      failed: () => [notices([inWords(job.problem)])],
    };
    if (this.wasRunning) this.status.replaceChildren(...(ended[job.state]?.() ?? []));
    if (this.wasRunning && !this.isCount && job.state !== "failed") this.onadded();
    this.wasRunning = false;
  }

  #counted({ to_fetch: images, to_fetch_bytes: bytes, known, next }) {
    const size = bytes ? `, about ${Math.ceil(bytes / 1e6).toLocaleString("en")} MB before compression` : "";
    const add = element("button", { type: "button", class: "tool labeled primary", onclick: () => this.#start(false) }, `Add ${images.toLocaleString("en")} images`);
    return [
      element("p", {}, images ? `${images.toLocaleString("en")} new images${size}.` : "No new images in these days."),
      known ? element("p", {}, `${known.toLocaleString("en")} are known already.`) : null,
      next ? notices([inWords(next)]) : null,
      images ? add : null,
    ].filter(Boolean);
  }
}

function pulled({ added, reports, refused, failed, next }) {
  const number = (counts) => Object.values(counts).reduce((sum, count) => sum + count, 0);
  return [
    element("p", {}, `${added.toLocaleString("en")} images and ${reports.toLocaleString("en")} reports added; ${number(refused)} refused, ${number(failed)} not fetched.`),
    element("ul", { class: "failures" }, [...Object.entries(refused), ...Object.entries(failed)].map(([reason, count]) => element("li", {}, element("b", {}, String(count)), ` ${reason}`))),
    next ? notices([inWords(next)]) : null,
  ].filter(Boolean);
}

/** A day as its field writes it, some days from today. */
function day(offset) {
  const date = new Date(Date.now() + offset * 86_400_000);
  return new Date(date.getTime() - date.getTimezoneOffset() * 60_000).toISOString().slice(0, 10);
}
