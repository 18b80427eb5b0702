//! What is settled before an agent begins, and that it stays so whatever happens to the repository meanwhile.

use super::*;

const ARGS: &[&str] = &["--agent", "codex", "--scope", "src/auth/"];

const EDIT: Do<'_> = Do::Edit("src/auth/login.rs", "fn login() { true }\n");

fn failure(told: &Value) -> &str {
    told["run"]["steps"][0]["failure"]["text"].as_str().unwrap_or_else(|| panic!("{told:#}"))
}

fn branch(repo: &Repo<'_>) -> String {
    repo.git(&["symbolic-ref", "--short", "HEAD"]).trim().to_owned()
}

#[test]
fn a_configuration_that_is_invalid_for_a_moment_keeps_nothing_from_being_put_back() {
    for config in ["this is no = [TOML", "[agents.zzz]\ntool = \"claude\"\n"] {
        let env = TestEnvironment::new();
        let (agents, repo) = checked(&env);
        agents.plays("codex", &[EDIT, Do::Edit(CONFIG, config), Do::Say("Done.")]);
        let before = snapshot(&repo);
        let (once, code) = told(&repo, &[ARGS, &["--retry", "0"]].concat());
        assert_eq!((code, tries(&once)), (4, vec!["codex scope".to_owned()]), "{once:#}");
        assert_eq!(failure(&once), "it changed what is not in its scope: .aio/config.toml");
        assert_eq!(snapshot(&repo).files["src/auth/login.rs"], before.files["src/auth/login.rs"]);
        assert!(repo.ok(&["run", "diff"]).contains("+fn login() { true }"));
        // The next attempt is held to what was settled for the first.
        repo.git(&["checkout", "-q", "--", CONFIG]);
        agents.plays_when("codex", "settle this", &[EDIT, Do::Edit(CONFIG, config), Do::Say("Done.")]);
        agents.plays_when("codex", "settle this", &[EDIT, Do::Say("Done.")]);
        let (twice, code) = told(&repo, &[ARGS, &["--avoid", "settle this"]].concat());
        assert_eq!((code, tries(&twice)), (0, vec!["codex scope".to_owned(), "codex ok".into()]), "{twice:#}");
        assert_eq!(twice["verdict"], "passed");
    }
}

#[test]
fn who_reviews_is_settled_before() {
    let env = TestEnvironment::new();
    let (agents, repo) = checked(&env);
    agents.plays("codex", &[EDIT, Do::Edit(CONFIG, "this is no = [TOML"), Do::Say("Done.")]);
    agents.plays("claude", &[Do::Say("{\"verdict\": \"wrong\", \"notes\": \"the configuration\"}")]);
    let before = snapshot(&repo).files;
    let (told, _) = told(&repo, &["--agent", "codex", "--scope", "./", "--review", "claude", "--retry", "0"]);
    assert_eq!(tries(&told), ["codex wrong"], "{told:#}");
    assert_eq!(snapshot(&repo).files, before);
}

#[test]
fn an_index_that_git_cannot_read_keeps_nothing_from_being_put_back() {
    let env = TestEnvironment::new();
    let (agents, repo) = checked(&env);
    repo.write("src/auth/mine.rs", "mine\n");
    repo.write("src/auth/token.rs", "fn token() { mine() }\n");
    agents.plays(
        "codex",
        &[EDIT, Do::Run("echo x >src/auth/new.rs; rm src/auth/mine.rs; : >.git/index"), Do::Say("Done.")],
    );
    let before = snapshot(&repo).files;
    let (told, code) = told(&repo, &[ARGS, &["--retry", "0"]].concat());
    assert_eq!((code, tries(&told)), (1, vec!["codex internal".to_owned()]), "{told:#}");
    assert!(failure(&told).starts_with("not all of what it did could be seen: "), "{told:#}");
    assert_eq!(snapshot_of_files(&repo), before);
    assert!(repo.ok(&["run", "diff"]).contains("+fn login() { true }"));
    repo.git(&["read-tree", "HEAD"]);
    assert_free(&repo);
}

