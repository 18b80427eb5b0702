//! What is not in every work tree: submodules, filters, sparse checkouts, conflicts, and files that are too large or can't be
//! read. And a git that tidies up.

#[cfg(unix)]
use super::set_mode;
use super::{LeftAlone, all, path, paths, session, told};
use crate::host::scratch::Scratch;
use std::fs;

#[test]
fn a_capture_that_is_referred_to_outlives_a_gc() {
    let repo = Scratch::new();
    repo.write("clean", "clean\n");
    repo.write(".gitattributes", "*.crlf text eol=crlf\n");
    repo.commit("begin");
    repo.write("dirty.crlf", "mixed\r\nends\n");
    let session = session(repo.git.dir());
    let before = session.capture().expect("captured");
    let tree = session.capture_to_tree(&before).expect("kept");
    repo.git.run(["update-ref", "refs/aio-local/test", tree.as_str()]).expect("referred to");
    let was = all(repo.git.dir());
    repo.write("clean", "other\n");
    repo.write("dirty.crlf", "other\n");
    repo.git.run(["commit", "-q", "--amend", "-a", "-m", "rewritten"]).expect("commit");
    repo.git.run(["reflog", "expire", "--expire=now", "--all"]).expect("forgotten");
    repo.git.run(["gc", "-q", "--prune=now"]).expect("tidied");
    let session = super::session(repo.git.dir());
    let read = session.capture_from_tree(&tree).expect("there");
    assert_eq!(read, before);
    let after = session.capture_after(&read).expect("captured");
    let changes = session.changed_between(&read, &after).expect("compared");
    session.restore(&read, &after, &paths(&changes)).expect("restored");
    assert_eq!(all(repo.git.dir()), was);
    repo.git.run(["fsck", "--strict"]).expect("sound");
}

#[test]
fn other_repositories_are_told_and_left_alone() {
    let repo = Scratch::new();
    repo.write("file", "");
    repo.commit("begin");
    let library = Scratch::new();
    library.write("code", "one\n");
    library.commit("one");
    let url = library.git.dir().to_str().expect("text");
    repo.git.run(["-c", "protocol.file.allow=always", "submodule", "--quiet", "add", url, "sub"]).expect("added");
    repo.commit("with a submodule");
    let session = session(repo.git.dir());
    let before = session.capture().expect("captured");
    let sub = repo.git.clone().in_dir(repo.path("sub"));
    sub.run(["commit", "-q", "--allow-empty", "-m", "moved"]).expect("commit");
    fs::create_dir(repo.path("nested")).expect("a folder");
    repo.git.clone().in_dir(repo.path("nested")).run(["init", "-q"]).expect("init");
    repo.write("nested/file", "new\n");
    let after = session.capture().expect("captured");
    let changes = session.changed_between(&before, &after).expect("compared");
    assert_eq!(told(&changes), ["added nested", "modified sub"]);
    assert!(changes.iter().all(|change| change.is_repository));
    let done = session.restore(&before, &after, &paths(&changes)).expect("asked");
    assert_eq!(done.left, [(path("nested"), LeftAlone::Repository), (path("sub"), LeftAlone::Repository)]);
    assert!(repo.path("nested/file").exists());
}

#[test]
fn outside_of_a_sparse_checkout_nothing_is_gone() {
    let repo = Scratch::new();
    repo.write("in/file", "in\n");
    repo.write("out/file", "out\n");
    repo.commit("begin");
    for set in [&["sparse-checkout", "set", "in"][..], &["sparse-checkout", "set", "--sparse-index", "in"][..]] {
        repo.git.run(set).expect("set");
        assert!(!repo.path("out").exists());
        let session = session(repo.git.dir());
        let before = session.capture().expect("captured");
        repo.write("in/file", "changed\n");
        let after = session.capture().expect("captured");
        let changes = session.changed_between(&before, &after).expect("compared");
        assert_eq!(told(&changes), ["modified in/file"]);
        session.restore(&before, &after, &paths(&changes)).expect("restored");
        assert_eq!(fs::read_to_string(repo.path("in/file")).expect("there"), "in\n");
        // A whole folder may go and come back.
        fs::remove_dir_all(repo.path("in")).expect("removed");
        let after = session.capture().expect("captured");
        let done = session.restore(&before, &after, &[path("in/file"), path("out/file")]).expect("restored");
        assert!(done.written == [path("in/file")] && done.left.is_empty(), "{done:?}");
        assert!(!repo.path("out").exists());
    }
}

