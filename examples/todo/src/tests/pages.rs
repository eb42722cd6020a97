//! A browser without JavaScript: forms, and the pages that they lead to.

use super::World;
use oneloop::sim::Reply;

/// Sends a form, and returns the page that it leads to.
fn send(world: &World, path: &str, form: &str) -> String {
    let to = post(world, path, form).expect(303).header("Location").unwrap().to_owned();
    world.ask("GET", &to, &[], "").expect(200).text()
}

fn post(world: &World, path: &str, form: &str) -> Reply {
    let form_type = ("Content-Type", "application/x-www-form-urlencoded");
    world.sim.request("POST", path).header(form_type.0, form_type.1).body(form).send()
}

/// The titles of a page, in order; those of what is done in brackets.
fn titles(page: &str) -> Vec<String> {
    let items = page.split_once("<ul>").map_or("", |(_, list)| list).split("<li").skip(1);
    items
        .map(|item| {
            let title = item.split_once("class=\"title\">").unwrap().1.split_once("</span>").unwrap().0;
            if item.starts_with(" class=\"completed\"") { format!("({title})") } else { title.to_owned() }
        })
        .collect()
}

#[test]
fn a_list_is_kept_without_a_script() {
    let world = World::new();
    assert_eq!(world.ask("GET", "/", &[], "").expect(302).header("Location"), Some("/todos"));
    let page = send(&world, "/todos", "title=++Water+the+plants+&show=all");
    assert_eq!(titles(&page), ["Water the plants"]);
    assert!(page.contains("<strong>1</strong> item left"), "{page}");
    let page = send(&world, "/todos", "title=Buy+seeds");
    assert!(page.contains("<strong>2</strong> items left"), "{page}");
    assert!(!page.contains("Clear completed"), "{page}");

    let page = send(&world, "/todos/1/completed", "completed=true&show=active");
    assert_eq!(titles(&page), ["Buy seeds"]);
    assert!(page.contains("Clear completed"), "{page}");
    assert_eq!(titles(&send(&world, "/todos/1/completed", "completed=true&show=completed")), ["(Water the plants)"]);
    assert_eq!(titles(&send(&world, "/todos/1/completed", "completed=false")), ["Water the plants", "Buy seeds"]);

    assert_eq!(titles(&send(&world, "/todos/completed", "completed=true")), ["(Water the plants)", "(Buy seeds)"]);
    assert_eq!(titles(&send(&world, "/todos/2/completed", "completed=false")), ["(Water the plants)", "Buy seeds"]);
    assert_eq!(titles(&send(&world, "/todos/clear", "")), ["Buy seeds"]);
    assert_eq!(titles(&send(&world, "/todos/2/delete", "")), Vec::<String>::new());
}

#[test]
fn a_title_is_edited_and_an_empty_one_removes() {
    let world = World::new();
    send(&world, "/todos", "title=a");
    let page = world.ask("GET", "/todos?edit=1", &[], "").text();
    assert!(page.contains(r#"action="/todos/1/title""#) && page.contains(r#"value="a""#), "{page}");
    assert_eq!(titles(&send(&world, "/todos/1/title", "title=+b+")), ["b"]);
    assert_eq!(titles(&send(&world, "/todos/1/title", "title=+")), Vec::<String>::new());
    post(&world, "/todos/1/title", "title=c").expect(404);
}

#[test]
fn what_cannot_be_a_title_is_shown_again_with_what_is_wrong() {
    let world = World::new();
    let page = post(&world, "/todos", "title=+&show=active").expect(422).text();
    assert!(page.contains(r#"role="alert">What is to be done? The title is empty."#), "{page}");
    let long = "x".repeat(501);
    let page = post(&world, "/todos", &format!("title={long}")).expect(422).text();
    assert!(page.contains(&format!("value=\"{long}\"")), "{page}");

    send(&world, "/todos", "title=a");
    let page = post(&world, "/todos/1/title", &format!("title={long}")).expect(422).text();
    let edit = page.split_once("/todos/1/title").unwrap().1;
    assert!(edit.contains(&format!("value=\"{long}\"")) && edit.contains("aria-invalid"), "{page}");
}

#[test]
fn a_title_is_text_and_never_markup() {
    let world = World::new();
    let page = send(&world, "/todos", "title=%3Cscript%3Ealert(1)%3C/script%3E%22%20onfocus=%22");
    assert!(!page.contains("<script>") && !page.contains("\" onfocus"), "{page}");
}

#[test]
fn no_other_site_sends_our_forms() {
    let world = World::new();
    let sent = world.sim.request("POST", "/todos").header("Sec-Fetch-Site", "cross-site");
    sent.header("Content-Type", "application/x-www-form-urlencoded").body("title=a").send().expect(403);
}

#[test]
fn pages_load_files_that_browsers_keep_for_good_and_run_nothing_else() {
    let world = World::new();
    let page = world.ask("GET", "/todos", &[], "");
    assert!(page.header("Content-Security-Policy").unwrap().contains("script-src 'self'"));
    let page = page.text();
    assert!(!page.contains("style=") && !page.contains("onclick="), "{page}");
    let urls: Vec<_> = page.split('"').filter(|part| part.starts_with("/assets/")).collect();
    assert_eq!(urls.len(), 3, "{page}");
    for url in urls {
        let file = world.ask("GET", url, &[], "").expect(200);
        assert_eq!(file.header("Cache-Control"), Some("public, max-age=31536000, immutable"));
    }
    let style = page.split('"').find(|part| part.ends_with("style.css")).unwrap();
    let packed = world.ask("GET", style, &[("Accept-Encoding", "gzip")], "").expect(200);
    assert_eq!(packed.header("Content-Encoding"), Some("gzip"));
    world.ask("GET", "/assets/0123456789abcdef/app.js", &[], "").expect(404);
}

#[test]
fn an_error_is_a_page_for_browsers() {
    let world = World::new();
    let page = world.ask("GET", "/nothing", &[("Accept", "text/html")], "").expect(404);
    assert!(page.text().contains("To the list"));
    assert!(!world.ask("GET", "/nothing", &[], "").expect(404).text().contains('<'));
}
