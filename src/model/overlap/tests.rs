//! Every answer is compared with that of globset's own matcher over all short paths.

use super::*;
use crate::{base::path::fold, model::scope::Pattern};
use globset::{GlobBuilder, GlobMatcher};
use proptest::prelude::*;

fn scope(text: &str) -> Scope {
    let (kind, target) = text.split_once(' ').expect("kind and target");
    Scope::parse(kind, target).expect(text)
}

fn both_ways(a: &Scope, b: &Scope, fold: bool) -> bool {
    let answer = overlaps(a, b, fold);
    assert_eq!(answer, overlaps(b, a, fold), "{a} and {b}, the other way round");
    answer
}

#[test]
fn scopes_that_meet() {
    for (a, b) in [
        ("pattern *.test.ts", "file src/deep/x.test.ts"),
        ("pattern *.test.ts", "directory src"),
        ("pattern src/**/*.rs", "pattern src/auth/**"),
        ("pattern src/*", "directory src/auth"),
        ("pattern src/*/login.rs", "directory src/auth"),
        ("pattern **", "directory a/b/c"),
        ("pattern build/", "file a/build/x"),
        ("pattern src/{a,b}/*.rs", "pattern src/*/x?.rs"),
        ("pattern {a,b/c}.rs", "file b/c.rs"),
        ("pattern a{,.rs}", "file x/a"),
        ("pattern [!b]x", "pattern [a-c]x"),
        ("pattern x[!b]y", "file x/y"),
        ("pattern é*", "pattern *ü"),
        ("file src/auth", "directory src/auth"),
        ("file src/auth/login.rs", "directory src/auth"),
        ("directory src", "directory src/auth"),
        ("directory .", "file a"),
        ("directory .", "pattern *.md"),
        ("task T-1", "task T-1"),
    ] {
        assert!(both_ways(&scope(a), &scope(b), false), "{a} and {b}");
    }
}

#[test]
fn scopes_that_keep_apart() {
    for (a, b) in [
        ("pattern src/*.rs", "directory src/auth"),
        ("pattern src/*", "directory src/auth/x"),
        ("pattern src/*", "file src/auth/x"),
        ("pattern src/**", "file src"),
        ("pattern *.ts", "pattern *.rs"),
        ("pattern /*.md", "pattern docs/*.md"),
        ("pattern /*.md", "directory docs"),
        ("pattern build/", "file a/build"),
        ("pattern src/**/*_test.rs", "pattern src/**/[a-z].rs"),
        ("pattern {a,b/c}.rs", "file x/a.rs"),
        ("pattern ./x", "file a/x"),
        ("pattern ?", "pattern ??"),
        (r"pattern \*.rs", "file a.rs"),
        ("pattern A*", "pattern a*"),
        ("directory src", "directory src-old"),
        ("directory src", "file src-old/a"),
        ("file a", "file b"),
        ("task T-1", "task T-2"),
        ("task a", "file a"),
        ("task a", "directory ."),
        ("task a", "pattern **"),
    ] {
        assert!(!both_ways(&scope(a), &scope(b), false), "{a} and {b}");
    }
}

#[test]
fn case_is_ignored_where_the_store_says_so() {
    for (a, b) in [
        ("file src/A.rs", "file SRC/a.rs"),
        ("directory Src", "file sRC/a"),
        ("directory Straße", "pattern STRASSE/*"),
        ("pattern A*", "pattern a*"),
        ("pattern src/[A]x", "pattern src/[a]x"),
        ("pattern [Z-a]x", "file zx"),
        ("pattern *Σ", "pattern *ς"),
        ("pattern .gi[t]/x", "pattern .gı?/x"),
    ] {
        assert!(both_ways(&scope(a), &scope(b), true), "{a} and {b} with case ignored");
    }
    assert!(!overlaps(&scope("task T-1"), &scope("task t-1"), true));
    assert!(!overlaps(&scope("pattern [!A]"), &scope("pattern a"), true));
}

