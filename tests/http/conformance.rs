//! Every requirement of RFC 9110 and RFC 9112 that binds an origin server, as tables: the section, its level, the bytes
//! that put it to the test, and what has to come of them. One file for each subject; `table` has the words that rows are
//! written in, `handler` what serves them all, and `runner` replays each row
//!
//! * in memory, on a virtual clock: whole, a byte at a time, and in two pieces: cut at every place with `EVERY_SPLIT=1`, as
//!   `.ci/run` does it, else at every eighth, and not the same ones in each row (bytes of padding at some places only);
//! * over a real socket: whole, in three pieces, and a byte at a time (where the row stands alone, else with `EVERY_SPLIT=1`);
//! * alone; behind a good request, answered at once or late, whose answer must come first and whole; and before a good
//!   request, which is answered where the row leaves the connection open, and never reaches a handler where it does not.
//!
//! Of every response it is seen that it has one Date of the right form, is framed once and as its request allows, has
//! no content where there must be none, and says `Connection: close` where the connection closes, and only there.
//!
//! Where the RFCs leave a choice, the level is `Ours`: what is ambiguous is refused with a status, and the connection
//! is closed.
//!
//! # What has no row, and why
//!
//! | section | requirement | why |
//! |---|---|---|
//! | 9112 2.3, 3.2.2, 5.1, 5.2, 6.3, 9.3 | of proxies, gateways, user agents | an origin server is none |
//! | 9112 7.2, 7.3 | compression codings, registrations | none but chunked is implemented: 501 |
//! | 9112 9.3, 9.3.2, 9.5 | of clients: retries, pipelines, error responses while sending | |
//! | 9112 9.5 | timeouts, flow control, prompt closes | `deadlines.rs`, `backpressure.rs`, `reasons.rs` |
//! | 9112 9.6 | closing in stages, so that the last response arrives | `lingering.rs` |
//! | 9112 9.7, 9.8 | TLS | there is none yet |
//! | 9112 10 | `message/http` | neither made nor read |
//! | 9110 3.3, 4.2.3, 4.3, 8.7, 9.2, 9.3.1, 9.3.3 to 9.3.5, 10.1.2, 10.2, 11, 12, 15.3 to 15.5 (Allow in 405, Location, WWW-Authenticate, Upgrade in 426, Retry-After) | what resources and statuses mean | the handler's |
//! | 9110 5.5 | obs-text SHOULD be opaque data | it is; but refused in Connection, Expect and Upgrade (rows of level `Ours`) |
//! | 9110 5.6.7 | the three forms of dates received | `send_file.rs` |
//! | 9110 6.6.2 | a Trailer field for trailers that are sent | the handler's: it knows them before the head goes |
//! | 9110 7.4 | an `https` target MUST be rejected over a connection that is not secured | passed on: it cannot be known here whether a trusted gateway stands in front; the handler sees the target (row of level `Ours`) |
//! | 9110 7.6, 7.7 | Via, Max-Forwards, transformations | of intermediaries |
//! | 9110 7.8 | what an accepted Upgrade answers | the listener's, who has the socket: `upgrade.rs` |
//! | 9110 8.8, 13, 14, 15.3.7, 15.4.5, 15.5.17 | validators, preconditions, ranges | `send_file.rs`; else the handler's |
//! | 9110 9.3.8 | TRACE reflects the request | SHOULD, and not done: it shows what scripts must not see |
//! | 9110 16, 17, 18 | extensions, registries | |

mod chunks;
mod connection;
mod ends;
mod expect;
mod fields;
mod handler;
mod host;
mod lengths;
mod methods;
mod request_line;
mod runner;
mod statuses;
mod table;
mod transfer_codings;
mod upgrade;

use table::{Level, Row};

fn all() -> Vec<Row> {
    let tables = [
        request_line::rows(),
        host::rows(),
        fields::rows(),
        lengths::rows(),
        transfer_codings::rows(),
        chunks::rows(),
        ends::rows(),
        connection::rows(),
        expect::rows(),
        methods::rows(),
        upgrade::rows(),
        statuses::rows(),
    ];
    tables.into_iter().flatten().collect()
}

