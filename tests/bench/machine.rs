//! A machine for the benches, as the tests have it: its own HOME, its own git configuration, a folder that goes with
//! it. And repositories on it that hold a given number of claims.

use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};
use tempfile::TempDir;

/// The program that is measured.
pub const PROGRAM: &str = env!("CARGO_BIN_EXE_git-aio");

/// Builds the program as it is installed. Beside benches it was built with what their libraries ask of the libraries that
/// both have, and is larger by half a megabyte.
pub fn build_as_installed() {
    let built =
        Command::new(env!("CARGO")).args(["build", "--quiet", "--release", "--bin", "git-aio"]).status().unwrap();
    assert!(built.success(), "the program can't be built");
}

/// How many claims one operation makes while a store is filled.
const AT_ONCE: usize = 1000;

/// A machine.
pub struct Machine {
    root: TempDir,
}

/// A repository on it.
pub struct Repo {
    /// The home folder of the machine.
    pub home: PathBuf,
    /// The root of its work tree.
    pub dir: PathBuf,
}

impl Machine {
    /// A new one.
    pub fn new() -> Self {
        let root = tempfile::Builder::new().prefix("git-aio-bench-").tempdir().unwrap();
        fs::create_dir(root.path().join("home")).unwrap();
        Machine { root }
    }

    /// An empty repository, that waits for the disk as little as git itself does.
    pub fn repo(&self, name: &str) -> Repo {
        let root = fs::canonicalize(self.root.path()).unwrap();
        let repo = Repo { home: root.join("home"), dir: root.join(name) };
        fs::create_dir(&repo.dir).unwrap();
        repo.git(&["init", "-q", "-b", "main"]);
        for (key, value) in [
            ("aio.fsync", "false"),
            ("user.name", "Ann"),
            ("user.email", "ann@example.org"),
            // Nothing that git does now and then may fall into one side of a pair.
            ("gc.auto", "0"),
            ("maintenance.auto", "false"),
        ] {
            repo.git(&["config", key, value]);
        }
        repo.git(&["commit", "-q", "--allow-empty", "-m", "begin"]);
        repo.age();
        repo
    }

    /// A repository with `count` claims spread over its tree, and who holds them.
    pub fn repo_with_claims(&self, name: &str, count: usize) -> (Repo, String) {
        let repo = self.repo(name);
        let holder = repo.register("codex");
        repo.claim_all(&holder, (1..count).map(|nth| claimed(nth, count)));
        // The tip is what it is most often, an operation of one claim.
        repo.aio(Some(&holder), &["claim", &claimed(0, count)]);
        (repo, holder)
    }
}

impl Repo {
    /// Makes the folders of loose objects, which a repository soon has: to make one takes longer than to write a
    /// dozen objects, and whoever comes first would pay for it.
    pub fn age(&self) {
        for folder in 0..256 {
            fs::create_dir_all(self.dir.join(format!(".git/objects/{folder:02x}"))).unwrap();
        }
    }

    /// Another folder of the same machine, beside this one.
    pub fn beside(&self, name: &str) -> Repo {
        let dir = self.dir.with_file_name(name);
        fs::create_dir(&dir).unwrap();
        Repo { home: self.home.clone(), dir }
    }

    /// A command that sees nothing but this machine.
    pub fn command(&self, program: &str) -> Command {
        let bin = Path::new(PROGRAM).parent().unwrap();
        let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap_or_default());
        let mut command = Command::new(program);
        command.env_clear().current_dir(&self.dir).stdin(Stdio::null());
        command.env("PATH", path).env("HOME", &self.home).env("LC_ALL", "C").env("TZ", "UTC");
        command.env("GIT_CONFIG_NOSYSTEM", "1");
        command
    }

    /// git, not yet run.
    pub fn git_command(&self, args: &[&str]) -> Command {
        let mut command = self.command("git");
        command.args(args);
        command
    }

    /// The program, not yet run, as an instance if one is named.
    pub fn aio_command(&self, instance: Option<&str>, args: &[&str]) -> Command {
        let mut command = self.command(PROGRAM);
        command.args(args).envs(instance.map(|instance| ("AIO_INSTANCE", instance)));
        command
    }

    /// Runs git, which has to succeed, and returns what it printed.
    pub fn git(&self, args: &[&str]) -> String {
        output(&mut self.git_command(args))
    }

    /// Runs the program, which has to succeed, and returns what it printed.
    pub fn aio(&self, instance: Option<&str>, args: &[&str]) -> String {
        output(&mut self.aio_command(instance, args))
    }

    /// Registers an instance and returns its id.
    pub fn register(&self, tool: &str) -> String {
        self.aio(None, &["register", tool]).trim().to_owned()
    }

    /// Claims many things, in few operations.
    pub fn claim_all(&self, holder: &str, targets: impl Iterator<Item = String>) {
        let targets: Vec<String> = targets.collect();
        for some in targets.chunks(AT_ONCE) {
            let mut args = vec!["claim"];
            args.extend(some.iter().map(String::as_str));
            self.aio(Some(holder), &args);
        }
    }

    /// Writes a file of the work tree.
    pub fn write(&self, path: &str, text: &str) {
        let path = self.dir.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
}

/// The `nth` of `count` things that are claimed: mostly files, some folders and patterns, spread over a tree of
/// packages with modules of a few dozen files, none of them where another is.
pub fn claimed(nth: usize, count: usize) -> String {
    match nth % 50 {
        7 => format!("{}/generated-{nth}/**/*.snap", module(nth, count)),
        23 | 41 => format!("{}/part-{nth}/", module(nth, count)),
        _ => file(nth, count),
    }
}

/// The `nth` of `count` files.
pub fn file(nth: usize, count: usize) -> String {
    format!("{}/file-{nth}.ts", module(nth, count))
}

/// The folder of the `nth` of `count` things: a few hundred in the largest tree, deeper in some places.
fn module(nth: usize, count: usize) -> String {
    let modules = (count / 30).max(4);
    // A step that shares no factor with the number of modules visits all of them evenly.
    let at = nth * 7919 % modules;
    let mut path = format!("packages/pkg-{}/src", at % 20);
    for level in 0..=at % 3 {
        let _ = write!(path, "/area-{}", (at / 20 + level) % 25);
    }
    path
}

/// Runs a command, which has to succeed, and returns what it printed.
pub fn output(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {said}");
    String::from_utf8(output.stdout).unwrap()
}
