//! Signed cookies: only the program can make their values.

use super::cookie::Cookie;
use crate::http::Request;
use hmac_sha256::HMAC;
use std::fmt::{self, Write};

/// The fewest bytes of a key: as many as the signature has (RFC 2104, 3).
const SHORTEST: usize = 32;

/// The secret keys of signed cookies: see [`Cookie::signed`]. Cookies are signed with the first key; signatures of every key are
/// accepted. To change the key, put a new one in front, and remove the old one when the cookies that it has signed have expired.
///
/// A key is 32 random bytes or more, that nobody else knows: `head -c 32 /dev/urandom | base64` makes one. Keep it out of the program's
/// source.
///
/// ```
/// use oneloop::app::{App, Cookie, CookieKeys};
///
/// let keys = CookieKeys::new(["a key from the program's environment", "the key of the last month, which is still good"])?;
/// let same = keys.clone();
/// let mut app = App::new();
/// app.get("/prize", move |_req, res| res.cookie(Cookie::new("prize", "a plant").signed(&keys)).end("you have won\n"));
/// app.get("/claim", move |req, res| match req.signed_cookie("prize", &same) {
///     Some(prize) => res.end(format!("here is {prize}\n")),
///     None => res.set_status(403).end("you have won nothing\n"),
/// });
/// # let sim = oneloop::sim::Sim::new();
/// # app.listen(80, ()).unwrap();
/// let won = sim.request("GET", "/prize").send();
/// let cookie = won.header("Set-Cookie").unwrap().split(';').next().unwrap();
/// assert_eq!(sim.request("GET", "/claim").header("Cookie", cookie).send().text(), "here is a plant\n");
/// assert_eq!(sim.request("GET", "/claim").header("Cookie", "prize=a%20car").send().status(), 403);
/// # Ok::<(), oneloop::app::KeyError>(())
/// ```
#[derive(Clone)]
pub struct CookieKeys(Vec<Box<[u8]>>);

impl CookieKeys {
    /// Takes the keys, the one that signs first.
    ///
    /// # Errors
    /// If there is none, or if one has less than 32 bytes.
    ///
    /// ```
    /// use oneloop::app::CookieKeys;
    ///
    /// assert!(CookieKeys::new(["3b9f2c0d7a81e65f4c3d2b1a09f8e7d6"]).is_ok());
    /// assert!(CookieKeys::new(["secret"]).is_err());
    /// ```
    pub fn new<K: AsRef<[u8]>>(keys: impl IntoIterator<Item = K>) -> Result<CookieKeys, KeyError> {
        let keys: Vec<Box<[u8]>> = keys.into_iter().map(|key| key.as_ref().into()).collect();
        let is_good = !keys.is_empty() && keys.iter().all(|key| key.len() >= SHORTEST);
        if is_good { Ok(CookieKeys(keys)) } else { Err(KeyError) }
    }

    fn sign(&self, name: &str, value: &str) -> Option<String> {
        self.0.first().map(|key| hex(&signature(key, name, value)))
    }

    fn have_signed(&self, name: &str, value: &str, signed: &str) -> bool {
        // All keys are tried, so that the time does not tell which one it was.
        let by = |key: &[u8]| is_same(hex(&signature(key, name, value)).as_bytes(), signed.as_bytes());
        self.0.iter().fold(false, |found, key| found | by(key))
    }
}

/// Without the keys.
impl fmt::Debug for CookieKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CookieKeys").field("count", &self.0.len()).finish_non_exhaustive()
    }
}

/// There is no key for signed cookies, or one of them is too short.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyError;

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("signed cookies need one key at least, and each has 32 bytes or more")
    }
}

impl std::error::Error for KeyError {}

