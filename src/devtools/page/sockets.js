// The WebSockets, by endpoint. Names may come from clients, and are shown as text.

import { table } from "./table.js";
import { count, make, plural } from "./words.js";

const COLUMNS = ["endpoint", "#open now", "#in a second", "#out a second", "#received", "#sent", "#skipped", "#accepted", "#refused"];

export class Sockets {
  constructor(section, feed) {
    this.place = make("div", {},
      make("h3", { id: "sockets-title" }, "WebSockets"),
      make("p", { class: "quiet" }, "Messages by endpoint: in from the sockets of all clients, out to them. A message that is published to a thousand is a thousand out; it is skipped for those who are behind, if the program says so. Refused are requests that got no socket."));
    this.rest = make("p", { class: "quiet" });
    section.append(this.place);
    this.clear();
    feed.addEventListener("message", () => this.update(feed));
    feed.addEventListener("reset", () => this.clear());
  }

  clear() {
    this.place.hidden = true;
    this.names = this.shown = null;
    this.rows = [];
  }

  update(feed) {
    const numbers = feed.numbers;
    if (!numbers || numbers === this.shown) return;
    this.shown = numbers;
    const all = numbers.sockets ?? [];
    this.place.hidden = all.length === 0;
    this.draw(JSON.stringify(all.map(({ name }) => name)), all);
    all.forEach((one, at) => {
      const numbers = [one.open, one.in, one.out, one.received, one.sent, one.skipped ?? 0, one.accepted, one.refused ?? 0];
      numbers.forEach((number, column) => { this.rows[at][column].textContent = number === undefined ? "…" : count(number); });
    });
    const more = (numbers.endpoints ?? 0) - all.length;
    this.rest.textContent = more > 0 ? `${plural(more, "more endpoint")} not shown.` : "";
  }

  /** Makes the table anew only if there are other endpoints, which is rare. */
  draw(names, all) {
    if (names === this.names) return;
    this.names = names;
    this.rows = all.map(() => COLUMNS.slice(1).map(() => make("span", {}, "…")));
    this.table?.remove();
    this.table = table(COLUMNS, all.map(({ name }, at) => [make("code", {}, name || "not used yet"), ...this.rows[at]]),
      { headed: true, "aria-labelledby": "sockets-title" });
    this.place.append(this.table, this.rest);
  }
}
