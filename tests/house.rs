//! The house: a module imports only those below it, no members of a folder import each other in a circle, and only the driver
//! knows in which world it is.
//!
//! It reads the source as tokens, so that docs may link wherever they like, and finds every path that begins with `crate`,
//! `super`, `self`, a module that the file declares, or a name that the file imports, in a `use` or elsewhere.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs;
use std::path::Path;

/// Each top-level module with those that it may import. The order is that of the house, from below.
const HOUSE: &[(&str, &[&str])] = &[
    ("notice", &[]),
    ("callback", &["notice"]),
    ("emitter", &["callback"]),
    ("event_loop", &["notice", "callback"]),
    ("worker", &["notice", "callback", "event_loop"]),
    ("signals", &["notice", "callback", "event_loop"]),
    ("stdin", &["notice", "callback", "event_loop"]),
    ("proto", &[]),
    ("secure", &["notice", "event_loop"]),
    ("net", &["notice", "callback", "event_loop", "secure"]),
    ("tls", &["secure", "net"]),
    // The harness: nothing but tests imports it. (The world that it drives is a driver, below the loop.)
    ("sim", &["notice", "event_loop", "proto"]),
    ("http", &["notice", "callback", "event_loop", "worker", "proto", "secure", "net", "tls"]),
    ("https", &["secure", "http"]),
    ("ws", &["notice", "callback", "event_loop", "proto", "secure", "net", "tls", "http"]),
    ("app", &["notice", "callback", "event_loop", "worker", "signals", "proto", "net", "http", "ws"]),
    // On top: the harness for an app. As `sim`, nothing but tests imports it.
    ("tester", &["proto", "http", "net", "sim", "app"]),
    // Pages of documentation alone.
    ("guide", &[]),
    // Tests alone, of what only the inside can reach.
    ("seams", &["event_loop", "sim", "proto", "net", "http"]),
    ("devtools", &["notice", "event_loop", "worker", "http", "ws"]),
];

/// Names that `proto` must not know: it is bytes in, events out.
const NOT_SANS_IO: &[&str] = &["mio", "socket2", "Rc", "Instant", "SystemTime"];
/// Names that say nothing of what a module holds.
const EMPTY_NAMES: &[&str] = &["utils", "util", "helpers", "helper", "common", "misc", "types"];
/// Above this a file is more than one concept.
const LINES: usize = 500;
/// Files that are longer. The list may only shrink: no file is added, and one that is short enough must leave it.
const LONG: &[&str] = &[];
/// Circles of imports between the members of one folder: see [`circles`]. The list may only shrink: no circle and no member is
/// added, and what somebody has opened must leave it.
const CIRCLES: &[&[&str]] = &[];
/// So many lines are read in a minute.
const INDEX_LINES: usize = 90;
/// A type of the inside with more fields that other files may touch, or with more flags, is a bag of bits: nobody can say which file
/// moves it. What users fill in or read by name (limits, metrics, records: public types) may have more fields.
const FIELDS: usize = 8;
/// Types that have more. The list may only shrink: no type is added, and one that has few enough must leave it.
const BAGS: &[(&str, &str)] = &[
    ("devtools/held.rs", "Held"),
    ("http/server_core.rs", "ServerCore"),
    ("ws/connection.rs", "Connection"),
    ("ws/connection.rs", "EndpointCore"),
];
/// The part of the loop that stands below all of it, and imports nothing of it.
const BELOW: (&str, &str) = ("event_loop", "driver");
/// The enum and its variants that tell the operating system from the simulated world.
const WORLDS: (&str, &[&str]) = ("Driver", &["Os", "Sim"]);
/// Where code may match on them: in the driver itself, in `current.rs`, which makes the driver of a thread's first loop, and in
/// what exists in one of the two worlds only.
const MAY_ASK_FOR_THE_WORLD: &[&str] = &["event_loop/driver/", "event_loop/current.rs", "sim/", "signals"];

#[test]
fn the_house_is_in_order() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    let mut files = 0;
    each_file(&root, &mut |path, source| {
        files += 1;
        let inside = path.strip_prefix(&root).unwrap().to_str().unwrap().replace('\\', "/");
        found.extend(faults(&inside, source));
    });
    assert!(files > 10, "only {files} files were read");
    assert!(found.is_empty(), "\n{}\n", found.join("\n"));
}

#[test]
fn every_long_file_that_is_listed_is_still_too_long() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    for path in LONG {
        let lines = fs::read_to_string(root.join(path)).map_or(0, |source| source.lines().count());
        assert!(lines > LINES, "{path} has {lines} lines: take it from the list in tests/house.rs");
    }
}

