//! What a value has to be, in words for whoever is to give it.

use super::Form;

impl Form {
    /// What it has to be: the values themselves where they can be counted, as `ship|stop`. `None` where any text will do.
    pub fn wanted(&self) -> Option<String> {
        Some(match self {
            Form::Text => return None,
            Form::Boolean => "yes|no".to_owned(),
            Form::Word(words) => words.join("|"),
            Form::Integer => "a whole number".to_owned(),
            Form::Number => "a number".to_owned(),
            Form::Range(low, high) => format!("a number from {low} to {high}"),
            Form::List(_) => "a list, as JSON".to_owned(),
            Form::Table(fields) => {
                let keys: Vec<&str> = fields.keys().map(String::as_str).collect();
                format!("an object, as JSON, with {}", keys.join(", "))
            }
        })
    }
}
