//! Files of the work tree, as a workflow names them.

use super::{Error, Session};
use crate::{
    base::{path::RepoPath, text},
    disk,
    model::{
        overlap::Overlap,
        scope::{Pattern, Scope},
        view::View as _,
    },
};
use std::path::Path;

impl Session {
    /// The files that a pattern matches, or the one of that name, in order: those that git knows or would, not those that it
    /// ignores. One whose name is no text is left out.
    ///
    /// # Errors
    /// When the pattern can't be understood, or git can't be asked.
    pub fn files_matching(&self, pattern: &str) -> Result<Vec<String>, Error> {
        let scope = Pattern::parse(pattern.strip_prefix("./").unwrap_or(pattern)).map(Scope::Pattern);
        let scope = scope.map_err(|error| Error::usage(error.to_string(), "write it like src/**/*.rs"))?;
        let overlap = Overlap::new(&scope, self.snapshot()?.folds_case());
        let listed =
            self.git().run(["ls-files", "-z", "--cached", "--others", "--exclude-standard", "--deduplicate"])?;
        let paths = listed.split(|byte| *byte == 0).filter_map(|path| RepoPath::from_bytes(path).ok());
        let matching = paths.filter(|path| !path.is_root() && overlap.with(&Scope::File(path.clone())));
        // What is in the index and not in the work tree can't be worked on.
        let there = matching.filter(|path| self.on_disk(path).is_some_and(|found| !found.is_dir()));
        let mut names: Vec<String> = there.filter_map(|path| Some(path.to_os()?.to_str()?.to_owned())).collect();
        names.sort();
        names.dedup();
        Ok(names)
    }

    /// What is in a file of the work tree, by its path from the root.
    ///
    /// # Errors
    /// When it leads out of the work tree, can't be read, is no text, or has more than `limit` bytes.
    pub fn text_of_file(&self, path: &str, limit: usize) -> Result<String, Error> {
        let shown = text::one_line(path, 200);
        let failed = |error| Error::file(format!("can't read {shown}"))(error);
        let root = self.root()?.canonicalize().map_err(failed)?;
        let real = root.join(Path::new(path)).canonicalize().map_err(failed)?;
        if !real.starts_with(&root) {
            return Err(Error::not_allowed(format!("{shown} leads out of the work tree"), "name a file that is in it"));
        }
        let bytes = disk::read(&real, limit).map_err(failed)?;
        String::from_utf8(bytes).map_err(|_| Error::usage(format!("{shown} is no text in UTF-8"), "leave it out"))
    }
}
