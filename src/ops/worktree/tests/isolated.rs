//! Work in a work tree of its own, and each rule of it.

#[cfg(unix)]
use super::furnish;
use super::{Capture, LeftAlone, PutBack, Session, all, of_each_kind, path, paths, told};
use crate::{
    host::{git::Git, scratch::Scratch, worktree::Owner},
    ops::{
        Error,
        worktree::{Cleared, Isolated, Landed, Removed},
    },
};
use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

/// A session in `dir` whose cache is a folder of the test.
fn session(repo: &Scratch, dir: &Path) -> Session {
    let mut session = super::session(dir);
    session.env.cache_home = Some(repo.outside().join("cache"));
    session
}

fn isolate(session: &Session) -> (Capture, Isolated) {
    let main = session.capture().expect("captured");
    let isolated = session.isolate("run-1", &main).expect("made");
    (main, isolated)
}

/// What is in the cache, but for folders above work trees.
fn trees(repo: &Scratch) -> Vec<PathBuf> {
    let above = repo.outside().join("cache/git-aio/worktrees");
    let folders = fs::read_dir(above).into_iter().flatten().flatten();
    folders.flat_map(|folder| fs::read_dir(folder.path()).expect("a folder").flatten()).map(|e| e.path()).collect()
}

fn git_in(repo: &Scratch, isolated: &Isolated) -> Git {
    repo.git.clone().in_dir(isolated.dir())
}

fn done(taken: Landed) -> PutBack {
    match taken {
        Landed::Done(done) => done,
        Landed::Conflict { left, stays } => panic!("{left:?}, {stays:?}"),
    }
}

#[cfg(unix)]
#[test]
fn it_begins_with_what_is_there_and_what_comes_of_it_is_taken_back() {
    of_each_kind(|repo, dir, kind| {
        let git = repo.git.clone().in_dir(dir);
        furnish(&git);
        let session = session(repo, dir);
        let refs = git.run(["for-each-ref"]).expect("listed");
        let config = fs::read(session.repository.common_dir().join("config")).expect("there");
        let (main, isolated) = isolate(&session);
        let there = |name: &str| fs::read_to_string(isolated.dir().join(name)).expect("there");
        assert_eq!(there("src/deep/both"), "staged and changed\n", "{kind}: what is not committed");
        assert_eq!(there("untracked private"), "private\n", "{kind}: what git doesn't know");
        assert!(!isolated.dir().join("gone").exists() && !isolated.dir().join("build.log").exists(), "{kind}");
        assert_eq!(isolated.base().tree(), main.tree(), "{kind}");

        fs::write(isolated.dir().join("src/staged"), "by the agent\r\nmixed\n").expect("written");
        fs::write(isolated.dir().join("src/new one"), "new\n").expect("written");
        fs::remove_file(isolated.dir().join("clean")).expect("removed");
        super::set_mode(&isolated.dir().join("src/new one"), 0o755);
        git_in(repo, &isolated).run(["add", "src/new one"]).expect("add");
        git_in(repo, &isolated).run(["commit", "-q", "-m", "by the agent"]).expect("commit");
        let work = session.capture_isolated(&isolated).expect("captured");
        let changes = session.changed_between(isolated.base(), &work).expect("compared");
        assert_eq!(told(&changes), ["deleted clean", "added src/new one", "modified src/staged"], "{kind}");
        let mut was = all(dir);
        let done = done(session.land(isolated.main(), &work, &paths(&changes), false).expect("taken"));
        assert_eq!((done.written.len(), done.removed.len(), done.left.len()), (2, 1, 0), "{kind}");
        was.remove(Path::new("clean"));
        was.insert("src/new one".into(), format!("{} {:?}", 0o755, b"new\n"));
        was.insert("src/staged".into(), format!("{} {:?}", 0o644, b"by the agent\r\nmixed\n"));
        assert_eq!(all(dir), was, "{kind}");

        let removed = session.remove_isolated(isolated, &work).expect("removed");
        assert_eq!(removed, Removed::Gone { ignored: Vec::new() }, "{kind}");
        assert_eq!(trees(repo), [""; 0].map(PathBuf::from), "{kind}");
        assert_eq!(git.run(["for-each-ref"]).expect("listed"), refs, "{kind}: no ref is made");
        let after = fs::read(session.repository.common_dir().join("config")).expect("there");
        assert_eq!(after, config, "{kind}: no configuration is written");
    });
}

