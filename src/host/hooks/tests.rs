//! Fences are put up over hooks of every kind, made to fire by a real commit, and taken down without a trace.

mod places;

use super::*;
use crate::host::{install::Undone, scratch::Scratch};
use std::{collections::BTreeMap, fs};

struct Fixture {
    repo: Scratch,
    site: Site,
}

/// Writes down, in order, which hook ran, with which name.
const LOG: &str = "echo \"theirs $(basename \"$0\") $#\" >>\"$HOME/log\"\n";

impl Fixture {
    /// A repository in which `git-aio` is a script that writes down how it was called.
    fn new() -> Fixture {
        let mut repo = Scratch::new();
        let bin = repo.outside().join("bin");
        // What runs after each commit stops nothing, and would only lengthen the log.
        let fake = "#!/bin/sh\n[ \"$2\" = post-commit ] || echo \"ours $*\" >>\"$HOME/log\"\nexit ${FENCE:-0}\n";
        Node::hook(fake).write(&bin.join("git-aio")).expect("a script");
        #[expect(clippy::disallowed_methods, reason = "git is found by it")]
        let path = std::env::var_os("PATH").expect("a path");
        let path = std::env::join_paths([bin].into_iter().chain(std::env::split_paths(&path))).expect("a path");
        repo.git = repo.git.with("PATH", path);
        fs::remove_dir_all(repo.path(".git/hooks")).expect("no sample hooks");
        repo.write("file", "1");
        repo.commit("first");
        let site = Site { git: repo.git.clone(), common_dir: repo.path(".git"), sharing: Default::default() };
        Fixture { repo, site }
    }

    fn hook(&self, path: &str, content: &str) {
        Node::hook(content).write(&self.repo.path(path)).expect("a hook");
    }

    fn log(&self) -> Vec<String> {
        let path = self.repo.outside().join("log");
        let log = fs::read_to_string(&path).unwrap_or_default();
        let _ = fs::remove_file(path);
        log.lines().map(str::to_owned).collect()
    }

    /// Everything in the repository that a hook or a setting could be.
    fn snapshot(&self) -> BTreeMap<PathBuf, Node> {
        let mut found = BTreeMap::new();
        collect(self.repo.git.dir(), &mut found);
        let changing = ["objects", "index", "logs", "refs", "worktrees", "COMMIT_EDITMSG"]
            .map(|name| self.repo.path(".git").join(name));
        found.retain(|path, _| !changing.iter().any(|changing| path.starts_with(changing)));
        found
    }

    fn init(&self) -> Plan {
        let plan = plan(&self.site).expect("a plan");
        apply(&self.site, &plan).expect("applied");
        plan
    }

    fn state(&self) -> FenceState {
        let hooks_path = self.site.git.config_path(HOOKS_PATH).expect("read");
        fence_state(&self.site, hooks_path.as_deref())
    }

    fn commit(&self) -> Vec<String> {
        self.repo.git.run(["commit", "-q", "--allow-empty", "-m", "x"]).expect("a commit");
        self.log()
    }

    /// Puts the fences up, sees `expected` run at a commit, sees the fence stop one, and takes them down again.
    fn round_trip(&self, expected: &[&str]) -> Plan {
        let before = self.snapshot();
        let at_first = self.commit();
        assert_eq!(self.state(), FenceState::NotInited);
        let plan = self.init();
        assert_eq!(self.state(), FenceState::Installed);
        let again = super::plan(&self.site).expect("a plan");
        assert!(again.is_empty(), "a second init does nothing: {again:#?}");
        assert_eq!(self.commit(), expected);
        let stopped = self.repo.git.clone().with("FENCE", "3").run(["commit", "-q", "--allow-empty", "-m", "x"]);
        assert_eq!(stopped.expect_err("the fence stops it").code(), Some(1));
        assert_eq!(self.log(), ["ours hook pre-commit"]);
        undo(&self.site).expect("undone");
        assert_eq!(self.snapshot(), before);
        assert_eq!(self.commit(), at_first);
        assert!(undo(&self.site).expect("nothing to undo").is_empty());
        plan
    }
}

fn collect(dir: &Path, found: &mut BTreeMap<PathBuf, Node>) {
    for entry in fs::read_dir(dir).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() && !path.is_symlink() {
            collect(&path, found);
        } else {
            let node = Node::read(&path).expect("read");
            found.insert(path, node);
        }
    }
}

fn acts(plan: &Plan) -> Vec<&Act> {
    plan.files.iter().map(|change| &change.act).collect()
}

#[test]
fn where_there_is_no_hook_ours_is_written() {
    let f = Fixture::new();
    let plan = f.round_trip(&["ours hook pre-commit"]);
    assert_eq!(acts(&plan), [&Act::Create; 4]);
    assert!(!f.repo.path(".git/hooks").exists() && !f.repo.path(".git/aio").exists(), "no empty folder is left");
}

