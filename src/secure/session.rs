//! The adapter to rustls, and the only file that drives it. A session is one side of one connection: ciphertext goes in and plaintext
//! comes out, and the other way round. It keeps no bytes.
//!
//! rustls is a state machine that says what it wants next. Each pass of [`Session::pump`] does what it wants: bytes of its own (a
//! handshake, a ticket, an alert) go to the ciphertext, decrypted bytes to the caller. Each pass consumes or makes bytes, or it is the
//! last one, so the loop ends.

use super::{Client, Context, Fault, Handshakes, Info};
use rustls::client::UnbufferedClientConnection;
use rustls::pki_types::ServerName;
use rustls::server::UnbufferedServerConnection;
use rustls::unbuffered::{ConnectionState, EncodeError, EncryptError, UnbufferedStatus};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// The most bytes of plaintext that a record has (RFC 8446, 5.1).
pub(crate) const RECORD: usize = 16 * 1024;
/// More than a record adds to its plaintext: head, nonce, tag, content type.
const OVERHEAD: usize = 64;

/// Bytes for the peer. The buffer is kept, and never cleared: only its first `len` bytes count.
#[derive(Default)]
pub(crate) struct Ciphertext {
    buffer: Vec<u8>,
    len: usize,
    /// The records: how many bytes of the ciphertext each has, and how many bytes of plaintext are in it. 0: bytes of the protocol.
    records: Vec<(usize, usize)>,
}

impl Ciphertext {
    pub fn as_bytes(&self) -> &[u8] {
        self.buffer.get(..self.len).unwrap_or_default()
    }

    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub fn records(&self) -> &[(usize, usize)] {
        &self.records
    }

    pub fn clear(&mut self) {
        self.len = 0;
        self.records.clear();
    }

    /// Appends bytes as they are.
    pub fn append(&mut self, bytes: &[u8], plaintext: usize) {
        self.room(bytes.len()).copy_from_slice(bytes);
        self.add(bytes.len(), plaintext);
    }

    fn room(&mut self, bytes: usize) -> &mut [u8] {
        let end = self.len + bytes;
        if self.buffer.len() < end {
            self.buffer.resize(end, 0);
        }
        self.buffer.get_mut(self.len..end).unwrap_or_default()
    }

    fn add(&mut self, bytes: usize, plaintext: usize) {
        if bytes > 0 {
            self.len += bytes;
            self.records.push((bytes, plaintext));
        }
    }
}

/// What the caller wants of a session, once the session has processed its input.
#[derive(Clone, Copy)]
pub(crate) enum Want<'a> {
    /// No more.
    Input,
    /// To encrypt these bytes: [`RECORD`] of them at most, as one record.
    Encrypt(&'a [u8]),
    /// To tell the peer that nothing follows.
    CloseNotice,
}

/// The result of [`Session::pump`].
pub(crate) struct Pumped {
    /// How many bytes of the input were used. The caller keeps the others, as they are now, for the next call.
    pub used: usize,
    /// True if the caller has taken enough, and input may be left that can be processed.
    pub stopped: bool,
    /// True if the peer has told in this call that nothing follows.
    pub peer_closed: bool,
    /// True if the bytes of [`Want::Encrypt`] were encrypted, or the notice of [`Want::CloseNotice`] was made.
    pub done: bool,
    /// What went wrong. The ciphertext then has the alert that tells the peer.
    pub result: Result<(), Fault>,
}

enum Side {
    Client(UnbufferedClientConnection),
    Server(UnbufferedServerConnection),
}

/// One side of a TLS connection. See the [module's docs](self).
pub(crate) struct Session {
    side: Side,
    /// The name of the server: of a client, the one that it wants; of a server, the one that it was asked for.
    name: Option<Box<str>>,
}

/// A session whose handshake has not begun. After the handshake nobody asks where it was.
pub(crate) struct NewSession {
    pub session: Session,
    pub handshakes: Handshakes,
}

impl Session {
    pub fn server(context: &Context) -> Result<NewSession, Fault> {
        let connection = UnbufferedServerConnection::new(context.config().clone()).map_err(Fault::of)?;
        let session = Session { side: Side::Server(connection), name: None };
        Ok(NewSession { session, handshakes: context.handshakes() })
    }

    /// A client of the server with this name, which may be an IP address.
    ///
    /// # Errors
    /// If the name is neither that of a host nor an IP address.
    pub fn client(client: &Client, name: &str) -> io::Result<NewSession> {
        let server = ServerName::try_from(name.to_owned())
            .map_err(|_| super::invalid(format!("{} is no name of a server", name.escape_debug())))?;
        let connection = UnbufferedClientConnection::new(client.config().clone(), server);
        let connection = connection.map_err(|error| Fault::of(error).into_error())?;
        let session = Session { side: Side::Client(connection), name: Some(name.into()) };
        Ok(NewSession { session, handshakes: Handshakes::Inline })
    }

    /// Returns whether the peers have not yet agreed on keys. Until then nothing can be encrypted.
    pub fn is_handshaking(&self) -> bool {
        match &self.side {
            Side::Client(connection) => connection.is_handshaking(),
            Side::Server(connection) => connection.is_handshaking(),
        }
    }

    pub fn is_server(&self) -> bool {
        matches!(self.side, Side::Server(_))
    }

    /// What was agreed.
    pub fn info(&self) -> Info {
        match &self.side {
            Side::Client(connection) => Info::of(connection, self.name.clone()),
            Side::Server(connection) => Info::of(connection, self.name.clone()),
        }
    }

