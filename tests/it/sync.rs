//! Several clones and the hub that decides between them.

mod again;
mod both;
mod hands;
mod hostile;
mod kill;
mod layout;
mod mischief;
mod nearby;
mod race;
mod random;
mod runs;
mod workflows;

/// Whether the long runs are asked for.
fn is_campaign() -> bool {
    std::env::var_os("AIO_TEST_CAMPAIGN").is_some_and(|value| value == "1")
}
