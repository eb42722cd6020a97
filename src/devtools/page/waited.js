// Who held the loop, and who had to wait for it.

import { make, plural, time, what } from "./words.js";

/** As many as are read. */
const SHOWN = 20;

export class Waited {
  constructor(section, feed) {
    this.list = make("ul", { class: "waits", tabindex: "0", "aria-label": "Turns that held the loop, the latest first" });
    this.none = make("p", { class: "quiet" }, "No turn has held the loop for 10 ms or more.");
    section.append(
      make("h2", { id: "waited-title" }, "Who held the loop, and who waited"),
      make("p", {}, "While one callback runs, nobody else is served. These held the loop for 10 ms or more. What the next wait found ready had been waiting, for no longer than is said; how long each of them waited exactly only they can know."),
      this.none, this.list,
    );
    feed.addEventListener("message", () => this.update(feed));
    feed.addEventListener("reset", () => this.update(feed));
  }

  update(feed) {
    const latest = feed.held.at(-1);
    if (latest === this.latest) return;
    this.latest = latest;
    this.none.hidden = feed.held.length > 0;
    this.list.replaceChildren(...feed.held.slice(-SHOWN).reverse().map((held) => make("li", {}, ...sentence(held))));
  }
}

export function sentence(held) {
  const who = make("strong", {}, what({ label: held.l, kind: held.f }));
  const own = held.o === 1 ? " (this page itself)" : "";
  const at = held.a ? [" (registered at ", make("code", {}, held.a), ")"] : [];
  const found = held.found > 0
    ? `; the next poll found ${plural(held.found, "source")} ready, which had waited at most ${time(held.waited)}.`
    : "; nobody was found waiting for it.";
  return [who, own, ` held the loop for ${time(held.d)}`, ...at, found];
}
