//! The servers under test: `examples/hello`, the very program that users get, the same through the layer `app`, and one of WebSockets.

use crate::child::Launch;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The root of the repository.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("."))
}

/// Builds `examples/hello` as the README says (release profile, default features) and returns its path.
///
/// Only the package at the root is named, so that it has no feature which only a dependency of the benches asks for.
pub fn build() -> io::Result<PathBuf> {
    build_target("oneloop", ["--example", "hello"])
}

/// Builds `src/bin/app.rs`, the servers with the layer `app`, and returns its path.
pub fn build_app() -> io::Result<PathBuf> {
    build_target("oneloop-benches", ["--bin", "app"])
}

/// Builds `src/bin/sockets.rs`, the server of WebSockets, and returns its path.
pub fn build_sockets() -> io::Result<PathBuf> {
    build_target("oneloop-benches", ["--bin", "sockets"])
}

/// Builds `src/bin/client.rs`, the HTTP client, and returns its path.
pub fn build_client() -> io::Result<PathBuf> {
    build_target("oneloop-benches", ["--bin", "client"])
}

fn build_target(package: &str, target: [&str; 2]) -> io::Result<PathBuf> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["build", "--release", "--package", package])
        .args(target)
        .arg("--message-format=json-render-diagnostics")
        .current_dir(root())
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .map_err(|e| io::Error::other(format!("cannot run cargo to build {}: {e}", target[1])))?;
    if !output.status.success() {
        return Err(io::Error::other(format!("{} does not build: see above", target[1])));
    }
    let messages = String::from_utf8_lossy(&output.stdout);
    let program = messages.lines().filter_map(executable).next_back();
    program.ok_or_else(|| io::Error::other(format!("cargo built {} but did not say where", target[1])))
}

/// How to start it: on a port that the system chooses, and with its default log level, whatever the environment of this
/// shell says.
pub fn launch(program: &Path) -> Launch {
    Launch::new(program).env("PORT", "0").env("RUST_LOG", "error")
}

/// The path of a program that a message of cargo reports, if it reports one.
fn executable(message: &str) -> Option<PathBuf> {
    let (_, rest) = message.split_once(r#""executable":""#)?;
    let mut path = String::new();
    let mut chars = rest.chars();
    loop {
        match chars.next()? {
            '"' => return Some(path.into()),
            // JSON escapes nothing else in a path: backslashes (Windows) and quotes.
            '\\' => path.push(chars.next()?),
            other => path.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_program_is_found_in_cargos_messages() {
        assert_eq!(executable(r#"{"x":1,"executable":"/a b/hello","fresh":true}"#), Some("/a b/hello".into()));
        assert_eq!(executable(r#"{"executable":"C:\\t\\hello.exe"}"#), Some(r"C:\t\hello.exe".into()));
        assert_eq!(executable(r#"{"executable":null}"#), None);
    }
}
