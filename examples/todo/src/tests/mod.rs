//! The site in a simulated world: no port, no thread, no sleep. Its database is a file in a folder of its own.

mod accounts;
mod api;
mod pages;

use crate::Options;
use argon2::{Algorithm, Argon2, Params, Version};
use oneloop::http::Server;
use oneloop::sim::{Reply, Sim};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

struct World {
    sim: Sim,
    _server: Server,
    folder: PathBuf,
}

impl World {
    /// A site that is open to all.
    fn new() -> World {
        World::with(true)
    }

    fn with(open: bool) -> World {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("todo-test-{}-{number}", std::process::id()));
        std::fs::create_dir(&folder).unwrap();
        let sim = Sim::new();
        // Passwords whose hashes cost next to nothing.
        let hashing = Argon2::new(Algorithm::Argon2id, Version::V0x13, Params::new(8, 1, 1, None).unwrap());
        let server = crate::site(&Options { database: folder.join("todo.db"), port: 80, open, hashing }).unwrap();
        server.listen(80, ()).unwrap();
        World { sim, _server: server, folder }
    }

    /// Sends JSON, if there is any, and returns the answer.
    fn ask(&self, method: &str, path: &str, fields: &[(&str, &str)], body: &str) -> Reply {
        let mut request = self.sim.request(method, path);
        for (name, value) in fields {
            request = request.header(name, value);
        }
        if !body.is_empty() {
            request = request.header("Content-Type", "application/json").body(body);
        }
        request.send()
    }
}

impl Drop for World {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}
