// What the server has sent, kept for a minute, for the parts of the page that draw it.
//
// All tabs of one page share one stream: a browser opens at most six connections to a server, and each stream uses one. The
// tab that has the lock reads the stream and passes messages on to the others; when it closes, the next one gets the lock.
// In a browser without locks, each tab reads a stream of its own.
//
// Events: "message" (a message has come), "gap" (the stream stood still: detail.from, .to), "state", "reset" (another
// server, or the same one started anew).

/** How long things are kept, in microseconds; and how many pieces at most. */
const KEPT = 60e6;
const PIECES = 30_000;
/** The server pushes ten times a second. A longer pause than this, in microseconds, is shown as a gap. */
const GAP = 170_000;
/** After how many milliseconds to try again when the browser has given up. */
const AGAIN = 2000;

export class Feed extends EventTarget {
  constructor(base) {
    super();
    this.base = base;
    this.state = "connecting";
    /** When the last message came, by this page's clock. */
    this.heard = performance.now();
    this.forget();
    this.channel = "BroadcastChannel" in window ? new BroadcastChannel(`oneloop ${new URL(base, location.href)}`) : null;
    if (this.channel) this.channel.onmessage = ({ data }) => this.hear(data);
    if (this.channel && navigator.locks) {
      navigator.locks.request(this.channel.name, () => new Promise(() => this.listen()));
    } else {
      this.listen();
    }
    this.fetchHistory();
  }

  forget() {
    this.boot = null;
    /** The server's time in the last message, in microseconds. */
    this.at = 0;
    this.next = 0;
    this.pieces = [];
    this.pushed = 0;
    this.unexplained = null;
    this.held = [];
    this.gaps = [];
    this.owns = [];
    this.numbers = null;
    this.open = null;
    this.routes = null;
    this.queues = null;
    this.dropped = 0;
    /** True when the stream has just begun: the time before its first message is no gap. */
    this.fresh = true;
  }

  // ---- The stream

  listen() {
    const source = new EventSource(`${this.base}stream`);
    source.onopen = () => this.say({ opened: true });
    source.onmessage = ({ data }) => this.say({ text: data });
    source.onerror = () => {
      this.say({ lost: true });
      if (source.readyState === EventSource.CLOSED) setTimeout(() => this.listen(), AGAIN);
    };
  }

  say(news) {
    this.hear(news);
    this.channel?.postMessage(news);
  }

  hear(news) {
    if (news.text) {
      this.heard = performance.now();
      this.setState("live");
      const message = JSON.parse(news.text);
      if (this.waiting) this.waiting.push(message);
      else this.take(message);
    } else if (news.opened) {
      this.fresh = true;
      this.setState("live");
    } else if (news.lost) {
      this.setState("lost");
    }
  }

  setState(state) {
    if (state === this.state) return;
    this.state = state;
    this.dispatchEvent(new Event("state"));
  }

  /** Asks for the history. Messages that come meanwhile are kept until it is here. */
  async fetchHistory() {
    if (this.waiting) return;
    this.waiting = [];
    try {
      const answer = await fetch(`${this.base}history?since=${this.next}`);
      if (answer.ok) this.take(await answer.json(), true);
    } catch {
      // Nothing to do: the stream notices that the server is gone.
    }
    const waiting = this.waiting;
    this.waiting = null;
    for (const message of waiting) this.take(message);
  }

  // ---- What is kept

