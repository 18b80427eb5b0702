//! Stores that are damaged by git's own means, and what doctor makes of them.

mod patient;

use super::{Grade, in_a_row};
use crate::{
    host::scratch::Scratch,
    model::{claim::EndReason, view::View as _},
    ops::{Error, StoreError},
};
use patient::{CLAUDE, CODEX, Patient, STATE, record_path};
use std::fs;

#[test]
fn a_sound_store_is_told_to_be_one() {
    let patient = Patient::new();
    assert_eq!(patient.check("records").detail, "4 records readable");
    assert_eq!(patient.check("history").detail, "5 operations in a row");
    patient.assert_sound();
}

#[test]
fn a_long_history_is_worth_a_cut() {
    let (short, long) = (in_a_row(19_999, ", cut 1 times"), in_a_row(20_000, ""));
    assert_eq!((short.grade, &short.detail[..]), (Grade::Good, "19999 operations in a row, cut 1 times"));
    assert_eq!(long.grade, Grade::Odd);
    assert!(long.detail.contains("`git aio compact`"), "{}", long.detail);
}

#[test]
fn a_repository_without_a_store_is_well() {
    let patient = Patient { repo: Scratch::new() };
    assert_eq!(patient.complaints(), [""; 0]);
    assert_eq!(patient.repair(), [""; 0]);
    assert!(!patient.session().snapshot().expect("read").exists(), "nothing was written");
}

#[test]
fn a_tip_that_lost_its_tree_is_taken_back_and_the_loss_is_told() {
    let patient = Patient::new();
    patient.claim(CODEX, "file", "lost.rs");
    patient.lose(&format!("{STATE}^{{tree}}"));
    assert_eq!(patient.complaints(), ["store", "history", "records", "index", "exclusion", "reflog"]);
    let done = patient.repair();
    assert!(done[0].contains("by 1 operation,"), "{done:#?}");
    assert!(done[1].ends_with(&format!("claim: lost.rs (file) by {CODEX}")), "{done:#?}");
    assert_eq!(patient.targets(), ["src/auth", "docs/guide.md"]);
    assert!(patient.git(&["log", "-1", "--format=%B", STATE]).contains("lost.rs"), "the log tells of it");
    assert_eq!(patient.number(), 7, "the token of what was lost is not given again");
    patient.assert_sound();
    assert_eq!(patient.claims().iter().map(|claim| claim.token).collect::<Vec<_>>(), [4, 5, 8]);
}

#[test]
fn a_tip_whose_commit_is_gone_is_told_by_the_reflog() {
    let patient = Patient::new();
    patient.claim(CODEX, "file", "lost.rs");
    patient.lose(STATE);
    assert!(patient.complaints().contains(&"store"));
    let done = patient.repair();
    assert!(done[1].ends_with(&format!("claim: lost.rs (file) by {CODEX}")), "{done:#?}");
    assert_eq!(patient.targets(), ["src/auth", "docs/guide.md"]);
    assert_eq!(patient.number(), 7, "though it can't be read any more that it was the sixth");
    patient.assert_sound();
}

#[test]
fn a_ref_that_holds_nothing_sensible_is_set_to_the_last_state() {
    for garbage in ["", "\0\0\0\0\0\0\0\0", "no object name\n", "ref: refs/heads/main\n"] {
        let patient = Patient::new();
        fs::write(patient.common(STATE), garbage).expect("written");
        assert!(patient.complaints().contains(&"store"), "{garbage:?}");
        let done = patient.repair();
        assert!(done[0].starts_with("went back") && done[0].contains("by 0 operations,"), "{done:#?}");
        assert_eq!(patient.targets(), ["src/auth", "docs/guide.md"]);
        patient.assert_sound();
    }
}

#[test]
fn a_ref_that_is_gone_is_remembered_by_its_log() {
    let patient = Patient::new();
    fs::remove_file(patient.common(STATE)).expect("removed");
    assert_eq!(patient.complaints(), ["store"]);
    patient.repair();
    assert_eq!(patient.targets(), ["src/auth", "docs/guide.md"]);
    patient.assert_sound();
}

