//! The servers on Node and Bun, and the packages that they need.

use crate::servers::{BUN, UWEBSOCKETS};
use oneloop_benches::child::Launch;
use oneloop_benches::machine;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const FILES: [(&str, &str); 4] = [
    ("package.json", include_str!("../node/package.json")),
    ("ws.js", include_str!("../node/ws.js")),
    ("uwebsockets.js", include_str!("../node/uwebsockets.js")),
    ("bun.js", include_str!("../node/bun.js")),
];
/// Where the package has its program.
const BUN_PROGRAM: &str = "node_modules/@oven/bun-linux-x64-baseline/bin/bun";

/// Installs the packages, at the versions that `node/package.json` names, beside this program in the target folder, and returns
/// where. `None`, said loudly, if there is no Node or no npm, or if npm fails.
pub fn prepare() -> io::Result<Option<PathBuf>> {
    let (Some(_), Some(npm)) = (machine::find_program("node"), machine::find_program("npm")) else {
        println!("SKIPPED: ws, {UWEBSOCKETS} and {BUN}, since there is no node or no npm on the PATH");
        return Ok(None);
    };
    let program = std::env::current_exe()?;
    let modules = program.parent().unwrap_or(Path::new(".")).join("websockets-node");
    fs::create_dir_all(&modules)?;
    for (name, text) in FILES {
        fs::write(modules.join(name), text)?;
    }
    let install = ["install", "--no-audit", "--no-fund", "--ignore-scripts", "--prefer-offline", "--loglevel=error"];
    if !Command::new(npm).args(install).current_dir(&modules).status()?.success() {
        println!("SKIPPED: ws, {UWEBSOCKETS} and {BUN}, since npm could not install them");
        return Ok(None);
    }
    Ok(Some(modules))
}

/// How to start one of them. `None`, said loudly, if it does not run here.
pub fn launch(modules: &Path, name: &str) -> Option<Launch> {
    let program = if name == BUN { modules.join(BUN_PROGRAM) } else { PathBuf::from("node") };
    let script = modules.join(name).with_extension("js");
    // Its standard input is at its end, so a server that starts also ends.
    let tried = Command::new(&program).arg(&script).stdin(Stdio::null()).output();
    let why = match tried {
        Ok(output) if output.status.success() => {
            return Some(Launch::new(program).arg(script).env("NODE_ENV", "production"));
        }
        Ok(output) => format!("{}: {}", output.status, String::from_utf8_lossy(&output.stderr).trim()),
        Err(error) => error.to_string(),
    };
    println!("SKIPPED: {name} does not run here: {why}");
    None
}
