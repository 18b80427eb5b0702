//! Claiming a file, against the least that git needs to put one record under a ref.

use crate::{
    machine::{Machine, Repo, file},
    measure::{Pairs, Report, Subject, in_pairs},
};
use std::process::Command;

const FEW: usize = 10;
const MANY: usize = 10_000;

/// Four commands, as a script would have them. It decides nothing, checks nothing and files the record only once.
const RIVAL: &str = r#"
blob=$(printf '{"path":"%s","holder":"codex"}\n' "$1" | git hash-object -w --stdin) &&
tree=$(printf '100644 blob %s\tclaim.json\n' "$blob" | git mktree) &&
commit=$(git commit-tree "$tree" -p refs/aio/rival -m "claim: $1") &&
git update-ref refs/aio/rival "$commit"
"#;

pub fn run(report: &mut Report) {
    let machine = Machine::new();
    let rival = Rival::new(&machine);
    let (few, few_holder) = machine.repo_with_claims("few", FEW);
    let (many, many_holder) = machine.repo_with_claims("many", MANY);
    let few_claims = Claimant::new(&few, FEW, ("AIO_INSTANCE", &few_holder));
    let many_claims = Claimant::new(&many, MANY, ("AIO_INSTANCE", &many_holder));

    report.note("aio.fsync=false, objects as they were written");
    compare(report, &few_claims, &many_claims, &rival);

    let session = ("CLAUDE_CODE_SESSION_ID", "bench");
    let registered = crate::machine::output(few.aio_command(None, &["register", "claude"]).envs([session]));
    let found = crate::machine::output(few.aio_command(None, &["whoami"]).envs([session]));
    if found.contains(registered.trim()) {
        let in_session = Claimant::new(&few, FEW, session);
        let by_session = in_session.against(report.pairs(150), &few_claims);
        report.ratio("claim, found by its session / named by AIO_INSTANCE", &by_session, None);
        let against_git = in_session.against(report.pairs(150), &rival);
        report.ratio("claim, found by its session / four git commands", &against_git, None);
    } else {
        report.note("claims found by a session: not measured, since another agent runs this bench");
    }

    let (synced, synced_holder) = machine.repo_with_claims("synced", FEW);
    synced.git(&["config", "aio.fsync", "true"]);
    let synced_claims = Claimant::new(&synced, FEW, ("AIO_INSTANCE", &synced_holder));
    let sync = synced_claims.against(report.pairs(60), &few_claims);
    report.ratio("claim with aio.fsync=true (the default) / with false", &sync, None);
    let against_git = synced_claims.against(report.pairs(60), &rival);
    report.ratio("claim with aio.fsync=true / four git commands, which do not sync", &against_git, None);
    rival.repo.git(&["config", "core.fsync", "all"]);
    let sync_against_sync = synced_claims.against(report.pairs(60), &rival);
    report.ratio("claim with aio.fsync=true / four git commands with core.fsync=all", &sync_against_sync, None);
    rival.repo.git(&["config", "--unset", "core.fsync"]);

    report.note("aio.fsync=false, after git gc");
    for repo in [&few, &many, &rival.repo] {
        repo.git(&["gc", "-q"]);
        repo.age();
    }
    compare(report, &few_claims, &many_claims, &rival);
}

fn compare(report: &mut Report, few: &Claimant<'_>, many: &Claimant<'_>, rival: &Rival) {
    let against_git = few.against(report.pairs(150), rival);
    report.ratio("claim, 10 claims / four git commands", &against_git, Some(0.55));
    let growth = many.against(report.pairs(150), few);
    report.ratio("claim, 10,000 claims / 10 claims", &growth, Some(1.5));
}

/// Somebody who claims, in turn with somebody else.
trait Claims {
    /// The claim of a turn, not yet run.
    fn claim(&self, turn: usize) -> Command;

    /// Sets the ref back to where it was, so that the number of claims stays what it was.
    fn undo(&self);

    fn against(&self, count: usize, other: &dyn Claims) -> Pairs
    where
        Self: Sized,
    {
        in_pairs(
            count,
            &mut Subject { name: "ours", make: &mut |turn| self.claim(turn), after: &mut |_| self.undo() },
            &mut Subject { name: "theirs", make: &mut |turn| other.claim(turn), after: &mut |_| other.undo() },
        )
    }
}

/// The program.
struct Claimant<'r> {
    repo: &'r Repo,
    /// How many claims there are.
    of: usize,
    /// The variable by which it is known who claims.
    known_by: (&'static str, String),
    before: String,
}

impl<'r> Claimant<'r> {
    fn new(repo: &'r Repo, of: usize, known_by: (&'static str, &str)) -> Self {
        let before = repo.git(&["rev-parse", "refs/aio/state"]).trim().to_owned();
        Claimant { repo, of, known_by: (known_by.0, known_by.1.to_owned()), before }
    }
}

impl Claims for Claimant<'_> {
    fn claim(&self, turn: usize) -> Command {
        let path = format!("{}-{turn}", file(turn, self.of));
        let mut command = self.repo.aio_command(None, &["claim", "file", &path]);
        command.env(self.known_by.0, &self.known_by.1);
        command
    }

    fn undo(&self) {
        self.repo.git(&["update-ref", "refs/aio/state", &self.before]);
    }
}

/// The script.
struct Rival {
    repo: Repo,
    before: String,
}

impl Rival {
    fn new(machine: &Machine) -> Self {
        let repo = machine.repo("rival");
        repo.git(&["update-ref", "refs/aio/rival", "HEAD"]);
        let before = repo.git(&["rev-parse", "HEAD"]).trim().to_owned();
        Rival { repo, before }
    }
}

impl Claims for Rival {
    fn claim(&self, turn: usize) -> Command {
        let mut command = self.repo.command("sh");
        command.args(["-c", RIVAL, "sh", &format!("{}-{turn}", file(turn, FEW))]);
        command
    }

    fn undo(&self) {
        self.repo.git(&["update-ref", "refs/aio/rival", &self.before]);
    }
}
