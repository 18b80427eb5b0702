//! Deterministic automata over the bytes of a path, and the search for a path that two of them accept.

use crate::base::path::RepoPath;
use regex_automata::{
    Anchored, MatchKind,
    dfa::{Automaton as _, StartKind, dense},
    nfa::thompson::NFA,
    util::{primitives::StateID, start},
};
use std::{collections::HashSet, hash::Hash};

/// Largest DFA of a pattern, and most memory to build it in. Ordinary patterns take one or two kilobytes; to find that
/// one is too large takes some milliseconds, which whoever can push a record could make everybody else wait for.
const MAX_DFA_BYTES: usize = 128 << 10;

/// Most states of a product that are visited. Ordinary pairs take some dozens.
const MAX_JOINT_STATES: usize = 10_000;

/// A deterministic automaton that accepts a set of byte strings.
pub(super) trait Automaton {
    /// Where it is.
    type State: Copy + Eq + Hash;

    /// The state in which nothing was read.
    fn start(&self) -> Self::State;

    /// The state after reading `byte` in `state`. `None` if nothing that begins so is accepted.
    fn next(&self, state: Self::State, byte: u8) -> Option<Self::State>;

    /// Whether what led to `state` is accepted.
    fn accepts(&self, state: Self::State) -> bool;

    /// A number that two bytes share only if no state tells them apart.
    fn class(&self, byte: u8) -> u8;
}

/// The search was given up: the product has too many states.
#[derive(Debug)]
pub(super) struct TooManyStates;

/// A shortest well-formed path that both accept, if there is one.
pub(super) fn joint_path<A: Automaton, B: Automaton>(a: &A, b: &B) -> Result<Option<Vec<u8>>, TooManyStates> {
    let alphabet = representatives(a, b);
    let start = (a.start(), b.start(), WellFormed.start());
    let mut seen = HashSet::from([start]);
    // States in the order they were reached, each with the index of the one before it and the byte between them.
    let mut reached = vec![(start, 0, 0)];
    let mut at = 0;
    while at < reached.len() {
        let (x, y, z) = reached[at].0;
        for &byte in &alphabet {
            let Some(x) = a.next(x, byte) else { continue };
            let Some(y) = b.next(y, byte) else { continue };
            let Some(z) = WellFormed.next(z, byte) else { continue };
            if !seen.insert((x, y, z)) {
                continue;
            }
            if reached.len() == MAX_JOINT_STATES {
                return Err(TooManyStates);
            }
            reached.push(((x, y, z), at, byte));
            if a.accepts(x) && b.accepts(y) && WellFormed.accepts(z) {
                return Ok(Some(spell(&reached)));
            }
        }
        at += 1;
    }
    Ok(None)
}

/// One byte of each set that neither automaton tells apart; letters come first, so that paths found are readable.
fn representatives(a: &impl Automaton, b: &impl Automaton) -> Vec<u8> {
    let mut seen = HashSet::new();
    let bytes = (b'a'..=b'z').chain(0..=u8::MAX);
    bytes.filter(|&byte| seen.insert((a.class(byte), b.class(byte), WellFormed.class(byte)))).collect()
}

/// The bytes that led to the last state reached.
fn spell<S>(reached: &[(S, usize, u8)]) -> Vec<u8> {
    let mut path = Vec::new();
    let mut at = reached.len() - 1;
    while at > 0 {
        let (_, before, byte) = reached[at];
        path.push(byte);
        at = before;
    }
    path.reverse();
    path
}

/// The paths that a glob matches.
#[derive(Debug)]
pub(super) struct Dfa {
    dfa: dense::DFA<Vec<u32>>,
    start: StateID,
}

impl Dfa {
    /// `None` if it would be too large.
    pub(super) fn from_nfa(nfa: &NFA) -> Option<Self> {
        let config = dense::Config::new()
            .start_kind(StartKind::Anchored)
            .match_kind(MatchKind::All)
            .accelerate(false)
            .dfa_size_limit(Some(MAX_DFA_BYTES))
            .determinize_size_limit(Some(MAX_DFA_BYTES));
        let dfa = dense::Builder::new().configure(config).build_from_nfa(nfa).ok()?;
        let start = dfa.start_state(&start::Config::new().anchored(Anchored::Yes)).ok()?;
        Some(Dfa { dfa, start })
    }
}

impl Automaton for Dfa {
    type State = StateID;

    fn start(&self) -> StateID {
        self.start
    }

    fn next(&self, state: StateID, byte: u8) -> Option<StateID> {
        Some(self.dfa.next_state(state, byte)).filter(|&next| !self.dfa.is_dead_state(next))
    }

    fn accepts(&self, state: StateID) -> bool {
        self.dfa.is_match_state(self.dfa.next_eoi_state(state))
    }

    fn class(&self, byte: u8) -> u8 {
        self.dfa.byte_classes().get(byte)
    }
}

/// A directory, which is not the root, and all that is below it.
pub(super) struct Below<'a> {
    dir: &'a [u8],
}

impl<'a> Below<'a> {
    pub(super) fn new(dir: &'a RepoPath) -> Self {
        Below { dir: dir.as_bytes() }
    }
}

impl Automaton for Below<'_> {
    /// How many bytes of the directory's path and the slash after it were read.
    type State = usize;

    fn start(&self) -> usize {
        0
    }

    fn next(&self, read: usize, byte: u8) -> Option<usize> {
        match read.checked_sub(self.dir.len()) {
            None => (self.dir[read] == byte).then_some(read + 1),
            Some(0) => (byte == b'/').then_some(read + 1),
            Some(_) => Some(read),
        }
    }

    fn accepts(&self, read: usize) -> bool {
        read >= self.dir.len()
    }

    fn class(&self, byte: u8) -> u8 {
        if byte == b'/' || self.dir.contains(&byte) { byte } else { 0 }
    }
}

/// What a path looks like: names joined by `/`, none of them empty, `.` or `..`, and no NUL.
///
/// Paths inside `.git` pass: with case ignored, a name that is not `.git` can fold to it.
struct WellFormed;

/// What was read of the current name.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Name {
    Nothing,
    Dot,
    DotDot,
    Proper,
}

impl Automaton for WellFormed {
    type State = Name;

    fn start(&self) -> Name {
        Name::Nothing
    }

    fn next(&self, name: Name, byte: u8) -> Option<Name> {
        match (byte, name) {
            (0, _) => None,
            (b'/', name) => (name == Name::Proper).then_some(Name::Nothing),
            (b'.', Name::Nothing) => Some(Name::Dot),
            (b'.', Name::Dot) => Some(Name::DotDot),
            _ => Some(Name::Proper),
        }
    }

    fn accepts(&self, name: Name) -> bool {
        name == Name::Proper
    }

    fn class(&self, byte: u8) -> u8 {
        match byte {
            0 | b'.' | b'/' => byte,
            _ => 1,
        }
    }
}
