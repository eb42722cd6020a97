//! Certificates: whose, for which names, from which files.

use crate::relay::*;
use crate::support::folder::Folder;
use oneloop::sim::Sim;
use oneloop::tls::{self, Client, ClientCertificates, Context, Identity, Roots, SelfSigned};
use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

/// How a connection ends for the client: `"secure"`, or the error.
fn outcome(sim: &Sim, client: &Client, name: &str) -> String {
    let told = Rc::new(RefCell::new(String::new()));
    let (secure, failed) = (told.clone(), told.clone());
    let socket = oneloop::net::connect((NAME, SERVER), {
        let (client, name) = (client.clone(), name.to_owned());
        move |socket| socket.start_tls((&client, &*name)).unwrap()
    });
    socket.on_secure(move |_| secure.borrow_mut().push_str("secure"));
    socket.on_error(move |_, error| failed.borrow_mut().push_str(&error.to_string()));
    socket.on_data(|_, _| ());
    sim.advance(Duration::from_secs(2));
    socket.destroy();
    sim.settle();
    told.take()
}

#[test]
fn a_client_takes_only_certificates_of_those_it_trusts_for_the_name_it_wants() {
    let sim = Sim::new();
    let server = tls::create_server(context(), |_| ());
    server.listen(SERVER, ()).unwrap();
    assert_eq!(outcome(&sim, &client(), "localhost"), "secure");
    let refused = "the certificate of the peer is not accepted: ";
    let wrong = outcome(&sim, &client(), "b.example");
    assert!(wrong.starts_with(&format!("{refused}it is for ")) && wrong.ends_with("not for b.example"), "{wrong}");
    let stranger = SelfSigned::new(["localhost"]).unwrap();
    let stranger = Client::trusting(Roots::from_pem(stranger.certificate_pem()).unwrap()).unwrap();
    assert!(outcome(&sim, &stranger, "localhost").starts_with(refused));
    let any = Client::builder().dangerous_accept_any().build().unwrap();
    assert_eq!(outcome(&sim, &any, "b.example"), "secure");
}

#[test]
fn a_server_shows_the_certificate_of_the_name_that_was_asked_for() {
    let sim = Sim::new();
    let (exact, wild) = (SelfSigned::new(["x.b.example"]).unwrap(), SelfSigned::new(["*.b.example"]).unwrap());
    let builder = Context::builder().host("x.b.example", exact.identity()).host("*.b.example", wild.identity());
    let lenient = builder.clone().identity(made().identity()).build().unwrap();
    let names = Rc::<RefCell<Vec<Option<String>>>>::default();
    let seen = names.clone();
    let server = tls::create_server(lenient, move |socket| {
        seen.borrow_mut().push(socket.tls().unwrap().server_name().map(str::to_owned));
    });
    server.listen(SERVER, ()).unwrap();
    let trusting = |made: &SelfSigned| Client::trusting(Roots::from_pem(made.certificate_pem()).unwrap()).unwrap();
    assert_eq!(outcome(&sim, &trusting(&exact), "X.b.example"), "secure");
    assert_eq!(outcome(&sim, &trusting(&wild), "y.b.example"), "secure");
    assert_ne!(outcome(&sim, &trusting(&wild), "z.y.b.example"), "secure");
    assert_eq!(outcome(&sim, &client(), "a.example"), "secure");
    assert_eq!(outcome(&sim, &client(), NAME), "secure");
    let asked = ["x.b.example", "y.b.example", "a.example"].map(|name| Some(name.to_owned()));
    assert_eq!(*names.borrow(), [&asked[..], &[None]].concat());
    server.set_secure_context(builder.strict_names(true).build().unwrap());
    assert_eq!(outcome(&sim, &trusting(&exact), "x.b.example"), "secure");
    assert!(outcome(&sim, &client(), "a.example").contains("the peer has ended the connection"));
}

