//! Objects: those that are read, remembered; those of one operation, collected, written together and made durable.

use super::{
    Repository,
    error::StoreError,
    layout,
    loose::{Loose, Staged, Unreadable},
    refs::sync_folder,
};
use crate::disk::Sharing;
use gix::{
    ObjectId,
    objs::{Data, Find, Kind, WriteTo},
    zlib::Compression,
};
use std::{
    cell::{Cell, RefCell},
    collections::{BTreeSet, HashMap},
    fs::File,
    io,
    path::{Path, PathBuf},
    rc::Rc,
    thread,
    time::Duration,
};

/// How many bytes of objects are remembered.
const REMEMBERED: usize = 4 * 1024 * 1024;

/// How many objects are written together: as many files are open, and as many threads wait for the disk.
const AT_ONCE: usize = 32;

/// For how many objects it pays to start a thread.
const WORTH_A_THREAD: usize = 64;

/// The objects of a repository. Their names are those of their content, so what was read once stays right: a command
/// comes by the same trees again and again, and by what it wrote itself.
pub(super) struct Objects {
    loose: Loose,
    known: RefCell<HashMap<ObjectId, Object>>,
    known_bytes: Cell<usize>,
    /// Those that are not written yet, see [`Ahead`](super::Ahead).
    ahead: RefCell<HashMap<ObjectId, Object>>,
}

/// How old an object may be to count as just written. git prunes what nobody refers to after two weeks.
const RECENT: Duration = Duration::from_secs(24 * 60 * 60);

/// An object that was read.
#[derive(Clone)]
pub(super) struct Object {
    pub(super) kind: Kind,
    pub(super) bytes: Rc<[u8]>,
}

impl Objects {
    pub(super) fn new(gix: &gix::Repository, sharing: Sharing) -> Self {
        let config = gix.config_snapshot();
        let level = ["core.looseCompression", "core.compression"].iter().find_map(|key| config.integer(key));
        let level = match level {
            None => Compression::BEST_SPEED,
            Some(level) => i32::try_from(level).ok().and_then(Compression::new).unwrap_or(Compression::DEFAULT),
        };
        Objects {
            loose: Loose::new(gix.objects.store_ref().path().to_owned(), level, sharing),
            known: RefCell::default(),
            known_bytes: Cell::new(0),
            ahead: RefCell::default(),
        }
    }

    fn remember(&self, id: ObjectId, object: Object) {
        let bytes = self.known_bytes.get() + object.bytes.len();
        if bytes <= REMEMBERED {
            self.known_bytes.set(bytes);
            self.known.borrow_mut().insert(id, object);
        }
    }
}

impl Repository {
    /// The object `id`, of at most `limit` bytes. An object that is larger is not inflated.
    pub(super) fn object(&self, id: ObjectId, limit: usize) -> Result<Object, Unreadable> {
        let (known, ahead) = (self.objects.known.borrow(), self.objects.ahead.borrow());
        if let Some(known) = known.get(&id).or_else(|| ahead.get(&id)) {
            let size = known.bytes.len();
            return if size <= limit { Ok(known.clone()) } else { Err(too_large(size as u64, limit)) };
        }
        drop((known, ahead));
        let (kind, bytes) = match self.objects.loose.read(&id, limit)? {
            Some(found) => found,
            None => self.packed(id, limit)?,
        };
        let object = Object { kind, bytes: bytes.into() };
        self.objects.remember(id, object.clone());
        Ok(object)
    }

    /// Reads many objects at once and remembers them, on as many threads as there are processors: most of the time
    /// that a thousand small files take is the system opening them. Whatever can't be read so is left to
    /// [`object`](Self::object), which says why, or finds it in a pack.
    pub(super) fn warm(&self, ids: impl Iterator<Item = ObjectId>) {
        let known = self.objects.known.borrow();
        let wanted: Vec<ObjectId> = ids.filter(|id| !known.contains_key(id)).collect();
        drop(known);
        let worth = wanted.len() / WORTH_A_THREAD;
        // To count the processors takes longer than to read a few objects.
        if worth < 2 {
            return;
        }
        let threads = thread::available_parallelism().map_or(1, usize::from).min(worth);
        if threads < 2 {
            return;
        }
        let read = |loose: Loose, ids: &[ObjectId]| -> Vec<_> {
            let found = ids.iter().map(|id| (*id, loose.read(id, layout::MAX_RECORD)));
            found.filter_map(|(id, found)| Some((id, found.ok()??))).collect()
        };
        let shares = wanted.chunks(wanted.len().div_ceil(threads));
        let found: Vec<_> = thread::scope(|scope| {
            let start = |share| {
                let loose = self.objects.loose.another();
                thread::Builder::new().spawn_scoped(scope, move || read(loose, share))
            };
            // All have to be started before the first is waited for.
            let started: Vec<_> = shares.filter_map(|share| start(share).ok()).collect();
            started.into_iter().filter_map(|thread| thread.join().ok()).flatten().collect()
        });
        for (id, (kind, bytes)) in found {
            self.objects.remember(id, Object { kind, bytes: bytes.into() });
        }
    }

