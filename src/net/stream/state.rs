//! The state of a stream. All that moves it stands in this file, which does no I/O and calls nobody.
//!
//! A stream has a life, and within it two halves, reading and writing, which end independently of each other.
//!
//! ```text
//!   Life      Connecting ──Connected──► Open ──Finish──► Finishing ──Linger──► Lingering
//!                 └──────────────────────┴──────── Close ──────┴──────────────────┴──► Closed
//!
//!   Reading   Waiting ──Readable──► Ready ──PeerClosed──► Ending ──InputEnded──► Ended
//!                ▲ └──────────────────┼─── PeerClosed ──────▲ │
//!                └─────── Drained ────┴───────────────────────┘          (Ready ──InputEnded──► Ended, too)
//!
//!   Writing   Open ──End──► Ending ──FinSent or Linger──► Ended
//!              ├─────────────────────────── Linger ─────────▲
//!              └─LastMessage──► LastMessage ──LastWritten──► LastWritten ──Linger──► Ended
//!             each of them ──WriteFailed──► Failed
//! ```
//! Beside these stand six facts, each moved by the two events that name it: paused, blocked, the protocol is told of what was
//! sent, queued, the protocol wants a turn, not referenced.

use std::cell::Cell;

/// How far the connection has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Life {
    /// Output is kept until there is a connection.
    Connecting,
    Open,
    /// Closes when the output is gone; input is discarded.
    Finishing,
    /// Our FIN is sent, and input is discarded until the peer's FIN comes, so that the peer can read what was sent last. If
    /// the last message was cut short, no FIN is sent and a reset follows.
    Lingering,
    /// The last state; nothing leaves it.
    Closed,
}

/// The half that receives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Reading {
    /// Nothing to read until the kernel tells of input.
    Waiting,
    /// The kernel may have input.
    Ready,
    /// The same, and an event said that the peer has ended its side: a short read is not the end of the input.
    Ending,
    /// The end was read.
    Ended,
}

/// The half that sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Writing {
    Open,
    /// Our FIN follows the output.
    Ending,
    /// Our FIN is sent.
    Ended,
    /// A message is being written that ends with the connection. A close from here on is a reset, since a FIN would make the
    /// part that was sent look whole.
    LastMessage,
    /// All of that message is written. A close is a reset until all of it is sent.
    LastWritten,
    /// A write failed. The stream closes in its next turn.
    Failed,
}

/// What happens to a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Event {
    /// The connection is there.
    Connected,
    /// It is to close when the output is gone.
    Finish,
    /// The output of a finishing stream is gone.
    Linger,
    Close,

    /// The kernel told of input.
    Readable,
    /// The kernel told that the peer has ended its side.
    PeerClosed,
    /// The kernel has no input left.
    Drained,
    /// The end of the input was read.
    InputEnded,
    Pause,
    Unpause,

    /// The kernel refused output.
    Refused,
    /// The kernel may take output again.
    Writable,
    /// Our side is to end when the output is gone.
    End,
    FinSent,
    /// A message begins that ends with the connection.
    LastMessage,
    /// All of that message was written.
    LastWritten,
    WriteFailed,
    /// The protocol wants to be told when output was sent.
    TellSent,
    /// The protocol was told that all output was sent, or another protocol has taken over.
    ToldAll,

    /// It is to be put on the ready list.
    Queue,
    /// It was taken from the ready list.
    Dequeue,
    /// The protocol asks for a turn.
    WantTurn,
    /// The protocol gets the turn that it asked for.
    GiveTurn,
    /// The loop need not go on for it.
    Unref,
    Ref,
}

/// Facts, a bit each.
mod fact {
    pub const PAUSED: u8 = 1;
    pub const BLOCKED: u8 = 1 << 1;
    pub const TELLS_SENT: u8 = 1 << 2;
    pub const QUEUED: u8 = 1 << 3;
    pub const WANTS_TURN: u8 = 1 << 4;
    pub const UNREF: u8 = 1 << 5;
}

/// See the module's docs. Four bytes, of which an event touches only those that it moves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct State {
    life: Cell<Life>,
    reading: Cell<Reading>,
    writing: Cell<Writing>,
    facts: Cell<u8>,
}

