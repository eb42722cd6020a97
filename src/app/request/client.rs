//! The client's address, the scheme and the host of a request: those of the connection, or those that trusted proxies state.

use crate::app::journey::Journey;
use crate::app::trust::Trust;
use crate::http::{Exchange, Request};
use crate::net::Address;
use crate::proto::authority::split_port;
use std::net::IpAddr;

/// How many labels at the end of a host are its domain, as in `example.com`.
const DOMAIN: usize = 2;

impl Request {
    /// The client's address: that of the connection's other end; or, if this is a proxy that the app
    /// [trusts](crate::app::App::trust), the one that it says. If a proxy of yours says something that is no address, it is the
    /// address of that proxy. `None` if the exchange is over, or if the client is on a Unix socket.
    ///
    /// An IPv4 address within an IPv6 one (`::ffff:192.0.2.1`) is given as the IPv4 address.
    ///
    /// ```
    /// # let sim = oneloop::sim::Sim::new();
    /// use oneloop::app::{App, Trust};
    ///
    /// let mut app = App::new();
    /// app.trust(Trust::private());
    /// app.get("/", |req, res| res.end(format!("you are {:?}\n", req.ip())));
    /// # app.listen(80, ())?;
    /// let proxy = sim.connect_from("10.0.0.7:4711".parse().unwrap(), 80);
    /// let request = sim.request("GET", "/").header("X-Forwarded-For", "203.0.113.9");
    /// assert_eq!(request.on(&proxy).send().text(), "you are Some(203.0.113.9)\n");
    /// # std::io::Result::Ok(())
    /// ```
    pub fn ip(&self) -> Option<IpAddr> {
        by_trust(&self.0, |trust| trust.client(&self.0, self.remote_addr().as_ref()))
    }

    /// The client's address, and behind it those of the proxies by which the request has come, the nearest last.
    ///
    /// ```
    /// # let sim = oneloop::sim::Sim::new();
    /// use oneloop::app::{App, Trust};
    ///
    /// let mut app = App::new();
    /// app.trust(Trust::private());
    /// app.get("/", |req, res| res.end(format!("{:?}", req.ips())));
    /// # app.listen(80, ())?;
    /// let proxy = sim.connect_from("10.0.0.7:4711".parse().unwrap(), 80);
    /// let request = sim.request("GET", "/").header("X-Forwarded-For", "1.2.3.4, 203.0.113.9, 10.0.0.8");
    /// assert_eq!(request.on(&proxy).send().text(), "[203.0.113.9, 10.0.0.8, 10.0.0.7]");
    /// # std::io::Result::Ok(())
    /// ```
    pub fn ips(&self) -> Vec<IpAddr> {
        let mut way = by_trust(&self.0, |trust| trust.way(&self.0, self.remote_addr().as_ref()));
        way.reverse();
        way
    }

    /// The scheme of the request: `"https"` if the connection is one of a secure server (`https::create_server`), or if a proxy that the app [trusts](crate::app::App::trust), as the connection's other end,
    /// says so; else `"http"`.
    ///
    /// ```
    /// # let sim = oneloop::sim::Sim::new();
    /// let server = oneloop::http::create_server(|req, res| {
    ///     let host = req.host().unwrap_or_default();
    ///     res.end(format!("{}://{host}{}\n", req.protocol(), req.path()))
    /// });
    /// # server.listen(80, ()).unwrap();
    /// # assert_eq!(sim.request("GET", "/a").header("Host", "a.example").send().text(), "http://a.example/a\n");
    /// ```
    pub fn protocol(&self) -> &'static str {
        if self.is_secure() { "https" } else { "http" }
    }

    /// Returns whether the [`protocol`](Request::protocol) is `"https"`: Express's `req.secure`.
    ///
    /// ```
    /// # let sim = oneloop::sim::Sim::new();
    /// use oneloop::app::{App, Trust};
    ///
    /// let mut app = App::new();
    /// app.trust(Trust::loopback());
    /// app.with(|req, res, next| match req.is_secure() {
    ///     true => next.run(),
    ///     false => res.redirect_external(&format!("https://{}{}", req.host().unwrap_or_default(), req.url())),
    /// });
    /// # app.listen(80, ())?;
    /// # let reply = sim.request("GET", "/a?b").header("Host", "a.example").send();
    /// # assert_eq!(reply.header("Location"), Some("https://a.example/a?b"));
    /// # std::io::Result::Ok(())
    /// ```
    #[doc(alias = "secure")]
    pub fn is_secure(&self) -> bool {
        #[cfg(feature = "tls")]
        if self.0.is_secure() {
            return true;
        }
        by_trust(&self.0, |trust| trust.is_secure(&self.0))
    }

    /// The [`host`](Request::host) without its port. An IPv6 address keeps its brackets.
    ///
    /// ```
    /// # let sim = oneloop::sim::Sim::new();
    /// let server = oneloop::http::create_server(|req, res| res.end(req.hostname().unwrap_or_default()));
    /// # server.listen(80, ()).unwrap();
    /// assert_eq!(sim.request("GET", "/").header("Host", "a.example:7777").send().text(), "a.example");
    /// ```
    pub fn hostname(&self) -> Option<&str> {
        self.host().map(|host| split_port(host).0)
    }

    /// The labels of the [`hostname`](Request::hostname) in front of its domain, the nearest to the domain first: of
    /// `ann.blog.example.com`, `blog` and `ann`. The domain is taken to have two labels; of `blog.example.co.uk` the first
    /// one that is returned is `example`. An address has none.
    ///
    /// ```
    /// # let sim = oneloop::sim::Sim::new();
    /// let server = oneloop::http::create_server(|req, res| res.end(req.subdomains().join(" ")));
    /// # server.listen(80, ()).unwrap();
    /// assert_eq!(sim.request("GET", "/").header("Host", "ann.blog.example.com").send().text(), "blog ann");
    /// ```
    pub fn subdomains(&self) -> Vec<&str> {
        let name = self.hostname().unwrap_or_default();
        if name.starts_with('[') || name.parse::<IpAddr>().is_ok() {
            return Vec::new();
        }
        name.rsplit('.').skip(DOMAIN).collect()
    }

    /// Returns whether the connection's other end is a proxy that the app trusts.
    pub(in crate::app) fn comes_from_proxy(&self) -> bool {
        by_trust(&self.0, |trust| trust.believes_peer(self.remote_addr().as_ref()))
    }

    /// The client's address for an exchange that is over, whose connection had this other end.
    pub(in crate::app) fn client_behind(&self, peer: &Address) -> Option<IpAddr> {
        by_trust(&self.0, |trust| trust.client(&self.0, Some(peer)))
    }
}

/// Asks the trust of the app that answers an exchange. A server without an app trusts nobody.
fn by_trust<T>(exchange: &Exchange, ask: impl FnOnce(&Trust) -> T) -> T {
    match Journey::find(exchange).and_then(Journey::chain) {
        Some(chain) => ask(&chain.trust),
        None => ask(&Trust::nobody()),
    }
}
