//! The methods that this layer adds to [`Request`](crate::http::Request).

mod accepts;
mod authorization;
mod back;
mod client;
mod conditions;
mod cookies;
mod params;
mod query;
mod values;
