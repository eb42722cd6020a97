//! Sans-I/O codecs.
pub mod h1;
