//! The main job, played on a throwaway repository.
//!
//! Nothing in it is feigned. The commands are typed into real shells, one for each player, and what is told is what
//! they answered. The shells of the agents bear the agents' names, so that their commands know by themselves which
//! instance they are, and the end of such a shell is the death of that agent. After each command git itself is asked
//! whether HEAD, `refs/aio/state` and the records in it are as they should be. The first thing that is not ends it.

mod script;

use super::Error;
use crate::host::{
    env::Env,
    terminal::{Answer, Terminal},
};
use script::{Fact, Line, SCENES};
use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
    time::Instant,
};

/// A command and what came of it.
#[derive(Debug, Clone)]
pub struct Step {
    /// What the scene is about, where this is its first command.
    pub title: Option<&'static str>,
    /// Who typed it.
    pub who: &'static str,
    /// What was typed.
    pub command: String,
    /// What was answered, on both streams.
    pub answer: String,
    /// How it ended.
    pub exit: i32,
    /// What was found to be as it should.
    pub facts: Vec<String>,
    /// What was not.
    pub unmet: Vec<String>,
}

/// What a scene has shown.
#[derive(Debug, Clone)]
pub struct Promise {
    /// In words.
    pub text: &'static str,
    /// How many facts bear it out.
    pub facts: usize,
}

/// How the demo went.
#[derive(Debug, Clone)]
pub struct Played {
    /// All commands, up to the first that failed.
    pub steps: Vec<Step>,
    /// What was shown.
    pub promises: Vec<Promise>,
    /// Where the repository is, if it is kept.
    pub kept: Option<PathBuf>,
    /// How long it took.
    pub seconds: f64,
    /// Whether the user goes round the fence, which is then bound to fail.
    pub bypass: bool,
}

impl Played {
    /// The step that failed, if one did, and its number.
    pub fn failure(&self) -> Option<(usize, &Step)> {
        self.steps.iter().enumerate().find(|(_, step)| !step.unmet.is_empty()).map(|(at, step)| (at + 1, step))
    }
}

/// Plays the main job, telling each step as it is done. The repository is removed at the end unless it is to be kept.
///
/// # Errors
/// When there is no place or no shell for it. A step that fails is no error but the last of the answer.
pub fn play(keep: bool, mut tell: impl FnMut(&Step)) -> Result<Played, Error> {
    let started = Instant::now();
    let folder =
        tempfile::Builder::new().prefix("git-aio-demo-").tempdir().map_err(Error::file("can't make a folder"))?;
    let mut stage = Stage::set(folder.path())?;
    let (mut steps, mut promises) = (Vec::new(), Vec::new());
    'play: for scene in SCENES {
        let mut facts = 0;
        for (at, line) in scene.lines.iter().enumerate() {
            let step = Step { title: (at == 0).then_some(scene.title), ..stage.perform(line)? };
            tell(&step);
            facts += step.facts.len();
            let failed = !step.unmet.is_empty();
            steps.push(step);
            if failed {
                break 'play;
            }
        }
        promises.push(Promise { text: scene.promise, facts });
    }
    // The shells stand in the folder, and some systems remove no folder that somebody stands in.
    drop(stage);
    let kept = keep.then(|| folder.keep().join(REPOSITORY));
    Ok(Played { steps, promises, kept, seconds: started.elapsed().as_secs_f64(), bypass: Env::read().bypass })
}

/// The name of the repository's folder.
const REPOSITORY: &str = "shop";

/// The files of the repository.
const FILES: &[(&str, &str)] = &[
    ("README.md", "# The shop\n"),
    ("src/api/users.test.ts", "test('lists users', () => {});\n"),
    ("src/api/users.ts", "export const users = () => [];\n"),
    ("src/auth/login.ts", "export const login = () => false;\n"),
    ("src/auth/token.ts", "export const token = () => '';\n"),
];

/// What is beside the repository: an agent that needs no account, and the configuration that makes it one. It reads its task,
/// does it badly, and does better once it is told what was wrong.
const STAND_IN: &str = r#"[verify]
test = "grep -q 'limit = 5;' src/limit.ts"

[tools.stand-in]
command = ["sh", "-c", """
case $(cat) in
  *'not usable'*) limit=5 ;;
  *) limit=500 ;;
esac
echo "export const limit = $limit;" > src/limit.ts
echo 'Limited the rate.'
"""]
"#;

/// The settings of the players: a name to commit by, and none of the user's own.
const SETTINGS: &str = "[user]\n\tname = Ann\n\temail = ann@example.org\n[init]\n\tdefaultBranch = main\n";

/// What the repository is made by, before anything is shown.
const SETTING_UP: &[&str] = &["git init -q", "git add -A", "git commit -q -m 'Begin the shop'"];

/// The repository and those who work in it.
struct Stage {
    players: BTreeMap<&'static str, Terminal>,
    /// Asks git about the repository, unseen.
    witness: Terminal,
    /// The ids that were learnt, by the word that stands for each.
    names: BTreeMap<&'static str, String>,
}

/// What a command may or may not change.
struct Sight {
    head: String,
    operations: u64,
}

