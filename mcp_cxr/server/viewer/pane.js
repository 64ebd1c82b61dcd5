// One film on the screen: zoom and pan, window, ruler, by pointer and by keys.

const STEP_PX = 40;
const WINDOW_DRAG_PX = 512; // dragging so far changes the window by all the values a film has
const MOST_PIXELS_A_PIXEL = 16;
const KEYS_HELP = [
  "Arrows move, plus and minus zoom, 0 fits, 1 shows every pixel. Shift with arrows changes the window.",
  "I inverts, R rotates, F flips.",
  "M measures: arrows move the cross, Enter sets an end, Delete takes the last line away.",
  "Page up and down go to other films, Escape goes back.",
].join(" ");

class Pane {
  #pointers = new Map();
  #pinch = null;
  #frame = 0;

  /** @param on What is called when it was moved (`view`), when its greys changed (`window`), and on `focus`. */
  constructor(film, title, on) {
    this.film = film;
    this.on = on;
    this.tool = "window";
    this.rulers = [];
    this.cross = null;
    this.canvas = element("canvas", {
      tabindex: 0,
      role: "application",
      "aria-roledescription": "film",
      "aria-label": title,
      "aria-description": KEYS_HELP,
    });
    this.readout = element("div", { class: "readout", "aria-hidden": "true" });
    this.corner = element("div", { class: "readout at-pointer", "aria-hidden": "true" });
    this.box = element("div", { class: "pane" }, this.canvas, this.readout, this.corner);
    film.onload = () => this.draw();
    this.resetView();
    this.#listen();
    this.sizes = new ResizeObserver(() => this.#resize());
    this.sizes.observe(this.canvas);
  }

  close() {
    this.sizes.disconnect();
    cancelAnimationFrame(this.#frame);
    this.film.onload = () => {};
  }

  resetView() {
    this.zoom = 1;
    this.u = 0.5;
    this.v = 0.5;
    this.turns = 0;
    this.isFlipped = false;
    this.draw();
  }

  // Where things are. Screen means pixels of the canvas; film means pixels of the film, y downwards.

  get #fit() {
    const { columns, rows } = this.film;
    const [wide, high] = this.turns % 2 ? [rows, columns] : [columns, rows];
    return Math.min(this.canvas.width / wide, this.canvas.height / high);
  }

  /** Screen pixels a film pixel. */
  get scale() {
    return this.#fit * this.zoom;
  }

  #matrix() {
    const scale = this.scale;
    const cos = [1, 0, -1, 0][this.turns] * scale;
    const sin = [0, 1, 0, -1][this.turns] * scale;
    const side = this.isFlipped ? -1 : 1;
    const [a, b, c, d] = [cos * side, sin * side, -sin, cos];
    const [x, y] = [this.u * this.film.columns, this.v * this.film.rows];
    let e = this.canvas.width / 2 - (a * x + c * y);
    let f = this.canvas.height / 2 - (b * x + d * y);
    if (Math.abs(scale - Math.round(scale)) < 1e-6) [e, f] = [Math.round(e), Math.round(f)]; // whole pixels stay whole
    return new DOMMatrix([a, b, c, d, e, f]);
  }

  /** Film to screen. */
  toScreen({ x, y }) {
    return this.#matrix().transformPoint(new DOMPoint(x, y));
  }

  /** Screen to film. */
  toFilm(x, y) {
    return this.#matrix().inverse().transformPoint(new DOMPoint(x, y));
  }

