// The ribbon: time runs from left to right, and each column shows how the loop spent that piece of time.
//
// A column that is filled to a tenth means that the loop was busy for a tenth of that column's time. Zoomed in far enough,
// a column lies within one phase, and the bars are the phases themselves.

import { here, make, plural, sharing, time, what } from "./words.js";
import { Detail, describe } from "./detail.js";
import { KINDS, fills, legend } from "./legend.js";
import { parts } from "./parts.js";
import { scrolls } from "./scrolls.js";

/** The width of a column, in CSS pixels. Thinner ones could not be told apart. */
const COLUMN = 3;
const KIND_AT = Object.fromEntries(KINDS.map(({ key }, at) => [key, at]));
const SPANS = [0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 60].map((seconds) => seconds * 1e6);
/** The time between redraws for users who prefer reduced motion, in milliseconds. */
const CALM = 1000;
/** How long the description of the busiest iteration stays, in milliseconds, so that it can be read. */
const READABLE = 1500;
/** A loop that is busy for less than this share of the shown time is called quiet. */
const QUIET = 0.004;
/** A turn of at least HELD microseconds, or an iteration with at least MANY events, is the reason for a late message. */
const HELD = 20_000;
const MANY = 20;

export class Ribbon {
  constructor(section, feed, { marks, quiet }) {
    this.feed = feed;
    this.quiet = quiet;
    this.span = 5e6;
    this.paused = null;
    this.selected = null;
    this.hovered = null;
    /** Waits that clients measured themselves, from the program that embeds this page: { from, to, text }. */
    this.marks = [];
    this.build(section, marks);
    this.calm = matchMedia("(prefers-reduced-motion: reduce)");
    this.drawn = 0;
    feed.addEventListener("message", () => this.update());
    feed.addEventListener("reset", () => {
      this.marks = [];
      this.live();
    });
    new ResizeObserver(() => this.draw()).observe(this.canvas);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.draw());
  }

  build(section, marks) {
    section.classList.add("ribbon");
    this.canvas = make("canvas", {
      tabindex: "0", role: "slider", "aria-label": "Iterations of the loop, by time",
      "aria-valuemin": "0", "aria-valuemax": "0", "aria-valuenow": "0", "aria-valuetext": "live, no iteration chosen",
    });
    const button = (text, action) => {
      const element = make("button", { type: "button" }, text);
      element.addEventListener("click", action);
      return element;
    };
    this.pause = button("Pause", () => (this.paused === null ? this.stopAt(this.feed.at) : this.live()));
    this.pause.setAttribute("aria-pressed", "false");
    this.zoomIn = button("Zoom in", () => this.zoom(-1));
    this.zoomOut = button("Zoom out", () => this.zoom(1));
    this.shown = make("span", { class: "quiet" });
    this.told = make("p", { class: "told", role: "status" });
    section.append(
      make("h2", { id: "ribbon-title" }, "What the loop did"),
      make("p", {}, "Time runs from left to right. A column is as full as the loop was busy: an empty one is a loop that waits, a full one a loop that has no time for anybody else. The loop gives out its time in ", make("em", {}, "turns"), ": a connection, a timer or an immediate has one, its callbacks run, and then it is the next one’s turn."),
      make("div", { class: "bar" }, this.pause, this.zoomIn, this.zoomOut, this.shown),
      this.canvas,
      ...legend(marks),
      make("p", { class: "quiet" }, "Point at a column to see what ran in it; click or tap it, and the ribbon pauses there. Keys: ← → iteration by iteration, with Shift from busy one to busy one, + − zoom, space pauses, Escape goes on."),
      this.told,
      scrolls((this.detailed = make("div", { class: "detail", tabindex: "0", role: "region", "aria-label": "One iteration" }))),
    );
    this.detail = new Detail(this.detailed);
    this.canvas.addEventListener("pointermove", (event) => this.point(event));
    this.canvas.addEventListener("pointerleave", () => { this.hovered = null; this.describe(); this.draw(); });
    this.canvas.addEventListener("click", (event) => {
      this.point(event);
      this.select(this.hovered);
      // After a tap there is no event that says that the pointer has left.
      this.hovered = null;
    });
    this.canvas.addEventListener("keydown", (event) => this.key(event));
    this.canvas.addEventListener("wheel", (event) => {
      if (!event.ctrlKey) return;
      event.preventDefault();
      this.zoom(Math.sign(event.deltaY));
    }, { passive: false });
  }

  // ---- What is in sight

  get end() {
    return this.paused ?? this.feed.at;
  }

  get start() {
    return this.end - this.span;
  }

  stopAt(end) {
    this.paused = end;
    this.pause.textContent = "Go on";
    this.pause.setAttribute("aria-pressed", "true");
    this.draw();
    this.describe();
  }

  live() {
    this.paused = null;
    this.selected = null;
    this.pause.textContent = "Pause";
    this.pause.setAttribute("aria-pressed", "false");
    this.draw();
    this.describe();
  }

  /** Shows a shorter or longer span of time, around the selected iteration. */
  zoom(step) {
    const at = Math.min(Math.max(SPANS.indexOf(this.span) + step, 0), SPANS.length - 1);
    const chosen = this.selected;
    this.span = SPANS[at];
    if (chosen) this.stopAt(chosen.t + chosen.d - Math.min(chosen.d, this.span) / 2 + this.span / 2);
    this.zoomIn.disabled = at === 0;
    this.zoomOut.disabled = at === SPANS.length - 1;
    this.draw();
    this.describe();
  }

  select(piece) {
    if (!piece) return;
    this.selected = piece;
    const end = piece.t + piece.d;
    if (this.paused === null || piece.t < this.start || end > this.end) {
      this.stopAt(Math.min(this.feed.at, Math.max(end + this.span / 4, this.paused ?? this.feed.at)));
      if (piece.t < this.start || end > this.end) this.stopAt(end + Math.max(0, this.span - piece.d) / 2);
    }
    this.describe();
    this.draw();
  }

  point(event) {
    const box = this.canvas.getBoundingClientRect();
    const at = this.start + ((event.clientX - box.left) / box.width) * this.span;
    // A pointer is not exact to a microsecond, so take the busiest iteration under the column.
    const half = (COLUMN / box.width) * this.span;
    let best = null;
    for (const piece of this.feed.between(at - half, at + half)) {
      if (!best || piece.d - piece.wait.d > best.d - best.wait.d) best = piece;
    }
    this.hovered = best;
    this.describe();
    this.draw();
  }

  key(event) {
    const pieces = this.feed.pieces;
    const step = (by) => {
      const from = this.selected ? pieces.indexOf(this.selected) : pieces.length;
      let at = from + by;
      // With Shift: skip iterations that worked for less than a millisecond.
      while (event.shiftKey && pieces[at] && pieces[at].d - pieces[at].wait.d < 1000) at += by;
      if (pieces[at]) this.select(pieces[at]);
    };
    const keys = {
      ArrowLeft: () => step(-1),
      ArrowRight: () => step(1),
      Home: () => this.select(pieces[0]),
      End: () => this.select(pieces.at(-1)),
      "+": () => this.zoom(-1),
      "=": () => this.zoom(-1),
      "-": () => this.zoom(1),
      " ": () => this.pause.click(),
      Escape: () => this.live(),
    };
    const action = keys[event.key];
    if (!action || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    action();
  }

  // ---- Words

  update() {
    const now = performance.now();
    if (this.calm.matches && now - this.drawn < CALM) return;
    if (this.paused !== null) return;
    this.drawn = now;
    // The text about a gap stays for as long as the gap can be shown.
    if (this.toldOf && this.toldOf.to < this.feed.at - SPANS.at(-1)) this.tell("");
    this.draw();
    if (!this.hovered && now - (this.described ?? -READABLE) > READABLE) this.describe();
  }

  describe() {
    this.described = performance.now();
    const piece = this.hovered ?? this.selected;
    if (piece) this.detail.show(piece, "");
    else this.detail.show(this.busiest(), "The busiest shown: ");
    this.shown.textContent = `${time(this.span)} shown`;
    if (this.selected) {
      const canvas = this.canvas;
      canvas.setAttribute("aria-valuemin", String(this.feed.pieces[0]?.n ?? 0));
      canvas.setAttribute("aria-valuemax", String(this.feed.pieces.at(-1)?.n ?? 0));
      canvas.setAttribute("aria-valuenow", String(this.selected.n));
      canvas.setAttribute("aria-valuetext", describe(this.selected));
    } else {
      this.canvas.setAttribute("aria-valuetext", "live, no iteration chosen");
    }
  }

  /** The busiest piece in sight. Work for this page itself counts only if there is nothing else. */
  busiest() {
    let [best, most] = [null, -1];
    for (const piece of this.feed.between(this.start, this.end)) {
      const others = piece.many || piece.others[0] > 0 || piece.turns.some((turn) => !turn.own);
      const work = piece.d - piece.wait.d - piece.own;
      const rank = others ? 1e9 + work : work + piece.own;
      if (rank > most) [best, most] = [piece, rank];
    }
    return best;
  }

  // ---- Drawing

  draw() {
    const canvas = this.canvas;
    const ratio = devicePixelRatio || 1;
    const [width, height] = [canvas.clientWidth, canvas.clientHeight];
    if (width === 0) return;
    if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
      canvas.width = Math.round(width * ratio);
      canvas.height = Math.round(height * ratio);
    }
    const style = getComputedStyle(canvas);
    const colour = (name) => style.getPropertyValue(`--${name}`).trim();
    const pen = canvas.getContext("2d");
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.clearRect(0, 0, width, height);
    const room = { top: 20, bottom: height - 34, own: height - 30, axis: height - 18, width };
    this.columns(pen, room, colour, ratio);
    this.signs(pen, room, colour);
    this.axis(pen, room, colour);
  }

  /** Sums the time of each kind in each column, and the page's own part of it. */
  measure(columns) {
    const each = this.span / columns;
    const sums = Array.from({ length: columns }, () => ({ kinds: new Float64Array(KINDS.length), own: 0 }));
    const spread = (from, length, share, add) => {
      const to = from + length;
      let at = Math.max(0, Math.floor((from - this.start) / each));
      for (; at < columns && this.start + at * each < to; at++) {
        const left = this.start + at * each;
        add(sums[at], share * Math.max(0, Math.min(to, left + each) - Math.max(from, left)));
      }
    };
    const addOwn = (sum, length) => { sum.own += length; };
    for (const piece of this.feed.between(this.start, this.end)) {
      for (const { key, b, d, share } of parts(piece)) {
        const kind = KIND_AT[key];
        spread(piece.t + b, d, share, (sum, length) => { sum.kinds[kind] += length; });
      }
      if (piece.many && piece.own > 0) spread(piece.t, piece.d, piece.own / piece.d, addOwn);
      for (const turn of piece.turns) {
        if (turn.own) spread(piece.t + turn.b, turn.d, 1, addOwn);
      }
    }
    return { sums, each };
  }

  columns(pen, room, colour, ratio) {
    const columns = Math.floor(room.width / COLUMN);
    const { sums, each } = this.measure(columns);
    const full = room.bottom - room.top;
    const kinds = fills(pen, colour, ratio);
    const busy = sums.reduce((all, { kinds, own }) => all + kinds.reduce((sum, part) => sum + part, 0) - kinds[KIND_AT.idle] - own, 0);
    pen.fillStyle = kinds.idle;
    sums.forEach((sum, at) => {
      if (sum.kinds.some((part) => part > 0)) pen.fillRect(at * COLUMN, room.top, COLUMN, full);
    });
    sums.forEach((sum, at) => {
      let y = room.bottom;
      KINDS.forEach(({ key }, kind) => {
        if (key === "idle" || sum.kinds[kind] <= 0) return;
        pen.fillStyle = kinds[key];
        const height = Math.min((sum.kinds[kind] / each) * full, y - room.top);
        // The lowest kind is drawn at least one pixel high, so that even a very short time can be seen.
        pen.fillRect(at * COLUMN, y - height, COLUMN, Math.max(height, y === room.bottom ? 1 : 0));
        y -= height;
      });
    });
    pen.fillStyle = colour("own");
    sums.forEach((sum, at) => {
      if (sum.own <= 0) return;
      // A mark in the page's own lane says that the page itself used some of this time. The hatched part of the column says how much.
      if (at % 2 === 0 || sums[at - 1]?.own <= 0) pen.fillRect(at * COLUMN, room.own, COLUMN - 1, 6);
      const height = Math.min((sum.own / each) * full, full);
      for (let y = 2; y < height; y += 5) pen.fillRect(at * COLUMN, room.bottom - y, COLUMN, 1.5);
    });
    if (busy < this.span * QUIET) {
      pen.fillStyle = colour("quiet");
      pen.font = "14px system-ui, sans-serif";
      [pen.textAlign, pen.textBaseline] = ["center", "middle"];
      pen.fillText(`Quiet now: ${this.quiet}.`, room.width / 2, room.top + full / 2);
      pen.textAlign = "start";
    }
  }

  x(at, room) {
    return ((at - this.start) / this.span) * room.width;
  }

  signs(pen, room, colour) {
    pen.font = "12px system-ui, sans-serif";
    pen.textBaseline = "middle";
    // The latest text is written first. An earlier one is left out if it would overlap.
    let free = room.width;
    const bracket = (from, to, y, text) => {
      const [left, right] = [this.x(from, room), Math.max(this.x(to, room), this.x(from, room) + 2)];
      if (right < 0 || left > room.width) return;
      pen.fillRect(left, y, right - left, 4);
      const wide = pen.measureText(text).width;
      const at = Math.max(2, Math.min(left, room.width - wide - 2));
      if (!text || at + wide > free) return;
      pen.fillText(text, at, y + 11);
      free = at - 8;
    };
    for (const gap of this.feed.gaps.toReversed()) {
      pen.fillStyle = colour("alarm");
      bracket(gap.from, gap.to, 0, `no news for ${time(gap.to - gap.from)}`);
    }
    for (const mark of this.marks) {
      pen.fillStyle = colour("text");
      bracket(mark.from, mark.to, room.top + 2, "");
    }
    const piece = this.hovered ?? this.selected;
    if (piece) {
      pen.strokeStyle = colour("text");
      pen.lineWidth = 2;
      const left = this.x(piece.t, room);
      pen.strokeRect(left - 1, room.top - 1, Math.max(this.x(piece.t + piece.d, room) - left, 1) + 2, room.bottom - room.top + 2);
    }
  }

  axis(pen, room, colour) {
    pen.fillStyle = colour("quiet");
    pen.textBaseline = "top";
    const parts = room.width < 500 ? 3 : 6;
    for (let part = 0; part <= parts; part++) {
      const x = (room.width * part) / parts;
      const ago = this.feed.at - this.end;
      const edge = ago < 1 ? "now" : `${time(ago)} ago`;
      const text = part === parts ? edge : `−${time((this.span * (parts - part)) / parts)}`;
      pen.fillRect(Math.min(x, room.width - 1), room.axis - 4, 1, 4);
      const wide = pen.measureText(text).width;
      pen.fillText(text, Math.min(Math.max(x - wide / 2, 2), room.width - wide - 2), room.axis + 3);
    }
  }

  /** Draws waits that the embedding program has measured. */
  mark(waits) {
    this.marks = [...this.marks, ...waits].slice(-500);
    this.draw();
  }

  /** Shows a text about a gap beside the ribbon, also to screen readers. */
  tell(text, gap = null) {
    this.told.textContent = text;
    this.toldOf = gap;
  }
}

export function explain(gap) {
  const when = new Date(Date.now() - performance.now() + gap.heard).toLocaleTimeString();
  const stopped = `At ${when} the stream stopped for ${time(gap.to - gap.from)}`;
  if (!gap.why) return `${stopped}; what the loop did meanwhile was not recorded.`;
  const { piece, turn } = gap.why;
  if (turn.d < HELD && piece.events < MANY) return `${stopped}, but no callback held the loop for long: the system may have had others to run.`;
  if (turn.d < HELD) return `${stopped}: the loop had ${plural(piece.events, "event")} to see to.`;
  if (turn.own) return `${stopped}: a turn of ${here.name} itself took ${time(turn.d)}. ${sharing()}`;
  const at = turn.site ? `, registered at ${turn.site}` : "";
  const ticks = turn.ticksTook > turn.d / 2 ? `, most of it in ${plural(turn.ticks, "tick")}` : "";
  return `${stopped}. Here is why: ${what(turn)} held the loop for ${time(turn.d)}${ticks}${at}. (Up to 100 ms lie between two messages anyway.)`;
}
