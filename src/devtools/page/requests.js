// The requests that the server has yet to answer, and its routes. Bytes of clients are shown as text, never as markup.

import { table } from "./table.js";
import { make, plural, time } from "./words.js";

/** How many requests are listed: as many as a message has. */
const SHOWN = 20;

export class Requests {
  constructor(section, feed) {
    this.rows = Array.from({ length: SHOWN }, () => [make("strong"), make("code"), make("code"), make("span"), make("span")]);
    this.open = table(["method", "path", "route", "#age", "peer"], this.rows, { "aria-labelledby": "requests-title" });
    this.rest = make("p", { class: "quiet" }, "–");
    this.routes = make("div");
    section.append(
      make("h2", { id: "requests-title" }, "Requests that are not answered yet"),
      make("p", {}, "What the handlers still owe, the oldest first, as it was a second ago at most; without those of this page. A request that grows old here waits for something that never comes, or its Response is kept and forgotten."),
      this.rest, this.open,
      make("h3", { id: "routes-title" }, "Where requests go"),
      make("p", { class: "quiet" }, "The listeners of this server: those of a path have what lies below it, and of several the longest path counts. What a handler tells apart by itself is not seen from here."),
      this.routes,
    );
    this.clear();
    feed.addEventListener("message", () => this.update(feed));
    feed.addEventListener("reset", () => this.clear());
  }

  clear() {
    [this.shown, this.shownRoutes] = [null, null];
    this.open.hidden = true;
    this.rest.textContent = "–";
    this.routes.replaceChildren();
  }

  update(feed) {
    if (!feed.open || feed.open === this.shown) return;
    this.shown = feed.open;
    const { count, oldest } = feed.open;
    this.open.hidden = oldest.length === 0;
    this.rows.forEach((cells, at) => {
      const open = oldest[at];
      cells[0].closest("tr").hidden = !open;
      if (open) [open.m, open.p, open.rt ?? "–", time(open.a), open.r].forEach((text, cell) => { cells[cell].textContent = text; });
    });
    const more = count > oldest.length ? ` These are the ${oldest.length} oldest.` : "";
    this.rest.textContent = count === 0 ? "All requests are answered." : `${plural(count, "request")} ${count === 1 ? "is" : "are"} open.${more}`;
    this.showRoutes(feed.routes);
  }

  /** Draws the routes only if they have changed, which is rare. */
  showRoutes(routes) {
    const told = JSON.stringify(routes);
    if (told === this.shownRoutes) return;
    this.shownRoutes = told;
    const rows = routes.map(([prefix, site]) => [prefix ? make("code", {}, prefix) : "all other paths", make("code", {}, site)]);
    this.routes.replaceChildren(table(["path", "registered at"], rows, { headed: true, "aria-labelledby": "routes-title" }));
  }
}
