//! What the comparison makes of its figures: verdicts, contradictions, charts, the page.

mod charts;
mod contradictions;
mod invented;
mod pages;
mod rules;
