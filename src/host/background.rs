//! Starting a process that goes on by itself: nobody waits for it, and it ends by itself soon.

use process_wrap::std::CommandWrap;
use std::{
    ffi::OsStr,
    io,
    path::Path,
    process::{Command, Stdio},
};

/// Starts this very program with `args` in `dir`, in a session of its own, so that neither the end of our terminal nor
/// a signal to our group reaches it, without any of our files: whoever waits for the end of our output isn't kept.
///
/// # Errors
/// When it can't be started.
pub fn start<S: AsRef<OsStr>>(dir: &Path, args: impl IntoIterator<Item = S>, unset: &[&str]) -> io::Result<()> {
    #[expect(clippy::disallowed_methods, reason = "the one place that starts ourselves")]
    let mut command = Command::new(std::env::current_exe()?);
    command.args(args).current_dir(dir).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    unset.iter().for_each(|name| {
        command.env_remove(name);
    });
    // CREATE_NO_WINDOW: it has no console of its own either.
    #[cfg(windows)]
    std::os::windows::process::CommandExt::creation_flags(&mut command, 0x0800_0000);
    let mut wrapped = CommandWrap::from(command);
    #[cfg(unix)]
    wrapped.wrap(process_wrap::std::ProcessSession);
    wrapped.spawn().map(drop)
}
