// Adds a folder to the archive: its name, then progress with rate and time left, then what was left out, by file.

import { element, notices } from "/viewer/dom.js";
import { JobPanel } from "./job.js";
import { inWords } from "./words.js";

/** The panel; `onadded` is called when an ingest that ran here has ended. */
export class AddFolder extends JobPanel {
  constructor(server, { folder, onadded }) {
    super({ state: () => server.ingest(), stop: () => server.stopIngest() }, { onadded });
    this.server = server;
    this.field = element("input", { type: "text", name: "folder", autocomplete: "off", spellcheck: "false", placeholder: "/path/to/images" });
    this.field.value = folder;
    this.buttons = [
      element("button", { type: "submit", class: "tool labeled primary" }, "Add"),
      element("button", { type: "button", class: "tool labeled", onclick: () => this.#addNamed({ dryRun: true }) }, "Only count"),
    ];
    this.root = element(
      "form",
      { class: "add-folder", onsubmit: (event) => {
        event.preventDefault();
        this.#addNamed({ dryRun: false });
      } },
      element("label", { class: "field-label grow" }, element("span", {}, "Folder of images on this machine"), this.field),
      ...this.buttons,
      this.status,
    );
  }

  #addNamed(how) {
    const folder = this.field.value.trim();
    if (!folder) return this.field.focus();
    this.#add(folder, how);
  }

  #add(folder, how) {
    const take = element("button", { type: "button", class: "tool labeled", onclick: () => this.#add(folder, { ...how, takesBroad: true }) }, "Take this folder");
    const call = async () => {
      const warning = await this.server.startIngest(folder, how);
      return warning && `${warning} The images below it can then be read, also by the language model's server.`;
    };
    return this.start(call, take);
  }

  progress({ processed, total, outcomes, files_per_second: rate, seconds_left: left }) {
    const number = (count) => count.toLocaleString("en");
    return [
      total ? `${number(processed)} of ${number(total)} files` : processed ? `${number(processed)} files` : "Looking for images",
      outcomes,
      rate ? `${rate < 10 ? rate.toFixed(1) : number(Math.round(rate))} a second` : "",
      left ? `about ${timeWords(left)} left` : "",
    ]
      .filter(Boolean)
      .join(" · ");
  }

  done({ summary, left_out: leftOut }) {
    const number = (count) => count.toLocaleString("en");
    const text =
      typeof summary.would_add === "number"
        ? `${number(summary.would_add)} of ${number(summary.found)} images would be added.`
        : `${number(summary.added)} images added, ${number(summary.skipped)} skipped, ${number(summary.errors)} error${summary.errors === 1 ? "" : "s"} in ${timeWords(summary.seconds)}. The archive holds ${number(summary.total_in_store)} images.`;
    return [
      element("p", {}, text),
      ...(summary.companions ?? []).map(({ file, gives, joined, rows }) => element("p", { class: "muted" }, `${file}${gives?.length ? ` (${gives.join(", ")})` : ""}: ${number(joined)} of ${number(rows)} rows joined.`)),
      notices([...(summary.warnings ?? []), ...(summary.notes ?? []), summary.next ? inWords(summary.next) : null]),
      leftOut?.total ? failures(leftOut) : null,
    ];
  }
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
