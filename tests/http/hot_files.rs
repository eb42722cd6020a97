//! Files that are asked for often are sent from memory, large ones without being opened each time; none is older than
//! `Limits::hot_file_age`.

use crate::support::folder::Folder;
use oneloop::http::{self, Limits};
use oneloop::sim::{Peer, Sim};
use oneloop::worker;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

const AGE: Duration = Duration::from_millis(100);
const MINUTE: Duration = Duration::from_secs(60);

/// A server of a folder's files in a simulated world.
struct World {
    sim: Sim,
    server: http::Server,
    peer: Peer,
}

impl World {
    fn new(folder: &Folder) -> World {
        World::with(folder, |_| ())
    }

    fn with(folder: &Folder, set: impl FnOnce(&mut Limits)) -> World {
        let sim = Sim::new();
        let root = folder.path("");
        let server = http::create_server(move |req, res| res.send_file(root.join(req.path().trim_start_matches('/'))));
        let mut limits = server.limits();
        set(&mut limits);
        server.set_limits(limits);
        server.listen(80, ()).unwrap();
        sim.settle();
        let peer = sim.connect(80);
        World { sim, server, peer }
    }

    /// Asks on the one connection that all share, and waits for the answer.
    fn ask(&self, method: &str, name: &str, fields: &str) -> String {
        self.peer.write(format!("{method} /{name} HTTP/1.1\r\nHost: x\r\n{fields}\r\n"));
        wait_until(&self.sim, || is_whole(&self.peer.received(), method == "HEAD"));
        String::from_utf8_lossy(&self.peer.take()).into_owned()
    }

    fn get(&self, name: &str) -> String {
        self.ask("GET", name, "")
    }

    /// Asks so often that it is kept.
    fn warm(&self, name: &str) {
        for _ in 0..12 {
            self.get(name);
        }
    }

    /// How long the workers take from here on: only what is in memory comes sooner.
    fn slow_disk(&self) {
        self.sim.set_worker_latency(Duration::from_secs(10));
    }

    /// Returns whether the answer came without a worker.
    fn is_kept(&self, name: &str) -> bool {
        let before = oneloop::now();
        self.get(name);
        oneloop::now() - before < Duration::from_secs(5)
    }

    fn end(self) {
        self.peer.close();
        self.server.close(());
        self.sim.run_to_rest();
        assert_eq!(self.sim.open_fds(), 0);
    }
}

/// In small steps, so that little more time passes than has to.
#[track_caller]
fn wait_until(sim: &Sim, done: impl Fn() -> bool) {
    let began = oneloop::now();
    sim.settle();
    while !done() {
        assert!(oneloop::now() - began < MINUTE, "it did not come");
        sim.advance(((oneloop::now() - began) / 8).max(Duration::from_millis(1)));
    }
}

fn is_whole(bytes: &[u8], head: bool) -> bool {
    let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else { return false };
    let text = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let length = text.lines().find_map(|line| line.strip_prefix("Content-Length: ")?.parse::<usize>().ok());
    bytes.len() == end + 4 + if head { 0 } else { length.unwrap_or(0) }
}

fn replace(path: &Path, content: impl AsRef<[u8]>) {
    let new = path.with_extension("new");
    fs::write(&new, content).unwrap();
    fs::rename(new, path).unwrap();
}

#[test]
fn a_small_file_that_is_asked_for_often_needs_no_worker() {
    for size in [1, 1024, 4096, 64 * 1024, 128 * 1024] {
        let folder = Folder::new(&format!("hot-{size}"));
        let content = "x".repeat(size);
        folder.old_file("page.html", &content);
        let world = World::new(&folder);
        let cold = world.get("page.html");
        world.warm("page.html");
        world.slow_disk();
        let before = oneloop::now();
        let hot = world.get("page.html");
        assert!(oneloop::now() - before < Duration::from_secs(1), "{size} bytes: it waited for a worker");
        assert!(hot.ends_with(&content));
        let fields = |answer: &str| {
            answer.lines().filter(|line| !line.starts_with("Date")).map(str::to_owned).collect::<Vec<_>>()
        };
        assert_eq!(fields(&hot), fields(&cold));
        world.end();
    }
}

#[test]
fn one_that_is_asked_for_seldom_is_looked_at_each_time() {
    let folder = Folder::new("seldom");
    let file = folder.old_file("page.txt", "0");
    let world = World::new(&folder);
    for number in 1..30 {
        fs::write(&file, number.to_string()).unwrap();
        let answer = world.get("page.txt");
        assert!(answer.ends_with(&format!("\r\n\r\n{number}")), "{answer}");
        world.sim.advance(AGE / 7);
    }
    world.end();
}

