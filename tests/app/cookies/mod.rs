//! A cookie comes back as it was given, and no text of anybody makes another one of it.

mod cases;

use crate::asked::asked;
use cases::*;
use oneloop::app::{Cookie, CookieError, SameSite};
use oneloop::http;
use oneloop::sim::{Reply, Sim};
use proptest::prelude::*;
use std::time::Duration;

#[test]
fn cookies_are_read_as_browsers_mean_them() {
    for (field, expected) in HTTP_STATE.iter().chain(JSHTTP) {
        let cookies = asked(&[("Cookie", field)], |req| {
            req.cookies().map(|(name, value)| (name.to_owned(), value.into_owned())).collect::<Vec<_>>()
        });
        let cookies: Vec<_> = cookies.iter().map(|(name, value)| (&**name, &**value)).collect();
        assert_eq!(cookies, *expected, "{field:?}");
    }
    let long = "a".repeat(4096 - 2);
    assert_eq!(asked(&[("Cookie", &format!("a={long}"))], |req| req.cookie("a").unwrap().len()), long.len());
}

#[test]
fn of_several_cookies_with_one_name_the_first_counts() {
    let fields = [("Cookie", "a=1; b=2; a=3"), ("Cookie", "c=4; b=5")];
    let found =
        asked(&fields, |req| ["a", "b", "c", "A", "d"].map(|name| req.cookie(name).map(|value| value.into_owned())));
    assert_eq!(found.map(Option::unwrap_or_default), ["1", "2", "4", "", ""]);
}

/// Another program on the same domain may set such a cookie, and must not make everybody's session unreadable.
#[test]
fn a_cookie_that_is_not_utf_8_is_left_out_and_the_others_are_read() {
    let sim = Sim::new();
    let server = http::create_server(|req, res| {
        assert_eq!((req.cookie("old"), req.cookies().count()), (None, 1));
        res.end(req.cookie("sid").unwrap_or_default().as_ref())
    });
    server.listen(80, ()).unwrap();
    assert_eq!(sim.request("GET", "/").header("Cookie", b"old=\xfc; \xff=1; sid=31d4").send().text(), "31d4");
}

#[test]
fn what_a_cookie_cannot_hold_is_encoded_and_no_more() {
    for (value, written) in VALUES {
        let expected = format!("a={written}; Path=/; HttpOnly; SameSite=Lax");
        assert_eq!(Cookie::new("a", *value).to_field(), Ok(expected), "{value:?}");
    }
}

#[test]
fn a_name_a_domain_or_a_path_cannot_become_an_attribute() {
    let verdict = |cookie: Cookie| cookie.to_field().err();
    for (name, allowed) in NAMES {
        assert_eq!(verdict(Cookie::new(*name, "1")), (!allowed).then_some(CookieError::Name), "{name:?}");
    }
    for (domain, allowed) in DOMAINS {
        let cookie = Cookie::new("a", "1").domain(*domain);
        assert_eq!(verdict(cookie), (!allowed).then_some(CookieError::Domain), "{domain:?}");
    }
    for (path, allowed) in PATHS {
        assert_eq!(verdict(Cookie::new("a", "1").path(*path)), (!allowed).then_some(CookieError::Path), "{path:?}");
    }
}

#[test]
fn a_cookie_that_browsers_would_ignore_is_refused() {
    let cookie = |name: &str| Cookie::new(name, "1");
    for (cookie, expected) in [
        (cookie("a").same_site(SameSite::None), CookieError::Insecure),
        (cookie("a").partitioned(true), CookieError::Insecure),
        (cookie("__Secure-a").secure(false), CookieError::Insecure),
        (cookie("__Host-a").secure(false), CookieError::Insecure),
        (cookie("__hOsT-a").path("/a"), CookieError::HostPrefix),
        (cookie("__Host-a").domain("example.com"), CookieError::HostPrefix),
        (Cookie::new("a", "1".repeat(4096)), CookieError::TooLong),
    ] {
        assert_eq!(cookie.to_field(), Err(expected), "{cookie:?}");
        assert!(!expected.to_string().is_empty());
    }
    for cookie in [
        cookie("a").same_site(SameSite::None).partitioned(true).secure(true),
        cookie("__Secure-a").path("/a").domain("example.com"),
        cookie("__HOST-a"),
        Cookie::new("a", "1".repeat(4096 - "a=; Path=/; HttpOnly; SameSite=Lax".len())),
    ] {
        assert!(cookie.to_field().is_ok(), "{cookie:?}");
    }
}

