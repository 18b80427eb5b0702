//! That a stand-in is heard as what it stands in for.

use super::{Agents, Do};
use crate::env::TestEnvironment;
use git_aio::host::{
    agents::headless::{Errand, Tool},
    supervise::{End, Ended, Interrupts, Unusable, Watch, supervise},
};
use std::{
    fs,
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

const ALL: [&str; 6] = ["claude", "codex", "gemini", "copilot", "opencode", "amp"];

/// Starts it as it is started for work, with `prompt`.
fn run(agents: &Agents, name: &str, dir: &Path, prompt: &str, stall: Duration) -> Ended {
    run_for(agents, name, dir, prompt, stall, Duration::from_secs(60))
}

/// The same for so long at most.
fn run_for(agents: &Agents, name: &str, dir: &Path, prompt: &str, stall: Duration, timeout: Duration) -> Ended {
    let words = if ALL.contains(&name) { vec![] } else { vec![agents.program(name).display().to_string()] };
    let tool = Tool::find(name, &words).unwrap();
    let instance = format!("{name}-1");
    let errand = Errand {
        prompt,
        stdin: None,
        dir,
        may_write: true,
        git_dir: dir,
        schema: None,
        resume: None,
        instance: &instance,
    };
    let mut invocation = tool.invocation(&errand).unwrap();
    invocation.program = agents.program(name).into();
    let mark = format!("fake-{name}-{}", dir.display()).replace('/', "-");
    let log = dir.with_extension("log");
    let watch =
        Watch { invocation: &invocation, dir, timeout: Some(timeout), stall: Some(stall), mark: &mark, log: &log };
    supervise(&watch, tool.reader(dir), &Interrupts::watch().unwrap(), &mut |_| ()).unwrap()
}

/// A folder to work in, and agents.
fn place(env: &TestEnvironment) -> (Agents, PathBuf) {
    let dir = env.path().join("work");
    fs::create_dir_all(&dir).unwrap();
    (Agents::in_(env), dir)
}

const LONG: Duration = Duration::from_secs(30);

#[test]
fn each_edits_runs_and_answers_in_its_own_stream() {
    for name in ALL.into_iter().chain(["own"]) {
        let env = TestEnvironment::new();
        let (agents, dir) = place(&env);
        let text = "It's \"done\" at 5 $ and \\ \u{1b}[31mred\u{1b}[0m.";
        agents.plays(name, &[Do::Edit("new dir/a.txt", "it's\n"), Do::Run("echo b >b.txt"), Do::Say(text)]);
        let ended = run(&agents, name, &dir, "Fix it.", LONG);
        assert_eq!((ended.end, ended.told.result.trim_end(), ended.unusable()), (End::Exited(0), text, None), "{name}");
        assert_eq!(fs::read_to_string(dir.join("new dir/a.txt")).unwrap(), "it's\n");
        assert_eq!(fs::read_to_string(dir.join("b.txt")).unwrap(), "b\n");
        let calls = agents.calls(name);
        assert_eq!((calls.len(), &calls[0].prompt[..], &calls[0].dir), (1, "Fix it.", &dir));
        assert_eq!(calls[0].env["AIO_INSTANCE"], format!("{name}-1"));
        if name != "own" {
            let usage = ended.told.usage;
            assert_eq!(ended.told.session, Some(format!("{name}-session-1")));
            assert!(
                name == "copilot" || (usage.input, usage.cached, usage.output) == (Some(10), Some(4), Some(5)),
                "{name}"
            );
        }
    }
}

#[test]
fn each_fails_in_its_own_stream_whatever_its_exit_code() {
    for name in ALL {
        let env = TestEnvironment::new();
        let (agents, dir) = place(&env);
        agents.plays(name, &[Do::Error("overloaded")]);
        agents.plays(name, &[Do::Error("overloaded"), Do::Exit(1)]);
        agents.plays(name, &[Do::Say("")]);
        agents.plays(name, &[Do::BreakOff]);
        agents.plays(name, &[Do::Denied("shell"), Do::Say("I may not.")]);
        let error = Some(Unusable::Error("overloaded".into()));
        for expected in [error.clone(), error, Some(Unusable::Empty), Some(Unusable::Empty), None, None] {
            let ended = run(&agents, name, &dir, "Fix it.", LONG);
            assert_eq!(ended.unusable(), expected, "{name}: {ended:?}");
            assert!(
                !ended.retry_is_useless() && (expected.is_some() || ended.told.denied.len() == 1),
                "{name}: {ended:?}"
            );
        }
        assert_eq!(agents.calls(name).len(), 6);
    }
}

#[test]
fn prompts_are_told_apart_and_sessions_go_on() {
    let env = TestEnvironment::new();
    let (agents, dir) = place(&env);
    agents.plays("codex", &[Do::Say("other")]);
    agents.plays_when("codex", "review", &[Do::Say("first review")]);
    agents.plays_when("codex", "review", &[Do::Say("second review")]);
    agents.plays_when("codex", "test", &[Do::Say("test")]);
    let prompts = ["test it", "review it", "write it", "review it", "review it"];
    let answers = prompts.map(|prompt| run(&agents, "codex", &dir, prompt, LONG).told.result);
    assert_eq!(answers, ["test", "first review", "other", "second review", "second review"]);
}

#[test]
fn what_misbehaves_is_ended() {
    let env = TestEnvironment::new();
    let (agents, dir) = place(&env);
    agents.plays("claude", &[Do::Complain("\u{1b}]0;title\u{7}"), Do::LeaveBehind, Do::Say("Done.")]);
    agents.plays("claude", &[Do::LeaveBehind, Do::Stall]);
    agents.plays("claude", &[Do::SayMuch(3_000_000)]);
    agents.plays("claude", &[Do::SayMuch(300_000)]);
    let ended = run(&agents, "claude", &dir, "", LONG);
    assert_eq!((ended.unusable(), &ended.told.result[..]), (None, "Done."));
    assert!(!cfg!(target_os = "linux") || ended.left_behind >= 2, "{ended:?}");
    assert_eq!(run(&agents, "claude", &dir, "", Duration::from_millis(500)).end, End::Stalled);
    let much = run(&agents, "claude", &dir, "", LONG).unusable().unwrap();
    assert_eq!(much.to_string(), "too much output to be kept");
    assert_eq!(run(&agents, "claude", &dir, "", LONG).bytes, 300_000);
}

#[test]
fn what_waits_goes_on_and_what_only_makes_noise_comes_to_an_end() {
    let env = TestEnvironment::new();
    let (agents, dir) = place(&env);
    agents.plays("gemini", &[Do::Print("not an event"), Do::WaitFor("go"), Do::IgnoreSignals, Do::Say("Gone.")]);
    agents.plays("gemini", &[Do::Chatter]);
    let ended = thread::scope(|scope| {
        let run = scope.spawn(|| run(&agents, "gemini", &dir, "", LONG));
        while agents.calls("gemini").is_empty() {
            thread::yield_now();
        }
        assert!(!run.is_finished());
        fs::write(dir.join("go"), "").unwrap();
        run.join().unwrap()
    });
    assert_eq!(ended.told.result, "Gone.");
    let call = &agents.calls("gemini")[0];
    assert!(call.has("stream-json") && call.args.len() == 4 && call.pid > 1, "{call:?}");
    assert_eq!(run_for(&agents, "gemini", &dir, "", LONG, Duration::from_millis(500)).end, End::TimedOut);
}

#[test]
fn many_at_once_keep_out_of_each_other_s_way() {
    let env = TestEnvironment::new();
    let (agents, dir) = place(&env);
    let dirs: Vec<_> = (0..12).map(|n| dir.join(n.to_string())).collect();
    for (n, dir) in dirs.iter().enumerate() {
        fs::create_dir(dir).unwrap();
        let (number, answer) = (format!("task {n}."), format!("answer {n}"));
        agents.plays_when("claude", &number, &[Do::LeaveBehind, Do::Edit("a.txt", &number), Do::Say(&answer)]);
    }
    let ended: Vec<_> = thread::scope(|scope| {
        let agents = &agents;
        let start = |(n, dir): (usize, &'_ PathBuf)| {
            let dir = dir.clone();
            scope.spawn(move || run(agents, "claude", &dir, &format!("Do task {n}."), LONG))
        };
        let runs: Vec<_> = dirs.iter().enumerate().map(start).collect();
        runs.into_iter().map(|run| run.join().unwrap()).collect()
    });
    for (n, (ended, dir)) in ended.iter().zip(&dirs).enumerate() {
        assert_eq!((ended.unusable(), &ended.told.result[..]), (None, &format!("answer {n}")[..]), "{ended:?}");
        assert_eq!(fs::read_to_string(dir.join("a.txt")).unwrap(), format!("task {n}."));
    }
    assert_eq!(agents.calls("claude").len(), 12);
}