#[test]
fn the_index_of_the_tests_is_short_and_names_each_module_and_each_break() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let index = fs::read_to_string(root.join("tests/README.md")).unwrap();
    assert!(index.lines().count() <= INDEX_LINES, "tests/README.md: longer than {INDEX_LINES} lines");
    let names = |folder: &str| {
        let entries = fs::read_dir(root.join(folder)).into_iter().flatten();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect::<Vec<_>>()
    };
    let mut due: Vec<String> =
        names(".ci/breaks.d").iter().filter_map(|name| Some(name.strip_suffix(".patch")?.to_owned())).collect();
    for name in names("tests") {
        match name.strip_suffix(".rs") {
            Some(alone) => due.push(alone.to_owned()),
            None if root.join("tests").join(&name).join("main.rs").exists() => {
                let modules = names(&format!("tests/{name}"));
                let modules = modules.iter().filter_map(|module| module.strip_suffix(".rs"));
                due.extend(modules.filter(|module| *module != "main").map(|module| format!("{name}::{module}")));
            }
            None => {}
        }
    }
    assert!(due.len() > 50, "only {} modules and breaks were found", due.len());
    due.retain(|name| !index.contains(&format!("`{name}`")));
    assert!(due.is_empty(), "tests/README.md does not name {due:?}");
}

#[test]
fn no_members_of_a_folder_import_each_other_in_a_circle() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut sources = Vec::new();
    each_file(&root, &mut |path, source| {
        let inside = path.strip_prefix(&root).unwrap().to_str().unwrap().replace('\\', "/");
        sources.push((inside, source.to_owned()));
    });
    let found = circles(&sources);
    let new: Vec<_> = found.iter().filter(|circle| !CIRCLES.iter().any(|listed| listed == circle)).collect();
    let gone: Vec<_> = CIRCLES.iter().filter(|listed| !found.iter().any(|circle| *listed == circle)).collect();
    assert!(
        new.is_empty() && gone.is_empty(),
        "circles of imports that are new: {new:#?}; listed in tests/house.rs and not there any more: {gone:#?}"
    );
}

/// The circles of imports between the members of each folder, each sorted. The members of a folder are its files, and its folders
/// with all that is in them. A folder is one thing: its `mod.rs` defines the whole and the other files the parts, so a part may
/// name the whole, and the whole its parts. That is no circle.
///
/// An import counts as one of the file that defines what is imported, whichever `pub use` hands it on. What a file hands on
/// and does not use itself is no import of its own.
fn circles(sources: &[(String, String)]) -> Vec<Vec<String>> {
    let modules: Vec<Vec<String>> = sources.iter().map(|(path, _)| module_of(path)).collect();
    let (mut own, mut handed_on) = (Vec::new(), Vec::new());
    for ((_, source), module) in sources.iter().zip(&modules) {
        let tokens = tokens(source);
        let (mut uses, mut hands) = (Vec::new(), Vec::new());
        for (at, import) in imports_at(&tokens, module).into_iter().filter(|(at, _)| !is_for_docs(&tokens, *at)) {
            let hands_on = is_public_use(&tokens, at);
            if hands_on {
                hands.push(import.clone());
            }
            if !hands_on || is_used_besides(&tokens, import.last()) {
                uses.push(import);
            }
        }
        own.push(uses);
        handed_on.push(hands);
    }
    let files: HashMap<&[String], usize> =
        modules.iter().enumerate().map(|(file, module)| (&module[..], file)).collect();
    // The file that an import is from, through those that hand it on.
    let file_of = |import: &[String]| {
        let mut import = import.to_vec();
        for _ in 0..8 {
            let file = (0..=import.len()).rev().find_map(|length| files.get(&import[..length]).copied())?;
            let name = import.get(modules[file].len());
            let next = name.and_then(|name| handed_on[file].iter().find(|handed| handed.last() == Some(name)));
            match next {
                Some(next) => import.clone_from(next),
                None => return Some(file),
            }
        }
        None
    };
    // Which members of a folder import which others.
    let mut members: BTreeMap<&[String], BTreeSet<&[String]>> = BTreeMap::new();
    for (from, imports) in modules.iter().zip(&own) {
        for to in imports.iter().filter_map(|import| file_of(import)).map(|file| &modules[file]) {
            let shared = from.iter().zip(to).take_while(|(from, to)| from == to).count();
            // Below the root is the order of the house. A member and its folder, which is there named by its `mod.rs`, are no circle.
            if shared > 0 && shared < from.len() && shared < to.len() {
                members.entry(&from[..=shared]).or_default().insert(&to[..=shared]);
            }
        }
    }
    let reached: BTreeMap<_, _> = members.keys().map(|from| (*from, reached_from(from, &members))).collect();
    let mut found = BTreeSet::new();
    for (from, all) in reached.iter().filter(|(from, all)| all.contains(*from)) {
        let circle = all.iter().filter(|other| reached.get(*other).is_some_and(|back| back.contains(from)));
        found.insert(circle.map(|member| member.join("/")).collect());
    }
    found.into_iter().collect()
}

