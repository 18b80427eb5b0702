use super::*;
use std::sync::Arc;
use workflow::{Action, Workflow};

/// Workflows by name, and files to include.
pub(in crate::runner) struct Given(pub(in crate::runner) Vec<(String, String)>);

impl Given {
    pub(in crate::runner) fn one(text: &str) -> Given {
        Given(vec![("flow".into(), text.into())])
    }
}

impl Library for Given {
    fn workflow(&self, name: &str) -> Result<Option<(String, String)>, Withheld> {
        let found = self.0.iter().find(|(known, _)| known == name);
        Ok(found.map(|(name, text)| (format!("{name}.toml"), text.clone())))
    }

    fn include(&self, _: &str, path: &str) -> Result<String, String> {
        match path {
            "task.md" => Ok("Do {{ steps.a.out }}.\n".into()),
            _ => Err("there is none".into()),
        }
    }

    fn names(&self) -> Vec<String> {
        self.0.iter().map(|(name, _)| name.clone()).collect()
    }
}

pub(in crate::runner) fn loaded(text: &str) -> Arc<Workflow> {
    load("flow", &Given::one(text)).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

fn wrong(text: &str) -> String {
    load("flow", &Given::one(text)).expect_err(text).to_string()
}

fn needs(text: &str) -> Vec<Vec<usize>> {
    loaded(text).steps.iter().map(|step| step.needs.clone()).collect()
}

#[test]
fn what_stands_above_is_waited_for_unless_less_is_named() {
    let text = "
[[step]]
id = 'a'
run = 'true'
[[step]]
id = 'b'
needs = []
run = 'true'
[[step]]
id = 'c'
needs = []
run = 'echo {{ steps.a.out }}'
[[step]]
id = 'd'
needs = ['c']
run = 'true'
[[step]]
id = 'e'
prompt = '{% include \"task.md\" %}'
needs = []
[[step]]
id = 'f'
run = 'true'
";
    assert_eq!(needs(text), [vec![], vec![], vec![0], vec![2], vec![0], vec![0, 1, 2, 3, 4]]);
}

#[test]
fn what_is_read_inside_of_a_block_is_needed_by_the_block() {
    let text = "
[[step]]
id = 'a'
run = 'true'
[[step]]
id = 'b'
needs = []
  [[step.step]]
  id = 'x'
  run = 'echo {{ steps.a.out }}'
  [[step.step]]
  id = 'y'
  run = 'echo {{ steps.x.out }}'
";
    let workflow = loaded(text);
    assert_eq!(workflow.steps[1].needs, [0]);
    let Action::Block { steps, .. } = &workflow.steps[1].action else { panic!("a block") };
    assert_eq!(steps[1].needs, [0]);
}

/// A step that gives a score, and another one.
fn after(step: &str) -> String {
    format!(
        "[inputs]\ntask = {{}}\nmost = 3\n[[step]]\nid = 'free'\nrun = 'true'\n[[step]]\nid = 'typed'\nprompt = 'x'\noutput = {{ score = '0..10', \
         names = ['string'], word = 'a|b' }}\n[[step]]\nid = 'x'\n{step}\n"
    )
}

#[test]
fn what_is_wrong_is_told_with_its_place_and_the_right_word() {
    for (text, told) in [
        (
            "[[step]]\nid = 'a'\nrun = 'x'\nscpoe = 'y'\n",
            "4:1: there is no key 'scpoe' of a step; did you mean 'scope'?",
        ),
        ("[[step]]\nid = 'a'\nrnu = 'x'\n", "3:1: there is no key 'rnu' of a step; did you mean 'run'?"),
        (
            "[[step]]\nid = 'a'\nneeds = []\n",
            "1:1: the step a does nothing: it needs one of prompt, run, ask, workflow, step",
        ),
        ("[[step]]\nid = 'a'\nrun = 'x'\nask = 'y'\n", "4:1: the step a has run and ask: a step does one thing"),
        ("[[step]]\nid = 'a'\nrun = 'x'\nagent = 'y'\n", "4:1: a step with run can't have 'agent'"),
        (
            "[[step]]\nid = 'a-b'\nrun = 'x'\n",
            "2:6: 'a-b' can't be the id of a step: use a small letter, then small letters, digits and _",
        ),
        ("[[step]]\nid = 'a'\nrun = 'x'\n[[step]]\nid = 'a'\nrun = 'x'\n", "5:6: there are two steps called 'a'"),
        ("about = 'x'\n", "1:1: there is no step; one is begun by [[step]]"),
        ("[limit]\n[[step]]\nid = 'a'\nrun = 'x'\n", "1:2: there is no key 'limit'; did you mean 'limits'?"),
        (
            "[[step]]\nid = 'a'\nrun = 'x'\nneeds = ['b']\n[[step]]\nid = 'b'\nrun = 'x'\n",
            "4:10: 'b' is not above this step: a step can only need what is",
        ),
        (
            "[[step]]\nid = 'a'\nrun = 'echo {{ steps.b.out }}'\n[[step]]\nid = 'b'\nrun = 'x'\n",
            "3:16: the step b is not above this one: only what is can be read",
        ),
        ("[[step]]\nid = 'a'\nrun = 'echo {{ x'\n", "3:16: this can't be filled in: "),
        ("[[step]]\nid = 'a'\nprompt = '''\nA\n{{ input.x }}'''\n", "5:4: there is no 'input'; did you mean 'inputs'?"),
        ("[[step]]\nid = 'a'\nrun = 'sh -c \"{{ run.id }}\"'\n", "3:18: a value in a command is quoted already"),
        (
            "[[step]]\nid = 'a'\ncompensate = 'revert'\nrun = 'x'\n",
            "3:14: only a step with a scope, or a file that it saves, can be reverted",
        ),
        (
            "[vars]\ngreet = 'Hello {{ inputs.who }}'\n[[step]]\nid = 'a'\nrun = 'x'\n",
            "2:9: in [vars] nothing is filled in, and this reads something: put it where it is used",
        ),
        (
            "[vars.deep]\na = ['x', { b = 'x {% if inputs.y %}' }]\n[[step]]\nid = 'a'\nrun = 'x'\n",
            "2:17: in [vars] nothing is filled in",
        ),
        ("[[step]]\nid = 'a'\nworkflow = 'flow'\n", "3:12: the workflow flow would run itself"),
        ("[[step]]\nid = 'a'\nworkflow = 'flwo'\n", "3:12: there is no workflow 'flwo'; did you mean 'flow'?"),
        ("[[step]]\nid = 'a'\nprompt = \"x\\n{% include 'b.md' %}\"\n", "3:10: b.md can't be included: there is none"),
    ] {
        let is = wrong(text);
        assert!(is.starts_with(&format!("flow.toml:{told}")), "{text}\n{is}\n{told}");
    }
}

#[test]
fn a_condition_reads_only_what_has_a_type() {
    for (step, told) in [
        ("if = 'steps.free.out'", "a condition can't read steps.free.out: it is free text"),
        ("for_each = 'lines(steps.free.out)'", "a condition can't read steps.free.out: it is free text"),
        ("if = 'steps.typed.diff'", "a condition can't read steps.typed.diff: it is free text"),
        ("if = 'steps.typed.out.scroe > 3'", "the output of typed has no 'scroe'; did you mean 'score'?"),
        (
            "if = 'steps.typed.out.word > 3'",
            "steps.typed.out.word is no number, and neither larger nor smaller than anything",
        ),
        ("if = 'inputs.task > 3'", "the input task is no number, and neither larger nor smaller than anything"),
        ("if = 'steps.typed.okay'", "a step has no 'okay'"),
        ("if = 'steps'", "a step is named as in steps.review.out, and in no other way"),
        ("if = \"steps['typed'].out\"", "a step is named as in steps.review.out, and in no other way"),
        ("if = 'prev.x.ok'", "there is no round before: the step is in no block with repeat"),
        ("if = 'steps.typed.out.names | frist'", "there is no filter 'frist'; did you mean 'first'?"),
        ("if = 'item'", "there are no items here: the step has no for_each"),
    ] {
        let is = wrong(&after(&format!("run = 'true'\n{step}")));
        assert!(is.contains(told), "{step}: {is}");
    }
    for good in [
        "if = '(steps.typed.out.score | default(0)) >= inputs.most'",
        "if = 'not steps.free.ok and steps.free.exit > 1'",
        "if = \"steps.typed.out.word in ['a'] and steps.typed.ran\"",
        "for_each = 'steps.typed.out.names'",
    ] {
        loaded(&after(&format!("run = 'true'\n{good}")));
    }
}

#[test]
fn a_round_reads_the_one_before() {
    let text = |prompt: &str| {
        format!(
            "[[step]]\nid = 'refine'\nrepeat = {{ until = \"steps.review.out.score >= 8\", max = 3 }}\n[[step.step]]\nid = 'write'\n\
             prompt = '''{prompt}'''\n[[step.step]]\nid = 'review'\nprompt = 'x'\noutput = {{ score = '0..10' }}\n"
        )
    };
    // Braces that are meant for another program.
    loaded(
        "[vars]\nform = '{{.Names}} ${{ x }} {% raw %}'\n[[step]]\nid = 'a'\nrun = 'docker ps --format {{ vars.form }}'\n",
    );
    loaded(&text("{{ iteration }}{% if prev %}{{ prev.review.out.score }}{{ prev.write.out }}{% endif %}"));
    assert!(wrong(&text("{{ prev.review.out.scroe }}")).contains("did you mean 'score'?"));
    assert!(
        wrong(&text("{{ prev.reviwe.out }}"))
            .contains("6:16: there is no step 'reviwe' in this block; did you mean 'review'?")
    );
}

#[test]
fn what_an_attempt_is_like_is_known_in_the_prompt_of_an_agent_alone() {
    loaded(&after("prompt = '{{ attempt }}{% if failure %}{{ failure | fence }}{% endif %}'"));
    for step in
        ["run = 'echo {{ attempt }}'", "prompt = 'x'\naccept = ['{{ failure }}']", "run = 'x'\nif = 'attempt > 1'"]
    {
        let told = "attempt and failure are those of an agent that tries, and known in its prompt only";
        let is = wrong(&after(step));
        assert!(is.contains(told), "{step}: {is}");
    }
}

#[test]
fn inputs_have_the_type_of_their_default() {
    let workflow = loaded("[inputs]\ntask = {}\nmost = 3\nok = true\nnames = ['a']\n[[step]]\nid = 'a'\nrun = 'x'\n");
    let given =
        |words: &[&str]| inputs::parse(&workflow, &words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>());
    let values = given(&["task=a=b", "most=4", "ok=no", "names=x, y"]).expect("inputs");
    assert_eq!(
        serde_json::Value::Object(values),
        serde_json::json!({ "task": "a=b", "most": 4, "ok": false, "names": ["x", "y"] })
    );
    for (words, told) in [
        (vec![], "flow needs the input task"),
        (vec!["task=x", "most=many"], "the input most has to be a whole number, and is 'many'"),
        (vec!["tsak=x"], "flow has no input 'tsak'; did you mean task?"),
        (vec!["x"], "'x' is no input: write it as name=value"),
    ] {
        assert_eq!(given(&words), Err(told.to_owned()));
    }
}

#[test]
fn a_called_workflow_is_given_what_it_takes() {
    let with = |with: &str| {
        let library = Given(vec![
            ("flow".into(), format!("[[step]]\nid = 'a'\nworkflow = 'other'\nwith = {{ {with} }}\n")),
            ("other".into(), "[inputs]\ntask = {}\n[[step]]\nid = 'a'\nrun = 'x'\n".into()),
        ]);
        load("flow", &library).map(drop).map_err(|error| error.to_string())
    };
    assert_eq!(with("task = '{{ run.id }}'"), Ok(()));
    assert_eq!(with(""), Err("flow.toml:3:12: the workflow other needs the input task".into()));
    assert_eq!(
        with("tsak = 'x'"),
        Err("flow.toml:3:12: the workflow other has no input 'tsak'; did you mean 'task'?".into())
    );
}
