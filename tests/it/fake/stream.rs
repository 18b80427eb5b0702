//! The streams of the agent CLIs, as far as what a stand-in does is told by them. `@SESSION@` and `@DIR@` are put in when
//! they are printed.

use serde_json::{Value, json};

/// Which stream it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stream {
    Claude,
    Codex,
    Gemini,
    Copilot,
    OpenCode,
    /// That of a tool that just prints its answer.
    Plain,
}

use Stream::{Claude, Codex, Copilot, Gemini, OpenCode, Plain};

impl Stream {
    /// The stream of the agent called `name`.
    pub(super) fn of(name: &str) -> Stream {
        match name {
            // Amp's has the same shape.
            "claude" | "amp" => Claude,
            "codex" => Codex,
            "gemini" => Gemini,
            "copilot" => Copilot,
            "opencode" => OpenCode,
            _ => Plain,
        }
    }

    /// What is told at first.
    pub(super) fn begin(self) -> Vec<String> {
        lines(match self {
            Claude => vec![json!({
                "type": "system", "subtype": "init", "cwd": "@DIR@", "session_id": "@SESSION@", "tools": [],
                "mcp_servers": [], "model": "fake", "permissionMode": "acceptEdits",
            })],
            Codex => {
                vec![json!({ "type": "thread.started", "thread_id": "@SESSION@" }), json!({ "type": "turn.started" })]
            }
            Gemini => vec![
                json!({ "type": "init", "session_id": "@SESSION@", "model": "fake" }),
                json!({ "type": "message", "role": "user", "content": "Do it." }),
            ],
            Copilot => vec![copilot("assistant.turn_start", &json!({ "turnId": "0" }))],
            OpenCode => vec![opencode("step_start", &json!({ "type": "step-start" }))],
            Plain => vec![],
        })
    }

    /// That the `n`-th thing it does is an edit.
    pub(super) fn edit(self, n: usize, path: &str) -> Vec<String> {
        let path = if path.starts_with('/') { path.to_owned() } else { format!("@DIR@/{path}") };
        self.using(n, ["Edit", "file_change", "replace", "edit", "edit"], &path)
    }

    /// That it is a command.
    pub(super) fn run(self, n: usize, command: &str) -> Vec<String> {
        self.using(n, ["Bash", "command_execution", "run_shell_command", "bash", "bash"], command)
    }

    fn using(
        self,
        n: usize,
        [claude, codex, gemini, copilot_tool, opencode_tool]: [&str; 5],
        what: &str,
    ) -> Vec<String> {
        let is_edit = claude == "Edit";
        let input = |key: &str| json!({ (if is_edit { key } else { "command" }): what });
        lines(match self {
            Claude => {
                let used = json!({ "type": "tool_use", "id": format!("toolu_{n}"), "name": claude, "input": input("file_path") });
                vec![json!({
                    "type": "assistant", "message": { "role": "assistant", "content": [used] }, "session_id": "@SESSION@",
                })]
            }
            Codex => {
                let mut item = json!({ "id": format!("item_{n}"), "type": codex, "status": "in_progress" });
                if is_edit {
                    item["changes"] = json!([{ "path": what, "kind": "update" }]);
                } else {
                    item["command"] = json!(format!("/bin/bash -lc {}", shlex::try_quote(what).unwrap()));
                }
                vec![json!({ "type": "item.started", "item": item })]
            }
            Gemini => vec![json!({
                "type": "tool_use", "tool_name": gemini, "tool_id": format!("tool_{n}"), "parameters": input("file_path"),
            })],
            Copilot => {
                let data =
                    json!({ "toolCallId": format!("call_{n}"), "toolName": copilot_tool, "arguments": input("path") });
                vec![copilot("tool.execution_start", &data)]
            }
            OpenCode => {
                let state = json!({ "status": "completed", "input": input("filePath"), "output": "" });
                vec![opencode("tool_use", &json!({ "type": "tool", "tool": opencode_tool, "state": state }))]
            }
            Plain => vec![],
        })
    }

    /// That this is done.
    pub(super) fn did(self, n: usize) -> Vec<String> {
        lines(match self {
            Claude => vec![json!({
                "type": "user", "session_id": "@SESSION@",
                "message": { "role": "user", "content": [
                    { "type": "tool_result", "tool_use_id": format!("toolu_{n}"), "content": "" },
                ] },
            })],
            Codex => vec![],
            Gemini => {
                vec![
                    json!({ "type": "tool_result", "tool_id": format!("tool_{n}"), "status": "success", "output": "" }),
                ]
            }
            Copilot => {
                let data = json!({ "toolCallId": format!("call_{n}"), "success": true, "result": { "content": "" } });
                vec![copilot("tool.execution_complete", &data)]
            }
            OpenCode | Plain => vec![],
        })
    }

