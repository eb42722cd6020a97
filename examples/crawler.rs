//! Follows the links of a site, 16 pages at a time and 100 in all, and prints a table at the end. Try:
//! `cargo run --example crawler`, which brings a site of its own, or `cargo run --example crawler -- http://localhost:7777/`
//!
//! How many requests are on their way at once is the agent's matter: all others wait in its queue.

use oneloop::{clock, http};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

const PAGES: usize = 100;
/// A page with more bytes is not read to its end.
const LONGEST: usize = 1024 * 1024;

/// What is known of the pages, by their URL; `None` while nothing is.
type Pages = Rc<RefCell<BTreeMap<String, Option<Page>>>>;

struct Page {
    outcome: String,
    bytes: usize,
    took: Duration,
}

fn main() -> std::io::Result<()> {
    let agent = http::Agent::new();
    let mut limits = agent.limits();
    limits.per_host = 16;
    agent.set_limits(limits);
    let pages = Pages::default();
    match std::env::args().nth(1) {
        Some(url) => visit(&agent, &pages, url),
        None => {
            let site = http::create_server(a_page);
            site.listen(("127.0.0.1", 0), ())?;
            site.unref(); // the program ends when nobody asks it any more
            let port = site.address().and_then(|address| address.port()).unwrap_or_default();
            visit(&agent, &pages, format!("http://127.0.0.1:{port}/"));
        }
    }
    oneloop::run()?;
    print(&pages.borrow());
    let stats = agent.stats();
    println!("{} requests on {} connections", stats.requests, stats.connections);
    Ok(())
}

fn visit(agent: &http::Agent, pages: &Pages, url: String) {
    if pages.borrow().len() >= PAGES || pages.borrow().contains_key(&url) {
        return;
    }
    pages.borrow_mut().insert(url.clone(), None);
    let (began, next, all) = (clock(), agent.clone(), pages.clone());
    let note = {
        let (url, pages) = (url.clone(), pages.clone());
        move |outcome: String, bytes: usize| {
            pages.borrow_mut().insert(url.clone(), Some(Page { outcome, bytes, took: clock() - began }));
        }
    };
    let failed = note.clone();
    let req = agent.get(&url, move |res| {
        let (status, base) = (res.status(), origin(res.url()).to_owned());
        res.read_body(LONGEST, move |body| match body {
            Ok(body) => {
                note(status.to_string(), body.len());
                for link in links(&String::from_utf8_lossy(&body)) {
                    visit(&next, &all, format!("{base}{link}"));
                }
            }
            Err(error) => note(format!("{status} {error}"), 0),
        });
    });
    req.set_timeout(Duration::from_secs(30)).on_error(move |_, error| failed(error.kind().to_string(), 0));
}

/// `http://host:port` of a URL.
fn origin(url: &str) -> &str {
    let after = url.find("://").map_or(0, |at| at + 3);
    let end = url[after..].find(['/', '?']).map_or(url.len(), |at| after + at);
    &url[..end]
}

/// The links of a page to others of its site.
fn links(html: &str) -> Vec<&str> {
    let targets = html.split("href=\"").skip(1).filter_map(|rest| rest.split(['"', '#']).next());
    targets.filter(|target| target.starts_with('/') && !target.starts_with("//")).collect()
}

fn print(pages: &BTreeMap<String, Option<Page>>) {
    println!("{:>8} {:>9}  {:<16} page", "ms", "bytes", "outcome");
    for (url, page) in pages {
        if let Some(page) = page {
            let millis = page.took.as_secs_f64() * 1000.0;
            println!("{millis:>8.1} {:>9}  {:<16} {url}", page.bytes, page.outcome);
        }
    }
}

/// A site without end: each page has links to three others, and takes 20 ms.
fn a_page(req: http::Request, res: http::Response) {
    let number = req.path().trim_matches('/').parse::<u64>().unwrap_or(0);
    let links: String = (1..=3).map(|n| format!("<p><a href=\"/{}\">on</a>\n", number * 3 + n)).collect();
    oneloop::set_timeout(Duration::from_millis(20), move || {
        res.set_header("Content-Type", "text/html; charset=utf-8").end(format!("<h1>{number}</h1>\n{links}"));
    });
}