    /// Whether an object was written so recently, on its own, that no git takes it for an old one to be pruned.
    pub(super) fn was_just_written(&self, id: &ObjectId) -> bool {
        let file = self.objects.loose.path(id).metadata();
        // One without anything in it is what a power failure leaves of an object.
        let written = file.ok().filter(|meta| meta.len() > 0).and_then(|meta| meta.modified().ok());
        written.is_some_and(|at| at.elapsed().is_ok_and(|age| age < RECENT))
    }

    /// Waits until objects that were written on their own are on the disk, with their names.
    pub(super) fn sync_objects(&self, ids: &[ObjectId]) -> io::Result<()> {
        let paths: Vec<PathBuf> = ids.iter().map(|id| self.objects.loose.path(id)).collect();
        let folders: BTreeSet<&Path> = paths.iter().filter_map(|path| path.parent()).collect();
        let sync = |path: &Path| match File::open(path) {
            // It is in a pack, and git has seen to that.
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            opened => opened?.sync_all(),
        };
        for some in paths.iter().map(PathBuf::as_path).collect::<Vec<_>>().chunks(AT_ONCE) {
            at_once(some, sync)?;
        }
        for some in folders.into_iter().collect::<Vec<_>>().chunks(AT_ONCE) {
            at_once(some, sync_folder)?;
        }
        Ok(())
    }

    fn packed(&self, id: ObjectId, limit: usize) -> Result<(Kind, Vec<u8>), Unreadable> {
        let broken = |error: gix::Error| Unreadable::Broken(format!("{error}"));
        let size = self.look(|gix| gix.find_header(id)).map_err(broken)?.size();
        if size > limit as u64 {
            return Err(too_large(size, limit));
        }
        let mut object = self.look(|gix| gix.find_object(id)).map_err(broken)?;
        Ok((object.kind, std::mem::take(&mut object.data)))
    }

    /// The content of an object of one kind, a tree or a commit.
    pub(super) fn object_of(&self, id: ObjectId, kind: Kind) -> Result<Rc<[u8]>, StoreError> {
        let object = self.object(id, layout::MAX_LISTING);
        let object = object.map_err(|error| StoreError::Tip(format!("{kind} {id}: {error}")))?;
        if object.kind == kind {
            Ok(object.bytes)
        } else {
            Err(StoreError::Tip(format!("{id} is a {}, not a {kind}", object.kind)))
        }
    }
}

fn too_large(size: u64, limit: usize) -> Unreadable {
    Unreadable::TooLarge { size, limit }
}

/// For gix, where it works on our trees.
impl Find for Repository {
    fn try_find<'a>(&self, id: &gix::oid, buffer: &'a mut Vec<u8>) -> gix::Result<Option<Data<'a>>> {
        let Ok(object) = self.object(id.to_owned(), layout::MAX_LISTING) else {
            return self.gix.objects.try_find(id, buffer);
        };
        buffer.clear();
        buffer.extend_from_slice(&object.bytes);
        Ok(Some(Data::new(buffer, object.kind, id.kind())))
    }
}

/// Objects that are not yet written.
pub(super) struct Batch<'r> {
    repository: &'r Repository,
    objects: Vec<(ObjectId, Object)>,
}

impl<'r> Batch<'r> {
    pub(super) fn new(repository: &'r Repository) -> Self {
        Batch { repository, objects: Vec::new() }
    }

    /// How many bytes its objects have.
    pub(super) fn size(&self) -> usize {
        self.objects.iter().map(|(_, object)| object.bytes.len()).sum()
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.objects.len()
    }

    /// Takes in all that `other` has, to be read before it is written.
    pub(super) fn read_ahead(&mut self, other: Batch<'r>) {
        self.repository.objects.ahead.borrow_mut().extend(other.objects.iter().cloned());
        self.objects.extend(other.objects);
    }

