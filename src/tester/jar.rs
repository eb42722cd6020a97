//! The cookies of an agent, as a browser keeps them (RFC 6265 and its revision, draft rfc6265bis, section 5).

use crate::proto::authority::split_port;
use crate::sim::{ClientRequest, Reply};
use std::net::IpAddr;
use std::time::{Duration, SystemTime};

/// In bytes, of name and value (rfc6265bis, 5.7).
const MOST_BYTES: usize = 4096;
/// No cookie is kept for longer (rfc6265bis, 5.5).
const LONGEST: Duration = Duration::from_secs(400 * 24 * 60 * 60);

#[derive(Default)]
pub(super) struct Jar(Vec<Cookie>);

#[derive(Clone)]
struct Cookie {
    name: String,
    value: String,
    /// The only host that gets it; or the domain, whose hosts all get it.
    domain: String,
    is_for_host: bool,
    path: String,
    is_secure: bool,
    until: Option<SystemTime>,
}

/// Where a request goes: this decides which cookies it gets.
pub(super) struct Visit {
    host: String,
    path: String,
    is_secure: bool,
}

impl Visit {
    pub fn of(request: &ClientRequest<'_>) -> Visit {
        let host = request.field("Host").map_or("localhost".into(), String::from_utf8_lossy).to_ascii_lowercase();
        let host = split_port(&host).0.to_owned();
        let says = |name: &str, text: &str| {
            let field = request.field(name).map(String::from_utf8_lossy);
            field.is_some_and(|field| field.to_ascii_lowercase().contains(text))
        };
        let by_proxy = says("X-Forwarded-Proto", "https") || says("Forwarded", "proto=https");
        let path = request.target.split('?').next().unwrap_or_default().to_owned();
        Visit { is_secure: by_proxy || is_this_machine(&host), host, path }
    }

    /// The folder of the path (RFC 6265, 5.1.4).
    fn default_path(&self) -> &str {
        match self.path.rsplit_once('/') {
            Some((folder, _)) if folder.starts_with('/') => folder,
            _ => "/",
        }
    }
}

/// Browsers trust such hosts without HTTPS.
fn is_this_machine(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    host == "localhost" || host.ends_with(".localhost") || address.is_ok_and(|address| address.is_loopback())
}

impl Jar {
    /// Keeps the cookies of an answer.
    pub fn take(&mut self, reply: &Reply, visit: &Visit, now: SystemTime) {
        for cookie in reply.header_all("Set-Cookie").filter_map(|field| Cookie::read(field, visit, now)) {
            match self.0.iter_mut().find(|other| other.is_same(&cookie)) {
                // It keeps its place among the others (RFC 6265, 5.3, step 11).
                Some(other) => *other = cookie,
                None => self.0.push(cookie),
            }
        }
        self.0.retain(|cookie| cookie.is_fresh(now));
    }

    /// The `Cookie` field of a request: those with longer paths first, and older ones before younger ones. `None` if there is none.
    pub fn field(&self, visit: &Visit, now: SystemTime) -> Option<String> {
        let mut due: Vec<&Cookie> =
            self.0.iter().filter(|cookie| cookie.is_fresh(now) && cookie.is_for(visit)).collect();
        due.sort_by_key(|cookie| std::cmp::Reverse(cookie.path.len()));
        let pairs: Vec<String> = due.iter().map(|cookie| format!("{}={}", cookie.name, cookie.value)).collect();
        (!pairs.is_empty()).then(|| pairs.join("; "))
    }

    pub fn value(&self, name: &str, now: SystemTime) -> Option<String> {
        self.0.iter().find(|cookie| cookie.name == name && cookie.is_fresh(now)).map(|cookie| cookie.value.clone())
    }
}

