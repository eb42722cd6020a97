//! Fields that make browsers stricter than they are by themselves: what helmet is to Express.

use super::Next;
use crate::http::{Request, Response};

/// The page may load scripts, styles, images and so on from this site only. Scripts and styles that are written in the page
/// itself are not used.
const CSP: &str = "default-src 'self'; base-uri 'self'; font-src 'self' data:; form-action 'self'; frame-ancestors 'self'; \
                   img-src 'self' data:; object-src 'none'; script-src 'self'; script-src-attr 'none'; style-src 'self'";

/// The fields that [`shield`] sets.
///
/// | field | value | what it does |
/// |---|---|---|
/// | `Content-Security-Policy` | `default-src 'self'; …` | what the page loads comes from this site; no script or style in the page itself |
/// | `Cross-Origin-Opener-Policy` | `same-origin` | a page that opens this one has no handle of its window |
/// | `Cross-Origin-Resource-Policy` | `same-origin` | pages of other origins cannot load what is here |
/// | `Origin-Agent-Cluster` | `?1` | a process of its own, where the browser has one |
/// | `Referrer-Policy` | `no-referrer` | other sites do not learn from where a visitor comes |
/// | `X-Content-Type-Options` | `nosniff` | a file is what its type says |
/// | `X-DNS-Prefetch-Control` | `off` | names of links are not looked up before a click |
/// | `X-Download-Options` | `noopen` | old Internet Explorer |
/// | `X-Frame-Options` | `SAMEORIGIN` | other sites cannot frame the page, in browsers that do not know `frame-ancestors` |
/// | `X-Permitted-Cross-Domain-Policies` | `none` | Acrobat |
/// | `X-XSS-Protection` | `0` | a filter of old browsers that did harm is off |
///
/// and, only [`over_https`](Shield::over_https), `Strict-Transport-Security` and `upgrade-insecure-requests`.
///
/// ```
/// use oneloop::app::Shield;
///
/// let shield = Shield::new().over_https().set("Referrer-Policy", "same-origin").without("X-Download-Options");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shield {
    fields: Vec<(String, String)>,
}

impl Shield {
    /// All fields with the values of the table.
    ///
    /// ```
    /// let shield = oneloop::app::Shield::new();
    /// ```
    pub fn new() -> Shield {
        let fields = [
            ("Content-Security-Policy", CSP),
            ("Cross-Origin-Opener-Policy", "same-origin"),
            ("Cross-Origin-Resource-Policy", "same-origin"),
            ("Origin-Agent-Cluster", "?1"),
            ("Referrer-Policy", "no-referrer"),
            ("X-Content-Type-Options", "nosniff"),
            ("X-DNS-Prefetch-Control", "off"),
            ("X-Download-Options", "noopen"),
            ("X-Frame-Options", "SAMEORIGIN"),
            ("X-Permitted-Cross-Domain-Policies", "none"),
            ("X-XSS-Protection", "0"),
        ];
        Shield { fields: fields.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec() }
    }

    /// Call this if all visitors come by `https`, for example because a proxy ends TLS. Then browsers are told two things: to use
    /// only `https` for this site and its subdomains for a year (`Strict-Transport-Security: max-age=31536000;
    /// includeSubDomains`), and to load the `http` addresses in a page by `https` instead (`upgrade-insecure-requests`). Without
    /// TLS both would do harm: a page on `http://localhost` would lose its styles.
    ///
    /// ```
    /// let shield = oneloop::app::Shield::new().over_https();
    /// ```
    pub fn over_https(mut self) -> Shield {
        if let Some((_, policy)) = self.fields.iter_mut().find(|(name, _)| name == "Content-Security-Policy") {
            policy.push_str("; upgrade-insecure-requests");
        }
        self.set("Strict-Transport-Security", "max-age=31536000; includeSubDomains")
    }

    /// Sets a field to another value, or adds one.
    ///
    /// ```
    /// let shield = oneloop::app::Shield::new().set("Content-Security-Policy", "default-src 'none'");
    /// ```
    pub fn set(mut self, name: &str, value: &str) -> Shield {
        self = self.without(name);
        self.fields.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Leaves a field out.
    ///
    /// ```
    /// let shield = oneloop::app::Shield::new().without("Cross-Origin-Resource-Policy"); // others show our images
    /// ```
    pub fn without(mut self, name: &str) -> Shield {
        self.fields.retain(|(other, _)| !other.eq_ignore_ascii_case(name));
        self
    }
}

impl Default for Shield {
    fn default() -> Shield {
        Shield::new()
    }
}

/// Makes a middleware that sets the fields of a [`Shield`]. Steps behind it may set each of them to another value. Pages of errors
/// have them too.
///
/// ```
/// # let sim = oneloop::sim::Sim::new();
/// use oneloop::app::{App, Shield, shield};
///
/// let mut app = App::new();
/// app.with(shield(Shield::new()));
/// app.get("/", |_req, res| res.end("hello\n"));
/// # app.listen(80, ())?;
/// assert_eq!(sim.request("GET", "/").send().header("X-Content-Type-Options"), Some("nosniff"));
/// # std::io::Result::Ok(())
/// ```
pub fn shield(shield: Shield) -> impl FnMut(Request, Response, Next) + 'static {
    move |_req, res, next| {
        for (name, value) in &shield.fields {
            res.set_header(name, value.as_str());
        }
        next.run();
    }
}
