//! Which design for which work, as HTML.

use super::escape;
use crate::results::workload_title;
use crate::summary::Summary;
use crate::summary::contest::{Ahead, Contest, Ending};
use crate::summary::designs::{DESIGNS, Family};
use crate::summary::figure::Figure;
use crate::summary::spans::{lines, place};
use std::fmt::Write;

/// The section.
pub fn section(html: &mut String, summary: &Summary) {
    html.push_str("<h2>Which design for which work</h2>\n");
    let _ = writeln!(html, "<p>{}</p>", escape(&tally(&summary.best)));
    html.push_str(
        "<p>A win needs three rounds, a difference greater than the spread of each of the two, the same side ahead in every \
         round, at least 5 % between the medians, and more than the ends of a window cut; everything else is a tie. Each figure \
         is judged alone.</p>\n",
    );
    with_another(html, summary);
    if !summary.best.iter().any(|contest| contest.ending.is_verdict()) {
        legend(html);
        return;
    }
    matrix(html, &summary.best);
    html.push_str("<h3>By design, each at its best</h3>\n");
    sentences(html, &summary.best);
    html.push_str("<details><summary>By design, with common defaults</summary>\n");
    sentences(html, &summary.defaults);
    html.push_str("</details>\n");
    legend(html);
}

/// How often which kind of design is ahead.
pub fn tally(contests: &[Contest]) -> String {
    let of = |ahead: Ahead| contests.iter().filter(|contest| contest.ahead() == ahead).count();
    let (loops, threads, both) = (of(Ahead::One(Family::Loops)), of(Ahead::One(Family::Threads)), of(Ahead::Both));
    let all = loops + threads + both;
    let only = of(Ahead::Only(Family::Loops)) + of(Ahead::Only(Family::Threads));
    if all + only == 0 {
        return "No verdict between event loops and threads: this run has too few rounds, or too few designs."
            .to_string();
    }
    let failed = match (of(Ahead::Only(Family::Loops)), of(Ahead::Only(Family::Threads))) {
        (0, 0) => String::new(),
        (loops, threads) => format!(
            " Besides, all designs of the other kind left over 1 % of the requests without a right answer where only event \
             loops did not ({loops}) or only threads ({threads})."
        ),
    };
    format!(
        "Event loops and threads were compared in {all} cases (a workload at a point, by one figure): event loops are ahead in \
         {loops}, threads in {threads}, and {both} are ties.{failed} The cases are not equally important: read the rows of your work."
    )
}

fn with_another(html: &mut String, summary: &Summary) {
    if !summary.with_another {
        return;
    }
    let count = summary.contradicted.len();
    if count == 0 {
        html.push_str("<p>A second run was held against this one, and contradicts none of its wins.</p>\n");
        return;
    }
    let _ = writeln!(
        html,
        "<details><summary>A second run contradicts {count} wins of pairs of this one: they count as ties.</summary><ul>"
    );
    for one in &summary.contradicted {
        let _ = writeln!(html, "<li>{}</li>", escape(&one.sentence()));
    }
    html.push_str("</ul></details>\n");
}

/// The workloads that have contests, in order.
pub fn workloads(contests: &[Contest]) -> Vec<&str> {
    let mut names: Vec<&str> = Vec::new();
    for contest in contests {
        if !names.contains(&contest.workload.as_str()) {
            names.push(&contest.workload);
        }
    }
    names
}

