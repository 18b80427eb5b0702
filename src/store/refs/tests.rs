use super::*;
use crate::{base::turn::Turns, store::Location};
use std::{
    collections::BTreeMap,
    sync::{Barrier, Mutex, mpsc},
    thread,
    time::{Duration, Instant, SystemTime},
};

const NAME: &str = "refs/aio/state";

/// A repository of which nothing but its refs is used: no object is ever looked for.
struct Fixture {
    folder: tempfile::TempDir,
}

impl Fixture {
    fn new() -> Fixture {
        let folder = tempfile::tempdir().expect("a folder");
        for sub in ["objects", "refs/heads"] {
            fs::create_dir_all(folder.path().join(".git").join(sub)).expect("a folder");
        }
        fs::write(folder.path().join(".git/HEAD"), "ref: refs/heads/main\n").expect("written");
        fs::write(folder.path().join(".git/config"), "[core]\n\trepositoryformatversion = 0\n").expect("written");
        Fixture { folder }
    }

    /// One that has the ref, with the value `value`.
    fn with(value: &Oid) -> Fixture {
        let fixture = Fixture::new();
        fixture.swap(None, value).expect("created");
        fixture
    }

    fn open(&self, turns: Turns) -> Repository {
        let location = Location::Around(self.folder.path().to_owned());
        Repository::open(&location).expect("a repository").with_turns(turns)
    }

    fn git(&self, path: &str) -> PathBuf {
        self.folder.path().join(".git").join(path)
    }

    /// The file of the ref.
    fn loose(&self) -> PathBuf {
        self.git(NAME)
    }

    fn lock(&self) -> PathBuf {
        self.git("refs/aio/state.lock")
    }

    fn note(&self) -> PathBuf {
        self.git("aio/writing")
    }

    fn put(&self, path: &Path, text: &str) {
        fs::create_dir_all(path.parent().expect("a folder around it")).expect("a folder");
        // As git does it: the file is another one afterwards.
        let _ = fs::remove_file(path);
        fs::write(path, text).expect("written");
    }

    /// What `git pack-refs` makes of the ref.
    fn pack(&self, value: &Oid) {
        self.put(&self.git("packed-refs"), &format!("# pack-refs with: peeled fully-peeled sorted \n{value} {NAME}\n"));
        let _ = fs::remove_file(self.loose());
    }

    /// Leaves a lock as it would be after a writer was killed, with what it noted; of just now, or as old as can be.
    fn leave_lock(&self, noted: Option<&str>, held: &str, old: bool) {
        noted.into_iter().for_each(|noted| self.put(&self.note(), noted));
        self.put(&self.lock(), held);
        if old {
            let lock = fs::File::options().write(true).open(self.lock()).expect("opened");
            lock.set_modified(SystemTime::UNIX_EPOCH).expect("dated back");
        }
    }

    fn read(&self) -> Option<Oid> {
        let repository = self.open(Turns::Off);
        FileRefs::new(&repository, false, |_| {}).read(NAME).expect("readable")
    }

    /// Moves the ref, in a turn of its own.
    fn swap(&self, expected: Option<&Oid>, new: &Oid) -> Result<(), RefError> {
        self.swap_watched(Turns::Taken, expected, new, |_| {})
    }

    fn swap_watched(
        &self,
        turns: Turns,
        expected: Option<&Oid>,
        new: &Oid,
        observe: impl Fn(WriteStep),
    ) -> Result<(), RefError> {
        let repository = self.open(turns);
        let _turn = repository.take_turn();
        FileRefs::new(&repository, false, observe).compare_and_swap(NAME, expected, new, &line()).map(drop)
    }

    /// The values that the reflog has, oldest first.
    fn logged(&self) -> Vec<Oid> {
        let repository = self.open(Turns::Off);
        let mut history = FileRefs::new(&repository, false, |_| {}).history(NAME).expect("a history");
        history.reverse();
        history
    }

    #[track_caller]
    fn assert_tidy(&self) {
        assert!(!self.lock().exists(), "a lock is left");
        assert!(!self.note().exists(), "a note is left");
    }
}

fn oid(number: usize) -> Oid {
    format!("{number:040x}").parse().expect("an object name")
}

fn line() -> RefLogLine {
    RefLogLine { who: "Ada <ada@example.org>".into(), seconds: 1_700_000_000, message: "op".into() }
}

fn is_moved(result: &Result<(), RefError>) -> bool {
    matches!(result, Err(RefError::Moved { .. }))
}

