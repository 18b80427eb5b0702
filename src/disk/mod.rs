//! Files of ours in the git directory: made as git would make them, and read only if they are what they should be.
//!
//! Both `store` and `host` keep files there, and the two never see each other. What they have in common stands here, so
//! that there is one answer to who may read a file of ours and to what happens where somebody has put something else.

mod sharing;

pub use sharing::Sharing;

use std::{
    fs::{File, OpenOptions},
    io::{self, ErrorKind, Read},
    path::Path,
};

/// How many bytes a file of ours seldom has more than.
const USUAL: usize = 1024;

/// What is in the file at `path`, which has at most `limit` bytes.
///
/// # Errors
/// As for [`open`], and [`ErrorKind::FileTooLarge`] where there is more.
pub fn read(path: &Path, limit: usize) -> io::Result<Vec<u8>> {
    read_from(&open_to_read(path)?, limit)
}

/// Opens a file that is one, to read it. Nothing has to be asked before: what is no file can be opened, too, and shows
/// then what it is.
///
/// # Errors
/// As for [`open`].
pub fn open_to_read(path: &Path) -> io::Result<File> {
    match open_without_waiting(path, OpenOptions::new().read(true)) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            path.metadata().map_or(Ok(()), |meta| check_kind(&meta))?;
            Err(error)
        }
        opened => opened,
    }
}

/// What is in `file` from where it stands, at most `limit` bytes of it.
///
/// # Errors
/// [`ErrorKind::FileTooLarge`] where there is more.
pub fn read_from(file: &File, limit: usize) -> io::Result<Vec<u8>> {
    // Room for most of ours, so that they come in one piece.
    let mut bytes = Vec::with_capacity(limit.min(USUAL));
    // Not by the size it has now: somebody may be writing to it.
    file.take(limit as u64 + 1).read_to_end(&mut bytes)?;
    if bytes.len() > limit {
        return Err(io::Error::new(ErrorKind::FileTooLarge, format!("it has more than {limit} bytes")));
    }
    Ok(bytes)
}

/// Opens a file that is one: no pipe, which might be waited for without end, no device, no folder.
///
/// # Errors
/// [`ErrorKind::IsADirectory`] for a folder, [`ErrorKind::InvalidData`] for anything else that is no file.
pub fn open(path: &Path, options: &mut OpenOptions) -> io::Result<File> {
    // A pipe that nobody reads can't even be opened for writing, which says less than that it is a pipe.
    if let Ok(meta) = path.metadata() {
        check_kind(&meta)?;
    }
    open_without_waiting(path, options)
}

fn open_without_waiting(path: &Path, options: &mut OpenOptions) -> io::Result<File> {
    #[cfg(unix)]
    {
        let never_wait = rustix::fs::OFlags::NONBLOCK | rustix::fs::OFlags::NOCTTY;
        std::os::unix::fs::OpenOptionsExt::custom_flags(options, never_wait.bits().cast_signed());
    }
    let file = options.open(path)?;
    check_kind(&file.metadata()?)?;
    Ok(file)
}

fn check_kind(meta: &std::fs::Metadata) -> io::Result<()> {
    match meta.file_type() {
        kind if kind.is_file() => Ok(()),
        kind if kind.is_dir() => Err(ErrorKind::IsADirectory.into()),
        _ => Err(io::Error::new(ErrorKind::InvalidData, "it is no plain file")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn what_is_larger_than_it_should_be_is_not_read() {
        let root = tempfile::tempdir().expect("a folder");
        let path = root.path().join("file");
        fs::write(&path, "12345").expect("written");
        assert_eq!(read(&path, 5).expect("read"), b"12345");
        assert_eq!(read(&path, 4).map_err(|error| error.kind()), Err(ErrorKind::FileTooLarge));
        fs::File::create(&path).expect("made").set_len(1 << 30).expect("a hole");
        assert_eq!(read(&path, 4).map_err(|error| error.kind()), Err(ErrorKind::FileTooLarge));
    }

    #[test]
    fn what_is_no_file_is_neither_read_nor_waited_for() {
        let root = tempfile::tempdir().expect("a folder");
        assert_eq!(read(root.path(), 9).map_err(|error| error.kind()), Err(ErrorKind::IsADirectory));
        let missing = root.path().join("missing");
        assert_eq!(read(&missing, 9).map_err(|error| error.kind()), Err(ErrorKind::NotFound));
        #[cfg(unix)]
        {
            let pipe = root.path().join("pipe");
            rustix::fs::mkfifoat(rustix::fs::CWD, &pipe, rustix::fs::Mode::RWXU).expect("a pipe");
            assert_eq!(read(&pipe, 9).map_err(|error| error.kind()), Err(ErrorKind::InvalidData));
            let opened = open(&pipe, OpenOptions::new().write(true));
            assert_eq!(opened.map(drop).map_err(|error| error.kind()), Err(ErrorKind::InvalidData));
            let device = read(Path::new("/dev/zero"), 9);
            assert_eq!(device.map_err(|error| error.kind()), Err(ErrorKind::InvalidData));
        }
    }
}
