//! Claims that were lost, kept for those who lost them.
//!
//! Nothing but the record itself says what was lost. One that can't be read is passed over by whoever need not know it,
//! and stands in the way of an answer about a path that it may concern.

use super::{
    Damage, Listing, Snapshot,
    error::StoreError,
    layout,
    wire::{self, WireEnded},
};
use crate::{
    base::id::{ClaimId, InstanceId},
    model::{claim::Ended, scope::Scope},
};

/// A record of a lost claim that can't be read.
#[derive(Debug, Clone)]
pub struct Illegible {
    /// Where it is, and what is wrong with it.
    pub damage: Damage,
    /// What was lost, if that much can be made out. Without it, it may be anything.
    pub scope: Option<Scope>,
}

impl From<Illegible> for StoreError {
    fn from(Illegible { damage: Damage { path, reason }, .. }: Illegible) -> StoreError {
        StoreError::Damaged { path, reason }
    }
}

impl Snapshot<'_> {
    /// Whether anybody lost a claim and has not settled it.
    ///
    /// # Errors
    /// When the tree can't be read.
    pub fn has_ended(&self) -> Result<bool, StoreError> {
        Ok(self.tree_at(&[b"ended".to_vec()])?.is_some())
    }

    /// What `instance` lost and has not settled, and those records of it that can't be read.
    ///
    /// # Errors
    /// When the tree can't be read.
    pub fn losses(&self, instance: &InstanceId) -> Result<(Vec<Ended>, Vec<Illegible>), StoreError> {
        let (mut losses, mut illegible) = (Vec::new(), Vec::new());
        let folder = layout::ended_of(instance);
        let Some(tree) = self.tree_at(&folder)? else { return Ok((losses, illegible)) };
        for entry in self.entries(tree)? {
            let path = format!("{}/{}", layout::display(&folder), String::from_utf8_lossy(&entry.name));
            let bytes = self.blob(&path, &entry);
            let scope = bytes.as_ref().ok().and_then(|bytes| wire::scope_of_ended(bytes));
            match bytes.and_then(|bytes| wire::parse::<Ended, WireEnded>(&path, &bytes)) {
                Ok(ended) if layout::id_of(&entry.name).as_ref() == Some(&ended.claim.id) => losses.push(ended),
                Ok(_) => {
                    let reason = "not where a record of this name belongs".into();
                    illegible.push(Illegible { damage: Damage { path, reason }, scope });
                }
                Err(StoreError::Damaged { path, reason }) => {
                    illegible.push(Illegible { damage: Damage { path, reason }, scope });
                }
                Err(error) => return Err(error),
            }
        }
        Ok((losses, illegible))
    }

    /// Ids of all claims that `instance` lost and has not settled, whether or not their records can be read.
    ///
    /// # Errors
    /// When the tree can't be read.
    pub fn lost_ids(&self, instance: &InstanceId) -> Result<Vec<ClaimId>, StoreError> {
        let Some(tree) = self.tree_at(&layout::ended_of(instance))? else { return Ok(Vec::new()) };
        Ok(self.entries(tree)?.into_iter().filter_map(|entry| layout::id_of(&entry.name)).collect())
    }

    /// Who has lost a claim and not settled that.
    ///
    /// # Errors
    /// When the tree can't be read.
    pub fn losers(&self) -> Result<Vec<InstanceId>, StoreError> {
        let Some(ended) = self.tree_at(&[b"ended".to_vec()])? else { return Ok(Vec::new()) };
        let named = |name: &[u8]| std::str::from_utf8(name).ok().and_then(|name| name.parse().ok());
        Ok(self.entries(ended)?.iter().filter_map(|entry| named(&entry.name)).collect())
    }

    /// Every claim that instances lost and have not settled.
    ///
    /// # Errors
    /// When the tree can't be read.
    pub fn all_losses(&self) -> Result<Listing<(InstanceId, Ended)>, StoreError> {
        let mut all = Listing { records: Vec::new(), damaged: Vec::new(), unread: 0 };
        for instance in self.losers()? {
            let (losses, illegible) = self.losses(&instance)?;
            all.records.extend(losses.into_iter().map(|ended| (instance.clone(), ended)));
            all.damaged.extend(illegible.into_iter().map(|illegible| illegible.damage));
        }
        Ok(all)
    }
}
