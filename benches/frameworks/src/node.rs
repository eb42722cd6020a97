//! The servers on Node, and the packages that they need.

use oneloop_benches::child::Launch;
use oneloop_benches::machine;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

const FILES: [(&str, &str); 3] = [
    ("package.json", include_str!("../node/package.json")),
    ("express.js", include_str!("../node/express.js")),
    ("fastify.js", include_str!("../node/fastify.js")),
];

/// Installs the packages, at the versions that `node/package.json` names, beside this program in the target folder, and returns
/// where. `None`, said loudly, if there is no Node or no npm, or if npm fails.
pub fn prepare() -> io::Result<Option<PathBuf>> {
    let (Some(_), Some(npm)) = (machine::find_program("node"), machine::find_program("npm")) else {
        println!("SKIPPED: express and fastify, since there is no node or no npm on the PATH");
        return Ok(None);
    };
    let program = std::env::current_exe()?;
    let modules = program.parent().unwrap_or(Path::new(".")).join("frameworks-node");
    fs::create_dir_all(&modules)?;
    for (name, text) in FILES {
        fs::write(modules.join(name), text)?;
    }
    let install = ["install", "--no-audit", "--no-fund", "--ignore-scripts", "--prefer-offline", "--loglevel=error"];
    if !Command::new(npm).args(install).current_dir(&modules).status()?.success() {
        println!("SKIPPED: express and fastify, since npm could not install them");
        return Ok(None);
    }
    Ok(Some(modules))
}

/// How to start one of them.
pub fn launch(modules: &Path, name: &str, folder: &Path) -> Launch {
    let script = modules.join(name).with_extension("js");
    Launch::new("node").arg(script).arg(folder).env("NODE_ENV", "production")
}
