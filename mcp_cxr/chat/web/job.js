// A panel that starts work of the server, one job at a time, and follows it until its end.

import { element, iconButton, notices } from "/viewer/dom.js";
import { CallError } from "/viewer/host_client.js";
import { inWords } from "./words.js";

const POLL_MS = 500;

/** A class of panels; each has its own `root` and `buttons`, and says what a job does and has done. */
export class JobPanel {
  #asked = 0;
  #timer = null;

  /** @param calls Of the server: `state` and `stop`. @param onadded Called when a job that ran here has ended. */
  constructor(calls, { onadded }) {
    Object.assign(this, { calls, onadded, isStarting: false, wasRunning: false, buttons: [] });
    this.status = element("div", { class: "ingest", role: "status" });
    this.words = element("p", {});
    this.bar = element("progress", { "aria-label": "Progress" });
    this.running = [this.bar, this.words, iconButton("close", "Stop", () => this.#stop(), { words: true })];
  }

  /** Show a job that runs, or that has ended while this page was away. */
  async follow() {
    if (this.isStarting) return; // it is followed when it has started
    const isLast = this.#askAgain();
    try {
      const job = await this.calls.state();
      if (isLast()) this.#show(job);
    } catch (error) {
      if (!isLast()) return;
      this.#fail(error);
      if (this.wasRunning) this.#followLater(); // the server may answer again
    }
  }

  /** Start a job by a call of the server; a warning that the call returns is shown with a button, `take`, that confirms it. */
  async start(call, take) {
    if (this.isStarting) return;
    this.isStarting = true;
    this.#askAgain();
    this.#disable(true);
    try {
      const warning = await call();
      if (warning) this.status.replaceChildren(notices([warning]), take);
      else this.#show({ state: "running" });
    } catch (error) {
      this.#fail(error);
    } finally {
      this.isStarting = false;
      this.#disable(this.wasRunning);
    }
  }

  async #stop() {
    try {
      await this.calls.stop();
    } catch (error) {
      this.#fail(error);
    }
  }

  /** Forget what was asked before; return whether nothing was asked since. */
  #askAgain() {
    clearTimeout(this.#timer);
    const asked = (this.#asked += 1);
    return () => asked === this.#asked;
  }

  #followLater() {
    this.#timer = setTimeout(() => this.root.isConnected && this.follow(), POLL_MS);
  }

  #disable(isDisabled) {
    for (const button of this.buttons) button.disabled = isDisabled;
  }

  #fail(error) {
    if (!(error instanceof CallError)) throw error;
    this.status.replaceChildren(notices([error.message]));
  }

  #show(job) {
    const isRunning = job.state === "running";
    this.#disable(isRunning);
    if (isRunning) {
      this.#drawProgress(job);
      this.wasRunning = true;
      this.#followLater();
      return;
    }
    const { wasRunning } = this;
    this.wasRunning = false;
    if (!wasRunning && job.state !== "failed") return;
    const ended = {
      done: () => this.done(job),
      stopped: () => [notices(["Stopped. Images already added stay; start again to continue."])],
      failed: () => [notices([inWords(job.problem)])],
    };
    this.status.replaceChildren(...(ended[job.state]?.() ?? []).filter(Boolean));
    if (wasRunning && job.state !== "failed" && !job.dry_run) this.onadded();
  }

  #drawProgress(job) {
    if (!this.status.contains(this.bar)) this.status.replaceChildren(...this.running);
    if (job.total) {
      this.bar.max = job.total;
      this.bar.value = job.processed;
    } else this.bar.removeAttribute("value");
    this.words.textContent = this.progress(job);
  }
}