#[test]
fn where_the_main_tree_has_changed_meanwhile_nothing_is_taken_back() {
    let repo = Scratch::new();
    for name in ["one", "two", "three"] {
        repo.write(name, "as it was\n");
    }
    repo.commit("begin");
    let session = session(&repo, repo.git.dir());
    let (main, isolated) = isolate(&session);
    for name in ["one", "two", "new"] {
        fs::write(isolated.dir().join(name), "by the agent\n").expect("written");
    }
    repo.write("two", "by somebody else\n");
    repo.write("three", "by somebody else\n");
    let work = session.capture_isolated(&isolated).expect("captured");
    let meant = [path("new"), path("one"), path("two")];
    let taken = session.land(&main, &work, &meant, false).expect("tried");
    let left = vec![(path("two"), LeftAlone::ChangedSince)];
    assert_eq!(taken, Landed::Conflict { left, stays: Vec::new() });
    assert_eq!(fs::read_to_string(repo.path("one")).expect("there"), "as it was\n");
    assert!(!repo.path("new").exists());
    // What others do elsewhere is no conflict, and committing what is there is none either.
    repo.write("two", "as it was\n");
    repo.git.run(["commit", "-q", "-a", "-m", "three"]).expect("commit");
    let taken = done(session.land(&main, &work, &meant, false).expect("tried"));
    assert_eq!(taken.written, meant);
    // Who reaches the main tree from there is seen: it is compared as well.
    let after = session.capture_after(&main).expect("captured");
    let changes = session.changed_between(&main, &after).expect("compared");
    assert_eq!(told(&changes), ["added new", "modified one", "modified three", "modified two"]);
    session.remove_isolated(isolated, &work).expect("removed");
}

#[test]
fn what_had_landed_and_can_not_go_again_is_told_beside_what_can_not_land() {
    let repo = Scratch::new();
    repo.write(".gitignore", "*.log\n");
    for name in ["one", "two", "three"] {
        repo.write(name, "as it was\n");
    }
    repo.commit("begin");
    let session = session(&repo, repo.git.dir());
    let (main, isolated) = isolate(&session);
    fs::remove_file(isolated.dir().join("one")).expect("removed");
    for name in ["two", "three"] {
        fs::write(isolated.dir().join(name), "by the agent\n").expect("written");
    }
    let work = session.capture_isolated(&isolated).expect("captured");
    // One has landed before, and a folder is there by now; another has landed, and was committed.
    fs::remove_file(repo.path("one")).expect("removed");
    repo.write("one/out.log", "");
    repo.write("two", "by somebody else\n");
    repo.write("three", "by the agent\n");
    repo.git.run(["commit", "-q", "-m", "three", "three"]).expect("commit");
    let taken = session.land(&main, &work, &["one", "two", "three"].map(path), true).expect("tried");
    let (left, stays) = (vec![(path("two"), LeftAlone::ChangedSince)], vec![(path("one"), LeftAlone::InTheWay)]);
    assert_eq!(taken, Landed::Conflict { left, stays });
    assert_eq!(fs::read_to_string(repo.path("three")).expect("there"), "by the agent\n");
    session.remove_isolated(isolated, &work).expect("removed");
}

#[test]
fn each_is_a_new_one_detached_locked_outside_and_known_by_its_run() {
    let repo = Scratch::new();
    repo.write("file", "\n");
    repo.commit("begin");
    // No hook runs.
    repo.write(".git/hooks/post-checkout", "#!/bin/sh\ntouch hooked\n");
    #[cfg(unix)]
    super::set_mode(&repo.path(".git/hooks/post-checkout"), 0o755);
    let session = session(&repo, repo.git.dir());
    let (main, first) = isolate(&session);
    assert!(!first.dir().join("hooked").exists() && !repo.path("hooked").exists());
    let second = session.isolate("run-1", &main).expect("made");
    assert_ne!(first.dir(), second.dir());
    assert!(!first.dir().starts_with(repo.git.dir().canonicalize().expect("there")));
    assert_eq!(git_in(&repo, &first).status().expect("a status").branch, None);
    let list = String::from_utf8(repo.git.run(["worktree", "list", "--porcelain"]).expect("listed")).expect("text");
    assert_eq!(list.matches("locked ").count(), 2, "{list}");
    assert!(list.contains("git-aio run") && list.contains("run-1"), "{list}");
    // Whoever made them lives: nobody clears them.
    assert_eq!(session.clear_isolated(|_| true, &mut |_, _| Ok(())).expect("asked"), []);
    for isolated in [first, second] {
        let work = session.capture_isolated(&isolated).expect("captured");
        assert!(matches!(session.remove_isolated(isolated, &work), Ok(Removed::Gone { .. })));
    }
    assert_eq!(trees(&repo).len(), 0);
}

