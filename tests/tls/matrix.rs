//! What a client thinks of certificates, as badssl.com has them: each that is wrong is refused with the reason, each that is right is
//! taken. The virtual wall clock says 2026-01-01.

use crate::authority::{Certified, ECDSA_WITH_SHA1, Wish, pem, root};
use crate::foreign;
use crate::relay::*;
use oneloop::http;
use oneloop::sim::Sim;
use oneloop::tls::{self, Client, ClientCertificates, Context, Identity, Roots};
use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

const DAY: Duration = Duration::from_secs(24 * 3600);
const REFUSED: &str = "the certificate of the peer is not accepted: ";

/// Shows `context` to a client of the server `name`. Returns "secure", or the client's error.
fn shown(sim: &Sim, context: Context, client: &Client, name: &str) -> String {
    let server = tls::create_server(context, |_| ());
    server.listen(SERVER, ()).unwrap();
    let outcome = asked(sim, client, name);
    server.close(());
    sim.settle();
    outcome
}

/// Has a client connect to whoever listens. Returns "secure", or its error, without what is the same in all.
fn asked(sim: &Sim, client: &Client, name: &str) -> String {
    let told = Rc::new(RefCell::new(String::new()));
    let (secure, failed) = (told.clone(), told.clone());
    let (client, name) = (client.clone(), name.to_owned());
    let socket = oneloop::net::connect((NAME, SERVER), move |socket| socket.start_tls((&client, &*name)).unwrap());
    socket.on_secure(move |_| secure.borrow_mut().push_str("secure"));
    socket.on_error(move |_, error| failed.borrow_mut().push_str(&error.to_string()));
    socket.on_data(|_, _| ());
    sim.advance(Duration::from_secs(2));
    socket.destroy();
    sim.settle();
    let told = told.take();
    told.strip_prefix(REFUSED).unwrap_or(&told).to_owned()
}

fn signed(wish: Wish) -> String {
    let root = root("the root");
    shown(&Sim::new(), root.sign(&wish).context(), &root.client(), "a.example")
}

fn good() -> Wish {
    Wish::of(&["a.example"])
}

#[test]
fn one_that_is_as_it_should_be() {
    assert_eq!(signed(good()), "secure");
}

#[test]
fn expired() {
    assert_eq!(signed(Wish { until: "20251231000000Z", ..good() }), "it expired on 2025-12-31");
}

#[test]
fn not_yet_valid_until_the_clock_of_the_loop_has_come_there() {
    let (sim, root) = (Sim::new(), root("the root"));
    let early = root.sign(&Wish { from: "20260201000000Z", ..good() });
    let ask = || shown(&sim, early.context(), &root.client(), "a.example");
    assert_eq!(ask(), "it is not valid before 2026-02-01: does the clock go right?");
    sim.advance(31 * DAY);
    assert_eq!(ask(), "secure");
    sim.advance(DAY * 365 * 15);
    assert_eq!(ask(), "it expired on 2040-01-01");
}

#[test]
fn wrong_host() {
    assert_eq!(signed(Wish::of(&["b.example", "c.example"])), "it is for b.example, c.example, not for a.example");
}

#[test]
fn a_common_name_alone_counts_for_nothing() {
    assert_eq!(signed(Wish { alternatives: Vec::new(), ..good() }), "it is for no name, not for a.example");
}

#[test]
fn signed_by_itself() {
    let made = tls::SelfSigned::new(["a.example"]).unwrap();
    let stranger = root("another").client();
    let context = Context::new(made.identity()).unwrap();
    assert_eq!(shown(&Sim::new(), context.clone(), &stranger, "a.example"), UNKNOWN);
    let trusting = Client::trusting(Roots::from_pem(made.certificate_pem()).unwrap()).unwrap();
    assert_eq!(shown(&Sim::new(), context, &trusting, "a.example"), "secure");
}

const UNKNOWN: &str =
    "none of the trusted roots has signed it (or the server does not show those between it and the root)";

#[test]
fn an_unknown_root() {
    let (known, stranger) = (root("the root"), root("the root"));
    // The same name, and another key.
    let told = shown(&Sim::new(), stranger.server(&["a.example"]).context(), &known.client(), "a.example");
    assert_eq!(told, BAD_SIGNATURE);
    let other = root("another root");
    let told = shown(&Sim::new(), other.server(&["a.example"]).context(), &known.client(), "a.example");
    assert_eq!(told, UNKNOWN);
}

const BAD_SIGNATURE: &str = "a signature in it is wrong, or was made with a key that is too weak";

#[test]
fn a_chain_and_one_with_a_link_missing() {
    let root = root("the root");
    let chain = || root.sign(&Wish::authority("between")).server(&["a.example"]);
    assert_eq!(shown(&Sim::new(), chain().context(), &root.client(), "a.example"), "secure");
    assert_eq!(shown(&Sim::new(), chain().alone().context(), &root.client(), "a.example"), UNKNOWN);
}

