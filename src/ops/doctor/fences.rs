//! Whether the fences stand, and whether git comes to them.

use super::{Check, Seen, Session, check, count, failed, proof, some};
use crate::{
    base::id::ClaimId,
    host::hooks::{FenceState, HOOKS_PATH, Site, fence_state, unfenced},
    ops::{Guard, settings::place},
    store::SetIn,
};

impl Session {
    pub(super) fn check_fences(&self) -> Vec<Check> {
        let Some(site) = self.site() else {
            return vec![check("fence", Ok("none needed: nobody commits in a bare repository"))];
        };
        let hooks_path = site.git.config_path(HOOKS_PATH);
        let installed = match hooks_path {
            Err(error) => Err(error.to_string()),
            Ok(path) => match fence_state(&site, path.as_deref()) {
                FenceState::Installed => Ok(match self.settings.guard {
                    Guard::Block => "git's hooks call it".to_owned(),
                    Guard::Warn => "git's hooks call it; it only warns, since aio.guard is warn".to_owned(),
                    Guard::Off => "git's hooks call it; it is silent, since aio.guard is off".to_owned(),
                }),
                FenceState::Missing { hook, reason } => Err(format!("{hook}: {reason}; `git aio init` puts it back")),
                FenceState::NotInited => Err("there is none: `git aio init` puts it up".into()),
            },
        };
        let installed = installed.map(|stands| match self.hooks_path_of_environment() {
            Some(place) => Seen::odd(format!("{stands}; but {place} sets {HOOKS_PATH}, which git goes by instead")),
            None => stands.into(),
        });
        let mut checks = vec![check("fence", installed)];
        checks.extend(check_worktrees(&site));
        checks.push(check("path", proof::on_path(&site.git)));
        for hook in ["pre-commit", "pre-merge-commit", "pre-push"] {
            let nonce = ClaimId::random(self.random()).to_string();
            checks.push(check(hook, proof::fires(&site.git, hook, &nonce)));
        }
        checks
    }

    /// What sets the folder of hooks for commands started from here alone, if anything does.
    fn hooks_path_of_environment(&self) -> Option<String> {
        let (section, _) = HOOKS_PATH.split_once('.')?;
        let mut set =
            self.repository.settings(section).into_iter().filter(|(key, _)| key.eq_ignore_ascii_case(HOOKS_PATH));
        set.find(|(_, set_in)| !matches!(set_in, SetIn::File(_))).map(|(_, set_in)| place(&set_in))
    }
}

/// Whether the fence stands in the other worktrees too, if there are any.
fn check_worktrees(site: &Site) -> Option<Check> {
    let others = match site.git.other_work_trees() {
        Ok(others) if others.is_empty() => return None,
        Ok(others) => others.len(),
        Err(error) => return Some(failed("worktrees", error.to_string())),
    };
    let without: Vec<String> = match unfenced(site) {
        Ok(without) => without.iter().map(|(tree, _)| tree.display().to_string()).collect(),
        Err(error) => return Some(failed("worktrees", error.to_string())),
    };
    let seen = match without.len() {
        0 => Seen::from(format!("{} more, and git's hooks are the same there", count(others, "worktree"))),
        _ => Seen::odd(format!(
            "no fence before the first claim in {}; `git aio init` puts it up when it is run there",
            some(without)
        )),
    };
    Some(check("worktrees", Ok(seen)))
}
