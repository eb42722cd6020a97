//! Our framing of nearly valid requests and answers beside that of independent parsers (`fuzz/oracles`: Node's http server and client, h11). It
//! needs their programs, so it is not a part of `cargo test`; `.ci/differential` runs it.

use crate::properties::answers;
use crate::properties::differential::{Verdict, compare};
use crate::properties::message::{Ending, Framed, frame};
use crate::properties::oracle::{self, Oracle};
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use std::collections::BTreeMap;
use std::env;

/// Streams that are under way to an oracle at a time.
const BATCH: usize = 256;

/// What an oracle refuses and we accept, with the reason. Anything else is a finding.
struct Refused {
    oracle: &'static str,
    /// In its own words.
    why: &'static str,
    /// One of these is in the stream, in lower case.
    with: &'static [&'static str],
    reason: &'static str,
}

const REFUSED_ELSEWHERE: &[Refused] = &[
    Refused {
        oracle: "Node",
        why: "HPE_INVALID_METHOD",
        with: &[""],
        reason: "it knows a list of methods; any token is one (RFC 9110, 9.1)",
    },
    Refused {
        oracle: "Node",
        why: "HPE_INVALID_VERSION",
        with: &["http/1."],
        reason: "a higher minor version is processed as 1.1 (RFC 9110, 2.5)",
    },
    Refused {
        oracle: "Node",
        why: "HPE_CLOSED_CONNECTION",
        with: &["proxy-connection:"],
        reason: "Proxy-Connection is no Connection (RFC 9112, C.2.2)",
    },
    Refused {
        oracle: "Node",
        why: "HPE_INVALID_CONTENT_LENGTH",
        with: &["\t"],
        reason: "a tab may follow a value (RFC 9110, 5.5)",
    },
    Refused {
        oracle: "Node",
        why: "HPE_INVALID_TRANSFER_ENCODING",
        with: &["\t", "chunked,", ", chunked", ",chunked", "transfer-encoding:\r\n", "transfer-encoding: \r\n"],
        reason: "a tab may follow a value; empty elements of a list are ignored (RFC 9110, 5.5 and 5.6.1.2)",
    },
    Refused {
        oracle: "Node",
        why: "HPE_INVALID_CHUNK_SIZE",
        with: &[" ;", "\t;"],
        reason: "blanks may precede a chunk extension (RFC 9112, 7.1.1)",
    },
    Refused {
        oracle: "Node",
        why: "HPE_STRICT Invalid character in chunk extensions",
        with: &["; ", ";\t", " =", "\t=", "= ", "=\t", " ;", "\t;", "\" \r", "\"\t\r"],
        reason: "blanks may stand in a chunk extension (RFC 9112, 7.1.1)",
    },
    Refused {
        oracle: "h11",
        why: "Only Transfer-Encoding: chunked is supported",
        with: &["chunked,", ", chunked", ",chunked", "transfer-encoding:\r\n", "transfer-encoding: \r\n"],
        reason: "empty elements of a list are ignored (RFC 9110, 5.6.1.2)",
    },
    Refused {
        oracle: "h11",
        why: "bad Content-Length",
        with: &["000000000000000"],
        reason: "it takes 20 digits; zeros in front are digits like any others (RFC 9110, 8.6)",
    },
    Refused {
        oracle: "h11",
        why: "illegal chunk header",
        with: &[" ;", "\t;"],
        reason: "blanks may precede a chunk extension (RFC 9112, 7.1.1)",
    },
    Refused {
        oracle: "h11",
        why: "no request line received",
        with: &["\r\n"],
        reason: "one empty line before a request is skipped (RFC 9112, 2.2)",
    },
];

/// Part of the answers to HEAD, and of those without content.
const BARE: &[&str] = &["\u{1}", " 204 ", " 304 ", "http/1.1 10", "http/1.1 19"];
const BARE_REASON: &str = "an answer without content has none, whatever its fields say (RFC 9112, 6.3)";

/// The same for answers. What is read otherwise there begins with `DIFFERENT`.
const ANSWERS_REFUSED_ELSEWHERE: &[Refused] = &[
    Refused { oracle: "Node", why: "HPE_INVALID_CONTENT_LENGTH", with: BARE, reason: BARE_REASON },
    Refused { oracle: "Node", why: "HPE_UNEXPECTED_CONTENT_LENGTH", with: BARE, reason: BARE_REASON },
    Refused { oracle: "Node", why: "HPE_INVALID_TRANSFER_ENCODING", with: BARE, reason: BARE_REASON },
    Refused { oracle: "h11", why: "Transfer-Encoding", with: BARE, reason: BARE_REASON },
    Refused { oracle: "h11", why: "Content-Length", with: BARE, reason: BARE_REASON },
    Refused {
        oracle: "Node",
        why: "HPE_CLOSED_CONNECTION",
        with: &["http/1.0 1", "close"],
        reason: "what an informational response says of the connection does not end it: the final one is still due",
    },
    Refused {
        oracle: "Node",
        why: "DIFFERENT: ",
        with: &["chunked\t", "chunked \t", "chunked,", ", chunked", ",chunked"],
        reason: "a tab may follow a value, empty elements of a list are ignored: it is chunked (RFC 9110, 5.5 and 5.6.1.2)",
    },
];

