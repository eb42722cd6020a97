//! What the fields of a request say about the message itself: Host, framing, Connection, Expect, Upgrade.

use super::{
    fault::Fault,
    framing::{self, Framing},
    head::{self, RequestHead},
    host,
    limits::HeadLimits,
    octet::{self, same_name},
    persistence::Wish,
    target::TargetForm,
    version::Version,
};

/// What was seen in one pass over the fields.
#[derive(Default)]
pub(super) struct Seen {
    /// The number of its line, as for the next.
    host: Option<u8>,
    length: Option<u8>,
    /// Bits of the constants below.
    found: u8,
    /// Bits of the head's flags that follow from one field alone.
    flags: u8,
}

const HOST_TWICE: u8 = 1;
const LENGTH_TWICE: u8 = 2;
const CODING: u8 = 4;
const CLOSE: u8 = 8;
const KEEP_ALIVE: u8 = 16;
const UPGRADE_TOKEN: u8 = 32;
const UPGRADE: u8 = 64;
/// A field that says how the message is read, and in which nobody else looks at each byte, is not ASCII.
const NOT_ASCII: u8 = 128;
/// What an offer of another protocol takes (RFC 9110, 7.8).
const OFFER: u8 = UPGRADE_TOKEN + UPGRADE;

/// The first letters of the names that [`Seen::note`] looks for, by the length of the name.
const FIRST: [u8; 18] = {
    let mut first = [0; 18];
    let mut at = 0;
    while at < NAMES.len() {
        assert!(first[NAMES[at].len()] == 0, "two of one length");
        first[NAMES[at].len()] = NAMES[at].as_bytes()[0];
        at += 1;
    }
    first
};
/// Those that [`Seen::note`] has an arm for.
const NAMES: [&str; 6] = ["host", "expect", "upgrade", "connection", "content-length", "transfer-encoding"];

impl Seen {
    /// Returns whether a field of this name may be one to note. Length and first letter rule most names out.
    #[inline]
    pub(super) fn may_note(name: &[u8]) -> bool {
        match (FIRST.get(name.len()), name.first()) {
            (Some(first), Some(byte)) => byte | 0x20 == *first,
            _ => false,
        }
    }

    #[inline(never)]
    pub(super) fn note(&mut self, name: &[u8], value: &[u8], line: u8) {
        match name.len() {
            4 if same_name(name, b"host") => {
                let before = self.host.replace(line);
                self.found |= before.map_or(0, |_| HOST_TWICE);
            }
            6 if same_name(name, b"expect") => self.note_expect(value),
            7 if same_name(name, b"upgrade") => {
                self.found |= UPGRADE;
                self.note_bytes(value);
            }
            10 if same_name(name, b"connection") => self.note_connection(value),
            14 if same_name(name, b"content-length") => {
                let before = self.length.replace(line);
                self.found |= before.map_or(0, |_| LENGTH_TWICE);
            }
            17 if same_name(name, b"transfer-encoding") => self.found |= CODING,
            _ => {}
        }
    }

    /// Reads the options of a Connection field (RFC 9110, 7.6.1); those that are not ours to act on are ignored.
    fn note_connection(&mut self, value: &[u8]) {
        // What nearly all clients send needs no taking apart.
        if same_name(value, b"keep-alive") {
            self.found |= KEEP_ALIVE;
            return;
        }
        self.note_bytes(value);
        for option in octet::list(value) {
            self.found |= match option.len() {
                5 if same_name(option, b"close") => CLOSE,
                7 if same_name(option, b"upgrade") => UPGRADE_TOKEN,
                10 if same_name(option, b"keep-alive") => KEEP_ALIVE,
                _ => 0,
            };
        }
    }

    /// Reads the expectations (RFC 9110, 10.1.1).
    #[cold]
    fn note_expect(&mut self, value: &[u8]) {
        self.flags |= head::EXPECT;
        self.note_bytes(value);
        if octet::list(value).any(|element| element.eq_ignore_ascii_case(b"100-continue")) {
            self.flags |= head::CONTINUE;
        }
    }

    /// What is above ASCII in a value is opaque: nothing that we act on can be made of it.
    fn note_bytes(&mut self, value: &[u8]) {
        if !value.is_ascii() {
            self.found |= NOT_ASCII;
        }
    }

    /// Says what the fields mean together, or which rule they break: Host first, then framing.
    #[inline]
    pub(super) fn judge(&self, head: &mut RequestHead, limits: &HeadLimits) -> Result<(), Fault> {
        head.flags = self.flags;
        self.judge_host(head, limits)?;
        self.judge_framing(head)?;
        head.wish = match (self.found & CLOSE != 0, self.found & KEEP_ALIVE != 0) {
            (true, _) => Wish::Close,
            (false, true) => Wish::KeepAlive,
            (false, false) => Wish::Nothing,
        };
        if self.found & OFFER == OFFER {
            head.flags |= head::UPGRADE;
        }
        Ok(())
    }

    #[inline]
    fn judge_host(&self, head: &mut RequestHead, limits: &HeadLimits) -> Result<(), Fault> {
        if self.found & (HOST_TWICE + NOT_ASCII) != 0 {
            return Err(if self.found & HOST_TWICE != 0 { Fault::HostRepeated } else { Fault::FieldValueNotAscii });
        }
        let (from, to) = head.line.host;
        match self.host {
            Some(line) => {
                let (value, end) = head.fields.value_of(line);
                // An empty field says that the target has no authority (RFC 9112, 3.2). With a port and no host it makes a
                // URI that a recipient has to refuse (RFC 9110, 4.2.1).
                if value < end && !host::read(head.fields.bytes(value, end)).is_some_and(|host| host.named) {
                    return Err(Fault::HostInvalid);
                }
                if from == to {
                    head.line.host = (value, end);
                }
                head.flags |= head::HOST;
            }
            None if limits.require_host && head.version == Version::Http11 => return Err(Fault::HostMissing),
            None if from < to => head.flags |= head::HOST,
            None => {}
        }
        Ok(())
    }

    #[inline]
    fn judge_framing(&self, head: &mut RequestHead) -> Result<(), Fault> {
        if self.length.is_none() && self.found & CODING == 0 {
            head.framing = Framing::None;
            return Ok(());
        }
        self.judge_content(head)
    }

    #[inline(never)]
    fn judge_content(&self, head: &mut RequestHead) -> Result<(), Fault> {
        if self.found & LENGTH_TWICE != 0 {
            return Err(Fault::LengthRepeated);
        }
        let length = self.length.map(|line| {
            let (value, end) = head.fields.value_of(line);
            head.fields.bytes(value, end)
        });
        let coded =
            (self.found & CODING != 0).then(|| framing::codings(head.fields.get_all_bytes("transfer-encoding")));
        head.framing = framing::of_request(head.version, length, coded)?;
        match (head.line.form, head.framing) {
            (TargetForm::Authority, Framing::Chunked | Framing::Length(1..)) => Err(Fault::ConnectWithContent),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_matters_is_noted_in_any_case() {
        for name in NAMES {
            assert!(Seen::may_note(name.as_bytes()), "{name}");
            assert!(Seen::may_note(name.to_uppercase().as_bytes()), "{name}");
        }
        let long = "x".repeat(300);
        for name in ["", "Cookie", "Accept", "Referer", "User-Agent", "Accept-Encoding", &long] {
            assert!(!Seen::may_note(name.as_bytes()), "{name}");
        }
    }
}
