//! Adds up the numbers that are typed, one a line. Try: `seq 1000 | cargo run --example stdin`, or type some and Ctrl-D.

use oneloop::stdin;
use std::cell::Cell;
use std::rc::Rc;

fn main() -> std::io::Result<()> {
    env_logger::init();
    let sum = Rc::new(Cell::new(0));
    let total = sum.clone();
    stdin::lines(
        move |line| match line.trim().parse::<i64>() {
            Ok(number) => sum.set(sum.get() + number),
            Err(error) => eprintln!("{line:?} is not added: {error}"),
        },
        move || println!("the sum is {}", total.get()),
    );
    oneloop::run()
}
