//! Where a client has come from.

use super::super::location::is_on_this_host;
use crate::http::Request;

impl Request {
    /// The path and query of the page that the client has come from, by its `Referer` field, if that page is on this host; else
    /// `otherwise`. To send somebody back: `res.redirect(req.back_or("/"))`. So a forged `Referer` cannot send the client to
    /// another host. (Express's `back` allowed that, and was removed.)
    ///
    /// ```
    /// # let sim = oneloop::sim::Sim::new();
    /// let server = oneloop::http::create_server(|req, res| res.redirect(req.back_or("/")));
    /// # server.listen(80, ()).unwrap();
    /// let from = |page: &str| sim.request("POST", "/like").header("Host", "here.example").header("Referer", page).send();
    /// assert_eq!(from("https://here.example/todos?page=2").header("Location"), Some("/todos?page=2"));
    /// assert_eq!(from("https://evil.example/todos").header("Location"), Some("/"));
    /// ```
    pub fn back_or<'a>(&'a self, otherwise: &'a str) -> &'a str {
        self.own_referer().unwrap_or(otherwise)
    }

    fn own_referer(&self) -> Option<&str> {
        let (scheme, rest) = self.header("Referer")?.split_once("://")?;
        let (authority, path) = rest.split_at_checked(rest.find('/')?)?;
        let http = scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https");
        let ours = self.host().is_some_and(|host| !host.is_empty() && authority.eq_ignore_ascii_case(host));
        let path = path.split_once('#').map_or(path, |(path, _)| path);
        (http && ours && is_on_this_host(path)).then_some(path)
    }
}
