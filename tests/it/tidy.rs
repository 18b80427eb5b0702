//! The rules of `docs/ARCHITECTURE.md` that a compiler doesn't check.
//!
//! It reads the sources as text, without comments. Macros could get round it; nobody does that by mistake.

use crate::env::TestEnvironment;
use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

/// The layers, each with those it may use.
const LAYERS: &[(&str, &[&str])] = &[
    ("base", &[]),
    ("disk", &[]),
    ("model", &["base"]),
    ("store", &["base", "disk", "model"]),
    ("host", &["base", "disk"]),
    ("ops", &["base", "model", "store", "host"]),
    ("runner", &["base", "model", "ops"]),
    ("cli", &["base", "model", "ops", "runner"]),
];

/// Words that only some layers may use in their code. What unit tests need to set their scene is not counted.
const OWNED: &[(&str, &[&str])] = &[
    ("gix", &["store"]),
    ("process::Command", &["host"]),
    ("Command::new", &["host"]),
    ("std::env", &["host"]),
    ("env::var", &["host"]),
    ("env::set_var", &[]),
    ("std::net", &[]),
    ("serde", &["store", "host", "runner", "cli"]),
    ("serde_json", &["store", "host", "runner", "cli"]),
    ("anyhow", &["cli"]),
    ("clap", &["cli"]),
    ("rmcp", &["cli"]),
    ("tokio", &["cli"]),
    ("println!", &[]),
    ("std::fs", &["disk", "store", "host", "ops", "runner", "cli"]),
    ("process::exit", &[]),
];

/// Of `std::env`, the command line may use the arguments and the folder it was started in, and nothing else.
const CLI_ENV: &[&str] = &["std::env::args_os", "std::env::current_dir"];

/// The most lines that a file should have, and those that have more.
const MAX_LINES: usize = 400;
const LONGER: &[(&str, &str)] = &[
    ("store/snapshot.rs", "all reading of one state stands in one place"),
    ("model/replay/tests.rs", "the random histories and the model they are held against belong together"),
    ("cli/json.rs", "the whole contract in one file, to be read in one go"),
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// All files below `folder`, with the path below it, `/` between the components.
fn files(folder: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut open = vec![root().join(folder)];
    while let Some(dir) = open.pop() {
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else if let Ok(text) = fs::read_to_string(&path) {
                found.push((relative(&path, &root().join(folder)), text));
            }
        }
    }
    found.sort();
    found
}

fn relative(path: &Path, below: &Path) -> String {
    let components = path.strip_prefix(below).unwrap().components();
    components.map(|c| c.as_os_str().to_str().unwrap()).collect::<Vec<_>>().join("/")
}

/// `text` without line comments. A `//` in a string cuts its line too, which hides at most the end of that line.
fn code(text: &str) -> String {
    let lines = text.lines().map(|line| line.split("//").next().unwrap_or_default());
    lines.fold(String::new(), |code, line| code + line + "\n")
}

/// What is named directly after `prefix`: `prefix::a` and `prefix::{a::b, c}` name a, and a and c.
fn named_after(prefix: &str, code: &str) -> BTreeSet<String> {
    let prefix = format!("{prefix}::");
    let mut names = BTreeSet::new();
    for (at, _) in code.match_indices(&prefix) {
        let after = &code[at + prefix.len()..];
        match after.strip_prefix('{') {
            Some(group) => names.extend(names_of_group(group)),
            None => names.extend(first_word(after)),
        }
    }
    names
}

/// The first word of each item of a group, of which the opening brace is gone.
fn names_of_group(group: &str) -> Vec<String> {
    let (mut depth, mut names, mut item) = (0, Vec::new(), String::new());
    for c in group.chars() {
        match c {
            '}' if depth == 0 => break,
            ',' if depth == 0 => names.extend(first_word(&std::mem::take(&mut item))),
            '{' => depth += 1,
            '}' => depth -= 1,
            c if depth == 0 => item.push(c),
            _ => {}
        }
    }
    names.extend(first_word(&item));
    names
}

fn first_word(text: &str) -> Option<String> {
    let word: String = text.trim_start().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
    (!word.is_empty()).then_some(word)
}

