//! Reading TOML so that whatever is wrong can be told with its place and with the word that was meant.

use super::text;
use std::{fmt, ops::Range, time::Duration};
use toml_edit::{Document, Item, TableLike, Value};

/// A value with its place in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct At<T> {
    /// The value.
    pub value: T,
    line: usize,
    column: usize,
}

impl<T> At<T> {
    /// That something is wrong with it.
    pub fn mistake(&self, message: impl Into<String>) -> Mistake {
        Mistake { line: self.line, column: self.column, message: message.into(), nearest: None }
    }

    /// The line it stands in, from 1.
    pub fn line(&self) -> usize {
        self.line
    }

    /// Another value at the same place.
    pub fn map<U>(self, into: impl FnOnce(T) -> U) -> At<U> {
        At { value: into(self.value), line: self.line, column: self.column }
    }
}

/// Something that is wrong in the file, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct Mistake {
    /// The line, from 1.
    pub line: usize,
    /// The character in it, from 1.
    pub column: usize,
    /// What is wrong.
    pub message: String,
    /// The word that was meant, perhaps.
    pub nearest: Option<String>,
}

impl Mistake {
    /// The same, with the one of `known` that is most like `word`.
    pub fn meaning<'k>(self, word: &str, known: impl IntoIterator<Item = &'k str>) -> Mistake {
        Mistake { nearest: text::nearest(word, known).map(str::to_owned), ..self }
    }
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.line, self.column, text::one_line(&self.message, 400))?;
        match &self.nearest {
            Some(nearest) => write!(f, "; did you mean '{nearest}'?"),
            None => Ok(()),
        }
    }
}

/// A file as it was read, for telling places in it.
#[derive(Debug)]
pub struct Source<'t> {
    text: &'t str,
    /// Where each line begins.
    lines: Vec<usize>,
}

impl<'t> Source<'t> {
    /// That of this text.
    pub fn new(text: &'t str) -> Self {
        let after = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at + 1);
        Source { text, lines: std::iter::once(0).chain(after).collect() }
    }

    /// The text.
    pub fn text(&self) -> &'t str {
        self.text
    }

    /// A value that stands at this byte.
    pub fn at<T>(&self, offset: usize, value: T) -> At<T> {
        let line = self.lines.partition_point(|start| *start <= offset).max(1);
        let before = self.text.get(self.lines[line - 1]..offset).unwrap_or_default();
        At { value, line, column: before.chars().count() + 1 }
    }

    /// What stands in it as TOML, with places.
    ///
    /// # Errors
    /// When it is no TOML.
    pub fn parse(&self) -> Result<Document<&'t str>, Mistake> {
        Document::parse(self.text).map_err(|error| {
            let offset = error.span().map_or(0, |span| span.start);
            self.at(offset, ()).mistake(format!("this is no TOML: {}", error.message().trim()))
        })
    }
}

/// One entry of a table: its name, and what is there.
#[derive(Clone, Copy)]
pub struct Entry<'t> {
    /// The whole file.
    source: &'t Source<'t>,
    /// The file itself has none.
    pub name: &'t str,
    item: Option<&'t Item>,
    table: Option<&'t dyn TableLike>,
    /// Where its name is.
    name_at: usize,
}

impl<'t> Entry<'t> {
    /// The file itself.
    pub fn root(source: &'t Source<'t>, item: &'t Item) -> Self {
        Entry::of(source, "", item, 0)
    }

    fn of(source: &'t Source<'t>, name: &'t str, item: &'t Item, name_at: usize) -> Self {
        Entry { source, name, item: Some(item), table: item.as_table_like(), name_at }
    }

