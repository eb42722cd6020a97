//! When a design wins, and when it is a tie.

use super::invented::{cell, connections, plausible, rates, run, without};
use crate::report::verdicts::tally;
use crate::results::{Cell, Measured, Outcome, Point, Run};
use crate::summary::Summary;
use crate::summary::contest::{Ahead, Contest, Ending};
use crate::summary::designs::Family;
use crate::summary::figure::Figure;
use crate::summary::shown;
use crate::summary::spans::{lines, place};
use crate::summary::verdict::Tie;

fn contest(run: &Run, figure: Figure) -> Contest {
    Summary::of(run, None).best.into_iter().find(|contest| contest.figure == figure).unwrap()
}

fn ending(loops: &[f64], threads: &[f64]) -> Ending {
    let cells = [rates("loop", loops), rates("thread-each", threads)].concat();
    contest(&run(cells), Figure::Throughput).ending
}

fn change(cells: &mut [Cell], change: impl Fn(&mut Measured)) {
    for cell in cells {
        if let Outcome::Measured(measured) = &mut cell.outcome {
            change(measured);
        }
    }
}

#[test]
fn a_difference_greater_than_the_spreads_in_every_round_is_a_win_for_either_side() {
    let Ending::Leaders { designs, next, by } = ending(&[100.0, 102.0, 98.0], &[150.0, 153.0, 147.0]) else { panic!() };
    assert_eq!((designs, next), (vec!["thread-each".to_string()], "loop".to_string()));
    assert!((by - 1.5).abs() < 1e-9, "{by}");
    let Ending::Leaders { designs, .. } = ending(&[150.0, 153.0, 147.0], &[100.0, 102.0, 98.0]) else { panic!() };
    assert_eq!(designs, ["loop"]);
}

#[test]
fn a_difference_smaller_than_the_spread_is_a_tie() {
    assert_eq!(ending(&[100.0, 100.0, 100.0], &[110.0, 115.0, 104.0]), Ending::AllTied(Tie::Spread));
    assert_eq!(ending(&[100.0, 107.0, 96.0], &[110.0, 110.0, 110.0]), Ending::AllTied(Tie::Spread));
}

#[test]
fn a_difference_just_as_great_as_the_spread_is_a_tie() {
    assert_eq!(ending(&[100.0, 100.0, 100.0], &[110.0, 112.0, 102.0]), Ending::AllTied(Tie::Spread));
}

#[test]
fn a_round_that_disagrees_makes_a_tie() {
    // Medians 100 and 140, spreads 39 and 39: but in the third round the first is ahead.
    assert_eq!(ending(&[100.0, 100.0, 139.0], &[140.0, 140.0, 101.0]), Ending::AllTied(Tie::Rounds));
}

#[test]
fn below_five_percent_nobody_wins_however_steady_the_rounds_are() {
    assert_eq!(ending(&[100.0, 100.0, 100.0], &[104.9, 104.9, 104.9]), Ending::AllTied(Tie::Small));
    assert!(matches!(ending(&[100.0, 100.0, 100.0], &[106.0, 106.0, 106.0]), Ending::Leaders { .. }));
}

#[test]
fn two_rounds_give_no_winner() {
    assert_eq!(ending(&[100.0, 100.0], &[200.0, 200.0]), Ending::AllTied(Tie::FewRounds));
    // Three each, but only two that both have.
    let mut cells = [rates("loop", &[100.0; 3]), rates("thread-each", &[200.0; 3])].concat();
    cells[0].round = 7;
    assert_eq!(contest(&run(cells), Figure::Throughput).ending, Ending::AllTied(Tie::FewRounds));
}

#[test]
fn ratios_are_taken_within_rounds() {
    // By the medians alone it would be 40 over 11.
    let Ending::Leaders { by, .. } = ending(&[12.0, 10.0, 11.0], &[48.0, 40.0, 22.0]) else { panic!() };
    assert_eq!(by, 4.0);
}

#[test]
fn who_leaves_over_one_percent_unanswered_wins_nothing_and_shares_no_tie() {
    for faults in [(4, 0, 0), (0, 4, 0), (0, 0, 4)] {
        let mut cells =
            [rates("loop", &[600.0; 3]), rates("pool-request", &[300.0; 3]), rates("thread-each", &[200.0; 3])]
                .concat();
        change(&mut cells[..3], |measured| (measured.errors, measured.timeouts, measured.refusals) = faults);
        let contest = contest(&run(cells), Figure::Throughput);
        let Ending::Leaders { designs, next, .. } = &contest.ending else { panic!() };
        assert_eq!((designs.as_slice(), next.as_str()), (["pool-request".to_string()].as_slice(), "thread-each"));
        assert_eq!(lines(&[contest])[0].spans[0].failing(), ["loop"]);
    }
}