fn reached_from<'a>(
    from: &'a [String],
    imports: &BTreeMap<&'a [String], BTreeSet<&'a [String]>>,
) -> BTreeSet<&'a [String]> {
    let mut reached = BTreeSet::new();
    let mut ahead = vec![from];
    while let Some(member) = ahead.pop() {
        ahead.extend(imports.get(member).into_iter().flatten().filter(|next| reached.insert(**next)));
    }
    reached
}

/// Says whether the path at this token stands in a `pub use`, of any visibility.
fn is_public_use(tokens: &[Token], at: usize) -> bool {
    let begins =
        tokens[..at].iter().rposition(|token| matches!(token.text.as_str(), ";" | "]")).map_or(0, |end| end + 1);
    let statement: Vec<&str> = tokens[begins..at].iter().map(|token| token.text.as_str()).collect();
    statement.first() == Some(&"pub") && statement.contains(&"use")
}

/// Says whether the path at this token stands in a `use` for the documentation alone.
fn is_for_docs(tokens: &[Token], at: usize) -> bool {
    let begins =
        tokens[..at].iter().rposition(|token| matches!(token.text.as_str(), ";" | "]")).map_or(0, |end| end + 1);
    let attribute = tokens[..begins].iter().map(|token| token.text.as_str()).skip(begins.saturating_sub(7));
    attribute.eq(["#", "[", "cfg", "(", "doc", ")", "]"])
}

/// Says whether a file names something in its code, apart from its `use`s.
fn is_used_besides(tokens: &[Token], name: Option<&String>) -> bool {
    let mut in_use = false;
    tokens.iter().enumerate().any(|(at, token)| {
        in_use = if in_use { token.text != ";" } else { token.text == "use" };
        let before = at.checked_sub(1).map_or("", |before| tokens[before].text.as_str());
        !in_use && Some(&token.text) == name && !matches!(before, "." | "fn" | "::" | "mod")
    })
}

#[test]
fn no_type_is_a_bag_of_fields_and_flags() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let (mut types, mut found) = (Vec::new(), Vec::new());
    each_file(&root, &mut |path, source| {
        let inside = path.strip_prefix(&root).unwrap().to_str().unwrap().replace('\\', "/");
        for counted in counted_types(&tokens(source)) {
            if counted.is_bag() {
                found.push((inside.clone(), counted.name.clone()));
            }
            types.push((inside.clone(), counted.name));
        }
    });
    for whole in [("net/stream/mod.rs", "Stream"), ("http/h1/mod.rs", "H1"), ("http/exchange.rs", "Exchange")] {
        assert!(types.iter().any(|(path, name)| (&**path, &**name) == whole), "{whole:?} was not read");
    }
    found.sort();
    let listed: Vec<_> = BAGS.iter().map(|(path, name)| ((*path).to_owned(), (*name).to_owned())).collect();
    assert_eq!(
        found, listed,
        "types with more than {FIELDS} open fields or flags; those on the right are listed in tests/house.rs"
    );
}

/// A struct with named fields.
struct Counted {
    name: String,
    /// It can be named by users, so its open fields are what they fill in or read.
    is_public: bool,
    /// The fields that other files may touch.
    open: usize,
    flags: usize,
}

impl Counted {
    fn is_bag(&self) -> bool {
        self.flags > FIELDS || !self.is_public && self.open > FIELDS
    }
}

fn counted_types(tokens: &[Token]) -> Vec<Counted> {
    let text = |at: usize| tokens.get(at).map_or("", |token: &Token| token.text.as_str());
    let mut found = Vec::new();
    for at in (0..tokens.len()).filter(|at| text(*at) == "struct") {
        let Some(body) = (at..tokens.len()).find(|at| matches!(text(*at), "{" | "(" | ";")) else { continue };
        if text(body) != "{" {
            continue;
        }
        let is_public = at > 0 && text(at - 1) == "pub";
        let mut counted = Counted { name: text(at + 1).to_owned(), is_public, open: 0, flags: 0 };
        let (mut depth, mut field) = (0_usize, Vec::new());
        for at in body + 1..tokens.len() {
            match text(at) {
                "{" | "(" | "[" | "<" => depth += 1,
                // The arrow of a closure's type closes nothing.
                ">" if text(at - 1) == "-" => {}
                "}" if depth == 0 => break,
                "}" | ")" | "]" | ">" => depth -= 1,
                _ => {}
            }
            if text(at) != "," || depth > 0 {
                field.push(text(at));
            }
            let ends = depth == 0 && (text(at) == "," || text(at + 1) == "}");
            if ends && !field.is_empty() {
                counted.open += usize::from(field.contains(&"pub"));
                counted.flags +=
                    usize::from(field.ends_with(&[":", "bool"]) || field.ends_with(&[":", "Cell", "<", "bool", ">"]));
                field.clear();
            }
        }
        found.push(counted);
    }
    found
}

