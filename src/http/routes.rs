use super::server::Server;
use std::panic::Location;

/// A listener for requests and its prefix, as [`Server::routes`] lists them.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Route {
    /// The prefix that was given to [`Server::on_path`], without a slash at its end (except for `/` itself). `None`: the
    /// listener gets every request that no prefix matches; it was given to [`create_server`](super::create_server) or
    /// [`Server::on_request`].
    pub prefix: Option<String>,
    /// The place in the program's source where the listener was registered.
    pub registered: &'static Location<'static>,
}

impl Server {
    /// Lists where requests go: first the listeners for prefixes ([`on_path`](Server::on_path)), in the order of their
    /// registration, then those for all other requests. The list does not have the paths that a handler distinguishes by itself.
    /// The list is a copy.
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
