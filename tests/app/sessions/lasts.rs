//! How long a session lasts, and how much it and a store hold.

use super::*;

#[test]
fn a_session_lasts_while_it_is_used_and_no_longer_than_its_lifetime() {
    let store = Slow::new(Mood::AtOnce);
    let options = SessionOptions::new().idle(HOUR).lifetime(5 * HOUR);
    let sim = world_with(store.clone(), options, |_| ());
    let cookie = cookie(&sim.request("GET", "/put/a/1").send());
    let read = || text(&sim, "/read/a", &cookie);
    for _ in 0..5 {
        sim.advance(59 * MINUTE);
        assert_eq!(read(), "1");
    }
    sim.advance(6 * MINUTE);
    assert_eq!(read(), "-", "used all the time, and too old");
    let cookie = super::cookie(&sim.request("GET", "/put/a/1").send());
    sim.advance(HOUR - SECOND);
    assert_eq!(text(&sim, "/read/a", &cookie), "1");
    sim.advance(HOUR + SECOND);
    assert_eq!(text(&sim, "/read/a", &cookie), "-", "not used");
}

#[test]
fn a_store_is_told_once_a_minute_that_a_session_lives() {
    let store = Slow::new(Mood::AtOnce);
    let sim = world(store.clone());
    let cookie = cookie(&sim.request("GET", "/put/a/1").send());
    store.record.take();
    for _ in 0..240 {
        sim.advance(SECOND);
        ask(&sim, "/nothing", &cookie);
    }
    let touches = store.record.take().iter().filter(|what| *what == "touch").count();
    assert!((3..=4).contains(&touches), "{touches}");
    // A store that fails at it holds up nobody.
    sim.advance(2 * MINUTE);
    let slow = store.clone();
    slow.mood.set(Mood::After(SECOND));
    let began = sim.now();
    assert_eq!(text(&sim, "/read/a", &cookie), "1");
    assert!(sim.now() - began < 2 * SECOND, "loaded, and not touched");
}

#[test]
fn a_session_has_4_kib_at_most() {
    let sim = world(MemoryStore::new());
    let cookie = cookie(&sim.request("GET", &format!("/put/a/{}", "x".repeat(4000))).send());
    assert_eq!(ask(&sim, &format!("/put/b/{}", "x".repeat(200)), &cookie).status(), 500);
    assert_eq!([text(&sim, "/read/b", &cookie).len(), text(&sim, "/read/a", &cookie).len()], [1, 4000]);
}

#[test]
fn a_store_in_memory_has_room_for_so_many_and_forgets_whom_nobody_has_used_for_longest() {
    let store = Rc::new(MemoryStore::with_room_for(3));
    let sim = world_with(store.clone(), SessionOptions::new().idle(10 * DAY), |_| ());
    let put = || cookie(&sim.request("GET", "/put/a/1").send());
    let (first, second, third) = (put(), put(), put());
    sim.advance(2 * MINUTE);
    ask(&sim, "/nothing", &first);
    let fourth = put();
    let read = |cookie: &String| text(&sim, "/read/a", cookie);
    assert_eq!([&first, &second, &third, &fourth].map(read), ["1", "-", "1", "1"]);
    assert_eq!(store.count(), 3);
    // What has expired goes first.
    sim.advance(11 * DAY);
    put();
    assert_eq!(store.count(), 1);
}

#[test]
fn without_the_middleware_a_session_is_an_error_that_says_so() {
    let sim = Sim::new();
    let mut app = App::new();
    fill(&mut app);
    app.listen(PORT, ()).unwrap();
    let reply = sim.request("GET", "/read/a").send();
    assert_eq!(reply.status(), 500);
    assert!(reply.log().iter().any(|line| line.to_string().contains("Session")), "{:?}", reply.log());
}

#[test]
fn a_session_is_whatever_can_be_written_and_read() {
    let sim = Sim::new();
    let mut app = App::new();
    app.with(sessions(MemoryStore::new()));
    app.get("/", |req, res| {
        let session = req.session()?;
        session.insert("user", 7_u64)?;
        session.insert("name", "Zoë & \"co\";=%\n")?;
        session.insert_json("cart", &vec![Some("ivy"), None])?;
        res.end(());
        Ok(())
    });
    app.get("/read", |req, res| {
        let session = req.session()?;
        assert_eq!((session.read::<u64>("user"), session.read::<bool>("user")), (Some(7), None));
        assert_eq!(session.read::<String>("name").as_deref(), Some("Zoë & \"co\";=%\n"));
        assert_eq!(session.read_json::<Vec<Option<String>>>("cart"), Some(vec![Some("ivy".to_owned()), None]));
        assert_eq!((session.read_json::<u8>("cart"), session.read_json::<u8>("none")), (None, None));
        assert_eq!((session.take::<u64>("user")?, session.take::<u64>("user")?), (Some(7), None));
        assert_eq!(format!("{session:?}"), "Session { .. }", "no secret gets into a log");
        res.end("all is there\n");
        Ok(())
    });
    app.listen(PORT, ()).unwrap();
    let cookie = cookie(&sim.request("GET", "/").send());
    assert_eq!(text(&sim, "/read", &cookie), "all is there\n");
}
