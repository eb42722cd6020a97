// The numbers, each with its meaning.

import { table } from "./table.js";
import { bytes, count, make, time } from "./words.js";

const NUMBERS = (base, requests) => [
  ["Iterations a second", (n) => (n.iterations === undefined ? "…" : count(n.iterations)), "Rounds of the loop. Few are no bad sign: a loop that waits makes none. This page alone causes some ten."],
  ["Events per iteration", (n) => n.events?.toFixed(1) ?? "…", "How many sources the wait found ready. More than a few: the loop has work waiting whenever it looks."],
  ["Utilisation", (n) => (n.utilisation === undefined ? "…" : `${(n.utilisation * 100).toFixed(1)} %`), "The share of the last second that the loop did not wait. At 100 % each new request waits for others."],
  ["Loop delay, median", (n) => time(n.delay.p50), "From one wait to the next, that is how long something that becomes ready may have to wait, in half of the iterations of the last ten seconds."],
  ["Loop delay, 99th percentile", (n) => time(n.delay.p99), "The same for all but one in a hundred."],
  ["Loop delay, longest", (n) => time(n.delay.max), "The longest of the last ten seconds: one callback that blocks is seen here, however good the median is."],
  ["Requests a second", (n) => (n.requests === undefined ? "…" : count(n.requests)), `Without those below ${new URL(base, location).pathname}, which are this page’s.${requests}`, (n) => `${count(n.requestsSoFar)} so far.`],
  ["Connections", (n) => count(n.connections), "All that are open or about to be closed. What each of them is about is said below."],
  ["Bytes buffered", (n) => bytes(n.buffered), "What the server holds for its connections: input that nobody took yet, output that a slow reader has not taken.", (n) => `At most ${bytes(n.largestBuffer)} for one.`],
];

/** The states of connections. Each connection is in exactly one of them. */
const STATES = [
  ["idle", "Nothing is asked on it at the moment. It costs memory, and no thread. Those that your browser keeps open for this page are here too: the server does not know whose they are."],
  ["receiving", "A request has begun to arrive, and is not complete. Slow clients are here."],
  ["answering", "A whole request is here, and its handler has not ended the response: it waits for a worker, a timer, or for the client to take more."],
  ["own", "The same, for this page itself: the stream of what was measured, which has no end.", "for this page"],
  ["sending", "The response has ended for the handler, and the client has yet to take a part of it."],
  ["closing", "It takes no further request: the last bytes go out, or the client’s close is awaited."],
  ["upgraded", "It was handed over to another protocol, such as WebSocket."],
];

export class Numbers {
  constructor(section, feed, requests) {
    this.cells = NUMBERS(feed.base, requests).map(([name, value, meaning, more]) => {
      const [shown, extra] = [make("dd", { class: "value" }, "–"), make("dd", { class: "quiet" })];
      const element = make("div", {}, make("dt", {}, name), shown, make("dd", { class: "quiet" }, meaning));
      if (more) element.append(extra);
      return { element, shown, extra, value, more };
    });
    this.states = STATES.map(([key, meaning, name = key]) => ({ key, name, meaning, shown: make("span", {}, "–") }));
    this.own = make("dd", { class: "value" }, "–");
    const own = make("div", {}, make("dt", {}, "This page’s own part"), this.own,
      make("dd", { class: "quiet" }, "Of the loop’s time, over the last five seconds: the message that is made ten times a second, and its delivery. Its turns are hatched above."));
    section.classList.add("numbers");
    section.append(
      make("h2", { id: "numbers-title" }, "Numbers"),
      make("dl", {}, ...this.cells.map((cell) => cell.element), own),
      make("h3", { id: "states-title" }, "Connections by state"),
      table(["state", "#now", "what that is"], this.states.map(({ name, shown, meaning }) => [name, shown, meaning]),
        { headed: true, "aria-labelledby": "states-title" }),
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
    for (const { key, shown } of this.states) shown.textContent = count(feed.numbers[key]);
    if (feed.owns.length < 2) return;
    const took = feed.owns.slice(1).reduce((sum, own) => sum + own.took, 0);
    const over = feed.owns.at(-1).at - feed.owns[0].at;
    this.own.textContent = `${((took / over) * 100).toFixed(2)} %`;
  }
}
