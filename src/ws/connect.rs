use super::connection::{Connection, Endpoint, State, WebSocket};
#[cfg(feature = "deflate")]
use super::deflate::Deflate;
use super::limits::Limits;
use super::opening::{Offer, Opening};
use super::random::next_nonce;
use crate::event_loop::{Time, current};
use crate::http::{AnswerLimits, Proxy, Tunnel, Tunneling};
use crate::net::{CloseReason, Context, Dial, Protocol, Stream, Target};
use crate::proto::h1::{HeadLimits, OutgoingFields};
use crate::proto::url::Scheme;
use crate::proto::ws::{Question, Role, is_of_handshake, is_protocol, key, websocket_url};
use std::io::{self, ErrorKind};
use std::panic::Location;
use std::rc::Rc;
use std::time::Duration;

/// Opens a WebSocket to a server: of `"ws://host:port/path?query"`, or of a [`Connect`], which says more. `opened` is called once, when
/// the socket is open, and is an [`on_open`](WebSocket::on_open) as others. If the socket cannot be opened,
/// [`on_error`](WebSocket::on_error) gets the reason in words, and [`on_close`](WebSocket::on_close) the code 1006, in the closing
/// phase. Nothing can be sent before the socket is open. For no callback, give `|_| ()`.
///
/// From then on it is a socket like those of a server: with the same listeners, limits and heartbeat, and the loop keeps it while it is
/// open. Two things differ: its frames are masked (RFC 6455, 5.3), and after a close handshake it waits until the server has ended the
/// connection, for [`Limits::close`] at most. It has no topics.
///
/// The whole opening, with the look-up of the name, may take 30 s. Redirects are not followed. The answer has to be the 101 that the
/// request asks for, with no extension, and with no subprotocol but one that was offered.
///
/// It does not come back by itself: the example `ws_client` connects again, with pauses that grow.
///
/// ```
/// use oneloop::{http, sim::Sim, ws};
///
/// let sim = Sim::new(); // client and server in one world
/// let server = http::create_server(|_req, res| res.end("hello\n"));
/// ws::mount(&server, "/shout").on_message(|socket, message| match message {
///     ws::Message::Text(text) => socket.send(text.to_uppercase()).ignore(),
///     _ => socket.close(),
/// });
/// server.listen(80, ())?;
///
/// let socket = ws::connect("ws://127.0.0.1/shout", |socket| socket.send("hello").ignore());
/// socket.on_message(|socket, message| {
///     assert_eq!(message, ws::Message::Text("HELLO"));
///     socket.close();
/// });
/// socket.on_error(|_, error| eprintln!("{error}"));
/// socket.on_close(|_, close| println!("{} {}", close.code, close.why)); // 1000 finished
/// sim.settle();
/// assert!(!socket.is_open());
/// # std::io::Result::Ok(())
/// ```
///
/// # Panics
/// If this thread is ending and its loop is gone.
#[track_caller]
pub fn connect(to: impl Into<Connect>, opened: impl FnOnce(&WebSocket) + 'static) -> WebSocket {
    let Some(lp) = current() else {
        panic!("oneloop: ws::connect was called while its thread ends: the loop is gone");
    };
    let (to, cx) = (to.into(), Context::of(&lp));
    let endpoint = Endpoint::unlisted(to.place());
    endpoint.set_limits(to.limits.clone());
    #[cfg(feature = "deflate")]
    endpoint.0.deflate.set(to.deflate);
    let connection = Rc::new(Connection::new(&endpoint.0, Role::Client, lp.now()));
    connection.state.set(State::Opening);
    let asked = to.ask();
    let (request, key, tunnel, target) = match &asked {
        Ok(asked) => (asked.request.clone(), asked.key.clone(), asked.tunnel.clone(), Some(asked.target.clone())),
        Err(_) => Default::default(),
    };
    #[cfg(feature = "tls")]
    let (asked, secure) = match asked.and_then(|asked| Ok((asked, to.secure()?))) {
        Ok((asked, secure)) => (Ok(asked), secure),
        Err(error) => (Err(error), None),
    };
    let opening = Rc::new(Opening {
        connection: connection.clone(),
        place: to.place().to_owned(),
        request,
        offer: Offer { key, compression: to.offers_compression(), protocols: to.protocols },
        timeout: to.timeout,
        #[cfg(feature = "tls")]
        secure: std::cell::Cell::new(secure),
        until: lp.now() + Time::from(to.timeout),
        answer: Default::default(),
    });
    let (until, within) = (opening.until, to.timeout);
    let first: Rc<dyn Protocol> = match tunnel {
        Some(way) => {
            let limits = AnswerLimits { head: HeadLimits::default(), informational: INFORMATIONAL, until, within };
            Tunneling::new(way, limits, opening)
        }
        None => opening,
    };
    let stream = Stream::connecting(&cx, first);
    let _ = connection.stream.set(stream.clone());
    let socket = WebSocket(connection);
    socket.on_open(opened);
    match (asked, target) {
        (Err(error), _) => stream.destroy_with(CloseReason::ConnectFailed, error),
        (_, Some(target)) => Dial::start(&stream, target, Location::caller()),
        _ => {}
    }
    socket
}