#[test]
fn clients_show_certificates_where_they_are_asked_for() {
    let sim = Sim::new();
    let me = SelfSigned::new(["me"]).unwrap();
    let mine = Roots::from_pem(me.certificate_pem()).unwrap();
    let anonymous = client();
    let known = Client::builder().roots(roots()).identity(me.identity()).build().unwrap();
    let stranger = SelfSigned::new(["me"]).unwrap();
    let stranger = Client::builder().roots(roots()).identity(stranger.identity()).build().unwrap();
    let shown = Rc::<RefCell<Vec<usize>>>::default();
    let seen = shown.clone();
    let server = tls::create_server(context(), move |socket| {
        seen.borrow_mut().push(socket.tls().unwrap().peer_certificates().len());
    });
    server.listen(SERVER, ()).unwrap();
    let with = |clients| Context::builder().identity(made().identity()).client_certificates(clients).build().unwrap();
    server.set_secure_context(with(ClientCertificates::Optional(mine.clone())));
    assert_eq!(outcome(&sim, &anonymous, NAME), "secure");
    assert_eq!(outcome(&sim, &known, NAME), "secure");
    assert_eq!(*shown.borrow(), [0, 1]);
    server.set_secure_context(with(ClientCertificates::Required(mine)));
    assert_eq!(outcome(&sim, &known, NAME), "secure");
    // With TLS 1.3 a client learns of it only afterwards.
    assert!(outcome(&sim, &anonymous, NAME).ends_with("it demands a certificate of us"));
    assert!(outcome(&sim, &stranger, NAME).contains("the peer has ended the connection"));
    assert_eq!(*shown.borrow(), [0, 1, 1]);
}

#[test]
fn application_protocols_are_agreed_on_or_the_handshake_fails() {
    let sim = Sim::new();
    let context = Context::builder().identity(made().identity()).alpn(["b", "a"]).build().unwrap();
    let server = tls::create_server(context, |_| ());
    server.listen(SERVER, ()).unwrap();
    let offering = |protocols: &[&str]| Client::builder().roots(roots()).alpn(protocols.to_vec()).build().unwrap();
    assert_eq!(outcome(&sim, &offering(&["a"]), NAME), "secure");
    assert!(outcome(&sim, &offering(&["c"]), NAME).contains("application protocol (ALPN)"));
    assert_eq!(outcome(&sim, &client(), NAME), "secure");
}

#[test]
fn a_file_that_is_wrong_is_named_with_the_reason() {
    let folder = Folder::new("certificates");
    let put = |name: &str, text: &str| folder.file(name, text);
    let (other, made) = (SelfSigned::new(["b"]).unwrap(), made());
    let (chain, key) = (put("chain.pem", &made.certificate_pem()), put("key.pem", &made.key_pem()));
    assert!(Identity::from_files(&chain, &key).is_ok());
    let encrypted = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n";
    let cut: String = made.certificate_pem().lines().take(4).map(|line| format!("{line}\n")).collect();
    let nonsense = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    let cases = [
        (folder.path("none.pem"), key.clone(), "none.pem: No such file"),
        (put("empty.pem", ""), key.clone(), "empty.pem: there is no certificate in it"),
        (key.clone(), key.clone(), "key.pem: there is no certificate in it"),
        (chain.clone(), chain.clone(), "chain.pem: there is no private key in it"),
        (put("cut.pem", &cut), key.clone(), "cut.pem: a part of it has no end"),
        (put("nonsense.pem", nonsense), key.clone(), "nonsense.pem and "),
        (chain.clone(), put("encrypted.pem", encrypted), "encrypted.pem: the key has a password"),
        (chain.clone(), put("other.pem", &other.key_pem()), "the key is not that of the first certificate"),
    ];
    for (chain, key, expected) in cases {
        let error = Identity::from_files(&chain, &key).unwrap_err().to_string();
        assert!(error.contains(expected), "{error} has no {expected}");
    }
    assert!(Roots::from_file(&key).unwrap_err().to_string().contains("key.pem: there is no certificate"));
    assert!(Context::builder().build().unwrap_err().to_string().contains("needs a certificate"));
}
