//! Whether an agent runs the hooks of a repository at all: some skip them without a word until the user has trusted it.

use super::Fence;
use crate::host::{
    agents::Agent,
    env::{self, Homes},
    install::{json, node::real},
};
use serde_json::Value;
use std::{fs, path::Path};
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

fn given(trusted: bool) -> Trust {
    if trusted { Trust::Given } else { Trust::NotTheFolder }
}

/// It keeps both in its configuration: folders by path, and hooks by file, event and place. A linked work tree has the
/// trust of the main one.
fn of_codex(homes: &Homes, fence: &Fence, root: &Path, main: Option<&Path>) -> Trust {
    let text = fs::read_to_string(homes.codex.join("config.toml")).unwrap_or_default();
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
    let below = |root: &Path| root.join(".codex/hooks.json");
    let files: Vec<_> = match fence.is_users {
        true => vec![real(&fence.file)],
        false => roots.iter().map(|root| below(root)).collect(),
    };
    let states = at(&["hooks", "state"]).and_then(Item::as_table_like);
    let is_ours = |key: &str| files.iter().any(|file| key.starts_with(&format!("{}:pre_tool_use:", file.display())));
    let approved = |item: &Item| item.get("trusted_hash").is_some();
    match states.is_some_and(|states| states.iter().any(|(key, state)| is_ours(key) && approved(state))) {
        true => Trust::Given,
        false => Trust::NotTheHook,
    }
}

/// It trusts a folder with all below it, or the folder around one.
fn trusted_by_gemini(homes: &Homes, root: &Path) -> bool {
    let text = fs::read_to_string(homes.home.join(".gemini/trustedFolders.json")).unwrap_or_default();
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
    let text = fs::read_to_string(homes.copilot.join("config.json")).unwrap_or_default();
    let (root, config) = (real(root), json::value(&text));
    let folders = ["trusted_folders", "trustedFolders"].into_iter().filter_map(|key| config[key].as_array()).flatten();
    folders.filter_map(Value::as_str).any(|folder| root.starts_with(real(Path::new(folder))))
}
