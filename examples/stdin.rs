//! Adds up the numbers that are typed, one a line. Try: `seq 1000 | cargo run --example stdin`, or type some and Ctrl-D.

use oneloop::stdin;
use std::cell::Cell;
use std::io::Write;
use std::rc::Rc;

fn main() -> std::io::Result<()> {
    env_logger::Builder::from_env(env_logger::Env::default().default_filter_or("warn")).init();
    let sum = Rc::new(Cell::new(0));
    let total = sum.clone();
    stdin::lines(
        move |line| match line.trim().parse::<i64>() {
            Ok(number) => sum.set(sum.get() + number),
            Err(error) => log::warn!("{line:?} is not added: {error}"),
        },
        move || {
            // If the reader of standard output is gone (`… | true`), `println!` would panic.
            let _ = writeln!(std::io::stdout(), "the sum is {}", total.get());
        },
    );
    oneloop::run()
}
