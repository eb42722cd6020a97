//! The clients on Node, and the package that one of them needs.

use crate::clients::{NODE, UNDICI};
use oneloop_benches::child::Launch;
use oneloop_benches::machine;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

const FILES: [(&str, &str); 4] = [
    ("package.json", include_str!("../node/package.json")),
    ("on_demand.js", include_str!("../node/on_demand.js")),
    ("node.js", include_str!("../node/node.js")),
    ("undici.js", include_str!("../node/undici.js")),
];

/// Installs the package, at the version that `node/package.json` names, beside this program in the target folder, and returns where.
/// `None`, said loudly, if there is no Node or no npm, or if npm fails.
pub fn prepare() -> io::Result<Option<PathBuf>> {
    let (Some(_), Some(npm)) = (machine::find_program("node"), machine::find_program("npm")) else {
        println!("SKIPPED: {NODE} and {UNDICI}, since there is no node or no npm on the PATH");
        return Ok(None);
    };
    let program = std::env::current_exe()?;
    let modules = program.parent().unwrap_or(Path::new(".")).join("clients-node");
    fs::create_dir_all(&modules)?;
    for (name, text) in FILES {
        fs::write(modules.join(name), text)?;
    }
    let install = ["install", "--no-audit", "--no-fund", "--ignore-scripts", "--prefer-offline", "--loglevel=error"];
    if !Command::new(npm).args(install).current_dir(&modules).status()?.success() {
        println!("SKIPPED: {NODE} and {UNDICI}, since npm could not install undici");
        return Ok(None);
    }
    Ok(Some(modules))
}

/// How to start one of them.
pub fn launch(modules: &Path, name: &str) -> Launch {
    Launch::new("node").arg(modules.join(name).with_extension("js")).env("NODE_ENV", "production")
}
