//! What a reader gets: the page and the terminal's table.

use super::invented::{plausible, rates, run};
use crate::report::{again, page, save, terminal};
use crate::results::{Outcome, Run};
use crate::summary::Summary;
use crate::summary::designs::DESIGNS;

fn page_of(run: &Run) -> String {
    page::page(run, &Summary::of(run, None))
}

#[test]
fn the_page_refers_to_nothing_outside_of_its_folder() {
    let page = page_of(&plausible(3, 1));
    for reference in page.split("href=\"").skip(1) {
        assert!(reference.starts_with("run.json\""), "{}", &reference[..40]);
    }
    for outside in ["src=", "url(", "@import", "<script", "<link", "<img", "<iframe", "<object", "<use", "xlink", "//"]
    {
        assert!(!page.contains(outside), "{outside}");
    }
}

#[test]
fn every_chart_has_a_title_two_labelled_axes_with_ticks_and_a_name_for_each_line() {
    let page = page_of(&plausible(3, 1));
    let charts: Vec<&str> = page.split("<svg").skip(1).map(|rest| rest.split("</svg>").next().unwrap()).collect();
    assert!(charts.len() >= 14, "{}", charts.len());
    for chart in charts {
        let title = chart.split("<title>").nth(1).unwrap();
        assert!(!title.starts_with("</title>"));
        assert_eq!(chart.matches("class=\"axis-label\"").count(), 2);
        assert!(chart.matches("class=\"tick\"").count() >= 4, "{title:.60}");
        assert_eq!(chart.matches("class=\"l\"").count(), chart.matches("class=\"name\"").count(), "{title:.60}");
    }
}

#[test]
fn the_five_charts_that_were_promised_come_first_and_for_wide_and_narrow_screens() {
    let page = page_of(&plausible(3, 1));
    let shown = page.split("<details><summary>").find(|part| part.contains("<h2>Charts</h2>")).unwrap();
    for title in [
        "throughput over connections",
        "latency by percentile at a fixed rate",
        "99th percentile of latency over offered load",
        "resident memory over connections",
        "CPU time per request over connections",
    ] {
        assert!(shown.contains(title), "{title}");
    }
    assert_eq!(page.matches("<svg class=\"wide\"").count(), page.matches("<svg class=\"narrow\"").count());
    assert!(page.contains("prefers-color-scheme: dark"));
}

#[test]
fn a_spectrum_is_shown_only_where_everyone_was_asked_at_the_same_rate() {
    let page = page_of(&plausible(3, 1));
    let spectra: Vec<&str> = page.split("<h3>").filter(|part| part.contains("by percentile at a fixed rate")).collect();
    assert_eq!(spectra.len(), 1);
    assert!(spectra[0].starts_with("W7 "));
}

#[test]
fn the_page_says_where_and_how_it_was_made_and_what_not_to_conclude() {
    let page = page_of(&plausible(3, 1));
    for part in ["Invented CPU", "0123456789ab+", "What not to conclude", "Method", "hyper: not installed", "Raw: "] {
        assert!(page.contains(part), "{part}");
    }
}

#[test]
fn text_from_the_figures_is_escaped_wherever_it_comes() {
    let evil = "<b x=\"1\" y='2'>&";
    let mut run = plausible(3, 1);
    run.notes.push(evil.to_string());
    for text in [
        &mut run.began,
        &mut run.mode,
        &mut run.command,
        &mut run.commit,
        &mut run.machine.description,
        &mut run.machine.compiler,
    ] {
        *text = evil.to_string();
    }
    for (at, cell) in run.cells.iter_mut().enumerate() {
        match at % 7 {
            0 => cell.design = evil.to_string(),
            1 => cell.variant = evil.to_string(),
            2 => cell.workload = evil.to_string(),
            3 => cell.point.name = evil.to_string(),
            4 => cell.point.unit = evil.to_string(),
            5 => cell.outcome = Outcome::Without(evil.to_string()),
            _ => {}
        }
    }
    let page = page_of(&run);
    assert!(!page.contains("<b") || page.matches("<b").count() == page.matches("<body").count());
    assert!(page.contains("&lt;b x=&quot;1&quot; y=&#39;2&#39;&gt;&amp;"));
}

#[test]
fn the_terminals_lines_have_120_columns_at_most() {
    let run = plausible(3, 1);
    let text = terminal::text(&run, &Summary::of(&run, Some(&plausible(3, 2))));
    for line in text.lines() {
        assert!(line.chars().count() <= 120, "{}: {line}", line.chars().count());
    }
    for design in DESIGNS {
        assert!(text.contains(design.name), "{}", design.name);
    }
    assert!(text.contains("not measurable here"));
}

#[test]
fn an_empty_run_and_one_without_proc_give_a_page_too() {
    page_of(&run(Vec::new()));
    let mut cells = rates("loop", &[100.0]);
    if let Outcome::Measured(measured) = &mut cells[0].outcome {
        measured.server = Default::default();
        measured.latency = Default::default();
        measured.rate = f64::NAN;
        measured.answers = 0;
    }
    let run = run(cells);
    let page = page_of(&run);
    assert!(!page.contains("NaN") && !page.contains("inf"), "{page}");
    assert!(terminal::text(&run, &Summary::of(&run, None)).contains("loop"));
}

/// Writes a page to look at, of the run that is in the folder, or of invented figures: not a test of anything.
#[test]
#[ignore = "writes a page into $VERDICTS_PAGE"]
fn a_page_to_look_at() {
    let folder = std::env::var("VERDICTS_PAGE").expect("VERDICTS_PAGE=FOLDER");
    if !std::path::Path::new(&folder).join("run.json").exists() {
        save(folder.as_ref(), &plausible(3, 1)).unwrap();
    }
    println!("{}", again(&[folder]).unwrap());
}