#[test]
fn a_link_that_is_wrong() {
    let root = root("the root");
    let under = |between: Wish| {
        let chain = root.sign(&between).server(&["a.example"]);
        shown(&Sim::new(), chain.context(), &root.client(), "a.example")
    };
    let between = || Wish::authority("between");
    assert_eq!(under(Wish { until: "20251231000000Z", ..between() }), "it expired on 2025-12-31");
    assert_eq!(
        under(Wish { authority: None, ..between() }),
        "one of those that have signed it is no authority (basic constraints: CA:TRUE)"
    );
    assert_eq!(
        under(Wish { permitted: Some("b.example"), ..between() }),
        "one of those that have signed it may not do so for this name (name constraints)"
    );
    assert_eq!(under(Wish { permitted: Some("a.example"), ..between() }), "secure");
    let above = root.sign(&Wish { authority: Some(Some(0)), ..between() });
    let chain = above.sign(&Wish::authority("below")).server(&["a.example"]);
    assert_eq!(
        shown(&Sim::new(), chain.context(), &root.client(), "a.example"),
        "there are more authorities between it and the root than one of them allows (path length)"
    );
}

#[test]
fn for_another_purpose() {
    for purposes in [vec![2], vec![4]] {
        assert_eq!(signed(Wish { purposes, ..good() }), "it was not made for this purpose (extended key usage)");
    }
    assert_eq!(signed(Wish { purposes: Vec::new(), ..good() }), "secure");
    assert_eq!(signed(Wish { purposes: vec![2, 1], ..good() }), "secure");
}

#[test]
fn that_of_an_authority() {
    // What `openssl req -x509` makes, unless it is told otherwise.
    let own = root("a.example");
    let told = shown(&Sim::new(), own_context(&own), &own.client(), "a.example");
    assert_eq!(
        told,
        "it is that of an authority, and no server's; `openssl req -x509` makes one for a server with \
         -addext basicConstraints=critical,CA:FALSE"
    );
}

fn own_context(own: &Certified) -> Context {
    Context::new(Identity::from_pem(pem("CERTIFICATE", &own.der), pem("PRIVATE KEY", own.key())).unwrap()).unwrap()
}

#[test]
fn a_weak_signature_and_a_weak_key() {
    assert_eq!(
        signed(Wish { algorithm: ECDSA_WITH_SHA1, ..good() }),
        "it is signed in a way that is not accepted (SHA-1 and MD5 are too weak)"
    );
    // Signed by RSA with 1,024 bits, made by openssl.
    let server = Identity::from_pem(include_str!("weak/server.pem"), include_str!("weak/server.key")).unwrap();
    let client = Client::trusting(Roots::from_pem(include_str!("weak/root.pem")).unwrap()).unwrap();
    let sim = Sim::new();
    // It is from the end of 2026.
    sim.advance(365 * DAY);
    assert_eq!(shown(&sim, Context::new(server).unwrap(), &client, "a.example"), BAD_SIGNATURE);
}

#[test]
fn something_in_it_that_nobody_knows() {
    let root = root("the root");
    for (wish, expected) in [
        (Wish { unknown_extension: true, ..good() }, "it has a critical extension that is not known here"),
        (Wish { version: 0, ..good() }, "it cannot be read, or is of an old version of X.509"),
    ] {
        let (sim, made) = (Sim::new(), root.sign(&wish));
        let _listener = foreign(&sim, foreign::TLS13, &[&made.der], made.key());
        assert_eq!(asked(&sim, &root.client(), "a.example"), expected);
    }
}

#[test]
fn addresses() {
    let root = root("the root");
    let for_name = |certificate: &[&str], asked: &str| {
        shown(&Sim::new(), root.server(certificate).context(), &root.client(), asked)
    };
    assert_eq!(for_name(&["127.0.0.1", "::1"], "127.0.0.1"), "secure");
    assert_eq!(for_name(&["127.0.0.1", "::1"], "::1"), "secure");
    assert_eq!(for_name(&["127.0.0.1"], "127.0.0.2"), "it is for 127.0.0.1, not for 127.0.0.2");
    // An address that stands there as a name is none.
    assert!(for_name(&["=127.0.0.1"], "127.0.0.1").ends_with("not for 127.0.0.1"));
    assert!(for_name(&["localhost"], "127.0.0.1").ends_with("not for 127.0.0.1"));
}

#[test]
fn wildcards() {
    let root = root("the root");
    let secure = |certificate: &str, asked: &str| {
        shown(&Sim::new(), root.server(&[certificate]).context(), &root.client(), asked) == "secure"
    };
    assert!(secure("*.b.example", "x.b.example"));
    assert!(secure("*.b.example", "X.B.Example"));
    assert!(secure("*.B.example", "x.b.example."));
    for (certificate, asked) in [
        ("*.b.example", "b.example"),
        ("*.b.example", "y.x.b.example"),
        ("x*.b.example", "xy.b.example"),
        ("*x.b.example", "yx.b.example"),
        ("a.*.example", "a.b.example"),
        ("*", "localhost"),
        ("*.*.example", "a.b.example"),
    ] {
        assert!(!secure(certificate, asked), "{certificate} for {asked}");
    }
}

