//! What each agent CLI is given, and where it looks for it: the one table of that.

use crate::host::{
    agents::Agent,
    env::Homes,
    install::{Dialect, Part, node::read_text},
};
use std::path::{Path, PathBuf};

/// A file that an agent reads, and what of it is ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::host) struct Piece {
    pub(in crate::host) path: PathBuf,
    pub(in crate::host) part: Part,
}

const CLAUDE_SETTINGS: &str = include_str!("../../../../hooks/claude-settings.json");
const CLAUDE_MCP: &str = include_str!("../../../../hooks/claude-mcp.json");
const CODEX_HOOKS: &str = include_str!("../../../../hooks/codex-hooks.json");
const CODEX_CONFIG: &str = include_str!("../../../../hooks/codex-config.toml");
const CODEX_SOURCED: &str = include_str!("../../../../hooks/codex-hook.sh");
const GEMINI_SETTINGS: &str = include_str!("../../../../hooks/gemini-settings.json");
const AMP_PLUGIN: &str = include_str!("../../../../hooks/amp-plugin.ts");
const AMP_SETTINGS: &str = include_str!("../../../../hooks/amp-settings.json");
const OPENCODE_PLUGIN: &str = include_str!("../../../../hooks/opencode-plugin.ts");
const OPENCODE_CONFIG: &str = include_str!("../../../../hooks/opencode-config.json");
const COPILOT_HOOKS: &str = include_str!("../../../../hooks/copilot-hooks.json");
const COPILOT_MCP: &str = include_str!("../../../../hooks/copilot-mcp.json");
const SKILL: &str = include_str!("../../../../hooks/SKILL.md");

/// Where a skill lies in a folder of skills.
const SKILL_FILE: &str = "git-aio/SKILL.md";

impl Piece {
    fn new(path: PathBuf, part: Part) -> Piece {
        Piece { path, part }
    }

    fn json(path: PathBuf, template: &str, dialect: Dialect) -> Piece {
        Piece::new(path, Part::Json { template: template.to_owned(), dialect })
    }

    fn toml(path: PathBuf, template: &str) -> Piece {
        Piece::new(path, Part::Toml { template: template.to_owned() })
    }

    fn whole(path: PathBuf, template: &str) -> Piece {
        Piece::new(path, Part::Whole { template: template.to_owned() })
    }

    fn skill(folder: PathBuf) -> Piece {
        Piece::whole(folder.join(SKILL_FILE), SKILL)
    }

    fn text(path: PathBuf) -> Piece {
        Piece::new(path, Part::Markdown)
    }
}

/// The file by which `agent` comes to ask git-aio: in the work tree `root`.
pub(in crate::host) fn fence_in(root: &Path, agent: Agent) -> Piece {
    match agent {
        Agent::Claude => Piece::json(root.join(".claude/settings.json"), CLAUDE_SETTINGS, Dialect::Standard),
        Agent::Codex => Piece::json(root.join(".codex/hooks.json"), CODEX_HOOKS, Dialect::Standard),
        Agent::Gemini => Piece::json(root.join(".gemini/settings.json"), GEMINI_SETTINGS, Dialect::Comments),
        Agent::Amp => Piece::whole(root.join(".amp/plugins/git-aio.ts"), AMP_PLUGIN),
        Agent::OpenCode => Piece::whole(root.join(".opencode/plugins/git-aio.ts"), OPENCODE_PLUGIN),
        Agent::Copilot => Piece::whole(root.join(".github/hooks/git-aio.json"), COPILOT_HOOKS),
    }
}

/// The same among the user's own files.
pub(in crate::host) fn fence_of_user(homes: &Homes, agent: Agent) -> Piece {
    match agent {
        Agent::Claude => Piece::json(homes.claude.join("settings.json"), CLAUDE_SETTINGS, Dialect::Standard),
        Agent::Codex => Piece::json(homes.codex.join("hooks.json"), CODEX_HOOKS, Dialect::Standard),
        Agent::Gemini => Piece::json(homes.home.join(".gemini/settings.json"), GEMINI_SETTINGS, Dialect::Comments),
        Agent::Amp => Piece::whole(homes.config.join("amp/plugins/git-aio.ts"), AMP_PLUGIN),
        Agent::OpenCode => Piece::whole(homes.config.join("opencode/plugins/git-aio.ts"), OPENCODE_PLUGIN),
        Agent::Copilot => Piece::whole(homes.copilot.join("hooks/git-aio.json"), COPILOT_HOOKS),
    }
}

