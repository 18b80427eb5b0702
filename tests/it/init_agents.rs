//! Fences inside agent CLIs, as `init --agents` puts them up and takes them down.

mod doctor;
mod plugin;
mod sourced;
mod text;
mod user;

use crate::{
    env::{Ended, Repo, TestEnvironment, run},
    together::together,
};
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

/// Every agent, and for each file that it gets the template of it.
const ALL: &str = "--agents=claude,codex,gemini,amp,opencode,copilot";
const INSTALLED: &[(&str, &str)] = &[
    (".agents/skills/git-aio/SKILL.md", "SKILL.md"),
    (".amp/plugins/git-aio.ts", "amp-plugin.ts"),
    (".amp/settings.json", "amp-settings.json"),
    (".claude/settings.json", "claude-settings.json"),
    (".claude/skills/git-aio/SKILL.md", "SKILL.md"),
    (".codex/config.toml", "codex-config.toml"),
    (".codex/hooks.json", "codex-hooks.json"),
    (".gemini/settings.json", "gemini-settings.json"),
    (".github/hooks/git-aio.json", "copilot-hooks.json"),
    (".mcp.json", "claude-mcp.json"),
    (".opencode/plugins/git-aio.ts", "opencode-plugin.ts"),
    ("AGENTS.md", "instructions.md"),
    ("GEMINI.md", "instructions.md"),
    ("opencode.json", "opencode-config.json"),
];

/// The bytes of a template.
fn template(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("hooks").join(name)).unwrap()
}

/// Every file and link below `dir` with its content, git's own aside.
fn tree(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut open = vec![dir.to_owned()];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let meta = fs::symlink_metadata(&path).unwrap();
            let name = path.strip_prefix(dir).unwrap().to_owned();
            if meta.is_symlink() {
                found.insert(name, fs::read_link(&path).unwrap().into_os_string().into_encoded_bytes());
            } else if meta.is_file() {
                found.insert(name, fs::read(&path).unwrap());
            } else if name != Path::new(".git") {
                found.insert(name, b"a folder".to_vec());
                open.push(path);
            }
        }
    }
    found
}

fn read(repo: &Repo<'_>, path: &str) -> String {
    fs::read_to_string(repo.dir.join(path)).unwrap()
}

fn config(repo: &Repo<'_>) -> String {
    read(repo, ".git/config")
}

#[test]
fn where_a_file_is_in_the_way_of_a_folder_nothing_is_done() {
    let env = TestEnvironment::new();
    let repo = env.repo();
    repo.write(".claude", "mine\n");
    let before = (tree(&repo.dir), fs::read(repo.dir.join(".git/config")).unwrap());
    let ended = repo.aio(&["init", "--agents=claude"]);
    assert_eq!(ended.code, 2, "{ended:?}");
    assert!(ended.stderr.contains(".claude is a file and no folder"), "{}", ended.stderr);
    assert_eq!((tree(&repo.dir), fs::read(repo.dir.join(".git/config")).unwrap()), before);
    assert!(!repo.dir.join(".git/refs/aio").exists() && !repo.dir.join(".git/hooks/pre-commit").exists());
}

#[test]
fn what_is_installed_is_what_is_in_hooks() {
    let env = TestEnvironment::new();
    let repo = env.repo();
    let (before, settings) = (tree(&repo.dir), config(&repo));
    repo.ok(&["init", ALL]);
    for (path, name) in INSTALLED {
        assert_eq!(read(&repo, path), template(name), "{path}");
    }
    let new: Vec<_> = tree(&repo.dir).into_iter().filter(|(path, _)| !before.contains_key(path)).collect();
    assert_eq!(new.iter().filter(|(_, bytes)| bytes != b"a folder").count(), INSTALLED.len());
    assert_eq!(repo.git(&["config", "aio.autoClaim"]), "true\n");
    assert_eq!(repo.ok(&["init", ALL]), "nothing to do: all is in place\n");
    repo.ok(&["init", "--undo"]);
    assert_eq!((tree(&repo.dir), config(&repo)), (before, settings));
    assert!(!repo.dir.join(".git/aio/init.json").exists());
}