    /// That a tool was denied.
    pub(super) fn denied(self, n: usize, tool: &str) -> Vec<String> {
        let why = format!("{tool} was denied");
        lines(match self {
            Claude => vec![json!({
                "type": "system", "subtype": "permission_denied", "tool_name": tool, "message": why,
                "session_id": "@SESSION@",
            })],
            Codex => {
                let item = json!({ "id": format!("item_{n}"), "type": tool, "status": "declined" });
                vec![json!({ "type": "item.completed", "item": item })]
            }
            Gemini => {
                let error = json!({ "type": "policy_violation", "message": why });
                vec![
                    json!({ "type": "tool_result", "tool_id": "tool", "status": "error", "output": why, "error": error }),
                ]
            }
            Copilot => {
                let error = json!({ "message": why, "code": "denied" });
                vec![copilot(
                    "tool.execution_complete",
                    &json!({ "toolCallId": "call", "success": false, "error": error }),
                )]
            }
            OpenCode => {
                let error = "The user has specified a rule which prevents you from using this specific tool call.";
                let state = json!({ "status": "error", "input": {}, "error": error });
                vec![opencode("tool_use", &json!({ "type": "tool", "tool": tool, "state": state }))]
            }
            Plain => vec![],
        })
    }

    /// That it is done, with this answer: 10 tokens read, 4 of them from a cache, and 5 written.
    pub(super) fn end(self, text: &str) -> Vec<String> {
        match self {
            Claude => {
                let mut result = json!({
                    "type": "result", "subtype": "success", "is_error": false, "result": text, "num_turns": 2,
                    "session_id": "@SESSION@", "total_cost_usd": 0.01, "permission_denials": [],
                    "usage": { "input_tokens": 6, "cache_read_input_tokens": 4, "output_tokens": 5 },
                });
                if let Ok(structured @ Value::Object(_)) = serde_json::from_str(text) {
                    result["structured_output"] = structured;
                }
                lines(vec![result])
            }
            Codex => lines(vec![
                json!({ "type": "item.completed", "item": { "id": "item_last", "type": "agent_message", "text": text } }),
                json!({ "type": "turn.completed", "usage": {
                    "input_tokens": 10, "cached_input_tokens": 4, "output_tokens": 5, "reasoning_output_tokens": 0,
                } }),
            ]),
            Gemini => {
                let stats =
                    json!({ "total_tokens": 15, "input_tokens": 10, "output_tokens": 5, "cached": 4, "tool_calls": 0 });
                lines(vec![
                    json!({ "type": "message", "role": "assistant", "content": text, "delta": true }),
                    json!({ "type": "result", "status": "success", "stats": stats }),
                ])
            }
            Copilot => lines(vec![
                copilot("assistant.message", &json!({ "content": text, "toolRequests": [] })),
                json!({ "type": "result", "sessionId": "@SESSION@", "exitCode": 0, "usage": { "premiumRequests": 0 } }),
            ]),
            OpenCode => {
                let tokens = json!({ "input": 6, "output": 5, "reasoning": 0, "cache": { "write": 0, "read": 4 } });
                lines(vec![
                    opencode("text", &json!({ "messageID": "msg_1", "type": "text", "text": text })),
                    opencode("step_finish", &json!({ "reason": "stop", "tokens": tokens, "cost": 0.01 })),
                ])
            }
            Plain => vec![text.to_owned()],
        }
    }

    /// That the model's server has refused.
    pub(super) fn fail(self, why: &str) -> Vec<String> {
        lines(match self {
            Claude => vec![json!({
                "type": "result", "subtype": "success", "is_error": true, "result": why, "num_turns": 1,
                "session_id": "@SESSION@", "terminal_reason": "api_error", "api_error_status": 529,
            })],
            Codex => vec![
                json!({ "type": "error", "message": why }),
                json!({ "type": "turn.failed", "error": { "message": why } }),
            ],
            Gemini => {
                vec![json!({ "type": "result", "status": "error", "error": { "type": "unknown", "message": why } })]
            }
            Copilot => vec![
                copilot("session.error", &json!({ "errorType": "query", "message": why, "statusCode": 529 })),
                json!({ "type": "result", "sessionId": "@SESSION@", "exitCode": 1, "usage": { "premiumRequests": 0 } }),
            ],
            OpenCode => {
                let error = json!({ "name": "APIError", "data": { "message": why, "statusCode": 529 } });
                vec![json!({ "type": "error", "sessionID": "@SESSION@", "error": error })]
            }
            Plain => return vec![],
        })
    }
}

fn copilot(kind: &str, data: &Value) -> Value {
    json!({ "type": kind, "data": data, "id": "1", "parentId": "0" })
}

fn opencode(kind: &str, part: &Value) -> Value {
    json!({ "type": kind, "sessionID": "@SESSION@", "part": part })
}

fn lines(events: Vec<Value>) -> Vec<String> {
    events.iter().map(Value::to_string).collect()
}
