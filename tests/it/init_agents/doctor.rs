//! Fences that are tried out, and agents that don't trust them.

use super::*;
use std::os::unix::fs::PermissionsExt;

/// The lines of the doctor about agents.
fn looked(repo: &Repo<'_>) -> String {
    let told = repo.aio(&["doctor"]).stdout;
    let of_agents = |line: &&str| {
        let words: Vec<_> = line.split_whitespace().take(3).collect();
        matches!(words[..], [_, agent, "fence" | "trust"] if agent != "fence")
    };
    told.lines().filter(of_agents).map(|line| format!("{line}\n")).collect()
}

fn program(env: &TestEnvironment, name: &str, script: &str) {
    let path = env.path().join("bin").join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, script).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn every_fence_is_tried_by_what_its_agent_would_run() {
    let env = TestEnvironment::new();
    let repo = env.repo();
    assert_eq!(looked(&repo), "");
    repo.ok(&["init", ALL]);
    repo.ok(&["init", "--user", "--agents=gemini"]);
    let gemini = env.path().join("home/.gemini/settings.json");
    let expected = format!(
        "ok      claude fence       tried: what .claude/settings.json runs refuses\n\
         ok      codex fence        tried: what .codex/hooks.json runs refuses\n\
         ok      gemini fence       tried: what .gemini/settings.json runs refuses\n\
         ok      gemini fence       tried: what {} runs refuses\n\
         ok      amp fence          tried: what .amp/plugins/git-aio.ts runs refuses\n\
         ok      opencode fence     tried: what .opencode/plugins/git-aio.ts runs refuses\n\
         ok      copilot fence      tried: what .github/hooks/git-aio.json runs refuses\n",
        gemini.display()
    );
    assert_eq!(looked(&repo), expected);
    assert_eq!(repo.json_as("", &["status"])["instances"], serde_json::json!([]), "a probe is nobody");
}

#[test]
fn a_fence_that_does_not_refuse_is_told() {
    let env = TestEnvironment::new();
    let repo = env.repo();
    repo.ok(&["init", "--agents=claude,codex,gemini,amp"]);
    let edit = |path: &str, from: &str, to: &str| repo.write(path, &read(&repo, path).replace(from, to));
    edit(".claude/settings.json", "exec git-aio hook claude", "touch ran; true git-aio hook claude");
    edit(".gemini/settings.json", "\"timeout\": 10000", "\"timeout\": 20000");
    fs::remove_file(repo.dir.join(".amp/plugins/git-aio.ts")).unwrap();
    let told = looked(&repo);
    let lines: Vec<&str> = told.lines().collect();
    assert!(
        lines[0].starts_with("odd     amp fence          init put one up, and it is gone: `git aio init --agents=amp`")
    );
    assert!(lines[1].starts_with("failed  claude fence       not tried: what .claude/settings.json runs is not what"));
    assert!(!repo.dir.join("ran").exists(), "what came with a repository is not run");
    assert!(lines[2].starts_with("ok      codex fence        tried"), "{told}");
    assert!(lines[3].starts_with("odd     gemini fence       tried: what .gemini/settings.json runs refuses; but"));
    assert_eq!(repo.aio(&["doctor"]).code, 1);
    repo.ok(&["init", "--agents=claude,codex,gemini,amp"]);
    assert_eq!(looked(&repo).lines().filter(|line| line.starts_with("ok ")).count(), 4, "{}", looked(&repo));
    for (other, what) in [("", "lets everything pass"), ("echo '{}'", "did not refuse: {}")] {
        program(&env, "git-aio", &format!("#!/bin/sh\n{other}\n"));
        let told = looked(&repo);
        assert!(told.contains(&format!("failed  codex fence        what .codex/hooks.json runs {what}")), "{told}");
    }
}

#[test]
fn a_fence_that_is_not_asked_before_an_edit_is_told() {
    let env = TestEnvironment::new();
    let repo = env.repo();
    let agents = "--agents=claude,codex,gemini,copilot";
    repo.ok(&["init", agents]);
    let change = |path: &str, change: &dyn Fn(&mut serde_json::Value)| {
        let mut settings = serde_json::from_str(&read(&repo, path)).unwrap();
        change(&mut settings);
        repo.write(path, &settings.to_string());
    };
    let gone = |event: &'static str| {
        move |settings: &mut serde_json::Value| drop(settings["hooks"].as_object_mut().unwrap().remove(event))
    };
    change(".claude/settings.json", &gone("PreToolUse"));
    change(".codex/hooks.json", &|settings| settings["hooks"]["PreToolUse"][0]["matcher"] = "Bash".into());
    change(".gemini/settings.json", &|settings| settings["hooks"]["BeforeTool"][0]["hooks"][0]["async"] = true.into());
    change(".github/hooks/git-aio.json", &gone("preToolUse"));
    let told = looked(&repo);
    let failed = told.lines().filter(|line| line.starts_with("failed ") && line.contains("runs before every edit"));
    assert_eq!(failed.count(), 4, "{told}");
    repo.ok(&["init", agents]);
    assert_eq!(looked(&repo).lines().filter(|line| line.starts_with("ok ")).count(), 4, "{}", looked(&repo));
}

