// Break it: each button says what to expect, runs the load, and says what was measured.

import { bytes, count, make, plural, time } from "/__loop/words.js";

const EXPERIMENTS = {
  block: {
    title: "Block the loop for 200 ms",
    text: "One request, GET /block, computes for 200 ms in its callback.",
    expect: "Everybody waits: the 20 clients, and this page. The ribbon stops, then shows one full block. On the thread pool one thread computes, and the others go on.",
    button: "Block it",
    measured: (r) => `The request itself took ${time(r.took)}.`,
    why: (r) => r.on === "loop"
      ? "One thread does one thing at a time. Until the callback returns, nothing is read, no timer runs, nothing is sent."
      : "The system gives the other threads their share of the processors meanwhile. That is what threads are good at.",
  },
  worker: {
    title: "The same work on the worker pool",
    text: "GET /worker hands the 200 ms of computing to worker::run.",
    expect: "Nobody waits for it. The answer takes its 200 ms, but the loop is free: the ribbon stays nearly empty, and the house shows one job.",
    button: "Hand it over",
    measured: (r) => `The request itself took ${time(r.took)}.`,
    why: () => "The work is on another thread. The loop only gets the result, in a poll phase.",
  },
  slices: {
    title: "The same work in slices",
    text: "GET /slices computes for 2 ms, and lets set_immediate call it again, a hundred times.",
    expect: "The loop is full for 200 ms, but nobody waits for long: between two slices all others have their turns.",
    button: "Slice it",
    measured: (r) => `The request itself took ${time(r.took)}.`,
    why: () => "An immediate that sets an immediate waits for the next iteration. In between is a poll phase, in which the clients are served.",
  },
  ticks: {
    title: "A storm of ticks",
    text: "GET /ticks has a tick set the next tick, for 200 ms. Before that it sets a timer of 1 ms.",
    expect: "No callback takes long, and yet everybody waits as if it were one: the tick queue is emptied before the loop does anything else. The timer comes far too late.",
    button: "Let it tick",
    measured: (r) => `${count(r.ticks ?? 0)} ticks ran. The timer of 1 ms came ${time(r.late ?? 0)} too late.`,
    why: () => "next_tick runs before the timer because ticks are no phase: they run right after the callback that set them, to the last one. Use set_immediate where others are to have a chance.",
  },
  "slow-clients": {
    title: "1,000 slow clients",
    text: "1,000 connections send their request one byte at a time, and never come to its end.",
    expect: "The loop holds 1,000 connections more, and the others wait a millisecond or so, most of them: a connection that says nothing costs no thread. A thread pool has a thread wait for each; with all threads waiting, everybody else waits too.",
    button: "Let them in",
    measured: (r) => `${plural(r.made, "connection")} sent bytes for ${time(r.took)}${r.connections === undefined ? "" : `; the loop had up to ${count(r.connections)} more connections than before`}.`,
    why: (r) => r.on === "loop"
      ? "The loop waits for all connections at once, in one call to the kernel. It has work only when a byte comes."
      : "Each of the threads waits for its client to finish. Nobody is left for those who are quick.",
  },
  "accept-flood": {
    title: "A flood of connections",
    text: "2,000 connections are made as fast as they can be, and closed at once.",
    expect: "The listening socket has many turns, which you see as poll time. The others wait a little: the loop accepts a limited number in a turn, so that nobody is forgotten.",
    button: "Open the gates",
    measured: (r) => `${plural(r.made, "connection")} came and went in ${time(r.took)}.`,
    why: (r) => r.on === "loop"
      ? "A turn accepts so many connections and no more. What is left of the flood waits for the next iteration, behind the others."
      : "A thread of its own accepts, and hands each connection to the pool, which finds it closed.",
  },
  "slow-reader": {
    title: "A large download to a slow reader",
    text: "GET /download answers with 8 MiB. Its client reads a little now and then.",
    expect: "The server writes no faster than the client reads: it holds a small part of it, not 8 MiB. The others wait a millisecond or so, most of them. On the thread pool one thread is busy with it all that time.",
    button: "Download slowly",
    measured: (r) => `${bytes(r.received)} went out in ${time(r.took)}${r.buffered === undefined ? "" : `; the server held at most ${bytes(r.buffered)}`}.`,
    why: (r) => r.on === "loop"
      ? "write says when it is enough, and on_drain when it may go on: that is backpressure."
      : "The thread stands still within its write until the client has read. Nothing else gets done on it meanwhile.",
  },
};