#[test]
fn a_ref_moves_only_from_the_value_that_was_expected() {
    let f = Fixture::new();
    assert!(is_moved(&f.swap(Some(&oid(1)), &oid(2))), "it is not there");
    assert_eq!(f.read(), None);
    f.swap(None, &oid(1)).expect("created");
    assert!(is_moved(&f.swap(None, &oid(2))), "it is there");
    assert!(is_moved(&f.swap(None, &oid(1))), "with this very value, which somebody else gave it");
    assert!(is_moved(&f.swap(Some(&oid(3)), &oid(2))), "it has another value");
    f.swap(Some(&oid(1)), &oid(2)).expect("moved");
    assert!(is_moved(&f.swap(Some(&oid(1)), &oid(3))), "it had this value");
    assert_eq!((f.read(), f.logged()), (Some(oid(2)), vec![oid(1), oid(2)]));
    f.assert_tidy();
}

#[test]
fn a_value_that_changes_before_the_ref_is_locked_is_seen() {
    let f = Fixture::with(&oid(1));
    for step in [WriteStep::ValueNoted, WriteStep::RefLocked] {
        f.put(&f.loose(), &format!("{}\n", oid(1)));
        let result = f.swap_watched(Turns::Taken, Some(&oid(1)), &oid(2), |now| {
            if now == step {
                f.put(&f.loose(), &format!("{}\n", oid(9)));
            }
        });
        assert!(is_moved(&result), "{step:?}");
        assert_eq!((f.read(), f.logged()), (Some(oid(9)), vec![oid(1)]), "{step:?}");
        f.assert_tidy();
    }
}

/// Nobody removes the lock of a writer that is alive, but one who believes wrongly that it is its turn, and that this
/// one was killed. Then there are two, and the first finds out.
#[test]
fn a_writer_whose_lock_was_taken_away_moves_nothing() {
    for theirs in [None, Some("1234")] {
        let f = Fixture::with(&oid(1));
        let result = f.swap_watched(Turns::Taken, Some(&oid(1)), &oid(2), |now| {
            if now == WriteStep::LogWritten {
                fs::remove_file(f.lock()).expect("removed");
                theirs.into_iter().for_each(|theirs| f.put(&f.lock(), theirs));
            }
        });
        assert!(is_moved(&result), "{result:?}");
        assert_eq!(f.read(), Some(oid(1)));
        assert_eq!(fs::read_to_string(f.lock()).ok().as_deref(), theirs, "the other one's lock is as it was");
    }
}

#[test]
fn a_packed_ref_is_a_ref() {
    let f = Fixture::new();
    f.pack(&oid(1));
    assert_eq!(f.read(), Some(oid(1)));
    assert!(is_moved(&f.swap(None, &oid(2))));
    assert!(is_moved(&f.swap(Some(&oid(7)), &oid(2))));
    f.swap(Some(&oid(1)), &oid(2)).expect("moved");
    assert_eq!(f.read(), Some(oid(2)), "the loose one counts");
    assert!(fs::read_to_string(f.git("packed-refs")).expect("readable").contains(oid(1).as_str()), "not ours to write");
}

/// git packs a ref by writing `packed-refs` first and removing the loose file then, whatever we know by then.
#[test]
fn a_ref_may_be_packed_at_any_moment() {
    for step in [WriteStep::ValueNoted, WriteStep::RefLocked, WriteStep::LogWritten] {
        let f = Fixture::with(&oid(1));
        let pack = |now| {
            if now == step {
                f.pack(&oid(1));
            }
        };
        f.swap_watched(Turns::Taken, Some(&oid(1)), &oid(2), pack).expect("moved");
        assert_eq!(f.read(), Some(oid(2)), "{step:?}");
        f.assert_tidy();
    }
}

/// The folder of the ref goes as it becomes empty, which git sees to.
#[test]
fn a_folder_that_is_removed_meanwhile_is_made_again() {
    let f = Fixture::with(&oid(1));
    let remove = |now| {
        if now == WriteStep::ValueNoted {
            f.pack(&oid(1));
            fs::remove_dir(f.git("refs/aio")).expect("removed");
        }
    };
    f.swap_watched(Turns::Taken, Some(&oid(1)), &oid(2), remove).expect("moved");
    assert_eq!(f.read(), Some(oid(2)));
}

