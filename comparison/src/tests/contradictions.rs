//! What one run says of another's wins.

use super::invented::{plausible, rates, run};
use crate::report::{PAGE, again, compared, save};
use crate::results::Run;
use crate::summary::Summary;
use crate::summary::compare::compare;
use crate::summary::contest::Ending;
use crate::summary::figure::Figure;
use crate::summary::verdict::Tie;
use std::fs;

fn duel(loops: &[f64], threads: &[f64]) -> Run {
    run([rates("loop", loops), rates("thread-each", threads)].concat())
}

fn throughput_of_both(one: &Run, two: &Run) -> Ending {
    let summary = Summary::of(one, Some(two));
    summary.best.into_iter().find(|contest| contest.figure == Figure::Throughput).unwrap().ending
}

fn contradicted(one: &Run, two: &Run) -> usize {
    compare(one, two).contradicted.iter().filter(|one| one.win.figure == Figure::Throughput).count()
}

#[test]
fn a_win_that_goes_the_other_way_is_contradicted_and_a_tie_of_both() {
    let (one, two) = (duel(&[100.0; 3], &[150.0; 3]), duel(&[150.0; 3], &[100.0; 3]));
    assert_eq!(contradicted(&one, &two), 1);
    assert_eq!(contradicted(&two, &one), 1);
    assert_eq!(throughput_of_both(&one, &two), Ending::AllTied(Tie::Contradicted));
    let sentence = compare(&one, &two).contradicted[0].sentence();
    assert_eq!(
        sentence,
        "W1, 64 connections, answers/s: thread-each 50 % more than loop; the other run: loop has 50 % more"
    );
}

#[test]
fn a_win_is_contradicted_by_a_measured_tie_where_they_are_alike() {
    let one = duel(&[100.0; 3], &[150.0; 3]);
    assert_eq!(contradicted(&one, &duel(&[100.0; 3], &[102.0; 3])), 1);
    assert_eq!(contradicted(&one, &duel(&[100.0, 90.0, 120.0], &[98.0, 80.0, 130.0])), 1);
}

#[test]
fn a_win_holds_where_the_other_run_sees_it_less_clearly() {
    // A tie, because of the spread; the winner is 20 % ahead all the same.
    assert_eq!(contradicted(&duel(&[100.0; 3], &[150.0; 3]), &duel(&[100.0, 90.0, 120.0], &[120.0, 110.0, 140.0])), 0);
}

#[test]
fn a_run_that_cannot_judge_says_nothing_of_a_win() {
    let one = duel(&[100.0; 3], &[150.0; 3]);
    for silent in [duel(&[100.0; 2], &[100.0; 2]), run(rates("loop", &[100.0; 3])), run(Vec::new())] {
        let comparison = compare(&one, &silent);
        assert!(comparison.contradicted.is_empty());
        assert!(comparison.silent > 0);
        assert!(matches!(throughput_of_both(&one, &silent), Ending::Leaders { .. }));
    }
}

#[test]
fn a_contradicted_win_leaves_those_over_others_alone() {
    let three = |pool: f64| {
        run([rates("loop", &[100.0; 3]), rates("pool-request", &[pool; 3]), rates("thread-each", &[50.0; 3])].concat())
    };
    let (one, two) = (three(120.0), three(100.0));
    let Ending::Leaders { designs, next, .. } = throughput_of_both(&one, &two) else { panic!() };
    assert_eq!((designs, next), (vec!["pool-request".to_string(), "loop".to_string()], "thread-each".to_string()));
    assert!(compare(&one, &two).left.is_empty());
}

#[test]
fn a_run_does_not_contradict_itself() {
    let run = plausible(3, 1);
    let comparison = compare(&run, &run);
    assert!(comparison.confirmed > 100);
    assert!(comparison.contradicted.is_empty() && comparison.backward.is_empty() && comparison.left.is_empty());
}

#[test]
fn no_contradicted_win_is_left_whatever_the_noise() {
    for seed in 1..20 {
        let comparison = compare(&plausible(3, seed), &plausible(3, seed + 100));
        assert_eq!(comparison.left, Vec::<String>::new());
    }
}

#[test]
fn compare_and_report_read_what_a_run_left_behind_and_compare_writes_nothing() {
    let folder = std::env::temp_dir().join(format!("oneloop-verdicts-{}", std::process::id()));
    let (one, two) = (folder.join("one"), folder.join("two"));
    save(&one, &duel(&[100.0; 3], &[150.0; 3])).unwrap();
    save(&two, &duel(&[150.0; 3], &[100.0; 3])).unwrap();
    let path = |folder: &std::path::Path| folder.join("run.json").to_str().unwrap().to_string();
    fs::remove_file(one.join(PAGE)).unwrap();

    let (text, clean) = compared(&[path(&one), path(&two)]).unwrap();
    assert!(clean && text.contains("contradicted, so ties:"), "{text}");
    assert!(!one.join(PAGE).exists());

    let text = again(&[one.to_str().unwrap().to_string(), "--with".to_string(), path(&two)]).unwrap();
    assert!(text.contains("another run contradicts it"), "{text}");
    let page = fs::read_to_string(one.join(PAGE)).unwrap();
    assert!(page.contains("A second run contradicts"));

    assert!(again(&[]).is_err());
    assert!(compared(&[path(&one)]).is_err());
    fs::write(one.join("run.json"), "{}").unwrap();
    assert!(again(&[one.to_str().unwrap().to_string()]).unwrap_err().contains("run.json"));
    fs::remove_dir_all(&folder).unwrap();
}
