use std::collections::VecDeque;

/// A job for a thread. It delivers its result by itself.
pub(crate) type Job = Box<dyn FnOnce() + Send>;

/// How many jobs of the program run at a time. It is libuv's default, for the same reason: the pool is for blocking work,
/// not a second way to use all cores.
const THREADS: usize = 4;
/// How many jobs of one lane may wait, besides those that are running. This bounds memory; a caller that exceeds it gets an
/// error at once.
const QUEUE: usize = 1024;

/// The purpose of a job. Each lane has its own queue and its own limit of running jobs, so that no lane holds up another:
/// files are sent while the program's jobs wait for a database, and a dead resolver stops look-ups only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lane {
    /// Work that the program handed to `worker::run`.
    Program,
    /// Blocking work of the library, mostly reading files.
    Library,
    /// Look-ups of host names. The resolver of the operating system may take many seconds, so they have half as many
    /// threads as the others (libuv's rule for slow work).
    LookUp,
    /// Steps of TLS handshakes, which compute. They have half as many threads as the others, so that a crowd of clients leaves CPUs to
    /// the jobs of the program.
    Handshake,
}

const LANES: [Lane; 4] = [Lane::LookUp, Lane::Library, Lane::Program, Lane::Handshake];

/// Decides which jobs wait and which may begin. It has no threads: the pool has them, and the simulated world needs none.
pub(super) struct Lanes([Queue; 4]);

struct Queue {
    waiting: VecDeque<Job>,
    /// How many jobs are running.
    running: usize,
    /// How many jobs may run at a time.
    threads: usize,
    /// How many jobs may wait, besides those that may run.
    bound: usize,
}

impl Queue {
    fn new(threads: usize) -> Queue {
        Queue { waiting: VecDeque::new(), running: 0, threads, bound: QUEUE }
    }

    /// How many jobs may begin now.
    fn startable(&self) -> usize {
        self.waiting.len().min(self.threads.saturating_sub(self.running))
    }
}

impl Default for Lanes {
    fn default() -> Lanes {
        let half = THREADS.div_ceil(2);
        Lanes([Queue::new(THREADS), Queue::new(THREADS), Queue::new(half), Queue::new(half)])
    }
}

impl Lanes {
    /// Sets the numbers of threads and of waiting jobs of the program's lane. The library's own lanes grow with it, but never
    /// shrink below the default: a program that wants its jobs to run one at a time does not want files to be read one at a time.
    pub fn configure(&mut self, threads: usize, queue: usize) {
        for lane in LANES {
            let (threads, bound) = match lane {
                Lane::Program => (threads.max(1), queue.max(1)),
                Lane::Library => (threads.max(THREADS), queue.max(QUEUE)),
                Lane::LookUp | Lane::Handshake => (threads.max(THREADS).div_ceil(2), queue.max(QUEUE)),
            };
            let own = self.lane(lane);
            (own.threads, own.bound) = (threads, bound);
        }
    }

    fn lane(&mut self, lane: Lane) -> &mut Queue {
        let [program, library, look_up, handshake] = &mut self.0;
        match lane {
            Lane::Program => program,
            Lane::Library => library,
            Lane::LookUp => look_up,
            Lane::Handshake => handshake,
        }
    }

    /// Adds a job. Gives it back if too many wait.
    pub fn add(&mut self, lane: Lane, job: Job) -> Result<(), Job> {
        let lane = self.lane(lane);
        // A job that may begin at once does not count as waiting, even if no thread has taken it yet.
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

    /// Takes the next job that may begin. When it is done, call [`Lanes::ended`] with the same lane. If several lanes
    /// have such a job, look-ups go first: they are few and usually the shortest.
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

    /// How many jobs of all lanes may begin now.
    pub fn startable(&self) -> usize {
        self.0.iter().map(Queue::startable).sum()
    }

    /// How many jobs of all lanes may run at a time, which is also the largest number of threads.
    pub fn threads(&self) -> usize {
        self.0.iter().map(|lane| lane.threads).sum()
    }

    /// Takes all jobs that wait.
    pub fn clear(&mut self) -> Vec<Job> {
        self.0.iter_mut().flat_map(|lane| std::mem::take(&mut lane.waiting)).collect()
    }
}
