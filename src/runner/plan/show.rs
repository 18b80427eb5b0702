//! A plan in words: what is shown before anything begins.

use super::{Plan, Planned};
use crate::runner::work::Isolation;
use std::fmt;

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let trees = match self.worktrees() {
            0 => String::new(),
            1 => ", 1 worktree".into(),
            more => format!(", {more} worktrees"),
        };
        let count = self.len();
        let steps = if count == 1 { "step" } else { "steps" };
        writeln!(f, "{}: {count} {steps}, at most {} at once{trees}", self.name, self.max_parallel)?;
        self.steps.iter().try_for_each(|step| writeln!(f, "  {step}"))
    }
}

impl fmt::Display for Planned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const LINE: usize = 70;
        let shown = |text: &str| crate::base::text::one_line(text.trim(), LINE);
        let depth = self.place.matches('/').count();
        let name = self.place.rsplit('/').next().unwrap_or(&self.place);
        write!(f, "{:indent$}{name}", "", indent = depth * 2)?;
        match (self.kind, &self.does) {
            ("prompt", _) if self.agents.is_empty() => f.write_str("  any agent")?,
            ("prompt", _) => write!(f, "  {}", shown(&self.agents.join(", then ")))?,
            ("run", Some(line)) => write!(f, "  $ {}", shown(line))?,
            ("ask", Some(question)) => write!(f, "  asks: {}", shown(question))?,
            ("workflow", Some(name)) => write!(f, "  the workflow {name}")?,
            (_, Some(until)) => write!(f, "  at most {} rounds, until {}", self.rounds.unwrap_or(1), shown(until))?,
            _ => f.write_str("  together")?,
        }
        if !matches!(self.kind, "prompt" | "run") && self.isolation == Some(Isolation::Worktree) {
            f.write_str("; on a copy")?;
        }
        if self.is_many {
            f.write_str("; for each item")?;
        }
        if let Some(condition) = &self.condition {
            write!(f, "; if {}", shown(condition))?;
        }
        if !self.scope.is_empty() {
            let place = if self.isolation == Some(Isolation::Worktree) { "in a worktree" } else { "here" };
            write!(f, "; writes {} {place}", shown(&self.scope.join(", ")))?;
        }
        match &self.needs[..] {
            [] => Ok(()),
            needs => write!(f, "; after {}", shown(&needs.join(", "))),
        }
    }
}
