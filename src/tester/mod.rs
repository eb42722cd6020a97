//! Requests to an app in memory, on virtual time: what supertest is to Express (feature `app`).
//!
//! ```
//! use oneloop::app::{App, Rate, rate_limit};
//! use oneloop::tester::Tester;
//! use std::time::Duration;
//!
//! fn app() -> App {
//!     let mut app = App::new();
//!     app.with(rate_limit(Rate::per_minute(1)));
//!     app.get("/hello/:name", |req, res| res.end(format!("hello {}\n", req.param("name").unwrap_or_default())));
//!     app
//! }
//!
//! // In your code: #[test] fn everybody_is_greeted_once_a_minute()
//! let test = Tester::new(app);
//! test.get("/hello/ada").send().expect(200).expect_text("hello ada\n");
//! test.get("/hello/ada").send().expect(429);
//! test.advance(Duration::from_secs(60)); // at once
//! test.get("/hello/ada").send().expect(200);
//! ```
//! Requests and answers are the bytes of HTTP on sockets of a simulated world ([`sim`](crate::sim)): nothing of the server is left
//! out. The clock moves only while an answer is waited for, and when the test [advances](Tester::advance) it. Every `expect…` that fails shows the whole
//! answer, and what was logged meanwhile.
//!
//! ```text
//!   Tester ─┬─ Agent: an address, cookies ─── AgentRequest: one request ─┬─ send ─► Reply
//!           └─ Agent: another visitor                                    └─ open ─► OpenReply: part by part
//! ```

mod agent;
mod jar;
#[cfg(feature = "json")]
mod json;
mod parts;
mod redirect;
mod request;
mod tested;
mod visitor;
mod world;

pub use crate::sim::{OpenReply, Reply};
pub use agent::Agent;
pub use request::AgentRequest;
pub use tested::Tested;

use crate::http::Server;
use crate::sim::Sim;
use std::net::{IpAddr, Ipv4Addr};
use std::ops::Deref;
use std::rc::Rc;
use std::time::Duration;
use visitor::Visitor;
use world::World;

/// An app in a simulated world, and one [`Agent`], whose methods it has.
///
/// The first agent is at 127.0.0.1. [`agent`](Tester::agent) makes others.
pub struct Tester {
    world: Rc<World>,
    first: Agent,
}

impl Tester {
    /// Makes a world, and the app in it: so the timers, jobs and keepers that `app` starts live in that world. `app` returns an
    /// [`App`](crate::app::App), an `http::Server` (whose limits and listeners are tested with it), or a `Result` of one. A server that does
    /// not listen yet listens on port 80 of the world.
    ///
    /// # Panics
    /// If the app cannot start. The message says why: what is wrong with its routes, for example.
    ///
    /// ```
    /// use oneloop::app::App;
    /// use oneloop::tester::Tester;
    ///
    /// let test = Tester::new(|| {
    ///     let mut app = App::new();
    ///     app.get("/", |_req, res| res.end("hello\n"));
    ///     app
    /// });
    /// test.get("/").send().expect(200).expect_text("hello\n");
    /// test.get("/else").send().expect(404);
    /// ```
    #[track_caller]
    pub fn new<T: Tested>(app: impl FnOnce() -> T) -> Tester {
        Tester::in_world(Sim::new(), app)
    }

    /// Like [`new`](Tester::new), in a world that you have made: with a seed, a rough network, or servers that the app connects to.
    ///
    /// # Panics
    /// If the app cannot start.
    ///
    /// ```
    /// use oneloop::app::{self, App};
    /// use oneloop::sim::{Network, Sim};
    /// use oneloop::tester::Tester;
    ///
    /// for seed in 0..10 {
    ///     let sim = Sim::with_seed(seed);
    ///     sim.set_network(Network { splits: true, ..Network::default() }); // what is sent comes in pieces
    ///     let test = Tester::in_world(sim, || {
    ///         let mut app = App::new();
    ///         app.post("/", app::text(|_req, res, text| res.end(text)));
    ///         app
    ///     });
    ///     test.post("/").header("Content-Type", "text/plain").body("a word").send().expect_text("a word");
    /// }
    /// ```
    #[track_caller]
    pub fn in_world<T: Tested>(sim: Sim, app: impl FnOnce() -> T) -> Tester {
        match World::new(sim, app().into_server()) {
            Ok(world) => {
                let world = Rc::new(world);
                Tester { first: Agent(Visitor::new(&world, Ipv4Addr::LOCALHOST.into())), world }
            }
            Err(error) => panic!("oneloop: {error}"),
        }
    }

    /// Makes another agent: a visitor with an address and cookies of its own. The addresses are public ones, from 198.18.0.1 on.
    ///
    /// ```
    /// # use oneloop::{app::{App, Rate, rate_limit}, tester::Tester};
    /// let test = Tester::new(|| {
    ///     let mut app = App::new();
    ///     app.with(rate_limit(Rate::per_minute(1)));
    ///     app.get("/", |_req, res| res.end("hello\n"));
    ///     app
    /// });
    /// let (ada, bob) = (test.agent(), test.agent());
    /// ada.get("/").send().expect(200);
    /// ada.get("/").send().expect(429);
    /// bob.get("/").send().expect(200);
    /// ```
    pub fn agent(&self) -> Agent {
        self.agent_from(self.world.next_address())
    }

    /// Makes another agent at this address.
    ///
    /// ```
    /// # use oneloop::{app::App, tester::Tester};
    /// let test = Tester::new(|| {
    ///     let mut app = App::new();
    ///     app.get("/", |req, res| res.end(req.remote_addr().unwrap().to_string()));
    ///     app
    /// });
    /// let proxy = test.agent_from([192, 0, 2, 7]);
    /// assert!(proxy.get("/").send().text().starts_with("192.0.2.7:"));
    /// ```
    pub fn agent_from(&self, address: impl Into<IpAddr>) -> Agent {
        Agent(Visitor::new(&self.world, address.into()))
    }

    /// Lets virtual time pass: timers fire, sessions expire, limits refill.
    ///
    /// # Panics
    /// As [`Sim::settle`].
    ///
    /// ```
    /// # use oneloop::{app::App, tester::Tester};
    /// use std::{cell::Cell, rc::Rc, time::Duration};
    ///
    /// let minutes = Rc::new(Cell::new(0));
    /// let count = minutes.clone();
    /// let test = Tester::new(move || {
    ///     oneloop::set_interval(Duration::from_secs(60), move || count.set(count.get() + 1));
    ///     App::new()
    /// });
    /// test.advance(Duration::from_secs(3600));
    /// assert_eq!(minutes.get(), 60);
    /// ```
    pub fn advance(&self, time: Duration) {
        self.world.sim.advance(time);
    }

    /// The world: for its log, its network, and clients that send what no agent would.
    ///
    /// ```
    /// # use oneloop::{app::App, tester::Tester};
    /// let test = Tester::new(App::new);
    /// let client = test.sim().connect(80);
    /// client.write("GET me the page\r\n\r\n");
    /// test.sim().settle();
    /// assert!(client.text().starts_with("HTTP/1.1 400"));
    /// ```
    pub fn sim(&self) -> &Sim {
        &self.world.sim
    }

    /// The server of the app.
    ///
    /// ```
    /// # use oneloop::{app::App, tester::Tester};
    /// let test = Tester::new(App::new);
    /// test.get("/").send();
    /// assert_eq!(test.server().requests(), 1);
    /// ```
    pub fn server(&self) -> &Server {
        &self.world.server
    }
}

impl Deref for Tester {
    type Target = Agent;

    fn deref(&self) -> &Agent {
        &self.first
    }
}
