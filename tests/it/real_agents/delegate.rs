//! Delegation to the real agent CLIs: what they do is believed when it passes, put back when it doesn't, and kept to its
//! scope meanwhile.

use super::{chosen, clis::Cli, clis::Start, end, headless::configure, left_behind};
use crate::{
    env::{Ended, Refs, Repo, TestEnvironment, run},
    model::{DONE, Model, TASK_FILE, ToolCall},
};
use serde_json::{Value, json};
use std::{fs, os::unix::fs::PermissionsExt, process::Command};

/// By which an attempt is known that isn't the first.
const AGAIN: &str = "An attempt before this one was not usable";

/// Passes once the file says so, and tells otherwise what it says.
const CHECK: &str = "grep -qx good src/a.txt || { echo \"src/a.txt says $(cat src/a.txt)\"; exit 1; }";

/// A repository, with the CLI where agents are looked for, and what that needs to find its model.
fn repo<'e>(env: &'e TestEnvironment, cli: &dyn Cli, model: &Model) -> Repo<'e> {
    let files = [("src/a.txt", "one\n"), ("src/gone.txt", "here\n"), ("beside.txt", "one\n")];
    let repo = env.repo_with("r", Refs::Files, "sha1", &files);
    configure(cli, env, model, &format!("[projects.{:?}]\ntrust_level = \"trusted\"\n", repo.dir));
    install(env, cli.name());
    repo
}

/// Puts a CLI where agents are looked for. Nobody has approved the hooks of Codex, so it is told to run them all the same.
pub(super) fn install(env: &TestEnvironment, name: &str) {
    let path = std::env::var_os("PATH").unwrap();
    let real = std::env::split_paths(&path).map(|folder| folder.join(name)).find(|program| program.is_file());
    let real = real.unwrap_or_else(|| panic!("there is no {name} in PATH")).display().to_string();
    let program = match name {
        "codex" => format!("#!/bin/sh\nshift\nexec '{real}' exec --dangerously-bypass-hook-trust \"$@\"\n"),
        _ => format!("#!/bin/sh\nexec '{real}' \"$@\"\n"),
    };
    let (bin, at) = (env.path().join("bin"), env.path().join("bin").join(name));
    fs::create_dir_all(bin).unwrap();
    fs::write(&at, program).unwrap();
    fs::set_permissions(&at, fs::Permissions::from_mode(0o755)).unwrap();
}

/// Delegates to CLIs, each with its model.
fn delegate(repo: &Repo<'_>, agents: &[(&dyn Cli, &Model)], args: &[&str]) -> Ended {
    let names = agents.iter().map(|(cli, _)| cli.name()).collect::<Vec<_>>().join(",");
    let mut command = repo.command(&["delegate", "--agent", &names, "--timeout", "150s"]);
    command.args(args);
    let ended = run_with(repo, agents, &mut command);
    eprintln!("{names} with {}:\n{}", agents[0].0.model(), ended.shown());
    ended
}

/// Runs a command that starts CLIs, each with its model, and looks that nothing is left of them: no process, instance,
/// claim or handoff.
pub(super) fn run_with(repo: &Repo<'_>, agents: &[(&dyn Cli, &Model)], command: &mut Command) -> Ended {
    for (cli, model) in agents {
        let session = cli.session(repo, model, Start::Anew);
        command.envs(session.get_envs().filter_map(|(name, value)| Some((name, value?))));
        let variable = match cli.name() {
            "claude" => "ANTHROPIC_MODEL",
            "gemini" => "GEMINI_MODEL",
            _ => continue,
        };
        command.env(variable, cli.model());
    }
    let ended = run(command);
    assert_eq!(left_behind(repo), Vec::<String>::new(), "{}", ended.shown());
    let status: Value = serde_json::from_str(&repo.ok(&["status", "--json"])).unwrap();
    for what in ["instances", "claims", "handoffs"] {
        assert_eq!(status[what], json!([]), "{}", ended.shown());
    }
    ended
}

fn text(repo: &Repo<'_>, path: &str) -> String {
    fs::read_to_string(repo.dir.join(path)).unwrap()
}