#[test]
fn what_becomes_of_a_kept_file_shows_within_its_age() {
    let (long, other) = ("longer than before", "second");
    type Change = fn(&Path);
    let cases: [(&str, Change, &str); 6] = [
        ("written", |file| fs::write(file, "second").unwrap(), other),
        ("replaced", |file| replace(file, "second"), other),
        ("longer", |file| fs::write(file, "longer than before").unwrap(), long),
        ("truncated", |file| fs::write(file, "").unwrap(), ""),
        ("deleted", |file| fs::remove_file(file).unwrap(), "404 Not Found\n"),
        (
            "a folder",
            |file| {
                fs::remove_file(file).unwrap();
                fs::create_dir(file).unwrap();
            },
            "403 Forbidden\n",
        ),
    ];
    for (name, change, expected) in cases {
        let folder = Folder::new(&format!("change-{}", name.replace(' ', "-")));
        let file = folder.old_file("page.txt", "first!");
        let world = World::new(&folder);
        world.warm("page.txt");
        change(&file);
        // Under steady load, which is what keeps it.
        let changed = oneloop::now();
        while oneloop::now() - changed <= AGE {
            world.get("page.txt");
            world.sim.advance(Duration::from_millis(1));
        }
        let answer = world.get("page.txt");
        assert!(answer.ends_with(&format!("\r\n\r\n{expected}")), "{name}: {answer}");
        world.end();
    }
}

// ---- Large ones are kept open

const LARGE: usize = 200_000;

#[test]
#[cfg_attr(oneloop_veil, ignore = "a transport that transforms the bytes has to read the file")]
fn a_large_file_that_is_asked_for_often_needs_no_worker() {
    for size in [128 * 1024 + 1, LARGE, 1_500_000] {
        let folder = Folder::new(&format!("open-{size}"));
        let content = &"0123456789".repeat(size / 10 + 1)[..size];
        folder.old_file("page.html", content);
        let world = World::new(&folder);
        let cold = [world.get("page.html"), world.ask("HEAD", "page.html", ""), part(&world)];
        world.warm("page.html");
        world.slow_disk();
        let before = oneloop::now();
        let hot = [world.get("page.html"), world.ask("HEAD", "page.html", ""), part(&world)];
        assert!(oneloop::now() - before < Duration::from_secs(1), "{size} bytes: it waited for a worker");
        let undated = |answers: [String; 3]| answers.map(|answer| answer.replace(date_of(&answer), ""));
        assert!(undated(hot) == undated(cold), "{size} bytes");
        world.end();
    }
}

fn part(world: &World) -> String {
    let answer = world.ask("GET", "page.html", "Range: bytes=100001-130000\r\n");
    assert!(answer.starts_with("HTTP/1.1 206 ") && answer.ends_with(&"1234567890".repeat(3000)));
    answer
}

fn date_of(answer: &str) -> &str {
    answer.lines().find(|line| line.starts_with("Date: ")).unwrap()
}

/// Returns whether this process has the file open.
#[cfg(target_os = "linux")]
fn is_open(file: &Path) -> bool {
    let descriptors = fs::read_dir("/proc/self/fd").unwrap();
    descriptors.flatten().any(|descriptor| fs::read_link(descriptor.path()).is_ok_and(|place| place == file))
}

#[test]
fn what_becomes_of_a_file_that_is_kept_open_shows_at_once() {
    let (first, second) = ("first!".repeat(LARGE / 6), "second".repeat(LARGE / 6));
    let (longer, shorter) = ("longer than before".repeat(LARGE / 6), "shorter".repeat(LARGE / 10));
    type Change = fn(&Path, &str);
    let write: Change = |file, content| fs::write(file, content).unwrap();
    let delete: Change = |file, _| fs::remove_file(file).unwrap();
    let cases: [(&str, Change, &str); 6] = [
        ("written", write, &second),
        ("replaced", |file, content| replace(file, content), &second),
        ("longer", write, &longer),
        ("shorter", write, &shorter),
        ("small", write, "small"),
        ("deleted", delete, "404 Not Found\n"),
    ];
    for (name, change, expected) in cases {
        let folder = Folder::new(&format!("open-change-{name}"));
        let file = folder.old_file("page.txt", &first);
        let world = World::new(&folder);
        world.warm("page.txt");
        assert!(world.get("page.txt").ends_with(&first));
        change(&file, expected);
        let answer = world.get("page.txt");
        assert!(answer.ends_with(&format!("\r\n\r\n{expected}")), "{name}: {}", &answer[..300.min(answer.len())]);
        world.end();
    }
}

