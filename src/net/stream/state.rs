//! The state of a stream. Only this file changes it. It does no I/O and calls no other code.
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
//! Besides, there are six facts, each true or false, and each with one event that sets it and one that clears it: paused,
//! blocked, the protocol is told when output was sent, queued, the protocol wants a turn, not referenced.

use std::cell::Cell;

/// The phase of a stream's life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Life {
    /// There is no connection yet. Output is kept until there is one.
    Connecting = 1,
    Open = 1 << 1,
    /// The stream lingers or closes when all output was sent. Input is discarded.
    Finishing = 1 << 2,
    /// Our FIN was sent. Input is discarded until the peer's FIN comes, so that the peer can read our last bytes. If the
    /// last message was cut short, no FIN is sent and a reset follows.
    Lingering = 1 << 3,
    /// The last state; nothing leaves it.
    Closed = 1 << 4,
}

/// The state of the half that receives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reading {
    /// There is nothing to read, and the kernel will report when there is.
    Waiting = 1 << 5,
    /// The kernel may have input.
    Ready = 1 << 6,
    /// As `Ready`, and an event has reported that the peer has ended its side. So there is something left to read even
    /// after a short read: the end.
    Ending = 1 << 7,
    /// The end of the input was read.
    Ended = 1 << 8,
}

/// The state of the half that sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Writing {
    Open = 1 << 9,
    /// Our FIN will follow the pending output.
    Ending = 1 << 10,
    /// Our FIN is sent.
    Ended = 1 << 11,
    /// A message is being written whose end is the end of the connection. A close in this state is a reset, since a FIN
    /// would make the part that was sent look like the whole message.
    LastMessage = 1 << 12,
    /// All of that last message is written. Until all of it is sent, a close is still a reset.
    LastWritten = 1 << 13,
    /// A write failed. The stream closes in its next turn.
    Failed = 1 << 14,
}

/// A fact that is kept besides the states: true or false.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fact {
    /// The protocol does not want input now. Nothing pauses a stream that discards its input.
    Paused = 1 << 15,
    /// The kernel has refused output, and has not reported since then that it takes more.
    Blocked = 1 << 16,
    /// The protocol wants a call when output was sent.
    TellsSent = 1 << 17,
    /// The stream is on the loop's ready list.
    Queued = 1 << 18,
    /// The protocol asked for a turn.
    WantsTurn = 1 << 19,
    /// The stream does not keep the loop running.
    Unref = 1 << 20,
}

/// An event that changes the state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Event {
    /// The connection was made.
    Connected,
    /// The stream must close when all output was sent.
    Finish,
    /// All output of a finishing stream was sent.
    Linger,
    Close,

    /// The kernel has reported input.
    Readable,
    /// The kernel has reported that the peer has ended its side.
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
    /// Our side must end when all output was sent.
    End,
    FinSent,
    /// A message begins whose end is the end of the connection.
    LastMessage,
    /// All of that last message was written.
    LastWritten,
    WriteFailed,
    /// The protocol asks for a call when output was sent.
    TellSent,
    /// The protocol was told that all output has been sent, or another protocol has taken over.
    ToldAll,

    /// The stream must be put on the loop's ready list.
    Queue,
    /// The stream was taken from the loop's ready list.
    Dequeue,
    /// The protocol asks for a turn.
    WantTurn,
    /// The protocol gets the turn that it asked for.
    GiveTurn,
    /// The stream does not keep the loop running.
    Unref,
    Ref,
}

/// The state of a stream in one word: see the module's docs. Each variant of `Life`, `Reading`, `Writing` and `Fact` is a
/// bit. Of the variants of `Life`, exactly one is set; the same holds for `Reading` and `Writing`. So a single test of the
/// word can ask for several states and facts.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct State(Cell<u32>);

/// A set of states, of facts, or of both.
macro_rules! any {
    ($($one:path)|+) => { $($one as u32)|+ };
}

const LIFE: u32 = any!(Life::Connecting | Life::Open | Life::Finishing | Life::Lingering | Life::Closed);
const READING: u32 = any!(Reading::Waiting | Reading::Ready | Reading::Ending | Reading::Ended);
const WRITING: u32 = any!(
    Writing::Open | Writing::Ending | Writing::Ended | Writing::LastMessage | Writing::LastWritten | Writing::Failed
);

