//! Whether an agent runs the hooks of a repository at all: some skip them without a word until the user has trusted it.

use super::Fence;
use crate::host::{
    agents::Agent,
    env::{self, Homes},
    install::{
        json,
        node::{digest, read_text, real},
    },
};
use serde_json::{Value, json};
use std::path::Path;
use toml_edit::{DocumentMut, Item};

/// How an agent stands to the hooks of a repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trust {
    /// It runs them.
    Given,
    /// It doesn't know the folder as one that the user trusts.
    NotTheFolder,
    /// It trusts the folder, and the user has not approved this hook.
    NotTheHook,
    /// The user has approved what stood in the place of this hook.
    NotThisHook,
}

/// How the agent of `fence` stands to it in the work tree `root`, whose repository has its main work tree at `main`;
/// `None` for one that asks for no trust.
pub fn trust(fence: &Fence, root: &Path, main: Option<&Path>) -> Option<Trust> {
    let homes = Homes::read()?;
    match fence.agent {
        Agent::Codex => Some(of_codex(&homes, fence, root, main)),
        Agent::Gemini => Some(given(env::trusts_gemini() || trusted_by_gemini(&homes, root))),
        Agent::Copilot if !fence.is_users => Some(given(env::trusts_copilot() || trusted_by_copilot(&homes, root))),
        _ => None,
    }
}

/// Whether the user has told Gemini or Copilot to trust what is in `folder`.
pub(in crate::host) fn is_trusted(agent: Agent, folder: &Path) -> bool {
    Homes::read().is_some_and(|homes| match agent {
        Agent::Gemini => trusted_by_gemini(&homes, folder),
        Agent::Copilot => trusted_by_copilot(&homes, folder),
        _ => false,
    })
}

fn given(trusted: bool) -> Trust {
    if trusted { Trust::Given } else { Trust::NotTheFolder }
}

/// It keeps both in its configuration: folders by path, and hooks by file, event and place. A linked work tree has the
/// trust of the main one.
fn of_codex(homes: &Homes, fence: &Fence, root: &Path, main: Option<&Path>) -> Trust {
    let text = read_text(&homes.codex.join("config.toml")).unwrap_or_default();
    let Ok(config) = text.parse::<DocumentMut>() else { return Trust::NotTheFolder };
    let at = |keys: &[&str]| keys.iter().try_fold(config.as_item(), |item, key| item.get(key));
    let roots: Vec<_> = [Some(root), main].into_iter().flatten().map(real).collect();
    let trusts = |root: &Path| {
        let level = root.to_str().and_then(|root| at(&["projects", root, "trust_level"]));
        level.and_then(Item::as_str) == Some("trusted")
    };
    if !fence.is_users && !roots.iter().any(|root| trusts(root)) {
        return Trust::NotTheFolder;
    }
    let files: Vec<_> = match fence.is_users {
        true => vec![real(&fence.file)],
        false => roots.iter().map(|root| root.join(".codex/hooks.json")).collect(),
    };
    let states = at(&["hooks", "state"]).and_then(Item::as_table_like);
    let approved = |place: &str| {
        let states = files.iter().filter_map(|file| states?.get(&format!("{}:{place}", file.display())));
        states.filter_map(|state| state.get("trusted_hash")?.as_str()).collect::<Vec<_>>()
    };
    let text = read_text(&fence.file).unwrap_or_default();
    let Some((place, hash)) = hook_of_codex(&text) else { return Trust::NotTheHook };
    match approved(&place).as_slice() {
        [] => Trust::NotTheHook,
        hashes if hashes.contains(&hash.as_str()) => Trust::Given,
        _ => Trust::NotThisHook,
    }
}

/// Our hook before a tool in a file of Codex's: the place by which it knows it, and the hash by which it knows that it
/// has not changed since the user approved it, as 0.169 makes it.
fn hook_of_codex(text: &str) -> Option<(String, String)> {
    let (file, none) = (json::value(text), Vec::new());
    let elements = |value| Value::as_array(value).unwrap_or(&none).iter().enumerate();
    let hooks = elements(&file["hooks"]["PreToolUse"])
        .flat_map(|(i, group)| elements(&group["hooks"]).map(move |(j, hook)| (i, j, group, hook)));
    let is_ours = |hook: &Value| hook["command"].as_str().is_some_and(|command| command.contains("git-aio hook codex"));
    let (i, j, group, hook) = hooks.into_iter().find(|(.., hook)| is_ours(hook))?;
    let mut identity = json!({
        "event_name": "pre_tool_use",
        "hooks": [{
            "async": hook["async"].as_bool().unwrap_or(false),
            "command": hook["command"],
            "timeout": hook["timeout"].as_u64().unwrap_or(600).max(1),
            "type": "command",
        }],
    });
    if let Some(matcher) = group["matcher"].as_str() {
        identity["matcher"] = matcher.into();
    }
    Some((format!("pre_tool_use:{i}:{j}"), format!("sha256:{}", digest(identity.to_string().as_bytes()))))
}

/// It trusts a folder with all below it, or the folder around one.
fn trusted_by_gemini(homes: &Homes, root: &Path) -> bool {
    let text = read_text(&homes.home.join(".gemini/trustedFolders.json")).unwrap_or_default();
    let root = real(root);
    let rules = json::value(&text);
    let holds = |(folder, rule): (&String, &Value)| {
        let folder = real(Path::new(folder));
        match rule.as_str() {
            Some("TRUST_FOLDER") => root.starts_with(folder),
            Some("TRUST_PARENT") => folder.parent().is_some_and(|around| root.starts_with(around)),
            _ => false,
        }
    };
    rules.as_object().is_some_and(|rules| rules.iter().any(holds))
}

fn trusted_by_copilot(homes: &Homes, root: &Path) -> bool {
    let text = read_text(&homes.copilot.join("config.json")).unwrap_or_default();
    let (root, config) = (real(root), json::value(&text));
    let folders = ["trusted_folders", "trustedFolders"].into_iter().filter_map(|key| config[key].as_array()).flatten();
    folders.filter_map(Value::as_str).any(|folder| root.starts_with(real(Path::new(folder))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codex_knows_a_hook_by_its_place_and_its_hash() {
        // As `codex app-server` of 0.169 answered to `hooks/list`.
        let text = r#"{ "hooks": { "PreToolUse": [{ "matcher": "Bash", "hooks": [] }, {
            "matcher": "apply_patch|Edit|Write|Bash",
            "hooks": [{
                "type": "command",
                "command": "command -v git-aio >/dev/null 2>&1 || exit 0; exec git-aio hook codex",
                "timeout": 10
            }]
        }] } }"#;
        let hash = "sha256:9719ea952a604aa5d74d1a5505b403b335a0c8bd1e4ad61a93010225ac7caca3";
        assert_eq!(hook_of_codex(text), Some(("pre_tool_use:1:0".into(), hash.into())));
        let other = text.replace("10", "11");
        assert_ne!(hook_of_codex(&other).map(|(_, hash)| hash), Some(hash.into()));
        assert_eq!(hook_of_codex("{}"), None);
    }
}