impl Stage {
    /// Makes the repository and opens the terminals.
    fn set(folder: &Path) -> Result<Stage, Error> {
        let (home, dir) = (folder.join("home"), folder.join(REPOSITORY));
        let failed = || Error::file("can't set the demo up");
        fs::create_dir(&home).map_err(failed())?;
        fs::write(home.join(".gitconfig"), SETTINGS).map_err(failed())?;
        fs::write(folder.join("stand-in.toml"), STAND_IN).map_err(failed())?;
        for (path, text) in FILES {
            let path = dir.join(path);
            path.parent().map_or(Ok(()), fs::create_dir_all).map_err(failed())?;
            fs::write(path, text).map_err(failed())?;
        }
        let open = |name| Terminal::open(name, &dir, &home).map_err(Error::file("can't start a shell (sh)"));
        let mut witness = open("witness")?;
        for command in SETTING_UP {
            let answer = witness.run(command).map_err(failed())?;
            if answer.exit != 0 {
                return Err(failed()(io::Error::other(format!("`{command}` says: {}", answer.text.trim()))));
            }
        }
        let players = script::PLAYERS.iter().map(|name| Ok((*name, open(name)?))).collect::<Result<_, Error>>()?;
        Ok(Stage { players, witness, names: BTreeMap::new() })
    }

    /// Types a line, and looks whether it did what it should and nothing else.
    fn perform(&mut self, line: &Line) -> Result<Step, Error> {
        let (command, before) = (self.fill(line.typed), self.look()?);
        let terminal = self.players.get_mut(line.who).ok_or(io::ErrorKind::NotFound);
        let answer = terminal.map_err(io::Error::from).and_then(|terminal| terminal.run(&command));
        let Answer { text, exit } = answer.map_err(Error::file(format!("{}'s shell has ended", line.who)))?;
        let after = self.look()?;
        let mut found = Findings::default();
        found.add(exit == line.exit, format!("exit code {}", line.exit), || format!("it is {exit}"));
        self.learn(line, &text, &mut found);
        found.head(line.commits, &before, &after);
        if let Some(writes) = line.writes {
            found.operations(writes, after.operations - before.operations);
        }
        for fact in line.facts {
            self.check(fact, &text, &mut found)?;
        }
        Ok(Step { title: None, who: line.who, command, answer: text, exit, facts: found.met, unmet: found.unmet })
    }

    /// Takes an id out of an answer, for later lines to name.
    fn learn(&mut self, line: &Line, text: &str, found: &mut Findings) {
        let Some(name) = line.learns else { return };
        let is_it = |word: &&str| word.strip_prefix(name).is_some_and(|rest| rest.starts_with('-'));
        let id = text.split_whitespace().find(is_it);
        found.add(id.is_some(), format!("the answer has the id of {name}"), || "it has none".into());
        self.names.extend(id.map(|id| (name, id.to_owned())));
    }

    fn check(&mut self, fact: &Fact, text: &str, found: &mut Findings) -> Result<(), Error> {
        match fact {
            Fact::Says(words) => {
                let words = self.fill(words);
                found.add(text.contains(&words), format!("the answer has '{words}'"), || "it has not".into());
            }
            Fact::Hides(words) => {
                found.add(!text.contains(words), format!("the answer lacks '{words}'"), || "it has it".into());
            }
            Fact::Git(command, wanted, meaning) => {
                let (command, wanted) = (self.fill(command), self.fill(wanted));
                let answer = self.ask(&command)?;
                let met = answer.exit == 0 && (wanted.is_empty() || answer.text.trim() == wanted);
                let got = || format!("`{command}` ends with {} and says '{}'", answer.exit, answer.text.trim());
                found.add(met, self.fill(meaning), got);
            }
        }
        Ok(())
    }

    fn look(&mut self) -> Result<Sight, Error> {
        let head = self.ask("git rev-parse HEAD")?.text.trim().to_owned();
        let count = self.ask("git rev-list --count refs/aio/state --")?;
        // Before the first operation there is no such ref.
        let operations = if count.exit == 0 { count.text.trim().parse().unwrap_or_default() } else { 0 };
        Ok(Sight { head, operations })
    }

    fn ask(&mut self, command: &str) -> Result<Answer, Error> {
        self.witness.run(command).map_err(Error::file("a shell has ended"))
    }

    /// `text` with the ids in place of the words that stand for them.
    fn fill(&self, text: &str) -> String {
        self.names.iter().fold(text.to_owned(), |text, (name, id)| text.replace(&format!("{{{name}}}"), id))
    }
}

/// Facts that were looked for.
#[derive(Default)]
struct Findings {
    met: Vec<String>,
    unmet: Vec<String>,
}

impl Findings {
    fn add(&mut self, met: bool, fact: String, instead: impl FnOnce() -> String) {
        if met {
            self.met.push(fact);
        } else {
            self.unmet.push(format!("expected: {fact}; but {}", instead()));
        }
    }

    fn head(&mut self, commits: bool, before: &Sight, after: &Sight) {
        let instead = || format!("it went from {} to {}", before.head, after.head);
        let word = if commits { "moves" } else { "stays" };
        self.add((before.head != after.head) == commits, format!("HEAD {word}"), instead);
    }

    fn operations(&mut self, wanted: u64, written: u64) {
        let fact = match wanted {
            0 => "nothing is written to refs/aio/state".to_owned(),
            1 => "one operation is written to refs/aio/state".to_owned(),
            more => format!("{more} operations are written to refs/aio/state"),
        };
        self.add(wanted == written, fact, || format!("{written} are"));
    }
}