impl State {
    /// The state of a connection that is yet to be made.
    pub fn connecting() -> State {
        State::begin(Life::Connecting)
    }

    /// The state of an open connection.
    pub fn open() -> State {
        State::begin(Life::Open)
    }

    fn begin(life: Life) -> State {
        State(Cell::new(life as u32 | Reading::Waiting as u32 | Writing::Open as u32))
    }

    /// Changes the state by an event; there is no other way to change it. Returns whether the event has changed anything.
    /// An event that does not fit the state changes nothing.
    #[inline(always)]
    pub fn on(&self, event: Event) -> bool {
        match event {
            Event::Connected => self.is(Life::Connecting as u32) && self.live(Life::Open),
            Event::Finish => self.is(Life::Open as u32) && self.live(Life::Finishing) | self.note(Fact::Paused, false),
            Event::Linger => {
                let lingers = self.is(Life::Finishing as u32) && self.live(Life::Lingering);
                if lingers && !self.is(any!(Writing::LastMessage | Writing::Failed)) {
                    self.write(Writing::Ended);
                }
                lingers
            }
            Event::Close => !self.is_closed() && self.live(Life::Closed),

            Event::Readable => self.is(Reading::Waiting as u32) && self.is_there() && self.read(Reading::Ready),
            Event::PeerClosed => {
                self.is(any!(Reading::Waiting | Reading::Ready)) && self.is_there() && self.read(Reading::Ending)
            }
            Event::Drained => self.is_readable() && self.is_there() && self.read(Reading::Waiting),
            Event::InputEnded => self.is_readable() && self.is_there() && self.read(Reading::Ended),

            Event::End => {
                self.is(Writing::Open as u32)
                    && self.is(any!(Life::Open | Life::Connecting))
                    && self.write(Writing::Ending)
            }
            Event::FinSent => self.owes_fin() && self.write(Writing::Ended),
            Event::LastMessage => {
                self.is(Writing::Open as u32) && self.is(Life::Open as u32) && self.write(Writing::LastMessage)
            }
            Event::LastWritten => self.is_cut_short() && self.is(Life::Open as u32) && self.write(Writing::LastWritten),
            Event::WriteFailed => !self.is(any!(Writing::Failed | Life::Closed)) && self.write(Writing::Failed),

            Event::Pause => self.is_in_use() && self.note(Fact::Paused, true),
            Event::Unpause => self.note(Fact::Paused, false),
            Event::Refused => self.note(Fact::Blocked, true),
            Event::Writable => self.note(Fact::Blocked, false),
            Event::TellSent => self.note(Fact::TellsSent, true),
            Event::ToldAll => self.note(Fact::TellsSent, false),
            Event::Queue => self.note(Fact::Queued, true),
            Event::Dequeue => self.note(Fact::Queued, false),
            Event::WantTurn => self.note(Fact::WantsTurn, true),
            Event::GiveTurn => self.note(Fact::WantsTurn, false),
            Event::Unref => self.note(Fact::Unref, true),
            Event::Ref => self.note(Fact::Unref, false),
        }
    }

    #[inline(always)]
    fn live(&self, life: Life) -> bool {
        self.put(LIFE, life as u32)
    }

    #[inline(always)]
    fn read(&self, reading: Reading) -> bool {
        self.put(READING, reading as u32)
    }

    #[inline(always)]
    fn write(&self, writing: Writing) -> bool {
        self.put(WRITING, writing as u32)
    }

    #[inline(always)]
    fn note(&self, fact: Fact, holds: bool) -> bool {
        !self.is_closed() && self.put(fact as u32, if holds { fact as u32 } else { 0 })
    }

    /// Replaces the bits of `part` by `with`. Returns whether that has changed anything.
    #[inline(always)]
    fn put(&self, part: u32, with: u32) -> bool {
        let before = self.0.get();
        self.0.set(before & !part | with);
        before & part != with
    }

    /// Returns whether at least one state or fact of the set holds.
    #[inline(always)]
    fn is(&self, set: u32) -> bool {
        self.0.get() & set != 0
    }

    // ---- Life

    #[inline(always)]
    pub fn is_connecting(&self) -> bool {
        self.is(Life::Connecting as u32)
    }