#[test]
fn the_session_at_the_terminal() {
    let env = TestEnvironment::new();
    let repo = env.repo();
    let commands: &[&[&str]] =
        &[&["init", "--agents", "claude"], &["init", "--agents=claude"], &["init", "--undo"], &["init", "--agents"]];
    let told = repo.session(None, commands);
    let expected = "\
$ git aio init --agents claude
write .git/hooks/pre-commit
write .git/hooks/pre-merge-commit
write .git/hooks/pre-push
write .git/hooks/post-commit
write .claude/settings.json
write .mcp.json
write CLAUDE.md
write .claude/skills/git-aio/SKILL.md
set aio.autoClaim to true
make the store in refs/aio/state
! once these are committed, a clone needs no more than `git aio init` for its fences: git add .claude/settings.json .mcp.json \
CLAUDE.md .claude/skills/git-aio/SKILL.md
$ git aio init --agents=claude
nothing to do: all is in place
$ git aio init --undo
Restored the repository's settings
Removed ~/demo/.git/hooks/pre-commit
Removed ~/demo/.git/hooks/pre-merge-commit
Removed ~/demo/.git/hooks/pre-push
Removed ~/demo/.git/hooks/post-commit
Removed ~/demo/.claude/settings.json
Removed ~/demo/.mcp.json
Removed ~/demo/CLAUDE.md
Removed ~/demo/.claude/skills/git-aio/SKILL.md
! claims and notes stay in refs/aio/state; docs/storage.md says how they are kept
$ git aio init --agents
! error: no agent CLI is found here
! hint: name those you mean: claude, codex, gemini, amp, opencode, copilot
[exit 2]
";
    assert_eq!(told, expected);
}

#[test]
fn agents_are_found_by_program_and_by_folder() {
    let env = TestEnvironment::new();
    let repo = env.repo();
    assert_eq!(repo.aio(&["init"]).stderr, "");
    repo.write(".gemini/settings.json", "{}\n");
    fs::create_dir(env.path().join("bin")).unwrap();
    fs::copy("/bin/sh", env.path().join("bin/codex")).unwrap();
    fs::write(env.path().join("bin/claude"), "not executable").unwrap();
    let told = repo.aio(&["init"]);
    assert_eq!(told.stderr, "found codex, gemini: `git aio init --agents` puts a fence into them\n");
    assert_eq!(told.stdout, "nothing to do: all is in place\n", "and nothing is written without being asked for");
    let told = repo.aio(&["init", "--agents"]);
    for path in [".codex/hooks.json", ".gemini/settings.json", "AGENTS.md", "GEMINI.md"] {
        assert!(told.stdout.contains(path), "{}", told.stdout);
    }
    assert!(!repo.dir.join(".claude").exists());
    let sandbox = format!("writable_roots = [\"{}\"]", repo.dir.join(".git").display());
    assert!(told.stderr.contains(&sandbox) && told.stderr.contains("/hooks"), "{}", told.stderr);
    assert_eq!(repo.aio(&["init"]).stderr, "");
}

#[test]
fn what_can_not_be_meant_is_refused() {
    let env = TestEnvironment::new();
    let repo = env.repo();
    let refused = |args: &[&str]| {
        let Ended { code, stderr, .. } = repo.aio(args);
        assert_eq!(code, 2, "{args:?}: {stderr}");
        stderr
    };
    let said = refused(&["init", "--agents=claude,cursor"]);
    assert!(said.contains("'cursor'") && said.contains("claude, codex, gemini, amp, opencode, copilot"), "{said}");
    assert!(refused(&["init", "--user"]).contains("--user needs --agents"));
    refused(&["init", "--undo", "--agents=claude"]);
    refused(&["init", "--user", "--agents=claude", "--remote", "x"]);
    repo.git(&["init", "-q", "--bare", "../bare.git"]);
    let bare = Repo { env: &env, dir: env.path().join("bare.git") };
    assert!(bare.aio(&["init", "--agents=claude"]).stderr.contains("bare"));
    assert!(!repo.dir.join(".git/aio").exists());
}