#[cfg(target_os = "linux")]
#[test]
#[cfg_attr(oneloop_veil, ignore = "a transport that transforms the bytes has to read the file")]
fn what_is_kept_open_is_closed_when_nobody_asks_for_it_any_more() {
    let folder = Folder::new("open-closed");
    let file = folder.old_file("page.txt", "x".repeat(LARGE));
    let world = World::new(&folder);
    world.warm("page.txt");
    assert!(is_open(&file));
    world.sim.advance(2 * AGE);
    assert!(!is_open(&file));
    world.warm("page.txt");
    assert!(is_open(&file));
    // While it is asked for, it stays.
    for _ in 0..80 {
        world.get("page.txt");
        world.sim.advance(AGE / 20);
        assert!(is_open(&file));
    }
    let mut limits = world.server.limits();
    limits.hot_files = 0;
    world.server.set_limits(limits);
    assert!(!is_open(&file));
    world.end();
}

#[cfg(target_os = "linux")]
#[test]
#[cfg_attr(oneloop_veil, ignore = "a transport that transforms the bytes has to read the file")]
fn few_files_are_kept_open_where_there_are_few_descriptors() {
    let folder = Folder::new("open-few");
    let names: Vec<String> = (0..6).map(|number| format!("file-{number}")).collect();
    let files: Vec<_> = names.iter().map(|name| folder.old_file(name, "x".repeat(LARGE))).collect();
    for (limit, most) in [(Some(8), 0), (Some(64), 4), (None, 6)] {
        let world = World::new(&folder);
        world.sim.set_known_fd_limit(limit);
        for _ in 0..3 {
            names.iter().for_each(|name| (0..3).for_each(|_| drop(world.get(name))));
        }
        assert_eq!(files.iter().filter(|file| is_open(file)).count(), most, "{limit:?}");
        world.end();
    }
}

#[test]
fn a_change_that_leaves_size_and_times_as_they_were_shows() {
    let folder = Folder::new("same-time");
    let file = folder.old_file("page.txt", "first!");
    let world = World::new(&folder);
    world.warm("page.txt");
    let time = fs::metadata(&file).unwrap().modified().unwrap();
    fs::write(&file, "second").unwrap();
    fs::File::options().write(true).open(&file).unwrap().set_modified(time).unwrap();
    world.sim.advance(AGE * 2);
    world.warm("page.txt");
    assert!(world.get("page.txt").ends_with("second"));
    world.end();
}

#[test]
fn it_is_kept_for_its_age_only_while_no_worker_can_look() {
    let folder = Folder::new("stuck");
    folder.old_file("page.txt", "first!");
    let world = World::new(&folder);
    world.warm("page.txt");
    world.slow_disk();
    let began = oneloop::now();
    while world.is_kept("page.txt") {
        assert!(oneloop::now() - began <= AGE + Duration::from_millis(10), "it is older than it may be");
        world.sim.advance(Duration::from_millis(1));
    }
    assert!(oneloop::now() - began > AGE / 2);
    world.end();
}

#[test]
fn conditions_ranges_and_head_are_answered_from_memory_as_from_disk() {
    let folder = Folder::new("conditions");
    folder.old_file("page.txt", "0123456789");
    let cold = World::with(&folder, |limits| limits.hot_files = 0);
    let etag = cold.get("page.txt").lines().find_map(|line| line.strip_prefix("ETag: ").map(str::to_owned)).unwrap();
    let asks = [
        ("GET", String::new()),
        ("HEAD", String::new()),
        ("POST", "Content-Length: 0\r\n".into()),
        ("GET", format!("If-None-Match: {etag}\r\n")),
        ("GET", "If-Match: \"other\"\r\n".into()),
        ("GET", "Range: bytes=2-4\r\n".into()),
        ("GET", "Range: bytes=-1\r\n".into()),
        ("GET", "Range: bytes=0-\r\n".into()),
        ("GET", "Range: bytes=10-\r\n".into()),
        ("GET", format!("Range: bytes=2-4\r\nIf-Range: {etag}\r\n")),
        ("GET", "Range: bytes=2-4\r\nIf-Range: \"other\"\r\n".into()),
        ("HEAD", "Range: bytes=2-4\r\n".into()),
    ];
    let undated =
        |answer: String| answer.lines().filter(|line| !line.starts_with("Date")).collect::<Vec<_>>().join("\n");
    let expected: Vec<String> =
        asks.iter().map(|(method, fields)| undated(cold.ask(method, "page.txt", fields))).collect();
    cold.end();
    let hot = World::new(&folder);
    hot.warm("page.txt");
    hot.slow_disk();
    let before = oneloop::now();
    for ((method, fields), expected) in asks.iter().zip(expected) {
        assert_eq!(undated(hot.ask(method, "page.txt", fields)), expected, "{method} {fields}");
    }
    assert!(oneloop::now() - before < Duration::from_secs(1), "a worker was asked");
    hot.end();
}

