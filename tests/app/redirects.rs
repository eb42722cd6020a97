//! A redirect stays on the host, whatever it is made of.

use oneloop::http::{self, Request, Response};
use oneloop::sim::{Reply, Sim};
use proptest::prelude::*;

fn reply(method: &str, fields: &[(&str, &str)], handler: impl FnMut(Request, Response) + 'static) -> Reply {
    let sim = Sim::new();
    let server = http::create_server(handler);
    server.listen(80, ()).unwrap();
    fields.iter().fold(sim.request(method, "/"), |request, (name, value)| request.header(name, value)).send()
}

/// The cases of encodeurl (pillarjs), and ours: a URL, and what `Location` is.
const ENCODED: &[(&str, &str)] = &[
    ("http://localhost/foo/bar.html?fizz=buzz#readme", "http://localhost/foo/bar.html?fizz=buzz#readme"),
    ("http://[::1]:8080/foo/bar", "http://[::1]:8080/foo/bar"),
    ("http://localhost/\nsnow.html", "http://localhost/%0Asnow.html"),
    ("http://localhost/\u{c}snow.html", "http://localhost/%0Csnow.html"),
    ("http://localhost/\rsnow.html", "http://localhost/%0Dsnow.html"),
    ("http://localhost/ snow.html", "http://localhost/%20snow.html"),
    ("http://localhost/\0snow.html", "http://localhost/%00snow.html"),
    ("/ !\"#$%&'()*+,-./", "/%20!%22#$%25&'()*+,-./"),
    ("/0123456789:;<=>?", "/0123456789:;%3C=%3E?"),
    ("/@ABCDEFGHIJKLMNOPQRSTUVWXYZ[]^_", "/@ABCDEFGHIJKLMNOPQRSTUVWXYZ[]^_"),
    ("/`abcdefghijklmnopqrstuvwxyz{|}~\u{7f}", "/%60abcdefghijklmnopqrstuvwxyz%7B|%7D~%7F"),
    ("/\u{80}\u{ff}", "/%C2%80%C3%BF"),
    ("http://localhost/%20snow.html", "http://localhost/%20snow.html"),
    ("http://localhost/%F0snow.html", "http://localhost/%F0snow.html"),
    ("http://localhost/%foo%bar%zap%", "http://localhost/%25foo%bar%25zap%25"),
    ("http://localhost/\u{1f47b} snow.html", "http://localhost/%F0%9F%91%BB%20snow.html"),
    // It leaves backslashes, which browsers read as slashes: `/\evil.example` is another host (CVE-2024-29041 of Express).
    ("http:\\\\localhost\\foo", "http:%5C%5Clocalhost%5Cfoo"),
];

#[test]
fn what_a_url_cannot_have_is_encoded_once() {
    for (url, expected) in ENCODED {
        let reply = reply("GET", &[], |_, res| res.location(url).end(()));
        assert_eq!(reply.header("location"), Some(*expected), "{url:?}");
    }
}

#[test]
fn after_a_post_the_browser_gets_the_page() {
    for (method, status) in [("GET", 302), ("HEAD", 302), ("POST", 303), ("PUT", 303), ("DELETE", 303)] {
        let reply = reply(method, &[], |_, res| res.redirect("/todos?show=all#last"));
        assert_eq!((reply.status(), reply.header("location")), (status, Some("/todos?show=all#last")), "{method}");
        // CVE-2024-43796 of Express: the URL in a page that was sent along.
        assert_eq!((reply.body(), reply.header("content-type")), (&b""[..], None));
    }
    assert_eq!(reply("POST", &[], |_, res| res.redirect_with(308, "/new")).status(), 308);
    assert_eq!(reply("GET", &[], |_, res| res.redirect_with(200, "/new")).status(), 500);
    let external = reply("POST", &[], |_, res| res.redirect_external("https://b.example/ü"));
    assert_eq!((external.status(), external.header("location")), (303, Some("https://b.example/%C3%BC")));
}

#[test]
fn what_is_no_path_of_this_host_is_refused_and_logged() {
    for to in [
        "//evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "https://evil.example/",
        "javascript:alert(1)",
        "evil.example",
        "",
        "todos",
        "?a",
        " /todos",
        "\t//evil.example",
    ] {
        let reply = reply("GET", &[], move |_, res| res.redirect(to));
        assert_eq!((reply.status(), reply.header("location")), (500, None), "{to:?}");
        assert!(reply.log().iter().any(|line| line.to_string().contains("no path of this host")), "{to:?}");
    }
}

#[test]
fn back_is_a_path_of_this_host_or_what_is_said_instead() {
    for (referer, expected) in [
        (Some("http://here.example/a/b?c=d#e"), "/a/b?c=d"),
        (Some("HTTPS://Here.Example/"), "/"),
        (Some("https://here.example"), "/else"),
        (None, "/else"),
        (Some(""), "/else"),
        (Some("/a"), "/else"),
        (Some("https://evil.example/a"), "/else"),
        (Some("https://here.example:81/a"), "/else"),
        (Some("https://here.example.evil.example/a"), "/else"),
        (Some("https://here.example@evil.example/a"), "/else"),
        (Some("https://evil.example/https://here.example/a"), "/else"),
        (Some("https://here.example//evil.example/a"), "/else"),
        (Some("https://here.example/\\evil.example/a"), "/else"),
        (Some("https://here.example\\@evil.example/a"), "/else"),
        (Some("ftp://here.example/a"), "/else"),
        (Some("javascript://here.example/%0aalert(1)"), "/else"),
    ] {
        let fields: Vec<_> =
            [("Host", "here.example")].into_iter().chain(referer.map(|page| ("Referer", page))).collect();
        let reply = reply("POST", &fields, |req, res| res.redirect(req.back_or("/else")));
        assert_eq!(reply.header("location"), Some(expected), "{referer:?}");
    }
}

/// Returns whether a browser that is on this host stays there. By the WHATWG's URL standard it drops controls and blanks around a
/// URL and tabs and line ends within, reads `\` as `/`, and takes for a host what stands behind a scheme or two slashes.
fn stays(location: &str) -> bool {
    let url: String = location.chars().filter(|c| !matches!(c, '\t' | '\r' | '\n')).collect();
    let url = url.trim_matches(|c: char| c <= ' ').replace('\\', "/");
    url.starts_with('/') && !url.starts_with("//")
}

#[test]
fn the_oracle_sees_what_leaves_the_host() {
    assert!(stays("/a//b") && stays(" /a\n"));
    for away in ["//b", "/\t/b", "/\\b", "\\\\b", "http:b", "a", "\0//b"] {
        assert!(!stays(away), "{away:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_text_leads_to_another_host(to in "\\PC{0,20}|[/\\\\.a:@?#\\t\\r\\n %]{0,9}|/[/\\\\.a:@?#\\t\\r\\n %0-9]{0,9}") {
        let reply = reply("GET", &[("Host", "a")], move |_, res| res.redirect(&to));
        match reply.header("location") {
            Some(location) => prop_assert!(stays(location) && reply.status() == 302, "{}", location),
            None => prop_assert_eq!(reply.status(), 500),
        }
    }

    #[test]
    fn no_referer_leads_to_another_host(referer in "[ -~]{0,20}|https?://(a|a@b|b|a:1)[/\\\\.a:@?# %]{0,9}") {
        let fields = [("Host", "a"), ("Referer", &*referer)];
        let reply = reply("GET", &fields, |req, res| res.redirect(req.back_or("/else")));
        prop_assert!(stays(reply.header("location").unwrap()));
    }
}
