//! Who the client is, is said by proxies that are known, and by nobody else.

use crate::support::http::Record;
use oneloop::app::{AccessLog, App, Cookie, Format, Rate, Router, Trust, rate_limit, request_id, same_origin};
use oneloop::net::Address;
use oneloop::proto::forwarded::{Network, address, hops};
use oneloop::sim::{Peer, Sim};
use proptest::prelude::*;
use std::net::IpAddr;
use std::rc::Rc;

/// What `trust` says of a request by a peer with this address: the addresses (the client's first), the scheme and the host.
fn said(trust: &Trust, peer: &str, fields: &[(&str, &str)]) -> (Vec<String>, String) {
    said_by(trust, |sim| sim.connect_from(format!("{peer}:4711").parse().unwrap(), 80), fields)
}

fn said_by(trust: &Trust, connect: impl Fn(&Sim) -> Peer, fields: &[(&str, &str)]) -> (Vec<String>, String) {
    let sim = Sim::new();
    let mut app = App::new();
    app.trust(trust.clone());
    app.get("/", |req, res| {
        let ips: Vec<_> = req.ips().iter().map(IpAddr::to_string).collect();
        assert_eq!(req.ip().map(|ip| ip.to_string()), ips.first().cloned());
        assert_eq!(req.is_secure(), req.protocol() == "https");
        res.end(format!("{} {}://{}", ips.join(" "), req.protocol(), req.host().unwrap_or_default()))
    });
    app.listen(80, ()).unwrap();
    let peer = connect(&sim);
    let request = fields.iter().fold(sim.request("GET", "/"), |request, (name, value)| request.header(name, value));
    let text = request.on(&peer).send().text();
    let (ips, origin) = text.rsplit_once(' ').unwrap();
    (ips.split_whitespace().map(str::to_owned).collect(), origin.to_owned())
}

