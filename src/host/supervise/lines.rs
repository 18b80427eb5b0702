//! Lines out of pieces, each only as long as it may be.

/// The most bytes that a line may have.
const MAX_LINE: usize = 1024 * 1024;

/// Room that is kept for the next line when one was longer.
const ROOM: usize = 64 * 1024;

/// A line.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line<'a> {
    /// All of it, with its end if it has one.
    Whole(&'a [u8]),
    /// There was one that is too long.
    TooLong,
}

/// What is known of the line that has not ended yet.
#[derive(Debug, Default)]
pub(super) struct Lines {
    open: Vec<u8>,
    is_too_long: bool,
}

impl Lines {
    /// Takes a piece, and hands on the lines that end in it.
    pub(super) fn feed(&mut self, bytes: &[u8], take: &mut dyn FnMut(Line<'_>)) {
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            if self.open.len() + part.len() > MAX_LINE {
                self.is_too_long = true;
                self.open = Vec::new();
            }
            if !self.is_too_long {
                self.open.extend_from_slice(part);
            }
            if part.ends_with(b"\n") {
                self.end(take);
            }
        }
    }

    /// Ends the line, and hands it on.
    pub(super) fn end(&mut self, take: &mut dyn FnMut(Line<'_>)) {
        if std::mem::take(&mut self.is_too_long) {
            take(Line::TooLong);
        } else if !self.open.is_empty() {
            take(Line::Whole(&self.open));
        }
        self.open.clear();
        self.open.shrink_to(ROOM);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(pieces: &[&[u8]]) -> Vec<String> {
        let (mut lines, mut found) = (Lines::default(), Vec::new());
        let mut take = |line: Line<'_>| {
            found.push(match line {
                Line::Whole(bytes) => String::from_utf8_lossy(bytes).into_owned(),
                Line::TooLong => "too long".into(),
            });
        };
        pieces.iter().for_each(|piece| lines.feed(piece, &mut take));
        lines.end(&mut take);
        found
    }

    #[test]
    fn pieces_end_anywhere() {
        assert_eq!(lines(&[b"a\nb", b"c\n\nd", b"", b"e"]), ["a\n", "bc\n", "\n", "de"]);
        assert_eq!(lines(&[]), [""; 0]);
    }

    #[test]
    fn a_line_without_end_is_left_out_and_the_next_is_not() {
        let much = vec![b'x'; MAX_LINE];
        assert_eq!(lines(&[b"a\n", &much, &much, b"x\nb\n"]), ["a\n", "too long", "b\n"]);
        assert_eq!(lines(&[&much]), [String::from_utf8_lossy(&much)]);
    }
}
