use super::page::Page;
use crate::ws::{Stats, endpoints};
use std::collections::BTreeMap;
use std::rc::Rc;

/// The most endpoints that have series of their own. Only a program that makes endpoints while it runs has more.
const MOST: usize = 100;

/// Writes the WebSockets of the loop. A program without them gets no lines.
pub(super) fn write(page: &mut Page) {
    // Endpoints of one name are one series.
    let mut all = BTreeMap::<Rc<str>, Stats>::new();
    for (at, endpoint) in endpoints().iter().enumerate() {
        let name = endpoint.name();
        let name = if at < MOST && !name.is_empty() { name } else { "other".into() };
        let (sum, stats) = (all.entry(name).or_default(), endpoint.stats());
        sum.sockets += stats.sockets;
        sum.accepted += stats.accepted;
        sum.refused += stats.refused;
        sum.received += stats.received;
        sum.sent += stats.sent;
        sum.skipped += stats.skipped;
    }
    if all.is_empty() {
        return;
    }
    let mut metric = |name, kind, help, label, values: &[(&str, fn(&Stats) -> u64)]| {
        page.metric(name, kind, help);
        for (endpoint, stats) in &all {
            for (text, value) in values {
                let labels = [("endpoint", &**endpoint), (label, *text)];
                page.sample(
                    name,
                    if text.is_empty() { labels.get(..1).unwrap_or_default() } else { &labels },
                    value(stats),
                );
            }
        }
    };
    metric("websockets", "gauge", "Open WebSockets.", "", &[("", |stats| stats.sockets as u64)]);
    let messages: [(&str, fn(&Stats) -> u64); 3] =
        [("received", |stats| stats.received), ("sent", |stats| stats.sent), ("skipped", |stats| stats.skipped)];
    metric("websocket_messages_total", "counter", "Messages of WebSockets.", "direction", &messages);
    let handshakes: [(&str, fn(&Stats) -> u64); 2] =
        [("accepted", |stats| stats.accepted), ("refused", |stats| stats.refused)];
    metric("websocket_handshakes_total", "counter", "Requests for a WebSocket.", "result", &handshakes);
}
