// What is drawn over a film: lines with their lengths, and the cross that keys move.

const MARK = "#ffd166";
const SHADE = "#000c";

/** A line between two places of the screen, with what it says. */
function drawRuler(context, start, end, text) {
  const ratio = window.devicePixelRatio || 1;
  const length = Math.hypot(end.x - start.x, end.y - start.y) || 1;
  const tick = { x: (-(end.y - start.y) / length) * 6 * ratio, y: ((end.x - start.x) / length) * 6 * ratio };
  const line = new Path2D();
  line.moveTo(start.x, start.y);
  line.lineTo(end.x, end.y);
  for (const { x, y } of [start, end]) {
    line.moveTo(x - tick.x, y - tick.y);
    line.lineTo(x + tick.x, y + tick.y);
  }
  stroke(context, line);
  const right = start.x > end.x ? start : end;
  drawText(context, text, right.x + 8 * ratio, right.y - 8 * ratio);
}

function drawCross(context, { x, y }) {
  const ratio = window.devicePixelRatio || 1;
  const cross = new Path2D();
  for (const side of [-1, 1]) {
    cross.moveTo(x + side * 3 * ratio, y);
    cross.lineTo(x + side * 14 * ratio, y);
    cross.moveTo(x, y + side * 3 * ratio);
    cross.lineTo(x, y + side * 14 * ratio);
  }
  stroke(context, cross);
}

/** Bright on dark, to be seen on any film. */
function stroke(context, path) {
  const ratio = window.devicePixelRatio || 1;
  Object.assign(context, { strokeStyle: SHADE, lineWidth: 4 * ratio });
  context.stroke(path);
  Object.assign(context, { strokeStyle: MARK, lineWidth: 1.5 * ratio });
  context.stroke(path);
}

/** Text that stays on the canvas. */
function drawText(context, text, x, y) {
  const ratio = window.devicePixelRatio || 1;
  context.font = `600 ${13 * ratio}px ${getComputedStyle(context.canvas).fontFamily}`;
  const left = Math.min(x, context.canvas.width - context.measureText(text).width - 8 * ratio);
  const base = Math.max(16 * ratio, y);
  Object.assign(context, { strokeStyle: SHADE, fillStyle: MARK, lineWidth: 4 * ratio });
  context.strokeText(text, left, base);
  context.fillText(text, left, base);
}