impl Cookie {
    /// What a `Set-Cookie` field says. `None` if a browser would not keep the cookie.
    fn read(field: &str, visit: &Visit, now: SystemTime) -> Option<Cookie> {
        let mut parts = field.split(';').map(str::trim);
        let (name, value) = parts.next()?.split_once('=')?;
        let (name, value) = (name.trim(), value.trim());
        let mut cookie = Cookie {
            name: name.to_owned(),
            value: value.to_owned(),
            domain: visit.host.clone(),
            is_for_host: true,
            path: visit.default_path().to_owned(),
            is_secure: false,
            until: None,
        };
        let (mut max_age, mut is_for_all_sites, mut is_partitioned) = (None, false, false);
        for part in parts {
            let (key, setting) = part.split_once('=').map_or((part, ""), |(key, setting)| (key.trim(), setting.trim()));
            match key.to_ascii_lowercase().as_str() {
                "path" => {
                    cookie.path = if setting.starts_with('/') { setting } else { visit.default_path() }.to_owned()
                }
                "domain" if !setting.is_empty() => {
                    cookie.domain = setting.strip_prefix('.').unwrap_or(setting).to_ascii_lowercase();
                    cookie.is_for_host = false;
                }
                "max-age" => max_age = setting.parse::<i64>().ok().or(max_age),
                "expires" => cookie.until = httpdate::parse_http_date(setting).ok().or(cookie.until),
                "secure" => cookie.is_secure = true,
                "samesite" => is_for_all_sites = setting.eq_ignore_ascii_case("none"),
                "partitioned" => is_partitioned = true,
                _ => {}
            }
        }
        if let Some(seconds) = max_age {
            let age = u64::try_from(seconds).map_or(Duration::ZERO, Duration::from_secs);
            cookie.until = Some(now + age.min(LONGEST));
        }
        let is_short = !name.is_empty() && name.len() + value.len() <= MOST_BYTES;
        let is_allowed = cookie.is_of(&visit.host) && cookie.keeps_its_prefix();
        let is_safe = cookie.is_secure || !(is_for_all_sites || is_partitioned);
        (is_short && is_allowed && is_safe && (visit.is_secure || !cookie.is_secure)).then_some(cookie)
    }

    /// Whether a host may set the cookie. No host may set one for a whole top-level domain.
    fn is_of(&self, host: &str) -> bool {
        self.domain == host || (self.domain.contains('.') && self.is_for_host(host))
    }

    fn is_for_host(&self, host: &str) -> bool {
        let below = || host.strip_suffix(&self.domain).is_some_and(|rest| rest.ends_with('.'));
        self.domain == host || (!self.is_for_host && host.parse::<IpAddr>().is_err() && below())
    }

    /// Whether the cookie is what its name promises (rfc6265bis, 4.1.3).
    fn keeps_its_prefix(&self) -> bool {
        let begins = |prefix: &str| self.name.get(..prefix.len()).is_some_and(|name| name.eq_ignore_ascii_case(prefix));
        let is_host = begins("__Host-");
        (self.is_secure || !(is_host || begins("__Secure-"))) && (!is_host || (self.is_for_host && self.path == "/"))
    }

    fn is_same(&self, other: &Cookie) -> bool {
        (&self.name, &self.domain, self.is_for_host, &self.path)
            == (&other.name, &other.domain, other.is_for_host, &other.path)
    }

    fn is_fresh(&self, now: SystemTime) -> bool {
        self.until.is_none_or(|until| now < until)
    }

