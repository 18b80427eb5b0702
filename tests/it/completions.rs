//! Completions, asked for as a shell asks.

use crate::env::{PROGRAM, TestEnvironment, run};
use std::path::Path;

/// Where distributions put git's own completion for bash.
const OF_GIT: &[&str] =
    &["/usr/share/bash-completion/completions/git", "/usr/local/share/bash-completion/completions/git"];

/// What bash answers when the tab key is pressed after `line`, `setting` having been run first.
fn bash(env: &TestEnvironment, setting: &str, function: &str, line: &str) -> Vec<String> {
    let script = format!(
        "{setting}
        source <(\"$PROGRAM\" completions bash)
        COMP_LINE='{line}' COMP_POINT={length} COMP_WORDS=({line}) COMP_CWORD={last}
        [[ $COMP_LINE == *' ' ]] && COMP_WORDS+=('')
        {function} \"${{COMP_WORDS[0]}}\" \"${{COMP_WORDS[COMP_CWORD]}}\" \"${{COMP_WORDS[COMP_CWORD-1]}}\"
        printf '%s\\n' \"${{COMPREPLY[@]}}\"",
        length = line.len(),
        last = line.split(' ').count() - 1,
    );
    let mut shell = env.command("bash", &env.path());
    let answer = run(shell.env("PROGRAM", PROGRAM).args(["--norc", "--noprofile", "-c", &script]));
    assert_eq!(answer.stderr, "", "{line}");
    let mut words: Vec<String> = answer.stdout.lines().map(|word| word.trim_end().to_owned()).collect();
    words.sort();
    words
}

#[test]
fn bash_completes_the_command_itself() {
    let env = TestEnvironment::new();
    assert_eq!(bash(&env, "", "_git__aio", "git-aio cl"), ["claim", "cleanup"]);
    assert_eq!(bash(&env, "", "_git__aio", "git-aio init --u"), ["--undo", "--user"]);
}

#[test]
fn bash_completes_it_as_a_command_of_git() {
    // What git's completion does up to the call: it finds the words and where among them the command stands.
    let git =
        "as_git() { local cur=$2 prev=$3 words=(\"${COMP_WORDS[@]}\") cword=$COMP_CWORD __git_cmd_idx=$AT; _git_aio; }";
    let env = TestEnvironment::new();
    let complete = |at: usize, line: &str| bash(&env, &format!("AT={at}; {git}"), "as_git", line);
    assert_eq!(complete(1, "git aio cl"), ["claim", "cleanup"]);
    assert_eq!(complete(3, "git -C elsewhere aio handoff decl"), ["decline"]);
    assert_eq!(complete(1, "git aio context list --"), bash(&env, "", "_git__aio", "git-aio context list --"));
}

#[test]
fn gits_own_completion_for_bash_comes_to_ours() {
    let Some(own) = OF_GIT.iter().find(|path| Path::new(path).exists()) else {
        return eprintln!("skipped: git's own completion for bash is not installed");
    };
    let env = TestEnvironment::new();
    let complete = |line: &str| bash(&env, &format!("source {own}"), "__git_wrap__git_main", line);
    assert_eq!(complete("git aio cl"), ["claim", "cleanup"]);
    assert_eq!(complete("git -c aio.guard=warn aio doctor --rep"), ["--repair"]);
    assert_eq!(complete("git ai"), ["aio"]);
}

#[test]
fn that_of_zsh_is_found_by_the_name_of_its_file_and_described() {
    let env = TestEnvironment::new();
    let repo = env.repo();
    let script = repo.ok(&["completions", "zsh"]);
    let mut lines = script.lines();
    assert_eq!(lines.next(), Some("#compdef git-aio"));
    assert!(lines.next().is_some_and(|line| line.starts_with("#description ")));
    assert!(script.contains("\n_git-aio() {\n"));
    assert!(!repo.ok(&["completions", "zsh", "--name", "aio"]).contains("#description"));
}

/// Whether a shell is installed here.
fn is_there(shell: &str) -> bool {
    ["/usr/bin", "/bin", "/usr/local/bin"].iter().any(|folder| Path::new(folder).join(shell).exists())
}

#[test]
fn fish_completes_the_command_itself_and_as_a_command_of_git() {
    if !is_there("fish") {
        return eprintln!("skipped: fish is not installed");
    }
    let env = TestEnvironment::new();
    let complete = |line: &str| {
        let script = format!("$PROGRAM completions fish | source; complete -C '{line}'");
        let answer = run(env.command("fish", &env.path()).env("PROGRAM", PROGRAM).args(["-c", &script]));
        assert_eq!(answer.stderr, "", "{line}");
        let words = answer.stdout.lines().map(|line| line.split('\t').next().unwrap().to_owned());
        words.collect::<Vec<_>>()
    };
    assert_eq!(complete("git-aio cl"), ["claim", "cleanup"]);
    assert_eq!(complete("git-aio tasks list --from "), ["bd", "br", "own"]);
    if Path::new("/usr/share/fish/completions/git.fish").exists() {
        assert_eq!(complete("git aio cl"), ["claim", "cleanup"]);
        assert_eq!(complete("git -C elsewhere aio handoff decl"), ["decline"]);
        assert!(complete("git ai").contains(&"aio".to_owned()));
    }
}

#[test]
fn zsh_takes_the_script_as_it_is() {
    if !is_there("zsh") {
        return eprintln!("skipped: zsh is not installed");
    }
    let env = TestEnvironment::new();
    // Where a completion begins, it asks what the words so far are; that needs a terminal, and the rest does not.
    let script = "autoload -Uz compinit; compinit -u -D; source <($PROGRAM completions zsh) && print $_comps[git-aio]";
    let answer = run(env.command("zsh", &env.path()).env("PROGRAM", PROGRAM).args(["-f", "-c", script]));
    assert_eq!((answer.code, &answer.stdout[..], &answer.stderr[..]), (0, "_git-aio\n", ""));
}
