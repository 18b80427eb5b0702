//! Many processes that claim at once.

use crate::{
    machine::{Machine, Repo},
    measure::{Report, timed},
};
use std::{sync::Barrier, thread, time::Duration};

const CROWD: usize = 64;

pub fn run(report: &mut Report) {
    let machine = Machine::new();
    for (name, fsync) in [("aio.fsync=false", "false"), ("aio.fsync=true, the default", "true")] {
        let repo = machine.repo(&format!("crowd-{fsync}"));
        repo.git(&["config", "aio.fsync", fsync]);
        let instances: Vec<String> = (0..CROWD).map(|_| repo.register("codex")).collect();
        let before = commits(&repo, &[]);
        // All are granted, or `timed` says which was not.
        let times = at_once(&repo, &instances);
        report.slowest(&format!("64 processes claim distinct paths at once, {name}"), &times, Some(2000.0));
        let linear = commits(&repo, &["--merges"]) == 0 && commits(&repo, &["--first-parent"]) == before + CROWD;
        report.fact("all were granted, one commit each in one line", linear);
    }
}

fn at_once(repo: &Repo, instances: &[String]) -> Vec<Duration> {
    let start = Barrier::new(instances.len());
    thread::scope(|scope| {
        let claim = |(nth, instance): (usize, &String)| {
            let (start, instance) = (&start, instance.clone());
            scope.spawn(move || {
                let path = format!("src/part-{}/file-{nth}.rs", nth % 8);
                let mut command = repo.aio_command(Some(&instance), &["claim", "file", &path]);
                start.wait();
                timed("a claim", &mut command)
            })
        };
        let claims: Vec<_> = instances.iter().enumerate().map(claim).collect();
        claims.into_iter().map(|claim| claim.join().unwrap()).collect()
    })
}

fn commits(repo: &Repo, which: &[&str]) -> usize {
    let mut args = vec!["rev-list", "--count"];
    args.extend(which);
    args.push("refs/aio/state");
    repo.git(&args).trim().parse().unwrap()
}
