// The session of this browser with the server: a secret that is exchanged for the one-time code of a link.
//
// The secret is kept in the storage of this origin, port included: pages of other ports cannot read it, and no browser sends
// it by itself, as it would a cookie. It is worth nothing after the server has ended.

const KEY = "mcp-cxr-session";
const CHECK_TIMEOUT_MS = 10_000;
const HEADER = "X-Session-Secret";

/** The server refuses the secret, or the browser has none; the message is shown to the user. */
export class SessionRefused extends Error {}

/** The server does not answer. */
export class ServerGone extends Error {}

export function secret() {
  return localStorage.getItem(KEY) ?? "";
}

function codeInAddress() {
  return new URLSearchParams(location.hash.slice(1)).get("code");
}

/** Whether the page's address holds a one-time code. */
export function hasCode() {
  return codeInAddress() !== null;
}

/** Check the session; without one, exchange the code in the page's address. */
export async function openSession() {
  const code = codeInAddress();
  if (code !== null) history.replaceState(null, "", location.pathname); // it belongs in no history
  if (secret() && (await isOpen())) return;
  if (code === null) throw new SessionRefused("Open the link that `mcp-cxr chat` printed, or the file that it named.");
  const answer = await send("/session", { method: "POST", body: JSON.stringify({ code }) });
  if (!answer.ok) throw new SessionRefused(await answer.text());
  localStorage.setItem(KEY, (await answer.json()).secret);
}

/** Whether the server knows this browser's session; a `ServerGone` if it does not answer. */
export async function isOpen() {
  return (await request("/api/session", { signal: AbortSignal.timeout(CHECK_TIMEOUT_MS) })).ok;
}

/** Send a request with the secret. */
export function request(path, options = {}) {
  return send(path, { ...options, headers: { ...options.headers, [HEADER]: secret() } });
}

/** Call `act` when another tab has opened a new session. */
export function onNewSession(act) {
  addEventListener("storage", ({ key }) => key === KEY && act());
}

async function send(path, options) {
  return connected(() => fetch(path, { ...options, cache: "no-store", credentials: "omit", redirect: "error" }));
}

/** Return what `act` reads from the server; a `ServerGone` if the connection fails, in the middle of an answer too. */
export async function connected(act) {
  try {
    return await act();
  } catch (error) {
    if (error.name === "TimeoutError") throw new ServerGone("The server did not answer in time; try again.");
    if (error instanceof TypeError) throw new ServerGone("`mcp-cxr chat` does not answer: it has ended, or the connection to it is lost.");
    throw error; // such as AbortError: the user went on
  }
}
