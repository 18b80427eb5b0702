//! Looking at everything that can be wrong, and mending what can be mended.
//!
//! Every check stands for itself: what one finds broken keeps no other from being made. None of them changes anything.

mod hub;
mod proof;
mod repair;
#[cfg(test)]
mod tests;

use super::{Error, Guard, Session, instance::Known};
use crate::{
    base::id::InstanceId,
    host::hooks::{FenceState, HOOKS_PATH, fence_state},
    model::{
        claim::{Claim, Ended},
        handoff::Handoff,
        liveness::Presence,
        note::Note,
        view::View as _,
    },
    store::{Damage, Snapshot, StoreError, Survey, layout},
};
use std::{path::Path, time::Duration};

/// The oldest git that can run a hook on request.
const OLDEST_GIT: (u32, u32) = (2, 36);

/// How many entries of the reflog a check looks at.
const LOOKED_AT: usize = 100;

/// How old a lock is before it counts as left behind: longer than any of ours is held.
const FRESH: Duration = Duration::from_secs(2);

/// How many operations make a history that is worth a cut.
const LONG: u64 = 20_000;

/// How many findings are named in one line.
const NAMED: usize = 5;

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// What.
    pub name: &'static str,
    /// Whether it is as it should be.
    pub ok: bool,
    /// What was seen.
    pub detail: String,
}

/// What was seen, or what is wrong.
type Finding = Result<String, String>;

/// The whole state, for a document.
#[derive(Debug, Clone)]
pub struct Dump {
    /// Everybody, oldest first.
    pub instances: Vec<Known>,
    /// The claims in force, oldest first.
    pub claims: Vec<Claim>,
    /// Claims that were lost and not settled, with who lost them.
    pub lost: Vec<(InstanceId, Ended)>,
    /// The notes, oldest first.
    pub notes: Vec<Note>,
    /// The handoffs, oldest first.
    pub handoffs: Vec<Handoff>,
    /// Records that can't be read.
    pub damaged: Vec<Damage>,
}

impl Session {
    /// Looks at everything.
    pub fn doctor(&self) -> Vec<Check> {
        let mut checks = vec![check("git", self.check_git()), check("repository format", self.check_format())];
        checks.extend(self.check_store());
        checks.extend([
            check("reflog", self.check_reflog()),
            check("locks", self.check_locks()),
            check("liveness", self.check_liveness()),
            check("instances", self.check_instances()),
        ]);
        checks.extend(self.check_hub());
        checks.extend(self.check_fences());
        checks
    }

    /// The whole state.
    ///
    /// # Errors
    /// When the store can't be read.
    pub fn dump(&self) -> Result<Dump, Error> {
        let snapshot = self.snapshot()?;
        let (mut instances, mut damaged) = snapshot.instances()?;
        let (mut claims, more) = snapshot.claims()?;
        damaged.extend(more);
        let (mut notes, more) = snapshot.notes()?;
        damaged.extend(more);
        let (mut handoffs, more) = snapshot.handoffs()?;
        damaged.extend(more);
        instances.sort_by(|a, b| (a.since, &a.id).cmp(&(b.since, &b.id)));
        claims.sort_by(|a, b| (a.token, &a.id).cmp(&(b.token, &b.id)));
        notes.sort_by(|a, b| (a.at, &a.id).cmp(&(b.at, &b.id)));
        handoffs.sort_by(|a, b| (a.at, &a.id).cmp(&(b.at, &b.id)));
        let instances = instances.into_iter().map(|instance| self.known(instance)).collect::<Result<_, _>>()?;
        Ok(Dump { instances, claims, lost: snapshot.all_ended()?, notes, handoffs, damaged })
    }

    fn check_git(&self) -> Finding {
        let (major, minor) = self.git().version().map_err(say)?;
        let (oldest_major, oldest_minor) = OLDEST_GIT;
        match (major, minor) >= OLDEST_GIT {
            true => Ok(format!("version {major}.{minor}")),
            false => Err(format!(
                "version {major}.{minor}; below {oldest_major}.{oldest_minor} the fences can't be tried out"
            )),
        }
    }

