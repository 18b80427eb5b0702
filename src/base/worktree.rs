//! What a look at a work tree finds, before anything of it is read: the words in which the layer that asks git tells it
//! to the layer that keeps it.

use super::oid::Oid;

/// How a work tree compares with its index and with HEAD, at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Look {
    /// The commit at HEAD; `None` before the first one.
    pub head: Option<Oid>,
    /// The paths that are not in the work tree what they are at HEAD, relative to its root and without a slash at the
    /// end. Where a path comes twice, what is said last is so.
    pub sights: Vec<(Vec<u8>, Sight)>,
}

/// What there is at a path that is not as HEAD has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sight {
    /// What the index has, as git compares them: its mode and its object, or nothing.
    AsStaged(Option<(u32, Oid)>),
    /// Something else than the index has. It has to be read.
    Differs,
    /// Another repository, with the commit at its HEAD if there is one.
    Repository(Option<Oid>),
}