/// Event loop or threads, for each workload and figure.
fn matrix(html: &mut String, contests: &[Contest]) {
    html.push_str(
        "<h3>Event loop or threads</h3>\n<div class=\"scroll\"><table class=\"matrix\"><thead><tr><th>work</th>",
    );
    for figure in Figure::ALL {
        let _ = write!(html, "<th>{}</th>", figure.name().replace("CPU/", "CPU/<wbr>"));
    }
    html.push_str("</tr></thead><tbody>\n");
    for work in workloads(contests) {
        let _ = write!(
            html,
            "<tr><th scope=\"row\">{} <span class=\"soft\">{}</span></th>",
            escape(work),
            escape(workload_title(work))
        );
        for figure in Figure::ALL {
            let of = |contest: &&Contest| contest.workload == work && contest.figure == figure;
            let here: Vec<&Contest> = contests.iter().filter(of).collect();
            let _ = write!(html, "<td>{}</td>", family_cell(&here));
        }
        html.push_str("</tr>\n");
    }
    html.push_str("</tbody></table></div>\n<p class=\"soft\">");
    html.push_str("loop: one or more event loops. only: all of the other kind left over 1 % without a right answer. Numbers: at so many of the points. A tie is also where a loop and a pool share the lead. ");
    html.push_str("– : not comparable (not measured, the generator was the limit, or fewer than three rounds).</p>\n");
}

fn family_cell(contests: &[&Contest]) -> String {
    let of = |ahead: Ahead| contests.iter().filter(|contest| contest.ahead() == ahead).count();
    let counts = [
        ("loop", "f-loops", of(Ahead::One(Family::Loops))),
        ("threads", "f-threads", of(Ahead::One(Family::Threads))),
        ("tie", "f-tie", of(Ahead::Both)),
        ("only loop", "f-loops", of(Ahead::Only(Family::Loops))),
        ("only threads", "f-threads", of(Ahead::Only(Family::Threads))),
    ];
    let all: usize = counts.iter().map(|(.., count)| count).sum();
    let seen: Vec<String> = counts
        .iter()
        .filter(|(.., count)| *count > 0)
        .map(|(name, class, count)| {
            let count = if all > 1 { format!(" {count}") } else { String::new() };
            format!("<span class=\"{class}\">{name}{count}</span>")
        })
        .collect();
    if seen.is_empty() { "–".to_string() } else { seen.join(" ") }
}

/// A row for each workload and figure.
fn sentences(html: &mut String, contests: &[Contest]) {
    html.push_str("<div class=\"scroll\"><table class=\"verdicts\"><thead><tr><th>work</th><th>by</th><th>outcome</th></tr></thead><tbody>\n");
    let mut last = String::new();
    for line in lines(contests) {
        let first = line.workload != last;
        let _ = write!(html, "<tr{}><th scope=\"row\">", if first { " class=\"first\"" } else { "" });
        if first {
            let _ = write!(
                html,
                "{} <span class=\"soft\">{}</span>",
                escape(&line.workload),
                escape(workload_title(&line.workload))
            );
        }
        last.clone_from(&line.workload);
        let _ = write!(html, "</th><td>{}</td><td>", line.figure.name());
        for span in &line.spans {
            let _ =
                write!(html, "<div><span class=\"soft\">{}:</span> {}", escape(&span.place()), escape(&span.outcome()));
            let failing = span.failing();
            let all_fail = span.contests.iter().any(|contest| contest.ending == Ending::AllFail);
            if !failing.is_empty() && !all_fail {
                let _ = write!(
                    html,
                    " <span class=\"soft\">[out, over 1 % not answered rightly: {}]</span>",
                    escape(&failing.join(", "))
                );
            }
            html.push_str("</div>");
        }
        html.push_str("</td></tr>\n");
    }
    html.push_str("</tbody></table></div>\n");
    let alone: Vec<String> = contests
        .iter()
        .filter(|contest| contest.ending == Ending::Alone && contest.figure == Figure::Throughput)
        .map(|contest| format!("{} at {}", contest.workload, place(&contest.point)))
        .collect();
    if !alone.is_empty() {
        let _ =
            writeln!(html, "<p class=\"soft\">Fewer than two designs to compare: {}.</p>", escape(&alone.join("; ")));
    }
}

fn legend(html: &mut String) {
    html.push_str("<details><summary>The designs</summary><dl>\n");
    for design in &DESIGNS {
        let _ = writeln!(html, "<dt>{}</dt><dd>{} ({})</dd>", design.name, design.title, design.family.name());
    }
    html.push_str("</dl></details>\n");
}
