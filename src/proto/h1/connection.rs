//! The state of an HTTP/1 connection: what may be read and written next, and what follows when an exchange is over.
//!
//! This file follows two rules of h11, a library in Python. First, only this file changes the state. Second, one state machine
//! serves both roles: a server reads the request of an exchange and writes the response, a client writes the request and reads
//! the response.
//!
//! ```text
//!             the request (read by a server, written by a client)
//!   Idle ──HeadBegins──► Head ──┬── with content ──► Body ──ContentRead, ContentWritten──► Done
//!     └──── HeadRead, HeadWritten ──── without ────────────────────────────────────────────▲
//!
//!             the response: it is due (Head) once the head of the request was read (server) or written (client)
//!   Idle ─────────────► Head ──┬── with content ──► Body ──ContentWritten, ContentRead──► Done
//!                              └──── without ──────────────────────────────────────────────▲
//!
//!   both Done, and the connection persists: both are Idle again (NextExchange)
//!   both Done, and it does not persist; or reading is Closed and writing is Done: both are Closed (Finish)
//! ```
//!
//! # The tables
//!
//! Each state is written as reading/writing. `*` is any state, `=` the same state as before. "joined" means: if this event ended
//! the exchange, the last two lines of the picture apply, else the action is Nothing. Finish, Fail and HandOver always lead to
//! Closed/Closed. An event without a row for the present state is illegal: then nothing changes, and [`Connection::on`] returns
//! [`Illegal`].
//!
//! A server:
//!
//! | event | before | after | action |
//! |---|---|---|---|
//! | HeadBegins | Idle/Idle | Head/Idle | Nothing; Finish on a spent connection |
//! | HeadPutOff | Head/Idle | Idle/Idle | Nothing |
//! | HeadRead | Idle/Idle, Head/Idle | Body/Head with content, else Done/Head | Dispatch; Drop on a spent connection |
//! | ContentRead | Body/* | Done/= | joined |
//! | ContentLeft | Body/* | Closed/= | joined |
//! | InputEnded | Idle/Idle | Closed/Closed | Finish |
//! | InputEnded | Head/*, Body/* | Closed/Closed | Fail |
//! | InputEnded | Done/* | Closed/= | Nothing |
//! | Refused | Idle/Idle, */Head, Head/Idle | Closed/Head | Answer |
//! | Refused | */Body, Body/Done | Closed/Closed | Fail |
//! | HeadWritten | */Head | =/Body with content, else =/Done | joined |
//! | ContentWritten | */Body | =/Done | joined |
//! | BrokenOff | */Head, */Body | Closed/Closed | Fail |
//! | Last | Idle/Idle | Closed/Closed | Finish |
//! | Last | Head/Idle, Body/*, Done/*, Closed/Head, Closed/Body | =/= | Nothing |
//! | Switched | Done/Head, Closed/Head | Closed/Closed | HandOver |
//!
//! A client. A byte that comes while no response is due is illegal, and so is every event that it could cause:
//!
//! | event | before | after | action |
//! |---|---|---|---|
//! | HeadWritten | Idle/Idle | Head/Body with content, else Head/Done | Nothing |
//! | ContentWritten | */Body | =/Done | joined |
//! | HeadRead | Head/* | Body/= | Dispatch |
//! | ContentRead | Body/* | Done/= | joined |
//! | ContentLeft | Body/* | Closed/= | joined |
//! | InputEnded | Idle/Idle | Closed/Closed | Finish |
//! | InputEnded | Head/*, Body/* | Closed/Closed | Fail |
//! | InputEnded | Done/* | Closed/= | Nothing |
//! | Refused | Head/*, Body/* | Closed/Closed | Fail |
//! | BrokenOff | */Body | Closed/Closed | Fail |
//! | Last | Idle/Idle | Closed/Closed | Finish |
//! | Last | Head/*, Body/*, Done/*, Closed/Body | =/= | Nothing |
//! | Switched | Head/Done | Closed/Closed | HandOver |
//!
//! A response without content also leads a client into Body, until `ContentRead`: so the client's callback gets the response
//! before the exchange is over. Informational responses (1xx) cause no events, neither when read nor when written, because the
//! final response is still due after them.