#[cfg(unix)]
#[test]
fn a_filter_makes_of_a_file_what_it_made_of_it_before() {
    let repo = Scratch::new();
    repo.git.run(["config", "filter.rot.clean", "tr a-z b-za"]).expect("set");
    repo.git.run(["config", "filter.rot.smudge", "tr b-za a-z"]).expect("set");
    repo.git.run(["config", "filter.rot.required", "true"]).expect("set");
    repo.write(".gitattributes", "*.rot filter=rot\n");
    repo.write("clean.rot", "abc\n");
    repo.commit("begin");
    repo.write("new.rot", "new\n");
    let session = session(repo.git.dir());
    let before = session.capture().expect("captured");
    let was = all(repo.git.dir());
    repo.write("clean.rot", "other\n");
    repo.write("new.rot", "other\n");
    // What a checkout makes is decided by what was, not by what an agent has made of it.
    repo.write(".gitattributes", "");
    let after = session.capture().expect("captured");
    let changes = session.changed_between(&before, &after).expect("compared");
    session.restore(&before, &after, &paths(&changes)).expect("restored");
    assert_eq!(all(repo.git.dir()), was);
    let committed = repo.git.run(["cat-file", "blob", &format!("{}:new.rot", before.tree())]).expect("there");
    assert_eq!(committed, b"ofx\n", "in the tree it is as git would store it");
}

#[cfg(unix)]
#[test]
fn a_file_that_can_not_be_read_is_named() {
    let repo = Scratch::new();
    repo.write("secret", "x\n");
    set_mode(&repo.path("secret"), 0o000);
    // Root reads everything.
    if fs::read(repo.path("secret")).is_err() {
        let error = session(repo.git.dir()).capture().expect_err("unreadable");
        assert!(error.to_string().contains("secret"), "{error}");
    }
    fs::remove_file(repo.path("secret")).expect("removed");
    let large = fs::File::create(repo.path("large")).expect("made");
    large.set_len((1 << 30) + 1).expect("a hole");
    let error = session(repo.git.dir()).capture().expect_err("too large");
    assert!(error.to_string().contains("large"), "{error}");
    large.set_len(100 << 20).expect("a hole");
    let session = session(repo.git.dir());
    let before = session.capture().expect("captured");
    large.set_len(1).expect("cut");
    let after = session.capture().expect("captured");
    session.restore(&before, &after, &[path("large")]).expect("restored");
    assert_eq!(repo.path("large").metadata().expect("there").len(), 100 << 20);
}

#[test]
fn a_capture_whose_objects_are_gone_is_not_written_as_if_they_were_there() {
    let repo = Scratch::new();
    repo.write("file", "one\n");
    repo.commit("begin");
    repo.write("file", "not committed\n");
    let session = session(repo.git.dir());
    let capture = session.capture().expect("captured");
    repo.git.run(["prune", "--expire=now"]).expect("tidied");
    let error = session.capture_to_tree(&capture).expect_err("the bytes are gone");
    assert!(error.to_string().contains("tidies up"), "{error}");
    // Whoever captures again has them again.
    let again = session.capture().expect("captured");
    assert_eq!(again, capture);
    let tree = session.capture_to_tree(&again).expect("written");
    repo.git.run(["update-ref", "refs/aio-local/test", tree.as_str()]).expect("referred to");
    repo.git.run(["fsck", "--strict"]).expect("sound");
}

#[test]
fn a_merge_that_is_not_done_can_be_captured() {
    let repo = Scratch::new();
    repo.write("file", "one\n");
    repo.commit("one");
    repo.git.run(["checkout", "-q", "-b", "other"]).expect("a branch");
    repo.write("file", "two\n");
    repo.commit("two");
    repo.git.run(["checkout", "-q", "main"]).expect("back");
    repo.write("file", "three\n");
    repo.commit("three");
    repo.git.run(["merge", "-q", "other"]).expect_err("a conflict");
    let session = session(repo.git.dir());
    let before = session.capture().expect("captured");
    let was = all(repo.git.dir());
    repo.write("file", "resolved\n");
    repo.git.run(["add", "file"]).expect("add");
    let after = session.capture().expect("captured");
    let changes = session.changed_between(&before, &after).expect("compared");
    assert_eq!(told(&changes), ["modified file"]);
    session.restore(&before, &after, &paths(&changes)).expect("restored");
    assert_eq!(all(repo.git.dir()), was);
}
