//! What a response can: methods that this layer adds to [`Response`](crate::http::Response).

mod cookies;
