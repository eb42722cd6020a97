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
//! A thread of its own does the reading, since standard input may be a file or a terminal, and not every system can wait
//! for those in a loop. The library never makes standard input non-blocking, which would affect all processes that share
//! it. A read that is waiting cannot be cancelled. So the thread ends when the input ends, or at the next line after all
//! readers are closed, or with the process, which does not wait for it.

use crate::callback::OptionalCallback;
use crate::event_loop::{Hold, Sender, channel, current};
use crate::notice;
use std::cell::OnceCell;
use std::collections::VecDeque;
use std::io::{self, BufRead, ErrorKind};
use std::rc::Rc;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

/// How many lines may wait for the loop. When there are this many, the thread stops reading; if standard input is a pipe, it
/// fills up, and the process that writes to it must wait.
const WAITING: usize = 1024;
/// How long the thread waits after a read that returned `WouldBlock`: another process that shares the input may have made it
/// non-blocking.
const AGAIN: Duration = Duration::from_millis(10);

/// Calls `line` for each line of standard input, without its end (`\n` or `\r\n`), in the poll phase. Bytes that are not
/// UTF-8 come as U+FFFD. A last line without an end counts as a line. `ended` is called once, after the last line: when the
/// input has ended or cannot be read (which is logged), or when [`Lines::close`] was called. Give `()` for no callback.
///
/// The loop keeps running until `ended` is called, unless [`Lines::unref`] was called. If `line` panics, that line is lost.
///
/// The input should have one reader: if you call this twice, or if something else reads too, each line goes to only one of them.
/// In a simulation the input is empty, so only `ended` is called.
#[track_caller]
pub fn lines(mut line: impl FnMut(String) + 'static, ended: impl OptionalCallback) -> Lines {
    lines_with(move |_, text| line(text), ended)
}

/// As [`lines`], but `line` also gets the [`Lines`] itself, so that it can end the reading at any line.
///
/// ```no_run
/// use oneloop::stdin;
///
/// stdin::lines_with(
///     |lines, line| match &*line {
///         "quit" => lines.close(),
///         _ => println!("{} letters; type quit to end", line.len()),
///     },
///     || println!("bye"),
/// );
/// oneloop::run()
/// # ?; std::io::Result::Ok(())
/// ```
#[track_caller]
pub fn lines_with(mut line: impl FnMut(&Lines, String) + 'static, ended: impl OptionalCallback) -> Lines {
    let mut ended = Some(ended.boxed());
    let number = INPUT.lock().next_number();
    let own: Rc<OnceCell<Lines>> = Rc::default();
    let lines = own.clone();
    let sender = channel(move |told| match told {
        Told::Line => {
            if let Some(lines) = lines.get()
                && let Some(text) = INPUT.take(number)
            {
                line(lines, text);
            }
        }
        Told::Ended => {
            INPUT.leave(number);
            if let Some(ended) = ended.take() {
                ended();
            }
        }
    });
    let lines = own.get_or_init(|| Lines { number, hold: sender.hold() }).clone();
    let reader = Reader { number, sender };
    match current() {
        Some(lp) if !lp.driver().is_simulated() => INPUT.join(reader),
        _ => _ = reader.tell(Told::Ended),
    }
    lines
}

/// The reading of standard input that [`lines`] began. Dropping this handle does not end it.
#[derive(Clone)]
pub struct Lines {
    number: u64,
    hold: Hold,
}

impl Lines {
    /// Ends the reading, as Node's `rl.close()`: no line comes after this call, and `ended` is called in a later turn. You
    /// may call it in `line` ([`lines_with`]), more than once, and after the input has ended.
    ///
    /// Lines that were read and not given to `line` are kept for the next call of [`lines`]. If the thread is waiting for a line
    /// already, this line is kept as well. After it, no more lines are read until [`lines`] is called again.
    pub fn close(&self) {
        if let Some(reader) = INPUT.leave(self.number) {
            reader.tell(Told::Ended);
        }
    }

    /// Lets the loop end before the input has ended.
    pub fn unref(&self) -> &Self {
        self.set_ref(false)
    }

    /// Sets whether the loop keeps running until the input has ended (true by default).
    pub fn set_ref(&self, on: bool) -> &Self {
        self.hold.set_ref(on);
        self
    }

    /// Returns whether this reading keeps the loop running; false once the input has ended.
    pub fn has_ref(&self) -> bool {
        self.hold.has_ref()
    }
}

impl std::fmt::Debug for Lines {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Lines").field("has_ref", &self.has_ref()).finish()
    }
}

/// A call of [`lines`] that is not closed: its number, and the channel to its loop.
struct Reader {
    number: u64,
    sender: Sender<Told>,
}

