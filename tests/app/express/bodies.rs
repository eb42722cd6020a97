//! `express.json.js`, `express.urlencoded.js`, `express.text.js`, `express.raw.js`.

use super::{SAME, replay, with};
use oneloop::app::{Form, form, form_up_to, json, json_up_to, raw, raw_up_to, text, text_up_to};
use oneloop::sim::Reply;
use serde_json::Value;

const NO_BODY: &str =
    "a reader that finds no body of its type refuses the request; in Express the handler gets nothing";
const NO_CODING: &str = "compressed bodies are refused: a small one can be large";
const FLAT: &str = "names are names: `a[b]` is no object (CVE-2022-24999)";

#[test]
fn json_bodies() {
    let test = with(|app| {
        app.post("/", json(|_req, res, value: Value| res.json(&value)));
        app.post("/small", json_up_to(10, |_req, res, value: Value| res.json(&value)));
        app.post("/object", json(|_req, res, value: serde_json::Map<String, Value>| res.json(&value)));
    });
    replay(
        &test,
        &[
            ("POST / | Content-Type: application/json < {\"user\":\"tobi\"}", "200 > {\"user\":\"tobi\"}", SAME),
            (
                "POST / | Content-Type: application/json; charset=utf-8 < {\"name\":\"论\"}",
                "200 > {\"name\":\"论\"}",
                SAME,
            ),
            ("POST / | Content-Type: application/JSON; charset=UTF-8 < {}", "200 > {}", SAME),
            (
                "POST / | Content-Type: application/vnd.api+json < {}",
                "200 > {}",
                "JSON by its suffix (RFC 6839) is JSON",
            ),
            ("POST / | Content-Type: application/json < ", "400", NO_BODY),
            ("POST / | Content-Type: application/json", "400", NO_BODY),
            ("POST / < {}", "415", NO_BODY),
            ("POST / | Content-Type: application/x-json < {}", "415", NO_BODY),
            ("POST / | Content-Type: application/json <    \n\n  ", "400", SAME),
            ("POST / | Content-Type: application/json < {\"user\":", "400", SAME),
            ("POST / | Content-Type: application/json < {:", "400", SAME),
            (
                "POST / | Content-Type: application/json < true",
                "200 > true",
                "what is wanted, the type of the argument says",
            ),
            (
                "POST /object | Content-Type: application/json < true",
                "422",
                "it is JSON, and not the type that is wanted; in Express 400",
            ),
            (
                "POST /object | Content-Type: application/json <   { \"user\": \"tobi\" }",
                "200 > {\"user\":\"tobi\"}",
                SAME,
            ),
            ("POST /small | Content-Type: application/json < {\"user\":\"tobi\"}", "413", SAME),
            (
                "POST /small | Content-Type: application/json | Transfer-Encoding: chunked < {\"user\":\"tobi\"}",
                "413",
                SAME,
            ),
            ("POST /small | Content-Type: application/json < [1,2]", "200 > [1,2]", SAME),
            ("POST / | Content-Type: application/json | Content-Encoding: identity < [1]", "200 > [1]", SAME),
            (
                "POST / | Content-Type: application/json | Content-Encoding: gzip < x",
                "415 | Accept-Encoding: identity",
                NO_CODING,
            ),
            ("POST / | Content-Type: application/json | Content-Encoding: nulls < x", "415", SAME),
            ("POST / | Content-Type: application/json; charset=koi8-r < {}", "415", SAME),
            (
                "POST / | Content-Type: application/json; charset=utf-16 < {}",
                "415",
                "JSON between systems is UTF-8 (RFC 8259, 8.1)",
            ),
            ("POST / | Content-Type: application/json | Content-Length: bad < {}", "400", SAME),
            ("GET / | Content-Type: application/json < {}", "405", SAME),
        ],
    );
    let refused =
        |reply: Reply| assert!(!reply.expect(400).text().contains("tobi"), "the answer quotes nothing of the body");
    refused(test.post("/").header("Content-Type", "application/json").body("{\"user\": tobi}").send());
}