/// Which side of the connection this is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// It reads requests and writes responses.
    Server,
    /// It writes requests and reads responses.
    Client,
}

/// How much of the incoming message was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reading {
    /// No message is due, and no byte of one was read.
    Idle,
    /// A server has read a part of a head; a client waits for the head of a response, or has read a part of it.
    Head,
    /// The head was read, and content follows.
    Body,
    /// The whole message was read.
    Done,
    /// No more input is read as a message.
    Closed,
}

/// How much of the outgoing message was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Writing {
    /// No message is due.
    Idle,
    /// A server must send a response and has not written its head.
    Head,
    /// The head was written, and content follows.
    Body,
    /// The whole message was written.
    Done,
    /// No more messages are written.
    Closed,
}

/// What the connection does after an exchange (RFC 9112, 9.3). The value can only change to a variant further down in this list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Persistence {
    /// Another exchange may follow.
    Persists,
    /// A response has announced that it is the last, but the peer may have sent further requests before it read this response.
    /// These requests are read and refused, so that none is lost without an answer.
    Spent,
    /// The connection closes after this exchange.
    Ends,
}

/// What has happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Event {
    /// A server has read the first bytes of a head, but not all of it.
    HeadBegins,
    /// The head that had begun has arrived whole, but stays in the input until something else is over. Then it is read again.
    HeadPutOff,
    /// A whole head was read, of a request or of a final response.
    HeadRead {
        /// Content follows.
        content: bool,
        /// The message allows another exchange.
        persistent: bool,
    },
    /// The content that is being read has ended: by its framing or, if it lasts until the close, with the input.
    ContentRead,
    /// The rest of the content will not be read.
    ContentLeft,
    /// The peer has ended its side, and all bytes that it sent before were read.
    InputEnded,
    /// The exchange is refused: the bytes are no message that can be processed, or the message or its response took too long.
    Refused,
    /// A head was written, of a request or of a final response.
    HeadWritten {
        /// Content follows.
        content: bool,
        /// What the message says about the connection.
        persistence: Persistence,
    },
    /// The content that is being written has ended.
    ContentWritten,
    /// The message that is due, or is being written, will never be completed.
    BrokenOff,
    /// The present exchange is to be the last one. If there is none, the connection ends at once.
    Last,
    /// Another protocol takes over: a server has accepted an upgrade or a CONNECT, or a client has got its 101.
    Switched,
}

/// What has to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// Nothing has to be done.
    Nothing,
    /// The head was read. Give a request to the server's handler, or a response to the client's callback.
    Dispatch,
    /// Refuse the request: this connection has had as many requests as it may have.
    Drop,
    /// Write an error response as the last message: no handler has the request, so no other response will come.
    Answer,
    /// The exchange is over: drop its data, and begin with the next one.
    NextExchange,
    /// The exchange is over: close the connection once the output has been sent.
    Finish,
    /// The exchange cannot be completed: close the connection, and report the reason.
    Fail,
    /// The connection no longer carries HTTP/1: give it to the new protocol.
    HandOver,
}

/// The error for an event that cannot happen in the present state. The state has not changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Illegal;

impl std::fmt::Display for Illegal {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("this cannot happen in the present state of the connection")
    }
}

impl std::error::Error for Illegal {}

/// The state of one connection; four bytes. See the [module's docs](self).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Connection {
    role: Role,
    reading: Reading,
    writing: Writing,
    persistence: Persistence,
}

impl Connection {
    /// A new connection, on which nothing has been read or written.
    pub const fn new(role: Role) -> Self {
        Connection { role, reading: Reading::Idle, writing: Writing::Idle, persistence: Persistence::Persists }
    }

    /// How much of the incoming message was read.
    #[inline]
    pub fn reading(&self) -> Reading {
        self.reading
    }