enum Told {
    /// A line can be taken, unless another reader has taken it already.
    Line,
    /// No further line comes.
    Ended,
}

impl Reader {
    /// Returns whether the reader's loop still exists.
    fn tell(&self, told: Told) -> bool {
        self.sender.send(told).is_ok()
    }
}

/// The standard input of the process, shared by all loops: the lines that were read, and the readers.
static INPUT: Input = Input {
    state: Mutex::new(State { lines: VecDeque::new(), readers: Vec::new(), has_thread: false, numbers: 0 }),
    room: Condvar::new(),
};

struct Input {
    /// No user code runs while this is locked. The holder of the lock waits for nothing but `room`.
    state: Mutex<State>,
    /// Notified when a line was taken or a reader was closed.
    room: Condvar,
}

struct State {
    /// Lines that were read and not taken. All readers are told of each line. So if one of them is closed before it takes the
    /// line, another can take it.
    lines: VecDeque<String>,
    readers: Vec<Reader>,
    has_thread: bool,
    numbers: u64,
}

impl State {
    fn next_number(&mut self) -> u64 {
        self.numbers += 1;
        self.numbers
    }

    fn end(&mut self) {
        self.has_thread = false;
        for reader in &self.readers {
            reader.tell(Told::Ended);
        }
    }
}

impl Input {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn join(&'static self, reader: Reader) {
        let mut state = self.lock();
        for _ in &state.lines {
            reader.tell(Told::Line);
        }
        state.readers.push(reader);
        if std::mem::replace(&mut state.has_thread, true) {
            return;
        }
        drop(state);
        if let Err(error) = thread::Builder::new().name("oneloop-stdin".to_owned()).spawn(|| self.read()) {
            notice::error!(target: "oneloop::loop", "there is no thread to read standard input: {error}");
            self.lock().end();
        }
    }

    fn leave(&self, number: u64) -> Option<Reader> {
        let mut state = self.lock();
        let index = state.readers.iter().position(|reader| reader.number == number)?;
        self.room.notify_one();
        Some(state.readers.swap_remove(index))
    }

    /// Takes the next line, if there is one and the reader is not closed.
    fn take(&self, number: u64) -> Option<String> {
        let mut state = self.lock();
        state.readers.iter().find(|reader| reader.number == number)?;
        self.room.notify_one();
        state.lines.pop_front()
    }

    /// Reads lines until the input ends or no reader is left. This is the whole work of the thread.
    fn read(&self) {
        let next = |bytes: &mut Vec<u8>| io::stdin().lock().read_until(b'\n', bytes);
        match each_line(next, |line| self.give(line)) {
            Ok(End::Unwanted) => return,
            Ok(End::OfInput) => {}
            Err(error) => notice::warn!(target: "oneloop::loop", "standard input cannot be read: {error}"),
        }
        self.lock().end();
    }

    /// Waits for room, then stores a line and tells the readers. Returns whether there is still a reader; if not, the thread
    /// ends.
    fn give(&self, line: String) -> bool {
        let mut state = self.lock();
        while state.lines.len() >= WAITING && !state.readers.is_empty() {
            state = self.room.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.lines.push_back(line);
        state.readers.retain(|reader| reader.tell(Told::Line));
        state.has_thread = !state.readers.is_empty();
        state.has_thread
    }
}

#[derive(Debug, PartialEq, Eq)]
enum End {
    OfInput,
    /// No reader is left.
    Unwanted,
}

/// Reads line by line and passes each line to `give`, until `give` returns false or the input ends.
fn each_line(
    mut read: impl FnMut(&mut Vec<u8>) -> io::Result<usize>,
    mut give: impl FnMut(String) -> bool,
) -> io::Result<End> {
    let mut bytes = Vec::new();
    loop {
        match read(&mut bytes) {
            Ok(0) if bytes.is_empty() => return Ok(End::OfInput),
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                thread::sleep(AGAIN);
                continue;
            }
            Err(error) => return Err(error),
        }
        let line = bytes.strip_suffix(b"\n").map_or(&*bytes, |line| line.strip_suffix(b"\r").unwrap_or(line));
        if !give(String::from_utf8_lossy(line).into_owned()) {
            return Ok(End::Unwanted);
        }
        bytes.clear();
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
        assert_eq!(each_line(|bytes| input.read_until(b'\n', bytes), give).unwrap(), End::OfInput);
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
        let end = each_line(|bytes| input.read_until(b'\n', bytes), give).unwrap();
        assert_eq!(end, End::Unwanted);
        assert_eq!((given, input), (1, &b"two\n"[..]));
    }
}
