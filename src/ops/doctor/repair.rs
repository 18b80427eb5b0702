//! Mending the store.

use super::count;
use crate::{
    base::{id::OpId, oid::Oid},
    host::fault,
    model::op::{Action, Op},
    ops::{Error, Session},
    store::{Found, History, LostOp, Snapshot, StoreError, Survey, Transaction, WayBack, WriteStep, layout, shortened},
};

/// How often it is looked again because somebody wrote meanwhile.
const TRIES: u32 = 16;

/// Where that is kept which was fetched from hubs.
const TRACKING: &str = "refs/aio-sync";

/// Where values of the ref are kept that were no state of ours.
const BACKUP: &str = "refs/aio-local/backup";

/// What is wrong with a state, and what it is to become.
struct Diagnosis<'s> {
    found: Found,
    /// The state that is built on: the last whole one.
    base: Snapshot<'s>,
    survey: Survey,
    history: History,
    /// What is done, in words.
    remedies: Vec<String>,
}

impl Session {
    /// Mends what is wrong with the store, in one operation, and tells what it did; nothing, if nothing was wrong.
    ///
    /// # Errors
    /// When no whole state is left, when a newer git-aio has shut us out, and when the store can't be written.
    pub fn repair(&self) -> Result<Vec<String>, Error> {
        let _turn = self.repository.take_turn();
        for _ in 0..TRIES {
            match self.repair_once() {
                Err(error) if error.is_moved() => {}
                result => return result,
            }
        }
        Err(Error::Contended(TRIES))
    }

    fn repair_once(&self) -> Result<Vec<String>, Error> {
        let mut done = match self.diagnose()? {
            Some(diagnosis) => self.mend(diagnosis)?,
            None => Vec::new(),
        };
        let forgotten = self.forget_broken()?;
        if forgotten > 0 {
            done.push(format!(
                "took {} that can't be read any more out of the reflog, on which `git gc` fails",
                count(forgotten, "state")
            ));
        }
        done.extend(self.forget_broken_tracking()?);
        Ok(done)
    }

    /// Lets go of what was fetched from a hub and has lost objects: git fails on it, and the next sync fetches it anew.
    fn forget_broken_tracking(&self) -> Result<Vec<String>, Error> {
        let git = self.bare_git();
        let listed = git.run(["for-each-ref", "--format=%(refname)", TRACKING])?;
        let mut done = Vec::new();
        for name in String::from_utf8_lossy(&listed).lines() {
            if git.run(["rev-list", "--objects", "--quiet", name, "--"]).is_err() {
                git.run(["update-ref", "-d", name])?;
                done.push(format!("let go of {name}, which can't be read any more: the next sync fetches it anew"));
            }
        }
        Ok(done)
    }

    /// What there is to mend, if there is anything.
    fn diagnose(&self) -> Result<Option<Diagnosis<'_>>, Error> {
        let refs = self.refs();
        let found = self.repository.found(&*refs);
        let present = match &found {
            Found::Value(Some(oid)) => self.whole(oid).ok(),
            _ => None,
        };
        let (base, mut remedies) = match present {
            Some(present) => (present, Vec::new()),
            None => match self.repository.last_whole(&*refs)? {
                Some(back) => (self.repository.snapshot_at(back.to.clone())?, way_back(&back, &found)),
                None if found == Found::Value(None) => return Ok(None),
                None => {
                    let reason = "it holds no state of git-aio, and no earlier one is remembered".to_owned();
                    return Err(StoreError::Tip(reason).into());
                }
            },
        };
        let survey = base.survey()?;
        remedies.extend(survey.remedies());
        let history = match base.chain() {
            Ok(_) => History::Kept,
            Err(error) => {
                remedies.push(format!("began the history anew with the present state: {error}"));
                History::Cut
            }
        };
        let diagnosis = Diagnosis { found, base, survey, history, remedies };
        Ok(if diagnosis.remedies.is_empty() { None } else { Some(diagnosis) })
    }

    fn whole(&self, oid: &Oid) -> Result<Snapshot<'_>, Error> {
        let snapshot = self.repository.snapshot_at(oid.clone())?;
        snapshot.check_whole()?;
        Ok(snapshot)
    }

    fn mend(&self, mut diagnosis: Diagnosis<'_>) -> Result<Vec<String>, Error> {
        diagnosis.base.check_writable()?;
        if let Some(kept) = self.keep_replaced(&diagnosis)? {
            diagnosis.remedies.push(kept);
        }
        let Diagnosis { found, base, survey, history, remedies } = diagnosis;
        let action = Action::Repair { summary: remedies.clone() };
        let op = Op { id: OpId::random(self.random()), at: self.now(), by: None, action };
        let refs = self.refs();
        let given_out = self.repository.numbers_given_out(&*refs)?;
        let transaction = Transaction::mending(&base, &survey, &op, history, given_out)?;
        let observe = |step: WriteStep| fault::at(&self.env, step.as_str());
        self.made(transaction.commit_over(&found, &*refs, self.settings.durability, &observe)?);
        Ok(remedies)
    }

    /// Keeps a value of the ref that the repair leaves behind, where it is not an ancestor of what follows and all of
    /// it is there: a ref to a commit that lost objects would make the user's own gc fail.
    fn keep_replaced(&self, diagnosis: &Diagnosis<'_>) -> Result<Option<String>, Error> {
        let Found::Value(Some(old)) = &diagnosis.found else { return Ok(None) };
        let stays = diagnosis.base.oid() == Some(old) && diagnosis.history == History::Kept;
        let git = self.bare_git();
        if stays || git.run(["rev-list", "--objects", "--quiet", old.as_str(), "--"]).is_err() {
            return Ok(None);
        }
        let name = format!("{BACKUP}/{}", self.now().timestamp());
        git.run(["update-ref", "-m", "aio: kept by a repair", &name, old.as_str()])?;
        Ok(Some(format!("kept what was there before as {name}")))
    }

    /// Takes states that can't be read any more out of the reflog, whose entries git follows when it packs.
    fn forget_broken(&self) -> Result<usize, Error> {
        let history = self.refs().history(layout::STATE).map_err(StoreError::Ref)?;
        let broken = self.repository.broken(&history);
        if broken.is_empty() {
            return Ok(0);
        }
        let git = self.bare_git();
        // The oldest first, which leaves the numbers of the others as they are.
        for (at, _) in history.iter().enumerate().rev().filter(|(_, oid)| broken.contains(oid)) {
            git.run(["reflog", "delete", "--rewrite", &format!("{}@{{{at}}}", layout::STATE)])?;
        }
        Ok(broken.len())
    }
}

fn way_back(back: &WayBack, found: &Found) -> Vec<String> {
    let what = match found {
        Found::Value(Some(oid)) => format!("{oid} is no whole state"),
        Found::Value(None) => format!("{} was gone", layout::STATE),
        Found::Unreadable(reason) => reason.clone(),
    };
    let lost = count(back.lost.len(), "operation");
    let mut said = vec![format!("went back to {}, by {lost}, since {what}", back.to)];
    let line = |op: &LostOp| match &op.subject {
        Some(subject) => format!("lost {}: {subject}", op.oid),
        None => format!("lost {}, of which no line is left", op.oid),
    };
    said.extend(shortened(back.lost.iter().map(line).collect()));
    said
}
