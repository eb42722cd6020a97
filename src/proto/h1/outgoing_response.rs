//! The head of a response that will be sent.

use super::{field_error::FieldError, outgoing_fields::OutgoingFields, status};
use crate::proto::octet::{self, TEXT};

/// Status, reason and fields of a response, in buffers that are reused for the next response. Every field is checked when it is
/// set: see [`OutgoingFields`].
#[derive(Clone, Debug)]
pub struct OutgoingResponse {
    pub(super) status: u16,
    /// If it is empty, the registered phrase is sent.
    pub(super) reason: String,
    pub(super) fields: OutgoingFields,
}

impl Default for OutgoingResponse {
    fn default() -> Self {
        Self::new()
    }
}

impl OutgoingResponse {
    /// A response `200 OK` without fields. It holds no memory.
    pub const fn new() -> Self {
        OutgoingResponse { status: 200, reason: String::new(), fields: OutgoingFields::new() }
    }

    /// The status code.
    pub fn status(&self) -> u16 {
        self.status
    }

    /// Sets the status code, 100 to 999 (RFC 9110, 15). A final response has 200 or more, or 101; the other codes below 200 are
    /// written with [`encode_informational`](super::encode_informational).
    pub fn set_status(&mut self, status: u16) -> Result<(), FieldError> {
        if !(100..=999).contains(&status) {
            return Err(FieldError::Status);
        }
        self.status = status;
        Ok(())
    }

    /// The reason phrase that will be sent.
    pub fn reason(&self) -> &str {
        match self.reason.as_str() {
            "" => status::reason(self.status),
            reason => reason,
        }
    }

    /// Sets the reason phrase (RFC 9112, 4); an empty one restores the registered phrase.
    pub fn set_reason(&mut self, reason: &str) -> Result<(), FieldError> {
        if !octet::all(reason.as_bytes(), TEXT) {
            return Err(FieldError::Reason);
        }
        self.reason.clear();
        self.reason.push_str(reason);
        Ok(())
    }

    /// The fields.
    pub fn fields(&self) -> &OutgoingFields {
        &self.fields
    }

    /// The fields, to change them.
    pub fn fields_mut(&mut self) -> &mut OutgoingFields {
        &mut self.fields
    }

    /// Sets a field: see [`OutgoingFields::set`].
    #[inline]
    pub fn set(&mut self, name: &str, value: impl AsRef<[u8]>) -> Result<(), FieldError> {
        self.fields.set(name, value)
    }

    /// Adds a field: see [`OutgoingFields::append`].
    pub fn append(&mut self, name: &str, value: impl AsRef<[u8]>) -> Result<(), FieldError> {
        self.fields.append(name, value)
    }

    /// Removes all fields of that name: see [`OutgoingFields::remove`].
    pub fn remove(&mut self, name: &str) -> bool {
        self.fields.remove(name)
    }

    /// The value of the first field of that name: see [`OutgoingFields::get`].
    pub fn get(&self, name: &str) -> Option<&str> {
        self.fields.get(name)
    }

    /// The value of the first field of that name.
    pub fn get_bytes(&self, name: &str) -> Option<&[u8]> {
        self.fields.get_bytes(name)
    }

    /// Returns whether a field of that name was set.
    pub fn has(&self, name: &str) -> bool {
        self.fields.has(name)
    }

    /// All fields in the order in which they will be sent. Fields that encoding adds are not among them.
    pub fn iter_bytes(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.fields.iter_bytes()
    }

    /// All fields whose value is UTF-8, in the order in which they will be sent.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.fields.iter()
    }

    /// The Content-Length that was set.
    pub fn declared_length(&self) -> Option<u64> {
        self.fields.declared_length()
    }

    /// Returns whether `Transfer-Encoding: chunked` was set.
    pub fn wants_chunked(&self) -> bool {
        self.fields.wants_chunked()
    }

    /// Returns whether `Connection: close` was set.
    pub fn wants_close(&self) -> bool {
        self.fields.wants_close()
    }

    /// Starts over with `200 OK` and no fields, and keeps the memory.
    pub fn clear(&mut self) {
        self.status = 200;
        self.reason.clear();
        self.fields.clear();
    }

    /// How many bytes of memory the buffers hold.
    pub fn capacity(&self) -> usize {
        self.reason.capacity() + self.fields.capacity()
    }

    /// Gives back the memory that the present fields do not need.
    pub fn shrink(&mut self) {
        self.reason.shrink_to_fit();
        self.fields.shrink();
    }
}
