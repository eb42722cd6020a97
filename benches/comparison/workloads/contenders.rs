//! Who takes part.

use super::{Contender, Facts, Mode, Reference, SMALL_STACK};

/// CPUs from which on throughput over several cores can be measured: two for the server, and as many for the generator.
pub const MULTI_CORE: usize = 4;

/// The references of a quick run: the best known of each kind.
const IN_QUICK: [&str; 3] = ["nginx", "node", "hyper"];

/// Why a figure over several cores is missing here.
pub fn not_measurable(facts: &Facts) -> String {
    format!(
        "not measurable here: throughput over several cores needs {MULTI_CORE} CPUs, two of them the server's; there are {}, \
         {} of them the server's",
        facts.cpus, facts.server_cpus
    )
}

/// A design with so many threads, which are its variant.
pub fn threads(design: &str, threads: Option<usize>) -> Contender {
    Contender {
        design: design.into(),
        variant: threads.map_or(String::new(), |threads| format!("threads={threads}")),
        threads,
        stack: None,
        outside: false,
        path: None,
        without: None,
    }
}

/// The loop, both pools at these sizes, and a thread for each connection.
pub fn designs(facts: &Facts, sizes: &[usize]) -> Vec<Contender> {
    let mut all = vec![threads("loop", None)];
    for design in ["pool-connection", "pool-request"] {
        all.extend(sizes.iter().map(|size| threads(design, Some(*size))));
    }
    all.push(threads("thread-each", None));
    if facts.mode == Mode::Full {
        let small = Contender { variant: "stack=64k".into(), stack: Some(SMALL_STACK), ..threads("thread-each", None) };
        all.push(small);
    }
    all
}

/// These, and as many loops as the server has CPUs, which only shows anything where it has several.
pub fn loops_too(facts: &Facts, sizes: &[usize]) -> Vec<Contender> {
    let mut all = designs(facts, sizes);
    let several = facts.cpus >= MULTI_CORE && facts.server_cpus > 1;
    let without = (!several).then(|| not_measurable(facts));
    all.insert(1, Contender { without, ..threads("loops", Some(facts.server_cpus)) });
    all
}

/// One loop with its worker pool: at the library's default size, and at these.
pub fn on_the_worker_pool(sizes: &[usize]) -> Vec<Contender> {
    // The library's default, which it shares with libuv.
    let usual = Contender { variant: String::new(), ..threads("loop-workers", Some(4)) };
    std::iter::once(usual).chain(sizes.iter().map(|size| threads("loop-workers", Some(*size)))).collect()
}

/// Servers of others.
pub fn references(facts: &Facts) -> Vec<Contender> {
    let contender = |reference: &Reference| Contender {
        outside: true,
        without: (!reference.installed).then(|| "not installed".to_string()),
        ..threads(&reference.name, None)
    };
    // A quick run has time for few.
    let here = |reference: &&Reference| facts.mode == Mode::Full || IN_QUICK.contains(&reference.name.as_str());
    facts.references.iter().filter(here).map(contender).collect()
}

/// Those that can do what our handlers do.
pub fn able_references(facts: &Facts) -> Vec<Contender> {
    let able = facts.references.iter().filter(|reference| reference.handlers && facts.mode == Mode::Full);
    references(&Facts { references: able.cloned().collect(), ..facts.clone() })
}
