//! What the steps of a workflow may write at most, where that is said at its top: a step that would surely be refused for
//! that is told before anything runs. What is filled in later is held against it then.

use super::{
    template::{Text, Texts},
    workflow::{Action, Compensate, Job, Step},
};
use crate::{
    base::path::RepoPath,
    model::scope::{Pattern, Scope},
};

/// What can be told of a scope at the top from the file alone.
#[derive(Debug, Default)]
pub(super) struct Cap {
    words: Vec<String>,
}

/// A word of a step that is not within it.
pub(super) struct Beyond<'s> {
    /// The step, if it is one of a workflow that is called.
    pub(super) step: &'s str,
    pub(super) text: &'s Text,
}

impl Cap {
    /// That of these words; nothing is known of it where something is still to be filled in.
    pub(super) fn of(scope: &Texts) -> Cap {
        let is_known = scope.0.iter().all(Text::is_plain);
        Cap { words: scope.0.iter().filter(|_| is_known).map(|text| text.source().to_owned()).collect() }
    }

    /// It, for people.
    pub(super) fn told(&self) -> String {
        self.words.join(", ")
    }

    /// The first word in what a job may write that is surely beyond it.
    pub(super) fn beyond<'j>(&self, job: &'j Job) -> Option<&'j Text> {
        job.scope.0.iter().filter(|text| text.is_plain()).find(|text| self.is_surely_beyond(text.source()))
    }

    /// The same in steps, and in all that is inside of them.
    pub(super) fn beyond_in<'s>(&self, steps: &'s [Step]) -> Option<Beyond<'s>> {
        steps.iter().find_map(|step| {
            let undoes = match &step.flow.compensate {
                Some(Compensate::Job { job, .. }) => self.beyond(job),
                _ => None,
            };
            let told = |text| Beyond { step: &step.id, text };
            let own = match &step.action {
                Action::Work(job) => self.beyond(job).map(told),
                Action::Ask { .. } => None,
                Action::Block { steps, .. } => self.beyond_in(steps),
                Action::Call { workflow, .. } => self.beyond_in(&workflow.steps),
            };
            own.or_else(|| undoes.map(told))
        })
    }

    /// Whether a word is beyond it whatever it turns out to be.
    fn is_surely_beyond(&self, word: &str) -> bool {
        let (own, allowed): (Vec<Scope>, Vec<Vec<Scope>>) =
            (meanings(word), self.words.iter().map(|word| meanings(word)).collect());
        let is_known = !own.is_empty() && !allowed.is_empty() && allowed.iter().all(|meanings| !meanings.is_empty());
        // Where letters are told apart by their case is known where it is looked at.
        let includes = |scope: &Scope| allowed.iter().flatten().any(|allowed| allowed.includes(scope, true));
        is_known && !own.iter().any(includes)
    }
}

/// All that a word may mean: whether it is a file or a folder is known where it is looked at. Nothing for one that is none.
fn meanings(word: &str) -> Vec<Scope> {
    let inside = word.strip_prefix("./").unwrap_or(word);
    let path = RepoPath::from_bytes(inside.trim_end_matches('/').as_bytes()).ok();
    let folder = path.clone().map(Scope::Directory);
    let file = path.filter(|path| !path.is_root() && !word.ends_with('/')).map(Scope::File);
    let pattern = word.contains(['*', '?', '[', '{']).then(|| Pattern::parse(word).ok()).flatten();
    folder.into_iter().chain(file).chain(pattern.map(Scope::Pattern)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_surely_beyond_a_scope_is_told_and_no_more() {
        let beyond = |cap: &[&str], word: &str| {
            Cap { words: cap.iter().map(|word| (*word).to_owned()).collect() }.is_surely_beyond(word)
        };
        for (cap, word, is) in [
            (&["src/**"][..], "docs/a", true),
            (&["src/**"], "src/a", false),
            (&["src/**"], "src/**", false),
            (&["src/**"], "./src/a/b", false),
            (&["src/**", "docs/"], "docs/a", false),
            (&["docs"], "docs/a", false),
            (&["docs/"], "docs", false),
            (&["./"], "anything/**", false),
            (&["src/"], "src/**/*.rs", false),
            (&["src/"], "tests/*.rs", true),
            (&["src/a.rs"], "src/b.rs", true),
            (&["src/a.rs"], "SRC/A.rs", false),
            (&["src/**"], "../elsewhere", false),
            (&[], "src/a", false),
        ] {
            assert_eq!(beyond(cap, word), is, "{word} of {cap:?}");
        }
    }
}
