//! The limits of a pattern, and what no path can match.

use crate::app::routing::Pattern;

fn error(pattern: &str) -> String {
    Pattern::parse(pattern).expect_err(pattern).to_string()
}

#[test]
fn a_pattern_that_no_path_can_match_is_refused() {
    for (pattern, why) in [
        ("/a//b", "no path has an empty segment"),
        ("//", "no path has an empty segment"),
        ("/a/./b", "no path has a segment `.`"),
        ("/..", "no path has a segment `..`"),
        ("/%2e%2e/a", "no path has a segment `..`"),
        ("/a\\\\b", "the path has a backslash"),
        ("/a%00", "the path has a NUL"),
        ("/%ff", "the path is not UTF-8"),
        ("/100%", "write `%25` for a percent sign"),
        ("/:a/:a", "the name `a` is there twice"),
        ("/:a/*a", "the name `a` is there twice"),
    ] {
        assert!(error(pattern).contains(why), "{}", error(pattern));
    }
    assert!(Pattern::parse("/100\\%/100%25").is_ok_and(|patterns| patterns[0].read(
        "/100%25/100%25",
        false,
        |_, _| ()
    )));
}

/// They began silently, and matched `/users/id` and `/users/`.
#[test]
fn a_parameter_in_the_syntax_of_another_router_is_an_error_that_says_what_to_write() {
    for (pattern, instead) in [
        ("/users/{id}", "write `:id` for a parameter"),
        ("/{user_id}/posts", "write `:user_id` for a parameter"),
        ("/users/{id}", "`{/id}` for a segment that may be absent"),
        ("/photos/{name}.png", "write `:name` for a parameter"),
        ("{/{id}}", "write `:id` for a parameter"),
        ("/users/{id:int}", "write `:id` for a parameter"),
        ("/users/{id:[0-9]+}", "`:` needs a name, such as `:id`"),
        ("/users/<id>", "a parameter is written as `:id`"),
        ("/users/<int:id>", "a parameter is written as `:id`"),
        ("/users/[id]", "take a parameter, such as `:id`"),
    ] {
        assert!(error(pattern).contains(instead), "{}", error(pattern));
    }
    for pattern in ["/file{s}", "/users{/id}", "/{:id}-x", "/{*rest}", "/{a-b}", "/\\<id>", "/a<b>"] {
        assert!(Pattern::parse(pattern).is_ok(), "{pattern}");
    }
}

#[test]
fn groups_make_sixteen_patterns_at_most() {
    let count = |text: &str| Pattern::parse(text).map_or(0, |patterns| patterns.len());
    assert_eq!(count("/a"), 1);
    assert_eq!(count("/a{/b}{/c}{/d}{/e}"), 16);
    assert!(error("/a{/b}{/c}{/d}{/e}{/f}").contains("more than 16 combinations"));
    assert_eq!(count("/a{/b{/c{/d}}}"), 4);
    assert_eq!(count(&format!("/{}{}", "{a".repeat(15), "}".repeat(15))), 16);
    // Neither time nor stack grows with them.
    assert!(error(&format!("/{}{}", "{a".repeat(10_000), "}".repeat(10_000))).contains("too many optional groups"));
    assert!(error(&"{/a}".repeat(10_000)).contains("optional groups"));
}

#[test]
fn a_pattern_has_64_segments_at_most() {
    assert!(Pattern::parse(&"/a".repeat(64)).is_ok());
    assert!(error(&"/a".repeat(65)).contains("more than 64 segments"));
}

#[test]
fn texts_may_be_encoded_or_not() {
    let read = |pattern: &str| Pattern::parse(pattern).unwrap_or_default();
    assert_eq!(read("/caf\u{e9} x"), read("/caf%c3%a9%20x"));
    assert_eq!(read("/%61@"), read("/a%40"));
    assert_ne!(read("/a%2fb"), read("/a/b"));
}
