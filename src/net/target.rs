//! Where to connect to, and how long it may take.

use super::place::Place;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The default of `timeout`: how long it may take to make a connection, including the look-up and all addresses.
const TIMEOUT: Duration = Duration::from_secs(30);
/// The default of `look_up_timeout`: enough to ask two name servers for 5 s each, as the usual resolvers do.
const LOOK_UP: Duration = Duration::from_secs(10);
/// The default and the least "Connection Attempt Delay" (RFC 8305, section 5).
const ATTEMPT_DELAY: Duration = Duration::from_millis(250);
const LEAST_ATTEMPT_DELAY: Duration = Duration::from_millis(10);

/// Where to connect to. It can be made of a pair of host and port, an address, a path or a text.
///
/// | from | connects to |
/// |---|---|
/// | `("example.org", 80)` | the host: its name is looked up, unless it is an IP address |
/// | `7777` | that port of `localhost` (as Node) |
/// | a `SocketAddr` | that address |
/// | a `Path` | the Unix socket at that path |
/// | a text | `"example.org:80"`, `"127.0.0.1:80"`, `"[::1]:80"`; `":7777"` and `"7777"` are that port of `localhost`; a text with a `/` in it, or with `unix:` in front, is a path; `"@name"` is Linux' abstract namespace. A text that is none of these is an error, which `on_error` gets |
///
/// ```
/// use oneloop::net::{self, Target};
/// use std::time::Duration;
///
/// let socket = net::connect(Target::from("127.0.0.1:1").timeout(Duration::from_secs(5)), |_| ());
/// socket.on_error(|_, error| println!("{error}")); // cannot connect to 127.0.0.1:1: Connection refused
/// oneloop::run()
/// # ?; std::io::Result::Ok(())
/// ```
#[derive(Clone, Debug)]
pub struct Target {
    pub(super) place: Place,
    pub(super) timeout: Duration,
    pub(super) look_up_timeout: Duration,
    pub(super) attempt_delay: Duration,
    /// How old the result of a look-up may be. Zero: the name is looked up anew.
    pub(super) look_up_age: Duration,
}

impl Target {
    fn new(place: Place) -> Target {
        Target {
            place,
            timeout: TIMEOUT,
            look_up_timeout: LOOK_UP,
            attempt_delay: ATTEMPT_DELAY,
            look_up_age: Duration::ZERO,
        }
    }

    /// Connects to a Unix socket with a name in Linux' abstract namespace. On other systems the connection fails.
    pub fn abstract_name(name: impl AsRef<[u8]>) -> Target {
        Target::new(Place::Abstract(name.as_ref().to_vec()))
    }

    /// The host, for the certificate that it has to show. A text that is no address is none: its connection fails.
    #[cfg(feature = "tls")]
    pub(crate) fn host(&self) -> String {
        match &self.place {
            Place::Host(host, _) => host.clone(),
            Place::Ip(address) => address.ip().to_string(),
            Place::Port(_) | Place::Path(_) | Place::Abstract(_) | Place::Unclear(..) => "localhost".to_owned(),
        }
    }

    /// Sets how long it may take to make the connection: 30 s by default, including the look-up and all addresses. After
    /// that time the socket closes with [`ConnectTimeout`](super::CloseReason::ConnectTimeout).
    pub fn timeout(mut self, after: Duration) -> Target {
        self.timeout = after;
        self
    }

    /// Sets how long the look-up of the name may take: 10 s by default. After that time the socket closes with
    /// [`ConnectTimeout`](super::CloseReason::ConnectTimeout) and an error that names the look-up.
    pub fn look_up_timeout(mut self, after: Duration) -> Target {
        self.look_up_timeout = after;
        self
    }

    /// Takes addresses that were found not longer than `age` ago, instead of a new look-up. If none of them can be reached, the next
    /// connection looks the name up again.
    pub(crate) fn look_up_age(mut self, age: Duration) -> Target {
        self.look_up_age = age;
        self
    }

    /// Sets how long an attempt to connect to one address runs before an attempt with the next address of the same name
    /// begins in parallel: 250 ms by default, at least 10 ms.
    pub fn attempt_delay(mut self, delay: Duration) -> Target {
        self.attempt_delay = delay.max(LEAST_ATTEMPT_DELAY);
        self
    }
}

impl From<(&str, u16)> for Target {
    fn from((host, port): (&str, u16)) -> Target {
        Target::new(Place::host(host, port))
    }
}

impl From<(String, u16)> for Target {
    fn from((host, port): (String, u16)) -> Target {
        Target::from((host.as_str(), port))
    }
}

impl From<u16> for Target {
    fn from(port: u16) -> Target {
        Target::new(Place::Port(port))
    }
}

impl From<&str> for Target {
    fn from(text: &str) -> Target {
        Target::new(Place::parse(text))
    }
}

impl From<String> for Target {
    fn from(text: String) -> Target {
        Target::from(text.as_str())
    }
}

impl From<SocketAddr> for Target {
    fn from(address: SocketAddr) -> Target {
        Target::new(Place::Ip(address))
    }
}

impl From<&Path> for Target {
    fn from(path: &Path) -> Target {
        Target::new(Place::Path(path.to_owned()))
    }
}

impl From<PathBuf> for Target {
    fn from(path: PathBuf) -> Target {
        Target::new(Place::Path(path))
    }
}
