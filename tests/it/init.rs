//! Setting a repository up and taking that back, at the terminal.

use crate::{
    env::{PROGRAM, Refs, Repo, TestEnvironment, path_without_us, run},
    together::together,
};
use std::{
    fs,
    path::{Path, PathBuf},
};

#[test]
fn a_dry_run_shows_a_diff_that_git_takes_and_writes_nothing() {
    let env = TestEnvironment::new();
    let repo = env.repo();
    let shown = repo.ok(&["init", "--dry-run"]);
    assert!(shown.starts_with(
        "diff --git a/.git/hooks/pre-commit b/.git/hooks/pre-commit\nnew file mode 100755\n--- /dev/null\n\
         +++ b/.git/hooks/pre-commit\n"
    ));
    assert!(!repo.dir.join(".git/hooks/pre-commit").exists());
    assert!(!repo.dir.join(".git/aio").exists());
    assert_ne!(repo.try_git(&["rev-parse", "--verify", "-q", "refs/aio/state"]).code, 0);
}

#[test]
fn init_undone_leaves_the_repository_as_it_was_but_for_the_records() {
    let env = TestEnvironment::new();
    let repo = env.repo();
    let config = fs::read(repo.dir.join(".git/config")).unwrap();
    let commands: &[&[&str]] =
        &[&["init"], &["init"], &["init", "--dry-run"], &["init", "--undo"], &["init", "--undo"]];
    let told = repo.session(None, commands);
    let expected = "\
$ git aio init
write .git/hooks/pre-commit
write .git/hooks/pre-merge-commit
write .git/hooks/pre-push
write .git/hooks/post-commit
make the store in refs/aio/state
$ git aio init
nothing to do: all is in place
$ git aio init --dry-run
nothing to do: all is in place
$ git aio init --undo
Removed ~/demo/.git/hooks/pre-commit
Removed ~/demo/.git/hooks/pre-merge-commit
Removed ~/demo/.git/hooks/pre-push
Removed ~/demo/.git/hooks/post-commit
! claims and notes stay in refs/aio/state; docs/storage.md says how they are kept
$ git aio init --undo
nothing to take back: init has changed nothing here
! claims and notes stay in refs/aio/state; docs/storage.md says how they are kept
";
    assert_eq!(told, expected);
    assert_eq!(fs::read(repo.dir.join(".git/config")).unwrap(), config);
}

#[test]
fn a_fence_that_was_removed_is_back_at_the_next_claim() {
    let env = TestEnvironment::new();
    let repo = env.repo();
    repo.ok(&["init"]);
    let codex = repo.register("codex");
    fs::remove_file(repo.dir.join(".git/hooks/pre-commit")).unwrap();
    let claimed = repo.aio_as(&codex, &["claim", "src/main.rs"]);
    assert_eq!(claimed.code, 0);
    assert!(claimed.stderr.contains("the fence at the commit was gone and is back"), "{}", claimed.stderr);
    assert!(repo.dir.join(".git/hooks/pre-commit").exists());
}

/// The whole file of settings.
fn settings(repo: &Repo<'_>) -> Vec<u8> {
    fs::read(repo.dir.join(".git/config")).unwrap()
}

#[test]
fn a_hub_is_only_hinted_at_until_it_is_named() {
    let env = TestEnvironment::new();
    let repo = env.repo();
    repo.git(&["init", "-q", "--bare", "../hub.git"]);
    repo.git(&["remote", "add", "origin", "../hub.git"]);
    let said = repo.aio(&["init"]).stderr;
    assert!(said.contains("nothing leaves this clone: `git aio init --remote origin`"), "{said}");
    repo.register("claude");
    let hub = Repo { env: &env, dir: env.path().join("hub.git") };
    assert_eq!(hub.git(&["for-each-ref"]), "");
    repo.git(&["remote", "add", "second", "../hub.git"]);
    assert_eq!(repo.aio(&["init"]).stderr, "", "of two, which one?");
}