#[test]
fn where_all_others_fail_in_every_round_it_is_said_and_is_no_win() {
    let mut cells = [rates("loop", &[600.0; 3]), rates("pool-request", &[300.0; 3])].concat();
    change(&mut cells[3..], |measured| (measured.answers, measured.timeouts) = (0, 100));
    for figure in [Figure::Throughput, Figure::P99] {
        let contest = contest(&run(cells.clone()), figure);
        assert_eq!(contest.ending, Ending::Only { designs: vec!["loop".to_string()] });
        assert_eq!(contest.ahead(), Ahead::Only(Family::Loops));
    }
    // In one round it does not.
    change(&mut cells[3..4], |measured| (measured.answers, measured.timeouts) = (300, 0));
    let contest = contest(&run(cells), Figure::Memory);
    assert_eq!(contest.ending, Ending::AllTied(Tie::Faults));
}

#[test]
fn with_few_rounds_nobody_is_said_to_have_failed_for_good() {
    let mut cells = [rates("loop", &[600.0; 2]), rates("pool-request", &[300.0; 2])].concat();
    change(&mut cells[2..], |measured| measured.timeouts = 100);
    assert_eq!(contest(&run(cells), Figure::Throughput).ending, Ending::AllTied(Tie::FewRounds));
}

#[test]
fn one_percent_of_faults_is_borne() {
    let mut cells = [rates("loop", &[600.0; 3]), rates("thread-each", &[200.0; 3])].concat();
    change(&mut cells[..3], |measured| measured.timeouts = 3);
    assert!(matches!(contest(&run(cells), Figure::Throughput).ending, Ending::Leaders { .. }));
}

#[test]
fn where_everyone_fails_there_is_no_verdict() {
    let mut cells = [rates("loop", &[600.0; 3]), rates("thread-each", &[200.0; 3])].concat();
    change(&mut cells, |measured| measured.timeouts = 100);
    let contest = contest(&run(cells), Figure::P99);
    assert_eq!(contest.ending, Ending::AllFail);
    assert_eq!(contest.ahead(), Ahead::Unknown);
}

#[test]
fn where_the_generator_is_the_limit_only_the_servers_own_figures_are_judged() {
    let mut cells = [rates("loop", &[600.0; 3]), rates("thread-each", &[200.0; 3])].concat();
    change(&mut cells[..3], |measured| {
        measured.generator_limited = true;
        measured.server.user = Some(1.0);
    });
    let run = run(cells);
    assert_eq!(contest(&run, Figure::Throughput).ending, Ending::AllTied(Tie::Generator));
    assert_eq!(contest(&run, Figure::P99).ending, Ending::AllTied(Tie::Generator));
    assert!(matches!(contest(&run, Figure::Cpu).ending, Ending::Leaders { .. }));
}

#[test]
fn what_was_not_measured_takes_no_part() {
    let cells = [rates("loop", &[100.0; 3]), vec![without("loops", "not measurable here")]].concat();
    assert_eq!(contest(&run(cells), Figure::Throughput).ending, Ending::Alone);
}

#[test]
fn outside_references_take_no_part() {
    let cells = [rates("loop", &[100.0; 3]), rates("nginx", &[900.0; 3])].concat();
    assert_eq!(contest(&run(cells), Figure::Throughput).ending, Ending::Alone);
}

#[test]
fn a_design_stands_for_itself_by_its_best_variant_and_by_its_default() {
    let mut cells = rates("loop", &[100.0; 3]);
    for (variant, rate) in [("threads=8", 130.0), ("threads=200", 60.0)] {
        cells.extend(
            rates("pool-request", &[rate; 3]).into_iter().map(|cell| Cell { variant: variant.to_string(), ..cell }),
        );
    }
    let summary = Summary::of(&run(cells), None);
    let Ending::Leaders { designs, .. } = &summary.best[0].ending else { panic!() };
    assert_eq!(designs, &["pool-request"]);
    let first = &summary.best[0].standings[0];
    assert_eq!((first.design.as_str(), first.variant.as_str()), ("pool-request", "threads=8"));
    let Ending::Leaders { designs, .. } = &summary.defaults[0].ending else { panic!() };
    assert_eq!(designs, &["loop"]);
}

