//! The cookies of a request.

use crate::http::Request;
use crate::proto::cookie::{decoded, pairs};
use std::borrow::Cow;

impl Request {
    /// The value of the first cookie with this name; case matters. `None` if there is none, or if its value is not UTF-8.
    ///
    /// `%` and two digits are read as a byte, which is how [`cookie`](crate::http::Response::cookie) of a response writes what a
    /// cookie cannot hold. If that is not possible for the whole value, the value is returned as it is. Of more than 100 cookies
    /// only the first 100 are looked at.
    ///
    /// A browser sends first the cookie with the longest path. Anybody who controls a host of the same domain can set cookies for
    /// yours, except such as begin with `__Host-`: give your sessions such a name.
    ///
    /// ```
    /// # let sim = oneloop::sim::Sim::new();
    /// let server = oneloop::http::create_server(|req, res| match req.cookie("name") {
    ///     Some(name) => res.end(format!("hello again, {name}\n")),
    ///     None => res.end("hello, whoever you are\n"),
    /// });
    /// # server.listen(80, ()).unwrap();
    /// let reply = sim.request("GET", "/").header("Cookie", "theme=dark; name=Zo%C3%AB").send();
    /// assert_eq!(reply.text(), "hello again, Zoë\n");
    /// ```
    pub fn cookie(&self, name: &str) -> Option<Cow<'_, str>> {
        let (_, value) = pairs(self.header_all_bytes("Cookie")).find(|(found, _)| *found == name.as_bytes())?;
        decoded(value)
    }

    /// The names and values of all cookies, in order, read as [`cookie`](Request::cookie) says. A name may come more than once.
    /// Those whose name or value is not UTF-8 are left out.
    ///
    /// ```
    /// # let sim = oneloop::sim::Sim::new();
    /// let server = oneloop::http::create_server(|req, res| {
    ///     let names: Vec<_> = req.cookies().map(|(name, _)| name).collect();
    ///     res.end(names.join(", "));
    /// });
    /// # server.listen(80, ()).unwrap();
    /// assert_eq!(sim.request("GET", "/").header("Cookie", "a=1; b=2").send().text(), "a, b");
    /// ```
    pub fn cookies(&self) -> impl Iterator<Item = (&str, Cow<'_, str>)> {
        let pairs = pairs(self.header_all_bytes("Cookie"));
        pairs.filter_map(|(name, value)| Some((std::str::from_utf8(name).ok()?, decoded(value)?)))
    }
}
