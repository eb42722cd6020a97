//! How a connection to a place is made. Another transport than plain TCP is plugged in here.

use super::limits::AgentLimits;
use super::place::Place;
#[cfg(feature = "tls")]
use super::tunnel::{AnswerLimits, Tunneling};
use crate::callback::Site;
#[cfg(feature = "tls")]
use crate::net::Unsent;
use crate::net::{Context, Dial, Protocol, Stream, Target};
#[cfg(feature = "tls")]
use crate::secure::{Client, HANDSHAKE, Session};
#[cfg(feature = "tls")]
use std::io;
use std::path::Path;
use std::rc::Rc;

/// Begins to connect to `place`, by a tunnel if it says so. Later the loop calls `Protocol::connected`, or it closes the stream with the reason of the failure.
/// Then requests can be sent, unless [`begin_handshake`] says that a handshake has begun: `Protocol::secured` tells when it is over.
pub(super) fn dial(
    cx: &Rc<Context>,
    place: &Place,
    limits: &AgentLimits,
    site: Site,
    made: impl FnOnce(Rc<Stream>),
    protocol: Rc<dyn Protocol>,
) {
    #[cfg(feature = "tls")]
    let protocol = match place {
        Place::Tunnel(way) => {
            let until = cx.lp.now() + limits.connect.into();
            let (head, informational) = (limits.heads(), limits.informational);
            let limits = AnswerLimits { head, informational, until, within: limits.connect };
            Tunneling::new(way.clone(), limits, protocol)
        }
        _ => protocol,
    };
    let stream = Stream::connecting(cx, protocol);
    made(stream.clone());
    let target = match place {
        #[cfg(feature = "tls")]
        Place::Tls(host, port) => Target::from((host.as_str(), *port)),
        #[cfg(feature = "tls")]
        Place::Tunnel(way) => way.target(),
        Place::Tcp(host, port) => Target::from((host.as_str(), *port)),
        Place::Unix(path) => Target::from(Path::new(path)),
    };
    let target = target.timeout(limits.connect).look_up_timeout(limits.connect).look_up_age(limits.look_up);
    Dial::start(&stream, target, site);
}

/// Begins the TLS handshake of a new connection, if the URL was an `https:` one. Returns whether a handshake has begun.
///
/// # Errors
/// If the system has no root certificates, or if a certificate cannot be issued for a host like this.
#[cfg(feature = "tls")]
pub(super) fn begin_handshake(stream: &Rc<Stream>, place: &Place, client: Option<Client>) -> io::Result<bool> {
    let host = match place {
        Place::Tls(host, _) => host,
        Place::Tunnel(way) => way.host(),
        Place::Tcp(..) | Place::Unix(_) => return Ok(false),
    };
    let client = client.map_or_else(Client::system, Ok)?.with_usual_alpn(&["http/1.1"]);
    stream.secure(Session::client(&client, host)?, HANDSHAKE, Unsent::Encrypted, b"")?;
    Ok(true)
}