    #[inline(always)]
    pub fn is_open(&self) -> bool {
        self.is(Life::Open as u32)
    }

    #[inline(always)]
    pub fn is_finishing(&self) -> bool {
        self.is(Life::Finishing as u32)
    }

    #[inline(always)]
    pub fn is_lingering(&self) -> bool {
        self.is(Life::Lingering as u32)
    }

    #[inline(always)]
    pub fn is_closed(&self) -> bool {
        self.is(Life::Closed as u32)
    }

    /// Returns whether there is a connection.
    #[inline(always)]
    fn is_there(&self) -> bool {
        !self.is(any!(Life::Connecting | Life::Closed))
    }

    /// Returns whether the stream is neither closed nor closing.
    #[inline(always)]
    pub fn is_in_use(&self) -> bool {
        self.is(any!(Life::Open | Life::Connecting))
    }

    // ---- Reading

    /// Returns whether the kernel may have input.
    #[inline(always)]
    pub fn is_readable(&self) -> bool {
        self.is(any!(Reading::Ready | Reading::Ending))
    }

    /// Returns whether the kernel may have input that is to be read now: for the protocol, or to be discarded.
    #[inline(always)]
    pub fn wants_input(&self) -> bool {
        self.is_readable() && !self.is(any!(Fact::Paused | Life::Closed))
    }

    /// Returns whether the peer is known to have ended its side. The end itself need not have been read yet.
    #[inline(always)]
    pub fn has_peer_closed(&self) -> bool {
        self.is(any!(Reading::Ending | Reading::Ended))
    }

    /// Returns whether the end of the peer's input was read.
    #[inline(always)]
    pub fn has_input_ended(&self) -> bool {
        self.is(Reading::Ended as u32)
    }

    // ---- Writing

    /// Returns whether the protocol may write.
    #[inline(always)]
    pub fn takes_output(&self) -> bool {
        self.is_in_use() && self.is(any!(Writing::Open | Writing::LastMessage | Writing::LastWritten))
    }

    /// Returns whether output can be given to the kernel now.
    #[inline(always)]
    pub fn sends(&self) -> bool {
        !self.is(any!(Fact::Blocked | Writing::Failed))
    }

    /// Returns whether our side has ended, or will end when all output was sent.
    #[inline(always)]
    pub fn ends_output(&self) -> bool {
        self.is(any!(Writing::Ending | Writing::Ended))
    }

    /// Returns whether our FIN must be sent after the pending output.
    #[inline(always)]
    pub fn owes_fin(&self) -> bool {
        self.is_open() && self.is(Writing::Ending as u32)
    }

    /// Returns whether our FIN was sent.
    #[inline(always)]
    pub fn has_sent_fin(&self) -> bool {
        self.is(Writing::Ended as u32)
    }

    /// Returns whether a message that ends with the connection was begun and not completely written.
    #[inline(always)]
    pub fn is_cut_short(&self) -> bool {
        self.is(Writing::LastMessage as u32)
    }

    /// Returns whether a message that ends with the connection was completely written.
    #[inline(always)]
    pub fn has_last_written(&self) -> bool {
        self.is(Writing::LastWritten as u32)
    }

    #[inline(always)]
    pub fn has_write_failed(&self) -> bool {
        self.is(Writing::Failed as u32)
    }

    /// Returns whether something must happen when output was sent: a call of the protocol, our FIN, or the close.
    #[inline(always)]
    pub fn awaits_output(&self) -> bool {
        self.is(any!(Fact::TellsSent | Writing::Ending | Life::Finishing))
    }

    // ---- Facts

    #[inline(always)]
    pub fn is_paused(&self) -> bool {
        self.is(Fact::Paused as u32)
    }

    #[inline(always)]
    pub fn is_blocked(&self) -> bool {
        self.is(Fact::Blocked as u32)
    }

    #[inline(always)]
    pub fn tells_sent(&self) -> bool {
        self.is(Fact::TellsSent as u32)
    }

    /// Returns whether the stream keeps the loop running.
    #[inline(always)]
    pub fn is_referenced(&self) -> bool {
        !self.is(Fact::Unref as u32)
    }
}

#[cfg(test)]
mod tests;