/// All that `agents` are given in the work tree `root`.
pub(in crate::host) fn in_work_tree(root: &Path, agents: &[Agent]) -> Vec<Piece> {
    let mut pieces: Vec<Piece> = agents.iter().map(|agent| fence_in(root, *agent)).collect();
    for agent in agents {
        match agent {
            Agent::Claude => pieces.push(Piece::json(root.join(".mcp.json"), CLAUDE_MCP, Dialect::Standard)),
            Agent::Codex => pieces.push(Piece::toml(root.join(".codex/config.toml"), CODEX_CONFIG)),
            Agent::Amp => pieces.push(Piece::json(root.join(".amp/settings.json"), AMP_SETTINGS, Dialect::Lenient)),
            Agent::OpenCode => pieces.push(Piece::json(opencode_config(root), OPENCODE_CONFIG, Dialect::Lenient)),
            // Gemini's servers stand in its settings, and Copilot knows none but the user's.
            Agent::Gemini | Agent::Copilot => {}
        }
    }
    pieces.extend(texts_in(root, agents).into_iter().map(Piece::text));
    if agents.iter().any(|agent| *agent != Agent::Claude) {
        pieces.push(Piece::skill(root.join(".agents/skills")));
    }
    if agents.contains(&Agent::Claude) {
        pieces.push(Piece::skill(root.join(".claude/skills")));
    }
    pieces
}

/// All that `agents` are given among the user's own files.
///
/// Claude's servers are not among them: they stand in `~/.claude.json`, which each of its sessions writes anew from what
/// it remembers.
pub(in crate::host) fn of_user(homes: &Homes, agents: &[Agent]) -> Vec<Piece> {
    let mut pieces: Vec<Piece> = agents.iter().map(|agent| fence_of_user(homes, *agent)).collect();
    for agent in agents {
        match agent {
            Agent::Claude => {
                pieces.push(Piece::text(homes.claude.join("CLAUDE.md")));
                pieces.push(Piece::skill(homes.claude.join("skills")));
            }
            Agent::Codex => {
                pieces.push(Piece::toml(homes.codex.join("config.toml"), CODEX_CONFIG));
                pieces.push(Piece::whole(homes.config.join("git-aio/codex-hook.sh"), CODEX_SOURCED));
                pieces.push(Piece::text(homes.codex.join("AGENTS.md")));
            }
            Agent::Gemini => pieces.push(Piece::text(homes.home.join(".gemini/GEMINI.md"))),
            Agent::Amp => {
                pieces.push(Piece::json(homes.config.join("amp/settings.json"), AMP_SETTINGS, Dialect::Lenient));
                pieces.push(Piece::text(homes.config.join("amp/AGENTS.md")));
                pieces.push(Piece::skill(homes.config.join("agents/skills")));
            }
            Agent::OpenCode => {
                let folder = homes.config.join("opencode");
                pieces.push(Piece::json(opencode_config(&folder), OPENCODE_CONFIG, Dialect::Lenient));
                pieces.push(Piece::text(folder.join("AGENTS.md")));
            }
            Agent::Copilot => {
                pieces.push(Piece::json(homes.copilot.join("mcp-config.json"), COPILOT_MCP, Dialect::Standard));
                pieces.push(Piece::text(homes.copilot.join("copilot-instructions.md")));
            }
        }
    }
    if agents.iter().any(|agent| !matches!(agent, Agent::Claude | Agent::Amp)) {
        pieces.push(Piece::skill(homes.home.join(".agents/skills")));
    }
    pieces
}

/// OpenCode reads the one with comments as well.
fn opencode_config(folder: &Path) -> PathBuf {
    let with_comments = folder.join("opencode.jsonc");
    if with_comments.exists() { with_comments } else { folder.join("opencode.json") }
}

/// The texts that `agents` read in the work tree `root`.
///
/// Claude reads AGENTS.md only as long as there is no CLAUDE.md. Where it reads AGENTS.md, or would once that is written
/// for another agent, the block goes there alone: a CLAUDE.md of ours would hide all that is in it. So it does where
/// CLAUDE.md only brings AGENTS.md in, lest Claude read it twice.
fn texts_in(root: &Path, agents: &[Agent]) -> Vec<PathBuf> {
    let [claude, common, gemini] = ["CLAUDE.md", "AGENTS.md", "GEMINI.md"].map(|name| root.join(name));
    let mut texts = Vec::new();
    let others = agents.iter().any(|agent| !matches!(agent, Agent::Claude | Agent::Gemini));
    if others || agents.contains(&Agent::Claude) && common.exists() && !claude.exists() {
        texts.push(common.clone());
    }
    if agents.contains(&Agent::Claude) {
        let reads_common = texts.contains(&common) && (!claude.exists() || brings_in_common(&claude));
        texts.extend((!reads_common).then_some(claude));
    }
    texts.extend(agents.contains(&Agent::Gemini).then_some(gemini));
    texts
}

fn brings_in_common(claude: &Path) -> bool {
    let text = read_text(claude).unwrap_or_default();
    text.lines().any(|line| matches!(line.trim(), "@AGENTS.md" | "@./AGENTS.md"))
}
