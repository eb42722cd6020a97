//! The client's side of the opening handshake (RFC 6455, 4.1): what it asks, and what it takes for an answer.

use super::extension::PermessageDeflate;
use super::handshake::{VERSION, accept};
use crate::proto::h1::{IncomingResponse, OutgoingFields};
use crate::proto::octet;
use std::fmt;

/// What a client asks a server for.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// The value of the Host field.
    pub authority: &'a str,
    /// The path and the query.
    pub target: &'a str,
    /// The value of `Sec-WebSocket-Key`, another one for each connection: see [`key`](super::key).
    pub key: &'a str,
    /// The subprotocols that the client offers, those that it likes best first.
    pub protocols: &'a [String],
    /// Whether [compression](PermessageDeflate::OFFER) is offered.
    pub compression: bool,
}

/// What was agreed by an answer that opens a WebSocket.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Agreement<'a> {
    /// The subprotocol that the server has chosen, if it has chosen one.
    pub protocol: Option<&'a str>,
    /// Compression, if it was offered and the server has agreed.
    pub deflate: Option<PermessageDeflate>,
}

/// Why an answer opens no WebSocket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refusal {
    /// The status is not 101.
    Status(u16),
    /// `Upgrade` is not `websocket`, or `Connection` has no `upgrade`.
    Upgrade,
    /// `Sec-WebSocket-Accept` does not answer the key: something that is no WebSocket server has answered.
    Accept,
    /// An extension that was not offered, or one with other parameters than were offered.
    Extension,
    /// A subprotocol that was not offered, or several.
    Protocol,
}

impl Question<'_> {
    /// Writes the request, with `fields` behind its own.
    pub fn encode(&self, fields: &OutgoingFields, out: &mut Vec<u8>) {
        for part in ["GET ", self.target, " HTTP/1.1\r\nHost: ", self.authority, "\r\nUpgrade: websocket\r\n"] {
            out.extend_from_slice(part.as_bytes());
        }
        for part in ["Connection: Upgrade\r\nSec-WebSocket-Version: ", VERSION, "\r\nSec-WebSocket-Key: ", self.key] {
            out.extend_from_slice(part.as_bytes());
        }
        out.extend_from_slice(b"\r\n");
        if !self.protocols.is_empty() {
            out.extend_from_slice(b"Sec-WebSocket-Protocol: ");
            out.extend_from_slice(self.protocols.join(", ").as_bytes());
            out.extend_from_slice(b"\r\n");
        }
        if self.compression {
            out.extend_from_slice(format!("Sec-WebSocket-Extensions: {}\r\n", PermessageDeflate::OFFER).as_bytes());
        }
        for (name, value) in fields.iter_bytes() {
            for part in [name.as_bytes(), b": ", value, b"\r\n"] {
                out.extend_from_slice(part);
            }
        }
        out.extend_from_slice(b"\r\n");
    }

    /// Checks the answer. Returns what was agreed.
    ///
    /// # Errors
    /// If the answer opens no WebSocket. The connection has to be closed then.
    pub fn check<'a>(&self, answer: &'a IncomingResponse) -> Result<Agreement<'a>, Refusal> {
        if answer.status() != 101 {
            return Err(Refusal::Status(answer.status()));
        }
        let fields = answer.fields();
        let is_websocket = fields.only_bytes("upgrade").is_some_and(|value| value.eq_ignore_ascii_case(b"websocket"));
        if !is_websocket || !answer.is_upgrade() {
            return Err(Refusal::Upgrade);
        }
        let expected = accept(self.key.as_bytes());
        if expected.is_none() || fields.only_bytes("sec-websocket-accept") != expected.as_deref().map(str::as_bytes) {
            return Err(Refusal::Accept);
        }
        let deflate = PermessageDeflate::check(fields.get_all_bytes("sec-websocket-extensions"));
        let deflate = deflate.map_err(|_| Refusal::Extension)?;
        if deflate.is_some() && !self.compression {
            return Err(Refusal::Extension);
        }
        if fields.get_bytes("sec-websocket-protocol").is_none() {
            return Ok(Agreement { protocol: None, deflate });
        }
        let chosen = fields.only("sec-websocket-protocol");
        let is_offered = |name: &&str| self.protocols.iter().any(|offered| offered == name);
        let protocol = Some(chosen.filter(is_offered).ok_or(Refusal::Protocol)?);
        Ok(Agreement { protocol, deflate })
    }
}

