//! The log of a run: all that was printed, but for the middle where that is much.

use std::{
    fs::{File, OpenOptions},
    io::{self, Read, Seek, SeekFrom, Write},
    path::Path,
};

/// Bytes of a run that are kept of its beginning.
const HEAD: u64 = 1024 * 1024;

/// Bytes that are kept of its end: so many at most, and half of them when some had to go.
const TAIL: u64 = 1024 * 1024;

/// What stands in the place of what had to go.
const GAP: &[u8] = b"\n[... the middle is left out ...]\n";

/// A file that a run is logged into. What was in it stays, and it grows by 2 MiB and a line at most. What is read of it
/// while the run goes on is what was printed till then.
#[derive(Debug)]
pub(super) struct Log {
    file: File,
    /// Where this run begins, and how much of it is there.
    start: u64,
    length: u64,
    has_gap: bool,
}

impl Log {
    /// Opens it at its end. Only its owner may read one that is new: an agent may print anything.
    pub(super) fn open(path: &Path) -> io::Result<Log> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = crate::disk::open(path, &mut options)?;
        let start = file.seek(SeekFrom::End(0))?;
        Ok(Log { file, start, length: 0, has_gap: false })
    }

    /// Adds what was printed. A disk that is full is no reason to end a run.
    pub(super) fn add(&mut self, bytes: &[u8]) {
        let _ = self.try_add(bytes);
    }

    fn try_add(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.length + bytes.len() as u64 > HEAD + TAIL {
            self.cut()?;
        }
        self.file.write_all(bytes)?;
        self.length += bytes.len() as u64;
        Ok(())
    }

    /// Takes the middle out.
    fn cut(&mut self) -> io::Result<()> {
        let mut tail = Vec::new();
        let kept = self.length.min(TAIL / 2);
        self.file.seek(SeekFrom::Start(self.start + self.length - kept))?;
        self.file.read_to_end(&mut tail)?;
        self.file.seek(SeekFrom::Start(self.start + HEAD))?;
        self.file.write_all(GAP)?;
        self.file.write_all(&tail)?;
        self.length = HEAD + (GAP.len() + tail.len()) as u64;
        self.has_gap = true;
        self.file.set_len(self.start + self.length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn the_beginning_and_the_end_are_kept_and_what_was_there_before() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("log");
        fs::write(&path, "before\n").expect("written");
        let mut log = Log::open(&path).expect("opened");
        log.add(b"first\n");
        for _ in 0..1000 {
            log.add(&[b'x'; 16 * 1024]);
        }
        log.add(b"last\n");
        let text = fs::read_to_string(&path).expect("text");
        assert!(text.starts_with("before\nfirst\nxxx") && text.ends_with("xlast\n"));
        assert_eq!(text.matches("the middle is left out").count(), 1);
        let most = HEAD + TAIL + GAP.len() as u64;
        assert!((text.len() as u64) <= most && text.len() as u64 > HEAD + TAIL / 2, "{}", text.len());
    }

    #[test]
    fn a_second_run_is_added() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("log");
        for run in ["one\n", "two\n"] {
            Log::open(&path).expect("opened").add(run.as_bytes());
        }
        assert_eq!(fs::read_to_string(&path).expect("text"), "one\ntwo\n");
    }
}
