use super::*;
use crate::event_loop::driver::{Bind, Io, ListenHow, Listener as BoundListener, Ready};
use crate::event_loop::{Kind, Loop, Source, Token, current, now, set_immediate, set_interval, set_timeout};
use proptest::prelude::*;
use std::any::Any;
use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};

const SECOND: Duration = Duration::from_secs(1);
const PORT: u16 = 7;

/// The smallest program: it sends back the bytes that it receives, and sends its FIN after the peer's FIN.
struct Echo {
    role: RefCell<Role>,
    token: Cell<Token>,
    pending: RefCell<Vec<u8>>,
    ended: Cell<bool>,
}

enum Role {
    Gone,
    Listener(BoundListener),
    Connection(Io),
}

impl Echo {
    fn start(lp: &Rc<Loop>, mut role: Role) {
        let echo = Rc::new(Echo {
            role: RefCell::new(Role::Gone),
            token: Cell::new(Token::NONE),
            pending: RefCell::default(),
            ended: Cell::new(false),
        });
        let token = lp.insert(echo.clone());
        lp.hold();
        echo.token.set(token);
        match &mut role {
            Role::Gone => {}
            Role::Listener(listener) => lp.driver().register_listener(listener, token.number()).unwrap(),
            Role::Connection(io) => lp.driver().register(io, token.number()).unwrap(),
        }
        *echo.role.borrow_mut() = role;
    }

    fn listen() {
        let lp = current().unwrap();
        let how = ListenHow::new(511);
        Echo::start(&lp, Role::Listener(lp.driver().listen(&Bind::Any { port: PORT }, &how).unwrap()));
    }

    /// Connects to a scripted server and sends back what it receives.
    fn connect(to: Address) {
        let lp = current().unwrap();
        Echo::start(&lp, Role::Connection(lp.driver().connect(&to).unwrap()));
    }

    /// False once the connection is over.
    fn echo(&self, io: &Io, ready: Ready) -> bool {
        let mut landing = [0; 64];
        while ready.has(Ready::READ) && !self.ended.get() {
            match io.read(&mut landing) {
                Ok(0) => self.ended.set(true),
                Ok(length) => self.pending.borrow_mut().extend_from_slice(&landing[..length]),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(_) => return false,
            }
        }
        let mut pending = self.pending.borrow_mut();
        while !pending.is_empty() {
            match io.write(&pending) {
                Ok(length) => drop(pending.drain(..length)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return true,
                Err(_) => return false,
            }
        }
        !self.ended.get()
    }
}

impl Source for Echo {
    fn turn(self: Rc<Self>, lp: &Rc<Loop>, ready: Ready) {
        let goes_on = match &*self.role.borrow() {
            Role::Gone => true,
            Role::Listener(listener) => {
                while let Ok((io, _)) = lp.driver().accept(listener) {
                    Echo::start(lp, Role::Connection(io));
                }
                true
            }
            Role::Connection(io) => self.echo(io, ready),
        };
        if !goes_on {
            *self.role.borrow_mut() = Role::Gone;
            lp.release();
            lp.make_closing(self.token.get());
        }
    }

    fn resume(self: Rc<Self>, _: &Rc<Loop>) {}

    fn due(self: Rc<Self>, _: &Rc<Loop>) {}

    fn closed(self: Rc<Self>, _: &Rc<Loop>) {}

    fn teardown(&self) {
        *self.role.borrow_mut() = Role::Gone;
    }

    fn kind(&self) -> Kind {
        Kind::Connection
    }

    fn buffered(&self) -> usize {
        0
    }

