//! Media types and media ranges (RFC 9110, 8.3.1 and 12.5.1), borrowed from the field in which they stand.
//!
//! This is the only reader of media types: what a request's body is, what a client accepts and what a part of a form is are all
//! decided by it. So no two places can read one field in two ways.

use super::parameters::{BLANKS, Parameters, Value, token};

/// A media type: `text/html; charset=utf-8`.
#[derive(Clone, Copy, Debug)]
pub struct MediaType<'a> {
    kind: &'a str,
    subtype: &'a str,
    parameters: Parameters<'a>,
}

impl<'a> MediaType<'a> {
    /// Reads a media type. `None` if the text breaks the grammar anywhere, its parameters included. Blanks may stand around it and
    /// around each `;`, nowhere else. An asterisk is not allowed: what has one is a [`MediaRange`].
    ///
    /// ```
    /// use oneloop::proto::media_type::MediaType;
    ///
    /// let page = MediaType::read("Text/HTML;charset=utf-8").unwrap();
    /// assert!(page.is("text", "html"));
    /// assert_eq!(page.parameter("charset").unwrap().text(), "utf-8");
    /// assert!(MediaType::read("text/html; charset").is_none());
    /// ```
    pub fn read(text: &'a str) -> Option<MediaType<'a>> {
        let (kind, rest) = token(text.trim_matches(BLANKS))?;
        let (subtype, rest) = token(rest.strip_prefix('/')?)?;
        if kind.contains('*') || subtype.contains('*') {
            return None;
        }
        Some(MediaType { kind, subtype, parameters: Parameters::read(rest)? })
    }

    /// The first part: `text`, with the case as received.
    pub fn kind(&self) -> &'a str {
        self.kind
    }

    /// The second part: `html`, with the case as received.
    pub fn subtype(&self) -> &'a str {
        self.subtype
    }

    /// Returns whether the type is this one, whatever its parameters; the case does not count.
    pub fn is(&self, kind: &str, subtype: &str) -> bool {
        self.kind.eq_ignore_ascii_case(kind) && self.subtype.eq_ignore_ascii_case(subtype)
    }

    /// The format that the subtype is built on (RFC 6838, 4.2.8): `json` in `application/problem+json`.
    pub fn suffix(&self) -> Option<&'a str> {
        self.subtype.rsplit_once('+').map(|(_, suffix)| suffix)
    }

    /// The parameters.
    pub fn parameters(&self) -> Parameters<'a> {
        self.parameters
    }

    /// The value of the first parameter with this name; names are compared without case.
    pub fn parameter(&self, name: &str) -> Option<Value<'a>> {
        self.parameters.find(name)
    }
}

/// A set of media types: `*/*`, `text/*`, `text/html`, or `application/*+json`, which no client sends but programs ask for. With
/// parameters it has only those types that have the same ones.
#[derive(Clone, Copy, Debug)]
pub struct MediaRange<'a> {
    /// `None` is any.
    kind: Option<&'a str>,
    subtype: Subtype<'a>,
    parameters: Parameters<'a>,
}

