//! The servers that the comparison measures do what they are compared for. Here they run in this process;
//! `cargo run --release -p comparison -- check` does the same with processes.

use super::Setup;
use super::check::{self, Ports};
use std::io;
use std::sync::mpsc;
use std::thread;

/// Starts a server on threads of this process, which stay until it ends, and says its port.
fn start(setup: Setup) -> io::Result<u16> {
    let (sender, port) = mpsc::channel();
    thread::spawn(move || {
        let failed = sender.clone();
        let listening = Box::new(move |port| drop(sender.send(Ok(port))));
        if let Err(error) = super::serve(setup, listening) {
            // Nobody is there to hear it after the start.
            let _ = failed.send(Err(error));
        }
    });
    port.recv().map_err(io::Error::other)?
}

fn check(design: &str) {
    let port = |setup: Setup| start(setup).expect("the server listens");
    let [many, few] = check::setups(design).map(port);
    let [reference, _] = check::setups("loop");
    if let Err(failed) = check::design(Ports { many, few, reference: port(reference) }) {
        panic!("{design}: {failed}");
    }
}

macro_rules! checked {
    ($($test:ident $design:literal)*) => {
        $(#[test] fn $test() { check($design); })*

        #[test]
        fn no_design_is_forgotten() {
            assert_eq!(super::NAMES, [$($design),*]);
        }
    };
}

checked! {
    one_loop_serves_as_it_should "loop"
    several_loops_serve_as_they_should "loops"
    a_pool_of_threads_for_connections_serves_as_it_should "pool-connection"
    a_pool_of_threads_for_requests_serves_as_it_should "pool-request"
    a_thread_for_each_connection_serves_as_it_should "thread-each"
    a_loop_with_workers_serves_as_it_should "loop-workers"
}
