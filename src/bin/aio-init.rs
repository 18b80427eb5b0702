//! `git-aio` by another name.

mod launch;

fn main() -> std::process::ExitCode {
    launch::run_program(Some("init"))
}
