//! Negotiation: how a field is spelled or divided makes no difference, and what is chosen is wanted.
//!
//! The input: a line for each field, which is read as all four `Accept` fields.

use oneloop::proto::media_type::{MediaRange, MediaType};
use oneloop::proto::negotiation::{Preference, best, charset, encoding, language, media_type};

const OFFERS: [&str; 6] = ["gzip", "identity", "en-GB", "utf-8", "text/html;level=1", "application/json"];

pub fn holds(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let fields: Vec<&str> = text.lines().collect();
    let (lower, upper) = (text.to_ascii_lowercase(), text.to_ascii_uppercase());
    let (lower, upper): (Vec<_>, Vec<_>) = (lower.lines().collect(), upper.lines().collect());
    let joined = fields.join(", ");
    // A quote that is left open takes what follows it, but no other field.
    let is_list = !joined.contains('"');
    for wanted in [by_type, encoding_of, language_of, charset_of] {
        for offer in OFFERS {
            let preference = wanted(&fields, offer);
            assert!(preference.is_none_or(|preference| preference.quality() > 0.0 && preference.quality() <= 1.0));
            assert_eq!(wanted(&lower, offer), preference, "in lower case: {offer}");
            assert_eq!(wanted(&upper, offer), preference, "in upper case: {offer}");
            if is_list && !fields.is_empty() {
                assert_eq!(wanted(&[&joined], offer), preference, "in one field: {offer}");
            }
        }
        let chosen = best(&OFFERS, |offer| wanted(&fields, offer));
        let most = OFFERS.iter().filter_map(|offer| wanted(&fields, offer)).max();
        assert_eq!(chosen.and_then(|chosen| wanted(&fields, chosen)), most);
    }
    for field in fields {
        let Some(read) = MediaType::read(field) else { continue };
        let range = MediaRange::read(field).expect("a type is a range as well");
        // A parameter `q` is the range's weight.
        assert!(read.parameter("q").is_some() || range.has(&read), "{field} has itself");
    }
}

fn by_type(fields: &[&str], offer: &str) -> Option<Preference> {
    media_type(fields.iter().copied(), &MediaType::read(offer)?)
}

fn encoding_of(fields: &[&str], offer: &str) -> Option<Preference> {
    encoding(fields.iter().copied(), offer)
}

fn language_of(fields: &[&str], offer: &str) -> Option<Preference> {
    language(fields.iter().copied(), offer)
}

fn charset_of(fields: &[&str], offer: &str) -> Option<Preference> {
    charset(fields.iter().copied(), offer)
}
