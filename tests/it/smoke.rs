//! The main job, as two agents would do it.

use crate::env::TestEnvironment;

#[test]
fn the_second_claim_of_a_path_is_refused() {
    let env = TestEnvironment::new();
    let repo = env.repo();
    let (claude, codex) = (repo.register("claude"), repo.register("codex"));
    repo.ok_as(&claude, &["claim", "src/auth/"]);
    let refused = repo.aio_as(&codex, &["claim", "src/auth/login.rs"]);
    assert_eq!(refused.code, 3);
    assert!(refused.stderr.starts_with("already claimed: src/auth/login.rs is held by claude-"), "{}", refused.stderr);
    assert!(repo.git(&["fsck", "--strict"]).is_empty());
}
