// Which turns held the loop, and how long others waited because of them.

import { scrolls } from "./scrolls.js";
import { here, make, plural, sharing, time, what } from "./words.js";

/** How many turns are listed. Nobody reads more. */
const SHOWN = 20;

export class Waited {
  constructor(section, feed) {
    this.list = make("ul", { class: "waits", tabindex: "0", "aria-label": "Turns that held the loop, the latest first" });
    this.none = make("p", { class: "quiet" }, "No turn has held the loop for 10 ms or more.");
    this.own = make("p", { class: "quiet" }, sharing());
    this.box = scrolls(this.list);
    section.append(
      make("h2", { id: "waited-title" }, "Who held the loop, and who waited"),
      make("p", {}, "While one callback runs, nobody else is served. These held the loop for 10 ms or more. What the next wait found ready had been waiting, for no longer than is said; how long each of them waited exactly only the clients themselves can measure."),
      this.none, this.own, this.box,
    );
    feed.addEventListener("message", () => this.update(feed));
    feed.addEventListener("reset", () => this.update(feed));
  }

  update(feed) {
    const latest = feed.held.at(-1);
    if (latest === this.latest) return;
    this.latest = latest;
    const others = feed.held.filter((held) => held.o !== 1);
    const own = feed.held.filter((held) => held.o === 1);
    this.none.hidden = others.length > 0;
    this.box.hidden = others.length === 0;
    const most = own.reduce((most, held) => Math.max(most, held.d), 0);
    const name = here.name[0].toUpperCase() + here.name.slice(1);
    this.own.textContent = `${own.length > 0 ? `${name} itself held it ${plural(own.length, "time")}, at most ${time(most)}. ` : ""}${sharing()}`;
    this.list.replaceChildren(...others.slice(-SHOWN).reverse().map((held) => make("li", {}, ...sentence(held))));
  }
}

export function sentence(held) {
  const who = make("strong", {}, what({ label: held.l, kind: held.f }));
  const route = held.rt ? [" (route ", make("code", {}, held.rt), ")"] : [];
  const at = held.a ? [" (registered at ", make("code", {}, held.a), ")"] : [];
  const found = held.found > 0
    ? `; the next poll found ${plural(held.found, "source")} ready, which had waited at most ${time(held.waited)} (since the wait before that turn).`
    : "; nobody was found waiting for it.";
  return [who, ...route, ` held the loop for ${time(held.d)}`, ...at, found];
}
