// Adds a folder to the archive: its name, then progress with rate and time left, then what was left out, by file.

import { element, iconButton, notices } from "/viewer/dom.js";
import { CallError } from "/viewer/host_client.js";
import { inWords } from "./words.js";

const POLL_MS = 500;

/** The panel; `onadded` is called when an ingest that ran here has ended. */
export class AddFolder {
  constructor(server, { folder, onadded }) {
    this.server = server;
    this.onadded = onadded;
    this.field = element("input", { type: "text", name: "folder", autocomplete: "off", spellcheck: "false", placeholder: "/path/to/images" });
    this.field.value = folder;
    this.status = element("div", { class: "ingest", role: "status" });
    this.button = element("button", { type: "submit", class: "tool labeled primary" }, "Add");
    this.root = element(
      "form",
      { class: "add-folder", onsubmit: (event) => {
        event.preventDefault();
        this.#start({ dryRun: false });
      } },
      element("label", { class: "field-label grow" }, element("span", {}, "Folder of images on this machine"), this.field),
      this.button,
      element("button", { type: "button", class: "tool labeled", onclick: () => this.#start({ dryRun: true }) }, "Only count"),
      this.status,
    );
  }

  /** Show an ingest that runs, or that has ended while this page was away. */
  async follow() {
    try {
      this.#show(await this.server.ingest());
    } catch (error) {
      this.#fail(error);
    }
  }

  async #start(how) {
    const folder = this.field.value.trim();
    if (!folder) return this.field.focus();
    try {
      const warning = await this.server.startIngest(folder, how);
      if (warning) return this.#confirm(warning, how);
      this.#show({ state: "running", processed: 0, total: null, outcomes: "" });
    } catch (error) {
      this.#fail(error);
    }
  }

  #confirm(warning, how) {
    const take = () => this.#start({ ...how, takesBroad: true });
    this.status.replaceChildren(
      notices([`${warning} The images below it can then be read, also by the language model's server.`]),
      element("button", { type: "button", class: "tool labeled", onclick: take }, "Take this folder"),
    );
  }

  #fail(error) {
    if (!(error instanceof CallError)) throw error;
    this.status.replaceChildren(notices([error.message]));
  }

  #show(job) {
    const isRunning = job.state === "running";
    this.button.disabled = isRunning;
    if (isRunning) {
      this.#drawProgress(job);
      this.wasRunning = true;
      setTimeout(() => this.root.isConnected && this.follow(), POLL_MS);
      return;
    }
    const ended = { done: () => summary(job), stopped: () => [notices(["Stopped. Images already added stay; add the folder again to continue."])], failed: () => [notices([inWords(job.problem)])] };
    if (this.wasRunning || job.state === "failed") this.status.replaceChildren(...(ended[job.state]?.() ?? []));
    if (this.wasRunning && job.state !== "failed") this.onadded();
    this.wasRunning = false;
  }

  #drawProgress({ processed, total, outcomes, files_per_second: rate, seconds_left: left }) {
    const bar = (this.bar = this.status.contains(this.bar) ? this.bar : element("progress", { "aria-label": "Progress" }));
    const words = (this.words = this.status.contains(this.words) ? this.words : element("p", {}));
    if (!this.status.contains(bar))
      this.status.replaceChildren(bar, words, iconButton("close", "Stop", () => this.server.stopIngest(), { words: true }));
    if (total) {
      bar.max = total;
      bar.value = processed;
    } else bar.removeAttribute("value");
    const number = (count) => count.toLocaleString("en");
    words.textContent = [
      total ? `${number(processed)} of ${number(total)} files` : processed ? `${number(processed)} files` : "Looking for images",
      outcomes,
      rate ? `${rate < 10 ? rate.toFixed(1) : number(Math.round(rate))} a second` : "",
      left ? `about ${timeWords(left)} left` : "",
    ]
      .filter(Boolean)
      .join(" · ");
  }
}

function summary({ summary: done, left_out: leftOut }) {
  const number = (count) => count.toLocaleString("en");
  if (typeof done.would_add === "number")
    return [element("p", {}, `${number(done.would_add)} of ${number(done.found)} images would be added.`)];
  return [
    element("p", {}, `${number(done.added)} images added, ${number(done.skipped)} skipped, ${number(done.errors)} errors in ${timeWords(done.seconds)}. The archive holds ${number(done.total_in_store)} images.`),
    notices([...(done.warnings ?? []), ...(done.notes ?? []), done.next ? inWords(done.next) : null]),
    leftOut?.total ? failures(leftOut) : null,
  ].filter(Boolean);
}

function failures({ total, files }) {
  const listed = files.length < total ? `${total.toLocaleString("en")} files were left out; the first ${files.length}` : `${total} file${total === 1 ? " was" : "s were"} left out`;
  return element(
    "details",
    { open: true },
    element("summary", {}, listed),
    element("ul", { class: "failures" }, files.map(({ path, reason }) => element("li", {}, element("b", {}, path), ` ${reason}`))),
  );
}

function timeWords(seconds) {
  if (seconds < 90) return `${Math.max(1, Math.round(seconds))} s`;
  return seconds < 5400 ? `${Math.round(seconds / 60)} min` : `${(seconds / 3600).toFixed(1)} h`;
}