#[test]
fn a_shell_hook_gets_our_block() {
    let f = Fixture::new();
    f.hook(".git/hooks/pre-commit", &format!("#!/usr/bin/env bash\nset -eu\n{LOG}"));
    let plan = f.round_trip(&["ours hook pre-commit", "theirs pre-commit 0"]);
    assert_eq!(acts(&plan), [&Act::Chain, &Act::Create, &Act::Create, &Act::Create]);
}

#[test]
fn a_hook_in_another_language_runs_after_ours_under_its_own_name() {
    let f = Fixture::new();
    f.hook(".git/hooks/pre-commit", &format!("#!/usr/bin/env -S busybox_or_not\n{LOG}"));
    // A shell that we don't know as one.
    Node::hook("#!/bin/sh\nexec /bin/sh \"$@\"\n")
        .write(&f.repo.outside().join("bin/busybox_or_not"))
        .expect("a script");
    let plan = f.round_trip(&["ours hook pre-commit", "theirs pre-commit 0"]);
    let aside = f.repo.path(".git").canonicalize().expect("there").join("hooks.before-git-aio/pre-commit");
    assert_eq!(acts(&plan), [&Act::SetAside, &Act::Replace(aside), &Act::Create, &Act::Create, &Act::Create]);
}

#[cfg(unix)]
#[test]
fn a_linked_hook_is_run_and_never_written_through() {
    let f = Fixture::new();
    f.hook("tools/hook", &format!("#!/bin/sh\n{LOG}"));
    fs::create_dir_all(f.repo.path(".git/hooks")).expect("a folder");
    std::os::unix::fs::symlink("../../tools/hook", f.repo.path(".git/hooks/pre-commit")).expect("a link");
    let before = Node::read(&f.repo.path("tools/hook")).expect("read");
    f.round_trip(&["ours hook pre-commit", "theirs pre-commit 0"]);
    assert_eq!(Node::read(&f.repo.path("tools/hook")).expect("read"), before);
}

#[cfg(unix)]
#[test]
fn a_hook_that_is_switched_off_stays_so() {
    let f = Fixture::new();
    let off = Node::File { bytes: format!("#!/bin/sh\n{LOG}").into_bytes(), mode: 0o640 };
    off.write(&f.repo.path(".git/hooks/pre-commit")).expect("a file");
    let plan = f.round_trip(&["ours hook pre-commit"]);
    assert_eq!(acts(&plan), [&Act::Supersede, &Act::Create, &Act::Create, &Act::Create]);
}

#[test]
fn versioned_hooks_are_left_alone_and_dispatched_to() {
    let f = Fixture::new();
    f.hook(".githooks/pre-commit", &format!("#!/bin/sh\n{LOG}"));
    f.hook(".githooks/commit-msg", &format!("#!/bin/sh\n{LOG}"));
    f.site.git.config_set(HOOKS_PATH, ".githooks").expect("set");
    f.repo.commit("hooks");
    f.log();
    let plan = f.round_trip(&["ours hook pre-commit", "theirs pre-commit 0", "theirs commit-msg 1"]);
    assert!(acts(&plan).iter().all(|act| **act == Act::Dispatch));
    assert_eq!(plan.config[0].before, [".githooks"]);
}

#[test]
fn a_hook_that_joins_the_versioned_ones_later_runs() {
    let f = Fixture::new();
    f.hook(".githooks/pre-commit", &format!("#!/bin/sh\n{LOG}"));
    f.repo.commit("hooks");
    f.site.git.config_set(HOOKS_PATH, ".githooks").expect("set");
    f.init();
    f.hook(".githooks/post-commit", &format!("#!/bin/sh\n{LOG}"));
    assert_eq!(f.commit(), ["ours hook pre-commit", "theirs pre-commit 0", "theirs post-commit 0"]);
}

#[test]
fn hooks_outside_the_repository_are_dispatched_to() {
    let f = Fixture::new();
    let outside = f.repo.outside().join("it's mine");
    Node::hook(format!("#!/bin/sh\n{LOG}")).write(&outside.join("pre-commit")).expect("a hook");
    f.site.git.run(["config", "--global", HOOKS_PATH, outside.to_str().expect("text")]).expect("set");
    let plan = f.round_trip(&["ours hook pre-commit", "theirs pre-commit 0"]);
    assert!(plan.config[0].before.is_empty(), "the user's own setting stays");
}

#[test]
fn hooks_that_git_ignores_in_the_work_tree_are_chained() {
    let f = Fixture::new();
    f.repo.write(".husky/_/.gitignore", "*");
    f.hook(".husky/_/pre-commit", &format!("#!/usr/bin/env sh\n{LOG}"));
    f.site.git.config_set(HOOKS_PATH, ".husky/_").expect("set");
    let plan = f.round_trip(&["ours hook pre-commit", "theirs pre-commit 0"]);
    assert_eq!((acts(&plan), plan.config.len()), (vec![&Act::Chain, &Act::Create, &Act::Create, &Act::Create], 0));
}

