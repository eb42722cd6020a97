//! The head of a request that will be sent.

use super::{field_error::FieldError, host, outgoing_fields::OutgoingFields, request_line::MAX_METHOD, target};
use crate::proto::octet::{self, TARGET, TOKEN, same_name};

/// Method, target, host and fields of a request, in buffers that are reused for the next request. All is checked when it is set,
/// so nothing that was set can begin another field or another message: see [`OutgoingFields`].
///
/// The host is kept apart from the other fields: every request has exactly one, and sends it first (RFC 9110, 7.2).
#[derive(Clone, Debug)]
pub struct OutgoingRequest {
    /// The method, a blank, and the target.
    line: String,
    /// How many bytes the method has. At most [`MAX_METHOD`].
    method: u8,
    host: String,
    pub(super) fields: OutgoingFields,
}

impl Default for OutgoingRequest {
    fn default() -> Self {
        Self::new()
    }
}

impl OutgoingRequest {
    /// A request without method, target, host and fields. It holds no memory. Nothing may be sent before
    /// [`set_line`](Self::set_line).
    pub const fn new() -> Self {
        OutgoingRequest { line: String::new(), method: 0, host: String::new(), fields: OutgoingFields::new() }
    }

    /// Sets the method and the request-target. Methods have a case: `get` is not `GET` (RFC 9110, 9.1). The target has one of the
    /// forms that suit the method (RFC 9112, 3.2):
    ///
    /// | method | target |
    /// |---|---|
    /// | any but CONNECT | `/path?query`, or `http://host/path?query` to a proxy |
    /// | OPTIONS | also `*` |
    /// | CONNECT | `host:port` |
    ///
    /// # Errors
    /// [`Method`](FieldError::Method) or [`Target`](FieldError::Target). Then nothing has changed.
    pub fn set_line(&mut self, method: &str, target: &str) -> Result<(), FieldError> {
        if !(1..=MAX_METHOD).contains(&method.len()) || !octet::all(method.as_bytes(), TOKEN) {
            return Err(FieldError::Method);
        }
        let (verb, bytes) = (method.as_bytes(), target.as_bytes());
        let question = || bytes.iter().position(|&byte| byte == b'?');
        if target.is_empty()
            || !octet::all(bytes, TARGET)
            || !(target::is_origin(verb, bytes) || target::read(verb, bytes, question()).is_ok())
        {
            return Err(FieldError::Target);
        }
        self.line.clear();
        for part in [method, " ", target] {
            self.line.push_str(part);
        }
        self.method = method.len() as u8;
        Ok(())
    }

    /// The method; empty in a new request.
    pub fn method(&self) -> &str {
        self.line.get(..usize::from(self.method)).unwrap_or_default()
    }

    /// The request-target; empty in a new request.
    pub fn target(&self) -> &str {
        self.line.get(usize::from(self.method) + 1..).unwrap_or_default()
    }

    /// The value of the Host field.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Sets the value of the Host field: host and port of the URL, whatever proxy the request goes to. An empty one is sent for a
    /// URL that has no host (RFC 9112, 3.2).
    ///
    /// # Errors
    /// [`Host`](FieldError::Host) if it is not `host` or `host:port`. Then nothing has changed.
    pub fn set_host(&mut self, host: &str) -> Result<(), FieldError> {
        if host::read(host.as_bytes()).is_none() {
            return Err(FieldError::Host);
        }
        self.host.clear();
        self.host.push_str(host);
        Ok(())
    }

    /// The fields, without Host.
    pub fn fields(&self) -> &OutgoingFields {
        &self.fields
    }

    /// Sets a field: see [`OutgoingFields::set`]. `Host` is the host, whatever its case.
    pub fn set(&mut self, name: &str, value: impl AsRef<[u8]>) -> Result<(), FieldError> {
        if is_host(name) {
            return self.set_host(std::str::from_utf8(value.as_ref()).map_err(|_| FieldError::Host)?.trim_ascii());
        }
        self.fields.set(name, value)
    }

    /// Adds a field: see [`OutgoingFields::append`]. A second `Host` is refused.
    pub fn append(&mut self, name: &str, value: impl AsRef<[u8]>) -> Result<(), FieldError> {
        if !is_host(name) {
            return self.fields.append(name, value);
        }
        if self.host.is_empty() { self.set(name, value) } else { Err(FieldError::Host) }
    }

    /// Removes all fields of that name, and returns whether there were any. Without a host, an empty one is sent.
    pub fn remove(&mut self, name: &str) -> bool {
        if is_host(name) {
            return !std::mem::take(&mut self.host).is_empty();
        }
        self.fields.remove(name)
    }

    /// The value of the first field of that name: see [`OutgoingFields::get`].
    pub fn get(&self, name: &str) -> Option<&str> {
        self.get_bytes(name).and_then(|value| std::str::from_utf8(value).ok())
    }

    /// The value of the first field of that name.
    pub fn get_bytes(&self, name: &str) -> Option<&[u8]> {
        if is_host(name) {
            return (!self.host.is_empty()).then_some(self.host.as_bytes());
        }
        self.fields.get_bytes(name)
    }

    /// Returns whether a field of that name was set.
    pub fn has(&self, name: &str) -> bool {
        self.get_bytes(name).is_some()
    }

    /// All fields in the order in which they will be sent, Host first. Fields that encoding adds are not among them.
    pub fn iter_bytes(&self) -> impl Iterator<Item = (&str, &[u8])> {
        let host = (!self.host.is_empty()).then_some(("Host", self.host.as_bytes()));
        host.into_iter().chain(self.fields.iter_bytes())
    }

    /// Returns whether the request waits for `100 Continue` before its content (RFC 9110, 10.1.1).
    pub fn expects_continue(&self) -> bool {
        let listed = |(name, value): (&str, &[u8])| {
            name.eq_ignore_ascii_case("expect")
                && octet::list(value).any(|element| element.eq_ignore_ascii_case(b"100-continue"))
        };
        self.fields.has("expect") && self.fields.iter_bytes().any(listed)
    }

    /// Returns whether the request offers to change to another protocol: it has an Upgrade field, and Connection says `upgrade`
    /// (RFC 9110, 7.8). No other request may be answered by 101.
    pub fn offers_upgrade(&self) -> bool {
        let listed = |(name, value): (&str, &[u8])| {
            name.eq_ignore_ascii_case("connection")
                && octet::list(value).any(|option| option.eq_ignore_ascii_case(b"upgrade"))
        };
        self.fields.has("upgrade") && self.fields.iter_bytes().any(listed)
    }

    /// Forgets all of it and keeps the memory.
    pub fn clear(&mut self) {
        self.line.clear();
        self.method = 0;
        self.host.clear();
        self.fields.clear();
    }

    /// How many bytes of memory the buffers hold.
    pub fn capacity(&self) -> usize {
        self.line.capacity() + self.host.capacity() + self.fields.capacity()
    }

    /// Gives back the memory that the present head does not need.
    pub fn shrink(&mut self) {
        self.line.shrink_to_fit();
        self.host.shrink_to_fit();
        self.fields.shrink();
    }

    /// The start of the request line: method and target.
    pub(super) fn line(&self) -> &str {
        &self.line
    }
}

fn is_host(name: &str) -> bool {
    same_name(name.as_bytes(), b"host")
}
