//! Starts `git-aio`, which stands beside this program, in place of it.
//!
//! One program under four names: linking it four times would make installing it take four times as long.

use std::{
    ffi::OsString,
    path::PathBuf,
    process::{Command, ExitCode},
};

/// Runs `git-aio` with `first`, if there is one, before the words of the command line.
pub(crate) fn run_program(first: Option<&str>) -> ExitCode {
    let words = first.map(OsString::from).into_iter().chain(std::env::args_os().skip(1));
    #[expect(clippy::disallowed_methods, reason = "this program is nothing but the start of another")]
    let mut command = Command::new(program());
    let error = run(command.args(words));
    match error {
        Ok(code) => code,
        Err(error) => {
            #[expect(clippy::print_stderr, reason = "there is nobody else to say it")]
            {
                eprintln!("error: can't start git-aio, which belongs beside this program: {error}");
            }
            ExitCode::FAILURE
        }
    }
}

/// The program beside this one; the one on PATH where there is none.
fn program() -> PathBuf {
    let name = format!("git-aio{}", std::env::consts::EXE_SUFFIX);
    let beside =
        std::env::current_exe().ok().and_then(|own| own.canonicalize().ok()).map(|own| own.with_file_name(&name));
    beside.filter(|program| program.is_file()).unwrap_or_else(|| name.into())
}

/// Becomes the program: its process, its terminal, its signals and its exit code are ours.
#[cfg(unix)]
fn run(command: &mut Command) -> std::io::Result<ExitCode> {
    Err(std::os::unix::process::CommandExt::exec(command))
}

#[cfg(not(unix))]
fn run(command: &mut Command) -> std::io::Result<ExitCode> {
    let code = command.status()?.code().and_then(|code| u8::try_from(code).ok());
    Ok(code.map_or(ExitCode::FAILURE, ExitCode::from))
}
