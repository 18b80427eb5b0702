//! How each agent CLI is driven without a person, against a model of ours.
//!
//! What a file is edited with depends on the model, too: models of OpenAI write patches, and where they do, both ways are
//! driven.

use crate::{
    env::{PROGRAM, Repo},
    model::{Model, ToolCall},
};
use serde_json::{Value, json};
use std::{fs, path::Path, process::Command};

/// Which session it is to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// A new one.
    Anew,
    /// The last one, which goes on.
    Again,
}

/// An agent CLI.
pub trait Cli: Sync {
    /// Its name, as `git aio init --agents` knows it; its program has the same.
    fn name(&self) -> &'static str;

    /// The model that it believes to speak with, which decides over its tools.
    fn model(&self) -> &'static str;

    /// A session with one prompt, trusted as far as its hooks need, not yet begun.
    fn session(&self, repo: &Repo<'_>, model: &Model, start: Start) -> Command;

    /// Puts `to` in the place of `from` in a file.
    fn edit(&self, repo: &Repo<'_>, path: &str, from: &str, to: &str) -> Vec<ToolCall>;

    /// Reads a file, by its whole path.
    fn read(&self, path: &str) -> ToolCall;

    /// Makes a new file with one line.
    fn create(&self, repo: &Repo<'_>, path: &str, line: &str) -> ToolCall;

    /// Runs a command in the shell.
    fn shell(&self, command: &str) -> ToolCall;
}

/// All that are driven.
pub const ALL: &[&dyn Cli] = &[
    &Claude,
    &Codex { model: "gpt-6-astra" },
    &Codex { model: "gpt-5.5" },
    &Gemini,
    &Copilot { model: "gpt-4.1" },
    &Copilot { model: "gpt-5-codex" },
    &OpenCode { model: "scripted" },
    &OpenCode { model: "gpt-5" },
];

const PROMPT: &str = "Do as the script says.";

/// A command that reaches loopback and nothing else: whatever is further away is asked by way of a proxy that isn't there.
fn alone(repo: &Repo<'_>, program: &str) -> Command {
    // It ends what hangs, and all that it started.
    let mut command = repo.env.command("timeout", &repo.dir);
    command.args(["--kill-after=5", "180", program]);
    for proxy in ["HTTP_PROXY", "HTTPS_PROXY"] {
        command.env(proxy, "http://127.0.0.1:9");
    }
    command.env("NO_PROXY", "127.0.0.1").env("TERM", "dumb");
    command
}

fn write(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

fn patch_of_change(path: &str, from: &str, to: &str) -> String {
    format!("*** Begin Patch\n*** Update File: {path}\n@@\n-{from}\n+{to}\n*** End Patch\n")
}

fn patch_of_file(path: &str, line: &str) -> String {
    format!("*** Begin Patch\n*** Add File: {path}\n+{line}\n*** End Patch\n")
}

fn absolute(repo: &Repo<'_>, path: &str) -> String {
    repo.dir.join(path).display().to_string()
}

struct Claude;

impl Cli for Claude {
    fn name(&self) -> &'static str {
        "claude"
    }

    fn model(&self) -> &'static str {
        "sonnet"
    }

    fn session(&self, repo: &Repo<'_>, model: &Model, start: Start) -> Command {
        let mut command = alone(repo, "claude");
        command.args([
            "-p",
            PROMPT,
            "--model",
            self.model(),
            "--permission-mode",
            "acceptEdits",
            "--allowedTools",
            "Bash",
        ]);
        command.args((start == Start::Again).then_some("--continue"));
        command.env("ANTHROPIC_BASE_URL", model.url()).env("ANTHROPIC_API_KEY", "none");
        command.env("CLAUDE_CODE_MAX_RETRIES", "0").env("DISABLE_AUTOUPDATER", "1");
        command.env("CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "1");
        command
    }

    fn edit(&self, _: &Repo<'_>, path: &str, from: &str, to: &str) -> Vec<ToolCall> {
        let change = json!({ "file_path": path, "old_string": from, "new_string": to });
        vec![ToolCall::new("Read", json!({ "file_path": path })), ToolCall::new("Edit", change)]
    }

    fn read(&self, path: &str) -> ToolCall {
        ToolCall::new("Read", json!({ "file_path": path }))
    }

    fn create(&self, _: &Repo<'_>, path: &str, line: &str) -> ToolCall {
        ToolCall::new("Write", json!({ "file_path": path, "content": format!("{line}\n") }))
    }

    fn shell(&self, command: &str) -> ToolCall {
        ToolCall::new("Bash", json!({ "command": command, "description": "As the script says" }))
    }
}

struct Codex {
    model: &'static str,
}

impl Cli for Codex {
    fn name(&self) -> &'static str {
        "codex"
    }

    fn model(&self) -> &'static str {
        self.model
    }

    fn session(&self, repo: &Repo<'_>, model: &Model, start: Start) -> Command {
        // Its shell is a login shell, which forgets the PATH that it is given.
        let bin = Path::new(PROGRAM).parent().unwrap().display();
        write(&repo.env.path().join("home/.profile"), &format!("PATH='{bin}':$PATH\n"));
        let provider = format!(
            "model_providers.scripted={{ name = \"scripted\", base_url = \"{}/v1\", env_key = \"SCRIPTED_KEY\", \
             wire_api = \"responses\", request_max_retries = 0, stream_max_retries = 0, supports_websockets = false }}",
            model.url(),
        );
        let trust = format!("projects={{ {:?} = {{ trust_level = \"trusted\" }} }}", repo.dir);
        let mut command = alone(repo, "codex");
        command.args(["exec", "--dangerously-bypass-hook-trust", "--model", self.model]);
        for setting in ["model_provider=\"scripted\"", &provider, &trust, "analytics.enabled=false"] {
            command.args(["-c", setting]);
        }
        // Else its sandbox keeps commands from writing there.
        command.arg("--add-dir").arg(repo.dir.join(".git"));
        if start == Start::Again {
            command.args(["resume", "--last"]);
        }
        command.arg(PROMPT).env("SCRIPTED_KEY", "none");
        command
    }

    fn edit(&self, _: &Repo<'_>, path: &str, from: &str, to: &str) -> Vec<ToolCall> {
        vec![ToolCall::new("apply_patch", patch_of_change(path, from, to))]
    }

    fn read(&self, path: &str) -> ToolCall {
        self.shell(&format!("cat '{path}'"))
    }

    fn create(&self, _: &Repo<'_>, path: &str, line: &str) -> ToolCall {
        ToolCall::new("apply_patch", patch_of_file(path, line))
    }

    fn shell(&self, command: &str) -> ToolCall {
        ToolCall::new("exec_command", json!({ "cmd": command }))
    }
}

struct Gemini;

impl Cli for Gemini {
    fn name(&self) -> &'static str {
        "gemini"
    }

