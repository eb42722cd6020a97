//! TLS between a stream and its socket. A [`Session`] encrypts and decrypts; this file moves the bytes, and keeps those that the
//! session or the kernel does not take:
//!
//! * `input`: ciphertext that is not a whole record yet. It is at most one record, or one message of a handshake.
//! * `plain`: decrypted bytes for which the stream had no room. At most one record.
//! * `refused`: ciphertext that the kernel has not taken. While there is some, nothing more is encrypted: the stream keeps its output,
//!   and offers it again. So it is at most one batch, and what the session says by itself.
//!
//! A connection that is idle has none of these.

mod buffers;
mod elsewhere;
mod ending;
mod failure;
mod held;
mod refused;

use super::{Own, Plaintext, Received};
use crate::event_loop::Time;
use crate::event_loop::driver::{Io, SHORT_READ_ENDS};
use crate::secure::{Ciphertext, Handshakes, Info, NewSession, Pumped, RECORD, Session, Want};
use std::io::{self, ErrorKind};
use std::rc::Rc;

pub(in crate::net) use buffers::Buffers;
use buffers::{keep, room};
use elsewhere::Place;
use failure::Failure;
use refused::Refused;

/// How many bytes of plaintext are encrypted before they are sent.
const BATCH: usize = 64 * 1024;
/// If the kernel has refused this much ciphertext, nothing is read: the session answers some messages (key updates), and a peer could
/// make that ciphertext grow without end.
const REFUSED: usize = 64 * 1024;
/// What is needed until the peers have agreed on keys.
struct Handshake {
    /// When the handshake must be over.
    until: Time,
    /// What a server says to a peer that speaks HTTP without TLS.
    to_plain_http: &'static [u8],
    /// True once a byte of the peer has come.
    begun: bool,
    /// Where its steps are taken that may sign.
    steps: Handshakes,
    /// Where the session is.
    place: Place,
}

/// How the peer's side has ended.
#[derive(Clone, Copy, PartialEq, Eq)]
enum PeerEnd {
    NotYet,
    /// The peer has said that nothing follows.
    Told,
    /// The peer has sent a FIN without having said that nothing follows: something may be missing.
    CutOff,
}

pub(in crate::net) struct Tls {
    io: Io,
    /// `None` while a step of the handshake is taken on another thread.
    session: Option<Session>,
    buffers: Rc<Buffers>,
    input: Vec<u8>,
    plain: Vec<u8>,
    refused: Option<Box<Refused>>,
    /// Bytes of plaintext that have gone and that no `write` has reported.
    gone: usize,
    handshake: Option<Box<Handshake>>,
    /// The failure that a read or a write has met. The next read or write reports it.
    failed: Option<Box<Failure>>,
    peer_end: PeerEnd,
    /// True if `input` may have whole records.
    unprocessed: bool,
    /// True after a failure of the session: nothing can be encrypted or decrypted any more.
    broken: bool,
    notice_sent: bool,
    owes_fin: bool,
}

/// What a stream that becomes secure gives to its new transport.
pub(in crate::net) struct Begin<'a> {
    pub session: NewSession,
    /// When the handshake must be over.
    pub until: Time,
    /// What a server says to a peer that speaks HTTP without TLS. Empty: nothing.
    pub to_plain_http: &'static [u8],
    /// What was read and not consumed: the beginning of the peer's handshake.
    pub read: Vec<u8>,
    /// Output that has to go as it is, before the handshake. The stream offers these bytes again.
    pub before: &'a [u8],
}

impl Tls {
    /// Begins the handshake. A client speaks first.
    pub fn begin(io: Io, buffers: Rc<Buffers>, begin: Begin<'_>) -> Tls {
        let Begin { session, until, to_plain_http, .. } = begin;
        let NewSession { mut session, handshakes: steps } = session;
        let handshake = Handshake { until, to_plain_http, begun: false, steps, place: Place::Here };
        let mut cork = buffers.cork.borrow_mut();
        cork.clear();
        cork.append(begin.before, begin.before.len());
        let greeted = if session.is_server() {
            Ok(())
        } else {
            session.pump(&mut [], &mut |_| true, &mut cork, Want::Input).result
        };
        let mut tls = Tls {
            io,
            session: Some(session),
            buffers: buffers.clone(),
            unprocessed: !begin.read.is_empty(),
            input: begin.read,
            plain: Vec::new(),
            refused: None,
            gone: 0,
            handshake: Some(Box::new(handshake)),
            failed: None,
            peer_end: PeerEnd::NotYet,
            broken: false,
            notice_sent: false,
            owes_fin: false,
        };
        if let Err(fault) = greeted {
            tls.fail(Failure::Session(fault));
        }
        tls.send(&cork);
        drop(cork);
        tls
    }

