//! The script that a shell sources where Codex starts.

use super::*;

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/hooks/codex-hook.sh");

/// Those of the shells that are here.
fn shells() -> Vec<&'static str> {
    let here =
        |shell: &&str| std::env::split_paths(&std::env::var_os("PATH").unwrap()).any(|dir| dir.join(shell).exists());
    ["sh", "bash", "dash", "zsh"].into_iter().filter(here).collect()
}

fn sh(repo: &Repo<'_>, shell: &str, script: &str) -> Ended {
    run(repo.env.command(shell, &repo.dir).args(["-c", &script.replace("SCRIPT", SCRIPT)]))
}

#[test]
fn it_registers_exports_and_unregisters() {
    let env = TestEnvironment::new();
    let repo = env.repo();
    for shell in shells() {
        let ended = sh(&repo, shell, "set -eu; . SCRIPT; . SCRIPT; git-aio whoami; exit 3");
        assert_eq!((ended.code, ended.stderr.as_str()), (3, ""), "{shell}: {}", ended.stdout);
        assert!(ended.stdout.starts_with("codex-"), "{shell}: {}", ended.stdout);
        let live = repo.json_as("", &["status"]);
        assert!(live["instances"].as_array().unwrap().iter().all(|i| i["state"] == "ended"), "{shell}: {live}");
    }
}

#[test]
fn a_trap_that_is_there_still_runs_with_the_status_that_was() {
    let env = TestEnvironment::new();
    let repo = env.repo();
    for shell in shells() {
        for status in ["0", "3"] {
            let script =
                format!("set -e; trap 'echo \"it'\\''s $?\"\necho two' EXIT; trap : INT; . SCRIPT; exit {status}");
            let ended = sh(&repo, shell, &script);
            assert_eq!(ended.stdout, format!("it's {status}\ntwo\n"), "{shell}: {}", ended.stderr);
            assert_eq!((ended.code.to_string().as_str(), ended.stderr.as_str()), (status, ""), "{shell}");
        }
    }
}

#[test]
fn it_is_silent_where_there_is_nothing_to_do() {
    let env = TestEnvironment::new();
    let outside = Repo { env: &env, dir: env.path() };
    let nothing = "set -eu; . SCRIPT; echo \"${AIO_INSTANCE-none}\"";
    for shell in shells() {
        assert_eq!(sh(&outside, shell, nothing).shown(), "none\n", "{shell} outside a repository");
        let repo = env.repo();
        let without = run(env
            .command(shell, &repo.dir)
            .env("PATH", crate::env::path_without_us())
            .args(["-c", &nothing.replace("SCRIPT", SCRIPT)]));
        assert_eq!(without.shown(), "none\n", "{shell} without git-aio");
        fs::remove_dir_all(&repo.dir).unwrap();
    }
}