/// Returns whether a name can stand in the list of subprotocols: it is a token (4.1).
pub fn is_protocol(name: &str) -> bool {
    !name.is_empty() && octet::all(name.as_bytes(), octet::TOKEN)
}

/// Returns whether a field belongs to the handshake itself, so that a program cannot set it.
pub fn is_of_handshake(name: &str) -> bool {
    const NAMES: [&str; 5] = ["host", "connection", "upgrade", "content-length", "transfer-encoding"];
    let prefix = name.get(..b"sec-websocket-".len()).unwrap_or_default();
    prefix.eq_ignore_ascii_case("sec-websocket-") || NAMES.iter().any(|own| name.eq_ignore_ascii_case(own))
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Refusal::Status(status) => return write!(f, "the server has answered with the status {status}"),
            Refusal::Upgrade => "the server has not changed to the protocol websocket",
            Refusal::Accept => "the server has not answered the key",
            Refusal::Extension => "the server has chosen an extension that was not offered",
            Refusal::Protocol => "the server has chosen a subprotocol that was not offered",
        })
    }
}

impl std::error::Error for Refusal {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::h1::{HeadLimits, ResponseParser};

    const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
    const GOOD: &str = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: WebSocket\r\nConnection: keep-alive, uPgrade\r\n\
                        Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

    fn check(text: &str) -> Result<Option<String>, Refusal> {
        let mut answer = IncomingResponse::new();
        ResponseParser::default().parse(text.as_bytes(), &HeadLimits::default(), &mut answer).unwrap();
        let protocols = ["v2".to_owned(), "v1".to_owned()];
        let question = Question { authority: "a", target: "/", key: KEY, protocols: &protocols, compression: false };
        question.check(&answer).map(|agreement| agreement.protocol.map(str::to_owned))
    }

    #[test]
    fn only_an_answer_to_the_question_opens_a_websocket() {
        assert_eq!(check(GOOD), Ok(None));
        let with = |field: &str| GOOD.replace("\r\n\r\n", &format!("\r\n{field}\r\n\r\n"));
        assert_eq!(check(&with("Sec-WebSocket-Protocol: v1")), Ok(Some("v1".into())));
        assert_eq!(check(&with("Sec-WebSocket-Extensions:")), Ok(None));
        let accept = "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n";
        for (text, refusal) in [
            (GOOD.replace("101", "200"), Refusal::Status(200)),
            (GOOD.replace("101", "404"), Refusal::Status(404)),
            (GOOD.replace("Upgrade: WebSocket\r\n", ""), Refusal::Upgrade),
            (GOOD.replace("WebSocket\r\nConn", "websocket, h2c\r\nConn"), Refusal::Upgrade),
            (with("Upgrade: websocket"), Refusal::Upgrade),
            (GOOD.replace("keep-alive, uPgrade", "keep-alive"), Refusal::Upgrade),
            (GOOD.replace(accept, ""), Refusal::Accept),
            (GOOD.replace("s3pP", "S3pP"), Refusal::Accept),
            (with(accept.trim_end()), Refusal::Accept),
            (with("Sec-WebSocket-Extensions: permessage-deflate"), Refusal::Extension),
            (with("Sec-WebSocket-Protocol: v3"), Refusal::Protocol),
            (with("Sec-WebSocket-Protocol: V1"), Refusal::Protocol),
            (with("Sec-WebSocket-Protocol: v1, v2"), Refusal::Protocol),
            (with("Sec-WebSocket-Protocol: v1\r\nSec-WebSocket-Protocol: v1"), Refusal::Protocol),
            (with("Sec-WebSocket-Protocol:"), Refusal::Protocol),
        ] {
            assert_eq!(check(&text), Err(refusal), "{text}");
        }
    }

    #[test]
    fn the_fields_of_the_handshake_are_its_own() {
        for name in ["Host", "UPGRADE", "sec-websocket-key", "Sec-WebSocket-", "Content-Length"] {
            assert!(is_of_handshake(name), "{name}");
        }
        for name in ["Origin", "Cookie", "Sec-Web", "Authorization", "é"] {
            assert!(!is_of_handshake(name), "{name}");
        }
    }
}
