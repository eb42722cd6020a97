//! The large buffers that a loop keeps are freed in time.

use crate::event_loop::current;
use crate::net::{self, Context, LargeBuffers};
use crate::sim::{Network, Sim};
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

/// Returns whether a buffer is kept. It stays kept, for as long as after any use.
fn keeps_one(buffers: &LargeBuffers) -> bool {
    buffers.take(1, usize::MAX).map(|buffer| buffers.give_back(buffer)).is_some()
}

#[test]
fn a_copy_of_output_leaves_its_buffer_for_the_next_one_for_ten_seconds() {
    let sim = Sim::new();
    sim.set_network(Network { buffer: 1000, ..Network::default() });
    let server = net::create_server(|socket| socket.end(&[b'x'; 100_000][..]));
    server.listen(7, ()).unwrap();
    let cx = Context::of(&current().unwrap());
    let peer = sim.connect(7);
    peer.pause_reading();
    sim.settle();
    assert!(!keeps_one(&cx.large), "it is in use");
    peer.resume_reading();
    sim.settle();
    assert_eq!(peer.received().len(), 100_000);
    assert!(keeps_one(&cx.large));
    sim.advance(9 * SECOND);
    assert!(keeps_one(&cx.large));
    sim.advance(9 * SECOND);
    assert!(keeps_one(&cx.large), "it was used 9 s ago");
    sim.advance(11 * SECOND);
    assert!(!keeps_one(&cx.large));
}
