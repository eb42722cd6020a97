import { start } from "/__loop/main.js";
import { Quiz } from "./quiz.js";
import { Try } from "./try.js";

const { feed, ribbon } = start("/__loop/", {
  name: "this demo",
  quiet: "press a button below",
  requests: " The eight or so with which this demo is opened count, and so do its buttons.",
  marks: { name: "a client’s wait", text: "A line at the upper edge: from there to there one of the demo’s clients waited for its answer, by its own clock. The longest of 10 ms and more are drawn." },
});
new Try(document.getElementById("try"), ribbon);
new Quiz(document.getElementById("quiz"));
globalThis.oneloop = { feed, ribbon };