  #place(event) {
    const box = this.canvas.getBoundingClientRect();
    const ratio = this.canvas.width / box.width;
    return { x: (event.clientX - box.left) * ratio, y: (event.clientY - box.top) * ratio };
  }

  #resize() {
    const ratio = window.devicePixelRatio || 1;
    const { clientWidth, clientHeight } = this.canvas;
    this.canvas.width = Math.max(1, Math.round(clientWidth * ratio));
    this.canvas.height = Math.max(1, Math.round(clientHeight * ratio));
    this.draw();
  }

  // Moving

  /** Zoom so that the place under a screen point stays there. */
  zoomBy(ratio, point = { x: this.canvas.width / 2, y: this.canvas.height / 2 }) {
    const before = this.toFilm(point.x, point.y);
    const most = MOST_PIXELS_A_PIXEL / this.#fit;
    this.zoom = Math.min(Math.max(this.zoom * ratio, Math.min(0.5, 1 / this.#fit)), Math.max(1, most));
    const after = this.toFilm(point.x, point.y);
    this.#moveTo(this.u + (before.x - after.x) / this.film.columns, this.v + (before.y - after.y) / this.film.rows);
  }

  /** Show every film pixel as one screen pixel, or a screen pixel as `scale` says. */
  zoomTo(scale) {
    this.zoomBy(scale / this.scale);
  }

  /** Move the film by screen pixels. */
  panBy(dx, dy) {
    const here = this.toFilm(0, 0);
    const there = this.toFilm(dx, dy);
    this.#moveTo(this.u + (here.x - there.x) / this.film.columns, this.v + (here.y - there.y) / this.film.rows);
  }

  #moveTo(u, v) {
    this.u = Math.min(1, Math.max(0, u));
    this.v = Math.min(1, Math.max(0, v));
    this.draw();
    this.on.view(this);
  }

  /** Follow another pane. */
  follow({ zoom, u, v }) {
    Object.assign(this, { zoom, u, v });
    this.draw();
  }

  fit() {
    this.zoom = 1;
    this.#moveTo(0.5, 0.5);
  }

  /** A quarter turn clockwise; what fits goes on to fit, else the scale stays. */
  rotate() {
    const { scale } = this;
    this.turns = (this.turns + 1) % 4;
    if (this.zoom !== 1) this.zoom = scale / this.#fit;
    this.draw();
  }

  /** Swap the left and right of what is seen. */
  flip() {
    this.isFlipped = !this.isFlipped;
    if (this.turns % 2) this.turns = (this.turns + 2) % 4;
    this.draw();
  }

  // Window

  /** Change the window by shares of the film's range; down is darker, whichever way the film stores its greys. */
  windowBy(across, down) {
    const { center, width, function: kind } = this.film.window;
    const range = this.film.range;
    const sign = this.film.scale.inverse !== this.film.isInverted ? -1 : 1;
    const wider = Math.min(Math.max(1, width + across * range), 4 * range);
    this.film.setWindow({ center: center + sign * down * range, width: wider, function: kind });
    this.#recoloured();
  }

  setPreset(preset) {
    this.film.setWindow(preset);
    this.#recoloured();
  }

  invert() {
    this.film.invert();
    this.#recoloured();
  }

  reset() {
    this.film.reset();
    this.rulers = [];
    this.cross = null;
    this.resetView();
    this.#recoloured();
    this.on.view(this);
  }

  #recoloured() {
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
    const place = this.#place(event);
    this.canvas.focus({ preventScroll: true });
    this.canvas.setPointerCapture(event.pointerId);
    this.#pointers.set(event.pointerId, place);
    this.#pinch = null;
    this.cross = null;
    const pans = event.button !== 0 || event.shiftKey;
    this.drag = pans ? "pan" : this.tool;
    if (this.#pointers.size > 1) this.#abandonRuler();
    else if (this.drag === "ruler")
      this.ruling = { from: this.toFilm(place.x, place.y), to: this.toFilm(place.x, place.y) };
  }

  #move(event) {
    const place = this.#place(event);
    this.#tellPlace(place);
    const before = this.#pointers.get(event.pointerId);
    if (!before) return;
    this.#pointers.set(event.pointerId, place);
    if (this.#pointers.size > 1) this.#pinched();
    else if (this.drag === "pan") this.panBy(place.x - before.x, place.y - before.y);
    else if (this.drag === "window") this.#dragWindow(place.x - before.x, place.y - before.y);
    else if (this.ruling) this.#rule(place);
  }

  #dragWindow(dx, dy) {
    const full = WINDOW_DRAG_PX * (window.devicePixelRatio || 1);
    this.windowBy(dx / full, dy / full);
  }

  #up(event) {
    this.#pointers.delete(event.pointerId);
    this.#pinch = null;
    if (!this.ruling) return;
    const { from, to } = this.ruling;
    this.ruling = null;
    if (Math.hypot(to.x - from.x, to.y - from.y) * this.scale > 2) this.#measured({ from, to });
    this.draw();
  }

  #abandonRuler() {
    this.ruling = null;
  }

  #pinched() {
    const [one, other] = [...this.#pointers.values()];
    const now = {
      x: (one.x + other.x) / 2,
      y: (one.y + other.y) / 2,
      apart: Math.hypot(one.x - other.x, one.y - other.y),
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
    this.zoomBy(Math.exp(-event.deltaY * lines * 0.0015), this.#place(event));
  }

  #key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const arrows = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    const simple = {
      "+": () => this.zoomBy(1.25),
      "=": () => this.zoomBy(1.25),
      "-": () => this.zoomBy(0.8),
      0: () => this.fit(),
      1: () => this.zoomTo(1),
      i: () => this.invert(),
      r: () => this.rotate(),
      f: () => this.flip(),
      Enter: () => this.#setEnd(),
      Delete: () => this.#takeRulerAway(),
      Backspace: () => this.#takeRulerAway(),
    };
    const arrow = arrows[event.key];
    const act = arrow
      ? () => this.#arrow(...arrow, event.shiftKey)
      : (simple[event.key.toLowerCase()] ?? simple[event.key]);
    if (!act) return;
    event.preventDefault();
    act();
  }

  #arrow(x, y, isShifted) {
    if (this.tool === "ruler") this.#moveCross(x * (isShifted ? 10 : 1), y * (isShifted ? 10 : 1));
    else if (isShifted) this.windowBy(x * 0.02, y * 0.02);
    else this.panBy(-x * STEP_PX, -y * STEP_PX);
  }

  // Ruler

  #rule(place) {
    this.ruling = { ...this.ruling, to: this.toFilm(place.x, place.y) };
    this.draw();
  }

  #moveCross(x, y) {
    const here = this.cross ? this.toScreen(this.cross) : { x: this.canvas.width / 2, y: this.canvas.height / 2 };
    this.cross = this.toFilm(here.x + x, here.y + y);
    if (this.ruling) this.ruling = { ...this.ruling, to: this.cross };
    this.draw();
  }

  #setEnd() {
    if (this.tool !== "ruler") return;
    this.cross ??= this.toFilm(this.canvas.width / 2, this.canvas.height / 2);
    if (this.ruling) {
      this.#measured({ from: this.ruling.from, to: this.cross });
      this.ruling = null;
    } else {
      this.ruling = { from: this.cross, to: this.cross };
      announce("Start set; move the cross and press Enter.");
    }
    this.draw();
  }

  #measured(ruler) {
    this.rulers.push(ruler);
    announce(`Measured ${this.film.distance(ruler.from, ruler.to)}.`);
  }

  #takeRulerAway() {
    if (this.ruling) this.ruling = null;
    else this.rulers.pop();
    this.draw();
  }

  // Drawing

  /** Draw with the next frame. */
  draw() {
    if (!this.#frame) this.#frame = requestAnimationFrame(() => this.#drawNow());
  }

  #drawNow() {
    this.#frame = 0;
    const { canvas, film } = this;
    const context = canvas.getContext("2d", { alpha: false });
    const matrix = this.#matrix();
    context.resetTransform();
    context.fillStyle = "#000";
    context.fillRect(0, 0, canvas.width, canvas.height);
    context.save();
    context.setTransform(matrix);
    context.beginPath();
    context.rect(0, 0, film.columns, film.rows);
    context.clip(); // a mean at the edge may stand for less than a whole block
    context.imageSmoothingQuality = "high";
    for (const layer of film.layers(this.scale, this.#seen(matrix))) {
      context.drawImage(layer.canvas, layer.left, layer.top, layer.width * layer.factor, layer.height * layer.factor);
    }
    context.restore();
    for (const ruler of [...this.rulers, this.ruling].filter(Boolean))
      drawRuler(context, this.toScreen(ruler.from), this.toScreen(ruler.to), film.distance(ruler.from, ruler.to));
    if (this.cross) drawCross(context, this.toScreen(this.cross));
    canvas.setAttribute("aria-busy", String(film.isComing));
    this.#tellView();
  }

  #seen(matrix) {
    const back = matrix.inverse();
    const corners = [
      [0, 0],
      [this.canvas.width, this.canvas.height],
    ].map(([x, y]) => back.transformPoint(new DOMPoint(x, y)));
    const [xs, ys] = [corners.map(({ x }) => x), corners.map(({ y }) => y)];
    const { columns, rows } = this.film;
    return {
      left: Math.max(0, Math.min(...xs)),
      top: Math.max(0, Math.min(...ys)),
      right: Math.min(columns, Math.max(...xs)),
      bottom: Math.min(rows, Math.max(...ys)),
    };
  }

  // What is in force

  #tellView() {
    const { center, width } = this.film.window;
    const unit = (value) => value.toLocaleString("en", { maximumFractionDigits: width < 20 ? 2 : 0 });
    const greys = this.film.chosen ? `C ${unit(center)}  W ${unit(width)}` : "File’s own";
    const size = `${Math.round(this.scale * 100)} %`;
    this.readout.textContent = [greys, this.film.isInverted ? "inverted" : "", size].filter(Boolean).join("  ·  ");
  }

  #tellPlace(place) {
    const { x, y } = this.toFilm(place.x, place.y);
    const value = this.film.valueAt(x, y);
    this.corner.textContent = value === null ? "" : `${Math.floor(x)}, ${Math.floor(y)}  =  ${+value.toFixed(2)}`;
  }
}
