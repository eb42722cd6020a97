//! Reads the fields that say how a request itself is to be handled: Host, framing, Connection, Expect, Upgrade.

use super::{
    fault::Fault,
    framing::{self, Framing},
    host,
    incoming_request::{self, IncomingRequest},
    limits::HeadLimits,
    persistence::ConnectionOption,
    target::TargetForm,
    version::Version,
};
use crate::proto::octet::{self, same_name};

/// The results of one pass over the fields.
#[derive(Default)]
pub(super) struct Seen {
    /// Where the value of the Host field stands in the text.
    host: (u32, u32),
    /// Where the value of the Content-Length field stands in the text.
    length: (u32, u32),
    /// Bits of the constants below.
    found: u16,
    option: ConnectionOption,
    /// Those bits of [`IncomingRequest`]'s `flags` that depend on one field alone.
    flags: u8,
}

const HOST: u16 = 1;
const HOST_TWICE: u16 = 2;
const HOST_INVALID: u16 = 4;
const LENGTH: u16 = 8;
const LENGTH_TWICE: u16 = 16;
const CODING: u16 = 32;
const UPGRADE_TOKEN: u16 = 64;
const UPGRADE: u16 = 128;
/// Connection, Expect or Upgrade has a byte that is not ASCII. (Host and the fields about framing are checked byte by byte
/// elsewhere.)
const NOT_ASCII: u16 = 256;
/// Both bits are needed for an offer of another protocol (RFC 9110, 7.8).
const OFFER: u16 = UPGRADE_TOKEN + UPGRADE;

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
/// The names that [`Seen::note`] looks for, no two of the same length.
const NAMES: [&str; 6] = ["host", "expect", "upgrade", "connection", "content-length", "transfer-encoding"];

impl Seen {
    /// Returns whether a field of this name may be one to note. Length and first letter rule most names out.
    #[inline]
    fn may_note(name: &[u8]) -> bool {
        match (FIRST.get(name.len()), name.first()) {
            (Some(first), Some(byte)) => byte | 0x20 == *first,
            _ => false,
        }
    }

    /// Notes the field if it is one of [`NAMES`]. `at` is where its value begins in the text.
    #[inline(always)]
    pub(super) fn note(&mut self, name: &[u8], value: &[u8], at: u32) {
        if !Self::may_note(name) {
            return;
        }
        if same_name(name, b"host") {
            self.note_host(value, at);
        } else {
            self.note_other(name, value, at);
        }
    }

    #[inline]
    fn note_host(&mut self, value: &[u8], at: u32) {
        // An empty Host field is valid: it says that the target has no authority (RFC 9112, 3.2). A Host field with a port but
        // without a host is not: it makes a URI that a recipient has to refuse (RFC 9110, 4.2.1).
        let valid = value.is_empty() || host::read(value).is_some_and(|host| host.named);
        self.found |= match (self.found & HOST == 0, valid) {
            (true, true) => HOST,
            (true, false) => HOST | HOST_INVALID,
            (false, _) => HOST_TWICE,
        };
        self.host = (at, at + value.len() as u32);
    }

    #[inline(never)]
    fn note_other(&mut self, name: &[u8], value: &[u8], at: u32) {
        match name.len() {
            6 if same_name(name, b"expect") => self.note_expect(value),
            7 if same_name(name, b"upgrade") => {
                self.found |= UPGRADE;
                self.note_bytes(value);
            }
            10 if same_name(name, b"connection") => self.note_connection(value),
            14 if same_name(name, b"content-length") => {
                self.found |= if self.found & LENGTH == 0 { LENGTH } else { LENGTH_TWICE };
                self.length = (at, at + value.len() as u32);
            }
            17 if same_name(name, b"transfer-encoding") => self.found |= CODING,
            _ => {}
        }
    }

    /// Reads the options of a Connection field (RFC 9110, 7.6.1); options that do not concern us are ignored.
    fn note_connection(&mut self, value: &[u8]) {
        // Nearly all clients send exactly this value, so it is compared first.
        if same_name(value, b"keep-alive") {
            self.option = self.option.with(b"keep-alive");
            return;
        }
        self.note_bytes(value);
        for option in octet::list(value) {
            self.option = self.option.with(option);
            if option.len() == 7 && same_name(option, b"upgrade") {
                self.found |= UPGRADE_TOKEN;
            }
        }
    }

    /// Reads the expectations (RFC 9110, 10.1.1).
    #[cold]
    fn note_expect(&mut self, value: &[u8]) {
        self.flags |= incoming_request::EXPECT;
        self.note_bytes(value);
        if octet::list(value).any(|element| element.eq_ignore_ascii_case(b"100-continue")) {
            self.flags |= incoming_request::CONTINUE;
        }
    }

    /// Notes if the value has bytes above ASCII. These are opaque, so the value has no known meaning.
    fn note_bytes(&mut self, value: &[u8]) {
        if !value.is_ascii() {
            self.found |= NOT_ASCII;
        }
    }

    /// Stores in `head` what the fields mean together, or returns the rule that they break. Host is judged first, then the
    /// framing.
    #[inline(always)]
    pub(super) fn judge(&self, head: &mut IncomingRequest, limits: &HeadLimits) -> Result<(), Fault> {
        if self.found & (HOST_TWICE | NOT_ASCII | HOST_INVALID) != 0 {
            return Err(self.fault());
        }
        head.flags = self.flags;
        head.option = self.option;
        let (from, to) = head.line.host;
        if self.found & HOST != 0 {
            // If the request target has an authority, it counts and the Host field does not (RFC 9112, 3.2.2).
            if from == to {
                head.line.host = self.host;
            }
            head.flags |= incoming_request::HOST;
        } else if limits.require_host && head.version == Version::Http11 {
            return Err(Fault::HostMissing);
        } else if from < to {
            head.flags |= incoming_request::HOST;
        }
        if self.found & OFFER == OFFER {
            head.flags |= incoming_request::UPGRADE;
        }
        head.framing = Framing::None;
        if self.found & (LENGTH | CODING) == 0 { Ok(()) } else { self.judge_content(head) }
    }

    /// Returns the rule that is broken: one of those that do not depend on the target.
    #[cold]
    fn fault(&self) -> Fault {
        if self.found & HOST_TWICE != 0 {
            Fault::HostRepeated
        } else if self.found & NOT_ASCII != 0 {
            Fault::FieldValueNotAscii
        } else {
            Fault::HostInvalid
        }
    }

    #[inline(never)]
    fn judge_content(&self, head: &mut IncomingRequest) -> Result<(), Fault> {
        if self.found & LENGTH_TWICE != 0 {
            return Err(Fault::LengthRepeated);
        }
        let length = (self.found & LENGTH != 0).then(|| head.fields.bytes(self.length.0, self.length.1));
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
