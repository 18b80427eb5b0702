use super::*;
use crate::runner::work::{CALLER, Who};
use serde_json::json;

/// A few files, and anybody who is asked for.
pub(in crate::runner) struct Few(pub(in crate::runner) Vec<(&'static str, String)>);

impl Surroundings for Few {
    fn glob(&self, pattern: &str) -> Result<Vec<String>, String> {
        let glob = globset::Glob::new(pattern).map_err(|error| error.to_string())?.compile_matcher();
        Ok(self.0.iter().filter(|(path, _)| glob.is_match(path)).map(|(path, _)| (*path).to_owned()).collect())
    }

    fn file(&self, path: &str, limit: usize) -> Result<String, String> {
        let (_, text) = self.0.iter().find(|(known, _)| *known == path).ok_or("there is no such file")?;
        if text.len() > limit { Err("it is too large".into()) } else { Ok(text.clone()) }
    }

    fn who(&self, word: &str) -> Result<Who, String> {
        Ok(match word.split_once('/') {
            _ if word == CALLER => Who::Caller,
            Some((tool, persona)) => Who::Agent { tool: Some(tool.into()), persona: Some(persona.into()) },
            None => Who::Agent { tool: Some(word.into()), persona: None },
        })
    }

    fn check(&self, _: &str) -> Result<(), String> {
        Ok(())
    }
}

fn engine() -> Engine {
    Engine::new(Arc::new(Few(vec![("a.rs", "fn a() {}".into()), ("b.rs", "x".repeat(MAX_FILES))])))
}

#[test]
fn what_is_put_into_a_command_is_a_word_and_never_a_command() {
    let names = value_of(&json!({ "m": "it's; rm -rf $(pwd)", "files": ["a b.rs", "c.rs"] }));
    let line = engine().shell("git commit -m {{ m }} -- {{ files }}", &names).expect("a line");
    assert_eq!(
        shlex::split(&line).expect("words"),
        ["git", "commit", "-m", "it's; rm -rf $(pwd)", "--", "a b.rs", "c.rs"]
    );
    assert!(engine().shell("echo {{ m | safe }}", &names).is_err(), "there is no way round it");
    assert!(engine().shell("echo {{ none }}", &names).is_err());
}

#[test]
fn a_name_that_is_no_text_becomes_the_very_file_or_a_text_to_read_and_no_other_file() {
    let path = |name: &[u8]| crate::base::path::RepoPath::from_bytes(name).expect("a path");
    let files = filename::values(&[path(b"src/a\xff"), path(b"src/a%FF")]);
    let names = Value::from_pairs([("files", files)]);
    let line = engine().shell("rm {{ files }}", &names).expect("a line");
    assert_eq!(line, r#"rm "$(printf 'src/a\377')" 'src/a%FF'"#);
    let read = "{{ files[0] }} {{ files }} {{ files[0] | basename }} {{ 'x/' ~ files[0] }}";
    let text = r#"src/a%FF ["src/a%FF","src/a%FF"] a%FF x/src/a%FF"#;
    assert_eq!(engine().text(read, &names).expect("a text"), text);
    assert_eq!(engine().text_exactly("{{ files[1] | basename }}", &names).expect("a text"), "a%FF");
    assert_eq!(engine().shell("cd {{ files[0] | dirname }}", &names).expect("a line"), "cd src");
    for refused in
        ["files[0] | basename", "files[0] | stem", "files | join(' ')", "files | tojson", "files[0] ~ '.old'"]
    {
        let error = engine().shell(&format!("rm {{{{ {refused} }}}}"), &names).expect_err(refused);
        assert!(error.contains("is no UTF-8"), "{error}");
        assert!(engine().text_exactly(&format!("rm {{{{ {refused} }}}}"), &names).is_err(), "{refused}");
    }
    assert!(engine().text("{{ files(files) }}", &names).is_err());
}

#[test]
fn an_agents_words_can_not_end_their_fence() {
    let names = value_of(&json!({ "t": "a\n````\nb" }));
    assert_eq!(engine().text("{{ t | fence('x`y') }}", &names).expect("a text"), "`````xy\na\n````\nb\n`````");
}

#[test]
fn what_is_too_much_is_told_and_not_cut() {
    let names = value_of(&json!({}));
    assert_eq!(engine().text("{{ files('a.rs') }}", &names).expect("a text"), "===== a.rs =====\nfn a() {}\n");
    let error = engine().text("{{ files('*.rs') }}", &names).expect_err("too much");
    assert!(error.contains("name fewer of them"), "{error}");
    let endless = "{% for a in range(9999) %}{% for b in range(9999) %}x{% endfor %}{% endfor %}";
    assert!(engine().text(endless, &names).expect_err("endless").contains("more work than"));
}

#[test]
fn what_is_not_there_is_an_error_with_its_name() {
    let names = value_of(&json!({ "steps": { "a": { "out": {} } } }));
    let error = engine().text("{{ steps.a.out.title }}", &names).expect_err("undefined");
    assert!(error.contains("title") || error.contains("undefined"), "{error}");
    assert_eq!(engine().text("{{ steps.a.out.title | default('-') }}", &names).expect("a text"), "-");
}

#[test]
fn a_file_that_is_named_has_to_be_there_and_what_a_pattern_matches_need_not() {
    let names = value_of(&json!({}));
    for named in ["{{ files('no.rs') }}", "{{ files(['a.rs', 'no.rs', '*.md']) }}", "{{ files('') }}"] {
        let error = engine().text(named, &names).expect_err(named);
        assert!(error.contains("there is no such file"), "{error}");
    }
    assert_eq!(engine().text("{{ files('*.md') }}{{ glob('no.rs') | length }}", &names).expect("a text"), "0");
}

#[test]
fn parts_of_paths_and_texts_are_had() {
    let names = value_of(&json!({ "p": "src/a.b.rs", "t": "héllo" }));
    let text = "{{ p|basename }} {{ p|stem }} {{ p|dirname }} {{ t|head(2) }} {{ t|tail(2) }} {{ [p]|tojson }}";
    assert_eq!(engine().text(text, &names).expect("a text"), "a.b.rs a.b src hé lo [\"src/a.b.rs\"]");
}
