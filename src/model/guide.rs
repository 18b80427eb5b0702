//! Whom to give which work: the agent selection guide, and the domains of the tools.
//!
//! A task is described in anybody's words. They are compared with the words of each row, by their stems and allowing for
//! a slip in a longer one. What is said most wins; where two rows are as good, the one that stands first.

use std::cmp::Reverse;

/// A row of the guide.
#[derive(Debug, PartialEq, Eq)]
pub struct Row {
    /// The kind of task.
    pub task: &'static str,
    /// The agent for it.
    pub primary: &'static str,
    /// Agents that may help, with what for where that is said.
    pub also: &'static [(&'static str, Option<&'static str>)],
    /// Other words for it.
    words: &'static str,
    /// The domain it usually lies in.
    domain: usize,
    /// What a tool for it should be good at.
    needs: &'static [Need],
}

/// What a tool may be good at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// Taking in much at once.
    Context,
    /// Searching the web.
    Search,
    /// Costing little, for work in bulk.
    Cost,
}

/// What a tool is best at.
#[derive(Debug, PartialEq, Eq)]
pub struct Domain {
    /// In words.
    pub name: &'static str,
    /// The tool.
    pub tool: &'static str,
    words: &'static str,
    /// What else a tool for it should be good at.
    needs: &'static [Need],
}

const LOGIC: usize = 0;
const REFACTORING: usize = 1;
const FEATURES: usize = 2;
const DOCS: usize = 4;

/// The domains.
const DOMAINS: &[Domain] = &[
    Domain { name: "business logic", tool: "claude", words: "business logic rule invoice billing", needs: &[] },
    Domain { name: "complex refactoring", tool: "claude", words: "refactor restructure untangle", needs: &[] },
    Domain { name: "new features", tool: "codex", words: "feature scaffold prototype", needs: &[] },
    Domain { name: "algorithms", tool: "codex", words: "algorithm optimize performance", needs: &[] },
    Domain { name: "documentation", tool: "gemini", words: "documentation document docs readme", needs: &[] },
    Domain {
        name: "research",
        tool: "gemini",
        words: "research compare investigate practice",
        needs: &[Need::Search, Need::Context],
    },
    Domain { name: "explanations", tool: "gemini", words: "explain explanation summarize", needs: &[Need::Context] },
    Domain { name: "code search", tool: "amp", words: "search find locate usage", needs: &[Need::Context] },
    Domain { name: "navigation", tool: "amp", words: "navigate navigation where", needs: &[Need::Context] },
    Domain {
        name: "questions about the codebase",
        tool: "amp",
        words: "question codebase how which",
        needs: &[Need::Context],
    },
];

/// The guide.
pub const GUIDE: &[Row] = &[
    Row {
        task: "Bug fixes",
        primary: "implementer",
        also: &[("reviewer", None)],
        words: "defect crash error regression broken fail failure hotfix wrong repair",
        domain: LOGIC,
        needs: &[],
    },
    Row {
        task: "New features",
        primary: "implementer",
        also: &[("tester", None), ("documenter", None)],
        words: "add implement build create support introduce",
        domain: FEATURES,
        needs: &[],
    },
    Row {
        task: "Security audit",
        primary: "reviewer",
        also: &[("implementer", Some("for fixes"))],
        words: "vulnerability injection xss csrf secret exploit cve harden threat",
        domain: LOGIC,
        needs: &[Need::Context],
    },
    Row {
        task: "Test coverage",
        primary: "tester",
        also: &[],
        words: "untested unit testing",
        domain: FEATURES,
        needs: &[Need::Cost],
    },
    Row {
        task: "Technical debt",
        primary: "refactorer",
        also: &[("reviewer", None)],
        words: "refactor clean cleanup simplify duplicate duplication dead restructure tidy quality",
        domain: REFACTORING,
        needs: &[],
    },
    Row {
        task: "API changes",
        primary: "implementer",
        also: &[("documenter", None), ("tester", None)],
        words: "endpoint interface signature contract route breaking deprecate",
        domain: FEATURES,
        needs: &[],
    },
    Row {
        task: "Pattern migration",
        primary: "refactorer",
        also: &[("implementer", None)],
        words: "migrate convert replace upgrade port adopt rename switch",
        domain: REFACTORING,
        needs: &[Need::Cost],
    },
    Row {
        task: "Documentation",
        primary: "documenter",
        also: &[],
        words: "document docs doc readme guide comment jsdoc changelog tutorial",
        domain: DOCS,
        needs: &[Need::Context, Need::Cost],
    },
];