/// The cases of proxy-addr and forwarded (jshttp): who is believed, the peer, `X-Forwarded-For`, and the addresses, the client's first.
/// Left out: functions and numbers of hops as trust, masks in place of a number of bits, requests without a socket.
const ADDRESSES: &[(&[&str], &str, &[&str], &[&str])] = &[
    (&[], "127.0.0.1", &[], &["127.0.0.1"]),
    (&[], "127.0.0.1", &["10.0.0.1, 10.0.0.2"], &["127.0.0.1"]),
    (&["127.0.0.1"], "127.0.0.1", &[], &["127.0.0.1"]),
    (&["127.0.0.1"], "127.0.0.1", &["10.0.0.1"], &["10.0.0.1", "127.0.0.1"]),
    (&["127.0.0.1"], "127.0.0.1", &["10.0.0.1, 10.0.0.2"], &["10.0.0.2", "127.0.0.1"]),
    (&["0.0.0.0/0"], "127.0.0.1", &["10.0.0.1, 10.0.0.2"], &["10.0.0.1", "10.0.0.2", "127.0.0.1"]),
    (&["0.0.0.0/0"], "127.0.0.1", &["10.0.0.2,, 10.0.0.1"], &["10.0.0.2", "10.0.0.1", "127.0.0.1"]),
    (&["0.0.0.0/0"], "127.0.0.1", &[" 10.0.0.2 ,  , 10.0.0.1 "], &["10.0.0.2", "10.0.0.1", "127.0.0.1"]),
    (&["10.0.0.0/8"], "192.168.0.1", &["10.0.0.2"], &["192.168.0.1"]),
    (&["10.0.0.0/8"], "10.0.0.1", &["192.168.0.1, 10.0.0.2"], &["192.168.0.1", "10.0.0.2", "10.0.0.1"]),
    (&["10.0.0.0/8"], "10.0.0.1", &["10.0.0.3, 192.168.0.1, 10.0.0.2"], &["192.168.0.1", "10.0.0.2", "10.0.0.1"]),
    (&["10.0.0.1", "10.0.0.2"], "10.0.0.1", &["192.168.0.1, 10.0.0.2"], &["192.168.0.1", "10.0.0.2", "10.0.0.1"]),
    (&["127.0.0.1", "192.168.0.100"], "10.0.0.1", &["192.168.0.1, 10.0.0.2"], &["10.0.0.1"]),
    (&["10.0.0.2/26"], "10.0.0.1", &["192.168.0.1, 10.0.0.200"], &["10.0.0.200", "10.0.0.1"]),
    (&["fe80::1", "fe80::2"], "[fe80::1]", &["2002:c000:203::1, fe80::2"], &["2002:c000:203::1", "fe80::2", "fe80::1"]),
    (&["fe80::/125"], "[fe80::1]", &["2002:c000:203::1, fe80::ff00"], &["fe80::ff00", "fe80::1"]),
    (&["127.0.0.1", "::1"], "[::1]", &["2002:c000:203::1"], &["2002:c000:203::1", "::1"]),
    (&["127.0.0.1"], "[::1]", &["2002:c000:203::1"], &["::1"]),
    (&["10.0.0.1", "10.0.0.2"], "[::ffff:a00:1]", &["192.168.0.1, 10.0.0.2"], &["192.168.0.1", "10.0.0.2", "10.0.0.1"]),
    (&["10.0.0.1/16"], "[::ffff:a00:1]", &["192.168.0.1, 10.0.0.2"], &["192.168.0.1", "10.0.0.2", "10.0.0.1"]),
    (
        &["::ffff:a00:1", "::ffff:a00:2"],
        "10.0.0.1",
        &["192.168.0.1, 10.0.0.2"],
        &["192.168.0.1", "10.0.0.2", "10.0.0.1"],
    ),
    (&["::ffff:a00:2/122"], "10.0.0.1", &["192.168.0.1, 10.0.0.200"], &["10.0.0.200", "10.0.0.1"]),
    (&["::ffff:a00:2/122", "fe80::/125"], "10.0.0.1", &["192.168.0.1, 10.0.0.200"], &["10.0.0.200", "10.0.0.1"]),
    // It gives out the text (`proxy`) as the client's address. Ours are addresses: the last one that is known.
    (&["127.0.0.1"], "127.0.0.1", &["myrouter, 127.0.0.1, proxy"], &["127.0.0.1"]),
    (&["127.0.0.1"], "127.0.0.1", &["10.0.0.9, ::8:8:8:8:8:8:8:8:8"], &["127.0.0.1"]),
    (&["10.0.0.0/8"], "10.0.0.1", &["192.168.0.1, 10.0.0.2, localhost"], &["10.0.0.1"]),
    // Ours: several fields are one list; ports; and the address of a client is one address, however it is written.
    (&["10.0.0.0/8"], "10.0.0.1", &["1.1.1.1, 192.168.0.1", "10.0.0.2"], &["192.168.0.1", "10.0.0.2", "10.0.0.1"]),
    (&["10.0.0.0/8"], "10.0.0.1", &["1.1.1.1, 192.168.0.1:80"], &["192.168.0.1", "10.0.0.1"]),
    (&["10.0.0.0/8"], "10.0.0.1", &["[2001:db8::1]:80"], &["2001:db8::1", "10.0.0.1"]),
    (&["10.0.0.0/8"], "10.0.0.1", &["[2001:db8::1]"], &["2001:db8::1", "10.0.0.1"]),
    (&["10.0.0.0/8"], "10.0.0.1", &["::ffff:192.168.0.1"], &["192.168.0.1", "10.0.0.1"]),
    (&["10.0.0.0/8"], "10.0.0.1", &["1.1.1.1, ::ffff:10.0.0.2"], &["1.1.1.1", "10.0.0.2", "10.0.0.1"]),
    (&["10.0.0.0/8"], "10.0.0.1", &["167772162"], &["10.0.0.1"]),
    (&["10.0.0.0/8"], "10.0.0.1", &["010.0.0.2"], &["10.0.0.1"]),
];

#[test]
fn the_client_is_the_last_one_whom_no_known_proxy_has_sent() {
    for (networks, peer, fields, expected) in ADDRESSES {
        let trust = Trust::networks(networks.iter().copied()).unwrap();
        let fields: Vec<_> = fields.iter().map(|value| ("X-Forwarded-For", *value)).collect();
        assert_eq!(said(&trust, peer, &fields).0, *expected, "{networks:?} {peer} {fields:?}");
    }
}

