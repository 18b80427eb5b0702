//! The real agent CLIs as they are started for work without a person: what they may, what they may not, and that nothing
//! of them is left.

use super::{chosen, clis::Cli, clis::Start, end, left_behind};
use crate::{
    env::{Refs, Repo, TestEnvironment},
    model::{DONE, Model, ToolCall},
};
use git_aio::host::{
    agents::headless::{Errand, Tool},
    supervise::{End, Ended, Heard, Interrupts, Watch, supervise},
};
use serde_json::json;
use std::{fs, path::Path, thread, time::Duration};

/// How it is started.
#[derive(Clone, Copy, Default)]
struct How<'a> {
    may_write: bool,
    resume: Option<&'a str>,
    stall: Option<Duration>,
    schema: Option<&'a Path>,
    is_not_trusted: bool,
    /// Whether it is stopped as soon as it runs a command.
    stops: bool,
}

/// A repository, and what the CLI needs to find its model there.
fn repo<'e>(env: &'e TestEnvironment, cli: &dyn Cli, model: &Model) -> Repo<'e> {
    let repo = env.repo_with("r", Refs::Files, "sha1", &[("a.txt", "one\n")]);
    if cli.name() == "codex" {
        let config = format!(
            "model_provider = \"scripted\"\nmodel = \"{}\"\n[analytics]\nenabled = false\n\
             [model_providers.scripted]\nname = \"scripted\"\nbase_url = \"{}/v1\"\nenv_key = \"SCRIPTED_KEY\"\n\
             wire_api = \"responses\"\nrequest_max_retries = 0\nstream_max_retries = 0\nsupports_websockets = false\n\
             [mcp_servers.aio]\ncommand = \"git-aio\"\nargs = [\"mcp\"]\n",
            cli.model(),
            model.url(),
        );
        let path = env.path().join("home/.codex/config.toml");
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, config).unwrap();
    }
    repo
}

/// Runs it as it is run for work.
fn run(cli: &dyn Cli, repo: &Repo<'_>, model: &Model, how: How<'_>) -> Ended {
    let tool = Tool::find(cli.name(), &[]).unwrap();
    let git_dir = repo.git(&["rev-parse", "--path-format=absolute", "--git-common-dir"]);
    let git_dir = Path::new(git_dir.trim());
    let instance = format!("{}-1", cli.name());
    let errand = Errand {
        prompt: "Do as the \"script\" says.",
        stdin: Some(b"And nothing else."),
        dir: &repo.dir,
        may_write: how.may_write,
        git_dir,
        schema: how.schema,
        resume: how.resume,
        instance: &instance,
    };
    let mut invocation = tool.invocation(&errand).unwrap();
    match cli.name() {
        "claude" => invocation.args.extend(["--model".into(), cli.model().into()]),
        "gemini" => invocation.args.extend(["-m".into(), cli.model().into()]),
        "opencode" => invocation.args.extend(["--model".into(), format!("scripted/{}", cli.model()).into()]),
        _ => {}
    }
    // Of this machine it sees nothing but what the session of a test sees.
    let session = cli.session(repo, model, Start::Anew);
    let kept = session.get_envs().filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned())));
    invocation.removed.extend(std::env::vars_os().map(|(name, _)| name));
    invocation.env.extend(kept.filter(|(name, _)| !(how.is_not_trusted && name == "GEMINI_CLI_TRUST_WORKSPACE")));
    let mark = format!("real-{}-{}", cli.name(), model.url().replace('/', ""));
    let log = repo.env.path().join("log");
    let watch = Watch {
        invocation: &invocation,
        dir: &repo.dir,
        timeout: Some(Duration::from_secs(120)),
        stall: how.stall,
        mark: &mark,
        log: &log,
    };
    let (mut doing, interrupts) = (Vec::new(), Interrupts::watch().unwrap());
    let ended = supervise(&watch, tool.reader(&repo.dir), &interrupts, &mut |heard| {
        if how.stops && matches!(&heard, Heard::Doing(doing) if doing.starts_with("running ")) {
            thread::sleep(Duration::from_millis(500));
            interrupts.interrupt();
        }
        doing.push(heard);
    });
    let ended = ended.unwrap();
    eprintln!("{} with {}: {:.1} s, {doing:?}", cli.name(), cli.model(), ended.took.as_secs_f64());
    assert_eq!(left_behind(repo), Vec::<String>::new(), "{ended:?}");
    ended
}

/// An edit, and a command that commits.
fn script(cli: &dyn Cli, repo: &Repo<'_>) -> Vec<ToolCall> {
    let mut script = cli.edit(repo, "a.txt", "one", "two");
    script.push(cli.shell("echo $AIO_INSTANCE > b.txt; git add -A; git commit -q -m mine"));
    script
}

