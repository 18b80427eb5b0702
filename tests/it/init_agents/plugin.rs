//! The plugins, run by a node that takes TypeScript, in place of Amp and OpenCode. Where there is none, they are skipped.

use super::*;
use std::os::unix::fs::PermissionsExt;

/// Calls the plugin for Amp as Amp does, and prints what it returns.
const AMP: &str = "
import plugin from './.amp/plugins/git-aio.ts'
const on = {}
plugin({ on: (event, handler) => (on[event] = handler), logger: { log: () => {} }, helpers: {
  filesModifiedByToolCall: (call) => (call.input.path ? ['file://' + call.input.path] : undefined),
  filePathFromURI: (uri) => uri.slice('file://'.length),
} })
const thread = { id: 'T-1' }
const edit = (path) => ({ thread, toolUseID: '1', tool: 'edit_file', input: { path: process.cwd() + '/' + path } })
const tell = (what, answer) => console.log(what, JSON.stringify(answer) ?? 'nothing')
tell('start', await on['session.start']({ thread }))
tell('prompt', (await on['agent.start']({ thread, message: 'x' }))?.message.content.split('\\n')[0])
tell('again', await on['agent.start']({ thread, message: 'x' }))
for (const path of ['README.md', 'src/main.rs']) tell(path, await on['tool.call'](edit(path)))
tell('result', await on['tool.result']({ ...edit('src/main.rs'), status: 'done' }))
tell('end', await on['agent.end']({ thread, status: 'done' }))
";

/// The same for OpenCode.
const OPENCODE: &str = "
import { GitAio } from './.opencode/plugins/git-aio.ts'
const on = await GitAio({ directory: process.cwd() })
const sessionID = 'ses_1'
await on.event({ event: { type: 'session.created', properties: { info: { id: sessionID } } } })
for (const filePath of ['README.md', 'src/main.rs']) {
  const args = { filePath }
  await on['tool.execute.before']({ tool: 'edit', sessionID }, { args }).then(
    () => console.log(filePath, 'passes'), (error) => console.log(filePath, error.message))
}
const output = { output: 'done' }
await on['tool.execute.after']({ tool: 'edit', sessionID, args: { filePath: 'src/main.rs' } }, output)
console.log('after', output.output.split('\\n')[0], output.output.split('\\n')[2] ?? 'nothing')
const shell = { env: {} }
await on['shell.env']({ sessionID }, shell)
console.log(JSON.stringify(shell.env))
";

/// A warning before a tool, and tools once the folder is gone.
const AMP_AT_ITS_END: &str = "
import fs from 'node:fs'
import plugin from './.amp/plugins/git-aio.ts'
const on = {}
plugin({ on: (event, handler) => (on[event] = handler), logger: { log: (text) => console.log('log', text) } })
const thread = { id: 'T-1' }
const edit = { thread, tool: 'edit_file', input: { path: process.cwd() + '/README.md' } }
const tell = (what, answer) => console.log(what, JSON.stringify(answer) ?? 'nothing')
await on['agent.start']({ thread })
tell('edit', await on['tool.call'](edit))
tell('prompt', await on['agent.start']({ thread }))
fs.mkdirSync('gone')
process.chdir('gone')
fs.rmdirSync(process.cwd())
tell('gone', await on['tool.call'](edit))
tell('result', await on['tool.result'](edit))
";

/// A task with a session of its own edits what its parent has claimed, and once the folder is gone.
const OPENCODE_TASK: &str = "
import fs from 'node:fs'
import { GitAio } from './.opencode/plugins/git-aio.ts'
const on = await GitAio({ directory: process.cwd() })
const event = (type, info) => on.event({ event: { type, properties: { info } } })
const edit = (on, sessionID) => on['tool.execute.before']({ tool: 'edit', sessionID }, { args: { filePath: 'src/main.rs' } })
  .then(() => console.log(sessionID, 'passes'), (error) => console.log(sessionID, error.message))
const task = { id: 'ses_2', parentID: 'ses_1' }
await event('session.created', { id: 'ses_1' })
await edit(on, 'ses_1')
await event('session.created', task)
await edit(on, 'ses_2')
await event('session.created', { id: 'ses_3', parentID: 'ses_2' })
await edit(on, 'ses_3')
const shell = { env: {} }
await on['shell.env']({ sessionID: 'ses_3' }, shell)
console.log(JSON.stringify(shell.env))
await event('session.deleted', task)
await event('session.created', { id: 'ses_4' })
await edit(on, 'ses_4')
await edit(await GitAio({ directory: process.cwd() + '/gone' }), 'ses_1')
";

/// The folder of a node that takes TypeScript, if there is one.
fn node() -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let takes = "process.exit(process.features.typescript ? 0 : 1)";
    let found = std::env::split_paths(&path).find(|dir| {
        let node = dir.join("node");
        node.exists() && std::process::Command::new(node).args(["-e", takes]).status().is_ok_and(|s| s.success())
    });
    if found.is_none() {
        eprintln!("skipped: there is no node that takes TypeScript");
    }
    found
}

