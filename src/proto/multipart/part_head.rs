//! The head of a part: which field or file it is.

use super::super::media_type::MediaType;
use super::super::octet::{self, TOKEN, VALUE};
use super::disposition::{Disposition, read};
use super::{MultipartFault, MultipartLimits};

/// What the head of a part says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// The name of the field. It may be empty.
    pub name: String,
    /// The name that the file has at the client, if the part is a file; empty if no file was chosen. It is data from the client
    /// and no path: it may have slashes, dots and whatever else.
    pub file_name: Option<String>,
    /// The media type that the client states, as received. `None` if there is none, or if it is none by its grammar.
    pub media_type: Option<String>,
}

/// The head of the present part so far.
#[derive(Clone, Debug, Default)]
pub(super) struct PartHead {
    /// The present line so far.
    line: Vec<u8>,
    /// How many bytes have come.
    length: usize,
    /// How many lines have come.
    fields: usize,
    disposition: Option<Disposition>,
    media_type: Option<String>,
}

impl PartHead {
    /// Reads on. Returns how many bytes of the input belong to the head, and the part if the head has ended.
    pub fn read(&mut self, input: &[u8], limits: &MultipartLimits) -> Result<(usize, Option<Part>), MultipartFault> {
        let mut consumed = 0;
        for piece in input.split_inclusive(|&byte| byte == b'\n') {
            consumed += piece.len();
            self.length += piece.len();
            if self.length > limits.head {
                return Err(MultipartFault::HeadTooLarge);
            }
            self.line.extend_from_slice(piece);
            if !piece.ends_with(b"\n") {
                break;
            }
            let line = std::mem::take(&mut self.line);
            let line = line.strip_suffix(b"\r\n").ok_or(MultipartFault::Head)?;
            if line.is_empty() {
                let head = std::mem::take(self);
                return Ok((consumed, Some(head.part(limits)?)));
            }
            self.fields += 1;
            if self.fields > limits.head_fields {
                return Err(MultipartFault::HeadTooLarge);
            }
            self.field(line)?;
        }
        Ok((consumed, None))
    }

    fn field(&mut self, line: &[u8]) -> Result<(), MultipartFault> {
        let mut parts = line.splitn(2, |&byte| byte == b':');
        let (Some(name), Some(value)) = (parts.next(), parts.next()) else { return Err(MultipartFault::Head) };
        if name.is_empty() || !octet::all(name, TOKEN) || !octet::all(value, VALUE) {
            return Err(MultipartFault::Head);
        }
        let value = value.trim_ascii();
        if octet::same_name(name, b"content-disposition") {
            if self.disposition.replace(read(value)?).is_some() {
                return Err(MultipartFault::Disposition);
            }
        } else if octet::same_name(name, b"content-type") {
            let text = std::str::from_utf8(value).ok().filter(|text| MediaType::read(text).is_some());
            self.media_type = text.map(str::to_owned);
        } else if octet::same_name(name, b"content-transfer-encoding") {
            let as_it_is = [&b"7bit"[..], b"8bit", b"binary"];
            if !as_it_is.iter().any(|coding| coding.eq_ignore_ascii_case(value)) {
                return Err(MultipartFault::TransferEncoding);
            }
        }
        Ok(())
    }

    fn part(self, limits: &MultipartLimits) -> Result<Part, MultipartFault> {
        let Disposition { name, file_name } = self.disposition.ok_or(MultipartFault::Disposition)?;
        if name.len() > limits.name {
            return Err(MultipartFault::NameTooLong);
        }
        if file_name.as_ref().is_some_and(|name| name.len() > limits.file_name) {
            return Err(MultipartFault::FileNameTooLong);
        }
        Ok(Part { name, file_name, media_type: self.media_type })
    }
}
