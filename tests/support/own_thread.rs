//! A loop of its own for each test: with one test thread the harness runs all tests on the same thread, and so on the
//! same loop.

/// Runs a test on a thread of its own. A panic in a callback fails it.
pub fn on_own_thread(test: impl FnOnce() + Send + 'static) {
    run(Box::new(test));
}

/// Not generic: what a thread needs would be compiled for each test.
fn run(test: Box<dyn FnOnce() + Send>) {
    let thread = std::thread::spawn(|| {
        oneloop::event_loop::set_panic_policy(oneloop::event_loop::PanicPolicy::Resume);
        test();
    });
    if let Err(panic) = thread.join() {
        std::panic::resume_unwind(panic);
    }
}
