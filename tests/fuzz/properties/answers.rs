//! What a client reads as the answer to one request, framed with the codec: informational responses, the final one, and its content.

use super::latin1::characters;
use super::message::{Ending, Framed, Message};
use oneloop::proto::h1::{
    BodyDecoder, BodyEvent, BodyLimits, Fault, Fields, Framing, HeadLimits, IncomingResponse, Parsed, RequestInfo,
    ResponseParser,
};

/// The methods that a stream can be the answer to. The first byte of a stream is a place in this list.
pub const METHODS: [&str; 2] = ["GET", "HEAD"];
/// More informational responses than an agent takes.
const INFORMATIONAL: usize = 16;

/// Frames the bytes that come on a connection up to its end. The method of each message is its status.
pub fn frame(stream: &[u8]) -> Framed {
    let Some((&method, wire)) = stream.split_first() else {
        return Framed { messages: Vec::new(), ending: Ending::Clean, why: String::new() };
    };
    let method = METHODS[usize::from(method) % METHODS.len()];
    let request = RequestInfo { head: method == "HEAD", ..RequestInfo::default() };
    let mut messages = Vec::new();
    let (ending, fault) = match read(wire, &request, &mut messages) {
        Ok(ending) => (ending, None),
        Err(fault) => (Ending::Refused, Some(fault)),
    };
    Framed { messages, ending, why: fault.map(|fault| fault.to_string()).unwrap_or_default() }
}

fn read(mut rest: &[u8], request: &RequestInfo, messages: &mut Vec<Message>) -> Result<Ending, Fault> {
    let mut head = IncomingResponse::new();
    loop {
        if rest.is_empty() {
            return Ok(Ending::Incomplete);
        }
        let Parsed::Complete { len } = ResponseParser::default().parse(rest, &HeadLimits::default(), &mut head)? else {
            return Ok(Ending::Incomplete);
        };
        rest = &rest[len..];
        // Nobody has asked for another protocol.
        if head.status() == 101 || messages.len() == INFORMATIONAL {
            return Err(Fault::StatusCode);
        }
        let method = head.status().to_string();
        messages.push(Message { method, whole: head.is_informational(), ..Message::default() });
        if !head.is_informational() {
            break;
        }
    }
    let framing = match head.framing(request) {
        Ok(framing) => framing,
        Err(fault) => {
            messages.pop();
            return Err(fault);
        }
    };
    let message = messages.last_mut().unwrap();
    let (mut decoder, mut trailers) = (BodyDecoder::new(framing), Fields::new());
    loop {
        let step = decoder.decode(rest, &BodyLimits::default(), &mut trailers)?;
        rest = &rest[step.consumed..];
        match step.event {
            BodyEvent::Data(data) => message.content.extend_from_slice(data),
            BodyEvent::NeedMore if framing == Framing::UntilClose => break,
            BodyEvent::NeedMore => return Ok(Ending::Incomplete),
            BodyEvent::End => break,
        }
    }
    message.trailers = trailers.iter_bytes().map(|(name, value)| (name.to_owned(), characters(value))).collect();
    message.whole = true;
    // What stands behind the answer is nobody's.
    Ok(if rest.is_empty() { Ending::Clean } else { Ending::Closed })
}
