//! A graceful shutdown: tells listeners that it has begun, and logs what it waits for.

use super::dispatch::ServerEvent;
#[cfg(feature = "app")]
use super::response::Response;
use super::server::Server;
use crate::event_loop::next_tick;
use crate::net::Chunk;
use crate::notice;
use std::fmt;

/// How many exchanges one line of the log names.
const NAMED: usize = 5;

impl Server {
    /// Tells the listeners that the shutdown has begun. They are called as a tick, since only the loop calls callbacks.
    pub(super) fn tell_closing(&self) {
        if self.0.dispatch.has(ServerEvent::Closing) {
            let server = self.clone();
            next_tick(move || server.0.dispatch.tell_closing(server.0.lp()));
        }
    }

    /// Ends the responses that have no end of their own, such as streams of events, and lets the connections that were handed
    /// over end by themselves.
    pub(super) fn end_streams(&self) {
        for stream in self.each_upgraded() {
            stream.protocol().server_closing(&stream);
        }
        for (_, connection) in self.each_connection() {
            connection.each_exchange(&mut |exchange| {
                if exchange.outgoing().ends_with_server() && !exchange.has_ended() {
                    exchange.send(Chunk::from(()), true).ignore();
                }
            });
        }
    }

    pub(super) fn say_what_is_awaited(&self) {
        notice::info!(
            target: "oneloop::http",
            "shutting down, {} open{}",
            Count(self.connections(), "connection"),
            Awaited("; waiting for ", self)
        );
    }

    /// Logs what is cut, because the time of the shutdown is over.
    pub(super) fn say_what_is_cut(&self) {
        if self.connections() > 0 {
            notice::info!(
                target: "oneloop::http",
                "cutting {} {:?} after the shutdown began{}",
                Count(self.connections(), "connection"),
                self.0.limits.all().shutdown,
                Awaited("; waited for ", self)
            );
        }
    }
}

#[cfg(feature = "app")]
impl Response {
    /// Sends the head of a response that goes on until somebody ends it; its server does so when it begins to close. Returns
    /// whether there may be content. If not, because the request is a HEAD or the server is closing, the response has ended.
    pub(crate) fn go_on(&self) -> bool {
        if self.0.head().method() == "HEAD" || self.0.is_server_closing() {
            if !self.is_ended() {
                self.end(());
            }
            return false;
        }
        self.0.outgoing().end_with_server();
        self.flush_headers();
        !self.is_ended()
    }
}

/// A number of things with their name, in the singular or plural.
struct Count(usize, &'static str);

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}{}", self.0, self.1, if self.0 == 1 { "" } else { "s" })
    }
}

/// The exchanges that a server has yet to answer, and the connections that it has handed over. The server's connections are
/// searched for them only if the log line is enabled.
struct Awaited<'a>(&'static str, &'a Server);

impl fmt::Display for Awaited<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Awaited(mut before, server) = *self;
        let exchanges = server.open_exchanges();
        for exchange in exchanges.iter().take(NAMED) {
            // Without the query, which may contain private data.
            write!(f, "{before}{} {} ({:.1} s)", exchange.method, exchange.path, exchange.age.as_secs_f64())?;
            before = ", ";
        }
        if exchanges.len() > NAMED {
            write!(f, " and {}", Count(exchanges.len() - NAMED, "other"))?;
        }
        match server.each_upgraded().count() {
            0 => Ok(()),
            upgraded => write!(f, "{before}{}", Count(upgraded, "upgraded connection")),
        }
    }
}
