//! Stand-ins for the files of everybody and for the copies that blocks work on, which remember what was written where.

use super::*;
use std::collections::BTreeSet;

/// What is left when a driver is killed: its copies are gone.
#[derive(Debug, Clone, Default)]
pub(super) struct Disk {
    /// The steps whose work is in the work tree of everybody.
    main: BTreeSet<String>,
    /// What was about to come back when blocks had ended so, written down before it did.
    noted: BTreeMap<StepPath, (Outcome, BTreeSet<String>)>,
}

/// One that does what `fake` does, and knows where.
pub(super) struct Copies {
    pub(super) fake: Fake,
    /// The blocks that work on copies, by their last word. Of those that fail, some have no copy, and that of the others can't
    /// come back.
    isolated: Vec<String>,
    disk: Mutex<Disk>,
    /// What was written on each copy.
    copies: Mutex<BTreeMap<StepPath, BTreeSet<String>>>,
    /// Whether its driver was killed: nothing more is written down.
    pub(super) is_dead: AtomicBool,
    /// What has happened that must not.
    wrong: Mutex<Vec<String>>,
}

/// Whether a block that fails does so when its copy comes back, and not when that is made.
fn has_conflict(id: &str) -> bool {
    id.ends_with(['0', '2', '4', '6', '8'])
}

fn last(path: &StepPath) -> &str {
    path.as_str().rsplit('/').next().unwrap_or_default()
}

fn failure() -> Failure {
    Failure { kind: FailureKind::Conflict, text: "somebody has changed it".into() }
}

impl Disk {
    /// What whoever goes on does first: what was about to come back does, and of all else that was done on copies nothing is
    /// known any more.
    pub(super) fn go_on(&mut self, recorded: &mut Recorded, fails: &[String], isolated: &[String]) {
        let is_isolated = |path: &&StepPath| isolated.iter().any(|id| id == last(path));
        let blocks: Vec<StepPath> = recorded.begun.iter().filter(is_isolated).cloned().collect();
        for path in blocks {
            let Some((outcome, written)) = self.noted.get(&path).cloned() else {
                recorded.forget_inside(&path);
                continue;
            };
            let order = recorded.ended.values().map(|outcome| outcome.order).max().unwrap_or(0) + 1;
            let outcome = Outcome { order, ..outcome };
            let outcome = match fails.iter().any(|id| id == last(&path)) {
                true => outcome.not_landed(failure()),
                false => {
                    self.main.extend(written);
                    outcome
                }
            };
            recorded.apply(&Change::Ended { path, outcome: Box::new(outcome) });
        }
    }
}

impl Copies {
    pub(super) fn on(disk: Disk, fake: Fake, isolated: &[String]) -> Copies {
        let (disk, copies, wrong) = (Mutex::new(disk), Mutex::default(), Mutex::default());
        Copies { fake, isolated: isolated.to_vec(), disk, copies, is_dead: AtomicBool::default(), wrong }
    }

    /// What its driver leaves when it is killed.
    pub(super) fn killed(&self) -> Disk {
        self.disk.lock().expect("not poisoned").clone()
    }

    /// The steps whose work is left in the end, unless something happened that must not.
    pub(super) fn left(&self, recorded: &Recorded) -> Result<BTreeSet<String>, Vec<String>> {
        let mut wrong = self.wrong.lock().expect("not poisoned").clone();
        let copies = self.copies.lock().expect("not poisoned");
        wrong.extend(copies.keys().map(|block| format!("the copy of {block} is still there")));
        let main = self.disk.lock().expect("not poisoned").main.clone();
        let has_ended_well = |block: &StepPath| recorded.ended.get(block).is_some_and(Outcome::is_ok);
        for path in &main {
            let inner: StepPath = path.parse().expect("a path");
            let block = self.block_of(&inner).filter(|_| !path.ends_with("/undo"));
            if block.is_some_and(|block| !has_ended_well(&block)) {
                wrong.push(format!("{path} has come back"));
            }
        }
        // What a process has done.
        let done = recorded.ended.iter().filter(|(_, outcome)| outcome.is_ok() && outcome.exit.is_some());
        for (path, _) in done.filter(|(path, _)| !main.contains(path.as_str())) {
            if self.block_of(path).is_none_or(|block| has_ended_well(&block)) {
                wrong.push(format!("{path} has not come back"));
            }
        }
        if wrong.is_empty() { Ok(main) } else { Err(wrong) }
    }

    /// The block that works on a copy and has this inside.
    fn block_of(&self, path: &StepPath) -> Option<StepPath> {
        let ends = path.as_str().match_indices('/').map(|(at, _)| &path.as_str()[..at]);
        let mut around = ends.filter_map(|path| path.parse::<StepPath>().ok());
        around.find(|path| self.isolated.iter().any(|id| id == last(path)))
    }

    fn object(&self, what: String) {
        self.wrong.lock().expect("not poisoned").push(what);
    }

    fn fails(&self, path: &StepPath) -> bool {
        self.fake.fails.iter().any(|id| id == last(path))
    }
}

impl Execute for Copies {
    fn run(&self, work: &Work, tell: &dyn Fn(Moment), stop: &Stop) -> Done {
        let (path, block) = (work.path.to_string(), self.block_of(&work.path));
        let copies = || self.copies.lock().expect("not poisoned");
        // What undoes a step of a block that came back, or could not, has no copy any more.
        let is_alone = |block: &StepPath| !copies().contains_key(block);
        if block.as_ref().is_some_and(is_alone) && !path.ends_with("/undo") {
            self.object(format!("{path} has begun without its copy"));
        }
        let done = self.fake.run(work, tell, stop);
        if done.status == StepStatus::Ok {
            let copied = block.as_ref().and_then(|block| Some(copies().get_mut(block)?.insert(path.clone())));
            match copied {
                Some(_) => {}
                None if block.is_some() && !path.ends_with("/undo") => {
                    self.object(format!("the copy of {path} was gone before it had ended"));
                }
                None => drop(self.disk.lock().expect("not poisoned").main.insert(path)),
            }
        }
        done
    }

    fn revert(&self, path: &StepPath, scope: &[String], stop: &Stop) -> Result<(), Failure> {
        self.fake.revert(path, scope, stop)
    }

    fn isolate(&self, path: &StepPath, _: &Stop) -> Result<Option<Arc<Engine>>, Failure> {
        thread::yield_now();
        if self.is_dead.load(Ordering::SeqCst) {
            return Err(failure());
        }
        self.disk.lock().expect("not poisoned").noted.remove(path);
        if self.fails(path) && !has_conflict(last(path)) {
            return Err(failure());
        }
        if self.copies.lock().expect("not poisoned").insert(path.clone(), BTreeSet::new()).is_some() {
            self.object(format!("{path} has two copies"));
        }
        Ok(None)
    }

    fn land(&self, path: &StepPath, outcome: &Outcome) -> Result<Landed, Failure> {
        thread::yield_now();
        let Some(written) = self.copies.lock().expect("not poisoned").remove(path) else {
            self.object(format!("{path} has no copy to let go of"));
            return Ok(None);
        };
        if !outcome.is_ok() {
            return Ok(None);
        }
        if self.is_dead.load(Ordering::SeqCst) {
            return Err(failure());
        }
        let mut disk = self.disk.lock().expect("not poisoned");
        disk.noted.insert(path.clone(), (outcome.clone(), written.clone()));
        if self.fails(path) {
            return Err(failure());
        }
        disk.main.extend(written);
        Ok(None)
    }
}