    /// Git's own names for what the repository uses, and whether we can work with it.
    fn check_format(&self) -> Finding {
        let git = self.bare_git();
        let out = git.run_unless(1, ["config", "--local", "--get-regexp", r"^extensions\."]).map_err(say)?;
        let out = String::from_utf8_lossy(&out.unwrap_or_default()).to_lowercase();
        let extension = |name: &str| out.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        let objects = extension("extensions.objectformat").unwrap_or("sha1");
        let refs = extension("extensions.refstorage").unwrap_or("files");
        let named = format!("objects in {objects}, refs in {refs}");
        if !["sha1", "sha256"].contains(&objects) {
            return Err(format!("{named}: git-aio does not support extensions.objectFormat = {objects}"));
        }
        if !["files", "reftable"].contains(&refs) {
            return Err(format!("{named}: git-aio has not been tried with extensions.refStorage = {refs}"));
        }
        let known = ["objectformat", "refstorage", "noop", "noop-v1", "partialclone", "preciousobjects"];
        let known_too = ["worktreeconfig", "relativeworktrees"];
        let names = out.lines().filter_map(|line| line.strip_prefix("extensions.")?.split(' ').next());
        match names.into_iter().find(|name| !known.contains(name) && !known_too.contains(name)) {
            Some(name) => Err(format!("{named}: git-aio does not know extensions.{name}")),
            None => Ok(named),
        }
    }

    fn check_store(&self) -> Vec<Check> {
        const REST: [&str; 4] = ["history", "records", "index", "exclusion"];
        let snapshot = match self.snapshot() {
            Ok(snapshot) if !snapshot.exists() => {
                return vec![check("store", self.check_absence())];
            }
            Ok(snapshot) => snapshot,
            Err(error) => {
                let mut checks = vec![check("store", Err(error.to_string()))];
                let unseen = || Err("can't be looked at while the store can't be read".to_owned());
                checks.extend(REST.map(|name| check(name, unseen())));
                return checks;
            }
        };
        let mut checks = vec![check("store", check_tip(&snapshot)), check("history", check_history(&snapshot))];
        match snapshot.survey() {
            Ok(survey) => checks.extend(check_survey(&survey)),
            Err(error) => checks.extend(REST[1..].iter().map(|name| check(name, Err(error.to_string())))),
        }
        checks
    }

    /// A store that nobody has made, or one that is gone?
    fn check_absence(&self) -> Finding {
        let remembered = self.refs().told_history(layout::STATE).map_err(say)?;
        match remembered.len() {
            0 => Ok("none yet: the first registration or claim makes it".into()),
            count => Err(format!("{} is gone, though its reflog remembers {count} values", layout::STATE)),
        }
    }

    fn check_reflog(&self) -> Finding {
        let refs = self.refs();
        let Some(tip) = refs.read(layout::STATE).map_err(say)? else { return Ok("nothing to remember yet".into()) };
        if self.bare_git().run_unless(1, ["reflog", "exists", layout::STATE]).map_err(say)?.is_none() {
            return Err("there is none: without it a damaged state can't be taken back".into());
        }
        let history = refs.history(layout::STATE).map_err(say)?;
        if history.first() != Some(&tip) {
            return Err("its newest entry is not the present state; the next operation continues it".into());
        }
        match self.repository.broken(&history[..history.len().min(LOOKED_AT)]).len() {
            0 => Ok(format!("remembers {}", count(history.len(), "state"))),
            broken => {
                Err(format!("names {} that can't be read any more, on which `git gc` fails", count(broken, "state")))
            }
        }
    }

    fn check_locks(&self) -> Finding {
        let common = self.repository.common_dir();
        let state = common.join(format!("{}.lock", layout::STATE));
        let mut found: Vec<String> =
            [state, common.join("reftable/tables.list.lock")].iter().filter_map(|path| left_behind(path)).collect();
        if !found.is_empty() && common.join("aio/writing").exists() {
            found.push(
                "a writer of git-aio was killed: the next write removes its lock if it proves to be that one's".into(),
            );
        }
        if found.is_empty() { Ok("none left behind".into()) } else { Err(found.join("; ")) }
    }

    fn check_liveness(&self) -> Finding {
        let census = self.live.all().map_err(say)?;
        if census.damaged.is_empty() {
            return Ok(format!("{} readable", count(census.instances.len(), "file")));
        }
        Err(format!("files in aio/live of the git directory that can't be read: {}", some(census.damaged)))
    }