/// The attempts of the one run: who tried, and what it failed for.
fn attempts(repo: &Repo<'_>) -> Vec<(String, String)> {
    let run: Value = serde_json::from_str(&repo.ok(&["run", "show", "--json"])).unwrap();
    let attempts = run["run"]["steps"][0]["tries"].as_array().unwrap_or_else(|| panic!("{run:#}"));
    let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    attempts.iter().map(|attempt| (word(&attempt["agent"]), word(&attempt["failure"]["kind"]))).collect()
}

/// Those of them that are asked for here.
fn chosen_of(names: &[&str]) -> Vec<&'static dyn Cli> {
    chosen().into_iter().filter(|cli| names.contains(&cli.name())).collect()
}

#[test]
fn an_edit_is_believed_once_its_check_passes() {
    for cli in chosen() {
        let env = TestEnvironment::new();
        let there = Repo { env: &env, dir: env.path().join("r") };
        let model = Model::start(cli.edit(&there, "src/a.txt", "one", "good"));
        let repo = repo(&env, cli, &model);
        let ended = delegate(&repo, &[(cli, &model)], &["--scope", "src", "--verify", CHECK, "Make it good"]);
        let heard = model.heard();
        assert_eq!((ended.code, &ended.stdout[..]), (0, &format!("{DONE}\n")[..]), "{}", end(&heard));
        assert_eq!(
            (&text(&repo, "src/a.txt")[..], &repo.git(&["status", "--short"])[..]),
            ("good\n", " M src/a.txt\n")
        );
        assert!(heard.contains("# Task: Make it good") && heard.contains("`./src/`"), "{}", end(&heard));
    }
}

#[test]
fn what_breaks_the_check_is_put_back_and_tried_again_with_its_output() {
    for cli in chosen() {
        let env = TestEnvironment::new();
        let there = Repo { env: &env, dir: env.path().join("r") };
        let mut breaks = cli.edit(&there, "src/a.txt", "two", "broken");
        breaks.push(
            cli.shell("rm src/gone.txt; echo changed > src/own.bin; chmod 644 src/own.bin; echo x > src/new.txt"),
        );
        let mut mends = vec![cli.shell("cp -a src between; git write-tree > between/staged")];
        mends.extend(cli.edit(&there, "src/a.txt", "two", "good"));
        let calls = mends.len();
        let model = Model::start_with(vec![("", breaks), (AGAIN, mends)]);
        let repo = repo(&env, cli, &model);
        // What is staged, what is not, and what git doesn't know.
        repo.write(".git/info/exclude", "between/\n");
        repo.write("src/a.txt", "staged\n");
        repo.git(&["add", "src/a.txt"]);
        repo.write("src/a.txt", "two\n");
        let own = repo.dir.join("src/own.bin");
        fs::write(&own, b"\0own\r\n\xff").unwrap();
        fs::set_permissions(&own, fs::Permissions::from_mode(0o755)).unwrap();
        let staged = repo.git(&["write-tree"]);

        let ended = delegate(&repo, &[(cli, &model)], &["--scope", "src", "--verify", CHECK, "Make it good"]);
        let heard = model.heard_in(1);
        assert_eq!((ended.code, model.calls_answered_in(1)), (0, calls), "{}", end(&heard));
        assert!(heard.contains("src/a.txt says broken"), "{}", end(&heard));
        let between = |path: &str| fs::read(repo.dir.join("between").join(path)).unwrap();
        assert_eq!((&between("a.txt")[..], &between("gone.txt")[..]), (&b"two\n"[..], &b"here\n"[..]));
        assert_eq!(between("own.bin"), b"\0own\r\n\xff");
        assert!(!repo.dir.join("between/new.txt").exists(), "what it made is gone");
        let mode = fs::metadata(repo.dir.join("between/own.bin")).unwrap().permissions().mode();
        assert_eq!((mode & 0o777, text(&repo, "between/staged")), (0o755, staged.clone()));
        assert_eq!((text(&repo, "src/a.txt"), repo.git(&["write-tree"])), ("good\n".into(), staged));
        let name = cli.name().to_owned();
        assert_eq!(attempts(&repo), [(name.clone(), "check".into()), (name, String::new())]);
    }
}

