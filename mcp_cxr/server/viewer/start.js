// Starts the page in a chat host.

import { App } from "./app.js";
import { HostClient } from "./host_client.js";

new App(new HostClient()).start();