#[derive(Clone, Copy, Debug)]
enum Subtype<'a> {
    Any,
    Suffix(&'a str),
    Exactly(&'a str),
}

impl<'a> MediaRange<'a> {
    /// Reads a media range. Like [`MediaType::read`], but each of the two parts may be an asterisk, and the second one `*+suffix`.
    ///
    /// ```
    /// use oneloop::proto::media_type::{MediaRange, MediaType};
    ///
    /// let page = MediaType::read("text/html; charset=utf-8").unwrap();
    /// assert!(MediaRange::read("text/*").unwrap().has(&page));
    /// assert!(!MediaRange::read("text/*; charset=koi8-r").unwrap().has(&page));
    /// ```
    pub fn read(text: &'a str) -> Option<MediaRange<'a>> {
        let (kind, rest) = token(text.trim_matches(BLANKS))?;
        let (subtype, rest) = token(rest.strip_prefix('/')?)?;
        let kind = if kind == "*" { None } else { Some(kind) };
        let subtype = match subtype.strip_prefix('*') {
            Some("") => Subtype::Any,
            Some(suffix) => Subtype::Suffix(suffix.strip_prefix('+')?),
            None => Subtype::Exactly(subtype),
        };
        let names = match subtype {
            Subtype::Any => "",
            Subtype::Suffix(name) | Subtype::Exactly(name) => name,
        };
        if kind.is_some_and(|kind| kind.contains('*')) || names.contains('*') {
            return None;
        }
        Some(MediaRange { kind, subtype, parameters: Parameters::read(rest)? })
    }

    /// Returns whether the type is in the range.
    pub fn has(&self, media_type: &MediaType<'_>) -> bool {
        self.specificity(media_type).is_some()
    }

    /// The parameters, `q` among them.
    pub fn parameters(&self) -> Parameters<'a> {
        self.parameters
    }

    /// How exactly the range names a type: of two ranges that have it, the one with the larger number says more about it (RFC
    /// 9110, 12.5.1). `None` if the type is not in the range. The parameter `q`, and what follows it, is about the range and not
    /// about the type.
    pub(super) fn specificity(&self, media_type: &MediaType<'_>) -> Option<u32> {
        let kind = match self.kind {
            None => 0,
            Some(kind) if kind.eq_ignore_ascii_case(media_type.kind) => 1,
            Some(_) => return None,
        };
        let subtype = match self.subtype {
            Subtype::Any => 0,
            Subtype::Suffix(suffix) if media_type.suffix().is_some_and(|its| its.eq_ignore_ascii_case(suffix)) => 1,
            Subtype::Exactly(subtype) if subtype.eq_ignore_ascii_case(media_type.subtype) => 2,
            _ => return None,
        };
        // Of parameters with one name the first counts, here and there.
        let wanted = || self.parameters().take_while(|(name, _)| !name.eq_ignore_ascii_case("q"));
        let same = media_type.parameters().all(|(name, _)| {
            let wanted = wanted().find(|(wanted, _)| wanted.eq_ignore_ascii_case(name));
            let first = media_type.parameter(name);
            wanted.zip(first).is_none_or(|((_, wanted), first)| wanted.eq_ignore_case(first))
        });
        let mut count = 0;
        let there = wanted().all(|(name, _)| {
            count += 1;
            media_type.parameter(name).is_some()
        });
        (same && there).then_some((kind * 3 + subtype) << 8 | count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_media_type_is_refused() {
        for text in [
            "",
            "/",
            "text",
            "text/",
            "/html",
            "text /html",
            "text/ html",
            "text/html/",
            "text/html**",
            "text/*",
            "*/*",
            "te*t/html",
            "text/html charset=utf-8",
            "text/html; charset",
            "text/html, text/plain",
            "\u{a0}text/html",
            "text\t/html",
            "text/html;\u{b}charset=utf-8",
        ] {
            assert!(MediaType::read(text).is_none(), "{text:?}");
        }
        for text in ["*", "*/", "**/*", "*/**", "text/*json", "text/*+*", "*text/html", "text/ht*ml", "*/*, */*"] {
            assert!(MediaRange::read(text).is_none(), "{text:?}");
        }
    }

    #[test]
    fn a_type_is_read_with_its_suffix_and_parameters() {
        let media_type = MediaType::read(" application/Problem+JSON ; A=\"b;c\" ;a=d\t").unwrap();
        assert_eq!((media_type.kind(), media_type.subtype()), ("application", "Problem+JSON"));
        assert_eq!(media_type.suffix(), Some("JSON"));
        assert_eq!(media_type.parameter("a").unwrap().text(), "b;c");
        assert_eq!(media_type.parameters().count(), 2);
        assert_eq!(MediaType::read("text/html").unwrap().suffix(), None);
    }

    #[test]
    fn the_more_a_range_says_the_more_specific_it_is() {
        let page = MediaType::read("text/html+x;level=1;charset=utf-8").unwrap();
        let ranges = [
            "*/*",
            "*/*;level=1",
            "*/*+x",
            "*/html+x",
            "text/*;q=0.5;level=3",
            "text/*;level=1",
            "text/*+x",
            "text/html+x",
            "TEXT/html+X;LEVEL=\"1\"",
            "text/html+x;charset=UTF-8;level=1;level=2",
        ];
        let specificities: Vec<_> =
            ranges.iter().map(|range| MediaRange::read(range).unwrap().specificity(&page).expect(range)).collect();
        assert!(specificities.is_sorted_by(|one, other| one < other), "{specificities:?}");
        for range in ["text/html", "image/*", "*/*+y", "*/*;level=2", "*/*;level=2;level=1", "*/*;other=1"] {
            assert!(!MediaRange::read(range).unwrap().has(&page), "{range}");
        }
    }
}
