//! What an agent does to a work tree, seen and undone.

mod isolated;
mod odd;

use super::*;
use crate::{base::path::RepoPath, host::scratch::Scratch};
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

fn session(dir: &Path) -> Session {
    Session::open_other(dir, None).expect("a session")
}

fn path(text: &str) -> RepoPath {
    RepoPath::from_bytes(text.as_bytes()).expect("a path")
}

/// All that is in a folder but git's own: links as what they lead to, files with whether they can be run, and folders.
fn all(dir: &Path) -> BTreeMap<PathBuf, String> {
    let mut found = BTreeMap::new();
    let mut open = vec![dir.to_owned()];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path()) {
            let meta = entry.symlink_metadata().expect("there");
            let is = match () {
                () if entry.file_name().is_some_and(|name| name == ".git") => continue,
                () if meta.is_symlink() => format!("link {:?}", fs::read_link(&entry).expect("a link")),
                () if meta.is_dir() => {
                    open.push(entry.clone());
                    "folder".into()
                }
                () => format!("{} {:?}", mode(&meta), fs::read(&entry).expect("readable")),
            };
            found.insert(entry.strip_prefix(dir).expect("below").to_owned(), is);
        }
    }
    found
}

#[cfg(unix)]
fn mode(meta: &fs::Metadata) -> u32 {
    std::os::unix::fs::PermissionsExt::mode(&meta.permissions()) & 0o777
}

#[cfg(not(unix))]
fn mode(_: &fs::Metadata) -> u32 {
    0
}

#[cfg(unix)]
fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(mode)).expect("set");
}

#[cfg(unix)]
fn link(to: &str, at: &Path) {
    std::os::unix::fs::symlink(to, at).expect("a link");
}

/// Changes as words.
fn told(changes: &[Change]) -> Vec<String> {
    changes.iter().map(|change| format!("{} {}", change.kind.as_str(), change.path)).collect()
}

fn paths(changes: &[Change]) -> Vec<RepoPath> {
    changes.iter().map(|change| change.path.clone()).collect()
}

/// A repository of each kind, with a session in a work tree of it.
fn of_each_kind(run: impl Fn(&Scratch, &Path, &str)) {
    let plain = Scratch::new();
    run(&plain, plain.git.dir(), "plain");
    let sha256 = Scratch::new();
    fs::remove_dir_all(sha256.path(".git")).expect("removed");
    sha256.git.run(["init", "-q", "-b", "main", "--object-format=sha256"]).expect("init");
    run(&sha256, sha256.git.dir(), "sha256");
    if let Some(reftable) = Scratch::with_reftable() {
        run(&reftable, reftable.git.dir(), "reftable");
    }
    let linked = Scratch::new();
    linked.write("elsewhere", "");
    linked.commit("begin");
    let dir = linked.outside().join("linked tree");
    let name = dir.to_str().expect("text");
    linked.git.run(["worktree", "add", "-q", "--detach", name]).expect("added");
    run(&linked, &dir, "linked");
}

#[cfg(unix)]
fn odd_name() -> PathBuf {
    PathBuf::from(<std::ffi::OsStr as std::os::unix::ffi::OsStrExt>::from_bytes(b"odd \xff\n\"name\\"))
}

/// A work tree with something of everything in it, not all of it committed.
#[cfg(unix)]
fn furnish(git: &crate::host::git::Git) {
    let at = |name: &str| git.dir().join(name);
    fs::create_dir_all(at("src/deep")).expect("folders");
    fs::write(at(".gitattributes"), "*.crlf text eol=crlf\n*.id ident\n").expect("written");
    fs::write(at(".gitignore"), "*.log\n").expect("written");
    for name in ["clean", "dirty", "gone", "src/staged", "src/deep/both", "src/deep/run", "becomes folder", "text.crlf"]
    {
        fs::write(at(name), format!("{name}\nas committed\n")).expect("written");
    }
    fs::create_dir(at("becomes file")).expect("a folder");
    fs::write(at("becomes file/within"), "within\n").expect("written");
    fs::write(at("key.id"), "$Id$\n").expect("written");
    fs::write(git.dir().join(odd_name()), "odd\n").expect("written");
    set_mode(&at("src/deep/run"), 0o755);
    link("clean", &at("link"));
    link("src", &at("link to folder"));
    git.run(["add", "-A"]).expect("add");
    git.run(["commit", "-q", "-m", "begin"]).expect("commit");
    git.run(["rm", "-q", "-f", "--cached", "text.crlf", "key.id"]).expect("out of the index");
    git.run(["reset", "-q"]).expect("in again");
    fs::remove_file(at("text.crlf")).expect("removed");
    fs::remove_file(at("key.id")).expect("removed");
    git.run(["checkout-index", "-q", "text.crlf", "key.id"]).expect("as checked out");
    // And now what is not committed.
    fs::write(at("dirty"), "dirty\r\nwith mixed\nends\r\n").expect("written");
    fs::remove_file(at("gone")).expect("removed");
    fs::write(at("src/staged"), "staged\n").expect("written");
    fs::write(at("src/deep/both"), "staged\n").expect("written");
    git.run(["add", "src/staged", "src/deep/both"]).expect("add");
    fs::write(at("src/deep/both"), "staged and changed\n").expect("written");
    fs::write(at("untracked.crlf"), "mixed\r\nends\n").expect("written");
    fs::write(at("untracked private"), "private\n").expect("written");
    set_mode(&at("untracked private"), 0o600);
    fs::write(at("build.log"), "ignored\n").expect("written");
}

