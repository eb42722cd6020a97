use super::socket::On;
use super::{Address, CloseReason, Context, Socket, Stream};
use crate::callback::discard;
use crate::event_loop::driver::Lane;
use crate::event_loop::{Deadline, JobResult, current, set_deadline};
use std::collections::VecDeque;
use std::fmt::{self, Display, Formatter};
use std::io::{self, ErrorKind};
use std::net::{IpAddr, SocketAddr};
use std::panic::Location;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

/// How long a connection may take to be made, the look-up and all addresses included, unless told otherwise.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Where to connect to. A pair of host and port, an address or a path converts into it.
#[derive(Clone, Debug)]
pub struct Target {
    place: Place,
    timeout: Duration,
}

#[derive(Clone, Debug)]
enum Place {
    Host(String, u16),
    Ip(SocketAddr),
    Path(PathBuf),
}

impl Target {
    fn new(place: Place) -> Target {
        Target { place, timeout: TIMEOUT }
    }

    /// How long it may take until the connection is there: 30 s at first, the look-up and all addresses included.
    pub fn timeout(mut self, after: Duration) -> Target {
        self.timeout = after;
        self
    }
}

/// For error messages.
impl Display for Place {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Place::Host(host, port) => write!(f, "{host}:{port}"),
            Place::Ip(address) => address.fmt(f),
            Place::Path(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

impl From<(&str, u16)> for Target {
    fn from((host, port): (&str, u16)) -> Target {
        match host.parse::<IpAddr>() {
            Ok(ip) => Target::new(Place::Ip(SocketAddr::new(ip, port))),
            Err(_) => Target::new(Place::Host(host.to_owned(), port)),
        }
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

/// A connection in the making: the addresses that are left, and the clock that runs.
pub(super) struct Attempt {
    addresses: VecDeque<Address>,
    timer: Deadline,
}

/// Connects. A host name is looked up on the worker pool; its addresses are tried in turn. `connected` is called once,
/// when the connection is there; otherwise `on_error` and `on_close` tell why not. What is written before goes out then.
///
/// ```
/// use oneloop::net;
/// # let server = net::create_server(|socket| socket.end("hello"));
/// # server.listen(("127.0.0.1", 0), || ())?;
/// # let port = server.address().unwrap().port().unwrap();
/// let socket = net::connect(("127.0.0.1", port), |socket| println!("connected to {socket:?}"));
/// socket.on_data(|_, bytes| println!("{} bytes", bytes.len()));
/// socket.on_close(move |_, reason| {
///     println!("closed: {reason}");
/// #     server.close(|| ());
/// });
/// oneloop::run()
/// # ?; std::io::Result::Ok(())
/// ```
///
/// # Panics
/// Where this thread is ending and its loop is gone.
#[track_caller]
pub fn connect(to: impl Into<Target>, connected: impl FnOnce(&Socket) + 'static) -> Socket {
    let Some(lp) = current() else {
        panic!("oneloop: net::connect was called while its thread ends: the loop is gone");
    };
    let site = Location::caller();
    let target = to.into();
    let cx = Context::of(&lp);
    let socket = Socket::connecting(&cx);
    socket.on_connect(connected);
    let (late, to) = (Rc::downgrade(&socket.0), target.place.to_string());
    let timer = set_deadline(target.timeout, move || {
        if let Some(socket) = late.upgrade().map(Socket)
            && let Some(stream) = socket.stream().filter(|stream| stream.is_connecting())
        {
            let error = named(&to, "no connection in time", ErrorKind::TimedOut);
            stream.destroy_with(CloseReason::ConnectTimeout, error);
        }
    });
    let addresses = match &target.place {
        Place::Ip(address) => VecDeque::from([Address::Ip(*address)]),
        Place::Path(path) => VecDeque::from([Address::Unix(Some(path.clone()))]),
        Place::Host(..) => VecDeque::new(),
    };
    socket.0.connecting.set(Some(Box::new(Attempt { addresses, timer })));
    if let Place::Host(host, port) = target.place {
        let resolve = lp.driver().resolver();
        let weak = Rc::downgrade(&socket.0);
        let name = host.clone();
        let done = move |result: JobResult| {
            if let Some(socket) = weak.upgrade().map(Socket) {
                resolved(&socket, &name, result);
            }
        };
        lp.run_job(Lane::LookUp, site, move || Box::new(resolve(&host, port)), Box::new(done));
    } else {
        // Not from here: a failure has to come from the loop.
        let weak = Rc::downgrade(&socket.0);
        crate::event_loop::next_tick(move || {
            if let Some(socket) = weak.upgrade().map(Socket) {
                try_next(&socket, None);
            }
        });
    }
    socket
}

fn resolved(socket: &Socket, name: &str, result: JobResult) {
    let found = match result {
        Ok(found) => match found.downcast::<io::Result<Vec<SocketAddr>>>() {
            Ok(found) => *found,
            Err(other) => {
                discard(other);
                Err(io::Error::other("the look-up gave something else"))
            }
        },
        Err(error) => Err(io::Error::other(format!("the look-up could not be made: {error:?}"))),
    };
    match found {
        Ok(addresses) => {
            if let Some(mut attempt) = socket.0.connecting.take() {
                attempt.addresses = addresses.into_iter().map(Address::Ip).collect();
                socket.0.connecting.set(Some(attempt));
            }
            try_next(socket, None);
        }
        Err(error) => fail(socket, named(name, &error, error.kind())),
    }
}

/// Tries the next address; without one it fails with the last error.
fn try_next(socket: &Socket, mut last: Option<io::Error>) {
    let Some(stream) = socket.stream().filter(|stream| stream.is_connecting()) else { return };
    loop {
        let Some(mut attempt) = socket.0.connecting.take() else { return };
        let next = attempt.addresses.pop_front();
        socket.0.connecting.set(Some(attempt));
        let Some(address) = next else {
            let none = || io::Error::new(ErrorKind::NotFound, "the name has no address");
            return fail(socket, last.unwrap_or_else(none));
        };
        match stream.try_connect(&address) {
            Ok(()) => return,
            Err(error) => last = Some(named(&address, &error, error.kind())),
        }
    }
}

#[cold]
fn named(to: impl Display, why: impl Display, kind: ErrorKind) -> io::Error {
    io::Error::new(kind, format!("cannot connect to {to}: {why}"))
}

fn fail(socket: &Socket, error: io::Error) {
    if let Some(stream) = socket.stream() {
        stream.destroy_with(CloseReason::ConnectFailed, error);
    }
}

/// The stream's attempt has ended, well or badly.
pub(super) fn settled(socket: &Socket, stream: &Rc<Stream>) {
    if stream.is_connecting() {
        let error = stream.take_connect_error().map(|error| named(stream.peer(), &error, error.kind()));
        return try_next(socket, error);
    }
    abandon(socket.0.connecting.take());
    let _ = socket.set_no_delay(true);
    socket.emit(On::Connect);
}

pub(super) fn abandon(attempt: Option<Box<Attempt>>) {
    if let Some(attempt) = attempt {
        attempt.timer.clear();
    }
}
