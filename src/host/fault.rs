//! Ending the process at a chosen moment, for the tests of what a kill leaves behind. In a release build: nothing.

use super::env::Env;

/// Ends this process as `kill -9` would, if the environment of a test names this `step`.
pub fn at(env: &Env, step: &str) {
    if cfg!(debug_assertions) && env.kill_at.as_deref() == Some(step) {
        #[cfg(unix)]
        let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
        std::process::abort();
    }
}