    fn model(&self) -> &'static str {
        "gemini-2.5-pro"
    }

    fn session(&self, repo: &Repo<'_>, model: &Model, start: Start) -> Command {
        // `git aio init` may have written there, too.
        let path = repo.env.path().join("home/.gemini/settings.json");
        let written = fs::read(&path).ok().and_then(|text| serde_json::from_slice(&text).ok());
        let mut settings: Value = written.unwrap_or_default();
        settings["security"] = json!({ "auth": { "selectedType": "gemini-api-key" } });
        write(&path, &settings.to_string());
        let mut command = alone(repo, "gemini");
        command.args(["-p", PROMPT, "-m", self.model(), "--approval-mode", "yolo"]);
        if start == Start::Again {
            command.args(["--resume", "latest"]);
        }
        command.env("GOOGLE_GEMINI_BASE_URL", model.url()).env("GEMINI_API_KEY", "none");
        command.env("GEMINI_CLI_TRUST_WORKSPACE", "true");
        command
    }

    fn edit(&self, _: &Repo<'_>, path: &str, from: &str, to: &str) -> Vec<ToolCall> {
        let change = json!({ "file_path": path, "instruction": "Change it", "old_string": from, "new_string": to });
        vec![ToolCall::new("replace", change)]
    }

    fn read(&self, path: &str) -> ToolCall {
        ToolCall::new("read_file", json!({ "file_path": path }))
    }

    fn create(&self, _: &Repo<'_>, path: &str, line: &str) -> ToolCall {
        ToolCall::new("write_file", json!({ "file_path": path, "content": format!("{line}\n") }))
    }

    fn shell(&self, command: &str) -> ToolCall {
        ToolCall::new("run_shell_command", json!({ "command": command, "description": "As the script says" }))
    }
}

