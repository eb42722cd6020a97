//! Signed cookies: what comes back is what was given, under its own name, by one of the keys.

use oneloop::app::{App, Cookie, CookieKeys};
use oneloop::sim::Sim;

const OLD: &str = "the key of last year, which is long enough";
const NEW: &str = "the key of this year, which is long enough";

fn keys<const N: usize>(keys: [&str; N]) -> CookieKeys {
    CookieKeys::new(keys).unwrap()
}

/// The cookie as a client sends it back: name, `=`, and the value as it is written.
fn signed(name: &str, value: &str, keys: &CookieKeys) -> String {
    let field = Cookie::new(name, value).signed(keys).to_field().unwrap();
    field.split(';').next().unwrap().to_owned()
}

/// What a program with these keys reads of the cookie `name` when a client sends `cookie`.
fn read(name: &'static str, cookie: &str, keys: &CookieKeys) -> Option<String> {
    let sim = Sim::new();
    let (mut app, keys) = (App::new(), keys.clone());
    app.get("/", move |req, res| {
        res.end(req.signed_cookie(name, &keys).map_or("-".to_owned(), |value| format!("={value}")))
    });
    app.listen(80, ()).unwrap();
    let text = sim.request("GET", "/").header("Cookie", cookie).send().text();
    text.strip_prefix('=').map(str::to_owned)
}

#[test]
fn a_value_comes_back_as_it_was_signed() {
    let keys = keys([NEW]);
    for value in ["", "7", "a.b.c", "dark & quiet; =\"%\\,", "Zoë", ".", "a=b"] {
        let cookie = signed("cart", value, &keys);
        assert_eq!(read("cart", &cookie, &keys).as_deref(), Some(value), "{cookie}");
    }
    assert_eq!(read("cart", "theme=dark", &keys), None);
}

#[test]
fn what_is_changed_or_comes_under_another_name_is_no_value() {
    let keys = keys([NEW]);
    let cookie = signed("cart", "7", &keys);
    let (_, value) = cookie.split_once('=').unwrap();
    let mac = value.strip_prefix("7.").unwrap();
    assert_eq!(mac.len(), 64);
    for forged in [
        format!("cart=8.{mac}"),
        format!("cart=7{mac}"),
        format!("cart=7.{}", &mac[1..]),
        format!("cart=7.{mac}0"),
        format!("cart=7.{}", mac.to_uppercase()),
        format!("cart=7.{}", "0".repeat(64)),
        "cart=7.".to_owned(),
        "cart=7".to_owned(),
        "cart=".to_owned(),
        "cart=.".to_owned(),
    ] {
        assert_eq!(read("cart", &forged, &keys), None, "{forged}");
    }
    for at in 0..mac.len() {
        let other = if mac.as_bytes()[at] == b'0' { "1" } else { "0" };
        let forged = format!("cart=7.{}{other}{}", &mac[..at], &mac[at + 1..]);
        assert_eq!(read("cart", &forged, &keys), None, "{forged}");
    }
    // A value that is good for one thing is not good for another. Of two with the same name the first counts, as for all cookies.
    assert_eq!(read("admin", &format!("admin={value}"), &keys), None);
    assert_eq!(read("cart", &format!("cart=8; {cookie}"), &keys), None);
}

#[test]
fn a_new_key_signs_and_the_old_ones_are_good_until_they_are_left_out() {
    let (before, during, after) = (keys([OLD]), keys([NEW, OLD]), keys([NEW]));
    let (old, new) = (signed("cart", "7", &before), signed("cart", "7", &during));
    assert_eq!(new, signed("cart", "7", &after));
    let all = |cookie: &str| [&before, &during, &after].map(|keys| read("cart", cookie, keys).is_some());
    assert_eq!((all(&old), all(&new)), ([true, true, false], [false, true, true]));
}

#[test]
fn keys_are_long_and_stay_out_of_logs() {
    assert!(CookieKeys::new([""; 0]).is_err() && CookieKeys::new(["x".repeat(31)]).is_err());
    assert!(CookieKeys::new(["x".repeat(32), "short".to_owned()]).is_err());
    assert!(CookieKeys::new([[7_u8; 32]]).is_ok());
    assert!(!format!("{:?}", keys([NEW])).contains("year"));
    assert!(CookieKeys::new(["secret"]).unwrap_err().to_string().contains("32 bytes"));
}
