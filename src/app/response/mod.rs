//! The methods that this layer adds to [`Response`](crate::http::Response).

mod attachment;
mod content;
mod cookies;
mod fields;
mod redirect;
