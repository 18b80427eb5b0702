//! Whether the fences inside the agent CLIs stand, and whether the agents come to them.

use super::{Check, Finding, Seen, Session, check, failed};
use crate::{
    base::{id::ClaimId, text},
    host::{
        hooks::Site,
        install::agent::{Fence, Trust, fences, is_program, missing, trust},
    },
    ops::agent::Agent,
};

impl Session {
    /// A check for each fence that is there or should be; none where there are none.
    pub(super) fn check_agents(&self) -> Vec<Check> {
        let Some(site) = self.site() else { return Vec::new() };
        let mut checks = match missing(&site.place(), site.git.dir()) {
            Ok(missing) => missing.into_iter().map(gone).collect(),
            Err(error) => vec![failed("agents", error.to_string())],
        };
        for fence in fences(site.git.dir()) {
            let nonce = ClaimId::random(self.random()).to_string();
            checks.push(check(name(fence.agent), fires(&fence, &site, &nonce)));
            checks.extend(check_trust(&fence, &site));
        }
        checks
    }
}

/// The name of the check.
fn name(agent: Agent) -> &'static str {
    match agent {
        Agent::Claude => "claude fence",
        Agent::Codex => "codex fence",
        Agent::Gemini => "gemini fence",
        Agent::Amp => "amp fence",
        Agent::OpenCode => "opencode fence",
        Agent::Copilot => "copilot fence",
    }
}

fn gone(agent: Agent) -> Check {
    let detail = format!("init put one up, and it is gone: `git aio init --agents={}` puts it back", agent.as_str());
    check(name(agent), Ok(Seen::odd(detail)))
}

/// Whether what the agent would run is our fence, and refuses.
fn fires(fence: &Fence, site: &Site, nonce: &str) -> Finding<Seen> {
    let file = fence.file.strip_prefix(site.git.dir()).unwrap_or(&fence.file).display();
    let users = if fence.is_users { " --user" } else { "" };
    let renewed = format!("`git aio init --agents={}{users}` brings it up to date", fence.agent.as_str());
    if let Some(why) = &fence.unreadable {
        return Err(format!("{} passes {file} over: {}", fence.agent.as_str(), text::one_line(why, 200)));
    }
    if let Some(switch) = fence.switched_off {
        return Err(format!("{file} has {switch}, and so {} runs no hook", fence.agent.as_str()));
    }
    if !fence.is_asked {
        return Err(format!(
            "{file} has nothing of ours that {} runs before every edit; {renewed}",
            fence.agent.as_str()
        ));
    }
    let said = fence.probe(site.git.dir(), nonce).map_err(|error| format!("what {file} runs can't be run: {error}"))?;
    let Some(said) = said else {
        return Err(format!("not tried: what {file} runs is not what this version writes there; {renewed}"));
    };
    if said.is_empty() {
        return Err(format!("what {file} runs lets everything pass: is git-aio in the PATH that agents have?"));
    }
    if !said.contains(&format!("aio-probe {nonce}")) {
        return Err(format!("what {file} runs did not refuse: {}", text::one_line(&said, 200)));
    }
    Ok(match fence.is_current {
        true => Seen::from(format!("tried: what {file} runs refuses")),
        false => Seen::odd(format!(
            "tried: what {file} runs refuses; but not all of it is as this version has it, and {renewed}"
        )),
    })
}

/// Whether the agent runs it; nothing where that needs no trust, or where there is no such agent.
fn check_trust(fence: &Fence, site: &Site) -> Option<Check> {
    if !is_program(fence.agent) {
        return None;
    }
    let trust = trust(fence, site.git.dir(), site.common_dir.parent())?;
    let (name, way) = match (fence.agent, trust) {
        (Agent::Codex, Trust::NotTheFolder) => {
            ("codex trust", "start codex here once, trust the folder, and approve the hooks with /hooks")
        }
        (Agent::Codex, Trust::NotThisHook) => (
            "codex trust",
            "they have changed since you approved them, so start codex here once and approve them with /hooks",
        ),
        (Agent::Codex, _) => (
            "codex trust",
            "start codex here once and approve them with /hooks, or run it with --dangerously-bypass-hook-trust",
        ),
        (Agent::Gemini, _) => {
            ("gemini trust", "trust the folder when gemini asks, or set GEMINI_CLI_TRUST_WORKSPACE=true")
        }
        _ => ("copilot trust", "trust the folder when copilot asks, or run it with --trust-folder"),
    };
    let agent = fence.agent.as_str();
    Some(check(
        name,
        Ok(match trust {
            Trust::Given => Seen::from(format!("{agent} runs the hooks here")),
            _ => Seen::odd(format!("{agent} skips the hooks here without a word: {way}")),
        }),
    ))
}
