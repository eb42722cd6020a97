//! The designs that are judged, and how they are usually set up.

/// Who waits for the sockets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// Event loops.
    Loops,
    /// Threads that block.
    Threads,
}

impl Family {
    /// In words.
    pub fn name(self) -> &'static str {
        match self {
            Family::Loops => "event loop",
            Family::Threads => "threads",
        }
    }
}

/// A design on this library's codec.
#[derive(Debug)]
pub struct Design {
    /// As the command line and the figures have it.
    pub name: &'static str,
    /// What it is, in a few words.
    pub title: &'static str,
    /// Its kind.
    pub family: Family,
    /// Variants that many people run, the most common first.
    pub defaults: &'static [&'static str],
}

/// The variant of a loop whose handler blocks it. It is measured and shown as the mistake it is, and never stands for the
/// loop.
pub const MISTAKE: &str = "blocking";

/// All of them.
///
/// The default of a pool is 200 threads, as in Tomcat and Jetty; that of a thread per connection is whatever stack the
/// standard library gives it.
pub const DESIGNS: [Design; 6] = [
    Design { name: "loop", title: "one event loop", family: Family::Loops, defaults: &[""] },
    Design { name: "loops", title: "an event loop per core", family: Family::Loops, defaults: &[] },
    Design {
        name: "loop-workers",
        title: "one event loop, blocking work on a worker pool",
        family: Family::Loops,
        defaults: &[""],
    },
    Design {
        name: "pool-connection",
        title: "thread pool, a thread per connection until it closes",
        family: Family::Threads,
        defaults: &["threads=200"],
    },
    Design {
        name: "pool-request",
        title: "thread pool, a thread per request, connections parked between",
        family: Family::Threads,
        defaults: &["threads=200"],
    },
    Design {
        name: "thread-each",
        title: "a thread per connection, unbounded",
        family: Family::Threads,
        defaults: &["", "stack=2m"],
    },
];

/// The design of this name; `None` for outside references.
pub fn design(name: &str) -> Option<&'static Design> {
    DESIGNS.iter().find(|design| design.name == name)
}

impl Design {
    /// Which of these variants is the common one: by name, or because there is no other.
    pub fn common<'a>(&self, variants: &[&'a str]) -> Option<&'a str> {
        let named = self.defaults.iter().find_map(|default| variants.iter().find(|variant| *variant == default));
        named.or(if let [only] = variants { Some(only) } else { None }).copied()
    }
}
