//! What the user sees while it runs.

use std::io::{self, IsTerminal, Write};

/// A line on the terminal that is written anew; nothing where there is no terminal.
#[derive(Debug)]
pub struct Progress {
    terminal: bool,
}

impl Default for Progress {
    fn default() -> Progress {
        Progress { terminal: io::stderr().is_terminal() }
    }
}

impl Progress {
    /// Shows what is under way.
    pub fn show(&mut self, words: &str) {
        if self.terminal {
            eprint!("\r\x1b[2K{words}");
            let _ = io::stderr().flush();
        }
    }

    /// Says something that stays.
    pub fn line(&mut self, words: &str) {
        self.clear();
        eprintln!("{words}");
    }

    /// Takes the line away.
    pub fn clear(&mut self) {
        if self.terminal {
            eprint!("\r\x1b[2K");
        }
    }
}