const CLAIMS: [(&str, &str); 5] = [
    ("Host", "here.example"),
    ("X-Forwarded-For", "1.1.1.1"),
    ("X-Forwarded-Proto", "https"),
    ("X-Forwarded-Host", "evil.example"),
    ("Forwarded", "for=1.1.1.1;proto=https;host=evil.example"),
];

#[test]
fn what_a_stranger_says_counts_for_nothing() {
    for trust in [
        Trust::nobody(),
        Trust::loopback(),
        Trust::private(),
        Trust::private().by_forwarded(),
        Trust::private().and_unix(),
    ] {
        let (ips, origin) = said(&trust, "203.0.113.9", &CLAIMS);
        assert_eq!((ips, origin.as_str()), (vec!["203.0.113.9".to_owned()], "http://here.example"), "{trust:?}");
    }
    // The peer is one of ours, and the client that it names is another one of ours: what that one says is not read, since anybody
    // could have written it before the peer did.
    let fields = [("Host", "here.example"), ("X-Forwarded-For", "10.0.0.2"), ("Forwarded", "proto=https")];
    assert_eq!(said(&Trust::private(), "10.0.0.1", &fields).1, "http://here.example");
}

#[test]
fn scheme_and_host_are_those_that_the_nearest_proxy_says() {
    let x = |name, value| said(&Trust::loopback(), "127.0.0.1", &[("Host", "here.example"), (name, value)]).1;
    for (value, expected) in [
        ("https", "https://here.example"),
        ("HTTPS", "https://here.example"),
        ("http, https", "https://here.example"),
        ("https, http", "http://here.example"),
        ("https,", "http://here.example"),
        ("javascript", "http://here.example"),
        ("", "http://here.example"),
    ] {
        assert_eq!(x("X-Forwarded-Proto", value), expected, "{value}");
    }
    for (value, expected) in [
        ("a.example:8443", "http://a.example:8443"),
        ("a.example, b.example", "http://b.example"),
        ("[::1]:80", "http://[::1]:80"),
        // CVE-2026-27959 of koa: `evil` before the at sign was the host.
        ("a.example@evil.example", "http://here.example"),
        ("a.example/path", "http://here.example"),
        ("a b", "http://here.example"),
        ("", "http://here.example"),
        (":80", "http://here.example"),
    ] {
        assert_eq!(x("X-Forwarded-Host", value), expected, "{value}");
    }
}

#[test]
fn one_family_of_fields_is_read_and_never_both() {
    let fields = [
        ("Host", "here.example"),
        ("X-Forwarded-For", "1.1.1.1"),
        ("X-Forwarded-Proto", "http"),
        ("X-Forwarded-Host", "x.example"),
        ("Forwarded", "for=3.3.3.3, for=\"[2001:db8::1]:4711\";PROTO=https;host=\"f.example:81\""),
    ];
    let (ips, origin) = said(&Trust::loopback(), "127.0.0.1", &fields);
    assert_eq!((ips.join(" ").as_str(), origin.as_str()), ("1.1.1.1 127.0.0.1", "http://x.example"));
    let (ips, origin) = said(&Trust::loopback().by_forwarded(), "127.0.0.1", &fields);
    assert_eq!((ips.join(" ").as_str(), origin.as_str()), ("2001:db8::1 127.0.0.1", "https://f.example:81"));
}

#[test]
fn an_element_that_cannot_be_read_ends_the_chain() {
    for (field, client) in [
        ("for=1.1.1.1, for=127.0.0.2", "1.1.1.1"),
        ("for=1.1.1.1, for=_hidden", "127.0.0.1"),
        ("for=1.1.1.1, for=unknown", "127.0.0.1"),
        ("for=1.1.1.1, proto=https", "127.0.0.1"),
        ("for=1.1.1.1, for = 127.0.0.2", "127.0.0.1"),
        ("for=1.1.1.1;by=\"a, for=127.0.0.2", "127.0.0.1"),
        ("for=1.1.1.1, junk", "127.0.0.1"),
        ("junk, for=2.2.2.2", "2.2.2.2"),
    ] {
        let fields = [("Forwarded", field)];
        assert_eq!(said(&Trust::loopback().by_forwarded(), "127.0.0.1", &fields).0[0], client, "{field}");
    }
}

