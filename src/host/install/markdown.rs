//! Our block in a text that agents read: CLAUDE.md, AGENTS.md, GEMINI.md.

/// The block, with its markers.
const BLOCK: &str = include_str!("../../../hooks/instructions.md");

const BEGIN: &str = "<!-- git-aio: begin";
const END: &str = "<!-- git-aio: end -->";

/// `text` with our block in it: where an older one stands, or at the end.
pub(super) fn with_block(text: &str) -> String {
    let ends = if text.contains("\r\n") { "\r\n" } else { "\n" };
    let block = BLOCK.replace('\n', ends);
    match find_block(text) {
        Some((from, to)) => {
            let block = if text[..to].ends_with('\n') { &block } else { block.trim_end() };
            [&text[..from], block, &text[to..]].concat()
        }
        None if text.trim().is_empty() => block,
        None => {
            let end_of_line = if text.ends_with('\n') { "" } else { ends };
            [text, end_of_line, ends, &block].concat()
        }
    }
}

/// `text` without our block, where `was` is what there was before it came; `None` where it isn't in there.
pub(super) fn without_block(text: &str, was: Option<&str>) -> Option<String> {
    let (from, to) = find_block(text)?;
    let (head, tail) = (&text[..from], &text[to..]);
    if !tail.is_empty() {
        return Some([head, tail].concat());
    }
    // At the end of the text our block has a blank line before it, and the text may not have had an end of its own.
    let meant = head.trim_end_matches(['\r', '\n']);
    match was {
        Some(was) if was.trim_end_matches(['\r', '\n']) == meant => Some(was.to_owned()),
        _ => Some(head.strip_suffix("\r\n").or(head.strip_suffix('\n')).unwrap_or(head).to_owned()),
    }
}

/// From where to where the block goes, with the end of its last line. A marker counts at the start of a line only: a
/// text may well speak of it. One that begins and doesn't end is no block, lest what follows be taken for ours.
fn find_block(text: &str) -> Option<(usize, usize)> {
    let starts_line = |at: &usize| *at == 0 || text[..*at].ends_with('\n');
    let ends = text.match_indices(END).map(|(at, _)| at).filter(starts_line);
    let begin_of = |end: usize| text[..end].rmatch_indices(BEGIN).map(|(at, _)| at).find(starts_line);
    let (from, end) = ends.filter_map(|end| Some((begin_of(end)?, end))).next()?;
    let to = end + END.len();
    let rest = &text[to..];
    let line_end = if rest.starts_with("\r\n") { 2 } else { usize::from(rest.starts_with('\n')) };
    Some((from, to + line_end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_block_comes_in_once_and_out_again() {
        for text in ["# Rules\n\nBe kind.\n", "# Rules", "\r\n# Rules\r\nBe kind.\r\n", "# a\r\nb", "a\n\n\n"] {
            let with = with_block(text);
            assert_eq!(with_block(&with), with, "twice is once");
            assert_eq!(without_block(&with, Some(text)).as_deref(), Some(text));
            let ends = |text: &str| (text.matches("\r\n").count(), text.matches('\n').count());
            let (windows, all) = ends(&with);
            assert!(windows == 0 || windows == all, "{with:?}");
        }
        assert_eq!(with_block(""), BLOCK);
        assert_eq!(without_block(BLOCK, None).as_deref(), Some(""));
    }

    #[test]
    fn an_older_block_is_replaced_where_it_stands() {
        let old = "first\n<!-- git-aio: begin, version 0 -->\nold\n<!-- git-aio: end -->\nlast\n";
        assert_eq!(with_block(old), format!("first\n{BLOCK}last\n"));
        assert_eq!(without_block(old, None).as_deref(), Some("first\nlast\n"));
        let at_the_end = old.trim_end_matches("\nlast\n");
        assert_eq!(with_block(at_the_end), format!("first\n{}", BLOCK.trim_end()));
    }

    #[test]
    fn what_the_user_writes_below_stays() {
        let with = format!("{}\nmore\n", with_block("# Rules\n"));
        assert_eq!(without_block(&with, Some("# Rules\n")).as_deref(), Some("# Rules\n\n\nmore\n"));
    }

    #[test]
    fn a_marker_without_its_other_half_is_no_block() {
        for text in
            ["<!-- git-aio: begin -->\nmine\n", "mine\n<!-- git-aio: end -->\n", "see `<!-- git-aio: end -->`\n"]
        {
            let with = with_block(text);
            assert!(with.starts_with(text) && with.ends_with(BLOCK), "{with}");
            assert_eq!(with_block(&with), with);
            assert_eq!(without_block(&with, Some(text)).as_deref(), Some(text));
        }
    }
}