impl State {
    /// Of a connection that is to be made.
    pub fn connecting() -> State {
        State::begin(Life::Connecting)
    }

    /// Of a connection that is there.
    pub fn open() -> State {
        State::begin(Life::Open)
    }

    fn begin(life: Life) -> State {
        State {
            life: Cell::new(life),
            reading: Cell::new(Reading::Waiting),
            writing: Cell::new(Writing::Open),
            facts: Cell::new(0),
        }
    }

    /// The one way to move it. Returns whether the event has changed anything; an event that is out of place changes nothing.
    #[inline(always)]
    pub fn on(&self, event: Event) -> bool {
        let life = self.life.get();
        if life == Life::Closed {
            return false;
        }
        match event {
            Event::Connected | Event::Finish | Event::Linger | Event::Close => self.live(life, event),
            Event::Readable | Event::PeerClosed | Event::Drained | Event::InputEnded => self.read(life, event),
            Event::End | Event::FinSent | Event::LastMessage | Event::LastWritten | Event::WriteFailed => {
                self.write(life, event)
            }
            Event::Pause => self.note(fact::PAUSED, true),
            Event::Unpause => self.note(fact::PAUSED, false),
            Event::Refused => self.note(fact::BLOCKED, true),
            Event::Writable => self.note(fact::BLOCKED, false),
            Event::TellSent => self.note(fact::TELLS_SENT, true),
            Event::ToldAll => self.note(fact::TELLS_SENT, false),
            Event::Queue => self.note(fact::QUEUED, true),
            Event::Dequeue => self.note(fact::QUEUED, false),
            Event::WantTurn => self.note(fact::WANTS_TURN, true),
            Event::GiveTurn => self.note(fact::WANTS_TURN, false),
            Event::Unref => self.note(fact::UNREF, true),
            Event::Ref => self.note(fact::UNREF, false),
        }
    }

    #[inline(always)]
    fn live(&self, life: Life, event: Event) -> bool {
        self.life.set(match (life, event) {
            (Life::Connecting, Event::Connected) => Life::Open,
            (Life::Open, Event::Finish) => {
                self.note(fact::PAUSED, false);
                Life::Finishing
            }
            (Life::Finishing, Event::Linger) => {
                if !matches!(self.writing.get(), Writing::LastMessage | Writing::Failed) {
                    self.writing.set(Writing::Ended);
                }
                Life::Lingering
            }
            (_, Event::Close) => Life::Closed,
            _ => return false,
        });
        true
    }

    #[inline(always)]
    fn read(&self, life: Life, event: Event) -> bool {
        if life == Life::Connecting {
            return false;
        }
        self.reading.set(match (self.reading.get(), event) {
            (Reading::Waiting, Event::Readable) => Reading::Ready,
            (Reading::Waiting | Reading::Ready, Event::PeerClosed) => Reading::Ending,
            (Reading::Ready | Reading::Ending, Event::Drained) => Reading::Waiting,
            (Reading::Ready | Reading::Ending, Event::InputEnded) => Reading::Ended,
            _ => return false,
        });
        true
    }

    #[inline(always)]
    fn write(&self, life: Life, event: Event) -> bool {
        self.writing.set(match (self.writing.get(), event, life) {
            (Writing::Open, Event::End, Life::Open | Life::Connecting) => Writing::Ending,
            (Writing::Ending, Event::FinSent, Life::Open) => Writing::Ended,
            (Writing::Open, Event::LastMessage, Life::Open) => Writing::LastMessage,
            (Writing::LastMessage, Event::LastWritten, Life::Open) => Writing::LastWritten,
            (Writing::Failed, ..) => return false,
            (_, Event::WriteFailed, _) => Writing::Failed,
            _ => return false,
        });
        true
    }

    #[inline(always)]
    fn note(&self, fact: u8, holds: bool) -> bool {
        let facts = self.facts.get();
        self.facts.set(if holds { facts | fact } else { facts & !fact });
        (facts & fact != 0) != holds
    }

    /// Whether output of the protocol is for the peer.
    #[inline]
    fn writes(&self) -> bool {
        matches!(self.life.get(), Life::Open | Life::Connecting)
    }

    // ---- Life

    #[inline]
    pub fn is_connecting(&self) -> bool {
        self.life.get() == Life::Connecting
    }

