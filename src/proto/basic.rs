//! The credentials of the Basic scheme (RFC 7617).

/// The user name in the value of an `Authorization` field, if its scheme is `Basic`. `None` if the scheme is another one, or
/// if the credentials are not base64 (RFC 4648, section 4; the padding may be missing) or have no colon.
///
/// The name is what the client claims: nobody has checked the password, which is not decoded. It may have any bytes.
///
/// ```
/// use oneloop::proto::basic::user;
///
/// assert_eq!(user(b"Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==").as_deref(), Some(&b"Aladdin"[..]));
/// assert_eq!(user(b"Bearer QWxhZGRpbjpvcGVuIHNlc2FtZQ=="), None);
/// ```
pub fn user(credentials: &[u8]) -> Option<Vec<u8>> {
    let (scheme, token) = credentials.split_at_checked(5)?;
    let digits = token.strip_prefix(b" ")?.trim_ascii();
    if !scheme.eq_ignore_ascii_case(b"basic") {
        return None;
    }
    let padding = digits.iter().rev().take_while(|&&byte| byte == b'=').count();
    let digits = &digits[..digits.len() - padding];
    if padding > 2 || digits.len() % 4 == 1 {
        return None;
    }
    let (mut user, mut ended) = (Vec::new(), false);
    let (mut bits, mut count) = (0_u32, 0);
    for &digit in digits {
        bits = bits << 6 | value(digit)?;
        count += 6;
        if count >= 8 && !ended {
            let byte = (bits >> (count - 8)) as u8;
            ended = byte == b':';
            if !ended {
                user.push(byte);
            }
        }
        if count >= 8 {
            count -= 8;
        }
    }
    ended.then_some(user)
}

/// The value of a digit of base64.
fn value(digit: u8) -> Option<u32> {
    Some(u32::from(match digit {
        b'A'..=b'Z' => digit - b'A',
        b'a'..=b'z' => digit - b'a' + 26,
        b'0'..=b'9' => digit - b'0' + 52,
        b'+' => 62,
        b'/' => 63,
        _ => return None,
    }))
}