#[test]
fn the_checker_counts_fields_and_flags() {
    let fields = "pub(super) a: u8, #[cfg(test)] pub b: Box<dyn Fn(u8, u8) -> Vec<bool>>, c: Cell<bool>, d: bool, pub e: (bool, u8)";
    let source = format!(
        "struct A; pub struct B(u8, bool); pub(super) struct C<'a, T> where T: D {{ {fields} }} pub struct E {{}}"
    );
    let counted = counted_types(&tokens(&source));
    let counts: Vec<_> = counted.iter().map(|one| (&*one.name, one.is_public, one.open, one.flags)).collect();
    assert_eq!(counts, [("C", false, 3, 2), ("E", true, 0, 0)]);
    let bag = |is_public, open, flags| Counted { name: String::new(), is_public, open, flags }.is_bag();
    assert!(bag(false, FIELDS + 1, 0) && bag(true, 0, FIELDS + 1));
    assert!(!bag(true, FIELDS + 1, 0) && !bag(false, FIELDS, FIELDS));
}

#[test]
fn every_module_imports_only_modules_below_it() {
    for (at, (name, imports)) in HOUSE.iter().enumerate() {
        for import in *imports {
            let below = HOUSE.iter().position(|(other, _)| other == import);
            assert!(below.is_some_and(|below| below < at), "{name} imports {import}");
        }
    }
}

fn each_file(folder: &Path, each: &mut impl FnMut(&Path, &str)) {
    let mut entries: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            each_file(&path, each);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            each(&path, &fs::read_to_string(&path).unwrap());
        }
    }
}

/// What is wrong with one file, whose path is relative to `src`.
fn faults(path: &str, source: &str) -> Vec<String> {
    let mut found = Vec::new();
    let lines = source.lines().count();
    if lines > LINES && !LONG.contains(&path) {
        found.push(format!("{path}: {lines} lines; more than {LINES} is more than one concept"));
    }
    let module = module_of(path);
    let layer = module.first().map(String::as_str);
    for name in &module {
        if EMPTY_NAMES.contains(&name.as_str()) {
            found.push(format!("{path}: `{name}` does not say what it holds"));
        }
    }
    for (at, line) in source.lines().enumerate() {
        let is_doc = ["///", "//!"].iter().any(|mark| line.trim_start().starts_with(mark));
        if is_doc && ["include_str!(", "include_bytes!("].iter().any(|include| line.contains(include)) {
            // rustdoc compiles all examples as one program in another folder, and where that fails, each as its own.
            found.push(format!("{path}:{}: an example that includes a file makes all examples slow", at + 1));
        }
    }
    let tokens = tokens(source);
    for (at, token) in tokens.iter().enumerate() {
        let here = format!("{path}:{}", token.line);
        if token.text == "unsafe" {
            found.push(format!("{here}: unsafe"));
        }
        let asks = token.text == WORLDS.0
            && tokens.get(at + 1).is_some_and(|next| next.text == "::")
            && tokens.get(at + 2).is_some_and(|world| WORLDS.1.contains(&world.text.as_str()));
        if asks && !MAY_ASK_FOR_THE_WORLD.iter().any(|place| path.starts_with(place)) {
            found.push(format!("{here}: only the driver knows which world it is: give it a method"));
        }
        if layer == Some("proto") && NOT_SANS_IO.contains(&token.text.as_str()) {
            found.push(format!("{here}: proto is sans I/O and must not know `{}`", token.text));
        }
        let says = ["error", "warn", "info"].map(|level| ["log", "::", level, "!"]);
        if layer != Some("notice")
            && says.iter().any(|say| tokens[at..].iter().map(|token| &token.text).take(4).eq(say))
        {
            found.push(format!("{here}: say it by `notice`, so that it is heard without a logger"));
        }
        if token.text == "mod" && tokens.get(at + 1).is_some_and(|name| EMPTY_NAMES.contains(&name.text.as_str())) {
            found.push(format!("{here}: `mod {}` does not say what it holds", tokens[at + 1].text));
        }
    }
    // lib.rs alone sees everything.
    let Some(layer) = layer else { return found };
    let Some((_, may_import)) = HOUSE.iter().find(|(name, _)| *name == layer) else {
        found.push(format!("{path}: `{layer}` has no place in the house; give it one in tests/house.rs"));
        return found;
    };
    for (line, import) in imports(&tokens, &module) {
        let is_outside = layer == BELOW.0 && import.get(1).is_none_or(|member| member != BELOW.1);
        if module.get(1).is_some_and(|member| member == BELOW.1) && is_outside && import[0] == layer {
            found.push(format!("{path}:{line}: the driver knows no loop: `{}`", import.join("::")));
        }
        let here = format!("{path}:{line}");
        match import.first() {
            Some(other) if other == layer || may_import.contains(&other.as_str()) => {}
            Some(other) if HOUSE.iter().any(|(name, _)| name == other) => {
                found.push(format!("{here}: `{layer}` must not import `{}`", import.join("::")));
            }
            _ => {
                let import = import.join("::");
                found.push(format!("{here}: `crate::{import}`: import it from the module that owns it"));
            }
        }
    }
    found
}