impl Row {
    /// Whether this is what the row is called, in whatever case.
    pub fn is_called(&self, task: &str) -> bool {
        self.task.eq_ignore_ascii_case(task.trim())
    }
}

/// What fits a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fit {
    /// The row of the guide; `None` for what it knows nothing of, such as a question.
    pub row: Option<&'static Row>,
    /// The domain.
    pub domain: &'static Domain,
}

impl Fit {
    /// The agent for it. Who asks something wants to know how things are.
    pub fn primary(&self) -> &'static str {
        self.row.map_or("analyzer", |row| row.primary)
    }

    /// What a tool for it should be good at.
    pub fn needs(&self) -> impl Iterator<Item = Need> {
        let of_domain = self.domain.needs.iter();
        let of_row = self.row.map_or(&[][..], |row| row.needs).iter().filter(|need| !self.domain.needs.contains(need));
        of_domain.chain(of_row).copied()
    }
}

/// What fits a task that is described so; `None` where nothing does.
pub fn fit(described: &str) -> Option<Fit> {
    let said: Vec<String> = words(described).collect();
    // The words of a title say more than others for the same.
    let row = best(GUIDE, |row| 3 * hits(&said, row.task) + 2 * hits(&said, row.words));
    let domain = best(DOMAINS, |domain| hits(&said, domain.words));
    let domain = domain.or_else(|| Some(&DOMAINS[row?.domain]))?;
    Some(Fit { row, domain })
}

/// The one with the highest score, if that is any; of equals the first.
fn best<T>(all: &'static [T], score: impl Fn(&T) -> usize) -> Option<&'static T> {
    let scored = all.iter().map(|one| (score(one), one)).filter(|(score, _)| *score > 0);
    scored.min_by_key(|(score, _)| Reverse(*score)).map(|(_, one)| one)
}

/// How many of `known` are said.
fn hits(said: &[String], known: &str) -> usize {
    let known = words(known);
    known.filter(|known| said.iter().any(|said| is_like(said, known))).count()
}

fn is_like(said: &str, known: &str) -> bool {
    said == known || known.len() > 4 && said.len() > 4 && strsim::damerau_levenshtein(said, known) == 1
}

/// The words of a text by their stems.
fn words(text: &str) -> impl Iterator<Item = String> {
    let words = text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    words.map(|word| stem(&word.to_lowercase()).to_owned())
}

/// A word without the ends that grammar gives it, roughly: what is compared is treated the same.
fn stem(word: &str) -> &str {
    let ends = ["ing", "ies", "es", "ed", "s", "y", "e"];
    let stem = ends.into_iter().find_map(|end| word.strip_suffix(end).filter(|stem| stem.len() >= 3));
    stem.unwrap_or(word)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::persona;

    fn fits(described: &str) -> Option<(&'static str, &'static str, &'static str)> {
        fit(described).map(|fit| (fit.row.map_or("-", |row| row.task), fit.primary(), fit.domain.tool))
    }

    #[test]
    fn the_guide_names_agents_that_there_are() {
        for row in GUIDE {
            assert!(persona::find(row.primary).is_some(), "{}", row.task);
            assert!(row.also.iter().all(|(name, _)| persona::find(name).is_some()), "{}", row.task);
            assert_eq!(fit(row.task).and_then(|fit| fit.row), Some(row), "a row is found by its own name");
        }
        assert_eq!(GUIDE.len(), 8);
    }

    #[test]
    fn a_task_is_known_in_other_words_and_with_a_slip() {
        for (described, expected) in [
            ("bug fix", ("Bug fixes", "implementer", "claude")),
            ("Fixing bugs in the parser", ("Bug fixes", "implementer", "claude")),
            ("the login crashes", ("Bug fixes", "implementer", "claude")),
            ("NEW FEATURE: dark mode", ("New features", "implementer", "codex")),
            ("audit the securty of uploads", ("Security audit", "reviewer", "claude")),
            ("more tests", ("Test coverage", "tester", "codex")),
            ("refactor the billing module", ("Technical debt", "refactorer", "claude")),
            ("changing an API endpoint", ("API changes", "implementer", "codex")),
            ("migrate callbacks to promises", ("Pattern migration", "refactorer", "claude")),
            ("update the readme", ("Documentation", "documenter", "gemini")),
            ("research best practices for caching", ("-", "analyzer", "gemini")),
            ("where is the session cookie set?", ("-", "analyzer", "amp")),
            ("add a sorting algorithm", ("New features", "implementer", "codex")),
        ] {
            assert_eq!(fits(described), Some(expected), "{described}");
        }
        for nothing in ["", "xyzzy", "?!"] {
            assert_eq!(fits(nothing), None, "{nothing}");
        }
    }
}
