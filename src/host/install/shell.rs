//! Our block in a shell script, from marker to marker.

pub(in crate::host) const BEGIN: &str = "# >>> git-aio >>>";
pub(in crate::host) const END: &str = "# <<< git-aio <<<\n";

/// `script` without our block; `None` where there is none.
pub(in crate::host) fn without_block(script: &[u8]) -> Option<Vec<u8>> {
    find_block(script).map(|(from, to)| [&script[..from], &script[to..]].concat())
}

pub(in crate::host) fn has_block(script: &[u8]) -> bool {
    find_block(script).is_some()
}

/// From where to where the block goes, with the end of its last line.
pub(in crate::host) fn find_block(script: &[u8]) -> Option<(usize, usize)> {
    let find = |from: usize, what: &str| {
        script[from..].windows(what.len()).position(|window| window == what.as_bytes()).map(|at| from + at)
    };
    let from = find(0, BEGIN)?;
    let marker = END.trim_end();
    let to = find(from, marker)? + marker.len();
    Some((from, if script.get(to) == Some(&b'\n') { to + 1 } else { to }))
}
