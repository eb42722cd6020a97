// The house of the loop: its phases in their order, with the length of the queue before each of them.

import { PHASES, QUEUES, count, make, time } from "./words.js";

/** How this page itself shows up in a phase. */
const MORE = {
  pending: " (The connection of this page, which has a message to send ten times a second, is not counted.)",
  timers: " (One of them is this page’s own: it makes the messages.)",
};
/** Shares are over the last second, in microseconds. */
const OVER = 1e6;

export class House {
  constructor(section, feed) {
    this.feed = feed;
    const room = (key, name, text, more = "") => {
      const value = make("b", {}, "–");
      const unit = make("span");
      const share = make("i");
      share.style.color = `var(--${key})`;
      const shareText = make("p", { class: "quiet" });
      const item = make("li", { class: key },
        make("h3", {}, name), make("div", { class: "count" }, value, " ", unit),
        make("p", {}, text, more), shareText, make("div", { class: "share" }, share));
      return { item, value, unit, share, shareText };
    };
    this.rooms = PHASES.map((phase, at) => ({ phase, ...room(phase.key, `${at + 1} ${phase.name}`, phase.text, MORE[phase.key]) }));
    this.ticks = room("ticks", "After every callback: ticks",
      "What next_tick was given runs as soon as the callback that set it has returned, before anything else: before the next callback, the next phase and any timer. Ticks that set ticks keep the loop for themselves.");
    this.jobs = room("jobs", "Elsewhere: worker threads",
      "What worker::run was given runs on other threads. The loop goes on meanwhile, and gets the result in its poll phase.");
    for (const other of [this.ticks, this.jobs]) other.item.lastChild.remove();
    section.append(
      make("h2", { id: "house-title" }, "The house of the loop"),
      make("p", {}, "One iteration goes through these rooms from top to bottom, and then begins again, for as long as anything is left that could call back. Many tutorials begin with the timers: it is a circle, so that is the same order, and timers that are due when the loop starts run first here too. The numbers are what waited when iterations of the last second began, at most."),
      make("ol", { class: "rooms", role: "list" }, ...this.rooms.map((one) => one.item), this.ticks.item, this.jobs.item),
    );
    feed.addEventListener("message", () => this.update());
  }

  update() {
    const now = performance.now();
    // Nobody can read numbers that change ten times a second.
    if (now - (this.updated ?? 0) < 400) return;
    this.updated = now;
    const from = this.feed.at - OVER;
    const most = new Array(QUEUES.length).fill(0);
    const times = new Array(PHASES.length).fill(0);
    let [events, ticks, waited] = [0, 0, 0];
    for (const piece of this.feed.between(from, this.feed.at)) {
      piece.queues.forEach((length, at) => { most[at] = Math.max(most[at], length); });
      piece.phases.forEach((phase, at) => { times[at] += phase.d; });
      events = Math.max(events, Math.ceil(piece.events / piece.count));
      ticks += piece.ticks;
      waited += piece.wait.d;
    }
    const queue = (name) => most[QUEUES.indexOf(name)];
    this.rooms.forEach((room, at) => {
      const { phase } = room;
      const waiting = phase.queue === "events" ? events : queue(phase.queue);
      room.value.textContent = count(waiting);
      room.unit.textContent = (waiting === 1 && phase.queueNameOfOne) || phase.queueName;
      room.share.style.width = `${Math.min(100, (times[at] / OVER) * 100)}%`;
      const wait = phase.key === "poll" ? `waited ${time(Math.min(waited, OVER))}, ` : "";
      room.shareText.textContent = `In the last second: ${wait}worked ${time(times[at])}.`;
    });
    this.ticks.value.textContent = count(ticks);
    this.ticks.unit.textContent = "ran in the last second";
    this.jobs.value.textContent = count(queue("jobs"));
    this.jobs.unit.textContent = queue("jobs") === 1 ? "job handed out" : "jobs handed out";
  }
}
