// One image: its stored values at several resolutions, the current window, and the layers to draw.

import { element } from "./dom.js";
import { CallError } from "./host_client.js";
import { decodeGrayscale, decodeValues, graysFor, nearestLinearWindow } from "./stored_values.js";
import { dataOf, isValuesTile } from "./tool_results.js";

const STRUCTURES = { Lungs: [0, 0.6], Mediastinum: [0.4, 1], Bones: [0.5, 0.95] };
const MAX_LOADING = 4;
const MAX_TILES = 64;

export class WindowedImage {
  #tiles = new Map();
  #queue = [];
  #loading = 0;
  #version = 0;

  constructor(host, facts, grayscale, overview) {
    this.host = host;
    this.facts = facts;
    this.grayscale = grayscale;
    this.overview = overview;
    this.linearWindow = nearestLinearWindow(grayscale);
    this.onload = () => {};
    this.reset();
  }

  /** Load an image; `px` is the longer side of its overview. */
  static async open(host, imageId, px) {
    const facts = dataOf(await host.call("get_image_pixels", { image_id: imageId, max_px: px }), isValuesTile);
    if (!facts) throw new CallError("The host returned no pixels.");
    const [grayscale, values] = await Promise.all([decodeGrayscale(facts), decodeValues(facts)]);
    return new WindowedImage(host, facts, grayscale, layerOf(facts, values));
  }

  get rows() {
    return this.facts.rows;
  }

  get columns() {
    return this.facts.columns;
  }

  /** Whether finer layers are being loaded. */
  get isLoading() {
    return this.#loading > 0;
  }

  /** Difference of the highest and the lowest rescaled value. */
  get range() {
    const { rescaled, grays } = this.grayscale;
    return Math.max(1, Math.abs(rescaled(grays.length - 1) - rescaled(0)));
  }