#[test]
fn one_side_is_compiled_once_for_many() {
    let ours = Overlap::new(&scope("pattern src/**/*.rs"), false);
    assert!(ours.with(&scope("pattern src/auth/*")));
    assert!(!ours.with(&scope("pattern src/auth/[a-c]")));
    assert!(ours.with(&scope("file src/x/y.rs")));
    assert!(!ours.with(&scope("task y.rs")));
}

#[test]
fn what_outgrows_the_limits_overlaps() {
    // The DFA remembers which of the last twenty bytes were an `a`.
    let huge = scope(&format!("pattern x/*a{}", "?".repeat(20)));
    assert!(both_ways(&huge, &scope("pattern x/[b][b]"), false));
    assert!(!both_ways(&huge, &scope("file x/b"), false), "a single file is told exactly");
    // Each of these has a DFA, but not their product.
    let (a, b) = (format!("x/*a{}.c", "?".repeat(8)), format!("x/*b{}.[d]", "?".repeat(8)));
    assert!(both_ways(&scope(&format!("pattern {a}")), &scope(&format!("pattern {b}")), false));
}

#[test]
fn the_deepest_and_longest_pattern_is_compiled() {
    let nested = format!("pattern {}a{}", "{b,".repeat(32), "}".repeat(32));
    assert!(both_ways(&scope(&nested), &scope("file x/a"), true));
    assert!(!both_ways(&scope(&nested), &scope("pattern c[c]"), true));
    let long = format!("pattern /{}", "[a]".repeat(341));
    assert!(both_ways(&scope(&long), &scope(&format!("pattern /{}*", "a".repeat(340))), true));
}

/// All paths of up to five characters over this alphabet that are well formed.
fn short_paths(alphabet: &[&str]) -> Vec<RepoPath> {
    let mut texts = vec![String::new()];
    let mut paths = Vec::new();
    for _ in 0..5 {
        texts = texts.iter().flat_map(|text| alphabet.iter().map(move |c| format!("{text}{c}"))).collect();
        let whole = texts.iter().filter(|text| !text.ends_with('/'));
        paths.extend(whole.filter_map(|text| RepoPath::from_bytes(text.as_bytes()).ok()));
    }
    paths
}

/// What the module under test has to agree with. Nothing is shared with it but the options.
fn reference(pattern: &Pattern) -> GlobMatcher {
    let mut builder = GlobBuilder::new(pattern.as_str().trim_start_matches('/'));
    builder.literal_separator(true).backslash_escape(true).empty_alternates(true);
    builder.build().expect("a parsed pattern is a glob").compile_matcher()
}

fn matches(matcher: &GlobMatcher, path: &[u8]) -> bool {
    matcher.is_match_candidate(&globset::Candidate::from_bytes(path))
}

fn glob_text(letters: &'static [&'static str]) -> impl Strategy<Value = String> {
    let special = prop::sample::select(vec!["/", "*", "?", "**", "**/", "/**", "[ab]", "[!a]", "[!b-]", r"\*", "a/"]);
    let piece =
        prop_oneof![4 => prop::sample::select(letters).prop_map(str::to_owned), 4 => special.prop_map(str::to_owned)];
    let nested = piece.prop_recursive(2, 12, 3, |inner| {
        let branch = prop::collection::vec(inner, 0..3).prop_map(|pieces| pieces.concat());
        prop::collection::vec(branch, 1..3).prop_map(|branches| format!("{{{}}}", branches.join(",")))
    });
    prop::collection::vec(nested, 1..5).prop_map(|pieces| pieces.concat())
}

fn pattern(letters: &'static [&'static str]) -> impl Strategy<Value = Pattern> {
    glob_text(letters).prop_filter_map("not a pattern", |text| Pattern::parse(&text).ok())
}

