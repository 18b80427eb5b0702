//! Coordination state in git refs, and what we read of the user's repository.
//!
//! The only layer that names gix. It does not spawn, print or read the environment.

mod error;
mod find;
pub mod layout;
mod lock;
pub mod log;
mod objects;
mod refs;
pub mod repair;
mod repository;
mod snapshot;
mod staged;
mod transaction;
mod turn;
mod wire;

pub use error::StoreError;
pub use refs::FileRefs;
pub use repository::{Location, OpenError, RefBackend, Repository};
pub use snapshot::{Damage, Snapshot};
pub use staged::Coverage;
pub use transaction::{Committed, Durability, Transaction, WriteStep};
pub use turn::Turn;
