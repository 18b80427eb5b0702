//! Clones and hubs of every layout, and paths of every kind.

use crate::{
    env::{Refs, Repo, TestEnvironment, run},
    hub::{Hub, Layout, Member, Way, assert_same},
};
use std::{ffi::OsStr, os::unix::ffi::OsStrExt as _};

fn exchanges(layout: Layout) {
    let env = TestEnvironment::new();
    let hub = Hub::with(&env, layout);
    let [one, two] = hub.two();
    one.ok(&["claim", "src/auth/"]);
    two.ok(&["claim", "src/auth/login.rs", "README.md"]);
    one.sync();
    two.ok(&["claim", "src/main.rs"]);
    assert_eq!(two.sync()["lost"].as_array().unwrap().len(), 1, "{layout:?}");
    one.sync();
    let expected = [("README.md", &two), ("src/auth", &one), ("src/main.rs", &two)];
    assert_eq!(one.claims(), expected.map(|(path, who)| (path.to_owned(), who.me.clone())).into(), "{layout:?}");
    assert_eq!(two.aio(&["claim", "--strict", "src/auth/token.rs"]).code, 3, "{layout:?}");
    one.ok(&["claim", "--strict", "docs/"]);
    two.sync();
    hub.assert_linear();
    assert_same(&hub, &[one, two]);
}

#[test]
fn refs_may_be_a_reftable_on_either_side() {
    for (hub_refs, clone_refs) in
        [(Refs::Reftable, Refs::Files), (Refs::Files, Refs::Reftable), (Refs::Reftable, Refs::Reftable)]
    {
        exchanges(Layout { hub_refs, clone_refs, ..Layout::default() });
    }
}

#[test]
fn objects_may_be_named_by_sha256() {
    for way in [Way::File, Way::Http] {
        exchanges(Layout { way, format: "sha256", ..Layout::default() });
    }
    let refs = Refs::Reftable;
    exchanges(Layout { hub_refs: refs, clone_refs: refs, format: "sha256", ..Layout::default() });
}

/// Linked worktrees are one clone: what is done in one is synced from the other.
#[test]
fn linked_worktrees_sync_as_one_clone() {
    let env = TestEnvironment::new();
    let hub = Hub::new(&env, Way::File);
    let [one, two] = hub.two();
    one.repo.git(&["worktree", "add", "-q", "../linked"]);
    let linked = Repo { env: &env, dir: env.path().join("linked") };
    let me = linked.register("gemini");
    let linked = Member { repo: linked, me };
    linked.ok(&["claim", "src/main.rs"]);
    assert_eq!(one.aio(&["claim", "src/main.rs"]).code, 3);
    one.sync();
    two.sync();
    assert_eq!(two.aio(&["claim", "src/main.rs"]).code, 3);
    two.ok(&["claim", "README.md"]);
    two.sync();
    linked.sync();
    assert_eq!(one.aio(&["claim", "README.md"]).code, 3);
    assert_eq!(one.tip(), linked.tip());
    assert_same(&hub, &[one, two, linked]);
}

#[test]
fn names_of_every_kind_arrive_whole() {
    let env = TestEnvironment::new();
    let hub = Hub::new(&env, Way::File);
    let [one, two] = hub.two();
    let names: [&[u8]; 8] = [
        b"a b",
        b" lead",
        b"new\nline",
        b"tab\there",
        b"not utf-8 \xff\xfe",
        "ä/ß".as_bytes(),
        b".gitmodules",
        b"q\"'\\u",
    ];
    for name in names {
        let mut claim = one.repo.command(&["claim", "file"]);
        let ended = run(claim.arg(OsStr::from_bytes(name)).env("AIO_INSTANCE", &one.me));
        assert_eq!(ended.code, 0, "{name:?}: {}", ended.stderr);
    }
    one.sync();
    two.sync();
    assert_eq!(two.claims().len(), names.len());
    for name in names {
        let mut claim = two.repo.command(&["claim", "file"]);
        let ended = run(claim.arg(OsStr::from_bytes(name)).env("AIO_INSTANCE", &two.me));
        assert_eq!(ended.code, 3, "{name:?}: {}{}", ended.stdout, ended.stderr);
    }
    // A server that checks what it is given takes it too.
    hub.git(&["config", "receive.fsckObjects", "true"]);
    two.ok(&["claim", "file", ".git-x/.gitattributes"]);
    two.sync();
    one.sync();
    assert_same(&hub, &[one, two]);
}
