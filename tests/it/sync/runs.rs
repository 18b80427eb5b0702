//! Runs that travel: what others may see of them, what they said and did where that is wanted, and who goes on with one.

use super::{
    hostile::{Intruder, assert_decent},
    nearby::commands_of_sync,
};
use crate::{
    env::{Ended, Refs, TestEnvironment, ended, path_without_us, run},
    fake::{Agents, Do},
    hub::{Hub, Layout, Member, Way},
};
use serde_json::Value;
use std::{
    fs,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

fn plays(env: &TestEnvironment, acts: &[Do<'_>]) -> Agents {
    let agents = Agents::in_(env);
    agents.plays("claude", acts);
    agents
}

fn run_of(answer: &str) -> String {
    let answer: Value = serde_json::from_str(answer).unwrap_or_else(|error| panic!("{error}: {answer}"));
    answer["run"]["id"].as_str().unwrap().to_owned()
}

/// A delegation that is done: its run.
fn done(member: &Member<'_>) -> String {
    run_of(&member.ok(&["--json", "delegate", "Say what it is.", "-a", "claude"]))
}

/// One that waits for its caller.
fn waits(member: &Member<'_>, more: &[&str]) -> String {
    let words = [&["--json", "delegate", "Do it yourself.", "-a", "caller"], more].concat();
    let ended = member.aio(&words);
    assert_eq!(ended.code, 5, "{ended:?}");
    run_of(&ended.stdout)
}

fn tip(member: &Member<'_>, name: &str) -> String {
    member.repo.git(&["for-each-ref", "--format=%(objectname)", name]).trim().to_owned()
}

fn on_hub(hub: &Hub<'_>, name: &str) -> String {
    hub.git(&["for-each-ref", "--format=%(objectname)", name]).trim().to_owned()
}

fn shared(id: &str) -> String {
    format!("refs/aio/runs/{id}")
}

fn private(id: &str) -> String {
    format!("refs/aio-local/runs/{id}")
}

fn shown(member: &Member<'_>, id: &str) -> Value {
    let answer: Value = serde_json::from_str(&member.ok(&["--json", "run", "show", id])).unwrap();
    answer["run"].clone()
}

fn syncs_all(members: &[Member<'_>]) {
    members.iter().for_each(|member| drop(member.repo.git(&["config", "aio.syncRuns", "full"])));
}

/// A program of ours that drives a run. A test that fails leaves neither it nor its agent behind.
struct Driver(Option<Child>);

impl Driver {
    fn start(member: &Member<'_>, words: &[&str]) -> Driver {
        let mut command = member.repo.command(words);
        command.env("AIO_INSTANCE", &member.me).stdout(Stdio::piped()).stderr(Stdio::piped());
        Driver(Some(command.spawn().unwrap()))
    }

    fn end(mut self) -> Ended {
        ended(&self.0.take().unwrap().wait_with_output().unwrap())
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        if let Some(mut driver) = self.0.take() {
            // Asked to end, it ends its agent.
            let _ = Command::new("kill").arg(driver.id().to_string()).status();
            let _ = driver.wait();
        }
    }
}

fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < Duration::from_secs(60), "{what}");
        thread::sleep(Duration::from_millis(20));
    }
}

fn light_part_arrives(layout: Layout) {
    let env = TestEnvironment::new();
    plays(&env, &[Do::Say("A house.")]);
    let hub = Hub::with(&env, layout);
    let [one, two] = hub.two_in_step();
    let id = done(&one);
    let pushed = one.sync();
    assert_eq!((&pushed["runs_pushed"], &pushed["runs_received"]), (&1.into(), &0.into()), "{pushed}");
    let received = two.sync();
    assert_eq!((&received["runs_pushed"], &received["runs_received"]), (&0.into(), &1.into()), "{received}");
    assert_eq!(tip(&two, &shared(&id)), tip(&one, &shared(&id)));
    assert_eq!(tip(&two, "refs/aio-local/"), "", "what it said and did stays");
    assert_eq!(on_hub(&hub, "refs/aio-local/"), "");

    let there = shown(&two, &id);
    assert_eq!((&there["status"], &there["elsewhere"]), (&"complete".into(), &true.into()), "{there}");
    assert_eq!(shown(&one, &id)["elsewhere"], false);
    assert!(two.ok(&["run", "list"]).contains("elsewhere"));
    let refused = two.aio(&["run", "resume", &id]);
    assert_eq!(refused.code, 2, "it has ended: {}", refused.stderr);

    // There is nothing new after that, whoever looks.
    for member in [&one, &two] {
        for _ in 0..2 {
            let again = member.sync();
            assert_eq!((&again["runs_pushed"], &again["runs_received"]), (&0.into(), &0.into()), "{again}");
        }
    }
    if layout.way == Way::File && layout.clone_refs == Refs::Files {
        assert_eq!(commands_of_sync(&one), ["for-each-ref"]);
        assert_eq!(commands_of_sync(&two), ["for-each-ref"]);
        one.ok(&["claim", "src/main.rs"]);
        done(&one);
        assert_eq!(commands_of_sync(&one), ["for-each-ref", "push"], "all in one push");
        assert_eq!(commands_of_sync(&two), ["for-each-ref", "fetch"]);
        assert_eq!(commands_of_sync(&one), ["for-each-ref"]);
    }
    // It survives what git tidies up.
    two.repo.git(&["fetch", "-q", "--prune", "origin"]);
    two.repo.git(&["gc", "-q", "--prune=now"]);
    assert_eq!(shown(&two, &id)["status"], "complete");
}

