//! The events of a socket that have listeners, and how reports name them.

use std::cell::RefCell;
use std::fmt;
use std::rc::Rc;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum On {
    Open,
    Message,
    Drain,
    Pong,
    Error,
    Close,
}

/// An event of a socket, as reports name it.
pub(super) struct Event<'a> {
    /// The name of the endpoint.
    pub name: &'a RefCell<Rc<str>>,
    pub on: On,
}

impl Event<'_> {
    pub fn listener(&self) -> &'static str {
        match self.on {
            On::Open => " on_open",
            On::Message => " on_message",
            On::Drain => " on_drain",
            On::Pong => " on_pong",
            On::Error => " on_error",
            On::Close => " on_close",
        }
    }
}

impl fmt::Display for Event<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WebSocket {}{}", self.name.borrow(), self.listener())
    }
}
