use super::server::Server;
use std::panic::Location;

/// Where requests go, as [`Server::routes`] lists it: a listener and what it is for.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Route {
    /// The prefix that was given to [`Server::on_path`], without a slash at its end (but `/` for `/`). `None`: the listener
    /// gets each request that no prefix takes; it was given to [`create_server`](super::create_server) or
    /// [`Server::on_request`].
    pub prefix: Option<String>,
    /// Where in the program's source it was registered.
    pub registered: &'static Location<'static>,
}

impl Server {
    /// Where requests go: the listeners of prefixes ([`on_path`](Server::on_path)), in the order of their registration, and
    /// behind them those for all other requests. What a handler tells apart by itself is not known here. It copies the
    /// list.
    ///
    /// ```
    /// let server = oneloop::http::create_server(|_req, res| res.end("the site"));
    /// server.on_path("/status/", |_req, res| res.end("all is well"));
    /// let routes = server.routes();
    /// assert_eq!(routes[0].prefix.as_deref(), Some("/status"));
    /// assert_eq!(routes[1].prefix, None);
    /// println!("what is left goes to the listener at {}", routes[1].registered);
    /// ```
    pub fn routes(&self) -> Vec<Route> {
        let dispatch = &self.0.dispatch;
        let route = |(number, registered): (Option<u32>, _)| Route {
            prefix: number.and_then(|number| dispatch.paths().prefix(number)),
            registered,
        };
        dispatch.routes().map(route).collect()
    }
}
