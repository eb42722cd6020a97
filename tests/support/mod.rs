//! What tests share. Each crate of tests has a module of it, and uses a part.
#![allow(dead_code, unused_imports, reason = "each crate of tests uses a part of it")]

pub mod bytes;
pub mod client;
pub mod folder;
pub mod http;
pub mod json;
pub mod log;
pub mod logger;
pub mod net;
pub mod own_thread;
pub mod real;
pub mod websocket;