    fn check_instances(&self) -> Finding {
        let snapshot = self.snapshot().map_err(say)?;
        let (instances, _) = snapshot.instances().map_err(say)?;
        let stale = instances.iter().filter(|instance| self.presence(instance) == Presence::Stale);
        let stale: Vec<String> = stale.map(|instance| instance.id.to_string()).collect();
        let registered = format!("{} registered", instances.len());
        // Nothing is wrong with that: their claims block nobody.
        Ok(if stale.is_empty() { registered } else { format!("{registered}; stale: {}", some(stale)) })
    }

    fn check_fences(&self) -> Vec<Check> {
        let Some(site) = self.site() else {
            return vec![check("fence", Ok("none needed: nobody commits in a bare repository".into()))];
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
        let mut checks = vec![check("fence", installed), check("path", proof::on_path(&site.git))];
        for hook in ["pre-commit", "pre-merge-commit"] {
            let nonce = crate::base::id::ClaimId::random(self.random()).to_string();
            checks.push(check(hook, proof::fires(&site.git, hook, &nonce)));
        }
        checks
    }
}

fn check_tip(snapshot: &Snapshot<'_>) -> Finding {
    snapshot.check_whole().map_err(say)?;
    match snapshot.check_writable() {
        Err(error @ StoreError::Newer { .. }) => Err(error.to_string()),
        _ => Ok(format!("operation {}, and every object of it is there", snapshot.seq())),
    }
}

fn check_history(snapshot: &Snapshot<'_>) -> Finding {
    let chain = snapshot.chain().map_err(say)?;
    let epoch = if chain.epoch > 1 { format!(", cut {} times", chain.epoch - 1) } else { String::new() };
    Ok(in_a_row(chain.length, &epoch))
}

/// How long the history is, and from when on it is worth a cut.
fn in_a_row(length: u64, epoch: &str) -> String {
    let cut = if length >= LONG { "; `git aio compact` lets go of those that nothing depends on any more" } else { "" };
    format!("{} in a row{epoch}{cut}", count(length as usize, "operation"))
}

fn check_survey(survey: &Survey) -> [Check; 3] {
    let listed = |damage: &[Damage]| some(damage.iter().map(|d| format!("{} ({})", d.path, d.reason)).collect());
    let set_aside = match survey.quarantined.len() {
        0 => String::new(),
        count => format!("; {count} set aside by earlier repairs"),
    };
    let records = match survey.damaged.is_empty() {
        true => Ok(format!("{} readable{set_aside}", count(survey.records, "record"))),
        false => Err(format!("damaged: {}", listed(&survey.damaged))),
    };
    let index = match survey.index.is_empty() {
        true => Ok("says what the records say".to_owned()),
        false => Err(listed(&survey.index)),
    };
    let contest = |contest: &crate::model::contest::Contest| {
        let (stands, falls) = (&contest.stands, &contest.falls);
        format!("{} of {} and {} of {}", stands.scope, stands.holder, falls.scope, falls.holder)
    };
    let exclusion = match survey.contests.is_empty() {
        true => Ok("no two claims contradict each other".to_owned()),
        false => {
            Err(format!("claims that contradict each other: {}", some(survey.contests.iter().map(contest).collect())))
        }
    };
    [check("records", records), check("index", index), check("exclusion", exclusion)]
}

/// A lock that nobody can be holding any more. It is named and left: the next write of ours removes it if it can tell
/// that a writer of ours left it, and nobody else can know whose it is.
fn left_behind(lock: &Path) -> Option<String> {
    let age = lock.metadata().ok()?.modified().ok()?.elapsed().unwrap_or_default();
    (age >= FRESH).then(|| {
        format!(
            "{} is {} s old; if no git command is running, it was left by one that was killed",
            lock.display(),
            age.as_secs()
        )
    })
}

fn check(name: &'static str, finding: Finding) -> Check {
    match finding {
        Ok(detail) => Check { name, ok: true, detail },
        Err(detail) => Check { name, ok: false, detail },
    }
}

fn say(error: impl std::fmt::Display) -> String {
    error.to_string()
}

fn count(count: usize, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}

/// The first few of a list.
fn some(mut names: Vec<String>) -> String {
    let more = names.len().saturating_sub(NAMED);
    names.truncate(NAMED);
    if more > 0 { format!("{} and {more} more", names.join(", ")) } else { names.join(", ") }
}
