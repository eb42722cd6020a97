//! Content negotiation (RFC 9110, 12): how much a client wants what a server could send.
//!
//! Each function below takes the values of one request field, in order, and one offer of the server. It says how much the client
//! wants that offer; `None` if not at all. [`best`] makes the choice among all offers.
//!
//! Elements of a field that break the grammar are ignored, the others count. A quality is read with three digits after the point;
//! one above 1 is 1. Elements and parameters that differ in case are the same.

use super::media_type::{MediaRange, MediaType};
use super::parameters::{BLANKS, Parameters, elements, token};

/// How much a client wants something. Of two preferences the larger one is wanted more: the one with the higher quality, else the
/// one that the client has named more exactly (many programs send `application/json, */*`, and mean the former).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Preference {
    /// In thousandths, 1 to 1,000.
    quality: u16,
    specificity: u32,
}

impl Preference {
    /// What is accepted although it is not named.
    const UNNAMED: Preference = Preference { quality: 1, specificity: 0 };
    /// Anything is as good, because the field is missing.
    const ANY: Preference = Preference { quality: 1000, specificity: 0 };

    /// The quality, above 0 and up to 1.
    pub fn quality(self) -> f32 {
        f32::from(self.quality) / 1000.0
    }
}

/// The offer that the client wants most. Of several that are wanted equally it is the first: put what the server prefers first.
/// The order in which the client has listed them means nothing (RFC 9110, 12.5.1).
///
/// ```
/// use oneloop::proto::negotiation::{best, language};
///
/// let field = ["de-CH, fr;q=0.8, en;q=0.8"];
/// assert_eq!(best(&["en", "fr"], |offer| language(field, offer)), Some("en"));
/// assert_eq!(best(&["en", "de"], |offer| language(field, offer)), Some("de"));
/// assert_eq!(best(&["pt"], |offer| language(field, offer)), None);
/// ```
pub fn best<'o>(offers: &[&'o str], preference: impl Fn(&str) -> Option<Preference>) -> Option<&'o str> {
    let mut best: Option<(Preference, &str)> = None;
    for offer in offers {
        if let Some(preference) = preference(offer).filter(|this| best.is_none_or(|(best, _)| *this > best)) {
            best = Some((preference, offer));
        }
    }
    best.map(|(_, offer)| offer)
}

/// How much a client wants a media type, by its `Accept` (RFC 9110, 12.5.1). The most specific range that has the type counts,
/// parameters included. Without the field every type is accepted.
///
/// ```
/// use oneloop::proto::{media_type::MediaType, negotiation::media_type};
///
/// let page = MediaType::read("text/html").unwrap();
/// let preference = media_type(["text/*;q=0.5, image/png"], &page).unwrap();
/// assert_eq!(preference.quality(), 0.5);
/// assert_eq!(media_type(["text/*, text/html;q=0"], &page), None);
/// ```
pub fn media_type<'f>(fields: impl IntoIterator<Item = &'f str>, offer: &MediaType<'_>) -> Option<Preference> {
    choose(fields, Some(Preference::ANY), |element| {
        let range = MediaRange::read(element)?;
        let specificity = range.specificity(offer)?;
        Some((quality(range.parameters())?, specificity))
    })
}

/// How much a client wants a content coding, by its `Accept-Encoding` (RFC 9110, 12.5.3). `identity` (no coding) is accepted
/// unless the field refuses it. If the field does not name `identity`, the client wants `identity` less than every coding that it
/// accepts. Without the field `identity` alone is accepted: a client that does not say what it can decode may be unable to decode
/// anything.
///
/// ```
/// use oneloop::proto::negotiation::{best, encoding};
///
/// let browser = ["gzip, deflate, br, zstd"];
/// assert_eq!(best(&["br", "gzip", "identity"], |offer| encoding(browser, offer)), Some("br"));
/// assert_eq!(best(&["br", "gzip"], |offer| encoding([], offer)), None);
/// ```
pub fn encoding<'f>(fields: impl IntoIterator<Item = &'f str>, offer: &str) -> Option<Preference> {
    let identity = offer.eq_ignore_ascii_case("identity");
    let mut refused = false;
    let found = choose(fields, identity.then_some(Preference::ANY), |element| {
        let (coding, quality) = weighted(element)?;
        let specificity = name_or_any(coding, offer)?;
        refused |= quality == 0;
        Some((quality, specificity))
    });
    found.or((identity && !refused).then_some(Preference::UNNAMED))
}

/// How much a client wants a language, by its `Accept-Language` (RFC 9110, 12.5.4). In order of exactness: the tag itself; the
/// tag without its last parts (`en` is sent to who wants `en-GB`: look-up of RFC 4647, 3.4); a tag with more parts (`en-GB` is sent
/// to who wants `en`: filtering of RFC 4647, 3.3.1); any, by `*`. Without the field every language is accepted.
///
/// ```
/// use oneloop::proto::negotiation::language;
///
/// assert!(language(["en"], "en-GB").is_some() && language(["en-GB"], "en").is_some());
/// assert!(language(["en-GB"], "en-US").is_none() && language(["en"], "eng").is_none());
/// ```
pub fn language<'f>(fields: impl IntoIterator<Item = &'f str>, offer: &str) -> Option<Preference> {
    choose(fields, Some(Preference::ANY), |element| {
        let (range, quality) = weighted(element)?;
        let specificity = if range.eq_ignore_ascii_case(offer) {
            3
        } else if begins_with_tag(range, offer) && quality > 0 {
            // A client that refuses `en-GB` may still want `en`.
            2
        } else if begins_with_tag(offer, range) {
            1
        } else {
            (range == "*").then_some(0)?
        };
        Some((quality, specificity))
    })
}

