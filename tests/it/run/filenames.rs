//! Names of files that are no text, in what templates make of them. Such there are where names are bytes.
#![cfg(target_os = "linux")]

use super::*;
use std::{ffi::OsStr, os::unix::ffi::OsStrExt as _};

const MAKE: &str = r#"
about = "x"
[[step]]
id = "make"
scope = ["src/"]
run = '''printf x >"$(printf 'src/a\377')"'''
"#;

const INNER: &str = "about = \"x\"\n[inputs]\nfiles = \"list\"\n[[step]]\nid = \"rm\"\nscope = [\"src/\"]\nrun = \"rm {{ inputs.files }}\"\n";

/// The file whose name is no text, and the one whose name reads like it, as they are there after a run that makes the first and
/// does this with it; and why the run has failed.
fn after(step: &str) -> (bool, bool, String) {
    let env = TestEnvironment::new();
    let (_agents, repo) = place(&env, &[("flow", &format!("{MAKE}{step}\n")), ("inner", INNER)]);
    repo.write("src/a%FF", "innocent");
    let (told, _) = told(&repo, &["flow"]);
    let failures: Vec<&Value> =
        told["run"]["steps"].as_array().unwrap().iter().map(|step| &step["failure"]["text"]).collect();
    let why = failures.iter().filter_map(|text| text.as_str()).collect::<Vec<_>>().join("; ");
    let src = repo.dir.join("src");
    (src.join(OsStr::from_bytes(b"a\xff")).exists(), src.join("a%FF").exists(), why)
}

#[test]
fn a_command_gets_the_very_file_or_none() {
    let rm = "[[step]]\nid = \"rm\"\nscope = [\"src/\"]\n";
    assert_eq!(after(&format!("{rm}run = \"rm {{{{ steps.make.files }}}}\"")), (false, true, String::new()));
    let ways = [
        "for_each = \"steps.make.files\"\nrun = \"rm {{ item }}\"",
        "run = \"cd src && rm {{ steps.make.files[0] | basename }}\"",
        "run = \"rm {{ steps.make.files | join('') }}\"",
        "env = { FILE = \"{{ steps.make.files[0] }}\" }\nrun = 'rm \"$FILE\"'",
        "stdin = \"{{ steps.make.files[0] }}\"\nrun = \"xargs rm\"",
    ];
    let call = "[[step]]\nid = \"call\"\nworkflow = \"inner\"\nwith = { files = \"{{ steps.make.files }}\" }";
    for step in ways.map(|way| format!("{rm}{way}")).into_iter().chain([call.to_owned()]) {
        let (_, is_there, why) = after(&step);
        assert!(is_there, "{step}");
        assert!(why.contains("the name of a file is no UTF-8"), "{step}: {why}");
    }
}