#[test]
fn forms() {
    let said = |form: Form| form.pairs().map(|(name, value)| format!("{name}={value};")).collect::<String>();
    let test = with(|app| {
        app.post("/", form(move |_req, res, form: Form| res.end(said(form))));
        app.post("/small", form_up_to(10, move |_req, res, form: Form| res.end(said(form))));
    });
    replay(
        &test,
        &[
            ("POST / | Content-Type: application/x-www-form-urlencoded < user=tobi", "200 > user=tobi;", SAME),
            (
                "POST / | Content-Type: application/x-www-form-urlencoded < user=tobi&user=loki",
                "200 > user=tobi;user=loki;",
                SAME,
            ),
            (
                "POST / | Content-Type: application/x-www-form-urlencoded < user[name][first]=Tobi",
                "200 > user[name][first]=Tobi;",
                FLAT,
            ),
            (
                "POST / | Content-Type: application/x-www-form-urlencoded < user%5Bname%5D=Tobi",
                "200 > user[name]=Tobi;",
                FLAT,
            ),
            (
                "POST / | Content-Type: application/x-www-form-urlencoded < user.name=Tobi",
                "200 > user.name=Tobi;",
                SAME,
            ),
            (
                "POST / | Content-Type: application/x-www-form-urlencoded < foo[0]=bar&foo[1]=baz",
                "200 > foo[0]=bar;foo[1]=baz;",
                FLAT,
            ),
            ("POST / | Content-Type: application/x-www-form-urlencoded < a+b=c%20d", "200 > a b=c d;", SAME),
            ("POST / | Content-Type: application/x-www-form-urlencoded < ", "200 > ", SAME),
            (
                "POST / | Content-Type: application/x-www-form-urlencoded; charset=utf-8 < name=论",
                "200 > name=论;",
                SAME,
            ),
            ("POST / | Content-Type: application/x-www-form-urlencoded; charset=koi8-r < name=x", "415", SAME),
            (
                "POST / | Content-Type: application/x-www-form-urlencoded | Content-Encoding: deflate < x",
                "415",
                NO_CODING,
            ),
            ("POST / | Content-Type: application/x-www-form-urlencoded | Content-Encoding: nulls < x", "415", SAME),
            ("POST / | Content-Type: application/x-foo < user=tobi", "415", NO_BODY),
            ("POST / < user=tobi", "415", NO_BODY),
            ("POST /small | Content-Type: application/x-www-form-urlencoded < str=..........", "413", SAME),
            (
                "POST /small | Content-Type: application/x-www-form-urlencoded | Transfer-Encoding: chunked < str=..........",
                "413",
                SAME,
            ),
        ],
    );
    let of = |pairs: usize| test.post("/").form(&vec![("a", "b"); pairs]).send().status();
    assert_eq!((of(1000), of(1001)), (200, 413), "the limit of Express: 1,000 parameters");
}

#[test]
fn texts_and_bytes() {
    let test = with(|app| {
        app.post("/text", text(|_req, res, text| res.end(text)));
        app.post("/text/small", text_up_to(4, |_req, res, text| res.end(text)));
        app.post("/raw", raw(|_req, res, bytes| res.end(format!("{bytes:?}"))));
        app.post("/raw/small", raw_up_to(4, |_req, res, bytes| res.end(format!("{bytes:?}"))));
    });
    replay(
        &test,
        &[
            ("POST /text | Content-Type: text/plain < user is tobi", "200 > user is tobi", SAME),
            ("POST /text | Content-Type: text/plain; charset=utf-8 < name is 论", "200 > name is 论", SAME),
            ("POST /text | Content-Type: text/html < <p>", "200 > <p>", "all of `text/*` is text"),
            ("POST /text | Content-Type: text/xml < <p>", "200 > <p>", "the same"),
            ("POST /text | Content-Type: text/plain; charset=koi8-r < x", "415", "text is UTF-8"),
            ("POST /text | Content-Type: text/plain; charset=x-bogus < x", "415", SAME),
            ("POST /text | Content-Type: text/plain < ", "200 > ", SAME),
            ("POST /text < x", "415", NO_BODY),
            ("POST /text | Content-Type: application/json < {}", "415", NO_BODY),
            ("POST /text | Content-Type: text/plain | Content-Encoding: gzip < x", "415", NO_CODING),
            ("POST /text | Content-Type: text/plain | Content-Encoding: nulls < x", "415", SAME),
            ("POST /text/small | Content-Type: text/plain < abcd", "200 > abcd", SAME),
            ("POST /text/small | Content-Type: text/plain < abcde", "413", SAME),
            ("POST /text/small | Content-Type: text/plain | Transfer-Encoding: chunked < abcde", "413", SAME),
            ("POST /raw | Content-Type: application/octet-stream < abc", "200 > [97, 98, 99]", SAME),
            ("POST /raw | Content-Type: application/octet-stream; charset=koi8-r < a", "200 > [97]", SAME),
            ("POST /raw | Content-Type: application/vnd+octets < a", "200 > [97]", "bytes of any type"),
            ("POST /raw | Content-Type: application/octet-stream < ", "200 > []", SAME),
            ("POST /raw < a", "200 > [97]", "the same"),
            ("POST /raw | Content-Type: application/octet-stream | Content-Encoding: gzip < x", "415", NO_CODING),
            ("POST /raw | Content-Type: application/octet-stream | Content-Encoding: nulls < x", "415", SAME),
            ("POST /raw/small < abcde", "413", SAME),
            ("POST /raw/small | Transfer-Encoding: chunked < abcde", "413", SAME),
        ],
    );
}