impl Cookie {
    /// The same cookie with a signature behind its value (HMAC-SHA256, RFC 2104), by which
    /// [`signed_cookie`](Request::signed_cookie) knows it again. The client can read the value, but cannot change it, nor give it
    /// another name. The client can send a cookie again at any later time. So write into the value until when it is valid, or
    /// keep the value in a [session](super::sessions).
    ///
    /// ```
    /// use oneloop::app::{Cookie, CookieKeys};
    ///
    /// let keys = CookieKeys::new(["3b9f2c0d7a81e65f4c3d2b1a09f8e7d6"])?;
    /// assert!(Cookie::new("cart", "7").signed(&keys).to_field().unwrap().starts_with("cart=7.e"));
    /// # Ok::<(), oneloop::app::KeyError>(())
    /// ```
    pub fn signed(self, keys: &CookieKeys) -> Cookie {
        match keys.sign(self.name(), self.value()) {
            Some(signature) => {
                let value = format!("{}.{signature}", self.value());
                self.with_value(value)
            }
            None => self,
        }
    }
}

impl Request {
    /// The value of the first cookie with this name, without its signature, if one of the keys has [signed](Cookie::signed) it.
    ///
    /// ```
    /// # let sim = oneloop::sim::Sim::new();
    /// use oneloop::app::CookieKeys;
    ///
    /// let keys = CookieKeys::new(["3b9f2c0d7a81e65f4c3d2b1a09f8e7d6"])?;
    /// let server = oneloop::http::create_server(move |req, res| match req.signed_cookie("cart", &keys) {
    ///     Some(cart) => res.end(format!("the cart {cart}\n")),
    ///     None => res.end("no cart, or not one of ours\n"),
    /// });
    /// # server.listen(80, ()).unwrap();
    /// assert_eq!(sim.request("GET", "/").header("Cookie", "cart=7.0e").send().text(), "no cart, or not one of ours\n");
    /// # Ok::<(), oneloop::app::KeyError>(())
    /// ```
    pub fn signed_cookie(&self, name: &str, keys: &CookieKeys) -> Option<String> {
        let whole = self.cookie(name)?;
        let (value, signed) = whole.rsplit_once('.')?;
        keys.have_signed(name, value, signed).then(|| value.to_owned())
    }
}

/// The signature covers the name, too: else a client could move a value to a cookie with another meaning. The name is a token, so
/// the first `=` ends it.
fn signature(key: &[u8], name: &str, value: &str) -> [u8; 32] {
    HMAC::mac(format!("{name}={value}"), key)
}

/// Compares in a time that depends on the lengths alone, so that an attacker who measures the time learns nothing of the bytes.
fn is_same(one: &[u8], other: &[u8]) -> bool {
    let difference = one.iter().zip(other).fold(0, |all, (a, b)| std::hint::black_box(all | (a ^ b)));
    one.len() == other.len() && difference == 0
}

/// Bytes as digits, two for each.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signatures_are_those_of_hmac_sha256() {
        // RFC 4231, test cases 1 and 2, whose keys are shorter than ours must be.
        assert_eq!(
            hex(&HMAC::mac(b"Hi There", [0x0b; 20])),
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"
        );
        assert_eq!(
            hex(&HMAC::mac(b"what do ya want for nothing?", b"Jefe")),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
    }

    #[test]
    fn bytes_are_the_same_if_all_of_them_are() {
        for (one, other, same) in [("", "", true), ("ab", "ab", true), ("ab", "aa", false), ("ab", "bb", false)] {
            assert_eq!(is_same(one.as_bytes(), other.as_bytes()), same, "{one} {other}");
        }
        assert!(!is_same(b"ab", b"abc") && !is_same(b"abc", b"ab") && !is_same(b"a", b""));
    }

    /// CVE-2024-47178 of basic-auth-connect: the comparison ended at the first byte that differed. It would be some 100,000 times faster here.
    #[test]
    fn the_time_of_a_comparison_does_not_tell_where_the_bytes_differ() {
        let right = vec![b'a'; 100_000];
        let least = |at: usize| {
            let mut wrong = right.clone();
            wrong[at] = b'b';
            let try_once = || {
                let from = std::time::Instant::now();
                assert!(!is_same(&right, &wrong));
                from.elapsed()
            };
            (0..20).map(|_| try_once()).min()
        };
        let (first, last) = (least(0).unwrap_or_default(), least(99_999).unwrap_or_default());
        assert!(first * 100 > last, "{first:?} if the first differs, {last:?} if the last does");
    }
}
