use super::*;
use crate::host::{env::Env, scratch::Scratch, world::SystemClock};
use notify::{
    Config, ErrorKind, EventHandler, RecursiveMode, WatcherKind,
    event::{CreateKind, Event, Flag},
};
use std::{ffi::OsStr, fs, os::unix::ffi::OsStrExt as _};

const QUIET: Duration = Duration::from_millis(40);

fn scratch() -> Scratch {
    let scratch = Scratch::new();
    scratch.write(".gitignore", "target/\n*.log\n");
    scratch.write("src/a.rs", "a");
    scratch.write("src/gone.rs", "gone");
    scratch.write("docs/old/page.md", "page");
    scratch.write("kept.log", "kept");
    scratch.write("target/build", "build");
    scratch.git.run(["add", "-f", "kept.log"]).expect("added");
    scratch.commit("begin");
    scratch
}

fn begin(scratch: &Scratch) -> Watcher {
    Watcher::begin(scratch.git.dir(), scratch.git.clone(), SystemClock::new(&Env::default()), |_| true)
        .expect("watched")
}

/// All that is heard of up to a last change that is made now.
fn heard(scratch: &Scratch, watcher: &Watcher) -> Vec<String> {
    scratch.write("the end", &format!("{:?}", Instant::now()));
    let mut paths = Vec::new();
    while !paths.contains(&"the end".to_owned()) {
        let changes = watcher.changes(QUIET, &|| false).expect("told").expect("not over");
        assert!(!changes.is_incomplete);
        paths.extend(changes.paths.keys().map(ToString::to_string));
    }
    paths.retain(|path| path != "the end");
    paths.sort();
    paths.dedup();
    paths
}

#[test]
fn what_git_ignores_and_what_is_gits_own_is_no_change() {
    let scratch = scratch();
    fs::create_dir(scratch.path("inner")).expect("a folder");
    Git::at(scratch.path("inner")).run(["init", "-q"]).expect("another repository");
    let watcher = begin(&scratch);
    scratch.write("src/a.rs", "b");
    fs::remove_file(scratch.path("src/gone.rs")).expect("removed");
    scratch.write("target/build", "again");
    scratch.write("target/deep/er", "x");
    scratch.write("src/x.log", "x");
    scratch.write("kept.log", "git knows it all the same");
    scratch.write("inner/file", "x");
    scratch.write(".git/config.lock", "x");
    scratch.git.run(["status", "--short"]).expect("looked at");
    fs::read(scratch.path("docs/old/page.md")).expect("read");
    assert_eq!(heard(&scratch, &watcher), ["kept.log", "src/a.rs", "src/gone.rs"]);
}

#[test]
fn folders_that_come_and_go_are_followed() {
    let scratch = scratch();
    let watcher = begin(&scratch);
    scratch.write("new/deep/file", "x");
    assert_eq!(heard(&scratch, &watcher), ["new/deep/file"]);
    scratch.write("new/deep/file", "y");
    scratch.write("new/target/file", "x");
    assert_eq!(heard(&scratch, &watcher), ["new/deep/file"], "a folder that is ignored by its name");
    fs::rename(scratch.path("docs"), scratch.path("manual")).expect("renamed");
    assert_eq!(heard(&scratch, &watcher), ["docs", "manual/old/page.md"]);
    scratch.write("manual/old/page.md", "another");
    assert_eq!(heard(&scratch, &watcher), ["manual/old/page.md"]);
    fs::remove_dir_all(scratch.path("new")).expect("removed");
    scratch.write("new/deep/other", "x");
    let paths = heard(&scratch, &watcher);
    assert!(paths.contains(&"new/deep/other".to_owned()) && paths.contains(&"new/deep/file".to_owned()), "{paths:?}");
    scratch.write("new/deep/other", "y");
    assert_eq!(heard(&scratch, &watcher), ["new/deep/other"]);
}

#[test]
fn what_came_and_went_is_nothing_and_any_name_is_one() {
    let scratch = scratch();
    let watcher = begin(&scratch);
    scratch.write("src/4913", "");
    fs::remove_file(scratch.path("src/4913")).expect("removed");
    scratch.write("src/.a.swp", "new");
    fs::rename(scratch.path("src/.a.swp"), scratch.path("src/a.rs")).expect("put in place");
    scratch.write("a\nb", "x");
    scratch.write(":(top)x", "x");
    scratch.write("-x", "x");
    fs::write(scratch.git.dir().join(OsStr::from_bytes(b"\xff\"")), "x").expect("written");
    std::os::unix::fs::symlink("/nowhere", scratch.path("link")).expect("a link");
    assert_eq!(heard(&scratch, &watcher), ["%FF\"", "-x", ":(top)x", "a\nb", "link", "src/a.rs"]);
}

#[test]
fn what_is_written_anew_as_it_was_is_no_change() {
    let scratch = scratch();
    let watcher = begin(&scratch);
    for (text, is_change) in [("b", true), ("b", false), ("c", true), ("b", true)] {
        scratch.write("src/a.rs", text);
        assert_eq!(heard(&scratch, &watcher).len(), usize::from(is_change), "{text}");
    }
    fs::remove_file(scratch.path("src/a.rs")).expect("removed");
    assert_eq!(heard(&scratch, &watcher), ["src/a.rs"]);
}

