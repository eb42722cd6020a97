//! Texts that tell a client which value was expected. serde's own texts would show names of the program's types.

use std::borrow::Cow;

/// Returns the text for a client in place of serde's text for an expected value. A text that is not serde's own is kept, since it
/// comes from code of the program that reads a type.
pub(super) fn in_words(expected: &str) -> Cow<'_, str> {
    if let Some(range) = range(expected.strip_prefix("a nonzero ").unwrap_or(expected)) {
        let but = if expected.starts_with("a nonzero ") { ", but not 0," } else { "" };
        return format!("a whole number {range}{but}").into();
    }
    let is = |start: &str| expected.starts_with(start);
    let of_length = || {
        let number = expected.split(' ').find_map(|word| word.parse::<u32>().ok());
        number.map_or("an array".into(), |number| {
            format!("an array of {number} value{}", if number == 1 { "" } else { "s" }).into()
        })
    };
    match expected {
        "f32" | "f64" => "a number".into(),
        "a boolean" => "true or false".into(),
        "a sequence" => "an array".into(),
        "a map" => "an object".into(),
        "unit" | "option" => "null".into(),
        "field identifier" | "variant identifier" | "identifier" | "a borrowed string" => "a string".into(),
        _ if is("struct ") => "an object".into(),
        _ if is("internally tagged enum ") || is("adjacently tagged enum ") => "an object".into(),
        _ if is("enum ") => "a string or an object".into(),
        _ if is("unit struct ") || is("unit variant ") => "null".into(),
        _ if is("tuple ") || is("a tuple of size ") || is("an array of length ") => of_length(),
        _ => expected.into(),
    }
}

/// The numbers of one of Rust's types of whole numbers.
fn range(name: &str) -> Option<String> {
    macro_rules! of {
        ($($number:ident)*) => {
            match name {
                $(stringify!($number) => Some(format!("from {} to {}", $number::MIN, $number::MAX)),)*
                _ => None,
            }
        };
    }
    of!(i8 i16 i32 i64 i128 isize u8 u16 u32 u64 u128 usize)
}

#[cfg(test)]
mod tests {
    use super::in_words;

    #[test]
    fn no_name_of_a_type_is_left_in_what_serde_expects() {
        for (expected, words) in [
            ("u8", "a whole number from 0 to 255"),
            ("i16", "a whole number from -32768 to 32767"),
            ("a nonzero u8", "a whole number from 0 to 255, but not 0,"),
            ("f64", "a number"),
            ("a boolean", "true or false"),
            ("a string", "a string"),
            ("a map", "an object"),
            ("a sequence", "an array"),
            ("unit", "null"),
            ("struct Todo", "an object"),
            ("struct Todo with 3 elements", "an object"),
            ("struct variant Colour::Mixed", "an object"),
            ("internally tagged enum Colour", "an object"),
            ("enum Colour", "a string or an object"),
            ("unit struct Nothing", "null"),
            ("tuple struct Point", "an array"),
            ("tuple struct Point with 2 elements", "an array of 2 values"),
            ("tuple variant Shape::Line with 1 element", "an array of 1 value"),
            ("a tuple of size 3", "an array of 3 values"),
            ("an array of length 1", "an array of 1 value"),
            ("`red` or `mixed`", "`red` or `mixed`"),
            ("a date such as 2026-11-29", "a date such as 2026-11-29"),
        ] {
            assert_eq!(in_words(expected), words);
        }
    }
}