/// How much a client wants a charset, by its `Accept-Charset` (RFC 9110, 12.5.2). Without the field every charset is accepted.
///
/// ```
/// use oneloop::proto::negotiation::charset;
///
/// assert!(charset(["utf-8, *;q=0.1"], "UTF-8") > charset(["utf-8, *;q=0.1"], "koi8-r"));
/// ```
pub fn charset<'f>(fields: impl IntoIterator<Item = &'f str>, offer: &str) -> Option<Preference> {
    choose(fields, Some(Preference::ANY), |element| {
        let (charset, quality) = weighted(element)?;
        Some((quality, name_or_any(charset, offer)?))
    })
}

/// The preference of the most specific element that is about an offer; of equally specific ones, that of the highest quality.
/// `about` returns the quality and the specificity of an element, or `None` if the element is not about the offer.
fn choose<'f>(
    fields: impl IntoIterator<Item = &'f str>,
    if_missing: Option<Preference>,
    mut about: impl FnMut(&str) -> Option<(u16, u32)>,
) -> Option<Preference> {
    let mut missing = true;
    let mut found: Option<(u32, u16)> = None;
    for field in fields {
        missing = false;
        for element in elements(field) {
            found = found.max(about(element).map(|(quality, specificity)| (specificity, quality)));
        }
    }
    match found {
        Some((specificity, quality)) => (quality > 0).then_some(Preference { quality, specificity }),
        None if missing => if_missing,
        None => None,
    }
}

/// 1 if the element names the offer, 0 if it is `*`.
fn name_or_any(name: &str, offer: &str) -> Option<u32> {
    if name.eq_ignore_ascii_case(offer) { Some(1) } else { (name == "*").then_some(0) }
}

/// Returns whether `long` is a language tag that begins with all parts of `short`.
fn begins_with_tag(long: &str, short: &str) -> bool {
    long.split_at_checked(short.len())
        .is_some_and(|(begin, rest)| begin.eq_ignore_ascii_case(short) && rest.starts_with('-'))
}

/// Reads `name` or `name;q=0.5`: the name, and the quality in thousandths.
fn weighted(element: &str) -> Option<(&str, u16)> {
    let (name, rest) = token(element)?;
    Some((name, quality(Parameters::read(rest)?)?))
}

/// The quality in thousandths, 1,000 if there is none. `None` if it is no number.
fn quality(parameters: Parameters<'_>) -> Option<u16> {
    let Some(value) = parameters.find("q") else { return Some(1000) };
    let value = value.text();
    let (whole, fraction) = value.trim_matches(BLANKS).split_once('.').unwrap_or((&value, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() && fraction.is_empty() || !digits(whole) || !digits(fraction) {
        return None;
    }
    if whole.bytes().any(|digit| digit != b'0') {
        return Some(1000);
    }
    let thousandths = fraction.bytes().chain(*b"000").take(3);
    Some(thousandths.fold(0, |number, digit| number * 10 + u16::from(digit - b'0')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quality_is_read_in_thousandths() {
        for (text, expected) in [
            ("", Some(1000)),
            (";q=1", Some(1000)),
            (";q=1.000", Some(1000)),
            (";Q=0", Some(0)),
            (";q=0.", Some(0)),
            (";q=0.5", Some(500)),
            (";q=0.05", Some(50)),
            (";q=0.001", Some(1)),
            (";q=0.0009", Some(0)),
            (";q=.5", Some(500)),
            (";q=\"0.5\"", Some(500)),
            (";q=1.5", Some(1000)),
            (";q=10", Some(1000)),
            (";q=00.25", Some(250)),
            (";q=.", None),
            (";q=\"\"", None),
            (";q=-1", None),
            (";q=1e-3", None),
            (";q=0.5.5", None),
            (";q=NaN", None),
            (";level=1;q=0.7;q=0.1", Some(700)),
        ] {
            assert_eq!(quality(Parameters::read(text).unwrap()), expected, "{text}");
        }
    }

    #[test]
    fn a_missing_field_accepts_all_and_an_empty_one_nothing_that_must_be_named() {
        let page = MediaType::read("text/html").unwrap();
        assert!(media_type([], &page).is_some() && media_type([""], &page).is_none());
        assert!(language([], "en").is_some() && language([""], "en").is_none());
        assert!(charset([], "utf-8").is_some() && charset([" ,"], "utf-8").is_none());
        assert!(encoding([], "gzip").is_none() && encoding([""], "gzip").is_none());
        assert!(encoding([], "identity").is_some() && encoding([""], "IDENTITY").is_some());
    }

    #[test]
    fn several_fields_are_one_list() {
        let fields = ["text/plain;q=0.5", "", "text/html;level"];
        let page = MediaType::read("text/html").unwrap();
        assert!(media_type(fields, &page).is_none(), "`level` has no value: the element is ignored");
        let text = MediaType::read("text/plain").unwrap();
        assert_eq!(media_type(fields, &text).unwrap().quality(), 0.5);
    }

    #[test]
    fn a_language_is_refused_with_its_parts_and_not_with_its_whole() {
        assert!(language(["en;q=0, *"], "en-GB").is_none());
        assert!(language(["en-GB;q=0, *"], "en").is_some());
        assert!(language(["zh-Hant-TW"], "zh-Hant") > language(["zh"], "zh-Hant"));
    }
}
