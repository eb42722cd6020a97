//! The bytes of a head.

use super::{
    field_error::{self, FieldError},
    framing::Framing,
    outgoing_fields::{self, OutgoingFields, Special},
    outgoing_request::OutgoingRequest,
    outgoing_response::OutgoingResponse,
    persistence::ConnectionField,
    status,
};

/// What a head consists of besides the fields that were set.
#[derive(Clone, Copy, Debug, Default)]
pub struct Encoding<'a> {
    /// How the content is framed.
    pub framing: Framing,
    /// The value of the Date field (RFC 9110, 6.6.1), as IMF-fixdate. It is not sent if a Date field was set.
    pub date: Option<&'a [u8; 29]>,
    /// The Connection field.
    pub connection: ConnectionField,
}

impl OutgoingResponse {
    /// Writes the whole head, the empty line at its end included (RFC 9112, 4 and 5).
    ///
    /// Fields that were set but contradict the framing are left out: Content-Length if the framing is not that length,
    /// Transfer-Encoding if the framing is not chunked (RFC 9112, 6.1 and 6.2).
    pub fn encode(&self, out: &mut Vec<u8>, how: &Encoding<'_>) {
        self.encode_status_line(out);
        self.fields.encode(out, how);
    }

    #[inline]
    fn encode_status_line(&self, out: &mut Vec<u8>) {
        if self.status == 200 && self.reason.is_empty() {
            // Nearly all responses begin with this line. The compiler knows its length, so it copies the line without a function
            // call.
            out.extend_from_slice(const { status::line(200) });
            return;
        }
        let line = status::line(self.status);
        if line.is_empty() || !self.reason.is_empty() {
            self.encode_unusual_status_line(out);
        } else {
            out.extend_from_slice(line);
        }
    }

    #[cold]
    fn encode_unusual_status_line(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"HTTP/1.1 ");
        let digits = [self.status / 100, self.status / 10 % 10, self.status % 10];
        out.extend(digits.map(|digit| b'0' + digit as u8));
        out.push(b' ');
        out.extend_from_slice(self.reason().as_bytes());
        out.extend_from_slice(b"\r\n");
    }
}

impl OutgoingRequest {
    /// Writes the whole head of a request, the empty line at its end included (RFC 9112, 3 and 5). The version is 1.1, and Host is
    /// the first field.
    ///
    /// Fields that were set but contradict the framing are left out, as in a response. So a request never has both Content-Length
    /// and Transfer-Encoding.
    pub fn encode(&self, out: &mut Vec<u8>, how: &Encoding<'_>) {
        debug_assert!(!self.line().is_empty(), "set_line comes first");
        for part in [self.line(), " HTTP/1.1\r\nHost: ", self.host(), "\r\n"] {
            out.extend_from_slice(part.as_bytes());
        }
        self.fields.encode(out, how);
    }
}

impl OutgoingFields {
    /// Writes the fields that were set, the fields that `how` adds, and the empty line.
    #[inline]
    pub(super) fn encode(&self, out: &mut Vec<u8>, how: &Encoding<'_>) {
        if self.flags == 0 {
            out.extend_from_slice(self.as_bytes());
        } else {
            self.encode_lines(out, how);
        }
        if let Some(date) = how.date
            && self.flags & outgoing_fields::DATE == 0
        {
            encode_date(out, date);
        }
        match how.connection {
            ConnectionField::Close if self.flags & outgoing_fields::CLOSE == 0 => {
                out.extend_from_slice(b"Connection: close\r\n");
            }
            ConnectionField::KeepAlive if self.flags & outgoing_fields::PERSISTENCE == 0 => {
                out.extend_from_slice(b"Connection: keep-alive\r\n");
            }
            _ => {}
        }
        match how.framing {
            Framing::Length(length) if self.declared_length() != Some(length) => encode_length(out, length),
            Framing::Chunked if self.flags & outgoing_fields::CHUNKED == 0 => {
                out.extend_from_slice(b"Transfer-Encoding: chunked\r\n\r\n");
            }
            _ => out.extend_from_slice(b"\r\n"),
        }
    }