    pub fn io(&self) -> &Io {
        &self.io
    }

    /// What was agreed; `None` during the handshake.
    pub fn info(&self) -> Option<Info> {
        if self.handshake.is_some() { None } else { Some(self.session.as_ref()?.info()) }
    }

    /// When the handshake must be over, if it is not.
    pub fn handshake_until(&self) -> Option<Time> {
        self.handshake.as_ref().filter(|_| !self.broken).map(|handshake| handshake.until)
    }

    /// Returns whether the peer has sent its FIN without saying that nothing follows.
    pub fn was_cut_off(&self) -> bool {
        self.peer_end == PeerEnd::CutOff
    }

    // ---- Reading

    pub fn read(&mut self, into: &mut [u8]) -> Received {
        if let Some(received) = self.read_elsewhere() {
            return received;
        }
        if !self.plain.is_empty() {
            return self.give_plain(into);
        }
        match self.failed.take().map(|failure| *failure) {
            Some(Failure::Io(error)) => return Received::Failed(error),
            Some(failure) => return Received::Own(Own::Broken(failure.into_error())),
            None => {}
        }
        if self.broken {
            return self.discard();
        }
        if self.peer_end != PeerEnd::NotYet {
            return Received::End;
        }
        if self.refused.as_ref().is_some_and(|refused| refused.bytes.len() - refused.at >= REFUSED) {
            return Received::Own(Own::Blocked);
        }
        self.read_records(into)
    }

    fn give_plain(&mut self, into: &mut [u8]) -> Received {
        let count = into.len().min(self.plain.len());
        for (to, from) in into.iter_mut().zip(self.plain.drain(..count)) {
            *to = from;
        }
        if self.plain.is_empty() {
            self.plain = Vec::new();
        }
        Received::Bytes { count, drained: false }
    }

    /// After a failure, what still comes is of no use.
    fn discard(&mut self) -> Received {
        let mut landing = self.buffers.landing.borrow_mut();
        match self.io.read(room(&mut landing, 0, RECORD)) {
            Ok(0) => Received::End,
            Ok(count) => Received::Own(Own::Read(count, false)),
            Err(error) if error.kind() == ErrorKind::WouldBlock => Received::Nothing,
            Err(error) if error.kind() == ErrorKind::Interrupted => Received::Own(Own::Read(0, false)),
            Err(error) => Received::Failed(error),
        }
    }

    /// Reads ciphertext, unless there are whole records, and decrypts as much as there is room for.
    fn read_records(&mut self, into: &mut [u8]) -> Received {
        let buffers = self.buffers.clone();
        let mut landing = buffers.landing.borrow_mut();
        let kept = self.input.len();
        room(&mut landing, 0, kept).copy_from_slice(&self.input);
        let (mut came, mut drained) = (0, false);
        if !self.unprocessed {
            // No more than the stream asks for, so that a slow reader stays slow.
            let most = into.len().max(1);
            match self.io.read(room(&mut landing, kept, most)) {
                Ok(0) => return self.ended(),
                Ok(count) => (came, drained) = (count, SHORT_READ_ENDS && count < most),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Received::Nothing,
                Err(error) if error.kind() == ErrorKind::Interrupted => return Received::Own(Own::Read(0, false)),
                Err(error) => return Received::Failed(error),
            }
        }
        let input = landing.get_mut(..kept + came).unwrap_or_default();
        if let Some(received) = self.look_at_handshake(input) {
            return received;
        }
        self.process(input, into, came, drained)
    }

    /// Looks at the input before the TLS session gets it. Returns what the read reports if the session is not to get the input now:
    /// a client speaks plain HTTP, or other handshakes come first.
    fn look_at_handshake(&mut self, input: &[u8]) -> Option<Received> {
        let is_server = self.is_server();
        let handshake = self.handshake.as_mut()?;
        let first = !std::mem::replace(&mut handshake.begun, true);
        // The first byte of a handshake is 22 (RFC 8446, 5.1); that of HTTP is a letter.
        if first && is_server && input.first().is_some_and(u8::is_ascii_uppercase) {
            let answer = handshake.to_plain_http;
            let buffers = self.buffers.clone();
            let mut cork = buffers.cork.borrow_mut();
            cork.clear();
            cork.append(answer, 0);
            self.send(&cork);
            self.fail(Failure::PlainHttp);
            self.input = Vec::new();
            return Some(Received::Own(Own::Read(input.len(), false)));
        }
        if self.enter_line(input) {
            return Some(Received::Own(Own::Step));
        }
        if self.buffers.may_step() {
            return None;
        }
        self.input = input.to_vec();
        self.unprocessed = true;
        Some(Received::Own(Own::Later))
    }

