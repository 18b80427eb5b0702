//! What an author wrote to be filled in: a text, a list, a line of shell, a condition, each with its place in the file.

use super::{
    engine::{self, Engine},
    filename,
    names::{self, Names, Reading},
};
use crate::base::toml::{At, Source};
use minijinja::value::Value;
use std::{ops::Range, sync::Arc};

/// A text that is filled in.
#[derive(Debug, Clone)]
pub struct Text {
    source: Arc<str>,
    kind: Kind,
    /// What it reads.
    pub(super) names: Arc<Names>,
    /// Where it stands in the file, in bytes.
    pub span: Range<usize>,
    /// The same by line and column.
    pub at: At<()>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Kind {
    /// Nothing is put in.
    Plain,
    Text,
    /// The value of this, whatever its type.
    Value(String),
    Shell,
    Expression,
}

/// What a template is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Use {
    /// It becomes a text, or a value where it is exactly one `{{ … }}`.
    Text,
    /// It becomes a line of shell.
    Shell,
    /// It is an expression, without braces.
    Expression,
}

impl Text {
    /// What `source` says.
    ///
    /// # Errors
    /// When it is no template: where in it, and why.
    pub(super) fn parse(source: &str, uses: Use, span: Range<usize>) -> Result<Text, names::Fault> {
        let (kind, names) = match uses {
            Use::Expression => (Kind::Expression, names::of_expression(source)?),
            Use::Text | Use::Shell if !source.contains("{{") && !source.contains("{%") && !source.contains("{#") => {
                (Kind::Plain, Names::default())
            }
            Use::Shell => (Kind::Shell, names::of_template(source)?),
            Use::Text => {
                let names = names::of_template(source)?;
                let value = names::only_expression(source).map(|inner| Kind::Value(inner.to_owned()));
                (value.unwrap_or(Kind::Text), names)
            }
        };
        Ok(Text { source: source.into(), kind, names: Arc::new(names), span, at: Source::new("").at(0, ()) })
    }

    /// The same at this place.
    pub(super) fn placed(self, at: At<()>) -> Text {
        Text { at, ..self }
    }

    /// A text in which nothing is put in.
    pub fn plain(source: &str) -> Text {
        Text {
            source: source.into(),
            kind: Kind::Plain,
            names: Arc::default(),
            span: 0..0,
            at: Source::new("").at(0, ()),
        }
    }

    /// As it was written.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Whether nothing is put in.
    pub fn is_plain(&self) -> bool {
        self.kind == Kind::Plain
    }

    /// Whether it is a line of shell.
    pub fn is_shell(&self) -> bool {
        self.kind == Kind::Shell
    }

    /// Whether it is an expression, so that a place in it is one in the value.
    pub(super) fn readings(&self) -> &[Reading] {
        &self.names.readings
    }

    /// Whether it reads something whose first part this is.
    pub fn reads(&self, first: &str) -> bool {
        self.readings().iter().any(|reading| reading.path[0] == first)
    }

    /// Whether it reads this of a name, such as the diff of the run.
    pub fn reads_of(&self, first: &str, second: &str) -> bool {
        self.readings()
            .iter()
            .any(|reading| reading.path[0] == first && reading.path.get(1).is_some_and(|of| of == second))
    }

    /// The ids of the steps that it reads.
    pub fn steps(&self) -> impl Iterator<Item = &str> {
        let of_steps = self.readings().iter().filter(|reading| reading.path[0] == "steps");
        of_steps.filter_map(|reading| reading.path.get(1)).map(String::as_str)
    }

    /// It filled in, as a text.
    ///
    /// # Errors
    /// What went wrong, in words.
    pub fn fill(&self, engine: &Engine, names: &Value) -> Result<String, String> {
        match &self.kind {
            Kind::Plain => Ok(self.source.to_string()),
            Kind::Shell => engine.shell(&self.source, names),
            Kind::Text | Kind::Value(_) => engine.text(&self.source, names),
            Kind::Expression => Ok(filename::readable(engine.value(&self.source, names)?.to_string())),
        }
    }

    /// The same, for one that may take it, or something in it, for the name of a file.
    ///
    /// # Errors
    /// What went wrong, in words; also that there is a name in it that is no UTF-8.
    pub fn fill_exactly(&self, engine: &Engine, names: &Value) -> Result<String, String> {
        match &self.kind {
            Kind::Text | Kind::Value(_) => engine.text_exactly(&self.source, names),
            _ => self.fill(engine, names),
        }
    }

    /// Its value: a text, or what the only expression in it comes to.
    ///
    /// # Errors
    /// What went wrong, in words.
    pub fn value(&self, engine: &Engine, names: &Value) -> Result<Value, String> {
        match &self.kind {
            Kind::Value(inner) => engine.value(inner, names),
            Kind::Expression => engine.value(&self.source, names),
            _ => self.fill(engine, names).map(Value::from),
        }
    }
}

/// One text or several. Each may turn out to be a list.
#[derive(Debug, Clone, Default)]
pub struct Texts(pub Vec<Text>);

impl Texts {
    /// All of them filled in; one that turns out empty is left out.
    ///
    /// # Errors
    /// What went wrong, in words.
    pub fn fill(&self, engine: &Engine, names: &Value) -> Result<Vec<String>, String> {
        let mut filled = Vec::new();
        for text in &self.0 {
            let texts = match text.is_shell() {
                true => vec![text.fill(engine, names)?],
                false => engine::texts(&text.value(engine, names)?)?,
            };
            filled.extend(texts.into_iter().filter(|text| !text.trim().is_empty()));
        }
        Ok(filled)
    }
}

/// A value in which texts are filled in, wherever they stand.
#[derive(Debug, Clone)]
pub enum Data {
    /// A text.
    Text(Text),
    /// A list.
    List(Vec<Data>),
    /// A table.
    Table(Vec<(String, Data)>),
    /// A number, or yes or no.
    Plain(serde_json::Value),
}

impl Data {
    /// It filled in.
    ///
    /// # Errors
    /// What went wrong, in words.
    pub fn fill(&self, engine: &Engine, names: &Value) -> Result<Value, String> {
        match self {
            Data::Text(text) => text.value(engine, names),
            Data::List(items) => {
                items.iter().map(|item| item.fill(engine, names)).collect::<Result<Vec<_>, _>>().map(Value::from)
            }
            Data::Table(entries) => {
                let entries = entries.iter().map(|(key, data)| Ok((key.clone(), data.fill(engine, names)?)));
                Ok(Value::from_pairs(entries.collect::<Result<Vec<_>, String>>()?))
            }
            Data::Plain(value) => Ok(engine::value_of(value)),
        }
    }

    /// Its value, where nothing is to be filled in.
    pub(super) fn known(&self) -> Option<serde_json::Value> {
        match self {
            Data::Text(text) => text.is_plain().then(|| text.source().into()),
            Data::List(items) => items.iter().map(Data::known).collect(),
            Data::Table(entries) => entries.iter().map(|(key, data)| Some((key.clone(), data.known()?))).collect(),
            Data::Plain(value) => Some(value.clone()),
        }
    }

    /// The texts in it.
    pub fn texts(&self) -> Vec<&Text> {
        match self {
            Data::Text(text) => vec![text],
            Data::List(items) => items.iter().flat_map(Data::texts).collect(),
            Data::Table(entries) => entries.iter().flat_map(|(_, data)| data.texts()).collect(),
            Data::Plain(_) => Vec::new(),
        }
    }
}
