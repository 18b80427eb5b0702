//! What is staged, against what git says of it, in histories made at random.

use crate::env::{Repo, TestEnvironment};
use std::{collections::BTreeSet, fs};

/// Numbers that look random and are the same in every run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % end
    }

    fn of<'a>(&mut self, words: &[&'a str]) -> &'a str {
        words[self.below(words.len())]
    }

    /// Few names, of files and folders alike, so that one becomes the other; and names that sort between a folder and
    /// what is in it.
    fn path(&mut self) -> String {
        let mut path = self.of(&["a", "a-b", "a.b", "b", "c"]).to_owned();
        for _ in 0..self.below(3) {
            path = format!("{path}/{}", self.of(&["a", "a-b", "a.b", "d"]));
        }
        path
    }
}

#[test]
fn what_is_staged_is_what_git_says() {
    let env = TestEnvironment::new();
    for seed in 0..4 {
        let repo = env.repo_with(&format!("r{seed}"), crate::env::Refs::Files, "sha1", &[]);
        repo.register("codex");
        let mut dice = Dice(seed);
        for step in 0..25 {
            change(&repo, &mut dice);
            match dice.below(4) {
                // The index then knows the tree that each folder would become.
                0 => drop(repo.git(&["write-tree"])),
                1 => drop(repo.try_git(&["commit", "-q", "--no-verify", "-m", "x"])),
                _ => {}
            }
            let expected = repo.git(&["diff", "--cached", "--name-only", "--no-renames", "--ita-invisible-in-index"]);
            let expected: BTreeSet<&str> = expected.lines().collect();
            let answer = repo.ok(&["check", "--staged", "--json"]);
            let answer: serde_json::Value = serde_json::from_str(&answer).unwrap();
            let staged = answer["paths"].as_array().unwrap().iter().map(|path| path["path"].as_str().unwrap());
            assert_eq!(staged.collect::<BTreeSet<_>>(), expected, "seed {seed}, step {step}");
        }
    }
}

fn change(repo: &Repo<'_>, dice: &mut Dice) {
    for _ in 0..1 + dice.below(4) {
        let path = dice.path();
        let full = repo.dir.join(&path);
        match dice.below(8) {
            0 => drop(repo.try_git(&["rm", "-rq", "--cached", "--ignore-unmatch", "--", &path])),
            1 => drop(repo.try_git(&["update-index", "--chmod=+x", "--", &path])),
            2 => drop(repo.try_git(&["mv", "-k", "--", &path, dice.of(&["a", "b", "c/d", "e"])])),
            what => {
                // A file where a folder was, or the other way round.
                for above in full.ancestors().take_while(|above| *above != repo.dir) {
                    if above.is_file() {
                        fs::remove_file(above).unwrap();
                    }
                }
                if full.is_dir() {
                    fs::remove_dir_all(&full).unwrap();
                }
                repo.write(&path, dice.of(&["one\n", "two\n", "three\n"]));
                let args: &[&str] = if what == 3 { &["add", "-N", "--", &path] } else { &["add", "-A"] };
                repo.try_git(args);
            }
        }
    }
}
