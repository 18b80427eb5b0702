//! What commits change, told by git: for those that are about to leave the repository.

use super::git::{Git, GitError, failure};
use crate::base::oid::Oid;
use std::{
    collections::HashMap,
    ffi::{OsStr, OsString},
    io::Write as _,
    process::Stdio,
    thread,
};

/// Where commits are known to be already.
#[derive(Debug, Clone, Copy)]
pub enum Known<'a> {
    /// In what was last seen of this remote.
    On(&'a str),
    /// In what was last seen of any remote.
    Anywhere,
}

impl Git {
    /// The commits behind `tips` that are neither behind `known` nor in what was seen of remotes, newest first, and at
    /// most `most` of them. All of `known` have to be there. What is no commit has none behind it.
    ///
    /// # Errors
    /// When git can't tell.
    pub fn commits_ahead(
        &self,
        tips: &[&Oid],
        known: &[&Oid],
        seen: Known<'_>,
        most: usize,
    ) -> Result<Vec<Oid>, GitError> {
        let remotes = match seen {
            Known::On(remote) => format!("--remotes={remote}"),
            Known::Anywhere => "--remotes".to_owned(),
        };
        let most = format!("--max-count={most}");
        let asked = tips.iter().map(|tip| format!("{tip}\n")).chain(known.iter().map(|oid| format!("^{oid}\n")));
        let asked: String = asked.collect();
        let out = self.run_fed(["rev-list", &most, "--stdin", "--not", &remotes], asked.as_bytes())?;
        oids(&out)
    }

    /// The commits behind `tip` and not behind `known` whose message has `words`, newest first, and at most `most` of them.
    ///
    /// # Errors
    /// When git can't tell.
    pub fn commits_that_say(
        &self,
        tip: &Oid,
        known: Option<&Oid>,
        words: &str,
        most: usize,
    ) -> Result<Vec<Oid>, GitError> {
        let mut args = vec!["rev-list".to_owned(), format!("--max-count={most}"), "--ignore-missing".to_owned()];
        args.extend(["--fixed-strings".to_owned(), format!("--grep={words}"), tip.to_string()]);
        args.extend(known.map(|oid| format!("^{oid}")));
        oids(&self.run(args)?)
    }

    /// Whether anything is known of what `remote` has.
    ///
    /// # Errors
    /// When git can't tell.
    pub fn has_seen(&self, remote: &str) -> Result<bool, GitError> {
        let refs = format!("refs/remotes/{remote}/");
        Ok(!self.run(["for-each-ref", "--count=1", "--format=x", &refs])?.is_empty())
    }

    /// Whether `old` is `new` or behind it. What is not there is behind nothing.
    ///
    /// # Errors
    /// When git can't be started.
    pub fn is_behind(&self, old: &Oid, new: &Oid) -> Result<bool, GitError> {
        match self.run(["merge-base", "--is-ancestor", old.as_str(), new.as_str()]) {
            Err(error @ GitError::NotStarted { .. }) => Err(error),
            told => Ok(told.is_ok()),
        }
    }

    /// Every path that one of `commits` changes, with the first of them that does: both sides of a rename, deletions,
    /// changes of mode; of a merge only what differs from every parent.
    ///
    /// # Errors
    /// When git can't tell.
    pub fn changed_by(&self, commits: &[Oid]) -> Result<HashMap<Vec<u8>, Oid>, GitError> {
        const DIFF: [&str; 9] =
            ["diff-tree", "--stdin", "--raw", "-r", "-c", "-z", "--root", "--no-renames", "--ignore-submodules=none"];
        let asked: String = commits.iter().map(|commit| format!("{commit}\n")).collect();
        let out = self.run_fed(DIFF, asked.as_bytes())?;
        parse_diff(&out).ok_or_else(|| GitError::Unclear { command: DIFF.join(" ") })
    }

    /// Runs a command to its end, with `input` on its standard input, and returns what it printed.
    fn run_fed<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>, input: &[u8]) -> Result<Vec<u8>, GitError> {
        let args: Vec<OsString> = args.into_iter().map(|arg| arg.as_ref().to_owned()).collect();
        let not_started = |source| GitError::NotStarted { dir: self.dir().to_owned(), source };
        let mut command = self.command(&args);
        let piped = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = piped.spawn().map_err(not_started)?;
        let stdin = child.stdin.take();
        // It answers while it is still being asked. That it stops listening is told by how it ends.
        let output = thread::scope(|scope| {
            scope.spawn(move || stdin.map(|mut stdin| stdin.write_all(input)));
            child.wait_with_output().map_err(not_started)
        })?;
        if output.status.success() { Ok(output.stdout) } else { Err(failure(&args, &output)) }
    }
}