#[test]
fn a_hub_that_init_names_is_forgotten_by_its_undo() {
    let env = TestEnvironment::new();
    let repo = env.repo();
    repo.git(&["init", "-q", "--bare", "../hub.git"]);
    repo.git(&["remote", "add", "origin", "../hub.git"]);
    repo.git(&["config", "aio.backgroundSync", "false"]);
    let before = settings(&repo);
    let shown = repo.ok(&["init", "--dry-run", "--remote", "origin", "--fetch-with-git"]);
    for line in ["+aio.remote=origin\n", "+remote.origin.fetch=+refs/aio/*:refs/aio-sync/origin/*\n"] {
        assert!(shown.contains(line), "{shown}");
    }
    assert_eq!(settings(&repo), before);
    let told = repo.aio(&["init", "--remote", "origin", "--fetch-with-git"]);
    assert_eq!(told.code, 0, "{}", told.stderr);
    assert!(
        told.stdout.contains("set aio.remote to origin\nadd +refs/aio/*:refs/aio-sync/origin/*, +refs/aio-presence/*")
    );
    assert!(told.stderr.contains("`git aio sync` gives the hub"), "{}", told.stderr);
    assert_eq!(repo.ok(&["init", "--remote", "origin", "--fetch-with-git"]), "nothing to do: all is in place\n");
    repo.ok(&["sync"]);
    repo.git(&["update-ref", "-d", "refs/aio-sync/origin/state"]);
    repo.git(&["fetch", "-q", "--prune"]);
    assert_eq!(repo.git(&["rev-parse", "refs/aio-sync/origin/state"]), repo.git(&["rev-parse", "refs/aio/state"]));
    repo.ok(&["init", "--undo"]);
    assert_eq!(settings(&repo), before);

    // What somebody else wrote meanwhile stays.
    repo.ok(&["init", "--remote", "origin", "--fetch-with-git"]);
    repo.git(&["config", "user.name", "Grace"]);
    repo.git(&["config", "--add", "remote.origin.fetch", "+refs/x/*:refs/y/*"]);
    repo.ok(&["init", "--undo"]);
    assert_eq!(repo.try_git(&["config", "aio.remote"]).code, 1);
    let fetched = repo.git(&["config", "--get-all", "remote.origin.fetch"]);
    assert_eq!(fetched, "+refs/heads/*:refs/remotes/origin/*\n+refs/x/*:refs/y/*\n");
    assert_eq!(repo.git(&["config", "user.name"]), "Grace\n");
}

#[test]
fn a_hub_may_be_a_url_or_a_path_and_has_to_be_something() {
    let env = TestEnvironment::new();
    let repo = env.repo();
    repo.git(&["init", "-q", "--bare", "../hub.git"]);
    let named = |dir: &str, hub: &str| {
        let ended = repo.aio(&["-C", dir, "init", "--remote", hub]);
        (ended.code == 0).then(|| repo.git(&["config", "aio.remote"]).trim().to_owned()).ok_or(ended)
    };
    let path = env.path().join("hub.git").display().to_string();
    assert_eq!(named("src/auth", "../../../hub.git").unwrap(), path);
    assert_eq!(named(".", "ssh://git@example.org/x.git").unwrap(), "ssh://git@example.org/x.git");
    assert_eq!(named(".", "example.org:x.git").unwrap(), "example.org:x.git");
    let refused = named(".", "orgin").unwrap_err();
    assert_eq!(refused.code, 2);
    assert!(refused.stderr.contains("there is no remote 'orgin'"), "{}", refused.stderr);
    assert_eq!(named(".", "").unwrap_err().code, 2);
    assert_eq!(repo.aio(&["init", "--fetch-with-git"]).code, 2, "a place without a name has no refspec");
    assert_eq!(repo.aio(&["init", "--undo", "--remote", &path]).code, 2);
}

#[test]
fn a_bare_repository_may_have_a_hub() {
    let env = TestEnvironment::new();
    let repo = env.repo();
    repo.git(&["clone", "-q", "--bare", ".", "../bare.git"]);
    let bare = Repo { env: &env, dir: env.path().join("bare.git") };
    let before = fs::read(bare.dir.join("config")).unwrap();
    bare.ok(&["init", "--remote", "origin"]);
    assert_eq!(bare.git(&["config", "aio.remote"]), "origin\n");
    bare.ok(&["init", "--undo"]);
    assert_eq!(fs::read(bare.dir.join("config")).unwrap(), before);
}