#[test]
fn a_linked_work_tree_is_watched_by_itself() {
    let scratch = scratch();
    let linked = scratch.outside().join("linked");
    scratch.git.run(["worktree".as_ref(), "add".as_ref(), "-q".as_ref(), linked.as_os_str()]).expect("added");
    let git = scratch.git.clone().in_dir(&linked);
    let watcher = Watcher::begin(&linked, git, SystemClock::new(&Env::default()), |_| true).expect("watched");
    scratch.write("src/a.rs", "there");
    fs::create_dir(linked.join("target")).expect("a folder");
    fs::write(linked.join("target/x"), "ignored").expect("written");
    fs::write(linked.join("src/a.rs"), "here").expect("written");
    let changes = watcher.changes(QUIET, &|| false).expect("told").expect("not over");
    assert_eq!(changes.paths.keys().map(ToString::to_string).collect::<Vec<_>>(), ["src/a.rs"]);
}

#[test]
fn whoever_waits_can_be_called_off_and_a_tree_that_is_gone_is_told() {
    let scratch = scratch();
    let watcher = begin(&scratch);
    assert!(watcher.changes(QUIET, &|| true).expect("told").is_none());
    fs::rename(scratch.git.dir(), scratch.outside().join("elsewhere")).expect("moved");
    let long = Duration::from_secs(3600);
    assert!(matches!(watcher.changes(long, &|| false), Err(WatchError::Gone)));
}

#[test]
fn where_git_can_not_tell_what_it_ignores_nothing_is_lost_and_that_is_told() {
    let scratch = scratch();
    std::os::unix::fs::symlink("src", scratch.path("link")).expect("a link");
    let watcher = begin(&scratch);
    let index = fs::read(scratch.path(".git/index")).expect("an index");
    fs::write(scratch.path(".git/index"), "damaged").expect("written");
    let mut paths = BTreeMap::new();
    for name in ["src/a.rs", "new/file", "src/x.log", "docs/x", "the end"] {
        scratch.write(name, "changed");
    }
    while !paths.keys().any(|path: &RepoPath| path.as_bytes() == b"the end") {
        let mut changes = watcher.changes(QUIET, &|| false).expect("told").expect("not over");
        assert!(changes.unsorted.is_some_and(|why| why.contains("index")) && !changes.is_incomplete);
        paths.append(&mut changes.paths);
    }
    let paths: Vec<String> = paths.keys().map(ToString::to_string).collect();
    assert_eq!(paths, ["docs/x", "new/file", "src/a.rs", "src/x.log", "the end"]);
    fs::write(scratch.path(".git/index"), index).expect("put back");
    scratch.write("new/file", "again");
    scratch.write("src/x.log", "again");
    let changes = watcher.changes(QUIET, &|| false).expect("told").expect("not over");
    assert_eq!(changes.paths.keys().map(ToString::to_string).collect::<Vec<_>>(), ["new/file"]);
    assert!(changes.unsorted.is_none());
    let odd = ["link/a.rs", "src/x.log", "src/a.rs"].map(|path| RepoPath::from_bytes(path.as_bytes()).expect("a path"));
    let found = ignored(&scratch.git, &odd.iter().collect::<Vec<_>>()).expect("git works");
    assert!(found.len() == 2 && !found.contains(&b"src/a.rs"[..]), "{found:?}");
}

fn docs() -> RepoPath {
    RepoPath::from_bytes(b"docs").expect("a path")
}

/// A system that watches so many folders and no more.
#[derive(Debug)]
struct Few(usize);

impl notify::Watcher for Few {
    fn new<F: EventHandler>(_: F, _: Config) -> notify::Result<Few> {
        Ok(Few(0))
    }

    fn watch(&mut self, _: &Path, _: RecursiveMode) -> notify::Result<()> {
        self.0 = self.0.checked_sub(1).ok_or(notify::Error::new(ErrorKind::MaxFilesWatch))?;
        Ok(())
    }

    fn unwatch(&mut self, _: &Path) -> notify::Result<()> {
        Ok(())
    }

    fn kind() -> WatcherKind {
        WatcherKind::NullWatcher
    }
}

#[test]
fn what_the_system_can_not_watch_or_has_lost_is_told() {
    let scratch = scratch();
    let root = scratch.git.dir().canonicalize().expect("there");
    let folders =
        |most| Folders::new(Few(most), root.clone(), scratch.git.clone(), Box::new(|folder| *folder != docs()));
    assert!(matches!(folders(1).add_all(), Err(WatchError::TooMany(_))));
    let now = SystemClock::new(&Env::default()).now();
    let mut pump = Pump { folders: folders(3), heard: Arc::default(), root: root.clone() };
    pump.folders.add_all().expect("the root and src");
    assert_eq!(pump.folders.len(), 2);
    let lost = |pump: &Pump<Few>| std::mem::take(&mut pump.heard.pending().changes).is_incomplete;
    assert!(!lost(&pump));
    pump.take(&Event::new(EventKind::Other).set_flag(Flag::Rescan), now);
    assert!(lost(&pump));
    for (folder, is_lost) in [("one", false), ("two", true)] {
        fs::create_dir(root.join(folder)).expect("a folder");
        pump.take(&Event::new(EventKind::Create(CreateKind::Folder)).add_path(root.join(folder)), now);
        assert_eq!(lost(&pump), is_lost, "{folder}");
    }
    for n in 0..=MOST {
        pump.heard.add(RepoPath::from_bytes(format!("f{n}").as_bytes()).expect("a path"), now, false);
    }
    assert!(pump.heard.pending().changes.paths.len() == MOST && lost(&pump));
}
