//! What a reader has to know before believing a figure.

/// How it was measured, in paragraphs.
pub const METHOD: [&str; 8] = [
    "The designs share the HTTP/1.1 codec, the handlers, the backlog, TCP_NODELAY and the deadlines; only what waits for sockets and \
     runs handlers differs. Outside references are whole servers of others: they show where all of this stands, and are not judged.",
    "Each server is a process of its own, started afresh for every figure, and the load comes from another process. On Linux the two \
     have different CPUs where there are enough.",
    "Closed loop: each connection sends its next request when it has the answer to the last; a slow server is asked less. Open loop: \
     requests are due at a fixed rate whatever the server does, and latency counts from when a request was due, so that a stall is \
     seen by every request that fell into it.",
    "Rounds are interleaved: every design is measured once before any is measured again, so that a machine that drifts drifts for \
     all. A figure is the median over the rounds; bars and spreads are the least and the most.",
    "Answers that are late, wrong or missing stand beside every figure. Who left more than 1 % of the requests without a right answer \
     wins nothing at that point, because its figures are those of a smaller load.",
    "Where the generator used up its CPU, or fell behind its own schedule, there is no verdict by answers per second or latency. CPU \
     time per request and memory are the server's own also then.",
    "A window of seconds cuts requests at both ends: where few long ones fill it, rates and CPU times per request that differ by less \
     than that are not told apart.",
    "Pools are shown at their best size, chosen for each point and figure after the fact, and at a common default of 200 threads, \
     which nobody had to choose.",
];

/// What not to conclude.
pub const PITFALLS: [&str; 8] = [
    "Nothing about networks. On loopback the sender's CPU does the receiver's work in the kernel, and a round trip takes microseconds: \
     real networks add latency that makes every connection idle most of its life.",
    "Nothing about more cores than the server had here. A design that uses one core by nature meets its limit there; one that uses \
     all of them pays for sharing, which few cores hide.",
    "Nothing about your handler. The work here is synthetic: it sleeps, or computes, or copies. Where a handler does much, the design \
     around it matters little.",
    "Not that memory is what a connection costs. Resident memory is the process's: the kernel holds buffers for each socket and a \
     stack for each thread on top of that, and stacks grow with what handlers call.",
    "Not that a tie means equal: it means that this run cannot tell. Nor that a win means much: look at how much.",
    "Not that closed-loop latencies are those of a service: a server that stops for a second delays one request of each connection, \
     and no more. For that look at the open-loop charts.",
    "Not from answers per second alone that a server is fast: look whether the generator was the limit, and at CPU time per request.",
    "Nothing from one run on a busy or a virtual machine. Run it twice and compare; a win that one contradicts is a tie.",
];
