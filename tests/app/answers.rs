//! Fields of an answer that others read: `Vary`, `Link`, `Content-Type`, `Content-Disposition`, `ETag`.

use crate::support::folder::Folder;
use oneloop::http::{self, Response};
use oneloop::sim::{Reply, Sim};
use proptest::prelude::*;

/// The answer to a GET with these fields.
fn answer_to(fields: &[(&str, &str)], handler: impl FnMut(Response) + 'static) -> Reply {
    let mut handler = handler;
    let sim = Sim::new();
    let server = http::create_server(move |_, res| handler(res));
    server.listen(80, ()).unwrap();
    fields.iter().fold(sim.request("GET", "/"), |request, (name, value)| request.header(name, value)).send()
}

fn answer(handler: impl FnMut(Response) + 'static) -> Reply {
    answer_to(&[], handler)
}

/// The cases of vary (jshttp): the fields that are set before, the names that are added one after another, and what there is then.
/// Its arrays are calls here. Left out: 8 cases about arguments of no type that Rust lets pass.
const VARY: &[(&[&str], &[&str], &[&str])] = &[
    (&[], &["Origin"], &["Origin"]),
    (&[], &["foo", "bar"], &["foo, bar"]),
    (&[], &["foo, bar"], &["foo, bar"]),
    (&[], &["Origin", "User-Agent"], &["Origin, User-Agent"]),
    (&[], &["ORIGIN", "user-agent", "AccepT"], &["ORIGIN, user-agent, AccepT"]),
    (&[], &[""], &[]),
    (&["Accept"], &["Origin"], &["Accept, Origin"]),
    (&["Accept"], &["Origin", "User-Agent"], &["Accept, Origin, User-Agent"]),
    (&["Accept"], &["Accept"], &["Accept"]),
    (&["Accept"], &["accEPT"], &["Accept"]),
    (&["AccepT"], &["accEPT", "ORIGIN"], &["AccepT, ORIGIN"]),
    (&[], &["*"], &["*"]),
    (&["*"], &["Origin", "User-Agent"], &["*"]),
    (&["Accept, Accept-Encoding"], &["*"], &["*"]),
    (&[], &["Accept"], &["Accept"]),
    (&[], &["Accept, Accept-Encoding"], &["Accept, Accept-Encoding"]),
    (&[], &["  Accept     ,     Origin    "], &["Accept, Origin"]),
    (&[], &["Accept,*"], &["*"]),
    (&[], &["Accept", "ACCEPT"], &["Accept"]),
    (&[], &["Origin", "User-Agent", "*", "Accept"], &["*"]),
    (
        &["Accept, Accept-Encoding"],
        &["origin", "accept", "accept-charset"],
        &["Accept, Accept-Encoding, origin, accept-charset"],
    ),
    // It makes one field of several; we add to the first and leave the others.
    (&["Accept", "Accept-Encoding"], &["accept-encoding", "origin"], &["Accept, origin", "Accept-Encoding"]),
    // It makes `*` of this; we leave what the program has set, which means the same.
    (&["Accept, Accept-Encoding, *"], &["Origin"], &["Accept, Accept-Encoding, *"]),
    // Ours: a name within another one is not the other one.
    (&["Accept-Encoding"], &["Accept"], &["Accept-Encoding, Accept"]),
    (&[""], &["Accept"], &["", "Accept"]),
];

#[test]
fn vary_names_each_field_once() {
    for (before, added, expected) in VARY {
        let reply = answer(|res| {
            for value in *before {
                res.append_header("Vary", *value);
            }
            for names in *added {
                res.vary(names);
            }
            res.set_header("X-Behind", "whole").end("body")
        });
        assert_eq!(reply.header_all("vary").collect::<Vec<_>>(), *expected, "{before:?} and {added:?}");
        assert_eq!((reply.header("x-behind"), reply.text().as_str()), (Some("whole"), "body"));
    }
}

#[test]
fn what_is_no_name_of_a_field_is_a_500() {
    for names in ["invalid:header", "invalid header", "invalid\nheader", "invalid\u{80}header", "a, b c"] {
        assert_eq!(answer(move |res| res.vary(names).end("done")).status(), 500, "{names:?}");
    }
}