#[test]
fn a_fast_variant_that_loses_requests_is_not_the_best() {
    let mut fast = rates("pool-request", &[900.0; 3]);
    change(&mut fast, |measured| measured.timeouts = 500);
    let fast = fast.into_iter().map(|cell| Cell { variant: "threads=8".to_string(), ..cell });
    let cells: Vec<Cell> = fast.chain(rates("pool-request", &[90.0; 3])).chain(rates("loop", &[100.0; 3])).collect();
    assert_eq!(contest(&run(cells), Figure::Throughput).standings[1].median, 90.0);
}

#[test]
fn a_loop_that_blocks_never_stands_for_the_loop() {
    let blocking = rates("loop", &[900.0; 3]).into_iter().map(|cell| Cell { variant: "blocking".to_string(), ..cell });
    let cells = blocking.chain(rates("loop", &[100.0; 3])).chain(rates("thread-each", &[200.0; 3])).collect();
    let Ending::Leaders { designs, .. } = contest(&run(cells), Figure::Throughput).ending else { panic!() };
    assert_eq!(designs, ["thread-each"]);
}

#[test]
fn at_a_fixed_rate_answers_per_second_are_not_judged() {
    let mut cells = [rates("loop", &[100.0; 3]), rates("thread-each", &[200.0; 3])].concat();
    change(&mut cells, |measured| measured.offered = Some(measured.rate));
    let summary = Summary::of(&run(cells), None);
    assert!(summary.best.iter().all(|contest| contest.figure != Figure::Throughput));
    assert!(summary.best.iter().any(|contest| contest.figure == Figure::P99));
}

#[test]
fn points_are_said_in_words() {
    let said = |name: &str, value, unit: &str| place(&Point { name: name.to_string(), value, unit: unit.to_string() });
    assert_eq!(said("connections", 1.0, ""), "1 connection");
    assert_eq!(said("connections", 10_000.0, ""), "10,000 connections");
    assert_eq!(said("handler_ms", 10.0, "ms"), "10 ms handler");
    assert_eq!(said("slow_cpu", 20.0, "ms"), "20 ms slow CPU");
    assert_eq!(said("download", 1_048_576.0, "B"), "1 MiB download");
    assert_eq!(said("load", 1.5, "x capacity"), "1.5× capacity");
}

#[test]
fn less_is_better_for_latency_cpu_and_memory() {
    let mut cells = [rates("loop", &[100.0; 3]), rates("thread-each", &[100.0; 3])].concat();
    change(&mut cells[3..], |measured| {
        measured.latency.p99 *= 2.0;
        measured.server.system = Some(17.0);
        measured.server.resident = Some(8 << 20);
    });
    let run = run(cells);
    for figure in [Figure::P99, Figure::Cpu, Figure::Memory] {
        let Ending::Leaders { designs, by, .. } = contest(&run, figure).ending else { panic!() };
        assert_eq!((designs, by), (vec!["loop".to_string()], 2.0));
    }
}

#[test]
fn those_whom_nobody_beats_share_the_lead() {
    let cells =
        [rates("loop", &[100.0; 3]), rates("loop-workers", &[101.0; 3]), rates("thread-each", &[50.0; 3])].concat();
    let contest = contest(&run(cells), Figure::Throughput);
    let Ending::Leaders { designs, next, .. } = &contest.ending else { panic!() };
    assert_eq!(
        (designs.as_slice(), next.as_str()),
        (["loop-workers".to_string(), "loop".to_string()].as_slice(), "thread-each")
    );
    assert_eq!(contest.ahead(), Ahead::One(Family::Loops));
}

#[test]
fn a_loop_and_a_pool_that_share_the_lead_are_a_tie_of_both_kinds() {
    let cells =
        [rates("loop", &[100.0; 3]), rates("pool-request", &[101.0; 3]), rates("thread-each", &[50.0; 3])].concat();
    assert_eq!(contest(&run(cells), Figure::Throughput).ahead(), Ahead::Both);
}