/// Which WebSocket to [open](connect), and how.
///
/// ```no_run
/// use oneloop::ws::{self, Connect};
/// use std::time::Duration;
///
/// let to = Connect::to("ws://localhost:7777/chat?room=7")
///     .header("Authorization", "Bearer green")
///     .protocol("v2.chat")
///     .protocol("v1.chat")
///     .timeout(Duration::from_secs(5));
/// let socket = ws::connect(to, |socket| println!("{:?} was chosen", socket.protocol()));
/// ```
#[derive(Clone, Debug)]
pub struct Connect {
    url: String,
    fields: OutgoingFields,
    protocols: Vec<String>,
    timeout: Duration,
    limits: Limits,
    /// Whom to trust, and what to show, with `wss:`.
    #[cfg(feature = "tls")]
    client: Option<crate::secure::Client>,
    proxy: Option<Proxy>,
    #[cfg(feature = "deflate")]
    deflate: Option<Deflate>,
    /// The first mistake of the program.
    wrong: Option<String>,
}

impl Connect {
    /// Names the URL: `ws://host:port/path?query`, or `wss://` for a WebSocket over TLS (feature `tls`). The port is 80 if there is
    /// none, or 443. A URL that is not valid is an error, which `on_error` gets.
    ///
    /// ```
    /// use oneloop::ws::{self, Connect};
    ///
    /// # let sim = oneloop::sim::Sim::new();
    /// let socket = ws::connect(Connect::to("https://example.org"), |_| unreachable!());
    /// socket.on_error(|_, error| assert!(error.to_string().contains("begins with ws:// or wss://")));
    /// # sim.settle();
    /// ```
    pub fn to(url: impl Into<String>) -> Connect {
        Connect {
            url: url.into(),
            fields: OutgoingFields::new(),
            protocols: Vec::new(),
            timeout: TIMEOUT,
            limits: Limits::default(),
            #[cfg(feature = "tls")]
            client: None,
            proxy: None,
            #[cfg(feature = "deflate")]
            deflate: None,
            wrong: None,
        }
    }

    /// Adds a header to the request, such as `Authorization`, `Cookie` or `Origin`. Those of the handshake itself (`Host`, `Connection`,
    /// `Upgrade`, `Sec-WebSocket-…`) and of content cannot be set. A header that cannot be sent is an error, which `on_error` gets.
    ///
    /// ```
    /// use oneloop::ws::Connect;
    ///
    /// let to = Connect::to("ws://localhost:7777").header("Authorization", "Bearer green");
    /// ```
    pub fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Connect {
        if is_of_handshake(name) {
            self.note(format!("the header {name} is set by the handshake"));
        } else if let Err(error) = self.fields.append(name, value) {
            self.note(format!("the header {name:?}: {error}"));
        }
        self
    }

    /// Offers a subprotocol, after those that were offered before. [`WebSocket::protocol`] is the one that the server has chosen;
    /// `None` if it has chosen none, which is for the program to judge (browsers close then).
    ///
    /// ```
    /// use oneloop::ws::{self, Connect};
    ///
    /// let to = Connect::to("ws://localhost:7777").protocol("v1.chat");
    /// ws::connect(to, |socket| match socket.protocol() {
    ///     Some("v1.chat") => socket.send("hello").ignore(),
    ///     _ => socket.close(),
    /// });
    /// ```
    pub fn protocol(mut self, name: &str) -> Connect {
        if is_protocol(name) {
            self.protocols.push(name.to_owned());
        } else {
            self.note(format!("the subprotocol {name:?} is no token"));
        }
        self
    }

    /// Sets how long the opening may take: the look-up of the name, the connection and the answer of the server, all together. Default:
    /// 30 s. Then the socket closes, for the reason [`ConnectTimeout`](CloseReason::ConnectTimeout).
    ///
    /// ```
    /// use oneloop::ws::Connect;
    ///
    /// let to = Connect::to("ws://localhost:7777").timeout(std::time::Duration::from_secs(5));
    /// ```
    pub fn timeout(mut self, after: Duration) -> Connect {
        self.timeout = after;
        self
    }

    /// Sets the limits of the socket, instead of the defaults of [`Limits`].
    ///
    /// ```
    /// use oneloop::ws::{Connect, Limits};
    ///
    /// let mut limits = Limits::default();
    /// limits.message = 16 * 1024 * 1024;
    /// let to = Connect::to("ws://localhost:7777").limits(limits);
    /// ```
    pub fn limits(mut self, limits: Limits) -> Connect {
        self.limits = limits;
        self
    }

