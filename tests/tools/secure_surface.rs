//! Every method of TLS (feature `tls`), called once, and its effect asserted. What each does in detail is in `tests/tls/`.

use crate::support::http::*;
use oneloop::net::CloseReason;
use oneloop::sim::Sim;
use oneloop::tls::{
    self, Client, ClientCertificates, Context, CryptoProvider, Handshakes, Identity, Protocol, Roots, SelfSigned, Side,
};
use oneloop::{http, https, net, ws};
use std::io::ErrorKind;
use std::sync::Arc;
use std::time::Duration;

const HERE: &str = "127.0.0.1";

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

#[test]
fn certificates_and_settings() {
    let made = SelfSigned::new([HERE, "a.example"]).unwrap();
    let folder = std::env::temp_dir().join(format!("oneloop-tls-surface-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let [cert, key, log] = ["cert.pem", "key.pem", "log"].map(|name| folder.join(name));
    std::fs::write(&cert, made.certificate_pem()).unwrap();
    std::fs::write(&key, made.key_pem()).unwrap();
    let identity = Identity::from_files(&cert, &key).unwrap();
    assert!(Identity::from_pem(made.certificate_pem(), "nothing").is_err());
    assert!(Context::from_files(&cert, &key).is_ok() && Context::new(made.identity()).is_ok());
    let missing = Context::from_files(&key, &key).unwrap_err();
    assert!(missing.to_string().contains("key.pem"), "{missing}");
    let roots = Roots::from_file(&cert).unwrap();
    assert_eq!((roots.count(), Roots::from_pem(made.certificate_pem()).unwrap().count()), (1, 1));
    // Whether the system has roots depends on the system.
    assert!(Roots::system().map_or_else(|why| !why.to_string().is_empty(), |roots| roots.count() > 0));
    assert!(Client::system().map_or_else(|why| !why.to_string().is_empty(), |_| true));
    let context = Context::builder()
        .identity(identity)
        .host("b.example", made.identity())
        .strict_names(false)
        .client_certificates(ClientCertificates::Off)
        .alpn(["one", "two"])
        .tls13_only(true)
        .max_fragment(1000)
        .key_log(&log)
        .provider(provider())
        .handshakes(Handshakes::Workers)
        .build()
        .unwrap();
    let context = context.with_host("c.example", &made.identity()).unwrap();
    let asking = Context::builder().identity(made.identity());
    assert!(asking.client_certificates(ClientCertificates::Optional(roots.clone())).build().is_ok());
    let client = Client::builder()
        .roots(roots)
        .identity(made.identity())
        .alpn(["two"])
        .tls13_only(true)
        .key_log(&log)
        .provider(provider())
        .build()
        .unwrap();
    let sim = Sim::new();
    sim.set_worker_latency(Duration::ZERO);
    let server = tls::create_server(context, |socket| socket.write("x").ignore());
    server.listen(443, ()).unwrap();
    let socket = tls::connect((HERE, 443), &client, |_| ());
    socket.on_data(|_, _| ());
    sim.settle();
    let info = socket.tls().unwrap();
    assert_eq!((info.protocol(), info.alpn(), info.is_resumed()), (Protocol::Tls13, Some(&b"two"[..]), false));
    assert_eq!((info.server_name(), info.peer_certificates().len()), (Some(HERE), 1));
    assert!(info.cipher().contains("AES") && socket.is_secure() && socket.bytes_read() == 1);
    assert!(std::fs::read_to_string(log).unwrap().contains("CLIENT_TRAFFIC_SECRET_0"));
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn sockets_and_servers() {
    let made = SelfSigned::new([HERE]).unwrap();
    let context = Context::new(made.identity()).unwrap();
    let any = Client::builder().dangerous_accept_any().build().unwrap();
    let (sim, record) = (Sim::new(), Record::default());
    let plain = net::create_server({
        let context = context.clone();
        move |socket| socket.start_tls(&context).unwrap()
    });
    plain.listen(25, ()).unwrap();
    let (trusting, add) = (Client::trusting(Roots::from_pem(made.certificate_pem()).unwrap()).unwrap(), record.clone());
    let socket = net::connect((HERE, 25), move |socket| socket.start_tls(Side::from((&trusting, HERE))).unwrap());
    socket.set_allow_unclean_end(true).on_secure(move |socket| add.add(socket.is_secure()));
    sim.settle();
    socket.destroy();
    let server = net::create_server(|_| ());
    let add = record.clone();
    server.set_handshake_timeout(Duration::from_secs(1)).set_secure_context(context.clone());
    server.on_tls_error(move |error| add.add(error.reason == CloseReason::HandshakeTimeout));
    server.listen(443, ()).unwrap();
    let silent = sim.connect(443);
    sim.advance(Duration::from_secs(3));
    assert!(silent.is_closed());
    record.expect(&["true", "true"]);
    assert_eq!(socket.start_tls((&any, HERE)).unwrap_err().kind(), ErrorKind::NotConnected);
}

#[test]
fn https_and_its_clients() {
    let made = SelfSigned::new([HERE]).unwrap();
    let (sim, record) = (Sim::new(), Record::default());
    let server = https::create_server(Context::new(made.identity()).unwrap(), |req, res| {
        assert!(req.is_secure() && req.tls().is_some());
        res.end("secret");
    });
    let add = record.clone();
    server.on_tls_error(move |error| add.add(error.reason));
    server.set_secure_context(Context::new(made.identity()).unwrap());
    server.add_context("b.example", &made.identity()).unwrap();
    let add = record.clone();
    ws::mount(&server, "/ws").on_open(move |_, _| add.add("open"));
    server.listen(443, ()).unwrap();
    let client = Client::trusting(Roots::from_pem(made.certificate_pem()).unwrap()).unwrap();
    let (agent, add) = (http::Agent::new(), record.clone());
    agent.set_tls(&client).get(&format!("https://{HERE}/"), move |res| add.add(res.status()));
    sim.settle();
    ws::connect(ws::Connect::to(format!("wss://{HERE}/ws")).tls(&client), |_| ());
    sim.settle();
    sim.connect(443).write("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    sim.advance(Duration::from_secs(3));
    record.expect(&["200", "open", "tls-failed"]);
}
