//! Express's own tests (5.2.1), as far as they are a request and an answer: replayed, each with what is answered here. Where that is
//! something else than in Express, the row says why. All 1,130 cases are counted in `tests/EXPRESS.md`.

mod bodies;
mod requests;
mod responses;
mod routing;
mod statics;

use oneloop::app::App;
use oneloop::tester::Tester;

/// A request, such as `POST /todos | Content-Type: text/plain < the body`; its answer, such as `201 | Location: /todos/1 > the
/// text`; and why Express answers otherwise (`SAME` if it does not). Of the answer those fields are compared that are named, `-`
/// for one that is not there; and the text, if the row has one.
type Row = (&'static str, &'static str, &'static str);

const SAME: &str = "";

fn with(routes: impl FnOnce(&mut App)) -> Tester {
    Tester::new(|| {
        let mut app = App::new();
        routes(&mut app);
        app
    })
}

#[track_caller]
fn replay(test: &Tester, rows: &[Row]) {
    let mut faults = String::new();
    for (request, expected, why) in rows {
        let (head, body) = request.split_once(" < ").map_or((*request, None), |(head, body)| (head, Some(body)));
        let mut parts = head.split(" | ");
        let (method, target) = parts.next().and_then(|line| line.split_once(' ')).expect("a method and a target");
        let mut asked = test.request(method, target);
        for field in parts {
            let (name, value) = field.split_once(": ").expect("a field");
            asked = asked.header(name, value);
        }
        if let Some(body) = body {
            asked = asked.body(body);
        }
        let reply = asked.send();
        let (head, text) = expected.split_once(" > ").map_or((*expected, None), |(head, text)| (head, Some(text)));
        let mut parts = head.split(" | ");
        let status = parts.next().expect("a status");
        let mut is_as_expected = status == reply.status().to_string() && text.is_none_or(|text| reply.text() == text);
        for field in parts {
            let (name, value) = field.split_once(": ").expect("a field");
            let values: Vec<&str> = reply.header_all(name).collect();
            is_as_expected &= if value == "-" { values.is_empty() } else { values.join(" + ") == value };
        }
        if !is_as_expected {
            faults += &format!("\n{request}\nwas to be\n{expected}\n{why}\nand is\n{reply:?}\n");
        }
        test.clear_cookies();
    }
    assert!(faults.is_empty(), "{faults}");
}

#[test]
fn the_checklist_counts_each_case_of_express_once() {
    let page = include_str!("../EXPRESS.md");
    let mut all = [0; 4];
    for row in page.lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        let counts: Vec<u32> = cells[2..6].iter().map(|count| count.parse().unwrap_or(0)).collect();
        assert_eq!(counts[0], counts[1..].iter().sum::<u32>(), "{row}");
        all.iter_mut().zip(&counts).for_each(|(sum, count)| *sum += count);
    }
    assert_eq!(all[0], 1130);
    let [cases, same, differs, not_offered] = all;
    let sum = format!("{cases} cases: {same} the same, {differs} different, {not_offered} not offered");
    assert!(page.contains(&sum), "{sum}");
}
