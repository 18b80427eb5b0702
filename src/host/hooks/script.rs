//! The text of hooks: our block, where it goes, and what kind of script it goes into.

use crate::host::install::shell::{BEGIN, END, find_block};
use std::path::Path;

/// A hook of ours: a fence, or what goes with one.
pub(super) struct Fence {
    pub(super) name: &'static str,
    /// The whole script, for where there is no hook yet.
    pub(super) script: &'static str,
}

/// The hooks that we need.
pub(super) const FENCES: &[Fence] = &[
    Fence { name: "pre-commit", script: include_str!("../../../hooks/pre-commit") },
    Fence { name: "pre-merge-commit", script: include_str!("../../../hooks/pre-merge-commit") },
    Fence { name: "pre-push", script: include_str!("../../../hooks/pre-push") },
    Fence { name: "post-commit", script: include_str!("../../../hooks/post-commit") },
];

/// The hooks that git runs on the side of those who commit, for which there is a dispatcher even where there is no hook
/// yet: one may be added to the folder later. Hooks that change what git does by merely being there are not listed.
pub(super) const COMMON_HOOKS: &[&str] = &[
    "applypatch-msg",
    "commit-msg",
    "post-applypatch",
    "post-checkout",
    "post-commit",
    "post-merge",
    "post-rewrite",
    "pre-applypatch",
    "pre-commit",
    "pre-merge-commit",
    "pre-push",
    "pre-rebase",
    "prepare-commit-msg",
];

/// Hooks for which there is a dispatcher only where the folder has them.
pub(super) const OTHER_HOOKS: &[&str] = &[
    "fsmonitor-watchman",
    "p4-changelist",
    "p4-post-changelist",
    "p4-pre-submit",
    "p4-prepare-changelist",
    "post-index-change",
    "post-receive",
    "post-update",
    "pre-auto-gc",
    "pre-receive",
    "proc-receive",
    "push-to-checkout",
    "reference-transaction",
    "sendemail-validate",
    "update",
];

const SHELLS: &[&str] = &["sh", "bash", "dash", "zsh", "ksh", "mksh", "ash"];

impl Fence {
    /// The fence of this name, if it is one.
    pub(super) fn named(name: &str) -> Option<&'static Fence> {
        FENCES.iter().find(|fence| fence.name == name)
    }

    /// The part of the script that goes into a hook of somebody else's, from marker to marker.
    fn block(&self) -> &'static str {
        self.script.find(BEGIN).map_or("", |at| &self.script[at..])
    }

    /// The script that runs, after ours, the hook of the same name in the folder `aside`, beside the folder of hooks.
    /// That folder is found by the script's own place, since a repository may move.
    pub(super) fn script_before(&self, aside: &str) -> Vec<u8> {
        self.script.replace(self.block(), &self.block_before(aside)).into_bytes()
    }

    fn block_before(&self, aside: &str) -> String {
        let previous = format!("previous=$(dirname \"$0\")/../{}/{}", quote_within(aside), self.name);
        self.block().replace(END, &format!("{previous}\n{RUN_PREVIOUS}{END}"))
    }
}

/// Runs the hook `$previous` as git would.
const RUN_PREVIOUS: &str = "if [ -x \"$previous\" ]; then exec \"$previous\" \"$@\"; fi\n";

/// A script that runs our block, where `name` is a fence, and then the hook of this name in the folder `previous`,
/// which, if relative, is so to the root of the work tree: there git runs hooks.
pub(super) fn dispatcher(name: &str, previous: &Path) -> Vec<u8> {
    let mut script = b"#!/bin/sh\n# Written by `git aio init`, taken back by `git aio init --undo`. \
        It runs the hook that git ran before.\n"
        .to_vec();
    script.extend(Fence::named(name).map_or("", Fence::block).as_bytes());
    script.extend(b"previous=");
    script.extend(quote(&path_bytes(&Path::new(".").join(previous).join(name))));
    script.push(b'\n');
    script.extend(RUN_PREVIOUS.as_bytes());
    script
}

/// `hook` with the block of `fence` in it, directly after the line that names the shell, or in place of an older block.
/// `None` where it is no shell script.
pub(super) fn with_block(hook: &[u8], fence: &Fence, aside: Option<&str>) -> Option<Vec<u8>> {
    let block = aside.map_or_else(|| fence.block().to_owned(), |aside| fence.block_before(aside));
    let (before, after) = match find_block(hook) {
        Some((from, to)) => (&hook[..from], &hook[to..]),
        None if is_shell_script(hook) => hook.split_at(after_shebang(hook)),
        None => return None,
    };
    // A file that is nothing but a shebang may lack the end of its only line.
    let gap: &[u8] = if before.is_empty() || before.ends_with(b"\n") { b"" } else { b"\n" };
    Some([before, gap, block.as_bytes(), after].concat())
}