/// A proxy that appends to the client's own line, in which a byte is not UTF-8: what the proxy has put there counts, or nothing does; the
/// lines before it are the client's.
#[test]
fn bytes_that_are_no_text_do_not_hide_what_a_proxy_has_appended() {
    let told = |trust: Trust, lines: &[u8]| {
        let sim = Sim::new();
        let mut app = App::new();
        app.trust(trust);
        app.get("/", |req, res| res.end(format!("{:?} {} {:?}", req.ip(), req.protocol(), req.host())));
        app.listen(80, ()).unwrap();
        let peer = sim.connect_from("127.0.0.1:4711".parse().unwrap(), 80);
        peer.write([b"GET / HTTP/1.1\r\nHost: own\r\nConnection: close\r\n", lines, b"\r\n"].concat());
        sim.settle();
        peer.text().rsplit("\r\n").next().unwrap_or_default().to_owned()
    };
    let appended = b"X-Forwarded-For: 1.1.1.1\r\nX-Forwarded-For: \xff, 203.0.113.9\r\n";
    assert_eq!(told(Trust::loopback(), appended), "Some(203.0.113.9) http Some(\"own\")");
    let unreadable = b"X-Forwarded-For: 1.1.1.1, \xff\r\nX-Forwarded-Host: a\r\nX-Forwarded-Host: \xff, b\r\n";
    assert_eq!(told(Trust::loopback(), unreadable), "Some(127.0.0.1) http Some(\"own\")");
    let by_forwarded =
        b"Forwarded: for=1.1.1.1;proto=https;host=a\r\nForwarded: for=\xff, for=203.0.113.9;proto=http\r\n";
    assert_eq!(told(Trust::loopback().by_forwarded(), by_forwarded), "Some(203.0.113.9) http Some(\"own\")");
}

#[cfg(unix)]
#[test]
fn a_unix_socket_is_believed_only_if_said() {
    let ask = |trust: Trust| {
        let sim = Sim::new();
        let mut app = App::new();
        app.trust(trust);
        app.get("/", |req, res| res.end(format!("{:?} {}", req.ip().map(|ip| ip.to_string()), req.protocol())));
        app.listen("/run/app.sock", ()).unwrap();
        let peer = sim.connect_to(Address::Unix(Some("/run/app.sock".into())));
        let request = sim.request("GET", "/").header("X-Forwarded-For", "1.1.1.1").header("X-Forwarded-Proto", "https");
        request.on(&peer).send().text()
    };
    assert_eq!(ask(Trust::private()), "None http");
    assert_eq!(ask(Trust::nobody().and_unix()), "Some(\"1.1.1.1\") https");
}

/// An app that trusts the proxies of this machine, and one such proxy, which says that its client is 203.0.113.9, came by HTTPS, and
/// asked for `a.example`.
fn behind_a_proxy(
    fill: impl FnOnce(&mut App),
) -> (Rc<Sim>, impl Fn(&str, &str, &[(&str, &str)]) -> oneloop::sim::Reply) {
    let sim = Rc::new(Sim::new());
    let mut app = App::new();
    app.trust(Trust::loopback());
    fill(&mut app);
    app.listen(80, ()).unwrap();
    let asker = sim.clone();
    let ask = move |client: &str, method: &str, fields: &[(&str, &str)]| {
        let peer = asker.connect_from("127.0.0.1:4711".parse().unwrap(), 80);
        let request = asker.request(method, "/").header("X-Forwarded-For", client).header("X-Forwarded-Proto", "https");
        let request = request.header("X-Forwarded-Host", "a.example");
        fields.iter().fold(request, |request, (name, value)| request.header(name, value)).on(&peer).send()
    };
    (sim, ask)
}

const CLIENT: &str = "203.0.113.9";

