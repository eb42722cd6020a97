// What the time of an iteration went to.

import { PHASES } from "./words.js";

const POLL = PHASES.findIndex((phase) => phase.key === "poll");
/** What has turns in the poll phase, as the messages order them. */
const SOURCES = ["connection", "listener", "inbox", "signals"];

/** What a turn's time counts as, its ticks left out: in the poll phase its source, else its phase. */
export function kindOf(turn) {
  if (turn.phase !== POLL) return PHASES[turn.phase].key;
  return SOURCES.includes(turn.kind) ? turn.kind : "rest";
}

/**
 * The parts of an iteration: `key` says of what kind, `b` and `d` when it began and how long it took, in microseconds from
 * the iteration's beginning. Where several have that time together, since they are not known one by one, `share` says how
 * much of it this one has.
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
    // Turns lie side by side: what is between those that were told is the others' time.
    const between = (from, to) => {
      if (to > from && left > 0) all.push(...others.map(({ key, d }) => ({ key, b: from, d: to - from, share: d / left })));
    };
    let from = phase.b;
    for (const turn of told) {
      between(from, turn.b);
      const end = turn.b + turn.d;
      // Ticks come behind the callbacks that have set them: of a turn, at its end.
      const ticks = end - turn.ticksTook;
      all.push({ key: kindOf(turn), b: turn.b, d: ticks - turn.b, share: 1 }, { key: "ticks", b: ticks, d: turn.ticksTook, share: 1 });
      from = end;
    }
    between(from, phase.b + phase.d);
  });
  return [...all, ...itself(piece)].filter(({ d, share }) => d > 0 && share > 0);
}

/** Several that were put together are spread evenly over their time. */
function mixed(piece) {
  const share = ({ key, d }) => ({ key, b: 0, d: piece.d, share: d / piece.d });
  const all = [{ key: "idle", d: piece.wait.d }, ...piece.phases.flatMap((phase, at) => untold(piece, at, phase.d))];
  return [...all.map(share), ...itself(piece)].filter((part) => part.share > 0);
}

/** The time in a phase of turns that were not told one by one. */
function untold(piece, at, length) {
  const ticks = { key: "ticks", d: Math.min(piece.otherTicks[at] ?? 0, length) };
  if (at !== POLL) return [{ key: PHASES[at].key, d: length - ticks.d }, ticks];
  const known = SOURCES.map((key, source) => ({ key, d: piece.sources[source] ?? 0 }));
  const rest = length - ticks.d - known.reduce((sum, { d }) => sum + d, 0);
  return [...known, ticks, { key: "rest", d: Math.max(0, rest) }];
}

/** What is in no phase. */
function itself(piece) {
  const known = piece.phases.reduce((sum, phase) => sum + phase.d, piece.wait.d);
  return [{ key: "rest", b: 0, d: piece.d, share: Math.max(0, piece.d - known) / piece.d }];
}
