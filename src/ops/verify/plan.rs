//! What is to be checked, and in whose name.

use super::{TIMEOUT, Wanted, subject::Subject};
use crate::{
    base::text,
    host::{
        config::{Config, PATH},
        project,
    },
    model::verify::Source,
    ops::{
        Error, Session,
        config::{BUILT_IN_CHECKS, Configured, DEFAULT_CHECKS, USUAL_CHECKS, check_names},
    },
};
use std::{path::Path, time::Duration};

/// What a verification would do.
#[derive(Debug, Clone, Default)]
pub struct Plan {
    /// The checks, in order.
    pub checks: Vec<Planned>,
    /// Whether the configuration waits for approval, so that nothing of it is run.
    pub waits_for_trust: bool,
    pub(super) subject: Option<Subject>,
}

/// One check.
#[derive(Debug, Clone)]
pub struct Planned {
    /// Its name, with an `@`; a command without a name is its own.
    pub name: String,
    /// Who says that it is a check.
    pub source: Source,
    /// What it does.
    pub what: What,
    /// The file or the handoff that it comes from, where it was not asked for.
    pub from: Option<String>,
    /// Why it is not to be run.
    pub hindrance: Option<Hindrance>,
}

/// Why a check is not to be run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Hindrance {
    /// Somebody has to say yes.
    NeedsConsent(String),
    /// It can't be made, whatever anybody says here.
    Impossible(String),
}

impl Hindrance {
    /// In words.
    pub fn words(&self) -> &str {
        let (Hindrance::NeedsConsent(words) | Hindrance::Impossible(words)) = self;
        words
    }
}

/// What a check does.
#[derive(Debug, Clone)]
pub enum What {
    /// It runs a command.
    Command {
        /// A line of shell.
        line: String,
        /// How long it may take.
        timeout: Duration,
    },
    /// It looks whether anything outside of the scope has changed.
    Scope,
    /// It looks whether anything inside of it has.
    Changed,
}

impl Plan {
    /// The checks of a source that wait for somebody's consent.
    pub fn waiting(&self, source: Source) -> impl Iterator<Item = &Planned> {
        self.checks.iter().filter(move |check| check.waits_for(source))
    }

    /// Somebody has seen the checks of a source and says yes.
    pub fn consent(&mut self, source: Source) {
        self.checks.iter_mut().filter(|check| check.waits_for(source)).for_each(|check| check.hindrance = None);
    }
}

/// What the repository says, and whether it may be acted on.
struct Known<'c> {
    config: &'c Config,
    waits: bool,
    root: &'c Path,
}

impl Session {
    /// What a verification would do.
    ///
    /// # Errors
    /// When a check or a claim or handoff is named that there is none of, or the configuration is invalid.
    pub fn plan_verification(&self, wanted: &Wanted) -> Result<Plan, Error> {
        let (mut checks, waits) = self.planned(&wanted.checks)?;
        let looks = checks.iter().any(|check| !matches!(check.what, What::Command { .. }));
        let subject = self.subject(wanted.of.as_deref(), looks)?;
        if let Some(subject) = &subject {
            // Nothing but what was to be changed: that is always looked at, and first.
            if !checks.iter().any(|check| matches!(check.what, What::Scope)) && subject.has_scope() {
                checks.insert(0, built_in("scope"));
            }
            for line in &subject.commands {
                // What whoever runs this has asked for in the same words needs nobody else's consent.
                if !checks.iter().any(|check| check.line() == Some(line)) {
                    checks.push(of_handoff(line, &subject.words));
                }
            }
        }
        for check in &mut checks {
            if check.source == Source::BuiltIn && !subject.as_ref().is_some_and(Subject::has_scope) {
                let why = "there is no scope: you hold no claim on paths, and none was named";
                check.hindrance = Some(Hindrance::Impossible(why.into()));
            }
        }
        Ok(Plan { checks, waits_for_trust: waits, subject })
    }

    /// By what the work of a run is checked: what is asked for, or what the repository says. What is built in is left to
    /// whoever knows what that work has changed.
    ///
    /// # Errors
    /// When a check is named that there is none of, or the configuration is invalid.
    pub fn plan_work(&self, asked: &[String]) -> Result<Plan, Error> {
        let (checks, waits_for_trust) = self.planned(asked)?;
        Ok(Plan { checks, waits_for_trust, subject: None })
    }

    /// The checks that are asked for, or are the default, each once; and whether the configuration waits for approval.
    fn planned(&self, asked: &[String]) -> Result<(Vec<Planned>, bool), Error> {
        let root = self.work_tree_to_verify()?;
        let (config, waits) = match self.configured()? {
            Configured::Nothing => (Config::default(), false),
            Configured::Waiting(declared) => (declared.config, true),
            Configured::Approved(declared) => (declared.config, false),
        };
        let known = Known { config: &config, waits, root: &root };
        let mut checks = if asked.is_empty() { known.default() } else { Vec::new() };
        for asked in asked {
            checks.extend(known.asked(asked)?);
        }
        let is = |check: &Planned, other: &Planned| check.name == other.name && check.line() == other.line();
        let mut once: Vec<Planned> = Vec::new();
        for check in checks {
            if !once.iter().any(|other| is(&check, other)) {
                once.push(check);
            }
        }
        Ok((once, waits))
    }
}

