//! The agreement on compression: `Sec-WebSocket-Extensions` with `permessage-deflate` (RFC 6455, 9.1; RFC 7692, 5 and 7.1).
//!
//! This is text alone: nothing here compresses. What is agreed is always without *context takeover*: each message is compressed for
//! itself, so that no side keeps anything from one message to the next.

use crate::proto::octet;
use std::borrow::Cow;
use std::fmt;

/// The name of the extension.
const NAME: &[u8] = b"permessage-deflate";

/// One offer of `permessage-deflate`, or the answer to it.
///
/// ```
/// use oneloop::proto::ws::PermessageDeflate;
///
/// let offer = PermessageDeflate::parse(b"permessage-deflate; server_max_window_bits=\"10\"; client_max_window_bits").unwrap();
/// assert_eq!((offer.server_max_window_bits, offer.client_max_window_bits), (Some(10), Some(None)));
/// assert_eq!(offer.to_string(), "permessage-deflate; server_max_window_bits=10; client_max_window_bits");
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PermessageDeflate {
    /// The server compresses each message for itself.
    pub server_no_context_takeover: bool,
    /// The client compresses each message for itself.
    pub client_no_context_takeover: bool,
    /// The server refers to no byte further back than two to the power of this, from 8 to 15.
    pub server_max_window_bits: Option<u8>,
    /// The client refers to no byte further back than two to the power of this. In an offer it may be `Some(None)`, the parameter
    /// without a number: the server may choose the number, and the client will keep to it.
    pub client_max_window_bits: Option<Option<u8>>,
}

/// How far back compressed content may refer. Of the sizes from 9 to 15 bits only two are used, so that a published message has two
/// compressed forms at most. (zlib cannot compress with 8 bits.)
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Window {
    /// 512 bytes: whoever has asked for less than the largest window can read it.
    Smallest,
    /// 32 KiB.
    Full,
}

impl Window {
    /// The largest window of at most `bits` bits. `None` for less than 9.
    pub fn within(bits: u8) -> Option<Window> {
        match bits {
            0..=8 => None,
            9..=14 => Some(Window::Smallest),
            _ => Some(Window::Full),
        }
    }

    /// The size as a power of two.
    pub fn bits(self) -> u8 {
        match self {
            Window::Smallest => 9,
            Window::Full => 15,
        }
    }
}

impl PermessageDeflate {
    /// What a client offers here. It could use a smaller window, and needs the server to compress each message for itself.
    pub const OFFER: PermessageDeflate = PermessageDeflate {
        server_no_context_takeover: true,
        client_no_context_takeover: true,
        server_max_window_bits: None,
        client_max_window_bits: Some(None),
    };

    /// Reads one element of the list. `None` if it is another extension, or has a parameter that is unknown, comes twice or has no valid
    /// value (RFC 7692, 7.1).
    pub fn parse(element: &[u8]) -> Option<PermessageDeflate> {
        let mut parts = split(element, b';');
        if parts.next()? != NAME {
            return None;
        }
        let mut found = PermessageDeflate::default();
        for part in parts {
            let (name, value) = match part.iter().position(|&byte| byte == b'=') {
                Some(at) => (part.get(..at)?.trim_ascii(), Some(unquoted(part.get(at + 1..)?.trim_ascii())?)),
                None => (part, None),
            };
            let bits = value.as_deref().map(window_bits);
            let is_new = match (name, bits) {
                (b"server_no_context_takeover", None) => {
                    !std::mem::replace(&mut found.server_no_context_takeover, true)
                }
                (b"client_no_context_takeover", None) => {
                    !std::mem::replace(&mut found.client_no_context_takeover, true)
                }
                (b"server_max_window_bits", Some(Some(bits))) => found.server_max_window_bits.replace(bits).is_none(),
                (b"client_max_window_bits", None) => found.client_max_window_bits.replace(None).is_none(),
                (b"client_max_window_bits", Some(Some(bits))) => {
                    found.client_max_window_bits.replace(Some(bits)).is_none()
                }
                _ => false,
            };
            if !is_new {
                return None;
            }
        }
        Some(found)
    }

