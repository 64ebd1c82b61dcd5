// The first screen: example searches, what the archive holds, its newest studies, and a folder to add.

import { element } from "/viewer/dom.js";
import { CallError } from "/viewer/host_client.js";
import { counted } from "/viewer/tool_results.js";
import { AddFolder } from "./add_folder.js";
import { AddFromPacs } from "./add_from_pacs.js";
import { viewWords } from "./words.js";

const MOST_BARS = 14;
const EXAMPLES = 2;
const NOT_ASKED = new Set(["No Finding", "Support Devices"]);
const USUAL = ["left pleural effusion", "cardiomegaly", "pneumothorax", "edema without effusion", "pacemaker", "nodule"];

export class Home {
  /** @param on search, changed (called when a folder was added). */
  constructor(server, { folder, hasPacs }, on) {
    this.server = server;
    this.on = on;
    this.addFolder = new AddFolder(server, { folder, onadded: on.changed });
    this.addFromPacs = hasPacs ? new AddFromPacs(server, { onadded: on.changed }) : null;
    this.questions = element("div", { class: "questions" });
    this.counts = element("div", { class: "counts" });
    this.add = element("section", { class: "add", "aria-label": "Add a folder" });
    this.newest = element("h2", {}, "Newest studies");
    this.totals = element("p", { class: "totals" });
    this.root = element("div", { class: "home" }, this.questions, this.totals, this.add, this.counts, this.newest);
  }

  /** Fill the screen; return whether the archive holds images. */
  async fill() {
    const number = (this.fills = (this.fills ?? 0) + 1);
    const { structuredContent: overview } = await this.server.call("get_archive_overview", {});
    const isEmpty = !overview.images;
    if (number !== this.fills) return !isEmpty; // filled again since, perhaps after images were added
    this.newest.hidden = this.totals.hidden = this.counts.hidden = this.questions.hidden = isEmpty;
    this.#drawAdd(isEmpty);
    if (isEmpty) return false;
    this.totals.textContent = totalsText(overview);
    const shown = [
      bars("Images by view", overview.by_view, viewWords, (view) => this.on.search({ view: [view], group: "none" })),
      bars("Studies by finding", overview.by_label, String, (label) => this.on.search({ labels: [label] })),
    ];
    this.counts.replaceChildren(...shown.filter(Boolean));
    if (!this.questions.childElementCount) this.#offerQuestions(overview.by_label);
    return true;
  }

  /** Follow what is being added: the screen is shown, perhaps again. */
  follow() {
    this.addFolder.follow();
    this.addFromPacs?.follow();
  }

  #drawAdd(isEmpty) {
    if (this.add.dataset.empty === String(isEmpty)) return;
    this.add.dataset.empty = String(isEmpty);
    const words = "Name a folder of chest X-rays: DICOM, PNG or JPEG. They are read where they are; reports and tables beside them are used.";
    const folder = isEmpty ? [element("h1", {}, "This archive is empty"), element("p", {}, words), this.addFolder.root] : [folded("Add a folder", this.addFolder)];
    this.add.replaceChildren(...folder, ...(this.addFromPacs ? [folded("Add from the PACS", this.addFromPacs)] : []));
  }

  /** Offer two searches that find something here: of the commonest labels, else of what is usual. */
  async #offerQuestions(byLabel) {
    const labels = Object.entries(byLabel).filter(([label]) => !NOT_ASKED.has(label)).sort(([, a], [, b]) => b - a).map(([label]) => label.toLowerCase());
    const sided = labels.filter((label) => /effusion|pneumothorax/.test(label)).map((label) => `left ${label}`);
    const words = [...new Set([...sided.slice(0, 1), ...labels, ...USUAL])];
    const found = [];
    for (const query of words) {
      if (found.length === EXAMPLES) break;
      const matches = await this.#matches(query);
      if (matches) found.push(element("button", { type: "button", class: "tool labeled", onclick: () => this.on.search({ query }) }, element("span", {}, query), element("small", {}, counted(matches))));
    }
    if (found.length) this.questions.replaceChildren(element("h2", {}, "Try"), ...found);
  }

  async #matches(query) {
    try {
      const { structuredContent: page } = await this.server.call("search_medical_images", { query, limit: 1, mode: "words" });
      return page.matched_results ?? 0;
    } catch (error) {
      if (!(error instanceof CallError)) throw error;
      return 0;
    }
  }
}

/** A job's panel behind its name; open if the job runs or has said something. */
function folded(name, { wasRunning, status, root }) {
  return element("details", { open: wasRunning || status.hasChildNodes() }, element("summary", {}, name), root);
}

function totalsText({ images, studies, subjects, external }) {
  const number = (count) => count.toLocaleString("en");
  const texts = [`${number(images)} images`, counted(studies), counted(subjects, "subject"), external ? `${number(external)} images of another program, which are not searched` : ""];
  return texts.filter(Boolean).join(" · ");
}

/** Counts as small bars, the largest first; each is a button that searches for what it counts. */
function bars(title, counts, words, search) {
  const sorted = Object.entries(counts).sort(([, a], [, b]) => b - a).slice(0, MOST_BARS);
  if (!sorted.length) return null;
  const most = sorted[0][1];
  return element(
    "section",
    { class: "bars", "aria-label": title },
    element("h2", {}, title),
    sorted.map(([name, count]) => {
      const bar = element("span", { class: "bar" });
      bar.style.width = `${Math.max(2, (100 * count) / most)}%`;
      return element("button", { type: "button", class: "count", onclick: () => search(name) }, bar, element("span", {}, words(name)), element("b", {}, count.toLocaleString("en")));
    }),
  );
}
