//! The classes of bytes that RFC 9110 and RFC 3986 define, in one table.

/// `tchar` (RFC 9110, 5.6.2): field names, methods, codings.
pub(super) const TOKEN: u8 = 1;
/// The bytes that a request-target may have: VCHAR without `#`. RFC 3986 allows fewer, but browsers send the others unencoded
/// (the percent-encode sets of the WHATWG's URL standard), and no framing depends on them.
pub(super) const TARGET: u8 = 2;
/// `VCHAR`, obs-text, SP and HTAB: a field value (RFC 9110, 5.5).
pub(super) const VALUE: u8 = 4;
/// `unreserved` and `sub-delims`: a registered name without its percent-encodings (RFC 3986, 3.2.2).
pub(super) const NAME_OF_HOST: u8 = 8;
/// HEXDIG (RFC 5234, B.1), both cases.
pub(super) const HEX: u8 = 16;
/// `qdtext` (RFC 9110, 5.6.4) without obs-text.
pub(super) const QUOTED: u8 = 32;
/// [`TARGET`] without `?`: the bytes of the part before the query.
pub(super) const PATH: u8 = 64;
/// `VCHAR`, SP and HTAB: [`VALUE`] without obs-text.
pub(super) const TEXT: u8 = 128;

/// `unreserved` and `sub-delims` (RFC 3986, 2.2 and 2.3): the bytes that need no encoding in any part of a URL.
const fn stands_for_itself(byte: u8) -> bool {
    is_unreserved(byte) || matches!(byte, b'!' | b'$' | b'&' | b'\'' | b'(' | b')' | b'*' | b'+' | b',' | b';' | b'=')
}

const fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

static CLASSES: [u8; 256] = classes();

const fn classes() -> [u8; 256] {
    let mut table = [0; 256];
    let mut at = 0;
    while at < 256 {
        let byte = at as u8;
        let visible = byte == b'\t' || byte == b' ' || byte.is_ascii_graphic();
        let mut class = 0;
        if is_unreserved(byte) || matches!(byte, b'!' | b'#'..=b'\'' | b'*' | b'+' | b'^' | b'`' | b'|') {
            class |= TOKEN;
        }
        if byte.is_ascii_graphic() && byte != b'#' {
            class |= TARGET;
            if byte != b'?' {
                class |= PATH;
            }
        }
        if visible {
            class |= TEXT;
        }
        if visible || byte >= 0x80 {
            class |= VALUE;
        }
        if stands_for_itself(byte) {
            class |= NAME_OF_HOST;
        }
        if byte.is_ascii_hexdigit() {
            class |= HEX;
        }
        if visible && byte != b'"' && byte != b'\\' {
            class |= QUOTED;
        }
        table[at] = class;
        at += 1;
    }
    table
}

#[inline]
pub(super) fn is(byte: u8, class: u8) -> bool {
    CLASSES[usize::from(byte)] & class != 0
}

/// Returns whether all of `bytes` are of one class. True for an empty slice.
#[inline]
pub(super) fn all(bytes: &[u8], class: u8) -> bool {
    let of = |byte: u8| CLASSES[usize::from(byte)];
    // Each round checks eight bytes and is unrolled: this halves the number of instructions for the names and values of real
    // messages.
    let (eights, rest) = bytes.as_chunks::<8>();
    let mut left = class;
    for &[a, b, c, d, e, f, g, h] in eights {
        left &= of(a) & of(b) & of(c) & of(d) & of(e) & of(f) & of(g) & of(h);
    }
    rest.iter().fold(left, |left, &byte| left & of(byte)) != 0
}

/// Returns whether a field name equals `lower`, which is written in lower case and made of letters and `-`.
///
/// The comparison first sets bit 5 of each byte of the name. This makes lower-case letters of letters, and of no other bytes. It
/// makes `-` of `-` and of CR only, and CR occurs neither in names nor in values.
#[inline]
pub(super) fn same_name<const N: usize>(name: &[u8], lower: &[u8; N]) -> bool {
    let Ok(name) = <&[u8; N]>::try_from(name) else {
        return false;
    };
    // Compares four bytes at a time: comparing single bytes would need a jump for each of them.
    let four = |chunk: &[u8; 4]| u32::from_ne_bytes(*chunk);
    let (fours, rest) = name.as_chunks();
    let (lower_fours, lower_rest) = lower.as_chunks();
    let differ = fours.iter().zip(lower_fours).fold(0, |differ, (a, b)| differ | ((four(a) | 0x2020_2020) ^ four(b)));
    rest.iter().zip(lower_rest).fold(differ, |differ, (a, b)| differ | u32::from((a | 0x20) ^ b)) == 0
}

/// The elements of a comma-separated list, without the blanks around them and without empty ones (RFC 9110, 5.6.1.2). The value
/// contains no whitespace other than SP and HTAB.
pub(super) fn list(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|&byte| byte == b',').map(<[u8]>::trim_ascii).filter(|element| !element.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_are_those_of_the_rfcs() {
        let of = |class| (0u8..=255).filter(|&byte| is(byte, class)).collect::<Vec<_>>();
        let sorted = |text: &str| {
            let mut bytes = text.as_bytes().to_vec();
            bytes.sort();
            bytes
        };
        let letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
        assert_eq!(of(TOKEN), sorted(&format!("{letters}!#$%&'*+-.^_`|~")));
        assert_eq!(of(TARGET), sorted(&format!("{letters}-._~!$&'()*+,;=:/?[]@%\"<>\\^`{{|}}")));
        assert_eq!(of(PATH), sorted(&format!("{letters}-._~!$&'()*+,;=:/[]@%\"<>\\^`{{|}}")));
        assert_eq!(of(NAME_OF_HOST), sorted(&format!("{letters}-._~!$&'()*+,;=")));
        assert_eq!(of(HEX), sorted("0123456789abcdefABCDEF"));
        let visible = (0x20..0x7f).chain([9]).collect::<Vec<u8>>();
        assert_eq!(of(TEXT), sorted(std::str::from_utf8(&visible).unwrap()));
        let all = (0u8..=255).filter(|&byte| byte >= 0x80 || is(byte, TEXT)).collect::<Vec<_>>();
        assert_eq!(of(VALUE), all);
    }

    #[test]
    fn a_name_is_compared_without_case_and_without_false_friends() {
        assert!(same_name(b"hOST", b"host"));
        assert!(!same_name(b"hos", b"host"));
        assert!(!same_name(b"hosts", b"host"));
        assert!(!same_name(b"CONTENT_LENGTH", b"content-length"));
        for byte in (0u8..=255).filter(|&byte| is(byte, TOKEN) && !byte.eq_ignore_ascii_case(&b'h')) {
            assert!(!same_name(&[byte, b'o', b's', b't'], b"host"), "{byte}");
        }
        for byte in (0u8..=255).filter(|&byte| is(byte, TOKEN) && byte != b'-') {
            assert!(!same_name(&[b'a', byte, b'b'], b"a-b"), "{byte}");
        }
    }

    #[test]
    fn a_list_forgets_blanks_and_empty_elements() {
        assert_eq!(list(b" ,a ,\t, b\t,,c,").collect::<Vec<_>>(), [b"a", b"b", b"c"]);
        assert_eq!(list(b"").count() + list(b" , ").count(), 0);
    }
}