#[test]
fn a_ref_that_points_at_work_of_the_user_leaves_that_alone() {
    let patient = Patient::new();
    patient.repo.write("a", "1");
    patient.repo.commit("my work");
    let work = patient.git(&["rev-parse", "HEAD"]);
    patient.git(&["update-ref", "-m", "a slip", STATE, &work]);
    assert!(patient.complaints().contains(&"store"));
    let done = patient.repair();
    let kept = done.last().and_then(|line| line.strip_prefix("kept what was there before as ")).expect("a backup");
    assert_eq!(patient.git(&["rev-parse", kept]), work);
    assert!(done[0].contains("by 0 operations,"), "{done:#?}");
    assert_eq!(patient.targets(), ["src/auth", "docs/guide.md"]);
    patient.assert_sound();
}

#[test]
fn without_a_reflog_the_parents_are_the_way_back() {
    let patient = Patient::new();
    fs::remove_file(patient.common(&format!("logs/{STATE}"))).expect("removed");
    assert_eq!(patient.check("reflog").grade, Grade::Odd);
    patient.lose(&format!("{STATE}^{{tree}}"));
    patient.repair();
    assert_eq!(patient.targets(), ["src/auth"]);
}

#[test]
fn where_no_state_is_whole_nothing_is_done() {
    let patient = Patient::new();
    let blob = patient.git(&["rev-parse", &format!("{STATE}:aio.json")]);
    patient.lose(&blob);
    let tip = patient.tip();
    assert!(matches!(patient.session().repair(), Err(Error::Store(StoreError::Tip(_)))));
    assert_eq!(patient.tip(), tip);
}

#[test]
fn a_broken_past_is_cut_off_and_the_present_stays() {
    let patient = Patient::new();
    patient.lose(&format!("{STATE}~2"));
    assert_eq!(patient.complaints(), ["history", "reflog"]);
    let done = patient.repair();
    assert!(done[0].starts_with("began the history anew"), "{done:#?}");
    assert_eq!(patient.targets(), ["src/auth", "docs/guide.md"]);
    assert_eq!(patient.git(&["rev-list", "--count", STATE]), "1");
    assert!(patient.git(&["show", &format!("{STATE}:aio.json")]).contains("\"epoch\": 2"));
    assert_eq!(patient.number(), 6, "a later token is a higher one");
    patient.assert_sound();
}

#[test]
fn a_number_out_of_turn_is_a_broken_past_too_and_is_kept() {
    let patient = Patient::new();
    let tree = patient.git(&["rev-parse", &format!("{STATE}^{{tree}}")]);
    let tip = patient.tip();
    patient.commit(&tree, Some(&tip), 9);
    assert_eq!(patient.complaints(), ["history"]);
    let done = patient.repair();
    assert!(done.iter().any(|line| line.starts_with("kept what was there before")), "{done:#?}");
    patient.assert_sound();
}

#[test]
fn a_damaged_record_is_set_aside_with_its_bytes() {
    let patient = Patient::new();
    let path = record_path(&patient.claims()[0]);
    let blob = patient.blob("{ not json");
    patient.edit(&[(&path, Some(&blob))]);
    assert_eq!(patient.complaints(), ["records", "index"]);
    patient.repair();
    let quarantined = format!("{STATE}:quarantine/{}", path.replace('/', "%2F"));
    assert_eq!(patient.git(&["cat-file", "-p", &quarantined]), "{ not json");
    assert_eq!(patient.targets(), ["docs/guide.md"]);
    assert_eq!(patient.check("records").detail, "3 records readable; 1 set aside by earlier repairs");
    patient.assert_sound();
}