#[test]
fn a_fence_that_others_took_down_is_seen_and_put_up_again() {
    let f = Fixture::new();
    f.init();
    // As lefthook does.
    fs::rename(f.repo.path(".git/hooks/pre-commit"), f.repo.path(".git/hooks/pre-commit.old")).expect("moved");
    let theirs = format!("#!/bin/sh\n{LOG}");
    f.hook(".git/hooks/pre-commit", &theirs);
    assert!(matches!(f.state(), FenceState::Missing { hook: "pre-commit", .. }));
    f.init();
    assert_eq!(f.state(), FenceState::Installed);
    assert_eq!(f.commit(), ["ours hook pre-commit", "theirs pre-commit 0"]);
    // As husky does.
    f.repo.write(".husky/_/.gitignore", "*");
    f.site.git.config_set(HOOKS_PATH, ".husky/_").expect("set");
    assert!(matches!(f.state(), FenceState::Missing { hook: "pre-commit", .. }));
    f.init();
    assert_eq!(f.commit(), ["ours hook pre-commit"]);
    undo(&f.site).expect("undone");
    assert_eq!(Node::read(&f.repo.path(".git/hooks/pre-commit")).expect("read"), Node::hook(theirs));
    assert_eq!(f.site.git.config_local(HOOKS_PATH).expect("read"), [".husky/_"]);
    assert!(!f.repo.path(".husky/_/pre-commit").exists());
}

#[test]
fn the_framework_that_keeps_legacy_hooks_runs_ours() {
    let f = Fixture::new();
    f.init();
    fs::rename(f.repo.path(".git/hooks/pre-commit"), f.repo.path(".git/hooks/pre-commit.legacy")).expect("moved");
    f.hook(".git/hooks/pre-commit", "#!/usr/bin/env bash\n# File generated by pre-commit: https://pre-commit.com\n");
    assert_eq!(f.state(), FenceState::Installed);
    assert!(plan(&f.site).expect("a plan").is_empty());
}

#[test]
fn an_undo_keeps_what_the_user_changed_since() {
    let f = Fixture::new();
    f.hook(".git/hooks/pre-commit", "#!/bin/sh\nold\n");
    f.site.git.config_set("log.initialDecorationSet", "all").expect("set");
    f.init();
    let path = f.repo.path(".git/hooks/pre-commit");
    let edited = fs::read_to_string(&path).expect("read").replace("old", LOG);
    f.hook(".git/hooks/pre-commit", &edited);
    f.site.git.config_set("user.name", "Grace").expect("set");
    let done = undo(&f.site).expect("undone");
    let removed = |undone: &Undone| matches!(undone, Undone::Removed(_));
    assert!(
        matches!(&done[..], [Undone::ConfigTakenOut(_), Undone::TakenOut(_), rest @ ..] if rest.iter().all(removed)),
        "{done:?}"
    );
    assert_eq!(fs::read_to_string(&path).expect("read"), format!("#!/bin/sh\n{LOG}\n"));
    assert_eq!(f.site.git.config_get("user.name").expect("read").as_deref(), Some("Grace"));
    assert_eq!(f.site.git.config_get_all("log.excludeDecoration").expect("read"), [""; 0]);
}

#[test]
fn a_hook_set_aside_is_never_lost() {
    let f = Fixture::new();
    f.hook(".git/hooks/pre-commit", "#!/usr/bin/perl\n");
    f.init();
    let aside = f.repo.path(".git/hooks.before-git-aio/pre-commit");
    fs::write(&aside, "#!/usr/bin/perl\nworked on\n").expect("written");
    undo(&f.site).expect("undone");
    assert_eq!(fs::read_to_string(f.repo.path(".git/hooks/pre-commit")).expect("read"), "#!/usr/bin/perl\nworked on\n");
    f.init();
    f.hook(".git/hooks/pre-commit", "#!/bin/sh\n");
    let done = undo(&f.site).expect("undone");
    assert!(matches!(&done[0], Undone::StaysAside(path) if path.ends_with("pre-commit")), "{done:?}");
    assert!(aside.exists());
}

#[test]
fn a_plan_that_is_out_of_date_is_refused() {
    let f = Fixture::new();
    let plan = plan(&f.site).expect("a plan");
    f.hook(".git/hooks/pre-commit", "#!/bin/sh\nmine\n");
    let before = f.snapshot();
    assert!(matches!(apply(&f.site, &plan), Err(HookError::Install(InstallError::Changed { .. }))));
    assert_eq!(f.snapshot(), before);
}