/// Reads what `git rev-list` prints.
fn oids(out: &[u8]) -> Result<Vec<Oid>, GitError> {
    let oids = String::from_utf8_lossy(out).lines().map(str::parse).collect::<Result<_, _>>();
    oids.map_err(|_| GitError::Unclear { command: "rev-list".into() })
}

/// Reads `git diff-tree --stdin --raw -z`: a commit, then for each path what happened, which starts with `:`, and the
/// path itself, which may look like anything.
fn parse_diff(out: &[u8]) -> Option<HashMap<Vec<u8>, Oid>> {
    let mut changed = HashMap::new();
    let mut commit: Option<Oid> = None;
    let mut parts = out.split(|b| *b == 0);
    while let Some(part) = parts.next() {
        if part.starts_with(b":") {
            changed.entry(parts.next()?.to_owned()).or_insert(commit.clone()?);
        } else if !part.is_empty() {
            commit = Some(std::str::from_utf8(part).ok()?.parse().ok()?);
        }
    }
    Some(changed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::scratch::Scratch;

    fn head(repo: &Scratch) -> Oid {
        repo.git.head().expect("read").expect("a commit")
    }

    /// What the newest `most` commits on HEAD and not on `known` change, by path.
    fn changed(repo: &Scratch, known: &[&Oid], most: usize) -> Vec<String> {
        let commits = repo.git.commits_ahead(&[&head(repo)], known, Known::Anywhere, most).expect("commits");
        let changed = repo.git.changed_by(&commits).expect("paths");
        let mut paths: Vec<String> = changed.into_keys().map(|path| String::from_utf8_lossy(&path).into()).collect();
        paths.sort();
        paths
    }

    #[test]
    fn paths_of_any_bytes_and_both_sides_of_renames_are_told() {
        let repo = Scratch::new();
        repo.write("old name", "the same\ntext\n");
        repo.commit("first");
        let first = head(&repo);
        repo.git.run(["mv", "old name", "new\nname"]).expect("moved");
        repo.write(first.as_str(), "named like a commit");
        repo.write("\"quoted\"/:x", "1");
        repo.commit("second");
        assert_eq!(changed(&repo, &[&first], 9), ["\"quoted\"/:x", first.as_str(), "new\nname", "old name"]);
        assert_eq!(changed(&repo, &[], 9).len(), 4, "the first commit counts too");
        assert_eq!(changed(&repo, &[&head(&repo)], 9), [""; 0]);
        repo.write("third", "1");
        repo.commit("third");
        assert_eq!(changed(&repo, &[], 1), ["third"], "the newest, if not all can be looked at");
    }

    #[test]
    fn a_merge_changes_what_differs_from_all_its_parents() {
        let repo = Scratch::new();
        repo.write("a", "1");
        repo.write("b", "1");
        repo.commit("first");
        repo.git.run(["checkout", "-q", "-b", "side"]).expect("a branch");
        repo.write("a", "2");
        repo.commit("side");
        let side = head(&repo);
        repo.git.run(["checkout", "-q", "main"]).expect("back");
        repo.write("b", "2");
        repo.commit("main");
        let main = head(&repo);
        repo.git.run(["merge", "-q", "--no-commit", "side"]).expect("merged");
        repo.write("evil", "1");
        repo.commit("merge");
        assert_eq!(changed(&repo, &[&side, &main], 9), ["evil"]);
        assert!(repo.git.is_behind(&side, &head(&repo)).expect("told"));
        assert!(!repo.git.is_behind(&side, &main).expect("told"));
        assert!(!repo.git.is_behind(&"1".repeat(40).parse().expect("a name"), &main).expect("told"));
    }

    #[test]
    fn what_a_remote_was_seen_to_have_is_not_ahead() {
        let repo = Scratch::new();
        repo.write("a", "1");
        repo.commit("first");
        assert!(!repo.git.has_seen("origin").expect("told"));
        repo.git.run(["update-ref", "refs/remotes/origin/main", "HEAD"]).expect("a ref");
        assert!(repo.git.has_seen("origin").expect("told") && !repo.git.has_seen("or").expect("told"));
        repo.write("b", "1");
        repo.commit("second");
        let ahead = |seen| repo.git.commits_ahead(&[&head(&repo)], &[], seen, 9).expect("commits").len();
        assert_eq!((ahead(Known::Anywhere), ahead(Known::On("origin")), ahead(Known::On("other"))), (1, 1, 2));
        let blob = repo.git.run(["hash-object", "-w", "a"]).expect("a blob");
        let blob: Oid = String::from_utf8_lossy(&blob).trim().parse().expect("a name");
        assert_eq!(repo.git.commits_ahead(&[&blob], &[&blob], Known::Anywhere, 9).expect("none"), []);
        assert!(repo.git.changed_by(&[]).expect("none").is_empty());
    }
}
