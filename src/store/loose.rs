//! Loose objects, read and written with as few system calls and allocations as that takes.
//!
//! gix can do both, and everything else is left to it: packs, alternates, whatever is not found here. But an operation
//! of ours touches some forty objects of a few hundred bytes, and for each of them gix sets zlib up anew, asks for the
//! size in one reading and for the content in another, and creates the folder first. This was half the time of a claim.
//!
//! Reading believes a size only up to a limit, before anything is inflated.

use crate::disk::Sharing;
use gix::{
    ObjectId,
    objs::Kind,
    zlib::{
        Compression, Inflate, Status,
        stream::deflate::{Compress, FlushCompress},
    },
};
use std::{
    cell::{Cell, RefCell},
    fs::{self, File, OpenOptions},
    io::{self, Read, Write},
    path::{Path, PathBuf},
};

/// Enough for the header of any object and all of most of ours.
const FIRST_PART: usize = 1024;

/// How much of a file is read at first: all of it, where the object fits the first part.
const FIRST_READ: usize = 1536;

/// How often a write is begun whose folder is removed meanwhile.
const TRIES: u32 = 16;

/// The largest object that is written without compressing it: with it, a file is still a block of most disks.
const STORED: usize = 4000;

/// The largest tree that is written so. Most of a tree are names of objects, which nothing compresses, and the folder
/// of the folders of claims is read by whoever meets a claim.
const STORED_TREE: usize = 32 * 1024;

/// Why an object that is there can't be had.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unreadable {
    #[error("{size} bytes; {limit} is the limit")]
    TooLarge { size: u64, limit: usize },
    #[error("{0}")]
    Broken(String),
}

/// The folder of loose objects.
pub(super) struct Loose {
    folder: PathBuf,
    /// Set up once for all objects: these are some tens and some hundreds of kilobytes to clear.
    inflate: RefCell<Option<Inflate>>,
    deflate: RefCell<Option<Compress>>,
    level: Compression,
    sharing: Sharing,
    written: Cell<u32>,
}

impl Loose {
    pub(super) fn new(folder: PathBuf, level: Compression, sharing: Sharing) -> Self {
        let (inflate, deflate) = (RefCell::new(None), RefCell::new(None));
        Loose { folder, inflate, deflate, level, sharing, written: Cell::new(0) }
    }

    /// The same folder, for another thread.
    pub(super) fn another(&self) -> Self {
        Loose::new(self.folder.clone(), self.level, self.sharing)
    }

    /// Where an object is, if it is a loose one.
    pub(super) fn path(&self, id: &ObjectId) -> PathBuf {
        let hex = id.to_string();
        let mut path = PathBuf::with_capacity(self.folder.as_os_str().len() + hex.len() + 2);
        path.push(&self.folder);
        path.push(&hex[..2]);
        path.push(&hex[2..]);
        path
    }

    /// The object `id`, unless it is no loose one. It may have at most `limit` bytes.
    pub(super) fn read(&self, id: &ObjectId, limit: usize) -> Result<Option<(Kind, Vec<u8>)>, Unreadable> {
        let broken = |error: &dyn std::fmt::Display| Unreadable::Broken(error.to_string());
        let mut file = match File::open(self.path(id)) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(broken(&error)),
        };
        // Most objects are in our hands after one reading, and that there is no more need not be asked for.
        let mut packed = vec![0; FIRST_READ];
        let got = read_some(&mut file, &mut packed).map_err(|error| broken(&error))?;
        packed.truncate(got);

