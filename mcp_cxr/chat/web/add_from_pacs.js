// Adds studies of some days from the PACS: first how many would come, then progress and what came.

import { element, notices } from "/viewer/dom.js";
import { JobPanel } from "./job.js";
import { inWords } from "./words.js";

const DAYS = 7;

/** The panel; `onadded` is called when a pull that ran here has ended. */
export class AddFromPacs extends JobPanel {
  constructor(server, { onadded }) {
    super({ state: () => server.pull(), stop: () => server.stopPull() }, { onadded });
    this.server = server;
    const since = element("input", { type: "date", name: "since", value: day(-DAYS) });
    const until = element("input", { type: "date", name: "until", value: day(0) });
    this.buttons = [element("button", { type: "submit", class: "tool labeled primary" }, "Count")];
    this.root = element(
      "form",
      { class: "add-folder", onsubmit: (event) => {
        event.preventDefault();
        this.#pull({ since: since.value, until: until.value, dryRun: true });
      } },
      element("label", { class: "field-label" }, element("span", {}, "Studies from"), since),
      element("label", { class: "field-label" }, element("span", {}, "to"), until),
      ...this.buttons,
      this.status,
    );
  }

  #pull(days) {
    return this.start(() => this.server.startPull(days));
  }

  progress({ progress }) {
    return progress || "Asking the PACS";
  }

  done(job) {
    return job.dry_run ? this.#counted(job) : pulled(job.summary);
  }

  #counted({ since, until, summary: { to_fetch: images, to_fetch_bytes: bytes, known, next } }) {
    const size = bytes ? `, about ${Math.ceil(bytes / 1e6).toLocaleString("en")} MB before compression` : "";
    const add = () => element("button", { type: "button", class: "tool labeled primary", onclick: () => this.#pull({ since, until, dryRun: false }) }, `Add ${images.toLocaleString("en")} images`);
    return [
      element("p", {}, images ? `${images.toLocaleString("en")} new images${size}.` : "No new images in these days."),
      known ? element("p", {}, `${known.toLocaleString("en")} are known already.`) : null,
      next ? notices([inWords(next)]) : null,
      images ? add() : null,
    ];
  }
}

function pulled({ added, reports, refused, failed, next }) {
  const number = (counts) => Object.values(counts).reduce((sum, count) => sum + count, 0);
  return [
    element("p", {}, `${added.toLocaleString("en")} images and ${reports.toLocaleString("en")} reports added; ${number(refused)} refused, ${number(failed)} not fetched.`),
    element("ul", { class: "failures" }, [...Object.entries(refused), ...Object.entries(failed)].map(([reason, count]) => element("li", {}, element("b", {}, String(count)), ` ${reason}`))),
    next ? notices([inWords(next)]) : null,
  ];
}

/** A day as its field writes it, some days from today. */
function day(offset) {
  const date = new Date(Date.now() + offset * 86_400_000);
  return new Date(date.getTime() - date.getTimezoneOffset() * 60_000).toISOString().slice(0, 10);
}
