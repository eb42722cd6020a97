import { start } from "./main.js";

globalThis.oneloop = start("./");
