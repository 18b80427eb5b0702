//! Where in a line of shell a piece of text ends up.
//!
//! A value that is put into a command is quoted, which holds only where the shell reads words. Inside of quotes that the
//! author wrote, in backticks, in a comment or in a here-document the quotes would be letters, and the value would be read
//! as a command. So such a place is refused before anything runs.

/// How far the shell has read.
#[derive(Debug, Default)]
pub(super) struct Quoting {
    open: Vec<Open>,
    /// The last character of a word, for what begins a comment.
    last: Option<char>,
    is_escaped: bool,
    has_document: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Open {
    Single,
    Double,
    Backtick,
    Comment,
    /// `$(` or `(`, in which words are read anew.
    Parenthesis,
    /// `${`, in which a value is none.
    Brace,
}

impl Quoting {
    /// Reads on, over text of the author.
    pub(super) fn feed(&mut self, text: &str) {
        let mut characters = text.chars().peekable();
        while let Some(c) = characters.next() {
            if std::mem::take(&mut self.is_escaped) {
                self.last = Some(c);
                continue;
            }
            let top = self.open.last().copied();
            match (top, c) {
                (Some(Open::Single), '\'') | (Some(Open::Double), '"') | (Some(Open::Backtick), '`') => {
                    self.open.pop();
                }
                (Some(Open::Comment), '\n') => {
                    self.open.pop();
                }
                (Some(Open::Single | Open::Comment), _) => {}
                (_, '\\') => self.is_escaped = true,
                (_, '$') if characters.peek() == Some(&'(') => {
                    characters.next();
                    self.open.push(Open::Parenthesis);
                    self.last = None;
                    continue;
                }
                (_, '$') if characters.peek() == Some(&'{') => {
                    characters.next();
                    self.open.push(Open::Brace);
                }
                (Some(Open::Brace), '}') => {
                    self.open.pop();
                }
                (_, '`') => self.open.push(Open::Backtick),
                (Some(Open::Double), _) => {}
                (_, '"') => self.open.push(Open::Double),
                (Some(Open::Brace), _) => {}
                (_, '\'') => self.open.push(Open::Single),
                (_, '(') => self.open.push(Open::Parenthesis),
                (Some(Open::Parenthesis), ')') => {
                    self.open.pop();
                }
                (_, '#') if self.last.is_none_or(|last| last.is_whitespace() || ";&|(".contains(last)) => {
                    self.open.push(Open::Comment);
                }
                (_, '<') if self.last == Some('<') => self.has_document = true,
                _ => {}
            }
            self.last = Some(c);
        }
    }

    /// A value is put in here. Tells whether that is no place for one.
    pub(super) fn put_value(&mut self) -> bool {
        let is_bad = self.has_document
            || self.is_escaped
            || self.open.iter().any(|open| *open == Open::Backtick)
            || matches!(self.open.last(), Some(Open::Single | Open::Double | Open::Comment | Open::Brace));
        self.last = Some('x');
        is_bad
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_may_stand_only_where_words_are_read() {
        for good in
            ["git commit -m ", "test \"$(./x.sh)\" = ", "a 'b' \"c\" ", "\"$(cat ", "echo a#", "# x\n", "echo \\\" "]
        {
            let mut quoting = Quoting::default();
            quoting.feed(good);
            assert!(!quoting.put_value(), "{good}");
        }
        for bad in ["echo \"", "sh -c '", "echo `x ", "true # ", "cat <<END\n", "\"$(cat \"", "${x:-", "echo \\"] {
            let mut quoting = Quoting::default();
            quoting.feed(bad);
            assert!(quoting.put_value(), "{bad}");
        }
    }
}
