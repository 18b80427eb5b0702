//! The runs that a command says it is a part of: the value of `AIO_RUN`, by which all that a run starts is known.

use super::id::RunId;

/// The runs around a command. Anybody can set a variable: what is granted to a part of a run is granted to one that the
/// driver of the run has started, and not for this alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunsAround {
    /// The outermost first.
    runs: Vec<Option<RunId>>,
    /// The mark of the innermost.
    mark: String,
}

impl RunsAround {
    /// Reads the marks of several runs, the outermost first and a `/` between them. A mark begins with the id of its run, and
    /// what follows the first dot says which attempt of which step it is. One that names no run counts as one all the same.
    pub fn parse(text: &str) -> RunsAround {
        let run = |mark: &str| mark.split('.').next()?.parse().ok();
        let mark = text.rsplit('/').next().unwrap_or_default().to_owned();
        RunsAround { runs: text.split('/').map(run).collect(), mark }
    }

    /// How many there are.
    pub fn depth(&self) -> usize {
        self.runs.len()
    }

    /// Those that are named, the innermost first.
    pub fn innermost_first(&self) -> impl Iterator<Item = &RunId> {
        self.runs.iter().rev().flatten()
    }

    /// The mark of the innermost: which attempt of which step of it this is a part of.
    pub fn mark(&self) -> &str {
        &self.mark
    }

    /// The innermost, if its mark names it.
    pub fn innermost(&self) -> Option<&RunId> {
        self.runs.last()?.as_ref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_names_its_run_whole_and_before_the_first_dot() {
        let run = |id: &str| -> RunId { id.parse().expect("an id") };
        let around = RunsAround::parse("flow-1-abcd.task.1/odd mark/flow-2-abcd.block/flow-3-abcd");
        assert_eq!(around.depth(), 4);
        let named: Vec<&RunId> = around.innermost_first().collect();
        assert_eq!(named, [&run("flow-3-abcd"), &run("flow-2-abcd"), &run("flow-1-abcd")]);
        assert_eq!(around.innermost(), Some(&run("flow-3-abcd")));
        assert_eq!(RunsAround::parse("flow-1-abcd/x-flow-2-abcd.").innermost(), Some(&run("x-flow-2-abcd")));
        assert_eq!(RunsAround::parse("flow-1-abcd/odd mark").innermost(), None);
    }
}
