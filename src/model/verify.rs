//! When work is to be believed: what a verification has to show before it may say "passed".

/// Who says that a check is one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// The repository's own configuration, which its user has approved.
    Repository,
    /// Whoever runs the verification, by naming the command.
    Caller,
    /// We, by what kind of project it looks like: a guess.
    Guess,
    /// A handoff: the words of another agent.
    Handoff,
    /// It is built in, and looks at what has changed.
    BuiltIn,
}

impl Source {
    /// All of them.
    pub const ALL: [Source; 5] = [Source::Repository, Source::Caller, Source::Guess, Source::Handoff, Source::BuiltIn];

    /// The word.
    pub fn as_str(self) -> &'static str {
        match self {
            Source::Repository => "config",
            Source::Caller => "caller",
            Source::Guess => "guess",
            Source::Handoff => "handoff",
            Source::BuiltIn => "built-in",
        }
    }

    /// Whether a check from there shows that the code is in order. What another agent wrote may be `true`; and that
    /// only the right files were changed says nothing of what is in them.
    pub fn proves(self) -> bool {
        matches!(self, Source::Repository | Source::Caller | Source::Guess)
    }
}

/// How a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It was made, and all is well.
    Passed,
    /// It was made, and all is not.
    Failed,
    /// It was not made.
    NotRun,
}

impl Outcome {
    /// All of them.
    pub const ALL: [Outcome; 3] = [Outcome::Passed, Outcome::Failed, Outcome::NotRun];

    /// The word.
    pub fn as_str(self) -> &'static str {
        match self {
            Outcome::Passed => "passed",
            Outcome::Failed => "failed",
            Outcome::NotRun => "not run",
        }
    }
}

/// What a verification comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Everything that was to be checked was checked and is well, the code among it.
    Passed,
    /// Something is not.
    Failed,
    /// Nothing is known to be wrong, and that is all.
    Unverified,
}

impl Verdict {
    /// What these checks come to.
    pub fn of(checks: impl IntoIterator<Item = (Source, Outcome)>) -> Verdict {
        let (mut proven, mut complete) = (false, true);
        for (source, outcome) in checks {
            match outcome {
                Outcome::Failed => return Verdict::Failed,
                Outcome::NotRun => complete = false,
                Outcome::Passed => proven |= source.proves(),
            }
        }
        if proven && complete { Verdict::Passed } else { Verdict::Unverified }
    }

    /// The word.
    pub fn as_str(self) -> &'static str {
        match self {
            Verdict::Passed => "passed",
            Verdict::Failed => "failed",
            Verdict::Unverified => "unverified",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Outcome::{Failed, NotRun, Passed};
    use Source::{BuiltIn, Caller, Guess, Handoff, Repository};

    #[test]
    fn only_what_was_checked_is_believed() {
        for (checks, verdict) in [
            (&[][..], Verdict::Unverified),
            (&[(Repository, Passed)], Verdict::Passed),
            (&[(Guess, Passed), (BuiltIn, Passed), (Handoff, Passed)], Verdict::Passed),
            (&[(BuiltIn, Passed)], Verdict::Unverified),
            (&[(Handoff, Passed), (BuiltIn, Passed)], Verdict::Unverified),
            (&[(Caller, Passed), (Handoff, NotRun)], Verdict::Unverified),
            (&[(Guess, NotRun)], Verdict::Unverified),
            (&[(Repository, Passed), (BuiltIn, Failed)], Verdict::Failed),
            (&[(Guess, NotRun), (Repository, Failed)], Verdict::Failed),
        ] {
            assert_eq!(Verdict::of(checks.iter().copied()), verdict, "{checks:?}");
        }
    }
}