#[test]
fn hosts_routers_and_the_same_origin_are_those_that_the_proxy_says() {
    let (sim, ask) = behind_a_proxy(|app| {
        app.with(same_origin());
        let mut router = Router::new();
        router.all("/", |req, res| res.end(format!("of a, {:?}", req.back_or("/"))));
        app.vhost("a.example", router);
        app.all("/", |_req, res| res.end("of nobody"));
    });
    let referer = ("Referer", "https://a.example/todos?page=2");
    assert_eq!(ask(CLIENT, "GET", &[referer]).text(), "of a, \"/todos?page=2\"");
    assert_eq!(ask(CLIENT, "POST", &[("Origin", "https://a.example")]).status(), 200);
    assert_eq!(ask(CLIENT, "POST", &[("Origin", "http://localhost")]).status(), 403);
    // Who is no proxy says nothing.
    let stranger = sim.connect_from("203.0.113.7:1".parse().unwrap(), 80);
    let request =
        sim.request("POST", "/").header("X-Forwarded-Host", "a.example").header("Origin", "https://a.example");
    assert_eq!(request.on(&stranger).send().status(), 403);
    let stranger = sim.connect_from("203.0.113.7:2".parse().unwrap(), 80);
    assert_eq!(
        sim.request("GET", "/").header("X-Forwarded-Host", "a.example").on(&stranger).send().text(),
        "of nobody"
    );
}

#[test]
fn clients_behind_a_proxy_have_a_rate_each() {
    let (_sim, ask) = behind_a_proxy(|app| {
        app.with(rate_limit(Rate::per_hour(1)));
        app.get("/", |_req, res| res.end(()));
    });
    let clients = [CLIENT, "203.0.113.10", CLIENT, "1.1.1.1, 203.0.113.9"];
    assert_eq!(clients.map(|client| ask(client, "GET", &[]).status()), [200, 200, 429, 429]);
}

#[test]
fn a_proxy_chooses_the_id_of_a_request_and_nobody_else_does() {
    let (sim, ask) = behind_a_proxy(|app| {
        app.with(request_id());
        app.get("/", |_req, res| res.end(()));
    });
    let id = ("X-Request-Id", "of-the-proxy");
    assert_eq!(ask(CLIENT, "GET", &[id]).header("X-Request-Id"), Some("of-the-proxy"));
    let stranger = sim.connect_from("203.0.113.7:1".parse().unwrap(), 80);
    let reply = sim.request("GET", "/").header(id.0, id.1).header("X-Forwarded-For", "127.0.0.1").on(&stranger).send();
    assert_ne!(reply.header("X-Request-Id"), Some("of-the-proxy"));
}

#[test]
fn the_access_log_has_the_clients_address_though_the_connection_is_over() {
    let sim = Sim::new();
    let mut app = App::new();
    app.trust(Trust::loopback());
    app.get("/", |_req, res| res.end(()));
    let (server, record) = (app.server().unwrap(), Record::default());
    let told = record.clone();
    AccessLog::new(Format::Short).to_callback(move |line| told.add(line)).attach(&server);
    server.listen(80, ()).unwrap();
    for (peer, said) in [("127.0.0.1:1", CLIENT), ("127.0.0.1:2", "x\" y"), ("203.0.113.7:1", CLIENT)] {
        let peer = sim.connect_from(peer.parse().unwrap(), 80);
        sim.request("GET", "/").header("X-Forwarded-For", said).on(&peer).send();
    }
    let lines = record.take();
    let addresses: Vec<_> = lines.iter().map(|line| line.split(' ').next().unwrap()).collect();
    assert_eq!(addresses, [CLIENT, "127.0.0.1", "203.0.113.7"]);
}

