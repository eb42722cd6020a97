//! All promises at once, by chance: the scenarios of the `simulator`, of which each seed is one.

// Its source, so that no other test has to wait until the member of the workspace is compiled.
#[path = "../../simulator/src/lib.rs"]
mod simulator;

use simulator::run;

#[test]
fn whatever_happens_all_is_answered_or_closed_with_a_reason_and_nothing_is_left() {
    let (mut connections, mut requests, mut finished, mut chained) = (0, 0, 0, 0);
    // `.ci/run` has 10,000 others.
    for seed in 1_000_000..1_000_016 {
        let outcome = run(seed, false);
        assert!(outcome.faults.is_empty(), "seed {seed}: {:#?}", outcome.faults);
        assert!(outcome.answered > 0 && outcome.time.as_secs() > 600);
        finished +=
            outcome.closes.iter().filter(|(reason, _)| *reason == "finished").map(|(_, count)| count).sum::<u64>();
        connections += outcome.connections;
        requests += outcome.requests;
        chained += outcome.chained;
    }
    assert!(connections >= 1_500 && requests > connections, "{requests} requests of {connections} connections");
    assert!(chained > 100 || cfg!(not(feature = "app")), "{chained} requests through chains of `app`");
    // Of one seed it may be none: where the only connection that the server may have waits for its answer for ever.
    assert!(finished > connections / 4, "{finished} of {connections} connections finished");
}

#[test]
fn the_same_seed_is_the_same_run_and_another_is_another() {
    let [first, again, other] = [7, 7, 8].map(|seed| run(seed, false).trace);
    assert_eq!(first, again);
    assert_ne!(first, other);
}