#[test]
fn how_a_run_stands_is_seen_in_another_clone_and_what_it_said_is_not() {
    light_part_arrives(Layout::default());
}

#[test]
fn so_it_is_over_http() {
    light_part_arrives(Layout { way: Way::Http, ..Layout::default() });
}

#[test]
fn so_it_is_with_reftables() {
    light_part_arrives(Layout { hub_refs: Refs::Reftable, clone_refs: Refs::Reftable, ..Layout::default() });
}

#[test]
fn where_it_is_wanted_all_of_a_run_travels() {
    let env = TestEnvironment::new();
    plays(&env, &[Do::Edit("src/main.rs", "fn main() { work() }\n"), Do::Say("Done.")]);
    let hub = Hub::new(&env, Way::Http);
    let members = hub.two_in_step();
    syncs_all(&members);
    let [one, two] = &members;
    let words = ["--json", "delegate", "Call work.", "-a", "claude", "-s", "src/main.rs", "--verify", "true"];
    let id = run_of(&one.ok(&words));
    one.sync();
    two.sync();
    for name in [shared(&id), private(&id)] {
        assert_ne!(tip(one, &name), "", "{name}");
        assert_eq!(tip(two, &name), tip(one, &name), "{name}");
    }
    let spec = two.repo.git(&["show", &format!("{}:spec/delegation.json", private(&id))]);
    assert!(spec.contains("Call work."), "{spec}");
    assert!(two.ok(&["run", "diff", &id]).contains("+fn main() { work() }"));
    assert_eq!(shown(two, &id)["links"].as_array().unwrap().len(), 1, "the claim of its worker");

    // Turned off again, what was fetched is no longer asked for, and a sync has nothing to do all the same.
    two.repo.git(&["config", "--unset", "aio.syncRuns"]);
    for _ in 0..2 {
        two.sync();
    }
    assert_ne!(tip(two, &private(&id)), "", "what is here stays here");
}

#[test]
fn a_push_by_hand_takes_runs_along_and_a_fetch_by_hand_brings_them() {
    let env = TestEnvironment::new();
    plays(&env, &[Do::Say("A house.")]);
    let hub = Hub::new(&env, Way::File);
    let [one, two] = hub.two_in_step();
    let id = done(&one);
    one.repo.git(&["fetch", "-q", "origin", "refs/aio/*:refs/aio/*"]);
    let id_tip = tip(&one, &shared(&id));
    // What was replayed meanwhile is for a sync; runs go in any case.
    one.repo.try_git(&["push", "-q", "origin", "refs/aio/*"]);
    assert_eq!(on_hub(&hub, &shared(&id)), id_tip);
    two.repo.git(&["fetch", "-q", "origin", "refs/aio/runs/*:refs/aio/runs/*"]);
    assert_eq!(tip(&two, &shared(&id)), id_tip);
    for member in [&one, &two] {
        let synced = member.sync();
        assert_eq!((&synced["runs_pushed"], &synced["runs_received"]), (&0.into(), &0.into()), "{synced}");
    }
}

