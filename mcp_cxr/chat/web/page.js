// The page: opens the session, then shows Streamlit's pages in a frame.

import { ServerGone, SessionRefused, hasCode, isOpen, onNewSession, openSession, secret } from "./session.js";

const CHECK_MS = 3000;
const notice = document.getElementById("notice");

function show(text) {
  notice.textContent = text ?? "";
  notice.hidden = !text;
}

function showFrame() {
  const frame = document.createElement("iframe");
  frame.src = `/frame/${encodeURIComponent(secret())}/`;
  frame.title = "Chest X-rays";
  frame.allow = "clipboard-write; fullscreen";
  document.querySelector("main").append(frame);
}

/** Say so when the server has ended, or when another one that does not know this session answers in its place. */
async function check() {
  try {
    if (!(await isOpen())) return end("This page belongs to a `mcp-cxr chat` that has ended. Open the link of the running one.");
    show(null);
  } catch (error) {
    if (!(error instanceof ServerGone)) throw error;
    show(error.message);
  }
  setTimeout(check, CHECK_MS);
}

/** Show a message in place of everything: a frame that reconnects would send its requests to a stranger. */
function end(text) {
  document.querySelector("iframe")?.remove();
  show(text);
}

/** A new link was opened here, or in another tab: a page that has ended starts again. */
function restart() {
  if (!document.querySelector("iframe")) location.reload();
}

onNewSession(restart);
addEventListener("hashchange", () => (hasCode() ? restart() : null));
try {
  await openSession();
  showFrame();
  setTimeout(check, CHECK_MS);
} catch (error) {
  if (!(error instanceof ServerGone || error instanceof SessionRefused)) throw error;
  end(error.message);
}
