//! Hygiene for text that somebody else wrote. Whatever comes out of a record, a repository or an agent passes here
//! before it meets a terminal, so that it can't move the cursor, hide itself, or turn the reading direction round.

use std::cmp::Ordering;

/// `text` with every character that a terminal would act on made visible, and cut after `max` characters.
/// Line breaks count as such characters: the result is one line.
pub fn one_line(text: &str, max: usize) -> String {
    clip(&escape(text, false), max)
}

/// Like [`one_line`], but line breaks and tabs stay.
pub fn block(text: &str, max: usize) -> String {
    clip(&escape(text, true), max)
}

fn escape(text: &str, keep_lines: bool) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' | '\t' if keep_lines => out.push(c),
            c if acts_on_terminal(c) => out.extend(c.escape_default()),
            c => out.push(c),
        }
    }
    out
}

/// Control characters, bidirectional overrides, zero-width and other invisible ones.
/// <https://www.unicode.org/reports/tr36/> (UTR 36, section 3.8) names those that mislead a reader.
pub fn acts_on_terminal(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
}

fn clip(text: &str, max: usize) -> String {
    match text.char_indices().nth(max) {
        None => text.to_owned(),
        Some((at, _)) => format!("{}…", &text[..at]),
    }
}

/// The beginning of `text`, of at most `max` bytes.
pub fn head(text: &str, max: usize) -> &str {
    &text[..text.floor_char_boundary(max)]
}

/// The end of `text`, of at most `max` bytes.
pub fn tail(text: &str, max: usize) -> &str {
    &text[text.ceil_char_boundary(text.len().saturating_sub(max))..]
}

/// Bytes as hex digits.
pub fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut out, byte| {
        let _ = write!(out, "{byte:02x}");
        out
    })
}

/// The order in which a reader expects names: numbers in them count as numbers, so that `a/2` comes before `a/10`.
pub fn in_order(a: &str, b: &str) -> Ordering {
    let (mut a, mut b) = (a, b);
    loop {
        let (digits_a, digits_b) = (digits(a), digits(b));
        let (part_a, part_b) = match (digits_a, digits_b) {
            (0, _) | (_, 0) => (a.chars().next().map_or(0, char::len_utf8), b.chars().next().map_or(0, char::len_utf8)),
            both => both,
        };
        let (one, other) = (&a[..part_a], &b[..part_b]);
        let order = match (digits_a, digits_b) {
            (0, _) | (_, 0) => one.cmp(other),
            _ => {
                let (one, other) = (one.trim_start_matches('0'), other.trim_start_matches('0'));
                (one.len(), one, part_a).cmp(&(other.len(), other, part_b))
            }
        };
        if order != Ordering::Equal || one.is_empty() {
            return order;
        }
        (a, b) = (&a[part_a..], &b[part_b..]);
    }
}

/// How many digits a text begins with.
fn digits(text: &str) -> usize {
    text.bytes().take_while(u8::is_ascii_digit).count()
}

/// The one of `known` that is spelled most like `word`, if any is much like it: what was meant, perhaps.
pub fn nearest<'k>(word: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    let word = word.to_lowercase();
    let likeness = |known: &str| {
        let known = known.to_lowercase();
        // In a short word one slip is much of it.
        let slip = if strsim::damerau_levenshtein(&known, &word) <= 1 { 0.9 } else { 0.0 };
        strsim::jaro_winkler(&known, &word).max(slip)
    };
    let nearest = known.into_iter().max_by(|a, b| likeness(a).total_cmp(&likeness(b)))?;
    (likeness(nearest) > 0.8).then_some(nearest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_in_names_count_as_numbers() {
        let sorted = ["", "a", "a/1", "a/2", "a/2/b", "a/02", "a/10", "a/10/9", "a/x", "b", "b1", "ä2", "ä10"];
        let mut names = sorted;
        names.reverse();
        names.sort_by(|a, b| in_order(a, b));
        assert_eq!(names, sorted);
        assert_eq!(in_order("a/007", "a/007"), Ordering::Equal);
    }

    #[test]
    fn a_slip_is_known_for_what_it_is_and_another_word_is_not() {
        let known = ["lint", "build", "test"];
        assert_eq!(nearest("tset", known), Some("test"));
        assert_eq!(nearest("Biuld", known), Some("build"));
        assert_eq!(nearest("rnu", ["run", "timeout"]), Some("run"));
        assert_eq!(nearest("deploy", known), None);
    }

    #[test]
    fn a_terminal_sees_no_escape_and_no_override() {
        assert_eq!(one_line("a\u{1b}[31mb\nc\u{202e}d", 80), r"a\u{1b}[31mb\nc\u{202e}d");
        assert_eq!(block("a\tb\nc\rd", 80), "a\tb\nc\\rd");
    }

    #[test]
    fn long_text_is_cut_and_says_so() {
        assert_eq!(one_line("héllo", 3), "hél…");
        assert_eq!(one_line("héllo", 5), "héllo");
        assert_eq!((head("héllo", 2), tail("héllo", 4), head("hé", 9), tail("hé", 9)), ("h", "llo", "hé", "hé"));
    }
}
