use super::call::Call;
use super::client_request::ClientRequest;
use super::client_response::ClientResponse;
use super::limits::AgentLimits;
use super::place::Place;
use super::pool::Pool;
use super::proxy::{Proxy, route};
use super::stats::AgentStats;
use crate::callback::{Site, compare_by_identity};
use crate::event_loop::{Loop, current};
use crate::proto::h1::OutgoingRequest;
use crate::proto::url::Url;
use std::fmt;
use std::panic::Location;
use std::rc::Rc;

/// Connections to servers, which are kept and used again: Node's `http.Agent`. It is a cheap handle: clones are the same agent, and
/// equal.
///
/// [`http::request`](super::request) uses an agent that the loop has anyway. An agent of one's own has limits of its own, and
/// connections that no other part of the program uses.
///
/// A request takes the connection that became free last, so that those which are not needed any more grow old and close. A free
/// connection does not keep the loop running. If anything comes on it, it is closed at once, because it can be no response to a request
/// of ours; and before a request goes out, the kernel is asked whether anything has come, unless the read of this moment has told it.
///
/// If the last handle is dropped, the requests that were begun go on, and free connections are closed.
///
/// ```
/// use oneloop::{http, sim::Sim};
///
/// let sim = Sim::new();
/// let server = http::create_server(|_req, res| res.end("basil\n"));
/// server.listen(80, ())?;
///
/// let agent = http::Agent::new();
/// agent.get("http://127.0.0.1/seed", |res| {
///     res.read_body(1024, |body| assert_eq!(body.unwrap(), b"basil\n"));
/// });
/// sim.settle();
/// assert_eq!(agent.stats().hosts[0].idle, 1); // it is kept for the next request
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone)]
pub struct Agent(Rc<Pool>);

compare_by_identity!(Agent);

/// The agent that the loop has anyway.
struct Global(Agent);

impl Agent {
    /// Makes an agent of this thread's loop, without connections.
    ///
    /// ```
    /// # let sim = oneloop::sim::Sim::new();
    /// use oneloop::http::Agent;
    /// let (one, other) = (Agent::new(), Agent::new());
    /// assert!(one != other && one == one.clone());
    /// ```
    ///
    /// # Panics
    /// If this thread is ending and its loop is gone.
    #[expect(clippy::new_without_default, reason = "it belongs to the loop of the thread, which a default should not")]
    pub fn new() -> Agent {
        Agent(Pool::new(&this_loop()))
    }

    /// The agent that [`http::request`](super::request) uses.
    ///
    /// ```
    /// # let sim = oneloop::sim::Sim::new();
    /// use oneloop::http::Agent;
    /// let mut limits = Agent::global().limits();
    /// limits.per_host = 6; // as browsers
    /// Agent::global().set_limits(limits);
    /// assert_eq!(Agent::global().limits().per_host, 6);
    /// ```
    ///
    /// # Panics
    /// As [`Agent::new`].
    pub fn global() -> Agent {
        Agent::of(&this_loop())
    }

    fn of(lp: &Rc<Loop>) -> Agent {
        lp.local(|lp| Rc::new(Global(Agent(Pool::new(lp))))).0.clone()
    }

    /// Makes a request: see [`http::request`](super::request).
    ///
    /// ```
    /// # let sim = oneloop::sim::Sim::new();
    /// # let server = oneloop::http::create_server(|_req, res| res.end("taken\n"));
    /// # server.listen(80, ()).unwrap();
    /// let agent = oneloop::http::Agent::new();
    /// agent.request("PUT", "http://127.0.0.1/plants/7", |res| println!("{}", res.status())).end("basil");
    /// # sim.settle();
    /// # assert_eq!(agent.stats().requests, 1);
    /// ```
    #[track_caller]
    pub fn request(&self, method: &str, url: &str, response: impl FnOnce(ClientResponse) + 'static) -> ClientRequest {
        self.request_at(Location::caller(), method, url, response)
    }

    /// Makes a request without a body, and ends it: see [`http::get`](super::get).
    ///
    /// ```
    /// # let sim = oneloop::sim::Sim::new();
    /// # let server = oneloop::http::create_server(|_req, res| res.end("seed\n"));
    /// # server.listen(80, ()).unwrap();
    /// let agent = oneloop::http::Agent::new();
    /// agent.get("http://127.0.0.1/seed", |res| println!("{}", res.status()));
    /// # sim.settle();
    /// # assert_eq!(agent.stats().requests, 1);
    /// ```
    #[track_caller]
    pub fn get(&self, url: &str, response: impl FnOnce(ClientResponse) + 'static) -> ClientRequest {
        let req = self.request_at(Location::caller(), "GET", url, response);
        req.end(());
        req
    }

    pub(super) fn request_at(
        &self,
        site: Site,
        method: &str,
        url: &str,
        response: impl FnOnce(ClientResponse) + 'static,
    ) -> ClientRequest {
        let mut spare = self.0.spares.take();
        spare.url.push_str(url);
        let (place, wrong) = match self.place_of(method, url, &mut spare.request) {
            Ok(place) => (Some(place), None),
            Err(words) => (None, Some(words)),
        };
        let respond = Box::new(|call: &Rc<Call>| response(ClientResponse::new(call)));
        let call = Call::new(self.0.lp(), &self.0.spares, site, spare, place, respond);
        call.carried_by(self.0.clone());
        call.set_timeout(self.0.present_limits().total);
        let req = ClientRequest::new(&call);
        if let Some(words) = wrong {
            call.invalid(words);
        }
        req
    }