#[test]
fn points_in_a_row_with_the_same_leaders_are_one_sentence() {
    let mut cells = Vec::new();
    for (point, pool) in [(1.0, 120.0), (10.0, 140.0), (100.0, 101.0), (1000.0, 50.0)] {
        for round in 0..3 {
            let mut add = |design, rate| {
                cells.push(cell("W1", connections(point), design, "", round, super::invented::answering(rate)))
            };
            add("loop", 100.0);
            add("thread-each", pool);
        }
    }
    let run = run(cells);
    let best = Summary::of(&run, None).best;
    let line = lines(&best).into_iter().find(|line| line.figure == Figure::Throughput).unwrap();
    let sentences: Vec<String> =
        line.spans.iter().map(|span| format!("{}: {}", span.place(), span.outcome())).collect();
    assert_eq!(
        sentences,
        [
            "1 to 10 connections: thread-each: 20 to 40 % more than loop, the next",
            "100 connections: tie of all (the difference is below 5 %)",
            "1,000 connections: loop: 2× more than thread-each, the next",
        ]
    );
}

#[test]
fn a_quick_run_of_one_round_says_that_it_has_no_verdict() {
    let summary = Summary::of(&plausible(1, 1), None);
    assert!(tally(&summary.best).starts_with("No verdict"));
}

#[test]
fn a_figure_that_the_system_does_not_tell_is_not_judged() {
    let mut cells = [rates("loop", &[100.0; 3]), rates("thread-each", &[100.0; 3])].concat();
    change(&mut cells, |measured| measured.server = Default::default());
    let run = run(cells);
    assert_eq!(contest(&run, Figure::Memory).ending, Ending::Alone);
    assert_eq!(contest(&run, Figure::Cpu).ending, Ending::Alone);
}

#[test]
fn figures_have_three_digits_and_their_unit() {
    assert_eq!(shown::count(1_234_567.0), "1,234,567");
    assert_eq!(shown::count(999.7), "1,000");
    assert_eq!(shown::short(0.0), "0");
    assert_eq!(shown::short(9.999), "10");
    assert_eq!(shown::time(850.4), "850 µs");
    assert_eq!(shown::time(12_345.0), "12.3 ms");
    assert_eq!(shown::time(2_000_000.0), "2 s");
    assert_eq!(shown::bytes(3.5 * 1024.0 * 1024.0), "3.5 MiB");
    assert_eq!(shown::percent(0.0123), "1.2 %");
    assert_eq!(shown::time(f64::NAN), shown::NOTHING);
    assert_eq!(Figure::Throughput.ahead(1.25), "25 % more");
    assert_eq!(Figure::P99.ahead(1.25), "20 % less");
    assert_eq!(Figure::P99.ahead(4.0), "4× less");
}

#[test]
fn a_window_does_not_tell_apart_what_differs_by_less_than_is_under_way_at_its_ends() {
    // 16 clients, each request 100 ms of one CPU: shared in slices, all sixteen end in a window of which 14 fill one.
    let at = |latency: f64| {
        let mut cells = [rates("loop", &[10.0; 3]), rates("thread-each", &[11.4; 3])].concat();
        change(&mut cells, |measured| {
            measured.seconds = 1.4;
            measured.latency = super::invented::latency(latency, 1.0);
            measured.server.user = Some(1.4e6 / measured.rate);
        });
        run(cells)
    };
    for figure in [Figure::Throughput, Figure::Cpu] {
        assert_eq!(contest(&at(1_600_000.0), figure).ending, Ending::AllTied(Tie::Window));
        assert!(matches!(contest(&at(100_000.0), figure).ending, Ending::Leaders { .. }));
    }
    let silent = contest(&at(1_600_000.0), Figure::Throughput);
    assert_eq!((silent.ahead(), silent.ending.is_verdict()), (Ahead::Unknown, false));
}

#[test]
fn a_figure_that_one_who_answers_does_not_tell_is_not_judged() {
    let cells = || [rates("loop", &[600.0; 3]), rates("thread-each", &[200.0; 3]), rates("pool-request", &[300.0; 3])];
    let [mut first, second, mut third] = cells();
    change(&mut first, |measured| measured.server.user = Some(1.0));
    assert!(matches!(
        contest(&run([first.clone(), second.clone()].concat()), Figure::Cpu).ending,
        Ending::Leaders { .. }
    ));
    change(&mut third[1..2], |measured| measured.server.user = None);
    assert_eq!(
        contest(&run([first.clone(), second.clone(), third.clone()].concat()), Figure::Cpu).ending,
        Ending::Alone
    );
    // Who fails need not tell.
    change(&mut third, |measured| measured.timeouts = 100);
    assert!(matches!(contest(&run([first, second, third].concat()), Figure::Cpu).ending, Ending::Leaders { .. }));
}
