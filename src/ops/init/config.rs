//! The configuration that `init` writes where it is asked to and there is none: the checks that the project seems to have,
//! and beside them what else can be said, as comments.
//!
//! Who asked for it has it approved at once, if that is a person: nothing is in it but what git-aio itself has found and
//! this program then shows.

use super::Wishes;
use crate::{
    host::{
        config::{FOLDER, PATH},
        hooks::Site,
        install::{FileChange, plan_new, write_new},
        project::{self, Found},
    },
    model::guide::GUIDE,
    ops::{Error, Session, config::USUAL_CHECKS},
};
use std::fmt::Write as _;

/// What it begins with.
const HEAD: &str = "\
# How this repository is checked, and who does which work on it: docs/delegation.md of git-aio says all that can stand
# here. Whoever clones it approves it by `git aio trust`; nothing of it counts before.

[verify]
";

/// What can be said besides.
const REST: &str = "\
# docs = \"npx markdownlint docs\"                    # any other name: run when it is asked for, or in default
# default = [\"@lint\", \"@build\", \"@test\"]

# Tools beside those that are known (claude, codex, gemini, amp, opencode, copilot), and limits.
# [tools.local]
# command = [\"python\", \"agent.py\", \"{prompt}\"]     # without {prompt} the task goes to standard input
#
# [tools.gemini]
# stagger = \"1s\"                                    # the least time between two starts
# max_parallel = 8                                  # the most of them at once
# strengths = { context = 1000000, search = true, cost = \"low\" }

# Agents: who does their work, the first choice first, and the file with their brief, from the folder .aio.
# [agents.implementer]
# tool = [\"codex\", \"claude\"]
# brief = \"agents/implementer.md\"

# The selection guide of `git aio agent suggest`: who does it, and who may help.
[tasks]
";

impl Session {
    /// What would write the configuration; nothing where that is not wished, or there is one.
    pub(super) fn plan_config(&self, site: &Site, wishes: &Wishes) -> Result<Vec<FileChange>, Error> {
        match self.wished_config(site, wishes)? {
            Some(text) => Ok(plan_new(&site.git.dir().join(PATH), &text)?),
            None => Ok(Vec::new()),
        }
    }

    /// Writes it, and has it approved. What was changed, and what is left to do, in words.
    pub(super) fn write_config(&self, site: &Site, wishes: &Wishes) -> Result<(Vec<FileChange>, Vec<String>), Error> {
        let Some(text) = self.wished_config(site, wishes)? else { return Ok((Vec::new(), Vec::new())) };
        let changes = write_new(&site.place(), &site.git.dir().join(PATH), &text)?;
        if changes.is_empty() {
            return Ok((changes, vec![format!("{PATH} is there already, and stays as it is")]));
        }
        let advice = match self.approve_own(&text)? {
            true => format!("{PATH} is approved in this clone as it is; once it is committed, others do so in theirs"),
            false => format!("{PATH} is not approved yet: a person looks at it and does so by `git aio trust`"),
        };
        Ok((changes, vec![advice]))
    }

    fn wished_config(&self, site: &Site, wishes: &Wishes) -> Result<Option<String>, Error> {
        if !wishes.config {
            return Ok(None);
        }
        if self.repository.work_tree().is_none() {
            return Err(Error::usage("a bare repository has no work tree to write it into", "run it in a work tree"));
        }
        let root = site.git.dir();
        // A clone could have us write wherever its link leads.
        if root.join(FOLDER).symlink_metadata().is_ok_and(|found| !found.is_dir()) {
            return Err(Error::usage(format!("{FOLDER} is no folder"), "look at what it is, and move it away"));
        }
        Ok(Some(text(&project::checks_in(root))))
    }

    /// The checks that the project seems to have, where nothing says how it is checked.
    pub(super) fn undeclared_checks(&self, site: &Site) -> Vec<String> {
        if self.repository.work_tree().is_none() || site.git.dir().join(PATH).symlink_metadata().is_ok() {
            return Vec::new();
        }
        let found = project::checks_in(site.git.dir());
        USUAL_CHECKS
            .into_iter()
            .filter(|check| found.iter().any(|one| one.check == *check))
            .map(str::to_owned)
            .collect()
    }
}

/// The configuration of a project in which this was found.
fn text(found: &[Found]) -> String {
    let mut text = HEAD.to_owned();
    for check in USUAL_CHECKS {
        let of: Vec<&Found> = found.iter().filter(|one| one.check == check).collect();
        let commands = of.iter().map(|one| one.command.as_str()).collect::<Vec<_>>().join(" && ");
        let from = of.iter().map(|one| one.from.as_str()).collect::<Vec<_>>().join(", ");
        let _ = match of.is_empty() {
            true => writeln!(text, "# {check} = \"…\"                                      # nothing was found for it"),
            false => writeln!(text, "{check} = {}  # by {from}", toml_edit::Value::from(commands)),
        };
    }
    text.push_str(REST);
    for row in GUIDE {
        let agents = std::iter::once(row.primary).chain(row.also.iter().map(|(name, _)| *name));
        let agents: toml_edit::Array = agents.collect();
        let _ = writeln!(text, "\"{}\" = {agents}", row.task.to_lowercase());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::config::Config;

    #[test]
    fn what_is_written_is_a_configuration_with_and_without_its_comments() {
        let found = |check, command: &str, from: &str| Found { check, command: command.into(), from: from.into() };
        let (npm, go) = (found("test", "npm run test", "package.json"), found("test", "go test ./...", "go.mod"));
        for found in [&[][..], &[npm.clone(), go.clone()]] {
            let text = text(found);
            let config = Config::parse(&text).expect(&text);
            assert_eq!(
                config.verify.check("test").map(|test| &test.run[..]),
                match found {
                    [] => None,
                    _ => Some("npm run test && go test ./..."),
                }
            );
            assert!(config.verify.check("lint").is_none() && config.tools.is_empty());
            assert_eq!(config.tasks.len(), GUIDE.len());
            // What is commented out is right as well.
            let keys = ["docs", "default", "[", "command", "stagger", "max", "strengths", "tool", "brief"];
            let uncommented = |line: &str| {
                let bare = line.strip_prefix("# ").filter(|bare| keys.iter().any(|key| bare.starts_with(key)));
                bare.unwrap_or(line).to_owned() + "\n"
            };
            let all: String = text.lines().map(uncommented).collect();
            let config = Config::parse(&all).expect(&all);
            assert_eq!((config.tools.len(), config.agents.len(), config.verify.default.len()), (2, 1, 3), "{all}");
        }
    }
}