    /// The answer of a server to what a client offers in the values of its `Sec-WebSocket-Extensions` fields: it takes the first offer
    /// that it can. `None` if there is none: then the answer has no such field, and nothing is compressed.
    ///
    /// ```
    /// use oneloop::proto::ws::PermessageDeflate;
    ///
    /// let offers = [&b"permessage-deflate; server_max_window_bits=8, permessage-deflate; client_max_window_bits"[..]];
    /// let answer = PermessageDeflate::accept(offers).unwrap();
    /// assert_eq!(answer.to_string(), "permessage-deflate; server_no_context_takeover; client_no_context_takeover");
    /// assert_eq!(PermessageDeflate::accept([&b"permessage-bzip2"[..]]), None);
    /// ```
    pub fn accept<'a>(offers: impl IntoIterator<Item = &'a [u8]>) -> Option<PermessageDeflate> {
        offers.into_iter().flat_map(|value| split(value, b',')).filter_map(PermessageDeflate::parse).find_map(|offer| {
            let window = match offer.server_max_window_bits {
                Some(bits) => Some(Window::within(bits)?.bits()),
                None => None,
            };
            Some(PermessageDeflate {
                server_no_context_takeover: true,
                client_no_context_takeover: true,
                server_max_window_bits: window,
                client_max_window_bits: None,
            })
        })
    }

    /// What a server has answered to [`OFFER`](PermessageDeflate::OFFER) in the values of its `Sec-WebSocket-Extensions` fields. `Ok(None)`
    /// if they name nothing.
    ///
    /// # Errors
    /// If the answer has another extension, several, or does not answer the offer.
    pub fn check<'a>(answer: impl IntoIterator<Item = &'a [u8]>) -> Result<Option<PermessageDeflate>, NoAnswer> {
        let mut elements =
            answer.into_iter().flat_map(|value| split(value, b',')).filter(|element| !element.is_empty());
        let Some(first) = elements.next() else { return Ok(None) };
        let answer = PermessageDeflate::parse(first).ok_or(NoAnswer)?;
        let fits = answer.server_no_context_takeover && answer.client_max_window_bits != Some(None);
        if fits && elements.next().is_none() { Ok(Some(answer)) } else { Err(NoAnswer) }
    }

    /// The window with which the server compresses. `None` if it cannot compress, because the agreed window is too small.
    pub fn server_window(&self) -> Option<Window> {
        Window::within(self.server_max_window_bits.unwrap_or(15))
    }

    /// The window with which the client compresses. `None` if it cannot compress, because the agreed window is too small.
    pub fn client_window(&self) -> Option<Window> {
        Window::within(self.client_max_window_bits.flatten().unwrap_or(15))
    }
}

/// An answer that does not answer the offer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoAnswer;

/// The parts between separators that stand in no quoted string, without the blanks around them.
fn split(text: &[u8], separator: u8) -> impl Iterator<Item = &[u8]> {
    let (mut quoted, mut escaped) = (false, false);
    let is_end = move |&byte: &u8| {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            _ => return byte == separator && !quoted,
        }
        false
    };
    text.split(is_end).map(<[u8]>::trim_ascii)
}

/// The text of a value: a token, or a quoted string that holds one (RFC 6455, 9.1).
fn unquoted(value: &[u8]) -> Option<Cow<'_, [u8]>> {
    let text = match value.strip_prefix(b"\"") {
        None => Cow::Borrowed(value),
        Some(rest) => {
            let (mut text, mut rest) = (Vec::new(), rest.iter());
            loop {
                match rest.next()? {
                    b'"' => break,
                    b'\\' => text.push(*rest.next()?),
                    byte => text.push(*byte),
                }
            }
            rest.next().is_none().then_some(Cow::Owned(text))?
        }
    };
    (!text.is_empty() && octet::all(&text, octet::TOKEN)).then_some(text)
}

/// A number from 8 to 15, without zeros in front (RFC 7692, 7.1.2).
fn window_bits(text: &[u8]) -> Option<u8> {
    match *text {
        [digit @ b'8'..=b'9'] => Some(digit - b'0'),
        [b'1', digit @ b'0'..=b'5'] => Some(10 + digit - b'0'),
        _ => None,
    }
}