/// All that an agent might do to it.
#[cfg(unix)]
fn ravage(git: &crate::host::git::Git) {
    let at = |name: &str| git.dir().join(name);
    for name in ["clean", "dirty", "gone", "src/staged", "text.crlf", "key.id", "untracked.crlf"] {
        fs::write(at(name), "ravaged\n").expect("written");
    }
    fs::remove_dir_all(at("src/deep")).expect("removed");
    fs::remove_file(at("untracked private")).expect("removed");
    fs::remove_file(at("becomes folder")).expect("removed");
    fs::create_dir_all(at("becomes folder/of/its")).expect("a folder");
    fs::write(at("becomes folder/of/its/own"), "new\n").expect("written");
    fs::remove_dir_all(at("becomes file")).expect("removed");
    fs::write(at("becomes file"), "a file\n").expect("written");
    fs::remove_file(git.dir().join(odd_name())).expect("removed");
    fs::remove_file(at("link")).expect("removed");
    link("dirty", &at("link"));
    fs::remove_file(at("link to folder")).expect("removed");
    fs::write(at("link to folder"), "no link\n").expect("written");
    fs::create_dir_all(at("new/one")).expect("folders");
    fs::write(at("new/one/file"), "new\n").expect("written");
    set_mode(&at("new/one/file"), 0o755);
}

#[cfg(unix)]
#[test]
fn a_work_tree_comes_back_byte_for_byte_however_it_was_changed() {
    of_each_kind(|repo, dir, kind| {
        let git = repo.git.clone().in_dir(dir);
        furnish(&git);
        let (session, was) = (session(dir), all(dir));
        let before = session.capture().expect("captured");
        ravage(&git);
        // It hides in commits, in the index, and nowhere.
        git.run(["add", "clean", "dirty", "new"]).expect("add");
        git.run(["commit", "-q", "-m", "it was like that", "--no-verify"]).expect("commit");
        git.run(["add", "-A", "src", "becomes file"]).expect("add");
        let head = git.head().expect("a head");
        let after = session.capture_after(&before).expect("captured");
        let index = fs::read(session.repository.git_dir().join("index")).expect("an index");
        let changes = session.changed_between(&before, &after).expect("compared");
        let done = session.restore(&before, &after, &paths(&changes)).expect("restored");
        assert!(done.left.is_empty(), "{kind}: {done:?}");
        assert_eq!(all(dir), was, "{kind}");
        assert_eq!(git.head().expect("a head"), head, "{kind}: no ref moves");
        let now = fs::read(session.repository.git_dir().join("index")).expect("an index");
        assert!(now == index, "{kind}: the index is not touched");
        let left: Vec<_> = fs::read_dir(session.repository.git_dir()).expect("a folder").flatten().collect();
        assert!(!left.iter().any(|entry| entry.file_name().to_string_lossy().starts_with("aio-put-back")), "{kind}");
        let again = session.capture_after(&before).expect("captured");
        assert_eq!(told(&session.changed_between(&before, &again).expect("compared")), [""; 0], "{kind}");
        repo.git.run(["fsck", "--strict"]).expect("sound");
    });
}