    /// Finds out where a request goes to, and sets its request line and the fields that depend on that.
    fn place_of(&self, method: &str, url: &str, head: &mut OutgoingRequest) -> Result<Rc<Place>, String> {
        let proxy = self.0.proxy();
        if proxy.is_none()
            && let Some(place) = self.0.known.borrow().route(method, url, head)
        {
            return Ok(place);
        }
        let url = Url::parse(url).map_err(|fault| fault.to_string())?;
        let place = Rc::new(route(proxy.as_deref(), method, &url, head)?);
        if proxy.is_none() {
            self.0.known.borrow_mut().note(&url, &place);
        }
        Ok(place)
    }

    // ---- Settings and facts

    /// The limits. Change them with [`set_limits`](Agent::set_limits).
    ///
    /// ```
    /// # let sim = oneloop::sim::Sim::new();
    /// assert_eq!(oneloop::http::Agent::new().limits(), oneloop::http::AgentLimits::default());
    /// ```
    pub fn limits(&self) -> AgentLimits {
        (*self.0.present_limits()).clone()
    }

    /// Sets the limits for requests and connections from now on. Connections that there are stay, though there may be more than allowed.
    ///
    /// ```
    /// # let sim = oneloop::sim::Sim::new();
    /// use std::time::Duration;
    /// let agent = oneloop::http::Agent::new();
    /// let mut limits = agent.limits();
    /// limits.response = Duration::from_secs(5); // an answer later than that is of no use
    /// agent.set_limits(limits);
    /// ```
    pub fn set_limits(&self, limits: AgentLimits) -> &Self {
        self.0.set_limits(limits);
        self
    }

    /// Sets the proxy for requests from now on; `None` for none, as at first.
    ///
    /// ```
    /// use oneloop::http::{Agent, Proxy};
    /// # let sim = oneloop::sim::Sim::new();
    /// # let server = oneloop::http::create_server(|req, res| res.end(req.url()));
    /// # server.listen(3128, ()).unwrap();
    /// let agent = Agent::new();
    /// agent.set_proxy(Proxy::to("127.0.0.1:3128")?);
    /// agent.fetch("http://example.org/a").send(|result| assert_eq!(result.unwrap().text(), "http://example.org/a"));
    /// # sim.settle();
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn set_proxy(&self, proxy: impl Into<Option<Proxy>>) -> &Self {
        self.0.set_proxy(proxy.into());
        self
    }

    /// The proxy, if there is one.
    ///
    /// ```
    /// # let sim = oneloop::sim::Sim::new();
    /// assert!(oneloop::http::Agent::new().proxy().is_none());
    /// ```
    pub fn proxy(&self) -> Option<Proxy> {
        self.0.proxy().as_deref().cloned()
    }

    /// Sets whom to trust, and which certificate to show, with `https:` URLs: for connections from now on. By default it is
    /// [`Client::system`](crate::tls::Client::system), which trusts the roots of the system.
    ///
    /// ```
    /// # let sim = oneloop::sim::Sim::new();
    /// use oneloop::{http, https, tls};
    ///
    /// let made = tls::SelfSigned::new(["127.0.0.1"])?;
    /// let server = https::create_server(tls::Context::new(made.identity())?, |_req, res| res.end("secret\n"));
    /// server.listen(443, ())?;
    ///
    /// let agent = http::Agent::new();
    /// agent.set_tls(&tls::Client::trusting(tls::Roots::from_pem(made.certificate_pem())?)?);
    /// agent.get("https://127.0.0.1/", |res| res.read_body(1024, |body| assert_eq!(body.unwrap(), b"secret\n")));
    /// # sim.settle();
    /// # assert_eq!(agent.stats().hosts[0].idle, 1);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[cfg(feature = "tls")]
    pub fn set_tls(&self, client: &crate::secure::Client) -> &Self {
        self.0.set_tls(client.clone());
        self
    }

    /// What the agent is doing now, and has done.
    ///
    /// ```
    /// # let sim = oneloop::sim::Sim::new();
    /// let agent = oneloop::http::Agent::new();
    /// for host in agent.stats().hosts {
    ///     println!("{}: {} in use, {} idle, {} wait", host.host, host.active, host.idle, host.queued);
    /// }
    /// ```
    pub fn stats(&self) -> AgentStats {
        self.0.stats()
    }

    /// Closes the connections that no request uses. Those in use go on, and are kept afterwards.
    ///
    /// ```
    /// # let sim = oneloop::sim::Sim::new();
    /// # let server = oneloop::http::create_server(|_req, res| res.end("seed\n"));
    /// # server.listen(80, ()).unwrap();
    /// let agent = oneloop::http::Agent::new();
    /// agent.get("http://127.0.0.1/", |_res| ());
    /// sim.settle();
    /// agent.close_idle();
    /// sim.settle();
    /// assert!(agent.stats().hosts.is_empty());
    /// ```
    pub fn close_idle(&self) {
        self.0.close_free();
    }

    /// Closes all connections at once, those in use as well. Requests that are not over, and later ones, have an error of the kind
    /// [`Aborted`](super::RequestErrorKind::Aborted); responses that have begun are cut.
    ///
    /// ```
    /// # let sim = oneloop::sim::Sim::new();
    /// use oneloop::http::{Agent, RequestErrorKind};
    /// let agent = Agent::new();
    /// let req = agent.get("http://127.0.0.1/", |_res| unreachable!());
    /// req.on_error(|_, error| assert_eq!(error.kind(), RequestErrorKind::Aborted));
    /// agent.destroy();
    /// # sim.settle();
    /// ```
    pub fn destroy(&self) {
        self.0.destroy();
    }
}

impl fmt::Debug for Agent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Agent").field("hosts", &self.stats().hosts).finish()
    }
}

fn this_loop() -> Rc<Loop> {
    current().unwrap_or_else(|| panic!("oneloop: an http::Agent was used while its thread ends: the loop is gone"))
}