#[test]
fn what_was_let_go_of_does_not_come_back() {
    let env = TestEnvironment::new();
    plays(&env, &[Do::Say("A house.")]);
    let hub = Hub::new(&env, Way::File);
    let members = hub.two_in_step();
    let id = done(&members[0]);
    members[0].sync();
    members[1].sync();
    thread::sleep(Duration::from_millis(1100));
    for member in &members {
        member.ok(&["run", "prune", "--older-than", "0s", "--keep", "0"]);
        assert_eq!(tip(member, "refs/aio/runs/"), "");
    }
    let newer = done(&members[0]);
    for _ in 0..2 {
        members.iter().for_each(|member| drop(member.sync()));
    }
    for member in &members {
        assert_eq!((tip(member, &shared(&id)), tip(member, &shared(&newer)).is_empty()), (String::new(), false));
    }
    assert_ne!(on_hub(&hub, &shared(&id)), "", "the hub keeps it, for whoever wants it");
}

#[test]
fn without_the_private_part_no_run_is_taken_over() {
    let env = TestEnvironment::new();
    let hub = Hub::new(&env, Way::File);
    let members = hub.two_in_step();
    let id = waits(&members[0], &[]);
    members[0].sync();
    members[1].sync();
    for words in [&["run", "resume", &id][..], &["run", "answer", &id, "ok"]] {
        let refused = members[1].aio(words);
        assert_eq!(refused.code, 3, "{words:?}: {}", refused.stderr);
    }
    let refused = members[1].aio(&["run", "resume", &id]);
    assert!(refused.stderr.contains("aio.syncRuns"), "{}", refused.stderr);
    // One that only this clone wants to have, and its own doesn't send.
    members[1].repo.git(&["config", "aio.syncRuns", "full"]);
    let refused = members[1].aio(&["run", "resume", &id]);
    assert_eq!(refused.code, 3, "{}", refused.stderr);
    assert!(refused.stderr.contains("is not in this clone"), "{}", refused.stderr);
    let unnamed = members[1].aio(&["run", "resume"]);
    assert_eq!(unnamed.code, 2, "{}", unnamed.stderr);
    assert_eq!(shown(&members[0], &id)["status"], "waiting");
}

#[test]
fn of_two_clones_that_take_a_run_over_one_drives_it() {
    let env = TestEnvironment::new();
    let hub = Hub::new(&env, Way::Http);
    let [old, one, two] = ["old", "one", "two"].map(|name| hub.member(name, "claude"));
    let members = [old, one, two];
    members.iter().for_each(|member| drop(member.sync()));
    syncs_all(&members);
    let id = waits(&members[0], &[]);
    members.iter().for_each(|member| drop(member.sync()));
    let drivers = [&members[1], &members[2]].map(|member| Driver::start(member, &["run", "resume", &id]));
    let ends = drivers.map(Driver::end);
    let mut codes = [ends[0].code, ends[1].code];
    codes.sort_unstable();
    assert_eq!(codes, [3, 5], "{ends:?}");
    let late = ends.iter().find(|end| end.code == 3).unwrap();
    assert!(late.stderr.contains("was quicker"), "{}", late.stderr);

    for _ in 0..2 {
        members.iter().for_each(|member| drop(member.sync()));
    }
    let tips: Vec<String> = members.iter().map(|member| tip(member, &shared(&id))).collect();
    assert!(tips.iter().all(|tip| *tip == on_hub(&hub, &shared(&id))), "{tips:?}");
    assert_eq!(members.iter().filter(|member| shown(member, &id)["elsewhere"] == false).count(), 1);
    assert_eq!(shown(&members[0], &id)["elsewhere"], true);
    // Who has it goes on, and the others hear of it.
    let winner = &members[if ends[0].code == 5 { 1 } else { 2 }];
    winner.ok(&["run", "answer", &id, "ok", "done"]);
    winner.sync();
    members[0].sync();
    assert_eq!(shown(&members[0], &id)["status"], "complete");
    assert_eq!(members[0].aio(&["run", "answer", &id, "ok"]).code, 8, "it waits for nothing more");
}

