//! Filling in: the engine of templates, with what it knows besides Jinja's own.
//!
//! A template can't do anything, takes bounded time and makes bounded text. What it puts into a line of shell is quoted,
//! always: there is no word by which a value would be left as it is.

use super::{filename, names::Kind};
use crate::base::text;
use minijinja::{
    Environment, Error, ErrorKind, State, UndefinedBehavior,
    value::{Value, ValueKind},
};
use std::{
    io::{self, Write},
    sync::Arc,
};

/// What a workflow sees of the repository and of who may be given work.
pub trait Surroundings: Send + Sync {
    /// The files that a pattern matches, from the root, in order; what git ignores is none.
    ///
    /// # Errors
    /// When the pattern can't be understood or the files can't be read.
    fn glob(&self, pattern: &str) -> Result<Vec<String>, String>;

    /// What is in a file, which has at most `limit` bytes.
    ///
    /// # Errors
    /// When it can't be read, or has more.
    fn file(&self, path: &str, limit: usize) -> Result<String, String>;

    /// Who is meant by a word such as `codex/implementer`.
    ///
    /// # Errors
    /// When nobody is.
    fn who(&self, word: &str) -> Result<crate::runner::work::Who, String>;

    /// Whether a check has this name, written without its `@`.
    ///
    /// # Errors
    /// When none has.
    fn check(&self, name: &str) -> Result<(), String>;
}

/// The most bytes that `files()` hands over.
const MAX_FILES: usize = 4 * 1024 * 1024;

/// What makes a name a pattern, which may match nothing.
const WILDCARDS: [char; 4] = ['*', '?', '[', '{'];

/// The most bytes that a template makes.
const MAX_OUTPUT: usize = 8 * 1024 * 1024;

/// The most steps that a template takes.
const FUEL: u64 = 5_000_000;

/// Filters and functions that are ours.
const FILTERS: [&str; 7] = ["fence", "head", "tail", "basename", "stem", "dirname", "tojson"];
/// What there is of Jinja's own, for telling of a slip.
const JINJA: &str = "lower upper title capitalize replace length count dictsort items reverse trim join split lines default d \
    round abs int float attr first last min max sort list string bool batch slice sum indent select reject selectattr \
    rejectattr map groupby unique chain zip format";
const TESTS: &str = "undefined defined none boolean odd even divisibleby number integer int float string sequence iterable \
    mapping startingwith endingwith lower upper sameas eq equalto ne lt lessthan le gt greaterthan ge in true false";
const FUNCTIONS: [&str; 4] = ["glob", "files", "lines", "range"];

/// Fills in templates.
pub struct Engine {
    text: Environment<'static>,
    shell: Environment<'static>,
    /// What is seen of the repository.
    pub surroundings: Arc<dyn Surroundings>,
}

/// The words of this kind, of which a template may use each.
pub(super) fn known(kind: Kind) -> Vec<&'static str> {
    match kind {
        Kind::Filter => FILTERS.into_iter().chain(JINJA.split_whitespace()).collect(),
        Kind::Test => TESTS.split_whitespace().collect(),
        Kind::Function => FUNCTIONS.to_vec(),
    }
}

impl Engine {
    /// One that sees these surroundings.
    pub fn new(surroundings: Arc<dyn Surroundings>) -> Engine {
        let mut text = environment(&surroundings);
        text.set_formatter(|out, _: &mut State, value| {
            let shown = shown(value).map_err(bad)?;
            out.write_str(&shown).map_err(Error::from)
        });
        let mut shell = environment(&surroundings);
        shell.set_formatter(|out, _: &mut State, value| {
            let words = words(value).map_err(bad)?;
            out.write_str(&words).map_err(Error::from)
        });
        Engine { text, shell, surroundings }
    }

    /// The text of a template.
    ///
    /// # Errors
    /// What went wrong, in words.
    pub fn text(&self, source: &str, names: &Value) -> Result<String, String> {
        render(&self.text, source, names).map(filename::readable)
    }

