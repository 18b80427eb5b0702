//! Agents by what they do: a name, what it stands for, and the brief that goes before a task.

/// An agent that comes with git-aio.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Persona {
    /// What it is called.
    pub name: &'static str,
    /// What it does, in a few words.
    pub about: &'static str,
    /// Whether its work is to change files.
    pub writes: bool,
    /// What it is told.
    pub brief: &'static str,
}

macro_rules! personas {
    ($($name:literal $does:ident $about:literal),* $(,)?) => {
        /// All of them: those of the delegation guide first.
        pub const ALL: &[Persona] = &[$(
            Persona {
                name: $name,
                about: $about,
                writes: personas!(@ $does),
                brief: include_str!(concat!("persona/", $name, ".md")),
            },
        )*];
    };
    (@ edits) => { true };
    (@ reads) => { false };
}

personas! {
    "implementer" edits "implements one task, completely",
    "tester" edits "writes tests that would have caught the mistake",
    "reviewer" reads "judges a change, security included, and gives a verdict",
    "refactorer" edits "changes the shape of code and keeps what it does",
    "documenter" edits "writes documentation that is checked against the code",
    "analyzer" reads "finds out how things are, with places and numbers",
    "designer" reads "turns an analysis into a design with disjoint tasks",
    "builder" edits "builds what a design describes, as it is described",
    "code-reviewer" reads "suggests improvements line by line",
    "bug-fixer" edits "reproduces a bug, and removes its cause",
    "security-auditor" reads "looks for ways to misuse the code",
    "optimizer" edits "makes something measurably faster or smaller",
    "architect" reads "decides boundaries, stages and the way back",
    "test-runner" reads "runs the tests and says what happened",
    "auth-explorer" reads "explains who may do what, and how that is known",
    "db-explorer" reads "explains how data is stored",
    "api-explorer" reads "explains which interfaces are offered and used",
}

/// The one of this name.
pub fn find(name: &str) -> Option<&'static Persona> {
    ALL.iter().find(|persona| persona.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn every_brief_is_its_own() {
        let mut lines = BTreeMap::new();
        for Persona { name, brief, .. } in ALL {
            assert!(brief.lines().count() > 6 && brief.ends_with(".\n"), "{name}");
            for line in brief.lines().filter(|line| !line.is_empty()) {
                assert_eq!(lines.insert(line, name), None, "{name} is told what another is: {line}");
            }
        }
        assert_eq!(ALL.len(), 17);
        assert!(ALL.iter().all(|persona| find(persona.name) == Some(persona)), "no name stands twice");
    }
}
