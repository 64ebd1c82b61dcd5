// Thumbnails: read a few at a time when they come into view, and kept for this page.

import { CallError } from "/viewer/host_client.js";

const PX = 384; // sharp on high-density screens
const AT_ONCE = 4; // a browser has six connections to a server: searches must not wait for thumbnails
const MOST_KEPT = 300;

export class Thumbnails {
  #server;
  #urls = new Map();
  #waiting = [];
  #reading = 0;
  #seen = new IntersectionObserver((entries) => this.#show(entries), { rootMargin: "300px", scrollMargin: "300px" });

  constructor(server) {
    this.#server = server;
  }

  /** Fill a frame with the thumbnail of an image as soon as it comes into view; until then it shows a text. */
  fill(frame, image) {
    frame.dataset.image = image;
    const url = this.#urls.get(image);
    if (url) this.#draw(frame, url);
    else this.#seen.observe(frame);
  }

  /** Forget what waits: another page of results is shown. */
  clear() {
    this.#seen.disconnect();
    this.#waiting = [];
  }

  #show(entries) {
    for (const { target, isIntersecting } of entries) {
      if (!isIntersecting) continue;
      this.#seen.unobserve(target);
      this.#waiting.push(target);
    }
    this.#next();
  }

  #next() {
    while (this.#reading < AT_ONCE && this.#waiting.length) this.#read(this.#waiting.shift());
  }

  async #read(frame) {
    const { image } = frame.dataset;
    this.#reading += 1;
    try {
      const url = this.#urls.get(image) ?? URL.createObjectURL(await this.#server.rendering(image, PX));
      this.#keep(image, url);
      this.#draw(frame, url);
    } catch (error) {
      if (!(error instanceof CallError)) throw error;
      frame.classList.add("failed");
      frame.textContent = error.message;
    } finally {
      this.#reading -= 1;
      this.#next();
    }
  }

  #draw(frame, url) {
    const picture = document.createElement("img");
    picture.alt = "";
    picture.src = url;
    picture.decode().then(
      () => {
        frame.classList.add("ready");
        frame.replaceChildren(picture);
      },
      () => {}, // replaced meanwhile
    );
  }

  #keep(image, url) {
    this.#urls.set(image, url);
    if (this.#urls.size <= MOST_KEPT) return;
    const [oldest, old] = this.#urls.entries().next().value;
    this.#urls.delete(oldest);
    URL.revokeObjectURL(old);
  }
}
