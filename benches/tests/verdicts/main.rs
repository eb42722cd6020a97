//! What the comparison makes of its figures: verdicts, contradictions, charts, the page.
//!
//! The program that measures has no test harness; its parts that only compute are compiled into this one.

#[path = "../../comparison/report/mod.rs"]
mod report;
#[path = "../../comparison/results/mod.rs"]
mod results;
#[path = "../../comparison/summary/mod.rs"]
mod summary;

mod charts;
mod contradictions;
mod invented;
mod pages;
mod rules;
