//! `multipart/form-data` (RFC 7578, on the grammar of RFC 2046, 5.1): how browsers send forms that have files.
//!
//! ```text
//!   preamble   --b CRLF   head CRLF CRLF   content   CRLF --b CRLF   head …   CRLF --b--   epilogue
//!  (ignored)              └─► Part         └─► Data  └─► PartEnd                └─► PartEnd, End   (ignored)
//! ```
//! The bytes may come in pieces of any size; what is found does not depend on where they are split. A delimiter begins with CR,
//! and no boundary has one, so that a match that fails is followed by the search for the next CR: no byte is looked at more than
//! three times. What is kept of the input is one line of a head.
//!
//! Several readers of one form must not find different parts in it. So what RFC 7578 does not allow is an error and is not
//! mended: a delimiter with something behind it, a line of a head that is folded, ends with a bare LF or is no field, a part
//! without a name or with two, a form whose last delimiter is missing.

mod disposition;
mod fault;
mod limits;
mod part_head;

pub use fault::MultipartFault;
pub use limits::MultipartLimits;
pub use part_head::Part;

use part_head::PartHead;

/// The result of a call of [`Multipart::decode`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MultipartStep<'a> {
    /// How many bytes of the input were processed and need not be kept.
    pub consumed: usize,
    /// What these bytes contain.
    pub event: MultipartEvent<'a>,
}

/// A part, a piece of its content, or an end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MultipartEvent<'a> {
    /// All input was consumed, and the form goes on.
    NeedMore,
    /// A part begins.
    Part(Part),
    /// A piece of the content of the present part; never empty.
    Data(&'a [u8]),
    /// The present part has ended.
    PartEnd,
    /// The form has ended. What follows is consumed and ignored.
    End,
}

/// Reads one form.
///
/// ```
/// use oneloop::proto::multipart::{Multipart, MultipartEvent, MultipartLimits};
///
/// let mut rest = &b"--b\r\nContent-Disposition: form-data; name=\"title\"\r\n\r\nseeds\r\n--b--\r\n"[..];
/// let mut form = Multipart::new("b", MultipartLimits::default()).unwrap();
/// let (mut name, mut content) = (String::new(), Vec::new());
/// while !form.is_done() {
///     let step = form.decode(rest).unwrap();
///     match step.event {
///         MultipartEvent::Part(part) => name = part.name,
///         MultipartEvent::Data(bytes) => content.extend_from_slice(bytes),
///         _ => {}
///     }
///     rest = &rest[step.consumed..];
/// }
/// assert_eq!((name.as_str(), &content[..]), ("title", &b"seeds"[..]));
/// ```
#[derive(Clone, Debug)]
pub struct Multipart {
    limits: MultipartLimits,
    /// CR LF, two dashes and the boundary.
    delimiter: Vec<u8>,
    /// How many bytes of the delimiter the last bytes of the input are.
    matched: usize,
    /// How many of the matched bytes are no content, whatever follows them: the line end before a part's content, or none.
    unread: usize,
    state: State,
    head: PartHead,
    parts: usize,
    files: usize,
    /// How many more bytes the present part may have, and the fault if it has more.
    room: (u64, MultipartFault),
}

/// ```text
///                delimiter             CR               LF
///  Preamble ────────────► Delimiter ─────► DelimiterCr ────► Head ─ empty line ─► Content
///                         │  ▲   │ blank       ▲                                     │
///                       - │  │   └─► Padding ──┘ CR                                  │
///                         ▼  └───────────────────────── delimiter ───────────────────┘
///                       Dash ─ - ─► Closed ─► Epilogue
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Preamble,
    Delimiter,
    Padding,
    DelimiterCr,
    Dash,
    Head,
    Content,
    /// The last delimiter has come, and `End` is still to be told.
    Closed,
    Epilogue,
}

/// The longest boundary (RFC 2046, 5.1.1).
const MAX_BOUNDARY: usize = 70;

impl Multipart {
    /// A reader for a form with this boundary, which is a parameter of its media type.
    ///
    /// # Errors
    /// If the boundary is not what RFC 2046, 5.1.1 allows: 1 to 70 of certain characters.
    pub fn new(boundary: &str, limits: MultipartLimits) -> Result<Multipart, MultipartFault> {
        let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"'()+_,-./:=? ".contains(&byte);
        let fits = (1..=MAX_BOUNDARY).contains(&boundary.len());
        if !fits || !boundary.bytes().all(is_allowed) || boundary.ends_with(' ') {
            return Err(MultipartFault::Boundary);
        }
        Ok(Multipart {
            limits,
            delimiter: [b"\r\n--", boundary.as_bytes()].concat(),
            // The first delimiter stands at the beginning of the form, with no line end before it.
            matched: 2,
            unread: 2,
            state: State::Preamble,
            head: PartHead::default(),
            parts: 0,
            files: 0,
            room: (0, MultipartFault::FieldTooLarge),
        })
    }

    /// Returns whether the form has ended.
    pub fn is_done(&self) -> bool {
        self.state == State::Epilogue
    }

    /// Tells the reader that no more input comes.
    ///
    /// # Errors
    /// If the last delimiter has not come.
    pub fn end_of_input(&self) -> Result<(), MultipartFault> {
        if self.is_done() { Ok(()) } else { Err(MultipartFault::Truncated) }
    }

