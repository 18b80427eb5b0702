//! A process, named so that a recycled pid is never taken for it.

/// A process on one machine since one boot. Two are the same process only when all parts agree; where `namespace` or
/// `boot` differ from the observer's, its pid says nothing to the observer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProcessMark {
    /// The process id.
    pub pid: u32,
    /// When it started, in a form only compared for equality.
    pub start: String,
    /// Which boot of which machine.
    pub boot: String,
    /// The pid namespace, as containers and sandboxes have their own.
    pub namespace: String,
}

/// What is known of a process now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Aliveness {
    /// It runs.
    Alive,
    /// It has certainly ended.
    Dead,
    /// It can't be judged from here: another machine, boot or pid namespace.
    Unknown,
}