fn after_shebang(hook: &[u8]) -> usize {
    if !hook.starts_with(b"#!") {
        return 0;
    }
    hook.iter().position(|b| *b == b'\n').map_or(hook.len(), |at| at + 1)
}

/// Whether it is run by a shell of the Bourne family. Text without a shebang is: git hands it to sh.
fn is_shell_script(hook: &[u8]) -> bool {
    if hook.contains(&0) {
        return false;
    }
    let Some(line) = hook.strip_prefix(b"#!") else { return true };
    let line = line.split(|b| *b == b'\n').next().unwrap_or_default();
    let line = String::from_utf8_lossy(line);
    let mut words = line.split_whitespace().map(|word| word.rsplit('/').next().unwrap_or(word));
    let is_option = |word: &&str| word.starts_with('-') || word.contains('=');
    let program = match words.next() {
        Some("env") => words.find(|word| !is_option(word)),
        Some("busybox") => words.next(),
        program => program,
    };
    program.is_some_and(|program| SHELLS.contains(&program.strip_suffix(".exe").unwrap_or(program)))
}

/// `text` as one word of the shell.
fn quote(text: &[u8]) -> Vec<u8> {
    let mut out = b"'".to_vec();
    for byte in text {
        match byte {
            b'\'' => out.extend(br"'\''"),
            byte => out.push(*byte),
        }
    }
    out.push(b'\'');
    out
}

/// The name of a folder of ours, as one word of the shell.
fn quote_within(name: &str) -> String {
    String::from_utf8_lossy(&quote(name.as_bytes())).into_owned()
}

#[cfg(unix)]
fn path_bytes(path: &Path) -> Vec<u8> {
    std::os::unix::ffi::OsStrExt::as_bytes(path.as_os_str()).to_vec()
}

#[cfg(not(unix))]
fn path_bytes(path: &Path) -> Vec<u8> {
    path.to_string_lossy().replace('\\', "/").into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::install::shell::without_block;

    fn chained(hook: &str) -> Option<String> {
        with_block(hook.as_bytes(), &FENCES[0], None).map(|hook| String::from_utf8_lossy(&hook).into_owned())
    }

    #[test]
    fn every_fence_has_a_block_that_calls_it() {
        for fence in FENCES {
            assert!(fence.block().starts_with(BEGIN) && fence.block().ends_with(END), "{}", fence.name);
            let call = format!("git-aio hook {} ", fence.name);
            let line = fence.block().lines().find(|line| line.trim_start().starts_with(&call)).expect("a call");
            // What comes after the commit can't stop it, and must not look as if it had.
            let end = if fence.name.starts_with("pre-") { "|| exit $?" } else { "|| :" };
            assert!(line.ends_with(end), "{line}");
            assert_eq!(fence.script.matches(BEGIN).count(), 1);
            assert!(COMMON_HOOKS.contains(&fence.name));
        }
    }

    #[test]
    fn the_block_follows_the_shebang_and_comes_out_again() {
        for shebang in ["#!/bin/sh\n", "#!/usr/bin/env -S bash -e\n", "#! /usr/bin/busybox sh\n", "#!/bin/zsh\r\n", ""]
        {
            let hook = format!("{shebang}set -e\nexit 1");
            let with = chained(&hook).expect("a shell script");
            assert_eq!(with, format!("{shebang}{}set -e\nexit 1", FENCES[0].block()));
            assert_eq!(chained(&with).as_deref(), Some(with.as_str()), "twice is once");
            assert_eq!(without_block(with.as_bytes()).as_deref(), Some(hook.as_bytes()));
        }
        assert_eq!(chained("#!/bin/sh").expect("a shell script"), format!("#!/bin/sh\n{}", FENCES[0].block()));
    }

    #[test]
    fn an_older_block_is_replaced_where_it_stands() {
        let old = "#!/usr/bin/fish\nfirst\n# >>> git-aio >>> old\nold\n# <<< git-aio <<<";
        assert_eq!(chained(old).expect("ours"), format!("#!/usr/bin/fish\nfirst\n{}", FENCES[0].block()));
        assert_eq!(without_block(b"# >>> git-aio >>> cut off"), None);
    }

    #[test]
    fn other_languages_are_no_shell_scripts() {
        for hook in
            ["#!/usr/bin/env python3\n", "#!/usr/bin/fish\n", "#!/usr/bin/node\n", "#!/usr/bin/env\n", "\x7fELF\0"]
        {
            assert_eq!(chained(hook), None, "{hook:?}");
        }
    }

    #[test]
    fn a_dispatcher_quotes_the_path_of_the_hook() {
        let script = String::from_utf8(dispatcher("commit-msg", Path::new("it's here"))).expect("text");
        assert!(script.contains("\nprevious='./it'\\''s here/commit-msg'\nif [ -x"), "{script}");
        assert!(!script.contains(BEGIN));
        assert!(dispatcher("pre-commit", Path::new("/x")).windows(17).any(|w| w == b"/x/pre-commit'\nif"));
    }
}
