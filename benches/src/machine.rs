//! What the operating system tells about processes, CPUs and limits.
//!
//! Everything is read from `/proc`, so the figures exist on Linux only; elsewhere the functions return `None` and the
//! reports show a dash. No figure is more exact than the kernel's clock tick ([`tick`], 10 ms on nearly every Linux): over
//! a window of six seconds that is a sixth of a percent.

use std::fs;
use std::net::{Ipv4Addr, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::thread;
use std::time::{Duration, Instant};

/// CPU time in seconds, split as the kernel splits it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct CpuTime {
    /// Spent in the process's own code.
    pub user: f64,
    /// Spent in the kernel for the process.
    pub system: f64,
}

impl CpuTime {
    /// Both parts together.
    pub fn total(self) -> f64 {
        self.user + self.system
    }

    /// The time that was used since `earlier`.
    pub fn since(self, earlier: CpuTime) -> CpuTime {
        CpuTime { user: self.user - earlier.user, system: self.system - earlier.system }
    }
}

/// The length of a clock tick in seconds: the unit of every time in `/proc`.
pub fn tick() -> f64 {
    static TICK: OnceLock<f64> = OnceLock::new();
    *TICK.get_or_init(|| {
        let asked = Command::new("getconf").arg("CLK_TCK").output().ok();
        let per_second = asked.and_then(|o| String::from_utf8_lossy(&o.stdout).trim().parse::<f64>().ok());
        1.0 / per_second.filter(|n| *n > 0.0).unwrap_or(100.0)
    })
}

/// The CPU time that all threads of a process, also those that have ended, have used so far.
pub fn cpu_time(pid: u32) -> Option<CpuTime> {
    // Fields 14 and 15 of proc_pid_stat(5).
    stat_times(&format!("/proc/{pid}/stat"), 14)
}

/// The CPU time of all children of this process that have ended and were waited for, including their own children.
pub fn children_time() -> Option<CpuTime> {
    // Fields 16 and 17 of proc_pid_stat(5).
    stat_times("/proc/self/stat", 16)
}

fn stat_times(path: &str, field: usize) -> Option<CpuTime> {
    let text = fs::read_to_string(path).ok()?;
    // The second field is the program's name in brackets, which may contain spaces; the third one follows the last bracket.
    let mut rest = text.rsplit_once(')')?.1.split_ascii_whitespace().skip(field - 3);
    let mut seconds = || Some(rest.next()?.parse::<u64>().ok()? as f64 * tick());
    Some(CpuTime { user: seconds()?, system: seconds()? })
}

/// The resident memory of a process in bytes. `smaps_rollup` is exact; `statm` is counted per CPU and lags behind.
pub fn resident_bytes(pid: u32) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?;
    let line = text.lines().find(|line| line.starts_with("Rss:"))?;
    Some(line.split_ascii_whitespace().nth(1)?.parse::<u64>().ok()? * 1024)
}

/// How many seconds a process's first thread was ready to run and had no CPU, because other processes had it.
pub fn waited_for_cpu(pid: u32) -> Option<f64> {
    ran_and_waited(&pid.to_string()).map(|(_, waited)| waited)
}

/// As [`waited_for_cpu`], for the calling thread; 0 if the system does not tell.
pub fn this_thread_waited_for_cpu() -> f64 {
    ran_and_waited("thread-self").map_or(0.0, |(_, waited)| waited)
}

/// How many seconds a thread ran, and how many it was ready to run and had no CPU.
fn ran_and_waited(thread: &str) -> Option<(f64, f64)> {
    let text = fs::read_to_string(format!("/proc/{thread}/schedstat")).ok()?;
    let mut nanos = text.split_ascii_whitespace().map(|word| word.parse::<u64>().ok());
    Some((nanos.next()?? as f64 / 1e9, nanos.next()?? as f64 / 1e9))
}

/// How many files a process has open.
pub fn open_descriptors(pid: u32) -> Option<usize> {
    Some(fs::read_dir(format!("/proc/{pid}/fd")).ok()?.count())
}

/// The times of one CPU (`None`: of all) in seconds since boot: (busy with processes, stolen by the hypervisor). The first
/// includes everything that processes are charged with, so that it is comparable with their [`cpu_time`]: see
/// [`interrupts_are_charged`].
pub fn cpu_use(cpu: Option<usize>) -> Option<(f64, f64)> {
    let name = cpu.map_or("cpu".to_string(), |n| format!("cpu{n}"));
    let text = fs::read_to_string("/proc/stat").ok()?;
    let line = text.lines().find(|line| line.split(' ').next() == Some(&name))?;
    let n: Vec<f64> = line.split_ascii_whitespace().skip(1).filter_map(|w| w.parse().ok()).collect();
    // The fields are user nice system idle iowait irq softirq steal: see proc_stat(5).
    let (&[user, nice, system, _idle, _iowait, irq, softirq, steal], _) = n.split_first_chunk::<8>()?;
    let interrupts = if interrupts_are_charged() { irq + softirq } else { 0.0 };
    Some(((user + nice + system + interrupts) * tick(), steal * tick()))
}