/** The results of the ordinary clients, which timed themselves. */
const ROWS = [
  ["requests during the trouble", (r) => count(r.during.count)],
  ["half of the answers came within", (r) => time(r.during.p50)],
  ["before the trouble: within", (r) => time(r.before.p50)],
  ["the longest took", (r) => time(r.during.max)],
  ["waited for 50 ms or more", (r) => count(r.during.waited)],
  ["got no answer", (r) => count(r.failed)],
];

export class Try {
  constructor(section, ribbon) {
    this.ribbon = ribbon;
    this.buttons = [];
    this.list = make("ul", { class: "experiments", role: "list" });
    section.append(
      make("h2", { id: "try-title" }, "Break it"),
      make("p", {}, "Each button starts a load: for one to four seconds, 20 ordinary clients ask for GET /hello 20 times a second each, over real connections from another thread. In the middle comes the trouble that the button is about. The clients time themselves: what is said of their waits is exact, and is marked by lines at the upper edge of the ribbon."),
      (this.twin = make("p", {}, "…")),
      this.list,
    );
    this.load();
  }

  async load() {
    const answer = await fetch("/demo");
    const { experiments, loop, pool, threads } = await answer.json();
    const titles = experiments.filter(({ name, pool }) => pool && EXPERIMENTS[name]).map(({ name }) => `“${EXPERIMENTS[name].title}”`);
    this.twin.textContent = `${titles.slice(0, -1).join(", ")} and ${titles.at(-1)} then go to the twin as well: the same handlers on ${threads} threads, at port ${pool}, beside this loop at port ${loop}. Each of its connections has a thread until it is over.`;
    for (const { name, pool } of experiments) {
      if (EXPERIMENTS[name]) this.list.append(this.card(name, EXPERIMENTS[name], pool));
    }
  }

  card(name, experiment, hasTwin) {
    const button = make("button", { type: "button" }, experiment.button);
    const state = make("p", { class: "quiet", role: "status" });
    const results = make("div");
    this.buttons.push(button);
    button.addEventListener("click", () => this.run(name, experiment, hasTwin, state, results));
    return make("li", { id: `try-${name}` },
      make("h3", {}, experiment.title), make("p", {}, experiment.text),
      make("p", {}, make("strong", {}, "Expect: "), experiment.expect), button, state, results);
  }

  async run(name, experiment, hasTwin, state, results) {
    for (const button of this.buttons) button.disabled = true;
    results.replaceChildren();
    const reports = [];
    try {
      for (const on of hasTwin ? ["loop", "pool"] : ["loop"]) {
        state.textContent = on === "loop" ? "The load runs against the loop …" : "The same load runs against the thread pool …";
        const answer = await fetch(`/try/${name}?on=${on}`, { method: "POST" });
        if (answer.status === 409) {
          state.textContent = `Wait: ${await answer.text()}`;
          break;
        }
        if (!answer.ok) throw new Error(await answer.text());
        const report = await answer.json();
        if (on === "loop") this.ribbon.mark(report.waits.map(([at, took]) => ({ from: at, to: at + took })));
        reports.push(report);
        results.replaceChildren(...this.results(experiment, reports));
      }
      if (reports.length > 0) state.textContent = "Measured:";
    } catch (error) {
      state.textContent = `That did not work: ${error.message}`;
    }
    for (const button of this.buttons) button.disabled = false;
  }

  /** Shows what the clients measured side by side, and below it what happened and why. */
  results(experiment, reports) {
    const where = (report) => (report.on === "loop" ? "this loop" : "thread pool");
    const head = reports.map((report) => make("th", { scope: "col", class: "number" }, where(report)));
    const rows = ROWS.map(([name, value]) => make("tr", {},
      make("th", { scope: "row" }, name), ...reports.map((report) => make("td", { class: "number" }, value(report)))));
    return [
      make("table", { class: "measured" },
        make("thead", {}, make("tr", {}, make("th", { scope: "col" }, "20 ordinary clients"), ...head)),
        make("tbody", {}, ...rows)),
      ...reports.map((report) => make("p", {},
        make("strong", {}, report.on === "loop" ? "On this loop: " : "On the thread pool: "),
        `${experiment.measured(report)} ${experiment.why(report)}`)),
    ];
  }
}
