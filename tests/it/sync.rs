//! Several clones and the hub that decides between them.

mod both;
mod kill;
mod race;
