// The viewer in a frame of the chat page: `#view=ID` names what it shows.

import { App } from "/viewer/app.js";
import { ServerHost } from "./server_host.js";

new App(new ServerHost(new URLSearchParams(location.hash.slice(1)).get("view"))).start();
