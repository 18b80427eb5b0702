//! What is to be seen on a real terminal: a pseudo-terminal runs the command, and an emulator shows its screen.

#![cfg(unix)]

use crate::env::{PROGRAM, Refs, Repo, TestEnvironment};
use pty_process::{
    Size,
    blocking::{Command as PtyCommand, Pty, open},
};
use std::{
    fs,
    io::{Read, Write},
    num::NonZero,
    os::unix::process::ExitStatusExt,
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

/// A command that runs on a terminal of its own, in a session of its own.
pub struct Terminal {
    keyboard: Arc<Pty>,
    process: Child,
    /// Everything that came out of it so far.
    shown: Arc<Mutex<Vec<u8>>>,
    reader: Option<JoinHandle<()>>,
    columns: u16,
}

const ROWS: u16 = 24;

/// What stood there in the end.
pub struct Seen {
    screen: vt100::Parser,
    pub raw: String,
    /// As a shell has it: 128 and the number if a signal ended it.
    pub code: i32,
}

impl Terminal {
    /// Runs a command that has standard input and no more than a test gives it: nobody types.
    fn run(command: Command, columns: u16) -> Terminal {
        Terminal::start(command, columns, |command| command.stdin(Stdio::null()))
    }

    /// Runs a command for somebody who types.
    pub fn typing(command: Command) -> Terminal {
        Terminal::start(command, 200, |command| command)
    }

    fn start(mut command: Command, columns: u16, stdin: impl Fn(PtyCommand) -> PtyCommand) -> Terminal {
        command.env("TERM", "xterm-256color");
        let (pty, end) = open().unwrap();
        pty.resize(Size::new(ROWS, columns)).unwrap();
        let process = stdin(PtyCommand::from(command)).spawn(end).unwrap();
        let (keyboard, shown) = (Arc::new(pty), Arc::default());
        let reader = Some(thread::spawn({
            let (screen, shown): (Arc<Pty>, Arc<Mutex<Vec<u8>>>) = (keyboard.clone(), Arc::clone(&shown));
            move || {
                let mut buffer = [0; 4096];
                // On Linux the end is an error: nobody has the other side open any more.
                while let Ok(read @ 1..) = (&*screen).read(&mut buffer) {
                    shown.lock().unwrap().extend_from_slice(&buffer[..read]);
                }
            }
        }));
        Terminal { keyboard, process, shown, reader, columns }
    }

    fn screen(&self) -> vt100::Parser {
        let size = |cells| NonZero::new(cells).unwrap();
        let mut screen = vt100::Parser::new(size(ROWS), size(self.columns), 0);
        screen.process(&self.shown.lock().unwrap());
        screen
    }

    /// Waits until `words` stand on the screen, wherever lines are broken.
    pub fn wait_for(&self, words: &str) {
        let deadline = Instant::now() + Duration::from_secs(30);
        while !unbroken(&self.screen()).contains(words) {
            assert!(Instant::now() < deadline, "{words} is not to be seen: {}", unbroken(&self.screen()));
            thread::sleep(Duration::from_millis(10));
        }
    }

    pub fn press(&self, key: u8) {
        (&*self.keyboard).write_all(&[key]).unwrap();
    }

    pub fn end(mut self) -> Seen {
        let status = self.process.wait().unwrap();
        self.reader.take().unwrap().join().unwrap();
        let raw = String::from_utf8(self.shown.lock().unwrap().clone()).unwrap();
        Seen { screen: self.screen(), raw, code: status.code().unwrap_or_else(|| 128 + status.signal().unwrap()) }
    }
}

impl Seen {
    pub fn lines(&self) -> Vec<String> {
        self.screen.screen().contents().lines().map(str::to_owned).collect()
    }

    /// Nothing but colours, and what moves within the progress and erases it. No title, no answer back, no other
    /// characters, no change of direction.
    pub fn assert_harmless(&self) {
        let mut rest = self.raw.as_str();
        while let Some(at) = rest.find('\u{1b}') {
            let sequence = rest[at..].strip_prefix("\u{1b}[").unwrap_or_else(|| panic!("{:?}", &rest[at..]));
            let end = sequence.find(|c: char| !c.is_ascii_digit() && c != ';').unwrap();
            assert!("mKJABG".contains(&sequence[end..=end]), "{:?}", &rest[at..]);
            rest = &sequence[end..];
        }
        let odd = |c: &char| c.is_control() && !"\u{1b}\r\n\t".contains(*c) || ('\u{202a}'..='\u{202e}').contains(c);
        assert_eq!(self.raw.chars().find(odd), None, "{:?}", self.raw);
        assert!(!self.screen.screen().hide_cursor(), "the cursor is there again");
    }
}

fn unbroken(screen: &vt100::Parser) -> String {
    let (_, columns) = screen.screen().size();
    screen.screen().rows(0, columns.get()).collect()
}

/// A claim that says why in such words as would change the title, ring the bell, clear the screen and turn the text.
const HOSTILE: &str = "\u{1b}]0;owned\u{7}\u{1b}[2J\u{1b}[31mred\u{202e}\rwaiting: nothing\u{9b}2J";

/// A claim of codex that waits on a terminal for one of claude's, which is hostile.
fn waiting<'e>(env: &'e TestEnvironment, wait: &str, columns: u16) -> (Repo<'e>, [String; 2], Terminal) {
    let repo = env.repo_with("demo", Refs::Files, "sha1", &[]);
    let (claude, codex) = (repo.register("claude"), repo.register("codex"));
    repo.ok_as(&claude, &["claim", "directory", "src/\u{1b}[2Jdir/", "--why", HOSTILE]);
    let mut claim = repo.command(&["claim", "file", "src/\u{1b}[2Jdir/main.rs", wait]);
    claim.env("AIO_INSTANCE", &codex);
    let terminal = Terminal::run(claim, columns);
    (repo, [claude, codex], terminal)
}