#[test]
fn what_is_no_file_is_not_waited_for() {
    let env = TestEnvironment::new();
    let repo = env.repo();
    for path in [".claude/settings.json", ".codex/hooks.json", "CLAUDE.md"] {
        fs::create_dir_all(repo.dir.join(path).parent().unwrap()).unwrap();
        assert!(std::process::Command::new("mkfifo").arg(repo.dir.join(path)).status().unwrap().success());
    }
    let mut doctor = repo.env.command("timeout", &repo.dir);
    let program = env!("CARGO_BIN_EXE_git-aio");
    assert_ne!(run(doctor.args(["20", program, "doctor"])).code, 124);
    let mut init = repo.env.command("timeout", &repo.dir);
    assert_ne!(run(init.args(["20", program, "init", "--agents=claude,codex"])).code, 124);
}

#[test]
fn hooks_that_are_switched_off_are_told() {
    let env = TestEnvironment::new();
    let repo = env.repo();
    repo.write(".claude/settings.json", "{ \"disableAllHooks\": true }");
    repo.write(".gemini/settings.json", "{ \"hooksConfig\": { \"enabled\": false } }");
    repo.ok(&["init", "--agents"]);
    let told = looked(&repo);
    assert!(
        told.starts_with("failed  claude fence       .claude/settings.json has disableAllHooks, and so claude runs")
    );
    assert!(
        told.contains("\nfailed  gemini fence       .gemini/settings.json has hooksConfig.enabled = false"),
        "{told}"
    );
}

#[test]
fn an_agent_that_skips_hooks_is_told() {
    let env = TestEnvironment::new();
    let repo = env.repo();
    for name in ["codex", "gemini", "copilot"] {
        program(&env, name, "#!/bin/sh\n");
    }
    let linked = Repo { env: &env, dir: env.path().join("linked") };
    repo.git(&["worktree", "add", "-q", "../linked"]);
    repo.ok(&["init", "--agents"]);
    linked.ok(&["init", "--agents=codex"]);
    let trusts = |repo: &Repo<'_>| {
        let told = looked(repo);
        let lines = told.lines().filter(|line| line.contains(" trust "));
        lines.map(|line| line.split_whitespace().take(2).collect::<Vec<_>>().join(" ")).collect::<Vec<_>>()
    };
    assert_eq!(trusts(&repo), ["odd codex", "odd gemini", "odd copilot"]);
    assert!(
        looked(&repo).contains("codex skips the hooks here without a word: start codex here once, trust the folder")
    );

    let home = env.path().join("home");
    let write = |path: &str, text: String| {
        fs::create_dir_all(home.join(path).parent().unwrap()).unwrap();
        fs::write(home.join(path), text).unwrap();
    };
    let (root, around) = (repo.dir.display(), env.path());
    write(".codex/config.toml", format!("[projects.\"{root}\"]\ntrust_level = \"trusted\"\n"));
    assert!(looked(&repo).contains("approve them with /hooks, or run it with --dangerously-bypass-hook-trust"));
    let approve = |hash: &str| {
        let project = format!("[projects.\"{root}\"]\ntrust_level = \"trusted\"\n");
        let hook = format!("[hooks.state.\"{root}/.codex/hooks.json:pre_tool_use:0:0\"]\ntrusted_hash = \"{hash}\"\n");
        write(".codex/config.toml", project + &hook);
    };
    approve("sha256:00");
    assert!(looked(&repo).contains("they have changed since you approved them"));
    // The hash of what is installed, as Codex makes it.
    approve("sha256:9719ea952a604aa5d74d1a5505b403b335a0c8bd1e4ad61a93010225ac7caca3");
    write(".gemini/trustedFolders.json", format!("{{ \"{}\": \"TRUST_FOLDER\" }}", around.display()));
    write(".copilot/config.json", format!("// its own\n{{ \"trusted_folders\": [\"{root}\"] }}"));
    assert_eq!(trusts(&repo), ["ok codex", "ok gemini", "ok copilot"]);
    assert_eq!(trusts(&linked), ["ok codex"], "a linked work tree is trusted with the main one");
}
