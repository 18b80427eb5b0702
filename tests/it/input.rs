//! Bad input: what is no repository, what is damaged, what is too much, and who has stopped listening.

use crate::env::{Refs, Repo, TestEnvironment, ended, run};
use insta::assert_snapshot;
use std::{fs, process::Stdio};

/// Every record and every ref: what must not change when a command fails.
fn everything(repo: &Repo<'_>) -> String {
    repo.git(&["for-each-ref"])
}

/// Makes a commit with the message and parents of the tip, but with `text` at `path` in its tree, the tip.
fn tamper(repo: &Repo<'_>, path: &str, text: &str) {
    tamper_all(repo, &[(path.to_owned(), text.to_owned())]);
}

/// As [`tamper`], with many texts.
fn tamper_all(repo: &Repo<'_>, texts: &[(String, String)]) {
    let message = repo.git(&["log", "-1", "--format=%B", "refs/aio/state"]);
    let folder = repo.env.path().join("tampered");
    fs::create_dir(&folder).unwrap();
    let index = folder.join("index");
    let git = |args: &[&str]| {
        let ended = run(repo.env.command("git", &repo.dir).args(args).env("GIT_INDEX_FILE", &index));
        assert_eq!(ended.code, 0, "{args:?} {ended:?}");
        ended.stdout.trim().to_owned()
    };
    git(&["read-tree", "refs/aio/state"]);
    for some in texts.chunks(100) {
        let files: Vec<String> = (0..some.len()).map(|at| folder.join(at.to_string()).display().to_string()).collect();
        files.iter().zip(some).for_each(|(file, (_, text))| fs::write(file, text).unwrap());
        let mut hash = vec!["hash-object", "-w"];
        hash.extend(files.iter().map(String::as_str));
        let entries: Vec<String> = git(&hash)
            .lines()
            .zip(some)
            .flat_map(|(blob, (path, _))| ["--cacheinfo".to_owned(), format!("100644,{blob},{path}")])
            .collect();
        let mut add = vec!["update-index", "--add"];
        add.extend(entries.iter().map(String::as_str));
        git(&add);
    }
    let tree = git(&["write-tree"]);
    let commit = git(&["commit-tree", &tree, "-p", "refs/aio/state", "-m", &message]);
    git(&["update-ref", "refs/aio/state", &commit]);
    fs::remove_dir_all(&folder).unwrap();
}

/// The path of the only record below `folder`.
fn record(repo: &Repo<'_>, folder: &str) -> String {
    let found = repo.git(&["ls-tree", "-r", "--name-only", "refs/aio/state", folder]);
    assert_eq!(found.lines().count(), 1, "{found}");
    found.trim().to_owned()
}

