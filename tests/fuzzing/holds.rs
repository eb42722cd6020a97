//! What the fuzz targets assert (`fuzz/properties`), on stable and with requests that are nearly valid: a sample of what
//! fuzzing does, and its seeds. More of it with `PROPTEST_CASES`; README.md says how to fuzz.

use crate::strategies::{chunked, request, wire, with_choices};
use proptest::collection::vec;
use proptest::prelude::*;
use std::fs;
use std::path::Path;

fn config() -> ProptestConfig {
    ProptestConfig { failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn a_head_is_the_same_in_any_split_and_can_be_read_in_one_way_only(
        bytes in with_choices(2, prop_oneof![request(), wire()]),
    ) {
        crate::properties::request_head::holds(&bytes);
    }

    #[test]
    fn a_response_head_is_the_same_in_any_split(bytes in with_choices(2, response_head())) {
        crate::properties::response_head::holds(&bytes);
    }

    #[test]
    fn a_url_has_one_normal_form_and_its_request_can_be_sent(bytes in urls()) {
        crate::properties::url::holds(&bytes);
    }

    #[test]
    fn content_is_the_same_in_any_split_and_can_be_read_in_one_way_only(
        bytes in with_choices(2, prop_oneof![4 => chunked(), 1 => vec(any::<u8>(), 0..80)]),
    ) {
        crate::properties::body_decoder::holds(&bytes);
    }

    #[cfg(feature = "tls")]
    #[test]
    fn whatever_comes_on_the_way_of_tls_nothing_else_is_taken_and_each_end_has_a_reason(bytes in on_the_way()) {
        crate::properties::tls::holds(&bytes);
    }

    #[cfg(feature = "app")]
    #[test]
    fn a_form_has_the_same_parts_in_any_split(bytes in with_choices(2, form())) {
        crate::properties::multipart::holds(&bytes);
    }

    #[cfg(feature = "app")]
    #[test]
    fn a_path_is_compared_in_one_spelling_and_meets_the_patterns_that_match_it(bytes in routes()) {
        crate::properties::routing::holds(&bytes);
    }

    #[cfg(feature = "app")]
    #[test]
    fn a_cookie_comes_back_as_it_was_set_and_a_field_of_cookies_is_read_in_one_way(bytes in cookies()) {
        crate::properties::cookies::holds(&bytes);
    }

    #[cfg(feature = "app")]
    #[test]
    fn what_a_client_wants_does_not_depend_on_how_its_fields_are_spelled_and_divided(bytes in accept()) {
        crate::properties::accept::holds(&bytes);
    }

    #[cfg(feature = "app")]
    #[test]
    fn a_part_lies_within_the_whole_and_who_named_the_present_state_has_it(bytes in conditions()) {
        crate::properties::conditions::holds(&bytes);
    }

    #[cfg(feature = "json")]
    #[test]
    fn a_form_is_read_as_the_standard_says_and_refused_without_being_quoted(bytes in pairs()) {
        crate::properties::queries::holds(&bytes);
    }

    #[cfg(all(feature = "compression", feature = "json"))]
    #[test]
    fn a_body_is_what_was_compressed_or_written_and_never_more_than_the_limit(bytes in bodies()) {
        crate::properties::bodies::holds(&bytes);
    }

    #[test]
    fn frames_are_the_same_messages_in_any_split(bytes in with_choices(2, frames())) {
        crate::properties::websocket::holds(&bytes);
    }

    #[test]
    fn offers_of_compression_are_read_in_one_way(bytes in offers()) {
        crate::properties::deflate::holds(&bytes);
    }

    #[cfg(feature = "deflate")]
    #[test]
    fn messages_inflate_to_what_they_were_and_within_the_limit(bytes in compressed()) {
        crate::properties::deflate::holds(&bytes);
    }

    #[test]
    fn a_connection_has_the_same_outcome_in_any_split(bytes in with_choices(4, wire())) {
        crate::properties::connection::holds(&bytes);
    }

    #[test]
    fn whatever_a_handler_calls_a_client_reads_what_was_meant_and_nothing_else(bytes in response()) {
        crate::properties::response::holds(&bytes);
    }
}

/// Records, or what happens to the records of two peers.
#[cfg(feature = "tls")]
fn on_the_way() -> impl Strategy<Value = Vec<u8>> {
    let record = (0..4_u8, vec(any::<u8>(), 0..40)).prop_map(|(kind, mut content)| {
        // The beginning of a message, mostly: its kind and length.
        if let [first, second, third, ..] = &mut content[..] {
            (*first, *second, *third) = (*first % 26, *second & 1, *third & 7);
        }
        [&[kind, content.len() as u8][..], &content].concat()
    });
    let records = vec(record, 0..6).prop_map(|records| records.concat());
    let deeds = vec(vec(any::<u8>(), 3..8), 0..4).prop_map(|deeds| deeds.concat());
    let plain = vec(any::<u8>(), 0..100);
    let rest = prop_oneof![
        (any::<u8>().prop_map(|who| who & !1 | 4), records),
        (any::<u8>().prop_map(|who| who & !5), plain),
        (any::<u8>().prop_map(|who| who | 1), deeds),
    ];
    (rest, any::<[u8; 2]>()).prop_map(|((who, rest), how)| [&[who, how[0], how[1]][..], &rest].concat())
}

/// Frames that are mostly valid.
fn frames() -> impl Strategy<Value = Vec<u8>> {
    let first = prop_oneof![
        8 => prop::sample::select(vec![0x81_u8, 0x82, 0x01, 0x02, 0x00, 0x80, 0x88, 0x89, 0x8a]),
        1 => any::<u8>(),
    ];
    let content = prop_oneof![
        4 => "[a-z\u{e9}\u{1f331}]{0,9}".prop_map(String::into_bytes),
        1 => vec(any::<u8>(), 0..140),
        1 => Just(b"\x03\xe8bye".to_vec()),
    ];
    let frame = (first, content, any::<[u8; 4]>(), 0_u8..40);
    let bytes = |masked: bool, (first, content, key, twist): (u8, Vec<u8>, [u8; 4], u8)| {
        let mut frame = vec![first];
        let masked = masked != (twist == 0);
        let bit = if masked { 0x80 } else { 0 };
        match content.len() {
            length @ 0..126 if twist != 1 => frame.push(bit | length as u8),
            length => frame.extend([&[bit | 126][..], &(length as u16).to_be_bytes()].concat()),
        }
        let from = frame.len();
        if masked {
            frame.extend(key);
        }
        let from = if masked { from + 4 } else { from };
        frame.extend(content);
        if masked {
            frame[from..].iter_mut().zip(key.iter().cycle()).for_each(|(byte, key)| *byte ^= key);
        }
        frame
    };
    (any::<bool>(), vec(frame, 0..8))
        .prop_map(move |(masked, frames)| frames.into_iter().flat_map(|frame| bytes(masked, frame)).collect())
}

/// Pieces of forms whose boundary is `b`, mostly in the order in which they make one.
#[cfg(feature = "app")]
fn form() -> impl Strategy<Value = Vec<u8>> {
    let head = "--b[ \t]?\r\n(Content-Disposition: form-data; name=\"?[a-b%\\\\]{0,3}\"?(; filename(\\*=utf-8''[a-b%4]{0,3}|=\"[a-b]{0,2}\"))?\r\n)?(Content-Type: a/b\r\n)?";
    let part = (head, "(\r\n)?([\r\n\\-ab]|--b){0,9}\r\n").prop_map(|(head, content)| head + "\r\n" + &content);
    (vec(part, 0..4), "(--b--)?(\r\n)?[a-b\r\n\\-]{0,6}").prop_map(|(parts, end)| (parts.concat() + &end).into_bytes())
}

#[cfg(feature = "app")]
fn cookies() -> impl Strategy<Value = Vec<u8>> {
    let part = "[a-b% \t\"4\u{a0}\u{e9}]{0,4}";
    let pair = (part, prop::sample::select(&["=", "=", "=", "", "=="][..]), part)
        .prop_map(|(name, is, value)| name + is + &value);
    (vec(pair, 0..6), vec(any::<u8>(), 0..3)).prop_map(|(pairs, rest)| [pairs.join(";").into_bytes(), rest].concat())
}

#[cfg(feature = "app")]
fn accept() -> impl Strategy<Value = Vec<u8>> {
    let name = prop::sample::select(
        &[
            "gzip",
            "identity",
            "*",
            "en",
            "en-GB",
            "de",
            "utf-8",
            "text/html",
            "text/*",
            "*/*",
            "application/json",
            "a b",
            "",
        ][..],
    );
    let more = "( ?; ?(q=(0|1|0\\.[0-9]{0,4}|2|x)|level=\"?1\"?|a))?";
    let element = (name, more).prop_map(|(name, more)| name.to_owned() + &more);
    let field = vec(element, 0..4).prop_map(|elements| elements.join(" ,"));
    vec(field, 0..3).prop_map(|fields| fields.join("\n").into_bytes())
}

#[cfg(feature = "app")]
fn conditions() -> impl Strategy<Value = Vec<u8>> {
    let range = "((bytes|BYTES|a)=)?([0-9]{0,3}|18446744073709551616)-[0-9]{0,20}(, ?[0-9]?-)?";
    let tags = "((W/)?\"(here|a)?\"( ,|, )?|\\*|x){0,3}";
    let date = "(Sun, 29 Nov 2026 10:00:00 GMT)?";
    (range, tags, tags, tags, date)
        .prop_map(|(range, none, some, part, date)| [range, none, some, part, date.to_owned()].join("\n").into_bytes())
}

#[cfg(feature = "json")]
fn pairs() -> impl Strategy<Value = Vec<u8>> {
    let pair = "(a|b|c|zq|%6[12]|)(=(0|1|255|256|-1|on|true|false|zq|\\+|%[0-9a-f]{0,2}|))?";
    vec(pair, 0..5).prop_map(|pairs| pairs.join("&").into_bytes())
}

/// A valid head, and then a byte of it replaced, dropped or doubled.
fn response_head() -> impl Strategy<Value = Vec<u8>> {
    let line = "HTTP/1\\.[0-9] [1-5][0-9]{2}( [ -~]{0,8})?";
    let field = "[A-Za-z-]{1,5}:[ \\t]?[ -~]{0,6}|Content-Length: ?[0-9]{1,3}|Transfer-Encoding: (chunked|gzip)|Connection: (close|upgrade)|Upgrade: a";
    let head = (line, vec(field, 0..5))
        .prop_map(|(line, fields)| fields.iter().fold(line + "\r\n", |head, field| head + field + "\r\n") + "\r\nrest");
    let byte = prop_oneof![prop::sample::select(&b"\r\n :\t\0\x80HTP/1."[..]), any::<u8>()];
    (head, prop::option::of((any::<prop::sample::Index>(), byte, 0..3u8))).prop_map(|(head, change)| {
        let mut bytes = head.into_bytes();
        if let Some((at, byte, how)) = change {
            let at = at.index(bytes.len());
            match how {
                0 => bytes[at] = byte,
                1 => drop(bytes.remove(at)),
                _ => bytes.insert(at, byte),
            }
        }
        bytes
    })
}

/// A URL and a reference, of parts that mean something in one.
fn urls() -> impl Strategy<Value = Vec<u8>> {
    let part = || {
        prop::sample::select(
            &[
                "http", "https", "unix", "ws", "://", ":", "/", "//", "?", "#", "@", "..", ".", "a", "B", "80", "443",
                "[::1]", "%2e", "\\", " ", "\u{e9}", "\n", ";p",
            ][..],
        )
    };
    let url =
        prop_oneof![4 => Just("http://a/b"), 1 => Just("unix:/a:/b"), 1 => Just("https://[::1]:8443"), 1 => Just("")];
    (url, vec(part(), 0..6), vec(part(), 0..8))
        .prop_map(|(url, more, reference)| format!("{url}{}\n{}", more.concat(), reference.concat()).into_bytes())
}

/// Patterns and a path of the same few parts.
#[cfg(feature = "app")]
fn routes() -> impl Strategy<Value = Vec<u8>> {
    let text = || prop::sample::select(&["a", "b", "2", "0", "-", ".", " ", "%20", "%2f", "%41", "@", "\u{e9}"][..]);
    let segments = vec((text(), 0..4_u8, text()), 0..3).prop_map(|segments| {
        let segment = |(number, (before, shape, after)): (usize, &(&str, u8, &str))| match shape {
            0 => format!("/{before}{after}"),
            1 => format!("/:p{number}"),
            2 => format!("/{before}:\"p{number}\"{after}"),
            _ => format!("{{/:\"p{number}\"{before}:\"q{number}\"}}"),
        };
        segments.iter().enumerate().map(segment).collect::<String>()
    });
    let kind = prop::sample::select(&["", "=", ">"][..]);
    let end = prop::sample::select(&["", "", "/", "/*rest"][..]);
    let pattern = (kind, segments, end).prop_map(|(kind, segments, end)| format!("{kind}{segments}{end}\n"));
    let path = vec(vec(text(), 0..4), 1..4)
        .prop_map(|segments| segments.iter().map(|parts| format!("/{}", parts.concat())).collect::<String>());
    (vec(pattern, 0..8), path).prop_map(|(patterns, path)| (patterns.concat() + &path).into_bytes())
}

/// What stands in `Sec-WebSocket-Extensions`, nearly.
fn offers() -> impl Strategy<Value = Vec<u8>> {
    let name = prop::sample::select(
        &[
            "permessage-deflate",
            "server_no_context_takeover",
            "client_no_context_takeover",
            "server_max_window_bits",
            "client_max_window_bits",
            "other",
            "",
        ][..],
    );
    let value =
        prop::sample::select(&["", "=8", "=9", "=15", "=\"10\"", "=\"1\\2\"", "=16", "=015", "=\"", "=a,b", "=;"][..]);
    let end = prop::sample::select(&["; ", ";", ", ", "\n", " ", "; permessage-deflate", ", permessage-deflate; "][..]);
    vec((name, value, end), 0..8).prop_map(|parts| {
        let text: String = parts.into_iter().flat_map(|(name, value, end)| [name, value, end]).collect();
        [b"\0permessage-deflate; ", text.as_bytes()].concat()
    })
}

/// Blocks of compressed content, some of them not whole; or what is to be compressed.
#[cfg(feature = "deflate")]
fn compressed() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        Just(b"\xf2\x48\xcd\xc9\xc9\x07\x00".to_vec()),
        Just(b"\xf3\x48\xcd\xc9\xc9\x07\x00".to_vec()),
        Just(b"\x00\x00\x00\xff\xff".to_vec()),
        vec(any::<u8>(), 0..20).prop_map(|bytes| {
            let length = bytes.len() as u16;
            [&[0][..], &length.to_le_bytes(), &(!length).to_le_bytes(), &bytes].concat()
        }),
        vec(any::<u8>(), 0..5),
        (any::<u8>(), 0..2000_usize).prop_map(|(byte, count)| vec![byte; count]),
    ];
    (any::<u8>(), vec(piece, 0..6)).prop_map(|(choice, pieces)| [vec![choice | 1], pieces.concat()].concat())
}