#[test]
fn what_is_set_after_send_file_in_the_same_callback_is_sent_by_hot_files_as_by_cold_ones() {
    let folder = Folder::new("set-after");
    let file = folder.old_file("page.txt", "hello");
    let sim = Sim::new();
    let server = http::create_server(move |_req, res| {
        res.send_file(&file);
        res.set_header("X-After", "yes");
        assert!(!res.is_ended());
    });
    server.listen(80, ()).unwrap();
    sim.settle();
    let peer = sim.connect(80);
    for number in 1..=12 {
        peer.write("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
        sim.advance(Duration::from_millis(5));
        assert_eq!(peer.text().matches("X-After: yes").count(), number);
    }
}

#[test]
fn it_can_be_turned_off() {
    let folder = Folder::new("off");
    folder.old_file("page.txt", "hello");
    for off in [|limits: &mut Limits| limits.hot_files = 0, |limits: &mut Limits| limits.hot_file_age = Duration::ZERO]
    {
        let world = World::with(&folder, off);
        world.warm("page.txt");
        world.slow_disk();
        assert!(!world.is_kept("page.txt"));
        world.end();
    }
}

#[test]
fn memory_is_bounded_and_what_is_asked_for_stays() {
    let folder = Folder::new("bounded");
    let names: Vec<String> = (0..40).map(|number| format!("file-{number}")).collect();
    for name in &names {
        folder.old_file(name, "x".repeat(1000));
    }
    folder.old_file("large", "x".repeat(20_000));
    let world = World::with(&folder, |limits| {
        limits.hot_files = 20_000;
        limits.hot_file_age = Duration::from_secs(3600);
    });
    // Larger than a quarter of what there is: not kept.
    world.warm("large");
    for name in &names {
        world.warm(name);
        // Asked for between the others, this one is not the one to go.
        world.get("file-0");
    }
    world.slow_disk();
    assert!(world.is_kept("file-0"));
    assert!(!world.is_kept("large"));
    // The latest first: those that are not kept make room for themselves.
    let kept = names.iter().rev().filter(|name| world.is_kept(name)).count();
    assert!((2..=14).contains(&kept), "{kept} files of 1,000 bytes in 20,000");
    world.end();
}

#[test]
fn a_relative_path_means_what_it_means_when_it_is_given() {
    // Its own process: the working directory is everybody's.
    const CHILD: &str = "ONELOOP_TEST_RELATIVE";
    if let Some(root) = std::env::var_os(CHILD) {
        return relative_paths(&PathBuf::from(root));
    }
    let folder = Folder::new("relative");
    folder.old_file("one/page.txt", "one");
    folder.old_file("two/page.txt", "two");
    let name = "hot_files::a_relative_path_means_what_it_means_when_it_is_given";
    let test = std::process::Command::new(std::env::current_exe().unwrap())
        .args([name, "--exact"])
        .env(CHILD, folder.path(""))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&test.stdout);
    assert!(test.status.success() && said.contains("1 passed"), "{said}");
}

fn relative_paths(root: &Path) {
    let sim = Sim::new();
    let server = http::create_server(|_req, res| res.send_file("page.txt"));
    server.listen(80, ()).unwrap();
    sim.settle();
    let peer = sim.connect(80);
    let ask = |expected: &str| {
        let from = peer.received().len();
        peer.write("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
        wait_until(&sim, || is_whole(&peer.received()[from..], false));
        assert!(peer.text().ends_with(expected), "not {expected}: {}", peer.text());
    };
    std::env::set_current_dir(root.join("one")).unwrap();
    (0..12).for_each(|_| ask("one"));
    std::env::set_current_dir(root.join("two")).unwrap();
    (0..12).for_each(|_| ask("two"));
    // The working directory changes while the worker has not come to it.
    sim.advance(Duration::from_secs(1));
    peer.write("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    worker::run(|| (), |_| ());
    sim.settle();
    std::env::set_current_dir(root.join("one")).unwrap();
    sim.advance(Duration::from_secs(1));
    assert!(peer.text().ends_with("two"), "{}", peer.text());
}
