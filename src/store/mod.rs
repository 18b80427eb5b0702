//! Coordination state in git refs, and what we read of the user's repository.
//!
//! The only layer that names gix. It does not spawn, print or read the environment.

mod ahead;
mod divergence;
mod ended;
mod error;
mod find;
pub mod layout;
mod listing;
mod lock;
pub mod log;
mod loose;
mod objects;
mod presence;
mod refs;
mod repair;
mod repository;
mod run;
mod snapshot;
mod staged;
mod survey;
mod transaction;
mod turn;
mod whole;
mod wire;
mod worktree;

pub use ahead::Ahead;
pub use divergence::{Divergence, Link};
pub use ended::Illegible;
pub use error::StoreError;
pub use listing::{Extent, Listing};
pub use presence::{ClonePresence, MOST_NAMED};
pub use refs::FileRefs;
pub use repair::{Found, History, LostOp, WayBack, shortened};
pub use repository::{Location, OpenError, RefBackend, Repository, SetIn};
pub use run::{Private, RunEvent};
pub use snapshot::{Damage, Snapshot};
pub use staged::{Coverage, Tracked};
pub use survey::Survey;
pub use transaction::{Committed, Durability, GivenOut, Transaction, WriteStep};
pub use turn::Turn;
pub use whole::Chain;
pub use worktree::{Capture, Change, ChangeKind, LeftAlone, Plan, PutBack, ReadTree};
