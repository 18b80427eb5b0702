//! Reading TOML so that whatever is wrong can be told with its place and with the word that was meant.

use crate::base::text;
use std::{fmt, ops::Range, time::Duration};
use toml_edit::{Item, TableLike, Value};

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

    fn map<U>(self, into: impl FnOnce(T) -> U) -> At<U> {
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

/// One entry of a table: its name, and what is there.
#[derive(Clone, Copy)]
pub(super) struct Entry<'t> {
    /// The whole file.
    text: &'t str,
    /// The file itself has none.
    pub(super) name: &'t str,
    item: &'t Item,
    /// Where its name is.
    name_at: usize,
}

impl<'t> Entry<'t> {
    /// The file itself.
    pub(super) fn root(text: &'t str, item: &'t Item) -> Self {
        Entry { text, name: "", item, name_at: 0 }
    }

    /// What is in it, which is a table. Every name is one of `known`.
    pub(super) fn table_of(self, known: &[&str]) -> Result<Vec<Entry<'t>>, Mistake> {
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
    pub(super) fn table(self) -> Result<Vec<Entry<'t>>, Mistake> {
        let table: &'t dyn TableLike = match self.item.as_table_like() {
            Some(table) => table,
            None => return Err(self.wrong(format!("{} is no table", self.name))),
        };
        let entry = |(name, item): (&'t str, &'t Item)| {
            let name_at = table.key(name).and_then(|key| key.span()).or(item.span()).map_or(0, |span| span.start);
            Entry { text: self.text, name, item, name_at }
        };
        Ok(table.iter().map(entry).collect())
    }

    /// Whether it is a table.
    pub(super) fn is_table(&self) -> bool {
        self.item.is_table_like()
    }

    /// That something is wrong with its name.
    pub(super) fn wrong(&self, message: impl Into<String>) -> Mistake {
        at(self.text, self.name_at, ()).mistake(message)
    }

    /// Its name, with its place.
    pub(super) fn named(&self) -> At<String> {
        at(self.text, self.name_at, self.name.to_owned())
    }

    /// The text that it is, which is not empty.
    pub(super) fn text(&self) -> Result<At<String>, Mistake> {
        let value = self.value(|item| item.as_str(), "a text in quotes")?.map(str::to_owned);
        match value.value.trim() {
            "" => Err(value.mistake(format!("{} is empty", self.name))),
            _ => Ok(value),
        }
    }

    /// The texts that it is: a list, or a single one.
    pub(super) fn texts(&self) -> Result<Vec<At<String>>, Mistake> {
        if self.item.is_str() {
            return Ok(vec![self.text()?]);
        }
        let list = self.value(|item| item.as_array(), "a list of texts")?;
        if list.value.is_empty() {
            return Err(list.mistake(format!("{} is empty", self.name)));
        }
        let texts = list.value.iter().map(|value: &Value| {
            let place = at(self.text, value.span().map_or(self.name_at, |span| span.start), ());
            let text = value.as_str().filter(|text| !text.trim().is_empty());
            text.map(|text| place.clone().map(|()| text.to_owned())).ok_or_else(|| {
                place.mistake(format!("what is in the list {} has to be texts, none of them empty", self.name))
            })
        });
        texts.collect()
    }

    pub(super) fn boolean(&self) -> Result<bool, Mistake> {
        Ok(self.value(|item| item.as_bool(), "true or false")?.value)
    }

    /// A whole number that is at least 1.
    pub(super) fn number(&self) -> Result<u64, Mistake> {
        let number = self.value(|item| item.as_integer(), "a whole number")?;
        u64::try_from(number.value)
            .ok()
            .filter(|number| *number > 0)
            .ok_or_else(|| number.mistake(format!("{} has to be at least 1", self.name)))
    }

    /// A duration such as `10m`.
    pub(super) fn duration(&self) -> Result<At<Duration>, Mistake> {
        let text = self.text()?;
        match humantime::parse_duration(&text.value) {
            Ok(duration) => Ok(text.map(|_| duration)),
            Err(_) => Err(text.mistake(format!("{} has to be a duration such as \"30s\" or \"10m\"", self.name))),
        }
    }

    fn value<T>(&self, take: impl FnOnce(&'t Item) -> Option<T>, wanted: &str) -> Result<At<T>, Mistake> {
        let place = at(self.text, self.item.span().map_or(self.name_at, |span| span.start), ());
        match take(self.item) {
            Some(value) => Ok(place.map(|()| value)),
            None => Err(place.mistake(format!("{} has to be {wanted}", self.name))),
        }
    }
}

/// What a parser has to say.
pub(super) fn misread(text: &str, span: Option<Range<usize>>, message: &str) -> Mistake {
    at(text, span.map_or(0, |span| span.start), ()).mistake(format!("this is no TOML: {}", message.trim()))
}

fn at<T>(text: &str, offset: usize, value: T) -> At<T> {
    let before = text.get(..offset).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    At { value, line, column }
}
