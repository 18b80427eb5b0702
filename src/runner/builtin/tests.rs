use super::*;
use crate::{
    base::{id::StepPath, path::RepoPath},
    model::run::{Failure, RunStatus, StepStatus},
    runner::{
        dispatch::{self, Answer, Asking, Change, Execute, Given, Journal, Recorded, Stop},
        language::{Engine, Library, load},
        plan::{check_names, plan},
        work::{Action, Done, Moment, Who, Work},
    },
};
use serde_json::{Map, Value, json};
use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex},
};

struct Shipped;

impl Library for Shipped {
    fn workflow(&self, name: &str) -> Result<Option<(String, String)>, crate::runner::language::Withheld> {
        Ok(find(name).map(|builtin| (format!("{name}.toml"), builtin.text.to_owned())))
    }

    fn include(&self, _: &str, _: &str) -> Result<String, String> {
        Err("nothing is included".into())
    }

    fn names(&self) -> Vec<String> {
        ALL.iter().map(|builtin| builtin.name.to_owned()).collect()
    }
}

impl crate::runner::language::Surroundings for Shipped {
    fn glob(&self, _: &str) -> Result<Vec<String>, String> {
        Ok(vec!["src/one.py".into(), "src/two.md".into()])
    }

    fn file(&self, path: &str, _: usize) -> Result<String, String> {
        Ok(format!("what is in {path}"))
    }

    fn who(&self, word: &str) -> Result<Who, String> {
        let tools = ["claude", "codex", "gemini", "local", "caller"];
        let (tool, persona) =
            word.split_once('/').map_or((None, Some(word)), |(tool, persona)| (Some(tool), Some(persona)));
        let is_known = |persona: &str| crate::model::persona::find(persona).is_some();
        match (tool, persona) {
            (None, Some(tool)) if tools.contains(&tool) => Ok(Who::Agent { tool: Some(tool.into()), persona: None }),
            (tool, Some(persona)) if is_known(persona) && tool.is_none_or(|tool| tools.contains(&tool)) => {
                Ok(Who::Agent { tool: tool.map(str::to_owned), persona: Some(persona.into()) })
            }
            _ => Err(format!("there is no {word}")),
        }
    }

    fn check(&self, name: &str) -> Result<(), String> {
        let is_anywhere = ["default", "lint", "build", "test", "scope", "changed"].contains(&name);
        if is_anywhere { Ok(()) } else { Err(format!("there is no {name}")) }
    }
}

#[test]
fn every_one_of_them_is_whole_and_names_agents_that_there_are() {
    for builtin in ALL {
        let workflow = load(builtin.name, &Shipped).unwrap_or_else(|error| panic!("{error}"));
        let planned = plan(&workflow).unwrap_or_else(|error| panic!("{error}"));
        check_names(&workflow, &Shipped).unwrap_or_else(|error| panic!("{error}"));
        assert!(!planned.is_empty() && workflow.about.ends_with('.') && workflow.about.len() < 120, "{}", builtin.name);
    }
}

#[test]
fn both_tables_name_workflows_that_there_are() {
    for choice in BY_SCENARIO.iter().chain(&BY_NEED) {
        assert!(choice.workflows.iter().all(|name| find(name).is_some()), "{}", choice.pattern);
    }
}

/// One that answers in the shape that is asked for, with this to every question of yes or no.
struct Obliging {
    word: bool,
    texts: Mutex<BTreeMap<String, String>>,
}

impl Obliging {
    fn sample(&self, schema: &Value) -> Value {
        let kind = schema["type"].as_str().or_else(|| schema["type"][0].as_str()).unwrap_or_default();
        match kind {
            "object" => {
                let fields = schema["properties"].as_object().into_iter().flatten();
                Value::Object(fields.map(|(key, schema)| (key.clone(), self.sample(schema))).collect())
            }
            "array" => json!([self.sample(&schema["items"])]),
            "boolean" => json!(self.word),
            "integer" => json!(3),
            "number" => json!(if self.word { 9 } else { 2 }),
            _ => schema["enum"].get(usize::from(!self.word)).cloned().unwrap_or(json!("a text")),
        }
    }
}

