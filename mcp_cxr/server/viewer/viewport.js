// Shows one image: zoom and pan, window and ruler, by pointer and by keys.

import { announce, element } from "./dom.js";
import { drawCrosshair, drawRuler } from "./overlay.js";

const STEP_PX = 40;
const WINDOW_DRAG_PX = 512; // a drag of this length changes the window by the image's full range
const MAX_ZOOM_SCALE = 16;
const KEYS_HELP = [
  "Arrows move an enlarged image, plus and minus zoom, 0 fits, A shows every pixel. Shift with arrows changes the window.",
  "1 to 9 choose a window preset. I inverts, R rotates, F flips.",
  "M measures: arrows move the crosshair, Enter sets an end, Delete removes the last line.",
  "Left and right arrows, if the whole image is shown, and page up and down open other images. Escape goes back.",
].join(" ");

export class Viewport {
  #pointers = new Map();
  #pinch = null;
  #frame = 0;

  /** @param on Called after the image was moved (`view`), after its window changed (`window`), and on `focus`. */
  constructor(image, title, on) {
    this.image = image;
    this.on = on;
    this.tool = "window";
    this.rulers = [];
    this.crosshair = null;
    this.canvas = element("canvas", {
      tabindex: 0,
      role: "application",
      "aria-roledescription": "image",
      "aria-label": title,
      "aria-description": KEYS_HELP,
    });
    this.readout = element("div", { class: "readout", "aria-hidden": "true" });
    this.corner = element("div", { class: "readout at-pointer", "aria-hidden": "true" });
    this.box = element("div", { class: "viewport" }, this.canvas, this.readout, this.corner);
    image.onload = () => this.draw();
    this.resetView();
    this.#listen();
    this.resizes = new ResizeObserver(() => this.resize());
    this.resizes.observe(this.canvas);
  }

  close() {
    this.resizes.disconnect();
    cancelAnimationFrame(this.#frame);
    this.image.onload = () => {};
  }

  resetView() {
    this.zoom = 1;
    this.centerX = 0.5; // the point of the image at the center of the canvas, as fractions of the image
    this.centerY = 0.5;
    this.turns = 0;
    this.isFlipped = false;
    this.draw();
  }

  // Coordinates. Screen: pixels of the canvas; image: pixels of the image, y downwards.

  get #fitScale() {
    const { columns, rows } = this.image;
    const [wide, high] = this.turns % 2 ? [rows, columns] : [columns, rows];
    return Math.min(this.canvas.width / wide, this.canvas.height / high);
  }

  /** Screen pixels per image pixel. */
  get zoomScale() {
    return this.#fitScale * this.zoom;
  }

