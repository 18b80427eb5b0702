//! Putting a text together from files: `{% include "prompts/audit.md" %}`.
//!
//! It is done before the text is looked at, so that what is read in an included file is known like the rest, and what is
//! kept of a workflow needs no other file.

use std::path::{Component, Path};

/// The most files inside of each other, and the most bytes that come of it.
const MAX_DEPTH: usize = 5;
const MAX_BYTES: usize = 256 * 1024;

/// A text with everything in it.
#[derive(Debug)]
pub(super) struct Included {
    pub(super) text: String,
}

impl Included {
    /// `text` with what it includes, which `read` reads.
    ///
    /// # Errors
    /// When a file can't be had: where it is named, and why.
    pub(super) fn of(text: &str, read: &dyn Fn(&str) -> Result<String, String>) -> Result<Included, (usize, String)> {
        Ok(Included { text: expand(text, read, 0)? })
    }
}

fn expand(text: &str, read: &dyn Fn(&str) -> Result<String, String>, depth: usize) -> Result<String, (usize, String)> {
    let (mut out, mut rest, mut at) = (String::new(), text, 0);
    while let Some(begin) = rest.find("{%") {
        let tag = &rest[begin..];
        let Some(end) = tag.find("%}") else { break };
        let inner = tag[2..end].trim_matches(['-', '+']).trim();
        out.push_str(&rest[..begin]);
        match inner.strip_prefix("include").filter(|name| !name.starts_with(|c: char| c.is_alphanumeric() || c == '_'))
        {
            Some(name) => {
                let included = one(name.trim(), read, depth).map_err(|why| (at + begin, why))?;
                out.push_str(included.trim_end_matches('\n'));
                if out.len() > MAX_BYTES {
                    return Err((at + begin, format!("with what it includes it has more than {MAX_BYTES} bytes")));
                }
            }
            None => out.push_str(&tag[..end + 2]),
        }
        at += begin + end + 2;
        rest = &tag[end + 2..];
    }
    out.push_str(rest);
    Ok(out)
}

fn one(name: &str, read: &dyn Fn(&str) -> Result<String, String>, depth: usize) -> Result<String, String> {
    let quoted = |mark: char| name.strip_prefix(mark).and_then(|name| name.strip_suffix(mark));
    let path = quoted('"').or_else(|| quoted('\'')).filter(|path| !path.contains(['"', '\'']));
    let path = path
        .ok_or_else(|| format!("include takes one file, as in {{% include \"prompts/audit.md\" %}}, and not {name}"))?;
    check_inside(path)?;
    if depth >= MAX_DEPTH {
        return Err(format!("{path} is included more than {MAX_DEPTH} deep"));
    }
    let text = read(path).map_err(|why| format!("{path} can't be included: {why}"))?;
    expand(&text, read, depth + 1).map_err(|(_, why)| why)
}

fn check_inside(path: &str) -> Result<(), String> {
    let is_inside = Path::new(path).components().all(|part| matches!(part, Component::Normal(_)));
    if !is_inside || path.is_empty() || path.contains('\\') {
        return Err(format!("{path} is no path inside the folder of the workflow"));
    }
    Ok(())
}

/// The JSON Schema in a file of the folder.
///
/// # Errors
/// When there is none.
pub(super) fn schema_in(
    path: &str,
    read: &dyn Fn(&str) -> Result<String, String>,
) -> Result<serde_json::Value, String> {
    check_inside(path)?;
    serde_json::from_str(&read(path)?).map_err(|error| format!("it is no JSON: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_the_folder_are_put_in_and_no_others() {
        let read = |path: &str| match path {
            "a.md" => Ok("A {% include 'b/c.md' %}\n".to_owned()),
            "b/c.md" => Ok("C {{ item }}\n".to_owned()),
            "loop.md" => Ok("{% include 'loop.md' %}".to_owned()),
            _ => Err("there is none".to_owned()),
        };
        let text = |text: &str| Included::of(text, &read).map(|included| included.text);
        assert_eq!(text("x {%- include \"a.md\" -%} y {% if a %}"), Ok("x A C {{ item }} y {% if a %}".to_owned()));
        for (bad, told) in [
            ("{% include '../x' %}", "../x is no path inside the folder of the workflow"),
            ("{% include '/etc/passwd' %}", "/etc/passwd is no path inside the folder of the workflow"),
            ("{% include x %}", "include takes one file, as in {% include \"prompts/audit.md\" %}, and not x"),
            ("{% include 'no.md' %}", "no.md can't be included: there is none"),
            ("{% include 'loop.md' %}", "loop.md is included more than 5 deep"),
        ] {
            assert_eq!(text(bad), Err((0, told.to_owned())));
        }
    }
}
