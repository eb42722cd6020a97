use super::page::Page;
use crate::http::ExchangeEnd;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

/// The methods that have a name in the page (RFC 9110, section 9; RFC 5789). Clients may send any token, and all others count as
/// `other`.
const METHODS: [&str; 9] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "CONNECT", "TRACE"];
/// The classes of statuses, of which `1xx` is an upgrade (101); `none` if there was no response.
const CLASSES: [&str; 7] = ["1xx", "2xx", "3xx", "4xx", "5xx", "other", "none"];
/// The upper bounds of the buckets for durations, in seconds.
const BOUNDS: [f64; 13] = [0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0];
/// The most routes that have series of their own. A program's routes are fixed, so only a program with more routes than this
/// reaches the limit.
const MOST_ROUTES: usize = 1_000;

/// The requests that are over, by route, method and class of status.
#[derive(Default)]
pub(super) struct Requests {
    /// The key is the pattern of the route; `None`: no route has taken the request.
    routes: BTreeMap<Option<Rc<str>>, Route>,
    /// The routes above `MOST_ROUTES`.
    others: Option<Box<Route>>,
    content_bytes: u64,
}

#[derive(Default)]
struct Route {
    counts: [[u64; CLASSES.len()]; METHODS.len() + 1],
    durations: [Option<Box<Durations>>; CLASSES.len()],
}

#[derive(Default)]
struct Durations {
    /// For each bucket, how many durations were at most its bound and above the bound before it.
    buckets: [u64; BOUNDS.len()],
    count: u64,
    sum: Duration,
}

impl Requests {
    pub fn count(&mut self, end: &ExchangeEnd<'_>) {
        self.content_bytes += end.bytes;
        let route = self.route(end.request.route());
        let method = METHODS.iter().position(|name| *name == end.request.method()).unwrap_or(METHODS.len());
        let class = match end.status.map(|status| status / 100) {
            Some(class @ 1..6) => usize::from(class) - 1,
            Some(_) => 5,
            None => 6,
        };
        route.counts[method][class] += 1;
        route.durations[class].get_or_insert_default().add(end.duration);
    }

    fn route(&mut self, pattern: Option<Rc<str>>) -> &mut Route {
        if self.routes.len() >= MOST_ROUTES && !self.routes.contains_key(&pattern) {
            return self.others.get_or_insert_default();
        }
        self.routes.entry(pattern).or_default()
    }

    pub fn write(&self, page: &mut Page) {
        let name = "http_requests_total";
        page.metric(name, "counter", "Requests whose exchange is over.");
        self.each(|pattern, route| {
            for (method, counts) in METHODS.iter().chain(&["other"]).zip(&route.counts) {
                for (class, count) in CLASSES.iter().zip(counts).filter(|(_, count)| **count > 0) {
                    page.sample(name, &[("method", method), ("route", pattern), ("status", class)], count);
                }
            }
        });
        let name = "http_request_duration_seconds";
        page.metric(name, "histogram", "From the head of the request until the kernel had the whole response.");
        self.each(|pattern, route| {
            for (class, durations) in CLASSES.iter().zip(&route.durations) {
                if let Some(durations) = durations {
                    durations.write(page, name, &[("route", pattern), ("status", class)]);
                }
            }
        });
        let help = "Bytes of content that were sent.";
        page.single("http_response_content_bytes_total", "counter", help, self.content_bytes);
    }

    fn each(&self, mut f: impl FnMut(&str, &Route)) {
        for (pattern, route) in &self.routes {
            f(pattern.as_deref().unwrap_or("unmatched"), route);
        }
        if let Some(route) = &self.others {
            f("other", route);
        }
    }
}

impl Durations {
    fn add(&mut self, duration: Duration) {
        let seconds = duration.as_secs_f64();
        if let Some(count) =
            BOUNDS.iter().zip(&mut self.buckets).find_map(|(bound, n)| (seconds <= *bound).then_some(n))
        {
            *count += 1;
        }
        self.count += 1;
        self.sum += duration;
    }

    fn write(&self, page: &mut Page, name: &str, labels: &[(&str, &str)]) {
        let mut below = 0;
        let buckets = BOUNDS.iter().zip(&self.buckets).map(|(bound, count)| {
            below += count;
            (*bound, below)
        });
        page.histogram(name, labels, buckets, self.sum.as_secs_f64(), self.count);
    }
}
