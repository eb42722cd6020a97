//! Byte ranges (RFC 9110, 14).

/// The part of a representation that a `Range` field selects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Selection {
    /// All bytes: there is no range, or it is ignored.
    Whole,
    /// The bytes from `first` to `last`, both included.
    Part {
        /// The number of the first byte, from 0.
        first: u64,
        /// The number of the last byte.
        last: u64,
    },
    /// No bytes: the range begins after the end.
    Unsatisfiable,
}

/// Selects from `length` bytes. A field that is malformed, has another unit or has several ranges is ignored, as RFC 9110, 14.2
/// allows: a client that asks for several ranges has to understand a whole answer, and many small ranges cost more than they
/// save. Every range of an empty representation is ignored too: some clients ask for `0-` of every resource, and want all of it.
pub(super) fn select(field: &str, length: u64) -> Selection {
    let Some((unit, set)) = field.split_once('=') else { return Selection::Whole };
    if length == 0 || !unit.eq_ignore_ascii_case("bytes") {
        return Selection::Whole;
    }
    let mut specs = set.split(',').map(|spec| spec.trim_matches([' ', '\t'])).filter(|spec| !spec.is_empty());
    match (specs.next(), specs.next()) {
        (Some(only), None) => one(only, length).unwrap_or(Selection::Whole),
        _ => Selection::Whole,
    }
}

/// Reads `first-last`, `first-` or `-suffix`. `None` if it is malformed.
fn one(spec: &str, length: u64) -> Option<Selection> {
    let (first, last) = spec.split_once('-')?;
    if first.is_empty() {
        return Some(match number(last)? {
            0 => Selection::Unsatisfiable,
            suffix => Selection::Part { first: length.saturating_sub(suffix), last: length - 1 },
        });
    }
    let first = number(first)?;
    let last = if last.is_empty() { u64::MAX } else { number(last)? };
    if last < first {
        return None;
    }
    if first >= length {
        return Some(Selection::Unsatisfiable);
    }
    Some(Selection::Part { first, last: last.min(length - 1) })
}

/// Reads a number. A number above `u64::MAX` becomes `u64::MAX`, which makes no difference: no file is that long.
fn number(digits: &str) -> Option<u64> {
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    Some(digits.parse().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::Selection::*;
    use super::*;

    #[test]
    fn single_ranges_are_cut_to_what_is_there() {
        for (field, first, last) in [
            ("bytes=0-0", 0, 0),
            ("bytes=0-9", 0, 9),
            ("bytes=2-5", 2, 5),
            ("bytes=5-", 5, 9),
            ("bytes=9-", 9, 9),
            ("bytes=5-100", 5, 9),
            ("bytes=5-99999999999999999999999", 5, 9),
            ("bytes=-3", 7, 9),
            ("bytes=-10", 0, 9),
            ("bytes=-11", 0, 9),
            ("bytes=-99999999999999999999999", 0, 9),
            ("BYTES=1-2", 1, 2),
            ("bytes= 1-2", 1, 2),
            ("bytes=,1-2 ,", 1, 2),
        ] {
            assert_eq!(select(field, 10), Part { first, last }, "{field}");
        }
    }

    #[test]
    fn what_lies_behind_the_end_cannot_be_satisfied() {
        for field in ["bytes=10-", "bytes=10-10", "bytes=99999999999999999999999-", "bytes=-0"] {
            assert_eq!(select(field, 10), Unsatisfiable, "{field}");
        }
    }

    #[test]
    fn of_nothing_every_range_is_all() {
        for field in ["bytes=0-", "bytes=0-0", "bytes=5-", "bytes=-5", "bytes=-0"] {
            assert_eq!(select(field, 0), Whole, "{field}");
        }
    }

    #[test]
    fn malformed_foreign_and_multiple_ranges_are_ignored() {
        for field in [
            "",
            "bytes",
            "bytes=",
            "bytes=-",
            "bytes=5-4",
            "bytes=a-b",
            "bytes=1",
            "bytes=+1-2",
            "bytes=1-+2",
            "bytes=--1",
            "bytes=1-2-3",
            "bytes=1 - 2",
            "bytes=0x1-2",
            "lines=1-2",
            "bytes =1-2",
            "bytes=0-1,3-4",
            "bytes=0-1,x",
            "bytes=\u{0661}-2",
        ] {
            assert_eq!(select(field, 10), Whole, "{field}");
        }
    }
}
