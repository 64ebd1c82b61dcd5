// One film: its values at several sizes, the window in force, and the layers to be drawn.

const TILES_AT_ONCE = 4;
const TILES_KEPT = 64;

class Film {
  #tiles = new Map();
  #wanted = [];
  #underWay = 0;
  #version = 0;

  constructor(host, facts, scale, overview) {
    this.host = host;
    this.facts = facts;
    this.scale = scale;
    this.overview = overview;
    this.straight = straightWindow(scale);
    this.onload = () => {};
    this.reset();
  }

  /** Ask for a film; `px` is the longer side of its first picture. */
  static async open(host, imageId, px) {
    const facts = dataIn(await host.call("get_image_pixels", { image_id: imageId, max_px: px }), isPart);
    if (!facts) throw new Refusal("The host passed no pixels on.");
    const [scale, values] = await Promise.all([scaleOf(facts), valuesOf(facts)]);
    return new Film(host, facts, scale, layerOf(facts, values));
  }

  get rows() {
    return this.facts.rows;
  }

  get columns() {
    return this.facts.columns;
  }

  /** Whether finer layers are under way. */
  get isComing() {
    return this.#underWay > 0;
  }

  /** From the lowest to the highest value, in the film's units. */
  get range() {
    const { measured, greys } = this.scale;
    return Math.max(1, Math.abs(measured(greys.length - 1) - measured(0)));
  }

  /** The windows to choose from; the first is what the file asks for, null. */
  get presets() {
    const named = (this.facts.presets ?? []).map(({ name, ...window }, at) => ({
      name: name || `Window ${at + 1}`,
      window,
    }));
    const ends = [this.scale.measured(0), this.scale.measured(this.scale.greys.length - 1)];
    const whole = { center: (ends[0] + ends[1] + 1) / 2, width: this.range + 1, function: "LINEAR" };
    return [{ name: "File’s own", window: null }, ...named, { name: "Whole range", window: whole }];
  }

  /** The window in force; where the file has none that is straight, the nearest. */
  get window() {
    return this.chosen ?? this.straight;
  }

  /** As the file says, not inverted. */
  reset() {
    this.chosen = null;
    this.isInverted = false;
    this.#recolour();
  }

  setWindow(window) {
    this.chosen = window && { ...window, width: Math.max(1, window.width) };
    this.#recolour();
  }

  invert() {
    this.isInverted = !this.isInverted;
    this.#recolour();
  }

  #recolour() {
    this.greys = greysFor(this.scale, this.chosen, this.isInverted);
    this.#version += 1;
  }

  /** The layers to draw, coarse ones first, so that at `scale` screen pixels a film pixel nothing is missed. */
  layers(scale, { left, top, right, bottom }) {
    const factor = this.#factorFor(scale);
    if (factor < this.overview.factor) this.#want(factor, left, top, right, bottom);
    const tiles = [...this.#tiles.values()].filter(
      (tile) => tile && tile.factor >= factor && isWithin(tile, left, top, right, bottom),
    );
    tiles.sort((one, other) => other.factor - one.factor);
    return [this.overview, ...tiles].map((layer) => this.#painted(layer));
  }

  /** The whole film as a small canvas. */
  smallest() {
    return this.#painted(this.overview).canvas;
  }

  #factorFor(scale) {
    let factor = 1;
    while (factor * 2 * scale <= 1) factor *= 2;
    return factor;
  }

  #want(factor, left, top, right, bottom) {
    const side = this.facts.tile_px * factor;
    this.#wanted = [];
    for (let row = Math.floor(top / side); row * side < bottom; row += 1) {
      for (let column = Math.floor(left / side); column * side < right; column += 1) {
        const key = `${factor}/${column}/${row}`;
        if (!this.#tiles.has(key)) this.#wanted.push({ key, factor, tile: [column, row] });
      }
    }
    this.#bring();
  }

  #bring() {
    while (this.#underWay < TILES_AT_ONCE && this.#wanted.length) this.#bringOne(this.#wanted.shift());
  }

  async #bringOne({ key, factor, tile }) {
    this.#underWay += 1;
    this.#tiles.set(key, null);
    try {
      const part = dataIn(
        await this.host.call("get_image_pixels", { image_id: this.facts.image_id, tile, factor }),
        isPart,
      );
      if (part) this.#tiles.set(key, layerOf(part, await valuesOf(part)));
      this.#forget();
    } catch (error) {
      if (!(error instanceof Refusal)) throw error; // the film stays as sharp as it is
    } finally {
      this.#underWay -= 1;
      this.#bring();
      this.onload();
    }
  }

  #forget() {
    for (const key of this.#tiles.keys()) {
      if (this.#tiles.size <= TILES_KEPT) return;
      this.#tiles.delete(key);
    }
  }

  /** The value at a place of the film, from the finest layer there. */
  valueAt(x, y) {
    if (x < 0 || y < 0 || x >= this.columns || y >= this.rows) return null;
    const there = [...this.#tiles.values()].filter((tile) => tile && isWithin(tile, x, y, x + 1, y + 1));
    const { factor, left, top, width, values } =
      there.sort((one, other) => one.factor - other.factor)[0] ?? this.overview;
    return this.scale.measured(values[Math.floor((y - top) / factor) * width + Math.floor((x - left) / factor)]);
  }

  /** Distance of two places: in millimetres where the spacing of the pixels is known. */
  distance(from, to) {
    const [down, across] = this.facts.spacing_mm ?? [1, 1];
    const length = Math.hypot((to.x - from.x) * across, (to.y - from.y) * down);
    return `${length.toFixed(1)} ${this.facts.spacing_mm ? "mm" : "px"}`;
  }

  /** Paint a layer's canvas with the greys in force. */
  #painted(layer) {
    if (layer.version === this.#version) return layer;
    const greys = Uint32Array.from(this.greys, (grey) => 0xff000000 | (grey << 16) | (grey << 8) | grey);
    const context = layer.canvas.getContext("2d");
    const image = context.createImageData(layer.width, layer.height);
    const pixels = new Uint32Array(image.data.buffer);
    for (let at = 0; at < pixels.length; at += 1) pixels[at] = greys[layer.values[at]];
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
