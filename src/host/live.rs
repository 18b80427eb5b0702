//! Liveness of the instances of this clone: one file for each in `<git-common-dir>/aio/live`, outside git's objects.
//!
//! The file names the process that the instance lives with; its modification time is the heartbeat, set from our clock.
//! It is written whole or not at all. What a silence means is not decided here. Nothing is flushed to the disk: after a
//! power cut every process is gone anyway.

use crate::{
    base::{
        id::{CloneId, InstanceId},
        process::ProcessMark,
        world::{Entropy, Time},
    },
    disk::{self, Sharing},
};
use serde::{Deserialize, Serialize};
use std::{
    fmt::Display,
    fs::{self, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
    time::SystemTime,
};

/// The largest liveness file that is read, in bytes. One of ours has a few hundred.
const MAX_FILE: usize = 64 * 1024;

/// What is known of an instance of this clone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Live {
    /// The process it lives with, where it is known.
    pub process: Option<ProcessMark>,
    /// Whether that process is a known agent CLI, so that its end is the end of the instance.
    pub agent: bool,
    /// The session of the agent, or the person, as [`session_digest`](super::env::session_digest) makes it.
    pub session: Option<String>,
    /// When it was registered.
    pub registered: Time,
    /// When it ended, if it did in an orderly way.
    pub ended: Option<Time>,
}

/// A liveness file, and when its instance last gave a sign of life.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// What the file says.
    pub live: Live,
    /// The last heartbeat.
    pub last_seen: Time,
}

/// Every liveness file of the clone.
#[derive(Debug, Default)]
pub struct Census {
    /// Those that can be read, by id.
    pub instances: Vec<(InstanceId, Seen)>,
    /// The names of those that can't.
    pub damaged: Vec<String>,
}

/// The folder of liveness files.
#[derive(Debug, Clone)]
pub struct LiveDir {
    dir: PathBuf,
    sharing: Sharing,
}

impl LiveDir {
    /// The folder of the clone whose common git directory is `common_dir`, which is shared by `sharing`. It is made when
    /// first written to.
    pub fn new(common_dir: &Path, sharing: Sharing) -> LiveDir {
        LiveDir { dir: common_dir.join("aio").join("live"), sharing }
    }

    /// Writes what is known of an instance, which counts as a heartbeat.
    pub fn write(&self, id: &InstanceId, live: &Live, now: Time) -> io::Result<()> {
        self.prepare(live, now)?.persist(self.path(id))?;
        Ok(())
    }

    /// Writes what is known of an instance that is new here; `false` if there is one of that id already. Of several
    /// that draw the same id at once, one gets it.
    pub fn create(&self, id: &InstanceId, live: &Live, now: Time) -> io::Result<bool> {
        match self.prepare(live, now)?.persist_noclobber(self.path(id)) {
            Ok(_) => Ok(true),
            Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
            Err(error) => Err(error.error),
        }
    }

    fn prepare(&self, live: &Live, now: Time) -> io::Result<tempfile::NamedTempFile> {
        self.sharing.make_folders(&self.dir)?;
        let mut file = readable().prefix(".new-").tempfile_in(&self.dir)?;
        let mut text = serde_json::to_vec(&wire::File::from(live))?;
        text.push(b'\n');
        file.write_all(&text)?;
        self.sharing.share(file.as_file())?;
        file.as_file().set_modified(SystemTime::from(now))?;
        Ok(file)
    }

    /// Reads an instance, or `None` where there is none of this id here.
    pub fn read(&self, id: &InstanceId) -> io::Result<Option<Seen>> {
        match read(&self.path(id)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            result => result.map(Some),
        }
    }

    /// Records a sign of life. An instance that isn't registered here has none: that is an error.
    pub fn beat(&self, id: &InstanceId, now: Time) -> io::Result<()> {
        disk::open(&self.path(id), OpenOptions::new().write(true))?.set_modified(SystemTime::from(now))
    }

    /// All instances, sorted by id.
    pub fn all(&self) -> io::Result<Census> {
        let mut census = Census::default();
        let entries = match fs::read_dir(&self.dir) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(census),
            entries => entries?,
        };
        for entry in entries {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if name.starts_with('.') {
                continue;
            }
            match (name.parse(), read(&entry.path())) {
                (Ok(id), Ok(seen)) => census.instances.push((id, seen)),
                (_, Err(error)) if error.kind() == io::ErrorKind::NotFound => {} // removed as we looked
                _ => census.damaged.push(name),
            }
        }
        census.instances.sort_by(|(a, _), (b, _)| a.cmp(b));
        census.damaged.sort();
        Ok(census)
    }

    /// Forgets an instance, if it is known.
    pub fn remove(&self, id: &InstanceId) -> io::Result<()> {
        match fs::remove_file(self.path(id)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            result => result,
        }
    }

    fn path(&self, id: &InstanceId) -> PathBuf {
        self.dir.join(id.as_str())
    }
}

