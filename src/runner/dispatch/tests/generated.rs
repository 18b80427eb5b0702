//! Workflows that nobody wrote: whatever they are, no step begins before what it needs has ended or before the copy is there
//! that it works on, no limit is passed, the run ends, nothing comes back of what has not ended well, and one that was killed
//! and gone on with ends in the same way.

use super::{
    copies::{Copies, Disk},
    *,
};
use crate::runner::language::{
    load,
    tests::Given as Files,
    workflow::{self, Step},
};
use proptest::prelude::*;
use std::fmt::Write;

/// A step, as far as it matters here.
#[derive(Debug, Clone)]
struct Seed {
    what: What,
    /// Which of those above are needed; all where it is `None`.
    needs: Option<Vec<prop::sample::Index>>,
    allow_failure: bool,
    compensate: u8,
    fails: bool,
    condition: bool,
}

#[derive(Debug, Clone)]
enum What {
    Run { is_retried: bool },
    Items(u8, Option<u8>),
    Block(Vec<Seed>),
    Isolated(Vec<Seed>, u8),
    Repeat(Vec<Seed>, u8),
    Call { steps: Vec<Seed>, has_scope: bool },
}

fn seeds(depth: u32) -> BoxedStrategy<Vec<Seed>> {
    let leaf = prop_oneof![
        4 => any::<bool>().prop_map(|is_retried| What::Run { is_retried }),
        1 => (0u8..4, prop::option::of(1u8..3)).prop_map(|(count, most)| What::Items(count, most)),
    ];
    let what = match depth {
        0 => leaf.boxed(),
        _ => prop_oneof![
            5 => leaf,
            1 => seeds(depth - 1).prop_map(What::Block),
            1 => (seeds(depth - 1), 0u8..4).prop_map(|(steps, max)| What::Isolated(steps, max)),
            1 => (seeds(depth - 1), any::<bool>()).prop_map(|(steps, has_scope)| What::Call { steps, has_scope }),
            1 => (seeds(depth - 1), 1u8..4).prop_map(|(steps, max)| What::Repeat(steps, max)),
        ]
        .boxed(),
    };
    let needs = prop::option::of(prop::collection::vec(any::<prop::sample::Index>(), 0..3));
    let seed = (what, needs, prop::bool::weighted(0.3), 0u8..4, prop::bool::weighted(0.12), prop::bool::weighted(0.15));
    let seed = seed.prop_map(|(what, needs, allow_failure, compensate, fails, condition)| Seed {
        what,
        needs,
        allow_failure,
        compensate,
        fails,
        condition,
    });
    prop::collection::vec(seed, 1..5).boxed()
}

/// What is written so far: how many steps, which of them fail, which blocks work on a copy, and the workflows that are called,
/// with those of them that have a scope.
#[derive(Default)]
struct Written {
    names: usize,
    fails: Vec<String>,
    isolated: Vec<String>,
    is_inside_isolated: bool,
    called: Vec<(String, String)>,
    with_scope: Vec<String>,
}