#[test]
fn a_refspec_that_would_overwrite_is_warned_of() {
    let env = TestEnvironment::new();
    let repo = env.repo();
    repo.git(&["remote", "add", "origin", "../hub.git"]);
    repo.ok(&["init"]);
    let failed = |refspec: &str| {
        repo.git(&["config", "--add", "remote.origin.fetch", refspec]);
        let said = repo.aio(&["init"]).stderr;
        assert!(said.contains(&format!("warning: remote.origin.fetch has {refspec}: a plain `git fetch`")), "{said}");
        let doctor = repo.aio(&["doctor"]);
        assert_eq!(doctor.code, 1);
        assert!(doctor.stdout.contains("failed  refspecs"), "{}", doctor.stdout);
        let way = said.split('`').nth(3).unwrap();
        let ended = run(env.command("sh", &repo.dir).args(["-c", way]));
        assert_eq!(ended.code, 0, "{way}: {}", ended.stderr);
        assert!(repo.ok(&["doctor"]).contains("ok      refspecs"));
    };
    failed("+refs/aio/*:refs/aio/*");
    failed("+refs/*:refs/*");
}

/// Every file that `init` is about, with its bytes and whether it can be run: hooks, settings, our own record of it.
fn put_up(repo: &Repo<'_>) -> Vec<(String, Vec<u8>)> {
    let files =
        repo.env.command("find", &repo.dir.join(".git")).args(["hooks", "config", "aio", "-type", "f"]).output();
    let files = String::from_utf8(files.unwrap().stdout).unwrap();
    let ours = |name: &&str| {
        !name.starts_with("aio/") || ["aio/init", "aio/backup", "aio/hooks"].iter().any(|own| name.starts_with(own))
    };
    let mut found: Vec<_> = files
        .lines()
        .filter(ours)
        .map(|name| {
            let path = repo.dir.join(".git").join(name);
            (format!("{name} {:?}", fs::metadata(&path).unwrap().permissions()), fs::read(path).unwrap())
        })
        .collect();
    found.sort();
    found
}

/// A repository with a hook and a setting of its own, and a linked worktree beside it.
fn lived_in<'e>(env: &'e TestEnvironment, name: &str) -> (Repo<'e>, PathBuf) {
    let repo = env.repo_with(name, Refs::Files, "sha1", &[("a", "1\n"), ("hooks/commit-msg", "#!/bin/sh\n")]);
    repo.git(&["config", "core.hooksPath", "hooks"]);
    repo.git(&["config", "log.excludeDecoration", "refs/notes/*"]);
    let linked = env.path().join(format!("{name}-linked"));
    repo.git(&["worktree", "add", "-q", linked.to_str().unwrap()]);
    (repo, linked)
}

#[test]
fn many_inits_at_once_are_one() {
    let env = TestEnvironment::new();
    let (alone, _) = lived_in(&env, "alone");
    alone.ok(&["init"]);
    let (repo, linked) = lived_in(&env, "crowded");
    let before = put_up(&repo);
    let inits = (0..8).map(|nth| {
        let mut init = repo.command(&["init"]);
        init.current_dir(if nth % 2 == 0 { &repo.dir } else { &linked });
        init
    });
    let ends = together(inits.collect());
    assert!(ends.iter().all(|end| end.code == 0), "{ends:#?}");
    let did_nothing = ends.iter().filter(|end| end.stdout == "nothing to do: all is in place\n").count();
    assert!(did_nothing >= 6, "{did_nothing} of 8 found all in place; the hooks and the store may have had two makers");
    // Dispatchers name the repository, and our record holds digests of them.
    let hooks = |repo: &Repo<'_>| {
        let files = put_up(repo).into_iter().filter(|(name, _)| !name.starts_with("aio/init"));
        files
            .map(|(name, bytes)| (name, String::from_utf8(bytes).unwrap().replace("crowded", "alone")))
            .collect::<Vec<_>>()
    };
    assert_eq!(hooks(&repo), hooks(&alone));
    assert_eq!(repo.operations(), 1, "one store was made");
    repo.ok(&["init", "--undo"]);
    assert_eq!(put_up(&repo), before);
}

