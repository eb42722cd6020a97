use super::connection::{Endpoint, EndpointCore};
use std::cell::RefCell;
use std::rc::{Rc, Weak};

thread_local! {
    /// The endpoints of this thread, in the order in which they were made.
    static ENDPOINTS: RefCell<Vec<Weak<EndpointCore>>> = const { RefCell::new(Vec::new()) };
}

/// The endpoints of this thread, in the order in which they were made: what the page of the devtools shows, for a program that
/// reports by itself.
///
/// ```
/// use oneloop::{http, ws};
///
/// let server = http::create_server(|_req, res| res.end("hello\n"));
/// let chat = ws::mount(&server, "/chat");
/// for endpoint in ws::endpoints() {
///     let stats = endpoint.stats();
///     println!("{}: {} sockets, {} messages received, {} sent", endpoint.name(), stats.sockets, stats.received, stats.sent);
/// }
/// assert_eq!(ws::endpoints(), [chat]);
/// ```
pub fn endpoints() -> Vec<Endpoint> {
    // A thread that ends may have no list any more.
    ENDPOINTS.try_with(|all| all.borrow().iter().filter_map(Weak::upgrade).map(Endpoint).collect()).unwrap_or_default()
}

/// Lists an endpoint for as long as it lives.
pub(super) fn add(endpoint: &Rc<EndpointCore>) {
    let _ = ENDPOINTS.try_with(|all| all.borrow_mut().push(Rc::downgrade(endpoint)));
}

impl Drop for EndpointCore {
    fn drop(&mut self) {
        let _ = ENDPOINTS.try_with(|all| {
            let mut all = all.borrow_mut();
            // The newest ones are often the first to go.
            if let Some(place) = all.iter().rposition(|endpoint| std::ptr::eq(endpoint.as_ptr(), self)) {
                all.remove(place);
            }
        });
    }
}
