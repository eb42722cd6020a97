//! Handshakes on worker threads (`Handshakes::Workers`): as good as those on the loop, and bounded in all that may happen meanwhile.

use crate::relay::*;
use crate::support::net::Record;
use oneloop::http::Agent;
use oneloop::sim::{Network, Sim};
use oneloop::tls::{
    self, Client, ClientBuilder, ClientCertificates, Context, ContextBuilder, CryptoProvider, Handshakes, Roots,
    SelfSigned,
};
use oneloop::{https, worker};
use rustls::pki_types::PrivateKeyDer;
use rustls::sign::{Signer, SigningKey};
use rustls::{SignatureAlgorithm, SignatureScheme};
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

fn on(handshakes: Handshakes) -> ContextBuilder {
    Context::builder().identity(made().identity()).handshakes(handshakes)
}

fn workers() -> Context {
    on(Handshakes::Workers).build().unwrap()
}

/// A server that greets, says what was agreed, and says back what it hears. It records failures.
fn echo(context: Context) -> (oneloop::net::Server, Rc<RefCell<Vec<String>>>) {
    let server = tls::create_server(context, |socket| {
        let info = socket.tls().unwrap();
        let alpn = info.alpn().map(String::from_utf8_lossy).unwrap_or_default().into_owned();
        let (name, shown) = (info.server_name().map(str::to_owned), info.peer_certificates().len());
        socket
            .write(format!("{} {} {alpn} {name:?} {} {shown};", info.protocol(), info.cipher(), info.is_resumed()))
            .ignore();
        socket.on_data(|socket, bytes| socket.write(bytes).ignore());
        socket.on_end(|socket| socket.end(" bye"));
    });
    let failed = Rc::<RefCell<Vec<String>>>::default();
    let told = failed.clone();
    server.on_tls_error(move |error| told.borrow_mut().push(format!("{} {}", error.reason, error.message)));
    server.listen(SERVER, ()).unwrap();
    (server, failed)
}

fn connect(port: u16, name: &str, client: &Client) -> (oneloop::net::Socket, Record) {
    let (record, client, name) = (Record::default(), client.clone(), name.to_owned());
    let socket = oneloop::net::connect((NAME, port), move |socket| socket.start_tls((&client, &*name)).unwrap());
    record.watch(&socket);
    let error = record.clone();
    socket.on_error(move |_, why| error.add(why));
    (socket, record)
}

/// A client's whole visit, as it and the server see it.
fn visit(sim: &Sim, client: &Client, name: &str, failed: &Rc<RefCell<Vec<String>>>) -> String {
    let (socket, record) = connect(SERVER, name, client);
    // It goes behind the client's last message of the handshake, into the same bytes.
    socket.on_secure(|socket| socket.end("at once"));
    sim.advance(Duration::from_secs(3));
    format!("{:?} {:?}", record.all(), failed.take())
}

fn only_tls12() -> Arc<CryptoProvider> {
    let mut provider = rustls::crypto::ring::default_provider();
    provider.cipher_suites.retain(|suite| suite.version().version == rustls::ProtocolVersion::TLSv1_2);
    Arc::new(provider)
}

