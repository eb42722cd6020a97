//! Limits how often a client may ask.

mod rate;
mod table;

pub use rate::Rate;

use super::Next;
use crate::event_loop::now;
use crate::http::{Error, Request, Response};
use std::fmt::Write;
use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::time::Duration;
use table::{Table, Verdict};

/// Makes a middleware that limits how often each address may ask. A client that asks more often gets 429 with `Retry-After`,
/// through the error handlers. Each answer says in `RateLimit` how many requests are left, and in `RateLimit-Policy` what the
/// rate is (draft-ietf-httpapi-ratelimit-headers).
///
/// The address is the one that [`Request::ip`] returns: behind a proxy all clients have the proxy's address, unless the app
/// [trusts](super::App::trust) the proxy. The addresses of one IPv6 network (/64) count as one, since one household has all of
/// them; an IPv4 address that is written as IPv6 is an IPv4 address. All clients of a Unix socket are one.
///
/// Each call makes a limit of its own: two routes that have the same middleware share one, two calls do not. At most 65,536
/// clients are remembered. When there are more, half of them are forgotten: those whose last request is the longest ago.
///
/// ```
/// # let sim = oneloop::sim::Sim::new();
/// use oneloop::app::{App, Rate, rate_limit};
///
/// let mut app = App::new();
/// app.with_at("/login", rate_limit(Rate::per_minute(5)));
/// app.post("/login", |_req, res| res.end("welcome\n"));
/// # app.listen(80, ())?;
/// let statuses: Vec<_> = (0..6).map(|_| sim.request("POST", "/login").send().status()).collect();
/// assert_eq!(statuses, [200, 200, 200, 200, 200, 429]);
/// # std::io::Result::Ok(())
/// ```
pub fn rate_limit(rate: Rate) -> impl FnMut(Request, Response, Next) + 'static {
    let mut limit = Limit::new(rate);
    move |req, res, next| {
        let key = limit.hasher.hash_one(Client::of(req.ip()));
        limit.apply(key, &res, next);
    }
}

/// Makes a middleware that limits how often each client may ask. `client` returns the name of a request's client, such as a user
/// or a token. If it returns `None`, the request is not limited. Everything else is as with [`rate_limit`].
///
/// Only a hash of the name is kept, made with a secret key of this process. So peers cannot fill the memory with long names, and
/// cannot find a name that has the same hash as another one.
///
/// ```
/// # let sim = oneloop::sim::Sim::new();
/// use oneloop::app::{App, Rate, rate_limit_by};
///
/// let mut app = App::new();
/// app.with(rate_limit_by(Rate::per_hour(1000), |req| req.header("X-Api-Key").map(str::to_owned)));
/// app.get("/", |_req, res| res.end("hello\n"));
/// # app.listen(80, ())?;
/// let reply = sim.request("GET", "/").header("X-Api-Key", "a").send();
/// assert_eq!(reply.header("RateLimit"), Some(r#""default";r=999;t=4"#));
/// # std::io::Result::Ok(())
/// ```
pub fn rate_limit_by(
    rate: Rate,
    mut client: impl FnMut(&Request) -> Option<String> + 'static,
) -> impl FnMut(Request, Response, Next) + 'static {
    let mut limit = Limit::new(rate);
    move |req, res, next| match client(&req) {
        Some(name) => {
            let key = limit.hasher.hash_one(name);
            limit.apply(key, &res, next);
        }
        None => next.run(),
    }
}

struct Limit {
    rate: Rate,
    table: Table,
    hasher: RandomState,
    policy: String,
    /// Kept for its memory.
    text: String,
}

impl Limit {
    fn new(rate: Rate) -> Limit {
        let policy = format!("\"default\";q={};w={}", rate.most(), seconds(rate.full_after()));
        Limit { rate, table: Table::new(), hasher: RandomState::new(), policy, text: String::new() }
    }

    fn apply(&mut self, key: u64, res: &Response, next: Next) {
        let Verdict { wait, left, full_in } = self.table.judge(key, self.rate, now());
        self.text.clear();
        let _ = write!(self.text, "\"default\";r={left};t={}", seconds(full_in));
        res.set_header("RateLimit-Policy", self.policy.as_str()).set_header("RateLimit", self.text.as_str());
        match wait {
            None => next.run(),
            Some(wait) => {
                self.text.clear();
                let _ = write!(self.text, "{}", seconds(wait).max(1));
                res.set_header("Retry-After", self.text.as_str());
                next.fail(Error::new(429, "too many requests: try again later"));
            }
        }
    }
}

/// Whole seconds, rounded up, so that a client that waits for so long is never too early.
fn seconds(time: Duration) -> u64 {
    time.as_secs() + u64::from(time.subsec_nanos() > 0)
}

/// The addresses that count as one client.
#[derive(Debug, PartialEq, Eq, Hash)]
enum Client {
    V4([u8; 4]),
    /// The first 64 bits.
    V6([u16; 4]),
    Local,
}

impl Client {
    fn of(address: Option<IpAddr>) -> Client {
        match address {
            Some(IpAddr::V4(ip)) => Client::V4(ip.octets()),
            Some(IpAddr::V6(ip)) => {
                let [a, b, c, d, ..] = ip.segments();
                Client::V6([a, b, c, d])
            }
            None => Client::Local,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_household_is_one_client_however_its_address_is_written() {
        let client = |ip: &str| Client::of(Some(ip.parse::<IpAddr>().unwrap().to_canonical()));
        for (one, other, same) in [
            ("1.2.3.4", "1.2.3.4", true),
            ("1.2.3.4", "1.2.3.5", false),
            ("::ffff:1.2.3.4", "1.2.3.4", true),
            ("::ffff:102:304", "1.2.3.4", true),
            ("::ffff:1.2.3.4", "::ffff:1.2.3.5", false),
            ("2001:db8:1:2::1", "2001:db8:1:2:ffff:ffff:ffff:ffff", true),
            ("2001:db8:1:2::1", "2001:DB8:0001:0002::", true),
            ("2001:db8:1:2::1", "2001:db8:1:3::1", false),
            ("::1", "127.0.0.1", false),
        ] {
            assert_eq!(client(one) == client(other), same, "{one}, {other}");
        }
    }

    #[test]
    fn times_are_rounded_up() {
        assert_eq!([0, 1, 1000, 1001].map(|millis| seconds(Duration::from_millis(millis))), [0, 1, 1, 2]);
    }
}
