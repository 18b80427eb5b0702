//! Looking at everything that can be wrong, and mending what can be mended.
//!
//! Every check stands for itself: what one finds broken keeps no other from being made. None of them changes anything.

mod agents;
mod config;
mod fences;
mod folders;
mod hub;
mod instances;
pub(super) mod proof;
mod remote;
mod repair;
mod tasks;
#[cfg(test)]
mod tests;

use super::{Error, Session, Settings, init::Overwriting, instance::Known, settings::place, task::Queued};
use crate::{
    base::id::InstanceId,
    host::live::known_clone_id,
    model::{
        claim::{Claim, Ended},
        handoff::Handoff,
        note::Note,
        view::View as _,
    },
    store::{Damage, Extent, Listing, Snapshot, StoreError, Survey, layout},
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
    /// How it is.
    pub grade: Grade,
    /// What was seen.
    pub detail: String,
}

/// How something is that was looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Grade {
    /// As it should be.
    Good,
    /// Not quite as it should be, and nothing fails for it.
    Odd,
    /// Wrong.
    Bad,
}

impl Check {
    /// Whether nothing is wrong.
    pub fn is_ok(&self) -> bool {
        self.grade != Grade::Bad
    }
}

/// What was seen, or what is wrong.
type Finding<S = String> = Result<S, String>;

/// What was seen where nothing is wrong, though something may be odd.
struct Seen {
    grade: Grade,
    detail: String,
}

impl Seen {
    fn odd(detail: impl Into<String>) -> Seen {
        Seen { grade: Grade::Odd, detail: detail.into() }
    }
}

impl<T: Into<String>> From<T> for Seen {
    fn from(detail: T) -> Seen {
        Seen { grade: Grade::Good, detail: detail.into() }
    }
}

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
    /// Our own tasks, the next one first.
    pub tasks: Vec<Queued>,
    /// Records that can't be read.
    pub damaged: Vec<Damage>,
}

impl Session {
    /// Looks at everything.
    pub fn doctor(&self) -> Vec<Check> {
        let mut checks = vec![check("git", self.check_git()), check("repository format", self.check_format())];
        checks.push(check("settings", self.check_settings()));
        checks.extend(self.check_config());
        checks.extend(self.check_store());
        checks.extend([
            check("reflog", self.check_reflog()),
            check("locks", self.check_locks()),
            check("folders", self.check_folders()),
            check("copies", self.check_copies()),
            check("liveness", self.check_liveness()),
            check("instances", self.check_instances()),
            check("refspecs", self.check_refspecs()),
        ]);
        checks.extend(self.check_hub());
        checks.extend(self.check_fences());
        checks.extend(self.check_agents());
        checks
    }

    /// The whole state.
    ///
    /// # Errors
    /// When the store can't be read.
    pub fn dump(&self) -> Result<Dump, Error> {
        let snapshot = self.snapshot()?;
        let (mut instances, mut damaged) = all(snapshot.instances(Extent::All, |_| true)?);
        let (mut claims, more) = all(snapshot.claims(Extent::All, |_| true)?);
        damaged.extend(more);
        let (mut notes, more) = all(snapshot.notes(Extent::All, |_| true)?);
        damaged.extend(more);
        let (mut handoffs, more) = all(snapshot.handoffs(Extent::All, |_| true)?);
        damaged.extend(more);
        instances.sort_by(|a, b| (a.since, &a.id).cmp(&(b.since, &b.id)));
        claims.sort_by(|a, b| (a.token, &a.id).cmp(&(b.token, &b.id)));
        notes.sort_by(|a, b| (a.at, &a.id).cmp(&(b.at, &b.id)));
        handoffs.sort_by(|a, b| (a.at, &a.id).cmp(&(b.at, &b.id)));
        let instances = instances.into_iter().map(|instance| self.known(instance)).collect::<Result<_, _>>()?;
        let (lost, more) = all(snapshot.all_losses()?);
        damaged.extend(more);
        let (tasks, more) = self.own_tasks(&snapshot)?;
        damaged.extend(more);
        Ok(Dump { instances, claims, lost, notes, handoffs, tasks, damaged })
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
        // With any other extension that isn't known, the repository would not have been opened.
        Ok(named)
    }