#[test]
fn a_handshake_on_a_worker_has_the_results_of_one_on_the_loop() {
    let me = SelfSigned::new(["me"]).unwrap();
    let mine = Roots::from_pem(me.certificate_pem()).unwrap();
    let clients: [(&str, fn(ClientBuilder, &SelfSigned) -> ClientBuilder); 5] = [
        ("TLS 1.3", |client, _| client),
        ("TLS 1.2", |client, _| client.provider(only_tls12())),
        ("known", |client, me| client.identity(me.identity())),
        ("known, TLS 1.2", |client, me| client.identity(me.identity()).provider(only_tls12())),
        ("a protocol that the server does not speak", |client, _| client.alpn(["c"])),
    ];
    let both = [Handshakes::Inline, Handshakes::Workers].map(|handshakes| {
        let mut all = Vec::new();
        for asked in [
            ClientCertificates::Off,
            ClientCertificates::Optional(mine.clone()),
            ClientCertificates::Required(mine.clone()),
        ] {
            for (what, with) in &clients {
                let sim = Sim::new();
                let context = on(handshakes).alpn(["b", "a"]).host("a.example", made().identity()).strict_names(true);
                let (server, failed) = echo(context.client_certificates(asked.clone()).build().unwrap());
                let client = with(Client::builder().roots(roots()).alpn(["a"]), &me).build().unwrap();
                // The second time a ticket saves the signature; the last name is none of the server's.
                for name in ["a.example", "a.example", NAME, "localhost"] {
                    all.push(format!("{asked:?}, {what}, {name}: {}", visit(&sim, &client, name, &failed)));
                }
                assert_eq!((server.connections(), sim.open_fds()), (0, 1));
            }
        }
        all
    });
    let [inline, elsewhere] = &both;
    for (inline, elsewhere) in inline.iter().zip(elsewhere) {
        assert_eq!(inline, elsewhere);
    }
    let count = |what: &str| elsewhere.iter().filter(|visit| visit.contains(what)).count();
    let counts =
        ["data TLSv1.2", "data TLSv1.3", " true ", " 1;", "(ALPN) in common", "it demands a certificate"].map(count);
    assert!(counts.iter().all(|count| *count > 5), "{counts:?}");
}

#[test]
fn a_wrong_record_is_refused_as_on_the_loop() {
    let garbage: [&[u8]; 7] = [
        b"\x16\x03\x01\x00\x05hello",
        b"\x00\x01\x02",
        b"\x16\x03\x01\xff\xff\x01",
        &[0x16; 70_000],
        &[0xff; 10_000],
        b"\x15\x03\x01\x00\x02\x02\x28",
        b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    ];
    for garbage in garbage {
        let [inline, elsewhere] = [Handshakes::Inline, Handshakes::Workers].map(|handshakes| {
            let sim = Sim::new();
            let server = https::create_server(on(handshakes).build().unwrap(), |_req, res| res.end("secret"));
            let failed = Rc::<RefCell<Vec<String>>>::default();
            let told = failed.clone();
            server.on_tls_error(move |error| told.borrow_mut().push(format!("{} {}", error.reason, error.message)));
            server.listen(SERVER, ()).unwrap();
            let peer = sim.connect(SERVER);
            peer.write(garbage);
            sim.settle();
            let calls = sim.calls();
            sim.advance(Duration::from_secs(15));
            assert!(sim.calls() - calls < 40, "the loop does not sleep");
            assert!(peer.is_closed() && server.connections() == 0);
            (failed.take(), peer.received())
        });
        assert_eq!(inline, elsewhere);
        assert_eq!(inline.0.len(), 1, "{inline:?}");
    }
}

#[test]
fn a_handshake_in_any_pieces_is_as_good_on_a_worker() {
    let sim = Rc::new(Sim::new());
    let ((_server, _), relay) = (echo(workers()), Relay::new(&sim));
    relay.go_bytewise();
    let (socket, _record) = connect(RELAY, NAME, &client());
    sim.advance(Duration::from_secs(2));
    assert!(socket.bytes_read() > 20);
    let sim = Rc::new(Sim::with_seed(7));
    sim.set_network(Network { read_splits: true, partial_writes: true, buffer: 100, ..Network::default() });
    let _server = echo(workers());
    let (socket, _record) = connect(SERVER, NAME, &client());
    socket.on_secure(|socket| socket.write(vec![b'x'; 100_000]).ignore());
    sim.advance(Duration::from_secs(5));
    assert!(socket.bytes_read() > 100_000);
}