    /// Writes the lines that were set, except those that contradict `how`.
    fn encode_lines(&self, out: &mut Vec<u8>, how: &Encoding<'_>) {
        let mut whole_from = 0;
        for line in self.lines() {
            let fits = match Special::of(line.name) {
                Special::ContentLength => {
                    matches!(how.framing, Framing::Length(length) if self.declared_length() == Some(length))
                }
                Special::TransferEncoding => how.framing == Framing::Chunked,
                Special::Connection => {
                    how.connection != ConnectionField::Close || !line.value.eq_ignore_ascii_case(b"keep-alive")
                }
                Special::Date | Special::No => true,
            };
            if !fits {
                out.extend_from_slice(self.as_bytes().get(whole_from..line.start).unwrap_or_default());
                whole_from = line.end;
            }
        }
        out.extend_from_slice(self.as_bytes().get(whole_from..).unwrap_or_default());
    }
}

/// Writes the Date field with a single copy.
#[inline]
fn encode_date(out: &mut Vec<u8>, date: &[u8; 29]) {
    let mut line = *b"Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n";
    if let Some(value) = line.get_mut(6..35) {
        value.copy_from_slice(date);
    }
    out.extend_from_slice(&line);
}

/// Writes `Content-Length: `, the number, and the end of the head.
#[inline]
fn encode_length(out: &mut Vec<u8>, length: u64) {
    out.extend_from_slice(b"Content-Length: ");
    // Lengths with a usual number of digits are written as arrays. The compiler knows the length of an array, so it copies
    // each piece without a function call.
    match length {
        0..10 => out.extend_from_slice(&digits::<1>(length)),
        10..100 => out.extend_from_slice(&digits::<2>(length)),
        100..1_000 => out.extend_from_slice(&digits::<3>(length)),
        1_000..10_000 => out.extend_from_slice(&digits::<4>(length)),
        10_000..100_000 => out.extend_from_slice(&digits::<5>(length)),
        _ => encode_long_number(out, length),
    }
    out.extend_from_slice(b"\r\n\r\n");
}

/// The last `N` decimal digits of a number.
#[inline]
fn digits<const N: usize>(number: u64) -> [u8; N] {
    let mut left = number;
    let mut digits = [b'0'; N];
    for digit in digits.iter_mut().rev() {
        *digit += (left % 10) as u8;
        left /= 10;
    }
    digits
}

#[cold]
fn encode_long_number(out: &mut Vec<u8>, number: u64) {
    let digits = digits::<20>(number);
    let start = digits.iter().position(|&digit| digit != b'0').unwrap_or(digits.len() - 1);
    out.extend_from_slice(digits.get(start..).unwrap_or_default());
}

/// Writes a whole informational response (RFC 9110, 15.2): status 100 or 102 to 199, and fields that are neither Content-Length
/// nor Transfer-Encoding. On an error nothing was written. Send no informational response to an HTTP/1.0 client.
pub fn encode_informational(out: &mut Vec<u8>, status: u16, fields: &[(&str, &str)]) -> Result<(), FieldError> {
    if !(100..=199).contains(&status) || status == 101 {
        return Err(FieldError::Status);
    }
    for (name, value) in fields {
        field_error::checked(name, value.as_bytes())?;
        match Special::of(name.as_bytes()) {
            Special::ContentLength | Special::TransferEncoding => return Err(FieldError::Forbidden),
            special => special.check(value.as_bytes())?,
        }
    }
    let mut head = OutgoingResponse::new();
    head.set_status(status)?;
    head.encode_status_line(out);
    for (name, value) in fields {
        for part in [name.as_bytes(), b": ", field_error::trimmed(value.as_bytes()), b"\r\n"] {
            out.extend_from_slice(part);
        }
    }
    out.extend_from_slice(b"\r\n");
    Ok(())
}
