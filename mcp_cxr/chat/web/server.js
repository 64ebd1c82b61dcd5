// The server, for the page and the viewer in it: calls of tools, renderings, uploads, exports and the ingest.

import { CallError } from "/viewer/host_client.js";
import { ServerGone, connected, request } from "./session.js";
import { inWords } from "./words.js";

const ANSWER_TIMEOUT_MS = 60_000;
const READ_AHEAD = new Set(["get_image_metadata", "get_image_pixels", "get_patient_timeline"]);
const MOST_KEPT = 18; // answers about images: those of the open one and its neighbors

export class Server {
  #kept = new Map();

  /** The viewer asks its host for these; nothing here reads along. */
  context = {};
  updateModelContext() {}

  /** Call a tool of the user's server; a `CallError` if the tool or the server refuses. Answers about images are kept. */
  async call(name, args, { signal } = {}) {
    if (!READ_AHEAD.has(name) || args.tile) return this.#call(name, args, signal);
    const key = JSON.stringify([name, args]);
    const answer = this.#kept.get(key) ?? this.#call(name, args);
    this.#kept.delete(key);
    this.#kept.set(key, answer);
    answer.catch(() => this.#kept.delete(key));
    if (this.#kept.size > MOST_KEPT) this.#kept.delete(this.#kept.keys().next().value);
    return answer;
  }

  /** Forget what is kept: the archive was changed. */
  forget() {
    this.#kept.clear();
  }

  async #call(name, args, signal) {
    const result = await this.#json("/api/tool", { method: "POST", body: JSON.stringify({ name, arguments: args }), signal });
    if (!result.isError) return result;
    throw new CallError(inWords(result.content?.map(({ text }) => text).join(" ") || "The server refused."));
  }

  page() {
    return this.#json("/api/page");
  }

  restart() {
    return this.#json("/api/restart", { method: "POST" });
  }

  /** An image, or an upload, as a file. */
  async rendering(image, px, signal) {
    return this.#answer(`/api/rendering?${new URLSearchParams({ image, px })}`, { signal }, blobOf);
  }

  /** Add an example image; its `id` and `name`. */
  upload(file) {
    const headers = { "X-File-Name": encodeURIComponent(file.name) };
    return this.#json("/api/uploads", { method: "POST", headers, body: file });
  }

  async nameOfUpload(id) {
    return (await this.#json(`/api/uploads/${encodeURIComponent(id)}`)).name;
  }

  /** Results as a file; `kind` is csv, zip or originals. */
  async exported(kind, search, ranks) {
    const body = JSON.stringify({ kind, arguments: search, ranks });
    return this.#answer("/api/export", { method: "POST", body, timeout_ms: 3_600_000 }, blobOf);
  }

  ingest() {
    return this.#json("/api/ingest");
  }

  /** Start to add a folder; a text if this must be confirmed first. */
  async startIngest(folder, { dryRun, takesBroad = false }) {
    const body = JSON.stringify({ folder, dry_run: dryRun, takes_broad: takesBroad });
    const read = async (answer) => (answer.status === 409 ? (await answer.json()).warning : checked(answer).then(() => null));
    return this.#sent("/api/ingest", { method: "POST", body }, read);
  }

  stopIngest() {
    return this.#json("/api/ingest/stop", { method: "POST" });
  }

  pull() {
    return this.#json("/api/pull");
  }

  /** Start to pull the studies of some days from the PACS, or to count them. */
  startPull({ since, until, dryRun }) {
    return this.#json("/api/pull", { method: "POST", body: JSON.stringify({ since, until, dry_run: dryRun }) });
  }

  stopPull() {
    return this.#json("/api/pull/stop", { method: "POST" });
  }

  /** The check of the data that the page started last. */
  dataCheckJob() {
    return this.#json("/api/data-check");
  }

  startDataCheck() {
    return this.#json("/api/data-check", { method: "POST" });
  }

  stopDataCheck() {
    return this.#json("/api/data-check/stop", { method: "POST" });
  }

  /** Keep a decision about an entry of the check of the data; null takes it back. */
  decideAboutData(key, decision) {
    return this.#json("/api/data-check/decision", { method: "POST", body: JSON.stringify({ key, decision }) });
  }

  /** All decisions and entries of the last check, as CSV. */
  dataCheckTable() {
    return this.#answer("/api/data-check/table", {}, blobOf);
  }

  savedQueries() {
    return this.#json("/api/queries");
  }

  /** Save a query under a name; null deletes the one of this name. */
  saveQuery(name, query) {
    return this.#json("/api/queries", { method: "POST", body: JSON.stringify({ name, query }) });
  }

  #json(path, options) {
    return this.#answer(path, options, (answer) => answer.json());
  }

  #answer(path, options, read) {
    return this.#sent(path, options, async (answer) => read(await checked(answer)));
  }

  async #sent(path, { signal, timeout_ms = ANSWER_TIMEOUT_MS, ...options } = {}, read) {
    const timeout = AbortSignal.timeout(timeout_ms);
    try {
      const answer = await request(path, { ...options, signal: signal ? AbortSignal.any([signal, timeout]) : timeout });
      return await connected(() => read(answer));
    } catch (error) {
      if (error instanceof ServerGone) throw new CallError(error.message);
      throw error;
    }
  }
}

function blobOf(answer) {
  return answer.blob();
}

async function checked(answer) {
  if (answer.ok) return answer;
  throw new CallError(inWords((await answer.text()) || "The server refused."));
}