/// The text of these steps.
fn written(seeds: &[Seed], depth: usize, so_far: &mut Written) -> String {
    let mut text = String::new();
    let mut above: Vec<String> = Vec::new();
    for seed in seeds {
        so_far.names += 1;
        let id = format!("s{}", so_far.names);
        let _ = writeln!(text, "[[{}]]\nid = '{id}'", vec!["step"; depth].join("."));
        if let Some(needs) = &seed.needs {
            let needs: Vec<_> =
                needs.iter().filter(|_| !above.is_empty()).map(|need| format!("'{}'", need.get(&above))).collect();
            let _ = writeln!(text, "needs = [{}]", needs.join(", "));
        }
        if seed.allow_failure {
            text.push_str("allow_failure = true\n");
        }
        if let (true, Some(read)) = (seed.condition, above.first()) {
            let _ = writeln!(text, "if = 'steps.{read}.ok'");
        }
        match seed.compensate {
            2 => text.push_str("compensate = { run = 'undo' }\n"),
            3 => text.push_str("compensate = { run = 'undo', after = 'start' }\n"),
            _ => {}
        }
        let inner = match &seed.what {
            What::Run { is_retried } => {
                if seed.fails {
                    so_far.fails.push(id.clone());
                }
                format!("run = 'true'\n{}", if *is_retried { "retry = 1\n" } else { "" })
            }
            What::Items(count, most) => {
                if seed.fails {
                    so_far.fails.push(id.clone());
                }
                let items: Vec<_> = (0..*count).map(|item| item.to_string()).collect();
                let most = most.map(|most| format!("max_parallel = {most}\n")).unwrap_or_default();
                format!("run = 'true {{{{ item }}}}'\nfor_each = [{}]\n{most}", items.join(", "))
            }
            What::Block(steps) => written(steps, depth + 1, so_far),
            // A copy has no copy.
            What::Isolated(steps, _) if so_far.is_inside_isolated => written(steps, depth + 1, so_far),
            What::Isolated(steps, max) => {
                so_far.isolated.push(id.clone());
                if seed.fails {
                    so_far.fails.push(id.clone());
                }
                so_far.is_inside_isolated = true;
                let text = written(steps, depth + 1, so_far);
                so_far.is_inside_isolated = false;
                let repeat = if *max > 1 { repeated(*max) } else { String::new() };
                format!("isolate = 'worktree'\n{repeat}{text}")
            }
            What::Call { steps, has_scope } => {
                let text = written(steps, 1, so_far);
                let scope = if *has_scope { "scope = ['src/**']\n" } else { "" };
                so_far.with_scope.extend(has_scope.then(|| id.clone()));
                let text = format!("{scope}[limits]\ntimeout = '1h'\nmax_parallel = 2\n{text}");
                so_far.called.push((id.clone(), text));
                format!("workflow = '{id}'\n")
            }
            What::Repeat(steps, max) => repeated(*max) + &written(steps, depth + 1, so_far),
        };
        text.push_str(&inner);
        above.push(id);
    }
    text
}

fn repeated(max: u8) -> String {
    let goal = if max.is_multiple_of(2) { "iteration >= 2" } else { "false" };
    format!("repeat = {{ until = '{goal}', max = {max} }}\n")
}

/// The paths that have to have ended before the step at `path` may begin.
fn needed(steps: &[Step], path: &str) -> Vec<String> {
    let mut parts = path.split('/');
    let Some(id) = parts.next() else { return Vec::new() };
    let Some(step) = steps.iter().find(|step| step.id == id) else { return Vec::new() };
    let mut needed: Vec<String> = step.needs.iter().map(|need| steps[*need].id.clone()).collect();
    let rest: Vec<&str> = parts.collect();
    let numbers = rest.iter().take_while(|part| part.parse::<u32>().is_ok()).count();
    let prefix = [&[id], &rest[..numbers]].concat().join("/");
    let inner = match &step.action {
        workflow::Action::Block { steps, .. } => Some(steps),
        workflow::Action::Call { workflow, .. } => Some(&workflow.steps),
        _ => None,
    };
    if let Some(steps) = inner {
        needed.extend(
            self::needed(steps, &rest[numbers..].join("/")).into_iter().map(|inner| format!("{prefix}/{inner}")),
        );
    }
    needed
}

/// A journal that holds what it is told against what it knows.
struct Judge<'w> {
    memory: Memory,
    workflow: &'w Workflow,
    is_dead: &'w AtomicBool,
}

impl Journal for Judge<'_> {
    fn record(&mut self, change: &Change) -> Result<(), String> {
        if let Change::Began { path, .. } = change {
            for need in needed(&self.workflow.steps, path.as_str()) {
                let need: StepPath = need.parse().expect("a path");
                assert!(self.memory.recorded.ended.contains_key(&need), "{path} before {need}");
            }
            assert!(!self.memory.recorded.ended.contains_key(path), "{path} twice");
        }
        self.memory.record(change).inspect_err(|_| self.is_dead.store(true, Ordering::SeqCst))
    }
}

/// How a run ends, in what does not depend on what was quicker.
fn result(ended: &Ended, recorded: &Recorded) -> (RunStatus, Vec<(String, String)>, Vec<String>) {
    let ends = recorded.ended.iter().map(|(path, outcome)| (path.to_string(), outcome.status.to_string()));
    (ended.status, ends.collect(), recorded.undone.keys().map(ToString::to_string).collect())
}

