//! How a connection to a place is made. Another transport than plain TCP is plugged in here.

use super::limits::AgentLimits;
use super::place::Place;
use crate::callback::Site;
use crate::net::{Context, Dial, Protocol, Stream, Target};
use std::path::Path;
use std::rc::Rc;

/// Begins to connect to `place`. Later the loop calls `Protocol::connected`, when bytes of HTTP can be sent, or it closes the stream
/// with the reason of the failure.
pub(super) fn dial(
    cx: &Rc<Context>,
    place: &Place,
    limits: &AgentLimits,
    site: Site,
    made: impl FnOnce(Rc<Stream>),
    protocol: Rc<dyn Protocol>,
) {
    let stream = Stream::connecting(cx, protocol);
    made(stream.clone());
    let target = match place {
        Place::Tcp(host, port) => Target::from((host.as_str(), *port)),
        Place::Unix(path) => Target::from(Path::new(path)),
    };
    Dial::start(&stream, target.timeout(limits.connect).look_up_timeout(limits.connect), site);
}
