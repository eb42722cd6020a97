//! Bodies of requests: JSON, forms, text and bytes, each with a limit, for handlers that have a third argument.
//!
//! ```text
//!   head ─► may it have content? ─► media type ─► length ─► coding ─► charset ─► (100 Continue) ─► body ─► parse ─► the type
//!           400                     415           413       415       415                          413     400      422
//! ```
//! What the head alone decides is decided before the body is read, so that a client that expects `100 Continue` does not send a
//! body that would be refused. A 415 says what is wanted: by `Accept-Post`, or `Accept-Patch` (RFC 5789, 3.1), or `Accept` (RFC
//! 9110, 12.5.1), and by `Accept-Encoding` if the coding is what is not supported. No answer quotes the body.
//!
//! ```text
//!   json(handler) ─► |req, res| ─► Wanted::check ─► read_body ─► read: bytes to T ─► handler(req, res, T)
//!   req.read_json(limit, done)  ─►       "              "              "         ─► done(Ok(T) or Err)
//! ```

mod form;
#[cfg(feature = "json")]
mod json;
mod multipart;
mod plain;
mod reading;
mod storing;
mod upload;
mod wanted;

pub use form::{Form, FromForm, form, form_up_to};
#[cfg(feature = "json")]
pub use json::{json, json_up_to};
pub use multipart::{UploadOptions, multipart, multipart_with};
pub use plain::{raw, raw_up_to, text, text_up_to};
pub use upload::{Upload, UploadedFile};
