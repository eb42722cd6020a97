//! Promise 8 over real sockets, for peers that have ended their side: those that are gone leave nothing, and those that read
//! on get what they asked for. (The cases are in `half_open.rs`.)

use oneloop::event_loop::{PanicPolicy, set_panic_policy};
use oneloop::http::{self, Response};
use oneloop::net::CloseReason;
use std::cell::RefCell;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::rc::Rc;
use std::thread;
use std::time::Duration;

#[test]
fn three_hundred_real_clients_that_have_gone_leave_no_descriptor() {
    set_panic_policy(PanicPolicy::Resume);
    let kept: Rc<RefCell<Vec<Response>>> = Rc::default();
    let reasons: Rc<RefCell<Vec<CloseReason>>> = Rc::default();
    let (keep, why) = (kept.clone(), reasons.clone());
    let server = http::create_server(move |_req, res: Response| {
        let why = why.clone();
        res.on_close(move |_, reason| {
            why.borrow_mut().push(reason);
            if why.borrow().len() == 300 {
                oneloop::stop();
            }
        });
        if keep.borrow().len() % 2 == 0 {
            // A stream of events that has begun.
            res.set_header("Content-Type", "text/event-stream");
            res.write("data: hello\n\n").ignore();
        }
        keep.borrow_mut().push(res);
    });
    server.listen(("127.0.0.1", 0), || ()).unwrap();
    let address = server.address().unwrap().to_string();
    // Without it, a client that is never noticed would keep the test waiting for ever.
    let bound = oneloop::set_timeout(Duration::from_secs(60), oneloop::stop);
    bound.unref();
    let clients = thread::spawn(move || {
        for _ in 0..300 {
            let mut stream = TcpStream::connect(&address).unwrap();
            stream.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
        }
    });
    oneloop::run().unwrap();
    clients.join().unwrap();
    assert_eq!(reasons.borrow().len(), 300, "some were not noticed within a minute");
    let known = |reason: &CloseReason| matches!(reason, CloseReason::Disconnected | CloseReason::Reset);
    assert!(reasons.borrow().iter().all(known), "{:?}", reasons.borrow());
    assert_eq!(server.connections(), 0);
}

#[test]
fn a_real_client_that_half_closes_gets_its_download() {
    set_panic_policy(PanicPolicy::Resume);
    let server = http::create_server(|_req, res: Response| {
        oneloop::set_timeout(Duration::from_millis(300), move || res.end(vec![b'x'; 20_000_000]));
    });
    server.listen(("127.0.0.1", 0), || ()).unwrap();
    let address = server.address().unwrap().to_string();
    let remote = oneloop::remote();
    let client = thread::spawn(move || {
        let mut stream = TcpStream::connect(&address).unwrap();
        stream.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        let (mut body, mut piece) = (0, vec![0; 4_000_000]);
        loop {
            let count = stream.read(&mut piece).unwrap();
            if count == 0 {
                break;
            }
            body += count;
        }
        remote.post(oneloop::stop).ok();
        body
    });
    oneloop::run().unwrap();
    assert!(client.join().unwrap() > 20_000_000);
}