    /// The same, for one that may take it, or something in it, for the name of a file.
    ///
    /// # Errors
    /// What went wrong, in words; also that there is a name in it that is no UTF-8.
    pub fn text_exactly(&self, source: &str, names: &Value) -> Result<String, String> {
        render(&self.text, source, names).and_then(filename::exact)
    }

    /// A line of shell, in which every value is quoted.
    ///
    /// # Errors
    /// What went wrong, in words.
    pub fn shell(&self, source: &str, names: &Value) -> Result<String, String> {
        render(&self.shell, source, names)
    }

    /// The value of an expression.
    ///
    /// # Errors
    /// What went wrong, in words.
    pub fn value(&self, source: &str, names: &Value) -> Result<Value, String> {
        let expression = self.text.compile_expression(source).map_err(told)?;
        let value = expression.eval(names.clone()).map_err(told)?;
        match value.is_undefined() {
            true => Err(format!("{} is not there", text::one_line(source.trim(), 200))),
            false => Ok(value),
        }
    }
}

fn render(environment: &Environment<'static>, source: &str, names: &Value) -> Result<String, String> {
    let template = environment.template_from_str(source).map_err(told)?;
    let mut out = Bounded(Vec::new());
    template.render_captured_to(names.clone(), &mut out).map_err(told)?;
    String::from_utf8(out.0).map_err(|_| "what was put in is no text".to_owned())
}

/// A text that does not grow without end.
struct Bounded(Vec<u8>);

impl Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0.len() + bytes.len() > MAX_OUTPUT {
            return Err(io::Error::other(format!("the text would have more than {MAX_OUTPUT} bytes")));
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What the engine has to say, in a line.
fn told(error: Error) -> String {
    if error.kind() == ErrorKind::OutOfFuel {
        return "it takes more work than a template may".to_owned();
    }
    let source = std::error::Error::source(&error).map(|source| format!(": {source}")).unwrap_or_default();
    match error.detail() {
        Some(detail) => format!("{}: {detail}{source}", error.kind()),
        None => format!("{}{source}", error.kind()),
    }
}

fn bad(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidOperation, message.into())
}

fn environment(surroundings: &Arc<dyn Surroundings>) -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_fuel(Some(FUEL));
    environment.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
    ["safe", "escape", "e", "pprint"].into_iter().for_each(|name| environment.remove_filter(name));
    ["debug", "namespace", "dict"].into_iter().for_each(|name| environment.remove_global(name));
    environment.add_filter("fence", |text: String, info: Option<String>| fence(&text, info.as_deref()));
    environment.add_filter("head", |text: String, most: usize| head(&text, most).to_owned());
    environment.add_filter("tail", |text: String, most: usize| tail(&text, most).to_owned());
    environment.add_filter("basename", |path: String| basename(&path).to_owned());
    environment.add_filter("stem", |path: String| stem(basename(&path)).to_owned());
    environment.add_filter("dirname", |path: String| dirname(&path).to_owned());
    environment
        .add_filter("tojson", |value: Value| serde_json::to_string(&value).map_err(|error| bad(error.to_string())));
    environment.add_function("lines", |text: String| {
        text.lines().map(str::trim_end).filter(|line| !line.is_empty()).map(str::to_owned).collect::<Vec<_>>()
    });
    let world = Arc::clone(surroundings);
    environment.add_function("glob", move |patterns: Value| matched(&*world, &patterns).map_err(bad));
    let world = Arc::clone(surroundings);
    environment.add_function("files", move |patterns: Value| contents(&*world, &patterns).map_err(bad));
    environment
}

/// The files that one pattern or several match.
fn matched(world: &dyn Surroundings, patterns: &Value) -> Result<Vec<String>, String> {
    let mut found = Vec::new();
    filename::kept(patterns)?;
    for pattern in texts(patterns)? {
        for path in world.glob(&pattern)? {
            if !found.contains(&path) {
                found.push(path);
            }
        }
    }
    Ok(found)
}

