//! Lists, parameters and quoted strings: the grammar that most structured fields share (RFC 9110, 5.6).

use super::octet::{self, TOKEN};
use std::borrow::Cow;
use std::iter::from_fn;

/// The most parameters that one value may have. Values that are in use have one or two parameters. With the limit, the time to
/// compare two lists of parameters grows in proportion to their bytes.
const MOST: usize = 16;

/// The parameters behind the value of a field: `; charset=utf-8; title="a b"` (RFC 9110, 5.6.6).
///
/// The whole text has been checked, so the iterator yields every parameter: the name as received, and the value.
#[derive(Clone, Copy, Debug, Default)]
pub struct Parameters<'a> {
    rest: &'a str,
}

impl<'a> Parameters<'a> {
    /// Reads a text that is empty or begins with `;` (blanks may precede it). `None` if the text breaks the grammar anywhere:
    /// a name that is no token, a blank beside the `=`, a missing value, a quoted string without its end; or if it has more than 16
    /// parameters.
    ///
    /// ```
    /// use oneloop::proto::parameters::Parameters;
    ///
    /// let mut parameters = Parameters::read(r#"; charset=utf-8; title="a \"b\"""#).unwrap();
    /// let (name, value) = parameters.next().unwrap();
    /// assert_eq!((name, value.text().as_ref()), ("charset", "utf-8"));
    /// assert_eq!(parameters.find("TITLE").unwrap().text(), r#"a "b""#);
    /// assert!(Parameters::read("; charset = utf-8").is_none());
    /// ```
    pub fn read(text: &'a str) -> Option<Parameters<'a>> {
        let mut rest = text;
        for _ in 0..=MOST {
            match step(rest)? {
                Step::Parameter(_, _, after) => rest = after,
                Step::End => return Some(Parameters { rest: text }),
            }
        }
        None
    }

    /// The value of the first parameter with this name; names are compared without case.
    pub fn find(mut self, name: &str) -> Option<Value<'a>> {
        self.find_map(|(found, value)| found.eq_ignore_ascii_case(name).then_some(value))
    }
}

impl<'a> Iterator for Parameters<'a> {
    type Item = (&'a str, Value<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        match step(self.rest)? {
            Step::Parameter(name, value, rest) => {
                self.rest = rest;
                Some((name, value))
            }
            Step::End => None,
        }
    }
}

/// What a text of parameters begins with.
enum Step<'a> {
    /// A name, its value, and the text behind them.
    Parameter(&'a str, Value<'a>, &'a str),
    /// Nothing more but blanks and semicolons: empty parameters are allowed.
    End,
}

fn step(text: &str) -> Option<Step<'_>> {
    let rest = text.trim_start_matches(BLANKS);
    if rest.is_empty() {
        return Some(Step::End);
    }
    let rest = rest.strip_prefix(';')?.trim_start_matches([' ', '\t', ';']);
    if rest.is_empty() {
        return Some(Step::End);
    }
    let (name, rest) = token(rest)?;
    let (value, rest) = Value::read(rest.strip_prefix('=')?)?;
    Some(Step::Parameter(name, value, rest))
}

/// The whitespace that RFC 9110, 5.6.3 knows. (`trim` of a text would take the blanks of Unicode as well.)
pub(super) const BLANKS: [char; 2] = [' ', '\t'];

/// Splits a text behind the token at its beginning. `None` if there is none.
pub(super) fn token(text: &str) -> Option<(&str, &str)> {
    let length = text.bytes().take_while(|&byte| octet::is(byte, TOKEN)).count();
    if length == 0 { None } else { text.split_at_checked(length) }
}

/// The value of a parameter: a token, or a quoted string (RFC 9110, 5.6.4).
#[derive(Clone, Copy, Debug)]
pub struct Value<'a> {
    /// The token, or what stands between the quotes.
    raw: &'a str,
    /// True if `raw` has a backslash that escapes the character behind it.
    escaped: bool,
}

impl<'a> Value<'a> {
    /// Reads the value at the beginning of a text. Returns it with the text behind it.
    pub(super) fn read(text: &'a str) -> Option<(Value<'a>, &'a str)> {
        let Some(inside) = text.strip_prefix('"') else {
            let (raw, rest) = token(text)?;
            return Some((Value { raw, escaped: false }, rest));
        };
        let (mut escaped, mut behind_backslash) = (false, false);
        for (at, byte) in inside.bytes().enumerate() {
            match byte {
                0..=8 | 10..=31 | 127 => return None,
                _ if behind_backslash => behind_backslash = false,
                b'\\' => (escaped, behind_backslash) = (true, true),
                b'"' => {
                    let (raw, rest) = inside.split_at_checked(at)?;
                    return Some((Value { raw, escaped }, rest.strip_prefix('"')?));
                }
                _ => {}
            }
        }
        None
    }

