//! Tells answers apart as they come in, in whatever pieces, and keeps nothing of their bodies.

use memchr::memmem;

/// More than any server here sends as a head, in bytes.
const LONGEST_HEAD: usize = 16 * 1024;

/// A whole answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer {
    pub status: u16,
    /// Of its body, in bytes.
    pub length: u64,
    /// The server closes the connection after it.
    pub close: bool,
}

/// What cannot be read: no status line, no length, too long a head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unreadable;

/// Reads one answer after another.
#[derive(Debug, Default)]
pub struct Reader {
    /// The beginning of a head, until it is whole.
    head: Vec<u8>,
    /// The answer whose body is coming, and how much of that is missing.
    body: Option<(Answer, u64)>,
}

impl Reader {
    /// Takes bytes up to the end of an answer: how many those were, and the answer where it is whole now.
    pub fn read(&mut self, bytes: &[u8]) -> Result<(usize, Option<Answer>), Unreadable> {
        let mut taken = 0;
        if self.body.is_none() {
            match self.read_head(bytes)? {
                None => return Ok((bytes.len(), None)),
                Some((answer, used)) => {
                    self.body = Some((answer, answer.length));
                    taken = used;
                }
            }
        }
        let Some((answer, missing)) = self.body.take() else { return Ok((taken, None)) };
        let there = missing.min((bytes.len() - taken) as u64);
        taken += there as usize;
        if there < missing {
            self.body = Some((answer, missing - there));
            return Ok((taken, None));
        }
        Ok((taken, Some(answer)))
    }

    /// The head, where it is whole, and how many of `bytes` belong to it.
    fn read_head(&mut self, bytes: &[u8]) -> Result<Option<(Answer, usize)>, Unreadable> {
        if self.head.is_empty() {
            // The usual case: all of it in one piece.
            if let Some(end) = memmem::find(bytes, b"\r\n\r\n") {
                return Ok(Some((parse(&bytes[..end + 2])?, end + 4)));
            }
        }
        let before = self.head.len();
        self.head.extend_from_slice(bytes);
        let from = before.saturating_sub(3);
        match memmem::find(&self.head[from..], b"\r\n\r\n") {
            Some(end) => {
                let answer = parse(&self.head[..from + end + 2])?;
                self.head.clear();
                Ok(Some((answer, from + end + 4 - before)))
            }
            None if self.head.len() > LONGEST_HEAD => Err(Unreadable),
            None => Ok(None),
        }
    }
}

/// Status, Content-Length and Connection of a head, whose lines each end with CR LF.
fn parse(head: &[u8]) -> Result<Answer, Unreadable> {
    let digits = head.strip_prefix(b"HTTP/1.").and_then(|rest| rest.get(2..5)).ok_or(Unreadable)?;
    let status = number(digits).ok_or(Unreadable)? as u16;
    let (mut length, mut close) = (None, false);
    let mut start = 0;
    while let Some(end) = memchr::memchr(b'\n', &head[start..]).map(|at| start + at) {
        let line = &head[start..end];
        start = end + 1;
        if let Some(value) = value(line, b"content-length:") {
            length = Some(number(value).ok_or(Unreadable)?);
        } else if let Some(value) = value(line, b"connection:") {
            close = value.eq_ignore_ascii_case(b"close");
        }
    }
    Ok(Answer { status, length: length.ok_or(Unreadable)?, close })
}

/// What follows the name of a field, where the line is that field's.
fn value<'a>(line: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let (start, value) = line.split_at_checked(name.len())?;
    start.eq_ignore_ascii_case(name).then(|| value.trim_ascii())
}

fn number(digits: &[u8]) -> Option<u64> {
    std::str::from_utf8(digits).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &[u8] = b"HTTP/1.1 200 OK\r\nDate: x\r\ncontent-LENGTH: 5\r\n\r\nhello";
    const TWO: &[u8] = b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\nConnection: Close\r\n\r\n";

    #[test]
    fn answers_are_told_apart_in_any_pieces() {
        let all = [ONE, TWO, ONE].concat();
        for size in 1..=all.len() {
            let (mut reader, mut found) = (Reader::default(), Vec::new());
            for mut piece in all.chunks(size) {
                while !piece.is_empty() {
                    let (taken, answer) = reader.read(piece).unwrap();
                    found.extend(answer);
                    piece = &piece[taken..];
                }
            }
            let hello = Answer { status: 200, length: 5, close: false };
            assert_eq!(found, [hello, Answer { status: 503, length: 0, close: true }, hello], "in pieces of {size}");
        }
    }

    #[test]
    fn what_is_no_answer_is_said_to_be_none() {
        assert_eq!(Reader::default().read(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"), Err(Unreadable));
        assert_eq!(Reader::default().read(b"nonsense\r\nContent-Length: 1\r\n\r\nx"), Err(Unreadable));
        assert_eq!(Reader::default().read(&[b'x'; LONGEST_HEAD + 1]), Err(Unreadable));
    }
}