fn read(path: &Path) -> io::Result<Seen> {
    let file = disk::open_to_read(path)?;
    let last_seen = file.metadata()?.modified()?.into();
    let file: wire::File = serde_json::from_slice(&disk::read_from(&file, MAX_FILE)?)?;
    match file.v {
        wire::VERSION => Ok(Seen { live: file.try_into().map_err(invalid)?, last_seen }),
        other => Err(invalid(format!("version {other} is not known"))),
    }
}

fn invalid(reason: impl Display) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, reason.to_string())
}

/// Files that others may read as far as the umask lets them: there is nothing secret in these.
fn readable() -> tempfile::Builder<'static, 'static> {
    let mut builder = tempfile::Builder::new();
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o644));
    builder
}

/// The file that holds the id of the clone.
fn clone_file(common_dir: &Path) -> PathBuf {
    common_dir.join("aio").join("clone")
}

/// The id of this clone. Where there is none yet it becomes what is `remembered`, or a new one is made. Of several who
/// ask at once all get the same one.
///
/// What is there and is no id is not replaced: all who are registered here would count as of another clone from then
/// on, and nobody would ever find them gone. Whether that is better is for a person to say.
pub fn clone_id(
    common_dir: &Path,
    sharing: Sharing,
    remembered: impl FnOnce() -> Option<CloneId>,
    entropy: &impl Entropy,
) -> io::Result<CloneId> {
    if let Some(id) = known_clone_id(common_dir)? {
        return Ok(id);
    }
    let id = remembered().unwrap_or_else(|| CloneId::random(entropy.bytes()));
    let path = clone_file(common_dir);
    let dir = path.parent().unwrap_or(common_dir);
    sharing.make_folders(dir)?;
    let mut file = readable().prefix(".clone-").tempfile_in(dir)?;
    writeln!(file, "{id}")?;
    sharing.share(file.as_file())?;
    // Flushed, because others will know us by it for ever.
    file.as_file().sync_all()?;
    match file.persist_noclobber(&path) {
        Err(error) if error.error.kind() != io::ErrorKind::AlreadyExists => return Err(error.error),
        _ => {}
    }
    known_clone_id(common_dir)?.ok_or_else(|| io::ErrorKind::NotFound.into())
}