  /**
   * The windows to choose from, by number. The first, null, is the file's default: a window, or its full range stretched.
   *
   * Radiographs have no absolute values: `Lungs` and the others are parts of the default window, from its black (0) to
   * its white (1), that show dark or bright structures with more contrast.
   */
  get presets() {
    const named = (this.facts.presets ?? []).map(({ name, ...voiWindow }, index) => ({
      name: name || `Window ${index + 1} of the file`,
      voiWindow,
    }));
    const ends = [this.grayscale.rescaled(0), this.grayscale.rescaled(this.grayscale.grays.length - 1)];
    const full = { center: (ends[0] + ends[1] + 1) / 2, width: this.range + 1, function: "LINEAR" };
    const structures = Object.entries(STRUCTURES).map(([name, part]) => ({ name, voiWindow: this.#partOfDefault(part) }));
    const isStretched = this.facts.grayscale?.voi === "stretch";
    return [{ name: isStretched ? "Stretched" : "Default window", voiWindow: null }, ...structures, ...named, { name: "Full range", voiWindow: full }];
  }

  #partOfDefault([from, to]) {
    const { center, width } = this.linearWindow;
    const middle = (from + to) / 2 - 0.5;
    const isDarkHigh = this.grayscale.inverse; // MONOCHROME1: high values are dark
    return { center: center + (isDarkHigh ? -middle : middle) * width, width: Math.max(1, (to - from) * width), function: "LINEAR" };
  }

  /** The current window; for a default that is not linear, the nearest LINEAR one. */
  get voiWindow() {
    return this.chosen ?? this.linearWindow;
  }

  /** Return to the default window, not inverted. */
  reset() {
    this.chosen = null;
    this.isInverted = false;
    this.#updateGrays();
  }

  setWindow(voiWindow) {
    this.chosen = voiWindow && { ...voiWindow, width: Math.max(1, voiWindow.width) };
    this.#updateGrays();
  }

  /** How the window differs from the default one, for other images to take; null for the default. */
  get windowChange() {
    if (!this.chosen) return null;
    const { center, width } = this.linearWindow;
    return { shift: (this.#sign * (this.chosen.center - center)) / width, factor: this.chosen.width / width };
  }

  /** Change the default window as that of another image was changed: their values may have other ranges. */
  takeWindow({ windowChange: change, isInverted }) {
    const { center, width, function: kind } = this.linearWindow;
    this.isInverted = isInverted;
    this.setWindow(
      change && { center: center + this.#sign * change.shift * width, width: change.factor * width, function: kind },
    );
  }

  get #sign() {
    return this.grayscale.inverse ? -1 : 1;
  }

  invert() {
    this.isInverted = !this.isInverted;
    this.#updateGrays();
  }

  #updateGrays() {
    this.grays = graysFor(this.grayscale, this.chosen, this.isInverted);
    this.#version += 1;
  }

  /** The layers to draw at `zoomScale` screen pixels per image pixel, coarse ones first. */
  layers(zoomScale, { left, top, right, bottom }) {
    const factor = this.#factorFor(zoomScale);
    if (factor < this.overview.factor) this.#requestTiles(factor, left, top, right, bottom);
    const tiles = [...this.#tiles.values()].filter(
      (tile) => tile && tile.factor >= factor && isWithin(tile, left, top, right, bottom),
    );
    tiles.sort((a, b) => b.factor - a.factor);
    return [this.overview, ...tiles].map((layer) => this.#painted(layer));
  }

  /** The whole image as a small canvas. */
  thumbnail() {
    return this.#painted(this.overview).canvas;
  }

  #factorFor(zoomScale) {
    let factor = 1;
    while (factor * 2 * zoomScale <= 1) factor *= 2;
    return factor;
  }

  #requestTiles(factor, left, top, right, bottom) {
    const side = this.facts.tile_px * factor;
    this.#queue = [];
    for (let row = Math.floor(top / side); row * side < bottom; row += 1) {
      for (let column = Math.floor(left / side); column * side < right; column += 1) {
        const key = `${factor}/${column}/${row}`;
        if (!this.#tiles.has(key)) this.#queue.push({ key, factor, tile: [column, row] });
      }
    }
    this.#load();
  }

  #load() {
    while (this.#loading < MAX_LOADING && this.#queue.length) this.#loadTile(this.#queue.shift());
  }

  async #loadTile({ key, factor, tile }) {
    this.#loading += 1;
    this.#tiles.set(key, null);
    try {
      const part = dataOf(
        await this.host.call("get_image_pixels", { image_id: this.facts.image_id, tile, factor }),
        isValuesTile,
      );
      if (part) this.#tiles.set(key, layerOf(part, await decodeValues(part)));
      this.#dropOldTiles();
    } catch (error) {
      if (!(error instanceof CallError)) throw error; // the coarser layer stays
    } finally {
      this.#loading -= 1;
      this.#load();
      this.onload();
    }
  }

  #dropOldTiles() {
    for (const key of this.#tiles.keys()) {
      if (this.#tiles.size <= MAX_TILES) return;
      this.#tiles.delete(key);
    }
  }

  /** The rescaled value at a point of the image, from the finest layer there. */
  valueAt(x, y) {
    if (x < 0 || y < 0 || x >= this.columns || y >= this.rows) return null;
    const tiles = [...this.#tiles.values()].filter((tile) => tile && isWithin(tile, x, y, x + 1, y + 1));
    const { factor, left, top, width, values } =
      tiles.sort((a, b) => a.factor - b.factor)[0] ?? this.overview;
    return this.grayscale.rescaled(values[Math.floor((y - top) / factor) * width + Math.floor((x - left) / factor)]);
  }

  /** Distance of two points: in millimeters if the pixel spacing is known, at the detector if only that one is; else in pixels. */
  distance(from, to) {
    const [down, across] = this.facts.spacing_mm ?? [1, 1];
    const length = Math.hypot((to.x - from.x) * across, (to.y - from.y) * down);
    const units = { PixelSpacing: "mm", ImagerPixelSpacing: "mm at detector" };
    return `${length.toFixed(1)} ${units[this.facts.spacing_source] ?? "px"}`;
  }

  /** Paint a layer's canvas with the current grays. */
  #painted(layer) {
    if (layer.version === this.#version) return layer;
    const colors = Uint32Array.from(this.grays, (gray) => 0xff000000 | (gray << 16) | (gray << 8) | gray);
    const context = layer.canvas.getContext("2d");
    const image = context.createImageData(layer.width, layer.height);
    const pixels = new Uint32Array(image.data.buffer);
    for (let index = 0; index < pixels.length; index += 1) pixels[index] = colors[layer.values[index]];
    context.putImageData(image, 0, 0);
    layer.version = this.#version;
    return layer;
  }
}

function layerOf({ factor, left, top, width, height }, values) {
  const canvas = element("canvas", { width, height });
  return { factor, left, top, width, height, values, canvas, version: -1 };
}

function isWithin({ factor, left, top, width, height }, fromX, fromY, toX, toY) {
  return left < toX && top < toY && left + width * factor > fromX && top + height * factor > fromY;
}
