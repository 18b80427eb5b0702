//! Loose objects, read and written with as few system calls and allocations as that takes.
//!
//! gix can do both, and everything else is left to it: packs, alternates, whatever is not found here. But an operation
//! of ours touches some forty objects of a few hundred bytes, and for each of them gix sets zlib up anew, asks for the
//! size in one reading and for the content in another, and creates the folder first. This was half the time of a claim.
//!
//! Reading believes a size only up to a limit, before anything is inflated.

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
    written: Cell<u32>,
}

impl Loose {
    pub(super) fn new(folder: PathBuf, level: Compression) -> Self {
        Loose { folder, inflate: RefCell::new(None), deflate: RefCell::new(None), level, written: Cell::new(0) }
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
        let file = match File::open(self.path(id)) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(broken(&error)),
        };
        // What zlib can't compress it makes a little longer.
        let longest = (limit + limit / 8).saturating_add(FIRST_PART) as u64;
        let mut packed = Vec::with_capacity(FIRST_PART);
        file.take(longest).read_to_end(&mut packed).map_err(|error| broken(&error))?;

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
            let mut bytes = Vec::with_capacity(expected);
            inflate.rest(&packed[read..], first, header, &mut bytes, expected).map_err(|error| broken(&error))?;
            bytes
        };
        if bytes.len() != expected {
            return Err(broken(&format_args!("it has another size than the {size} bytes it says")));
        }
        Ok(Some((kind, bytes)))
    }

    /// Writes the object `id`: whole or not at all, and anew if it is there, so that nobody prunes it as an old one.
    pub(super) fn write(&self, id: &ObjectId, kind: Kind, bytes: &[u8]) -> io::Result<()> {
        let packed = self.deflated(kind, bytes)?;
        let path = self.path(id);
        let folder = path.parent().unwrap_or(&self.folder);
        // Most often it is there, as one of 256.
        let (mut file, part) = match self.create_part(folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                fs::create_dir_all(folder)?;
                self.create_part(folder)?
            }
            created => created?,
        };
        let done = file.write_all(&packed).and_then(|()| fs::rename(&part, &path));
        done.inspect_err(|_| {
            let _ = fs::remove_file(&part);
        })
    }

    /// A new file by a name that git takes for garbage, should it be left behind.
    fn create_part(&self, folder: &Path) -> io::Result<(File, PathBuf)> {
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o444);
        loop {
            let nth = self.written.replace(self.written.get().wrapping_add(1));
            let path = folder.join(format!("tmp_obj_{:x}_{nth:x}", std::process::id()));
            match options.open(&path) {
                // Left behind by a process that had our number, or of one that has it on another machine.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                opened => return opened.map(|file| (file, path)),
            }
        }
    }

    fn deflated(&self, kind: Kind, bytes: &[u8]) -> io::Result<Vec<u8>> {
        let mut whole = Vec::with_capacity(bytes.len() + 32);
        whole.extend_from_slice(&gix::objs::encode::loose_header(kind, bytes.len() as u64));
        whole.extend_from_slice(bytes);
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
