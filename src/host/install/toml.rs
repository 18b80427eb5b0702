//! Our keys in TOML that is the user's: order, comments and layout stay theirs.

use toml_edit::{DocumentMut, Item, Table, TableLike};

/// `text` with all of `template` in it. What is there already stays as it is.
///
/// # Errors
/// What is wrong with `text`, and where.
pub(super) fn with(text: &str, template: &str) -> Result<String, String> {
    let (mut document, template) = (parse(text)?, parse(template)?);
    let before = document.to_string();
    merge(document.as_table_mut(), template.as_table(), false, "")?;
    let after = document.to_string();
    Ok(if after == before { text.to_owned() } else { as_lines_of(text, after) })
}

/// `text` without what came from `template`, where `was` is what there was before it came. `None` where there is nothing
/// of ours in it, or where it can't be read any more.
pub(super) fn without(text: &str, template: &str, was: Option<&str>) -> Option<String> {
    let (mut document, template) = (parse(text).ok()?, parse(template).ok()?);
    let was = was.and_then(|was| parse(was).ok());
    let before = document.to_string();
    take_out(document.as_table_mut(), template.as_table(), was.as_ref().map(|was| was.as_table() as &dyn TableLike));
    let rest = document.to_string();
    (rest != before).then(|| as_lines_of(text, rest))
}

fn parse(text: &str) -> Result<DocumentMut, String> {
    text.parse().map_err(|error: toml_edit::TomlError| {
        let line = error.span().map_or(1, |span| text[..span.start.min(text.len())].matches('\n').count() + 1);
        format!("it is no valid TOML: {} on line {line}", error.message())
    })
}

/// What was added ends its lines as the others do.
fn as_lines_of(text: &str, changed: String) -> String {
    match text.contains("\r\n") {
        true => changed.replace("\r\n", "\n").replace('\n', "\r\n"),
        false => changed,
    }
}

/// Puts the keys of `template` into `table`, which is at the path `at`. In one that stands on a single line no table of
/// many lines can stand.
fn merge(table: &mut dyn TableLike, template: &dyn TableLike, is_inline: bool, at: &str) -> Result<(), String> {
    for (key, ours) in template.iter() {
        let at = if at.is_empty() { key.to_owned() } else { format!("{at}.{key}") };
        match (table.get_mut(key), ours.as_table_like()) {
            (None, _) => {
                let ours = if is_inline { inline(ours) } else { fresh(ours) };
                table.insert(key, ours);
            }
            (Some(theirs), Some(ours)) if !is_entry(ours) => {
                let is_inline = theirs.is_inline_table();
                let theirs = theirs.as_table_like_mut().ok_or_else(|| format!("{at} in it is no table"))?;
                merge(theirs, ours, is_inline, &at)?;
            }
            // What the user has settled stays so.
            (Some(_), _) => {}
        }
    }
    Ok(())
}

fn take_out(table: &mut dyn TableLike, template: &dyn TableLike, was: Option<&dyn TableLike>) {
    for (key, ours) in template.iter() {
        let was = was.and_then(|was| was.get(key));
        let Some(theirs) = table.get_mut(key) else { continue };
        let goes = match (ours.as_table_like(), theirs.as_table_like_mut()) {
            (Some(ours), Some(theirs)) if is_entry(ours) => {
                let program = |table: &dyn TableLike| table.get("command").and_then(Item::as_str).map(str::to_owned);
                program(theirs) == program(ours)
            }
            (Some(ours), Some(theirs)) => {
                take_out(theirs, ours, was.and_then(Item::as_table_like));
                theirs.is_empty()
            }
            _ => theirs.to_string().trim() == ours.to_string().trim(),
        };
        if goes && was.is_none() {
            table.remove(key);
        }
    }
}

/// Whether this table holds one thing, which is there as a whole or not at all: a server and how it is started.
fn is_entry(table: &dyn TableLike) -> bool {
    table.contains_key("command")
}

/// The same without the place and the blank lines that it has in the template.
fn fresh(item: &Item) -> Item {
    let Some(template) = item.as_table() else { return item.clone() };
    let mut table = Table::new();
    table.set_implicit(template.is_implicit());
    template.iter().for_each(|(key, item)| drop(table.insert(key, fresh(item))));
    Item::Table(table)
}

fn inline(item: &Item) -> Item {
    item.clone().into_value().map_or_else(|item| item, Item::Value)
}

#[cfg(test)]
mod tests;
