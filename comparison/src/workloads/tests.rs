use super::schedule::{Place, budget, cost, cut, order, places, position_cost};
use super::*;

fn facts(mode: Mode) -> Facts {
    let reference = |name: &str, serves: &[&str]| Reference {
        name: name.into(),
        installed: true,
        serves: serves.iter().map(|path| path.to_string()).collect(),
        threads: None,
    };
    let files =
        ["nginx", "apache-event", "apache-worker", "apache-prefork"].map(|name| reference(name, &["/", "/download"]));
    let all = ["hyper", "tiny_http"].map(|name| reference(name, &["/", "/wait", "/cpu", "/upload", "/download"]));
    let node = reference("node", &["/", "/wait", "/upload", "/download"]);
    Facts {
        mode,
        cpus: 2,
        server_cpus: 1,
        references: [&files[..], &all[..], &[node]].concat(),
        open_files: 20_000,
        threads: 30_000,
        ports: 28_000,
    }
}

fn total(workloads: &[Workload]) -> f64 {
    workloads.iter().flat_map(|workload| &workload.positions).map(position_cost).sum()
}

#[test]
fn there_are_ten_workloads_in_both_modes() {
    for mode in [Mode::Quick, Mode::Full] {
        let (workloads, notes) = list(&facts(mode));
        let names: Vec<String> = workloads.iter().map(|workload| workload.name.to_string()).collect();
        assert_eq!(names, (1..=10).map(|n| format!("W{n}")).collect::<Vec<_>>());
        assert!(workloads.iter().all(|workload| !workload.positions.is_empty()));
        assert!(notes.is_empty(), "{notes:?}");
    }
}

#[test]
fn three_rounds_fit_into_the_time_of_each_mode() {
    for mode in [Mode::Quick, Mode::Full] {
        let (workloads, _) = list(&facts(mode));
        let all = f64::from(schedule::ROUNDS) * total(&workloads);
        assert!(all < budget(mode), "{mode:?}: {all:.0} s");
    }
}

#[test]
fn one_server_cpu_leaves_every_design_but_those_over_several_cores() {
    let (workloads, _) = list(&facts(Mode::Full));
    for workload in &workloads {
        for position in &workload.positions {
            for contender in &position.contenders {
                let several = contender.design == "loops" || position.point.name == "server_cpus";
                assert_eq!(contender.without.is_some(), several, "{} {contender:?}", workload.name);
            }
        }
    }
    let (workloads, _) = list(&Facts { cpus: 8, server_cpus: 4, ..facts(Mode::Full) });
    let all = workloads.iter().flat_map(|workload| &workload.positions).flat_map(|position| &position.contenders);
    assert!(all.clone().all(|contender| contender.without.is_none()));
    let axis: Vec<f64> = workloads[0].positions.iter().filter_map(|at| at.server_cpus).map(|n| n as f64).collect();
    assert_eq!(axis, [2.0, 4.0]);
}

#[test]
fn what_the_limits_do_not_allow_is_cut_and_said() {
    let (workloads, notes) = list(&Facts { open_files: 4096, threads: 900, ..facts(Mode::Full) });
    let all = || workloads.iter().flat_map(|workload| &workload.positions);
    assert!(all().all(|position| position.stress.connections() < 4096));
    assert!(notes.iter().any(|note| note.starts_with("W1 connections = 10000: cut")), "{notes:?}");
    let each = all().filter(|position| position.stress.connections() > 900).flat_map(|position| &position.contenders);
    let mut each = each.filter(|contender| contender.design == "thread-each").peekable();
    assert!(each.peek().is_some() && each.all(|contender| contender.without.is_some()));
    let (_, notes) = list(&Facts { ports: 5000, ..facts(Mode::Full) });
    assert!(notes.iter().any(|note| note.contains("local ports")), "{notes:?}");
}

#[test]
fn too_long_a_plan_loses_points_by_rank_and_keeps_every_workload() {
    let (workloads, _) = list(&facts(Mode::Full));
    let all = places(&workloads);
    let costs = |place: Place| position_cost(&workloads[place.0].positions[place.1]);
    assert_eq!(cut(&workloads, costs, &all, f64::INFINITY), []);
    let gone = cut(&workloads, costs, &all, total(&workloads) * 0.8);
    let rank = |place: &Place| workloads[place.0].positions[place.1].rank;
    assert!(!gone.is_empty() && gone.windows(2).all(|pair| rank(&pair[0]) >= rank(&pair[1])), "{gone:?}");
    let left: f64 = all.iter().filter(|place| !gone.contains(place)).map(|place| costs(*place)).sum();
    assert!(left <= total(&workloads) * 0.8);
    let gone = cut(&workloads, costs, &all, 0.0);
    for (at, workload) in workloads.iter().enumerate() {
        assert!(all.iter().any(|place| place.0 == at && !gone.contains(place)), "{} is gone", workload.name);
    }
}

#[test]
fn a_full_run_on_a_slow_machine_still_has_its_rounds() {
    let (workloads, _) = list(&facts(Mode::Full));
    let rounds = f64::from(schedule::ROUNDS);
    let slow = |place: Place| 1.5 * rounds * position_cost(&workloads[place.0].positions[place.1]);
    let all = places(&workloads);
    let gone = cut(&workloads, slow, &all, budget(Mode::Full));
    let left: f64 = all.iter().filter(|place| !gone.contains(place)).map(|place| slow(*place)).sum();
    assert!(left <= budget(Mode::Full), "{left}");
}

#[test]
fn the_order_rotates_and_nobody_always_comes_first() {
    for count in 1..9 {
        for round in 0..4 {
            let mut sorted = order(count, round);
            sorted.sort_unstable();
            assert_eq!(sorted, (0..count).collect::<Vec<_>>());
        }
    }
    let first: Vec<usize> = (0..3).map(|round| order(5, round)[0]).collect();
    assert_eq!(first, [0, 0, 2]);
    assert!(order(0, 3).is_empty());
}

#[test]
fn nothing_is_spent_on_what_is_not_measured() {
    let (workloads, _) = list(&facts(Mode::Full));
    let position = &workloads[0].positions[0];
    let loops = position.contenders.iter().find(|contender| contender.design == "loops").unwrap();
    assert_eq!(cost(position, loops), 0.0);
}