#[test]
fn a_dry_run_shows_all_and_changes_nothing() {
    let env = TestEnvironment::new();
    let repo = env.repo();
    repo.write(".claude/settings.json", "{\n  \"model\": \"opus\"\n}\n");
    let (before, settings) = (tree(&repo.dir), config(&repo));
    let shown = repo.ok(&["init", ALL, "--dry-run"]);
    assert_eq!((tree(&repo.dir), config(&repo)), (before, settings));
    assert!(!repo.dir.join(".git/aio").exists());
    for (path, _) in INSTALLED.iter().filter(|(path, _)| *path != ".claude/settings.json") {
        let header = format!("diff --git a/{path} b/{path}\nnew file mode 100644\n--- /dev/null\n");
        assert!(shown.contains(&header), "{path} in {shown}");
    }
    assert!(shown.contains("-  \"model\": \"opus\"\n+  \"model\": \"opus\",\n+  \"hooks\": {\n"), "{shown}");
    assert!(shown.contains("+aio.autoClaim=true\n"));
    let files = shown.split("diff --git a/.git/config").next().unwrap();
    let files = files.split_inclusive("\ndiff --git").filter(|part| !part.contains("/.git/hooks/")).count();
    assert!(files >= INSTALLED.len());
}

/// Files of the user's, as they may be, for each that is merged into.
const THEIRS: &[(&str, &str)] = &[
    (
        ".claude/settings.json",
        "{\n\t\"permissions\": { \"allow\": [\"Bash(ls:*)\"] },\n\t\"hooks\": {\n\t\t\
         \"PreToolUse\": [\n\t\t\t{ \"matcher\": \"Bash\", \"hooks\": [{ \"type\": \"command\", \"command\": \"./ok\" }] }\
         \n\t\t]\n\t}\n}\n",
    ),
    (".mcp.json", "{\"mcpServers\":{\"db\":{\"command\":\"db\"}}}"),
    (".codex/config.toml", "model = \"o\"   # ours\n\n[mcp_servers.db]\ncommand = \"db\"\n"),
    (".codex/hooks.json", ""),
    (
        ".gemini/settings.json",
        "// how we work\r\n{\r\n    \"theme\": \"x\", // and no more\r\n    \"mcpServers\": {}\r\n}\r\n",
    ),
    (".amp/settings.json", "{ }"),
    ("opencode.jsonc", "{\n  // models\n  \"model\": \"a/b\",\n}\n"),
    ("CLAUDE.md", "# Rules\r\n\r\nBe kind.\r\n"),
    ("AGENTS.md", "no end of line"),
    ("GEMINI.md", "\n"),
];

#[test]
fn what_the_user_has_written_stays_and_comes_back() {
    let env = TestEnvironment::new();
    let repo = env.repo();
    THEIRS.iter().for_each(|(path, text)| repo.write(path, text));
    let before = tree(&repo.dir);
    repo.ok(&["init", ALL]);
    let claude = read(&repo, ".claude/settings.json");
    assert!(claude.starts_with("{\n\t\"permissions\": { \"allow\": [\"Bash(ls:*)\"] },\n"), "{claude}");
    let gemini = read(&repo, ".gemini/settings.json");
    assert!(gemini.starts_with("// how we work\r\n{\r\n    \"theme\": \"x\", // and no more\r\n"), "{gemini}");
    assert!(claude.contains("./ok") && claude.contains("git-aio hook claude"), "{claude}");
    assert!(read(&repo, "opencode.jsonc").contains("// models") && !repo.dir.join("opencode.json").exists());
    assert!(read(&repo, "CLAUDE.md").starts_with("# Rules\r\n\r\nBe kind.\r\n\r\n<!-- git-aio: begin"));
    assert!(read(&repo, "AGENTS.md").starts_with("no end of line\n\n<!-- git-aio: begin"));
    assert!(read(&repo, ".codex/config.toml").contains("[mcp_servers.aio]\ncommand = \"git-aio\""));
    assert_eq!(read(&repo, ".codex/hooks.json"), template("codex-hooks.json"));
    assert_eq!(repo.ok(&["init", ALL]), "nothing to do: all is in place\n");
    repo.ok(&["init", "--undo"]);
    assert_eq!(tree(&repo.dir), before);
}

