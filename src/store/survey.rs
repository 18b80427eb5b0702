//! What is wrong with a state all of whose objects are there: records that can't be read or lie in the wrong place,
//! an index that says something else than the records, claims that contradict each other.

use super::{
    Damage, Snapshot,
    error::StoreError,
    layout::{self, TreePath},
    snapshot::Entry,
    wire::{self, Wire, WireClaim, WireEnded, WireHandoff, WireInstance, WireNote, WireTask},
};
use crate::{
    base::id::{HandoffId, InstanceId},
    model::{
        claim::{Claim, Ended, Holder},
        contest::{Contest, contests},
        handoff::Handoff,
        instance::Instance,
        note::Note,
        task::Task,
        view::View,
    },
};
use gix::{ObjectId, objs::tree::EntryKind};
use std::collections::{BTreeMap, HashSet};

/// What was found.
#[derive(Default)]
pub struct Survey {
    /// How many records are as they should be.
    pub records: usize,
    /// Records that are not.
    pub damaged: Vec<Damage>,
    /// What earlier repairs have set aside.
    pub quarantined: Vec<String>,
    /// Entries of the index that are missing, or should not be there.
    pub index: Vec<Damage>,
    /// Claims that contradict each other.
    pub contests: Vec<Contest>,
    /// The claims, each with its blob.
    pub(super) claims: Vec<(Claim, ObjectId)>,
    /// Where the damaged records are.
    pub(super) strays: Vec<(TreePath, EntryKind, ObjectId)>,
}

impl Survey {
    /// Whether nothing is wrong.
    pub fn is_clean(&self) -> bool {
        self.damaged.is_empty() && self.index.is_empty() && self.contests.is_empty()
    }

    fn stray(&mut self, path: TreePath, entry: &Entry, reason: String) {
        self.damaged.push(Damage { path: layout::display(&path), reason });
        self.strays.push((path, entry.kind, entry.oid));
    }
}

impl Snapshot<'_> {
    /// Looks at every record and every entry of the index.
    ///
    /// # Errors
    /// When a tree can't be read.
    pub fn survey(&self) -> Result<Survey, StoreError> {
        let mut survey = Survey::default();
        let instances =
            self.records::<Instance, WireInstance>("instances", 1, &mut survey, |i, _| Some(layout::instance(&i.id)))?;
        self.records::<Note, WireNote>("notes", 2, &mut survey, |n, _| Some(layout::note(&n.id, n.at)))?;
        let handoffs =
            self.records::<Handoff, WireHandoff>("handoffs", 1, &mut survey, |h, _| Some(layout::handoff(&h.id)))?;
        self.records::<Task, WireTask>("tasks", 1, &mut survey, |t, _| Some(layout::task(&t.id)))?;
        self.records::<Ended, WireEnded>("ended", 2, &mut survey, |ended, at| {
            let of: InstanceId = std::str::from_utf8(&at[1]).ok()?.parse().ok()?;
            Some(layout::ended(&of, &ended.claim.id))
        })?;
        let claims = self.records::<Claim, WireClaim>("claims", 2, &mut survey, |c, _| Some(layout::claim(&c.id)))?;
        survey.claims = self.refuse_tokens_to_come(claims, &mut survey);
        survey.damaged.sort();
        survey.index = self.compare_index(&survey.claims)?;
        let claims: Vec<Claim> = survey.claims.iter().map(|(claim, _)| claim.clone()).collect();
        let instances: HashSet<InstanceId> = instances.into_iter().map(|(instance, _)| instance.id).collect();
        let handoffs: HashSet<HandoffId> = handoffs.into_iter().map(|(handoff, _)| handoff.id).collect();
        survey.contests = contests(&claims, self.folds_case(), |holder| match holder {
            Holder::Instance(id) => instances.contains(id),
            Holder::Handoff(id) => handoffs.contains(id),
        });
        for (path, _) in self.below("quarantine", 1)? {
            survey.quarantined.push(layout::display(&path[1..]));
        }
        Ok(survey)
    }

    /// Of `claims` those that may have been granted. A token is the number of the operation that granted it: one that is
    /// still to come was made by hand, and would one day be somebody else's too.
    fn refuse_tokens_to_come(&self, claims: Vec<(Claim, ObjectId)>, survey: &mut Survey) -> Vec<(Claim, ObjectId)> {
        let (granted, to_come): (Vec<_>, Vec<_>) = claims.into_iter().partition(|(claim, _)| claim.token <= self.seq());
        for (claim, oid) in to_come {
            let path = layout::claim(&claim.id);
            let reason = format!("its token is {}, and only {} were given out", claim.token, self.seq());
            survey.records -= 1;
            survey.damaged.push(Damage { path: layout::display(&path), reason });
            survey.strays.push((path, EntryKind::Blob, oid));
        }
        granted
    }

    /// The records of a folder, `depth` levels down, that lie where `place` says they belong.
    fn records<M, W: Wire<M>>(
        &self,
        folder: &str,
        depth: usize,
        survey: &mut Survey,
        place: impl Fn(&M, &[Vec<u8>]) -> Option<TreePath>,
    ) -> Result<Vec<(M, ObjectId)>, StoreError> {
        let mut records = Vec::new();
        for (path, entry) in self.below(folder, depth)? {
            let shown = layout::display(&path);
            match self.blob(&shown, &entry).and_then(|bytes| wire::parse::<M, W>(&shown, &bytes)) {
                Ok(record) if path.len() == depth + 1 && place(&record, &path).as_ref() == Some(&path) => {
                    records.push((record, entry.oid));
                }
                Ok(_) => survey.stray(path, &entry, "not where a record of this name belongs".into()),
                Err(StoreError::Damaged { reason, .. }) => survey.stray(path, &entry, reason),
                Err(error) => return Err(error),
            }
        }
        survey.records += records.len();
        Ok(records)
    }

    /// Everything in a folder of the tree, folders being opened `depth` levels down.
    fn below(&self, folder: &str, depth: usize) -> Result<Vec<(TreePath, Entry)>, StoreError> {
        let mut found = Vec::new();
        let mut open: Vec<_> =
            self.tree_at(&[folder.into()])?.map(|tree| (vec![folder.into()], tree)).into_iter().collect();
        while let Some((at, tree)) = open.pop() {
            for entry in self.entries(tree)? {
                let mut path: TreePath = at.clone();
                path.push(entry.name.clone());
                if entry.kind == EntryKind::Tree && path.len() <= depth {
                    open.push((path, entry.oid));
                } else {
                    found.push((path, entry));
                }
            }
        }
        Ok(found)
    }

    fn compare_index(&self, claims: &[(Claim, ObjectId)]) -> Result<Vec<Damage>, StoreError> {
        let entry =
            |(claim, oid): &(Claim, ObjectId)| (layout::index_entry(&claim.scope, &claim.id, self.folds_case()), *oid);
        let mut missing: BTreeMap<TreePath, ObjectId> = claims.iter().map(entry).collect();
        let mut damage = Vec::new();
        for (path, entry) in self.below("paths", usize::MAX)? {
            let reason = match missing.remove(&path) {
                Some(oid) if oid == entry.oid && entry.kind == EntryKind::Blob => continue,
                Some(_) => "the index and the record differ",
                None => "there is no claim to be filed here",
            };
            damage.push(Damage { path: layout::display(&path), reason: reason.into() });
        }
        let lacking = |path: &TreePath| Damage { path: layout::display(path), reason: "not in the index".into() };
        damage.extend(missing.keys().map(lacking));
        damage.sort();
        Ok(damage)
    }
}