#[test]
fn records_of_every_kind_and_in_the_wrong_place_are_found() {
    let patient = Patient::new();
    let claim = patient.claims()[0].clone();
    let record = patient.git(&["rev-parse", &format!("{STATE}:{}", record_path(&claim))]);
    let junk = patient.blob("junk");
    let strays =
        ["notes/2026-01/x.json", "handoffs/x.json", "ended/nobody/x.json", "instances/a/b", "claims/00/x.json"];
    let mut edits: Vec<(&str, Option<&str>)> = strays.iter().map(|path| (*path, Some(junk.as_str()))).collect();
    edits.push(("claims/ff/ffffffffffffffff.json", Some(&record)));
    patient.edit(&edits);
    assert_eq!(patient.complaints(), ["records"]);
    assert_eq!(patient.repair().len(), 6);
    assert_eq!(patient.targets(), ["src/auth", "docs/guide.md"]);
    patient.assert_sound();
}

#[test]
fn the_index_is_made_anew_from_the_records() {
    let patient = Patient::new();
    let [first, second] = &patient.claims()[..] else { panic!("two claims") };
    let entry = format!("paths/=src/=auth/@{}.json", first.id);
    let other = patient.git(&["rev-parse", &format!("{STATE}:{}", record_path(second))]);
    let right = patient.git(&["rev-parse", &format!("{STATE}:{}", record_path(first))]);
    let elsewhere = format!("paths/=lib/@{}.json", first.id);
    for edits in [
        vec![(entry.as_str(), None)],
        vec![(entry.as_str(), Some(other.as_str()))],
        vec![(elsewhere.as_str(), Some(right.as_str()))],
        vec![("paths/=a/junk", Some(right.as_str())), (entry.as_str(), None)],
    ] {
        patient.edit(&edits);
        assert_eq!(patient.complaints(), ["index"], "{edits:?}");
        assert_eq!(patient.repair().len(), edits.len());
        assert_eq!(patient.complaints(), [""; 0], "{edits:?}");
    }
    assert_eq!(patient.targets(), ["src/auth", "docs/guide.md"]);
    patient.assert_sound();
}

#[test]
fn of_two_claims_that_contradict_each_other_the_earlier_one_stands() {
    let patient = Patient::new();
    let claim = patient.claims()[1].clone();
    let record = patient.git(&["cat-file", "-p", &format!("{STATE}:{}", record_path(&claim))]);
    let record = record.replace("docs/guide.md", "src/auth/login.rs") + "\n";
    let blob = patient.blob(&record);
    patient.edit(&[
        (&record_path(&claim), Some(&blob)),
        (&format!("paths/=docs/=guide.md/@{}.json", claim.id), None),
        (&format!("paths/=src/=auth/=login.rs/@{}.json", claim.id), Some(&blob)),
    ]);
    assert_eq!(patient.complaints(), ["exclusion"]);
    let done = patient.repair();
    assert_eq!(
        done,
        [format!(
            "ended the claim of {CLAUDE} on file src/auth/login.rs, \
             which contradicts the earlier claim of {CODEX} on directory src/auth"
        )]
    );
    assert_eq!(patient.targets(), ["src/auth"]);
    let session = patient.session();
    let ended = session.snapshot().expect("read").ended(&CLAUDE.parse().expect("an id")).expect("read");
    assert_eq!(ended.iter().map(|e| (e.reason, e.claim.id.clone())).collect::<Vec<_>>(), [(EndReason::Lost, claim.id)]);
    patient.assert_sound();
}

#[test]
fn of_two_claims_the_one_that_nobody_is_behind_falls() {
    let patient = Patient::new();
    let claim = patient.claims()[0].clone();
    patient.claim(CLAUDE, "file", "src/main.rs");
    let record = patient.git(&["cat-file", "-p", &format!("{STATE}:{}", record_path(&claim))]);
    let blob = patient.blob(&(record.replace("src/auth", "src") + "\n"));
    patient.edit(&[
        (&record_path(&claim), Some(&blob)),
        (&format!("paths/=src/=auth/@{}.json", claim.id), None),
        (&format!("paths/=src/@{}.json", claim.id), Some(&blob)),
        (&format!("instances/{CODEX}.json"), None),
    ]);
    assert_eq!(patient.complaints(), ["exclusion"]);
    let expected = format!(
        "ended the claim of {CODEX} on directory src, which contradicts the claim of {CLAUDE} on file src/main.rs"
    );
    assert_eq!(patient.repair(), [expected]);
    assert_eq!(patient.targets(), ["docs/guide.md", "src/main.rs"]);
}

