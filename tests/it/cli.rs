//! What holds for every command, whatever it does.

use crate::env::{TestEnvironment, run};

#[test]
fn a_clock_whose_times_nobody_could_read_is_told_once_and_nothing_is_written() {
    let env = TestEnvironment::new();
    let repo = env.repo();
    let me = repo.register("claude");
    let before = repo.operations();
    for (now, shown) in [("1965-03-01T12:00:00Z", "1965-03-01 12:00"), ("+12000-01-01T00:00:00Z", "+12000-01-01 00:00")]
    {
        for args in [&["claim", "src/main.rs"][..], &["status"], &["tasks", "new", "x"], &["heartbeat"], &["init"]] {
            let ended = repo.aio_at(now, &me, args);
            let told = format!("error: the clock of this machine says {shown}; ");
            assert!(ended.code == 1 && ended.stderr.starts_with(&told), "{args:?} {ended:?}");
            assert_eq!(ended.stderr.lines().count(), 1, "{ended:?}");
        }
        let json = repo.aio_at(now, &me, &["status", "--json"]);
        let answer: serde_json::Value = serde_json::from_str(&json.stdout).unwrap();
        assert_eq!(answer["error"]["kind"], "failed");
    }
    assert_eq!(repo.operations(), before);
    assert_eq!(run(repo.command(&["claim", "src/main.rs"]).env("AIO_INSTANCE", &me)).code, 0);
}

#[test]
fn a_folder_for_manual_pages_that_is_not_there_is_named() {
    let env = TestEnvironment::new();
    let repo = env.repo();
    let ended = repo.aio(&["man", "--into", "no/such/folder"]);
    assert!(ended.code == 2 && ended.stderr.contains("no/such/folder is no folder"), "{ended:?}");
}
