// Stored values: decoded, and mapped to 8-bit grays (DICOM PS3.3 C.11.2.1).

/** Decode base64 and zlib. */
async function inflate(base64) {
  const text = atob(base64);
  const packed = new Uint8Array(text.length);
  for (let index = 0; index < text.length; index += 1) packed[index] = text.charCodeAt(index);
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Response(stream).arrayBuffer();
}

/** The stored values of a tile, sent as differences to the value on the left. */
export async function decodeValues({ data, width, height }) {
  const values = new Uint16Array(await inflate(data)); // little-endian, as are all machines that browsers run on
  for (let start = 0; start < width * height; start += width) {
    for (let index = start + 1; index < start + width; index += 1) values[index] += values[index - 1]; // modulo 2 ** 16
  }
  return values;
}

/** The brightness, from 0 to 1, of a rescaled value under a window. */
function brightnessOf(value, { center, width, function: kind }) {
  if (kind === "SIGMOID") return 1 / (1 + Math.exp((-4 * (value - center)) / width));
  const [middle, spread] = kind === "LINEAR" ? [center - 0.5, width - 1] : [center, width];
  if (spread === 0) return value > middle ? 1 : 0;
  return Math.min(1, Math.max(0, (value - middle) / spread + 0.5));
}

/** The gray of every stored value: by a window or, without one, by the file's default; padding stays black. */
export function graysFor(grayscale, voiWindow, isInverted) {
  const grays = Uint8Array.from(grayscale.grays);
  const isSwapped = voiWindow ? grayscale.inverse !== isInverted : isInverted;
  for (let value = 0; value < grays.length; value += 1) {
    if (grayscale.padding && grayscale.padding[0] <= value && value <= grayscale.padding[1]) grays[value] = 0;
    else if (voiWindow) {
      const brightness = brightnessOf(grayscale.rescaled(value), voiWindow);
      grays[value] = Math.floor((isSwapped ? 1 - brightness : brightness) * 255 + 1e-6);
    } else if (isSwapped) grays[value] = 255 - grays[value];
  }
  return grays;
}

/** The grayscale parameters of an image, decoded. */
export async function decodeGrayscale(facts) {
  const grays = new Uint8Array(await inflate(facts.grays));
  const lut = facts.lut ? new Uint16Array(await inflate(facts.lut)) : null;
  const rescaled = (value) => (lut ? lut[value] : (value + facts.low) * facts.slope + facts.intercept);
  return { grays, rescaled, inverse: facts.inverse, padding: facts.padding };
}

/** The LINEAR window nearest to the file's default: from the last black value to the first white one. */
export function nearestLinearWindow(grayscale) {
  const { grays, padding, rescaled } = grayscale;
  const isPixel = (value) => !(padding && padding[0] <= value && value <= padding[1]);
  const values = [...grays.keys()].filter(isPixel);
  const isIncreasing = grays[values[0]] <= grays[values[values.length - 1]];
  const [black, white] = isIncreasing ? [0, 255] : [255, 0];
  const first = values.findLast((value, index) => grays[value] === black && index < values.length - 1) ?? values[0];
  const last = values.find((value) => value > first && grays[value] === white) ?? values[values.length - 1];
  const ends = [rescaled(first), rescaled(last)];
  const width = Math.max(1, Math.abs(ends[1] - ends[0]) + 1);
  return { center: Math.round(((ends[0] + ends[1]) / 2 + 0.5) * 10) / 10, width, function: "LINEAR" };
}