#[test]
fn links_are_encoded_and_cannot_become_other_links() {
    let reply = answer(|res| res.link("next", "/a?b=c>; rel=\"evil\"").link("prev", "/ü").end(()));
    let expected = ["</a?b=c%3E;%20rel=%22evil%22>; rel=\"next\"", "</%C3%BC>; rel=\"prev\""];
    assert_eq!(reply.header_all("link").collect::<Vec<_>>(), expected);
    assert_eq!(answer(|res| res.link("next\", <evil>; rel=\"next", "/").end(())).status(), 500);
}

#[test]
fn a_type_that_is_set_before_stays() {
    let of = |reply: Reply| reply.header("content-type").unwrap_or_default().to_owned();
    assert_eq!(of(answer(|res| res.html("<p>"))), "text/html; charset=utf-8");
    assert_eq!(of(answer(|res| res.text("a"))), "text/plain; charset=utf-8");
    assert_eq!(of(answer(|res| res.content_type("image/svg+xml").html("<svg>"))), "image/svg+xml");
    for (name, expected) in [
        ("json", "application/json"),
        (".html", "text/html; charset=utf-8"),
        ("TXT", "text/plain; charset=utf-8"),
        ("text", "text/plain; charset=utf-8"),
        ("unknown", "application/octet-stream"),
        ("x/y; z=1", "x/y; z=1"),
    ] {
        assert_eq!(of(answer(move |res| res.content_type(name).end(()))), expected);
    }
}

#[test]
fn format_chooses_by_accept_says_so_to_caches_and_answers_406() {
    let choose = |res: Response| {
        if let Some(chosen) = res.format(&["html", "json", "text/csv"]) {
            res.end(chosen);
        }
    };
    for (accept, status, text, media_type) in [
        ("text/csv", 200, "text/csv", "text/csv"),
        ("*/*", 200, "html", "text/html; charset=utf-8"),
        ("application/json, text/html;q=0.9", 200, "json", "application/json"),
        ("image/png", 406, "Not Acceptable", "text/plain; charset=utf-8"),
    ] {
        let reply = answer_to(&[("Accept", accept)], choose);
        assert_eq!((reply.status(), reply.header("content-type")), (status, Some(media_type)), "{accept}");
        assert!(reply.text().contains(text), "{accept}: {}", reply.text());
        if status == 200 {
            assert_eq!(reply.header("vary"), Some("Accept"));
        }
    }
}

/// The cases of content-disposition (jshttp), `create`: the name of a file, and the field's value. Left out: its options (another
/// fallback, `inline`); it keeps paths, we the last part of them, since clients drop the rest.
const ATTACHMENTS: &[(&str, &str)] = &[
    ("", "attachment"),
    ("plans.pdf", "attachment; filename=plans.pdf"),
    ("/path/to/plans.pdf", "attachment; filename=plans.pdf"),
    ("\\path\\to\\plans.pdf", "attachment; filename=plans.pdf"),
    ("C:\\path\\to\\plans.pdf", "attachment; filename=plans.pdf"),
    ("/path/to/plans.pdf///", "attachment; filename=plans.pdf"),
    ("C:\\path\\to\\plans.pdf\\\\\\", "attachment; filename=plans.pdf"),
    ("the plans.pdf", "attachment; filename=\"the plans.pdf\""),
    ("the \"plans\".pdf", "attachment; filename=\"the \\\"plans\\\".pdf\""),
    ("«plans».pdf", "attachment; filename=\"?plans?.pdf\"; filename*=UTF-8''%C2%ABplans%C2%BB.pdf"),
    (
        "the \"plans\" (1µ).pdf",
        "attachment; filename=\"the \\\"plans\\\" (1?).pdf\"; filename*=UTF-8''the%20%22plans%22%20%281%C2%B5%29.pdf",
    ),
    ("foo-ä.html", "attachment; filename=\"foo-?.html\"; filename*=UTF-8''foo-%C3%A4.html"),
    ("планы.pdf", "attachment; filename=\"?????.pdf\"; filename*=UTF-8''%D0%BF%D0%BB%D0%B0%D0%BD%D1%8B.pdf"),
    (
        "£ and € rates.pdf",
        "attachment; filename=\"? and ? rates.pdf\"; filename*=UTF-8''%C2%A3%20and%20%E2%82%AC%20rates.pdf",
    ),
    ("€ rates.pdf", "attachment; filename=\"? rates.pdf\"; filename*=UTF-8''%E2%82%AC%20rates.pdf"),
    ("€'*%().pdf", "attachment; filename=\"?'*%().pdf\"; filename*=UTF-8''%E2%82%AC%27%2A%25%28%29.pdf"),
    ("the%20plans.pdf", "attachment; filename=the%20plans.pdf; filename*=UTF-8''the%2520plans.pdf"),
    ("€%20£.pdf", "attachment; filename=\"?%20?.pdf\"; filename*=UTF-8''%E2%82%AC%2520%C2%A3.pdf"),
    // Ours.
    ("a\r\nSet-Cookie: b=c\0\u{85}.pdf", "attachment; filename=\"aSet-Cookie: b=c.pdf\""),
    ("///", "attachment"),
    ("../../etc/passwd", "attachment; filename=passwd"),
];