    /// Reads from the beginning of the input up to the next event. Call it again with the rest, until it says
    /// [`NeedMore`](MultipartEvent::NeedMore) or the form is done.
    ///
    /// # Errors
    /// If the form is malformed, or has more than the limits allow. Do not call this again afterwards.
    pub fn decode<'a>(&'a mut self, input: &'a [u8]) -> Result<MultipartStep<'a>, MultipartFault> {
        let mut consumed = 0;
        let event = loop {
            let rest = input.get(consumed..).unwrap_or_default();
            if self.state == State::Closed {
                self.state = State::Epilogue;
                break MultipartEvent::End;
            }
            let Some(&byte) = rest.first() else { break MultipartEvent::NeedMore };
            match self.state {
                State::Preamble | State::Content => {
                    let in_part = self.state == State::Content;
                    let found = self.search(rest);
                    consumed += found.length;
                    if found.is_delimiter {
                        self.state = State::Delimiter;
                        if in_part {
                            break MultipartEvent::PartEnd;
                        }
                    }
                    let content = found.held.1 - found.held.0 + found.fresh;
                    if in_part && content > 0 {
                        let (room, fault) = self.room;
                        self.room.0 = room.checked_sub(content as u64).ok_or(fault)?;
                        let held = self.delimiter.get(found.held.0..found.held.1);
                        let fresh = rest.get(..found.fresh);
                        let bytes = if found.fresh > 0 { fresh } else { held };
                        break MultipartEvent::Data(bytes.unwrap_or_default());
                    }
                }
                State::Head => {
                    let (length, part) = self.head.read(rest, &self.limits)?;
                    consumed += length;
                    if let Some(part) = part {
                        self.begin(&part)?;
                        break MultipartEvent::Part(part);
                    }
                }
                State::Epilogue => consumed = input.len(),
                _ => {
                    consumed += 1;
                    self.state = match (self.state, byte) {
                        (State::Delimiter, b'-') => State::Dash,
                        (State::Delimiter | State::Padding, b' ' | b'\t') => State::Padding,
                        (State::Delimiter | State::Padding, b'\r') => State::DelimiterCr,
                        (State::DelimiterCr, b'\n') => State::Head,
                        (State::Dash, b'-') => State::Closed,
                        _ => return Err(MultipartFault::Delimiter),
                    };
                }
            }
        };
        Ok(MultipartStep { consumed, event })
    }

    fn begin(&mut self, part: &Part) -> Result<(), MultipartFault> {
        self.parts += 1;
        if self.parts > self.limits.parts {
            return Err(MultipartFault::TooManyParts);
        }
        self.room = match part.file_name.as_deref() {
            None => (self.limits.field, MultipartFault::FieldTooLarge),
            // What a browser sends if no file was chosen.
            Some("") => (0, MultipartFault::NamelessFile),
            Some(_) => {
                self.files += 1;
                if self.files > self.limits.files {
                    return Err(MultipartFault::TooManyFiles);
                }
                (self.limits.file, MultipartFault::FileTooLarge)
            }
        };
        self.state = State::Content;
        // A part without content may have its delimiter right behind the empty line, whose end is the delimiter's line end then.
        self.matched = 2;
        self.unread = 2;
        Ok(())
    }

    /// Looks for the delimiter.
    fn search(&mut self, input: &[u8]) -> Found {
        if self.matched > 0 {
            let rest = self.delimiter.get(self.matched..).unwrap_or_default();
            let same = common(input, rest);
            let (is_delimiter, is_open) = (same == rest.len(), same == input.len());
            if is_open && !is_delimiter {
                self.matched += same;
                return Found { length: same, ..Found::default() };
            }
            let held = (self.unread.min(self.matched + same), self.matched + same);
            self.matched = 0;
            self.unread = 0;
            return match is_delimiter {
                true => Found { length: same, is_delimiter, ..Found::default() },
                false => Found { length: same, held, ..Found::default() },
            };
        }
        let mut at = 0;
        while let Some(cr) = input.get(at..).unwrap_or_default().iter().position(|&byte| byte == b'\r') {
            let start = at + cr;
            let candidate = input.get(start..).unwrap_or_default();
            let same = common(candidate, &self.delimiter);
            if same < self.delimiter.len() && same < candidate.len() {
                at = start + same;
                continue;
            }
            if start > 0 {
                return Found { length: start, fresh: start, ..Found::default() };
            }
            let is_delimiter = same == self.delimiter.len();
            self.matched = if is_delimiter { 0 } else { same };
            return Found { length: same, is_delimiter, ..Found::default() };
        }
        Found { length: input.len(), fresh: input.len(), ..Found::default() }
    }
}

/// What the search for the delimiter found at the beginning of an input: the rest of a delimiter, content, or bytes that may
/// still become a delimiter.
#[derive(Default)]
struct Found {
    /// How many bytes of the input were looked at.
    length: usize,
    is_delimiter: bool,
    /// The part of the delimiter that was content after all.
    held: (usize, usize),
    /// How many bytes of the input are content, if nothing was held.
    fresh: usize,
}

/// How many bytes are the same at the beginning of both.
fn common(one: &[u8], other: &[u8]) -> usize {
    one.iter().zip(other).take_while(|(one, other)| one == other).count()
}