/// Whether `code` has `word`, and not merely as part of a longer one.
fn has_word(code: &str, word: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    code.match_indices(word).any(|(at, _)| {
        !code[..at].ends_with(is_part) && (word.ends_with('!') || !code[at + word.len()..].starts_with(is_part))
    })
}

/// `code` up to its unit tests.
fn without_tests(code: &str) -> &str {
    code.split("\nmod tests {").next().unwrap_or_default()
}

fn layer_of(file: &str) -> Option<&str> {
    file.split_once('/').map(|(layer, _)| layer).filter(|layer| LAYERS.iter().any(|(known, _)| known == layer))
}

#[test]
fn what_is_named_is_found() {
    let text = "use crate::{\n    base::{id::A, text},\n    host::env, // crate::cli\n    run,\n};\nlet x = crate::ops::now();";
    assert_eq!(named_after("crate", &code(text)).into_iter().collect::<Vec<_>>(), ["base", "host", "ops", "run"]);
    assert!(has_word("use gix::Repository;", "gix") && !has_word("let gixen = serde_jsonx;", "gix"));
    assert!(!has_word("serde_json::x", "serde"));
}

#[test]
fn a_layer_uses_only_what_is_below_it() {
    let mut wrong = Vec::new();
    for (file, text) in files("src") {
        let Some(layer) = layer_of(&file) else { continue };
        let (_, allowed) = LAYERS.iter().find(|(name, _)| *name == layer).unwrap();
        let code = code(&text);
        let named = named_after("crate", &code).into_iter().chain(named_after("git_aio", &code));
        let by_parent = named_after("super", &code).into_iter().filter(|name| LAYERS.iter().any(|(l, _)| l == name));
        for name in named.chain(by_parent).filter(|name| name != layer && !allowed.contains(&name.as_str())) {
            wrong.push(format!("src/{file} uses {name}, which {layer} may not"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_folder_of_the_sources_is_a_layer() {
    let known = |name: &str| name == "bin" || LAYERS.iter().any(|(layer, _)| *layer == name);
    for (file, text) in files("src") {
        match file.split_once('/') {
            Some((folder, _)) => {
                assert!(known(folder), "src/{folder} is no layer: give it its edges in tests/it/tidy.rs")
            }
            None => assert!(["lib.rs", "main.rs"].contains(&file.as_str()), "src/{file} is in no layer"),
        }
        if file == "main.rs" {
            assert_eq!(named_after("git_aio", &code(&text)), BTreeSet::from(["cli".to_owned()]), "src/{file}");
        }
        if file.starts_with("bin/") {
            // They start the program and are no second copy of it.
            assert!(!has_word(&code(&text), "git_aio"), "src/{file} names the library");
        }
    }
}

#[test]
fn a_word_stands_only_where_it_is_owned() {
    let mut wrong = Vec::new();
    let sources =
        files("src").into_iter().filter(|(file, _)| !file.ends_with("/tests.rs") && !file.starts_with("bin/"));
    for (file, text) in sources {
        let mut code = without_tests(&code(&text)).to_owned();
        if file.starts_with("cli/") {
            CLI_ENV.iter().for_each(|allowed| code = code.replace(allowed, ""));
        }
        for (word, places) in OWNED {
            let owned = places.iter().any(|place| layer_of(&file) == Some(place));
            if !owned && has_word(&code, word) {
                wrong.push(format!("src/{file} names {word}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn no_file_is_too_long_to_be_read() {
    for (file, text) in files("src") {
        let lines = text.lines().count();
        let excused = LONGER.iter().any(|(longer, _)| *longer == file);
        assert!(lines <= MAX_LINES || excused, "src/{file} has {lines} lines: divide it, or give a reason here");
        assert!(lines > MAX_LINES || !excused, "src/{file} has {lines} lines: it needs no excuse any more");
    }
}

/// Files that are compiled for one kind of system as a whole, as the attribute of their module says.
const OF_ONE_SYSTEM: [&str; 2] = ["host/process/proc.rs", "host/process/ps.rs"];

/// The end of what begins after an attribute at `at`, as it is laid out by rustfmt.
fn end_of_item(lines: &[&str], at: usize) -> usize {
    let indent = |line: &str| line.len() - line.trim_start().len();
    let depth = indent(lines[at]);
    let ends = |line: &&str| {
        indent(line) == depth && line.ends_with(['}', ';', ',', ']']) && !line.trim_start().starts_with('#')
    };
    at + 1 + lines[at + 1..].iter().position(ends).unwrap_or(lines.len())
}

/// It could not be compiled elsewhere, and nobody here would see that.
#[test]
fn what_only_unix_has_is_named_only_where_that_is_asked_for() {
    const OF_UNIX: [&str; 4] = ["std::os::unix", "std::os::fd", "rustix::", "signal::unix"];
    let is_asked = |line: &str| {
        let line = line.trim_start();
        line.starts_with("#[cfg(") && !line.contains("not(unix)") && (line.contains("unix") || line.contains("linux"))
    };
    for (file, text) in files("src").into_iter().filter(|(file, _)| file.ends_with(".rs")) {
        if OF_ONE_SYSTEM.contains(&file.as_str()) || file.contains("tests") {
            continue;
        }
        let lines: Vec<&str> = text.lines().collect();
        let asked: Vec<(usize, usize)> =
            (0..lines.len()).filter(|at| is_asked(lines[*at])).map(|at| (at, end_of_item(&lines, at))).collect();
        for (at, line) in lines.iter().enumerate() {
            let named = OF_UNIX.iter().any(|name| line.split("//").next().unwrap_or_default().contains(name));
            let is_covered = asked.iter().any(|(from, to)| (*from..=*to).contains(&at));
            assert!(!named || is_covered, "src/{file}:{} can't be compiled where there is no unix: {line}", at + 1);
        }
    }
}

#[test]
fn every_test_file_is_run() {
    let main = fs::read_to_string(root().join("tests/it/main.rs")).unwrap();
    for (file, _) in files("tests/it").into_iter().filter(|(file, _)| file != "main.rs" && file.ends_with(".rs")) {
        let name = file.split('/').next().unwrap().trim_end_matches(".rs");
        assert!(has_word(&main, &format!("mod {name}")), "tests/it/{file} is not declared in tests/it/main.rs");
    }
}

#[test]
fn nothing_names_a_registry() {
    let hosts = [["crates", "io"], ["npmjs", "org"], ["npmjs", "com"], ["pypi", "org"], ["rsproxy", "cn"]];
    let hosts = hosts.map(|parts| parts.join("."));
    let folders = ["src", "hooks", "tests", "docs", ".ci"].iter().filter(|folder| root().join(folder).is_dir());
    let mut all: Vec<(String, String)> = folders
        .flat_map(|folder| files(folder).into_iter().map(move |(file, text)| (format!("{folder}/{file}"), text)))
        .collect();
    for file in ["README.md", "Cargo.toml", ".clippy.toml"] {
        all.extend(fs::read_to_string(root().join(file)).ok().map(|text| (file.to_owned(), text)));
    }
    for (file, text) in all {
        for host in &hosts {
            assert!(!text.contains(host), "{file} names {host}");
        }
    }
}

#[test]
fn what_is_installed_is_what_is_in_hooks() {
    let env = TestEnvironment::new();
    let repo = env.repo();
    repo.ok(&["init"]);
    // git's hooks have no extension; the others are for agents.
    for (name, text) in files("hooks").into_iter().filter(|(name, _)| !name.contains('.')) {
        let installed: PathBuf = repo.dir.join(".git/hooks").join(&name);
        assert_eq!(fs::read_to_string(&installed).unwrap(), text, "{name}");
    }
}

#[test]
fn both_licences_are_there_in_full() {
    let read = |name: &str| fs::read_to_string(root().join(name)).unwrap();
    assert!(read("LICENSE-MIT").contains("Copyright (c) The git-aio developers"));
    assert!(read("LICENSE-APACHE").contains("END OF TERMS AND CONDITIONS"));
    assert!(read("Cargo.toml").contains("license = \"MIT OR Apache-2.0\""));
}