impl fmt::Display for PermessageDeflate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("permessage-deflate")?;
        if self.server_no_context_takeover {
            f.write_str("; server_no_context_takeover")?;
        }
        if self.client_no_context_takeover {
            f.write_str("; client_no_context_takeover")?;
        }
        if let Some(bits) = self.server_max_window_bits {
            write!(f, "; server_max_window_bits={bits}")?;
        }
        match self.client_max_window_bits {
            Some(Some(bits)) => write!(f, "; client_max_window_bits={bits}"),
            Some(None) => f.write_str("; client_max_window_bits"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accept(offers: &[&str]) -> Option<String> {
        PermessageDeflate::accept(offers.iter().map(|offer| offer.as_bytes())).map(|answer| answer.to_string())
    }

    const ANSWER: &str = "permessage-deflate; server_no_context_takeover; client_no_context_takeover";

    #[test]
    fn an_offer_that_can_be_taken_is_answered() {
        for offers in [
            &["permessage-deflate"][..],
            &["permessage-deflate; client_max_window_bits"],
            &["permessage-deflate;client_max_window_bits=8 ;\tserver_no_context_takeover;client_no_context_takeover"],
            &["x-webkit-deflate-frame", "permessage-bzip2, permessage-deflate"],
            &["permessage-deflate; from_the_future, permessage-deflate"],
            &["permessage-deflate; server_max_window_bits=8, permessage-deflate"],
            &["other; text=\"a, permessage-deflate; server_max_window_bits=9\", permessage-deflate"],
            &[", ,permessage-deflate,"],
        ] {
            assert_eq!(accept(offers).as_deref(), Some(ANSWER), "{offers:?}");
        }
        for (asked, answered) in [("9", 9), ("10", 9), ("\"12\"", 9), ("\"1\\4\"", 9), ("15", 15)] {
            let offer = format!("permessage-deflate; server_max_window_bits = {asked}");
            assert_eq!(accept(&[&offer]), Some(format!("{ANSWER}; server_max_window_bits={answered}")), "{asked}");
        }
    }

    #[test]
    fn an_offer_with_anything_unknown_doubled_or_out_of_range_is_declined() {
        for value in ["", "0", "7", "8", "16", "09", "015", "+9", "9.0", "9 9", "nine", "\"9", "9\"", "\"\"", "\"9\" 9"]
        {
            let offer = format!("permessage-deflate; server_max_window_bits={value}");
            assert_eq!(accept(&[&offer]), None, "{value}");
        }
        for value in ["=", "=7", "=16", "=015", "=99999999999999999999999", "=-1"] {
            let offer = format!("permessage-deflate; client_max_window_bits{value}");
            assert_eq!(accept(&[&offer]), None, "{value}");
        }
        for offer in [
            "",
            ";",
            "Permessage-Deflate",
            "permessage-deflate;",
            "permessage-deflate; ; client_max_window_bits",
            "permessage-deflate; server_max_window_bits",
            "permessage-deflate; server_no_context_takeover=1",
            "permessage-deflate; client_no_context_takeover=\"\"",
            "permessage-deflate; client_no_context_takeover; client_no_context_takeover",
            "permessage-deflate; client_max_window_bits; client_max_window_bits=9",
            "permessage-deflate; server_max_window_bits=9; server_max_window_bits=9",
            "permessage-deflate; unknown",
            "permessage-deflate permessage-deflate",
        ] {
            assert_eq!(accept(&[offer]), None, "{offer}");
        }
    }

    #[test]
    fn what_is_printed_is_read_again() {
        let bits = || std::iter::once(None).chain((8..=15).map(Some));
        for flags in 0..4 {
            for server in bits() {
                for client in bits().map(Some).chain([None]) {
                    let one = PermessageDeflate {
                        server_no_context_takeover: flags & 1 > 0,
                        client_no_context_takeover: flags & 2 > 0,
                        server_max_window_bits: server,
                        client_max_window_bits: client,
                    };
                    assert_eq!(PermessageDeflate::parse(one.to_string().as_bytes()), Some(one));
                }
            }
        }
    }

    #[test]
    fn a_client_takes_answers_to_its_offer_only() {
        let check = |answer: &[&str]| PermessageDeflate::check(answer.iter().map(|value| value.as_bytes()));
        assert_eq!(check(&[]), Ok(None));
        assert_eq!(check(&["", " , "]), Ok(None));
        let least = "permessage-deflate; server_no_context_takeover";
        for (more, client, server) in [
            ("", Some(Window::Full), Some(Window::Full)),
            ("; client_no_context_takeover", Some(Window::Full), Some(Window::Full)),
            ("; client_max_window_bits=12", Some(Window::Smallest), Some(Window::Full)),
            ("; client_max_window_bits=8; server_max_window_bits=8", None, None),
            ("; server_max_window_bits=15", Some(Window::Full), Some(Window::Full)),
        ] {
            let answer = check(&[&format!("{least}{more}")]).unwrap().unwrap();
            assert_eq!((answer.client_window(), answer.server_window()), (client, server), "{more}");
        }
        for answer in [
            "permessage-deflate",
            "permessage-deflate; client_no_context_takeover",
            "permessage-deflate; server_no_context_takeover; client_max_window_bits",
            "permessage-deflate; server_no_context_takeover; client_max_window_bits=7",
            "permessage-deflate; server_no_context_takeover; server_max_window_bits=0",
            "permessage-deflate; server_no_context_takeover; server_max_window_bits=16",
            "permessage-deflate; server_no_context_takeover; server_max_window_bits=015",
            "permessage-deflate; server_no_context_takeover; server_max_window_bits=99999999999999999999999",
            "permessage-deflate; server_no_context_takeover; server_max_window_bits",
            "permessage-deflate; server_no_context_takeover; unknown",
            "permessage-deflate; server_no_context_takeover, permessage-deflate; server_no_context_takeover",
            "permessage-bzip2",
        ] {
            assert_eq!(check(&[answer]), Err(NoAnswer), "{answer}");
        }
        assert_eq!(check(&[least, least]), Err(NoAnswer));
    }
}
