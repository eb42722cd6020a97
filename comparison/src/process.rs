//! What a server uses, from `/proc`: its process, and those that it has started. Elsewhere nothing is known.

use oneloop_benches::machine::{self, CpuTime};
use std::collections::BTreeMap;
use std::fs;

/// The processes of a server. Those of this library have one; some of the outside have several.
#[derive(Clone, Debug)]
pub struct Family(Vec<u32>);

/// Counters at one moment.
#[derive(Clone, Debug, Default)]
pub struct Counters {
    /// Of all threads, ended ones included.
    pub cpu: Option<CpuTime>,
    /// Voluntary and other context switches of each thread that is there.
    switches: BTreeMap<u32, (u64, u64)>,
}

impl Family {
    /// One process.
    pub fn single(pid: u32) -> Family {
        Family(vec![pid])
    }

    /// A process with its children and theirs, as they are now.
    pub fn of(pid: u32) -> Family {
        let parents: Vec<(u32, u32)> = numbers("/proc").filter_map(|child| Some((child, parent(child)?))).collect();
        let mut pids = vec![pid];
        let mut at = 0;
        while let Some(parent) = pids.get(at).copied() {
            pids.extend(parents.iter().filter(|(_, of)| *of == parent).map(|(child, _)| *child));
            at += 1;
        }
        Family(pids)
    }

    /// Returns whether it is more than one process.
    pub fn has_several(&self) -> bool {
        self.0.len() > 1
    }

    /// The counters now.
    pub fn counters(&self) -> Counters {
        let times = self.0.iter().filter_map(|pid| machine::cpu_time(*pid));
        let cpu = times.reduce(|a, b| CpuTime { user: a.user + b.user, system: a.system + b.system });
        let tasks = self.0.iter().flat_map(|pid| numbers(&format!("/proc/{pid}/task")).map(move |task| (*pid, task)));
        let switches = tasks.filter_map(|(pid, task)| {
            let text = fs::read_to_string(format!("/proc/{pid}/task/{task}/status")).ok()?;
            Some((task, (field(&text, "voluntary_ctxt_switches:")?, field(&text, "nonvoluntary_ctxt_switches:")?)))
        });
        Counters { cpu, switches: switches.collect() }
    }

    /// Threads that are there.
    pub fn threads(&self) -> Option<u64> {
        let all: u64 = self.0.iter().map(|pid| numbers(&format!("/proc/{pid}/task")).count() as u64).sum();
        (all > 0).then_some(all)
    }

    /// Resident memory in bytes. What several processes share is counted once (`Pss`).
    pub fn resident(&self) -> Option<u64> {
        let name = if self.0.len() == 1 { "Rss:" } else { "Pss:" };
        let of = |pid: &u32| field(&fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?, name);
        self.0.iter().map(|pid| of(pid).map(|kib| kib * 1024)).sum()
    }
}

impl Counters {
    /// CPU time since `earlier`.
    pub fn cpu_since(&self, earlier: &Counters) -> Option<CpuTime> {
        Some(self.cpu?.since(earlier.cpu?))
    }

    /// Context switches since `earlier`, voluntary and not; `None` where threads have ended, since theirs are lost.
    pub fn switches_since(&self, earlier: &Counters) -> Option<(u64, u64)> {
        if self.switches.is_empty() || earlier.switches.keys().any(|task| !self.switches.contains_key(task)) {
            return None;
        }
        let mut all = (0, 0);
        for (task, (voluntary, forced)) in &self.switches {
            let (before_voluntary, before_forced) = earlier.switches.get(task).copied().unwrap_or_default();
            all.0 += voluntary.saturating_sub(before_voluntary);
            all.1 += forced.saturating_sub(before_forced);
        }
        Some(all)
    }
}

/// The number behind a name, at the beginning of a line.
fn field(text: &str, name: &str) -> Option<u64> {
    let rest = text.lines().find_map(|line| line.strip_prefix(name))?;
    rest.split_ascii_whitespace().next()?.parse().ok()
}

/// The entries of a folder whose names are numbers.
fn numbers(folder: &str) -> impl Iterator<Item = u32> + use<> {
    let entries = fs::read_dir(folder).into_iter().flatten();
    entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
}

fn parent(pid: u32) -> Option<u32> {
    field(&fs::read_to_string(format!("/proc/{pid}/status")).ok()?, "PPid:").map(|parent| parent as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn switches_of_threads_that_ended_are_not_guessed() {
        let counters = |all: &[(u32, (u64, u64))]| Counters { cpu: None, switches: all.iter().copied().collect() };
        let before = counters(&[(1, (10, 1)), (2, (5, 0))]);
        assert_eq!(counters(&[(1, (13, 1)), (2, (6, 2)), (3, (4, 0))]).switches_since(&before), Some((8, 2)));
        assert_eq!(counters(&[(1, (13, 1))]).switches_since(&before), None);
        assert_eq!(Counters::default().switches_since(&Counters::default()), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_process_with_its_children_is_looked_at() {
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let family = Family::of(std::process::id());
        assert!(family.0.contains(&child.id()));
        assert!(family.threads().unwrap() >= 2 && family.resident().unwrap() > 100_000);
        assert!(family.counters().cpu.is_some() && !family.counters().switches.is_empty());
        child.kill().unwrap();
        child.wait().unwrap();
    }
}