/// The id of this clone, if it has one.
pub fn known_clone_id(common_dir: &Path) -> io::Result<Option<CloneId>> {
    let path = clone_file(common_dir);
    let read = disk::read(&path, MAX_FILE).and_then(|bytes| {
        let text = String::from_utf8_lossy(&bytes);
        text.trim().parse().map_err(|_| invalid("it holds no id"))
    });
    match read {
        Ok(id) => Ok(Some(id)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(io::Error::new(
            error.kind(),
            format!("{}: {error}; with it removed this clone gets a new id", path.display()),
        )),
    }
}

/// The form of the file. Fields that are not known are passed over.
mod wire {
    use super::{Deserialize, Live, ProcessMark, Serialize, Time};

    pub(super) const VERSION: u32 = 1;

    #[derive(Serialize, Deserialize)]
    pub(super) struct File {
        pub(super) v: u32,
        #[serde(skip_serializing_if = "Option::is_none")]
        process: Option<Process>,
        #[serde(default)]
        agent: bool,
        #[serde(skip_serializing_if = "Option::is_none")]
        session: Option<String>,
        registered: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        ended: Option<String>,
    }

    #[derive(Serialize, Deserialize)]
    struct Process {
        pid: u32,
        start: String,
        boot: String,
        namespace: String,
    }

    impl From<&Live> for File {
        fn from(live: &Live) -> File {
            File {
                v: VERSION,
                process: live.process.clone().map(|mark| {
                    let ProcessMark { pid, start, boot, namespace } = mark;
                    Process { pid, start, boot, namespace }
                }),
                agent: live.agent,
                session: live.session.clone(),
                registered: live.registered.to_rfc3339(),
                ended: live.ended.map(|time| time.to_rfc3339()),
            }
        }
    }

    impl TryFrom<File> for Live {
        type Error = <Time as std::str::FromStr>::Err;

        fn try_from(file: File) -> Result<Live, Self::Error> {
            Ok(Live {
                process: file.process.map(|process| {
                    let Process { pid, start, boot, namespace } = process;
                    ProcessMark { pid, start, boot, namespace }
                }),
                agent: file.agent,
                session: file.session,
                registered: file.registered.parse()?,
                ended: file.ended.map(|time| time.parse()).transpose()?,
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::world::SystemEntropy;
    use std::{collections::BTreeSet, thread};

    fn at(time: &str) -> Time {
        time.parse().expect("a time")
    }

    fn live() -> Live {
        let mark = ProcessMark { pid: 7, start: "118913".into(), boot: "b".into(), namespace: "n 2".into() };
        Live {
            process: Some(mark),
            agent: true,
            session: Some("claude:0123456789abcdef".into()),
            registered: at("2024-02-05T00:00:00.25Z"),
            ended: None,
        }
    }

    fn id(text: &str) -> InstanceId {
        text.parse().expect("an instance id")
    }

    #[test]
    fn what_is_written_is_read_and_a_beat_is_the_time_of_the_file() {
        let root = tempfile::tempdir().expect("a folder");
        let (dir, id) = (LiveDir::new(root.path(), Sharing::Umask), id("claude-1707084123-a3f2"));
        assert_eq!(dir.read(&id).expect("read"), None);
        assert_eq!(dir.beat(&id, at("2024-02-05T00:00:00Z")).map_err(|e| e.kind()), Err(io::ErrorKind::NotFound));
        let registered = at("2024-02-05T00:00:00Z");
        dir.write(&id, &live(), registered).expect("written");
        assert_eq!(dir.read(&id).expect("read"), Some(Seen { live: live(), last_seen: registered }));
        let later = at("2024-02-05T00:07:00Z");
        dir.beat(&id, later).expect("beat");
        assert_eq!(dir.read(&id).expect("read").map(|seen| seen.last_seen), Some(later));
        let ended = Live { ended: Some(later), process: None, session: None, ..live() };
        dir.write(&id, &ended, later).expect("written again");
        assert_eq!(dir.read(&id).expect("read").map(|seen| seen.live), Some(ended));
        dir.remove(&id).expect("removed");
        dir.remove(&id).expect("removed twice");
        assert_eq!(dir.read(&id).expect("read"), None);
    }

    #[test]
    fn one_damaged_file_hides_no_other() {
        let root = tempfile::tempdir().expect("a folder");
        let dir = LiveDir::new(root.path(), Sharing::Umask);
        assert!(dir.all().expect("none yet").instances.is_empty());
        let now = at("2024-02-05T00:00:00Z");
        for name in ["codex-1707084123-b1b1", "amp-1707084123-a3f2"] {
            dir.write(&id(name), &live(), now).expect("written");
        }
        let tolerated = r#"{"v":1,"registered":"2024-02-05T00:00:00Z","colour":"red"}"#;
        for (name, content) in [
            ("gemini-1-0001", ""),
            ("gemini-1-0002", r#"{"v":2,"registered":"2024-02-05T00:00:00Z"}"#),
            ("gemini-1-0003", tolerated),
            ("no id", tolerated),
            (".new-x", "half"),
        ] {
            fs::write(dir.dir.join(name), content).expect("written");
        }
        let census = dir.all().expect("read");
        let ids: Vec<&str> = census.instances.iter().map(|(id, _)| id.as_str()).collect();
        assert_eq!(ids, ["amp-1707084123-a3f2", "codex-1707084123-b1b1", "gemini-1-0003"]);
        assert_eq!(census.damaged, ["gemini-1-0001", "gemini-1-0002", "no id"]);
    }

    #[test]
    fn all_who_ask_at_once_get_one_clone_id() {
        let root = tempfile::tempdir().expect("a folder");
        let ids: BTreeSet<CloneId> = thread::scope(|scope| {
            let ask = || clone_id(root.path(), Sharing::Umask, || None, &SystemEntropy::default()).expect("an id");
            let askers: Vec<_> = (0..8).map(|_| scope.spawn(ask)).collect();
            askers.into_iter().map(|asker| asker.join().expect("no panic")).collect()
        });
        assert_eq!(ids.len(), 1);
        assert_eq!(fs::read_dir(root.path().join("aio")).expect("a folder").count(), 1, "nothing is left behind");
    }

    #[test]
    fn a_damaged_clone_id_is_told_and_not_replaced() {
        let root = tempfile::tempdir().expect("a folder");
        fs::create_dir(root.path().join("aio")).expect("a folder");
        let path = clone_file(root.path());
        for junk in [&b""[..], b"no id\n", b"\xff", &[b'a'; 2 * MAX_FILE]] {
            fs::write(&path, junk).expect("written");
            let error = clone_id(root.path(), Sharing::Umask, || None, &SystemEntropy::default()).expect_err("no id");
            assert!(error.to_string().contains("aio/clone: it "), "{error}");
            assert_eq!(fs::read(&path).expect("there"), junk);
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_pipe_in_the_place_of_a_file_is_not_waited_for() {
        let root = tempfile::tempdir().expect("a folder");
        let (dir, id) = (LiveDir::new(root.path(), Sharing::Umask), id("claude-1707084123-a3f2"));
        fs::create_dir_all(&dir.dir).expect("a folder");
        for path in [dir.path(&id), clone_file(root.path())] {
            rustix::fs::mkfifoat(rustix::fs::CWD, &path, rustix::fs::Mode::RWXU).expect("a pipe");
        }
        assert!(dir.read(&id).is_err());
        assert!(dir.beat(&id, at("2024-02-05T00:00:00Z")).is_err());
        assert_eq!(dir.all().expect("read").damaged, [id.as_str()]);
        assert!(clone_id(root.path(), Sharing::Umask, || None, &SystemEntropy::default()).is_err());
    }
}
