//! What kind of project a folder looks like, and the commands by which such a one is usually checked.
//!
//! Only what is really there counts: a script that the manifest has, a target that the makefile has. Files are read and
//! never run: a makefile that is asked for its targets may run anything. All of it is a guess.

use crate::disk;
use serde::Deserialize;
use std::{collections::BTreeMap, path::Path};

/// A command that looks like a check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// What it checks: `lint`, `build` or `test`.
    pub check: &'static str,
    /// The command.
    pub command: String,
    /// The file that tells.
    pub from: String,
}

/// The largest file that is looked into, in bytes.
const MAX_FILE: usize = 1024 * 1024;

const CHECKS: [&str; 3] = ["lint", "build", "test"];

/// The checks that the project in this folder seems to have: lint first, then build, then test. A recipe or target is what
/// its author runs for all of the project; only where there is none, each language has its own.
pub fn checks_in(root: &Path) -> Vec<Found> {
    let (recipes, own) = (runners(root), languages(root));
    let of = |found: &[Found], check| found.iter().filter(|one| one.check == check).cloned().collect::<Vec<_>>();
    let chosen = |check| match of(&recipes, check) {
        recipes if recipes.is_empty() => of(&own, check),
        recipes => recipes,
    };
    CHECKS.into_iter().flat_map(chosen).collect()
}

/// What a justfile has, or else a makefile.
fn runners(root: &Path) -> Vec<Found> {
    let files =
        [("just", &["justfile", "Justfile", ".justfile"][..]), ("make", &["GNUmakefile", "makefile", "Makefile"])];
    for (program, names) in files {
        let Some((file, text)) = names.iter().find_map(|name| Some((*name, read(root, name)?))) else { continue };
        let defined = CHECKS.into_iter().filter(|check| defines(&text, check, program));
        let found = |check| Found { check, command: format!("{program} {check}"), from: file.to_owned() };
        let found: Vec<_> = defined.map(found).collect();
        if !found.is_empty() {
            return found;
        }
    }
    Vec::new()
}

/// Whether a recipe or target of this name is defined: a line that begins with it and goes on with a colon, which is no
/// assignment. A recipe that needs arguments is none that we could run.
fn defines(text: &str, name: &str, program: &str) -> bool {
    text.lines().any(|line| {
        let line = if program == "just" { line.strip_prefix('@').unwrap_or(line) } else { line };
        let Some((names, after)) = line.split_once(':') else { return false };
        let mut names = names.split(' ').filter(|word| !word.is_empty());
        let is_named = match program {
            "just" => {
                names.next() == Some(name) && names.all(|argument| argument.contains('=') || argument.starts_with('*'))
            }
            _ => names.any(|target| target == name),
        };
        is_named && !line.starts_with([' ', '\t', '#']) && !after.starts_with('=') && !after.starts_with(":=")
    })
}

fn languages(root: &Path) -> Vec<Found> {
    let mut found = scripts(root);
    let mut add = |from: &str, commands: &[(&'static str, &str)]| {
        let one = |(check, command): &(&'static str, &str)| Found {
            check,
            command: (*command).to_owned(),
            from: from.to_owned(),
        };
        found.extend(commands.iter().map(one));
    };
    if root.join("Cargo.toml").is_file() {
        let lint = "cargo clippy --all-targets -- -D warnings";
        add("Cargo.toml", &[("lint", lint), ("build", "cargo build --all-targets"), ("test", "cargo test")]);
    }
    if root.join("go.mod").is_file() {
        add("go.mod", &[("lint", "go vet ./..."), ("build", "go build ./..."), ("test", "go test ./...")]);
    }
    if let Some(from) = pytest(root) {
        add(from, &[("test", "python -m pytest")]);
    }
    found
}

/// What tells that the tests are pytest's.
fn pytest(root: &Path) -> Option<&'static str> {
    let has = |name: &str, words: &str| read(root, name).is_some_and(|text| text.contains(words));
    let told = [
        ("pytest.ini", ""),
        ("pyproject.toml", "[tool.pytest"),
        ("tox.ini", "[pytest]"),
        ("setup.cfg", "[tool:pytest]"),
    ];
    let told = told.into_iter().find(|(name, words)| has(name, words)).map(|(name, _)| name);
    let by_file = || ["conftest.py", "tests/conftest.py"].into_iter().find(|name| root.join(name).is_file());
    told.or_else(by_file)
}

