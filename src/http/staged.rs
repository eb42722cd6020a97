//! How the parts of a response go through its [stages](super::stages).

use super::error::Error;
use super::exchange::Exchange;
use super::stages::{Asked, End, Ending, Last, Stage, Stages};
use crate::callback::discard;
use crate::event_loop::set_immediate;
use crate::net::{Chunk, CloseReason, FilePart, Flow};
use crate::notice;
use std::rc::Rc;

impl Exchange {
    /// Adds a stage before those that are there. Does nothing if the head was sent.
    pub(super) fn add_stage(&self, stage: Rc<dyn Stage>) {
        if self.outgoing().is_changeable() && !self.is_over() {
            self.stages_or_new().add(stage);
        }
    }

    /// Sends a part of the content, or all of it, through the stages.
    #[cold]
    pub(super) fn send_staged(self: &Rc<Self>, stages: &Stages, chunk: Chunk<'_>, last: bool) -> Flow {
        if !self.is_carried() {
            return Flow::Closed;
        }
        if last {
            match self.ask_all(stages) {
                Asked::GoesOn => {}
                Asked::Failed => return Flow::Closed,
                _ => {
                    stages.keep(Last::Bytes(chunk.into_static()));
                    return Flow::Ready;
                }
            }
        }
        self.pass(stages, chunk, last)
    }

    /// Sends a part of a file, which passes by the coders.
    #[cold]
    pub(super) fn send_file_staged(self: &Rc<Self>, stages: &Stages, part: FilePart, last: bool) -> Flow {
        if last {
            match self.ask_all(stages) {
                Asked::GoesOn => {}
                Asked::Failed => return Flow::Closed,
                _ => {
                    stages.keep(Last::File(part));
                    return Flow::Ready;
                }
            }
        }
        self.pass_file(stages, part, last)
    }

    /// Shows the head to the stages, before it is sent without any content.
    #[cold]
    pub(super) fn begin_staged(&self, stages: &Stages) {
        self.begin_to_pass(stages, None, true);
    }

    /// The connection has sent everything. Returns whether more waits in the stages, and goes on in the next iteration.
    #[cold]
    pub(super) fn stages_go_on(self: &Rc<Self>, stages: &Stages) -> bool {
        stages.passing.borrow_mut().full = false;
        self.go_on_soon(stages);
        stages.passing.borrow().wants_a_turn()
    }

    // ---- The end

    /// The program has ended the response: asks one stage after the other.
    fn ask_all(self: &Rc<Self>, stages: &Stages) -> Asked {
        self.outgoing().hold_end();
        stages.begin_to_ask();
        self.ask_on(stages)
    }

    fn ask_on(self: &Rc<Self>, stages: &Stages) -> Asked {
        while let Some(stage) = stages.next_to_ask() {
            stages.set_asked(Asked::Now);
            stage.end(End::of(self.clone()));
            match stages.set_asked(Asked::Nobody) {
                Asked::GoesOn => {}
                Asked::Failed => return Asked::Failed,
                _ => {
                    stages.set_asked(Asked::Waits);
                    return Asked::Waits;
                }
            }
        }
        Asked::GoesOn
    }

    // ---- The head and the content

    fn begin_to_pass(&self, stages: &Stages, known: Option<u64>, passes: bool) {
        if !std::mem::replace(&mut stages.passing.borrow_mut().begun, true) {
            stages.begin(self.head(), &mut self.outgoing().head().borrow_mut(), known, passes);
        }
    }

    fn pass(self: &Rc<Self>, stages: &Stages, chunk: Chunk<'_>, last: bool) -> Flow {
        self.begin_to_pass(stages, last.then_some(chunk.len() as u64), true);
        let mut passing = stages.passing.borrow_mut();
        if !passing.has_coders() {
            drop(passing);
            return self.give(chunk, last);
        }
        if passing.count(chunk.len(), last).is_err() {
            drop(passing);
            self.belied_its_length();
            return Flow::Closed;
        }
        let (coded, whole) = passing.take(chunk, last);
        drop(passing);
        let flow = self.give_coded(stages, coded, whole);
        if whole || flow == Flow::Closed {
            return flow;
        }
        self.go_on_soon(stages);
        if stages.passing.borrow().waiting() == 0 {
            return flow;
        }
        self.outgoing().set_full();
        Flow::Full
    }

    fn pass_file(&self, stages: &Stages, part: FilePart, last: bool) -> Flow {
        self.begin_to_pass(stages, None, false);
        self.give_file(part, last)
    }

    fn give_coded(&self, stages: &Stages, coded: Vec<u8>, whole: bool) -> Flow {
        let flow = self.give(coded.into(), whole);
        let mut passing = stages.passing.borrow_mut();
        // With a limit for its output, the response goes on until it gets there.
        passing.full = flow.is_full() && self.outgoing().pending_limit() == usize::MAX;
        if flow == Flow::Closed {
            passing.drop_coders();
        }
        flow
    }

    /// Goes on in the next iteration, if there is anything to do and the connection has sent enough.
    fn go_on_soon(self: &Rc<Self>, stages: &Stages) {
        let mut passing = stages.passing.borrow_mut();
        if !passing.full && passing.wants_a_turn() && !passing.scheduled {
            passing.scheduled = true;
            let exchange = self.clone();
            set_immediate(move || {
                if let Some(stages) = exchange.stages() {
                    exchange.turn_of_the_stages(stages);
                }
            });
        }
    }

    fn turn_of_the_stages(self: &Rc<Self>, stages: &Stages) {
        let mut passing = stages.passing.borrow_mut();
        passing.scheduled = false;
        if self.is_closed() {
            return passing.drop_coders();
        }
        if !passing.wants_a_turn() {
            return;
        }
        let (coded, whole) = passing.go_on();
        drop(passing);
        if self.give_coded(stages, coded, whole) == Flow::Closed || whole {
            return;
        }
        self.go_on_soon(stages);
        if self.outgoing().is_full() && stages.passing.borrow().waiting() == 0 {
            self.tell_drain();
        }
    }

    #[cold]
    fn belied_its_length(&self) {
        notice::error!(
            target: "oneloop::http",
            "{self}: the body does not match its Content-Length; the connection is closed"
        );
        self.outgoing().break_off(CloseReason::BadResponse);
        self.cut(CloseReason::BadResponse);
    }

    /// Drops the stages, and what waits there, because the exchange is over.
    #[cold]
    pub(super) fn end_stages(stages: &Stages) {
        discard(stages.take_all());
    }
}

impl Ending for Exchange {
    fn go_on(self: Rc<Self>) {
        let Some(stages) = self.stages().filter(|_| self.is_carried()) else { return };
        if stages.asked() == Asked::Now {
            stages.set_asked(Asked::GoesOn);
        } else if stages.asked() == Asked::Waits
            && self.ask_on(stages) == Asked::GoesOn
            && let Some(last) = stages.take_last()
        {
            match last {
                Last::Bytes(chunk) => self.pass(stages, chunk, true),
                Last::File(part) => self.pass_file(stages, part, true),
            }
            .ignore();
        }
    }

    fn fail_end(self: Rc<Self>, error: Error) {
        let Some(stages) = self.stages().filter(|_| self.is_carried()) else { return };
        if matches!(stages.asked(), Asked::Now | Asked::Waits) {
            stages.set_asked(Asked::Failed);
            discard(stages.take_last());
            self.outgoing().take_back();
            self.fail(error);
        }
    }
}
