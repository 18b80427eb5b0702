//! Asking whether a path is free.

use crate::{
    machine::{Machine, Repo, claimed, file},
    measure::{Report, Subject, in_pairs},
};
use std::process::Command;

const FEW: usize = 10;
const MANY: usize = 10_000;

pub fn run(report: &mut Report) {
    let machine = Machine::new();
    let (few, few_holder) = machine.repo_with_claims("few", FEW);
    let (many, many_holder) = machine.repo_with_claims("many", MANY);
    // What is asked about is most often a file that is there.
    for repo in [&few, &many] {
        repo.write(&free(), "text\n");
    }
    compare(report, "objects as they were written", &few, &many);
    let pairs = report.pairs(200);

    let path = free();
    let rival = &mut || rev_parse(&few);
    let held = pair(pairs, &mut || few.aio_command(Some(&few_holder), &["check", &claimed(3, FEW)]), rival);
    report.ratio("check of a path one holds, 10 claims / git rev-parse", &held, None);
    let many_held =
        pair(pairs, &mut || many.aio_command(Some(&many_holder), &["check", &claimed(3, MANY)]), &mut || {
            few.aio_command(Some(&few_holder), &["check", &claimed(3, FEW)])
        });
    report.ratio("check of a path one holds, 10,000 claims / 10 claims", &many_held, None);
    let through_git = pair(pairs, &mut || few.git_command(&["aio", "check", &path]), rival);
    report.ratio("`git aio check` through git, 10 claims / git rev-parse", &through_git, None);

    for repo in [&few, &many] {
        repo.git(&["gc", "-q"]);
        repo.age();
    }
    compare(report, "after git gc", &few, &many);
}

fn compare(report: &mut Report, condition: &str, few: &Repo, many: &Repo) {
    let pairs = report.pairs(200);
    report.note(condition);
    let against_git = pair(pairs, &mut || few.aio_command(None, &["check", &free()]), &mut || rev_parse(few));
    report.ratio("check, 10 claims / git rev-parse refs/aio/state", &against_git, Some(1.5));
    let ours = &mut || many.aio_command(None, &["check", &free()]);
    let growth = pair(pairs, ours, &mut || few.aio_command(None, &["check", &free()]));
    report.ratio("check, 10,000 claims / 10 claims", &growth, Some(1.2));
}

/// A path that nobody holds, in a folder in which others hold some, however many claims there are.
fn free() -> String {
    format!("{}x", file(5, FEW))
}

fn rev_parse(repo: &Repo) -> Command {
    repo.git_command(&["rev-parse", "refs/aio/state"])
}

fn pair(count: usize, ours: &mut dyn FnMut() -> Command, theirs: &mut dyn FnMut() -> Command) -> crate::measure::Pairs {
    let (mut nothing, mut nothing_either) = (|_| {}, |_| {});
    in_pairs(
        count,
        &mut Subject { name: "ours", make: &mut |_| ours(), after: &mut nothing },
        &mut Subject { name: "theirs", make: &mut |_| theirs(), after: &mut nothing_either },
    )
}