        let mut inflate = self.inflate.borrow_mut();
        let inflate = inflate.get_or_insert_with(Inflate::default);
        inflate.reset();
        let mut first = [0; FIRST_PART];
        let (status, read, inflated) = inflate.prefix(&packed, &mut first).map_err(|error| broken(&error))?;
        let first = &first[..inflated];
        let (kind, size, header) = gix::objs::decode::loose_header(first).map_err(|error| broken(&error))?;
        let expected = usize::try_from(size).ok().filter(|size| *size <= limit);
        let expected = expected.ok_or(Unreadable::TooLarge { size, limit })?;
        let bytes = if status == Status::StreamEnd {
            first[header..].to_vec()
        } else if inflated - header > expected {
            Vec::new()
        } else {
            // What zlib can't compress it makes a little longer.
            let longest = (limit + limit / 8 + FIRST_READ) as u64;
            file.take(longest).read_to_end(&mut packed).map_err(|error| broken(&error))?;
            let mut bytes = Vec::with_capacity(expected);
            inflate.rest(&packed[read..], first, header, &mut bytes, expected).map_err(|error| broken(&error))?;
            bytes
        };
        if bytes.len() != expected {
            return Err(broken(&format_args!("it has another size than the {size} bytes it says")));
        }
        Ok(Some((kind, bytes)))
    }

    /// Writes the object `id` to a file that is not yet where it belongs.
    pub(super) fn stage(&self, id: &ObjectId, kind: Kind, bytes: &[u8]) -> io::Result<Staged> {
        let most = if kind == Kind::Tree { STORED_TREE } else { STORED };
        let packed = if bytes.len() <= most { stored(kind, bytes) } else { self.deflated(kind, bytes)? };
        let path = self.path(id);
        let folder = path.parent().unwrap_or(&self.folder);
        let (file, part) = self.create_part(folder)?;
        let mut staged = Staged { file, part: Some(part), path };
        staged.file.write_all(&packed)?;
        self.sharing.share(&staged.file)?;
        Ok(staged)
    }

    /// A new file by a name that git takes for garbage, should it be left behind.
    fn create_part(&self, folder: &Path) -> io::Result<(File, PathBuf)> {
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o444);
        let mut tries_left = TRIES;
        loop {
            let nth = self.written.replace(self.written.get().wrapping_add(1));
            let path = folder.join(format!("tmp_obj_{:x}_{nth:x}", std::process::id()));
            match options.open(&path) {
                // Left behind by a process that had our number, or of one that has it on another machine.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                // Most often it is there, as one of 256; but a gc beside us removes folders as they become empty, so
                // also one just made for this.
                Err(error) if error.kind() == io::ErrorKind::NotFound && tries_left > 0 => {
                    tries_left -= 1;
                    self.sharing.make_folders(folder)?;
                }
                opened => return opened.map(|file| (file, path)),
            }
        }
    }

    fn deflated(&self, kind: Kind, bytes: &[u8]) -> io::Result<Vec<u8>> {
        let whole = with_header(kind, bytes);
        let mut deflate = self.deflate.borrow_mut();
        let deflate = deflate.get_or_insert_with(|| Compress::new(self.level));
        deflate.reset();
        let mut packed = vec![0; whole.len() + whole.len() / 8 + 64];
        loop {
            let (read, written) = (deflate.total_in() as usize, deflate.total_out() as usize);
            let done = deflate.compress(&whole[read..], &mut packed[written..], FlushCompress::Finish);
            if done.map_err(io::Error::other)? == Status::StreamEnd {
                packed.truncate(deflate.total_out() as usize);
                return Ok(packed);
            }
            packed.resize(packed.len() * 2, 0);
        }
    }
}

/// An object that is written but not yet where it is looked for. Dropped, it is gone.
pub(super) struct Staged {
    file: File,
    part: Option<PathBuf>,
    path: PathBuf,
}

impl Staged {
    /// Waits until its content is on the disk.
    pub(super) fn sync(&self) -> io::Result<()> {
        self.file.sync_all()
    }

    /// Puts it where it belongs, whole, and anew if it is there, so that nobody prunes it as an old one. Tells the
    /// folder it is in.
    pub(super) fn publish(mut self) -> io::Result<PathBuf> {
        if let Some(part) = self.part.take() {
            fs::rename(&part, &self.path).inspect_err(|_| drop(fs::remove_file(&part)))?;
        }
        self.path.pop();
        Ok(std::mem::take(&mut self.path))
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        if let Some(part) = &self.part {
            let _ = fs::remove_file(part);
        }
    }
}

fn read_some(file: &mut File, buffer: &mut [u8]) -> io::Result<usize> {
    loop {
        match file.read(buffer) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            read => return read,
        }
    }
}

fn with_header(kind: Kind, bytes: &[u8]) -> Vec<u8> {
    let mut whole = Vec::with_capacity(bytes.len() + 32);
    whole.extend_from_slice(&gix::objs::encode::loose_header(kind, bytes.len() as u64));
    whole.extend_from_slice(bytes);
    whole
}

