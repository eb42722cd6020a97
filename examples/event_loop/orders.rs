//! The orders that the page's buttons give.

use super::load::{Experiment, Plan};
use super::{Demo, json, pool, site};
use oneloop::http::Response;

/// What the page has to know in advance.
pub fn experiments(demo: &Demo) -> String {
    let names = Experiment::ALL.iter().map(|experiment| {
        format!("{{\"name\":{},\"pool\":{}}}", json::quoted(experiment.name()), experiment.is_for_pool())
    });
    format!(
        "{{\"loop\":{},\"pool\":{},\"threads\":{},\"experiments\":{}}}",
        demo.on_loop.port(),
        demo.on_pool.port(),
        pool::THREADS,
        json::list(names)
    )
}

/// Runs an experiment, and answers with its results when it is over.
pub fn run(demo: &Demo, name: &str, on_pool: bool, res: Response) {
    let experiment = Experiment::ALL.iter().find(|experiment| experiment.name() == name);
    let Some(experiment) = experiment.copied().filter(|experiment| !on_pool || experiment.is_for_pool()) else {
        res.set_status(404).end("There is no such experiment.\n");
        return;
    };
    let plan = Plan { experiment, target: if on_pool { demo.on_pool } else { demo.on_loop }, on_pool };
    let kept = res.clone();
    let begun = demo.loads.run(plan, move |report| site::json(&res, report));
    if !begun {
        kept.set_status(409).end("another experiment is running.\n");
    }
}