#[test]
fn a_handshake_on_a_worker_that_is_cut_at_any_byte_ends_both_sides_and_says_why() {
    for side in [0, 1] {
        // About as many bytes as each side sends; the first of the server's flight is the certificate.
        for cut in (0..[330, 1000][side]).step_by([1, 7][side]) {
            let sim = Rc::new(Sim::new());
            let ((server, failed), relay) = (echo(workers()), Relay::new(&sim));
            relay.cut_after(side, cut);
            let (socket, record) = connect(RELAY, NAME, &client());
            sim.advance(Duration::from_secs(12));
            relay.end(0).close();
            relay.end(1).close();
            sim.advance(Duration::from_secs(2));
            assert!(socket.is_closed() && record.has("close") | !record.all().is_empty(), "{side} {cut}");
            assert_eq!((server.connections(), sim.open_fds()), (0, 1), "{side} {cut} {:?}", failed.borrow());
        }
    }
}

/// A world with a client whose session is away, on a worker that takes 30 s.
fn away() -> (Sim, oneloop::net::Server, Rc<RefCell<Vec<String>>>, oneloop::net::Socket) {
    let sim = Sim::new();
    sim.set_worker_latency(Duration::from_secs(30));
    let (server, failed) = echo(workers());
    let (socket, _record) = connect(SERVER, NAME, &client());
    sim.advance(Duration::from_secs(1));
    assert!(socket.tls().is_none() && server.connections() == 1);
    (sim, server, failed, socket)
}

#[test]
fn the_deadline_counts_while_a_handshake_is_away_and_what_comes_back_is_dropped() {
    let (sim, server, failed, _socket) = away();
    sim.advance(Duration::from_millis(8_900));
    assert_eq!(server.connections(), 1);
    sim.advance(Duration::from_millis(300));
    assert_eq!(server.connections(), 0);
    assert_eq!(*failed.borrow(), ["handshake-timeout the TLS handshake was not over in time"]);
    sim.advance(Duration::from_secs(60));
    assert_eq!((failed.borrow().len(), sim.open_fds()), (1, 1));
}

#[test]
fn a_client_that_goes_or_sends_on_while_its_handshake_is_away_costs_no_turns() {
    for goes in [false, true] {
        let (sim, server, _failed, socket) = away();
        let calls = sim.calls();
        if goes {
            socket.reset();
        }
        sim.advance(Duration::from_secs(7));
        assert!(sim.calls() - calls < 30, "{} calls", sim.calls() - calls);
        sim.advance(Duration::from_secs(60));
        assert_eq!((server.connections(), sim.open_fds()), (0, 1), "{goes}");
    }
}

#[test]
fn a_loop_may_close_its_server_or_end_while_handshakes_are_away() {
    let (sim, server, failed, socket) = away();
    let closed = Rc::new(Cell::new(false));
    let told = closed.clone();
    server.close(move || told.set(true));
    sim.advance(Duration::from_secs(20));
    assert!(closed.get() && failed.borrow().len() == 1);
    drop((socket, server));
    sim.run_to_rest();
    assert_eq!(sim.open_fds(), 0);
    // The world ends with all that is in it.
    let (sim, server, _failed, socket) = away();
    let kept = Rc::new(());
    let held = kept.clone();
    server.on_tls_error(move |_| _ = &held);
    drop((socket, server, sim));
    assert_eq!(Rc::strong_count(&kept), 1);
}

#[test]
fn many_handshakes_at_once_leave_threads_to_the_programs_own_jobs() {
    const MANY: usize = 100;
    let sim = Sim::new();
    let latency = Duration::from_millis(10);
    sim.set_worker_latency(latency);
    let (server, _failed) = echo(workers());
    let client = client();
    let secure = Rc::new(Cell::new(0));
    let sockets: Vec<_> = (0..MANY)
        .map(|_| {
            let counted = secure.clone();
            let socket = tls::connect((NAME, SERVER), &client, move |_| counted.set(counted.get() + 1));
            socket.on_data(|_, _| ());
            socket
        })
        .collect();
    assert!(sim.run_until(|| server.connections() == MANY, Duration::from_secs(1)));
    sim.advance(Duration::from_millis(30));
    assert!(secure.get() < MANY / 2, "{} are secure already", secure.get());
    // As many jobs as the pool has threads for: none waits for a handshake, of which many wait.
    let (began, ended) = (sim.now(), Rc::<RefCell<Vec<Duration>>>::default());
    for _ in 0..4 {
        let done = ended.clone();
        worker::run(|| (), move |_| done.borrow_mut().push(oneloop::now()));
    }
    sim.advance(latency + Duration::from_millis(2));
    assert_eq!(ended.borrow().len(), 4, "{:?} after {began:?}", ended.borrow());
    // Of those that wait, one that has gone takes no thread: the others have two steps each, on two threads.
    sockets.iter().skip(MANY / 2).for_each(|socket| socket.reset());
    let gone = sim.now();
    let are_done = || sockets.iter().take(MANY / 2).all(|socket| socket.bytes_read() > 6);
    assert!(sim.run_until(are_done, Duration::from_secs(5)));
    let took = sim.now() - gone;
    assert!(took < latency * (MANY as u32 / 2 + 10), "{took:?}");
    assert_eq!(server.connections(), MANY / 2);
}

