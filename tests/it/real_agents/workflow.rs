//! Workflows with the real agent CLIs: a loop with two of them, one that stands in for the other, and many at once.

use super::{
    chosen,
    clis::Cli,
    delegate::{install, run_with},
    end,
    headless::configure,
};
use crate::{
    env::{Ended, Refs, Repo, TestEnvironment},
    model::{DONE, Model, ToolCall},
};
use serde_json::{Value, json};
use std::{
    fs,
    path::PathBuf,
    time::{Duration, SystemTime},
};

/// What the agent that comes last says.
const TOGETHER: &str = "All five agree.";

/// Those that are asked for and driven here, each with one of its models.
fn several() -> Vec<&'static dyn Cli> {
    let mut clis = chosen();
    clis.retain(|cli| ["claude", "codex", "gemini"].contains(&cli.name()));
    clis.dedup_by_key(|cli| cli.name());
    clis
}

/// A repository whose configuration is approved, with these CLIs where agents are looked for.
fn repo<'e>(env: &'e TestEnvironment, agents: &[(&dyn Cli, &Model)], files: &[(&str, &str)]) -> Repo<'e> {
    let repo = env.repo_with("r", Refs::Files, "sha1", &[files, &[("src/a.txt", "one\n")]].concat());
    for (cli, model) in agents {
        configure(*cli, env, model, &format!("[projects.{:?}]\ntrust_level = \"trusted\"\n", repo.dir));
        install(env, cli.name());
    }
    repo.ok(&["trust", "--yes", "--quiet"]);
    repo
}

/// Runs a workflow, and returns its answer beside how it ended.
fn ran(repo: &Repo<'_>, agents: &[(&dyn Cli, &Model)], args: &[&str]) -> (Ended, Value) {
    let ended = run_with(repo, agents, &mut repo.command(&[&["run"], args, &["--json"]].concat()));
    let names: Vec<_> = agents.iter().map(|(cli, _)| cli.name()).collect();
    let answer: Value = serde_json::from_str(&ended.stdout).unwrap_or_else(|error| panic!("{error}: {ended:?}"));
    eprintln!("{} with {}: {}\n{}", args[0], names.join(", "), answer["run"]["status"], ended.stderr);
    (ended, answer)
}

/// How an agent answers in a shape: what it calls, and what it says then.
fn answers(cli: &dyn Cli, said: &'static str) -> (Vec<ToolCall>, &'static str) {
    match cli.name() {
        "claude" => (vec![ToolCall::new("StructuredOutput", serde_json::from_str::<Value>(said).unwrap())], "Said."),
        _ => (Vec::new(), said),
    }
}

/// Who tried a step of a run, and what came of it.
fn tries(answer: &Value, step: &str) -> Vec<(String, String)> {
    let steps = answer["run"]["steps"].as_array().unwrap_or_else(|| panic!("{answer:#}"));
    let step = steps.iter().find(|one| one["id"] == step).unwrap_or_else(|| panic!("{step}: {answer:#}"));
    let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let tries = step["tries"].as_array().into_iter().flatten();
    tries.map(|one| (word(&one["agent"]), word(&one["failure"]["kind"]))).collect()
}