#[test]
fn whoever_may_write_edits_and_commits_and_goes_on_later() {
    for cli in chosen() {
        let env = TestEnvironment::new();
        let model = Model::start(script(cli, &Repo { env: &env, dir: env.path().join("r") }));
        let repo = repo(&env, cli, &model);
        let ended = run(cli, &repo, &model, How { may_write: true, ..How::default() });
        let heard = model.heard();
        assert_eq!((ended.unusable(), &ended.told.result[..]), (None, DONE), "{ended:?} {}", end(&heard));
        assert!(heard.contains("Do as the \"script\" says.") && heard.contains("And nothing else."), "{}", end(&heard));
        assert_eq!(repo.git(&["log", "--format=%s"]), "mine\nbegin\n", "{ended:?} {}", end(&heard));
        assert_eq!(repo.git(&["show", "HEAD:a.txt", "HEAD:b.txt"]), format!("two\n{}-1\n", cli.name()));

        let session = ended.told.session.clone().expect("a session");
        let how = How { may_write: true, resume: Some(&session), ..How::default() };
        let again = run(cli, &repo, &model, how);
        assert_eq!((again.unusable(), again.told.session), (None, Some(session)));
    }
}

#[test]
fn a_linked_work_tree_is_written_and_committed_in() {
    for cli in chosen() {
        let env = TestEnvironment::new();
        let linked = Repo { env: &env, dir: env.path().join("linked") };
        let model = Model::start(script(cli, &linked));
        let main = repo(&env, cli, &model);
        main.git(&["worktree", "add", "-q", "-b", "work", "../linked"]);
        let ended = run(cli, &linked, &model, How { may_write: true, ..How::default() });
        assert_eq!(ended.unusable(), None, "{ended:?}");
        assert_eq!(main.git(&["log", "--format=%s", "work"]), "mine\nbegin\n", "{ended:?} {}", end(&model.heard()));
        assert_eq!(main.git(&["status", "--short"]), "");
    }
}

#[test]
fn whoever_may_not_write_does_not() {
    for cli in chosen() {
        let env = TestEnvironment::new();
        let model = Model::start(script(cli, &Repo { env: &env, dir: env.path().join("r") }));
        let repo = repo(&env, cli, &model);
        let ended = run(cli, &repo, &model, How::default());
        let heard = model.heard();
        assert_eq!((ended.unusable(), &ended.told.result[..]), (None, DONE), "{ended:?} {}", end(&heard));
        assert_eq!((&repo.git(&["status", "--short"])[..], &repo.git(&["log", "--format=%s"])[..]), ("", "begin\n"));
        assert_eq!(fs::read_to_string(repo.dir.join("a.txt")).unwrap(), "one\n", "{ended:?}");
    }
}

#[test]
fn whoever_is_stopped_or_falls_silent_in_a_command_is_ended_with_it() {
    for cli in chosen() {
        let env = TestEnvironment::new();
        let waits = "tail -f /dev/null";
        let model = Model::start(vec![cli.shell(&format!("{waits} & setsid {waits} & {waits}"))]);
        let repo = repo(&env, cli, &model);
        // OpenCode tells of a command when it has ended.
        let how = match cli.name() {
            "opencode" => How { may_write: true, stall: Some(Duration::from_secs(15)), ..How::default() },
            _ => How { may_write: true, stops: true, ..How::default() },
        };
        let ended = run(cli, &repo, &model, how);
        let expected = if cli.name() == "opencode" { End::Stalled } else { End::Interrupted };
        assert_eq!(ended.end, expected, "{ended:?}");
        assert!(ended.took < Duration::from_secs(60), "{ended:?}");
    }
}

#[test]
fn a_shape_of_the_answer_is_taken() {
    for cli in chosen().into_iter().filter(|cli| Tool::find(cli.name(), &[]).unwrap().takes_schema()) {
        let env = TestEnvironment::new();
        let schema = env.path().join("schema.json");
        let shape = json!({
            "type": "object", "properties": { "ok": { "type": "boolean" } }, "required": ["ok"],
            "additionalProperties": false,
        });
        fs::write(&schema, shape.to_string()).unwrap();
        let script = match cli.name() {
            "claude" => vec![ToolCall::new("StructuredOutput", json!({ "ok": true }))],
            _ => vec![],
        };
        let model = Model::start(script);
        let repo = repo(&env, cli, &model);
        let ended = run(cli, &repo, &model, How { schema: Some(&schema), ..How::default() });
        assert_eq!(ended.unusable(), None, "{ended:?}");
        if cli.name() == "claude" {
            assert_eq!(ended.told.structured, Some(json!({ "ok": true })), "{ended:?}");
        }
    }
}

#[test]
fn a_folder_that_nobody_has_trusted_is_not_trusted_for_work() {
    for cli in chosen().into_iter().filter(|cli| cli.name() == "gemini") {
        let env = TestEnvironment::new();
        let model = Model::start(vec![]);
        let repo = repo(&env, cli, &model);
        let ended = run(cli, &repo, &model, How { may_write: true, is_not_trusted: true, ..How::default() });
        let why = ended.unusable().expect("it refuses").to_string();
        assert!(ended.retry_is_useless() && why.contains("doesn't trust this folder"), "{ended:?}");
    }
}