/// A key that nobody can sign with.
#[derive(Debug)]
struct Panics(Arc<dyn SigningKey>);

impl SigningKey for Panics {
    fn choose_scheme(&self, _: &[SignatureScheme]) -> Option<Box<dyn Signer>> {
        panic!("the key is lost")
    }

    fn public_key(&self) -> Option<rustls::pki_types::SubjectPublicKeyInfoDer<'_>> {
        self.0.public_key()
    }

    fn algorithm(&self) -> SignatureAlgorithm {
        self.0.algorithm()
    }
}

#[derive(Debug)]
struct Lost;

impl rustls::crypto::KeyProvider for Lost {
    fn load_private_key(&self, key: PrivateKeyDer<'static>) -> Result<Arc<dyn SigningKey>, rustls::Error> {
        let ring = rustls::crypto::ring::default_provider();
        Ok(Arc::new(Panics(ring.key_provider.load_private_key(key)?)))
    }
}

#[test]
fn a_handshake_that_panics_on_a_worker_closes_its_connection_and_no_other() {
    let sim = Sim::new();
    let provider = CryptoProvider { key_provider: &Lost, ..rustls::crypto::ring::default_provider() };
    let (server, failed) = echo(on(Handshakes::Workers).provider(Arc::new(provider)).build().unwrap());
    let (socket, _record) = connect(SERVER, NAME, &client());
    sim.advance(Duration::from_secs(3));
    assert!(socket.is_closed() && server.connections() == 0);
    assert!(failed.borrow()[0].starts_with("tls-failed "), "{:?}", failed.borrow());
    server.set_secure_context(workers());
    let (socket, _record) = connect(SERVER, NAME, &client());
    sim.advance(Duration::from_secs(1));
    assert!(socket.tls().is_some());
}

/// With threads of the system, where the others here have the simulated ones.
#[test]
fn a_hundred_clients_over_real_sockets_are_served_by_real_threads() {
    let server = https::create_server(workers(), |req, res| res.end(req.url().to_owned()));
    server.listen(("127.0.0.1", 0), ()).unwrap();
    let port = server.address().unwrap().port().unwrap();
    let agent = Agent::new();
    agent.set_tls(&client());
    let mut limits = agent.limits();
    // Each request makes a connection.
    limits.idle = Duration::ZERO;
    agent.set_limits(limits);
    let patience = oneloop::set_timeout(Duration::from_secs(60), || panic!("it hangs"));
    let answers = Rc::<RefCell<Vec<String>>>::default();
    for number in 0..100 {
        let (told, server, patience) = (answers.clone(), server.clone(), patience.clone());
        agent.fetch(&format!("https://127.0.0.1:{port}/{number}")).send(move |answer| {
            told.borrow_mut().push(answer.unwrap().text().into_owned());
            if told.borrow().len() == 100 {
                server.close(());
                patience.clear();
            }
        });
    }
    oneloop::run().unwrap();
    let mut answers = answers.take();
    answers.sort();
    let mut wanted: Vec<_> = (0..100).map(|number| format!("/{number}")).collect();
    wanted.sort();
    assert_eq!(answers, wanted);
    assert_eq!(agent.stats().connections, 100);
}
