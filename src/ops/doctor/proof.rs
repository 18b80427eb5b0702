//! Proof that the fences fire: git is asked to run its hooks, and ours has to answer.
//!
//! Nothing is put on git's way to it. What is tried is what happens when the user commits: the hooks that git finds,
//! and the program that they find.

use super::Finding;
use crate::host::git::Git;

/// The variable by which the fence is asked whether it is there.
const PROBE: &str = "AIO_PROBE";

/// What the fence says to a probe, before it does anything else, and then refuses.
fn answer(nonce: &str) -> String {
    format!("aio-probe {nonce}")
}

/// Whether git's `hook` comes to our fence and is stopped by it.
pub(super) fn fires(git: &Git, hook: &str, nonce: &str) -> Finding {
    let Err(refused) = git.clone().with(PROBE, nonce).hook_run(hook, &[]) else {
        return Err("git ran its hook, and nothing of ours refused the commit".into());
    };
    let answer = answer(nonce);
    if refused.stderr().lines().any(|line| line.trim_end() == answer) {
        Ok("tried: git runs it, and it can refuse".into())
    } else {
        Err(format!("git's hook failed before ours was asked: {}", refused.stderr().lines().last().unwrap_or_default()))
    }
}

/// Whether hooks find the program: git runs them, like the aliases of a shell, with its own folder first in the path.
pub(super) fn on_path(git: &Git) -> Finding {
    let found = git.run(["-c", "alias.aio-where=!command -v git-aio", "aio-where"]);
    let found = found.map(|out| String::from_utf8_lossy(&out).trim().to_owned()).unwrap_or_default();
    match found.is_empty() {
        false => Ok(format!("hooks find {found}")),
        true => Err("git-aio is not in the PATH that git gives to hooks, where the fences let everything pass".into()),
    }
}