fn path(alphabet: &'static [&'static str]) -> impl Strategy<Value = RepoPath> {
    prop::sample::select(short_paths(alphabet))
}

/// A witness found without any of the shortcuts.
fn witness(a: &Pattern, b: &Pattern, fold: bool) -> Option<Vec<u8>> {
    let (a, b) = (Glob::new(a, fold), Glob::new(b, fold));
    automaton::joint_path(a.dfa().expect("small"), b.dfa().expect("small")).expect("small")
}

fn matches_nothing(pattern: &Pattern, fold: bool) -> bool {
    witness(pattern, pattern, fold).is_none()
}

const EXACT: &[&str] = &["a", "b", "*", "/"];
const CASED: &[&str] = &["a", "A", "ß", "s", "Σ", "ς", "/"];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn patterns_agree_with_globset(a in pattern(&["a", "b", "."]), b in pattern(&["a", "b", "."])) {
        let (left, right) = (reference(&a), reference(&b));
        let answer = both_ways(&Scope::Pattern(a.clone()), &Scope::Pattern(b.clone()), false);
        let ours = Overlap::new(&Scope::Pattern(a.clone()), false);
        for path in short_paths(EXACT) {
            let (x, y) = (matches(&left, path.as_bytes()), matches(&right, path.as_bytes()));
            prop_assert!(answer || !(x && y), "{} and {} both match {}", a, b, path);
            prop_assert_eq!(ours.with(&Scope::File(path)), x, "{}", a);
        }
        match witness(&a, &b, false) {
            Some(path) => {
                prop_assert!(answer);
                prop_assert!(matches(&left, &path) && matches(&right, &path), "{:?}", path);
            }
            None => prop_assert!(!answer || matches_nothing(&a, false) || matches_nothing(&b, false), "{} and {}", a, b),
        }
    }

    #[test]
    fn a_directory_is_the_pattern_of_its_contents(glob in pattern(&["a", "b"]), dir in path(&["a", "b", "/"])) {
        let whole = Pattern::parse(&format!("/{dir}{{,/**}}")).expect("valid");
        let answer = both_ways(&Scope::Pattern(glob.clone()), &Scope::Directory(dir), false);
        let expected = witness(&glob, &whole, false).is_some();
        prop_assert!(answer == expected || (answer && matches_nothing(&glob, false)), "{} and {}", glob, whole);
    }

    #[test]
    fn no_case_is_missed(a in pattern(CASED), b in pattern(CASED), dir in path(CASED)) {
        let (a, b, dir) = (Scope::Pattern(a), Scope::Pattern(b), Scope::Directory(dir));
        let (patterns, contents) = (both_ways(&a, &b, true), both_ways(&a, &dir, true));
        let ours = Overlap::new(&a, true);
        let (theirs, within) = (Overlap::new(&b, true), Overlap::new(&dir, true));
        for path in short_paths(&["a", "A", "ß", "Σ", "/"]).into_iter().map(Scope::File) {
            let covered = ours.with(&path);
            prop_assert!(patterns || !covered || !theirs.with(&path), "{} and {} meet in {}", a, b, path);
            prop_assert!(contents || !covered || !within.with(&path), "{} and {} meet in {}", a, dir, path);
        }
    }

    #[test]
    fn every_spelling_gets_the_same_answer(glob in pattern(CASED), path in path(CASED)) {
        let scope = Scope::Pattern(glob.clone());
        let answer = scope.covers(&path, true);
        prop_assert_eq!(scope.covers(&path.folded(), true), answer);
        if let Ok(upper) = RepoPath::from_bytes(path.encoded().to_uppercase().as_bytes()) {
            prop_assert_eq!(scope.covers(&upper, true), answer);
        }
        if let Ok(folded) = String::from_utf8(fold(glob.as_str().as_bytes())) {
            prop_assert_eq!(Scope::parse("pattern", &folded).expect("letters only").covers(&path, true), answer);
        }
    }
}
