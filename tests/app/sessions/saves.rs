//! That an answer never overtakes its session, and that requests at the same time do not undo what the others do.

use super::*;

#[test]
fn a_redirect_does_not_overtake_the_save() {
    let store = Slow::new(Mood::After(500 * MS));
    let sim = world(store.clone());
    let peer = begin(&sim, "/put/a/1", "");
    sim.advance(499 * MS);
    assert_eq!(peer.text(), "", "nothing leaves, not even the head");
    sim.advance(2 * MS);
    assert_eq!(only(&peer).status, 302);
    assert_eq!(store.memory.count(), 1);
    // A log-in asks whether the old session is still there, and saves the new one before it forgets the old one. The answer waits.
    let cookie = only(&peer).field("Set-Cookie").unwrap().split(';').next().unwrap().to_owned();
    store.record.take();
    let peer = begin(&sim, "/login/ada", &cookie);
    sim.advance(1999 * MS);
    assert_eq!(peer.text(), "");
    sim.advance(2 * MS);
    assert_eq!(only(&peer).status, 302);
    store.record.expect(&["load", "save", "save", "destroy"]);
    assert_eq!(store.memory.count(), 1);
}

#[test]
fn a_session_that_another_request_destroys_is_not_renewed() {
    let (store, kept) = (Slow::new(Mood::AtOnce), Kept::<(Session, Response)>::default());
    let keep = kept.clone();
    let sim = world(store.clone());
    let mut app = App::new();
    app.with(sessions(store.clone()));
    app.get("/", move |req, res| {
        keep.put((req.session()?, res));
        Ok(())
    });
    app.listen(81, ()).unwrap();
    for destroyed in [true, false] {
        let old = cookie(&sim.request("GET", "/put/cart/tulip").send());
        let peer = sim.connect(81);
        peer.write(format!("GET / HTTP/1.1\r\nHost: a\r\nCookie: {old}\r\n\r\n"));
        sim.settle();
        // Another one of the visitor's requests: a log-out, or a change that must not be lost.
        ask(&sim, if destroyed { "/logout" } else { "/put/cart/rose" }, &old);
        let (session, res) = kept.take();
        session.renew().unwrap();
        session.insert("user", "ada").unwrap();
        res.end("done\n");
        drop((session, res));
        sim.settle();
        let new = only(&peer).field("Set-Cookie").map(|field| field.split(';').next().unwrap().to_owned());
        assert_eq!(new.is_none(), destroyed);
        assert_eq!(text(&sim, "/read/user", &old), "-", "the old id never has what came behind the renewal");
        if let Some(new) = new {
            assert_eq!([text(&sim, "/read/user", &new), text(&sim, "/read/cart", &new)], ["ada", "rose"]);
        }
        assert_eq!(store.memory.count(), usize::from(!destroyed));
    }
}

#[test]
fn of_a_stream_the_end_waits() {
    let store = Slow::new(Mood::AtOnce);
    let sim = world(store.clone());
    let cookie = cookie(&sim.request("GET", "/put/a/1").send());
    store.mood.set(Mood::After(2 * SECOND));
    let peer = begin(&sim, "/stream/a/2", &cookie);
    sim.advance(2 * SECOND);
    assert!(peer.text().ends_with("a part\n\r\n"), "{}", peer.text());
    sim.advance(2 * SECOND);
    assert!(peer.text().ends_with("a part\n\r\n"), "{}", peer.text());
    sim.advance(2 * SECOND);
    assert_eq!(only(&peer).text(), "a part\nthe rest\n");
    store.mood.set(Mood::AtOnce);
    assert_eq!(text(&sim, "/read/a", &cookie), "2");
    // A new session comes too late for its cookie.
    let late = begin(&sim, "/stream/a/2", "");
    sim.advance(2 * SECOND);
    assert_eq!(only(&late).text(), "a part\nLate\n");
}