    fn is_for(&self, visit: &Visit) -> bool {
        // RFC 6265, 5.1.4.
        let below = |rest: &str| rest.is_empty() || rest.starts_with('/') || self.path.ends_with('/');
        self.is_for_host(&visit.host)
            && (visit.is_secure || !self.is_secure)
            && visit.path.strip_prefix(&*self.path).is_some_and(below)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::UNIX_EPOCH;

    const NOW: SystemTime = UNIX_EPOCH;

    fn visit(url: &str) -> Visit {
        let (is_secure, rest) = match url.strip_prefix("https://") {
            Some(rest) => (true, rest),
            None => (false, url.trim_start_matches("http://")),
        };
        let (host, path) = rest.split_at(rest.find('/').unwrap());
        Visit { host: host.to_owned(), path: path.to_owned(), is_secure }
    }

    #[test]
    fn a_cookie_goes_where_a_browser_sends_it() {
        let shop = "https://shop.example.com/a/b";
        for (set_by, field, sent_to, expected) in [
            (shop, "n=v", "https://shop.example.com/a", true),
            (shop, "n=v", "https://shop.example.com/a/c/d", true),
            (shop, "n=v", "https://shop.example.com/ab", false),
            (shop, "n=v", "https://shop.example.com/", false),
            (shop, "n=v", "https://example.com/a/b", false),
            (shop, "n=v", "https://x.shop.example.com/a/b", false),
            (shop, "n=v; Path=/", "http://shop.example.com/", true),
            (shop, "n=v; path=/a/", "https://shop.example.com/a/", true),
            (shop, "n=v; path=/a/", "https://shop.example.com/a", false),
            (shop, "n=v; Path=x", "https://shop.example.com/a/x", true),
            (shop, "n=v; Path=/; Domain=example.com", "https://example.com/", true),
            (shop, "n=v; Path=/; DOMAIN=.Example.com", "https://x.shop.example.com/", true),
            (shop, "n=v; Path=/; Domain=example.com", "https://badexample.com/", false),
            (shop, "n=v; Path=/; Domain=shop.example.com", "https://x.shop.example.com/", true),
            (shop, "n=v; Path=/; Domain=x.shop.example.com", "https://x.shop.example.com/", false),
            (shop, "n=v; Path=/; Domain=com", "https://shop.example.com/", false),
            (shop, "n=v; Path=/; Domain=", "https://shop.example.com/", true),
            (shop, "n=v; Path=/; Secure", "https://shop.example.com/", true),
            (shop, "n=v; Path=/; Secure", "http://shop.example.com/", false),
            ("http://a.b/", "n=v; Secure", "https://a.b/", false),
            ("https://1.2.3.4/", "n=v; Domain=3.4", "https://1.2.3.4/", false),
            (shop, "__Host-n=v; Path=/; Secure", "https://shop.example.com/", true),
            (shop, "__Host-n=v; Path=/", "https://shop.example.com/", false),
            (shop, "__host-n=v; Path=/a; Secure", "https://shop.example.com/a", false),
            (shop, "__Host-n=v; Path=/; Secure; Domain=shop.example.com", "https://shop.example.com/", false),
            (shop, "__Secure-n=v; Path=/", "https://shop.example.com/", false),
            (shop, "n=v; Path=/; SameSite=None", "https://shop.example.com/", false),
            (shop, "n=v; Path=/; SameSite=None; Secure", "https://shop.example.com/", true),
            (shop, "n=v; Path=/; Partitioned", "https://shop.example.com/", false),
            (shop, "n=v; Path=/; Max-Age=0", "https://shop.example.com/", false),
            (
                shop,
                "n=v; Path=/; Max-Age=-1; Expires=Fri, 31 Dec 2038 23:59:59 GMT",
                "https://shop.example.com/",
                false,
            ),
            (shop, "n=v; Path=/; Expires=Thu, 01 Jan 1970 00:00:00 GMT", "https://shop.example.com/", false),
            (shop, "n=v; Path=/; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=1", "https://shop.example.com/", true),
            (shop, "n=v; Path=/; Expires=soon", "https://shop.example.com/", true),
            (shop, "=v; Path=/", "https://shop.example.com/", false),
            (shop, "n; Path=/", "https://shop.example.com/", false),
        ] {
            let cookie = Cookie::read(field, &visit(set_by), NOW);
            let is_sent = cookie.is_some_and(|cookie| cookie.is_fresh(NOW) && cookie.is_for(&visit(sent_to)));
            assert_eq!(is_sent, expected, "{field} {sent_to}");
        }
        let long = format!("n={}", "x".repeat(MOST_BYTES));
        assert!(Cookie::read(&long, &visit(shop), NOW).is_none());
        let for_ever = Cookie::read("n=v; Max-Age=99999999999999", &visit(shop), NOW).unwrap();
        assert_eq!(for_ever.until, Some(NOW + LONGEST));
    }
}