/// Returns whether a process's own time includes the interrupts that came while it ran. A Linux built with
/// `IRQ_TIME_ACCOUNTING` subtracts them, another does not; `/proc/stat` shows them apart in either case. It matters here
/// because bytes that a server sends over loopback are received in a soft interrupt during its own `send`.
///
/// It is found out once, within a few hundredths of a second: a thread sends to itself all the time, and then its own time
/// either is all the time that has passed, or lacks a good part of it.
pub fn interrupts_are_charged() -> bool {
    /// Several tries, because a CPU that is taken away for a moment, or a sleep, hides time. Nothing adds time.
    const TRIES: usize = 3;
    static CHARGED: OnceLock<bool> = OnceLock::new();
    *CHARGED.get_or_init(|| (0..TRIES).any(|_| share_of_talking().is_some_and(|share| share > 0.9)))
}

/// The share of some time, spent sending to itself over loopback, for which the kernel says that this thread ran or waited
/// for a CPU.
fn share_of_talking() -> Option<f64> {
    let talker = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).ok()?;
    talker.connect(talker.local_addr().ok()?).ok()?;
    talker.set_nonblocking(true).ok()?;
    let began = (Instant::now(), ran_and_waited("thread-self")?);
    while began.0.elapsed() < Duration::from_millis(20) {
        // Either call may have nothing to do; the loop tries again.
        let _ = talker.send(&[0; 64]);
        let _ = talker.recv(&mut [0; 64]);
    }
    let (elapsed, (ran, waited)) = (began.0.elapsed(), ran_and_waited("thread-self")?);
    Some((ran + waited - began.1.0 - began.1.1) / elapsed.as_secs_f64())
}

/// The numbers of the CPUs on which this process may run; if the system does not tell, all CPUs that it counts.
pub fn cpus() -> Vec<usize> {
    let listed = fs::read_to_string("/proc/self/status").ok().and_then(|text| {
        let line = text.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:"))?;
        parse_cpu_list(line.trim())
    });
    listed.unwrap_or_else(|| (0..thread::available_parallelism().map_or(1, |n| n.get())).collect())
}

/// Reads a list in the kernel's form: `0-3,8`.
fn parse_cpu_list(list: &str) -> Option<Vec<usize>> {
    let mut cpus = Vec::new();
    for part in list.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        cpus.extend(first.parse::<usize>().ok()?..=last.parse::<usize>().ok()?);
    }
    (!cpus.is_empty()).then_some(cpus)
}

/// How many files a process may open: (now, the most to which it may raise that). `None` is no limit, or not known.
pub fn open_files() -> (Option<u64>, Option<u64>) {
    let text = fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("Max open files")).unwrap_or_default();
    let mut words = line.split_ascii_whitespace().map(|word| word.parse().ok());
    (words.next().flatten(), words.next().flatten())
}

/// Looks for a program on the `PATH`.
pub fn find_program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(name)).find(|file| is_program(file))
}

#[cfg(unix)]
fn is_program(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    fs::metadata(file).is_ok_and(|m| m.is_file() && m.permissions().mode() & 0o111 != 0)
}

#[cfg(not(unix))]
fn is_program(file: &Path) -> bool {
    file.is_file()
}

/// The machine in one line, for the head of a report.
pub fn description() -> String {
    let cpu = fs::read_to_string("/proc/cpuinfo").ok();
    let model = cpu
        .as_deref()
        .and_then(|text| text.lines().find(|line| line.starts_with("model name"))?.split_once(": "))
        .map_or("CPU unknown", |(_, model)| model);
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    format!("{model}, {} CPUs, {} {}", cpus().len(), std::env::consts::OS, kernel.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpu_lists_are_read() {
        assert_eq!(parse_cpu_list("0-2,5"), Some(vec![0, 1, 2, 5]));
        assert_eq!(parse_cpu_list("3"), Some(vec![3]));
        assert_eq!(parse_cpu_list(""), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_process_can_be_looked_at() {
        let me = std::process::id();
        assert!(cpu_time(me).is_some());
        assert!(children_time().is_some());
        assert!(resident_bytes(me).unwrap() > 100_000);
        assert!(open_descriptors(me).unwrap() > 2);
        assert!(cpu_use(None).unwrap().0 > 0.0);
        assert!(open_files().0.unwrap() > 0);
    }

    /// If this failed, the use of a CPU by other processes (this figure minus what a server used) would come out too low.
    /// For all CPUs together, since nothing is pinned here.
    #[cfg(target_os = "linux")]
    #[test]
    fn a_process_that_talks_over_loopback_has_not_used_more_than_the_cpus_were_busy() {
        let me = std::process::id();
        let begun = Instant::now();
        // Some kernels also charge the time that the hypervisor took in between.
        let gone = || cpu_use(None).map(|(busy, stolen)| busy + stolen).unwrap();
        let before = (gone(), cpu_time(me).unwrap().total());
        while begun.elapsed() < Duration::from_secs(1) {
            share_of_talking().unwrap();
        }
        let busy = gone() - before.0;
        let used = cpu_time(me).unwrap().total() - before.1;
        // The kernel samples what a CPU was busy with, at some hundred ticks here.
        assert!(busy > 0.85 * used, "busy for {busy} s, of which this process had {used} s");
    }
}
