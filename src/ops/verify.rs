//! Whether work may be believed: the checklist, made from what the repository says, what is asked for and what a handoff
//! brings, and carried out.
//!
//! It goes in two steps. A [`Plan`] says what would be run and in whose name; whoever shows it adds consent where that is
//! needed. Then it is carried out. What nobody has vouched for is never run, and what was not run is never "passed".

mod plan;
mod subject;

pub use crate::host::supervise::Interrupts;
pub use plan::{Hindrance, Plan, Planned, What};
pub use subject::KeptDiff;

use super::{Error, Session};
use crate::{
    base::text,
    host::verify::{End, Task},
    model::{
        run::CheckRecord,
        verify::{Outcome, Source, Verdict},
    },
};
use sha2::Digest as _;
use std::time::Duration;

/// What is to be verified.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// A claim or a handoff, by its id or the beginning of it.
    pub of: Option<String>,
    /// The checks that are asked for, by name or as commands; those that are the default where there are none.
    pub checks: Vec<String>,
}

/// A check and what came of it.
#[derive(Debug, Clone)]
pub struct Checked {
    /// Its name, with an `@`; a command without a name is its own.
    pub name: String,
    /// Who says that it is a check.
    pub source: Source,
    /// The command, where it is one.
    pub command: Option<String>,
    /// How it ended.
    pub outcome: Outcome,
    /// The exit code, where there is one.
    pub exit: Option<i32>,
    /// How long it took.
    pub took: Option<Duration>,
    /// What it printed or found: anybody's words.
    pub output: String,
    /// Why it was not run, or was ended.
    pub why: Option<String>,
}

/// What a verification came to.
#[derive(Debug, Clone)]
pub struct Verified {
    /// In a word.
    pub verdict: Verdict,
    /// Every check.
    pub checks: Vec<Checked>,
    /// What has changed, kept for whoever reviews it; `None` where nothing differs.
    pub diff: Option<KeptDiff>,
    /// Whether it was stopped before its end.
    pub interrupted: bool,
}