#[test]
fn a_cookie_is_secure_by_itself_where_the_request_is() {
    let fill = |app: &mut App| {
        app.get("/", |_req, res| {
            res.cookie(Cookie::new("a", "1")).cookie(Cookie::new("b", "2").secure(false)).clear_cookie("c").end(());
        });
    };
    let (sim, ask) = behind_a_proxy(fill);
    let cookies = |reply: oneloop::sim::Reply| reply.header_all("Set-Cookie").map(str::to_owned).collect::<Vec<_>>();
    let secure = ["a=1; Path=/; Secure; HttpOnly; SameSite=Lax", "b=2; Path=/; HttpOnly; SameSite=Lax"];
    let secure = [&secure[..], &["c=; Max-Age=0; Path=/; Secure; HttpOnly; SameSite=Lax"]].concat();
    assert_eq!(cookies(ask(CLIENT, "GET", &[])), secure);
    let plain = cookies(sim.request("GET", "/").send());
    assert_eq!(plain, secure.iter().map(|field| field.replace(" Secure;", "")).collect::<Vec<_>>());
}

/// The cases of Express's `req.hostname` and `req.subdomains`. Left out: another offset than 2.
#[test]
fn a_hosts_name_and_its_subdomains() {
    for (host, name, subdomains) in [
        ("example.com", "example.com", &[][..]),
        ("example.com:3000", "example.com", &[]),
        ("[::1]", "[::1]", &[]),
        ("[::1]:3000", "[::1]", &[]),
        ("tobi.ferrets.example.com", "tobi.ferrets.example.com", &["ferrets", "tobi"]),
        ("tobi.ferrets.example.com:80", "tobi.ferrets.example.com", &["ferrets", "tobi"]),
        ("localhost", "localhost", &[]),
        ("127.0.0.1", "127.0.0.1", &[]),
        ("127.0.0.1:80", "127.0.0.1", &[]),
        ("[2001:db8::1.2.3.4]", "[2001:db8::1.2.3.4]", &[]),
        ("", "", &[]),
    ] {
        let sim = Sim::new();
        let server = oneloop::http::create_server(|req, res| {
            res.end(format!("{} {}", req.hostname().unwrap_or_default(), req.subdomains().join(" ")))
        });
        server.listen(80, ()).unwrap();
        let reply = sim.request("GET", "/").header("Host", host).send();
        assert_eq!(reply.text(), format!("{name} {}", subdomains.join(" ")), "{host}");
    }
}

#[test]
fn what_is_no_network_is_refused() {
    for text in [
        "",
        "blargh",
        "-1",
        "10.0.0.1/",
        "10.0.0.1/33",
        "10.0.0.1/6000",
        "::1/129",
        "::ffff:a00:2/136",
        "::ffff:a00:2/-46",
        "10.0.0.1/+8",
        "10.0.0.1/8/8",
        "10.0.0.1/99999999999",
        " 10.0.0.1",
        "10.0.0.1:80",
    ] {
        let error = Trust::networks(["127.0.0.1", text]).unwrap_err();
        assert!(error.to_string().contains(&format!("{text:?}")), "{error}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn an_address_is_in_a_network_if_its_first_bits_are(base in any::<u128>(), flip in 0..128u32, bits in 0..=128u32) {
        let network = Network::read(&format!("{}/{bits}", std::net::Ipv6Addr::from_bits(base | 1 << 127)));
        let address = IpAddr::V6(std::net::Ipv6Addr::from_bits((base | 1 << 127) ^ (1 << (127 - flip))));
        prop_assert_eq!(network.unwrap().has(address), flip >= bits);
        let (base, flip, bits) = (base as u32, flip % 32, bits % 33);
        let network = Network::read(&format!("{}/{bits}", std::net::Ipv4Addr::from_bits(base))).unwrap();
        let address = std::net::Ipv4Addr::from_bits(base ^ (1 << (31 - flip)));
        prop_assert_eq!(network.has(IpAddr::V4(address)), flip >= bits);
        prop_assert_eq!(network.has(IpAddr::V6(address.to_ipv6_mapped())), flip >= bits);
    }

    #[test]
    fn nothing_that_a_proxy_says_is_too_odd_to_be_read(field in "\\PC{0,40}|(for|proto|host|[a-z]{0,3})=?[\\[\\]\":;=,a-f0-9. \\\\]{0,30}") {
        for hop in hops(&field) {
            prop_assert!(hop.host.is_none_or(|host| !host.contains(['@', '/', ' '])));
        }
        address(&field);
    }
}
