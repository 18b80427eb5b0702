//! The names of files, as templates read them: texts, but for one that is no UTF-8. Such a name reads as its
//! [`encoded`](RepoPath::encoded) form, which may be that of another file, and only a line of shell can say which is meant. So
//! the form is marked, and whatever templates make of it as well: it is good for whoever reads, and refused where the very file
//! is meant.

use crate::base::path::RepoPath;
use minijinja::value::{Object, ObjectRepr, Value};
use std::{
    fmt::{self, Write as _},
    sync::Arc,
};

/// What stands for each `%` of the form as long as templates have it. The first of it is no character, and in no text.
const MARK: &str = "\u{fdd0}%";

/// Why such a name is refused.
const REFUSED: &str = "the name of a file is no UTF-8: only a line of shell can take it, as it is or in a list of names; rename \
                       the file";

/// A name that is no UTF-8.
#[derive(Debug)]
struct Odd(RepoPath);

impl Object for Odd {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.encoded().replace('%', MARK))
    }
}

/// The names of files as a list.
pub fn values(files: &[RepoPath]) -> Value {
    let value = |file: &RepoPath| match std::str::from_utf8(file.as_bytes()) {
        Ok(name) => Value::from(name),
        Err(_) => Value::from_object(Odd(file.clone())),
    };
    files.iter().map(value).collect()
}

/// A text that was filled in, for whoever reads it.
pub fn readable(text: String) -> String {
    if text.contains(MARK) { text.replace(MARK, "%") } else { text }
}

/// The same, for one that may take it for the name of a file.
///
/// # Errors
/// When there is of such a name in it.
pub(super) fn exact(text: String) -> Result<String, String> {
    if text.contains(MARK) { Err(REFUSED.to_owned()) } else { Ok(text) }
}

/// A value as it is kept and read again.
///
/// # Errors
/// When there is of such a name in it, or it is no JSON.
pub fn kept(value: &Value) -> Result<serde_json::Value, String> {
    let kept = serde_json::to_value(value).map_err(|error| error.to_string())?;
    if is_marked(&kept) { Err(REFUSED.to_owned()) } else { Ok(kept) }
}

/// A value for whoever reads it, and who is the last to do so.
pub fn told(value: &Value) -> serde_json::Value {
    unmarked(serde_json::to_value(value).unwrap_or_default())
}

fn unmarked(value: serde_json::Value) -> serde_json::Value {
    match value {
        serde_json::Value::String(text) => readable(text).into(),
        serde_json::Value::Array(items) => items.into_iter().map(unmarked).collect(),
        serde_json::Value::Object(entries) => {
            entries.into_iter().map(|(key, of)| (readable(key), unmarked(of))).collect()
        }
        other => other,
    }
}

fn is_marked(value: &serde_json::Value) -> bool {
    match value {
        serde_json::Value::String(text) => text.contains(MARK),
        serde_json::Value::Array(items) => items.iter().any(is_marked),
        serde_json::Value::Object(entries) => entries.iter().any(|(key, of)| key.contains(MARK) || is_marked(of)),
        _ => false,
    }
}

/// The name as one that asks for a text gets it, where it is one that is no UTF-8.
pub(super) fn text(value: &Value) -> Option<String> {
    value.downcast_object_ref::<Odd>().map(|odd| odd.0.encoded())
}

/// The name as a word of a line of shell, where it is one that is no UTF-8: the line is a text, so that the shell makes the
/// bytes itself.
///
/// # Errors
/// When it ends with what the shell would leave out.
pub(super) fn word(value: &Value) -> Option<Result<String, String>> {
    let name = value.downcast_object_ref::<Odd>()?.0.as_bytes();
    if name.ends_with(b"\n") {
        return Some(Err("a name of a file is no UTF-8 and ends with a line break: rename the file".into()));
    }
    let mut word = "\"$(printf '".to_owned();
    for byte in name {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'.' | b'_' => word.push(char::from(*byte)),
            other => drop(write!(word, "\\{other:03o}")),
        }
    }
    Some(Ok(word + "')\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_a_text_and_in_a_line_of_shell_the_very_bytes_of_it() {
        let named = |name: &[u8]| RepoPath::from_bytes(name).expect("a path");
        let odd = b"-o%d \xff'\"$x`\\n%41/\xc3\n(";
        let files = values(&[named(b"plain \xc3\xa4"), named(odd), named(b"\xff\n")]);
        let names: Vec<Value> = files.try_iter().expect("a list").collect();
        assert!(names[0].as_str() == Some("plain ä") && word(&names[0]).is_none());
        let encoded = named(odd).encoded();
        assert_eq!((text(&names[1]), readable(names[1].to_string())), (Some(encoded.clone()), encoded));
        assert_eq!(kept(&files), Err(REFUSED.into()));
        assert_eq!(told(&files)[1], named(odd).encoded());
        assert_eq!(kept(&names[0]).expect("a text"), "plain ä");
        assert_eq!(
            word(&names[1]).expect("odd").expect("a word"),
            r#""$(printf '\055o\045d\040\377\047\042\044x\140\134n\04541/\303\012\050')""#
        );
        assert!(word(&names[2]).expect("odd").is_err());
    }
}