  #matrix() {
    const { zoomScale } = this;
    const cos = [1, 0, -1, 0][this.turns] * zoomScale;
    const sin = [0, 1, 0, -1][this.turns] * zoomScale;
    const side = this.isFlipped ? -1 : 1;
    const [a, b, c, d] = [cos * side, sin * side, -sin, cos];
    const [x, y] = [this.centerX * this.image.columns, this.centerY * this.image.rows];
    let e = this.canvas.width / 2 - (a * x + c * y);
    let f = this.canvas.height / 2 - (b * x + d * y);
    if (Math.abs(zoomScale - Math.round(zoomScale)) < 1e-6) [e, f] = [Math.round(e), Math.round(f)]; // at whole scales, align to whole pixels
    return new DOMMatrix([a, b, c, d, e, f]);
  }

  /** Image to screen. */
  toScreen({ x, y }) {
    return this.#matrix().transformPoint(new DOMPoint(x, y));
  }

  /** Screen to image. */
  toImage(x, y) {
    return this.#matrix().inverse().transformPoint(new DOMPoint(x, y));
  }

  #position(event) {
    const box = this.canvas.getBoundingClientRect();
    const ratio = this.canvas.width / box.width;
    return { x: (event.clientX - box.left) * ratio, y: (event.clientY - box.top) * ratio };
  }

  /** Take the size of the canvas on the screen; an image that fits still fits, else the scale stays. */
  resize() {
    const { zoomScale, canvas } = this;
    const ratio = window.devicePixelRatio || 1;
    const [width, height] = [canvas.clientWidth, canvas.clientHeight].map((side) => Math.max(1, Math.round(side * ratio)));
    if (canvas.width === width && canvas.height === height) return;
    Object.assign(canvas, { width, height });
    if (this.zoom !== 1) this.zoom = zoomScale / this.#fitScale;
    this.draw();
  }

  // Moving

  /** Zoom around a screen point. */
  zoomBy(ratio, point = { x: this.canvas.width / 2, y: this.canvas.height / 2 }) {
    const before = this.toImage(point.x, point.y);
    const most = MAX_ZOOM_SCALE / this.#fitScale;
    this.zoom = Math.min(Math.max(this.zoom * ratio, Math.min(0.5, 1 / this.#fitScale)), Math.max(1, most));
    const after = this.toImage(point.x, point.y);
    this.#moveTo(this.centerX + (before.x - after.x) / this.image.columns, this.centerY + (before.y - after.y) / this.image.rows);
  }

  /** Zoom to `zoomScale` screen pixels per image pixel. */
  zoomTo(zoomScale) {
    this.zoomBy(zoomScale / this.zoomScale);
  }

  /** Move the image by screen pixels. */
  panBy(dx, dy) {
    const here = this.toImage(0, 0);
    const there = this.toImage(dx, dy);
    this.#moveTo(this.centerX + (here.x - there.x) / this.image.columns, this.centerY + (here.y - there.y) / this.image.rows);
  }

  #moveTo(centerX, centerY) {
    this.centerX = Math.min(1, Math.max(0, centerX));
    this.centerY = Math.min(1, Math.max(0, centerY));
    this.draw();
    this.on.view(this);
  }

  /** Take zoom and position from another viewport. */
  follow({ zoom, centerX, centerY }) {
    Object.assign(this, { zoom, centerX, centerY });
    this.draw();
  }

  /** Take the window from another viewport. */
  followWindow({ image }) {
    this.image.takeWindow(image);
    this.draw();
  }

  fit() {
    this.zoom = 1;
    this.#moveTo(0.5, 0.5);
  }

  /** Rotate by a quarter turn clockwise; an image that fits still fits, else the scale stays. */
  rotate() {
    const { zoomScale } = this;
    this.turns = (this.turns + 1) % 4;
    if (this.zoom !== 1) this.zoom = zoomScale / this.#fitScale;
    this.draw();
  }

  /** Swap left and right on the screen. */
  flip() {
    this.isFlipped = !this.isFlipped;
    if (this.turns % 2) this.turns = (this.turns + 2) % 4;
    this.draw();
  }

  // Window

  /** Change the window by fractions of the image's range; down is darker, for MONOCHROME1 too. */
  windowBy(across, down) {
    const { center, width, function: kind } = this.image.voiWindow;
    const range = this.image.range;
    const sign = this.image.grayscale.inverse !== this.image.isInverted ? -1 : 1;
    const newWidth = Math.min(Math.max(1, width + across * range), 4 * range);
    this.image.setWindow({ center: center + sign * down * range, width: newWidth, function: kind });
    this.#windowChanged();
  }

  setPreset(preset) {
    this.image.setWindow(preset);
    this.#windowChanged();
  }

  invert() {
    this.image.invert();
    this.#windowChanged();
  }

  reset() {
    this.image.reset();
    this.rulers = [];
    this.crosshair = null;
    this.resetView();
    this.#windowChanged();
    this.on.view(this);
  }

  #windowChanged() {
    this.draw();
    this.on.window(this);
  }

  // Input

  #listen() {
    const { canvas } = this;
    canvas.addEventListener("pointerdown", (event) => this.#down(event));
    canvas.addEventListener("pointermove", (event) => this.#move(event));
    for (const end of ["pointerup", "pointercancel"]) canvas.addEventListener(end, (event) => this.#up(event));
    canvas.addEventListener("pointerleave", () => this.corner.replaceChildren());
    canvas.addEventListener("wheel", (event) => this.#wheel(event), { passive: false });
    canvas.addEventListener("dblclick", () => (this.zoom === 1 ? this.zoomTo(1) : this.fit()));
    canvas.addEventListener("contextmenu", (event) => event.preventDefault());
    canvas.addEventListener("keydown", (event) => this.#key(event));
    canvas.addEventListener("focus", () => this.on.focus(this));
  }

  #down(event) {
    const point = this.#position(event);
    this.canvas.focus({ preventScroll: true });
    this.canvas.setPointerCapture(event.pointerId);
    this.#pointers.set(event.pointerId, point);
    this.#pinch = null;
    this.crosshair = null;
    const isPan = event.button !== 0 || event.shiftKey;
    this.drag = isPan ? "pan" : this.tool;
    if (this.#pointers.size > 1) this.#cancelRuler();
    else if (this.drag === "ruler")
      this.openRuler = { from: this.toImage(point.x, point.y), to: this.toImage(point.x, point.y) };
  }

  #move(event) {
    const point = this.#position(event);
    this.#updatePointerReadout(point);
    const before = this.#pointers.get(event.pointerId);
    if (!before) return;
    this.#pointers.set(event.pointerId, point);
    if (this.#pointers.size > 1) this.#pinchMoved();
    else if (this.drag === "pan") this.panBy(point.x - before.x, point.y - before.y);
    else if (this.drag === "window") this.#dragWindow(point.x - before.x, point.y - before.y);
    else if (this.openRuler) this.#extendRuler(point);
  }

  #dragWindow(dx, dy) {
    const full = WINDOW_DRAG_PX * (window.devicePixelRatio || 1);
    this.windowBy(dx / full, dy / full);
  }

  #up(event) {
    this.#pointers.delete(event.pointerId);
    this.#pinch = null;
    if (!this.openRuler) return;
    const { from, to } = this.openRuler;
    this.openRuler = null;
    if (Math.hypot(to.x - from.x, to.y - from.y) * this.zoomScale > 2) this.#addRuler({ from, to });
    this.draw();
  }

  #cancelRuler() {
    this.openRuler = null;
  }

  #pinchMoved() {
    const [a, b] = [...this.#pointers.values()];
    const now = {
      x: (a.x + b.x) / 2,
      y: (a.y + b.y) / 2,
      apart: Math.hypot(a.x - b.x, a.y - b.y),
    };
    if (this.#pinch) {
      this.panBy(now.x - this.#pinch.x, now.y - this.#pinch.y);
      if (this.#pinch.apart > 0) this.zoomBy(now.apart / this.#pinch.apart, now);
    }
    this.#pinch = now;
  }

  #wheel(event) {
    event.preventDefault();
    const lines = event.deltaMode === WheelEvent.DOM_DELTA_LINE ? 24 : 1;
    this.zoomBy(Math.exp(-event.deltaY * lines * 0.0015), this.#position(event));
  }

  #key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const arrows = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    const simple = {
      "+": () => this.zoomBy(1.25),
      "=": () => this.zoomBy(1.25),
      "-": () => this.zoomBy(0.8),
      0: () => this.fit(),
      a: () => this.zoomTo(1),
      i: () => this.invert(),
      r: () => this.rotate(),
      f: () => this.flip(),
      Enter: () => this.#setEnd(),
      Delete: () => this.#removeRuler(),
      Backspace: () => this.#removeRuler(),
    };
    const arrow = arrows[event.key];
    if (arrow?.[0] && !event.shiftKey && this.tool !== "ruler" && this.zoom <= 1) return; // the viewer opens another image
    const act = arrow
      ? () => this.#arrow(...arrow, event.shiftKey)
      : (simple[event.key.toLowerCase()] ?? simple[event.key]);
    if (!act) return;
    event.preventDefault();
    act();
  }

  #arrow(x, y, isShifted) {
    if (this.tool === "ruler") this.#moveCrosshair(x * (isShifted ? 10 : 1), y * (isShifted ? 10 : 1));
    else if (isShifted) this.windowBy(x * 0.02, y * 0.02);
    else this.panBy(-x * STEP_PX, -y * STEP_PX);
  }

  // Ruler

  #extendRuler(point) {
    this.openRuler = { ...this.openRuler, to: this.toImage(point.x, point.y) };
    this.draw();
  }

  #moveCrosshair(x, y) {
    const here = this.crosshair ? this.toScreen(this.crosshair) : { x: this.canvas.width / 2, y: this.canvas.height / 2 };
    this.crosshair = this.toImage(here.x + x, here.y + y);
    if (this.openRuler) this.openRuler = { ...this.openRuler, to: this.crosshair };
    this.draw();
  }

  #setEnd() {
    if (this.tool !== "ruler") return;
    this.crosshair ??= this.toImage(this.canvas.width / 2, this.canvas.height / 2);
    if (this.openRuler) {
      this.#addRuler({ from: this.openRuler.from, to: this.crosshair });
      this.openRuler = null;
    } else {
      this.openRuler = { from: this.crosshair, to: this.crosshair };
      announce("Start set; move the crosshair and press Enter.");
    }
    this.draw();
  }

  #addRuler(ruler) {
    this.rulers.push(ruler);
    announce(`Measured ${this.image.distance(ruler.from, ruler.to)}.`);
  }

  #removeRuler() {
    if (this.openRuler) this.openRuler = null;
    else this.rulers.pop();
    this.draw();
  }

  // Drawing

  /** Draw at the next animation frame. */
  draw() {
    if (!this.#frame) this.#frame = requestAnimationFrame(() => this.#drawNow());
  }

  #drawNow() {
    this.#frame = 0;
    const { canvas, image } = this;
    const context = canvas.getContext("2d", { alpha: false });
    const matrix = this.#matrix();
    context.resetTransform();
    context.fillStyle = "#000";
    context.fillRect(0, 0, canvas.width, canvas.height);
    context.save();
    context.setTransform(matrix);
    context.beginPath();
    context.rect(0, 0, image.columns, image.rows);
    context.clip(); // a mean at the border may cover less than a whole block
    context.imageSmoothingQuality = "high";
    for (const layer of image.layers(this.zoomScale, this.#visibleRegion(matrix))) {
      context.drawImage(layer.canvas, layer.left, layer.top, layer.width * layer.factor, layer.height * layer.factor);
    }
    context.restore();
    for (const ruler of [...this.rulers, this.openRuler].filter(Boolean))
      drawRuler(context, this.toScreen(ruler.from), this.toScreen(ruler.to), image.distance(ruler.from, ruler.to));
    if (this.crosshair) drawCrosshair(context, this.toScreen(this.crosshair));
    canvas.setAttribute("aria-busy", String(image.isLoading));
    this.#updateReadout();
  }

  #visibleRegion(matrix) {
    const back = matrix.inverse();
    const corners = [
      [0, 0],
      [this.canvas.width, this.canvas.height],
    ].map(([x, y]) => back.transformPoint(new DOMPoint(x, y)));
    const [xs, ys] = [corners.map(({ x }) => x), corners.map(({ y }) => y)];
    const { columns, rows } = this.image;
    return {
      left: Math.max(0, Math.min(...xs)),
      top: Math.max(0, Math.min(...ys)),
      right: Math.min(columns, Math.max(...xs)),
      bottom: Math.min(rows, Math.max(...ys)),
    };
  }

  // Readouts

  #updateReadout() {
    const { center, width } = this.image.voiWindow;
    const unit = (value) => value.toLocaleString("en", { maximumFractionDigits: width < 20 ? 2 : 0 });
    const windowText = this.image.chosen ? `C ${unit(center)}  W ${unit(width)}` : this.image.presets[0].name;
    const size = `${Math.round(this.zoomScale * 100)} %`;
    this.readout.textContent = [windowText, this.image.isInverted ? "inverted" : "", size].filter(Boolean).join("  ·  ");
  }

  #updatePointerReadout(point) {
    const { x, y } = this.toImage(point.x, point.y);
    const value = this.image.valueAt(x, y);
    this.corner.textContent = value === null ? "" : `${Math.floor(x)}, ${Math.floor(y)}  =  ${+value.toFixed(2)}`;
  }
}