/// `net/stream.rs` is `net::stream`, `net/mod.rs` is `net`, `lib.rs` the root.
fn module_of(path: &str) -> Vec<String> {
    let mut module: Vec<String> = path.trim_end_matches(".rs").split('/').map(str::to_owned).collect();
    if module.last().is_some_and(|last| last == "mod") || module == ["lib"] {
        module.pop();
    }
    module
}

#[derive(Debug)]
struct Token {
    text: String,
    line: usize,
}

/// Identifiers, `::`, and all other punctuation one character each. No comments, strings, characters or numbers.
fn tokens(source: &str) -> Vec<Token> {
    let bytes = source.as_bytes();
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let mut tokens = Vec::new();
    let (mut at, mut line) = (0, 1);
    while at < bytes.len() {
        let rest = &source[at..];
        let (length, is_token) = if rest.starts_with("//") {
            (rest.find('\n').unwrap_or(rest.len()), false)
        } else if rest.starts_with("/*") {
            (block_comment(rest), false)
        } else if let Some(length) = string(rest) {
            (length, false)
        } else if bytes[at] == b'\'' {
            (character(rest), false)
        } else if is_name(bytes[at]) {
            let length = rest.bytes().take_while(|byte| is_name(*byte)).count();
            (length, !bytes[at].is_ascii_digit())
        } else if rest.starts_with("::") {
            (2, true)
        } else {
            let length = rest.chars().next().map_or(1, char::len_utf8);
            (length, !rest.starts_with(char::is_whitespace))
        };
        if is_token {
            tokens.push(Token { text: rest[..length].to_owned(), line });
        }
        line += rest[..length].matches('\n').count();
        at += length;
    }
    tokens
}

fn block_comment(rest: &str) -> usize {
    let (mut at, mut depth) = (2, 1);
    while depth > 0 && at < rest.len() {
        let inside = &rest.as_bytes()[at..];
        let step = match inside {
            [b'/', b'*', ..] => 1,
            [b'*', b'/', ..] => -1,
            _ => 0,
        };
        depth += step;
        at += if step == 0 { 1 } else { 2 };
    }
    at
}

/// The length of a string literal, raw or not, with its prefix.
fn string(rest: &str) -> Option<usize> {
    let prefix = rest.len() - rest.trim_start_matches(['b', 'c', 'r']).len();
    let after = &rest[prefix..];
    if rest[..prefix].contains('r') {
        let hashes = after.len() - after.trim_start_matches('#').len();
        let inside = after[hashes..].strip_prefix('"')?;
        let end = format!("\"{}", "#".repeat(hashes));
        return Some(prefix + hashes + 1 + inside.find(&end).map_or(inside.len(), |at| at + end.len()));
    }
    let inside = after.strip_prefix('"')?;
    let mut escaped = false;
    let end = inside.bytes().position(|byte| {
        let ends = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        ends
    });
    Some(prefix + 1 + end.map_or(inside.len(), |end| end + 1))
}

/// The length of a character literal, or of a lifetime's quote.
fn character(rest: &str) -> usize {
    let mut chars = rest[1..].chars();
    match (chars.next(), chars.next()) {
        (Some('\\'), Some(escaped)) => {
            let from = 2 + escaped.len_utf8();
            rest[from..].find('\'').map_or(rest.len(), |end| from + end + 1)
        }
        (Some(one), Some('\'')) => 2 + one.len_utf8(),
        _ => 1,
    }
}

/// Where a path begins, and what it names: a token, or a line.
type Import = (usize, Vec<String>);

/// Every path of this crate that a file names from `crate`, `super` or `self`, as seen from the root.
fn imports(tokens: &[Token], module: &[String]) -> Vec<Import> {
    imports_at(tokens, module).into_iter().map(|(at, import)| (tokens[at].line, import)).collect()
}

/// The same, with the token at which each path begins.
fn imports_at(tokens: &[Token], module: &[String]) -> Vec<Import> {
    let text = |at: usize| tokens.get(at).map_or("", |token| token.text.as_str());
    let mut found = Vec::new();
    let mut module = module.to_vec();
    // What a name stands for in this file: a module that it declares, or what a `use` brought in.
    let mut names: HashMap<String, Vec<String>> = HashMap::new();
    for at in 0..tokens.len() {
        if text(at) == "mod" && text(at + 2) == ";" {
            let mut declared = module.clone();
            declared.push(text(at + 1).to_owned());
            names.insert(text(at + 1).to_owned(), declared);
        }
    }
    // For each open brace: is it that of an inline module?
    let mut braces = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        let begins_path = text(at + 1) == "::" && (at == 0 || text(at - 1) != "::");
        match text(at) {
            "mod" if text(at + 2) == "{" => {
                module.push(text(at + 1).to_owned());
                braces.push(true);
                at += 2;
            }
            "{" => braces.push(false),
            "}" if braces.pop() == Some(true) => drop(module.pop()),
            name if begins_path && (is_root(name) || names.contains_key(name)) => {
                let is_use = at > 0 && text(at - 1) == "use";
                let first = found.len();
                at = match names.get(name) {
                    Some(stands_for) => path(tokens, at + 2, stands_for.clone(), &mut found) - 1,
                    None => path(tokens, at, module.clone(), &mut found) - 1,
                };
                for (_, import) in found[first..].iter().filter(|_| is_use) {
                    if let Some(name) = import.last() {
                        names.entry(name.clone()).or_insert_with(|| import.clone());
                    }
                }
            }
            _ => {}
        }
        at += 1;
    }
    found
}

