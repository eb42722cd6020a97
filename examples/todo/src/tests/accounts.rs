use super::World;
use oneloop::sim::Reply;

/// A browser: it has the cookie that it was given last.
struct Browser<'a> {
    world: &'a World,
    cookie: String,
}

impl<'a> Browser<'a> {
    fn of(world: &'a World) -> Browser<'a> {
        Browser { world, cookie: String::new() }
    }

    fn get(&self, path: &str) -> Reply {
        self.world.ask("GET", path, &[("Cookie", &self.cookie)], "")
    }

    fn send(&mut self, path: &str, form: &str) -> Reply {
        let request = self.world.sim.request("POST", path).header("Cookie", &self.cookie);
        let reply = request.header("Content-Type", "application/x-www-form-urlencoded").body(form).send();
        if let Some(cookie) = reply.header("Set-Cookie") {
            assert!(cookie.contains("; HttpOnly; SameSite=Lax"), "{cookie}");
            self.cookie = cookie.split(';').next().unwrap_or_default().to_owned();
        }
        reply
    }

    fn sign_up(world: &'a World, name: &str) -> Browser<'a> {
        let mut browser = Browser::of(world);
        let reply = browser.send("/signup", &format!("name={name}&password=correct+horse"));
        assert_eq!(reply.expect(303).header("Location"), Some("/todos"));
        // Tests sign up more often than an address may.
        world.sim.advance(std::time::Duration::from_secs(60));
        browser
    }
}

#[test]
fn a_closed_site_sends_strangers_to_the_door() {
    let world = World::with(false);
    let stranger = Browser::of(&world);
    assert_eq!(stranger.get("/todos").expect(302).header("Location"), Some("/login"));
    let refused = stranger.get("/api/todos").expect(401);
    assert_eq!(refused.header("Content-Type"), Some("application/problem+json"));
    stranger.get("/login").expect(200);
    stranger.get("/signup").expect(200);
}

#[test]
fn who_has_an_account_has_a_list_and_finds_it_again() {
    let world = World::with(false);
    let mut ada = Browser::sign_up(&world, "Ada");
    ada.send("/todos", "title=Write+a+program").expect(303);
    assert!(ada.get("/todos").text().contains("Ada <button"));
    assert_eq!(ada.send("/logout", "").expect(303).header("Location"), Some("/login"));
    ada.get("/todos").expect(302);
    ada.send("/login", "name=+ada+&password=correct+horse").expect(303);
    assert!(ada.get("/todos").text().contains("Write a program"));
}

#[test]
fn a_list_is_its_owners_alone() {
    for open in [false, true] {
        let world = World::with(open);
        let mut ada = Browser::sign_up(&world, "ada");
        let mut bob = Browser::sign_up(&world, "bob");
        ada.send("/todos", "title=a+secret").expect(303);
        assert!(!bob.get("/todos").text().contains("a secret"));
        bob.get("/api/todos/1").expect(404);
        bob.send("/todos/1/title", "title=mine").expect(404);
        bob.send("/todos/1/delete", "").expect(303);
        bob.send("/todos/clear", "").expect(303);
        if open {
            assert!(!world.ask("GET", "/todos", &[], "").text().contains("a secret"));
            world.ask("GET", "/api/todos/1", &[], "").expect(404);
        }
        ada.get("/api/todos/1").expect(200);
    }
}

#[test]
fn who_looks_hears_of_changes_of_that_list_alone() {
    let world = World::with(false);
    let mut ada = Browser::sign_up(&world, "ada");
    let mut bob = Browser::sign_up(&world, "bob");
    let tab = world.sim.connect(80);
    tab.write(format!("GET /api/todos/events HTTP/1.1\r\nHost: a\r\nCookie: {}\r\n\r\n", ada.cookie));
    world.sim.advance(std::time::Duration::from_secs(1));
    bob.send("/todos", "title=b").expect(303);
    assert_eq!(tab.text().matches("event: changed").count(), 0, "{}", tab.text());
    ada.send("/todos", "title=a").expect(303);
    assert_eq!(tab.text().matches("event: changed").count(), 1, "{}", tab.text());
}

#[test]
fn a_log_in_changes_the_session_and_a_log_out_ends_it_for_whoever_has_it() {
    let world = World::with(false);
    let mut ada = Browser::sign_up(&world, "ada");
    let before = ada.cookie.clone();
    ada.send("/login", "name=ada&password=correct+horse").expect(303);
    assert_ne!(ada.cookie, before);
    let thief = |cookie: &str| Browser { world: &world, cookie: cookie.to_owned() };
    thief(&before).get("/todos").expect(302);
    let stolen = ada.cookie.clone();
    thief(&stolen).get("/todos").expect(200);
    ada.send("/logout", "").expect(303);
    thief(&stolen).get("/todos").expect(302);
}

#[test]
fn what_cannot_be_an_account_is_shown_again_with_what_is_wrong() {
    let world = World::with(false);
    Browser::sign_up(&world, "ada");
    let long = "x".repeat(41);
    for (form, problem) in [
        ("name=ADA&password=correct+horse", "Somebody has this name already."),
        ("name=+&password=correct+horse", "A name is wanted."),
        ("name=bob&password=short", "The password is too short"),
        ("name=bob%00b&password=correct+horse", "The name has a character that nobody can see."),
        (&*format!("name={long}&password=correct+horse"), "The name is too long"),
    ] {
        let page = Browser::of(&world).send("/signup", form).expect(422).text();
        assert!(page.contains(problem) && !page.contains("correct horse"), "{page}");
        world.sim.advance(std::time::Duration::from_secs(60));
    }
}

#[test]
fn a_wrong_name_and_a_wrong_password_are_answered_alike() {
    let world = World::with(false);
    Browser::sign_up(&world, "ada");
    let pages = ["name=ada&password=wrong", "name=ida&password=wrong", "name=everybody&password="].map(|form| {
        let page = Browser::of(&world).send("/login", form).expect(422).text();
        page.replace("ida", "ada").replace("everybody", "ada")
    });
    assert!(pages[0].contains("The name or the password is not right."));
    assert!(pages[0] == pages[1] && pages[0] == pages[2], "{pages:?}");
}

#[test]
fn passwords_are_not_tried_out() {
    let world = World::with(false);
    Browser::sign_up(&world, "ada");
    let mut statuses: Vec<u16> = Vec::new();
    for _ in 0..6 {
        statuses.push(Browser::of(&world).send("/login", "name=bob&password=wrong").status());
    }
    assert_eq!(statuses, [422, 422, 422, 422, 422, 429]);
    Browser::of(&world).get("/login").expect(200);
    world.sim.advance(std::time::Duration::from_secs(60));
    Browser::of(&world).send("/login", "name=ada&password=correct+horse").expect(303);
}

#[test]
fn a_name_is_not_tried_from_many_addresses() {
    let world = World::with(false);
    Browser::sign_up(&world, "ada");
    let mut statuses = Vec::new();
    for host in 1..=6 {
        let peer = world.sim.connect_from(([10, 0, 0, host], 5000).into(), 80);
        let form = "name=ada&password=wrong";
        peer.write(format!(
            "POST /login HTTP/1.1\r\nHost: a\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{form}",
            form.len()
        ));
        world.sim.advance(std::time::Duration::from_millis(500));
        statuses.push(peer.text()[9..12].to_owned());
    }
    assert_eq!(statuses, ["422", "422", "422", "422", "422", "429"]);
}

#[test]
fn the_database_has_nothing_that_lets_a_thief_in() {
    let world = World::with(false);
    let ada = Browser::sign_up(&world, "ada");
    let id = ada.cookie.split_once('=').unwrap().1;
    for file in ["todo.db", "todo.db-wal"] {
        let bytes = std::fs::read(world.folder.join(file)).unwrap_or_default();
        for secret in [id, "correct horse"] {
            assert!(!bytes.windows(secret.len()).any(|part| part == secret.as_bytes()), "{file} has {secret}");
        }
    }
}

#[test]
fn who_does_not_come_for_two_weeks_logs_in_anew() {
    let world = World::with(false);
    let day = std::time::Duration::from_secs(24 * 60 * 60);
    let ada = Browser::sign_up(&world, "ada");
    for _ in 0..2 {
        world.sim.advance(13 * day);
        ada.get("/todos").expect(200);
    }
    world.sim.advance(14 * day);
    ada.get("/todos").expect(302);
    Browser::sign_up(&world, "bob");
    let database = rusqlite::Connection::open(world.folder.join("todo.db")).unwrap();
    assert_eq!(database.query_row("SELECT count(*) FROM sessions", [], |row| row.get(0)), Ok(1));
}