/// What the driver prints where `README.md` is held by somebody else, with git-aio as `program`: ours, none, or a script.
fn driven(driver: &str, node: &Path, program: Option<&str>) -> String {
    driven_where(driver, node, program, |_| ())
}

/// The same, where `settle` has changed the repository before.
fn driven_where(driver: &str, node: &Path, program: Option<&str>, settle: impl FnOnce(&Repo<'_>)) -> String {
    let env = TestEnvironment::new();
    let repo = env.repo();
    repo.ok(&["init", "--agents=amp,opencode"]);
    settle(&repo);
    let holder = repo.register("aider");
    repo.ok_as(&holder, &["claim", "README.md"]);
    repo.write("driver.mjs", driver);
    let mut command = repo.env.command(node.join("node"), &repo.dir);
    if let Some(script) = program {
        let bin = env.path().join("bin");
        fs::create_dir_all(&bin).unwrap();
        if !script.is_empty() {
            fs::write(bin.join("git-aio"), script).unwrap();
            fs::set_permissions(bin.join("git-aio"), fs::Permissions::from_mode(0o755)).unwrap();
        }
        command.env("PATH", format!("{}:/usr/bin:/bin", bin.display()));
    }
    let ended = run(command.arg("driver.mjs"));
    assert_eq!(ended.code, 0, "{}{}", ended.stdout, ended.stderr);
    repo.steady(&ended.stdout)
}

const BROKEN: &str = "#!/bin/sh\ncat >/dev/null\necho 'it is broken' >&2\nexit 1\n";

#[test]
fn amp_is_told_and_stopped() {
    let Some(node) = node() else { return };
    let told = driven(AMP, &node, None);
    let lines: Vec<&str> = told.lines().collect();
    assert_eq!(lines[0], "start nothing");
    assert!(lines[1].starts_with("prompt \"git-aio keeps the agents in this repository"), "{told}");
    assert_eq!(lines[2], "again nothing");
    let refused = "README.md {\"action\":\"reject-and-continue\",\"message\":\"git aio: README.md is held by aider-";
    assert!(lines[3].starts_with(refused), "{told}");
    assert_eq!(lines[4..], ["src/main.rs {\"action\":\"allow\"}", "result nothing", "end nothing"]);

    let alone = driven(AMP, &node, Some(""));
    assert!(alone.contains("README.md {\"action\":\"allow\"}"), "{alone}");
    let broken = driven(AMP, &node, Some(BROKEN));
    assert!(broken.contains("README.md {\"action\":\"reject-and-continue\""), "{broken}");
    assert!(broken.contains("it is broken") && broken.ends_with("result nothing\nend nothing\n"), "{broken}");
}

#[test]
fn opencode_is_told_and_stopped() {
    let Some(node) = node() else { return };
    let told = driven(OPENCODE, &node, None);
    let lines: Vec<&str> = told.lines().collect();
    assert!(lines[0].starts_with("README.md git aio: README.md is held by aider-"), "{told}");
    assert_eq!(lines[1], "src/main.rs passes");
    assert!(lines[2].starts_with("after done git-aio keeps the agents in this repository"), "{told}");
    assert_eq!(lines[3], "{\"OPENCODE_SESSION_ID\":\"ses_1\"}");

    let alone = driven(OPENCODE, &node, Some(""));
    assert!(alone.starts_with("README.md passes\nsrc/main.rs passes\nafter done nothing\n"), "{alone}");
    let broken = driven(OPENCODE, &node, Some(BROKEN));
    assert!(
        broken.starts_with("README.md git-aio could not judge this, and so it is stopped: it is broken\n"),
        "{broken}"
    );
}

#[test]
fn amp_hears_a_warning_later_and_is_stopped_where_its_folder_is_gone() {
    let Some(node) = node() else { return };
    let warn = |repo: &Repo<'_>| drop(repo.git(&["config", "aio.guard", "warn"]));
    let told = driven_where(AMP_AT_ITS_END, &node, None, warn);
    let lines: Vec<&str> = told.lines().collect();
    assert_eq!(lines[0], "edit {\"action\":\"allow\"}");
    assert!(lines[1].starts_with("prompt {\"message\":{\"content\":\"git aio: README.md is held by aider-"), "{told}");
    assert!(lines[2].starts_with("gone {\"action\":\"reject-and-continue\""), "{told}");
    assert!(lines[3].starts_with("log git-aio: ") && lines[4] == "result nothing", "{told}");
}

#[test]
fn a_task_of_opencode_is_the_same_as_who_gave_it() {
    let Some(node) = node() else { return };
    let told = driven(OPENCODE_TASK, &node, None);
    let lines: Vec<&str> = told.lines().collect();
    assert_eq!(lines[..3], ["ses_1 passes", "ses_2 passes", "ses_3 passes"], "{told}");
    assert_eq!(lines[3], "{\"OPENCODE_SESSION_ID\":\"ses_1\"}");
    assert!(lines[4].starts_with("ses_4 git aio: src/main.rs is held by opencode-"), "{told}");
    assert!(
        lines[5].starts_with("ses_1 git-aio could not judge this, and so it is stopped: there is no folder"),
        "{told}"
    );
}
