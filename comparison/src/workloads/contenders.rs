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
pub fn designs(sizes: &[usize]) -> Vec<Contender> {
    let mut all = vec![threads("loop", None)];
    for design in ["pool-connection", "pool-request"] {
        all.extend(sizes.iter().map(|size| threads(design, Some(*size))));
    }
    all.push(threads("thread-each", None));
    all
}

/// A thread for each connection again, with a small stack: where there are many connections, in a full run.
pub fn small_stack(facts: &Facts) -> Option<Contender> {
    let small = Contender { variant: "stack=64k".into(), stack: Some(SMALL_STACK), ..threads("thread-each", None) };
    (facts.mode == Mode::Full).then_some(small)
}

/// These, and as many loops as the server has CPUs, which only shows anything where it has several.
pub fn loops_too(facts: &Facts, sizes: &[usize]) -> Vec<Contender> {
    let mut all = designs(sizes);
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

/// Servers of others that have these handlers.
pub fn references(facts: &Facts, needs: &[&str]) -> Vec<Contender> {
    let has = |reference: &Reference| needs.iter().all(|path| reference.serves.iter().any(|served| served == path));
    // Of one that is not installed nothing is known; it is told of where it has most to say.
    let able = |reference: &&Reference| if reference.installed { has(reference) } else { needs == ["/"] };
    let wanted = |reference: &&Reference| facts.mode == Mode::Full || IN_QUICK.contains(&reference.name.as_str());
    let contender = |reference: &Reference| Contender {
        outside: true,
        without: (!reference.installed).then(|| "not installed".to_string()),
        ..threads(&reference.name, reference.threads)
    };
    facts.references.iter().filter(able).filter(wanted).map(contender).collect()
}

/// The same where a quick run has none.
pub fn in_full(facts: &Facts, needs: &[&str]) -> Vec<Contender> {
    if facts.mode == Mode::Full { references(facts, needs) } else { Vec::new() }
}
