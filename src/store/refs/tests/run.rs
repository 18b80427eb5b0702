//! Refs of runs.

use super::*;

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
