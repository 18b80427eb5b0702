//! What is typed in the demo, and what has to come of it.

/// Those who have a terminal. A person, who sets up and looks on; the others bear the names of agent CLIs.
pub(super) const PLAYERS: &[&str] = &["you", "claude", "codex", "gemini", "amp"];

/// A few commands that show one thing.
pub(super) struct Scene {
    pub(super) title: &'static str,
    /// What is shown if every line does what it should.
    pub(super) promise: &'static str,
    pub(super) lines: &'static [Line],
}

/// A command. `{claude}`, `{codex}`, `{gemini}`, `{amp}` and `{handoff}` stand for ids that earlier answers gave.
pub(super) struct Line {
    pub(super) who: &'static str,
    pub(super) typed: &'static str,
    pub(super) exit: i32,
    /// Whether HEAD moves; if not, it has to stay.
    pub(super) commits: bool,
    /// How many operations it adds to refs/aio/state; `None` where that is of no interest.
    pub(super) writes: Option<u64>,
    /// The answer has an id that begins with this word, which stands for it from now on.
    pub(super) learns: Option<&'static str>,
    pub(super) facts: &'static [Fact],
}

/// Something that has to be so after a command.
pub(super) enum Fact {
    /// The answer has these words.
    Says(&'static str),
    /// The answer doesn't have these words.
    Hides(&'static str),
    /// This command succeeds and, if the second text is not empty, prints it; what that means.
    Git(&'static str, &'static str, &'static str),
}

use Fact::{Git, Hides, Says};

/// A line that succeeds and changes nothing.
const fn line(who: &'static str, typed: &'static str) -> Line {
    Line { who, typed, exit: 0, commits: false, writes: Some(0), learns: None, facts: &[] }
}

impl Line {
    const fn exits(self, exit: i32) -> Line {
        Line { exit, ..self }
    }

    const fn commits(self) -> Line {
        Line { commits: true, ..self }
    }

    const fn writes(self, operations: u64) -> Line {
        Line { writes: Some(operations), ..self }
    }

    /// It may also begin the store.
    const fn writes_some(self) -> Line {
        Line { writes: None, ..self }
    }

    const fn learns(self, name: &'static str) -> Line {
        Line { learns: Some(name), ..self }
    }

    const fn with(self, facts: &'static [Fact]) -> Line {
        Line { facts, ..self }
    }
}

/// git finds, filed in the index of the store under this path, a claim with this holder.
macro_rules! holds {
    ($who:literal, $path:literal) => {
        Git(
            concat!(r#"git grep -qF '"holder": ""#, $who, r#""' refs/aio/state -- 'paths/"#, $path, "@*'"),
            "",
            concat!("git shows a claim of ", $who, " at paths/", $path, " in refs/aio/state"),
        )
    };
}

/// git finds the record of an instance in the store.
macro_rules! registered {
    ($who:literal) => {
        Git(
            concat!("git cat-file -e refs/aio/state:instances/", $who, ".json"),
            "",
            concat!("git shows ", $who, " in refs/aio/state"),
        )
    };
}

pub(super) const SCENES: &[Scene] = &[
    Scene {
        title: "A repository, and the fence at its commits",
        promise: "init puts the fence into git's own hooks and changes no file of yours",
        lines: &[
            line("you", "git ls-files"),
            line("you", "git aio init").writes_some().with(&[
                Git(
                    "grep -q 'git-aio hook pre-commit' .git/hooks/pre-commit",
                    "",
                    "git's pre-commit hook has the fence",
                ),
                Git("test -x .git/hooks/pre-merge-commit", "", "so does that of merges"),
                Git("git status --porcelain | wc -l | tr -d ' '", "0", "the work tree is clean"),
            ]),
        ],
    },
    Scene {
        title: "Three agents register, each in a terminal of its own",
        promise: "agents register, and are known again without being told who they are",
        lines: &[
            line("claude", "git aio register claude --task 'Rework the login'")
                .writes_some()
                .learns("claude")
                .with(&[registered!("{claude}")]),
            line("codex", "git aio register codex").writes(1).learns("codex").with(&[registered!("{codex}")]),
            line("gemini", "git aio register gemini").writes(1).learns("gemini").with(&[registered!("{gemini}")]),
            line("codex", "git aio whoami").with(&[Says("{codex} live")]),
        ],
    },
    Scene {
        title: "They claim what they are going to change",
        promise: "claims that overlap are never both granted: directory, file and pattern",
        lines: &[
            line("claude", "git aio claim src/auth/ --why 'Sessions instead of tokens'")
                .writes(1)
                .with(&[holds!("{claude}", "=src/=auth/")]),
            line("codex", "git aio claim src/auth/login.ts")
                .exits(3)
                .with(&[Says("already claimed: src/auth/login.ts is held by {claude}"), Says("directory src/auth")]),
            line("codex", "git aio claim '*.test.ts'").exits(3).with(&[Says("held by {claude}")]),
            line("codex", "git aio claim 'src/api/*.test.ts'").writes(1).with(&[holds!("{codex}", "=src/=api/")]),
            line("gemini", "git aio claim src/api/users.test.ts")
                .exits(3)
                .with(&[Says("already claimed: src/api/users.test.ts is held by {codex}"), Says("pattern")]),
            line("gemini", "git aio claim src/api/")
                .exits(3)
                .with(&[Says("already claimed: src/api is held by {codex}")]),
            line("gemini", "git aio claim README.md").writes(1).with(&[holds!("{gemini}", "=README.md/")]),
            line("codex", "git aio check src/api/users.ts README.md")
                .exits(3)
                .with(&[Says("available src/api/users.ts"), Says("held README.md")]),
        ],
    },
    Scene {
        title: "Who changes what another holds can't commit it",
        promise: "git refuses a commit to what another holds, and takes it once that is released",
        lines: &[
            line("codex", "echo 'It has an API.' >> README.md"),
            line("codex", "git commit -a -m 'Tell of the API'")
                .exits(1)
                .with(&[Says("already claimed: README.md is held by {gemini}"), Says("commit refused")]),
            line("gemini", "git aio release all").writes(1).with(&[Says("released README.md")]),
            line("codex", "git aio claim README.md").writes(1).with(&[holds!("{codex}", "=README.md/")]),
            line("codex", "git commit -a -m 'Tell of the API'").commits().with(&[Git(
                "git log -1 --format=%s",
                "Tell of the API",
                "the commit is at HEAD",
            )]),
        ],
    },
    Scene {
        title: "They leave word for each other",
        promise: "a note reaches those who ask about the path it is on",
        lines: &[
            line("claude", "git aio context decision 'Sessions live in cookies' --path src/auth").writes(1),
            line("codex", "git aio context get --for src/auth/login.ts")
                .with(&[Says("Sessions live in cookies"), Says("{claude}")]),
        ],
    },
    Scene {
        title: "A task is handed on with its claims, and nobody comes between",
        promise: "a handoff keeps its claims while it waits and passes them on in one operation",
        lines: &[
            line("claude", "git aio handoff new 'Limit the rate of logins' --to codex --verify 'npm test'")
                .writes(1)
                .learns("handoff")
                .with(&[Says("holding src/auth"), holds!("{handoff}", "=src/=auth/")]),
            line("gemini", "git aio claim src/auth/login.ts").exits(3).with(&[Says("held by the open {handoff}")]),
            line("codex", "git aio handoff accept {handoff}")
                .writes(1)
                .with(&[Says("you hold src/auth"), holds!("{codex}", "=src/=auth/")]),
            line("codex", "echo '// at most 5 a minute' >> src/auth/login.ts"),
            line("codex", "git commit -a -m 'Limit the rate of logins'").commits(),
        ],
    },
    Scene {
        title: "An agent dies and leaves a claim behind",
        promise: "a claim whose holder is gone stops nobody: the next one takes it over",
        lines: &[
            line("gemini", "git aio claim src/api/users.ts")
                .writes(1)
                .with(&[holds!("{gemini}", "=src/=api/=users.ts/")]),
            line("claude", "git aio claim src/api/users.ts").exits(3).with(&[Says("held by {gemini}")]),
            line("gemini", "kill -9 $$").exits(137),
            line("claude", "git aio status").with(&[Says("{gemini} stale"), Says("{codex} live")]),
            line("claude", "git aio claim src/api/users.ts")
                .writes(1)
                .with(&[Says("taken over from {gemini}, stale"), holds!("{claude}", "=src/=api/=users.ts/")]),
        ],
    },
    Scene {
        title: "A task is delegated, and believed only once it is checked",
        promise: "what fails its check is put back and tried again, and what passes is committed and nothing else",
        lines: &[
            line("you", "mkdir .aio && cp ../stand-in.toml .aio/config.toml && cat .aio/config.toml"),
            line("you", "git aio trust --yes").with(&[Says("approved"), Says("verify @test runs: grep -q")]),
            line("you", "git add .aio && git commit -q -m 'Say how work is checked'").commits(),
            line(
                "you",
                "git aio delegate 'Set the limit of logins' --agent stand-in --scope src/limit.ts \
                 --accept 'at most 5 a minute, as @test shows' --commit",
            )
            .writes_some()
            .commits()
            .with(&[
                Says("the check @test (grep -q 'limit = 5;' src/limit.ts) failed: exit code 1"),
                Says("attempt 2"),
                Says("checked by @test: passed"),
                Git("git show --format= --name-only", "src/limit.ts", "the commit has the scope and nothing else"),
                Git("git grep -c 'limit = 5;' HEAD -- src/limit.ts", "HEAD:src/limit.ts:1", "it is what has passed"),
            ]),
            line("you", "git aio run diff @1").with(&[Says("+export const limit = 500;")]),
            line("you", "git aio run show --ledger").with(&[Says("- [x] task (stand-in)")]),
        ],
    },
    Scene {
        title: "A second clone, and a bare repository between the two",
        promise: "of two claims made in two clones the hub confirms one, and who lost can't commit",
        lines: &[
            line("you", "git clone -q --bare . ../hub.git"),
            line("you", "git remote add hub ../hub.git"),
            line("you", "git config aio.remote hub"),
            line("you", "git config aio.backgroundSync false"),
            line("you", "git aio sync").with(&[
                Says("pushed"),
                Git(
                    "test $(git rev-parse refs/aio/state) = $(git -C ../hub.git rev-parse refs/aio/state)",
                    "",
                    "the hub has the very same commit",
                ),
            ]),
            line("amp", "git clone -q ../hub.git ../second && cd ../second"),
            line("amp", "git config aio.remote origin; git config aio.backgroundSync false"),
            line("amp", "git aio init").with(&[Git(
                "grep -q 'git-aio hook pre-commit' ../second/.git/hooks/pre-commit",
                "",
                "the second clone has the fence",
            )]),
            line("amp", "git aio register amp").learns("amp"),
            line("amp", "git aio claim src/web/").with(&[Says("tentative")]),
            line("claude", "git aio claim src/web/page.ts").writes(1).with(&[Says("tentative")]),
            line("claude", "git aio sync").with(&[Says("pushed 1 operation")]),
            line("amp", "git aio sync").with(&[
                Says("src/web"),
                Says("{claude}"),
                Git(
                    "test $(git -C ../second rev-parse refs/aio/state) = $(git -C ../hub.git rev-parse refs/aio/state)",
                    "",
                    "the second clone and the hub have the very same commit",
                ),
                Git(
                    "! git -C ../second grep -qF '\"holder\": \"{amp}\"' refs/aio/state -- 'paths/=src/=web'",
                    "",
                    "git shows no claim of {amp} there",
                ),
            ]),
            line("amp", "mkdir -p src/web && echo 'page' > src/web/page.ts && git add src"),
            line("amp", "git commit -m 'Make a page'").exits(1).with(&[Says("src/web/page.ts"), Says("{claude}")]),
            line("amp", "git aio release all"),
            line("amp", "git aio claim docs/"),
            line("amp", "git push -q origin 'refs/aio/*'"),
            line("you", "git fetch -q hub 'refs/aio/*:refs/aio/*'").writes_some().with(&[
                holds!("{amp}", "=docs/"),
                Git("git -C ../hub.git fsck --strict --no-dangling --no-progress", "", "git finds no fault in the hub"),
            ]),
            line("claude", "git aio claim docs/api.md").exits(3).with(&[Says("held by {amp}")]),
        ],
    },
    Scene {
        title: "All of it is in git",
        promise: "every operation is a commit on refs/aio/state, which git shows, and none is in your history",
        lines: &[
            line("you", "git aio log").with(&[
                Says("handoff: {handoff}"),
                Git("git rev-list --merges --count refs/aio/state", "0", "the chain of operations is linear"),
                Git("git fsck --strict --no-dangling --no-progress", "", "git finds no fault in the repository"),
            ]),
            line("you", "git aio doctor").with(&[Hides("failed")]),
            line("you", "git ls-tree -r --name-only refs/aio/state paths")
                .with(&[Says("paths/=src/=auth/@"), Says("paths/=src/=api/=users.ts/@")]),
            line("you", "git log --oneline").with(&[
                Says("Limit the rate of logins"),
                Hides("claim:"),
                Git("git rev-list --count HEAD", "5", "there are five commits, and no other, in the history"),
            ]),
        ],
    },
];