    /// Writes those from the `first` on, as [`write`](Self::write) does; how many there are in all.
    pub(super) fn write_from(&self, first: usize, durable: bool) -> Result<usize, StoreError> {
        self.write_these(&self.objects[first..].iter().collect::<Vec<_>>(), durable)?;
        Ok(self.objects.len())
    }

    /// Lets go of all of them, which are written.
    pub(super) fn clear(&mut self) {
        let mut ahead = self.repository.objects.ahead.borrow_mut();
        self.objects.drain(..).for_each(|(id, _)| drop(ahead.remove(&id)));
    }

    /// Takes an object in, and tells its name.
    pub(super) fn add(&mut self, kind: Kind, bytes: Vec<u8>) -> Result<ObjectId, StoreError> {
        let id = gix::objs::compute_hash(self.repository.gix.object_hash(), kind, &bytes).map_err(StoreError::read)?;
        if !self.objects.iter().any(|(known, _)| *known == id) {
            self.objects.push((id, Object { kind, bytes: bytes.into() }));
        }
        Ok(id)
    }

    /// As [`add`](Self::add), for an object that can write itself.
    pub(super) fn add_object(&mut self, object: &impl WriteTo) -> Result<ObjectId, StoreError> {
        let mut bytes = Vec::with_capacity(object.size() as usize);
        object.write_to(&mut bytes).map_err(|error| StoreError::Write(error.to_string()))?;
        self.add(object.kind(), bytes)
    }

    /// Writes all of them; with `durable` they are on the disk before this returns. git itself does not wait for that,
    /// and a tip that points at a lost object would break the user's own fetch and gc.
    pub(super) fn write(&self, durable: bool) -> Result<(), StoreError> {
        self.write_these(&self.objects.iter().collect::<Vec<_>>(), durable)?;
        for (id, object) in &self.objects {
            // The command that wrote it is the first that reads it.
            self.repository.objects.remember(*id, object.clone());
        }
        Ok(())
    }

    /// Writes again what is not where it was written. Until the ref points at them our objects are garbage to a git
    /// that tidies up beside us: `git prune` removes them, and `git gc` moves them to a pack of garbage, which a
    /// `git repack` that began before the ref moved is about to remove. So being in a pack proves nothing. Whether there
    /// was anything to write.
    pub(super) fn restore_missing(&self, durable: bool) -> Result<bool, StoreError> {
        let is_gone = |id: &ObjectId| !self.repository.objects.loose.path(id).exists();
        let gone: Vec<_> = self.objects.iter().filter(|(id, _)| is_gone(id)).collect();
        self.write_these(&gone, durable)?;
        Ok(!gone.is_empty())
    }

    fn write_these(&self, objects: &[&(ObjectId, Object)], durable: bool) -> Result<(), StoreError> {
        let failed = |error: io::Error| StoreError::Write(error.to_string());
        let mut folders = BTreeSet::new();
        for some in objects.chunks(AT_ONCE) {
            let stage = |(id, object): &&(ObjectId, Object)| self.loose().stage(id, object.kind, &object.bytes);
            let staged = some.iter().map(stage).collect::<Result<Vec<_>, _>>().map_err(failed)?;
            if durable {
                sync(&staged).map_err(failed)?;
            }
            for object in staged {
                folders.insert(object.publish().map_err(failed)?);
            }
        }
        if durable { folders.iter().try_for_each(|folder| sync_folder(folder)).map_err(failed) } else { Ok(()) }
    }

    fn loose(&self) -> &'r Loose {
        &self.repository.objects.loose
    }
}

/// Waits for all of them at once: file systems answer those who wait at the same time together, which for the dozen
/// objects of a claim is two or three waits for the disk instead of a dozen.
fn sync(staged: &[Staged]) -> io::Result<()> {
    at_once(&staged.iter().collect::<Vec<_>>(), Staged::sync)
}

/// Does `wait` for all of `what`, each on a thread of its own. What a thread can't wait for, since no more threads are to
/// be had, is waited for here.
fn at_once<T: Copy + Sync + Send>(what: &[T], wait: impl Fn(T) -> io::Result<()> + Sync) -> io::Result<()> {
    thread::scope(|scope| {
        let mut waiting = Vec::with_capacity(what.len());
        for one in what {
            waiting.push((one, thread::Builder::new().spawn_scoped(scope, || wait(*one))));
        }
        waiting.into_iter().try_for_each(|(one, thread)| match thread.map(thread::ScopedJoinHandle::join) {
            Ok(Ok(waited)) => waited,
            Ok(Err(_)) | Err(_) => wait(*one),
        })
    })
}