    fn check_settings(&self) -> Finding<Seen> {
        let (_, bad) = Settings::read_what_can_be(&self.repository);
        let unknown = Settings::unknown(&self.repository);
        let wrong = bad.iter().map(|bad| match &bad.set_in {
            Some(set_in) => format!("{bad}: from {}", place(set_in)),
            None => bad.to_string(),
        });
        let odd = unknown.iter().map(|unknown| {
            let meant = unknown.nearest.map_or_else(String::new, |key| format!(", perhaps {key} is meant"));
            format!("there is no key {}{meant}: from {}", unknown.key, place(&unknown.set_in))
        });
        let told = wrong.chain(odd).collect::<Vec<_>>().join("; ");
        match (bad.is_empty(), unknown.is_empty()) {
            (true, true) => Ok("those of aio.* can be understood".into()),
            (true, false) => Ok(Seen::odd(told)),
            (false, _) => Err(told),
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
                let mut checks = vec![failed("store", error.to_string())];
                checks.extend(REST.map(|name| failed(name, "can't be looked at while the store can't be read")));
                return checks;
            }
        };
        let mut checks = vec![check("store", check_tip(&snapshot)), check("history", check_history(&snapshot))];
        match snapshot.survey() {
            Ok(survey) => checks.extend(check_survey(&survey)),
            Err(error) => checks.extend(REST[1..].iter().map(|name| failed(name, error.to_string()))),
        }
        if snapshot.task_ids().is_ok_and(|ids| !ids.is_empty()) {
            checks.push(check("tasks", self.check_tasks(&snapshot)));
        }
        checks
    }

    /// A store that nobody has made, or one that is gone?
    fn check_absence(&self) -> Finding {
        let remembered = self.refs().told_history(layout::STATE).map_err(say)?;
        match remembered.len() {
            0 if self.is_inited() => {
                Err(format!("{} is gone, and its reflog with it: `git aio init` begins a new one", layout::STATE))
            }
            0 => Ok("none yet: the first registration or claim makes it".into()),
            count => Err(format!("{} is gone, though its reflog remembers {count} values", layout::STATE)),
        }
    }

    /// Without a reflog a damaged state can be taken back to those before it in the chain only.
    fn check_reflog(&self) -> Finding<Seen> {
        let refs = self.refs();
        let Some(tip) = refs.read(layout::STATE).map_err(say)? else { return Ok("nothing to remember yet".into()) };
        if self.bare_git().run_unless(1, ["reflog", "exists", layout::STATE]).map_err(say)?.is_none() {
            return Ok(Seen::odd("there is none; the next operation begins it"));
        }
        let history = refs.history(layout::STATE).map_err(say)?;
        if history.is_empty() {
            return Ok(Seen::odd("it remembers nothing; the next operation begins it"));
        }
        match self.repository.broken(&history[..history.len().min(LOOKED_AT)]).len() {
            0 if history.first() != Some(&tip) => {
                Ok(Seen::odd("its newest entry is not the present state; the next operation continues it"))
            }
            0 => Ok(format!("remembers {}", count(history.len(), "state")).into()),
            broken => {
                Err(format!("names {} that can't be read any more, on which `git gc` fails", count(broken, "state")))
            }
        }
    }

    fn check_locks(&self) -> Finding {
        let common = self.repository.common_dir();
        let state = common.join(format!("{}.lock", layout::STATE));
        let own = [state, common.join("reftable/tables.list.lock")];
        let mut found: Vec<String> = own.iter().filter_map(|path| left_behind(path)).collect();
        if !found.is_empty() && common.join("aio/writing").exists() {
            found.push(
                "a writer of git-aio was killed: the next write removes its lock if it proves to be that one's".into(),
            );
        }
        let of_runs = [layout::RUNS, layout::PRIVATE_RUNS].map(|folder| common.join(folder).read_dir());
        let of_runs = of_runs.into_iter().flatten().flatten().filter_map(|entry| Some(entry.ok()?.path()));
        let of_runs = of_runs.filter(|path| path.extension().is_some_and(|end| end == "lock"));
        found.extend(of_runs.filter_map(|path| left_behind(&path)));
        found.extend(self.locks_of_tracking(None).iter().filter_map(|path| left_behind(path)));
        if found.is_empty() { Ok("none left behind".into()) } else { Err(found.join("; ")) }
    }

    fn check_liveness(&self) -> Finding {
        let census = self.live.all().map_err(say)?;
        known_clone_id(self.repository.common_dir()).map_err(say)?;
        if census.damaged.is_empty() {
            return Ok(format!("{} readable", count(census.instances.len(), "file")));
        }
        Err(format!("files in aio/live of the git directory that can't be read: {}", some(census.damaged)))
    }

    fn check_refspecs(&self) -> Finding {
        match self.overwriting_refspecs().map_err(say)?.as_slice() {
            [] => Ok("no `git fetch` writes to refs/aio".into()),
            found => Err(found.iter().map(Overwriting::words).collect::<Vec<_>>().join("; ")),
        }
    }
}

fn all<M>(listing: Listing<M>) -> (Vec<M>, Vec<Damage>) {
    (listing.records, listing.damaged)
}

fn check_tip(snapshot: &Snapshot<'_>) -> Finding {
    snapshot.check_whole().map_err(say)?;
    match snapshot.check_writable() {
        Err(error @ StoreError::Newer { .. }) => Err(error.to_string()),
        _ => Ok(format!("operation {}, and every object of it is there", snapshot.seq())),
    }
}

fn check_history(snapshot: &Snapshot<'_>) -> Finding<Seen> {
    let chain = snapshot.chain().map_err(say)?;
    let epoch = if chain.epoch > 1 { format!(", cut {} times", chain.epoch - 1) } else { String::new() };
    Ok(in_a_row(chain.length, &epoch))
}

/// How long the history is, and from when on it is worth a cut.
fn in_a_row(length: u64, epoch: &str) -> Seen {
    let told = format!("{} in a row{epoch}", count(length as usize, "operation"));
    match length {
        ..LONG => told.into(),
        LONG.. => Seen::odd(format!("{told}; `git aio compact` lets go of all but the state they led to")),
    }
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

fn check(name: &'static str, finding: Finding<impl Into<Seen>>) -> Check {
    match finding.map(Into::into) {
        Ok(Seen { grade, detail }) => Check { name, grade, detail },
        Err(detail) => failed(name, detail),
    }
}

fn failed(name: &'static str, detail: impl Into<String>) -> Check {
    Check { name, grade: Grade::Bad, detail: detail.into() }
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