#[test]
fn a_token_that_was_not_given_out_is_refused() {
    let patient = Patient::new();
    let claim = patient.claims()[0].clone();
    let record = patient.git(&["cat-file", "-p", &format!("{STATE}:{}", record_path(&claim))]);
    assert!(record.contains("\"token\": 4"), "{record}");
    let blob = patient.blob(&(record.replace("\"token\": 4", "\"token\": 40") + "\n"));
    patient
        .edit(&[(&record_path(&claim), Some(&blob)), (&format!("paths/=src/=auth/@{}.json", claim.id), Some(&blob))]);
    assert_eq!(patient.complaints(), ["records", "index"]);
    assert!(patient.check("records").detail.contains("its token is 40, and only 6 were given out"));
    patient.repair();
    assert_eq!(patient.targets(), ["docs/guide.md"]);
    assert_eq!(patient.number(), 7);
    patient.assert_sound();
}

#[test]
fn a_reflog_that_was_expired_is_merely_odd() {
    let patient = Patient::new();
    patient.git(&["reflog", "expire", "--expire=now", "--expire-unreachable=now", "--all"]);
    let check = patient.check("reflog");
    assert_eq!(
        (check.grade, check.detail.as_str()),
        (Grade::Odd, "it remembers nothing; the next operation begins it")
    );
    assert_eq!(patient.complaints(), [""; 0]);
    patient.claim(CODEX, "file", "new");
    assert_eq!(patient.check("reflog").grade, Grade::Good);
}

#[test]
fn a_store_of_a_newer_program_is_left_alone() {
    let patient = Patient::new();
    let meta = patient.git(&["cat-file", "-p", &format!("{STATE}:aio.json")]);
    let newer = patient.blob(&meta.replace("\"min_writer\": 1", "\"min_writer\": 99"));
    let junk = patient.blob("junk");
    patient.edit(&[("aio.json", Some(&newer)), ("handoffs/x.json", Some(&junk))]);
    assert_eq!(patient.complaints(), ["store", "records"]);
    let tip = patient.tip();
    assert!(matches!(patient.session().repair(), Err(Error::Store(StoreError::Newer { .. }))));
    assert_eq!(patient.tip(), tip);
}

#[test]
fn a_reftable_is_mended_through_git() {
    let Some(repo) = Scratch::with_reftable() else { return };
    let patient = Patient::of(repo);
    assert_eq!(patient.check("repository format").detail, "objects in sha1, refs in reftable");
    patient.claim(CODEX, "file", "lost.rs");
    patient.lose(&format!("{STATE}^{{tree}}"));
    assert!(patient.repair()[1].contains("lost.rs"));
    assert_eq!(patient.targets(), ["src/auth", "docs/guide.md"]);
    patient.assert_sound();
}

#[test]
fn locks_and_liveness_are_named() {
    let patient = Patient::new();
    fs::create_dir_all(patient.common("aio/live")).expect("a folder");
    fs::write(patient.common("aio/live").join(CODEX), "junk").expect("written");
    let lock = patient.common("refs/aio/state.lock");
    fs::write(&lock, "").expect("locked");
    assert_eq!(patient.complaints(), ["liveness"], "a lock of this moment may be somebody's");
    let old = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_700_000_000);
    fs::File::options().write(true).open(&lock).expect("open").set_modified(old).expect("set");
    assert_eq!(patient.complaints(), ["locks", "liveness"]);
    assert!(patient.check("liveness").detail.ends_with(CODEX));
    assert!(patient.check("locks").detail.contains("state.lock is "));
}

#[test]
fn everything_there_is_comes_out_in_order() {
    let patient = Patient::new();
    let dump = patient.session().dump().expect("a dump");
    assert_eq!(dump.instances.len(), 2);
    assert_eq!(dump.claims.iter().map(|claim| claim.token).collect::<Vec<_>>(), [4, 5]);
}