fn driven(workflow: &Workflow, copies: &Copies, recorded: Recorded, dies_after: usize) -> (Ended, Recorded) {
    let given = given(workflow, recorded.clone());
    let mut judge = Judge { memory: Memory { recorded, dies_after }, workflow, is_dead: &copies.is_dead };
    let ended = run(workflow, &given, copies, &mut judge, &Stop::default(), &mut |_| ());
    (ended, judge.memory.recorded)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nobody_is_begun_too_early_and_a_killed_run_ends_like_one_that_was_not(
        seeds in seeds(2), most in 1usize..5, deaths in prop::collection::vec(0usize..40, 0..3),
    ) {
        let mut so_far = Written::default();
        let text = format!("scope = ['**']\n[limits]\nmax_parallel = {most}\n{}", written(&seeds, 1, &mut so_far));
        let Written { fails, called, isolated, with_scope, .. } = so_far;
        let text = [called, vec![("flow".to_owned(), text)]].concat();
        let workflow = load("flow", &Files(text.clone())).unwrap_or_else(|error| panic!("{error}: {text:#?}"));
        let copies = |disk: Disk| {
            Copies::on(disk, Fake { fails: fails.clone(), ..Fake::default() }, &isolated)
        };
        let first_copies = copies(Disk::default());
        let (ended, recorded) = driven(&workflow, &first_copies, Recorded::default(), usize::MAX);
        prop_assert!(ended.status.is_final(), "{}: {text:#?}", ended.status);
        let first = &first_copies.fake;
        prop_assert!(first.log.lock().expect("not poisoned").most <= most, "{text:#?}");
        in_reverse(first, &recorded, &format!("{text:#?}"))?;
        for (path, caps) in &first.log.lock().expect("not poisoned").within {
            // What undoes a call stands beside it.
            let (around, _) = path.strip_suffix("/undo").unwrap_or(path).rsplit_once('/').unwrap_or_default();
            let calls = around.split('/').filter(|id| with_scope.iter().any(|call| call == id)).count();
            prop_assert_eq!(caps.len(), calls, "{}: {:#?}", path, text);
        }

        let left = first_copies.left(&recorded);
        prop_assert!(left.is_ok(), "{left:?}: {text:#?}");

        let (mut known, mut disk) = (Recorded::default(), Disk::default());
        for death in deaths {
            let copies = copies(disk.clone());
            let (ended, mut after) = driven(&workflow, &copies, known.clone(), death);
            if ended.unrecorded.is_none() {
                break;
            }
            disk = copies.killed();
            disk.go_on(&mut after, &fails, &isolated);
            after.answers = after.begun.iter().map(|path| (path.clone(), Answer::Rerun)).collect();
            known = after;
        }
        let copies = copies(disk);
        let (again, after) = driven(&workflow, &copies, known, usize::MAX);
        prop_assert_eq!(result(&again, &after), result(&ended, &recorded), "{:#?}", text);
        prop_assert_eq!(copies.left(&after), left, "{:#?}", text);
    }
}

/// Whether steps of one list that were undone at the end were undone in the reverse order of their completion.
fn in_reverse(fake: &Fake, recorded: &Recorded, text: &str) -> Result<(), TestCaseError> {
    let undone: Vec<u64> = fake
        .begun()
        .iter()
        .filter_map(|path| path.strip_suffix("/undo").filter(|path| !path.contains('/')).map(str::to_owned))
        .filter_map(|path| recorded.ended.get(&path.parse().ok()?))
        // One that is made of others is undone after these, and so takes the place of the first of them.
        .filter(|outcome| outcome.exit.is_some() || outcome.status == StepStatus::Failed)
        .filter(|outcome| outcome.exit.is_some())
        .map(|outcome| outcome.order)
        .collect();
    let is_absorbed = |order: u64| {
        recorded.ended.values().any(|outcome| outcome.order == order && outcome.status == StepStatus::Failed)
    };
    let undone: Vec<u64> = undone.into_iter().filter(|order| !is_absorbed(*order)).collect();
    prop_assert!(undone.windows(2).all(|pair| pair[0] > pair[1]), "{undone:?}: {text}");
    Ok(())
}
