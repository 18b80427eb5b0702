//! Several clones and the hub that decides between them.

mod both;
mod hostile;
mod kill;
mod layout;
mod mischief;
mod race;
mod random;