/// An object as a zlib stream (RFC 1950, 1951) that is not compressed: a single block, stored. Compressing the objects
/// of a claim took longer than all the rest of it, and none would take fewer blocks of the disk; git compresses them
/// when it packs them.
fn stored(kind: Kind, bytes: &[u8]) -> Vec<u8> {
    let whole = with_header(kind, bytes);
    // Neither limit is more than a block can say.
    let length = (whole.len() as u16).to_le_bytes();
    let (mut sum, mut sums) = (1u64, 0u64);
    for byte in &whole {
        sum += u64::from(*byte);
        sums += sum;
    }
    let checksum = (((sums % 65521) << 16) | (sum % 65521)) as u32;
    let mut stream = Vec::with_capacity(whole.len() + 11);
    // Deflate in a window of 32 KiB, as fast as may be; the last block, stored; its length, and that inverted.
    stream.extend_from_slice(&[0x78, 0x01, 0x01, length[0], length[1], !length[0], !length[1]]);
    stream.extend_from_slice(&whole);
    stream.extend_from_slice(&checksum.to_be_bytes());
    stream
}

#[cfg(test)]
mod tests {
    use super::*;

    fn loose() -> (tempfile::TempDir, Loose) {
        let folder = tempfile::tempdir().expect("a folder");
        let loose = Loose::new(folder.path().to_owned(), Compression::BEST_SPEED, Sharing::Umask);
        (folder, loose)
    }

    fn id(kind: Kind, bytes: &[u8]) -> ObjectId {
        gix::objs::compute_hash(gix::hash::Kind::Sha1, kind, bytes).expect("a name")
    }

    fn write(loose: &Loose, kind: Kind, bytes: &[u8]) -> ObjectId {
        let id = id(kind, bytes);
        loose.stage(&id, kind, bytes).expect("written").publish().expect("there");
        id
    }

    #[test]
    fn what_is_written_is_read_by_us_and_by_gix_at_any_size() {
        let (folder, loose) = loose();
        let theirs = gix::odb::loose::Store::at(folder.path(), gix::hash::Kind::Sha1);
        for size in [0, 1, 900, 1000, 1024, STORED, STORED + 1, STORED_TREE, STORED_TREE + 1, 70_000, 300_000] {
            // Hard to compress, and easy.
            let mut seed = 7u32;
            let noise = std::iter::repeat_with(|| {
                seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (seed >> 24) as u8
            });
            let contents = [noise.take(size).collect::<Vec<u8>>(), vec![b'x'; size]];
            for (bytes, kind) in contents.iter().flat_map(|bytes| [(bytes, Kind::Blob), (bytes, Kind::Tree)]) {
                let id = write(&loose, kind, bytes);
                let (found, read) = loose.read(&id, size).expect("readable").expect("there");
                assert!(found == kind && read == *bytes, "a {kind} of {size} bytes");
                let mut buffer = Vec::new();
                let read = theirs.try_find(&id, &mut buffer).expect("readable").expect("there");
                assert!(read.kind == kind && read.data == bytes, "a {kind} of {size} bytes, by gix");
            }
        }
    }

    #[test]
    fn what_is_too_large_broken_or_missing_is_told_apart() {
        let (_folder, loose) = loose();
        for size in [STORED, 100_000] {
            let id = write(&loose, Kind::Blob, &vec![b'x'; size]);
            let error = loose.read(&id, size - 1).expect_err("too large");
            assert!(matches!(error, Unreadable::TooLarge { size: told, .. } if told == size as u64), "{error}");
            let path = loose.path(&id);
            let whole = fs::read(&path).expect("readable");
            fs::remove_file(&path).expect("removed");
            assert!(loose.read(&id, size).expect("no error").is_none());
            for cut in [0, 1, 5, whole.len() / 2] {
                fs::write(&path, &whole[..cut]).expect("written");
                assert!(matches!(loose.read(&id, size), Err(Unreadable::Broken(_))), "cut to {cut}");
            }
        }
    }

    #[test]
    fn what_is_not_published_leaves_nothing() {
        let (folder, loose) = loose();
        drop(loose.stage(&id(Kind::Blob, b"x"), Kind::Blob, b"x").expect("written"));
        let left: Vec<_> = fs::read_dir(folder.path()).expect("readable").flatten().collect();
        let left = left.iter().flat_map(|dir| fs::read_dir(dir.path()).expect("readable"));
        assert_eq!(left.count(), 0);
    }
}
