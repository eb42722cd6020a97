//! Standard input, a line at a time, as callbacks of the loop: Node's `readline`.
//!
//! ```no_run
//! use oneloop::stdin;
//!
//! stdin::lines(|line| println!("{} letters", line.len()), || println!("that was all"));
//! oneloop::run()
//! # ?; std::io::Result::Ok(())
//! ```
//!
//! A thread of its own reads, since standard input may be a file or a terminal, which no loop can wait for everywhere; it is
//! never put into non-blocking mode, which would hold for every other process that shares it. A read that waits cannot be
//! called off: the thread ends with the input or with the process, whose end it does not hold up.

use crate::callback::OptionalCallback;
use crate::event_loop::{Hold, Sender, bounded_channel, current};
use crate::notice;
use std::io::{self, BufRead, ErrorKind};
use std::thread;
use std::time::Duration;

/// Lines that may wait for the loop; then reading waits, and with it, in the end, whoever writes.
const WAITING: usize = 1024;
/// Another process may have put what we share into non-blocking mode: how long until it is tried again.
const AGAIN: Duration = Duration::from_millis(10);

/// Calls `line` for each line of standard input, without its end (`\n` or `\r\n`), in the poll phase; bytes that are no
/// UTF-8 come as U+FFFD. A last line that has no end is one too. `ended` is called once, behind the last line, when the
/// input has ended or cannot be read (which is logged); give `()` where nobody wants to know.
///
/// The loop goes on until then, unless [`Lines::unref`] says otherwise. A panic of `line` costs that line.
///
/// Input is for one reader: where this is called twice, or something else reads as well, each line goes to one of them. In
/// a simulation nobody types: the input has ended.
#[track_caller]
pub fn lines(mut line: impl FnMut(String) + 'static, ended: impl OptionalCallback) -> Lines {
    let mut ended = Some(ended.boxed());
    let sender = bounded_channel(WAITING, move |input| match input {
        Input::Line(text) => line(text),
        Input::Ended => {
            if let Some(ended) = ended.take() {
                ended();
            }
        }
    });
    let lines = Lines(sender.hold());
    match current() {
        Some(lp) if !lp.driver().is_simulated() => {
            let unread = sender.clone();
            if let Err(error) = thread::Builder::new().name("oneloop-stdin".to_owned()).spawn(move || read(&sender)) {
                notice::error!(target: "oneloop::loop", "there is no thread to read standard input: {error}");
                end(&unread);
            }
        }
        _ => end(&sender),
    }
    lines
}

enum Input {
    Line(String),
    Ended,
}

fn end(sender: &Sender<Input>) {
    // Where the loop has ended, nobody is there to be told.
    let _ = sender.send(Input::Ended);
}

/// On the thread.
fn read(sender: &Sender<Input>) {
    let next = |bytes: &mut Vec<u8>| io::stdin().lock().read_until(b'\n', bytes);
    if let Err(error) = each_line(next, |line| sender.send(Input::Line(line)).is_ok()) {
        notice::warn!(target: "oneloop::loop", "standard input cannot be read: {error}");
    }
    end(sender);
}

/// Gives each line that is read to `give`, until that says that nobody takes it.
fn each_line(
    mut read: impl FnMut(&mut Vec<u8>) -> io::Result<usize>,
    mut give: impl FnMut(String) -> bool,
) -> io::Result<()> {
    let mut bytes = Vec::new();
    loop {
        match read(&mut bytes) {
            Ok(0) if bytes.is_empty() => return Ok(()),
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                thread::sleep(AGAIN);
                continue;
            }
            Err(error) => return Err(error),
        }
        let line = bytes.strip_suffix(b"\n").map_or(&*bytes, |line| line.strip_suffix(b"\r").unwrap_or(line));
        if !give(String::from_utf8_lossy(line).into_owned()) {
            return Ok(());
        }
        bytes.clear();
    }
}

/// The reading of standard input. Dropping it does not end that.
#[derive(Clone)]
pub struct Lines(Hold);

impl Lines {
    /// Lets the loop end before the input has.
    pub fn unref(&self) -> &Self {
        self.set_ref(false)
    }

    /// Says whether the loop goes on until the input has ended (true at first).
    pub fn set_ref(&self, on: bool) -> &Self {
        self.0.set_ref(on);
        self
    }

    /// Returns whether the loop goes on for the input; false once that has ended.
    pub fn has_ref(&self) -> bool {
        self.0.has_ref()
    }
}

impl std::fmt::Debug for Lines {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Lines").field("has_ref", &self.has_ref()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines_of(mut input: &[u8]) -> Vec<String> {
        let mut lines = Vec::new();
        let give = |line| {
            lines.push(line);
            true
        };
        each_line(|bytes| input.read_until(b'\n', bytes), give).unwrap();
        lines
    }

    #[test]
    fn a_line_comes_without_its_end_and_the_last_one_needs_none() {
        assert_eq!(lines_of(b""), [""; 0]);
        assert_eq!(lines_of(b"\n"), [""]);
        assert_eq!(lines_of(b"one\ntwo\r\n\nfour\rfive\r"), ["one", "two", "", "four\rfive\r"]);
        assert_eq!(lines_of(b"a\xffb\n"), ["a\u{fffd}b"]);
    }

    #[test]
    fn what_was_read_before_a_read_that_would_block_is_kept() {
        let mut reads = [Err(ErrorKind::WouldBlock), Ok("o\n"), Err(ErrorKind::WouldBlock), Ok("")].into_iter();
        let mut lines = Vec::new();
        let read = |bytes: &mut Vec<u8>| {
            bytes.extend_from_slice(if bytes.is_empty() && reads.len() == 4 { b"tw" } else { b"" });
            let text = reads.next().unwrap()?;
            bytes.extend_from_slice(text.as_bytes());
            Ok(text.len())
        };
        let give = |line| {
            lines.push(line);
            true
        };
        each_line(read, give).unwrap();
        assert_eq!(lines, ["two"]);
    }

    #[test]
    fn an_error_ends_it_and_so_does_who_takes_no_more() {
        let error = each_line(|_| Err(ErrorKind::PermissionDenied.into()), |_| true).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::PermissionDenied);
        let (mut input, mut given) = (&b"one\ntwo\n"[..], 0);
        let give = |_| {
            given += 1;
            false
        };
        each_line(|bytes| input.read_until(b'\n', bytes), give).unwrap();
        assert_eq!((given, input), (1, &b"two\n"[..]));
    }
}
