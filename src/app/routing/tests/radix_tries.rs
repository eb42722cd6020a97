//! Route sets of matchit and wayfind, two tries whose order is specificity, registered in that order: where they find a route, so do
//! we, though here a slash at the end does not matter.

use super::program::{chain, program, step};

/// Routes, the most specific ones first; then paths, each with its route and its values. No route is the empty text.
const SETS: &[(&[&str], &[(&str, &str, &str)])] = &[
    // A text must not stop where a parameter could go on (matchit#12, #31).
    (
        &["/path/foo", "/path/*rest"],
        &[
            ("/path/foo", "/path/foo", ""),
            ("/path/bar", "/path/*rest", "rest=bar"),
            ("/path/foo/x", "/path/*rest", "rest=foo/x"),
        ],
    ),
    (
        &["/path/foo/:arg", "/path/*rest"],
        &[
            ("/path/foo/myarg", "/path/foo/:arg", "arg=myarg"),
            ("/path/foo/myarg/bar/baz", "/path/*rest", "rest=foo/myarg/bar/baz"),
        ],
    ),
    (
        &["/secret/:id/path", "/:object/:id"],
        &[
            ("/secret/978/path", "/secret/:id/path", "id=978"),
            ("/something/978", "/:object/:id", "object=something id=978"),
            ("/secret/978", "/:object/:id", "object=secret id=978"),
        ],
    ),
    (&["/foo_bar", "/foo/bar"], &[("/foo/", "", ""), ("/foo/bar", "/foo/bar", "")]),
    (
        &[
            "/s",
            "/s/s",
            "/s/s/s",
            "/s/s/s/s",
            "/s/s/:s/x",
            "/s/s/:y/d",
            "/x/:foo/bar",
            "/x/:bar/baz",
            "/:foo/baz/bax",
            "/:fod/baz/bax/foo",
            "/:foo/:baz/bax",
            "/:foo/:bar/baz",
            "/:bar/:bay/bay",
            "/:fod/:baz/:bax/foo",
        ],
        &[
            ("/x/foo/bar", "/x/:foo/bar", "foo=foo"),
            ("/x/foo/baz", "/x/:bar/baz", "bar=foo"),
            ("/y/foo/baz", "/:foo/:bar/baz", "foo=y bar=foo"),
            ("/y/foo/bax", "/:foo/:baz/bax", "foo=y baz=foo"),
            ("/y/baz/baz", "/:foo/:bar/baz", "foo=y bar=baz"),
            ("/y/baz/bax/foo", "/:fod/baz/bax/foo", "fod=y"),
            ("/y/baz/b/foo", "/:fod/:baz/:bax/foo", "fod=y baz=baz bax=b"),
            ("/y/baz/bax", "/:foo/baz/bax", "foo=y"),
            ("/z/bar/bay", "/:bar/:bay/bay", "bar=z bay=bar"),
            ("/s", "/s", ""),
            ("/s/s/s/s", "/s/s/s/s", ""),
            ("/s/s/s/x", "/s/s/:s/x", "s=s"),
            ("/s/s/s/d", "/s/s/:y/d", "y=s"),
        ],
    ),
    (
        &[
            "/posts/:year/:month/index",
            "/posts/:year/:month/:post",
            "/posts/:year/top",
            "/static/*path",
            "/favicon.ico",
            "/:page",
        ],
        &[
            ("/about", "/:page", "page=about"),
            ("/posts/2021/01/rust", "/posts/:year/:month/:post", "year=2021 month=01 post=rust"),
            ("/posts/2021/01/index", "/posts/:year/:month/index", "year=2021 month=01"),
            ("/posts/2021/top", "/posts/:year/top", "year=2021"),
            ("/static/foo.png", "/static/*path", "path=foo.png"),
            ("/favicon.ico", "/favicon.ico", ""),
        ],
    ),
    (
        &["/foo", "/bar", "/baz/x", "/baz/:xxx", "/baz", "/xxx/*x", "/xxx/", "/", "/*bar"],
        &[
            ("/foo", "/foo", ""),
            ("/baz/x", "/baz/x", ""),
            ("/baz/y", "/baz/:xxx", "xxx=y"),
            ("/qqq", "/*bar", "bar=qqq"),
            ("/", "/", ""),
            ("/xxx/y", "/xxx/*x", "x=y"),
            ("/xxx/", "/xxx/", ""),
            // Without `strict` the slash does not matter: matchit has the wildcard here.
            ("/xxx", "/xxx/", ""),
        ],
    ),
    (
        &["/foo/*catchall", "/bar/*catchall", "/bar"],
        &[("/foo", "", ""), ("/foo/", "", ""), ("/foo/x", "/foo/*catchall", "catchall=x")],
    ),
    (
        &["/a/b/:c/d", "/a/:b/:c"],
        &[("/a/b/c/d", "/a/b/:c/d", "c=c"), ("/a/b/c", "/a/:b/:c", "b=b c=c"), ("/a/b/c/e", "", "")],
    ),
    (&["/foo", "/bar", "/:baz"], &[("/", "", "")]),
    // In one segment: text before and behind a parameter (wayfind's inline parameters).
    (
        &["/:name.txt", "/:name.:ext", "/file-:id", "/:x"],
        &[
            ("/a.txt", "/:name.txt", "name=a"),
            ("/a.b.txt", "/:name.txt", "name=a.b"),
            ("/a.png", "/:name.:ext", "name=a ext=png"),
            ("/file-7", "/file-:id", "id=7"),
            ("/file-", "/:x", "x=file-"),
            ("/.txt", "/:x", "x=.txt"),
        ],
    ),
    // wayfind's own remark: `/api/docs/help` matches the first there, and it does not look further.
    (
        &["/api/:version/help", "/api/docs/*rest"],
        &[
            ("/api/docs/help", "/api/:version/help", "version=docs"),
            ("/api/docs/help/me", "/api/docs/*rest", "rest=help/me"),
        ],
    ),
];

#[test]
fn where_specificity_finds_a_route_so_does_this_order() {
    for (routes, paths) in SETS {
        let program = program(routes.iter().map(|route| step(route)).collect());
        for (path, route, values) in *paths {
            let first = chain(&program, path).first().and_then(|&number| program.step(number));
            assert_eq!(first.map_or("", |step| &step.text), *route, "{path}");
            let found = first.into_iter().flat_map(|step| step.captures(path));
            let found = found.map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(" ");
            assert_eq!(found, *values, "{path}");
        }
    }
}
