use super::World;

/// Whether the simulated system sends files from where they are (`sendfile`), or the program has to read them. A handler sees
/// no difference: with each of them, what `Response::send_file` promises holds.
///
/// ```
/// use oneloop::sim::{Sendfile, Sim};
///
/// let sim = Sim::new();
/// sim.set_sendfile(Sendfile::Refused);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sendfile {
    /// Files are sent from where they are, as on Linux. The default.
    #[default]
    Works,
    /// The call is there, and fails for each file (EINVAL), as on Linux for the files of some file systems.
    Refused,
    /// There is no such call, as on Windows; macOS and FreeBSD have one that the library does not use.
    Missing,
}

impl World {
    pub fn set_sendfile(&self, sendfile: Sendfile) {
        self.0.sendfile.set(sendfile);
    }
}