#[test]
fn an_edit_beside_the_scope_is_refused_before_it_happens() {
    // Copilot and OpenCode are not driven here yet.
    for cli in chosen_of(&["claude", "codex", "gemini"]) {
        let env = TestEnvironment::new();
        let there = Repo { env: &env, dir: env.path().join("r") };
        let mut script = cli.edit(&there, "beside.txt", "one", "two");
        script.push(cli.create(&there, "new.txt", "new"));
        script.extend(cli.edit(&there, "src/a.txt", "one", "good"));
        let calls = script.len();
        let model = Model::start(script);
        let repo = repo(&env, cli, &model);
        repo.ok(&["init", "--quiet", "--agents", cli.name()]);
        repo.git(&["add", "-A"]);
        repo.git(&["commit", "-q", "-m", "fences"]);

        let ended = delegate(&repo, &[(cli, &model)], &["--scope", "src", "--verify", CHECK, "Make it good"]);
        let heard = model.heard();
        assert_eq!((ended.code, model.calls_answered()), (0, calls), "{}", end(&heard));
        for path in ["beside.txt", "new.txt"] {
            assert!(heard.contains(&format!("{path} is not in the scope of this task")), "{path}: {}", end(&heard));
        }
        assert_eq!(repo.git(&["status", "--short"]), " M src/a.txt\n");
        assert_eq!(attempts(&repo).len(), 1, "nothing beside the scope was ever written");
        let log = repo.ok(&["log"]);
        assert!(!log.contains("handoff"), "its session ended, and its work was not handed on: {log}");
    }
}

#[test]
fn without_a_scope_it_reads_and_answers_and_writes_nothing() {
    for cli in chosen() {
        let env = TestEnvironment::new();
        let there = Repo { env: &env, dir: env.path().join("r") };
        let mut script = cli.edit(&there, "src/a.txt", "one", "two");
        script.push(cli.create(&there, "new.txt", "new"));
        script.push(cli.shell("echo two > src/a.txt; touch new.txt"));
        script.push(cli.read(&there.dir.join("src/gone.txt").display().to_string()));
        let calls = script.len();
        let model = Model::start(script);
        let repo = repo(&env, cli, &model);
        let ended = delegate(&repo, &[(cli, &model)], &["What is in src?"]);
        let heard = model.heard();
        assert_eq!((ended.code, &ended.stdout[..]), (0, &format!("{DONE}\n")[..]), "{}", end(&heard));
        assert_eq!((repo.git(&["status", "--short"]), model.calls_answered()), (String::new(), calls));
        assert!(heard[heard.find("What is in src?").unwrap()..].contains("here"), "it can read: {}", end(&heard));
    }
}

#[test]
fn whom_its_server_refuses_the_next_one_stands_in_for() {
    let clis = chosen_of(&["claude", "codex", "gemini"]);
    for (at, cli) in clis.iter().enumerate() {
        let Some(next) = clis.iter().cycle().skip(at + 1).take(clis.len()).find(|next| next.name() != cli.name())
        else {
            continue;
        };
        for status in [400, 503] {
            // Gemini asks again by itself, for minutes.
            if status == 503 && cli.name() == "gemini" {
                continue;
            }
            let env = TestEnvironment::new();
            let there = Repo { env: &env, dir: env.path().join("r") };
            let refuses = Model::refusing(status);
            let model = Model::start(next.edit(&there, "src/a.txt", "one", "good"));
            let repo = repo(&env, *cli, &refuses);
            if next.name() == "codex" {
                configure(*next, &env, &model, "");
            }
            install(&env, next.name());
            let args = ["--scope", "src", "--verify", CHECK, "--retry", "1", "Make it good"];
            let ended = delegate(&repo, &[(*cli, &refuses), (*next, &model)], &args);
            assert_eq!((ended.code, &text(&repo, "src/a.txt")[..]), (0, "good\n"), "{}", end(&model.heard()));
            // What would be refused again is not asked for again.
            let times = if status == 400 { 1 } else { 2 };
            let mut expected = vec![(cli.name().to_owned(), "reported".to_owned()); times];
            expected.push((next.name().to_owned(), String::new()));
            assert_eq!(attempts(&repo), expected, "{status}");
        }
    }
}

