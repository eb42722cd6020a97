// One iteration, in words, bars and a table.

import { nameOf, swatch } from "./legend.js";
import { kindOf, parts } from "./parts.js";
import { table } from "./table.js";
import { bytes, count, here, make, plural, time, what } from "./words.js";

/** The most rows of the table. */
const ROWS = 8;
/** A wait with a smaller share of its iteration is not shown apart: the bar of the work would look the same. */
const WAIT = 0.03;

/** Describes an iteration in a sentence. */
export function describe(piece) {
  const work = Math.max(0, piece.d - piece.wait.d);
  const name = piece.many ? `${plural(piece.count, "iteration")} from ${count(piece.n)} on` : `Iteration ${count(piece.n)}`;
  const longest = piece.turns.reduce((best, turn) => (turn.d > (best?.d ?? 0) ? turn : best), null);
  const most = longest && longest.d > 1000 ? `; the longest turn was ${what(longest)}, ${time(longest.d)}` : "";
  return `${name}: waited ${time(piece.wait.d)}, worked ${time(work)}${most}`;
}

export class Detail {
  constructor(place) {
    this.title = make("h3");
    this.text = make("p");
    this.whole = make("div", { class: "stack" });
    this.wholeText = make("p", { class: "quiet" });
    this.work = make("div", { class: "stack" });
    this.workText = make("p", { class: "quiet" });
    this.table = make("div");
    this.bars = make("div", {}, this.wholeText, this.whole, this.workText, this.work);
    place.append(make("div", {}, this.title, this.text, this.bars), this.table);
    for (const bar of [this.whole, this.work]) bar.setAttribute("aria-hidden", "true");
  }

  show(piece, title) {
    if (piece === this.piece && title === this.shownTitle) return;
    [this.piece, this.shownTitle] = [piece, title];
    if (!piece) {
      this.title.textContent = "Nothing was recorded in this time.";
      this.bars.hidden = true;
      for (const part of [this.text, this.whole, this.wholeText, this.work, this.workText, this.table]) part.replaceChildren();
      return;
    }
    const work = Math.max(0, piece.d - piece.wait.d);
    const range = piece.many ? `iterations ${count(piece.n)} to ${count(piece.n + piece.count - 1)}` : `iteration ${count(piece.n)}`;
    this.title.textContent = title + range;
    const parts = [
      `waited ${time(piece.wait.d)}`, `worked ${time(work)}`, `${plural(piece.events, "event")} from the wait`,
      piece.ticks > 0 && plural(piece.ticks, "tick"),
      piece.read + piece.sent > 0 && `${bytes(piece.read)} read, ${bytes(piece.sent)} sent`,
      piece.own > 0 && `${time(piece.own)} for this page itself`,
    ];
    this.text.textContent = `It ${parts.filter(Boolean).join(", ")}.`.replace("It waited", piece.many ? "Together they waited" : "It waited");
    this.bars.hidden = false;
    this.wholeText.textContent = "All of it, to scale:";
    this.work.hidden = this.workText.hidden = piece.wait.d < piece.d * WAIT;
    this.whole.replaceChildren(...segments(piece, piece.d, true));
    this.workText.textContent = "Its work alone, without the wait:";
    this.work.replaceChildren(...segments(piece, work, false));
    this.table.replaceChildren(...this.rows(piece));
  }

  rows(piece) {
    if (piece.turns.length === 0) {
      const others = piece.others[0] > 0 ? `${plural(piece.others[0], "turn")}, together ${time(piece.others[1])}.` : "Nothing had a turn.";
      return [make("p", { class: "quiet" }, others)];
    }
    const longest = [...piece.turns].sort((a, b) => b.d - a.d).slice(0, ROWS);
    const shown = piece.turns.filter((turn) => longest.includes(turn));
    const left = piece.turns.filter((turn) => !longest.includes(turn));
    const others = [piece.others[0] + left.length, piece.others[1] + left.reduce((sum, turn) => sum + turn.d, 0)];
    const all = table(
      ["time of", "turn of", "callback registered at", "#callbacks", "#ticks", "#took"],
      shown.map((turn) => [
        timeOf(turn), [what(turn), turn.route ? ` (route ${turn.route})` : "", turn.own ? ` (${here.name})` : ""],
        make("code", {}, turn.site || "–"), count(turn.callbacks), count(turn.ticks), time(turn.d),
      ]));
    const more = others[0] > 0 ? [make("p", { class: "quiet" }, `and ${plural(others[0], "turn")} more, together ${time(others[1])}.`)] : [];
    return [all, ...more];
  }
}

/** Names what the time of a turn was spent on; ticks come first if they took most of it. */
function timeOf(turn) {
  const kind = [swatch(kindOf(turn)), nameOf(kindOf(turn))];
  const ticks = [swatch("ticks"), `ticks ${time(turn.ticksTook)}`];
  if (turn.ticksTook < turn.d / 100) return kind;
  return turn.ticksTook > turn.d / 2 ? [...ticks, ", within ", ...kind] : [...kind, ", of which ", ...ticks];
}

/** The bars of an iteration, or of its work without the wait, each as wide as its share of the time. */
function segments(piece, whole, withWait) {
  const shown = parts(piece).filter(({ key }) => withWait || key !== "idle").sort((a, b) => a.b - b.b);
  return shown.map(({ key, d, share }) => {
    const bar = make("span", { class: `kind-${key}` });
    bar.style.width = `${((d * share) / Math.max(whole, 0.1)) * 100}%`;
    return bar;
  });
}
