//! The loop's numbers: rates and delays over the last seconds, computed from readings of its counters.

use super::json::{self, Object};
use super::sockets::{self, Counted};
use crate::event_loop::{Metrics, metrics};
use crate::http::Server;
use std::collections::VecDeque;
use std::time::Duration;

/// Rates are measured over about the last second.
const RATE_OVER: Duration = Duration::from_secs(1);
/// Delays are measured over the last ten seconds: a percentile needs many of them.
const DELAY_OVER: Duration = Duration::from_secs(10);
/// The shortest time between two readings that are kept, however often the numbers are asked for. So at most 25 are kept.
const APART: Duration = Duration::from_millis(400);

struct Reading {
    metrics: Metrics,
    requests: u64,
    sockets: Counted,
}

/// Readings of the last ten seconds.
#[derive(Default)]
pub(super) struct Readings(VecDeque<Reading>);

impl Readings {
    pub fn clear(&mut self) {
        self.0.clear();
    }

    /// Returns the latest reading that was made at least `age` before `at`, or the oldest one if there is none.
    fn before(&self, at: Duration, age: Duration) -> Option<&Reading> {
        let old = self.0.iter().rev().find(|reading| reading.metrics.at + age <= at);
        old.or(self.0.front())
    }

    /// Reads the counters, and writes them with their changes since earlier readings. `own_requests`: how many of all requests
    /// were for the page itself. `own_exchanges`: how many of the requests that are being answered are for the page itself.
    pub fn write(&mut self, out: &mut String, server: &Server, own_requests: u64, own_exchanges: usize) {
        let metrics = metrics();
        let requests = server.requests().saturating_sub(own_requests);
        while self.0.get(1).is_some_and(|second| second.metrics.at + DELAY_OVER <= metrics.at) {
            self.0.pop_front();
        }
        json::object(out, |all| {
            if let Some(earlier) = self.before(metrics.at, RATE_OVER) {
                rates(all, &metrics, requests, earlier);
                sockets::write(all, Some(&earlier.sockets), seconds(&metrics, earlier));
            } else {
                sockets::write(all, None, 1.0);
            }
            let delay = match self.before(metrics.at, DELAY_OVER) {
                Some(earlier) => metrics.loop_delay.since(&earlier.metrics.loop_delay),
                None => metrics.loop_delay.clone(),
            };
            json::object(all.name("delay"), |all| {
                all.micros("p50", delay.percentile(50.0));
                all.micros("p99", delay.percentile(99.0));
                all.micros("max", delay.percentile(100.0));
            });
            all.number("iterationsSoFar", metrics.iterations);
            all.number("requestsSoFar", requests);
            let states = server.connection_states();
            all.number("connections", server.connections());
            all.number("idle", states.idle);
            all.number("receiving", states.receiving);
            all.number("answering", states.answering.saturating_sub(own_exchanges));
            all.number("own", own_exchanges);
            all.number("sending", states.sending);
            all.number("closing", states.closing);
            all.number("upgraded", states.upgraded);
            all.number("buffered", metrics.buffered);
            all.number("largestBuffer", metrics.largest_buffer);
            all.number("timers", metrics.timers);
            all.number("jobs", metrics.jobs);
            json::list(all.name("closes"), &metrics.closes, |out, (reason, count)| {
                json::list(
                    out,
                    [true, false],
                    |out, name| {
                        if name { json::string(out, reason) } else { json::number(out, count) }
                    },
                );
            });
        });
        if self.0.back().is_none_or(|last| last.metrics.at + APART <= metrics.at) {
            self.0.push_back(Reading { metrics, requests, sockets: Counted::now() });
        }
    }
}

fn rates(all: &mut Object<'_>, now: &Metrics, requests: u64, earlier: &Reading) {
    let seconds = seconds(now, earlier);
    let iterations = now.iterations - earlier.metrics.iterations;
    let events = now.events - earlier.metrics.events;
    all.decimal("iterations", iterations as f64 / seconds, 1);
    all.decimal("events", events as f64 / (iterations.max(1)) as f64, 2);
    all.decimal("utilisation", now.utilisation_since(&earlier.metrics), 4);
    all.decimal("requests", requests.saturating_sub(earlier.requests) as f64 / seconds, 1);
}

/// The time since an earlier reading, in seconds.
fn seconds(now: &Metrics, earlier: &Reading) -> f64 {
    now.at.saturating_sub(earlier.metrics.at).as_secs_f64().max(0.001)
}
