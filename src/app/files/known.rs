//! The places of files that were requested a short time ago, so that not every request needs a worker.

use super::place::Located;
use crate::event_loop::now;
use std::collections::HashMap;
use std::rc::Rc;
use std::time::Duration;

/// How long the place of a file is used without another look: as long as `Limits::hot_file_age` is by default.
const FRESH: Duration = Duration::from_millis(100);
/// How many files are remembered at most.
const REMEMBERED: usize = 1024;
/// Longer paths, in bytes, are not remembered: a client can spell one path in many ways.
const LONGEST: usize = 256;

#[derive(Default)]
pub struct Known(HashMap<Box<str>, (Duration, Rc<Located>)>);

impl Known {
    pub fn find(&self, path: &str) -> Option<Rc<Located>> {
        let (since, file) = self.0.get(path)?;
        (now() - *since < FRESH).then(|| file.clone())
    }

    /// Remembers a file that a worker, asked at `since`, has found.
    pub fn remember(&mut self, path: &str, since: Duration, file: Rc<Located>) {
        if self.0.len() >= REMEMBERED {
            self.0.retain(|_, (since, _)| now() - *since < FRESH);
        }
        if path.len() <= LONGEST && self.0.len() < REMEMBERED {
            self.0.insert(path.into(), (since, file));
        }
    }
}