    #[inline]
    pub fn is_open(&self) -> bool {
        self.life.get() == Life::Open
    }

    #[inline]
    pub fn is_finishing(&self) -> bool {
        self.life.get() == Life::Finishing
    }

    #[inline]
    pub fn is_lingering(&self) -> bool {
        self.life.get() == Life::Lingering
    }

    #[inline]
    pub fn is_closed(&self) -> bool {
        self.life.get() == Life::Closed
    }

    // ---- Reading

    /// Returns whether the kernel may have input.
    #[inline]
    pub fn is_readable(&self) -> bool {
        matches!(self.reading.get(), Reading::Ready | Reading::Ending)
    }

    /// Returns whether the peer has ended its side, as far as is known, whether its end was read or not.
    #[inline]
    pub fn has_peer_closed(&self) -> bool {
        matches!(self.reading.get(), Reading::Ending | Reading::Ended)
    }

    /// Returns whether the peer's end of the input was read.
    #[inline]
    pub fn has_input_ended(&self) -> bool {
        self.reading.get() == Reading::Ended
    }

    /// Returns whether input is discarded: the stream is about to close.
    #[inline]
    pub fn discards_input(&self) -> bool {
        matches!(self.life.get(), Life::Finishing | Life::Lingering)
    }

    // ---- Writing

    /// Returns whether the protocol may write.
    #[inline]
    pub fn takes_output(&self) -> bool {
        self.writes() && matches!(self.writing.get(), Writing::Open | Writing::LastMessage | Writing::LastWritten)
    }

    /// Returns whether output can be given to the kernel now.
    #[inline]
    pub fn sends(&self) -> bool {
        self.facts.get() & fact::BLOCKED == 0 && self.writing.get() != Writing::Failed
    }

    /// Returns whether our side has ended, or ends when the output is gone.
    #[inline]
    pub fn ends_output(&self) -> bool {
        matches!(self.writing.get(), Writing::Ending | Writing::Ended)
    }

    /// Returns whether our FIN follows the output.
    #[inline]
    pub fn owes_fin(&self) -> bool {
        self.life.get() == Life::Open && self.writing.get() == Writing::Ending
    }

    /// Returns whether our FIN was sent.
    #[inline]
    pub fn has_sent_fin(&self) -> bool {
        self.writing.get() == Writing::Ended
    }

    /// Returns whether a part is missing of a message that ends with the connection.
    #[inline]
    pub fn is_cut_short(&self) -> bool {
        self.writing.get() == Writing::LastMessage
    }

    /// Returns whether a message that ends with the connection is written whole.
    #[inline]
    pub fn has_last_written(&self) -> bool {
        self.writing.get() == Writing::LastWritten
    }

    #[inline]
    pub fn has_write_failed(&self) -> bool {
        self.writing.get() == Writing::Failed
    }

    /// Returns whether something is to happen once output was sent.
    #[inline]
    pub fn awaits_output(&self) -> bool {
        self.facts.get() & fact::TELLS_SENT != 0
            || self.writing.get() == Writing::Ending
            || self.life.get() == Life::Finishing
    }

    // ---- Facts

    /// Returns whether the protocol does not want input now.
    #[inline]
    pub fn is_paused(&self) -> bool {
        self.facts.get() & fact::PAUSED != 0
    }

    /// Returns whether the kernel has refused output, and has not asked for more since.
    #[inline]
    pub fn is_blocked(&self) -> bool {
        self.facts.get() & fact::BLOCKED != 0
    }

    /// Returns whether the protocol wants to be told when output was sent.
    #[inline]
    pub fn tells_sent(&self) -> bool {
        self.facts.get() & fact::TELLS_SENT != 0
    }