#[test]
fn a_fence_that_is_put_back_beside_an_undo_is_gone_or_was_never_back() {
    let env = TestEnvironment::new();
    let (repo, _) = lived_in(&env, "demo");
    let before = put_up(&repo);
    let codex = repo.register("codex");
    for round in 0..8 {
        repo.ok(&["init"]);
        fs::remove_file(repo.dir.join(".git/aio/hooks/pre-commit")).unwrap();
        let mut commands: Vec<_> = (0..3)
            .map(|nth| {
                let mut claim = repo.command(&["claim", &format!("{round}/{nth}")]);
                claim.env("AIO_INSTANCE", &codex);
                claim
            })
            .collect();
        commands.push(repo.command(&["init", "--undo"]));
        let ends = together(commands);
        assert!(ends.iter().all(|end| end.code == 0), "{ends:#?}");
        assert!(ends.iter().all(|end| !end.stderr.contains("can't be put back")), "{ends:#?}");
        assert_eq!(put_up(&repo), before, "round {round}: {ends:#?}");
    }
}

#[test]
fn a_program_that_hooks_will_not_find_is_told() {
    let env = TestEnvironment::new();
    let repo = env.repo();
    let inited = run(repo.command(&["init"]).env("PATH", path_without_us())).stderr;
    let folder = Path::new(PROGRAM).parent().unwrap().display().to_string();
    let warning =
        format!("warning: hooks don't find git-aio, and the fence lets everything pass: add {folder} to PATH");
    assert!(inited.starts_with(&warning), "{inited}");
}

#[test]
fn a_hub_that_is_not_there_is_named_with_a_warning() {
    let env = TestEnvironment::new();
    let repo = env.repo();
    let hub = env.path().join("hub.git").display().to_string();
    for remote in [hub.clone(), format!("file://{hub}")] {
        let ended = repo.aio(&["init", "--remote", &remote]);
        assert_eq!(ended.code, 0, "{ended:?}");
        assert!(ended.stderr.contains(&format!("warning: there is no repository at {hub}")), "{}", ended.stderr);
        assert!(ended.stderr.contains("git init --bare"), "{}", ended.stderr);
    }
    repo.git(&["init", "-q", "--bare", &hub]);
    for remote in [hub.as_str(), hub.trim_end_matches(".git"), "https://host.example/a/b", "git@host.example:a/b"] {
        let ended = repo.aio(&["init", "--remote", remote]);
        assert!(!ended.stderr.contains("no repository"), "{remote}: {}", ended.stderr);
    }
}

#[test]
fn a_worktree_that_can_not_be_fenced_is_named() {
    let env = TestEnvironment::new();
    let repo = env.repo();
    repo.write(".husky/_/.gitignore", "*\n");
    repo.git(&["config", "core.hooksPath", ".husky/_"]);
    let linked = env.path().join("linked");
    repo.git(&["worktree", "add", "-q", linked.to_str().unwrap()]);
    let inited = repo.aio(&["init"]);
    let named = format!(
        "warning: the worktree {} has no fence: pre-commit: there is no such hook where git looks for it; \
         `git aio init` puts it up when it is run there\n",
        linked.display()
    );
    assert_eq!((inited.code, inited.stderr), (0, named));
    let told = repo.ok(&["doctor"]);
    assert!(
        told.contains(&format!("odd     worktrees          no fence before the first claim in {}", linked.display()))
    );
    assert_eq!(run(repo.command(&["init"]).current_dir(&linked)).code, 0);
    assert!(repo.ok(&["doctor"]).contains("ok      worktrees          1 worktree more"));
}

const CONFIG: &str = ".aio/config.toml";

/// A project that says by its files how it is checked.
fn project(env: &TestEnvironment) -> Repo<'_> {
    let make = "lint:\n\ttrue\ntest:\n\techo tested\n";
    env.repo_with("demo", Refs::Files, "sha1", &[("Makefile", make), ("go.mod", "module x\n")])
}