/// Calls with arguments that fit more often than those of chance.
fn response() -> impl Strategy<Value = Vec<u8>> {
    let text = || {
        let line = prop_oneof![
            4 => "[ -~]{0,12}",
            1 => "[0-9]{1,3}",
            1 => Just("chunked".to_owned()),
            1 => prop::sample::select(&["a\r\nX: y", "a\r\n\r\nHTTP/1.1 200 OK\r\n", "\n", "a\0", "\u{e9}", "close"][..]).prop_map(str::to_owned),
        ];
        line.prop_map(|text| [&[text.len() as u8], text.as_bytes()].concat())
    };
    let call = (0u8..20, any::<u8>(), text(), text(), any::<bool>()).prop_map(|(call, byte, name, value, known)| {
        let name = if known { vec![byte % 64] } else { [vec![255], name].concat() };
        match call {
            0 => vec![0, byte],
            1 | 11..=13 | 15 | 16 => [vec![call], value].concat(),
            2..=5 => [vec![call], name, value].concat(),
            6 => [vec![6], name].concat(),
            7 | 8 => [vec![call, byte, 1], name, value].concat(),
            9 => [vec![9, 1], name, value].concat(),
            10 | 17 | 18 => vec![call],
            14 => vec![14, byte],
            _ => vec![19, byte, byte],
        }
    });
    (any::<u8>(), vec(call, 0..8)).prop_map(|(asked, calls)| [vec![asked], calls.concat()].concat())
}