impl Execute for Obliging {
    fn run(&self, work: &Work, _: &dyn Fn(Moment), _: &Stop) -> Done {
        let text = match &work.action {
            Action::Prompt { task, .. } => task.text.clone(),
            Action::Run { line } => line.clone(),
        };
        self.texts.lock().expect("not poisoned").insert(work.path.to_string(), text);
        let out = match &work.contract.shape {
            Some(shape) => shape.check(self.sample(&shape.schema())).expect("a sample fits"),
            None => json!(format!("the result of {}", work.path)),
        };
        Done {
            status: StepStatus::Ok,
            out,
            exit: Some(0),
            attempts: Vec::new(),
            files: work.scope.first().and_then(|_| RepoPath::from_bytes(b"src/one.py").ok()).into_iter().collect(),
            diff: "+ a line".into(),
            usage: Default::default(),
            failure: None,
        }
    }

    fn revert(&self, _: &StepPath, _: &[String], _: &Stop) -> Result<(), Failure> {
        Ok(())
    }

    fn ask(&self, _: &StepPath, _: &Asking<'_>) -> Option<Answer> {
        Some(Answer::Yes)
    }
}

struct Nowhere;

impl Journal for Nowhere {
    fn record(&mut self, _: &Change) -> Result<(), String> {
        Ok(())
    }
}

fn driven(name: &str, word: bool, inputs: Value) -> (RunStatus, BTreeMap<String, String>) {
    let workflow = load(name, &Shipped).unwrap_or_else(|error| panic!("{error}"));
    let Value::Object(mut inputs) = inputs else { panic!("a table") };
    for input in &workflow.inputs {
        let value = input.default.clone().unwrap_or_else(|| json!("something"));
        inputs.entry(input.name.clone()).or_insert(value);
    }
    let given = Given {
        id: "test-1-abcd".parse().expect("an id"),
        dir: "/".into(),
        engine: Arc::new(Engine::new(Arc::new(Shipped))),
        inputs: inputs.into_iter().collect::<Map<_, _>>(),
        event: workflow.on.first().map(|event| (event.clone(), None)),
        isolation: HashMap::new(),
        max_parallel: None,
        recorded: Recorded::default(),
        is_updated: false,
        is_cancelled: false,
    };
    let obliging = Obliging { word, texts: Mutex::default() };
    let ended = dispatch::run(&workflow, &given, &obliging, &mut Nowhere, &Stop::default(), &mut |_| ());
    assert_eq!(ended.failure, None, "{name}");
    (ended.status, obliging.texts.into_inner().expect("not poisoned"))
}

#[test]
fn every_one_of_them_runs_whatever_is_answered() {
    for builtin in ALL {
        for word in [true, false] {
            let (status, _) = driven(builtin.name, word, json!({}));
            assert!(status.is_final(), "{}: {status}", builtin.name);
        }
    }
}

#[test]
fn a_stage_of_the_pipeline_is_told_what_all_before_it_found() {
    let (_, texts) = driven("pipeline", true, json!({}));
    let build = &texts["build"];
    assert!(build.contains("analyzer: the result of analyze\ndesigner: the result of design"), "{build}");
    assert!(build.ends_with("Current task: Implement the designed solution"), "{build}");
    assert_eq!(texts["test"].lines().filter(|line| line.contains(": the result of ")).count(), 3);
}

#[test]
fn the_worst_finding_decides_and_only_one_is_asked() {
    let (_, texts) = driven("triage", true, json!({}));
    assert_eq!(texts.keys().collect::<Vec<_>>(), ["analyze", "fix"], "critical and security at once");
    let (_, texts) = driven("triage", false, json!({}));
    assert_eq!(texts.keys().collect::<Vec<_>>(), ["analyze", "suggest"]);
}

#[test]
fn the_copy_is_put_in_place_after_a_clean_review_and_not_before() {
    let (status, texts) = driven("evaluator-optimizer", true, json!({ "file": "src/auth.py" }));
    assert_eq!(
        (status, &texts["land"][..]),
        (RunStatus::Complete, "mkdir -p src && cp -- .context/auth.py src/auth.py")
    );
    let (status, texts) = driven("evaluator-optimizer", false, json!({ "file": "src/auth.py" }));
    assert_eq!(status, RunStatus::MaxIterationsReached);
    assert!(!texts.contains_key("land"));
    assert!(
        texts["optimize/5/review"].contains("Any remaining issues?")
            && !texts["optimize/4/review"].contains("remaining")
    );
}

#[test]
fn nothing_of_an_input_becomes_a_command_by_itself() {
    let (_, texts) = driven("evaluator-optimizer", true, json!({ "file": "a; rm -rf $(pwd)/x.py" }));
    let words = shlex::split(&texts["land"]).expect("words");
    assert_eq!(words.last().map(String::as_str), Some("a; rm -rf $(pwd)/x.py"));
}
