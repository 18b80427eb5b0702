//! Hooks where something else stands, or in more places than one.

use super::*;

#[cfg(unix)]
#[test]
fn a_pipe_in_the_place_of_a_hook_is_told_and_not_waited_for() {
    let f = Fixture::new();
    let path = f.repo.path(".git/hooks/pre-commit");
    fs::create_dir_all(path.parent().expect("a folder")).expect("made");
    let _ = fs::remove_file(&path);
    rustix::fs::mkfifoat(rustix::fs::CWD, &path, rustix::fs::Mode::RWXU).expect("a pipe");
    let error = plan(&f.site).expect_err("no hook");
    assert!(
        matches!(&error, HookError::Install(InstallError::Io { path: told, source }) if *told == path && source.to_string() == "it is no plain file"),
        "{error:?}"
    );
    fs::create_dir_all(f.site.place().own).expect("made");
    rustix::fs::mkfifoat(rustix::fs::CWD, Manifest::path(&f.site.place()), rustix::fs::Mode::RWXU).expect("a pipe");
    assert!(matches!(fence_state(&f.site, None), FenceState::Missing { .. }));
}

#[test]
fn a_hook_is_set_aside_over_no_other() {
    let f = Fixture::new();
    f.hook(".git/hooks/pre-commit", "#!/usr/bin/perl\n");
    f.hook(".git/hooks.before-git-aio/pre-commit", "#!/usr/bin/perl\nanother\n");
    let before = f.snapshot();
    match plan(&f.site) {
        Err(HookError::AlreadyAside { hook, aside }) => {
            assert!(hook.ends_with(".git/hooks/pre-commit"), "{hook:?}");
            assert!(aside.ends_with(".git/hooks.before-git-aio/pre-commit"), "{aside:?}");
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(f.snapshot(), before);
    // The same bytes may stand there: a plan that was cut short had put them.
    f.hook(".git/hooks.before-git-aio/pre-commit", "#!/usr/bin/perl\n");
    f.init();
    assert_eq!(f.state(), FenceState::Installed);
}

#[cfg(unix)]
#[test]
fn what_a_stand_in_superseded_is_kept_when_the_stand_in_stays() {
    let f = Fixture::new();
    let off = Node::File { bytes: b"#!/bin/sh\nswitched off\n".to_vec(), mode: 0o640 };
    let path = f.repo.path(".git/hooks/pre-commit");
    off.write(&path).expect("a file");
    f.init();
    let ours = fs::read_to_string(&path).expect("read");
    fs::write(&path, format!("{ours}echo mine\n")).expect("written");
    let done = undo(&f.site).expect("undone");
    let Some(Undone::BackupKept(backup)) = done.last() else { panic!("{done:?}") };
    let kept: Vec<_> = fs::read_dir(backup).expect("a folder").map(|kept| kept.expect("an entry").path()).collect();
    assert!(kept.iter().any(|kept| fs::read(kept).expect("read") == b"#!/bin/sh\nswitched off\n"), "{kept:?}");
    assert!(fs::read_to_string(&path).expect("read").ends_with("echo mine\n"), "what the user wrote stays");
    assert_eq!(f.state(), FenceState::NotInited);
    assert!(undo(&f.site).expect("nothing to undo").is_empty() && backup.exists());
}

/// A link in a ring is unreadable for everybody, and so is what stands below a file; permissions stop no root.
#[cfg(unix)]
#[test]
fn hooks_in_a_folder_that_can_not_be_read_are_dispatched_to() {
    for unreadable in ["ring", "ring/hooks", "file"] {
        let f = Fixture::new();
        std::os::unix::fs::symlink("ring", f.repo.path("ring")).expect("a link");
        f.site.git.config_set(HOOKS_PATH, unreadable).expect("set");
        f.round_trip(&["ours hook pre-commit"]);
        f.init();
        f.site.git.config_set(HOOKS_PATH, unreadable).expect("set by another tool");
        assert!(matches!(f.state(), FenceState::Missing { hook: "pre-commit", .. }), "{unreadable}");
        f.init();
        assert_eq!(f.state(), FenceState::Installed, "{unreadable}");
        assert_eq!(f.commit(), ["ours hook pre-commit"], "{unreadable}");
    }
}

#[test]
fn every_work_tree_with_hooks_of_its_own_is_fenced_or_named() {
    for ignored_everywhere in [true, false] {
        let f = Fixture::new();
        f.repo.write(if ignored_everywhere { ".gitignore" } else { ".husky/_/.gitignore" }, "_\n*\n");
        f.hook(".husky/_/pre-commit", &format!("#!/usr/bin/env sh\n{LOG}"));
        f.site.git.run(["add", "-f", ".gitignore"]).ok();
        f.site.git.run(["commit", "-q", "--allow-empty", "-m", "x"]).expect("a commit");
        f.site.git.config_set(HOOKS_PATH, ".husky/_").expect("set");
        let other = f.repo.outside().join("other");
        f.repo.git.run(["worktree", "add", "-q", other.to_str().expect("text")]).expect("a work tree");
        let site = Site { git: f.repo.git.clone().in_work_tree(&other), ..f.site.clone() };
        let before = f.snapshot();
        f.init();
        let unfenced = || unfenced(&f.site).expect("looked").into_iter().map(|(tree, _)| tree).collect::<Vec<_>>();
        assert_eq!(unfenced(), if ignored_everywhere { vec![] } else { vec![other.clone()] });
        put_up(&site).expect("put up");
        assert_eq!(unfenced(), [""; 0].map(PathBuf::from));
        f.log();
        site.git.run(["commit", "-q", "--allow-empty", "-m", "x"]).expect("a commit");
        assert_eq!(f.log(), ["ours hook pre-commit"]);
        assert!(plan(&f.site).expect("a plan").is_empty());
        undo(&f.site).expect("undone");
        assert_eq!(f.snapshot(), before);
        assert!(!other.join(".husky/_/pre-commit").exists());
    }
}