#[test]
fn without_the_hub_no_run_is_taken_over() {
    let env = TestEnvironment::new();
    let hub = Hub::new(&env, Way::File);
    let members = hub.two_in_step();
    syncs_all(&members);
    let id = waits(&members[0], &[]);
    members[0].sync();
    members[1].sync();
    let before = tip(&members[1], &shared(&id));
    let away = hub.dir.with_extension("away");
    fs::rename(&hub.dir, &away).unwrap();
    let refused = members[1].aio(&["run", "resume", &id]);
    assert_eq!(refused.code, 7, "{}", refused.stderr);
    fs::rename(&away, &hub.dir).unwrap();
    // Nor one that it doesn't take.
    hub.hook("update", "case $1 in refs/aio/runs/*) exit 1;; esac");
    let refused = members[1].aio(&["run", "resume", &id]);
    assert_eq!(refused.code, 7, "{}", refused.stderr);
    assert_eq!(tip(&members[1], &shared(&id)), before);
    assert_eq!(shown(&members[1], &id)["elsewhere"], true);
}

#[test]
fn a_take_over_that_was_killed_is_settled_by_what_the_hub_has() {
    let env = TestEnvironment::new();
    let hub = Hub::new(&env, Way::File);
    let members = hub.two_in_step();
    syncs_all(&members);
    let id = waits(&members[0], &[]);
    members[0].sync();
    members[1].sync();
    members[1].killed_at("run-about-to-be-taken-over", &["run", "resume", &id]);
    members[1].sync();
    assert_eq!(shown(&members[1], &id)["elsewhere"], true, "the hub was not asked");
    members[1].killed_at("run-taken-over", &["run", "resume", &id]);
    members[1].sync();
    assert_eq!(shown(&members[1], &id)["elsewhere"], false, "the hub had taken it");
    members[0].sync();
    assert_eq!(shown(&members[0], &id)["elsewhere"], true);
    assert_eq!(members[1].aio(&["run", "resume", &id]).code, 5);
}

#[test]
fn commands_of_another_clone_are_run_when_a_person_has_seen_them() {
    let env = TestEnvironment::new();
    let hub = Hub::new(&env, Way::File);
    let members = hub.two_in_step();
    syncs_all(&members);
    let id = waits(&members[0], &["-s", "src/main.rs", "--verify", "touch \u{1b}[31mowned"]);
    members[0].sync();
    members[1].sync();
    for words in [&["run", "resume", &id][..], &["run", "resume", &id, "--yes"]] {
        let refused = members[1].aio(words);
        assert_eq!(refused.code, 3, "an agent can't say yes: {refused:?}");
        assert!(refused.stderr.contains("touch") && !refused.stderr.contains('\u{1b}'), "{refused:?}");
    }
    let asked = members[1].repo.aio(&["run", "resume", &id]);
    assert_eq!(asked.code, 3, "there is no terminal to ask on: {asked:?}");
    assert_eq!(shown(&members[1], &id)["elsewhere"], true);
    let resumed = members[1].repo.aio(&["run", "resume", &id, "--yes"]);
    assert_eq!(resumed.code, 5, "{resumed:?}");
    assert_eq!(shown(&members[1], &id)["elsewhere"], false);
}

fn old_driver_stops(is_heard_before: bool) {
    let env = TestEnvironment::new();
    let agents = plays(&env, &[Do::WaitFor("gate"), Do::Say("Done.")]);
    let hub = Hub::new(&env, Way::File);
    let members = hub.two_in_step();
    syncs_all(&members);
    let [one, two] = &members;
    let words = ["delegate", "Wait.", "-a", "claude,caller", "-s", "src/main.rs", "--no-verify"];
    let driver = Driver::start(one, &words);
    until("the agent is at work", || agents.calls("claude").len() == 1);
    one.sync();
    two.sync();
    let id = tip_name(two);
    // Where no agent is installed, it is the caller's turn: nobody waits for the gate there, whatever comes.
    let nowhere = env.path().join("nowhere");
    let resume = || {
        let mut resume = two.repo.command(&["run", "resume", &id]);
        run(resume.env("AIO_TEST_PATH", &nowhere).env("PATH", path_without_us()))
    };
    // However long that takes here, it is not long enough.
    two.repo.git(&["config", "aio.staleElsewhere", "1h"]);
    let refused = resume();
    assert_eq!(refused.code, 3, "{}", refused.stderr);
    assert!(refused.stderr.contains("signs of life"), "{}", refused.stderr);

    // It has been seen twice, and nothing came; that is as long as it takes from now on.
    two.repo.git(&["config", "aio.staleElsewhere", "0s"]);
    thread::sleep(Duration::from_millis(2100));
    two.repo.write("src/main.rs", "mine\n");
    let resumed = resume();
    assert_eq!(resumed.code, 5, "{resumed:?}");
    assert_eq!(shown(two, &id)["elsewhere"], false, "{resumed:?}");
    assert_eq!(fs::read_to_string(two.repo.dir.join("src/main.rs")).unwrap(), "mine\n", "nothing was put back here");
    assert_eq!(shown(two, &id)["steps"][0]["tries"][0]["failure"]["kind"], "lost");

    // On one machine, too, whoever goes on ends nothing that was started in another clone.
    assert_eq!(agents.calls("claude").len(), 1);
    two.sync();
    if is_heard_before {
        let synced = one.sync();
        assert_eq!(synced["overtaken"][0], id.as_str(), "{synced}");
    }
    one.repo.write("gate", "");
    let stopped = driver.end();
    if is_heard_before {
        assert_ne!(stopped.code, 0, "{stopped:?}");
        assert!(stopped.stderr.contains("taken over") || stopped.stderr.contains("recorded"), "{stopped:?}");
    } else {
        // It could not know, went on, and hears now; what it recorded is kept aside.
        let ours = tip(one, &shared(&id));
        let synced = one.sync();
        assert_eq!(synced["overtaken"][0], id.as_str(), "{synced}");
        assert_eq!(tip(one, &format!("refs/aio-local/overtaken/{id}")), ours);
    }
    one.sync();
    assert_eq!(tip(one, &shared(&id)), on_hub(&hub, &shared(&id)));
    assert_eq!(tip(one, &shared(&id)), tip(two, &shared(&id)));
    assert_eq!(shown(one, &id)["elsewhere"], true);
}