#[test]
fn an_undo_keeps_what_the_user_has_changed_since() {
    let env = TestEnvironment::new();
    let repo = env.repo();
    THEIRS.iter().for_each(|(path, text)| repo.write(path, text));
    repo.ok(&["init", ALL]);
    let edit = |path: &str, from: &str, to: &str| {
        let text = read(&repo, path);
        assert!(text.contains(from), "{path}: {text}");
        repo.write(path, &text.replace(from, to));
    };
    edit(".claude/settings.json", "Bash(ls:*)", "Bash(la:*)");
    edit(".gemini/settings.json", "// and no more", "// and so on");
    edit(".codex/config.toml", "model = \"o\"", "model = \"p\"");
    edit("CLAUDE.md", "Be kind.", "Be kinder.");
    edit("AGENTS.md", "no end of line", "an end of line");
    edit(".github/hooks/git-aio.json", "\"timeoutSec\": 10", "\"timeoutSec\": 20");
    let told = repo.ok(&["init", "--undo"]);
    for (path, text) in THEIRS {
        let expected = match *path {
            ".claude/settings.json" => text.replace("Bash(ls:*)", "Bash(la:*)"),
            ".gemini/settings.json" => text.replace("// and no more", "// and so on"),
            ".codex/config.toml" => text.replace("model = \"o\"", "model = \"p\""),
            "CLAUDE.md" => text.replace("Be kind.", "Be kinder."),
            "AGENTS.md" => "an end of line\n".to_owned(),
            _ => (*text).to_owned(),
        };
        assert_eq!(read(&repo, path), expected, "{path}");
    }
    let root = repo.dir.display();
    for path in [".claude/settings.json", ".codex/config.toml", "CLAUDE.md", "AGENTS.md"] {
        let line = format!("Took only our part out of {root}/{path}, which has changed since\n");
        assert!(told.contains(&line), "{told}");
    }
    assert!(
        told.contains(&format!("Left {root}/.github/hooks/git-aio.json alone, which has changed since\n")),
        "{told}"
    );
    assert!(!repo.dir.join(".amp/plugins").exists() && repo.dir.join(".amp/settings.json").exists());
}

#[test]
fn a_second_init_after_an_edit_mends_and_is_taken_back() {
    let env = TestEnvironment::new();
    let repo = env.repo();
    repo.write("CLAUDE.md", "# Rules\n");
    repo.ok(&["init", "--agents=claude"]);
    let edited = read(&repo, "CLAUDE.md").replace("# Rules", "# More rules").replace("aio status", "aio state");
    repo.write("CLAUDE.md", &edited);
    assert_eq!(repo.ok(&["init", "--agents=claude"]), "put our part into CLAUDE.md\n");
    repo.ok(&["init", "--undo"]);
    assert_eq!(read(&repo, "CLAUDE.md"), "# More rules\n");
}

#[test]
fn what_came_with_a_commit_is_not_taken_out() {
    let env = TestEnvironment::new();
    let repo = env.repo();
    repo.ok(&["init", ALL]);
    repo.git(&["add", "-A"]);
    repo.git(&["commit", "-qm", "fences"]);
    repo.git(&["clone", "-q", ".", "../clone"]);
    let clone = Repo { env: &env, dir: env.path().join("clone") };
    let before = tree(&clone.dir);
    let told = clone.aio(&["init", ALL]);
    assert!(told.stdout.contains("set aio.autoClaim to true") && !told.stdout.contains("CLAUDE.md"), "{}", told.stdout);
    assert!(!told.stderr.contains("committed"), "{}", told.stderr);
    clone.ok(&["init", "--undo"]);
    assert_eq!(tree(&clone.dir), before);
}

#[test]
fn a_file_that_can_not_be_changed_stops_everything() {
    let env = TestEnvironment::new();
    let repo = env.repo();
    let outside = env.path().join("outside.md");
    fs::write(&outside, "mine\n").unwrap();
    let refused = |path: &str, reason: &str| {
        let (before, settings) = (tree(&repo.dir), config(&repo));
        for args in [&["init", ALL][..], &["init", ALL, "--dry-run"]] {
            let ended = repo.aio(args);
            assert_eq!((ended.code, ended.stdout.as_str()), (2, ""), "{}", ended.stderr);
            let said = format!("error: {} can't be changed: {reason}", repo.dir.join(path).display());
            assert!(ended.stderr.starts_with(&said), "{} instead of {said}", ended.stderr);
        }
        assert_eq!((tree(&repo.dir), config(&repo)), (before, settings));
        assert!(!repo.dir.join(".git/hooks/pre-commit").exists());
        fs::remove_file(repo.dir.join(path)).unwrap();
    };
    repo.write(".gemini/settings.json", "{\n  \"theme\": \n}\n");
    refused(".gemini/settings.json", "it is no valid JSON: ");
    repo.write(".claude/settings.json", "{ \"hooks\": [] }");
    refused(".claude/settings.json", "hooks in it is no object");
    repo.write(".codex/config.toml", "a = 1\nb = [\n");
    refused(".codex/config.toml", "it is no valid TOML: ");
    fs::write(repo.dir.join("GEMINI.md"), b"\xff\xfe").unwrap();
    refused("GEMINI.md", "it is not UTF-8");
    std::os::unix::fs::symlink(&outside, repo.dir.join("AGENTS.md")).unwrap();
    refused("AGENTS.md", "it leads out of the work tree, to ");
    std::os::unix::fs::symlink(".git/config", repo.dir.join("GEMINI.md")).unwrap();
    refused("GEMINI.md", "it leads out of the work tree, to ");
    std::os::unix::fs::symlink("nowhere/at all", repo.dir.join("GEMINI.md")).unwrap();
    refused("GEMINI.md", "it is a link that leads nowhere");
    assert_eq!(fs::read_to_string(outside).unwrap(), "mine\n");
}