#[test]
fn what_is_changed_is_told_whether_it_is_committed_staged_or_neither() {
    of_each_kind(|repo, dir, kind| {
        let git = repo.git.clone().in_dir(dir);
        let at = |name: &str| dir.join(name);
        for name in ["committed", "staged", "changed", "left", "removed"] {
            fs::write(at(name), "as it was\n").expect("written");
        }
        git.run(["add", "-A"]).expect("add");
        git.run(["commit", "-q", "-m", "begin"]).expect("commit");
        fs::write(at("left"), "by a person\n").expect("written");
        let session = session(dir);
        let before = session.capture().expect("captured");
        fs::write(at("committed"), "changed\n").expect("written");
        git.run(["commit", "-q", "-a", "-m", "all of it"]).expect("commit");
        fs::write(at("staged"), "changed\n").expect("written");
        git.run(["add", "staged"]).expect("add");
        fs::write(at("changed"), "changed\n").expect("written");
        fs::write(at("new"), "changed\n").expect("written");
        fs::remove_file(at("removed")).expect("removed");
        let after = session.capture().expect("captured");
        let changes = session.changed_between(&before, &after).expect("compared");
        let expected = ["modified changed", "modified committed", "added new", "deleted removed", "modified staged"];
        assert_eq!(told(&changes), expected, "{kind}");
        assert_ne!(before.head(), after.head(), "{kind}");
    });
}

#[test]
fn before_the_first_commit_everything_is_new() {
    let repo = Scratch::new();
    repo.write("a b/c", "one\n");
    let session = session(repo.git.dir());
    let before = session.capture().expect("captured");
    assert_eq!(before.head(), None);
    repo.write("a b/c", "two\n");
    repo.write("d", "new\n");
    repo.git.run(["add", "d"]).expect("add");
    let after = session.capture().expect("captured");
    let changes = session.changed_between(&before, &after).expect("compared");
    assert_eq!(told(&changes), ["modified a b/c", "added d"]);
    session.restore(&before, &after, &paths(&changes)).expect("restored");
    assert_eq!(all(repo.git.dir()).keys().map(|path| path.display().to_string()).collect::<Vec<_>>(), ["a b", "a b/c"]);
    // An empty work tree is one too.
    let empty = Scratch::new();
    let session = self::session(empty.git.dir());
    let capture = session.capture().expect("captured");
    let tree = session.capture_to_tree(&capture).expect("kept");
    assert_eq!(session.capture_from_tree(&tree).expect("read"), capture);
}

#[test]
fn what_somebody_else_has_changed_meanwhile_is_left_alone_and_so_is_every_other_path() {
    let repo = Scratch::new();
    for name in ["mine", "theirs", "other"] {
        repo.write(name, "as it was\n");
    }
    repo.commit("begin");
    let session = session(repo.git.dir());
    let before = session.capture().expect("captured");
    for name in ["mine", "theirs", "other"] {
        repo.write(name, "by the agent\n");
    }
    let after = session.capture().expect("captured");
    repo.write("theirs", "by somebody else\n");
    let done = session.restore(&before, &after, &[path("mine"), path("theirs")]).expect("restored");
    assert_eq!(done.written, [path("mine")]);
    assert_eq!(done.left, [(path("theirs"), LeftAlone::ChangedSince)]);
    let read = |name: &str| fs::read_to_string(repo.path(name)).expect("readable");
    assert_eq!(read("mine") + &read("theirs") + &read("other"), "as it was\nby somebody else\nby the agent\n");
}

#[test]
fn what_git_is_told_not_to_see_is_seen() {
    let repo = Scratch::new();
    for name in ["assumed", "skipped", "plain"] {
        repo.write(name, "as it was\n");
    }
    repo.commit("begin");
    repo.write("note", "untracked\n");
    let session = session(repo.git.dir());
    let before = session.capture().expect("captured");
    repo.git.run(["update-index", "--assume-unchanged", "assumed"]).expect("told");
    repo.git.run(["update-index", "--skip-worktree", "skipped"]).expect("told");
    repo.write("assumed", "changed\n");
    repo.write("skipped", "changed\n");
    repo.write("note", "changed\n");
    repo.write(".git/info/exclude", "note\n");
    assert_eq!(repo.git.status().expect("a status").dirty, [b""; 0], "git sees nothing");
    let after = session.capture_after(&before).expect("captured");
    let changes = session.changed_between(&before, &after).expect("compared");
    assert_eq!(told(&changes), ["modified assumed", "modified note", "modified skipped"]);
    let done = session.restore(&before, &after, &paths(&changes)).expect("restored");
    assert!(done.left.is_empty() && done.written.len() == 3, "{done:?}");
    let read = |name: &str| fs::read_to_string(repo.path(name)).expect("readable");
    assert_eq!(read("assumed") + &read("skipped") + &read("note"), "as it was\nas it was\nuntracked\n");
}

