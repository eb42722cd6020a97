use crate::event_loop::Time;
use crate::net::SendLimits;
use crate::proto::h1::{BodyLimits, HeadLimits, MAX_FIELDS};
use std::time::Duration;

/// The limits of an agent: every wait for a server has an end, and everything that a server, or a program that asks too often, can make
/// grow has a bound. All are on by default. Set them with [`Agent::set_limits`](super::Agent::set_limits), for requests from then on.
///
/// ```
/// use oneloop::http;
///
/// let agent = http::Agent::new();
/// let mut limits = agent.limits();
/// limits.per_host = 8;
/// agent.set_limits(limits);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct AgentLimits {
    /// How long it may take to make a connection: the look-up of the name, all addresses, and the answer of a proxy that is asked for a
    /// tunnel. Default: 10 s. After it, the request
    /// that waits has an error of the kind [`ConnectTimeout`](super::RequestErrorKind::ConnectTimeout).
    pub connect: Duration,
    /// How long a request may wait for a connection, if all that are allowed are in use. Default: 30 s. After it, the error is
    /// [`QueueTimeout`](super::RequestErrorKind::QueueTimeout).
    pub queue: Duration,
    /// How many requests may wait for a connection to the same server. Default: 1,024. One more has the error
    /// [`QueueFull`](super::RequestErrorKind::QueueFull).
    pub queued: usize,
    /// How long the head of the response may take, from the end of the request. Default: 60 s. Informational responses do not prolong
    /// it. After it, the error is [`ResponseTimeout`](super::RequestErrorKind::ResponseTimeout).
    pub response: Duration,
    /// How long nothing of the body may come while the program waits for it. Default: 60 s. After it, the response closes for the
    /// reason [`SlowReceive`](crate::net::CloseReason::SlowReceive). The time while the program pauses does not count. For a response
    /// that is silent for long, as events are, [`Duration::MAX`] turns it off.
    pub body: Duration,
    /// How long a whole exchange may take, from the first call that sends something to the last byte of the body. Default: `None`. After
    /// it, the error is [`Timeout`](super::RequestErrorKind::Timeout), or the response closes for the reason
    /// [`RequestTimeout`](crate::net::CloseReason::RequestTimeout). [`ClientRequest::set_timeout`](super::ClientRequest::set_timeout) sets
    /// it for one request.
    pub total: Option<Duration>,
    /// How long a connection may be idle before it is closed. Default: 4 s, as undici: shorter than the time after which servers
    /// close (Node: 5 s). If a server says how long it waits (`Keep-Alive: timeout=n`), the time is a second less than that, and 600 s
    /// at most; but none if it says 1 s or less: then the connection is not kept. Zero: no connection is kept.
    pub idle: Duration,
    /// The age from which a connection carries no further request. Default: 10 min, so that changes of a name's addresses take effect.
    pub lifetime: Duration,
    /// How many connections there may be to the same server: scheme, host and port. Default: 64.
    pub per_host: usize,
    /// How many connections there may be in all. Default: 512. If another server needs one, the connection that has been idle longest
    /// is closed.
    pub in_all: usize,
    /// The largest size of the head of a response, in bytes. Default: 64 KiB, because some servers send long policies.
    pub head_bytes: usize,
    /// The largest number of fields in the head of a response. Default: 100, which is also the largest value.
    pub fields: usize,
    /// How many informational responses may come before the final one. Default: 16.
    pub informational: usize,
    /// How many bytes of a body that nobody wants are read and discarded, so that the connection can be used again. Default: 64 KiB, and
    /// one second. A longer body closes the connection.
    pub discard: usize,
    /// With how many bytes that wait [`ClientRequest::write`](super::ClientRequest::write) returns `Full`. Default: 64 KiB.
    pub pending_output: usize,
    /// The least rate at which a server has to take the request, in bytes per second. Default: 240; 0 turns it off.
    pub send_rate: u32,
    /// The time over which `send_rate` is measured. Default: 30 s.
    pub send_window: Duration,
    /// How long a server may take nothing at all of the request. Default: 60 s. After it, the error is
    /// [`SlowSend`](super::RequestErrorKind::SlowSend).
    pub write_stall: Duration,
    /// How long the addresses of a name are used without another look-up. Default: 30 s. Zero: each connection looks its name up;
    /// connections that are made at the same time share a look-up in any case.
    pub look_up: Duration,
}