/// The only run that there is.
fn tip_name(member: &Member<'_>) -> String {
    let names = member.repo.git(&["for-each-ref", "--format=%(refname)", "refs/aio/runs/"]);
    names.trim().strip_prefix("refs/aio/runs/").unwrap_or_else(|| panic!("one run: {names}")).to_owned()
}

#[test]
fn a_driver_whose_run_was_taken_over_stops() {
    old_driver_stops(true);
}

#[test]
fn what_a_driver_did_before_it_heard_of_that_is_kept_aside() {
    old_driver_stops(false);
}

#[test]
fn a_host_that_takes_no_runs_takes_the_rest() {
    let env = TestEnvironment::new();
    plays(&env, &[Do::Say("A house.")]);
    let hub = Hub::new(&env, Way::File);
    let [one, _] = hub.two_in_step();
    hub.hook("update", "case $1 in refs/aio/runs/*) echo no runs; exit 1;; esac");
    done(&one);
    for _ in 0..2 {
        let synced = one.aio(&["sync"]);
        assert_eq!(synced.code, 0, "{}", synced.stderr);
        assert!(synced.stderr.contains("does not take"), "{}", synced.stderr);
    }
    assert_eq!(one.tip(), hub.tip());
    hub.hook("update", "exit 0");
    assert_eq!(one.sync()["runs_pushed"], 1);
}

/// A run by somebody who has git and nothing else: its record, and those of its steps by path.
fn forged(intruder: &Intruder<'_, '_>, record: &[u8], steps: &[(&str, &[u8])]) -> String {
    let mut entries = format!("100644 blob {}\trun.json\n", intruder.blob(record));
    for (at, (path, step)) in steps.iter().enumerate() {
        // Trees by hand: git's own index takes no such names.
        let mut inner = format!("100644 blob {}\t{}\n", intruder.blob(step), path.rsplit('/').next().unwrap());
        for folder in path.rsplit('/').skip(1) {
            inner = format!("040000 tree {}\t{folder}\n", intruder.fed(&["mktree"], inner.as_bytes()));
        }
        let name = if at == 0 { "steps".to_owned() } else { format!("steps{at}") };
        let tree = intruder.fed(&["mktree"], inner.as_bytes());
        entries += &format!("040000 tree {tree}\t{name}\n");
    }
    let tree = intruder.fed(&["mktree"], entries.as_bytes());
    intruder.fed(&["commit-tree", &tree], b"forged \x1b[31m\n")
}