    /// How much of the outgoing message was written.
    #[inline]
    pub fn writing(&self) -> Writing {
        self.writing
    }

    /// What the connection does after the present exchange.
    #[inline]
    pub fn persistence(&self) -> Persistence {
        self.persistence
    }

    /// Returns whether an exchange is under way: the head of its first message was read or written, and the exchange is not over.
    #[inline]
    pub fn is_exchanging(&self) -> bool {
        !matches!(self.writing, Writing::Idle | Writing::Closed)
    }

    /// Returns whether the connection is open and no exchange is in progress. An exchange is in progress as soon as a part of
    /// its head was read.
    #[inline]
    pub fn is_idle(&self) -> bool {
        (self.reading, self.writing) == (Reading::Idle, Writing::Idle)
    }

    /// Changes the state by an event, and returns what the caller must do. Nothing else changes the state.
    ///
    /// # Errors
    /// If the event cannot happen in the present state. Then nothing has changed.
    // Inlined: every caller passes a known event, so the compiler reduces the match to a few comparisons.
    #[inline(always)]
    pub fn on(&mut self, event: Event) -> Result<Action, Illegal> {
        use {Action as A, Event as E, Reading as R, Role::*, Writing as W};
        match (event, self.role, self.reading, self.writing) {
            (E::HeadBegins, Server, R::Idle, W::Idle) if self.persistence == Persistence::Spent => {
                return Ok(self.close(A::Finish));
            }
            (E::HeadBegins, Server, R::Idle, W::Idle) => self.reading = R::Head,
            (E::HeadPutOff, Server, R::Head, W::Idle) => self.reading = R::Idle,
            (E::HeadRead { content, persistent }, Server, R::Idle | R::Head, W::Idle) => {
                let spent = self.persistence == Persistence::Spent;
                self.read_head(content, persistent);
                self.writing = W::Head;
                return Ok(if spent { A::Drop } else { A::Dispatch });
            }
            (E::HeadRead { persistent, .. }, Client, R::Head, _) => {
                self.read_head(true, persistent);
                return Ok(A::Dispatch);
            }
            (E::ContentRead, _, R::Body, _) => self.reading = R::Done,
            (E::ContentLeft, _, R::Body, _) => self.reading = R::Closed,
            (E::InputEnded, _, R::Idle, W::Idle) => return Ok(self.close(A::Finish)),
            (E::InputEnded, _, R::Head | R::Body, _) => return Ok(self.close(A::Fail)),
            (E::InputEnded, _, R::Done, _) => self.reading = R::Closed,
            (E::Refused, Server, R::Idle | R::Head, W::Idle) | (E::Refused, Server, _, W::Head) => {
                (self.reading, self.writing) = (R::Closed, W::Head);
                self.persistence = Persistence::Ends;
                return Ok(A::Answer);
            }
            (E::Refused, Client, R::Head | R::Body, _)
            | (E::Refused, Server, _, W::Body)
            | (E::Refused, Server, R::Body, _) => {
                return Ok(self.close(A::Fail));
            }
            (E::HeadWritten { content, persistence }, Server, _, W::Head) => self.write_head(content, persistence),
            (E::HeadWritten { content, persistence }, Client, R::Idle, W::Idle) => {
                self.write_head(content, persistence);
                self.reading = R::Head;
            }
            (E::ContentWritten, _, _, W::Body) => self.writing = W::Done,
            (E::BrokenOff, _, _, W::Head | W::Body) => return Ok(self.close(A::Fail)),
            (E::Last, _, R::Idle, W::Idle) => return Ok(self.close(A::Finish)),
            (E::Last, ..) if self.writing != W::Closed => self.persistence = Persistence::Ends,
            (E::Switched, Server, R::Done | R::Closed, W::Head) | (E::Switched, Client, R::Head, W::Done) => {
                return Ok(self.close(A::HandOver));
            }
            _ => return Err(Illegal),
        }
        Ok(self.joined_or(A::Nothing))
    }