    /// Returns whether the loop goes on for it.
    #[inline]
    pub fn is_referenced(&self) -> bool {
        self.facts.get() & fact::UNREF == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::{BTreeSet, HashSet};

    const EVENTS: [Event; 25] = [
        Event::Connected,
        Event::Finish,
        Event::Linger,
        Event::Close,
        Event::Readable,
        Event::PeerClosed,
        Event::Drained,
        Event::InputEnded,
        Event::Pause,
        Event::Unpause,
        Event::Refused,
        Event::Writable,
        Event::End,
        Event::FinSent,
        Event::LastMessage,
        Event::LastWritten,
        Event::WriteFailed,
        Event::TellSent,
        Event::ToldAll,
        Event::Queue,
        Event::Dequeue,
        Event::WantTurn,
        Event::GiveTurn,
        Event::Unref,
        Event::Ref,
    ];

    /// Every state that can be reached, with what each event makes of it.
    fn walk() -> Vec<(State, Event, State)> {
        let mut left = vec![State::connecting(), State::open()];
        let mut seen: HashSet<String> = left.iter().map(|state| format!("{state:?}")).collect();
        let mut steps = Vec::new();
        while let Some(from) = left.pop() {
            for event in EVENTS {
                let to = from.clone();
                assert_eq!(to.on(event), to != from, "{from:?} {event:?}");
                if seen.insert(format!("{to:?}")) {
                    left.push(to.clone());
                }
                steps.push((from.clone(), event, to));
            }
        }
        steps
    }

    /// The arrows of one half, or of the life, as they are drawn.
    fn arrows<T: Copy + PartialEq + std::fmt::Debug>(part: impl Fn(&State) -> T) -> BTreeSet<String> {
        let moved = walk().into_iter().filter(|(from, _, to)| part(from) != part(to));
        moved.map(|(from, event, to)| format!("{:?} {event:?} {:?}", part(&from), part(&to))).collect()
    }

    fn drawn(text: &str) -> BTreeSet<String> {
        text.lines().map(|line| line.trim().to_owned()).filter(|line| !line.is_empty()).collect()
    }

    #[test]
    fn the_states_move_along_the_arrows_that_are_drawn_and_along_no_others() {
        let life = "Connecting Connected Open
            Open Finish Finishing
            Finishing Linger Lingering
            Connecting Close Closed
            Open Close Closed
            Finishing Close Closed
            Lingering Close Closed";
        assert_eq!(arrows(|state| state.life.get()), drawn(life));
        let reading = "Waiting Readable Ready
            Waiting PeerClosed Ending
            Ready PeerClosed Ending
            Ready Drained Waiting
            Ending Drained Waiting
            Ready InputEnded Ended
            Ending InputEnded Ended";
        assert_eq!(arrows(|state| state.reading.get()), drawn(reading));
        let writing = "Open End Ending
            Ending FinSent Ended
            Open Linger Ended
            Ending Linger Ended
            Open LastMessage LastMessage
            LastMessage LastWritten LastWritten
            LastWritten Linger Ended
            Open WriteFailed Failed
            Ending WriteFailed Failed
            Ended WriteFailed Failed
            LastMessage WriteFailed Failed
            LastWritten WriteFailed Failed";
        assert_eq!(arrows(|state| state.writing.get()), drawn(writing));
    }

    #[test]
    fn an_event_moves_its_own_part_and_nothing_leaves_the_last_state() {
        for (from, event, to) in walk() {
            assert!(!from.is_closed() || from == to, "{from:?} {event:?}");
            let parts = [from.reading != to.reading, from.writing != to.writing, from.facts != to.facts];
            let moved = parts.into_iter().filter(|moved| *moved).count() + usize::from(from.life != to.life);
            let both = matches!(event, Event::Finish | Event::Linger);
            assert!(moved <= 1 || both && moved == 2, "{from:?} {event:?} {to:?}");
        }
    }

    #[test]
    fn what_a_stream_does_in_a_state_is_what_the_state_allows() {
        for (state, ..) in walk() {
            // Nothing can be read before there is a connection, nor behind the end of the input.
            assert!(!(state.is_connecting() && state.is_readable()));
            assert!(!(state.has_input_ended() && state.is_readable()));
            // Who is about to close takes no output.
            assert!(!(state.discards_input() && state.takes_output()));
            assert!(!(state.has_write_failed() && (state.takes_output() || state.sends())));
            assert!(!(state.ends_output() && state.takes_output()));
            // A FIN would make a message whole that is cut short.
            assert!(!(state.is_cut_short() && state.has_sent_fin()));
            assert!(!state.is_lingering() || state.has_sent_fin() || state.is_cut_short() || state.has_write_failed());
        }
    }
}