#[test]
fn a_long_task_is_read_from_its_file_wherever_the_work_is_done() {
    for (cli, args) in chosen().into_iter().flat_map(|cli| {
        let wheres: [&[&str]; 3] = [&[], &["--scope", "src"], &["--scope", "src", "--isolate"]];
        wheres.map(|args| (cli, args))
    }) {
        let env = TestEnvironment::new();
        // These can't read in the git directory from everywhere, and get all of it at once.
        let is_told = ["gemini", "opencode"].contains(&cli.name());
        let script = if is_told { vec![] } else { vec![cli.read(TASK_FILE)] };
        let model = Model::start(script);
        let repo = repo(&env, cli, &model);
        let line = "This has to be said at length, since it is not easy.\n";
        let task = format!("Read it all\n\n{}The last word is heliotrope.\n", line.repeat(200));
        let mut all = args.to_vec();
        all.extend(["--verify", "true", &task]);
        let ended = delegate(&repo, &[(cli, &model)], &all);
        let heard = model.heard();
        assert_eq!(ended.code, 0, "{args:?} {}", end(&heard));
        assert_eq!(heard.contains("Your task is in the file"), !is_told, "{args:?} {}", end(&heard));
        assert!(heard.contains("The last word is heliotrope."), "{} {args:?} {}", cli.name(), end(&heard));
    }
}

#[test]
fn gemini_that_may_not_write_can_not_leave_its_mode_for_plans() {
    for cli in chosen().into_iter().filter(|cli| cli.name() == "gemini") {
        let env = TestEnvironment::new();
        let there = Repo { env: &env, dir: env.path().join("r") };
        let mut script = vec![
            ToolCall::new("write_file", json!({ "file_path": "plan.md", "content": "# Plan\n" })),
            ToolCall::new("exit_plan_mode", json!({ "plan_filename": "plan.md" })),
        ];
        script.extend(cli.edit(&there, "src/a.txt", "one", "two"));
        script.push(cli.shell("touch new.txt"));
        script.push(ToolCall::new("enter_plan_mode", json!({})));
        script.push(ToolCall::new("exit_plan_mode", json!({ "plan_filename": "plan.md" })));
        script.push(cli.shell("touch new.txt"));
        let calls = script.len();
        let model = Model::start(script);
        let repo = repo(&env, cli, &model);
        let ended = delegate(&repo, &[(cli, &model)], &["What is in src?"]);
        let heard = model.heard();
        assert_eq!((ended.code, model.calls_answered()), (0, calls), "{}", end(&heard));
        assert_eq!(repo.git(&["status", "--short"]), "", "{}", end(&heard));
    }
}

#[test]
fn the_web_can_be_searched_with_a_scope_and_without() {
    for (cli, args) in chosen().into_iter().flat_map(|cli| [(cli, &["--scope", "src"][..]), (cli, &[])]) {
        let tool = match cli.name() {
            "claude" => "WebSearch",
            "gemini" => "google_web_search",
            // Codex offers it with the service of OpenAI alone.
            _ => continue,
        };
        let env = TestEnvironment::new();
        let model = Model::start(vec![]);
        let repo = repo(&env, cli, &model);
        let ended = delegate(&repo, &[(cli, &model)], &[args, &["--no-verify", "Look it up"]].concat());
        // Claude tells of some tools in words, to be looked for.
        let offered = model.offered_in(0) + &model.heard();
        assert!(offered.lines().any(|line| line == tool), "{args:?} {}: {offered}", ended.shown());
    }
}

#[test]
fn our_server_knows_whom_it_serves() {
    for cli in chosen() {
        let call = match cli.name() {
            "claude" | "codex" => "mcp__aio__status",
            "gemini" => "mcp_aio_status",
            _ => continue,
        };
        let env = TestEnvironment::new();
        let model = Model::start(vec![ToolCall::new(call, json!({}))]);
        let repo = repo(&env, cli, &model);
        repo.ok(&["init", "--quiet", "--agents", cli.name()]);
        let ended = delegate(&repo, &[(cli, &model)], &["--scope", "src", "--verify", "true", "Who are you?"]);
        let worker = ended.stderr.split_once(" as ").unwrap().1.lines().next().unwrap();
        let heard = model.heard().replace('\\', "");
        let me = format!("\"me\":\"{worker}\"");
        assert!(ended.code == 0 && heard.contains(&me), "{me}: {} {}", ended.shown(), end(&heard));
    }
}