impl Planned {
    fn waits_for(&self, source: Source) -> bool {
        self.source == source && matches!(self.hindrance, Some(Hindrance::NeedsConsent(_)))
    }

    /// The command, where it is one.
    pub fn line(&self) -> Option<&String> {
        match &self.what {
            What::Command { line, .. } => Some(line),
            What::Scope | What::Changed => None,
        }
    }
}

impl Known<'_> {
    /// What is checked where nothing is asked for.
    fn default(&self) -> Vec<Planned> {
        let declared = &self.config.verify.default;
        if !declared.is_empty() {
            return declared.iter().flat_map(|entry| self.declared(&entry.value)).collect();
        }
        let usual: Vec<_> = USUAL_CHECKS.into_iter().filter_map(|name| self.of_config(name)).collect();
        // Whoever says what is to be checked has said that it is this.
        if usual.is_empty() { USUAL_CHECKS.into_iter().flat_map(|name| self.guessed(name)).collect() } else { usual }
    }

    /// An entry of the list in the configuration.
    fn declared(&self, entry: &str) -> Vec<Planned> {
        match entry.strip_prefix('@') {
            Some(name) => self.named(name),
            None => vec![self.trusted(command(entry.to_owned(), entry, TIMEOUT, Source::Repository))],
        }
    }

    /// What somebody asks for: a name, or a command.
    fn asked(&self, asked: &str) -> Result<Vec<Planned>, Error> {
        let name = asked.strip_prefix('@').unwrap_or(asked);
        if name == DEFAULT_CHECKS {
            return Ok(self.default());
        }
        let is_known = check_names(self.config).any(|known| known == name);
        match (is_known, asked.strip_prefix('@')) {
            (true, _) => Ok(self.named(name)),
            (false, None) if asked.trim().is_empty() => {
                Err(Error::usage("the check is empty", "name one, or give a command"))
            }
            (false, None) => Ok(vec![command(asked.to_owned(), asked, TIMEOUT, Source::Caller)]),
            (false, Some(name)) => {
                let meant = text::nearest(name, check_names(self.config).chain([DEFAULT_CHECKS]));
                let meant = meant.map(|meant| format!("; did you mean @{meant}?")).unwrap_or_default();
                let known = check_names(self.config).map(|name| format!("@{name}")).collect::<Vec<_>>().join(", ");
                Err(Error::usage(
                    format!("there is no check @{}{meant}", text::one_line(name, 60)),
                    format!("there are {known}; anything without an @ is a command"),
                ))
            }
        }
    }

    /// A check by its name, which is known.
    fn named(&self, name: &str) -> Vec<Planned> {
        if BUILT_IN_CHECKS.contains(&name) {
            return vec![built_in(name)];
        }
        if let Some(check) = self.of_config(name) {
            return vec![check];
        }
        let guessed = self.guessed(name);
        if !guessed.is_empty() {
            return guessed;
        }
        let why = format!("{PATH} says nothing of it, and no project was found that would have it");
        let unknown = command(format!("@{name}"), "", TIMEOUT, Source::Guess);
        vec![Planned { hindrance: Some(Hindrance::Impossible(why)), ..unknown }]
    }

    fn of_config(&self, name: &str) -> Option<Planned> {
        let check = self.config.verify.check(name)?;
        let timeout = check.timeout.unwrap_or(TIMEOUT);
        Some(self.trusted(command(format!("@{name}"), &check.run, timeout, Source::Repository)))
    }

    fn trusted(&self, check: Planned) -> Planned {
        let hindrance = self.waits.then(|| Hindrance::Impossible(format!("{PATH} is not approved")));
        Planned { hindrance, from: Some(PATH.to_owned()), ..check }
    }

    fn guessed(&self, name: &str) -> Vec<Planned> {
        let found = project::checks_in(self.root).into_iter().filter(|found| found.check == name);
        let planned = |found: project::Found| Planned {
            hindrance: Some(Hindrance::NeedsConsent(format!(
                "a guess from {}, which nobody has confirmed",
                found.from
            ))),
            from: Some(found.from),
            ..command(format!("@{name}"), &found.command, TIMEOUT, Source::Guess)
        };
        found.map(planned).collect()
    }
}

fn command(name: String, line: &str, timeout: Duration, source: Source) -> Planned {
    let what = What::Command { line: line.to_owned(), timeout };
    Planned { name, source, what, from: None, hindrance: None }
}

fn built_in(name: &str) -> Planned {
    let what = if name == "scope" { What::Scope } else { What::Changed };
    Planned { name: format!("@{name}"), source: Source::BuiltIn, what, from: None, hindrance: None }
}

/// A command that a handoff brings.
fn of_handoff(line: &str, handoff: &str) -> Planned {
    Planned {
        from: Some(handoff.to_owned()),
        hindrance: Some(Hindrance::NeedsConsent(format!("it comes with {handoff}, and no person has approved it"))),
        ..command(line.to_owned(), line, TIMEOUT, Source::Handoff)
    }
}
