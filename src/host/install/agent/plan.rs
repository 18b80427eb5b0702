//! What would have to change for agents to have their fences. It looks and changes nothing.

use super::piece::{Piece, in_work_tree, of_user};
use crate::host::{
    agents::Agent,
    env::Homes,
    install::{Act, FileChange, InstallError, Node, Part, Place, apply::carry_out, manifest::Manifest, node::real},
};
use std::path::{Path, PathBuf};

/// The permissions of a file of ours that is new.
const READABLE: u32 = 0o644;

/// Where agents are given their fences.
#[derive(Debug, Clone)]
pub enum Scope {
    /// In a work tree.
    WorkTree {
        /// Its root.
        root: PathBuf,
        /// The git directory that all work trees share.
        common_dir: PathBuf,
    },
    /// Among the user's own files.
    User(Homes),
}

impl Scope {
    fn pieces(&self, agents: &[Agent]) -> Vec<Piece> {
        match self {
            Scope::WorkTree { root, .. } => in_work_tree(root, agents),
            Scope::User(homes) => of_user(homes, agents),
        }
    }

    /// The file that is to be written for `path`: links are written through, but none that leads out of the work tree.
    /// Who committed it would write wherever the user may.
    fn place(&self, path: &Path) -> Result<PathBuf, InstallError> {
        let to = real(path);
        let Scope::WorkTree { root, common_dir } = self else { return Ok(to) };
        match to.strip_prefix(real(root)) {
            Ok(inside) if !to.starts_with(real(common_dir)) => Ok(root.join(inside)),
            _ => {
                let reason = format!("it leads out of the work tree, to {}", to.display());
                Err(InstallError::Unfit { path: path.to_owned(), reason })
            }
        }
    }
}

/// What would give `agents` their fences, where changes are recorded at `place`.
///
/// # Errors
/// When a file can't be read, or is one that nothing can be put into.
pub fn plan(place: &Place, scope: &Scope, agents: &[Agent]) -> Result<Vec<FileChange>, InstallError> {
    let manifest = Manifest::read(place)?;
    let mut changes: Vec<FileChange> = Vec::new();
    for Piece { path, part } in scope.pieces(agents) {
        let to = scope.place(&path)?;
        // One file may go by two names.
        if changes.iter().all(|change| change.path != to) {
            changes.extend(change(place, manifest.as_ref(), to, part)?);
        }
    }
    Ok(changes)
}

/// Gives `agents` their fences, and tells what that took. Of several at once, one does it and the others find it done.
///
/// # Errors
/// As for [`plan`], and when a file can't be written or somebody else doesn't finish. Where one can't be changed, none
/// is.
pub fn install(place: &Place, scope: &Scope, agents: &[Agent]) -> Result<Vec<FileChange>, InstallError> {
    carry_out(place, || plan(place, scope, agents))
}

fn change(
    place: &Place,
    manifest: Option<&Manifest>,
    path: PathBuf,
    part: Part,
) -> Result<Option<FileChange>, InstallError> {
    let before = Node::read(&path)?;
    let unfit = |reason: String| InstallError::Unfit { path: path.clone(), reason };
    let (bytes, mode) = match &before {
        Node::Absent => {
            if let Some(file) = path.ancestors().skip(1).find(|above| above.exists()).filter(|above| !above.is_dir()) {
                return Err(unfit(format!("{} is a file and no folder", file.display())));
            }
            (&[][..], READABLE)
        }
        Node::File { bytes, mode } => (bytes.as_slice(), *mode),
        Node::Link(_) => return Err(unfit("it is a link that leads nowhere".to_owned())),
    };
    let text = std::str::from_utf8(bytes).map_err(|_| unfit("it is not UTF-8".to_owned()))?;
    let after = part.put_into(text).map_err(unfit)?;
    if before != Node::Absent && after == text {
        return Ok(None);
    }
    let act = match (&before, &part) {
        (Node::Absent, _) => Act::Create,
        (_, Part::Whole { .. }) => Act::Renew,
        _ => Act::Chain,
    };
    let restore = restored(place, manifest, &path, &before)?;
    let after = Node::File { bytes: after.into_bytes(), mode };
    Ok(Some(FileChange { part, restore, ..FileChange::new(path, before, after, act) }))
}

/// What an undo brings back of a file that has a part of ours in it and that somebody has changed since: what it is
/// without ours. One that came with a part of ours, as with a commit, is brought back with it.
fn restored(
    place: &Place,
    manifest: Option<&Manifest>,
    path: &Path,
    before: &Node,
) -> Result<Option<Node>, InstallError> {
    let Some(record) = manifest.and_then(|manifest| manifest.file(place, path)) else { return Ok(None) };
    if record.is_as_left(before) {
        return Ok(None);
    }
    Ok(record.without_ours(before, &record.before.restore(place)?))
}
