// Numbers, each with what it means.

import { bytes, count, make, time } from "./words.js";

const NUMBERS = [
  ["Iterations a second", (n) => (n.iterations === undefined ? "…" : count(n.iterations)), "Rounds of the loop. Few are no bad sign: a loop that waits makes none. This page alone causes some twenty."],
  ["Events per iteration", (n) => n.events?.toFixed(1) ?? "…", "How many sources the wait found ready. More than a few: the loop has work waiting whenever it looks."],
  ["Utilisation", (n) => (n.utilisation === undefined ? "…" : `${(n.utilisation * 100).toFixed(1)} %`), "The share of the last second that the loop did not wait. At 100 % each new request waits for others."],
  ["Loop delay, median", (n) => time(n.delay.p50), "From one wait to the next, that is how long something that becomes ready may have to wait, in half of the iterations of the last ten seconds."],
  ["Loop delay, 99th percentile", (n) => time(n.delay.p99), "The same for all but one in a hundred."],
  ["Loop delay, longest", (n) => time(n.delay.max), "The longest of the last ten seconds: one callback that blocks is seen here, however good the median is."],
  ["Requests a second", (n) => (n.requests === undefined ? "…" : count(n.requests)), "Without those of this page itself.", (n) => `${count(n.requestsSoFar)} so far.`],
  ["Connections", (n) => count(n.connections), "Open ones. An idle connection costs memory, and no thread.", (n) => `${count(n.answering)} wait for their answer, ${count(n.own)} carry this page, ${count(Math.max(0, n.connections - n.answering - n.own))} are idle or still sending.`],
  ["Bytes buffered", (n) => bytes(n.buffered), "What the server holds for its connections: input that nobody took yet, output that a slow reader has not taken.", (n) => `At most ${bytes(n.largestBuffer)} for one.`],
];

export class Numbers {
  constructor(section, feed) {
    this.cells = NUMBERS.map(([name, value, meaning, more]) => {
      const [shown, extra] = [make("dd", { class: "value" }, "–"), make("dd", { class: "quiet" })];
      const element = make("div", {}, make("dt", {}, name), shown, make("dd", { class: "quiet" }, meaning));
      if (more) element.append(extra);
      return { element, shown, extra, value, more };
    });
    this.own = make("dd", { class: "value" }, "–");
    const own = make("div", {}, make("dt", {}, "This page’s own part"), this.own,
      make("dd", { class: "quiet" }, "Of the loop’s time, over the last five seconds: the message that is made ten times a second, and its delivery. Its turns are hatched above."));
    section.classList.add("numbers");
    section.append(
      make("h2", { id: "numbers-title" }, "Numbers"),
      make("dl", {}, ...this.cells.map((cell) => cell.element), own),
    );
    feed.addEventListener("message", () => this.update(feed));
  }

  update(feed) {
    if (!feed.numbers || feed.numbers === this.shown) return;
    this.shown = feed.numbers;
    for (const { shown, extra, value, more } of this.cells) {
      shown.textContent = value(feed.numbers);
      if (more) extra.textContent = more(feed.numbers);
    }
    if (feed.owns.length < 2) return;
    const took = feed.owns.slice(1).reduce((sum, own) => sum + own.took, 0);
    const over = feed.owns.at(-1).at - feed.owns[0].at;
    this.own.textContent = `${((took / over) * 100).toFixed(2)} %`;
  }
}
