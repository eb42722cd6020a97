use super::Job;
use std::collections::VecDeque;

/// Jobs of the program that run at a time. libuv's default, and the reason for it holds here: blocking work, not a second way
/// to use all cores.
const THREADS: usize = 4;
/// Jobs of one lane that may wait, above those being done. Memory is bounded; who hands over more is told at once.
const QUEUE: usize = 1024;

/// Whose work a job is. Each lane has its own queue and its own bound on jobs that run at a time, so that none holds up
/// another: files are sent while the program's jobs wait for a database, and a dead resolver stops look-ups only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lane {
    /// What the program handed over with `worker::run`.
    Program,
    /// Files that the library reads, and what else it has to do away from the loop.
    Library,
    /// Host names. The resolver of the operating system may take many seconds, so that these have half as many threads as
    /// the others (the rule of libuv for slow work).
    LookUp,
}

const LANES: [Lane; 3] = [Lane::LookUp, Lane::Library, Lane::Program];

/// Which jobs wait, which may begin. No threads: those are the pool's, or none in the simulated world.
pub(super) struct Lanes([Queue; 3]);

struct Queue {
    waiting: VecDeque<Job>,
    /// Jobs that are being done.
    running: usize,
    /// How many may be.
    threads: usize,
    /// How many may wait, above those that may be done at once.
    bound: usize,
}

impl Queue {
    fn new(threads: usize) -> Queue {
        Queue { waiting: VecDeque::new(), running: 0, threads, bound: QUEUE }
    }

    /// Jobs that may begin now.
    fn startable(&self) -> usize {
        self.waiting.len().min(self.threads.saturating_sub(self.running))
    }
}

impl Default for Lanes {
    fn default() -> Lanes {
        Lanes([Queue::new(THREADS), Queue::new(THREADS), Queue::new(THREADS.div_ceil(2))])
    }
}

impl Lanes {
    /// For the program: so many threads and waiting jobs. The library's own lanes grow with them, but never shrink below the
    /// default: who wants one job at a time does not want one file at a time.
    pub fn configure(&mut self, threads: usize, queue: usize) {
        for lane in LANES {
            let (threads, bound) = match lane {
                Lane::Program => (threads.max(1), queue.max(1)),
                Lane::Library => (threads.max(THREADS), queue.max(QUEUE)),
                Lane::LookUp => (threads.max(THREADS).div_ceil(2), queue.max(QUEUE)),
            };
            let own = self.lane(lane);
            (own.threads, own.bound) = (threads, bound);
        }
    }

    fn lane(&mut self, lane: Lane) -> &mut Queue {
        let [program, library, look_up] = &mut self.0;
        match lane {
            Lane::Program => program,
            Lane::Library => library,
            Lane::LookUp => look_up,
        }
    }

    /// Takes a job in. Comes back where too many wait.
    pub fn add(&mut self, lane: Lane, job: Job) -> Result<(), Job> {
        let lane = self.lane(lane);
        // A job that may begin at once does not wait, even where no thread has taken it yet.
        if lane.running + lane.waiting.len() >= lane.threads + lane.bound {
            return Err(job);
        }
        lane.waiting.push_back(job);
        Ok(())
    }

    /// Takes back the job that was added last to this lane.
    pub fn take_back(&mut self, lane: Lane) -> Option<Job> {
        self.lane(lane).waiting.pop_back()
    }

    /// The next job that may begin; to be followed by [`Lanes::ended`] with the same lane. Where several lanes have one it is
    /// a look-up's: those are few and the shortest as a rule.
    pub fn begin(&mut self) -> Option<(Lane, Job)> {
        LANES.into_iter().find_map(|lane| {
            let own = self.lane(lane);
            if own.startable() == 0 {
                return None;
            }
            own.running += 1;
            own.waiting.pop_front().map(|job| (lane, job))
        })
    }

    pub fn ended(&mut self, lane: Lane) {
        self.lane(lane).running -= 1;
    }

    /// Jobs that may begin now.
    pub fn startable(&self) -> usize {
        self.0.iter().map(Queue::startable).sum()
    }

    /// Jobs that may run at a time: threads that there may be at most.
    pub fn threads(&self) -> usize {
        self.0.iter().map(|lane| lane.threads).sum()
    }

    /// Takes all that wait.
    pub fn clear(&mut self) -> Vec<Job> {
        self.0.iter_mut().flat_map(|lane| std::mem::take(&mut lane.waiting)).collect()
    }
}
