// A film's values: unpacked, and turned into greys (DICOM PS3.3 C.11.2.1).

/** Undo base64 and zlib. */
async function inflated(base64) {
  const text = atob(base64);
  const packed = new Uint8Array(text.length);
  for (let at = 0; at < text.length; at += 1) packed[at] = text.charCodeAt(at);
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Response(stream).arrayBuffer();
}

/** The values of a part: each comes as its difference to the one on its left. */
async function valuesOf({ data, width, height }) {
  const values = new Uint16Array(await inflated(data)); // little-endian, as every machine with a browser is
  for (let start = 0; start < width * height; start += width) {
    for (let at = start + 1; at < start + width; at += 1) values[at] += values[at - 1]; // modulo 2 ** 16
  }
  return values;
}

/** Brightness from 0 to 1 of a value in the film's units. */
function brightness(value, { center, width, function: kind }) {
  if (kind === "SIGMOID") return 1 / (1 + Math.exp((-4 * (value - center)) / width));
  const [middle, spread] = kind === "LINEAR" ? [center - 0.5, width - 1] : [center, width];
  if (spread === 0) return value > middle ? 1 : 0;
  return Math.min(1, Math.max(0, (value - middle) / spread + 0.5));
}

/** The grey of every value a film has, by a window or, without one, as the file says; padding stays black. */
function greysFor(scale, window, isInverted) {
  const greys = Uint8Array.from(scale.greys);
  const swaps = window ? scale.inverse !== isInverted : isInverted;
  for (let value = 0; value < greys.length; value += 1) {
    if (scale.padding && scale.padding[0] <= value && value <= scale.padding[1]) greys[value] = 0;
    else if (window) {
      const bright = brightness(scale.measured(value), window);
      greys[value] = Math.floor((swaps ? 1 - bright : bright) * 255 + 1e-6);
    } else if (swaps) greys[value] = 255 - greys[value];
  }
  return greys;
}

/** What is said of a film's values, ready for use. */
async function scaleOf(facts) {
  const greys = new Uint8Array(await inflated(facts.greys));
  const lut = facts.lut ? new Uint16Array(await inflated(facts.lut)) : null;
  const measured = (value) => (lut ? lut[value] : (value + facts.low) * facts.slope + facts.intercept);
  return { greys, measured, inverse: facts.inverse, padding: facts.padding };
}

/** The straight window nearest to what the file says: from the last value that is black to the first that is white. */
function straightWindow(scale) {
  const { greys, padding, measured } = scale;
  const isFilm = (value) => !(padding && padding[0] <= value && value <= padding[1]);
  const values = [...greys.keys()].filter(isFilm);
  const rises = greys[values[0]] <= greys[values[values.length - 1]];
  const [dark, bright] = rises ? [0, 255] : [255, 0];
  const first = values.findLast((value, at) => greys[value] === dark && at < values.length - 1) ?? values[0];
  const last = values.find((value) => value > first && greys[value] === bright) ?? values[values.length - 1];
  const ends = [measured(first), measured(last)];
  const width = Math.max(1, Math.abs(ends[1] - ends[0]) + 1);
  return { center: Math.round(((ends[0] + ends[1]) / 2 + 0.5) * 10) / 10, width, function: "LINEAR" };
}
