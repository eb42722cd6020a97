//! A stream of requests, framed with the codec as a server would.

use super::latin1::characters;
use oneloop::proto::h1::{
    BodyDecoder, BodyEvent, BodyLimits, Fault, Fields, HeadLimits, IncomingRequest, Parsed, RequestParser,
};

/// A request whose head has come.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Message {
    pub method: String,
    pub target: String,
    pub content: Vec<u8>,
    pub trailers: Vec<(String, String)>,
    /// Its content has ended.
    pub whole: bool,
}

/// Why there are no more messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The bytes ended between two messages.
    Clean,
    /// They ended within one.
    Incomplete,
    /// What follows is no message.
    Refused,
    /// What follows was not read: the last message ended the connection, or HTTP on it.
    Closed,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Framed {
    pub messages: Vec<Message>,
    pub ending: Ending,
    /// What was wrong, for `Refused`.
    pub why: String,
}

impl Framed {
    /// How many messages are whole.
    pub fn whole(&self) -> usize {
        self.messages.iter().filter(|message| message.whole).count()
    }
}

/// Frames all that is there.
pub fn frame(wire: &[u8]) -> Framed {
    let (mut messages, mut rest) = (Vec::new(), wire);
    let (ending, fault) = match read(&mut rest, &mut messages) {
        Ok(ending) => (ending, None),
        Err(fault) => (Ending::Refused, Some(fault)),
    };
    Framed { messages, ending, why: fault.map(|fault| fault.to_string()).unwrap_or_default() }
}

/// The bytes behind all that could be framed.
pub fn unframed(wire: &[u8]) -> &[u8] {
    let mut rest = wire;
    let _ = read(&mut rest, &mut Vec::new());
    rest
}

fn read(rest: &mut &[u8], messages: &mut Vec<Message>) -> Result<Ending, Fault> {
    let mut head = IncomingRequest::new();
    loop {
        if rest.is_empty() {
            return Ok(Ending::Clean);
        }
        let Parsed::Complete { len } = RequestParser::default().parse(rest, &HeadLimits::default(), &mut head)? else {
            return Ok(Ending::Incomplete);
        };
        *rest = &rest[len..];
        messages.push(Message {
            method: head.method().to_owned(),
            target: head.target().to_owned(),
            ..Message::default()
        });
        let message = messages.last_mut().unwrap();
        let (mut decoder, mut trailers) = (BodyDecoder::new(head.framing()), Fields::new());
        loop {
            let step = decoder.decode(rest, &BodyLimits::default(), &mut trailers)?;
            *rest = &rest[step.consumed..];
            match step.event {
                BodyEvent::Data(data) => message.content.extend_from_slice(data),
                BodyEvent::NeedMore => return Ok(Ending::Incomplete),
                BodyEvent::End => break,
            }
        }
        message.trailers = trailers.iter_bytes().map(|(name, value)| (name.to_owned(), characters(value))).collect();
        message.whole = true;
        if head.is_connect() || !head.persistent() {
            return Ok(Ending::Closed);
        }
    }
}