/// Compressed or not, and JSON that is nearly what is wanted, with a byte changed here and there.
#[cfg(all(feature = "compression", feature = "json"))]
fn bodies() -> impl Strategy<Value = Vec<u8>> {
    let gzip = |content: Vec<u8>| {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        std::io::Write::write_all(&mut encoder, &content).unwrap();
        encoder.finish().unwrap()
    };
    let value = prop::sample::select(
        &[
            "1",
            "256",
            "-7",
            "1e9",
            "null",
            "true",
            "\"tree\"",
            "\"weed\"",
            "[true,false]",
            "[[]]",
            "{\"a\":1}",
            "\"\\u0041\\n\"",
            "",
        ][..],
    );
    let name = prop::sample::select(&["a", "b", "c", "d", "e", "a\\n"][..]);
    let pair = (name, value).prop_map(|(name, value)| format!("\"{name}\": {value}"));
    let json = vec(pair, 0..6).prop_map(|pairs| format!("{{{}}}", pairs.join(", ")).into_bytes());
    let content = prop_oneof![
        vec(any::<u8>(), 0..300),
        vec(prop::sample::select(&b"ab"[..]), 0..2_000),
        vec(any::<u8>(), 0..300).prop_map(gzip),
        vec(prop::sample::select(&b"ab"[..]), 0..2_000).prop_map(gzip),
        json,
    ];
    let change = prop::option::of((any::<prop::sample::Index>(), any::<u8>()));
    (any::<[u8; 2]>(), content, change).prop_map(|(choices, mut content, change)| {
        if let Some((at, byte)) = change.filter(|_| !content.is_empty()) {
            let at = at.index(content.len());
            content[at] = byte;
        }
        [&choices[..], &content].concat()
    })
}