impl Default for AgentLimits {
    fn default() -> AgentLimits {
        AgentLimits {
            connect: Duration::from_secs(10),
            queue: Duration::from_secs(30),
            queued: 1024,
            response: Duration::from_secs(60),
            body: Duration::from_secs(60),
            total: None,
            idle: Duration::from_secs(4),
            lifetime: Duration::from_secs(600),
            per_host: 64,
            in_all: 512,
            head_bytes: 64 * 1024,
            fields: MAX_FIELDS,
            informational: 16,
            discard: 64 * 1024,
            pending_output: 64 * 1024,
            send_rate: 240,
            send_window: Duration::from_secs(30),
            write_stall: Duration::from_secs(60),
            look_up: Duration::from_secs(30),
        }
    }
}

/// The longest time for which a server's `Keep-Alive: timeout=n` is believed.
const LONGEST_HINT: u64 = 600;

impl AgentLimits {
    pub(super) fn sending(&self) -> SendLimits {
        SendLimits { stall: self.write_stall, rate: self.send_rate, window: self.send_window }
    }

    pub(super) fn heads(&self) -> HeadLimits {
        HeadLimits { bytes: self.head_bytes, fields: self.fields.min(MAX_FIELDS), ..HeadLimits::default() }
    }

    pub(super) fn bodies(&self) -> BodyLimits {
        BodyLimits::default()
    }

    /// How long a connection may be idle after a response with these Keep-Alive fields. `None` if it is not to be kept. What is no
    /// `timeout`, UTF-8 or not, does not hide one beside it.
    pub(super) fn keep<'a>(&self, fields: impl Iterator<Item = &'a [u8]>) -> Option<Time> {
        if self.idle.is_zero() {
            return None;
        }
        let parameter = |part: &[u8]| {
            let equals = part.iter().position(|byte| *byte == b'=')?;
            let (name, value) = (part.get(..equals)?.trim_ascii(), part.get(equals + 1..)?.trim_ascii());
            let is_timeout = name.eq_ignore_ascii_case(b"timeout");
            is_timeout.then(|| std::str::from_utf8(value).ok()?.parse::<u64>().ok())?
        };
        match fields.flat_map(|field| field.split(|byte| *byte == b',')).find_map(parameter) {
            Some(seconds) if seconds <= 1 => None,
            Some(seconds) => Some(Time::from_secs((seconds - 1).min(LONGEST_HINT))),
            None => Some(self.idle.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_servers_hint_is_believed_up_to_ten_minutes_and_less_a_second() {
        let keep_all = |fields: &[&[u8]]| {
            let time = AgentLimits::default().keep(fields.iter().copied());
            time.map(|time| time.nanos() / 1_000_000_000)
        };
        let keep = |field: &str| keep_all(&[field.as_bytes()]);
        assert_eq!(keep("timeout=5"), Some(4));
        assert_eq!(keep("max=100, Timeout = 60"), Some(59));
        assert_eq!(keep("timeout=1"), None);
        assert_eq!(keep("timeout=0"), None);
        assert_eq!(keep("timeout=86400"), Some(600));
        assert_eq!(keep("timeout=-1"), Some(4), "no number");
        assert_eq!(keep("max=5"), Some(4));
        assert_eq!(keep_all(&[b"max=5", b"timeout=60"]), Some(59), "in a second field");
        assert_eq!(keep_all(&[b"x=\xff, timeout=1"]), None, "beside bytes that are no text");
        assert_eq!(keep_all(&[b"timeout=\xff"]), Some(4));
        let never = AgentLimits { idle: Duration::ZERO, ..AgentLimits::default() };
        assert_eq!(never.keep([&b"timeout=5"[..]].into_iter()), None);
    }
}
