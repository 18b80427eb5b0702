//! A task of the queue that all clones share: what is to be done, what has to be done before it, and, in the end, by
//! whom it was done.
//!
//! Whoever does one holds a claim on it, like any other claim: the record says nothing of that. What the record does say
//! is final. A task that is done is never open again, and nobody is granted a claim on it any more, so that it is done
//! once, however many draw from the queue.

use crate::base::{
    id::{InstanceId, RunId, TaskId},
    path::{InvalidPath, RepoPath},
    world::Time,
};
use chrono::TimeDelta;
use std::{
    collections::{BTreeMap, HashMap, HashSet},
    fmt,
};

/// A task. Only whether it is done ever changes of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Task {
    /// Its name.
    pub id: TaskId,
    /// What is to be done, in one line.
    pub title: String,
    /// All that is to be said of it.
    pub text: String,
    /// Who made it.
    pub by: InstanceId,
    /// When it was made.
    pub at: Time,
    /// How much it matters.
    pub priority: Priority,
    /// The paths that it will change, as far as that is known.
    pub paths: Vec<TaskPath>,
    /// The tasks that have to be done before it. They were there when it was made, so that there is no circle.
    pub needs: Vec<TaskId>,
    /// The run in which it was made.
    pub run: Option<RunId>,
    /// Set when it is done.
    pub done: Option<Finished>,
}

/// How much a task matters: from 0, which comes first, to 4.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Priority(u8);

/// That a task is done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finished {
    /// Who did it, or said so by force.
    pub by: InstanceId,
    /// When.
    pub at: Time,
    /// What came of it, in words.
    pub result: Option<String>,
    /// The fencing token of the claim under which it was done; by force, the number of the operation.
    pub token: u64,
}

/// A path that a task will change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskPath {
    /// The path.
    pub path: RepoPath,
    /// Whether it was called a folder, by a slash at its end: it need not be there yet.
    pub is_folder: bool,
}

/// Longest title, in bytes.
pub const MAX_TITLE: usize = 256;

/// Longest text, and longest result, in bytes.
pub const MAX_TEXT: usize = 8 * 1024;

/// Most tasks that one needs, and most paths that one names.
pub const MAX_LISTED: usize = 64;

/// How long a task is remembered after it was done: the first compaction after that lets go of it.
pub const REMEMBERED: TimeDelta = TimeDelta::days(30);

impl Priority {
    /// The one that comes last.
    pub const LAST: u8 = 4;

    /// The priority of this number, if there is one.
    pub fn new(number: u8) -> Option<Priority> {
        (number <= Self::LAST).then_some(Priority(number))
    }

    /// Its number.
    pub fn number(self) -> u8 {
        self.0
    }
}

impl Default for Priority {
    fn default() -> Self {
        Priority(2)
    }
}

impl TaskPath {
    /// As it is stored: [`encoded`](RepoPath::encoded), and a slash behind it where it was called a folder.
    pub fn encoded(&self) -> String {
        self.path.encoded() + if self.is_folder { "/" } else { "" }
    }

    /// The reverse of that.
    ///
    /// # Errors
    /// When it is no path inside the repository.
    pub fn decode(text: &str) -> Result<TaskPath, InvalidPath> {
        let path = RepoPath::decode(text)?;
        // The root is a folder, whatever it is called.
        Ok(TaskPath { is_folder: text.ends_with('/') && !path.is_root(), path })
    }
}

impl fmt::Display for TaskPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.path, if self.is_folder { "/" } else { "" })
    }
}

impl Task {
    /// Its place in the queue: by priority, and of those that matter as much by age.
    pub fn place(&self) -> (Priority, Time, TaskId) {
        (self.priority, self.at, self.id.clone())
    }

    /// Whether `other` says the same, whoever made it: then one of them is enough.
    pub fn is_same_as(&self, other: &Task) -> bool {
        let words = |task: &Task| (task.id.clone(), task.title.clone(), task.text.clone(), task.priority);
        words(self) == words(other) && (&self.paths, &self.needs) == (&other.paths, &other.needs)
    }
}

/// Those of `tasks` that need not be remembered any more at `now`: they were done long ago, and nothing that is open
/// needs them.
pub fn forgotten(tasks: &[Task], now: Time) -> Vec<&Task> {
    let open = tasks.iter().filter(|task| task.done.is_none());
    let needed: HashSet<&TaskId> = open.flat_map(|task| &task.needs).collect();
    let is_old = |done: &Finished| now - done.at > REMEMBERED;
    tasks.iter().filter(|task| task.done.as_ref().is_some_and(is_old) && !needed.contains(&task.id)).collect()
}

