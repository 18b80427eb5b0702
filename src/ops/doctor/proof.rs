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
pub(in crate::ops) fn on_path(git: &Git) -> Finding {
    let found = git.run(["-c", "alias.aio-where=!command -v git-aio", "aio-where"]);
    let found = found.map(|out| String::from_utf8_lossy(&out).trim().to_owned()).unwrap_or_default();
    match found.is_empty() {
        false => Ok(format!("hooks find {found}")),
        true => {
            Err("git-aio is not in the PATH that git gives to hooks: the fences warn and let everything pass".into())
        }
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use crate::host::scratch::Scratch;
    use std::{fs, os::unix::fs::PermissionsExt, path::Path};

    fn script(path: &Path, text: &str) {
        fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        fs::write(path, text).expect("written");
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("executable");
    }

    /// git in a repository with our hook, for which `git-aio` is this script.
    fn fenced(program: &str) -> (Scratch, Git) {
        let repo = Scratch::new();
        script(&repo.path(".git/hooks/pre-commit"), include_str!("../../../hooks/pre-commit"));
        script(&repo.outside().join("bin/git-aio"), program);
        #[expect(clippy::disallowed_methods, reason = "a test that puts a folder before the others")]
        let path = std::env::var("PATH").unwrap_or_default();
        let git = repo.git.clone().with("PATH", format!("{}:{path}", repo.outside().join("bin").display()));
        (repo, git)
    }

    const ANSWERS: &str = "#!/bin/sh\nif [ -n \"$AIO_PROBE\" ]; then echo \"aio-probe $AIO_PROBE\" >&2; exit 1; fi\n";

    #[test]
    fn a_fence_that_answers_is_proven() {
        let (repo, git) = fenced(ANSWERS);
        assert_eq!(fires(&git, "pre-commit", "a1b2"), Ok("tried: git runs it, and it can refuse".into()));
        assert!(fires(&git, "pre-merge-commit", "a1b2").is_err(), "there is no such hook");
        assert!(on_path(&git).expect("found").ends_with("bin/git-aio"));
        fs::set_permissions(repo.path(".git/hooks/pre-commit"), fs::Permissions::from_mode(0o644)).expect("disabled");
        assert!(fires(&git, "pre-commit", "a1b2").is_err(), "git does not run it");
    }

    #[test]
    fn what_merely_fails_or_passes_is_no_proof() {
        assert!(fires(&fenced("#!/bin/sh\necho 'aio-probe stale' >&2; exit 1\n").1, "pre-commit", "a1b2").is_err());
        assert!(fires(&fenced("#!/bin/sh\necho \"aio-probe $AIO_PROBE\"\n").1, "pre-commit", "a1b2").is_err());
        let (repo, git) = fenced(ANSWERS);
        script(&repo.path(".git/hooks/pre-commit"), "#!/bin/sh\necho 'no tests' >&2; exit 1\n");
        let wrong = fires(&git, "pre-commit", "a1b2");
        assert_eq!(wrong, Err("git's hook failed before ours was asked: no tests".into()));
    }
}
