//! The program, as its users run it.

use std::process::Command;

#[test]
fn it_says_what_it_ran_and_repeats_it() {
    let run = |arguments: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_simulator")).args(arguments).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        (output.status.success(), text.lines().take(2).map(str::to_owned).collect::<Vec<_>>())
    };
    let first = run(&["--seeds", "2", "--from", "5"]);
    assert!(first.0 && first.1[0].contains("2 seeds, ") && first.1[1].contains("finished "), "{first:?}");
    assert_eq!(run(&["--seeds", "2", "--from", "5", "--threads", "1"]), first);
    assert!(!run(&["--sedes", "2"]).0);
}