#[test]
fn what_is_pushed_as_runs_by_hand_does_no_harm() {
    let env = TestEnvironment::new();
    plays(&env, &[Do::Say("A house.")]);
    let hub = Hub::new(&env, Way::File);
    let members = hub.two_in_step();
    syncs_all(&members);
    let [one, two] = &members;
    let good = done(one);
    one.sync();
    let intruder = Intruder { hub: &hub };
    let record = one.repo.git(&["show", &format!("{}:run.json", shared(&good))]);
    let step = one.repo.git(&["show", &format!("{}:steps/task.json", shared(&good))]);
    let here = fs::read_to_string(two.repo.dir.join(".git/aio/clone")).unwrap();
    let named = |n: u32| format!("delegation-180000000{}-{n:04x}", n % 10);
    let with = |n: u32, change: &dyn Fn(&mut Value)| {
        let mut value: Value = serde_json::from_str(&record).unwrap();
        value["id"] = named(n).into();
        change(&mut value);
        value.to_string()
    };
    let of = |n: u32| with(n, &|_| {});
    let huge = with(1, &|run| run["title"] = "x".repeat(70_000).into());
    let deep = of(2).replacen('{', &format!("{{\"more\":{}{},", "[".repeat(99), "]".repeat(99)), 1);
    let newer = with(8, &|run| run["schema"] = 9.into());
    let fake_driver = with(6, &|run| {
        run["driver"]["clone"] = here.trim().into();
        run["status"] = "waiting".into();
    });
    let titled = with(11, &|run| {
        run["title"] = "\u{1b}[31m\u{202e}Say".into();
        run["status"] = "waiting".into();
    });
    let mut escapes: Value = serde_json::from_str(&step).unwrap();
    escapes["files"] = serde_json::json!(["../../etc/passwd"]);
    let escapes = escapes.to_string();
    let bad: Vec<(String, String)> = [
        (named(1), forged(&intruder, huge.as_bytes(), &[])),
        (named(2), forged(&intruder, deep.as_bytes(), &[])),
        (named(3), forged(&intruder, record.as_bytes(), &[])),
        (named(4), forged(&intruder, of(4).as_bytes(), &[("task.json", escapes.as_bytes())])),
        (named(5), forged(&intruder, of(5).as_bytes(), &[("../../x.json", step.as_bytes())])),
        (named(6), forged(&intruder, fake_driver.as_bytes(), &[])),
        (named(7), forged(&intruder, b"{\"schema\":\"one\"}", &[])),
        (named(8), forged(&intruder, newer.as_bytes(), &[])),
        (named(9), intruder.blob(b"no commit")),
        (named(10), hub.git(&["rev-parse", "refs/heads/main"]).trim().to_owned()),
        ("UPPER-1-ffff".into(), hub.tip()),
        ("x/z/y".into(), hub.tip()),
    ]
    .into();
    for (name, oid) in &bad {
        hub.git(&["update-ref", &shared(name), oid]);
        hub.git(&["update-ref", &private(name), oid]);
    }
    let odd = forged(&intruder, titled.as_bytes(), &[("task.json", step.as_bytes())]);
    hub.git(&["update-ref", &shared(&named(11)), &odd]);
    // One that is in order goes on by somebody who is not its driver, and in no line with what is here.
    let beside = forged(&intruder, record.as_bytes(), &[]);

    for _ in 0..2 {
        let synced = two.aio(&["sync"]);
        assert_eq!(synced.code, 0, "{}", synced.stderr);
        assert_decent(&synced);
        assert!(synced.stderr.contains("can't be read"), "{}", synced.stderr);
    }
    for (name, _) in &bad {
        assert_eq!(tip(two, &shared(name)), "", "{name}");
        assert_eq!(tip(two, &private(name)), "", "{name}");
    }
    assert_eq!(tip(two, &shared(&named(11))), odd);
    assert_eq!(shown(two, &good)["status"], "complete");
    let words: [&[&str]; 5] = [
        &["run", "list"],
        &["run", "show", &named(11)],
        &["run", "log", "--events", &named(11)],
        &["status"],
        &["doctor"],
    ];
    for words in words {
        assert_decent(&two.aio(words));
    }
    let resumed = two.aio(&["run", "resume", &named(11)]);
    assert_decent(&resumed);
    assert_ne!(resumed.code, 0);

    let before = (tip(one, &shared(&good)), tip(two, &shared(&good)));
    hub.git(&["update-ref", &shared(&good), &beside]);
    for member in &members {
        assert_eq!(member.aio(&["sync"]).code, 0);
    }
    assert_eq!((tip(one, &shared(&good)), tip(two, &shared(&good))), before, "it only goes forward, and by its driver");
    // Work goes on.
    one.ok(&["claim", "src/main.rs"]);
    one.sync();
    two.sync();
    assert_eq!(one.claims(), two.claims());
}