struct Copilot {
    model: &'static str,
}

impl Cli for Copilot {
    fn name(&self) -> &'static str {
        "copilot"
    }

    fn model(&self) -> &'static str {
        self.model
    }

    fn session(&self, repo: &Repo<'_>, model: &Model, start: Start) -> Command {
        let mut command = alone(repo, "copilot");
        command.args(["-p", PROMPT, "--allow-all-tools"]);
        match start {
            Start::Anew => command.arg("--trust-folder"),
            // There it doesn't take that option.
            Start::Again => command.arg("--continue").env("COPILOT_ALLOW_ALL", "true"),
        };
        command.env("COPILOT_OFFLINE", "true").env("COPILOT_MODEL", self.model);
        command.env("COPILOT_PROVIDER_BASE_URL", model.url() + "/v1").env("COPILOT_PROVIDER_API_KEY", "none");
        command
    }

    fn edit(&self, repo: &Repo<'_>, path: &str, from: &str, to: &str) -> Vec<ToolCall> {
        if self.model.starts_with("gpt-5") {
            return vec![ToolCall::new("apply_patch", patch_of_change(path, from, to))];
        }
        let path = absolute(repo, path);
        vec![ToolCall::new("edit", json!({ "path": path, "old_str": from, "new_str": to }))]
    }

    fn read(&self, path: &str) -> ToolCall {
        ToolCall::new("view", json!({ "path": path }))
    }

    fn create(&self, repo: &Repo<'_>, path: &str, line: &str) -> ToolCall {
        if self.model.starts_with("gpt-5") {
            return ToolCall::new("apply_patch", patch_of_file(path, line));
        }
        ToolCall::new("create", json!({ "path": absolute(repo, path), "file_text": format!("{line}\n") }))
    }

    fn shell(&self, command: &str) -> ToolCall {
        ToolCall::new("bash", json!({ "command": command, "description": "As the script says" }))
    }
}

struct OpenCode {
    model: &'static str,
}

impl Cli for OpenCode {
    fn name(&self) -> &'static str {
        "opencode"
    }

    fn model(&self) -> &'static str {
        self.model
    }

    fn session(&self, repo: &Repo<'_>, model: &Model, start: Start) -> Command {
        let provider = json!({
            "npm": "@ai-sdk/openai-compatible", "name": "Scripted",
            "options": { "baseURL": model.url() + "/v1", "apiKey": "none" },
            "models": { self.model: { "name": "Scripted", "limit": { "context": 100_000, "output": 1000 } } },
        });
        let config = json!({ "provider": { "scripted": provider }, "model": format!("scripted/{}", self.model), "autoupdate": false, "share": "disabled" });
        let mut command = alone(repo, "opencode");
        command.args(["run", PROMPT, "--model", &format!("scripted/{}", self.model)]);
        command.args((start == Start::Again).then_some("--continue"));
        command.env("OPENCODE_CONFIG_CONTENT", config.to_string());
        // It installs a package for its plugins when it starts, and would try for a minute.
        command.env("NPM_CONFIG_OFFLINE", "true");
        command
    }

    fn edit(&self, repo: &Repo<'_>, path: &str, from: &str, to: &str) -> Vec<ToolCall> {
        if self.model.starts_with("gpt-5") {
            return vec![ToolCall::new("apply_patch", json!({ "patchText": patch_of_change(path, from, to) }))];
        }
        let path = absolute(repo, path);
        let change = json!({ "filePath": path, "oldString": from, "newString": to });
        vec![ToolCall::new("read", json!({ "filePath": path })), ToolCall::new("edit", change)]
    }

    fn read(&self, path: &str) -> ToolCall {
        ToolCall::new("read", json!({ "filePath": path }))
    }

    fn create(&self, repo: &Repo<'_>, path: &str, line: &str) -> ToolCall {
        if self.model.starts_with("gpt-5") {
            return ToolCall::new("apply_patch", json!({ "patchText": patch_of_file(path, line) }));
        }
        ToolCall::new("write", json!({ "filePath": absolute(repo, path), "content": format!("{line}\n") }))
    }

    fn shell(&self, command: &str) -> ToolCall {
        ToolCall::new("bash", json!({ "command": command, "description": "As the script says" }))
    }
}