#[test]
fn several_are_made_at_once() {
    let repo = Scratch::new();
    repo.write("file", "\n");
    repo.commit("begin");
    repo.write("file", "not committed\n");
    let made = std::thread::scope(|scope| {
        let make = || {
            let session = session(&repo, repo.git.dir());
            let (main, isolated) = isolate(&session);
            let work = session.capture_isolated(&isolated).expect("captured");
            assert_eq!(work.tree(), main.tree());
            let dir = isolated.dir().to_owned();
            let removed = session.remove_isolated(isolated, &work).expect("removed");
            assert_eq!(removed, Removed::Gone { ignored: Vec::new() });
            dir
        };
        let started: Vec<_> = (0..6).map(|_| scope.spawn(make)).collect();
        started.into_iter().map(|thread| thread.join().expect("made")).collect::<BTreeSet<_>>()
    });
    assert_eq!(made.len(), 6);
    assert_eq!(trees(&repo).len(), 0);
}

#[test]
fn what_the_list_says_is_taken_along_and_what_else_is_ignored_is_told_at_the_end() {
    let repo = Scratch::new();
    repo.write(".gitignore", ".env*\n*.log\ncache/\n");
    repo.write(".worktreeinclude", "# what work needs\n.env\nconf/*.log\n!conf/not.log\n");
    repo.commit("begin");
    for name in [".env", ".env.other", "conf/one.log", "conf/not.log", "cache/x"] {
        repo.write(name, "ignored\n");
    }
    let session = session(&repo, repo.git.dir());
    let (_, isolated) = isolate(&session);
    let has = |name: &str| isolated.dir().join(name).exists();
    assert!(has(".env") && has("conf/one.log"));
    assert!(!has(".env.other") && !has("conf/not.log") && !has("cache"));
    fs::create_dir(isolated.dir().join("cache")).expect("a folder");
    fs::write(isolated.dir().join("cache/y"), "made\n").expect("written");
    fs::write(isolated.dir().join("made.log"), "made\n").expect("written");
    let work = session.capture_isolated(&isolated).expect("captured");
    let removed = session.remove_isolated(isolated, &work).expect("removed");
    assert_eq!(removed, Removed::Gone { ignored: vec![path("cache"), path("made.log")] });
}

#[test]
fn what_would_be_lost_stays_and_where_it_is_is_told() {
    let repo = Scratch::new();
    repo.write("file", "\n");
    repo.commit("begin");
    let session = session(&repo, repo.git.dir());
    let left = |removed: Removed| match removed {
        Removed::Left { dir, why } => (dir, why),
        Removed::Gone { .. } => panic!("it is gone"),
    };
    // Somebody goes on writing.
    let (_, isolated) = isolate(&session);
    let (dir, work) = (isolated.dir().to_owned(), session.capture_isolated(&isolated).expect("captured"));
    fs::write(dir.join("late"), "late\n").expect("written");
    let (told, why) = left(session.remove_isolated(isolated, &work).expect("asked"));
    assert!(told == dir && dir.join("late").exists() && why.contains("late"), "{why}");
    // A repository that was made in it.
    let (_, isolated) = isolate(&session);
    fs::create_dir(isolated.dir().join("nested")).expect("a folder");
    git_in(&repo, &isolated).in_dir(isolated.dir().join("nested")).run(["init", "-q"]).expect("init");
    let (dir, work) = (isolated.dir().to_owned(), session.capture_isolated(&isolated).expect("captured"));
    let (told, why) = left(session.remove_isolated(isolated, &work).expect("asked"));
    assert!(told == dir && dir.join("nested/.git").exists() && why.contains("nested"), "{why}");
    // What git doesn't know any more.
    let (_, isolated) = isolate(&session);
    let (dir, work) = (isolated.dir().to_owned(), session.capture_isolated(&isolated).expect("captured"));
    fs::remove_file(dir.join(".git")).expect("removed");
    let (told, _) = left(session.remove_isolated(isolated, &work).expect("asked"));
    assert!(told == dir && dir.join("file").exists());
}

