//! Tasks that nobody will ever be given.

use super::{Finding, Seen, say};
use crate::{
    base::{id::TaskId, text},
    model::{task::circles, view::View as _},
    ops::Session,
    store::Snapshot,
};

/// Most of them that are named.
const MOST: usize = 5;

impl Session {
    /// That no tasks wait for each other, or for one that isn't there.
    pub(super) fn check_tasks(&self, snapshot: &Snapshot<'_>) -> Finding<Seen> {
        let left = self.needs_left(snapshot).map_err(say)?;
        let circles = circles(&left, MOST);
        if !circles.is_empty() {
            let named: Vec<String> = circles.iter().map(|circle| named(circle)).collect();
            return Err(format!(
                "none of these is ever ready: {}; a person ends one by `git aio tasks done <id> --force --why <reason>`",
                named.join("; ")
            ));
        }
        let mut lost = Vec::new();
        for (id, need) in left.iter().flat_map(|(id, needs)| needs.iter().map(move |need| (id, need))) {
            if lost.len() < MOST && !left.contains_key(need) && matches!(snapshot.task(need), Ok(None)) {
                lost.push(format!("{} needs {}, which is not in the queue", shown(id), shown(need)));
            }
        }
        match lost.is_empty() {
            true => Ok("none waits for itself".into()),
            false => Ok(Seen::odd(format!("{}: nobody will be given that", lost.join("; ")))),
        }
    }
}

/// A circle, from one of its tasks back to it.
fn named(circle: &[&TaskId]) -> String {
    let ids: Vec<String> = circle.iter().chain(circle.first()).map(|id| shown(id)).collect();
    text::one_line(&ids.join(" needs "), 300)
}

fn shown(id: &TaskId) -> String {
    text::one_line(id.as_str(), 60)
}
