//! What the fuzz targets assert, on stable; and what other parsers make of the same bytes.

mod differential;
mod holds;
#[path = "../fuzz/properties/mod.rs"]
mod properties;

#[path = "../fuzz/strategies.rs"]
mod strategies;
mod websocket_differential;