#[test]
fn all_that_can_be_said_of_a_cookie_is_written() {
    let all = Cookie::new("a", "1")
        .max_age(Duration::from_millis(1_500))
        .domain("example.com")
        .path("/b")
        .secure(true)
        .http_only(false)
        .same_site(SameSite::None)
        .partitioned(true);
    let expected = "a=1; Max-Age=1; Domain=example.com; Path=/b; Secure; SameSite=None; Partitioned";
    assert_eq!(all.to_field().unwrap(), expected);
    // RUSTSEC-2017-0005: a long age was a panic.
    let longest = Cookie::new("a", "1").max_age(Duration::MAX).to_field().unwrap();
    assert!(longest.contains("; Max-Age=34560000;"), "{longest}");
}

fn answer(handler: impl FnMut(http::Request, http::Response) + 'static) -> Reply {
    let sim = Sim::new();
    let server = http::create_server(handler);
    server.listen(80, ()).unwrap();
    sim.request("GET", "/").send()
}

#[test]
fn each_cookie_has_a_field_of_its_own() {
    let reply =
        answer(|_, res| res.cookie(Cookie::new("a", "1")).cookie(Cookie::new("b", "2")).clear_cookie("c").end(()));
    let names: Vec<_> = reply.header_all("Set-Cookie").map(|field| &field[..1]).collect();
    assert_eq!(names, ["a", "b", "c"]);
}

#[test]
fn a_cookie_that_cannot_be_sent_is_a_500_whose_reason_is_in_the_log() {
    let reply = answer(|_, res| res.cookie(Cookie::new("a b", "secret")).end("done"));
    assert_eq!((reply.status(), reply.header("Set-Cookie")), (500, None));
    assert!(!reply.text().contains("token") && !reply.text().contains("secret"), "{}", reply.text());
    assert!(reply.log().iter().any(|line| line.to_string().contains("the name of a cookie")), "{:?}", reply.log());
}

#[test]
fn after_the_head_a_cookie_does_nothing() {
    let reply = answer(|_, res| {
        res.write("a").ignore();
        assert_eq!(res.cookie(Cookie::new("bad name", "1")).try_cookie(Cookie::new("bad name", "1")), Ok(()));
        res.end("b");
    });
    assert_eq!((reply.status(), reply.text().as_str(), reply.header("Set-Cookie")), (200, "ab", None));
}

/// Reads a `Set-Cookie` field as browsers do (RFC 6265, 5.2): the pair, and the names of the attributes.
fn as_a_browser(field: &str) -> (&str, Vec<&str>) {
    let (pair, attributes) = field.split_once(';').unwrap_or((field, ""));
    let names = attributes.split(';').map(|attribute| attribute.split('=').next().unwrap_or_default().trim_ascii());
    (pair.trim_ascii(), names.collect())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_value_comes_back_as_it_was_given(value in "\\PC{0,20}|[ -~\\x00-\\x1f]{0,20}|[%0-9a-f;, \"]{0,20}") {
        let field = Cookie::new("a", &*value).to_field().unwrap();
        let (pair, attributes) = as_a_browser(&field);
        prop_assert_eq!(attributes, ["Path", "HttpOnly", "SameSite"]);
        let back = asked(&[("Cookie", &format!("x=y; {pair}; a=z"))], |req| req.cookie("a").map(|value| value.into_owned()));
        prop_assert_eq!(back, Some(value));
    }

    #[test]
    fn whatever_a_cookie_is_made_of_it_is_refused_or_has_the_attributes_that_were_meant(
        (name, domain, path) in ("[a-c;=, \\r\\n-]{0,4}", "[a-c.;=, \\r\\n-]{0,6}", "/?[a-c;=, \\r\\n]{0,4}")
    ) {
        if let Ok(field) = Cookie::new(&*name, "1").domain(&*domain).path(&*path).to_field() {
            let (pair, attributes) = as_a_browser(&field);
            prop_assert_eq!(pair, format!("{name}=1"));
            prop_assert_eq!(attributes, ["Domain", "Path", "HttpOnly", "SameSite"]);
            prop_assert!(!field.contains(['\r', '\n']));
        }
    }

    #[test]
    fn no_cookie_field_is_too_odd_to_be_read(field in prop::collection::vec(any::<u8>(), 0..80)) {
        for (name, value) in oneloop::proto::cookie::pairs([&*field]) {
            prop_assert!(!name.contains(&b'=') && !name.contains(&b';') && !value.contains(&b';'));
            oneloop::proto::cookie::decoded(value);
        }
    }
}
