//! Where things are: the refs we use, and the tree behind `refs/aio/state`.
//!
//! ```text
//! aio.json                            format, domain, epoch
//! instances/<instance-id>.json
//! claims/<xx>/<claim-id>.json         <xx>: the first two digits of the id
//! paths/=<a>/=<b>/@<claim-id>.json    the same blob again, filed under the path it covers: the index
//! paths/:tasks/=<task-id>/@<claim-id>.json
//! ended/<instance-id>/<claim-id>.json
//! notes/<yyyy-mm>/<note-id>.json
//! handoffs/<handoff-id>.json
//! tasks/<task-id>.json
//! quarantine/<path, / as %2F>         what a repair set aside
//! ```
//! A component of a user's path carries the prefix `=`, so that no name of a user's file becomes a name that git
//! itself treats specially (a receiving server with `receive.fsckObjects` refuses a tree named `.gitmodules`).

use crate::{
    base::{
        id::{ClaimId, HandoffId, InstanceId, NoteId, TaskId},
        world::Time,
    },
    model::scope::{Place, Scope},
};

/// The only ref with invariants: one linear chain, a commit an operation.
pub const STATE: &str = "refs/aio/state";

/// The folder of the refs of runs: what others may see of them, a chain each.
pub const RUNS: &str = "refs/aio/runs/";

/// The same, of what stays in the clone: prompts, outputs, and what the work tree was like.
pub const PRIVATE_RUNS: &str = "refs/aio-local/runs/";

/// The newest format that we understand.
pub const FORMAT: u64 = 2;

/// The format that a store begins with: as long as nothing newer is in it, older programs may write it too.
pub const FIRST_FORMAT: u64 = 1;

/// The format that has tasks. Who doesn't know them could neither do their operations again nor cut the history after
/// one, so that from the first task on only readers may be older.
pub const FORMAT_WITH_TASKS: u64 = 2;

/// Largest record, in bytes.
pub const MAX_RECORD: usize = 64 * 1024;

/// Largest message of a commit of ours that is read, in bytes.
pub const MAX_MESSAGE: usize = 4 * 1024 * 1024;

/// Largest message of an operation that is done for the first time. Done again on what the hub has, it may say a little
/// more than then, such as a longer number.
pub const MAX_NEW_MESSAGE: usize = MAX_MESSAGE - 4 * 1024;

/// More operations, and more epochs, than any history comes to. A number as high as this was made by hand: a reader
/// refuses it, and so a writer doesn't write it.
pub const MOST_OPERATIONS: u64 = 1 << 40;

/// The most numbers that the beginning of an epoch leaves out. Whoever left out more could soon leave none.
pub const MOST_LEFT_OUT: u64 = 1 << 20;

/// Deepest nesting of JSON in a record.
pub const MAX_DEPTH: usize = 32;

/// Most bytes of records in one listing of the newest, and the largest tree or commit that is read.
pub const MAX_LISTING: usize = 20 * 1024 * 1024;

/// A path in the tree, as its components.
pub type TreePath = Vec<Vec<u8>>;

pub(super) fn meta() -> TreePath {
    path(["aio.json"])
}

pub(super) fn instance(id: &InstanceId) -> TreePath {
    path(["instances", &json(id.as_str())])
}

pub(super) fn claim(id: &ClaimId) -> TreePath {
    path(["claims", &id.as_str()[..2], &json(id.as_str())])
}

/// The folder of what an instance lost.
pub(super) fn ended_of(instance: &InstanceId) -> TreePath {
    path(["ended", instance.as_str()])
}

pub(super) fn ended(instance: &InstanceId, claim: &ClaimId) -> TreePath {
    let mut at = ended_of(instance);
    at.push(json(claim.as_str()).into_bytes());
    at
}

pub(super) fn note(id: &NoteId, at: Time) -> TreePath {
    path(["notes", &at.format("%Y-%m").to_string(), &json(id.as_str())])
}

pub(super) fn handoff(id: &HandoffId) -> TreePath {
    path(["handoffs", &json(id.as_str())])
}

pub(super) fn task(id: &TaskId) -> TreePath {
    path(["tasks", &json(id.as_str())])
}

/// The folder of the index where claims on tasks are filed.
pub(super) fn index_of_tasks() -> TreePath {
    path(["paths", ":tasks"])
}

/// The folder of the index.
pub(super) fn index() -> TreePath {
    path(["paths"])
}

/// Where a repair sets aside what it found at `path`. It keeps the whole path in its name.
pub(super) fn quarantine(from: &[Vec<u8>]) -> TreePath {
    let escaped = |byte: u8| match byte {
        b'%' => b"%25".to_vec(),
        b'/' => b"%2F".to_vec(),
        byte => vec![byte],
    };
    vec![b"quarantine".to_vec(), from.join(&b'/').into_iter().flat_map(escaped).collect()]
}

/// The entry of a claim in the index.
pub(super) fn index_entry(scope: &Scope, id: &ClaimId, folds_case: bool) -> TreePath {
    let mut at = index_folder(scope, folds_case);
    at.push(format!("@{}", json(id.as_str())).into_bytes());
    at
}

/// The folder of the index where claims of `scope` are filed.
pub(super) fn index_folder(scope: &Scope, folds_case: bool) -> TreePath {
    let mut at = index();
    match scope.place(folds_case) {
        Place::Task(task) => at.extend(path([":tasks", &format!("={task}")])),
        Place::Path(path) => at.extend(path.components().map(index_component)),
    }
    at
}

pub(super) fn index_component(component: &[u8]) -> Vec<u8> {
    [b"=", component].concat()
}

/// The id that an entry is named by: `<id>.json`, in the index with an `@` before it.
pub(super) fn id_of<Id: std::str::FromStr>(name: &[u8]) -> Option<Id> {
    std::str::from_utf8(name).ok()?.strip_suffix(".json")?.parse().ok()
}

fn path<const N: usize>(components: [&str; N]) -> TreePath {
    components.iter().map(|c| c.as_bytes().to_owned()).collect()
}

fn json(id: &str) -> String {
    format!("{id}.json")
}

/// A tree path for people.
pub(super) fn display(path: &[Vec<u8>]) -> String {
    path.iter().map(|c| String::from_utf8_lossy(c)).collect::<Vec<_>>().join("/")
}
