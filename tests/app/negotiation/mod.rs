//! What is sent is what the client wants most of what there is.

mod cases;

use crate::asked::asked;
use cases::*;
use oneloop::http::Request;
use oneloop::proto::media_type::MediaType;
use oneloop::proto::negotiation::{charset, encoding, language, media_type};
use proptest::collection::vec;
use proptest::prelude::*;

type Choose = for<'r, 'o> fn(&'r Request, &'r [&'o str]) -> Option<&'o str>;

/// All offers that a request accepts, best first: the best, the best of the others, and so on.
fn order(name: &'static str, (field, offers, _): Case, choose: Choose) -> Vec<&'static str> {
    let fields: Vec<_> = field.map(|value| (name, value)).into_iter().collect();
    asked(&fields, move |req| {
        let mut left = offers.to_vec();
        let mut order = Vec::new();
        while let Some(best) = choose(req, &left) {
            let at = left.iter().position(|offer| std::ptr::eq(*offer, best)).expect("it is one of the offers");
            order.push(left.remove(at));
        }
        order
    })
}

fn check(name: &'static str, best: &[Case], in_order: &[Case], choose: Choose) {
    assert!(best.len() > 25 && in_order.len() > 25);
    for case in best {
        assert_eq!(order(name, *case, choose).first(), case.2.first(), "{name}: {case:?}");
    }
    for case in in_order {
        assert_eq!(order(name, *case, choose), case.2, "{name}: {case:?}");
    }
}

#[test]
fn the_media_type_that_the_client_wants_most_is_chosen() {
    check("Accept", MEDIA_BEST, MEDIA_ORDER, Request::accepts);
}

#[test]
fn the_coding_that_the_client_wants_most_is_chosen() {
    check("Accept-Encoding", ENCODING_BEST, ENCODING_ORDER, Request::accepts_encodings);
}

#[test]
fn the_language_that_the_client_wants_most_is_chosen() {
    check("Accept-Language", LANGUAGE_BEST, LANGUAGE_ORDER, Request::accepts_languages);
}

#[test]
fn the_charset_that_the_client_wants_most_is_chosen() {
    check("Accept-Charset", CHARSET_BEST, CHARSET_ORDER, Request::accepts_charsets);
}

#[test]
fn of_equally_wanted_offers_the_first_is_chosen() {
    for (name, case, ours) in SERVERS_ORDER {
        let choose: Choose = match *name {
            "Accept" => Request::accepts as Choose,
            "Accept-Encoding" => Request::accepts_encodings as Choose,
            _ => Request::accepts_languages as Choose,
        };
        assert_eq!(order(name, *case, choose), *ours, "{name}: {case:?}");
        assert_ne!(case.2, *ours, "then it is no deviation");
    }
}

/// axios sends this, and a server that has both would send pages to programs if `*/*` counted as much.
#[test]
fn what_is_named_is_wanted_more_than_what_is_not() {
    let best = asked(&[("Accept", "application/json, text/plain, */*")], |req| req.accepts(&["html", "json"]));
    assert_eq!(best, Some("json"));
}

#[test]
fn a_body_is_what_its_content_type_says_if_that_is_one() {
    for (field, name, expected) in IS {
        let fields: Vec<_> = field.map(|value| ("Content-Type", value)).into_iter().collect();
        assert_eq!(asked(&fields, |req| req.is(name)), *expected, "{field:?} is {name}");
    }
}

/// Elements as clients and attackers write them: by the grammar, and nearly. No quoted string is left open: that would take the
/// rest of its field with it.
fn element() -> impl Strategy<Value = String> {
    let name = prop_oneof![
        3 => prop::sample::select(&["text/html", "text/*", "*/*", "*", "gzip", "identity", "en", "en-GB", "utf-8", "*/*+xml", "TEXT/Plain"][..])
            .prop_map(str::to_owned),
        1 => "[a-z*/+-]{0,9}",
    ];
    let parameters = prop_oneof![
        4 => "( ?; ?q=(0|1|0\\.[0-9]{1,4}|[01.]{1,3}))?",
        2 => "(; ?[a-c]=([a-z]|\"[ !#-\\[\\]-~]{0,4}\"))?;q=0\\.[0-9]",
        1 => "[ !#-\\[\\]-~\\t]{0,12}",
    ];
    (name, parameters).prop_map(|(name, parameters)| name + &parameters)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Whether a client sends one field or several, and in whose case, is no difference (RFC 9110, 5.3).
    #[test]
    fn several_fields_mean_what_one_list_means(elements in vec(element(), 0..6), cut in any::<prop::sample::Index>()) {
        let upper: Vec<_> = elements.iter().map(|element| element.to_ascii_uppercase()).collect();
        let whole = elements.join(",");
        let (one, other) = upper.split_at(cut.index(upper.len() + 1));
        let parts = [one.join(" , "), other.join(",\t,")];
        let parts = || parts.iter().map(String::as_str);
        for offer in ["text/html", "text/plain;a=b", "application/xml+xml"] {
            let offer = MediaType::read(offer).unwrap();
            prop_assert_eq!(media_type([&*whole], &offer), media_type(parts(), &offer));
        }
        for offer in ["gzip", "identity", "en", "en-GB", "utf-8"] {
            prop_assert_eq!(encoding([&*whole], offer), encoding(parts(), offer));
            prop_assert_eq!(language([&*whole], offer), language(parts(), offer));
            prop_assert_eq!(charset([&*whole], offer), charset(parts(), offer));
        }
    }

    #[test]
    fn no_field_is_too_odd_to_be_read(field in "\\PC{0,60}|[a-z/*;=q0.\"\\\\, -]{0,60}") {
        let offer = MediaType::read("text/html;a=b").unwrap();
        for preference in [media_type([&*field], &offer), encoding([&*field], "gzip"), language([&*field], "en"), charset([&*field], "utf-8")] {
            prop_assert!(preference.is_none_or(|preference| preference.quality() > 0.0 && preference.quality() <= 1.0));
        }
    }
}
