use super::*;
use std::{fs, time::Duration};

fn wrong(text: &str) -> String {
    Config::parse(text).expect_err(text).to_string()
}

#[test]
fn all_of_it_is_read() {
    let config = Config::parse(
        r#"
hub = "git@example.org:team/coordination.git"

[tools.gemini]
stagger = "1s"
max_parallel = 8
strengths = { context = 1_000_000, search = true, cost = "low" }

[tools.local]
command = ["python", "agent.py", "{prompt}"]

[agents.implementer]
tool = ["codex", "local"]

[verify]
default = ["@lint", "@test"]
lint = "npm run lint"
test = { run = "npm test", timeout = "20m" }
"#,
    )
    .expect("valid");
    assert_eq!(config.hub.expect("named").value, "git@example.org:team/coordination.git");
    let [gemini, local] = &config.tools[..] else { panic!("{:?}", config.tools) };
    assert_eq!((gemini.stagger, gemini.max_parallel), (Some(Duration::from_secs(1)), Some(8)));
    assert_eq!(gemini.strengths, Strengths { context: Some(1_000_000), search: Some(true), cost: Some(Cost::Low) });
    assert_eq!(local.command, ["python", "agent.py", "{prompt}"]);
    assert_eq!(config.agents[0].tools.iter().map(|tool| &tool.value[..]).collect::<Vec<_>>(), ["codex", "local"]);
    assert_eq!(config.verify.check("lint").map(|check| &check.run[..]), Some("npm run lint"));
    assert_eq!(config.verify.check("test").and_then(|check| check.timeout), Some(Duration::from_secs(1200)));
}

#[test]
fn what_is_wrong_is_told_with_its_place_and_the_right_word() {
    for (text, told) in [
        ("[verfiy]\nlint = 'x'\n", "1:2: there is no key 'verfiy'; did you mean 'verify'?"),
        ("\n[tools.gemini]\n  stager = '1s'\n", "3:3: there is no key 'stager' of gemini; did you mean 'stagger'?"),
        ("[tools.gemini]\nparallel = 3\n", "2:1: there is no key 'parallel' of gemini; did you mean 'max_parallel'?"),
        (
            "[verify]\ntset = 'x'\n",
            "2:1: a check called 'tset' would not be run unless it is asked for; did you mean 'test'?",
        ),
        ("[verify]\ntest = { rnu = 'x' }\n", "2:10: there is no key 'rnu' of test; did you mean 'run'?"),
        ("[verify]\ntest = { timeout = '1m' }\n", "2:1: the check test has no run"),
        (
            "[verify]\ntest = { run = 'x', timeout = 'soon' }\n",
            "2:31: timeout has to be a duration such as \"30s\" or \"10m\"",
        ),
        ("[verify]\ntest = 3\n", "2:8: test has to be a text in quotes"),
        ("[verify]\ntest = ' '\n", "2:8: test is empty"),
        ("[verify]\nscope = 'x'\n", "2:1: @scope is built in and can't be given a command"),
        (
            "[verify]\n'a b' = 'x'\n",
            "2:1: 'a b' is no name: use a letter, then letters, digits, - and _, all of them small",
        ),
        ("verify = 1\n", "1:1: verify is no table"),
        ("hub = '--upload-pack=x'\n", "1:7: hub is neither a remote nor a URL"),
        ("[tools.gemini]\nstagger = '20ms'\n", "2:11: the stagger of gemini has to be at least 500ms"),
        (
            "[tools.x]\ncommand = 'a b'\n",
            "2:11: command has to be a list of words, such as [\"agent\", \"--task\", \"{prompt}\"]",
        ),
        ("[tools.x.strengths]\ncost = 'lwo'\n", "2:8: cost has to be one of low, medium, high; did you mean 'low'?"),
        ("[tools.x.strengths]\ncontext = 0\n", "2:11: context has to be at least 1"),
        ("[agents.tester]\ntool = ['a', 3]\n", "2:14: what is in the list tool has to be texts, none of them empty"),
    ] {
        assert_eq!(wrong(text), told, "{text}");
    }
    assert!(wrong("[verify\nlint = 'é' = 'x'").starts_with("1:8: this is no TOML: "), "{}", wrong("[verify\n"));
}

#[test]
fn a_name_that_is_only_like_a_usual_one_is_taken_beside_it() {
    let config = Config::parse("[verify]\ntest = 'x'\ntests = 'y'\n").expect("both are meant");
    assert_eq!(config.verify.checks.len(), 2);
}

#[test]
fn what_is_declared_is_the_configuration_and_every_brief() {
    let root = tempfile::tempdir().expect("a folder");
    assert_eq!(read(root.path()).expect("readable"), None);
    let write = |path: &str, text: &str| {
        let path = root.path().join(path);
        fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        fs::write(path, text).expect("written");
    };
    write(".aio/agents/tester.md", "Test.\n");
    write(".aio/agents/No name.md", "Never read.\n");
    write(".aio/words/short.md", "Be short.\n");
    write(PATH, "[agents.reviewer]\nbrief = 'words/short.md'\n");
    let declared = read(root.path()).expect("readable").expect("there");
    let briefs: Vec<_> = declared.briefs.iter().map(|(name, (path, _))| (&name[..], &path[..])).collect();
    assert_eq!(briefs, [("reviewer", ".aio/words/short.md"), ("tester", ".aio/agents/tester.md")]);
    assert_eq!(declared.content.paths().collect::<Vec<_>>(), [".aio/agents/tester.md", PATH, ".aio/words/short.md"]);
    for brief in ["../x.md", "/etc/passwd", "words/none.md"] {
        write(PATH, &format!("[agents.reviewer]\nbrief = '{brief}'\n"));
        let error = read(root.path()).expect_err(brief).to_string();
        assert!(error.starts_with(".aio/config.toml:2:9: the brief "), "{error}");
    }
}

#[cfg(unix)]
#[test]
fn a_link_may_not_lead_out_of_the_work_tree() {
    let (root, outside) = (tempfile::tempdir().expect("a folder"), tempfile::NamedTempFile::new().expect("a file"));
    fs::create_dir(root.path().join(".aio")).expect("made");
    std::os::unix::fs::symlink(outside.path(), root.path().join(PATH)).expect("linked");
    let error = read(root.path()).expect_err("a link").to_string();
    assert_eq!(error, ".aio/config.toml can't be read: it is a link that leads out of the work tree");
}