    fn process(&mut self, input: &mut [u8], into: &mut [u8], came: usize, drained: bool) -> Received {
        let was_handshaking = self.handshake.is_some();
        let Some(session) = &mut self.session else { return Received::Own(Own::Away) };
        let buffers = self.buffers.clone();
        let mut cork = buffers.cork.borrow_mut();
        cork.clear();
        // At the end of a handshake the stream has something to do before it gets any plaintext.
        let most = if was_handshaking { 0 } else { into.len() };
        let (mut count, plain) = (0, &mut self.plain);
        let mut take = |bytes: &[u8]| {
            let taken = bytes.len().min(most - count);
            let (now, later) = bytes.split_at(taken);
            if let Some(to) = into.get_mut(count..count + taken) {
                to.copy_from_slice(now);
            }
            count += taken;
            plain.extend_from_slice(later);
            count < most
        };
        let mut pump = || session.pump(input, &mut take, &mut cork, Want::Input);
        let pumped = if was_handshaking { buffers.step(pump) } else { pump() };
        let is_over = was_handshaking && !session.is_handshaking() && pumped.result.is_ok();
        keep(&mut self.input, input.get(pumped.used..).unwrap_or_default());
        self.take_result(pumped, &cork);
        drop(cork);
        if is_over {
            self.handshake = None;
            return Received::Own(Own::Secured);
        }
        let ended = self.peer_end != PeerEnd::NotYet;
        let left = self.unprocessed || !self.plain.is_empty() || self.failed.is_some() || ended;
        match count {
            0 => Received::Own(Own::Read(came, drained && !left)),
            count => Received::Bytes { count, drained: drained && !left },
        }
    }

    /// Takes what the session has made of input, and of which `cork` is for the peer.
    fn take_result(&mut self, pumped: Pumped, cork: &Ciphertext) {
        self.unprocessed = pumped.stopped;
        if pumped.peer_closed {
            self.peer_end = PeerEnd::Told;
            // What follows is not read.
            self.input = Vec::new();
        }
        self.send(cork);
        if let Err(fault) = pumped.result {
            self.fail(Failure::Session(fault));
        }
    }

    fn is_server(&self) -> bool {
        self.session.as_ref().is_some_and(Session::is_server)
    }

    /// The peer has sent its FIN, and has not said before that nothing follows.
    fn ended(&mut self) -> Received {
        match &self.handshake {
            // The client has connected and gone without a byte, as monitors do that look whether somebody listens. That is no failure.
            Some(handshake) if !handshake.begun && self.is_server() => Received::End,
            Some(_) => {
                let error =
                    io::Error::new(ErrorKind::UnexpectedEof, "the peer has ended in the middle of the TLS handshake");
                Received::Failed(error)
            }
            None => {
                self.peer_end = PeerEnd::CutOff;
                Received::End
            }
        }
    }

    #[cold]
    fn fail(&mut self, failure: Failure) {
        self.failed = Some(Box::new(failure));
        self.broken = true;
    }

    // ---- Writing

    /// Returns how many of the offered bytes have now gone, counted from the first. Some of them may have been offered, and encrypted,
    /// by earlier calls already. During the handshake none go.
    pub fn write(&mut self, plaintext: &Plaintext<'_>) -> io::Result<usize> {
        if self.refused.is_some() {
            self.flush()?;
        }
        let gone = std::mem::take(&mut self.gone);
        if gone > 0 || self.refused.is_some() || self.handshake.is_some() || self.broken {
            return Ok(gone);
        }
        let buffers = self.buffers.clone();
        let mut cork = buffers.cork.borrow_mut();
        cork.clear();
        let mut encrypted = 0;
        let taken = match plaintext {
            Plaintext::Bytes(bytes) => self.encrypt(bytes, &mut encrypted, &mut cork),
            Plaintext::Pieces(pieces) => {
                let mut gathered = buffers.gathered.borrow_mut();
                gathered.clear();
                pieces
                    .iter()
                    .try_for_each(|piece| self.gather(piece, &mut gathered, &mut encrypted, &mut cork))
                    .and_then(|()| self.encrypt(&gathered, &mut encrypted, &mut cork))
            }
            Plaintext::File(..) => Ok(()),
        };
        self.send(&cork);
        drop(cork);
        taken?;
        match self.failed.take_if(|failure| matches!(**failure, Failure::Io(_))) {
            Some(failure) => Err(failure.into_error()),
            None => Ok(std::mem::take(&mut self.gone)),
        }
    }