#[derive(Deserialize)]
struct Manifest {
    #[serde(default)]
    scripts: BTreeMap<String, serde_json::Value>,
}

/// The scripts of package.json, run by the program whose lock file is there.
fn scripts(root: &Path) -> Vec<Found> {
    let manifest = read(root, "package.json").and_then(|text| serde_json::from_str::<Manifest>(&text).ok());
    let Some(Manifest { scripts }) = manifest else { return Vec::new() };
    let locks = [("pnpm-lock.yaml", "pnpm"), ("yarn.lock", "yarn"), ("bun.lock", "bun"), ("bun.lockb", "bun")];
    let program = locks.into_iter().find(|(lock, _)| root.join(lock).is_file()).map_or("npm", |(_, program)| program);
    let is_written = |check: &&str| {
        // What `npm init` writes, and fails by design, is no test.
        scripts.get(*check).and_then(|script| script.as_str()).is_some_and(|line| !line.contains("no test specified"))
    };
    let found = |check| Found { check, command: format!("{program} run {check}"), from: "package.json".to_owned() };
    CHECKS.into_iter().filter(is_written).map(found).collect()
}

fn read(root: &Path, name: &str) -> Option<String> {
    String::from_utf8(disk::read(&root.join(name), MAX_FILE).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn found(files: &[(&str, &str)]) -> Vec<String> {
        let root = tempfile::tempdir().expect("a folder");
        for (name, text) in files {
            fs::create_dir_all(root.path().join(name).parent().expect("a folder")).expect("made");
            fs::write(root.path().join(name), text).expect("written");
        }
        checks_in(root.path()).into_iter().map(|one| format!("{}: {} ({})", one.check, one.command, one.from)).collect()
    }

    #[test]
    fn only_what_is_there_is_found() {
        assert_eq!(found(&[("README.md", "npm run test")]), [""; 0]);
        let scripts =
            r#"{"scripts":{"lint":"eslint .","test":"echo \"Error: no test specified\" && exit 1","start":"x"}}"#;
        assert_eq!(found(&[("package.json", scripts)]), ["lint: npm run lint (package.json)"]);
        assert_eq!(found(&[("package.json", "{\"scripts\": 3}")]), [""; 0]);
        let scripts = r#"{"scripts":{"test":"vitest"}}"#;
        assert_eq!(
            found(&[("package.json", scripts), ("pnpm-lock.yaml", ""), ("go.mod", "module x")]),
            [
                "lint: go vet ./... (go.mod)",
                "build: go build ./... (go.mod)",
                "test: pnpm run test (package.json)",
                "test: go test ./... (go.mod)",
            ]
        );
        assert_eq!(
            found(&[("pyproject.toml", "[tool.pytest.ini_options]\n")]),
            ["test: python -m pytest (pyproject.toml)"]
        );
        assert_eq!(
            found(&[("pyproject.toml", "[project]\n"), ("tests/conftest.py", "")]),
            ["test: python -m pytest (tests/conftest.py)"]
        );
    }

    #[test]
    fn what_an_author_runs_goes_before_what_a_language_has() {
        let make = "CC := cc\n.PHONY: lint test\nlint := no\nbuild test: all\n\techo lint:\n# test:\n";
        assert_eq!(
            found(&[("Makefile", make), ("Cargo.toml", "")]),
            [
                "lint: cargo clippy --all-targets -- -D warnings (Cargo.toml)",
                "build: make build (Makefile)",
                "test: make test (Makefile)"
            ]
        );
        let just = "set shell := [\"sh\"]\n@lint:\n  x\nbuild target:\n  x\ntest *args: lint\n  x\n";
        assert_eq!(
            found(&[("justfile", just), ("Makefile", "build:\n")]),
            ["lint: just lint (justfile)", "test: just test (justfile)"]
        );
    }
}