#[test]
fn waiting_shows_a_line_that_is_gone_in_the_end() {
    // As wide as the line, and so narrow that it is broken.
    for columns in [400, 60] {
        let env = TestEnvironment::new();
        let (repo, [claude, _], terminal) = waiting(&env, "--wait=60s", columns);
        terminal.wait_for(r"waiting: src/\u{1b}[2Jdir/main.rs is held by claude-");
        terminal.wait_for("(1s)");
        repo.ok_as(&claude, &["release", "all"]);
        let seen = terminal.end();
        assert_eq!(seen.code, 0, "{:?}", seen.raw);
        assert!(seen.raw.matches("waiting: src").count() > 1, "it moves: {:?}", seen.raw);
        let [said, line] = &seen.lines()[..] else { panic!("{columns} columns: {:#?}", seen.lines()) };
        assert!(said.ends_with("does not exist yet"), "{said}");
        assert!(line.starts_with("claimed ") && line.contains(r"src/\u{1b}[2Jdir/main.rs (file)"), "{line}");
        seen.assert_harmless();
    }
}

#[test]
fn waiting_in_vain_leaves_the_refusal_alone() {
    for columns in [400, 60] {
        let env = TestEnvironment::new();
        let (_, [claude, _], terminal) = waiting(&env, "--wait=1s", columns);
        let seen = terminal.end();
        assert_eq!(seen.code, 3, "{:?}", seen.raw);
        assert!(seen.raw.contains("waiting: src/"), "{:?}", seen.raw);
        let text = unbroken(&seen.screen);
        assert!(text.starts_with("already claimed: ") && text.contains(&claude), "{columns} columns: {text}");
        assert!(!text.contains("waiting: src"), "{text}");
        seen.assert_harmless();
    }
}

/// The line that was there stays, as a shell's own command line does; the prompt comes after it.
#[test]
fn an_interrupt_ends_the_waiting_and_leaves_no_claim() {
    const CTRL_C: u8 = 3;
    let env = TestEnvironment::new();
    let (repo, [claude, codex], terminal) = waiting(&env, "--wait=60s", 400);
    terminal.wait_for("waiting: src/");
    let operations = repo.operations();
    terminal.press(CTRL_C);
    let seen = terminal.end();
    assert_eq!(seen.code, 130, "{:?}", seen.raw);
    assert!(!seen.screen.screen().hide_cursor());
    assert_eq!(repo.operations(), operations);
    let claims = repo.json_as(&codex, &["status"])["claims"].clone();
    assert_eq!((claims.as_array().unwrap().len(), &claims[0]["holder"]), (1, &claude.into()));
    for left in ["refs/aio/state.lock", "aio/writing"] {
        assert!(!repo.dir.join(".git").join(left).exists(), "{left}");
    }
}

#[test]
fn without_colour_a_terminal_gets_none() {
    let env = TestEnvironment::new();
    let repo = env.repo();
    let claude = repo.register("claude");
    for (no_colour, expected) in [("", true), ("1", false)] {
        let mut claim = repo.command(&["claim", "src/main.rs"]);
        claim.env("AIO_INSTANCE", &claude).env("NO_COLOR", no_colour);
        let seen = Terminal::run(claim, 80).end();
        assert_eq!(seen.raw.contains("\u{1b}["), expected, "{:?}", seen.raw);
    }
}

#[test]
fn the_demo_is_shown_as_it_goes() {
    let env = TestEnvironment::new();
    let (dir, temporary) = (env.path().join("elsewhere"), env.path().join("tmp"));
    fs::create_dir_all(&dir).unwrap();
    fs::create_dir_all(&temporary).unwrap();
    let mut demo = env.command(PROGRAM, &dir);
    demo.arg("demo").env("TMPDIR", &temporary);
    let terminal = Terminal::run(demo, 100);
    terminal.wait_for("$ git aio");
    assert!(!unbroken(&terminal.screen()).contains(" commands in "), "it is not over yet");
    let seen = terminal.end();
    assert_eq!(seen.code, 0, "{}", seen.raw);
    assert!(seen.lines().last().unwrap().contains(" commands in "), "{:#?}", seen.lines());
    assert!(seen.raw.contains("\u{1b}[32mkept\u{1b}["), "{:?}", seen.raw);
    seen.assert_harmless();
    assert_eq!(fs::read_dir(temporary).unwrap().count(), 0);
}
