use crate::proto::authority::split_port;

/// The web pages that may open sockets of an endpoint: see [`Endpoint::origins`](super::Endpoint::origins).
///
/// A browser sends the cookies of a site with a handshake, whichever page has begun the handshake. It does not ask the server for
/// permission first, as it does for other requests between sites. The `Origin` field, which a page cannot change, is the only
/// sign of where the page is from. Programs other than browsers usually send no `Origin`. They are accepted, since they could
/// send any value.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Origins {
    /// Pages from the same host and port as those of the request. This is the default. Behind a proxy that changes the `Host`
    /// field, name the origins instead.
    #[default]
    SameHost,
    /// Pages from these origins, such as `https://example.com` or `http://localhost:3000`.
    Only(Vec<String>),
    /// All pages of the web. Use it only where every visitor of any page may do everything that the socket offers.
    Any,
}

impl Origins {
    /// Pages from these origins.
    ///
    /// ```
    /// use oneloop::ws::Origins;
    ///
    /// let origins = Origins::only(["https://example.com", "https://www.example.com"]);
    /// # assert!(matches!(origins, Origins::Only(list) if list.len() == 2));
    /// ```
    pub fn only<T: Into<String>>(origins: impl IntoIterator<Item = T>) -> Origins {
        Origins::Only(origins.into_iter().map(Into::into).collect())
    }

    /// Returns whether a page from `origin` may open a socket with a request for `host`.
    pub(super) fn allow(&self, origin: &str, host: &str) -> bool {
        match self {
            Origins::Any => true,
            Origins::Only(list) => list.iter().any(|one| one.trim_end_matches('/').eq_ignore_ascii_case(origin)),
            Origins::SameHost => {
                let Some((scheme, of_page)) = origin.split_once("://") else { return false };
                let port = if scheme.eq_ignore_ascii_case("https") { "443" } else { "80" };
                // A request does not say whether it came by http or https, so a missing port stands for the default port of the
                // page's scheme.
                let (page, asked) = (split_port(of_page), split_port(host));
                page.0.eq_ignore_ascii_case(asked.0)
                    && page.1.unwrap_or(port) == asked.1.unwrap_or(port)
                    && !asked.0.is_empty()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Origins;

    #[test]
    fn a_page_of_the_same_host_and_port_is_let_in_and_no_other() {
        for (origin, host, allowed) in [
            ("http://a.example", "a.example", true),
            ("http://A.example", "a.EXAMPLE", true),
            ("http://a.example", "a.example:80", true),
            ("https://a.example", "a.example:443", true),
            ("https://a.example:443", "a.example", true),
            ("http://localhost:3000", "localhost:3000", true),
            ("http://[::1]:80", "[::1]", true),
            ("http://[::1]", "[::1]:80", true),
            ("http://a.example", "a.example:8080", false),
            ("http://a.example:8080", "a.example", false),
            ("https://a.example", "a.example:80", false),
            ("http://b.example", "a.example", false),
            ("http://a.example.b", "a.example", false),
            ("http://sub.a.example", "a.example", false),
            ("null", "a.example", false),
            ("null", "null", false),
            ("", "", false),
            ("http://", "", false),
            ("a.example", "a.example", false),
        ] {
            assert_eq!(Origins::SameHost.allow(origin, host), allowed, "{origin} for {host}");
        }
    }

    #[test]
    fn a_list_names_whole_origins() {
        let list = Origins::only(["https://a.example/", "http://localhost:3000"]);
        for (origin, allowed) in [
            ("https://a.example", true),
            ("HTTPS://A.example", true),
            ("http://localhost:3000", true),
            ("http://a.example", false),
            ("https://a.example:444", false),
            ("https://a.example.b", false),
            ("null", false),
        ] {
            assert_eq!(list.allow(origin, "a.example"), allowed, "{origin}");
            assert!(Origins::Any.allow(origin, "other"));
        }
    }
}
