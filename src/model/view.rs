//! What the rules may ask about the state they are applied to.

use super::{
    claim::{Claim, Ended, Holder},
    handoff::Handoff,
    instance::Instance,
    scope::Scope,
    task::Task,
};
use crate::base::id::{ClaimId, HandoffId, InstanceId, TaskId};

/// One state, seen as a whole: all answers of one view belong to the same moment.
pub trait View {
    /// Why an answer can't be had; a rule passes it on and decides nothing.
    type Error;

    /// Whether paths that differ only in case are the same file, which is a property of the store, not of a clone.
    fn folds_case(&self) -> bool;

    /// The sequence number of the operation that made this state.
    fn seq(&self) -> u64;

    /// The registration of `id`.
    fn instance(&self, id: &InstanceId) -> Result<Option<Instance>, Self::Error>;

    /// The claim `id`.
    fn claim(&self, id: &ClaimId) -> Result<Option<Claim>, Self::Error>;

    /// The claims that may overlap `scope`: at least all that do.
    fn claims_near(&self, scope: &Scope) -> Result<Vec<Claim>, Self::Error>;

    /// All claims of `holder`.
    fn claims_of(&self, holder: &Holder) -> Result<Vec<Claim>, Self::Error>;

    /// What `instance` lost and has not yet claimed or released again, as far as it can be read.
    fn ended(&self, instance: &InstanceId) -> Result<Vec<Ended>, Self::Error>;

    /// The handoff `id`.
    fn handoff(&self, id: &HandoffId) -> Result<Option<Handoff>, Self::Error>;

    /// The task `id` of our own queue.
    fn task(&self, id: &TaskId) -> Result<Option<Task>, Self::Error>;
}