#[test]
fn a_store_that_fails_is_a_503_and_nobody_is_told_of_a_session() {
    for mood in [Mood::Fails, Mood::Drops, Mood::Never] {
        let store = Slow::new(Mood::AtOnce);
        let sim = world(store.clone());
        let known = cookie(&sim.request("GET", "/put/a/1").send());
        store.mood.set(mood);
        let began = sim.now();
        for (path, cookie) in [("/read/a", &known[..]), ("/put/a/1", ""), ("/login/ada", "")] {
            let reply = ask(&sim, path, cookie);
            assert_eq!((reply.status(), reply.header("Set-Cookie")), (503, None), "{mood:?} {path}");
            assert!(!reply.text().contains("disk") && !reply.text().contains("store"), "{}", reply.text());
        }
        let waited = sim.now() - began;
        assert_eq!(waited >= 15 * SECOND, mood == Mood::Never, "{mood:?} {waited:?}");
        assert_eq!(ask(&sim, "/nothing", "").status(), 200);
        store.mood.set(Mood::AtOnce);
        assert_eq!(text(&sim, "/read/a", &known), "1", "{mood:?}");
    }
}

#[test]
fn a_store_that_fails_after_the_head_cuts_the_answer() {
    let store = Slow::new(Mood::AtOnce);
    let sim = world(store.clone());
    let cookie = cookie(&sim.request("GET", "/put/a/1").send());
    let peer = begin(&sim, "/stream/a/2", &cookie);
    store.mood.set(Mood::Fails);
    sim.advance(2 * SECOND);
    assert!(peer.is_closed() && whole(&peer.received()).0.is_empty(), "{}", peer.text());
}

#[test]
fn a_store_that_panics_costs_its_request_only() {
    let store = Slow::new(Mood::AtOnce);
    let sim = world(store.clone());
    let cookie = cookie(&sim.request("GET", "/put/a/1").send());
    store.mood.set(Mood::Panics);
    for path in ["/read/a", "/put/a/2"] {
        let status = ask(&sim, path, &cookie).status();
        assert!(status == 500 || status == 503, "{path} {status}");
    }
    store.mood.set(Mood::AtOnce);
    assert_eq!(text(&sim, "/read/a", &cookie), "1");
}

#[test]
fn an_answer_of_the_store_that_comes_too_late_does_nothing() {
    let store = Slow::new(Mood::After(6 * SECOND));
    let sim = world(store.clone());
    assert_eq!(sim.request("GET", "/put/a/1").send().status(), 503);
    let peer = begin(&sim, "/read/a", &format!("sid={}", "0".repeat(32)));
    sim.advance(10 * SECOND);
    assert_eq!(statuses(&peer), [503]);
}

#[test]
fn what_was_put_in_is_saved_though_the_handler_fails_or_the_client_has_gone() {
    let store = Slow::new(Mood::AtOnce);
    let sim = world(store.clone());
    for path in ["/fail", "/panic"] {
        let reply = sim.request("GET", path).send();
        assert_eq!(reply.status(), 500);
        assert_eq!(text(&sim, "/read/failed", &cookie(&reply)), "true", "{path}");
    }
    let known = cookie(&sim.request("GET", "/put/a/1").send());
    let peer = begin(&sim, "/slowly/a/2", &known);
    peer.reset();
    sim.advance(2 * SECOND);
    assert_eq!(text(&sim, "/read/a", &known), "1", "the exchange was over before the change");
    let mut app = App::new();
    app.with(sessions(store.clone()));
    app.get("/keep", |req, res| {
        req.session()?.insert("a", 3)?;
        set_timeout(HOUR, move || drop(res));
        Ok(())
    });
    app.listen(81, ()).unwrap();
    let peer = sim.connect(81);
    peer.write(format!("GET /keep HTTP/1.1\r\nHost: a\r\nCookie: {known}\r\n\r\n"));
    sim.settle();
    peer.reset();
    sim.settle();
    assert_eq!(text(&sim, "/read/a", &known), "3", "and this one after it");
}

#[test]
fn after_the_end_a_session_does_not_change_but_can_be_destroyed() {
    let (kept, store) = (Kept::<Session>::default(), Slow::new(Mood::AtOnce));
    let keep = kept.clone();
    let sim = world_with(store.clone(), SessionOptions::new(), |_| ());
    let mut app = App::new();
    app.with(sessions(store.clone()));
    app.get("/", move |req, res| {
        keep.put(req.session()?);
        res.end(());
        Ok(())
    });
    app.listen(81, ()).unwrap();
    let cookie = cookie(&sim.request("GET", "/put/a/1").send());
    sim.request("GET", "/").port(81).header("Cookie", &cookie).send();
    let session = kept.take();
    assert_eq!([session.insert("a", 2), session.remove("a")], [Err(SessionError::Late); 2]);
    assert_eq!((session.renew(), session.insert("a", 1)), (Err(SessionError::Late), Err(SessionError::Late)));
    assert_eq!((session.read("a"), text(&sim, "/read/a", &cookie)), (Some(1), "1".to_owned()));
    session.destroy();
    sim.settle();
    assert_eq!(text(&sim, "/read/a", &cookie), "-");
}

