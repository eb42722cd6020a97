//! The WebSockets of the loop, by endpoint: how many there are, and how many messages come and go.

use super::json::{self, Object};
use crate::ws::{Stats, endpoints};

/// How many endpoints are listed: as many as routes.
const ENDPOINTS: usize = 50;
/// How many characters of a name are shown. The name of an endpoint without a path may come from a request.
const NAME: usize = 200;

/// What the listed endpoints had counted at some time.
pub(super) struct Counted(Vec<(u64, Stats)>);

impl Counted {
    /// Reads the counters of the endpoints that are listed.
    pub fn now() -> Counted {
        Counted(endpoints().iter().take(ENDPOINTS).map(|endpoint| (endpoint.id(), endpoint.stats())).collect())
    }

    fn of(&self, id: u64) -> Option<Stats> {
        self.0.iter().find(|(other, _)| *other == id).map(|(_, stats)| *stats)
    }
}

/// Writes the endpoints, with the messages a second since an earlier reading, `seconds` ago.
pub(super) fn write(all: &mut Object<'_>, earlier: Option<&Counted>, seconds: f64) {
    let endpoints = endpoints();
    all.number("endpoints", endpoints.len());
    json::list(all.name("sockets"), endpoints.iter().take(ENDPOINTS), |out, endpoint| {
        let stats = endpoint.stats();
        let earlier = earlier.and_then(|earlier| earlier.of(endpoint.id()));
        json::object(out, |all| {
            all.string("name", &endpoint.name().chars().take(NAME).collect::<String>());
            all.number("open", stats.sockets);
            if let Some(earlier) = earlier {
                all.decimal("in", (stats.received - earlier.received) as f64 / seconds, 1);
                all.decimal("out", (stats.sent - earlier.sent) as f64 / seconds, 1);
            }
            all.number("received", stats.received);
            all.number("sent", stats.sent);
            all.some("skipped", stats.skipped);
            all.number("accepted", stats.accepted);
            all.some("refused", stats.refused);
        });
    });
}