    /// What is in it, which is a table. Every name is one of `known`.
    ///
    /// # Errors
    /// When it is no table, or has another name in it.
    pub fn table_of(self, known: &[&str]) -> Result<Vec<Entry<'t>>, Mistake> {
        let entries = self.table()?;
        match entries.iter().find(|entry| !known.contains(&entry.name)) {
            Some(odd) => {
                let whose = if self.name.is_empty() { String::new() } else { format!(" of {}", self.name) };
                Err(odd
                    .wrong(format!("there is no key '{}'{whose}", odd.name))
                    .meaning(odd.name, known.iter().copied()))
            }
            None => Ok(entries),
        }
    }

    /// What is in it, which is a table, whatever the names.
    ///
    /// # Errors
    /// When it is no table.
    pub fn table(self) -> Result<Vec<Entry<'t>>, Mistake> {
        let Some(table) = self.table else { return Err(self.wrong(format!("{} is no table", self.name))) };
        let entry = |(name, item): (&'t str, &'t Item)| {
            let name_at = table.key(name).and_then(|key| key.span()).or(item.span()).map_or(0, |span| span.start);
            Entry::of(self.source, name, item, name_at)
        };
        Ok(table.iter().map(entry).collect())
    }

    /// Whether it is a table.
    pub fn is_table(&self) -> bool {
        self.table.is_some()
    }

    /// The tables of a list of tables, `[[name]]`, in order.
    ///
    /// # Errors
    /// When it is something else.
    pub fn tables(self) -> Result<Vec<Entry<'t>>, Mistake> {
        let one = |table: &'t dyn TableLike, span: Option<Range<usize>>| Entry {
            name_at: span.map_or(self.name_at, |span| span.start),
            item: None,
            table: Some(table),
            ..self
        };
        let wrong = || self.wrong(format!("{0} has to be tables, each written as [[{0}]]", self.name));
        match self.item {
            Some(Item::ArrayOfTables(tables)) => Ok(tables.iter().map(|table| one(table, table.span())).collect()),
            Some(Item::Value(Value::Array(list))) => list
                .iter()
                .map(|value| value.as_inline_table().map(|table| one(table, table.span())).ok_or_else(wrong))
                .collect(),
            _ => Err(wrong()),
        }
    }

    /// Where its value is in the file, in bytes.
    pub fn span(&self) -> Range<usize> {
        self.item.and_then(Item::span).unwrap_or(self.name_at..self.name_at)
    }

    /// What the parser has for it; nothing for one of a list of tables.
    pub fn item(&self) -> Option<&'t Item> {
        self.item
    }

    /// The file it stands in.
    pub fn source(&self) -> &'t Source<'t> {
        self.source
    }

    /// That something is wrong with its name.
    pub fn wrong(&self, message: impl Into<String>) -> Mistake {
        self.source.at(self.name_at, ()).mistake(message)
    }

    /// Its name, with its place.
    pub fn named(&self) -> At<String> {
        self.source.at(self.name_at, self.name.to_owned())
    }

    /// The text that it is, which is not empty.
    ///
    /// # Errors
    /// When it is something else.
    pub fn text(&self) -> Result<At<String>, Mistake> {
        let value = self.value(|item| item.as_str(), "a text in quotes")?.map(str::to_owned);
        match value.value.trim() {
            "" => Err(value.mistake(format!("{} is empty", self.name))),
            _ => Ok(value),
        }
    }

    /// The texts that it is: a list, or a single one.
    ///
    /// # Errors
    /// When it is something else.
    pub fn texts(&self) -> Result<Vec<At<String>>, Mistake> {
        if self.item.is_some_and(Item::is_str) {
            return Ok(vec![self.text()?]);
        }
        let list = self.value(|item| item.as_array(), "a list of texts")?;
        if list.value.is_empty() {
            return Err(list.mistake(format!("{} is empty", self.name)));
        }
        let texts = list.value.iter().map(|value: &Value| {
            let place = self.source.at(value.span().map_or(self.name_at, |span| span.start), ());
            let text = value.as_str().filter(|text| !text.trim().is_empty());
            text.map(|text| place.clone().map(|()| text.to_owned())).ok_or_else(|| {
                place.mistake(format!("what is in the list {} has to be texts, none of them empty", self.name))
            })
        });
        texts.collect()
    }

    /// Whether it is `true`.
    ///
    /// # Errors
    /// When it is neither that nor `false`.
    pub fn boolean(&self) -> Result<bool, Mistake> {
        Ok(self.value(|item| item.as_bool(), "true or false")?.value)
    }

    /// A whole number that is at least 1.
    ///
    /// # Errors
    /// When it is something else.
    pub fn number(&self) -> Result<u64, Mistake> {
        let number = self.value(|item| item.as_integer(), "a whole number")?;
        u64::try_from(number.value)
            .ok()
            .filter(|number| *number > 0)
            .ok_or_else(|| number.mistake(format!("{} has to be at least 1", self.name)))
    }

    /// A duration such as `10m`.
    ///
    /// # Errors
    /// When it is something else.
    pub fn duration(&self) -> Result<At<Duration>, Mistake> {
        let text = self.text()?;
        match humantime::parse_duration(&text.value) {
            Ok(duration) => Ok(text.map(|_| duration)),
            Err(_) => Err(text.mistake(format!("{} has to be a duration such as \"30s\" or \"10m\"", self.name))),
        }
    }

    fn value<T>(&self, take: impl FnOnce(&'t Item) -> Option<T>, wanted: &str) -> Result<At<T>, Mistake> {
        let place = self.source.at(self.span().start, ());
        match self.item.and_then(take) {
            Some(value) => Ok(place.map(|()| value)),
            None => Err(place.mistake(format!("{} has to be {wanted}", self.name))),
        }
    }
}
