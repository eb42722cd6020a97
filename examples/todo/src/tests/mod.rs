//! The site in a simulated world: no port, no thread, no sleep. Its database is a file in a folder of its own.

mod api;
mod pages;

use crate::database::Database;
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
    fn new() -> World {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("todo-test-{}-{number}", std::process::id()));
        std::fs::create_dir(&folder).unwrap();
        let sim = Sim::new();
        let server = crate::site(Database::open(&folder.join("todo.db")).unwrap()).unwrap();
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