/// What binds a server of requests in RFC 9112, and what of RFC 9110 a library can see to.
const BINDING: &[(&str, &[Level])] = &[
    ("9112 2.2", &[Level::Must, Level::Should]),
    ("9112 2.3", &[Level::Must]),
    ("9112 3", &[Level::Must, Level::Should]),
    ("9112 3.2", &[Level::Must, Level::Should]),
    ("9112 3.2.1", &[Level::Must]),
    ("9112 3.2.2", &[Level::Must]),
    ("9112 3.2.3", &[Level::Must]),
    ("9112 3.2.4", &[Level::Must]),
    ("9112 4", &[Level::Must]),
    ("9112 5.1", &[Level::Must]),
    ("9112 5.2", &[Level::Must]),
    ("9112 6.1", &[Level::Must, Level::MustNot, Level::Should]),
    ("9112 6.2", &[Level::MustNot]),
    ("9112 6.3", &[Level::Must, Level::Should]),
    ("9112 7.1", &[Level::Must, Level::Should]),
    ("9112 7.1.1", &[Level::Must]),
    ("9112 7.1.2", &[Level::Must]),
    ("9112 8", &[Level::May]),
    ("9112 9.3", &[Level::Must, Level::Should]),
    ("9112 9.3.2", &[Level::Must]),
    ("9112 9.5", &[Level::Should]),
    ("9112 9.6", &[Level::Must, Level::MustNot, Level::Should]),
    ("9110 4.1", &[Level::Must]),
    ("9110 4.2.1", &[Level::Must]),
    ("9110 4.2.4", &[Level::Should]),
    ("9110 5.1", &[Level::Should]),
    ("9110 5.3", &[Level::Must, Level::MustNot]),
    ("9110 5.4", &[Level::Must]),
    ("9110 5.5", &[Level::Must]),
    ("9110 5.6.1.2", &[Level::Must]),
    ("9110 5.6.3", &[Level::Must]),
    ("9110 5.6.4", &[Level::Must]),
    ("9110 5.6.7", &[Level::Must]),
    ("9110 6.2", &[Level::Should]),
    ("9110 6.5.1", &[Level::MustNot]),
    ("9110 6.6.1", &[Level::Must]),
    ("9110 7.1", &[Level::MustNot]),
    ("9110 7.2", &[Level::Must]),
    ("9110 7.8", &[Level::Must]),
    ("9110 8.6", &[Level::Must, Level::MustNot, Level::Should]),
    ("9110 9.1", &[Level::Must, Level::Should]),
    ("9110 9.3.2", &[Level::MustNot]),
    ("9110 9.3.6", &[Level::Must]),
    ("9110 10.1.1", &[Level::Must, Level::MustNot, Level::Should]),
    ("9110 15.2", &[Level::MustNot]),
    ("9110 15.3.6", &[Level::MustNot]),
    ("9110 15.4.5", &[Level::MustNot]),
    ("9110 15.5", &[Level::Should]),
    ("9110 15.6", &[Level::Should]),
    ("9110 15.6.6", &[Level::Should]),
];

#[test]
fn each_section_that_binds_a_server_has_a_row_of_each_of_its_levels() {
    let rows = all();
    for (section, levels) in BINDING {
        for level in *levels {
            assert!(
                rows.iter().any(|row| row.section == *section && row.level == *level),
                "no row of level {level:?} for {section}"
            );
        }
    }
}

/// Each status of ours is there, and closes.
#[test]
fn each_status_that_the_library_answers_with_has_a_row() {
    let rows = all();
    for status in [400, 408, 413, 414, 417, 431, 501, 505] {
        let refused = |row: &&Row| row.expected.status == Some(status);
        assert!(rows.iter().any(|row| refused(&row)), "no row for {status}");
        assert!(rows.iter().filter(refused).all(|row| row.expected.closes && row.expected.announced), "{status}");
    }
}

#[test]
fn no_two_rows_are_the_same() {
    let rows = all();
    for (at, row) in rows.iter().enumerate() {
        let says = |other: &&Row| (other.section, other.says, &other.wire) == (row.section, row.says, &row.wire);
        assert_eq!(rows.iter().filter(says).count(), 1, "row {at}: {} {:?}", row.section, row.says);
    }
}