#[test]
fn an_init_that_was_cut_short_is_undone() {
    let f = Fixture::new();
    f.hook(".git/hooks/pre-commit", "#!/usr/bin/perl\n");
    let before = f.snapshot();
    f.init();
    // As if only the record and the copy had been written.
    f.hook(".git/hooks/pre-commit", "#!/usr/bin/perl\n");
    fs::remove_file(f.repo.path(".git/hooks/pre-merge-commit")).expect("removed");
    undo(&f.site).expect("undone");
    assert_eq!(f.snapshot(), before);
}

/// Writes down all that it is told.
const TOLD: &str = "while read -r local new remote old; do echo \"theirs $1 $local $remote\" >>\"$HOME/log\"; done\n";

/// A hook that goes on with standard input after ours has read it, chained in each of the ways there are.
#[test]
fn what_git_tells_a_hook_reaches_ours_and_theirs() {
    let told = |folder: &str, hook: String| {
        let f = Fixture::new();
        let hub = f.repo.outside().join("hub.git");
        f.repo.git.run(["init", "-q", "--bare", hub.to_str().expect("text")]).expect("a hub");
        f.repo.git.run(["remote", "add", "hub", hub.to_str().expect("text")]).expect("a remote");
        let fake = "#!/bin/sh\nwhile read -r local new remote old; do echo \"ours $3 $remote\" >>\"$HOME/log\"; done\n";
        Node::hook(fake).write(&f.repo.outside().join("bin/git-aio")).expect("a script");
        f.hook(&format!("{folder}/pre-push"), &hook);
        if folder != ".git/hooks" {
            f.site.git.config_set(HOOKS_PATH, folder).expect("set");
            f.repo.git.run(["add", folder]).expect("versioned");
        }
        f.init();
        f.repo.git.run(["push", "-q", "--no-thin", "hub", "main", "main:two"]).expect("pushed");
        let log = f.log();
        // With nothing to push, git tells nothing.
        f.repo.git.run(["push", "-q", "hub", "main"]).expect("pushed");
        assert!(f.log().iter().all(|line| !line.starts_with("theirs")), "theirs is not told of a ref without a name");
        log
    };
    let hook = |shell: &str| format!("#!{shell}\n{TOLD}");
    let expected = [
        "ours hub refs/heads/main",
        "ours hub refs/heads/two",
        "theirs hub refs/heads/main refs/heads/main",
        "theirs hub refs/heads/main refs/heads/two",
    ];
    assert_eq!(told(".git/hooks", hook("/bin/sh")), expected);
    assert_eq!(told(".git/hooks", hook("/usr/bin/env -S bash -eu")), expected);
    assert_eq!(told(".git/hooks", hook("/usr/bin/env -S env sh")), expected, "one that is set aside");
    assert_eq!(told("versioned", hook("/bin/sh")), expected, "one that is dispatched to");
}

#[test]
fn our_refs_are_hidden_only_where_they_would_show() {
    let f = Fixture::new();
    f.repo.git.run(["update-ref", "refs/aio/state", "HEAD"]).expect("a ref");
    f.repo.git.run(["update-ref", "refs/aio-sync/origin/x", "HEAD"]).expect("a ref");
    let shows = || {
        let log = f.repo.git.run(["log", "-1", "--decorate=full", "--no-color"]).expect("a log");
        String::from_utf8_lossy(&log).contains("refs/aio")
    };
    f.init();
    assert!(!shows());
    f.site.git.config_set("log.initialDecorationSet", "all").expect("set");
    assert!(shows() && !plan(&f.site).expect("a plan").is_empty());
    f.init();
    assert!(!shows() && plan(&f.site).expect("a plan").is_empty());
}

#[test]
fn one_init_serves_every_linked_work_tree() {
    for configured in [None, Some(".githooks")] {
        let f = Fixture::new();
        if let Some(dir) = configured {
            f.hook(&format!("{dir}/pre-commit"), &format!("#!/bin/sh\n{LOG}"));
            f.repo.commit("hooks");
            f.site.git.config_set(HOOKS_PATH, dir).expect("set");
        }
        f.init();
        f.log();
        let other = f.repo.outside().join("other");
        f.repo.git.run(["worktree", "add", "-q", other.to_str().expect("text")]).expect("a work tree");
        let git = f.repo.git.clone().in_dir(&other);
        git.run(["commit", "-q", "--allow-empty", "-m", "x"]).expect("a commit");
        let theirs = configured.map(|_| "theirs pre-commit 0");
        assert_eq!(f.log(), ["ours hook pre-commit"].into_iter().chain(theirs).collect::<Vec<_>>());
        let site = Site { git, ..f.site.clone() };
        assert!(plan(&site).expect("a plan").is_empty());
        assert!(!undo(&site).expect("undone").is_empty(), "any of them can take it back");
        assert_eq!(f.state(), FenceState::NotInited);
    }
}
