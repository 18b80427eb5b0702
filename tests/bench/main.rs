//! How long the program takes, whole processes against named rivals, measured in the same run.
//!
//! `cargo bench` runs everything; `cargo bench -- check claim` only these; `--strict` fails where a target is missed;
//! `--pairs N` changes how often each pair is measured. `docs/performance.md` says what the figures mean.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a bench that can't go on should say where it stopped")]
#![allow(clippy::disallowed_methods, reason = "a bench starts processes and takes their time")]
#![allow(unreachable_pub, reason = "nothing outside sees a bench")]

mod check;
mod claim;
mod crowd;
mod edit;
mod fence;
mod machine;
mod measure;
mod sync;
mod workflow;

use measure::Report;
use std::process::ExitCode;

/// One bench: its name, and what runs it.
type Bench = (&'static str, fn(&mut Report));

const BENCHES: &[Bench] = &[
    ("check", check::run),
    ("claim", claim::run),
    ("edit", edit::run),
    ("fence", fence::run),
    ("crowd", crowd::run),
    ("sync", sync::run),
    ("workflow", workflow::run),
];

fn main() -> ExitCode {
    let (mut strict, mut pairs, mut chosen) = (false, None, Vec::new());
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        match word.as_str() {
            "--strict" => strict = true,
            "--pairs" => pairs = Some(words.next().and_then(|n| n.parse().ok()).expect("--pairs takes a number")),
            // Cargo adds this one by itself.
            "--bench" => {}
            name => chosen.push(BENCHES.iter().find(|(known, _)| *known == name).expect("no such bench")),
        }
    }
    if chosen.is_empty() {
        chosen.extend(BENCHES);
    }
    machine::build_as_installed();
    let mut report = Report::new(pairs);
    for (name, bench) in chosen {
        report.begin(name);
        bench(&mut report);
    }
    if report.end() || !strict { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
