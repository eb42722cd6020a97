// Words, units and elements for the other parts of the page.

/** The name of the page whose turns are marked. */
export const here = { name: "this page" };

/** The phases in the order of their numbers in the messages. */
export const PHASES = [
  {
    key: "pending", name: "Pending", queue: "ready", queueName: "on the ready list",
    text: "What was left over: output that callbacks wrote to other connections is sent, and a connection that had more to do than one turn may take goes on.",
  },
  {
    key: "poll", name: "Poll", queue: "events", queueName: "events from the last wait", queueNameOfOne: "event from the last wait",
    text: "The loop waits here until a socket has something, or a timer is due. Then each source that is ready has one turn: read, call the callbacks, write. An idle loop is here, and uses no processor.",
  },
  {
    key: "check", name: "Check", queue: "immediates", queueName: "immediates", queueNameOfOne: "immediate",
    text: "What set_immediate was given. Those that they set themselves wait for the next iteration, so that the others come in between.",
  },
  {
    key: "closing", name: "Closing", queue: "closing", queueName: "closing",
    text: "on_close of sockets and servers that are done.",
  },
  {
    key: "timers", name: "Timers", queue: "timers", queueName: "timers set", queueNameOfOne: "timer set",
    text: "set_timeout and set_interval, by their deadlines. “After 5 ms” means: in this phase, as soon as 5 ms have passed, and never sooner.",
  },
];

/** The index of each queue's length in the messages. */
export const QUEUES = ["timers", "ready", "immediates", "ticks", "closing", "jobs"];

/** A text for a duration, given in microseconds. */
export function time(us) {
  if (us >= 9_999_500) return `${(us / 1e6).toFixed(1)} s`;
  if (us >= 999_500) return `${(us / 1e6).toFixed(2)} s`;
  if (us >= 99_950) return `${(us / 1e3).toFixed(0)} ms`;
  if (us >= 1_000) return `${(us / 1e3).toFixed(us >= 10_000 ? 1 : 2)} ms`;
  if (us >= 10) return `${us.toFixed(0)} µs`;
  return `${us.toFixed(1)} µs`;
}

export function count(n) {
  return Math.round(n).toLocaleString("en");
}

export function plural(n, one, many = one + "s") {
  return `${count(n)} ${n === 1 ? one : many}`;
}

export function bytes(n) {
  if (n >= 1 << 20) return `${(n / (1 << 20)).toFixed(1)} MiB`;
  if (n >= 1 << 10) return `${(n / (1 << 10)).toFixed(1)} KiB`;
  return `${n} B`;
}

/** A text for the purpose of a turn. */
export function what(turn) {
  if (turn.label) return turn.label;
  const of = {
    timer: "a timer", immediate: "an immediate", listener: "new connections", connection: "a connection",
    signals: "a signal", inbox: "results from other threads",
  };
  return of[turn.kind] ?? "a turn";
}

/** Explains why a turn may take long although it does little. */
export function sharing() {
  const local = /^(localhost|127\.[\d.]+|\[::1\])$/.test(location.hostname);
  return local ? `This browser and the server share ${plural(navigator.hardwareConcurrency, "processor")}: a short turn may become a long one by waiting for a processor.` : "";
}

/** Makes an element with attributes and content. Strings are inserted as text, never as markup. */
export function make(name, attributes = {}, ...content) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key in element && typeof value !== "string") element[key] = value;
    else element.setAttribute(key, value);
  }
  element.append(...content);
  return element;
}
