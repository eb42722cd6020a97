//! RFC 9110, 5.5: bytes above ASCII in a field value are opaque data. What a browser sends in a cookie, and what a proxy passes
//! on, goes through a program byte for byte, in both directions.

use crate::support::http::*;
use oneloop::http::FieldError;

/// Every byte that a value may have: visible ASCII and all above ASCII.
fn any_byte() -> Vec<u8> {
    (0x21..=0xff).filter(|&byte| byte != 0x7f).collect()
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

#[test]
fn a_cookie_that_a_script_has_set_is_text() {
    let (sim, _server) = serve(|req, res| {
        assert_eq!(req.header("Cookie"), Some("name=José"));
        assert_eq!(req.header_bytes("cookie"), Some("name=José".as_bytes()));
        res.set_header("Set-Cookie", "name=José").set_header("X-Old", b"Jos\xe9").end("x");
    });
    let peer = send(&sim, "GET / HTTP/1.1\r\nHost: a\r\nCookie: name=José\r\n\r\n");
    let received = peer.received();
    assert!(received.starts_with(b"HTTP/1.1 200 OK\r\nSet-Cookie: name=Jos\xc3\xa9\r\nX-Old: Jos\xe9\r\n"));
}

#[test]
fn values_pass_through_a_program_byte_for_byte() {
    let (sim, _server) = serve(|req, res| {
        for (name, value) in req.headers_bytes().filter(|(name, _)| name.starts_with("X-")) {
            assert_eq!(res.try_append_header(name, value), Ok(()));
        }
        let joined = req.joined_bytes("X-Two").unwrap();
        res.append_header("Joined", joined).write("head").ignore();
        req.on_end(move |req| {
            for (name, value) in req.trailers_bytes() {
                res.add_trailer(&name, value);
            }
            res.end(());
        });
        req.on_data(|_, _| ());
    });
    let all = any_byte();
    let wire: [&[u8]; 7] = [
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nX-Two: ",
        &all,
        b"\r\nX-Two: \xe9\r\n\r\n1\r\na\r\n0\r\nT: ",
        &all,
        b"\r\nT: \xe9 \xc3\xa9",
        b"\r\nU: \xc3\xa9",
        b"\r\n\r\n",
    ];
    let received = send(&sim, wire.concat()).received();
    for part in [
        [b"\r\nX-Two: ", &all[..], b"\r\nX-Two: \xe9\r\nJoined: ", &all, b", \xe9\r\n"].concat(),
        [b"\r\n0\r\nT: ", &all[..], b"\r\nT: \xe9 \xc3\xa9\r\nU: \xc3\xa9\r\n\r\n"].concat(),
    ] {
        assert!(contains(&received, &part), "{}", received.escape_ascii());
    }
}

/// To the forms for text, a value that is no UTF-8 does not exist; whether the field is there the forms for bytes tell.
#[test]
fn what_is_no_text_is_not_shown_as_text() {
    let (sim, _server) = serve(|req, res| {
        assert_eq!((req.header("A"), req.joined("A")), (None, None));
        assert_eq!(req.header_all("A").collect::<Vec<_>>(), ["b"]);
        assert_eq!(req.headers().collect::<Vec<_>>(), [("Host", "a"), ("A", "b")]);
        assert_eq!((req.header_bytes("A"), req.header_all_bytes("a").count()), (Some(&b"\xe9"[..]), 2));
        res.set_header("B", vec![0xe9]);
        assert_eq!((res.header("B"), res.header_bytes("b"), res.has_header("B")), (None, Some(vec![0xe9]), true));
        res.remove_header("B").end("x");
    });
    assert_eq!(statuses(&send(&sim, b"GET / HTTP/1.1\r\nHost: a\r\nA: \xe9\r\nA: b\r\n\r\n")), [200]);
}

#[test]
fn neither_control_bytes_nor_framing_by_such_bytes_can_be_sent() {
    let (sim, _server) = serve(|_, res| {
        for bad in (0u8..0x20).filter(|&byte| byte != b'\t').chain([0x7f]) {
            for value in [[0xe9, bad], [bad, 0xe9]] {
                assert_eq!(res.try_set_header("A", value.to_vec()), Err(FieldError::Value));
                assert_eq!(res.try_append_header("A", &value), Err(FieldError::Value));
            }
        }
        for (name, error) in [
            ("Connection", FieldError::Value),
            ("Date", FieldError::Value),
            ("Content-Length", FieldError::ContentLength),
            ("Transfer-Encoding", FieldError::TransferEncoding),
            ("N\u{e9}", FieldError::Name),
        ] {
            assert_eq!(res.try_set_header(name, b"\xe9"), Err(error), "{name}");
            assert_eq!(res.try_append_header(name, b"\xe9"), Err(error), "{name}");
        }
        assert_eq!(res.try_append_header("Content-Length", 1), Ok(()));
        assert_eq!(res.try_append_header("Content-Length", 1), Err(FieldError::ContentLength));
        res.end("x");
    });
    assert_eq!(statuses(&send(&sim, get("/"))), [200]);
}