#[test]
fn a_configuration_is_written_when_it_is_asked_for_and_goes_with_an_undo() {
    let env = TestEnvironment::new();
    let repo = project(&env);
    let plain = repo.aio(&["init"]);
    assert!(
        plain.stderr.contains("nothing says how this is checked: `git aio init --config`")
            && plain.stderr.contains("(lint, build, test)"),
        "{plain:?}"
    );
    assert_eq!(repo.git(&["status", "--porcelain"]), "", "nothing is written into the work tree unasked");
    let shown = repo.ok(&["init", "--config", "--dry-run"]);
    assert!(
        shown.contains("+++ b/.aio/config.toml\n") && shown.contains("+test = \"make test\"  # by Makefile\n"),
        "{shown}"
    );
    assert!(!repo.dir.join(".aio").exists());
    let written = repo.aio(&["init", "--config"]);
    assert_eq!((written.code, &written.stdout[..]), (0, "write .aio/config.toml\n"), "{written:?}");
    assert!(written.stderr.contains(".aio/config.toml is approved in this clone as it is"), "{written:?}");
    let text = fs::read_to_string(repo.dir.join(CONFIG)).unwrap();
    for line in [
        "lint = \"make lint\"  # by Makefile",
        "build = \"go build ./...\"  # by go.mod",
        "\"bug fixes\" = [\"implementer\", \"reviewer\"]",
    ] {
        assert!(text.lines().any(|one| one == line), "{line}: {text}");
    }
    // It counts at once.
    let verified = repo.aio(&["verify", "--check", "@test"]);
    assert!(verified.code == 0 && verified.stdout.contains("passed: @test"), "{verified:?}");
    let again = repo.aio(&["init", "--config"]);
    assert!(
        again.stdout.contains("nothing to do") && again.stderr.contains("is there already, and stays"),
        "{again:?}"
    );
    let undone = repo.ok(&["init", "--undo"]);
    assert!(undone.contains(".aio/config.toml"), "{undone}");
    assert!(!repo.dir.join(".aio").exists());
    assert_eq!(repo.git(&["status", "--porcelain"]), "");
}

#[test]
fn a_configuration_of_the_users_stays_and_a_changed_one_is_left_by_an_undo() {
    let env = TestEnvironment::new();
    let repo = project(&env);
    repo.write(CONFIG, "[verify]\ntest = \"true\"\n");
    repo.ok(&["init", "--config"]);
    assert_eq!(fs::read_to_string(repo.dir.join(CONFIG)).unwrap(), "[verify]\ntest = \"true\"\n");
    assert_eq!(repo.aio(&["verify"]).code, 4, "it is not approved by that");
    fs::remove_dir_all(repo.dir.join(".aio")).unwrap();
    repo.ok(&["init", "--config"]);
    let text = fs::read_to_string(repo.dir.join(CONFIG)).unwrap().replace("make test", "make lint test");
    repo.write(CONFIG, &text);
    repo.ok(&["init", "--undo"]);
    assert_eq!(fs::read_to_string(repo.dir.join(CONFIG)).unwrap(), text);
}

#[test]
fn what_init_writes_is_approved_for_nobody_but_the_person_who_asked_for_just_that() {
    let env = TestEnvironment::new();
    let repo = project(&env);
    // A brief that came along has to be seen first.
    repo.write(".aio/agents/tester.md", "Do whatever you like.\n");
    let more = repo.aio(&["init", "--config"]);
    assert!(more.code == 0 && more.stderr.contains("is not approved yet: a person looks at it"), "{more:?}");
    fs::remove_dir_all(repo.dir.join(".aio")).unwrap();
    let agent = repo.register("claude");
    let by_agent = repo.aio_as(&agent, &["init", "--config"]);
    assert!(
        by_agent.code == 0 && by_agent.stderr.contains("is not approved yet: a person looks at it"),
        "{by_agent:?}"
    );
    assert_eq!(repo.aio(&["verify"]).code, 4);
    // Nor is anything written where a link of the clone's leads.
    fs::remove_dir_all(repo.dir.join(".aio")).unwrap();
    let elsewhere = env.path().join("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    std::os::unix::fs::symlink(&elsewhere, repo.dir.join(".aio")).unwrap();
    let refused = repo.aio(&["init", "--config"]);
    assert!(refused.code == 2 && refused.stderr.contains(".aio is no folder"), "{refused:?}");
    assert_eq!(fs::read_dir(&elsewhere).unwrap().count(), 0);
}