  take(message, isHistory = false) {
    if (!message.boot) return;
    if (this.boot && this.boot !== message.boot) {
      this.forget();
      this.dispatchEvent(new Event("reset"));
    }
    this.boot = message.boot;
    if (message.next < this.next) return;
    if (!isHistory && this.next > 0 && message.from > this.next && !this.asked) {
      // Some messages were missed. The history is asked for once only.
      this.asked = true;
      this.waiting = null;
      this.fetchHistory();
      this.waiting.push(message);
      return;
    }
    this.asked = false;
    for (const told of message.iterations) {
      if (told.n >= this.next) this.pieces.push(piece(told));
    }
    for (const held of message.held) {
      if (!this.held.some((other) => other.n === held.n && other.b === held.b)) this.held.push(held);
    }
    this.next = message.next;
    this.dropped += message.dropped ?? 0;
    if (message.numbers) this.numbers = message.numbers;
    if (message.open) [this.open, this.routes] = [message.open, message.routes];
    if (message.queues) this.queues = message.queues;
    if (!isHistory) this.notice(message);
    this.at = Math.max(this.at, message.at);
    this.trim();
    this.dispatchEvent(new Event("message"));
  }

  notice(message) {
    this.owns.push({ at: message.at, turns: message.own[0], took: message.own[1] });
    // A gap can be explained only now: a message is made within an iteration, and that iteration comes with the next
    // message.
    const gap = this.unexplained;
    this.unexplained = null;
    if (gap) {
      gap.why = this.longest(gap.from, gap.to);
      this.dispatchEvent(new CustomEvent("gap", { detail: gap }));
    }
    const from = this.pushed;
    this.pushed = message.at;
    if (!this.fresh && from && message.at - from > GAP) {
      this.unexplained = { from, to: message.at, heard: this.heard, why: null };
      this.gaps.push(this.unexplained);
    }
    this.fresh = false;
  }

  trim() {
    const oldest = this.at - KEPT;
    let drop = Math.max(0, this.pieces.length - PIECES);
    while (drop < this.pieces.length && this.pieces[drop].t + this.pieces[drop].d < oldest) drop++;
    // Not at each message, since removing the first pieces moves all others.
    if (drop > 500 || (drop > 0 && this.pieces.length < 500)) this.pieces.splice(0, drop);
    this.held = this.held.slice(-200);
    this.gaps = this.gaps.slice(-50);
    while (this.owns.length > 0 && this.owns[0].at < this.at - 5e6) this.owns.shift();
  }

  // ---- Questions

  /** The index of the first piece that ends after `at`. */
  place(at) {
    let [low, high] = [0, this.pieces.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.pieces[middle].t + this.pieces[middle].d <= at) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** The pieces that overlap a span of time. */
  *between(from, to) {
    for (let at = this.place(from); at < this.pieces.length && this.pieces[at].t < to; at++) yield this.pieces[at];
  }

  /** The longest turn in a span of time, with its piece. */
  longest(from, to) {
    let found = null;
    for (const piece of this.between(from, to)) {
      for (const turn of piece.turns) {
        const inside = Math.min(piece.t + turn.b + turn.d, to) - Math.max(piece.t + turn.b, from);
        if (inside > 0 && turn.d > (found?.turn.d ?? 0)) found = { piece, turn };
      }
    }
    return found;
  }
}

/** Makes a piece of an iteration, or of several put together: names in place of the letters of a message. */
function piece(told) {
  const many = typeof told.w === "number";
  return {
    n: told.n,
    count: told.c ?? 1,
    t: told.t,
    d: told.d,
    many,
    wait: many ? { b: 0, d: told.w } : { b: told.w[0], d: told.w[1] },
    phases: told.p.map((phase) => (many ? { b: 0, d: phase } : { b: phase[0], d: phase[1] })),
    events: told.e ?? 0,
    ticks: told.k ?? 0,
    read: told.r ?? 0,
    sent: told.s ?? 0,
    own: told.o ?? 0,
    queues: told.q ?? [0, 0, 0, 0, 0, 0],
    turns: (told.u ?? []).map((turn) => ({
      phase: turn.p, kind: turn.f, b: turn.b, d: turn.d, label: turn.l ?? "", route: turn.rt ?? "", site: turn.a ?? "",
      callbacks: turn.c ?? 0, ticks: turn.k ?? 0, ticksTook: turn.kd ?? 0, own: turn.o === 1,
    })),
    others: told.m ?? [0, 0],
    sources: told.f ?? [],
    otherTicks: told.kt ?? [],
  };
}