/// A server that shows what our settings refuse to show.
fn foreign(sim: &Sim, version: foreign::Version, chain: &[&[u8]], key: &[u8]) -> oneloop::sim::Listener {
    let config = foreign::showing(version, chain, key);
    let listener = sim.listen((NAME, SERVER)).unwrap();
    listener.on_accept(move |peer| _ = foreign::Foreign::accept(peer, &config));
    listener
}

#[test]
fn no_certificate_nonsense_and_one_of_somebody_else() {
    let root = root("the root");
    let (own, other) = (root.server(&["a.example"]), root.server(&["a.example"]));
    let cut = &own.der[..own.der.len() - 9];
    for version in [foreign::TLS13, foreign::TLS12] {
        for (chain, expected) in [
            (&[][..], "the peer has shown no certificate, which it has to"),
            (&[&b"nonsense"[..]][..], "it cannot be read, or is of an old version of X.509"),
            (&[cut][..], "it cannot be read, or is of an old version of X.509"),
            // It is shown by somebody who has not its key.
            (&[&other.der[..]][..], BAD_SIGNATURE),
            (&[&own.der[..]][..], "secure"),
        ] {
            let sim = Sim::new();
            let _listener = foreign(&sim, version, chain, own.key());
            assert_eq!(asked(&sim, &root.client(), "a.example"), expected);
        }
    }
}

#[test]
fn with_tls_1_2_it_is_the_same() {
    let (sim, root) = (Sim::new(), root("the root"));
    let (good, old) = (root.server(&["a.example"]), root.sign(&Wish { until: "20251231000000Z", ..good() }));
    let listener = foreign(&sim, foreign::TLS12, &[&good.der], good.key());
    assert_eq!(asked(&sim, &root.client(), "a.example"), "secure");
    assert_eq!(asked(&sim, &root.client(), "b.example"), "it is for a.example, not for b.example");
    drop(listener);
    let sim = Sim::new();
    let _listener = foreign(&sim, foreign::TLS12, &[&old.der], old.key());
    assert_eq!(asked(&sim, &root.client(), "a.example"), "it expired on 2025-12-31");
}

#[test]
fn certificates_of_clients_are_judged_as_well_and_both_sides_say_why() {
    let (sim, root) = (Sim::new(), root("for clients"));
    let server = tls::create_server(context(), |_| ());
    let clients = ClientCertificates::Required(root.roots());
    server.set_secure_context(
        Context::builder().identity(made().identity()).client_certificates(clients).build().unwrap(),
    );
    let told = Rc::<RefCell<String>>::default();
    let telling = told.clone();
    server.on_tls_error(move |error| *telling.borrow_mut() = error.message.clone());
    server.listen(SERVER, ()).unwrap();
    let me = |wish: Wish| Client::builder().roots(roots()).identity(root.sign(&wish).identity()).build().unwrap();
    let wish = || Wish { purposes: vec![2], ..Wish::of(&["me"]) };
    assert_eq!(asked(&sim, &me(wish()), NAME), "secure");
    for (wish, server_says, client_says) in [
        (Wish { until: "20251231000000Z", ..wish() }, "it expired on 2025-12-31", "our certificate has expired"),
        (
            Wish { purposes: vec![1], ..wish() },
            "it was not made for this purpose (extended key usage)",
            "it does not accept our certificate",
        ),
    ] {
        let client_heard = asked(&sim, &me(wish), NAME);
        assert!(client_heard.ends_with(client_says), "{client_heard}");
        assert_eq!(told.take(), format!("{REFUSED}{server_says}"));
    }
}

#[test]
fn a_session_goes_on_until_its_ticket_is_too_old_by_the_clock_of_the_loop() {
    let sim = Sim::new();
    let server = tls::create_server(context(), |_| ());
    server.listen(SERVER, ()).unwrap();
    let client = client();
    let resumed = || {
        let socket = tls::connect((NAME, SERVER), &client, |_| ());
        socket.on_data(|_, _| ());
        sim.settle();
        let resumed = socket.tls().unwrap().is_resumed();
        socket.destroy();
        sim.settle();
        resumed
    };
    assert!(!resumed());
    sim.advance(DAY / 4);
    assert!(resumed());
    sim.advance(DAY);
    assert!(!resumed(), "a ticket is good for 12 hours");
    assert!(resumed());
}

#[test]
fn the_http_client_says_the_reason_too() {
    let (sim, root) = (Sim::new(), root("the root"));
    let old = root.sign(&Wish { until: "20251231000000Z", ..Wish::of(&[NAME]) });
    let server = oneloop::https::create_server(old.context(), |_req, res| res.end("secret"));
    server.listen(SERVER, ()).unwrap();
    let agent = http::Agent::new();
    agent.set_tls(&root.client());
    let told = Rc::<RefCell<String>>::default();
    let telling = told.clone();
    agent.get(&format!("https://{NAME}/"), |_| panic!("it has expired")).on_error(move |_, error| {
        *telling.borrow_mut() = error.to_string();
    });
    sim.settle();
    assert!(told.borrow().ends_with("is not accepted: it expired on 2025-12-31"), "{}", told.borrow());
}
