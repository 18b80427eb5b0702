//! A client of MCP, as bare as can be: lines of JSON in, lines of JSON out, and every line of the server looked at.

use crate::env::{PROGRAM, Repo};
use serde_json::{Value, json};
use std::{
    collections::HashMap,
    io::{BufRead, BufReader, Read, Write},
    process::{Child, Command, Stdio},
    sync::mpsc::{Receiver, channel},
    thread,
    time::Duration,
};

/// The newest version, which has no handshake: every request says who asks.
pub const STATELESS: &str = "2026-07-28";

/// A server, and what a client has of it.
pub struct Client {
    name: String,
    version: String,
    process: Option<Child>,
    input: Option<Box<dyn Write>>,
    lines: Receiver<Value>,
    /// Answers that came before they were asked for.
    early: HashMap<u64, Value>,
    asked: u64,
}

impl Client {
    /// Starts a server in a repository, for a client called `name`, and shakes hands.
    pub fn start(repo: &Repo<'_>, name: &str, vars: &[(&str, &str)]) -> Client {
        let mut command = repo.command(&["mcp"]);
        command.envs(vars.iter().copied());
        Client::of(command, name).greeted("2025-06-18")
    }

    /// The same, inside a process that has the name of an agent CLI.
    pub fn start_inside(repo: &Repo<'_>, agent: &str, name: &str) -> Client {
        let mut command = repo.env.command(crate::agent::install(repo, agent), &repo.dir);
        command.args([PROGRAM, "mcp"]);
        Client::of(command, name).greeted("2025-06-18")
    }

    /// Starts a server by any command, and says nothing yet.
    pub fn of(mut command: Command, name: &str) -> Client {
        let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let (input, output) = (process.stdin.take().unwrap(), process.stdout.take().unwrap());
        let mut client = Client::on(input, output, name);
        client.process = Some(process);
        client
    }

    /// A client of a server that runs already.
    pub fn on(input: impl Write + 'static, output: impl Read + Send + 'static, name: &str) -> Client {
        let (heard, lines) = channel();
        thread::spawn(move || {
            for line in BufReader::new(output).lines() {
                let line = line.unwrap();
                let message: Value =
                    serde_json::from_str(&line).unwrap_or_else(|e| panic!("{e} in what was said: {line}"));
                assert_eq!(message["jsonrpc"], "2.0", "{line}");
                let _ = heard.send(message);
            }
        });
        let (name, version) = (name.to_owned(), String::new());
        Client { name, version, process: None, input: Some(Box::new(input)), lines, early: HashMap::new(), asked: 0 }
    }

    /// Opens the session in this version.
    pub fn greeted(mut self, version: &str) -> Client {
        self.greet(version);
        self
    }

    /// The same; what the server says of itself.
    pub fn greet(&mut self, version: &str) -> Value {
        self.version = version.to_owned();
        if version == STATELESS {
            return self.ask("server/discover", json!({}))["result"].take();
        }
        let info = json!({ "name": self.name, "version": "1" });
        let params = json!({ "protocolVersion": version, "capabilities": {}, "clientInfo": info });
        let mut told = self.ask("initialize", params);
        self.say(&json!({ "jsonrpc": "2.0", "method": "notifications/initialized" }).to_string());
        told["result"].take()
    }

    /// Sends a line.
    pub fn say(&mut self, line: &str) {
        writeln!(self.input.as_mut().unwrap(), "{line}").unwrap();
    }

    /// Sends a request, and doesn't wait; its number.
    pub fn send(&mut self, method: &str, mut params: Value) -> u64 {
        self.asked += 1;
        if self.version == STATELESS {
            params["_meta"]["io.modelcontextprotocol/protocolVersion"] = STATELESS.into();
            params["_meta"]["io.modelcontextprotocol/clientInfo"] = json!({ "name": self.name, "version": "1" });
            params["_meta"]["io.modelcontextprotocol/clientCapabilities"] = json!({});
        }
        self.say(&json!({ "jsonrpc": "2.0", "id": self.asked, "method": method, "params": params }).to_string());
        self.asked
    }

    /// Tells the server that nobody waits for the answer to a request any more.
    pub fn cancel(&mut self, id: u64) {
        let params = json!({ "requestId": id, "reason": "the user pressed escape" });
        self.say(&json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": params }).to_string());
    }

    /// What the server says to the request of this number.
    pub fn hear(&mut self, id: u64) -> Value {
        loop {
            if let Some(answer) = self.early.remove(&id) {
                return answer;
            }
            let heard = self.hear_any();
            match heard["id"].as_u64() {
                Some(other) => drop(self.early.insert(other, heard)),
                None => panic!("said unasked: {heard}"),
            }
        }
    }

    /// What the server says next.
    pub fn hear_any(&mut self) -> Value {
        self.lines.recv_timeout(Duration::from_secs(60)).expect("the server answers")
    }

    /// Sends a request and waits for what comes of it.
    pub fn ask(&mut self, method: &str, params: Value) -> Value {
        let id = self.send(method, params);
        self.hear(id)
    }

    /// Sends a call of a tool, and doesn't wait.
    pub fn begin(&mut self, tool: &str, arguments: Value) -> u64 {
        self.send("tools/call", json!({ "name": tool, "arguments": arguments }))
    }

    /// Calls a tool for one session of an agent that tells it with each call.
    pub fn call_for(&mut self, session: &str, tool: &str, arguments: Value) -> Value {
        let meta = json!({ "threadId": session, "sessionId": session });
        let answer = self.ask("tools/call", json!({ "name": tool, "arguments": arguments, "_meta": meta }));
        given(&answer)
    }

    /// Calls a tool, which has to succeed, and returns its answer.
    pub fn ok(&mut self, tool: &str, arguments: Value) -> Value {
        let id = self.begin(tool, arguments);
        given(&self.hear(id))
    }

    /// Calls a tool, which has to be refused or to fail: its answer, and its words.
    pub fn refused(&mut self, tool: &str, arguments: Value) -> (Value, String) {
        let id = self.begin(tool, arguments);
        refusal(&self.hear(id))
    }

    /// Says nothing more. How the process ended, after whatever else it said; it has to be soon.
    pub fn end(&mut self) -> (Option<i32>, String) {
        drop(self.input.take());
        self.ended()
    }

    /// How the process ended, and what it said to people.
    pub fn ended(&mut self) -> (Option<i32>, String) {
        let process = self.process.as_mut().unwrap();
        let status = process.wait().unwrap();
        let mut said = String::new();
        process.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        (status.code(), said)
    }

    /// The pid of the server.
    pub fn pid(&self) -> u32 {
        self.process.as_ref().unwrap().id()
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        drop(self.input.take());
        if let Some(process) = &mut self.process {
            let _ = process.wait();
        }
    }
}

/// The answer of a call that succeeded, which is the same as text and as structure.
pub fn given(answer: &Value) -> Value {
    let result = &answer["result"];
    assert_eq!(result["isError"], false, "{answer}");
    let text: Value = serde_json::from_str(result["content"][0]["text"].as_str().unwrap()).unwrap();
    assert_eq!(result["structuredContent"], text, "{answer}");
    text
}

/// The answer and the words of a call that did not.
pub fn refusal(answer: &Value) -> (Value, String) {
    let result = &answer["result"];
    assert_eq!(result["isError"], true, "{answer}");
    (result["structuredContent"].clone(), result["content"][0]["text"].as_str().unwrap().to_owned())
}
