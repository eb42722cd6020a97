//! Output, and the end of a connection.

use super::{Connection, Desk, End, Step};
use std::io::{ErrorKind, IoSlice, Read, Write};
use std::net::Shutdown;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

impl Desk {
    /// Sends what was gathered.
    pub fn flush(&mut self, connection: &Connection) -> Step<()> {
        if self.output.is_empty() { Ok(()) } else { self.send(connection, &[]) }
    }

    /// Sends what was gathered, and this behind it.
    pub(super) fn send(&mut self, connection: &Connection, more: &[u8]) -> Step<()> {
        let mut output = std::mem::take(&mut self.output);
        let sent = self.send_both(connection, &output, more);
        output.clear();
        self.output = output;
        sent
    }

    fn send_both(&self, connection: &Connection, first: &[u8], second: &[u8]) -> Step<()> {
        let mut slices = [IoSlice::new(first), IoSlice::new(second)];
        let pieces = if second.is_empty() { 1 } else { 2 };
        let (mut rest, mut left) = (&mut slices[..pieces], first.len() + second.len());
        let mut pace = None;
        while left > 0 {
            let sent = match &*rest {
                [only] => (&connection.stream).write(only),
                both => (&connection.stream).write_vectored(both),
            };
            let sent = match sent {
                Ok(0) => return Err(End::Closed),
                Ok(sent) => sent,
                // Nothing went out within the send timeout, which is the window of the send rate.
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => 0,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(_) => return Err(End::Closed),
            };
            left -= sent;
            IoSlice::advance_slices(&mut rest, sent);
            if left > 0 && !pace.get_or_insert_with(Pace::new).keeps(self, sent) {
                return Err(End::Closed);
            }
        }
        Ok(())
    }

    /// Says the last word, and closes.
    pub fn end(&mut self, mut connection: Connection, end: End) {
        let lingers = match end {
            End::Closed => return self.leave(),
            End::Answered(lingers) => lingers,
            End::Refused(status, words) => {
                self.refuse(status, words);
                true
            }
        };
        if self.flush(&connection).is_ok() && lingers {
            self.linger(&mut connection);
        }
        self.leave();
    }

    /// Closing a socket with unread input would take our last words from the peer: our FIN goes first, and what the peer
    /// still sends is read for a while.
    fn linger(&mut self, connection: &mut Connection) {
        let began = Instant::now();
        let mut discarded = 0;
        if connection.stream.shutdown(Shutdown::Write).is_err()
            || connection.set_patience(self.limits.linger_between).is_err()
        {
            return;
        }
        while discarded <= self.limits.linger_bytes && began.elapsed() < self.limits.linger_total {
            match (&connection.stream).read(self.whole_input()) {
                Ok(0) | Err(_) => return,
                Ok(count) => discarded += count,
            }
        }
    }
}

/// How fast a peer takes its answer, once it has not taken all at once.
struct Pace {
    progress: Instant,
    window: Instant,
    sent: u64,
}

impl Pace {
    fn new() -> Pace {
        let now = Instant::now();
        Pace { progress: now, window: now, sent: 0 }
    }

    /// Notes what was sent, and says whether that is enough.
    fn keeps(&mut self, desk: &Desk, sent: usize) -> bool {
        let (limits, now) = (&desk.limits, Instant::now());
        self.sent += sent as u64;
        if sent > 0 {
            self.progress = now;
        } else if now - self.progress >= limits.write_stall {
            return false;
        }
        let over = now - self.window;
        if over < limits.send_window {
            return true;
        }
        // None at all is a stall, which has its own time.
        let slow = self.sent > 0 && (self.sent as f64) < over.as_secs_f64() * f64::from(limits.send_rate);
        (self.window, self.sent) = (now, 0);
        !slow
    }
}

/// The Date field, written anew when the second changes.
#[derive(Default)]
pub struct Date {
    second: u64,
    text: Option<[u8; 29]>,
}

impl Date {
    pub fn now(&mut self) -> &[u8; 29] {
        let second = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs());
        if second != self.second {
            (self.second, self.text) = (second, None);
        }
        self.text.get_or_insert_with(|| {
            let text = httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_secs(second));
            // Years beyond 9999 have more digits.
            text.as_bytes().try_into().unwrap_or(*b"Thu, 01 Jan 1970 00:00:00 GMT")
        })
    }
}