#[test]
fn what_a_dead_process_has_left_is_captured_and_cleared() {
    let repo = Scratch::new();
    repo.write("file", "\n");
    repo.write(".gitignore", "*.log\n");
    repo.commit("begin");
    let session = session(&repo, repo.git.dir());
    let (_, isolated) = isolate(&session);
    fs::write(isolated.dir().join("work"), "of the dead\n").expect("written");
    fs::write(isolated.dir().join("made.log"), "made\n").expect("written");
    let lock_as = |isolated: &Isolated, owner: &Owner| {
        let dir = isolated.dir().to_str().expect("text");
        repo.git.run(["worktree", "unlock", dir]).expect("unlocked");
        repo.git.run(["worktree", "lock", "--reason", &owner.reason(), dir]).expect("locked");
    };
    let base = git_in(&repo, &isolated).head().expect("asked").expect("a commit");
    let (mut elsewhere, mut dead) = (Owner::of("run-1", base.clone()), Owner::of("run-1", base));
    if let (Some(elsewhere), Some(dead)) = (&mut elsewhere.process, &mut dead.process) {
        elsewhere.boot = "another".into();
        dead.start = "long ago".into();
    }
    lock_as(&isolated, &elsewhere);
    assert_eq!(session.clear_isolated(|_| false, &mut |_, _| Ok(())).expect("asked"), []);
    // What can't be kept stays.
    let refused = session.clear_isolated(|run| run == "run-1", &mut |_, _| Err(Error::Failed("full".into())));
    assert!(matches!(&refused.expect("asked")[..], [Cleared { removed: Removed::Left { .. }, .. }]));
    lock_as(&isolated, &dead);
    // One whose folder is gone as well.
    let (_, gone) = isolate(&session);
    lock_as(&gone, &dead);
    fs::remove_dir_all(gone.dir()).expect("removed");
    let mut kept = Vec::new();
    let mut keep = |run: &str, work: &Capture| {
        kept.push((run.to_owned(), work.clone()));
        Ok(())
    };
    let cleared = session.clear_isolated(|run| run == "run-1", &mut keep).expect("asked");
    assert_eq!((cleared.len(), kept.len(), &kept[0].0[..]), (2, 1, "run-1"));
    let (with_work, without): (Vec<_>, Vec<_>) = cleared.into_iter().partition(|cleared| cleared.work.is_some());
    assert_eq!(with_work[0].removed, Removed::Gone { ignored: vec![path("made.log")] });
    assert_eq!((without[0].removed.clone(), &*without[0].run), (Removed::Gone { ignored: Vec::new() }, "run-1"));
    let work = with_work[0].work.as_ref().expect("captured");
    assert_eq!(work, &kept[0].1);
    let text = repo.git.run(["cat-file", "blob", &format!("{}:work", work.tree())]).expect("kept");
    assert_eq!(text, b"of the dead\n");
    let list = repo.git.run(["worktree", "list", "--porcelain"]).expect("listed");
    assert_eq!(String::from_utf8_lossy(&list).matches("worktree ").count(), 1);
    assert_eq!(trees(&repo).len(), 0);
}

#[test]
fn before_the_first_commit_it_can_be_done_too() {
    let repo = Scratch::new();
    repo.write("file", "one\n");
    let session = session(&repo, repo.git.dir());
    let (_, isolated) = isolate(&session);
    fs::write(isolated.dir().join("file"), "two\n").expect("written");
    let work = session.capture_isolated(&isolated).expect("captured");
    let taken = done(session.land(isolated.main(), &work, &[path("file")], false).expect("taken"));
    assert_eq!(taken.written, [path("file")]);
    assert_eq!(fs::read_to_string(repo.path("file")).expect("there"), "two\n");
    assert!(matches!(session.remove_isolated(isolated, &work), Ok(Removed::Gone { .. })));
}