/// Eight writers, each of which replaces the value it has read. Whatever comes of turns, no value is replaced twice and
/// none is lost.
#[test]
fn racing_writers_lose_nothing() {
    const WRITERS: usize = 8;
    const ROUNDS: usize = 25;
    for turns in [Turns::Taken, Turns::Off, Turns::Lying] {
        let f = Fixture::new();
        let (start, moves) = (Barrier::new(WRITERS), Mutex::new(Vec::new()));
        let write = |writer: usize| {
            let repository = f.open(turns);
            start.wait();
            for round in 0..ROUNDS {
                let new = oid(1 + writer * ROUNDS + round);
                loop {
                    let _turn = repository.take_turn();
                    let refs = FileRefs::new(&repository, false, |_| {});
                    let expected = refs.read(NAME).expect("readable");
                    match refs.compare_and_swap(NAME, expected.as_ref(), &new, &line()) {
                        Ok(_) => break moves.lock().expect("no panic").push((expected, new)),
                        Err(RefError::Moved { .. }) => {}
                        Err(error) => panic!("{turns:?}: {error}"),
                    }
                }
            }
        };
        thread::scope(|scope| (0..WRITERS).for_each(|writer| drop(scope.spawn(move || write(writer)))));
        let moves = moves.into_inner().expect("no panic");
        let next: BTreeMap<_, _> = moves.iter().cloned().collect();
        assert_eq!((moves.len(), next.len()), (WRITERS * ROUNDS, WRITERS * ROUNDS), "{turns:?}: no value twice");
        let chain = std::iter::successors(next.get(&None), |now| next.get(&Some((*now).clone())));
        assert_eq!(chain.last(), f.read().as_ref(), "{turns:?}: the last is what stands there");
        assert!(!f.lock().exists(), "{turns:?}");
    }
}

#[test]
fn a_lock_that_is_held_for_a_moment_is_waited_for() {
    for turns in [Turns::Taken, Turns::Off] {
        let f = Fixture::with(&oid(1));
        f.put(&f.lock(), "");
        thread::scope(|scope| {
            let move_ref = scope.spawn(|| f.swap_watched(turns, Some(&oid(1)), &oid(2), |_| {}));
            thread::sleep(Duration::from_millis(100));
            assert!(!move_ref.is_finished());
            fs::remove_file(f.lock()).expect("removed");
            move_ref.join().expect("no panic").expect("moved");
        });
        f.assert_tidy();
    }
}

/// Both believe that it is their turn, and the second finds the note of the first and a lock that holds what it says.
#[test]
fn the_lock_of_a_writer_that_is_at_it_is_not_taken_for_one_that_was_left() {
    let f = Fixture::with(&oid(1));
    let (locked, go_on) = (mpsc::channel(), mpsc::channel::<()>());
    thread::scope(|scope| {
        let first = scope.spawn(|| {
            let (locked, go_on) = (locked.0, Mutex::new(go_on.1));
            f.swap_watched(Turns::Lying, Some(&oid(1)), &oid(2), |now| {
                if now == WriteStep::RefLocked {
                    locked.send(()).expect("heard");
                    go_on.lock().expect("no panic").recv().expect("said");
                }
            })
        });
        locked.1.recv().expect("said");
        let second = scope.spawn(|| f.swap_watched(Turns::Lying, Some(&oid(1)), &oid(3), |_| {}));
        thread::sleep(Duration::from_millis(50));
        assert!(f.lock().exists() && !second.is_finished());
        go_on.0.send(()).expect("heard");
        first.join().expect("no panic").expect("moved");
        assert!(is_moved(&second.join().expect("no panic")));
    });
    assert_eq!(f.read(), Some(oid(2)));
    f.assert_tidy();
}

#[test]
fn a_lock_that_a_killed_writer_of_ours_left_is_removed_once_it_is_old() {
    for old in [false, true] {
        let f = Fixture::with(&oid(1));
        let left = format!("{}\n", oid(2));
        f.leave_lock(Some(&left), &left, old);
        let begun = Instant::now();
        f.swap(Some(&oid(1)), &oid(3)).expect("moved");
        assert!(old || begun.elapsed() >= Duration::from_millis(450), "{:?}", begun.elapsed());
        assert_eq!(f.read(), Some(oid(3)));
        f.assert_tidy();
    }
}

#[test]
fn a_lock_that_is_not_provably_ours_is_never_removed() {
    let (noted, other) = (format!("{}\n", oid(2)), format!("{}\n", oid(8)));
    // What was noted, what the lock holds, and what comes of turns. git's own lock is empty first and holds the new
    // value then, and without a turn there is no telling whether a writer of ours is gone.
    let cases = [
        (None, "", Turns::Taken),
        (None, &*other, Turns::Taken),
        (Some(&*noted), "", Turns::Taken),
        (Some(&*noted), &*other, Turns::Taken),
        (Some(""), "", Turns::Taken),
        (Some(&*noted), &*noted, Turns::Off),
    ];
    // Each waits for two seconds; together they do.
    thread::scope(|scope| {
        for (noted, held, turns) in cases {
            scope.spawn(move || {
                let f = Fixture::with(&oid(1));
                f.leave_lock(noted, held, true);
                let result = f.swap_watched(turns, Some(&oid(1)), &oid(3), |_| {});
                let Err(RefError::Locked { lock, age }) = result else { panic!("{noted:?} {held:?}: {result:?}") };
                assert!(lock.ends_with("refs/aio/state.lock") && age >= Duration::from_secs(3_600), "{lock:?} {age:?}");
                assert_eq!(fs::read_to_string(f.lock()).expect("it is there"), held);
                assert_eq!(f.read(), Some(oid(1)));
            });
        }
    });
}

