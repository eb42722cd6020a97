// The meaning of the ribbon's colours and patterns.
//
// Each phase has a colour. Within the poll phase, which has one colour, patterns tell the sources apart; so they can be
// told apart without seeing colours.

import { PHASES, make } from "./words.js";

const phase = (key) => {
  const { name, text } = PHASES.find((phase) => phase.key === key);
  return { key, name: name.toLowerCase(), text };
};

/** The kinds of time that fill a column, from bottom to top. */
export const KINDS = [
  { key: "idle", name: "waiting", text: "The loop waits until a socket has something, or a timer is due. It uses no processor meanwhile." },
  phase("pending"),
  { key: "connection", name: "poll: connections", text: "Turns of connections that had something to read, or room to write: with the callbacks of their requests." },
  { key: "listener", name: "poll: new connections", text: "Turns of listening sockets: connections are accepted." },
  { key: "inbox", name: "poll: other threads", text: "What other threads have sent: results of worker::run, and what was posted." },
  { key: "signals", name: "poll: signals", text: "Signals of the operating system, as Ctrl-C." },
  phase("check"),
  phase("closing"),
  phase("timers"),
  { key: "ticks", name: "ticks", text: "What next_tick was given. It runs within the turn of the callback that set it, in whatever phase, and is drawn apart from it." },
  { key: "rest", name: "the loop itself", text: "Time between turns, and that of turns which nothing more is known of." },
];
const OWN = { key: "own", name: "this page’s own part", text: "Turns that served this page: hatched over their colour, and marked in a lane of their own below." };
const NEWS = { key: "news", name: "no news", text: "Above the columns: for so long no message came. Up to 100 ms lie between two messages anyway; the rest is what kept the loop from sending one." };

export function swatch(key) {
  return make("span", { class: `swatch kind-${key}` });
}

export function nameOf(key) {
  return KINDS.find((kind) => kind.key === key).name;
}

/** The legend; `marks` explains the marks, if the page draws any. */
export function legend(marks) {
  const all = [...KINDS, OWN, NEWS, ...(marks ? [{ key: "mark", ...marks }] : [])];
  return [
    make("ul", { class: "legend" }, ...all.map(({ key, name }) => make("li", {}, swatch(key), name))),
    make("details", {}, make("summary", {}, "What the colours and patterns mean"),
      make("dl", { class: "meanings" }, ...all.map(({ key, name, text }) => make("div", {}, make("dt", {}, swatch(key), name), make("dd", {}, text))))),
  ];
}

/** The colours and patterns for a canvas, by key. Tiles are as wide as a column, so that each column shows its pattern. */
export function fills(pen, colour, ratio) {
  const tile = (height, marks) => {
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [3 * ratio, height * ratio].map(Math.round);
    const ink = canvas.getContext("2d");
    ink.scale(ratio, ratio);
    ink.fillStyle = colour("poll");
    ink.fillRect(0, 0, 3, height);
    ink.fillStyle = colour("ground");
    for (const mark of marks) ink.fillRect(...mark);
    const pattern = pen.createPattern(canvas, "repeat");
    pattern.setTransform(new DOMMatrix().scale(1 / ratio));
    return pattern;
  };
  return {
    ...Object.fromEntries(KINDS.map(({ key }) => [key, colour(key)])),
    connection: colour("poll"),
    listener: tile(3, [[2, 0, 1, 3]]),
    inbox: tile(4, [[1, 1, 1.5, 1.5]]),
    signals: tile(4, [[0, 2, 3, 2]]),
  };
}