/// The first of `most` circles in what tasks still `need`: those in one wait for each other, and none is ever ready. A command
/// makes none, but whoever writes to the repository may. Each begins with the least of its ids.
pub fn circles(need: &BTreeMap<TaskId, Vec<TaskId>>, most: usize) -> Vec<Vec<&TaskId>> {
    let (mut circles, mut settled) = (Vec::new(), HashSet::new());
    for start in need.keys() {
        // The way from there to what is looked at, each with what of its needs is left to be looked at, and their places on it.
        let (mut way, mut places) = (Vec::new(), HashMap::new());
        let mut next = Some(start);
        while circles.len() < most {
            match next.take() {
                Some(id) if settled.contains(id) => {}
                Some(id) => match (places.get(id), need.get_key_value(id)) {
                    (Some(at), _) => circles.push(from_the_least(way[*at..].iter().map(|(id, _)| *id).collect())),
                    (None, Some((id, needs))) => {
                        places.insert(id, way.len());
                        way.push((id, needs.iter()));
                    }
                    (None, None) => {}
                },
                None => {
                    let Some((id, needs)) = way.last_mut() else { break };
                    next = needs.next();
                    if next.is_none() {
                        settled.insert(*id);
                        places.remove(*id);
                        way.pop();
                    }
                }
            }
        }
    }
    circles
}

fn from_the_least(mut circle: Vec<&TaskId>) -> Vec<&TaskId> {
    let least = circle.iter().enumerate().min_by_key(|(_, id)| **id).map_or(0, |(at, _)| at);
    circle.rotate_left(least);
    circle
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::trial::{at, id, task};

    #[test]
    fn what_was_done_long_ago_is_forgotten_unless_something_open_needs_it() {
        let done = |name, days| {
            let finished = Finished { by: id(0), at: at(0) + TimeDelta::days(days), result: None, token: 1 };
            Task { done: Some(finished), ..task(name, 0) }
        };
        let open = Task { needs: vec!["needed".parse().expect("a name")], ..task("open", 0) };
        let tasks = [done("old", 0), done("young", 2), done("needed", 0), open];
        let names: Vec<&str> =
            forgotten(&tasks, at(0) + TimeDelta::days(31)).into_iter().map(|task| task.id.as_str()).collect();
        assert_eq!(names, ["old"]);
    }

    #[test]
    fn those_that_wait_for_each_other_are_found_and_those_that_wait_for_them_are_no_part_of_it() {
        let named = |name: &str| name.parse::<TaskId>().expect("a name");
        let of = |all: &[(&str, &[&str])]| {
            let all = all.iter().map(|(id, needs)| (named(id), needs.iter().map(|need| named(need)).collect()));
            let all: BTreeMap<TaskId, Vec<TaskId>> = all.collect();
            let circles = circles(&all, 3);
            circles.iter().map(|circle| circle.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")).collect()
        };
        let found: Vec<String> =
            of(&[("a", &["b"]), ("b", &["d", "c"]), ("c", &["b"]), ("e", &["e"]), ("f", &["gone"])]);
        assert_eq!(found, ["b c", "e"]);
        let straight: Vec<String> = of(&[("a", &["b", "c"]), ("b", &["c"]), ("c", &["d"])]);
        assert!(straight.is_empty());
        // As deep as there are tasks, and as many ways as there can be.
        let layers: BTreeMap<TaskId, Vec<TaskId>> = (0..20_000)
            .map(|n| (named(&format!("t{n}")), (1..5).map(|more| named(&format!("t{}", n + more))).collect()))
            .collect();
        assert!(super::circles(&layers, 3).is_empty());
    }

    #[test]
    fn a_path_stays_the_folder_that_it_was_called() {
        for text in ["a/b/", "a/b", "a%FF/", ""] {
            assert_eq!(TaskPath::decode(text).expect("a path").encoded(), text);
        }
        assert_eq!(TaskPath::decode("a/").expect("a path").to_string(), "a/");
        assert_eq!(TaskPath::decode("/").expect("the root").to_string(), ".");
        assert!(TaskPath::decode("a//").is_err());
    }

    #[test]
    fn what_matters_most_comes_first_and_then_what_is_oldest() {
        let of = |name, priority, age| Task { priority: Priority(priority), at: at(age), ..task(name, 0) };
        let mut tasks = [of("late", 2, 9), of("early", 2, 1), of("urgent", 0, 99)];
        tasks.sort_by_key(Task::place);
        assert_eq!(tasks.map(|task| task.id.to_string()), ["urgent", "early", "late"]);
        assert!(Priority::new(5).is_none());
    }
}
