//! The user's own files.

use super::*;

/// Every agent, and for each file that it gets in the home the template of it.
const OF_USER: &[(&str, &str)] = &[
    (".agents/skills/git-aio/SKILL.md", "SKILL.md"),
    (".claude/CLAUDE.md", "instructions.md"),
    (".claude/settings.json", "claude-settings.json"),
    (".claude/skills/git-aio/SKILL.md", "SKILL.md"),
    (".codex/AGENTS.md", "instructions.md"),
    (".codex/config.toml", "codex-config.toml"),
    (".codex/hooks.json", "codex-hooks.json"),
    (".config/agents/skills/git-aio/SKILL.md", "SKILL.md"),
    (".config/amp/AGENTS.md", "instructions.md"),
    (".config/amp/plugins/git-aio.ts", "amp-plugin.ts"),
    (".config/amp/settings.json", "amp-settings.json"),
    (".config/git-aio/codex-hook.sh", "codex-hook.sh"),
    (".config/opencode/AGENTS.md", "instructions.md"),
    (".config/opencode/opencode.json", "opencode-config.json"),
    (".config/opencode/plugins/git-aio.ts", "opencode-plugin.ts"),
    (".copilot/copilot-instructions.md", "instructions.md"),
    (".copilot/hooks/git-aio.json", "copilot-hooks.json"),
    (".copilot/mcp-config.json", "copilot-mcp.json"),
    (".gemini/GEMINI.md", "instructions.md"),
    (".gemini/settings.json", "gemini-settings.json"),
];

#[test]
fn the_home_gets_them_and_is_as_it_was_after_an_undo() {
    let env = TestEnvironment::new();
    let nowhere = Repo { env: &env, dir: env.path() };
    let home = env.path().join("home");
    fs::create_dir(home.join(".config")).unwrap();
    let before = tree(&home);
    let shown = nowhere.ok(&["init", "--user", ALL, "--dry-run"]);
    assert_eq!(tree(&home), before);
    let written = nowhere.aio(&["init", "--user", ALL]);
    assert_eq!(written.code, 0, "{}", written.stderr);
    for (path, name) in OF_USER {
        assert_eq!(fs::read_to_string(home.join(path)).unwrap(), template(name), "{path}");
        assert!(shown.contains(&format!("+++ {}\n", home.join(path).display())), "{path} in {shown}");
    }
    let new =
        tree(&home).into_iter().filter(|(path, bytes)| bytes != b"a folder" && !before.contains_key(path)).count();
    assert_eq!(new, OF_USER.len() + 1, "and the record");
    assert!(written.stderr.contains("`git config --global aio.autoClaim true`"), "{}", written.stderr);
    assert!(written.stderr.contains("claude mcp add --scope user") && written.stderr.contains("codex-hook.sh"));
    assert_eq!(nowhere.ok(&["init", "--user", ALL]), "nothing to do: all is in place\n");
    nowhere.ok(&["init", "--undo", "--user"]);
    assert_eq!(tree(&home), before);
    assert_eq!(nowhere.ok(&["init", "--undo", "--user"]), "nothing to take back: init has changed nothing of yours\n");
}

#[test]
fn what_the_user_has_there_stays_and_the_repository_is_left_alone() {
    let mut env = TestEnvironment::new();
    let elsewhere = env.path().join("codex home");
    env.set("CODEX_HOME", elsewhere.to_str().unwrap());
    let repo = env.repo();
    fs::create_dir_all(&elsewhere).unwrap();
    let dotfiles = env.path().join("dotfiles.json");
    fs::write(&dotfiles, "{\n  \"theme\": \"dark\" // at night\n}\n").unwrap();
    fs::create_dir(env.path().join("home/.gemini")).unwrap();
    std::os::unix::fs::symlink(&dotfiles, env.path().join("home/.gemini/settings.json")).unwrap();
    fs::write(elsewhere.join("config.toml"), "model = \"o\"\n").unwrap();
    let (home, there, work) = (tree(&env.path().join("home")), tree(&elsewhere), tree(&repo.dir));
    let config = config(&repo);
    repo.ok(&["init", "--user", "--agents=codex,gemini"]);
    assert!(
        fs::read_to_string(&dotfiles).unwrap().contains("// at night"),
        "links of the user's own are written through"
    );
    assert!(
        fs::read_to_string(elsewhere.join("config.toml")).unwrap().starts_with("model = \"o\"\n\n[mcp_servers.aio]")
    );
    assert_eq!((tree(&repo.dir), super::config(&repo)), (work, config));
    assert!(!repo.dir.join(".git/aio").exists());
    repo.ok(&["init", "--undo", "--user"]);
    fs::remove_dir(env.path().join("home/.config")).unwrap();
    assert_eq!((tree(&env.path().join("home")), tree(&elsewhere)), (home, there));
    assert_eq!(fs::read_to_string(&dotfiles).unwrap(), "{\n  \"theme\": \"dark\" // at night\n}\n");
}

#[test]
fn a_file_of_the_users_that_can_not_be_changed_stops_everything() {
    let env = TestEnvironment::new();
    let nowhere = Repo { env: &env, dir: env.path() };
    let home = env.path().join("home");
    fs::create_dir_all(home.join(".config/amp")).unwrap();
    fs::write(home.join(".config/amp/settings.json"), "{ \"amp.mcpServers\": 1 }").unwrap();
    let before = tree(&home);
    let refused = nowhere.aio(&["init", "--user", ALL]);
    assert_eq!(refused.code, 2);
    assert!(refused.stderr.contains("amp.mcpServers in it is no object"), "{}", refused.stderr);
    assert_eq!(tree(&home), before);
}
