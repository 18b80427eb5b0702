//! Giving claims back, and ending another's.

use crate::{
    agent::Agent,
    env::{Repo, TestEnvironment, run},
};
use insta::assert_snapshot;
use serde_json::json;

const TEN: &str = "2026-03-01T10:00:00Z";

/// Claims one target and returns the id of the claim.
fn claim(repo: &Repo<'_>, instance: &str, target: &str) -> String {
    repo.json_as(instance, &["claim", target])["claims"][0]["id"].as_str().unwrap().to_owned()
}

fn holders(repo: &Repo<'_>) -> Vec<String> {
    let status = repo.json_as("", &["status"]);
    status["claims"].as_array().unwrap().iter().map(|claim| claim["holder"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_claim_is_given_back_by_its_id_or_the_beginning_of_it() {
    let env = TestEnvironment::new();
    let repo = env.repo();
    let claude = repo.register("claude");
    let ids = ["a", "b", "c"].map(|target| claim(&repo, &claude, target));
    let released = repo.json_as(&claude, &["release", &ids[0], &ids[1].to_uppercase()[..10]]);
    assert_eq!(released, json!({"schema": 1, "released": [ids[0], ids[1]], "ended": []}));
    assert_eq!(holders(&repo).len(), 1);
    let session = repo.turns(
        TEN,
        &[
            (&claude, &["release", "all"]),
            (&claude, &["release", "all"]),
            (&claude, &["release", "0123456789abcdef"]),
            (&claude, &["release", "README.md"]),
            (&claude, &["release", ""]),
            (&claude, &["release"]),
        ],
    );
    assert_snapshot!(session, @r"
    claude-1$ git aio release all
    released c (file)
    claude-1$ git aio release all
    nothing to release
    claude-1$ git aio release HEX
    ! error: no claim HEX
    ! hint: `git aio status` shows the claims there are
    [exit 8]
    claude-1$ git aio release README.md
    ! error: no claim README.md
    ! hint: `git aio status` shows the claims there are
    [exit 8]
    claude-1$ git aio release 
    ! error: the id of the claim is empty
    ! hint: `git aio status` shows the ids; `all` means all
    [exit 2]
    claude-1$ git aio release
    ! error: the following required arguments were not provided:
    !   <ID>...
    ! 
    ! Usage: git aio release <ID>...
    ! 
    ! For more information, try '--help'.
    [exit 2]
    ");
}

#[test]
fn a_claim_that_is_named_twice_is_given_back_once() {
    let env = TestEnvironment::new();
    let repo = env.repo();
    let (claude, codex) = (repo.register("claude"), repo.register("codex"));
    let id = claim(&repo, &claude, "a");
    assert_eq!(repo.json_as(&claude, &["release", &id, &id[..8]])["released"], json!([id]));
    let id = claim(&repo, &claude, "a");
    repo.ok(&["release", &id, "--force", "--why", "so"]);
    repo.ok_as(&codex, &["claim", "a"]);
    assert_eq!(repo.json_as(&claude, &["release", &id, &id])["released"], json!([id]), "a lost one as well");
}

#[test]
fn a_path_in_place_of_an_id_is_told_which_claims_cover_it() {
    let env = TestEnvironment::new();
    let repo = env.repo();
    let (claude, codex) = (repo.register("claude"), repo.register("codex"));
    let id = claim(&repo, &claude, "src/");
    for (who, held_by) in [(&claude, "you"), (&codex, claude.as_str())] {
        let refused = repo.aio_as(who, &["release", "src/main.rs"]);
        assert_eq!(refused.code, 8);
        let covered = format!("that path is covered by {} on directory src, held by {held_by}\n", &id[..4]);
        assert!(refused.stderr.ends_with(&covered), "{refused:?}");
    }
}

#[test]
fn all_are_given_back_by_path() {
    let env = TestEnvironment::new();
    let repo = env.repo();
    let claude = repo.register("claude");
    repo.ok_as(&claude, &["claim", "f/9", "f/1", "f/5", "*.md", "f/3"]);
    assert_eq!(
        repo.ok_as(&claude, &["release", "all"]),
        "released **/*.md (pattern)\nreleased f/1 (file)\nreleased f/3 (file)\nreleased f/5 (file)\nreleased f/9 (file)\n"
    );
}

#[test]
fn who_has_nothing_to_give_back_is_not_registered_for_it() {
    let env = TestEnvironment::new();
    let repo = env.repo();
    assert_eq!(repo.aio(&["release", "0123456789abcdef"]).code, 8);
    assert_eq!(repo.ok(&["release", "all"]), "nothing to release\n");
    assert_eq!(repo.aio(&["release", "0123456789abcdef", "--force", "--why", "so"]).code, 8);
    assert_ne!(repo.try_git(&["rev-parse", "-q", "--verify", "refs/aio/state"]).code, 0, "nor is a store begun");
    let claude = repo.register("claude");
    let id = claim(&repo, &claude, "src/");
    let before = repo.operations();
    let refused = repo.aio(&["release", &id]);
    assert_eq!(refused.code, 3, "{refused:?}");
    assert!(refused.stderr.contains(&format!("is held by {claude}")), "{refused:?}");
    assert_eq!(repo.operations(), before);
}

#[test]
fn the_beginning_of_several_is_none() {
    let env = TestEnvironment::new();
    let repo = env.repo();
    let claude = repo.register("claude");
    // Of 17 ids two begin with the same digit.
    let targets: Vec<String> = (0..17).map(|number| format!("f{number}")).collect();
    let targets: Vec<&str> = targets.iter().map(String::as_str).collect();
    let answer = repo.json_as(&claude, &[&["claim"], &targets[..]].concat());
    let ids: Vec<&str> = answer["claims"].as_array().unwrap().iter().map(|c| c["id"].as_str().unwrap()).collect();
    let twice = ids.iter().find(|id| ids.iter().filter(|other| other[..1] == id[..1]).count() > 1).unwrap();
    let refused = repo.aio_as(&claude, &["release", &twice[..1]]);
    assert_eq!(refused.code, 2, "{refused:?}");
    assert!(refused.stderr.contains("is the beginning of "), "{refused:?}");
    assert_eq!(holders(&repo).len(), 17);
    let unknown = repo.aio_as(&claude, &["release", ids[0], "0123456789abcdef"]);
    assert_eq!(unknown.code, 8);
    assert_eq!(holders(&repo).len(), 17, "all or none");
}

#[test]
fn another_ones_claim_is_not_ones_own_to_give_back() {
    let env = TestEnvironment::new();
    let repo = env.repo();
    let (claude, codex) = (repo.register("claude"), repo.register("codex"));
    let id = claim(&repo, &claude, "src/");
    let own = claim(&repo, &codex, "README.md");
    let refused = repo.turns(TEN, &[(&codex, &["release", &id])]);
    assert_snapshot!(refused.replace(&id, "HEX"), @r"
    codex-1$ git aio release HEX
    ! error: the claim HEX on src is held by claude-2
    ! hint: wait for it, claim something narrower, or ask its holder by a handoff
    [exit 3]
    ");
    assert_eq!(repo.aio_as(&codex, &["release", &own, &id]).code, 3);
    assert_eq!(holders(&repo).len(), 2, "all or none");
    repo.ok_as(&codex, &["release", "all"]);
    assert_eq!(holders(&repo), [claude], "all means all of one's own");
}

#[test]
fn a_person_may_end_a_claim_and_its_holder_is_told() {
    let env = TestEnvironment::new();
    let repo = env.repo();
    let (claude, codex) = (repo.register("claude"), repo.register("codex"));
    let id = claim(&repo, &claude, "src/auth/");
    let ended = repo.aio(&["release", &id[..8], "--force", "--why", "it is needed for the release"]);
    assert_eq!((ended.code, ended.stdout.as_str()), (0, "released src/auth (directory)\n"), "{ended:?}");
    let session = repo.turns(
        TEN,
        &[(&claude, &["whoami"]), (&codex, &["claim", "src/auth/"]), (&claude, &["claim", "src/auth/login.rs"])],
    );
    assert_snapshot!(session, @r#"
    claude-1$ git aio whoami
    claude-1 live, seen 0s ago
    ! warning: your claim on src/auth was ended 0s ago by person-2: "it is needed for the release"
    codex-3$ git aio claim src/auth/
    claimed HEX  src/auth (directory), 2 tracked files
    claude-1$ git aio claim src/auth/login.rs
    ! warning: your claim on src/auth was ended 0s ago by person-2: "it is needed for the release"
    ! already claimed: src/auth/login.rs is held by codex-3 through directory src/auth, claimed 0s ago
    ! hint: wait for it (claim --wait), claim something narrower, or ask the holder by `git aio handoff new`
    [exit 3]
    "#);
    let log = repo.ok(&["log", "--path", "src/auth"]);
    assert!(log.contains("release: src/auth (directory), ended by force by person-"), "{log}");
    repo.write("src/auth/login.rs", "changed\n");
    repo.git(&["add", "-A"]);
    assert_eq!(repo.aio_as(&claude, &["hook", "pre-commit"]).code, 3);
}

#[test]
fn force_needs_a_reason_and_names() {
    let env = TestEnvironment::new();
    let repo = env.repo();
    let claude = repo.register("claude");
    let id = claim(&repo, &claude, "src/");
    for args in [
        &["release", &id, "--force"][..],
        &["release", &id, "--why", "so"],
        &["release", &id, "--force", "--why", " "],
        &["release", &id, "--force", "--why", &"x".repeat(1025)],
        &["release", "all", "--force", "--why", "so"],
    ] {
        let refused = repo.aio(args);
        assert_eq!(refused.code, 2, "{args:?} {refused:?}");
    }
    assert_eq!(repo.aio(&["release", "0123456789abcdef", "--force", "--why", "so"]).code, 8);
    assert_eq!(holders(&repo), [claude]);
}

#[test]
fn no_agent_may_end_anothers_claim() {
    let env = TestEnvironment::new();
    let repo = env.repo();
    let (claude, codex) = (repo.register("claude"), repo.register("codex"));
    repo.ok(&["claim", "README.md"]);
    let person = holders(&repo).remove(0);
    assert!(person.starts_with("person-"));
    let id = claim(&repo, &claude, "src/");
    let args = ["release", &id, "--force", "--why", "so"];
    let before = repo.operations();

    let by_name = repo.aio_as(&codex, &args);
    assert_eq!(by_name.code, 3);
    assert_snapshot!(repo.steady(&by_name.stderr), @r"
    error: only a person may end somebody else's claim, and AIO_INSTANCE says that you are codex-1
    hint: ask the holder by a handoff, wait for the claim, or work on something else; a person does it from a terminal of their own, in which AIO_INSTANCE is not set
    ");
    assert_snapshot!(repo.steady(&repo.aio(&[&args[..], &["--as", &codex]].concat()).stderr), @r"
    error: only a person may end somebody else's claim, and you act as codex-1 by --as
    hint: ask the holder by a handoff, wait for the claim, or work on something else; a person does it from a terminal of their own, in which AIO_INSTANCE is not set
    ");
    let by_variable = run(repo.command(&args).env("CLAUDE_CODE_SESSION_ID", "one"));
    assert_eq!(by_variable.code, 3, "{by_variable:?}");
    assert_snapshot!(by_variable.stderr, @r"
    error: only a person may end somebody else's claim, and this runs inside claude, as CLAUDE_CODE_SESSION_ID or CLAUDECODE in the environment tells
    hint: ask the holder by a handoff, wait for the claim, or work on something else; a person does it from a terminal of their own, in which AIO_INSTANCE is not set
    ");
    let with_marker_alone = run(repo.command(&args).env("GEMINI_CLI", "1"));
    assert_eq!(with_marker_alone.code, 3, "{with_marker_alone:?}");
    let in_disguise = run(repo.command(&args).env("CLAUDECODE", "1").env("AIO_INSTANCE", &person));
    assert_eq!(in_disguise.code, 3, "{in_disguise:?}");

    let mut agent = Agent::start(&repo, "codex", &[]);
    let line = format!("git aio {} {id} --force --why so", "release");
    let by_process = agent.run(&line);
    assert_eq!(by_process.code, 3);
    assert!(by_process.stderr.contains("and this runs inside codex, the process "), "{by_process:?}");
    assert_eq!(agent.run(&format!("AIO_INSTANCE={person} {line}")).code, 3);
    assert_eq!(agent.run(&format!("env -i PATH=\"$PATH\" HOME=\"$HOME\" AIO_TEST_TOP=$AIO_TEST_TOP {line}")).code, 3);
    let mut shell = Agent::start(&repo, "some-shell", &[]);
    shell.ok("aio register gemini");
    let before_shell = repo.operations();
    let by_shell = shell.run(&line);
    assert_eq!(by_shell.code, 3, "a shell that was registered as an agent");
    assert!(by_shell.stderr.contains("the shell that this runs in is registered as gemini-"), "{by_shell:?}");
    assert_eq!(repo.operations(), before_shell);
    assert_eq!(before_shell, before + 1, "only the shell's registration");
    assert!(holders(&repo).contains(&claude));
}

#[test]
fn what_an_open_handoff_holds_is_settled_with_it() {
    let env = TestEnvironment::new();
    let repo = env.repo();
    let claude = repo.register("claude");
    let id = claim(&repo, &claude, "src/");
    repo.ok_as(&claude, &["handoff", "new", "go on"]);
    for args in [&["release", &id][..], &["release", &id, "--force", "--why", "so"]] {
        let refused = if args.len() > 2 { repo.aio(args) } else { repo.aio_as(&claude, args) };
        assert_eq!(refused.code, 3, "{refused:?}");
        assert!(refused.stderr.contains("handoff"), "{refused:?}");
    }
    assert_eq!(repo.ok_as(&claude, &["release", "all"]), "nothing to release\n");
}
