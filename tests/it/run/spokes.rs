//! Spokes: drivers that draw from one queue, do each task, and hand it to the hub.

use super::*;
use crate::hub::{Hub, Member, Way};

const REVIEW: &str = "A spoke has handed this task in";

const ACCEPT: &[Do<'_>] = &[Do::Say(r#"{"verdict":"accept","why":"it is as it should be"}"#)];

/// Puts a task into the queue, whose file is to hold its name in the end, and says what is played for it.
fn put(repo: &Repo<'_>, agents: &Agents, id: &str) {
    let file = format!("work/{id}.txt");
    repo.ok(&["tasks", "new", &format!("write the file of {id}."), "--id", id, "--path", &file]);
    agents.plays_when("claude", &format!("the file of {id}."), &[Do::Edit(&file, id), Do::Say("Written.")]);
}

/// The state of each task, and who has done it.
fn tasks(repo: &Repo<'_>) -> BTreeMap<String, String> {
    let (told, _) = answer(&repo.aio(&["tasks", "list", "--all", "--json"]));
    let tasks = told["tasks"].as_array().unwrap_or_else(|| panic!("{told:#}"));
    let word = |value: &Value| value.as_str().unwrap().to_owned();
    tasks.iter().map(|task| (word(&task["id"]), word(&task["state"]))).collect()
}

fn count(repo: &Repo<'_>, begins: &str) -> usize {
    repo.git(&["log", "--format=%s", "refs/aio/state"]).lines().filter(|line| line.starts_with(begins)).count()
}

#[test]
fn a_driver_does_all_that_is_ready_and_ends() {
    let env = TestEnvironment::new();
    let (agents, repo) = place(&env, &[]);
    agents.plays_when("claude", REVIEW, ACCEPT);
    ["one", "two"].iter().for_each(|id| put(&repo, &agents, id));
    repo.ok(&[
        "tasks",
        "new",
        "write the file of three.",
        "--id",
        "three",
        "--path",
        "work/three.txt",
        "--needs",
        "two",
    ]);
    agents.plays_when("claude", "the file of three.", &[Do::Edit("work/three.txt", "three"), Do::Say("Written.")]);
    let (told, code) = told(&repo, &["spokes"]);
    assert_eq!((code, status(&told)), (0, "complete"), "{told:#}");
    assert!(tasks(&repo).values().all(|state| state == "done"), "{:?}", tasks(&repo));
    assert_eq!(agents.calls("claude").len(), 6, "each done once, and looked at once");
    assert_eq!(repo.git(&["log", "--format=%s", "-3"]).lines().next().unwrap(), "write the file of three.");
    assert_eq!(repo.git(&["status", "--short"]), "");
    let (handed, _) = answer(&repo.aio(&["handoff", "list", "--json"]));
    for handoff in handed["handoffs"].as_array().unwrap() {
        let by = handoff["settled_by"].as_str().unwrap_or_else(|| panic!("{handoff:#}"));
        assert_eq!((&handoff["state"], &handoff["to"]), (&"done".into(), &"hub".into()), "{handoff:#}");
        assert!(by.starts_with("hub-") && handoff["from"] != by, "{handoff:#}");
    }
    let (who, _) = answer(&repo.aio(&["status", "--json"]));
    let gone = who["instances"].as_array().unwrap().iter().all(|one| one["tool"] != "hub");
    assert!(gone, "{who:#}");
    let (status, _) = answer(&repo.aio(&["status", "--json"]));
    assert_eq!(status["claims"].as_array().unwrap().len(), 0, "{status:#}");
}

#[test]
fn what_the_hub_declines_is_done_again_and_what_comes_to_nothing_waits_for_it() {
    let env = TestEnvironment::new();
    let (agents, repo) = place(&env, &[]);
    agents.plays_when("claude", REVIEW, &[Do::Say(r#"{"verdict":"decline","why":"a line is missing"}"#)]);
    agents.plays_when("claude", REVIEW, ACCEPT);
    put(&repo, &agents, "one");
    repo.ok(&["tasks", "new", "cannot be done", "--id", "odd", "--priority", "4"]);
    agents.plays_when("claude", "cannot be done", &[Do::Error("overloaded"), Do::Exit(1)]);
    let (told, code) = told(&repo, &["spokes"]);
    assert_eq!((code, status(&told)), (0, "complete"), "{told:#}");
    let prompts: Vec<String> = agents.calls("claude").into_iter().map(|call| call.prompt).collect();
    assert!(prompts[2].contains("the hub declined it:\na line is missing"), "{}", prompts[2]);
    assert_eq!((&tasks(&repo)["one"][..], &tasks(&repo)["odd"][..]), ("done", "held"));
    let (waiting, _) = answer(&repo.aio(&["handoff", "list", "--json"]));
    let open: Vec<&Value> =
        waiting["handoffs"].as_array().unwrap().iter().filter(|handoff| handoff["state"] == "open").collect();
    assert_eq!((open.len(), &open[0]["title"]), (1, &"cannot be done".into()), "{waiting:#}");
}

#[test]
fn what_is_declined_twice_is_left_to_a_person_and_the_next_gets_its_turn() {
    let env = TestEnvironment::new();
    let (agents, repo) = place(&env, &[]);
    let file = ["write the file of one.", "write the file of two."];
    put(&repo, &agents, "one");
    put(&repo, &agents, "two");
    let decline = [Do::Say(r#"{"verdict":"decline","why":"a line is missing"}"#)];
    agents.plays_when("codex", file[0], &decline);
    agents.plays_when("codex", file[1], ACCEPT);
    let (told, code) = told(&repo, &["spokes", "-i", "hub=codex/reviewer"]);
    assert_eq!((code, status(&told)), (0, "complete"), "{told:#}");
    let done = agents.calls("claude").iter().filter(|call| call.prompt.contains(file[0])).count();
    assert_eq!(done, 2, "{told:#}");
    assert_eq!((&tasks(&repo)["one"][..], &tasks(&repo)["two"][..]), ("held", "done"));
    let (handed, _) = answer(&repo.aio(&["handoff", "list", "--json"]));
    let handoffs = handed["handoffs"].as_array().unwrap();
    let open: Vec<&Value> = handoffs.iter().filter(|handoff| handoff["state"] == "open").collect();
    assert_eq!((open.len(), &open[0]["title"]), (1, &file[0].into()), "{handed:#}");
    let hubs = answer(&repo.aio(&["status", "--json"])).0;
    assert!(hubs["instances"].as_array().unwrap().iter().all(|one| one["tool"] != "hub"), "{hubs:#}");
    // The work is there for whoever decides.
    assert_eq!(fs::read_to_string(repo.dir.join("work/one.txt")).unwrap(), "one");
    let open = open[0]["id"].as_str().unwrap();
    repo.ok(&["--as", repo.ok(&["register", "hub"]).trim(), "handoff", "accept", "--force", open]);
}

/// Two clones with the same queue, whose configurations are approved.
fn two<'e>(env: &'e TestEnvironment, jobs: &[&str]) -> (Agents, Hub<'e>, [Member<'e>; 2]) {
    let hub = Hub::new(env, Way::File);
    let agents = Agents::in_(env);
    agents.plays_when("claude", REVIEW, ACCEPT);
    let members = hub.two_in_step();
    for member in &members {
        member.repo.write(".aio/config.toml", "[verify]\ntest = \"sh check.sh\"\n");
        member.repo.write("check.sh", CHECK);
        member.repo.ok(&["trust", "--yes", "--quiet"]);
    }
    jobs.iter().for_each(|job| put(&members[0].repo, &agents, job));
    members.iter().for_each(|member| drop(member.sync()));
    (agents, hub, members)
}

fn assert_each_done_once(agents: &Agents, hub: &Hub<'_>, members: &[Member<'_>; 2], jobs: &[&str], at_most: usize) {
    members.iter().chain(members).for_each(|member| drop(member.sync()));
    for job in jobs {
        assert_eq!(count(&hub.repo(), &format!("finish-task: {job} by")), 1, "{job}");
        let commits = members.iter().map(|member| {
            let log = member.repo.git(&["log", "--format=%s"]);
            log.lines().filter(|line| *line == format!("write the file of {job}.")).count()
        });
        assert_eq!(commits.sum::<usize>(), 1, "{job} is committed in one of the clones");
        let calls = agents.calls("claude");
        let asked = |call: &&crate::fake::Call| {
            call.prompt.contains(&format!("the file of {job}.")) && !call.prompt.contains(REVIEW)
        };
        let asked = calls.iter().filter(asked).count();
        assert!((1..=at_most).contains(&asked), "{job} was asked for {asked} times");
    }
    for member in members {
        assert!(tasks(&member.repo).values().all(|state| state == "done"), "{:?}", tasks(&member.repo));
    }
    hub.assert_linear();
}

#[test]
fn two_drivers_in_two_clones_do_every_task_once() {
    const JOBS: [&str; 6] = ["a", "b", "c", "d", "e", "f"];
    let env = TestEnvironment::new();
    let (agents, hub, members) = two(&env, &JOBS);
    thread::scope(|scope| {
        for member in &members {
            scope.spawn(|| {
                let (told, code) = told(&member.repo, &["spokes"]);
                assert_eq!((code, status(&told)), (0, "complete"), "{told:#}");
            });
        }
    });
    assert_each_done_once(&agents, &hub, &members, &JOBS, 1);
}

#[test]
fn a_driver_that_is_killed_and_resumed_goes_on_with_its_own_task() {
    const JOBS: [&str; 4] = ["a", "b", "c", "d"];
    for kill in ["run-after-4", "run-before-9", "run-after-13"] {
        let env = TestEnvironment::new();
        let (agents, hub, members) = two(&env, &JOBS);
        let [one, two] = &members;
        thread::scope(|scope| {
            scope.spawn(|| {
                let killed = run(one.repo.command(&["run", "spokes"]).env("AIO_TEST_KILL_AT", kill));
                assert_eq!(killed.code, 128 + 9, "{kill}: {killed:?}");
                let (told, code) = answer(&one.repo.aio(&["run", "resume", "--json"]));
                assert_eq!((code, status(&told)), (0, "complete"), "{kill}: {told:#}");
            });
            scope.spawn(|| {
                let (told, code) = told(&two.repo, &["spokes"]);
                assert_eq!((code, status(&told)), (0, "complete"), "{kill}: {told:#}");
            });
        });
        assert_each_done_once(&agents, &hub, &members, &JOBS, 2);
    }
}

#[test]
fn what_was_done_elsewhere_while_the_hub_was_away_is_not_handed_in_or_committed_again() {
    let env = TestEnvironment::new();
    let (agents, hub, [one, two]) = two(&env, &["a"]);
    let killed = run(one.repo.command(&["run", "spokes"]).env("AIO_TEST_KILL_AT", "run-before-9"));
    assert_eq!(killed.code, 128 + 9, "{killed:?}");
    two.sync();
    assert_eq!(tasks(&two.repo)["a"], "held");
    two.repo.ok(&["tasks", "done", "a", "--force", "--why", "its driver is gone"]);
    // What this clone knows is old, and nobody can tell it better.
    let away = hub.dir.with_extension("away");
    fs::rename(&hub.dir, &away).unwrap();
    let (told, code) = answer(&one.repo.aio(&["run", "resume", "--json"]));
    assert_eq!((code, status(&told)), (1, "failed"), "{told:#}");
    assert_eq!(steps(&told).get("queue/1/handoff").map(String::as_str), Some("failed"), "{told:#}");
    fs::rename(&away, &hub.dir).unwrap();
    let again = one.repo.aio(&["run", "retry", "queue/1/handoff", "--json"]);
    let (told, code) = answer(&again);
    assert_eq!((code, status(&told)), (1, "failed"), "{told:#}");
    [&one, &two].iter().for_each(|member| drop(member.sync()));
    assert_eq!(count(&hub.repo(), "finish-task: a"), 1);
    assert_eq!(tasks(&one.repo)["a"], "done");
    assert!(!one.repo.git(&["log", "--format=%s"]).contains("write the file of a."));
    let (handed, _) = answer(&one.repo.aio(&["handoff", "list", "--json"]));
    assert_eq!(handed["handoffs"].as_array().unwrap().len(), 0, "{handed:#}");
    assert!(agents.calls("claude").len() <= 2, "the work itself may have been begun");
}

#[test]
fn a_path_of_a_task_is_the_file_that_is_called_so_whatever_is_in_its_name() {
    let env = TestEnvironment::new();
    let (agents, repo) = place(&env, &[]);
    agents.plays_when("claude", REVIEW, ACCEPT);
    let odd = ["work/[id]100%41.txt", "work/-a *.txt"];
    for (id, file) in ["one", "two"].iter().zip(odd) {
        repo.ok(&["tasks", "new", &format!("write the file of {id}."), "--id", id, &format!("--path={file}")]);
        agents.plays_when("claude", &format!("the file of {id}."), &[Do::Edit(file, id), Do::Say("Written.")]);
    }
    // What a pattern of that name would take along.
    repo.write("work/i100%41.txt", "not to be committed");
    let (told, code) = told(&repo, &["spokes"]);
    assert_eq!((code, status(&told)), (0, "complete"), "{told:#}");
    assert!(tasks(&repo).values().all(|state| state == "done"), "{:?}", tasks(&repo));
    assert_eq!(repo.git(&["status", "--short", "-uall"]).trim(), "?? work/i100%41.txt");
}

/// Where names of files are bytes: elsewhere no program could make such a one.
#[cfg(target_os = "linux")]
#[test]
fn a_file_whose_name_is_no_text_is_committed_and_none_whose_name_reads_like_it() {
    use std::os::unix::ffi::OsStrExt as _;
    let env = TestEnvironment::new();
    let (agents, repo) = place(&env, &[]);
    agents.plays_when("claude", REVIEW, ACCEPT);
    repo.ok(&["tasks", "new", "write the file of one.", "--id", "one", "--path", "work/"]);
    let writes = "mkdir -p work; printf x >\"$(printf 'work/it'\\''s \\377 %%41.txt')\"";
    agents.plays_when("claude", "the file of one.", &[Do::Run(writes), Do::Say("Written.")]);
    // What the name reads like, ignored or not.
    repo.write("work/it's %FF %2541.txt", "not to be committed");
    let (told, code) = told(&repo, &["spokes"]);
    assert_eq!((code, status(&told)), (0, "complete"), "{told:#}");
    assert_eq!(tasks(&repo)["one"], "done");
    assert!(repo.dir.join("work").join(std::ffi::OsStr::from_bytes(b"it's \xff %41.txt")).exists());
    let committed = repo.git(&["-c", "core.quotePath=true", "show", "--format=", "--name-only"]);
    assert_eq!(committed.trim(), r#""work/it's \377 %41.txt""#);
    assert_eq!(repo.git(&["status", "--short", "-uall"]).trim(), "?? \"work/it's %FF %2541.txt\"");
}

#[test]
fn what_a_person_has_declined_meanwhile_is_not_committed() {
    let env = TestEnvironment::new();
    let (agents, repo) = place(&env, &[]);
    // While it is looked at, somebody else declines it, and whoever made it goes: the task is free.
    let word = |key: &str| {
        format!("$(git aio --json handoff list | sed -n 's/^ *\"{key}\": \"\\(.*\\)\",$/\\1/p' | head -n 1)")
    };
    let decline = format!(
        "id={} from={}; {{ git aio --as \"$(git aio register hub)\" handoff decline \"$id\"; \
         git aio --as \"$from\" unregister; git aio tasks list; }} >../declined 2>&1",
        word("id"),
        word("from")
    );
    agents.plays_when("claude", REVIEW, &[Do::Run(&decline), Do::Say(r#"{"verdict":"accept","why":"it is well"}"#)]);
    put(&repo, &agents, "one");
    let (told, code) = told(&repo, &["spokes"]);
    let declined = lines(&repo.dir.join("../declined"));
    assert!(declined.iter().any(|line| line.starts_with("declined ")), "{declined:?}");
    assert!(declined.iter().any(|line| line.contains("ready")), "{declined:?}");
    assert_eq!((code, status(&told)), (1, "failed"), "{told:#}");
    assert_eq!(steps(&told).get("queue/1/accept").map(String::as_str), Some("failed"), "{told:#}");
    assert_ne!(tasks(&repo)["one"], "done");
    assert!(!repo.git(&["log", "--format=%s"]).contains("write the file of one."));
}
