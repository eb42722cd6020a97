//! Topics: a message for all sockets that have subscribed to a name.

use super::connection::{Connection, Endpoint, EndpointCore, WebSocket};
#[cfg(not(feature = "deflate"))]
use super::frame::Frame;
use super::payload::Payload;
use super::publications::Publication;
use crate::event_loop::current;
use crate::net::Flow;
#[cfg(not(feature = "deflate"))]
use crate::net::{Chunk, Stream};
use crate::notice;
use crate::proto::ws::Role;
use std::rc::Rc;

/// How many subscribers have got a published message, and how many have not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Published {
    /// The number of subscribers to which the message was sent.
    pub sent: usize,
    /// The number of subscribers that were left out, because they fall behind: see [`Endpoint::publish_or_skip`].
    pub skipped: usize,
    /// The number of subscribers that get the message later, in check phases from this iteration on.
    pub later: usize,
}

impl Endpoint {
    /// Sends a message to all sockets that have [subscribed](WebSocket::subscribe) to a topic, as by [`send`](WebSocket::send). Sent and
    /// published messages arrive in the order of the calls, and a socket that subscribes later does not get the message. The frame of
    /// the message is made once for all. A subscriber that falls too far behind is closed, as with `send`
    /// ([`Limits::max_pending`](super::Limits::max_pending)).
    ///
    /// So that a message for very many does not hold up the loop, an iteration delivers to 1,024 subscribers
    /// ([`Limits::deliveries`](super::Limits::deliveries)): a message for more of them goes out in the check phases of this iteration and of
    /// those that follow ([`Published::later`]). Before a socket is sent anything else, it gets what was published before. If more than
    /// `max_pending` bytes or 1,024 messages wait to go out, this call delivers them all before it returns.
    ///
    /// ```
    /// # let server = oneloop::http::create_server(|_req, res| res.end("hello\n"));
    /// # let endpoint = oneloop::ws::mount(&server, "/");
    /// use std::time::Duration;
    ///
    /// endpoint.on_open(|socket, _req| {
    ///     socket.subscribe("clock");
    /// });
    /// let clock = endpoint.clone();
    /// oneloop::set_interval(Duration::from_secs(1), move || {
    ///     clock.publish("clock", format!("{:?} have passed", oneloop::now()));
    /// });
    /// ```
    pub fn publish<'a>(&self, topic: &str, message: impl Into<Payload<'a>>) -> Published {
        self.0.publish(topic, message.into(), false, None)
    }

    /// Publishes as [`publish`](Endpoint::publish) does, but leaves out the subscribers that have
    /// [`Limits::pending_output`](super::Limits::pending_output) or more bytes of pending output. They do not get this message,
    /// and are counted in [`Published::skipped`]. Use it for messages that the next one replaces, such as prices, and positions
    /// of cursors.
    ///
    /// ```
    /// # let server = oneloop::http::create_server(|_req, res| res.end("hello\n"));
    /// # let endpoint = oneloop::ws::mount(&server, "/");
    /// endpoint.on_message(|_, _| ());
    /// let published = endpoint.publish_or_skip("price of plums", "2.10");
    /// log::debug!("{} were too slow for it", published.skipped);
    /// ```
    pub fn publish_or_skip<'a>(&self, topic: &str, message: impl Into<Payload<'a>>) -> Published {
        self.0.publish(topic, message.into(), true, None)
    }

    /// The number of sockets that have subscribed to a topic.
    pub fn subscribers(&self, topic: &str) -> usize {
        self.0.subscriptions.borrow().count(topic)
    }
}

