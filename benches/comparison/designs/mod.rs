//! The servers that are compared.

use std::process::ExitCode;

/// The role of a server child.
pub const SERVER: &str = "server";

/// The body of a server child.
pub fn main(_args: &[String]) -> ExitCode {
    ExitCode::from(2)
}
