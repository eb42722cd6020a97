import { start } from "/__loop/main.js";
import { Quiz } from "./quiz.js";
import { Try } from "./try.js";

const { feed, ribbon } = start("/__loop/");
new Try(document.getElementById("try"), ribbon);
new Quiz(document.getElementById("quiz"));
globalThis.oneloop = { feed, ribbon };
