//! How pages are made: templates, which escape what they are given, and the files that pages load. All are part of the program.

use minijinja::value::Serde;
use minijinja::{Environment, Value};
use oneloop::http::{Error, Request, Response, Result};
use serde::Serialize;
use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};

const TEMPLATES: [(&str, &str); 4] = [
    ("page.html", include_str!("../templates/page.html")),
    ("account.html", include_str!("../templates/account.html")),
    ("error.html", include_str!("../templates/error.html")),
    ("list.html", include_str!("../templates/list.html")),
];

/// Name, media type, content.
const ASSETS: [(&str, &str, &str); 3] = [
    ("app.js", "js", include_str!("../assets/app.js")),
    ("icon.svg", "svg", include_str!("../assets/icon.svg")),
    ("style.css", "css", include_str!("../assets/style.css")),
];

pub struct Templates(Environment<'static>);

impl Templates {
    pub fn new() -> std::result::Result<Templates, minijinja::Error> {
        let mut environment = Environment::new();
        for (name, source) in TEMPLATES {
            environment.add_template(name, source)?;
        }
        let urls = ASSETS.map(|(name, _, text)| (name, Value::from_safe_string(url(name, text))));
        environment.add_global("assets", Value::from_pairs(urls));
        Ok(Templates(environment))
    }

    /// Answers with a page.
    pub fn show(&self, res: &Response, status: u16, name: &str, values: impl Serialize) -> Result {
        let page = self.0.get_template(name)?.render(Serde(values))?;
        // Not even for the button "back": after a log-out, nobody shall find the list in the browser.
        res.set_status(status).set_header("Cache-Control", "no-store").html(page);
        Ok(())
    }

    /// Answers with a page for an error. What went wrong inside is for the log alone.
    pub fn show_error(&self, res: &Response, error: &Error) -> Result {
        self.show(res, error.status(), "error.html", BTreeMap::from([("message", error.message())]))
    }
}

/// A file for pages. Its URL names its content, so browsers keep it for good, and get another one when it changes.
pub fn asset(req: Request, res: Response) -> Result {
    let found = ASSETS.iter().find(|(name, _, text)| url(name, text) == req.path());
    let (_, media_type, text) = found.ok_or(Error::new(404, "There is no such file."))?;
    res.content_type(media_type).set_header("Cache-Control", "public, max-age=31536000, immutable").end(*text);
    Ok(())
}

fn url(name: &str, text: &str) -> String {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    format!("/assets/{:016x}/{name}", hasher.finish())
}