/// What is in the files, each under its name. That it is too much is an error: a cut would go unnoticed by whoever reads.
fn contents(world: &dyn Surroundings, patterns: &Value) -> Result<String, String> {
    let mut text = String::new();
    for pattern in texts(patterns)? {
        // Why what is meant by its name can't be had is told by whoever reads it.
        if !pattern.contains(WILDCARDS) && world.glob(&pattern)?.is_empty() {
            world.file(&pattern, MAX_FILES)?;
        }
    }
    for path in matched(world, patterns)? {
        text.push_str(&format!("===== {} =====\n", text::one_line(&path, 1000)));
        text.push_str(&world.file(&path, MAX_FILES)?);
        text.push('\n');
        if text.len() > MAX_FILES {
            return Err(format!("the files have more than {MAX_FILES} bytes, up to {path} alone: name fewer of them"));
        }
    }
    Ok(text)
}

/// A value as templates read it.
pub fn value_of(value: &serde_json::Value) -> Value {
    Value::from(minijinja::value::Serde(value))
}

/// The texts of a list, or a single one.
pub fn texts(value: &Value) -> Result<Vec<String>, String> {
    let one = |value: &Value| match value.as_str() {
        Some(text) => Ok(filename::readable(text.to_owned())),
        None if value.is_number() => Ok(value.to_string()),
        None => filename::text(value).ok_or_else(|| format!("{value} is no text")),
    };
    match value.kind() {
        ValueKind::Seq | ValueKind::Iterable => value.try_iter().map_err(told)?.map(|item| one(&item)).collect(),
        _ => Ok(vec![one(value)?]),
    }
}

/// A value as it is put into a text: what is no text and no number as JSON.
fn shown(value: &Value) -> Result<String, String> {
    match value.kind() {
        ValueKind::Undefined => Err(told(Error::from(ErrorKind::UndefinedError))),
        ValueKind::Bool | ValueKind::Seq | ValueKind::Iterable | ValueKind::Map => {
            serde_json::to_string(value).map_err(|error| error.to_string())
        }
        _ => Ok(value.to_string()),
    }
}

/// A value as words of the shell: a list is a word each.
fn words(value: &Value) -> Result<String, String> {
    let quoted = |text: String| {
        let text = filename::exact(text)?;
        shlex::try_quote(&text).map(|word| word.into_owned()).map_err(|_| "a value has a zero byte in it".to_owned())
    };
    match value.kind() {
        ValueKind::Undefined | ValueKind::None => Err("there is no value to put into the command".into()),
        ValueKind::Seq | ValueKind::Iterable => {
            let items: Vec<String> =
                value.try_iter().map_err(told)?.map(|item| words(&item)).collect::<Result<_, _>>()?;
            Ok(items.join(" "))
        }
        ValueKind::Map | ValueKind::Bool => quoted(serde_json::to_string(value).map_err(|error| error.to_string())?),
        _ => filename::word(value).unwrap_or_else(|| quoted(value.to_string())),
    }
}

/// A fence of more backticks than any that stand in the text, so that the text can't end it.
fn fence(text: &str, info: Option<&str>) -> String {
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let marks = "`".repeat(longest.max(2) + 1);
    let info: String = info.unwrap_or_default().chars().filter(|c| *c != '`' && !c.is_control()).collect();
    let end = if text.ends_with('\n') || text.is_empty() { "" } else { "\n" };
    format!("{marks}{info}\n{text}{end}{marks}")
}

fn head(text: &str, most: usize) -> &str {
    text.char_indices().nth(most).map_or(text, |(at, _)| &text[..at])
}

fn tail(text: &str, most: usize) -> &str {
    let skipped = text.chars().count().saturating_sub(most);
    text.char_indices().nth(skipped).map_or("", |(at, _)| &text[at..])
}

fn basename(path: &str) -> &str {
    let path = path.trim_end_matches('/');
    path.rsplit('/').next().unwrap_or(path)
}

fn stem(name: &str) -> &str {
    name.rsplit_once('.').map_or(name, |(stem, _)| if stem.is_empty() { name } else { stem })
}

fn dirname(path: &str) -> &str {
    path.trim_end_matches('/').rsplit_once('/').map_or(".", |(folder, _)| if folder.is_empty() { "/" } else { folder })
}

#[cfg(test)]
pub(in crate::runner) mod tests {
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
}
