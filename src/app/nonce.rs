//! Nonces: random texts by which a page with a strict `Content-Security-Policy` allows its own inline scripts and styles.

use crate::http::Request;
use std::cell::Cell;
use std::hash::{BuildHasher, RandomState};
use std::rc::Rc;

thread_local! {
    /// Secrets of this thread, made of the system's random bytes, and how many nonces there were.
    static SECRETS: ([RandomState; 2], Cell<u64>) = (Default::default(), Cell::new(0));
}

struct Nonce(Rc<str>);

impl Request {
    /// Returns a text that nobody can foresee, another one for each request. Write it into `<script nonce="…">` and `<style
    /// nonce="…">` of the page that answers the request. This call makes the `Content-Security-Policy` of the answer, which
    /// [`shield`](crate::app::shield()) for example has set, allow the elements with this text; elements that an attacker has got
    /// into the page are still forbidden. So call it before the head is sent, and do not use it in a page that a cache gives to
    /// several visitors.
    ///
    /// The text has 32 hexadecimal digits. It goes into `script-src` and `style-src`, and into `default-src` where one of these two is
    /// missing. Without a policy nothing is changed.
    ///
    /// ```
    /// # let sim = oneloop::sim::Sim::new();
    /// use oneloop::app::{App, Shield, shield};
    ///
    /// let mut app = App::new();
    /// app.with(shield(Shield::new()));
    /// app.get("/", |req, res| res.html(format!("<script nonce=\"{}\">alert('hello')</script>", req.nonce())));
    /// # app.listen(80, ())?;
    /// let reply = sim.request("GET", "/").send();
    /// let nonce = reply.text().split('"').nth(1).unwrap().to_owned();
    /// let policy = reply.header("Content-Security-Policy").unwrap();
    /// assert!(policy.contains(&format!("script-src 'self' 'nonce-{nonce}';")));
    /// # std::io::Result::Ok(())
    /// ```
    pub fn nonce(&self) -> Rc<str> {
        if let Some(nonce) = self.find::<Nonce>() {
            return nonce.0.clone();
        }
        let nonce: Rc<str> = new().into();
        self.put(Nonce(nonce.clone()));
        if self.0.outgoing().is_changeable() {
            let mut head = self.0.outgoing().head().borrow_mut();
            let policy = head.get("Content-Security-Policy").map(|policy| allowing(policy, &nonce));
            if let Some(policy) = policy {
                // The policy was a field's value, and the nonce is made of digits.
                let _ = head.set("Content-Security-Policy", policy);
            }
        }
        nonce
    }
}

fn new() -> String {
    SECRETS.with(|(secrets, count)| {
        count.set(count.get() + 1);
        secrets.iter().map(|secret| format!("{:016x}", secret.hash_one(count.get()))).collect()
    })
}

/// A policy (Content Security Policy, level 3) that allows elements with this nonce.
fn allowing(policy: &str, nonce: &str) -> String {
    let directives = || policy.split(';').map(str::trim_ascii).filter(|directive| !directive.is_empty());
    let is = |directive: &str, name: &str| {
        directive.split_ascii_whitespace().next().is_some_and(|known| known.eq_ignore_ascii_case(name))
    };
    let has = |name: &str| directives().any(|directive| is(directive, name));
    let by_default = !has("script-src") || !has("style-src");
    let of_nonce = ["script-src", "style-src", "script-src-elem", "style-src-elem"];
    let allowed = directives().map(|directive| {
        let takes = of_nonce.iter().any(|name| is(directive, name)) || by_default && is(directive, "default-src");
        match takes {
            // `'none'` beside anything else means nothing.
            true => format!("{} 'nonce-{nonce}'", directive.trim_end_matches("'none'").trim_ascii_end()),
            false => directive.to_owned(),
        }
    });
    allowed.collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use super::allowing;

    #[test]
    fn the_nonce_stands_where_scripts_and_styles_are_allowed() {
        for (policy, expected) in [
            ("script-src 'self'; style-src 'self'", "script-src 'self' 'nonce-0'; style-src 'self' 'nonce-0'"),
            ("default-src 'self'", "default-src 'self' 'nonce-0'"),
            ("default-src 'none'", "default-src 'nonce-0'"),
            (
                "default-src 'none';SCRIPT-SRC a.example;; img-src *;",
                "default-src 'nonce-0'; SCRIPT-SRC a.example 'nonce-0'; img-src *",
            ),
            (
                "default-src 'self'; script-src 'none'; style-src; script-src-attr 'none'",
                "default-src 'self'; script-src 'nonce-0'; style-src 'nonce-0'; script-src-attr 'none'",
            ),
            (
                "script-src-elem a.example; frame-ancestors 'none'",
                "script-src-elem a.example 'nonce-0'; frame-ancestors 'none'",
            ),
            ("", ""),
        ] {
            assert_eq!(allowing(policy, "0"), expected, "{policy}");
        }
    }
}