    fn read_head(&mut self, content: bool, persistent: bool) {
        self.reading = if content { Reading::Body } else { Reading::Done };
        if !persistent {
            self.persistence = Persistence::Ends;
        }
    }

    fn write_head(&mut self, content: bool, persistence: Persistence) {
        self.writing = if content { Writing::Body } else { Writing::Done };
        self.persistence = self.persistence.max(persistence);
    }

    fn close(&mut self, action: Action) -> Action {
        (self.reading, self.writing) = (Reading::Closed, Writing::Closed);
        self.persistence = Persistence::Ends;
        action
    }

    /// Ends the exchange if both messages are over, and returns what follows. Otherwise returns `action`.
    fn joined_or(&mut self, action: Action) -> Action {
        match (self.reading, self.writing) {
            (Reading::Done, Writing::Done) if self.persistence != Persistence::Ends => {
                (self.reading, self.writing) = (Reading::Idle, Writing::Idle);
                Action::NextExchange
            }
            (Reading::Done | Reading::Closed, Writing::Done) => self.close(Action::Finish),
            _ => action,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    const SOURCE: &str = include_str!("connection.rs");

    fn rows(role: Role) -> Vec<[String; 4]> {
        let (start, end) = match role {
            Role::Server => ("//! A server:", "//! A client."),
            Role::Client => ("//! A client.", "//! A response without"),
        };
        let from = SOURCE.find(start).unwrap();
        let table = &SOURCE[from..from + SOURCE[from..].find(end).unwrap()];
        let cells = |line: &str| {
            let cells: Vec<String> = line.split('|').skip(1).map(|cell| cell.trim().to_owned()).collect();
            <[String; 4]>::try_from(cells[..4].to_vec()).unwrap()
        };
        table
            .lines()
            .filter_map(|line| line.strip_prefix("//! | "))
            .skip(1)
            .map(|row| cells(&format!("|{row}")))
            .collect()
    }

    fn events() -> Vec<Event> {
        let mut events = vec![
            Event::HeadBegins,
            Event::HeadPutOff,
            Event::ContentRead,
            Event::ContentLeft,
            Event::InputEnded,
            Event::Refused,
            Event::ContentWritten,
            Event::BrokenOff,
            Event::Last,
            Event::Switched,
        ];
        for content in [false, true] {
            events.extend([false, true].map(|persistent| Event::HeadRead { content, persistent }));
            events.extend(
                [Persistence::Persists, Persistence::Spent, Persistence::Ends]
                    .map(|persistence| Event::HeadWritten { content, persistence }),
            );
        }
        events
    }

    fn halves(state: &Connection) -> String {
        format!("{:?}/{:?}", state.reading, state.writing)
    }

    fn matches(pattern: &str, state: &Connection) -> bool {
        let state = halves(state);
        pattern.split(", ").any(|pattern| {
            let mut pairs = pattern.split('/').zip(state.split('/'));
            pairs.all(|(pattern, half)| pattern == "*" || pattern == half)
        })
    }

    /// The row of the table, and the state and the action that it gives; `None` if no row fits.
    fn expected(rows: &[[String; 4]], before: &Connection, event: Event) -> Option<(usize, String, String)> {
        let name = format!("{event:?}");
        let name = name.split(' ').next().unwrap();
        let at = rows.iter().position(|row| row[0] == name && matches(&row[1], before))?;
        let content = matches!(event, Event::HeadRead { content: true, .. } | Event::HeadWritten { content: true, .. });
        let after = match rows[at][2].split_once(" with content, else ") {
            Some((with, without)) => if content { with } else { without }.to_owned(),
            None => rows[at][2].clone(),
        };
        let before_halves = halves(before);
        let after: Vec<&str> = after
            .split('/')
            .zip(before_halves.split('/'))
            .map(|(new, old)| if new == "=" { old } else { new })
            .collect();
        let mut persistence = before.persistence;
        if let Event::HeadWritten { persistence: said, .. } = event {
            persistence = persistence.max(said);
        }
        let (after, action) = match (rows[at][3].as_str(), after.as_slice()) {
            ("joined", ["Done", "Done"]) if persistence != Persistence::Ends => {
                ("Idle/Idle".to_owned(), "NextExchange")
            }
            ("joined", ["Done" | "Closed", "Done"]) => ("Closed/Closed".to_owned(), "Finish"),
            ("joined", _) => (after.join("/"), "Nothing"),
            ("Nothing; Finish on a spent connection", _) if persistence == Persistence::Spent => {
                ("Closed/Closed".to_owned(), "Finish")
            }
            ("Nothing; Finish on a spent connection", _) => (after.join("/"), "Nothing"),
            ("Dispatch; Drop on a spent connection", _) => {
                (after.join("/"), if persistence == Persistence::Spent { "Drop" } else { "Dispatch" })
            }
            (action, _) => (after.join("/"), action),
        };
        Some((at, after, action.to_owned()))
    }

    /// Tries each event in each state that can be reached. The outcome must be that of the tables in the docs.
    #[test]
    fn the_tables_hold_in_every_state() {
        for role in [Role::Server, Role::Client] {
            let rows = rows(role);
            let (mut used, mut legal, mut illegal) = (HashSet::new(), 0, 0);
            let mut seen = HashSet::from([Connection::new(role)]);
            let mut open = vec![Connection::new(role)];
            while let Some(before) = open.pop() {
                for event in events() {
                    let mut after = before;
                    let outcome = after.on(event);
                    match expected(&rows, &before, event) {
                        Some((row, state, action)) => {
                            let told = outcome.map(|action| format!("{action:?}"));
                            assert_eq!((halves(&after), told), (state, Ok(action)), "{before:?}, {event:?}");
                            assert!(after.persistence >= before.persistence, "{before:?}, {event:?}");
                            used.insert(row);
                            legal += 1;
                        }
                        None => {
                            assert_eq!((outcome, after), (Err(Illegal), before), "{event:?}");
                            illegal += 1;
                        }
                    }
                    if seen.insert(after) {
                        open.push(after);
                    }
                }
            }
            assert_eq!(used.len(), rows.len(), "{role:?}: a row is never used");
            assert!(rows.len() >= 12 && legal > 50 && illegal > 50, "{role:?}: {legal} legal, {illegal} illegal");
        }
    }

    #[test]
    fn a_spent_connection_turns_further_requests_away() {
        let mut state = Connection::new(Role::Server);
        let request = Event::HeadRead { content: false, persistent: true };
        let last = Event::HeadWritten { content: false, persistence: Persistence::Spent };
        assert_eq!(state.on(request), Ok(Action::Dispatch));
        for _ in 0..2 {
            assert_eq!(state.on(last), Ok(Action::NextExchange));
            assert_eq!((state.is_idle(), state.persistence()), (true, Persistence::Spent));
            assert_eq!(state.on(request), Ok(Action::Drop));
        }
        let ends = Event::HeadWritten { content: false, persistence: Persistence::Ends };
        assert_eq!(state.on(ends), Ok(Action::Finish));
        assert_eq!(state.on(request), Err(Illegal));
    }

    #[test]
    fn a_spent_connection_does_not_wait_for_the_rest_of_a_head() {
        let mut state = Connection::new(Role::Server);
        state.on(Event::HeadRead { content: false, persistent: true }).unwrap();
        state.on(Event::HeadWritten { content: false, persistence: Persistence::Spent }).unwrap();
        assert_eq!(state.on(Event::HeadBegins), Ok(Action::Finish));
    }

    #[test]
    fn what_comes_before_a_request_is_no_response() {
        let mut state = Connection::new(Role::Client);
        for event in [Event::HeadBegins, Event::HeadRead { content: true, persistent: true }, Event::Refused] {
            assert_eq!(state.on(event), Err(Illegal));
        }
        assert!(state.is_idle());
    }

    #[test]
    fn a_state_is_four_bytes() {
        assert_eq!(size_of::<Connection>(), 4);
    }
}