    /// Processes input, and then does what is wanted. Plaintext goes to `take`, which returns whether it has room for more. Bytes for
    /// the peer are appended to `out`.
    ///
    /// `input` is what was left of the input of earlier calls, and what has come since.
    pub fn pump(
        &mut self,
        input: &mut [u8],
        take: &mut dyn FnMut(&[u8]) -> bool,
        out: &mut Ciphertext,
        want: Want<'_>,
    ) -> Pumped {
        let mut pass = Pass { take, out, want, pumped: Pumped::new(), lost: false };
        let name = match &mut self.side {
            Side::Client(connection) => {
                while pass.go_on(input, |input| connection.process_tls_records(input)) {}
                while pass.owes_alert() && connection.wants_write() {
                    pass.go_on(input, |input| connection.process_tls_records(input));
                }
                None
            }
            Side::Server(connection) => {
                while pass.go_on(input, |input| connection.process_tls_records(input)) {}
                // After a failure rustls still has an alert, which tells the peer.
                while pass.owes_alert() && connection.wants_write() {
                    pass.go_on(input, |input| connection.process_tls_records(input));
                }
                super::names::take_asked()
            }
        };
        let pumped = pass.pumped;
        if name.is_some() {
            self.name = name;
        }
        pumped
    }
}

impl Pumped {
    fn new() -> Pumped {
        Pumped { used: 0, stopped: false, peer_closed: false, done: false, result: Ok(()) }
    }
}

/// The passes of one call of [`Session::pump`].
struct Pass<'a> {
    take: &'a mut dyn FnMut(&[u8]) -> bool,
    out: &'a mut Ciphertext,
    want: Want<'a>,
    pumped: Pumped,
    /// True if nothing more may be asked of rustls.
    lost: bool,
}

/// Calls rustls. `None` if it has panicked, which it does only where a program is built with assertions: if the peer sends a record that is
/// wrong when we have sent our close notice, rustls means to send an alert, and asserts that none was sent, for which it takes the notice
/// (0.23.46, `send_fatal_alert`). A peer must not be able to end a program, not even while it is developed.
fn contained<R>(f: impl FnOnce() -> R) -> Option<R> {
    if cfg!(debug_assertions) { catch_unwind(AssertUnwindSafe(f)).ok() } else { Some(f()) }
}

impl Pass<'_> {
    /// Returns whether the peer may have to be told why.
    fn owes_alert(&self) -> bool {
        self.pumped.result.is_err() && !self.lost
    }

    /// Runs one pass, and returns whether another one is to follow.
    fn go_on<'c, 'i, Data: 'c>(
        &mut self,
        input: &'i mut [u8],
        process: impl FnOnce(&'i mut [u8]) -> UnbufferedStatus<'c, 'i, Data>,
    ) -> bool {
        let input = input.get_mut(self.pumped.used..).unwrap_or_default();
        let error = match contained(|| process(input)) {
            None => {
                self.lost = true;
                rustls::Error::DecryptError
            }
            Some(UnbufferedStatus { discard, state }) => {
                self.pumped.used += discard;
                match state.and_then(|state| self.take_state(state)) {
                    Ok(go_on) => return go_on,
                    Err(error) => error,
                }
            }
        };
        if self.pumped.result.is_ok() {
            self.pumped.result = Err(Fault::of(error));
        }
        false
    }

    fn take_state<Data>(&mut self, state: ConnectionState<'_, '_, Data>) -> Result<bool, rustls::Error> {
        match state {
            ConnectionState::ReadTraffic(mut traffic) => {
                while let Some(record) = traffic.next_record() {
                    let record = record?;
                    self.pumped.used += record.discard;
                    self.pumped.stopped = !(self.take)(record.payload);
                }
                Ok(!self.pumped.stopped)
            }
            ConnectionState::EncodeTlsData(mut data) => {
                self.encode(|room| match data.encode(room) {
                    Ok(count) => Ok(count),
                    Err(EncodeError::InsufficientSize(short)) => Err(Some(short.required_size)),
                    Err(EncodeError::AlreadyEncoded) => Err(None),
                });
                Ok(true)
            }
            ConnectionState::TransmitTlsData(data) => {
                data.done();
                Ok(true)
            }
            ConnectionState::PeerClosed => {
                self.pumped.peer_closed = true;
                Ok(true)
            }
            ConnectionState::WriteTraffic(mut traffic) if self.pumped.result.is_ok() => {
                let (want, before) = (self.want, self.out.len);
                let encrypted = self.encode(|room| {
                    let encrypted = match want {
                        Want::Input => Ok(0),
                        Want::Encrypt(bytes) => traffic.encrypt(bytes, room),
                        Want::CloseNotice => traffic.queue_close_notify(room),
                    };
                    match encrypted {
                        Ok(count) => Ok(count),
                        Err(EncryptError::InsufficientSize(short)) => Err(Some(short.required_size)),
                        Err(EncryptError::EncryptExhausted) => Err(None),
                    }
                });
                self.pumped.done = encrypted && self.out.len > before;
                if encrypted { Ok(false) } else { Err(rustls::Error::EncryptError) }
            }
            // Nothing can be done without more input. (Early data is never asked for, and so never comes.)
            _ => Ok(false),
        }
    }

    /// Has `f` append to the ciphertext. If `f` says that it needs more room, it gets that much. Returns whether it has succeeded.
    fn encode(&mut self, mut f: impl FnMut(&mut [u8]) -> Result<usize, Option<usize>>) -> bool {
        let plaintext = match self.want {
            Want::Encrypt(bytes) => bytes.len(),
            _ => 0,
        };
        let mut needed = plaintext + OVERHEAD;
        // The second time there is as much room as was asked for.
        for _ in 0..2 {
            match f(self.out.room(needed)) {
                Ok(count) => {
                    self.out.add(count, if count > plaintext { plaintext } else { 0 });
                    return true;
                }
                Err(Some(more)) => needed = more,
                Err(None) => return false,
            }
        }
        false
    }
}