#[test]
fn what_one_writes_another_scores_until_it_is_good_enough() {
    let clis = several();
    for (at, writer) in clis.iter().enumerate() {
        let Some(reviewer) =
            clis.iter().cycle().skip(at + 1).take(clis.len()).find(|next| next.name() != writer.name())
        else {
            continue;
        };
        let env = TestEnvironment::new();
        let there = Repo { env: &env, dir: env.path().join("r") };
        let edit = |from, to| writer.edit(&there, "src/a.txt", from, to);
        let writes = Model::start_with(vec![
            ("Iteration 1:", edit("one", "two")),
            ("Iteration 2:", edit("two", "three")),
            ("Iteration 3:", edit("three", "good")),
        ]);
        let scores = [
            ("+two", r#"{"score":7,"issues":[{"where":"src/a.txt:1","what":"it is two"}]}"#),
            ("+three", r#"{"score":null,"issues":[{"where":"src/a.txt:1","what":"no score for it"}]}"#),
            ("+good", r#"{"score":8,"issues":[]}"#),
        ];
        let reviews = scores.map(|(told, said)| {
            let (calls, says) = answers(*reviewer, said);
            (told, calls, says)
        });
        let reviews = Model::start_saying(reviews.into());
        let config = format!(
            "[verify]\ntest = \"test -s src/a.txt\"\n[agents.implementer]\ntool = [\"{}\"]\n\
             [agents.code-reviewer]\ntool = [\"{}\"]\n",
            writer.name(),
            reviewer.name()
        );
        let agents = [(*writer, &writes), (*reviewer, &reviews)];
        let repo = repo(&env, &agents, &[(".aio/config.toml", &config)]);
        let (ended, answer) = ran(&repo, &agents, &["refine", "-i", "task=Make it good", "-i", "files=src/a.txt"]);

        assert_eq!((ended.code, &answer["run"]["status"]), (0, &"complete".into()), "{answer:#}");
        assert_eq!(fs::read_to_string(repo.dir.join("src/a.txt")).unwrap(), "good\n");
        for round in 1..=3 {
            let done = |step: &str| tries(&answer, &format!("refine/{round}/{step}"));
            assert_eq!(done("write"), [(format!("{}/implementer", writer.name()), String::new())]);
            assert_eq!(done("review"), [(format!("{}/code-reviewer", reviewer.name()), String::new())]);
        }
        let (second, third) = (writes.heard_in(1), writes.heard_in(2));
        assert!(second.contains("7 of 10") && second.contains("src/a.txt:1: it is two"), "{}", end(&second));
        assert!(third.contains("0 of 10") && third.contains("no score for it"), "{}", end(&third));
    }
}

#[test]
fn whoever_is_refused_or_gives_nothing_usable_is_stood_in_for_by_the_next() {
    let clis = several();
    for at in 0..clis.len() {
        let [first, second, third] = std::array::from_fn(|n| clis[(at + n) % clis.len()]);
        if clis.len() < 3 {
            continue;
        }
        let env = TestEnvironment::new();
        let there = Repo { env: &env, dir: env.path().join("r") };
        let refuses = Model::refusing(400);
        let breaks = second.edit(&there, "src/a.txt", "one", "two");
        let nothing = Model::start_saying(vec![("", breaks, "It is done, I think.")]);
        let (calls, says) = answers(third, r#"{"done":["src/a.txt"]}"#);
        let does =
            Model::start_saying(vec![("", [third.edit(&there, "src/a.txt", "one", "good"), calls].concat(), says)]);
        let [a, b, c] = [first, second, third].map(|cli| cli.name());
        let flow = format!(
            "about = \"One after the other.\"\n[[step]]\nid = \"do\"\nagent = [\"{a}\", \"{b}\", \"{c}\", \"caller\"]\n\
             scope = [\"src/**\"]\nprompt = \"Make it good.\"\noutput = {{ done = [\"string\"] }}\n\
             verify = [\"grep -qx good src/a.txt\"]\n"
        );
        let agents = [(first, &refuses), (second, &nothing), (third, &does)];
        let repo = repo(&env, &agents, &[(".aio/workflows/chain.toml", &flow)]);
        let (ended, answer) = ran(&repo, &agents, &["chain"]);

        assert_eq!((ended.code, &answer["result"]), (0, &json!({ "done": ["src/a.txt"] })), "{answer:#}");
        assert_eq!(fs::read_to_string(repo.dir.join("src/a.txt")).unwrap(), "good\n");
        let tries = tries(&answer, "do");
        let who: Vec<_> = tries.iter().map(|(who, _)| who.as_str()).collect();
        assert_eq!((who, &tries[0].1[..], &tries[2].1[..]), (vec![a, b, c], "reported", ""), "{answer:#}");
        // Claude Code asks its model for the shape by itself, and tells in the end that none came.
        assert!(["shape", "reported"].contains(&&tries[1].1[..]), "{answer:#}");
    }
}

#[test]
fn the_chain_that_is_shipped_ends_with_whoever_does_it() {
    let clis = several();
    let find = |name: &str| clis.iter().copied().find(|cli| cli.name() == name);
    let (Some(gemini), Some(claude)) = (find("gemini"), find("claude")) else { return };
    let env = TestEnvironment::new();
    let (refuses, does) = (Model::refusing(400), Model::start(Vec::new()));
    let agents = [(gemini, &refuses), (claude, &does)];
    let repo = repo(&env, &agents, &[(".aio/config.toml", "[tools.local]\ncommand = [\"true\"]\n")]);
    let (ended, answer) = ran(&repo, &agents, &["escalate", "-i", "task=What is in src?"]);

    assert_eq!((ended.code, &answer["result"]), (0, &DONE.into()), "{answer:#}");
    let tries = tries(&answer, "do");
    let tries: Vec<_> = tries.iter().map(|(who, failed)| (&who[..], &failed[..])).collect();
    assert_eq!(tries, [("gemini", "reported"), ("local", "empty"), ("claude", "")], "{answer:#}");
}

/// Has a CLI leave a file behind when it is started, of which the time is known.
fn note_starts(env: &TestEnvironment, name: &str) -> PathBuf {
    let (at, starts) = (env.path().join("bin").join(name), env.path().join("starts").join(name));
    fs::create_dir_all(&starts).unwrap();
    let program = fs::read_to_string(&at).unwrap();
    let note = format!("#!/bin/sh\nmktemp '{}/XXXXXX' >/dev/null\n", starts.display());
    fs::write(&at, program.replacen("#!/bin/sh\n", &note, 1)).unwrap();
    starts
}

/// When it was started, the first time first.
fn starts(folder: &PathBuf) -> Vec<SystemTime> {
    let entries = fs::read_dir(folder).unwrap();
    let mut times: Vec<_> = entries.map(|entry| entry.unwrap().metadata().unwrap().modified().unwrap()).collect();
    times.sort();
    times
}

#[test]
fn several_explore_at_once_those_that_may_not_start_together_one_second_apart() {
    let clis = several();
    let Ok([claude, codex, gemini]) = <[&dyn Cli; 3]>::try_from(clis) else { return };
    let env = TestEnvironment::new();
    let found: [(&str, &str, &str); 5] = [
        ("auth", "gemini", "Two logins."),
        ("data", "gemini", "One table."),
        ("api", "gemini", "No limits."),
        ("tests", "claude", "Few tests."),
        ("docs", "codex", "Old docs."),
    ];
    let mut flow = "about = \"Five at once.\"\n".to_owned();
    for (id, agent, _) in found {
        flow += &format!("[[step]]\nid = \"{id}\"\nneeds = []\nagent = \"{agent}\"\nprompt = \"Explore the {id}.\"\n");
    }
    let all = found.map(|(id, ..)| format!("{id}: {{{{ steps.{id}.out }}}}\n")).concat();
    flow += &format!("[[step]]\nid = \"all\"\nagent = \"claude\"\nprompt = '''\nPut together:\n{all}'''\n");
    let scripts = |name: &str| {
        let told = [("auth", "Explore the auth"), ("data", "Explore the data"), ("api", "Explore the api")];
        let told = [&told[..], &[("tests", "Explore the tests"), ("docs", "Explore the docs")]].concat();
        let own = found.iter().zip(told).filter(|((_, agent, _), _)| *agent == name);
        own.map(|((.., says), (_, told))| (told, Vec::new(), *says)).collect::<Vec<_>>()
    };
    let mut of_claude = scripts("claude");
    of_claude.push(("Put together:", Vec::new(), TOGETHER));
    let models = [of_claude, scripts("codex"), scripts("gemini")].map(Model::start_saying);
    let agents = [(claude, &models[0]), (codex, &models[1]), (gemini, &models[2])];
    let repo = repo(&env, &agents, &[(".aio/workflows/explore.toml", &flow)]);
    let folders = ["claude", "codex", "gemini"].map(|name| note_starts(&env, name));
    let (ended, answer) = ran(&repo, &agents, &["explore"]);

    assert_eq!((ended.code, &answer["result"]), (0, &TOGETHER.into()), "{answer:#}");
    let told = models[0].heard_in(1);
    for (id, _, says) in found {
        assert!(told.contains(&format!("{id}: {says}")), "{}", end(&told));
    }
    let [of_claude, of_codex, of_gemini] = folders.map(|folder| starts(&folder));
    assert_eq!((of_claude.len(), of_codex.len(), of_gemini.len()), (2, 1, 3));
    for pair in of_gemini.windows(2) {
        // They are started a second apart; how long the shell then takes to say so is not theirs.
        let apart = pair[1].duration_since(pair[0]).unwrap();
        assert!(apart >= Duration::from_millis(900), "{apart:?}");
    }
    assert!(of_codex[0] < of_gemini[2] && of_claude[0] < of_gemini[2], "the others don't wait for that");
}
