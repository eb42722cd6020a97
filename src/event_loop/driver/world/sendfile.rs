use super::World;

/// How the simulated system answers a call of `sendfile`, which sends files without copying them through the program. A
/// handler sees no difference: `Response::send_file` keeps its promises with each variant.
///
/// ```
/// use oneloop::sim::{Sendfile, Sim};
///
/// let sim = Sim::new();
/// sim.set_sendfile(Sendfile::Refused);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sendfile {
    /// Files are sent without a copy, as on Linux. The default.
    #[default]
    Works,
    /// The call exists and fails for each file (EINVAL), as on Linux for the files of some file systems.
    Refused,
    /// There is no such call, as on Windows. (macOS and FreeBSD have one that the library does not use.)
    Missing,
}

impl World {
    pub fn set_sendfile(&self, sendfile: Sendfile) {
        self.0.sendfile.set(sendfile);
    }
}
