//! The cases of path-to-regexp 8, whose syntax this is: pattern, path, values. What it decides otherwise is argued beside it.
//!
//! Left out: paths without a leading slash, which no request has; other delimiters than `/`; its options, of which `sensitive` is
//! always on here, and `end` and `trailing` are `Reach` and `strict`.

use super::program::{chain, program, step};
use crate::app::routing::{Pattern, Reach, Step, canonical, decoded};

/// No match.
const NO: &str = "no";

/// Pattern, then paths with what they match: names and values with `=` between them and blanks around them.
const CASES: &[(&str, &[(&str, &str)])] = &[
    ("/", &[("/", ""), ("/route", NO)]),
    // Case matters here (RFC 3986, 6.2.2.1); in path-to-regexp it does not by default.
    ("/test", &[("/test", ""), ("/route", NO), ("/test/route", NO), ("/test/", ""), ("/TEST/", NO)]),
    ("/TEST", &[("/test", NO), ("/TEST", "")]),
    // Express takes the slash from the end of a pattern before path-to-regexp sees it.
    ("/test/", &[("/test/", ""), ("/route", NO), ("/test", ""), ("/test//", NO)]),
    (
        "/:test",
        &[
            ("/route", "test=route"),
            ("/route/", "test=route"),
            ("/route.json", "test=route.json"),
            ("/route.json/", "test=route.json"),
            ("/route/test", NO),
            ("/caf%C3%A9", "test=caf\u{e9}"),
            ("/caf\u{e9}", "test=caf\u{e9}"),
            ("/;,:@&=+$-_.!~*()", "test=;,:@&=+$-_.!~*()"),
            ("/param%2523", "test=param%23"),
            ("/", NO),
            // An old version took these.
            ("///route", NO),
        ],
    ),
    ("/:\"0\"", &[("/123", "0=123")]),
    ("/:_", &[("/a", "_=a")]),
    ("/:caf\u{e9}", &[("/a", "caf\u{e9}=a")]),
    (r#"/:"1\"\2\"3""#, &[("/a", "1\"2\"3=a")]),
    ("/:\"test\"stuff", &[("/astuff", "test=a"), ("/stuff", NO)]),
    ("{/route}", &[("/", ""), ("/foo", NO), ("/route", "")]),
    ("{/:test}", &[("/route", "test=route"), ("/", "")]),
    ("{/:test}/bar", &[("/bar", ""), ("/foo/bar", "test=foo"), ("/foo/bar/", "test=foo")]),
    ("/{:test}-bar", &[("/-bar", ""), ("/foo-bar", "test=foo"), ("/foo-bar/", "test=foo")]),
    ("/test.json", &[("/test.json", ""), ("/test", NO)]),
    (
        "/:test.json",
        &[
            ("/.json", NO),
            ("/test.json", "test=test"),
            ("/route.json", "test=route"),
            ("/route.json.json", "test=route.json"),
        ],
    ),
    (
        "/:test.:format",
        &[
            ("/route.html", "test=route format=html"),
            ("/route", NO),
            ("/route.html.json", "test=route.html format=json"),
        ],
    ),
    (
        "/:test{.:format}",
        &[
            ("/route", "test=route"),
            ("/route.json", "test=route format=json"),
            ("/route.json.html", "test=route.json format=html"),
        ],
    ),
    (r"/:test.:format\z", &[("/route.htmlz", "test=route format=html"), ("/route.html", NO)]),
    (r"/\(testing\)", &[("/testing", NO), ("/(testing)", "")]),
    (r"/.\+\*\?\{\}=^\!\:$\[\]\|", &[("/.+*?{}=^!:$[]|", "")]),
    ("/:foo/:bar", &[("/match/route", "foo=match bar=route")]),
    (r"/:foo\(test\)/bar", &[("/foo(test)/bar", "foo=foo"), ("/foo/bar", NO)]),
    (r"/:foo\?", &[("/route?", "foo=route"), ("/route%3F", "foo=route"), ("/route", NO)]),
    ("/{:pre}baz", &[("/foobaz", "pre=foo"), ("/baz", "")]),
    (r"/:foo\(:bar\)", &[("/hello(world)", "foo=hello bar=world"), ("/hello()", NO)]),
    (r"/:foo\({:bar}\)", &[("/hello(world)", "foo=hello bar=world"), ("/hello()", "foo=hello")]),
    (
        "/:required{/:optional}-ext",
        &[("/foo-ext", "required=foo"), ("/foo/bar-ext", "required=foo optional=bar"), ("/foo/-ext", NO)],
    ),
    ("/caf\u{e9}", &[("/caf\u{e9}", ""), ("/caf%C3%A9", ""), ("/caf%c3%a9", "")]),
    (
        "/name{/:attr1}{-:attr2}{-:attr3}",
        &[
            ("/name", ""),
            ("/name/test", "attr1=test"),
            ("/name/1", "attr1=1"),
            ("/name/1-2", "attr1=1 attr2=2"),
            ("/name/1-2-3", "attr1=1 attr2=2 attr3=3"),
            ("/name/foo-bar/route", NO),
            ("/name/test/route", NO),
        ],
    ),
    ("/user{s}/:user", &[("/user/123", "user=123"), ("/users/123", "user=123")]),
    (
        "/*path",
        &[("/", NO), ("/route", "path=route"), ("/route/nested", "path=route/nested"), ("/route/", "path=route/")],
    ),
    ("/entity/:id/*path", &[("/entity/foo", NO), ("/entity/foo/path", "id=foo path=path")]),
    ("/:foo{/test/:bar}", &[("/route", "foo=route"), ("/route/test/again", "foo=route bar=again")]),
    (
        "/abc{abc:foo}",
        &[
            ("/abc", ""),
            ("/abcabc", NO),
            ("/abcabc123", "foo=123"),
            ("/abcabcabc123", "foo=abc123"),
            ("/abcabcabc", "foo=abc"),
        ],
    ),
    (
        "/:foo{abc:bar}",
        &[
            ("/abc", "foo=abc"),
            ("/abcabc", "foo=abcabc"),
            ("/abcabc123", "foo=abc bar=123"),
            ("/acb", "foo=acb"),
            ("/123", "foo=123"),
            ("/123abcabc", "foo=123 bar=abc"),
        ],
    ),
    (
        r"/:foo\abc:bar",
        &[("/abc", NO), ("/abcabc", NO), ("/abcabc123", "foo=abc bar=123"), ("/123abcabc", "foo=123 bar=abc")],
    ),
    ("/route|:param|", &[("/route|world|", "param=world"), ("/route||", NO)]),
    ("/:foo|:bar|", &[("/hello|world|", "foo=hello bar=world"), ("/hello||", NO)]),
    ("/:foo{|:bar|}", &[("/hello|world|", "foo=hello bar=world"), ("/hello||", "foo=hello||")]),
    (r"/:foo\@:bar", &[("/x@y", "foo=x bar=y"), ("/x@", NO)]),
    // A value may be the text that separates: there is one rule, the last text that leaves both sides something.
    (
        "/:foo-:bar",
        &[("/x--", "foo=x bar=-"), ("/x---y", "foo=x-- bar=y"), ("/-x", NO), ("/--", NO), ("/---", "foo=- bar=-")],
    ),
    // The same with the delimiter `%25`, for which `/` stands here.
    (
        "/:foo{/:bar}",
        &[("/hello", "foo=hello"), ("/hello/world", "foo=hello bar=world"), ("/555/222", "foo=555 bar=222")],
    ),
    // It says `555.` and `.222`: its second value is as long as it can be without the separator, ours as short as it can be.
    ("/:foo..:bar", &[("/hello..world", "foo=hello bar=world"), ("/555....222/", "foo=555.. bar=222")]),
    // The digits of an encoded byte are no text: path-to-regexp finds `2` there, and fails to decode what it has cut.
    ("/:\"foo\"2:bar", &[("/a%20b", NO), ("/a2b%20c", "foo=a bar=b c"), ("/a%202b", "foo=a  bar=b")]),
    ("/:\"foo\"0", &[("/a%20", NO), ("/a%200", "foo=a ")]),
];

/// With `end: false`, as prefixes.
const PREFIXES: &[(&str, &[(&str, &str)])] = &[
    (
        "/test",
        &[("/test", ""), ("/test/", ""), ("/test////", ""), ("/route/test", NO), ("/test/route", ""), ("/route", NO)],
    ),
    // As above, Express takes the slash away.
    ("/test/", &[("/test", ""), ("/test/", ""), ("/test//", ""), ("/test/route", ""), ("/route/test/deep", NO)]),
    (
        "/:test",
        &[
            ("/route", "test=route"),
            ("/route/", "test=route"),
            ("/route.json", "test=route.json"),
            ("/route/test", "test=route"),
            ("/route.json/test", "test=route.json"),
            ("/caf%C3%A9", "test=caf\u{e9}"),
        ],
    ),
    ("/:test/", &[("/route", "test=route"), ("/route/test/", "test=route"), ("/route//test", "test=route")]),
    ("/", &[("/", ""), ("/route", ""), ("/route/", "")]),
];

/// What is no pattern here, with a part of the reason. Wildcards anywhere but at the end are the largest part: two of them make
/// a match quadratic, and what is between them ambiguous (CVE-2026-4923, CVE-2026-4867).
const REFUSED: &[(&str, &str)] = &[
    ("/:a:b", "put text between `:b` and the parameter before it"),
    ("{/:foo}{/:bar}-ext", "it does not begin with `/`"),
    ("{/:test}-bar", "it does not begin with `/`"),
    ("test", "it does not begin with `/`"),
    (":test", "it does not begin with `/`"),
    ("{:test}", "it does not begin with `/`"),
    ("*path", "it does not begin with `/`"),
    ("{:foo/}{:bar.}", "it does not begin with `/`"),
    ("$:foo{$:bar}", "it does not begin with `/`"),
    (r"\\:test", "it does not begin with `/`"),
    ("/*path.:ext", "a wildcard is the whole last segment"),
    ("/:path.*ext", "a wildcard is the whole last segment"),
    ("/*path{.:ext}", "a wildcard is the whole last segment"),
    ("/*foo/:bar/*baz", "a wildcard is the whole last segment"),
    ("/*foo-:bar", "a wildcard is the whole last segment"),
    ("/*foo-*bar-:baz", "a wildcard is the whole last segment"),
    ("/*foo-:bar-*baz", "a wildcard is the whole last segment"),
    ("/*foo-*bar", "a wildcard is the whole last segment"),
    ("/:foo-:bar-*baz", "a wildcard is the whole last segment"),
    ("/:foo-:bar-*baz-:qux", "a wildcard is the whole last segment"),
    ("/*foo/:bar/*baz/:qux", "a wildcard is the whole last segment"),
    ("/*foo/abc-:bar/xyz-*baz/:qux", "a wildcard is the whole last segment"),
    ("/*a@:b-*c", "a wildcard is the whole last segment"),
    ("/:a-*b.:c@*d", "a wildcard is the whole last segment"),
    ("/*a--*b@@:c", "a wildcard is the whole last segment"),
    ("/*a~~:b~~*c/:d", "a wildcard is the whole last segment"),
    ("/x/*a/*b/y", "a wildcard is the whole last segment"),
    ("/x/*a-:b/*c/y", "a wildcard is the whole last segment"),
    ("/x/*a@/*c/y", "a wildcard is the whole last segment"),
    ("/x/*a/y/*b/z", "a wildcard is the whole last segment"),
    ("/:a-:b^*c@*d%:e", "a wildcard is the whole last segment"),
    // What path-to-regexp refuses as well.
    ("/{:foo", "`{` is never closed"),
    ("/:foo}", "`}` closes no group"),
    ("/:(", "`:` needs a name"),
    ("/:", "`:` needs a name"),
    ("/*", "`*` needs a name, such as `*rest`"),
    ("/:\"foo", "the quotes of a name are never closed"),
    ("/:\"\"", "a name in quotes is not empty"),
    ("/:foo?", "`?` is reserved: for an optional part write a group"),
    ("/:foo+", "`+` is reserved: for one or more segments write `/*rest`"),
    ("/:foo*", "`*` needs a name"),
    ("/:foo(\\\\d+)", "`(` is reserved: there are no expressions"),
    ("/[a-z]", "`[` is reserved"),
    ("/a!", "`!` is reserved"),
    ("/a\\", "there is nothing behind the last `\\`"),
    ("/:1", "a name does not begin with a digit; write it in quotes: `:\"1\"`"),
];

fn compare(cases: &[(&str, &[(&str, &str)])], reach: Reach) {
    for (pattern, rows) in cases {
        for (path, expected) in *rows {
            let path = canonical(path).unwrap_or_else(|why| panic!("{path}: {why}"));
            let read = || Step { reach, ..step(pattern) };
            let found = (chain(&program(vec![read()]), &path) == [0]).then(|| {
                let step = read();
                let values = step.captures(&path).map(|(name, value)| format!("{name}={}", decoded(value)));
                let values = values.collect::<Vec<_>>();
                values.join(" ")
            });
            assert_eq!(found.as_deref().unwrap_or(NO), *expected, "{pattern} and {path}");
        }
    }
}

#[test]
fn patterns_match_as_those_of_path_to_regexp_but_for_what_is_argued_here() {
    compare(CASES, Reach::Exact);
}

#[test]
fn prefixes_match_as_without_end() {
    compare(PREFIXES, Reach::Prefix);
}

#[test]
fn what_cannot_be_matched_in_linear_time_is_no_pattern_and_the_error_says_what_to_write() {
    for (pattern, why) in REFUSED {
        let error = Pattern::parse(pattern).expect_err(pattern).to_string();
        assert!(error.starts_with(&format!("the pattern `{pattern}`: ")) && error.contains(why), "{error}");
    }
}
