//! What of a file is ours, how it gets in, and how it comes out again.

use super::{json, markdown, shell, toml};
use serde::{Deserialize, Serialize};

/// What of a file is ours.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Part {
    /// A block in a shell script, between markers.
    #[default]
    Shell,
    /// A block in a text for agents, between markers.
    Markdown,
    /// Keys and elements of JSON.
    Json {
        /// All of ours, as it was put in: another version of us may have to take it out.
        template: String,
        /// What whoever reads the file takes besides.
        #[serde(default)]
        dialect: Dialect,
    },
    /// Keys of TOML.
    Toml {
        /// All of ours, as it was put in.
        template: String,
    },
    /// All of it.
    Whole {
        /// The file.
        template: String,
    },
}

/// What a reader of JSON takes beside what the standard has. One that finds what it doesn't take passes the whole file
/// over, fences and all.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Dialect {
    /// Nothing.
    Standard,
    /// Comments.
    Comments,
    /// Comments, and commas after the last of several.
    #[default]
    Lenient,
}

/// What is left of a file without our part.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Rest {
    /// All of it: nothing of ours was found.
    Untouched,
    /// Nothing that means anything.
    Nothing,
    /// This.
    Text(Vec<u8>),
}

impl Part {
    /// The text of a file that has our part in it, where `text` is what is there. It is `text` itself where ours is in
    /// place.
    ///
    /// # Errors
    /// What is wrong with `text`, and where.
    pub(in crate::host) fn put_into(&self, text: &str) -> Result<String, String> {
        match self {
            Part::Markdown => Ok(markdown::with_block(text)),
            // A file that holds nothing is as good as none.
            Part::Json { template, .. } | Part::Toml { template } if text.trim().is_empty() => Ok(template.clone()),
            Part::Json { template, dialect } => json::with(text, template, *dialect),
            Part::Toml { template } => toml::with(text, template),
            Part::Whole { template } => Ok(template.clone()),
            // Which block that is, and where it may go, only hooks know.
            Part::Shell => Ok(text.to_owned()),
        }
    }

    /// Why whoever reads the file gets nothing out of `text`, if it doesn't.
    pub(in crate::host) fn unreadable(&self, text: &str) -> Option<String> {
        match self {
            Part::Json { dialect, .. } => json::unreadable(text, *dialect),
            _ => None,
        }
    }

    /// What is left of `now` without our part, where `was` is what there was before it came.
    pub(super) fn without(&self, now: &[u8], was: Option<&[u8]>) -> Rest {
        let text = |bytes| std::str::from_utf8(bytes).ok();
        let rest = match (self, text(now)) {
            (Part::Shell, _) => return shell::without_block(now).map_or(Rest::Untouched, Rest::Text),
            (_, None) => None,
            (Part::Markdown, Some(now)) => markdown::without_block(now, was.and_then(text)),
            (Part::Json { template, .. }, Some(now)) => json::without(now, template, was.and_then(text)),
            (Part::Toml { template }, Some(now)) => toml::without(now, template, was.and_then(text)),
            (Part::Whole { template }, Some(now)) => (now == template).then(String::new),
        };
        match rest {
            None => Rest::Untouched,
            Some(rest) if rest.trim().is_empty() => Rest::Nothing,
            Some(rest) => Rest::Text(rest.into_bytes()),
        }
    }
}