fn is_root(name: &str) -> bool {
    matches!(name, "crate" | "super" | "self")
}

/// Reads a path, or a tree of them, from `at` on, relative to `base`. Returns where it ends.
fn path(tokens: &[Token], mut at: usize, mut base: Vec<String>, found: &mut Vec<Import>) -> usize {
    let begins = at;
    while let Some(token) = tokens.get(at) {
        match token.text.as_str() {
            "crate" => base.clear(),
            "super" => drop(base.pop()),
            "self" => {}
            "{" => {
                at += 1;
                while tokens.get(at).is_some_and(|token| token.text != "}") {
                    at = if tokens[at].text == "," { at + 1 } else { path(tokens, at, base.clone(), found) };
                }
                return at + 1;
            }
            name if name == "*" || name.starts_with(|first: char| first.is_alphabetic() || first == '_') => {
                base.push(name.to_owned());
            }
            _ => break,
        }
        at += 1;
        if tokens.get(at).is_none_or(|token| token.text != "::") {
            break;
        }
        at += 1;
    }
    found.push((begins, base));
    if tokens.get(at).is_some_and(|token| token.text == "as") { at + 2 } else { at }
}

#[test]
fn the_checker_finds_what_it_is_for() {
    let bad = [
        ("callback/guard.rs", "use crate::event_loop::Loop;", "`callback` must not import `event_loop::Loop`"),
        ("event_loop/iteration.rs", "fn f() { crate::net::connect() }", "`event_loop` must not import `net::connect`"),
        ("event_loop/iteration.rs", "use super::super::net;", "`event_loop` must not import `net`"),
        ("event_loop/mod.rs", "use super::{callback, http::Server};", "`event_loop` must not import `http::Server`"),
        ("event_loop/driver/os.rs", "use super::{super::super::worker as w};", "must not import `worker`"),
        ("event_loop/driver/os.rs", "use super::super::Loop;", "the driver knows no loop: `event_loop::Loop`"),
        ("emitter.rs", "use super::event_loop;", "`emitter` must not import `event_loop`"),
        ("worker.rs", "use crate::{callback, net::{Flow, Socket}};", "`worker` must not import `net::Flow`"),
        ("worker.rs", "type A = (crate::callback::Site, crate::signals::B);", "must not import `signals::B`"),
        ("net/mod.rs", "mod tests { use super::super::http; }", "`net` must not import `http`"),
        ("net/mod.rs", "macro_rules! m { () => { $crate::sim::Sim } }", "`net` must not import `sim::Sim`"),
        ("net/mod.rs", "use crate::proto::h1;", "`net` must not import `proto::h1`"),
        ("http/mod.rs", "use crate::sim::Sim;", "`http` must not import `sim::Sim`"),
        ("sim/mod.rs", "use crate::http;", "`sim` must not import `http`"),
        ("http/mod.rs", "use crate::Emitter;", "import it from the module that owns it"),
        ("http/mod.rs", "use crate::*;", "import it from the module that owns it"),
        ("proto/h1/mod.rs", "use crate::callback::Site;", "`proto` must not import `callback::Site`"),
        ("proto/h1/head.rs", "use std::rc::Rc;", "must not know `Rc`"),
        ("proto/h1/head.rs", "fn now() -> std::time::Instant;", "must not know `Instant`"),
        ("proto/h1/head.rs", "use mio::Poll;", "must not know `mio`"),
        ("proto/mod.rs", "use std::time::{Duration, SystemTime};", "must not know `SystemTime`"),
        ("net/stream.rs", "fn f() { unsafe { g() } }", "unsafe"),
        ("net/acceptor.rs", "match driver { Driver::Os(os) => os, Driver::Sim(_) => return }", "which world"),
        ("net/chunk.rs", "/// include_str!(\"chunk.rs\")", "makes all examples slow"),
        ("net/utils.rs", "", "`utils` does not say what it holds"),
        ("net/mod.rs", "mod helpers;", "`mod helpers` does not say what it holds"),
        ("misc/mod.rs", "", "`misc` does not say what it holds"),
        ("orchard.rs", "", "`orchard` has no place in the house"),
    ];
    for (path, source, fault) in bad {
        let found = faults(path, source);
        assert!(found.iter().any(|text| text.contains(fault)), "{path}: {source}: {found:?}");
    }
    let long = "\n".repeat(LINES + 1);
    assert!(faults("net/stream.rs", &long)[0].contains("501 lines"));
    assert_eq!(faults("net/mod.rs", "// one\n\nuse crate::http;").len(), 1);
    assert!(faults("net/mod.rs", "// one\n\"\n\"; use crate::http;")[0].starts_with("net/mod.rs:3: "));
}