/// The rename was made and the note is there still: the file that it names is now the ref.
#[test]
fn a_writer_killed_after_the_rename_has_written() {
    let f = Fixture::with(&oid(1));
    fs::hard_link(f.loose(), f.note()).expect("linked");
    assert!(is_moved(&f.swap(Some(&oid(7)), &oid(2))));
    assert_eq!(f.read(), Some(oid(1)), "the note was removed and not written over");
    f.swap(Some(&oid(1)), &oid(2)).expect("moved");
    assert_eq!(f.read(), Some(oid(2)));
    f.assert_tidy();
}

/// The log has its line and the ref has not moved: the value that was to be is in the log and nowhere else.
#[test]
fn a_writer_killed_before_the_rename_has_not_written() {
    let f = Fixture::with(&oid(1));
    let left = format!("{}\n", oid(2));
    append_log(&f.git("logs").join(NAME), Some(&oid(1)), &oid(2), &line(), Sharing::default()).expect("logged");
    f.leave_lock(Some(&left), &left, true);
    assert_eq!(f.read(), Some(oid(1)));
    f.swap(Some(&oid(1)), &oid(3)).expect("moved");
    assert_eq!((f.read(), f.logged()), (Some(oid(3)), vec![oid(1), oid(2), oid(3)]));
}

#[test]
fn an_empty_folder_where_the_ref_belongs_gives_way_and_a_full_one_does_not() {
    let f = Fixture::new();
    fs::create_dir_all(f.loose().join("deep/er")).expect("a folder");
    assert_eq!(f.read(), None);
    f.swap(None, &oid(1)).expect("created");
    assert_eq!(f.read(), Some(oid(1)));

    let f = Fixture::new();
    fs::create_dir_all(f.loose()).expect("a folder");
    f.pack(&oid(1));
    assert_eq!(f.read(), Some(oid(1)), "git looks past the folder, too");
    fs::write(f.loose().join("theirs"), "x").expect("written");
    let result = f.swap(Some(&oid(1)), &oid(2));
    assert!(matches!(&result, Err(RefError::Failed { verb: "written", .. })), "{result:?}");
    assert!(f.loose().join("theirs").exists());
    assert_eq!(f.read(), Some(oid(1)));
    f.assert_tidy();
}

#[test]
fn what_can_not_be_read_is_replaced_by_a_repair_alone() {
    let f = Fixture::with(&oid(1));
    let repository = f.open(Turns::Off);
    let refs = FileRefs::new(&repository, false, |_| {});
    assert!(is_moved(&refs.replace_unreadable(NAME, &oid(2), &line()).map(drop)), "it can be read");
    f.put(&f.loose(), "\0\0\0\0");
    let result = f.swap(Some(&oid(1)), &oid(2));
    assert!(matches!(&result, Err(RefError::Failed { verb: "read", .. })), "{result:?}");
    refs.replace_unreadable(NAME, &oid(2), &line()).expect("mended");
    assert_eq!(f.read(), Some(oid(2)));
    f.assert_tidy();
}

/// A run has one driver, so that nobody has to wait for a turn to know that the one before is gone.
#[test]
fn a_lock_that_the_driver_of_a_run_left_is_taken_away_by_the_next() {
    let f = Fixture::new();
    let repository = f.open(Turns::Off);
    let refs = FileRefs::new(&repository, false, |_| {});
    for (name, note) in [
        ("refs/aio/runs/x-1-ab", "aio/writing.x-1-ab.run"),
        ("refs/aio-local/runs/x-1-ab", "aio/writing.x-1-ab.private"),
    ] {
        refs.compare_and_swap(name, None, &oid(1), &line()).expect("created");
        let (note, lock) = (f.git(note), f.git(&format!("{name}.lock")));
        assert!(!note.exists() && !lock.exists());
        let left = format!("{}\n", oid(2));
        f.put(&note, &left);
        f.put(&lock, &left);
        refs.compare_and_swap(name, Some(&oid(1)), &oid(3), &line()).expect("moved");
        assert!(!note.exists() && !lock.exists() && refs.read(name).expect("readable") == Some(oid(3)));
        // One that nobody noted is somebody else's.
        f.put(&lock, &left);
        let moved = refs.compare_and_swap(name, Some(&oid(3)), &oid(4), &line());
        assert!(matches!(moved, Err(RefError::Locked { .. })) && lock.exists());
    }
}