#[cfg(unix)]
#[test]
fn nothing_is_written_through_a_link_and_nothing_unseen_is_removed() {
    let repo = Scratch::new();
    repo.write("folder/file", "as it was\n");
    repo.write("plain", "as it was\n");
    repo.write(".gitignore", "*.log\n");
    repo.commit("begin");
    let outside = repo.outside().join("outside");
    fs::create_dir(&outside).expect("a folder");
    let session = session(repo.git.dir());
    let before = session.capture().expect("captured");
    fs::remove_dir_all(repo.path("folder")).expect("removed");
    link(outside.to_str().expect("text"), &repo.path("folder"));
    fs::remove_file(repo.path("plain")).expect("removed");
    repo.write("plain/kept.log", "ignored\n");
    let after = session.capture().expect("captured");
    let done = session.restore(&before, &after, &[path("folder/file"), path("plain")]).expect("restored");
    let left = [(path("folder/file"), LeftAlone::InTheWay), (path("plain"), LeftAlone::InTheWay)];
    assert_eq!(done.left, left);
    assert_eq!(all(&outside).len(), 0);
    // What is behind the link is no part of the work tree.
    fs::write(outside.join("file"), "outside\n").expect("written");
    let after = session.capture_after(&before).expect("captured");
    let changes = session.changed_between(&before, &after).expect("compared");
    assert_eq!(told(&changes), ["added folder", "deleted folder/file", "deleted plain"]);
    assert!(repo.path("plain/kept.log").exists());
    // With the link itself it can be done.
    let done = session.restore(&before, &after, &[path("folder/file"), path("folder")]).expect("restored");
    assert!(done.left.is_empty(), "{done:?}");
    assert_eq!(fs::read_to_string(repo.path("folder/file")).expect("there"), "as it was\n");
}

#[cfg(unix)]
#[test]
fn what_is_only_made_to_run_is_told_and_put_back() {
    let repo = Scratch::new();
    repo.write("script", "true\n");
    repo.write("dirty", "true\n");
    repo.commit("begin");
    repo.write("dirty", "false\n");
    let session = session(repo.git.dir());
    let before = session.capture().expect("captured");
    set_mode(&repo.path("script"), 0o755);
    set_mode(&repo.path("dirty"), 0o755);
    let after = session.capture().expect("captured");
    let changes = session.changed_between(&before, &after).expect("compared");
    assert_eq!(told(&changes), ["mode dirty", "mode script"]);
    session.restore(&before, &after, &paths(&changes)).expect("restored");
    let modes = ["script", "dirty"].map(|name| mode(&repo.path(name).metadata().expect("there")));
    assert_eq!(modes, [0o644, 0o644]);
}

#[test]
fn a_diff_shows_what_was_meant_and_no_more_than_is_bearable() {
    let repo = Scratch::new();
    repo.write("one", "a\nb\n");
    repo.write("two", "a\n");
    repo.commit("begin");
    let session = session(repo.git.dir());
    let before = session.capture().expect("captured");
    repo.write("one", "a\nc\nd\n");
    repo.write("two", "b\n");
    repo.write("new\nline", "new\n");
    fs::write(repo.path("binary"), [0, 1, 2]).expect("written");
    let after = session.capture().expect("captured");
    let whole = session.diff_of(&before, &after, None).expect("compared");
    assert_eq!(whole.summary, "4 files changed, 4 insertions(+), 2 deletions(-)");
    assert!(whole.text.contains("+c\n") && whole.text.contains("+b\n") && !whole.is_cut, "{}", whole.text);
    let part = session.diff_of(&before, &after, Some(&[path("one"), path("binary")])).expect("compared");
    assert_eq!(part.stat, [(path("binary"), None), (path("one"), Some((2, 1)))]);
    assert!(part.text.contains("+c\n") && !part.text.contains("+b\n"), "{}", part.text);
    assert_eq!(session.diff_of(&before, &before, None).expect("compared"), Diff::default());
    repo.write("long", &"line\n".repeat(MAX_DIFF));
    let after = session.capture().expect("captured");
    let long = session.diff_of(&before, &after, None).expect("compared");
    assert!(long.is_cut && long.text.len() == MAX_DIFF, "{}", long.text.len());
}