#[test]
fn the_checker_finds_circles() {
    let tree = |files: &[(&str, &str)]| {
        let files: Vec<_> = files.iter().map(|(path, source)| ((*path).to_owned(), (*source).to_owned())).collect();
        circles(&files).into_iter().map(|circle| circle.join(" ")).collect::<Vec<_>>()
    };
    let hub = "mod a; mod b; mod c; pub use a::A; pub(crate) use self::b::B;";
    let three = |a: &str, b: &str| {
        tree(&[("net/a.rs", a), ("net/b.rs", b), ("net/c.rs", "use crate::net::{A, B};"), ("net/mod.rs", hub)])
    };
    assert_eq!(three("use super::b::B;", "use crate::event_loop::A;"), [""; 0]);
    assert_eq!(three("use super::b::B;", "fn f() { super::a::g() }"), ["net/a net/b"]);
    // Through what the folder hands on.
    assert_eq!(three("use super::b::B;", "use super::c::C;"), ["net/a net/b net/c"]);
    assert_eq!(three("use super::B;", "use super::c;"), ["net/a net/b net/c"]);
    // A name that a `use` brought in, and a module that the file declares, whatever else has its name.
    let child = |c: &str| {
        tree(&[
            ("net/a.rs", "use super::c; fn f() { c::g() }"),
            ("net/c/mod.rs", c),
            ("net/c/d.rs", "use crate::net::a::A;"),
        ])
    };
    assert_eq!(child("mod d;"), ["net/a net/c"]);
    let deep =
        |a: &str| tree(&[("net/a.rs", a), ("net/b/mod.rs", "pub mod d;"), ("net/b/d.rs", "use crate::net::a::A;")]);
    assert_eq!(deep("use super::b; fn f() { b::d::g() }"), ["net/a net/b"]);
    assert_eq!(deep("mod b { } fn f(b: u8) { b.d() }"), [""; 0]);
    assert_eq!(tree(&[("net/a.rs", "#[cfg(doc)] use super::b::B;"), ("net/b.rs", "use super::a::A;")]), [""; 0]);
    // A part names the whole, and the whole its parts; but a part does not name another that names it.
    let whole = "mod a; mod run; use a::A; pub use run::{a, B}; struct W(A, a::Q);";
    assert_eq!(tree(&[("net/mod.rs", whole), ("net/a.rs", "use super::W;"), ("net/run.rs", "")]), [""; 0]);
    assert_eq!(
        tree(&[("net/mod.rs", whole), ("net/a.rs", "use super::B;"), ("net/run.rs", "use super::a::Q;")]),
        ["net/a net/run"]
    );
    // Folders are members as a whole.
    let folders = [
        ("net/a/x.rs", "use crate::net::b::y::Y;"),
        ("net/b/z.rs", "use crate::net::a::W;"),
        ("net/a/mod.rs", ""),
        ("net/b/y.rs", ""),
    ];
    assert_eq!(tree(&folders), ["net/a net/b"]);
    assert_eq!(tree(&folders[..1]), [""; 0]);
}

#[test]
fn the_checker_leaves_alone_what_is_in_order() {
    let good = [
        ("lib.rs", "#![forbid(unsafe_code)] mod net; pub use net::Socket; use self::http::Server;"),
        ("net/mod.rs", "use crate::callback; pub(crate) use crate::event_loop::{Loop, current};"),
        ("net/mod.rs", "mod tests { use super::*; mod deeper { use super::super::Socket; } } use super::callback;"),
        ("net/stream.rs", "use super::Socket; use super::super::event_loop; use self::inner::x; fn f(&self) {}"),
        (
            "net/stream.rs",
            "//! [`x`](crate::http) unsafe\n/* use crate::http; /* nested */ unsafe */ /// crate::http\n",
        ),
        (
            "net/stream.rs",
            r####"let a = "crate::http \" unsafe"; let b = r#"crate::http " unsafe"#; let c = b"unsafe";"####,
        ),
        ("net/stream.rs", r"let (q, e, l): (char, char, &'static str) = ('\'', '{', x); let s: &'a str = '\u{41}';"),
        ("net/stream.rs", "fn f() where crate::event_loop::Loop: Sized { super::Socket::<u8>::new() } mod a { } "),
        ("proto/h1/mod.rs", "use super::h1::Head; use crate::proto::h1; /// no Rc, no Instant\nstruct RcLike;"),
        ("sim/mod.rs", "use crate::{event_loop::driver::{Driver, World}, proto::h1::Fields};"),
    ];
    for (path, source) in good {
        assert_eq!(faults(path, source), [""; 0], "{path}: {source}");
    }
}