#[test]
fn the_name_of_an_attachment_is_written_for_every_client() {
    for (name, expected) in ATTACHMENTS {
        let reply = answer(|res| res.attachment(name).end("body"));
        assert_eq!(reply.header("content-disposition"), Some(*expected), "{name:?}");
    }
    let reply = answer(|res| res.attachment("a.csv").end("body"));
    assert_eq!(reply.header("content-type"), Some("text/csv; charset=utf-8"));
    let reply = answer(|res| res.content_type("text").attachment("a.csv").end("body"));
    assert_eq!(reply.header("content-type"), Some("text/plain; charset=utf-8"));
}

#[test]
fn a_download_is_a_file_under_another_name_and_a_missing_one_has_no_name() {
    let folder = Folder::new("downloads");
    std::fs::write(folder.path("1.txt"), "content").unwrap();
    let (there, missing) = (folder.path("1.txt"), folder.path("2.txt"));
    let reply = answer(move |res| res.download(&there, "plan.csv"));
    assert_eq!((reply.text().as_str(), reply.header("content-type")), ("content", Some("text/csv; charset=utf-8")));
    assert_eq!(reply.header("content-disposition"), Some("attachment; filename=plan.csv"));
    let reply = answer(move |res| res.download(&missing, "plan.csv"));
    assert_eq!((reply.status(), reply.header("content-disposition")), (404, None));
}

#[test]
fn the_same_bytes_have_the_same_tag_and_others_another_one() {
    let tag =
        |body: &'static str| answer(|res| res.etag_from(body.as_bytes()).end(())).header("etag").unwrap().to_owned();
    assert_eq!(tag("one"), tag("one"));
    let tags = ["", "\0", "one", "two", "eno"].map(tag);
    for (at, tag) in tags.iter().enumerate() {
        assert!(tag.starts_with('"') && tag.ends_with('"') && tag.len() > 34 && !tags[..at].contains(tag), "{tag}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Read as RFC 6266 says, the name is what was given, without folders and control characters.
    #[test]
    fn no_name_of_a_file_becomes_another_parameter(name in "\\PC{0,12}|[ -~\\r\\n\\t]{0,12}|[%\";=a'*]{0,9}") {
        let given = name.clone();
        let reply = answer(move |res| res.attachment(&name).end(()));
        let field = reply.header("content-disposition").unwrap();
        let parameters = oneloop::proto::parameters::Parameters::read(field.strip_prefix("attachment").unwrap()).unwrap();
        let names: Vec<_> = parameters.map(|(name, _)| name).collect();
        prop_assert!(["filename", "filename*"].starts_with(&names), "{}", field);
        let kept: String = given.rsplit(['/', '\\']).find(|part| !part.is_empty()).unwrap_or("").chars().filter(|c| !c.is_control()).collect();
        let plain = parameters.find("filename").map(|value| value.text().into_owned()).unwrap_or_default();
        let ascii: String = kept.chars().map(|c| if c.is_ascii() { c } else { '?' }).collect();
        prop_assert_eq!(plain, ascii);
    }
}
