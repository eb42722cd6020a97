//! URLs and references: each has one normal form, and what is asked for there can be sent as a request and says no more than it should.
//!
//! The input: a URL, a line end, and a reference that was found there.

use oneloop::proto::h1::{HeadLimits, IncomingRequest, OutgoingRequest, Parsed, RequestParser};
use oneloop::proto::url::{Scheme, Url};

pub fn holds(bytes: &[u8]) {
    let end = bytes.iter().position(|&byte| byte == b'\n').unwrap_or(bytes.len());
    let (text, reference) = (&bytes[..end], bytes.get(end + 1..).unwrap_or_default());
    let Some(base) = std::str::from_utf8(text).ok().and_then(|text| Url::parse(text).ok()) else { return };
    check(&base);
    assert_eq!(base.resolve(b"").as_ref(), Ok(&base));
    let Ok(named) = base.resolve(reference) else { return };
    check(&named);
    assert!(named.scheme() != Scheme::Unix || named.is_same_origin(&base), "{named}");
    let is_whole = reference.is_empty() || matches!(reference[0], b'?' | b'#');
    if !is_whole {
        assert!(named.path().split('/').all(|segment| segment != "." && segment != ".."), "{named}");
        // What has no dots stays as it is.
        assert_eq!(
            named
                .resolve(named.target().as_bytes())
                .ok()
                .filter(|_| !named.path().starts_with("//"))
                .unwrap_or(named.clone()),
            named
        );
        if named.scheme() != Scheme::Unix {
            assert_eq!(base.resolve(named.as_str().as_bytes()).as_ref(), Ok(&named));
        }
    }
}

fn check(url: &Url) {
    assert_eq!(Url::parse(url.as_str()).as_ref(), Ok(url));
    assert!(url.as_str().starts_with(url.origin()) && url.as_str().ends_with(url.target()));
    assert!(url.target().starts_with('/') && url.path().starts_with('/') && !url.target().contains('#'));
    assert!(url.without_query().ends_with(url.path()) && !url.host().is_empty());
    let mut request = OutgoingRequest::new();
    request.set_line("GET", url.target()).unwrap();
    request.set_host(url.authority()).unwrap();
    let mut wire = Vec::new();
    request.encode(&mut wire, &Default::default());
    let (mut read, limits) = (IncomingRequest::new(), HeadLimits::default());
    if wire.len() <= limits.bytes {
        let parsed = RequestParser::default().parse(&wire, &limits, &mut read);
        assert_eq!(parsed, Ok(Parsed::Complete { len: wire.len() }));
        assert_eq!((read.target(), read.host()), (url.target(), Some(url.authority())));
    }
}
