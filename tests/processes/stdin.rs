//! Standard input as callbacks, in processes of their own: each test runs itself once more, as the program.

use oneloop::sim::Sim;
use oneloop::{Sender, channel, run, set_timeout, stdin};
use std::cell::{Cell, RefCell};
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, Command, Stdio};
use std::rc::Rc;
use std::time::Duration;

const PROGRAM: &str = "ONELOOP_STDIN_PROGRAM";

fn is_program() -> bool {
    std::env::var_os(PROGRAM).is_some()
}

/// The test of this name, as a program.
fn start(test: &str) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args([&format!("stdin::{test}"), "--exact", "--nocapture"]).env(PROGRAM, "1");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap()
}

/// What it said, when it has ended; among what the test harness says.
fn said(child: &mut Child) -> Vec<String> {
    let mut text = String::new();
    child.stdout.take().unwrap().read_to_string(&mut text).unwrap();
    assert!(child.wait().unwrap().success(), "{text}");
    text.lines().filter_map(|line| Some(line.split_once("says ")?.1.to_owned())).collect()
}

#[test]
fn each_line_comes_in_order_and_then_the_end() {
    if is_program() {
        let lines = stdin::lines(|line| println!("says {line:?}"), || println!("says the end"));
        run().unwrap();
        assert!(!lines.has_ref());
        return println!("says bye");
    }
    let mut child = start("each_line_comes_in_order_and_then_the_end");
    child.stdin.take().unwrap().write_all(b"one\r\n\ntw\xffo\nlast").unwrap();
    assert_eq!(said(&mut child), [r#""one""#, r#""""#, "\"tw\u{fffd}o\"", r#""last""#, "the end", "bye"]);
}

#[test]
fn more_lines_than_may_wait_all_come() {
    if is_program() {
        let sum = Rc::new(Cell::new(0_u64));
        let total = sum.clone();
        stdin::lines(
            move |line| sum.set(sum.get() + line.parse::<u64>().unwrap()),
            move || println!("says {}", total.get()),
        );
        return run().unwrap();
    }
    let mut child = start("more_lines_than_may_wait_all_come");
    let text: String = (0..50_000).map(|number| format!("{number}\n")).collect();
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    assert_eq!(said(&mut child), [(0..50_000_u64).sum::<u64>().to_string()]);
}

#[test]
fn input_that_never_ends_holds_up_no_program_that_does_not_wait_for_it() {
    if is_program() {
        assert!(!stdin::lines(|_| (), ()).unref().has_ref());
        set_timeout(Duration::from_millis(1), || println!("says bye"));
        return run().unwrap();
    }
    let mut child = start("input_that_never_ends_holds_up_no_program_that_does_not_wait_for_it");
    let open = child.stdin.take();
    assert_eq!(said(&mut child), ["bye"]);
    drop(open);
}

#[test]
fn a_program_goes_on_until_its_input_has_ended() {
    if is_program() {
        let lines = stdin::lines(|line| println!("says {line}"), || println!("says the end"));
        assert!(lines.unref().set_ref(true).has_ref());
        // Then nothing but the input keeps it.
        set_timeout(Duration::from_millis(1), || println!("says begun"));
        return run().unwrap();
    }
    let mut child = start("a_program_goes_on_until_its_input_has_ended");
    let mut output = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    while !line.contains("says begun") {
        line.clear();
        assert!(output.read_line(&mut line).unwrap() > 0, "it has ended");
    }
    child.stdin.take().unwrap().write_all(b"still here").unwrap();
    line.clear();
    output.read_to_string(&mut line).unwrap();
    assert!(line.contains("says still here\nsays the end\n"), "{line}");
    assert!(child.wait().unwrap().success());
}

#[test]
fn no_line_comes_after_a_close_and_the_end_comes_once() {
    if is_program() {
        let lines = stdin::lines_with(
            |lines, line| {
                println!("says {line}");
                if line == "quit" {
                    lines.close();
                    println!("says closed");
                }
            },
            || println!("says the end"),
        );
        run().unwrap();
        lines.close();
        assert!(!lines.has_ref());
        run().unwrap();
        return println!("says bye");
    }
    let mut child = start("no_line_comes_after_a_close_and_the_end_comes_once");
    let mut open = child.stdin.take().unwrap();
    open.write_all(b"one\nquit\ntwo\nthree\n").unwrap();
    assert_eq!(said(&mut child), ["one", "quit", "closed", "the end", "bye"]);
    drop(open);
}

/// Those that had been read by then, and the one for which the thread was waiting.
#[test]
fn lines_that_one_reader_has_left_are_for_the_next() {
    if is_program() {
        stdin::lines_with(
            |lines, line| {
                println!("says first {line}");
                lines.close();
            },
            || {
                println!("says the first end");
                let second = stdin::lines_with(
                    |lines, line| {
                        println!("says second {line}");
                        if line == "3" {
                            lines.close();
                        }
                    },
                    || {
                        println!("says the second end");
                        // Nobody asks for a line in between, and one is being waited for.
                        set_timeout(Duration::from_millis(1), || {
                            println!("says nobody");
                            set_timeout(Duration::from_millis(50), || {
                                stdin::lines(|line| println!("says third {line}"), || println!("says the third end"));
                            });
                        });
                    },
                );
                assert!(second.has_ref());
            },
        );
        return run().unwrap();
    }
    let mut child = start("lines_that_one_reader_has_left_are_for_the_next");
    let mut input = child.stdin.take().unwrap();
    let mut output = BufReader::new(child.stdout.take().unwrap());
    input.write_all(b"1\n2\n3\n").unwrap();
    let mut text = String::new();
    while !text.contains("says nobody") {
        assert!(output.read_line(&mut text).unwrap() > 0, "it has ended: {text}");
    }
    input.write_all(b"4\n5\n6\n7").unwrap();
    drop(input);
    output.read_to_string(&mut text).unwrap();
    assert!(child.wait().unwrap().success(), "{text}");
    let said: Vec<_> = text.lines().filter_map(|line| Some(line.split_once("says ")?.1)).collect();
    assert_eq!(
        said,
        [
            "first 1",
            "the first end",
            "second 2",
            "second 3",
            "the second end",
            "nobody",
            "third 4",
            "third 5",
            "third 6",
            "third 7",
            "the third end"
        ]
    );
}

#[test]
fn in_a_simulation_the_input_has_ended() {
    let sim = Sim::new();
    let ended = Rc::new(Cell::new(false));
    let told = ended.clone();
    stdin::lines(|line| unreachable!("{line}"), move || told.set(true));
    assert!(!ended.get(), "callbacks come from the loop");
    sim.run_to_rest();
    assert!(ended.get());
}

#[test]
fn a_thread_talks_to_rc_state_in_five_lines() {
    let words: Rc<RefCell<Vec<String>>> = Rc::default();
    let heard = words.clone();
    let sender: Sender<String> = channel(move |word| heard.borrow_mut().push(word));
    std::thread::spawn(move || sender.send("hello".to_owned()));
    run().unwrap();
    assert_eq!(*words.borrow(), ["hello"]);
}