// ---- Several requests at a time

#[test]
fn two_requests_keep_what_each_has_changed() {
    for mood in [Mood::AtOnce, Mood::After(10 * MS)] {
        let store = Slow::new(mood);
        let sim = world(store.clone());
        let cookie = cookie(&sim.request("GET", "/put/user/7").send());
        let peers =
            ["/slowly/cart/plants", "/slowly/theme/dark", "/slowly/user/8"].map(|path| begin(&sim, path, &cookie));
        ask(&sim, "/remove/user", &cookie);
        ask(&sim, "/put/user/9", &cookie);
        ask(&sim, "/put/other/1", &cookie);
        sim.advance(2 * SECOND);
        assert!(peers.iter().all(|peer| only(peer).text() == "slowly\n"));
        let read = |name: &str| text(&sim, &format!("/read/{name}"), &cookie);
        // Of `user` the one that has ended last has the last word.
        assert_eq!(["cart", "theme", "other", "user"].map(read), ["plants", "dark", "1", "8"], "{mood:?}");
    }
}

#[test]
fn of_a_hundred_requests_at_a_time_none_is_forgotten() {
    let store = Slow::new(Mood::After(5 * MS));
    let sim = world(store.clone());
    let cookie = cookie(&sim.request("GET", "/put/user/7").send());
    let peers: Vec<_> = (0..100).map(|n| begin(&sim, &format!("/slowly/n{n}/{n}"), &cookie)).collect();
    sim.advance(5 * SECOND);
    assert!(peers.iter().all(|peer| only(peer).status == 200));
    store.mood.set(Mood::AtOnce);
    for n in 0..100 {
        assert_eq!(text(&sim, &format!("/read/n{n}"), &cookie), n.to_string());
    }
}

#[test]
fn a_session_that_another_request_has_destroyed_stays_destroyed() {
    let store = Slow::new(Mood::AtOnce);
    let sim = world(store.clone());
    let cookie = cookie(&sim.request("GET", "/put/user/7").send());
    let peer = begin(&sim, "/slowly/cart/plants", &cookie);
    ask(&sim, "/logout", &cookie);
    sim.advance(2 * SECOND);
    assert_eq!((only(&peer).status, only(&peer).field("Set-Cookie")), (200, None));
    assert_eq!((store.memory.count(), text(&sim, "/read/user", &cookie)), (0, "-".to_owned()));
    // A log-in ends the old id as well.
    let before = super::cookie(&sim.request("GET", "/put/user/7").send());
    let peer = begin(&sim, "/slowly/cart/plants", &before);
    let after = super::cookie(&ask(&sim, "/login/ada", &before));
    sim.advance(2 * SECOND);
    assert_eq!(only(&peer).status, 200);
    assert_eq!([text(&sim, "/read/cart", &before), text(&sim, "/read/user", &after)], ["-", "ada"]);
}

/// The 101 waits for nobody, so it gives no cookie of a session that begins with it: see `Endpoint::accept`.
#[test]
fn what_the_handshake_of_a_websocket_changes_is_saved_and_a_session_that_begins_in_it_gets_no_cookie() {
    let (store, chat) = (Slow::new(Mood::AtOnce), ws::Endpoint::new());
    let sim = world_with(store.clone(), SessionOptions::new(), |_| ());
    let mut app = App::new();
    app.with(sessions(store.clone()));
    app.get("/chat", move |req, res| {
        req.session()?.insert("room", "tulips")?;
        chat.accept(&req, res);
        Ok(())
    });
    app.listen(81, ()).unwrap();
    let cookie = cookie(&sim.request("GET", "/put/a/1").send());
    for known in [true, false] {
        let field = if known { format!("Cookie: {cookie}\r\n") } else { String::new() };
        let peer = sim.connect(81);
        peer.write(handshake("/chat", &field));
        sim.settle();
        assert!(peer.text().starts_with("HTTP/1.1 101 ") && !peer.text().contains("Set-Cookie"), "{}", peer.text());
    }
    assert_eq!(text(&sim, "/read/room", &cookie), "tulips");
}