#[test]
fn no_unstable_type_of_the_codec_is_in_the_stable_surface() {
    const STABLE: &[&str] = &["Fault", "FieldError", "Version"];
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let read = |path: &str| fs::read_to_string(source.join(path)).unwrap_or_default();
    let unstable: Vec<String> = reexports(&read("proto/h1/mod.rs")).map(|(_, name)| name).collect();
    let unstable: Vec<String> = unstable.into_iter().filter(|name| !STABLE.contains(&name.as_str())).collect();
    // Functions of the codec cannot be in a signature, but parameters may have their names.
    let unstable: Vec<String> = unstable.into_iter().filter(|name| name.starts_with(char::is_uppercase)).collect();
    assert!(unstable.iter().any(|name| name == "IncomingRequest"), "{unstable:?}");
    let mut functions = 0;
    for layer in ["http", "net"] {
        for (module, name) in reexports(&read(&format!("{layer}/mod.rs"))) {
            if module.starts_with("crate::proto") {
                assert!(STABLE.contains(&name.as_str()), "{layer} re-exports {module}::{name}, which is unstable");
            }
            let source = read(&format!("{layer}/{module}.rs")) + &read(&format!("{layer}/{module}/mod.rs"));
            // The methods of the type that is re-exported; its file may hold private types with methods of their own.
            let its = source.split("\nimpl").filter(|block| {
                let header = block.split(" {\n").next().unwrap_or_default();
                header.trim_start_matches(' ').split('<').next() == Some(name.as_str())
            });
            for function in its.flat_map(|block| block.split("\n    pub fn ").skip(1)) {
                let signature = function.split(" {\n").next().unwrap_or_default();
                functions += 1;
                for word in signature.split(|c: char| !c.is_alphanumeric() && c != '_') {
                    assert!(!unstable.iter().any(|name| name == word), "{layer}::{module}: {signature}");
                }
            }
        }
    }
    assert!(functions > 100, "only {functions} signatures were read");
}

/// Each name that a module re-exports, with the module that it comes from.
fn reexports(source: &str) -> impl Iterator<Item = (String, String)> {
    let lists = source.split("\npub use ").skip(1).filter_map(|rest| rest.split(';').next()?.rsplit_once("::"));
    lists.flat_map(|(module, names)| {
        let names = names.trim_matches(['{', '}']).split(',').map(str::trim).filter(|name| !name.is_empty());
        names.map(move |name| (module.to_owned(), name.to_owned()))
    })
}

#[test]
fn no_link_between_the_repositorys_pages_is_dead() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (mut pages, mut links, mut dead) = (0, 0, Vec::new());
    for folder in [".", "tests", "src/guide"] {
        for entry in fs::read_dir(root.join(folder)).unwrap() {
            let page = entry.unwrap().path();
            if page.extension().is_none_or(|extension| extension != "md") {
                continue;
            }
            pages += 1;
            for link in links_of(&fs::read_to_string(&page).unwrap()) {
                let (path, heading) = link.split_once('#').unwrap_or((&link, ""));
                let target = if path.is_empty() { page.clone() } else { page.parent().unwrap().join(path) };
                links += 1;
                let heading_exists = || {
                    let is_page = target.extension().is_some_and(|extension| extension == "md");
                    !is_page || headings_of(&fs::read_to_string(&target).unwrap()).iter().any(|slug| slug == heading)
                };
                if !target.exists() || !heading.is_empty() && !heading_exists() {
                    dead.push(format!("{}: {link}", page.strip_prefix(root).unwrap().display()));
                }
            }
        }
    }
    assert!(pages > 10 && links > 50, "only {links} links of {pages} pages were read");
    assert!(dead.is_empty(), "\n{}\n", dead.join("\n"));
}

/// The targets of a page's links to files and headings. Links to the web and to Rust's items are left out: `cargo doc` judges the
/// latter.
fn links_of(page: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (at, _) in page.match_indices("](") {
        let target = page[at + 2..].split([')', ' ', '\n']).next().unwrap_or_default();
        let is_file = target.contains('.') || target.contains('/') || target.starts_with('#');
        if is_file && !target.contains("::") && !target.contains("://") && !target.starts_with("mailto:") {
            found.push(target.to_owned());
        }
    }
    found
}

/// The anchors that a forge makes of a page's headings.
fn headings_of(page: &str) -> Vec<String> {
    let headings = page.lines().filter(|line| line.starts_with('#'));
    let slug = |heading: &str| {
        let kept = heading.trim_start_matches('#').trim().to_lowercase();
        let kept = kept.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
        kept.map(|c| if c == ' ' { '-' } else { c }).collect()
    };
    headings.map(slug).collect()
}
