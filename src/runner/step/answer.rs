//! What is read out of what an agent has answered: values, words, and verdicts.

use crate::model::run::ReviewVerdict;
use serde_json::Value;

/// The verdict in the words of the schema that a reviewer is given.
pub(super) fn verdict_of(said: Option<&Value>) -> Option<(ReviewVerdict, String)> {
    let said = said?;
    let word = said["verdict"].as_str()?;
    let verdict = ReviewVerdict::ALL.iter().find(|verdict| verdict.as_str() == word)?;
    Some((*verdict, said["notes"].as_str().unwrap_or_default().to_owned()))
}

/// A text as the value that it is: JSON, or else a word.
pub(super) fn as_it_is(text: &str) -> Value {
    serde_json::from_str(text.trim()).unwrap_or_else(|_| Value::String(text.trim().to_owned()))
}

/// The verdict of a reviewer that ends with the word alone, on a line of its own.
pub(super) fn last_word_of(text: &str) -> Option<(ReviewVerdict, String)> {
    let (notes, word) = text.trim().rsplit_once('\n').unwrap_or(("", text.trim()));
    let word = word.trim_matches(|letter: char| !letter.is_alphanumeric()).to_lowercase();
    let verdict = ReviewVerdict::ALL.iter().find(|verdict| verdict.as_str() == word)?;
    Some((*verdict, notes.trim().to_owned()))
}

/// The last JSON object or array in a text: models like to say something before it, and put it into a code block.
pub(super) fn last_value(text: &str) -> Option<Value> {
    let starts = text.match_indices(['{', '[']).map(|(at, _)| at);
    let mut found: Option<(usize, Value)> = None;
    for at in starts {
        // What begins inside of one that was found is a part of it.
        if found.as_ref().is_some_and(|(end, _)| at < *end) {
            continue;
        }
        let mut values = serde_json::Deserializer::from_str(&text[at..]).into_iter::<Value>();
        if let Some(Ok(value)) = values.next() {
            found = Some((at + values.byte_offset(), value));
        }
    }
    found.map(|(_, value)| value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_value_of_an_answer_counts() {
        let text = "I looked at {this} and [1].\n```json\n{\"verdict\": \"minor\", \"notes\": \"a } b\", \"of\": [1, {}]}\n```\nDone.";
        let value = last_value(text).expect("a value");
        assert_eq!(verdict_of(Some(&value)), Some((ReviewVerdict::Minor, "a } b".into())));
        assert_eq!(last_value("nothing { here"), None);
    }

    #[test]
    fn a_verdict_may_be_the_last_word() {
        let told = |text| last_word_of(text).map(|(verdict, notes)| (verdict.as_str(), notes));
        assert_eq!(told("Looks good.\n\n**Pass**\n"), Some(("pass", "Looks good.".to_owned())));
        assert_eq!(told("wrong"), Some(("wrong", String::new())));
        assert_eq!(told("All tests pass"), None);
    }
}