impl Refused {
    fn is(&self, oracle: &str, why: &str, stream: &[u8]) -> bool {
        let text = String::from_utf8_lossy(stream).to_ascii_lowercase();
        oracle.starts_with(self.oracle) && why.contains(self.why) && self.with.iter().any(|part| text.contains(part))
    }
}

fn number(name: &str, otherwise: u64) -> u64 {
    env::var(name).map_or(otherwise, |text| text.parse().expect("a number"))
}

/// `DIFFERENTIAL_STREAMS` says how many (20,000), `DIFFERENTIAL_SEED` which.
#[test]
#[ignore = "needs Node or h11: see .ci/differential"]
fn never_is_a_message_accepted_with_one_framing_here_and_another_there() {
    campaign(oracle::all(), crate::strategies::wire(), frame, &[]);
}

#[test]
#[ignore = "needs Node or h11: see .ci/differential"]
fn never_is_an_answer_accepted_with_one_framing_here_and_another_there() {
    campaign(oracle::clients(), crate::strategies::answer(), answers::frame, ANSWERS_REFUSED_ELSEWHERE);
}

fn campaign(
    mut oracles: Vec<Oracle>,
    strategy: impl Strategy<Value = Vec<u8>>,
    frame: impl Fn(&[u8]) -> Framed,
    refused_elsewhere: &[Refused],
) {
    let (count, seed) = (number("DIFFERENTIAL_STREAMS", 20_000), number("DIFFERENTIAL_SEED", 1));
    assert!(!oracles.is_empty(), "no oracle runs here");
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let random = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let mut runner = TestRunner::new_with_rng(Config::default(), random);
    let mut counts = BTreeMap::<String, u64>::new();
    let mut findings = BTreeMap::<String, String>::new();
    let mut asked = 0;
    while asked < count {
        let streams: Vec<_> = (0..BATCH).map(|_| strategy.new_tree(&mut runner).unwrap().current()).collect();
        asked += streams.len() as u64;
        let ours: Vec<_> = streams.iter().map(|stream| frame(stream)).collect();
        for ours in &ours {
            *counts.entry("messages accepted here".into()).or_default() += ours.whole() as u64;
            *counts.entry(format!("streams that end {:?} here", ours.ending)).or_default() += 1;
        }
        for oracle in &mut oracles {
            for ((stream, ours), theirs) in streams.iter().zip(&ours).zip(oracle.ask(&streams)) {
                let verdict = compare(ours, &theirs);
                let mut found = |what: String| {
                    let shorter = |old: &String| old.len() > stream.escape_ascii().to_string().len();
                    let kind = format!("{}: {what}", oracle.name);
                    if findings.get(&kind).is_none_or(shorter) {
                        findings.insert(kind, stream.escape_ascii().to_string());
                    }
                    what
                };
                let class = match &verdict {
                    Verdict::TheyRefuse(why) => {
                        match refused_elsewhere
                            .iter()
                            .chain(REFUSED_ELSEWHERE)
                            .find(|known| known.is(&oracle.name, why, stream))
                        {
                            Some(known) => format!("refused there ({}): {}", known.why, known.reason),
                            None => found(format!("REFUSED THERE: {why}")),
                        }
                    }
                    Verdict::Differ(what) => {
                        let why = format!("DIFFERENT: {what}");
                        match refused_elsewhere.iter().find(|known| known.is(&oracle.name, &why, stream)) {
                            Some(known) => format!("read otherwise there: {}", known.reason),
                            None => found(why),
                        }
                    }
                    Verdict::Same => "the same messages".into(),
                    Verdict::WeRefuse => "accepted there, refused or not read here".into(),
                    Verdict::TheyClose => "not read there, since the connection ends there".into(),
                };
                *counts.entry(format!("{}: {class}", oracle.name)).or_default() += 1;
            }
        }
    }
    println!("{asked} streams from seed {seed}");
    for (class, count) in &counts {
        println!("{count:>9}  {class}");
    }
    for (kind, shortest) in &findings {
        println!("\n{kind}\n    {shortest}");
    }
    assert!(findings.is_empty(), "{} kinds of findings", findings.len());
}

/// The comparison sees what it is for: two framings of the same bytes.
#[test]
fn a_difference_is_seen() {
    let both = frame(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhelloGET / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!((both.whole(), both.ending), (2, Ending::Clean));
    assert_eq!(compare(&both, &both), Verdict::Same);
    let mut other = both.clone();
    other.messages[0].content.pop();
    assert!(matches!(compare(&both, &other), Verdict::Differ(_)));
    let mut fewer = both.clone();
    fewer.messages.pop();
    assert!(matches!(compare(&both, &fewer), Verdict::Differ(_)));
    assert!(matches!(compare(&fewer, &both), Verdict::Differ(_)), "a message that waits for bytes here");
    fewer.ending = Ending::Refused;
    assert!(matches!(compare(&both, &fewer), Verdict::TheyRefuse(_)));
    assert_eq!(compare(&fewer, &both), Verdict::WeRefuse);
    fewer.ending = Ending::Closed;
    assert_eq!(compare(&both, &fewer), Verdict::TheyClose);
}