impl WebSocket {
    /// Subscribes to a topic, a name of up to 256 bytes: from now on the socket is sent all messages that are published under
    /// exactly this name, until it [unsubscribes](WebSocket::unsubscribe), or begins to close. Returns whether the socket is
    /// subscribed now. A socket that is closed or closes cannot subscribe, nor can that of a client. Nor can a socket if the name is
    /// too long, or if it has [`Limits::subscriptions`](super::Limits::subscriptions) subscriptions already: these two are logged.
    ///
    /// ```
    /// # let server = oneloop::http::create_server(|_req, res| res.end("hello\n"));
    /// # let endpoint = oneloop::ws::mount(&server, "/");
    /// endpoint.on_open(|socket, req| {
    ///     socket.subscribe(req.path()); // a room for each path
    /// });
    /// endpoint.on_message(|socket, message| {
    ///     for room in socket.topics() {
    ///         socket.publish(&room, message); // to all others
    ///     }
    /// });
    /// ```
    pub fn subscribe(&self, topic: &str) -> bool {
        let core = &self.0.endpoint;
        let Some(stream) = self.0.open_stream().filter(|_| self.0.role == Role::Server) else { return false };
        let most = core.limits.borrow().subscriptions;
        let (is_subscribed, count) = (self.is_subscribed(topic), self.0.with_topics(|topics| topics.len()));
        if !is_subscribed && (count >= most || topic.len() > NAME) {
            notice::error!(
                target: "oneloop::ws",
                "a socket with {count} subscriptions cannot have one to a topic of {} bytes: {most} subscriptions, and {NAME} bytes, are \
                 allowed",
                topic.len()
            );
            return false;
        }
        if !is_subscribed {
            self.0.catch_up(stream);
            let name = core.subscriptions.borrow_mut().add(topic, self.0.place.get());
            self.0.with_rare(|rare| {
                rare.topics.push(name);
                rare.caught_up = core.newest_publication();
            });
        }
        true
    }

    /// Ends a subscription. Returns whether there was one. Messages that were published before this call still arrive.
    pub fn unsubscribe(&self, topic: &str) -> bool {
        let had = self.is_subscribed(topic);
        if had {
            if let Some(stream) = self.0.open_stream() {
                self.0.catch_up(stream);
            }
            self.0.with_rare(|rare| rare.topics.retain(|name| **name != *topic));
            self.0.endpoint.subscriptions.borrow_mut().remove(topic, self.0.place.get());
        }
        had
    }

    /// Returns whether the socket has subscribed to a topic.
    pub fn is_subscribed(&self, topic: &str) -> bool {
        self.0.with_topics(|topics| topics.iter().any(|name| **name == *topic))
    }

    /// The topics to which the socket has subscribed, in the order in which it did.
    pub fn topics(&self) -> Vec<Rc<str>> {
        self.0.with_topics(<[_]>::to_vec)
    }

    /// Publishes a message as [`Endpoint::publish`] does, to all subscribers except this socket. This socket need not have
    /// subscribed.
    pub fn publish<'a>(&self, topic: &str, message: impl Into<Payload<'a>>) -> Published {
        self.0.endpoint.publish(topic, message.into(), false, Some(self.0.place.get()))
    }
}

/// The longest name of a topic, in bytes.
const NAME: usize = 256;

impl EndpointCore {
    fn publish(self: &Rc<Self>, topic: &str, message: Payload<'_>, skip: bool, but: Option<usize>) -> Published {
        let mut published = Published::default();
        // Writing never calls user code, so the lists may stay borrowed.
        let (subscriptions, sockets) = (self.subscriptions.borrow(), self.sockets.borrow());
        let Some((name, places)) = subscriptions.of(topic) else { return published };
        let Some(lp) = current() else { return published };
        let publications = self.publications.get_or_init(Box::default);
        let (most, count) = (self.limits.borrow().deliveries, places.len());
        let frame = message.into_frame();
        if !publications.take(lp.iteration(), most, count, frame.as_bytes().len()) {
            published.later = count - usize::from(but.is_some_and(|but| places.contains(&but)));
            let name = name.clone();
            drop((subscriptions, sockets));
            self.keep(&lp, Publication::new(name, frame, but, skip));
            return published;
        }
        for &place in places.iter().filter(|&&place| Some(place) != but) {
            let Some(socket) = sockets.get(place) else { continue };
            let Some(stream) = socket.open_stream() else { continue };
            match socket.deliver(stream, &frame, skip) {
                Some(flow) => published.sent += usize::from(flow != Flow::Closed),
                None => published.skipped += 1,
            }
        }
        published
    }
}

impl Connection {
    /// The form of a frame for this socket: see `compressing.rs`.
    #[cfg(not(feature = "deflate"))]
    pub fn form_of(&self, _stream: &Stream, frame: &Frame) -> Chunk<'static> {
        frame.plain()
    }

    /// Whether the socket has subscribed to a topic. `name`: that which its subscribers share.
    pub fn has_topic(&self, name: &Rc<str>) -> bool {
        self.with_topics(|topics| topics.iter().any(|topic| Rc::ptr_eq(topic, name)))
    }

    fn with_topics<R>(&self, f: impl FnOnce(&[Rc<str>]) -> R) -> R {
        let rare = self.rare.take();
        let result = f(rare.as_ref().map_or(&[], |rare| &rare.topics));
        self.rare.set(rare);
        result
    }
}
