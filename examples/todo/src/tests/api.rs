use super::World;
use serde_json::{Value, json};

fn read(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

#[test]
fn a_todo_is_added_found_changed_and_removed() {
    let world = World::new();
    let added = world.ask("POST", "/api/todos", &[], r#"{"title": " water the plants "}"#).expect(201);
    let url = added.header("Location").unwrap().to_owned();
    let todo = read(&added.text());
    assert_eq!(todo, json!({"id": 1, "title": "water the plants", "completed": false, "order": 0, "url": url}));

    let path = url.strip_prefix("http://sim").unwrap_or(&url);
    assert_eq!(read(&world.ask("GET", path, &[], "").expect(200).text()), todo);
    let changed = world.ask("PATCH", path, &[], r#"{"completed": true, "order": 7}"#).expect(200);
    assert_eq!(read(&changed.text())["completed"], true);
    assert_eq!(read(&world.ask("GET", "/api/todos", &[], "").text())[0]["order"], 7);

    world.ask("DELETE", path, &[], "").expect(204);
    world.ask("GET", path, &[], "").expect(404);
    assert_eq!(world.ask("GET", "/api/todos", &[], "").text(), "[]");
}

#[test]
fn todos_come_by_their_order_then_by_their_age() {
    let world = World::new();
    for (title, order) in [("c", 2), ("a", 1), ("b", 1)] {
        world.ask("POST", "/api/todos", &[], &json!({"title": title, "order": order}).to_string()).expect(201);
    }
    let list = read(&world.ask("GET", "/api/todos", &[], "").text());
    let titles: Vec<_> = list.as_array().unwrap().iter().map(|todo| todo["title"].as_str().unwrap()).collect();
    assert_eq!(titles, ["a", "b", "c"]);
}

#[test]
fn of_two_who_change_the_same_state_the_second_is_told() {
    let world = World::new();
    let tag = world.ask("POST", "/api/todos", &[], r#"{"title": "a"}"#).header("ETag").unwrap().to_owned();
    let first = world.ask("PATCH", "/api/todos/1", &[("If-Match", &tag)], r#"{"title": "b"}"#).expect(200);
    assert_ne!(first.header("ETag"), Some(&*tag));
    world.ask("PATCH", "/api/todos/1", &[("If-Match", &tag)], r#"{"title": "c"}"#).expect(412);
    world.ask("DELETE", "/api/todos/1", &[("If-Match", &tag)], "").expect(412);
    let now = world.ask("GET", "/api/todos/1", &[], "");
    assert_eq!(read(&now.text())["title"], "b");
    let tag = now.header("ETag").unwrap();
    world.ask("GET", "/api/todos/1", &[("If-None-Match", tag)], "").expect(304);
    world.ask("DELETE", "/api/todos/1", &[("If-Match", tag)], "").expect(204);
}

#[test]
fn a_tag_is_as_good_for_a_client_that_takes_compressed_answers() {
    let world = World::new();
    let long = json!({"title": "\u{1f331}".repeat(500)}).to_string();
    let packs = ("Accept-Encoding", "gzip");
    let tag = world.ask("POST", "/api/todos", &[packs], &long).header("ETag").unwrap().to_owned();
    world.ask("PATCH", "/api/todos/1", &[packs, ("If-Match", &tag)], r#"{"completed": true}"#).expect(200);
}

#[test]
fn two_changes_at_the_same_moment_are_not_both_for_the_same_state() {
    let world = World::new();
    let tag = world.ask("POST", "/api/todos", &[], r#"{"title": "a"}"#).header("ETag").unwrap().to_owned();
    let send = |title: &str| {
        let peer = world.sim.connect(80);
        let body = format!("{{\"title\":\"{title}\"}}");
        peer.write(format!(
            "PATCH /api/todos/1 HTTP/1.1\r\nHost: a\r\nIf-Match: {tag}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        ));
        peer
    };
    let peers = [send("b"), send("c")];
    world.sim.advance(std::time::Duration::from_secs(1));
    let statuses = peers.map(|peer| peer.text()[9..12].to_owned());
    assert!(statuses.contains(&"200".to_owned()) && statuses.contains(&"412".to_owned()), "{statuses:?}");
}

#[test]
fn an_unchanged_list_is_not_sent_again() {
    let world = World::new();
    let tag = world.ask("GET", "/api/todos", &[], "").header("ETag").unwrap().to_owned();
    world.ask("GET", "/api/todos", &[("If-None-Match", &tag)], "").expect(304);
    world.ask("POST", "/api/todos", &[], r#"{"title": "a"}"#).expect(201);
    world.ask("GET", "/api/todos", &[("If-None-Match", &tag)], "").expect(200);
}

#[test]
fn what_is_no_todo_is_a_problem() {
    let world = World::new();
    let long = json!({"title": "x".repeat(501)}).to_string();
    for (method, path, body, status) in [
        ("POST", "/api/todos", r#"{"title": "  "}"#, 422),
        ("POST", "/api/todos", &long, 422),
        ("POST", "/api/todos", r#"{"title": 7}"#, 422),
        ("POST", "/api/todos", r#"{"#, 400),
        ("PATCH", "/api/todos/1", r#"{"title": ""}"#, 422),
        ("PATCH", "/api/todos/1", r#"{"title": "a"}"#, 404),
        ("GET", "/api/todos/x", "", 404),
    ] {
        let reply = world.ask(method, path, &[], body).expect(status);
        assert_eq!(reply.header("Content-Type"), Some("application/problem+json"), "{method} {path} {body}");
        assert_eq!(read(&reply.text())["status"], status);
    }
    world.ask("PUT", "/api/todos", &[], "{}").expect(405);
}

#[test]
fn a_list_has_an_end() {
    let world = World::new();
    let fill = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 999)
                INSERT INTO todos (account, title) SELECT 0, 'again' FROM n";
    rusqlite::Connection::open(world.folder.join("todo.db")).unwrap().execute(fill, []).unwrap();
    world.ask("POST", "/api/todos", &[], r#"{"title": "the last"}"#).expect(201);
    world.ask("POST", "/api/todos", &[], r#"{"title": "one more"}"#).expect(422);
    world.ask("DELETE", "/api/todos", &[], "").expect(204);
    world.ask("POST", "/api/todos", &[], r#"{"title": "anew"}"#).expect(201);
}

#[test]
fn scripts_of_other_sites_may_ask_but_not_as_the_visitor() {
    let world = World::new();
    let origin = ("Origin", "https://todobackend.com");
    let asks = [origin, ("Access-Control-Request-Method", "PATCH"), ("Access-Control-Request-Headers", "content-type")];
    let preflight = world.ask("OPTIONS", "/api/todos/1", &asks, "").expect(204);
    assert!(preflight.header("Access-Control-Allow-Methods").unwrap().contains("PATCH"));
    for path in ["/api/todos", "/api/todos/1"] {
        let reply = world.ask("GET", path, &[origin], "");
        assert_eq!(reply.header("Access-Control-Allow-Origin"), Some("*"));
        assert_eq!(reply.header("Access-Control-Allow-Credentials"), None);
    }
}

#[test]
fn those_who_watch_the_program_are_answered() {
    let world = World::new();
    assert_eq!(world.ask("GET", "/healthz", &[], "").text(), "ok\n");
    assert_eq!(world.ask("GET", "/readyz", &[], "").text(), "ready\n");
    world.ask("GET", "/api/todos/7", &[], "");
    let numbers = world.ask("GET", "/metrics", &[("Host", "localhost")], "").text();
    assert!(numbers.contains(r#"route="/api/todos/:id""#), "{numbers}");
}

#[test]
fn who_watches_a_list_hears_of_each_change() {
    let world = World::new();
    let tab = world.sim.connect(80);
    tab.write("GET /api/todos/events HTTP/1.1\r\nHost: a\r\n\r\n");
    world.sim.settle();
    world.ask("POST", "/api/todos", &[], r#"{"title": "a"}"#).expect(201);
    world.ask("PATCH", "/api/todos/1", &[], r#"{"completed": true}"#).expect(200);
    world.ask("GET", "/api/todos/1", &[], "").expect(200);
    world.ask("PATCH", "/api/todos/2", &[], r#"{"completed": true}"#).expect(404);
    assert_eq!(tab.text().matches("event: changed\n").count(), 2, "{}", tab.text());
}