#[test]
fn each_work_tree_has_its_own_and_one_undo_is_for_all() {
    let env = TestEnvironment::new();
    let repo = env.repo();
    let linked = Repo { env: &env, dir: env.path().join("linked") };
    repo.git(&["worktree", "add", "-q", "../linked"]);
    let (here, there) = (tree(&repo.dir), tree(&linked.dir));
    linked.ok(&["init", "--agents=codex"]);
    assert_eq!(tree(&repo.dir), here);
    let below = run(linked.command(&["init", "--agents=claude"]).current_dir(linked.dir.join("src/auth")));
    assert_eq!(below.code, 0, "{}", below.stderr);
    assert!(linked.dir.join(".claude/settings.json").exists() && !linked.dir.join("src/auth/.claude").exists());
    repo.ok(&["init", "--agents=gemini"]);
    assert_eq!(linked.ok(&["init", "--agents=codex,claude"]), "nothing to do: all is in place\n");
    repo.ok(&["init", "--undo"]);
    assert_eq!((tree(&repo.dir), tree(&linked.dir)), (here, there));
    // One that is gone is no obstacle.
    linked.ok(&["init", "--agents=codex"]);
    fs::remove_dir_all(&linked.dir).unwrap();
    repo.ok(&["init", "--undo"]);
    assert!(!linked.dir.exists());
}

#[test]
fn many_at_once_are_one() {
    let env = TestEnvironment::new();
    let repo = env.repo();
    THEIRS.iter().for_each(|(path, text)| repo.write(path, text));
    let (before, settings) = (tree(&repo.dir), config(&repo));
    let ends = together((0..6).map(|_| repo.command(&["init", ALL])).collect());
    assert!(ends.iter().all(|end| end.code == 0), "{ends:#?}");
    assert_eq!(ends.iter().filter(|end| end.stdout.contains("put our part into CLAUDE.md")).count(), 1, "{ends:#?}");
    assert_eq!(read(&repo, "CLAUDE.md").matches("<!-- git-aio: begin").count(), 1);
    assert_eq!(repo.ok(&["init", ALL]), "nothing to do: all is in place\n");
    repo.ok(&["init", "--undo"]);
    assert_eq!((tree(&repo.dir), config(&repo)), (before, settings));
}

#[test]
fn a_repository_may_move_with_its_fences() {
    let env = TestEnvironment::new();
    let repo = env.repo();
    let before = tree(&repo.dir);
    repo.ok(&["init", ALL]);
    let moved = Repo { env: &env, dir: env.path().join("moved") };
    fs::rename(&repo.dir, &moved.dir).unwrap();
    assert_eq!(moved.ok(&["init", ALL]), "nothing to do: all is in place\n");
    moved.ok(&["init", "--undo"]);
    assert_eq!(tree(&moved.dir), before);
}

#[test]
fn what_git_ignores_is_not_to_be_committed() {
    let env = TestEnvironment::new();
    let repo = env.repo();
    repo.write(".gitignore", "/.claude/\n.mcp.json\n");
    let said = repo.aio(&["init", "--agents=claude"]).stderr;
    assert_eq!(
        said,
        "once these are committed, a clone needs no more than `git aio init` for its fences: git add CLAUDE.md\n"
    );
}

#[test]
fn a_setting_of_the_users_stays() {
    let env = TestEnvironment::new();
    let repo = env.repo();
    repo.git(&["config", "aio.autoClaim", "false"]);
    repo.ok(&["init", "--agents=claude"]);
    assert_eq!(repo.git(&["config", "aio.autoClaim"]), "false\n");
}
