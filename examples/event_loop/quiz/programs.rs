//! The programs of the quiz. The page shows their bodies.

use super::{Program, Say};
use oneloop::{net, next_tick, set_immediate, set_timeout, worker};
use std::thread::sleep;
use std::time::Duration;

pub const ALL: &[Program] = &[
    Program {
        name: "four-ways",
        title: "Four ways to be called",
        run: four_ways,
        lines: &[
            ("callback", "It runs now: nothing can come between the lines of a callback."),
            ("tick", "As soon as the callback has returned, before the loop does anything else."),
            ("immediate", "In the check phase, which comes next after the poll phase that this request was read in."),
            (
                "timeout",
                "In the timers phase, once a millisecond has passed: 0 counts as 1, as in Node. It is the last phase.",
            ),
        ],
    },
    Program {
        name: "ticks",
        title: "A tick that sets a tick",
        run: ticks,
        lines: &[
            ("callback", "The callback itself."),
            ("first tick", "Ticks run in the order in which they were set."),
            ("second tick", "Set before the one that the first tick has set."),
            (
                "tick of the first tick",
                "The tick queue is emptied to the end, with all that was added meanwhile. A tick that always sets another keeps the loop for itself.",
            ),
            ("immediate", "Only now may the loop go on to its next phase."),
        ],
    },
    Program {
        name: "immediates",
        title: "An immediate that sets an immediate",
        run: immediates,
        lines: &[
            ("first immediate", "In the check phase of the iteration that read this request."),
            ("tick of the first immediate", "Ticks run after every callback, not only at the end of a phase."),
            ("second immediate", "The same check phase."),
            (
                "immediate of the first immediate",
                "The check phase runs what was there when it began. This one waits for the next iteration, so that others have their turns in between: that is the difference from a tick.",
            ),
        ],
    },
    Program {
        name: "deadlines",
        title: "Timers, and a callback that takes too long",
        run: deadlines,
        lines: &[
            ("blocked for 30 ms", "Both timers become due while it runs, and neither can do anything about it."),
            ("immediate", "The check phase is before the timers phase, however late the timers are."),
            ("10 ms", "Due timers run in the order of their deadlines, not in the order in which they were set."),
            ("20 ms", "In the same timers phase, right behind it."),
        ],
    },
    Program {
        name: "sockets",
        title: "A connection comes and goes",
        run: sockets,
        lines: &[
            (
                "callback",
                "The callback itself. To connect takes a while: the loop is told of it by the wait of a later poll phase.",
            ),
            ("connected", "In that poll phase."),
            ("tick", "Right behind the callback that set it."),
            ("immediate", "The next phase. After I/O an immediate always comes before a timer."),
            ("closed", "Its own phase, behind the check phase."),
            ("timeout", "The last phase, once a millisecond has passed."),
        ],
    },
    Program {
        name: "workers",
        title: "Work on another thread",
        run: workers,
        lines: &[
            ("callback", "The callback itself: the work has only been handed over."),
            ("tick", "Right behind it."),
            ("immediate", "The loop goes on while the worker works."),
            ("result", "A poll phase in which the loop is told that the worker is done."),
            ("timeout", "A timers phase, a millisecond or more after the result that set it."),
        ],
    },
];

fn four_ways(say: Say) {
    set_timeout(Duration::ZERO, say.later("timeout"));
    set_immediate(say.later("immediate"));
    next_tick(say.later("tick"));
    say.now("callback");
}

fn ticks(say: Say) {
    set_immediate(say.later("immediate"));
    let inner = say.clone();
    next_tick(move || {
        next_tick(inner.later("tick of the first tick"));
        inner.now("first tick");
    });
    next_tick(say.later("second tick"));
    say.now("callback");
}

fn immediates(say: Say) {
    let inner = say.clone();
    set_immediate(move || {
        set_immediate(inner.later("immediate of the first immediate"));
        next_tick(inner.later("tick of the first immediate"));
        inner.now("first immediate");
    });
    set_immediate(say.later("second immediate"));
}

fn deadlines(say: Say) {
    set_timeout(Duration::from_millis(20), say.later("20 ms"));
    set_timeout(Duration::from_millis(10), say.later("10 ms"));
    set_immediate(say.later("immediate"));
    sleep(Duration::from_millis(30));
    say.now("blocked for 30 ms");
}

fn sockets(say: Say) {
    let inner = say.clone();
    net::connect(say.server(), move |socket| {
        set_timeout(Duration::ZERO, inner.later("timeout"));
        set_immediate(inner.later("immediate"));
        next_tick(inner.later("tick"));
        let closing = inner.clone();
        socket.on_close(move |_, _| closing.now("closed"));
        socket.destroy();
        inner.now("connected");
    });
    say.now("callback");
}

fn workers(say: Say) {
    let inner = say.clone();
    worker::run(
        || sleep(Duration::from_millis(5)),
        move |_| {
            inner.now("result");
            set_timeout(Duration::ZERO, inner.later("timeout"));
        },
    );
    set_immediate(say.later("immediate"));
    next_tick(say.later("tick"));
    say.now("callback");
}