/// Those of `differential` are for a fuzzer with its oracles.
#[test]
fn the_seeds_hold() {
    let targets: &[(&str, fn(&[u8]))] = &[
        ("request_head", crate::properties::request_head::holds),
        ("response_head", crate::properties::response_head::holds),
        ("body_decoder", crate::properties::body_decoder::holds),
        ("connection", crate::properties::connection::holds),
        ("response", crate::properties::response::holds),
        ("websocket", crate::properties::websocket::holds),
        ("deflate", crate::properties::deflate::holds),
        ("url", crate::properties::url::holds),
        #[cfg(feature = "tls")]
        ("tls", crate::properties::tls::holds),
        #[cfg(feature = "app")]
        ("multipart", crate::properties::multipart::holds),
        #[cfg(feature = "app")]
        ("routing", crate::properties::routing::holds),
        #[cfg(feature = "app")]
        ("cookies", crate::properties::cookies::holds),
        #[cfg(feature = "app")]
        ("accept", crate::properties::accept::holds),
        #[cfg(feature = "app")]
        ("conditions", crate::properties::conditions::holds),
        #[cfg(feature = "json")]
        ("queries", crate::properties::queries::holds),
        #[cfg(all(feature = "compression", feature = "json"))]
        ("bodies", crate::properties::bodies::holds),
    ];
    let seeds = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/seeds");
    for (target, holds) in targets {
        let mut count = 0;
        for entry in fs::read_dir(seeds.join(target)).unwrap() {
            holds(&fs::read(entry.unwrap().path()).unwrap());
            count += 1;
        }
        assert!(count > 9, "{count} seeds of {target}");
    }
}
