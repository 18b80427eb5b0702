//! What goes wrong after the ref has moved, and who acts after being taken off the register.

use super::*;
use crate::{
    host::scratch::Scratch,
    model::{
        instance::{Doing, Instance},
        view::View as _,
    },
    store::{Durability, FileRefs},
};
use std::fs;

/// A session in a repository whose store is about to be begun, and the operation that begins it.
fn beginning(repo: &Scratch) -> (Session, Op) {
    let session = Session::open_other(repo.git.dir(), None).expect("a session");
    let action = Action::Create { domain: Domain::random(session.random()), folds_case: false };
    let op = Op { id: OpId::random(session.random()), at: session.now(), by: None, action };
    (session, op)
}

/// Makes the change of `op`, while `spoil` is told each step.
fn commit(session: &Session, op: &Op, spoil: impl Fn(WriteStep)) -> Result<Committed, StoreError> {
    let snapshot = session.snapshot().expect("no store");
    let applied = apply(&snapshot, op).expect("decided").expect("granted");
    let refs = FileRefs::new(&session.repository, true, &spoil);
    Transaction::new(&snapshot, op, &applied).expect("prepared").commit(&refs, Durability::Synced, &spoil)
}

#[cfg(unix)]
#[test]
fn a_ref_that_can_not_be_flushed_has_moved_all_the_same() {
    let repo = Scratch::new();
    let (session, op) = beginning(&repo);
    let (folder, away) = (repo.path(".git/refs/aio"), repo.path(".git/refs/away"));
    let committed = commit(&session, &op, |step| {
        if step == WriteStep::RefRenamed {
            fs::rename(&folder, &away).expect("moved");
            std::os::unix::fs::symlink("aio", &folder).expect("a link to itself");
        }
    });
    let committed = committed.expect("it has happened");
    assert!(committed.doubts.len() == 1 && committed.doubts[0].contains("flushed"), "{committed:?}");
    fs::remove_file(&folder).expect("removed");
    fs::rename(&away, &folder).expect("moved back");
    assert_eq!(session.refs().read(STATE).expect("read"), Some(committed.oid.clone()));

    session.made(committed);
    assert!(matches!(&session.take_notices()[..], [Notice::Doubtful(why)] if why.contains("flushed")));
}

#[test]
fn objects_that_can_not_be_restored_leave_a_change_made_and_doubtful() {
    let repo = Scratch::new();
    let (session, op) = beginning(&repo);
    let committed = commit(&session, &op, |step| {
        if step == WriteStep::RefMoved {
            let tip = session.refs().read(STATE).expect("read").expect("moved");
            let folder = repo.path(".git/objects").join(&tip.as_str()[..2]);
            fs::remove_dir_all(&folder).expect("removed");
            fs::write(&folder, "in the way").expect("written");
        }
    });
    let committed = committed.expect("it has happened");
    assert!(committed.doubts.len() == 1 && committed.doubts[0].contains("written again"), "{committed:?}");
}

#[test]
fn what_fails_before_the_ref_moves_has_not_happened() {
    let repo = Scratch::new();
    let (session, op) = beginning(&repo);
    let logs = repo.path(".git/logs");
    let failed = commit(&session, &op, |step| {
        if step == WriteStep::RefLocked {
            let _ = fs::remove_dir_all(&logs);
            fs::write(&logs, "in the way").expect("written");
        }
    });
    assert!(matches!(failed, Err(StoreError::Ref(_))), "{failed:?}");
    assert_eq!(session.refs().read(STATE).expect("read"), None);
    assert!(!repo.path(".git/refs/aio/state.lock").exists(), "the lock is gone");
}

/// An instance that is on the register keeps its file, without which it would never be found gone.
#[test]
fn who_may_be_registered_is_not_forgotten() {
    let repo = Scratch::new();
    let (session, _) = beginning(&repo);
    let tool = || "codex".parse().expect("a tool");
    let registered = session.register_as(tool(), None, None).expect("registered").id;
    assert!(session.may_be_registered(&registered));
    assert!(!session.may_be_registered(&"codex-1700000000-a3f2".parse().expect("an id")));
    fs::write(repo.path(".git/refs/aio/state"), "junk").expect("written");
    assert!(session.may_be_registered(&registered), "that can't be told");
    assert!(session.register_as(tool(), None, None).is_err());
}

#[test]
fn one_who_is_cleaned_up_between_a_beat_and_an_act_is_put_back() {
    let repo = Scratch::new();
    let session = || Session::open_other(repo.git.dir(), None).expect("a session");
    let ours = session();
    let claude: Instance = ours.register_as("claude".parse().expect("a tool"), None, None).expect("registered");
    let departure = super::super::cleanup::departure(claude.id.clone(), &[], true);
    session().perform(None, |_| Ok(Some(Action::End(vec![departure.clone()])))).expect("cleaned up");

    let task = Some(Doing { text: "go on".into(), id: None });
    ours.perform(Some(&claude.id), |_| Ok(Some(Action::SetTask(task.clone())))).expect("done");
    assert!(ours.take_notices().iter().any(|notice| matches!(notice, Notice::Revived(id) if *id == claude.id)));
    let now = ours.snapshot().expect("read").instance(&claude.id).expect("read").expect("on the register");
    assert_eq!(now.task, task);

    let stranger = "codex-1700000000-a3f2".parse().expect("an id");
    let refused = ours.perform(Some(&stranger), |_| Ok(Some(Action::SetTask(None))));
    assert!(matches!(refused, Err(Error::NotFound { .. })), "who never was here is not put back");
}
