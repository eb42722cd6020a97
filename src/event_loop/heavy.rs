//! Heavy work: what takes so long, and cannot be interrupted, that all sources together have a budget for it in each iteration. It is the
//! handshakes of TLS, which sign: one signature takes as long as many requests. Sources that find the budget used up wait in a line of
//! their own. They get turns at the end of the pending phase, and no more of them than there is budget for: a thousand that wait cost the
//! others nothing.

use super::{Loop, Phase, Token};
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Duration;

/// How long pieces of work may take in one iteration before no other one begins. So a cheap one (the second step of a handshake) goes with
/// others, and of those that sign there is one.
const BUDGET: Duration = Duration::from_micros(100);
/// How many pieces there are in one iteration at most, if the clock stands still.
const PIECES: u32 = 8;
/// How many turns those that wait get in one iteration at most: a turn may find that there is nothing to do any more.
const TURNS: u32 = 64;

#[derive(Default)]
pub(super) struct Heavy {
    /// Those that wait, each once.
    waiting: RefCell<VecDeque<Token>>,
    /// The iteration in which work was last done; how long it took there, and of how many pieces it was.
    iteration: Cell<u64>,
    took: Cell<Duration>,
    pieces: Cell<u32>,
}

impl Heavy {
    fn has_budget(&self, iteration: u64) -> bool {
        self.iteration.get() != iteration || (self.took.get() < BUDGET && self.pieces.get() < PIECES)
    }

    fn add(&self, iteration: u64, took: Duration) {
        if self.iteration.replace(iteration) != iteration {
            self.took.set(Duration::ZERO);
            self.pieces.set(0);
        }
        self.took.set(self.took.get() + took);
        self.pieces.set(self.pieces.get() + 1);
    }

    pub fn teardown(&self) {
        self.waiting.take();
    }
}

impl Loop {
    /// Returns whether a piece of heavy work may be done in this iteration. If not, call [`Loop::wait_for_heavy`].
    pub(crate) fn may_do_heavy(&self) -> bool {
        self.heavy.has_budget(self.iteration())
    }

    /// Does a piece of heavy work.
    pub(crate) fn do_heavy<R>(&self, work: impl FnOnce() -> R) -> R {
        let began = self.exact_now();
        let result = work();
        self.heavy.add(self.iteration(), self.exact_now().saturating_sub(began));
        result
    }

    /// Gives a source a turn as soon as there is budget for it, after those that wait already. The source itself makes sure that it waits
    /// only once, and not on the ready list.
    pub(crate) fn wait_for_heavy(&self, token: Token) {
        let mut waiting = self.heavy.waiting.borrow_mut();
        waiting.push_back(token);
        if waiting.len() == 1 {
            self.make_ready(Token::HEAVY);
        }
    }

    /// Gives turns to those that wait, while there is budget. The token of all of them stands on the ready list for as long as any waits.
    pub(super) fn run_heavy(self: &Rc<Self>) {
        for _ in 0..TURNS {
            if self.is_halted() || !self.may_do_heavy() {
                break;
            }
            let token = self.heavy.waiting.borrow_mut().pop_front();
            let Some(token) = token else { return };
            self.give_turn(Phase::Pending, token, |source| source.resume(self));
        }
        if !self.heavy.waiting.borrow().is_empty() {
            self.make_ready(Token::HEAVY);
        }
    }
}
