//! Which text gets our block.

use super::*;

const BEGIN: &str = "<!-- git-aio: begin";

/// Of the three texts, those that have our block, and how often.
fn blocks(repo: &Repo<'_>) -> Vec<(&'static str, usize)> {
    let count = |name: &str| fs::read_to_string(repo.dir.join(name)).unwrap_or_default().matches(BEGIN).count();
    let texts = ["CLAUDE.md", "AGENTS.md", "GEMINI.md"].map(|name| (name, count(name)));
    texts.into_iter().filter(|(_, count)| *count > 0).collect()
}

/// Those that have it after an `init` for `agents` over `texts`.
fn told(texts: &[(&str, &str)], agents: &str) -> Vec<(&'static str, usize)> {
    let env = TestEnvironment::new();
    let repo = env.repo();
    texts.iter().for_each(|(name, text)| repo.write(name, text));
    repo.ok(&["init", &format!("--agents={agents}")]);
    blocks(&repo)
}

#[test]
fn the_block_goes_where_each_agent_reads() {
    let (claude, common, gemini) = (("CLAUDE.md", 1), ("AGENTS.md", 1), ("GEMINI.md", 1));
    assert_eq!(told(&[], "claude"), [claude]);
    assert_eq!(told(&[], "codex"), [common]);
    assert_eq!(told(&[], "gemini"), [gemini]);
    assert_eq!(told(&[], "claude,amp,gemini"), [common, gemini], "Claude reads AGENTS.md where there is no CLAUDE.md");
    assert_eq!(told(&[("AGENTS.md", "# a\n")], "claude"), [common]);
    assert_eq!(told(&[("CLAUDE.md", "# a\n")], "claude,opencode"), [claude, common]);
    assert_eq!(told(&[("CLAUDE.md", "# a\n"), ("AGENTS.md", "# b\n")], "claude"), [claude]);
    assert_eq!(told(&[("CLAUDE.md", "see\n@AGENTS.md\n")], "claude,copilot"), [common]);
}

#[test]
fn a_text_under_two_names_is_written_once() {
    let env = TestEnvironment::new();
    let repo = env.repo();
    repo.write("docs/rules.md", "# Rules\n");
    std::os::unix::fs::symlink("docs/rules.md", repo.dir.join("CLAUDE.md")).unwrap();
    std::os::unix::fs::symlink("CLAUDE.md", repo.dir.join("AGENTS.md")).unwrap();
    let before = tree(&repo.dir);
    let told = repo.ok(&["init", "--agents=claude,codex"]);
    assert_eq!(told.matches("put our part into").count(), 1, "{told}");
    assert!(told.contains("put our part into docs/rules.md\n"), "{told}");
    assert!(fs::symlink_metadata(repo.dir.join("CLAUDE.md")).unwrap().is_symlink());
    assert_eq!(read(&repo, "CLAUDE.md").matches(BEGIN).count(), 1);
    assert_eq!(repo.ok(&["init", "--agents=claude,codex"]), "nothing to do: all is in place\n");
    repo.ok(&["init", "--undo"]);
    assert_eq!(tree(&repo.dir), before);
}

/// What a text promises must be there.
#[test]
fn every_command_that_a_text_names_is_one() {
    let env = TestEnvironment::new();
    let repo = env.repo();
    for name in ["instructions.md", "SKILL.md"] {
        let text = template(name);
        for command in text.split('`').skip(1).step_by(2).filter_map(|code| code.strip_prefix("aio ")) {
            let words: Vec<&str> =
                command.split_whitespace().take_while(|word| !word.starts_with(['<', '-', '"'])).collect();
            let (name, kinds) = words.split_first().unwrap();
            for kind in kinds.first().map_or(vec![], |kinds| kinds.split('|').collect()) {
                let help = repo.aio(&[name, kind, "--help"]);
                assert_eq!(help.code, 0, "aio {command}: {}", help.stderr);
            }
            assert_eq!(repo.aio(&[name, "--help"]).code, 0, "aio {command}");
        }
    }
}

#[test]
fn the_skill_has_the_front_matter_that_all_read() {
    let skill = template("SKILL.md");
    let front = skill.strip_prefix("---\n").and_then(|rest| rest.split_once("\n---\n")).unwrap().0;
    let keys: Vec<&str> = front.lines().filter_map(|line| line.split_once(": ")).map(|(key, _)| key).collect();
    assert_eq!(keys, ["name", "description", "version"]);
    assert!(front.starts_with("name: git-aio\n"));
    assert!(front.contains(&format!("version: {}", env!("CARGO_PKG_VERSION"))));
}
