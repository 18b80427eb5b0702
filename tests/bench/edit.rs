//! The fence at the edit: the command of the hook, as an agent runs it before each edit.

use crate::{
    machine::{Machine, Repo, file, output},
    measure::{Pairs, Report, Subject, in_pairs},
};
use std::{
    fs::{self, File},
    path::PathBuf,
    process::Command,
};

const FEW: usize = 10;
const MANY: usize = 10_000;

/// What `git aio init --agents=claude` installs.
const HOOK: &str = "command -v git-aio >/dev/null 2>&1 || exit 0; exec git-aio hook claude";

/// The session of the agent.
const SESSION: &str = "bench";

pub fn run(report: &mut Report) {
    let machine = Machine::new();
    let few = Agent::new(machine.repo_with_claims("few", FEW).0);
    let many = Agent::new(machine.repo_with_claims("many", MANY).0);
    let pairs = report.pairs(200);
    for (agent, claims) in [(&few, "10"), (&many, "10,000")] {
        let own = agent.against(pairs, &agent.own, &mut |_| rev_parse(&few.repo));
        report.ratio(&format!("edit of a file one holds, {claims} claims / git rev-parse"), &own, Some(2.5));
        let held = agent.against(pairs, &agent.held, &mut |_| rev_parse(&few.repo));
        report.ratio(&format!("edit of a file another holds, {claims} claims / git rev-parse"), &held, Some(2.5));
    }
    let first = few.first_edits(report.pairs(100));
    report.ratio("first edit, which claims / edit of what one holds and then a claim", &first, Some(1.0));
}

/// An agent in a repository.
struct Agent {
    repo: Repo,
    instance: String,
    /// A file that it holds.
    own: String,
    /// A file that another holds.
    held: String,
}

impl Agent {
    fn new(repo: Repo) -> Agent {
        repo.git(&["config", "aio.autoClaim", "true"]);
        let registered = output(repo.aio_command(None, &["register", "claude"]).env("CLAUDE_CODE_SESSION_ID", SESSION));
        let instance = registered.trim().to_owned();
        let (own, held) = (format!("{}x", file(5, FEW)), format!("{}y", file(5, FEW)));
        repo.write(&own, "text\n");
        repo.write(&held, "text\n");
        repo.aio(Some(&instance), &["claim", &own]);
        let other = repo.register("codex");
        repo.aio(Some(&other), &["claim", &held]);
        Agent { repo, instance, own, held }
    }

    /// Where the call of the hook is kept.
    fn call(&self) -> PathBuf {
        self.repo.dir.join(".git/call.json")
    }

    /// The hook before an edit of `path`.
    fn edits(&self, path: &str) -> Command {
        let (cwd, file) = (self.repo.dir.display(), self.repo.dir.join(path));
        let text = format!(
            r#"{{"session_id":"{SESSION}","cwd":"{cwd}","hook_event_name":"PreToolUse","tool_name":"Edit","tool_input":{{"file_path":"{}","old_string":"one","new_string":"two"}}}}"#,
            file.display()
        );
        fs::write(self.call(), text).unwrap();
        let mut hook = self.repo.command("sh");
        hook.args(["-c", HOOK]).stdin(File::open(self.call()).unwrap());
        hook
    }

    fn against(&self, count: usize, path: &str, theirs: &mut dyn FnMut(usize) -> Command) -> Pairs {
        in_pairs(
            count,
            &mut Subject { name: "ours", make: &mut |_| self.edits(path), after: &mut |_| {} },
            &mut Subject { name: "theirs", make: theirs, after: &mut |_| {} },
        )
    }

    fn first_edits(&self, count: usize) -> Pairs {
        let release = |_| drop(self.repo.aio(Some(&self.instance), &["release", "all"]));
        let claim_own = || drop(self.repo.aio(Some(&self.instance), &["claim", &self.own]));
        let both = &mut |nth| {
            claim_own();
            // The call of such an edit is written, and read by two commands in one shell instead.
            drop(self.edits(&self.own));
            let mut both = self.repo.command("sh");
            both.args(["-c", &format!("sh -c '{HOOK}'; git-aio claim free/second-{nth}")]);
            both.stdin(File::open(self.call()).unwrap()).env("AIO_INSTANCE", &self.instance);
            both
        };
        in_pairs(
            count,
            &mut Subject {
                name: "ours",
                make: &mut |nth| self.edits(&format!("free/first-{nth}")),
                after: &mut release.clone(),
            },
            &mut Subject { name: "theirs", make: both, after: &mut release.clone() },
        )
    }
}

fn rev_parse(repo: &Repo) -> Command {
    repo.git_command(&["rev-parse", "refs/aio/state"])
}
