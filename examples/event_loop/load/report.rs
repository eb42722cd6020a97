//! The results of a load, as the clients measured them.

use super::super::json;
use super::{Experiment, Plan};
use std::time::{Duration, Instant};

/// Waits of at least this length are drawn one by one,
const NOTABLE: Duration = Duration::from_millis(10);
/// but only this many, the longest.
const DRAWN: usize = 60;

/// One request of an ordinary client.
#[derive(Clone, Copy, Debug)]
pub struct Asked {
    pub at: Instant,
    pub took: Duration,
}

#[derive(Debug, Default)]
pub struct Report {
    pub clients: usize,
    pub asked: Vec<Asked>,
    pub failed: usize,
    /// When the trouble began and ended.
    pub trouble: Option<(Instant, Instant)>,
    /// How many connections the trouble made.
    pub made: usize,
    /// The text of the answer to the trouble's own request.
    pub answer: String,
    /// How many bytes the trouble received.
    pub received: u64,
}

impl Report {
    /// Writes it as JSON. Times are in microseconds; `at` is on the clock of the loop, which was zero at `zero`.
    pub fn to_json(&self, plan: Plan, zero: Instant, connections: usize, buffered: usize) -> String {
        let (began, ended) = self.trouble.unwrap_or((zero, zero));
        let (mut before, mut during) = (Vec::new(), Vec::new());
        for asked in &self.asked {
            if asked.at + asked.took < began {
                before.push(asked.took);
            } else if asked.at <= ended {
                during.push(*asked);
            }
        }
        before.sort_unstable();
        during.sort_unstable_by_key(|asked| asked.took);
        let took: Vec<Duration> = during.iter().map(|asked| asked.took).collect();
        let notable = during.iter().rev().take(DRAWN).filter(|asked| asked.took >= NOTABLE);
        let waits =
            notable.map(|asked| format!("[{},{}]", asked.at.duration_since(zero).as_micros(), asked.took.as_micros()));
        let mut fields = vec![
            format!("\"name\":{}", json::quoted(plan.experiment.name())),
            format!("\"on\":\"{}\"", if plan.on_pool { "pool" } else { "loop" }),
            format!("\"clients\":{}", self.clients),
            format!("\"asked\":{}", self.asked.len()),
            format!("\"failed\":{}", self.failed),
            format!("\"took\":{}", ended.duration_since(began).as_micros()),
            format!("\"began\":{}", began.duration_since(zero).as_micros()),
            format!("\"before\":{}", spread(&before)),
            format!("\"during\":{}", spread(&took)),
            format!("\"waits\":{}", json::list(waits)),
            format!("\"made\":{}", self.made),
            format!("\"received\":{}", self.received),
        ];
        if !plan.on_pool {
            fields.push(format!("\"connections\":{connections},\"buffered\":{buffered}"));
        }
        if let (Experiment::Ticks, Some((ticks, late))) = (plan.experiment, self.answer.trim().split_once(' ')) {
            let number = |text: &str| text.parse::<u64>().unwrap_or(0);
            fields.push(format!("\"ticks\":{},\"late\":{}", number(ticks), number(late)));
        }
        format!("{{{}}}", fields.join(","))
    }
}

/// The spread of sorted times.
fn spread(times: &[Duration]) -> String {
    let at = |share: f64| times.get(((times.len() as f64 * share) as usize).min(times.len().saturating_sub(1)));
    let micros = |time: Option<&Duration>| time.map_or(0, Duration::as_micros);
    let waited = times.iter().filter(|time| **time >= Duration::from_millis(50)).count();
    format!(
        "{{\"count\":{},\"p50\":{},\"max\":{},\"waited\":{waited}}}",
        times.len(),
        micros(at(0.5)),
        micros(times.last())
    )
}
