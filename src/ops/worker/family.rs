//! Whoever is registered inside of the work of a worker. They are its doing: their claims let it change nothing that it may not
//! change itself, and they end with it.

use crate::{
    base::id::InstanceId,
    model::instance::Instance,
    ops::{Error, Session},
    store::{Extent, Snapshot},
};

impl Session {
    /// A worker and whoever was registered inside of its work, as far as they are on the register of this clone: one of
    /// another clone, of a run that was taken over, is for the hub to end.
    pub(super) fn family_of(&self, worker: &InstanceId, snapshot: &Snapshot<'_>) -> Result<Vec<InstanceId>, Error> {
        let is_here = |instance: &Instance| !self.is_elsewhere(instance);
        let mut others = snapshot.instances(Extent::Newest, is_here)?.records;
        let Some(own) = others.iter().position(|instance| instance.id == *worker) else { return Ok(Vec::new()) };
        let mut family = vec![others.swap_remove(own).id];
        let mut known = 0;
        while let Some(parent) = family.get(known).cloned() {
            let (children, rest) = others.into_iter().partition(|one: &Instance| one.parent.as_ref() == Some(&parent));
            family.extend(Vec::into_iter(children).map(|child: Instance| child.id));
            others = rest;
            known += 1;
        }
        Ok(family)
    }

    /// The worker inside of whose work this command runs, as `AIO_RUN` tells, whoever it says that it is.
    pub(in crate::ops) fn worker_around(&self) -> Option<InstanceId> {
        let around = self.env.run.as_ref()?;
        let (mark, run) = (around.mark(), around.innermost()?);
        let steps = self.shown_run(run).ok()?.steps;
        let attempts = steps.iter().flat_map(|step| step.attempts.iter().map(|attempt| (&step.path, attempt)));
        let mut its = attempts.filter(|(step, attempt)| self.mark_of_attempt(run, step, attempt.number) == mark);
        its.next()?.1.instance.clone()
    }
}
