//! Decides which fields may stand in a trailer section, after the content.

/// Fields that must be known before the content, or that change how it is read: framing, routing, request modifiers,
/// authentication, control data and content format (RFC 9110, 6.5.1). In lower case.
const FORBIDDEN: [&str; 43] = [
    "accept-encoding",
    "age",
    "authorization",
    "cache-control",
    "connection",
    "content-encoding",
    "content-length",
    "content-range",
    "content-type",
    "cookie",
    "date",
    "expect",
    "expires",
    "forwarded",
    "host",
    "http2-settings",
    "if-match",
    "if-modified-since",
    "if-none-match",
    "if-range",
    "if-unmodified-since",
    "keep-alive",
    "location",
    "max-forwards",
    "origin",
    "pragma",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "range",
    "referer",
    "retry-after",
    "set-cookie",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "vary",
    "via",
    "warning",
    "www-authenticate",
    "x-forwarded-for",
    "x-forwarded-host",
];

/// Returns whether a field of that name may be in a trailer section, sent or received (RFC 9110, 6.5.1).
pub fn is_allowed(name: &str) -> bool {
    !FORBIDDEN.iter().any(|forbidden| forbidden.eq_ignore_ascii_case(name))
}