/// The files alone, where git can't read its index.
fn snapshot_of_files(repo: &Repo<'_>) -> BTreeMap<String, (u32, Vec<u8>)> {
    fs::copy(repo.dir.join(".git/index"), repo.dir.join(".git/broken")).unwrap();
    repo.git(&["read-tree", "HEAD"]);
    let files = snapshot(repo).files;
    fs::rename(repo.dir.join(".git/broken"), repo.dir.join(".git/index")).unwrap();
    files
}

#[test]
fn an_agent_that_switches_the_branch_has_failed_and_nobody_goes_on_there() {
    let env = TestEnvironment::new();
    let (agents, repo) = checked(&env);
    let (main, head) = (branch(&repo), repo.git(&["rev-parse", "HEAD"]));
    agents.plays("codex", &[EDIT, Do::Run("git checkout -q -b agentbranch"), Do::Say("Done.")]);
    agents.plays("claude", &[EDIT, Do::Say("Done.")]);
    let before = snapshot(&repo).files;
    let (told, code) = told(&repo, &["--agent", "codex,claude", "--scope", "src/auth/", "--commit"]);
    assert_eq!((code, tries(&told)), (4, vec!["codex scope".to_owned()]), "{told:#}");
    let words = format!("it switched the branch from {main} to agentbranch; `git switch {main}` goes back");
    assert_eq!(failure(&told), words);
    assert_eq!((snapshot(&repo).files, repo.git(&["rev-parse", "HEAD"])), (before, head));
    assert_eq!(branch(&repo), "agentbranch");
    repo.git(&["switch", "-q", &main]);
    assert_eq!(repo.git(&["status", "--porcelain"]), "");
    assert_free(&repo);
}

#[test]
fn one_that_has_committed_there_is_told_how_to_be_left() {
    let env = TestEnvironment::new();
    let (agents, repo) = checked(&env);
    let main = branch(&repo);
    agents.plays(
        "codex",
        &[EDIT, Do::Run("git checkout -q -b agentbranch && git commit -qam mine"), Do::Say("Done."), Do::Exit(1)],
    );
    let before = snapshot(&repo).files;
    let (told, _) = told(&repo, ARGS);
    assert_eq!(tries(&told), ["codex exit"], "{told:#}");
    let words = format!("`git switch --merge {main}` goes back, and what it committed stays on agentbranch");
    assert!(failure(&told).ends_with(&words), "{told:#}");
    assert_eq!(snapshot(&repo).files, before);
    repo.git(&["switch", "-q", "--merge", &main]);
    assert_eq!((snapshot(&repo).files, repo.git(&["status", "--porcelain"])), (before, String::new()));
    assert_eq!(repo.git(&["log", "-1", "--format=%s", "agentbranch"]), "mine\n");
}

#[test]
fn what_has_failed_is_tried_once_more_with_what_it_was_asked_for() {
    let env = TestEnvironment::new();
    let (agents, repo) = checked(&env);
    agents.plays("codex", &[Do::Exit(1)]);
    agents.plays("codex", &[EDIT, Do::Say("Fixed it.")]);
    let (first, code) = told(&repo, &[ARGS, &["--retry", "0"]].concat());
    assert_eq!((code, tries(&first)), (1, vec!["codex exit".to_owned()]), "{first:#}");
    let id = run_of(&first);
    let refused = repo.aio(&["run", "resume", &id]);
    assert!(refused.stderr.contains(&format!("`git aio run retry {id}/task` tries once more")), "{refused:?}");
    let (again, code) = answer(&repo.aio(&["run", "retry", "task", "--json"]));
    assert_eq!((code, run_of(&again)), (0, id.clone()), "{again:#}");
    assert_eq!(tries(&again), ["codex exit", "codex ok"]);
    assert_eq!((&again["verdict"], &again["result"]), (&"passed".into(), &"Fixed it.".into()));
    assert!(agents.calls("codex")[1].prompt.contains("Fix the login."));
    assert_free(&repo);
    // What is done is not done again, and nothing points there.
    let refused = repo.aio(&["run", "retry", "task"]);
    assert!(refused.stderr.contains(&format!("{id} has not failed, it is complete")), "{refused:?}");
    assert_eq!(agents.calls("codex").len(), 2);
    assert!(!repo.aio(&["run", "resume", &id]).stderr.contains("retry"));
}
