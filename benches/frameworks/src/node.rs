//! The servers on Node, and the packages that they need.

use crate::servers::Site;
use oneloop_benches::child::Launch;
use oneloop_benches::machine;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const FILES: [(&str, &str); 3] = [
    ("package.json", include_str!("../node/package.json")),
    ("express.js", include_str!("../node/express.js")),
    ("fastify.js", include_str!("../node/fastify.js")),
];

/// What Node has got.
pub struct Node {
    modules: PathBuf,
    /// Whether better-sqlite3 is there. It is compiled, for which it needs a C++ compiler, Python and the headers of Node.
    pub has_sqlite: bool,
}

/// Installs the packages, at the versions that `node/package.json` names, beside this program in the target folder. `None`, said
/// loudly, if there is no Node or no npm, or if npm fails.
pub fn prepare() -> io::Result<Option<Node>> {
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
    if !Command::new(&npm).args(install).current_dir(&modules).status()?.success() {
        println!("SKIPPED: express and fastify, since npm could not install them");
        return Ok(None);
    }
    let compiled = modules.join("node_modules/better-sqlite3/build/Release/better_sqlite3.node");
    if !compiled.exists() {
        let rebuild = ["rebuild", "better-sqlite3", "--build-from-source", "--loglevel=error"];
        Command::new(npm).args(rebuild).current_dir(&modules).stdout(Stdio::null()).status()?;
    }
    let has_sqlite = compiled.exists();
    if !has_sqlite {
        println!("SKIPPED: express in the row of SQLite, since npm could not compile better-sqlite3");
    }
    Ok(Some(Node { modules, has_sqlite }))
}

impl Node {
    /// How to start a server on it.
    pub fn launch(&self, name: &str, site: &Site) -> Launch {
        let script = self.modules.join(name).with_extension("js");
        Launch::new("node").arg(script).arg(&site.0).env("NODE_ENV", "production")
    }
}
