//! The server that an agent was asked for last: the next request is mostly for it again, and then its URL need not be read anew.

use super::place::Place;
use crate::proto::h1::OutgoingRequest;
use crate::proto::url::{Scheme, Url};
use std::rc::Rc;

#[derive(Default)]
pub(super) struct Known {
    /// Scheme, host and port, as in [`Url::origin`].
    origin: String,
    /// The value of the Host field.
    host: String,
    place: Option<Rc<Place>>,
}

impl Known {
    /// Sets the request line and the host for a URL of the known server, without a proxy, and returns its place. `None` if the URL has to be
    /// read: it begins otherwise, or something is wrong with it.
    pub fn route(&self, method: &str, url: &str, head: &mut OutgoingRequest) -> Option<Rc<Place>> {
        let place = self.place.as_ref()?;
        let target = url.strip_prefix(&*self.origin).filter(|target| target.starts_with('/'))?;
        if target.as_bytes().contains(&b'#') {
            return None;
        }
        head.set_line(method, target).ok()?;
        head.set_host(&self.host).ok()?;
        Some(place.clone())
    }

    /// Knows this server from now on, and no other.
    pub fn note(&mut self, url: &Url, place: &Rc<Place>) {
        // What follows the path of a socket may be more of that path.
        if url.scheme() == Scheme::Unix {
            return;
        }
        self.origin.clear();
        self.origin.push_str(url.origin());
        self.host.clear();
        self.host.push_str(url.authority());
        self.place = Some(place.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a whole reading of the URL says.
    fn read(url: &str) -> Option<(Place, String, String)> {
        let url = Url::parse(url).ok()?;
        Some((Place::of(&url).ok()?, url.authority().to_owned(), url.target().to_owned()))
    }

    #[test]
    fn a_known_server_is_what_a_whole_reading_of_the_url_says_or_the_url_is_read() {
        let servers = [
            "http://a",
            "http://a:81",
            "HTTP://A:80",
            "http://[::1]:8080",
            "unix:/a",
            "http://a.b",
            "http://127.0.0.1",
        ];
        let rests = [
            "",
            "/",
            "/b",
            "/b?c",
            "?c",
            "/b#d",
            "#d",
            ":81/b",
            "@c/b",
            ".b/c",
            "/b:/c",
            "/ b",
            "/\u{fc}",
            "/b\r\nX: y",
        ];
        let (mut known_ones, mut others) = (0, 0);
        for server in servers {
            let url = Url::parse(server).unwrap();
            let mut known = Known::default();
            known.note(&url, &Rc::new(Place::of(&url).unwrap()));
            for (other, rest) in servers.iter().flat_map(|other| rests.map(|rest| (other, rest))) {
                let (text, mut head) = (format!("{other}{rest}"), OutgoingRequest::new());
                match known.route("GET", &text, &mut head) {
                    Some(place) => {
                        known_ones += 1;
                        let told = ((*place).clone(), head.host().to_owned(), head.target().to_owned());
                        assert_eq!(Some(told), read(&text), "{server} {text:?}");
                    }
                    None => others += 1,
                }
            }
        }
        assert!(known_ones > 10 && others > 100, "{known_ones} {others}");
    }

    #[test]
    fn a_method_that_cannot_be_sent_is_not_sent_to_a_known_server_either() {
        let url = Url::parse("http://a").unwrap();
        let mut known = Known::default();
        known.note(&url, &Rc::new(Place::of(&url).unwrap()));
        for method in ["", "G T", "CONNECT"] {
            assert!(known.route(method, "http://a/", &mut OutgoingRequest::new()).is_none(), "{method:?}");
        }
    }
}
