// How the time of an iteration was spent.

import { PHASES } from "./words.js";

const POLL = PHASES.findIndex((phase) => phase.key === "poll");
/** The sources that have turns in the poll phase, in the order of the messages. */
const SOURCES = ["connection", "listener", "inbox", "signals"];

/** The kind of a turn's time without its ticks: the source in the poll phase, else the phase. */
export function kindOf(turn) {
  if (turn.phase !== POLL) return PHASES[turn.phase].key;
  return SOURCES.includes(turn.kind) ? turn.kind : "rest";
}

/**
 * The parts of an iteration: `key` is the kind, `b` the beginning and `d` the duration, in microseconds from the iteration's
 * beginning. If several parts have the same time together, because they are not known one by one, `share` is this part's
 * share of it.
 */
export function parts(piece) {
  return (piece.parts ??= piece.many ? mixed(piece) : oneByOne(piece));
}

function oneByOne(piece) {
  const all = [{ key: "idle", ...piece.wait, share: 1 }];
  piece.phases.forEach((phase, at) => {
    const told = piece.turns.filter((turn) => turn.phase === at);
    const left = Math.max(0, phase.d - told.reduce((sum, turn) => sum + turn.d, 0));
    const others = untold(piece, at, left);
    // Turns follow each other without a gap, so the time between two turns that are listed belongs to turns that are not.
    const between = (from, to) => {
      if (to > from && left > 0) all.push(...others.map(({ key, d }) => ({ key, b: from, d: to - from, share: d / left })));
    };
    let from = phase.b;
    for (const turn of told) {
      between(from, turn.b);
      const end = turn.b + turn.d;
      // Ticks run after the callback that set them, so they are drawn at the end of the turn.
      const ticks = end - turn.ticksTook;
      all.push({ key: kindOf(turn), b: turn.b, d: ticks - turn.b, share: 1 }, { key: "ticks", b: ticks, d: turn.ticksTook, share: 1 });
      from = end;
    }
    between(from, phase.b + phase.d);
  });
  return [...all, ...itself(piece)].filter(({ d, share }) => d > 0 && share > 0);
}

/** The parts of several iterations put together: each is spread evenly over their whole time. */
function mixed(piece) {
  const share = ({ key, d }) => ({ key, b: 0, d: piece.d, share: d / piece.d });
  const all = [{ key: "idle", d: piece.wait.d }, ...piece.phases.flatMap((phase, at) => untold(piece, at, phase.d))];
  return [...all.map(share), ...itself(piece)].filter((part) => part.share > 0);
}

/** The time in a phase of the turns that are not listed one by one. */
function untold(piece, at, length) {
  const ticks = { key: "ticks", d: Math.min(piece.otherTicks[at] ?? 0, length) };
  if (at !== POLL) return [{ key: PHASES[at].key, d: length - ticks.d }, ticks];
  const known = SOURCES.map((key, source) => ({ key, d: piece.sources[source] ?? 0 }));
  const rest = length - ticks.d - known.reduce((sum, { d }) => sum + d, 0);
  return [...known, ticks, { key: "rest", d: Math.max(0, rest) }];
}

/** The time that belongs to no phase. */
function itself(piece) {
  const known = piece.phases.reduce((sum, phase) => sum + phase.d, piece.wait.d);
  return [{ key: "rest", b: 0, d: piece.d, share: Math.max(0, piece.d - known) / piece.d }];
}