/// A moment of a verification, for progress.
#[derive(Debug)]
pub enum Moment<'a> {
    /// This check begins.
    Begins(&'a Planned),
    /// This one has ended.
    Ends(&'a Checked),
}

/// How long a check may take, unless that is said.
const TIMEOUT: Duration = Duration::from_secs(10 * 60);

impl Session {
    /// Carries a plan out, check after check: one that fails stops none of the others.
    ///
    /// # Errors
    /// When git can't be asked what has changed.
    pub fn verify(&self, plan: &Plan, mut tell: impl FnMut(&Moment<'_>)) -> Result<Verified, Error> {
        let root = self.work_tree_to_verify()?;
        let interrupts = Interrupts::watch().map_err(Error::file("can't watch for Ctrl-C"))?;
        let changes = self.changes(plan.subject.as_ref())?;
        let mut beat = || {
            if let Ok(me) = self.snapshot().and_then(|snapshot| self.who(&snapshot))
                && let Some(me) = me.instance()
            {
                self.heard_of(me);
            }
        };
        let (mut checks, mut interrupted) = (Vec::new(), false);
        for planned in &plan.checks {
            let checked = if interrupted {
                planned.not_run("it was stopped before")
            } else {
                tell(&Moment::Begins(planned));
                match (&planned.hindrance, &planned.what) {
                    (Some(hindrance), _) => planned.not_run(hindrance.words()),
                    (None, What::Command { line, timeout }) => {
                        let mark = u64::from_be_bytes(self.random()).to_string();
                        let task = Task { command: line, dir: &root, limit: *timeout, mark: &mark };
                        let checked = self.run_check(planned, &task, &interrupts, &mut beat);
                        interrupted = checked.outcome == Outcome::NotRun;
                        checked
                    }
                    (None, What::Scope) => self.check_scope(planned, plan.subject.as_ref(), &changes)?,
                    (None, What::Changed) => self.check_changed(planned, plan.subject.as_ref(), &changes)?,
                }
            };
            tell(&Moment::Ends(&checked));
            checks.push(checked);
        }
        let verdict = Verdict::of(checks.iter().map(|checked| (checked.source, checked.outcome)));
        Ok(Verified { verdict, checks, diff: changes.kept, interrupted })
    }

    /// Makes the check of a command, unless something hinders it. What it starts is known by `mark`, which nothing else
    /// has at this moment. `beat` is called now and then as long as it runs.
    pub fn make_check(
        &self,
        planned: &Planned,
        mark: &str,
        interrupts: &Interrupts,
        mut beat: impl FnMut(),
    ) -> Checked {
        match (&planned.hindrance, &planned.what, self.work_tree_to_verify()) {
            (Some(hindrance), ..) => planned.not_run(hindrance.words()),
            (None, What::Command { line, timeout }, Ok(root)) => {
                let task = Task { command: line, dir: &root, limit: *timeout, mark };
                self.run_check(planned, &task, interrupts, &mut beat)
            }
            (None, What::Command { .. }, Err(error)) => planned.not_run(&error.to_string()),
            (None, What::Scope | What::Changed, _) => planned.not_run("it is no command"),
        }
    }

    fn run_check(
        &self,
        planned: &Planned,
        task: &Task<'_>,
        interrupts: &Interrupts,
        beat: &mut dyn FnMut(),
    ) -> Checked {
        let ran = match crate::host::verify::run(task, interrupts, beat) {
            Ok(ran) => ran,
            Err(error) => {
                return Checked {
                    outcome: Outcome::Failed,
                    why: Some(format!("the shell can't be started: {error}")),
                    ..planned.not_run("")
                };
            }
        };
        let checked = Checked { took: Some(ran.took), output: ran.output, ..planned.not_run("") };
        match ran.end {
            End::Exited(exit) => {
                let outcome = if exit == 0 { Outcome::Passed } else { Outcome::Failed };
                Checked { outcome, exit: Some(exit), why: None, ..checked }
            }
            End::TimedOut => {
                let why =
                    format!("ended after {}, with all that it had started", humantime::format_duration(task.limit));
                Checked { outcome: Outcome::Failed, why: Some(why), ..checked }
            }
            End::Interrupted => Checked { why: Some("stopped, with all that it had started".into()), ..checked },
        }
    }

    /// Why nobody here can consent to commands that somebody else thought of; `None` where a person can.
    ///
    /// # Errors
    /// When an instance is named that never was one here.
    pub fn cannot_consent(&self) -> Result<Option<String>, Error> {
        Ok(self.taken_for_agent(&self.who(&self.snapshot()?)?))
    }

    fn work_tree_to_verify(&self) -> Result<std::path::PathBuf, Error> {
        self.repository.work_tree().ok_or_else(|| {
            Error::usage(
                "this repository is bare: there is nothing to check in it",
                "run it in a clone with a work tree",
            )
        })
    }
}

impl Checked {
    /// That nothing but `paths` has changed, which somebody else has looked at.
    pub fn of_scope(paths: String) -> Checked {
        Checked {
            name: "@scope".into(),
            source: Source::BuiltIn,
            command: None,
            outcome: Outcome::Passed,
            exit: None,
            took: None,
            output: paths,
            why: None,
        }
    }

    /// That whoever asked for the work wanted nothing of it to be checked.
    pub fn left_out() -> Checked {
        Checked {
            name: "@default".into(),
            source: Source::Caller,
            outcome: Outcome::NotRun,
            why: Some("left out, as was asked for".into()),
            ..Checked::of_scope(String::new())
        }
    }

    /// What is recorded of it: all but what it printed, of which a digest is.
    pub fn record(&self) -> CheckRecord {
        let digest = || text::hex(&sha2::Sha256::digest(self.output.as_bytes()));
        CheckRecord {
            name: self.name.clone(),
            source: self.source,
            outcome: self.outcome,
            exit: self.exit,
            took: self.took,
            why: self.why.clone(),
            digest: (!self.output.is_empty()).then(digest),
        }
    }
}

impl Planned {
    /// A line of shell that the repository has approved.
    pub(super) fn of_line(name: &str, line: &str) -> Planned {
        let what = What::Command { line: line.to_owned(), timeout: TIMEOUT };
        Planned { name: name.to_owned(), source: Source::Repository, what, from: None, hindrance: None }
    }

    /// It, as one that was not made, for this reason.
    pub fn not_run(&self, why: &str) -> Checked {
        let command = match &self.what {
            What::Command { line, .. } => Some(line.clone()).filter(|line| !line.is_empty()),
            What::Scope | What::Changed => None,
        };
        Checked {
            name: self.name.clone(),
            source: self.source,
            command,
            outcome: Outcome::NotRun,
            exit: None,
            took: None,
            output: String::new(),
            why: Some(why.to_owned()).filter(|why| !why.is_empty()),
        }
    }

    /// The same, made by looking.
    pub fn looked(&self, is_well: bool, output: String) -> Checked {
        let outcome = if is_well { Outcome::Passed } else { Outcome::Failed };
        Checked { outcome, output, why: None, ..self.not_run("") }
    }
}

/// An id as it was typed, for a message.
fn typed(id: &str) -> String {
    text::one_line(id, 40)
}
