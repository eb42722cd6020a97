//! Who the client says it is.

use crate::http::Request;

impl Request {
    /// The token of `Authorization: Bearer TOKEN` (RFC 6750, section 2.1). `None` if there is no such field, if there are several, if the scheme
    /// is another one, or if the token has a byte that no token may have. The case of `Bearer` does not matter.
    ///
    /// Look the token up by its hash, or compare hashes: `==` on two texts takes longer the more of their first bytes agree.
    ///
    /// ```
    /// use oneloop::http::Error;
    ///
    /// # let sim = oneloop::sim::Sim::new();
    /// let server = oneloop::http::create_server(|req, res| {
    ///     let user = match req.bearer() {
    ///         Some("gr33n") => "Ada", // of your table
    ///         _ => {
    ///             res.set_header("WWW-Authenticate", "Bearer");
    ///             return Err(Error::new(401, "who are you?"));
    ///         }
    ///     };
    ///     res.end(format!("hello, {user}\n"));
    ///     Ok(())
    /// });
    /// # server.listen(80, ()).unwrap();
    /// let reply = sim.request("GET", "/").header("Authorization", "Bearer gr33n").send();
    /// assert_eq!(reply.text(), "hello, Ada\n");
    /// assert_eq!(sim.request("GET", "/").send().status(), 401);
    /// ```
    pub fn bearer(&self) -> Option<&str> {
        let (scheme, token) = self.only("Authorization")?.split_once(' ')?;
        let token = token.trim_start_matches(' ');
        (scheme.eq_ignore_ascii_case("Bearer") && is_token(token)).then_some(token)
    }
}

/// `b64token` of RFC 6750.
fn is_token(text: &str) -> bool {
    let bare = text.trim_end_matches('=');
    !bare.is_empty() && bare.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~+/".contains(&byte))
}