#[test]
fn outside_of_a_repository_every_command_says_so() {
    let env = TestEnvironment::new();
    let nowhere = Repo { env: &env, dir: env.path().join("home") };
    let session = nowhere.session(None, &[&["status"], &["claim", "x"], &["status", "-C", "no/such/folder"]]);
    assert_snapshot!(session, @r"
    $ git aio status
    ! error: not a git repository (or any parent up to the root): ~/home
    ! hint: run it inside a git repository, or name one with -C
    [exit 1]
    $ git aio claim x
    ! error: not a git repository (or any parent up to the root): ~/home
    ! hint: run it inside a git repository, or name one with -C
    [exit 1]
    $ git aio status -C no/such/folder
    ! error: ~/home/no/such/folder is no folder
    ! hint: name one that exists with -C
    [exit 2]
    ");
    for args in [&["whoami"][..], &["log"], &["context", "get"], &["check", "x"], &["hook", "pre-commit"]] {
        assert_eq!(nowhere.aio(args).code, 1, "{args:?}");
    }
    for args in [&["schema"][..], &["--help"], &["--version"], &["man"], &["completions", "bash"]] {
        assert_eq!(nowhere.aio(args).code, 0, "{args:?}");
    }
}

#[test]
fn help_is_a_command_and_what_is_no_json_is_not_given_as_such() {
    let env = TestEnvironment::new();
    let repo = env.repo();
    assert_eq!(repo.ok(&["help"]), repo.ok(&["--help"]));
    assert_eq!(repo.ok(&["help", "claim"]), repo.ok(&["claim", "--help"]));
    assert_eq!(repo.ok(&["help", "handoff", "new"]), repo.ok(&["handoff", "new", "--help"]));
    for args in [&["completions", "bash", "--json"][..], &["man", "--json"]] {
        let refused = repo.aio(args);
        assert_eq!(refused.code, 2, "{refused:?}");
        assert!(refused.stdout.contains("\"usage\""), "{refused:?}");
    }
    let schema: serde_json::Value = serde_json::from_str(&repo.ok(&["schema", "--json"])).unwrap();
    assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
}

#[test]
fn a_repository_of_a_newer_format_is_not_touched() {
    let env = TestEnvironment::new();
    let repo = env.repo();
    repo.git(&["config", "core.repositoryformatversion", "1"]);
    repo.git(&["config", "extensions.somethingNew", "true"]);
    let config = fs::read(repo.dir.join(".git/config")).unwrap();
    let ended = repo.aio(&["claim", "x"]);
    assert_ne!(ended.code, 0, "{ended:?}");
    assert!(ended.stderr.to_lowercase().contains("somethingnew"), "it names what it does not know: {ended:?}");
    assert_eq!(fs::read(repo.dir.join(".git/config")).unwrap(), config);
    assert!(!repo.dir.join(".git/refs/aio").exists());
}

#[test]
fn a_corrupt_record_is_shown_and_the_rest_works() {
    let env = TestEnvironment::new();
    let repo = env.repo();
    let claude = repo.register("claude");
    repo.ok_as(&claude, &["context", "warning", "it bites"]);
    let path = record(&repo, "notes/");
    tamper(&repo, &path, "{\"v\":1,");
    let session = repo.session(Some(&claude), &[&["context", "get"], &["claim", "README.md"]]);
    let session = session.replace(path.rsplit('/').next().unwrap(), "NOTE.json").replace(&path[6..13], "MONTH");
    assert_snapshot!(session, @r"
    $ git aio context get
    nothing found
    ! warning: damaged record notes/MONTH/HEX.json: EOF while parsing a value at line 1 column 7; see `git aio doctor`
    $ git aio claim README.md
    claimed HEX  README.md (file)
    ");
    let found = repo.json_as(&claude, &["context", "get"]);
    assert_eq!(found["damaged"][0]["path"], path.as_str());
    repo.ok_as(&claude, &["context", "warning", "it still bites"]);
}

#[test]
fn a_corrupt_claim_refuses_what_it_may_have_covered_and_nothing_else() {
    let env = TestEnvironment::new();
    let repo = env.repo();
    let (claude, codex) = (repo.register("claude"), repo.register("codex"));
    repo.ok_as(&claude, &["claim", "src/auth/"]);
    let path = record(&repo, "claims/");
    tamper(&repo, &path, "no json");
    for args in [&["claim", "src/auth/login.rs"][..], &["check", "src/auth/login.rs"], &["claim", "src/"]] {
        let refused = repo.aio_as(&codex, args);
        assert_eq!(refused.code, 1, "{args:?} {refused:?}");
        assert!(refused.stderr.contains("damaged record") && refused.stderr.contains("doctor"), "{refused:?}");
    }
    repo.write("src/auth/login.rs", "changed\n");
    repo.git(&["add", "-A"]);
    let fence = repo.aio_as(&codex, &["hook", "pre-commit"]);
    assert_eq!(fence.code, 1, "a fence that can't judge blocks: {fence:?}");
    assert!(fence.stderr.contains("AIO_BYPASS=1"), "and names the way round: {fence:?}");
    repo.ok_as(&codex, &["claim", "README.md", "src/main.rs"]);
    assert_eq!(repo.aio_as(&codex, &["status"]).code, 0);
}

#[test]
fn a_corrupt_tip_stops_everything_and_names_the_way_back() {
    let env = TestEnvironment::new();
    let repo = env.repo();
    let claude = repo.register("claude");
    repo.git(&["update-ref", "refs/aio/state", "HEAD"]);
    let before = everything(&repo);
    for args in [&["status"][..], &["claim", "x"], &["check", "x"], &["log"], &["register", "codex"]] {
        let ended = repo.aio_as(&claude, args);
        assert_eq!(ended.code, 1, "{args:?} {ended:?}");
        assert!(ended.stderr.starts_with("error: refs/aio/state is damaged: "), "{ended:?}");
        assert!(ended.stderr.contains("git aio doctor --repair"), "{ended:?}");
    }
    assert_eq!(everything(&repo), before);
    let missing = "1".repeat(40);
    fs::write(repo.dir.join(".git/refs/aio/state"), format!("{missing}\n")).unwrap();
    assert_eq!(repo.aio_as(&claude, &["status"]).code, 1, "a commit that is not there");
    fs::write(repo.dir.join(".git/refs/aio/state"), "").unwrap();
    let empty = repo.aio_as(&claude, &["status"]);
    assert_eq!(empty.code, 1, "{empty:?}");
    assert!(empty.stderr.contains("doctor --repair"), "{empty:?}");
}

#[test]
fn a_store_of_a_newer_writer_can_be_read_and_not_written() {
    let env = TestEnvironment::new();
    let repo = env.repo();
    let (claude, codex) = (repo.register("claude"), repo.register("codex"));
    repo.ok_as(&claude, &["claim", "src/", "--why", "so"]);
    let meta = repo.git(&["show", "refs/aio/state:aio.json"]).replace("\"min_writer\": 1", "\"min_writer\": 99");
    assert!(meta.contains("99"), "{meta}");
    tamper(&repo, "aio.json", &meta);
    let before = everything(&repo);
    assert!(repo.ok_as(&codex, &["status"]).contains("src (directory)"));
    assert_eq!(repo.aio_as(&codex, &["check", "src/main.rs"]).code, 3);
    assert_snapshot!(repo.session(Some(&codex), &[&["claim", "README.md"]]), @r"
    $ git aio claim README.md
    ! error: the store needs a git-aio that writes format 99; this one writes format 2
    ! hint: update git-aio; until then it can only read
    [exit 1]
    ");
    for args in [&["context", "warning", "x"][..], &["unregister"], &["handoff", "new", "x"], &["register", "amp"]] {
        assert_eq!(repo.aio_as(&claude, args).code, 1, "{args:?}");
    }
    assert_eq!(everything(&repo), before);
}

#[test]
fn fields_of_a_newer_version_survive() {
    let env = TestEnvironment::new();
    let repo = env.repo();
    let claude = repo.register("claude");
    repo.ok_as(&claude, &["task", "one"]);
    let path = record(&repo, "instances/");
    let text = repo.git(&["show", &format!("refs/aio/state:{path}")]);
    tamper(&repo, &path, &text.replacen('{', "{\"colour\":\"red\",", 1));
    repo.ok_as(&claude, &["task", "two"]);
    let text = repo.git(&["show", &format!("refs/aio/state:{path}")]);
    assert!(text.contains("\"colour\": \"red\"") && text.contains("two"), "{text}");
}

/// Somebody else has written more than is listed at once: 22 MB of notes and as much of claims.
#[test]
fn a_store_that_is_too_large_to_be_listed_still_works() {
    let env = TestEnvironment::new();
    let repo = env.repo();
    let (claude, codex) = (repo.register("claude"), repo.register("codex"));
    repo.ok_as(&claude, &["context", "decision", "the newest of all"]);
    repo.ok_as(&claude, &["claim", "README.md"]);
    repo.ok_as(&codex, &["claim", "src/main.rs"]);
    let (note, claim) = (record(&repo, "notes/"), record(&repo, "paths/=README.md/"));
    let show = |path: &str| -> serde_json::Value {
        serde_json::from_str(&repo.git(&["show", &format!("refs/aio/state:{path}")])).unwrap()
    };
    let (note, claim) = (show(&note), show(&claim));
    let long = "x".repeat(62 * 1024);
    let mut texts = Vec::new();
    for at in 0..360 {
        let id = format!("{at:016x}");
        let (month, target) = (if at < 180 { "2020-01" } else { "2020-02" }, format!("far/{at}"));
        let mut note = note.clone();
        (note["id"], note["at"]) = (id.as_str().into(), format!("{month}-02T10:00:00Z").into());
        note["text"] = long.as_str().into();
        texts.push((format!("notes/{month}/{id}.json"), note.to_string()));
        let mut claim = claim.clone();
        (claim["id"], claim["target"], claim["why"]) = (id.as_str().into(), target.into(), long.as_str().into());
        (claim["holder"], claim["since"]) = (codex.as_str().into(), "2020-01-01T10:00:00Z".into());
        texts.push((format!("claims/00/{id}.json"), claim.to_string()));
        texts.push((format!("paths/=far/={at}/@{id}.json"), claim.to_string()));
    }
    tamper_all(&repo, &texts);
    let listed = |args: &[&str], what: &str| {
        let ended = repo.aio_as(&claude, &[args, &["--json"]].concat());
        assert!(ended.code == 0 && ended.stderr.contains(&format!("more {what} not read")), "{}", ended.stderr);
        let answer: serde_json::Value = serde_json::from_str(&ended.stdout).unwrap();
        let all = answer[what].as_array().unwrap().clone();
        assert!((300..360).contains(&all.len()), "{} {what}", all.len());
        all
    };

    let claims = listed(&["status"], "claims");
    assert!(claims.iter().any(|claim| claim["target"] == "README.md"), "what is new is there");
    assert_eq!(listed(&["context", "get"], "notes")[0]["text"], "the newest of all");
    let searched = repo.aio_as(&claude, &["context", "get", "--search", "newest of all"]);
    assert!(searched.stdout.contains("the newest of all") && searched.stderr.is_empty(), "{}", searched.stderr);

    repo.ok_as(&claude, &["claim", "src/deep/"]);
    assert_eq!(repo.json_as(&claude, &["release", "all"])["released"].as_array().unwrap().len(), 2);
    assert!(repo.ok_as(&codex, &["unregister"]).contains("released 361 claims"));
    repo.ok_as(&claude, &["cleanup"]);
    repo.ok_as(&claude, &["context", "decision", "one more"]);
}

#[test]
fn a_huge_argument_is_refused_in_words_of_reasonable_length() {
    let env = TestEnvironment::new();
    let repo = env.repo();
    let claude = repo.register("claude");
    let huge = "x".repeat(100_000);
    let deep = "a/".repeat(20_000);
    for args in [
        &["claim", &huge][..],
        &["claim", &format!("{huge}*")],
        &["claim", "task", &huge],
        &["claim", &deep],
        &["check", "--", &deep],
        &["task", &huge],
        &["register", &huge],
        &["whoami", "--as", &huge],
        &["release", &huge],
        &["context", "learning", &huge],
        &["handoff", "new", &huge],
        &["handoff", "show", &huge],
    ] {
        let ended = repo.aio_as(&claude, args);
        let said = ended.stdout.len() + ended.stderr.len();
        assert!(said < 5_000, "{} {}: {said} bytes", args[0], args[1].len());
        assert!([0, 1, 2, 8].contains(&ended.code), "{} {:?}", args[0], ended.code);
    }
    assert_eq!(repo.git(&["fsck", "--strict"]), "");
    assert_eq!(repo.aio_as(&claude, &["status"]).code, 0, "nothing that was taken is too much for a reader");
}

#[test]
fn who_has_closed_the_pipe_has_seen_enough() {
    let env = TestEnvironment::new();
    let repo = env.repo();
    let claude = repo.register("claude");
    let targets: Vec<String> = (0..200).map(|number| format!("folder/file-{number}")).collect();
    let targets: Vec<&str> = targets.iter().map(String::as_str).collect();
    repo.ok_as(&claude, &[&["claim"], &targets[..]].concat());
    for args in [&["status"][..], &["status", "--json"], &["log"], &["schema"], &["man"], &["completions", "bash"]] {
        let mut command = repo.command(args);
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let ended = ended(&command.stdout(writer).stderr(Stdio::piped()).output().unwrap());
        assert!(!ended.stderr.contains("panicked") && ended.stderr.is_empty(), "{args:?} {ended:?}");
        assert!([0, 141].contains(&ended.code), "{args:?} {ended:?}");
    }
}

#[test]
fn a_command_needs_nobody_at_its_ends() {
    let env = TestEnvironment::new();
    let repo = env.repo();
    let claude = repo.register("claude");
    let shell = |line: &str| run(repo.env.command("sh", &repo.dir).args(["-c", line]).env("AIO_INSTANCE", &claude));
    for (line, code) in [
        ("git-aio claim src/ <&-", 0),
        ("git-aio status <&- 2>&-", 0),
        ("git-aio context learning - <&-", 2),
        ("git-aio check --stdin <&-", 0),
    ] {
        let ended = shell(line);
        assert!(!ended.stderr.contains("panicked"), "{line} {ended:?}");
        assert_eq!(ended.code, code, "{line} {ended:?}");
    }
    let closed = shell("git-aio status >&-");
    assert!(!closed.stderr.contains("panicked"), "{closed:?}");
    let full = shell("git-aio status >/dev/full");
    assert_eq!(full.code, 1, "an answer that was not given is a failure: {full:?}");
}

#[test]
fn a_bare_repository_can_be_coordinated_by_path() {
    let env = TestEnvironment::new();
    let repo = env.repo();
    repo.git(&["clone", "-q", "--bare", ".", "../bare.git"]);
    let bare = Repo { env: &env, dir: env.path().join("bare.git") };
    bare.git(&["config", "aio.fsync", "false"]);
    let (claude, codex) = (bare.register("claude"), bare.register("codex"));
    bare.ok_as(&claude, &["claim", "directory", "src"]);
    assert_eq!(bare.aio_as(&codex, &["claim", "file", "src/main.rs"]).code, 3);
    assert_eq!(bare.aio_as(&codex, &["claim", "*.rs"]).code, 3);
    assert_eq!(bare.aio_as(&codex, &["claim", "../x"]).code, 2);
    assert!(bare.ok(&["status"]).starts_with("bare"), "its name is that of its folder");
    bare.ok_as(&claude, &["handoff", "new", "go on"]);
}

#[test]
fn a_repository_without_a_commit_can_be_coordinated() {
    let env = TestEnvironment::new();
    let dir = env.path().join("fresh");
    fs::create_dir(&dir).unwrap();
    let repo = Repo { env: &env, dir };
    repo.git(&["init", "-q"]);
    let (claude, codex) = (repo.register("claude"), repo.register("codex"));
    repo.ok_as(&claude, &["claim", "src/", "*.md"]);
    repo.write("src/main.rs", "fn main() {}\n");
    repo.git(&["add", "-A"]);
    assert_eq!(repo.aio_as(&codex, &["hook", "pre-commit"]).code, 3);
    assert_eq!(repo.aio_as(&claude, &["hook", "pre-commit"]).code, 0);
    let handoff = repo.json_as(&claude, &["handoff", "new", "go on"])["handoff"].clone();
    assert_eq!(handoff["commit"], serde_json::Value::Null, "{handoff}");
    assert_eq!(handoff["dirty"], serde_json::json!(["src/main.rs"]));
}

#[test]
fn without_a_name_in_git_a_store_can_still_be_written() {
    let env = TestEnvironment::new();
    let repo = env.repo_with("demo", Refs::Files, "sha1", &[]);
    let mut command = repo.command(&["register", "claude"]);
    for side in ["AUTHOR", "COMMITTER"] {
        command.env_remove(format!("GIT_{side}_NAME")).env_remove(format!("GIT_{side}_EMAIL"));
    }
    let ended = run(command.env("HOME", "/nonexistent"));
    assert_eq!(ended.code, 0, "{ended:?}");
    assert_eq!(repo.git(&["log", "-1", "--format=%an %cn", "refs/aio/state"]), "git-aio git-aio\n");
}

/// A store in which claude lost `src/auth/`, and the path of the record that says so.
fn with_a_loss(env: &TestEnvironment) -> (Repo<'_>, String, String) {
    let repo = env.repo();
    let claude = repo.register("claude");
    let id = repo.json_as(&claude, &["claim", "src/auth/"])["claims"][0]["id"].as_str().unwrap().to_owned();
    repo.ok(&["release", "--force", "--why", "it takes too long", &id]);
    let path = record(&repo, "ended/");
    (repo, claude, path)
}

#[test]
fn a_corrupt_record_of_a_loss_stops_only_answers_about_what_may_be_lost() {
    let env = TestEnvironment::new();
    let (repo, claude, path) = with_a_loss(&env);
    let text = repo.git(&["show", &format!("refs/aio/state:{path}")]);
    // What was lost can still be made out.
    tamper(&repo, &path, &text.replace("\"forced\"", "\"in a way of the future\""));
    repo.ok_as(&claude, &["claim", "README.md"]);
    repo.ok_as(&claude, &["check", "README.md", "src/main.rs"]);
    let refused = repo.aio_as(&claude, &["check", "src/auth/login.rs"]);
    assert!(refused.code == 1 && refused.stderr.contains("damaged record ended/"), "{refused:?}");
    assert_eq!(repo.json_as(&claude, &["status"])["damaged"][0]["path"], path.as_str());
    for (changed, code) in [("README.md", 0), ("src/auth/login.rs", 1)] {
        repo.write(changed, "changed\n");
        repo.git(&["add", changed]);
        let fence = repo.aio_as(&claude, &["hook", "pre-commit"]);
        assert_eq!(fence.code, code, "{changed}: {fence:?}");
    }

    // What was lost can't be made out: it may be anything, but claims go on.
    tamper(&repo, &path, "no json");
    repo.ok_as(&claude, &["claim", "src/main.rs"]);
    repo.ok_as(&claude, &["status"]);
    assert_eq!(repo.aio_as(&claude, &["check", "src/main.rs"]).code, 1);
    let doctor = repo.aio(&["doctor"]);
    assert!(doctor.code == 1 && doctor.stdout.contains(&path), "{doctor:?}");
    let dump: serde_json::Value = serde_json::from_str(&repo.ok(&["doctor", "--dump"])).unwrap();
    assert_eq!(dump["damaged"][0]["path"], path.as_str());
    repo.aio(&["doctor", "--repair"]);
    assert!(record(&repo, "quarantine/").contains("ended%2F"));
    repo.ok_as(&claude, &["check", "src/main.rs"]);
}

#[test]
fn a_corrupt_record_of_a_loss_can_be_let_go_of() {
    let env = TestEnvironment::new();
    for all in [true, false] {
        let (repo, claude, path) = with_a_loss(&env);
        tamper(&repo, &path, "no json");
        let id = path.rsplit('/').next().unwrap().trim_end_matches(".json");
        repo.ok_as(&claude, &["release", if all { "all" } else { id }]);
        assert_eq!(repo.git(&["ls-tree", "-r", "refs/aio/state", "ended/"]), "");
        repo.ok_as(&claude, &["check", "src/auth/login.rs"]);
        fs::remove_dir_all(&repo.dir).unwrap();
    }
}

#[test]
fn a_reason_that_is_too_long_for_a_thousand_records_is_refused() {
    let env = TestEnvironment::new();
    let repo = env.repo();
    let claude = repo.register("claude");
    let paths: Vec<String> = (0..1000).map(|at| format!("far/{at}")).collect();
    let long = "x".repeat(60 * 1024);
    let mut args = vec!["claim", "--why", &long];
    args.extend(paths.iter().map(String::as_str));
    let before = everything(&repo);
    let refused = repo.aio_as(&claude, &args);
    assert!(refused.code == 2 && refused.stderr.contains("longer than 1024 bytes"), "{refused:?}");
    assert_eq!(everything(&repo), before);
}

/// Each operation is a commit with all of it in its message. A larger one than readers take would be the last.
#[test]
fn an_operation_that_would_be_too_large_is_refused_and_the_store_goes_on() {
    let env = TestEnvironment::new();
    let repo = env.repo();
    let claude = repo.register("claude");
    let operations = repo.operations();
    let targets: Vec<String> = (0..800).map(|nth| format!("new/{nth}.rs")).collect();
    let targets: Vec<&str> = targets.iter().map(String::as_str).collect();
    // Each is written as six characters.
    let why = "\u{1}".repeat(1024);
    let refused = repo.aio_as(&claude, &[&["claim", "--why", &why], &targets[..]].concat());
    assert_eq!(refused.code, 2, "{}", refused.stderr);
    assert!(refused.stderr.starts_with("error: the operation "), "{}", refused.stderr);
    assert!(refused.stderr.contains("\nhint: make it shorter\n"), "{}", refused.stderr);
    assert_eq!(repo.operations(), operations, "nothing was written");
    repo.ok_as(&claude, &[&["claim"], &targets[..]].concat());
    assert_eq!(repo.operations(), operations + 1);
}

/// What the index doesn't show may be held all the same: whoever finds it to be incomplete refuses.
#[test]
fn a_hole_in_the_index_hides_no_claim() {
    let blob_at = |path: &'static str| ("a file in place of a folder", Some(path));
    for (what, blob) in
        [("no index at all", None), blob_at("paths"), blob_at("paths/=src"), blob_at("paths/=src/=auth")]
    {
        let env = TestEnvironment::new();
        let repo = env.repo();
        let (claude, codex) = (repo.register("claude"), repo.register("codex"));
        repo.ok_as(&claude, &["claim", "src/auth/"]);
        drop_index(&repo, blob);
        for args in [&["check", "src/auth/login.rs"][..], &["claim", "src/auth/login.rs"], &["claim", "src/"]] {
            let refused = repo.aio_as(&codex, args);
            assert_eq!(refused.code, 1, "{what} {blob:?} {args:?} {refused:?}");
            assert!(refused.stderr.contains("doctor"), "{what} {blob:?}: {refused:?}");
        }
        repo.write("src/auth/login.rs", "changed\n");
        repo.git(&["add", "-A"]);
        assert_eq!(repo.aio_as(&codex, &["hook", "pre-commit"]).code, 1, "{what} {blob:?}: the fence blocks, too");
        assert_eq!(repo.aio_as(&codex, &["doctor"]).code, 1, "{what} {blob:?}");
        let mended = repo.aio(&["doctor", "--repair"]);
        assert!(mended.stdout.contains("put the index right at paths/=src/=auth/@"), "{what} {blob:?}: {mended:?}");
        assert_eq!(repo.aio_as(&codex, &["claim", "src/auth/login.rs"]).code, 3, "{what} {blob:?}: it is there again");
    }
}

/// Makes a commit like the tip, but without the index of paths, and with a file at `blob` if that is given, the tip.
fn drop_index(repo: &Repo<'_>, blob: Option<&str>) {
    let paths = repo.git(&["ls-tree", "-r", "--name-only", "refs/aio/state", "paths/"]);
    let index = repo.env.path().join("holed-index");
    let git = |args: &[&str]| {
        let ended = run(repo.env.command("git", &repo.dir).args(args).env("GIT_INDEX_FILE", &index));
        assert_eq!(ended.code, 0, "{args:?} {ended:?}");
        ended.stdout.trim().to_owned()
    };
    git(&["read-tree", "refs/aio/state"]);
    paths.lines().for_each(|path| drop(git(&["update-index", "--force-remove", path])));
    if let Some(blob) = blob {
        let meta = git(&["rev-parse", "refs/aio/state:aio.json"]);
        git(&["update-index", "--add", "--cacheinfo", &format!("100644,{meta},{blob}")]);
    }
    let tree = git(&["write-tree"]);
    let message = git(&["log", "-1", "--format=%B", "refs/aio/state"]);
    let commit = git(&["commit-tree", &tree, "-p", "refs/aio/state^", "-m", &message]);
    git(&["update-ref", "refs/aio/state", &commit]);
}

#[test]
fn a_kind_among_the_targets_is_no_target() {
    let env = TestEnvironment::new();
    let repo = env.repo();
    for words in [&["claim", "src/", "task", "BUG-1"][..], &["claim", "task", "BUG-1", "file", "README.md"]] {
        let ended = repo.aio(words);
        assert_eq!(ended.code, 2, "{}", ended.shown());
        assert!(ended.stderr.contains("stands among the targets"), "{}", ended.stderr);
    }
    repo.write("task", "");
    let me = repo.register("codex");
    repo.ok_as(&me, &["claim", "README.md", "task"]);
}

#[test]
fn an_agent_is_no_person_by_saying_so() {
    let env = TestEnvironment::new();
    let repo = env.repo();
    let me = repo.register("codex");
    let ended = repo.aio_as(&me, &["register", "person"]);
    assert!(ended.code != 0 && ended.stderr.contains("only a person registers as one"), "{}", ended.shown());
    assert_eq!(repo.aio(&["register", "person"]).code, 0);
}

#[test]
fn where_a_store_was_made_and_is_gone_with_its_reflog_nothing_is_begun_by_the_way() {
    let env = TestEnvironment::new();
    let repo = env.repo();
    repo.ok(&["init"]);
    let me = repo.register("codex");
    repo.ok_as(&me, &["claim", "README.md"]);
    repo.git(&["update-ref", "-d", "refs/aio/state"]);
    let other = repo.aio(&["register", "claude"]);
    assert!(other.code != 0 && other.stderr.contains("git aio init"), "{}", other.shown());
    let looked = repo.aio(&["doctor"]);
    assert!(looked.code == 1 && looked.stdout.contains("gone, and its reflog with it"), "{}", looked.shown());
    assert_eq!(repo.try_git(&["rev-parse", "-q", "--verify", "refs/aio/state"]).code, 1);
    repo.ok(&["init"]);
    repo.ok(&["register", "claude"]);
}

#[test]
fn a_strict_claim_needs_a_hub() {
    let env = TestEnvironment::new();
    let repo = env.repo();
    repo.git(&["config", "aio.confirm", "strict"]);
    let ended = repo.aio(&["claim", "README.md"]);
    assert!(ended.code == 7 && ended.stderr.contains("no hub is named"), "{}", ended.shown());
}