    fn into_any(self: Rc<Self>) -> Rc<dyn Any> {
        self
    }
}

#[test]
fn a_peer_talks_to_a_program() {
    let sim = Sim::new();
    Echo::listen();
    let client = sim.connect(PORT);
    client.write("hello, ");
    client.write("world");
    assert_eq!(client.text(), "", "nothing happens before the loop runs");
    sim.settle();
    assert_eq!(client.text(), "hello, world");
    assert_eq!(client.take(), b"hello, world");
    assert!(client.received().is_empty() && !client.is_closed());
    client.finish();
    sim.settle();
    assert!(client.is_closed() && !client.was_reset());
    assert_eq!((sim.now(), sim.open_fds()), (Duration::ZERO, 1));
}

#[test]
fn the_clock_moves_exactly_as_far_as_it_is_told() {
    let sim = Sim::new();
    let rang = Rc::new(RefCell::new(Vec::new()));
    for seconds in [1, 2, 3] {
        let rang = rang.clone();
        set_timeout(SECOND * seconds, move || rang.borrow_mut().push(now()));
    }
    sim.settle();
    assert!(rang.borrow().is_empty());
    sim.advance(SECOND * 2);
    assert_eq!(*rang.borrow(), [SECOND, SECOND * 2]);
    sim.advance(SECOND * 3 / 2);
    assert_eq!((rang.borrow().len(), sim.now()), (3, SECOND * 7 / 2));
}

#[test]
fn settling_includes_immediates_and_what_they_cause() {
    let sim = Sim::new();
    let done = Rc::new(Cell::new(false));
    let flag = done.clone();
    set_immediate(move || {
        set_immediate(move || {
            flag.set(true);
        });
    });
    sim.settle();
    assert!(done.get());
}

#[test]
fn a_slow_writer_takes_its_time_and_finishes_last() {
    let sim = Sim::new();
    Echo::listen();
    let client = sim.connect(PORT);
    client.write_each_byte_every("abc", SECOND);
    client.finish();
    sim.advance(SECOND * 3 / 2);
    assert_eq!(client.text(), "ab");
    assert!(!client.is_closed());
    sim.advance(SECOND);
    assert_eq!(client.text(), "abc");
    assert!(client.is_closed());
}

#[test]
fn who_does_not_read_fills_the_buffer_and_gets_all_later() {
    let sim = Sim::new();
    sim.set_network(Network { buffer: 100, ..Network::default() });
    Echo::listen();
    let client = sim.connect(PORT);
    client.pause_reading();
    client.write([b'x'; 1000]);
    sim.settle();
    assert!(client.received().is_empty());
    client.resume_reading();
    sim.settle();
    assert_eq!(client.received().len(), 1000);
}

#[test]
fn a_slow_reader_reads_at_its_rate() {
    let sim = Sim::new();
    Echo::listen();
    let client = sim.connect(PORT);
    client.read_at_rate(2, SECOND);
    client.write("abcdef");
    sim.advance(SECOND * 2);
    assert_eq!(client.text(), "abcd");
    sim.run_to_rest();
    assert_eq!(client.text(), "abcdef");
}

#[test]
fn peers_see_resets_and_refusals() {
    let sim = Sim::new();
    let refused = sim.connect(PORT);
    sim.settle();
    assert!(refused.was_refused() && refused.is_closed() && !refused.was_reset());

    Echo::listen();
    sim.set_fd_limit(Some(1));
    let closed = Rc::new(Cell::new(0));
    let seen = closed.clone();
    let aborted = sim.connect(PORT);
    aborted.on_close(move |_| seen.set(seen.get() + 1));
    sim.settle();
    assert_eq!(closed.get(), 0, "it waits in the backlog");
    sim.set_fd_limit(None);
    sim.abort_next_accept();
    // This causes a new event: the echo program does not try again by itself.
    let other = sim.connect(PORT);
    sim.settle();
    assert!(aborted.was_reset() && aborted.is_closed());
    assert_eq!(closed.get(), 1);

    other.write("x");
    other.reset();
    sim.settle();
    assert!(other.is_closed() && !other.was_reset());
}

#[test]
fn the_program_connects_to_a_scripted_server() {
    let sim = Sim::new();
    let server = sim.listen("127.0.0.1:0").unwrap();
    server.on_accept(|peer| {
        peer.write("ping");
        peer.on_data(|peer, bytes| {
            assert_eq!(bytes, b"ping");
            peer.finish();
        });
    });
    Echo::connect(server.local_addr());
    sim.run_to_rest();
    assert_eq!(server.accepted().len(), 1);
    assert!(server.accepted().iter().all(Peer::is_closed));
    assert_eq!(sim.open_fds(), 0);

    drop(server);
    Echo::connect(SocketAddr::from(([127, 0, 0, 1], 1)).into());
    sim.run_to_rest();
    assert_eq!(sim.open_fds(), 0, "it was refused");
}

#[test]
fn an_address_that_does_not_answer_times_out_late() {
    let sim = Sim::new();
    let nowhere = SocketAddr::from(([192, 0, 2, 1], 80));
    sim.set_black_hole(nowhere);
    let client = sim.connect_to(nowhere.into());
    sim.advance(SECOND * 100);
    assert!(!client.is_closed());
    sim.advance(SECOND * 100);
    assert!(client.was_refused());
}

#[test]
fn a_run_may_stop_at_a_condition_or_at_its_time() {
    let sim = Sim::new();
    let count = Rc::new(Cell::new(0));
    let counter = count.clone();
    set_interval(SECOND, move || counter.set(counter.get() + 1));
    assert!(sim.run_until(|| count.get() == 3, SECOND * 10));
    assert_eq!(sim.now(), SECOND * 3);
    assert!(!sim.run_until(|| count.get() == 30, SECOND * 10));
    assert_eq!((sim.now(), count.get()), (SECOND * 13, 13));
}

#[test]
fn time_passes_for_scripts_when_the_program_has_ended() {
    let sim = Sim::new();
    let done = Rc::new(Cell::new(false));
    let flag = done.clone();
    sim.at(SECOND, move || flag.set(true));
    sim.advance(SECOND / 2);
    assert!(!done.get());
    sim.advance(SECOND);
    assert!(done.get());
    assert_eq!(sim.now(), SECOND * 3 / 2);
}

#[test]
fn a_failed_assertion_in_a_callback_fails_the_test() {
    let sim = Sim::new();
    set_timeout(SECOND, || panic!("as expected"));
    assert!(catch_unwind(AssertUnwindSafe(|| sim.advance(SECOND))).is_err());
}

#[test]
fn a_world_within_a_running_loop_is_refused() {
    let sim = Sim::new();
    set_immediate(|| drop(Sim::new()));
    let refused = catch_unwind(AssertUnwindSafe(|| sim.settle())).unwrap_err();
    let message = refused.downcast_ref::<&str>().map(ToString::to_string);
    let message = message.or_else(|| refused.downcast_ref::<String>().cloned()).unwrap();
    assert!(message.contains("loop is running"), "{message}");
}

#[test]
fn what_scripts_hold_is_freed_with_the_world() {
    let held = Rc::new(());
    let sim = Sim::new();
    Echo::listen();
    let client = sim.connect(PORT);
    let (of_data, of_close, of_script, peer) = (held.clone(), held.clone(), held.clone(), client.clone());
    client.on_data(move |_, _| drop((of_data.clone(), peer.clone())));
    client.on_close(move |_| drop(of_close.clone()));
    sim.at(SECOND, move || drop(of_script));
    client.write_each_byte_every("never done", SECOND);
    sim.settle();
    drop((sim, client));
    assert_eq!(Rc::strong_count(&held), 1);
}

type Trace = Vec<(usize, Duration, Vec<u8>)>;

/// Runs many clients on a rough network. Returns everything that they saw.
fn rough_run(seed: u64) -> (Trace, Vec<Peer>) {
    let sim = Sim::with_seed(seed);
    let millisecond = Duration::from_millis(1);
    sim.set_network(Network {
        latency: millisecond..=millisecond * 50,
        splits: true,
        partial_writes: true,
        read_splits: true,
        buffer: 500,
    });
    Echo::listen();
    let trace: Rc<RefCell<Trace>> = Rc::default();
    let clients: Vec<Peer> = (0..10)
        .map(|number| {
            let client = sim.connect(PORT);
            let trace = trace.clone();
            client.on_data(move |_, bytes| trace.borrow_mut().push((number, now(), bytes.to_vec())));
            client.write((0..sim.random(2000)).map(|index| (index % 251) as u8).collect::<Vec<_>>());
            client.finish();
            client
        })
        .collect();
    sim.run_to_rest();
    assert_eq!(sim.open_fds(), 1, "all but the listener were closed");
    (trace.take(), clients)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 20, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_same_seed_is_the_same_run(seed: u64) {
        let (trace, clients) = rough_run(seed);
        for client in &clients {
            let expected: Vec<u8> = (0..client.received().len()).map(|index| (index % 251) as u8).collect();
            prop_assert_eq!(client.received(), expected);
            prop_assert!(client.is_closed() && !client.was_reset());
        }
        prop_assert_eq!(rough_run(seed).0, trace);
    }
}