    /// The text that is meant: without quotes and backslashes.
    pub fn text(self) -> Cow<'a, str> {
        if self.escaped { Cow::Owned(self.chars().collect()) } else { Cow::Borrowed(self.raw) }
    }

    /// The characters of [`text`](Value::text).
    pub fn chars(self) -> impl Iterator<Item = char> {
        let mut raw = self.raw.chars();
        from_fn(move || match raw.next()? {
            '\\' if self.escaped => raw.next(),
            character => Some(character),
        })
    }

    /// Returns whether two values mean the same text, if the case of ASCII letters does not count.
    pub fn eq_ignore_case(self, other: Value<'_>) -> bool {
        let lower = |character: char| character.to_ascii_lowercase();
        self.chars().map(lower).eq(other.chars().map(lower))
    }
}

/// The elements of a comma-separated list, without the blanks around them and without empty ones (RFC 9110, 5.6.1.2). A comma
/// in a quoted string separates nothing; a quoted string without its end reaches to the end of the list.
pub(super) fn elements(list: &str) -> impl Iterator<Item = &str> {
    let (mut quoted, mut behind_backslash) = (false, false);
    let separates = move |character: char| {
        match character {
            _ if behind_backslash => behind_backslash = false,
            '\\' => behind_backslash = quoted,
            '"' => quoted = !quoted,
            _ => return character == ',' && !quoted,
        }
        false
    };
    list.split(separates).map(|element| element.trim_matches(BLANKS)).filter(|element| !element.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Option<Vec<(String, String)>> {
        let parameters = Parameters::read(text)?;
        Some(parameters.map(|(name, value)| (name.to_owned(), value.text().into_owned())).collect())
    }

    #[test]
    fn parameters_are_read_by_the_grammar() {
        for (text, expected) in [
            ("", &[][..]),
            (" ", &[]),
            (";", &[]),
            ("; ;\t;", &[]),
            (";a=b", &[("a", "b")]),
            (" ;\ta=b ; C=d;", &[("a", "b"), ("C", "d")]),
            (r#";a="""#, &[("a", "")]),
            (r#";a="b;c=d, \"e\\";f=g"#, &[("a", r#"b;c=d, "e\"#), ("f", "g")]),
            (";a=\"ü\t\"", &[("a", "ü\t")]),
            (";a=b;a=c", &[("a", "b"), ("a", "c")]),
        ] {
            let expected = expected.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect();
            assert_eq!(read(text), Some(expected), "{text}");
        }
    }

    #[test]
    fn what_breaks_the_grammar_is_no_list_of_parameters() {
        for text in [
            "a=b",
            ";a",
            ";a=",
            ";=b",
            ";a =b",
            ";a= b",
            ";a=b c",
            ";a=b,c",
            ";a=\"b",
            ";a=\"b\\",
            ";a=\"b\\\"",
            ";a=\"b\"c",
            ";a=ü",
            ";ü=a",
            ";a=\"\n\"",
            ";a=\"\\\0\"",
            ";\u{a0}a=b",
        ] {
            assert_eq!(read(text), None, "{text:?}");
        }
    }

    #[test]
    fn a_value_has_at_most_16_parameters() {
        assert_eq!(read(&";a=b".repeat(16)).unwrap().len(), 16);
        assert_eq!(read(&";a=b".repeat(17)), None);
        assert_eq!(read(&";".repeat(1000)).unwrap().len(), 0);
    }

    #[test]
    fn commas_in_quotes_separate_nothing() {
        for (list, expected) in [
            ("", &[][..]),
            (" , ,,\t", &[]),
            ("a,b ,\tc", &["a", "b", "c"]),
            (r#"a;b="c,d";e, f"#, &[r#"a;b="c,d";e"#, "f"]),
            (r#"a;b="c\",d", f"#, &[r#"a;b="c\",d""#, "f"]),
            (r#"a;b="c\\", f"#, &[r#"a;b="c\\""#, "f"]),
            (r#"a;b="c, f"#, &[r#"a;b="c, f"#]),
            (r#"a\", b"#, &[r#"a\", b"#]),
            ("\u{a0},\u{2003}a", &["\u{a0}", "\u{2003}a"]),
        ] {
            assert_eq!(elements(list).collect::<Vec<_>>(), expected, "{list}");
        }
    }

    #[test]
    fn values_are_compared_by_what_they_mean() {
        let value = |text| Value::read(text).unwrap().0;
        assert!(value("Bar").eq_ignore_case(value(r#""b\ar""#)));
        assert!(!value("bar").eq_ignore_case(value("baz")));
        assert!(!value(r#""\\""#).eq_ignore_case(value(r#""\"""#)));
    }
}