    /// Sets whom to trust, and which certificate to show, with a `wss:` URL. By default it is
    /// [`Client::system`](crate::tls::Client::system), which trusts the roots of the system.
    ///
    /// ```no_run
    /// use oneloop::{tls, ws};
    ///
    /// let ours = tls::Client::trusting(tls::Roots::from_file("our-ca.pem")?)?;
    /// let socket = ws::connect(ws::Connect::to("wss://chat.internal/").tls(&ours), |_| ());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[cfg(feature = "tls")]
    pub fn tls(mut self, client: &crate::secure::Client) -> Connect {
        self.client = Some(client.clone());
        self
    }

    /// Sets a proxy that is asked for a tunnel to the server (CONNECT), unless the host is one of its exceptions. With `wss:` the proxy
    /// learns host and port and nothing else. If it makes none, [`on_error`](WebSocket::on_error) says what it has answered. By default
    /// there is none; [`Proxy::from_env`] is the one that the environment names.
    ///
    /// ```no_run
    /// use oneloop::{http::Proxy, ws};
    ///
    /// let proxy = Proxy::to("http://proxy.example:3128")?;
    /// let socket = ws::connect(ws::Connect::to("wss://chat.example/").proxy(proxy), |_| ());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn proxy(mut self, proxy: impl Into<Option<Proxy>>) -> Connect {
        self.proxy = proxy.into();
        self
    }

    /// The TLS session that begins on the new connection; `None` for `ws:`, which has no TLS.
    #[cfg(feature = "tls")]
    fn secure(&self) -> io::Result<Option<crate::secure::NewSession>> {
        let wrong = |error: io::Error| {
            io::Error::new(error.kind(), format!("cannot open {}: {error}", self.place().escape_debug()))
        };
        match websocket_url(&self.url) {
            Ok(url) if url.scheme() == Scheme::Wss => {
                let client = self.client.clone().map_or_else(crate::secure::Client::system, Ok).map_err(wrong)?;
                let client = client.with_usual_alpn(&["http/1.1"]);
                crate::secure::Session::client(&client, url.host()).map(Some).map_err(wrong)
            }
            _ => Ok(None),
        }
    }

    /// Offers compression (permessage-deflate, RFC 7692) to the server: if it agrees, messages are compressed in both directions, as
    /// [`Endpoint::compress`](super::Endpoint::compress) says. Off by default.
    ///
    /// ```
    /// use oneloop::ws::{self, Connect, Deflate};
    ///
    /// let to = Connect::to("ws://localhost:7777").compress(Deflate::new());
    /// ws::connect(to, |socket| println!("compressed: {}", socket.is_compressed()));
    /// ```
    #[cfg(feature = "deflate")]
    pub fn compress(mut self, how: Deflate) -> Connect {
        self.deflate = Some(how);
        self
    }

    fn note(&mut self, wrong: String) {
        self.wrong.get_or_insert(wrong);
    }

    fn offers_compression(&self) -> bool {
        #[cfg(feature = "deflate")]
        return self.deflate.is_some();
        #[cfg(not(feature = "deflate"))]
        false
    }

    /// The URL without its query.
    fn place(&self) -> &str {
        self.url.split('?').next().unwrap_or_default()
    }

    fn ask(&self) -> io::Result<Asked> {
        let wrong = |why: String| {
            io::Error::new(ErrorKind::InvalidInput, format!("cannot open {}: {why}", self.place().escape_debug()))
        };
        if let Some(why) = &self.wrong {
            return Err(wrong(why.clone()));
        }
        let url = websocket_url(&self.url).map_err(|why| wrong(why.to_owned()))?;
        #[cfg(not(feature = "tls"))]
        if url.scheme() == Scheme::Wss {
            return Err(wrong("wss: needs the feature `tls` of oneloop".to_owned()));
        }
        let key = key(&next_nonce());
        let question = Question {
            authority: url.authority(),
            target: url.target(),
            key: &key,
            protocols: &self.protocols,
            compression: self.offers_compression(),
        };
        let mut request = Vec::new();
        question.encode(&self.fields, &mut request);
        let tunnel = self.proxy.as_ref().and_then(|proxy| proxy.tunnel(&url));
        let target = tunnel.as_ref().map_or_else(|| Target::from((url.host(), url.port())), Tunnel::target);
        let target = target.timeout(self.timeout).look_up_timeout(self.timeout);
        Ok(Asked { request, key, target, tunnel })
    }
}

/// What is asked, and where.
struct Asked {
    /// The request of the handshake.
    request: Vec<u8>,
    key: String,
    /// Where to connect to: the server, or the proxy that makes the tunnel.
    target: Target,
    tunnel: Option<Tunnel>,
}

/// How many informational responses a proxy may send before its answer, as with the HTTP client.
const INFORMATIONAL: usize = 16;

/// The default of `timeout`, as that of `net::connect`.
const TIMEOUT: Duration = Duration::from_secs(30);

impl From<&str> for Connect {
    fn from(url: &str) -> Connect {
        Connect::to(url)
    }
}

impl From<String> for Connect {
    fn from(url: String) -> Connect {
        Connect::to(url)
    }
}
