// The check of the data: its lists, and what people decide about their entries. Its state is the page's address.

import { announce, element, iconButton, notices } from "/viewer/dom.js";
import { CallError } from "/viewer/host_client.js";
import { Overlay } from "./overlay.js";
import { Thumbnails } from "./thumbnails.js";
import { inWords } from "./words.js";

const PAGE = 24;
const POLL_MS = 1000;
const SHOWN_IMAGES = 2; // of an entry: both of a pair
const NOT_CHECKED = /not checked yet/;
const DECISIONS = { wrong: "Data is wrong", right: "Data is right", ignore: "Ignore" };

export class CheckPage {
  #state = null;
  #followed = 0;

  constructor(server, address, places) {
    Object.assign(this, { server, address });
    this.thumbnails = new Thumbnails(server);
    this.overlay = new Overlay(server, places.overlay, places.rest, {
      back: () => this.#closeImage(),
      step: (by) => this.#step(by),
      open: (id) => this.#show({ image: id, compare: [] }),
      compare: (hit, other) => this.#go({ image: null, compare: [hit.image_id, other.image_id] }, { over: true }),
      canStep: (hit, by) => Boolean(this.#neighbor(hit.image_id, by)),
      neighbor: () => undefined, // nothing is read ahead
    });
    this.job = element("div", { class: "ingest", role: "status" });
    this.body = element("section", { class: "data-check", "aria-label": "Check of the data", tabindex: -1 });
    places.content.replaceChildren(this.body);
  }

  /** Show what the address names. */
  async follow() {
    const state = this.address.read();
    const before = this.#state;
    this.#state = state;
    if (!this.page || before?.list !== state.list || before?.offset !== state.offset) await this.#load(state);
    if (this.#state === state) this.#followImage();
    this.#followJob();
  }

  /** Another screen is shown: an open image is closed, and what is awaited opens none. */
  leave() {
    this.page = this.#state = null;
    this.#followed += 1;
    if (this.overlay.isOpen && this.overlay.viewer) this.overlay.close();
  }

  #go(change, how) {
    this.address.push({ ...this.#state, ...change }, how);
    return this.follow();
  }

  #show(change) {
    this.address.replace({ ...this.#state, ...change });
    return this.follow();
  }

  async #load(state) {
    const number = (this.#followed += 1);
    document.title = "Check of the data – Chest X-rays";
    try {
      const args = { list: state.list, offset: state.offset, limit: PAGE };
      const { structuredContent: page } = await this.server.call("get_data_check", args);
      if (number !== this.#followed) return;
      this.page = page;
      this.#draw();
    } catch (error) {
      if (!(error instanceof CallError)) throw error;
      if (number === this.#followed) this.#drawWithout(error.message);
    }
  }

  // Drawing

  #drawWithout(message) {
    this.page = null;
    const isNew = NOT_CHECKED.test(message);
    const text = isNew ? "Labels, view positions, near duplicates, unusual, inverted or rotated images, reports and dates are compared. Nothing is changed." : message;
    this.body.replaceChildren(
      element("h1", {}, isNew ? "The data was not checked yet" : "The check of the data"),
      isNew ? element("p", {}, text) : notices([inWords(text)]),
      element("div", { class: "row" }, this.#checkButton(isNew ? "Check the data" : "Check again")),
      this.job,
    );
  }

  #draw() {
    const { page } = this;
    const list = page.lists.find(({ name }) => name === page.list);
    this.thumbnails.clear();
    this.body.replaceChildren(
      element(
        "div",
        { class: "head-line" },
        element("h1", { class: "grow" }, "Check of the data ", element("small", {}, `${count(page.images)} images, ${page.date.slice(0, 16).replace("T", " ")} UTC`)),
        element("div", { class: "row" }, this.#checkButton("Check again"), iconButton("download", "Export", () => this.#export(), { words: true })),
      ),
      this.job,
      element("nav", { class: "check-lists", "aria-label": "Lists" }, page.lists.map((one) => this.#listButton(one))),
      element(
        "div",
        { class: "head-line" },
        element("h2", { class: "grow" }, `${list.title} `, element("small", {}, list.not_made ? "not made" : `${count(list.total)} found, ${count(list.decided)} decided`)),
        element("nav", { class: "row", "aria-label": "Pages of entries" }, ...this.#pager(list)),
      ),
      ...[notices([list.not_made, ...list.notes])].filter(Boolean),
      element("ol", { class: "check-entries", start: page.offset + 1, "aria-label": list.title }, page.entries.map((entry, index) => this.#entry(entry, page.offset + index + 1))),
    );
    announce(`${list.title}: ${list.not_made ?? `${list.total} found`}`);
  }

  #listButton({ name, total, not_made: notMade }) {
    const isHere = name === this.page.list;
    return element(
      "button",
      { type: "button", class: "tool labeled", "aria-current": isHere ? "true" : null, onclick: () => this.#go({ list: name, offset: 0 }) },
      element("span", {}, `${name[0].toUpperCase()}${name.slice(1).replaceAll("_", " ")}`),
      " ",
      element("b", {}, notMade ? "–" : count(total)),
    );
  }

  #pager({ kept }) {
    const { offset, entries } = this.page;
    if (!entries.length) return [];
    return [
      iconButton("back", "Previous entries", () => this.#go({ offset: Math.max(0, offset - PAGE) }), { disabled: !offset }),
      element("span", { class: "page-range" }, `${count(offset + 1)}–${count(offset + entries.length)} of ${count(kept)}`),
      iconButton("next", "Next entries", () => this.#go({ offset: offset + PAGE }), { disabled: offset + PAGE >= kept }),
    ];
  }

  #entry(entry, number) {
    const shown = entry.images.slice(0, SHOWN_IMAGES);
    const decisions = element("div", { class: "row", role: "group", "aria-label": `Decision about entry ${number}` });
    const made = element(
      "li",
      { class: shown.length > 1 ? "entry pair" : "entry" },
      element("div", { class: "pictures" }, shown.map((image) => this.#picture(entry, image, number))),
      element("p", {}, element("b", {}, String(number)), ` ${entry.reason}`),
      element("p", { class: "muted ids" }, `${entry.subjects.join(", ")} · ${entry.studies.join(", ")}`),
      decisions,
    );
    this.#drawDecisions(entry, number, decisions);
    return made;
  }

  #picture(entry, image, number) {
    const frame = element("span", { class: "frame" });
    this.thumbnails.fill(frame, image);
    const isPair = entry.images.length > 1;
    const open = () => {
      this.opened = image;
      return isPair ? this.#go({ image: null, compare: entry.images.slice(0, SHOWN_IMAGES) }, { over: true }) : this.#go({ image, compare: [] }, { over: true });
    };
    return element("button", { type: "button", class: "open", "data-image": image, "aria-label": isPair ? `Compare the images of entry ${number}` : `Open the image of entry ${number}`, onclick: open }, frame);
  }

  #drawDecisions(entry, number, place) {
    const focused = place.contains(document.activeElement) ? document.activeElement.textContent : null;
    place.replaceChildren(
      ...Object.entries(DECISIONS).map(([decision, words]) => {
        const isMade = entry.decision === decision;
        return element("button", { type: "button", class: "tool labeled", "aria-pressed": String(isMade), onclick: () => this.#decide(entry, number, isMade ? null : decision, place) }, words);
      }),
    );
    [...place.children].find((one) => one.textContent === focused)?.focus();
  }

  async #decide(entry, number, decision, place) {
    const { page } = this;
    try {
      await this.server.decideAboutData(entry.key, decision);
    } catch (error) {
      return this.#fail(error);
    }
    const list = page.lists.find(({ name }) => name === page.list);
    list.decided += Boolean(decision) - Boolean(entry.decision);
    entry.decision = decision;
    if (this.page !== page) return; // another list is shown
    this.#drawDecisions(entry, number, place);
    this.body.querySelector("h2 small").textContent = `${count(list.total)} found, ${count(list.decided)} decided`;
    announce(decision ? `Entry ${number}: ${DECISIONS[decision]}` : `Entry ${number}: no decision`);
  }

  async #export() {
    try {
      const url = URL.createObjectURL(await this.server.dataCheckTable());
      element("a", { href: url, download: "check-data.csv" }).click();
      setTimeout(() => URL.revokeObjectURL(url), 60_000);
    } catch (error) {
      this.#fail(error);
    }
  }

  // The check as a job

  #checkButton(words) {
    this.button = element("button", { type: "button", class: "tool labeled primary", onclick: () => this.#start() }, words);
    return this.button;
  }

  async #start() {
    try {
      await this.server.startDataCheck();
      this.#drawJob({ state: "running", progress: "" });
    } catch (error) {
      this.#fail(error);
    }
  }

  async #followJob() {
    try {
      this.#drawJob(await this.server.dataCheckJob());
    } catch (error) {
      this.#fail(error);
    }
  }

  #drawJob(job) {
    const isRunning = job.state === "running";
    if (this.button) this.button.disabled = isRunning;
    if (isRunning) {
      const stop = iconButton("close", "Stop", () => this.server.stopDataCheck().catch((error) => this.#fail(error)), { words: true });
      this.job.replaceChildren(element("p", {}, job.progress || "Starting"), stop);
      clearTimeout(this.timer);
      this.timer = setTimeout(() => this.#state && this.body.checkVisibility() && this.#followJob(), POLL_MS);
      this.wasRunning = true;
      return;
    }
    if (!this.wasRunning) return;
    this.wasRunning = false;
    this.job.replaceChildren(...[notices([job.state === "failed" ? inWords(job.problem) : job.state === "stopped" ? "Stopped; the last check is kept." : null])].filter(Boolean));
    if (job.state === "done" && this.#state) this.#load(this.#state);
  }

  #fail(error) {
    if (!(error instanceof CallError)) throw error;
    this.job.replaceChildren(notices([error.message]));
  }

  // The open image

  #followImage() {
    const { image, compare } = this.#state;
    const ids = compare.length > 1 ? compare : image ? [image] : [];
    if (ids.length) return this.overlay.show(ids, []);
    if (!this.overlay.isOpen) return;
    const last = this.overlay.close() ?? this.opened;
    this.body.querySelector(last ? `[data-image="${CSS.escape(last)}"]` : "button")?.focus();
  }

  #neighbor(image, by) {
    const images = (this.page?.entries ?? []).map((entry) => entry.images[0]);
    const at = images.indexOf(image);
    return at < 0 ? undefined : images[at + by];
  }

  #step(by) {
    const next = this.#neighbor(this.#state.image, by);
    if (next) this.#show({ image: next, compare: [] });
  }

  #closeImage() {
    if (this.address.isOver) return this.address.back();
    return this.#show({ image: null, compare: [] });
  }
}

function count(number) {
  return number.toLocaleString("en");
}