    /// Encrypts a piece of output, record by record. A rest that does not fill a record waits in `gathered` for the next piece.
    fn gather(
        &mut self,
        mut piece: &[u8],
        gathered: &mut Vec<u8>,
        encrypted: &mut usize,
        cork: &mut Ciphertext,
    ) -> io::Result<()> {
        while !piece.is_empty() && *encrypted + gathered.len() < BATCH {
            let (now, later) = piece.split_at(piece.len().min(RECORD - gathered.len()));
            gathered.extend_from_slice(now);
            piece = later;
            if gathered.len() == RECORD {
                self.encrypt(gathered, encrypted, cork)?;
                gathered.clear();
            }
        }
        Ok(())
    }

    fn encrypt(&mut self, bytes: &[u8], encrypted: &mut usize, cork: &mut Ciphertext) -> io::Result<()> {
        for record in bytes.chunks(RECORD) {
            if *encrypted >= BATCH {
                break;
            }
            self.pump(Want::Encrypt(record), cork)?;
            *encrypted += record.len();
        }
        Ok(())
    }

    /// Has the session do something that needs no input.
    fn pump(&mut self, want: Want<'_>, cork: &mut Ciphertext) -> io::Result<()> {
        // Input that the session has not used stays in `input`, because the session has to see it again.
        let (plain, input) = (&mut self.plain, &mut self.input);
        let mut take = |bytes: &[u8]| {
            plain.extend_from_slice(bytes);
            true
        };
        let Some(session) = &mut self.session else { return Err(ErrorKind::NotConnected.into()) };
        let pumped = session.pump(input, &mut take, cork, want);
        if pumped.used > 0 {
            input.drain(..pumped.used);
        }
        if pumped.peer_closed {
            self.peer_end = PeerEnd::Told;
        }
        match pumped.result {
            Ok(()) if pumped.done => Ok(()),
            Ok(()) => Err(io::Error::new(ErrorKind::BrokenPipe, "the session takes no more output")),
            Err(fault) => {
                self.broken = true;
                Err(fault.into_error())
            }
        }
    }

    /// Gives ciphertext to the kernel, behind what it has refused before, and keeps what it refuses. An error is kept for the next read
    /// or write.
    fn send(&mut self, cork: &Ciphertext) {
        if cork.is_empty() {
            return;
        }
        let all: usize = cork.records().iter().map(|(_, plaintext)| plaintext).sum();
        let mut sent = 0;
        if self.refused.is_none() {
            loop {
                match self.io.write(cork.as_bytes().get(sent..).unwrap_or_default()) {
                    Ok(count) => sent += count,
                    Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                    Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                    Err(error) => return self.fail(Failure::Io(error)),
                }
                if sent == cork.as_bytes().len() {
                    self.gone += all;
                    return;
                }
            }
        }
        let refused = self.refused.get_or_insert_default();
        refused.bytes.extend_from_slice(cork.as_bytes());
        refused.records.extend(cork.records().iter().map(|(bytes, plaintext)| (*bytes, *bytes, *plaintext)));
        self.gone += self.refused.as_mut().map_or(0, |refused| refused.note_sent(sent));
    }

    /// Returns whether there is something to send besides the output of the stream.
    pub fn wants_write(&self) -> bool {
        self.refused.is_some() || self.owes_fin
    }

    /// Sends what the kernel has refused, and the FIN that follows.
    pub fn flush(&mut self) -> io::Result<()> {
        while let Some(refused) = &mut self.refused {
            match self.io.write(refused.bytes.get(refused.at..).unwrap_or_default()) {
                Ok(count) => {
                    self.gone += refused.note_sent(count);
                    if refused.at == refused.bytes.len() {
                        self.refused = None;
                    }
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            }
        }
        if self.owes_fin && (self.handshake.is_none() || self.broken) {
            self.owes_fin = false;
            self.io.shutdown_write()?;
        }
        Ok(())
    }
}
