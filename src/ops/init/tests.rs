use super::{Content, Session, Wishes};
use crate::{
    host::{hooks, scratch::Scratch},
    ops::Notice,
};
use std::{fs, path::Path};

fn session(dir: &Path) -> Session {
    Session::open_other(dir, None).expect("a session")
}

/// Every file of the git directory with its bytes.
fn everything(dir: &Path) -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    let mut open = vec![dir.to_owned()];
    while let Some(dir) = open.pop() {
        for entry in fs::read_dir(dir).expect("a folder") {
            let path = entry.expect("an entry").path();
            match path.is_dir() {
                true => open.push(path),
                false => found.push((path.display().to_string(), fs::read(path).expect("a file"))),
            }
        }
    }
    found.sort();
    found
}

fn notices(session: &Session) -> Vec<String> {
    let told = session.take_notices().into_iter().map(|notice| match notice {
        Notice::FenceHealed(reason) => format!("healed: {reason}"),
        Notice::FenceMissing(reason) => format!("missing: {reason}"),
        other => format!("{other:?}"),
    });
    told.collect()
}

fn init(dir: &Path) {
    session(dir).init(&Wishes::default()).expect("done");
}

#[test]
fn a_plan_tells_everything_and_changes_nothing() {
    let repo = Scratch::new();
    let before = everything(&repo.path(".git"));
    let plan = session(repo.git.dir()).plan_init(&Wishes::default()).expect("a plan");
    assert_eq!(
        plan.words(),
        [
            "write .git/hooks/pre-commit",
            "write .git/hooks/pre-merge-commit",
            "write .git/hooks/pre-push",
            "write .git/hooks/post-commit",
            "make the store in refs/aio/state"
        ]
    );
    assert_eq!(plan.files[0].before, Content::Absent);
    assert!(matches!(&plan.files[0].after, Content::File { mode: 0o755, .. }));
    assert_eq!(everything(&repo.path(".git")), before);
}

#[test]
fn a_second_init_has_nothing_to_do_and_an_undo_leaves_the_store() {
    let repo = Scratch::new();
    let session = session(repo.git.dir());
    let hooks = everything(&repo.path(".git/hooks"));
    init(repo.git.dir());
    assert_eq!(notices(&session), [""; 0]);
    assert!(session.plan_init(&Wishes::default()).expect("a plan").is_empty());
    assert_eq!(session.undo_init().expect("undone").len(), 4);
    assert_eq!(everything(&repo.path(".git/hooks")), hooks);
    assert!(session.snapshot().expect("read").exists());
    assert_eq!(session.undo_init().expect("undone"), [""; 0]);
}

#[test]
fn a_hook_of_the_users_is_chained_and_settings_are_told() {
    let repo = Scratch::new();
    repo.write(".git/hooks/pre-commit", "#!/bin/sh\nexit 0\n");
    #[cfg(unix)]
    fs::set_permissions(repo.path(".git/hooks/pre-commit"), std::os::unix::fs::PermissionsExt::from_mode(0o755))
        .expect("executable");
    let plan = session(repo.git.dir()).plan_init(&Wishes::default()).expect("a plan");
    assert_eq!(plan.words()[0], "put our part into .git/hooks/pre-commit");
    let Content::File { bytes, .. } = &plan.files[0].after else { panic!("a file") };
    assert!(String::from_utf8_lossy(bytes).ends_with("exit 0\n"));

    repo.git.config_set("core.hooksPath", "versioned").expect("set");
    repo.write("versioned/pre-commit", "#!/bin/sh\n");
    repo.git.run(["add", "versioned"]).expect("added");
    let plan = session(repo.git.dir()).plan_init(&Wishes::default()).expect("a plan");
    assert_eq!(plan.settings[0].key, "core.hooksPath");
    assert_eq!(plan.settings[0].before, ["versioned"]);
    assert_eq!(plan.settings[0].file, Path::new(".git/config"));
}

#[test]
fn a_folder_and_a_linked_worktree_belong_to_the_same_fence() {
    let repo = Scratch::new();
    repo.write("deep/er/file", "1");
    repo.commit("first");
    let linked = repo.outside().join("linked");
    repo.git.run(["worktree", "add", "-q", linked.to_str().expect("text")]).expect("a worktree");
    init(&linked);
    for dir in [&linked, &repo.path("deep/er"), &repo.path("")] {
        assert!(session(dir).plan_init(&Wishes::default()).expect("a plan").is_empty(), "{}", dir.display());
    }
    assert!(repo.path(".git/hooks/pre-commit").exists());
    session(&repo.path("deep/er")).undo_init().expect("undone");
    assert!(!repo.path(".git/hooks/pre-commit").exists());
}

#[test]
fn a_bare_repository_gets_a_store_and_no_fence() {
    let repo = Scratch::new();
    let bare = repo.outside().join("bare.git");
    repo.git.run(["init", "-q", "--bare", bare.to_str().expect("text")]).expect("made");
    let session = session(&bare);
    let plan = session.init(&Wishes::default()).expect("done");
    assert!(plan.bare);
    assert_eq!(plan.words(), ["make the store in refs/aio/state"]);
    assert!(session.snapshot().expect("read").exists());
    assert!(!bare.join("hooks/pre-commit").exists());
    session.heal_fence();
    assert_eq!(notices(&session), [""; 0]);
    assert!(session.doctor().iter().any(|check| check.name == "fence" && check.is_ok()));
}

#[test]
fn a_fence_that_another_tool_removed_is_put_back_and_that_is_told() {
    let repo = Scratch::new();
    let session = session(repo.git.dir());
    session.heal_fence();
    assert_eq!(notices(&session), [""; 0], "there was never a fence");
    init(repo.git.dir());
    session.heal_fence();
    assert_eq!(notices(&session), [""; 0]);

    fs::remove_file(repo.path(".git/hooks/pre-commit")).expect("removed");
    session.heal_fence();
    assert_eq!(notices(&session), ["healed: pre-commit: there is no such hook where git looks for it"]);
    assert!(repo.path(".git/hooks/pre-commit").exists());

    repo.git.config_set("core.hooksPath", "elsewhere").expect("set");
    let session = self::session(repo.git.dir());
    session.heal_fence();
    assert_eq!(notices(&session), ["healed: pre-commit: there is no such hook where git looks for it"]);
    let site = session.site().expect("a work tree");
    let hooks_path = site.git.config_path(hooks::HOOKS_PATH).expect("read");
    assert_eq!(hooks::fence_state(&site, hooks_path.as_deref()), hooks::FenceState::Installed);
}

#[test]
fn a_fence_that_can_not_be_put_back_is_missed_aloud() {
    let repo = Scratch::new();
    init(repo.git.dir());
    fs::remove_file(repo.path(".git/hooks/pre-commit")).expect("removed");
    fs::create_dir(repo.path(".git/hooks/pre-commit")).expect("in the way");
    let session = session(repo.git.dir());
    session.heal_fence();
    let [told] = &notices(&session)[..] else { panic!("one notice") };
    assert!(told.starts_with("missing: pre-commit: the hook can't be read; it can't be put back: "), "{told}");
}
