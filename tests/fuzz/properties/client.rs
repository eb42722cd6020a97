//! A client's reader of responses. It shares no code with the library and takes nothing but what RFC 9112 lets a server
//! send: whatever is unusual is an error.

use super::latin1::characters;
use std::fmt::Write;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Response {
    pub status: u16,
    pub reason: String,
    pub fields: Vec<(String, String)>,
    pub content: Vec<u8>,
    pub trailers: Vec<(String, String)>,
    /// It has no end but the connection's.
    pub until_close: bool,
}

impl Response {
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let named = self.fields.iter().filter(move |(other, _)| other.eq_ignore_ascii_case(name));
        named.map(|(_, value)| value.as_str())
    }

    pub fn field<'a>(&'a self, name: &'a str) -> Option<&'a str> {
        self.all(name).next()
    }

    pub fn closes(&self) -> bool {
        let mut options = self.all("connection").flat_map(|value| value.split(','));
        options.any(|option| option.trim_matches([' ', '\t']).eq_ignore_ascii_case("close"))
    }

    pub fn is_final(&self) -> bool {
        self.status >= 200
    }
}

/// The responses that are whole, informational ones among them, and the bytes behind them. `is_head` says of each final
/// response, by its number, whether it answers a HEAD; `None` where that depends on how much of the request had come.
pub fn read(wire: &[u8], is_head: impl Fn(usize) -> Option<bool>) -> Result<(Vec<Response>, &[u8]), String> {
    let (mut all, mut rest, mut finals) = (Vec::new(), wire, 0);
    while !rest.is_empty() {
        let read = |is_head| {
            let mut reader = Reader { rest };
            reader.response(is_head).map(|response| (response, reader.rest))
        };
        let head = is_head(finals);
        let response = match read(head.unwrap_or(false)) {
            Err(Stop::Incomplete) if head.is_none() => read(true),
            response => response,
        };
        match response {
            Ok((response, behind)) => {
                finals += usize::from(response.is_final());
                rest = behind;
                all.push(response);
            }
            Err(Stop::Incomplete) => break,
            Err(Stop::Wrong(what)) => {
                let mut text = format!("{what}, in ");
                let _ = write!(text, "{:.400}", rest.escape_ascii());
                return Err(text);
            }
        }
    }
    Ok((all, rest))
}

enum Stop {
    Incomplete,
    Wrong(String),
}

fn wrong<T>(what: impl Into<String>) -> Result<T, Stop> {
    Err(Stop::Wrong(what.into()))
}

struct Reader<'a> {
    rest: &'a [u8],
}

impl Reader<'_> {
    fn response(&mut self, head: bool) -> Result<Response, Stop> {
        let line = self.line()?;
        let Some(rest) = line.strip_prefix("HTTP/1.1 ").filter(|rest| rest.is_ascii()) else {
            return wrong("no status line");
        };
        let (Some(status), Some(" ")) = (rest.get(..3), rest.get(3..4)) else { return wrong("no status") };
        if !status.bytes().all(|byte| byte.is_ascii_digit()) || status < "100" {
            return wrong("not a status");
        }
        let fields = self.fields()?;
        let mut response =
            Response { status: status.parse().unwrap(), reason: rest[4..].to_owned(), fields, ..Response::default() };
        self.content(&mut response, head)?;
        Ok(response)
    }

    fn content(&mut self, response: &mut Response, head: bool) -> Result<(), Stop> {
        let lengths: Vec<_> = response.all("content-length").map(str::to_owned).collect();
        let codings: Vec<_> = response.all("transfer-encoding").map(str::to_owned).collect();
        if matches!(response.status, 100..=199 | 204) && lengths.len() + codings.len() > 0 {
            return wrong("framing where there is no content");
        }
        if lengths.len() + codings.len() > 1 {
            return wrong("framed twice");
        }
        if lengths.iter().any(|length| length.is_empty() || !length.bytes().all(|byte| byte.is_ascii_digit())) {
            return wrong("no length");
        }
        if codings.iter().any(|coding| !coding.eq_ignore_ascii_case("chunked")) {
            return wrong("an unknown coding");
        }
        if head || matches!(response.status, 100..=199 | 204 | 304) {
            return Ok(());
        }
        if let Some(length) = lengths.first() {
            let Ok(length) = length.parse() else { return Err(Stop::Incomplete) };
            response.content = self.take(length)?.to_vec();
        } else if codings.is_empty() {
            response.content = self.take(self.rest.len())?.to_vec();
            response.until_close = true;
        } else {
            loop {
                let line = self.line()?;
                let valid = (1..=16).contains(&line.len()) && line.bytes().all(|byte| byte.is_ascii_hexdigit());
                let (true, Ok(size)) = (valid, usize::from_str_radix(&line, 16)) else { return wrong("no chunk size") };
                if size == 0 {
                    break;
                }
                response.content.extend_from_slice(self.take(size)?);
                if self.take(2)? != b"\r\n" {
                    return wrong("a chunk without an end");
                }
            }
            response.trailers = self.fields()?;
        }
        Ok(())
    }

    fn take(&mut self, count: usize) -> Result<&[u8], Stop> {
        let (taken, rest) = self.rest.split_at_checked(count).ok_or(Stop::Incomplete)?;
        self.rest = rest;
        Ok(taken)
    }

    /// A line without control characters, each byte a character.
    fn line(&mut self) -> Result<String, Stop> {
        let Some(end) = self.rest.iter().position(|&byte| byte == b'\n') else { return Err(Stop::Incomplete) };
        let (line, rest) = self.rest.split_at(end + 1);
        let Some(line) = line.strip_suffix(b"\r\n") else { return wrong("LF without CR") };
        if !line.iter().all(|&byte| byte == b'\t' || !byte.is_ascii_control()) {
            return wrong("a byte that no line has");
        }
        self.rest = rest;
        Ok(characters(line))
    }

    fn fields(&mut self) -> Result<Vec<(String, String)>, Stop> {
        let mut fields = Vec::new();
        loop {
            let line = self.line()?;
            if line.is_empty() {
                return Ok(fields);
            }
            let Some((name, value)) = line.split_once(": ") else { return wrong("no field") };
            if !is_token(name) || value != value.trim_matches([' ', '\t']) {
                return wrong("a malformed field");
            }
            fields.push((name.to_owned(), value.to_owned()));
        }
    }
}

/// RFC 9110, 5.6.2.
pub fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}
