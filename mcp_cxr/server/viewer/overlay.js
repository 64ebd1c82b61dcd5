// Drawn over an image: rulers with their lengths, and the crosshair that is moved by keys.

const LINE_COLOR = "#ffd166";
const OUTLINE_COLOR = "#000c";

/** Draw a line between two points of the canvas, with a text at its right end. */
export function drawRuler(context, start, end, text) {
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

export function drawCrosshair(context, { x, y }) {
  const ratio = window.devicePixelRatio || 1;
  const crosshair = new Path2D();
  for (const side of [-1, 1]) {
    crosshair.moveTo(x + side * 3 * ratio, y);
    crosshair.lineTo(x + side * 14 * ratio, y);
    crosshair.moveTo(x, y + side * 3 * ratio);
    crosshair.lineTo(x, y + side * 14 * ratio);
  }
  stroke(context, crosshair);
}

/** Stroke a path bright on a dark outline, visible on any image. */
function stroke(context, path) {
  const ratio = window.devicePixelRatio || 1;
  Object.assign(context, { strokeStyle: OUTLINE_COLOR, lineWidth: 4 * ratio });
  context.stroke(path);
  Object.assign(context, { strokeStyle: LINE_COLOR, lineWidth: 1.5 * ratio });
  context.stroke(path);
}

/** Draw text, kept within the canvas. */
function drawText(context, text, x, y) {
  const ratio = window.devicePixelRatio || 1;
  context.font = `600 ${13 * ratio}px ${getComputedStyle(context.canvas).fontFamily}`;
  const left = Math.min(x, context.canvas.width - context.measureText(text).width - 8 * ratio);
  const base = Math.max(16 * ratio, y);
  Object.assign(context, { strokeStyle: OUTLINE_COLOR, fillStyle: LINE_COLOR, lineWidth: 4 * ratio });
  context.strokeText(text, left, base);
  context.fillText(text, left, base);
}
