//! Pairs of processes, measured in turn, and what they come to.
//!
//! The two of a pair run right after each other, now one first and now the other, so that whatever else the machine
//! does meets both alike. What is compared is the ratio (or the difference) within a pair; of these the median is
//! told, and the tenth and ninetieth percentile beside it.

use std::{
    process::{Command, Stdio},
    time::{Duration, Instant},
};

/// What is printed, and whether all targets were met.
pub struct Report {
    pairs: Option<usize>,
    missed: Vec<String>,
}

/// One thing that is measured.
pub struct Subject<'a> {
    /// What it is called in the report.
    pub name: &'a str,
    /// The process, made anew each time. What this does is not measured.
    pub make: &'a mut dyn FnMut(usize) -> Command,
    /// What sets things right afterwards, not measured either.
    pub after: &'a mut dyn FnMut(usize),
}

/// The times of both sides of each pair.
#[derive(Default)]
pub struct Pairs {
    ours: Vec<Duration>,
    theirs: Vec<Duration>,
}

impl Report {
    /// A new one; `pairs` as the command line says.
    pub fn new(pairs: Option<usize>) -> Self {
        println!("{:<78} {:>21}   {:<16} target", "", "median", "p10 to p90");
        Report { pairs, missed: Vec::new() }
    }

    /// How often to measure, where `usual` is enough.
    pub fn pairs(&self, usual: usize) -> usize {
        self.pairs.unwrap_or(usual)
    }

    /// A heading.
    pub fn begin(&self, bench: &str) {
        println!("\n{bench}");
    }

    /// A remark on conditions.
    pub fn note(&self, text: &str) {
        println!("  ({text})");
    }

    /// The ratio of ours to theirs, against the most that it may be, if anything was promised.
    pub fn ratio(&mut self, name: &str, pairs: &Pairs, most: Option<f64>) {
        let ratios = |(ours, theirs): (&Duration, &Duration)| ours.as_secs_f64() / theirs.as_secs_f64();
        let spread = Spread::of(pairs.ours.iter().zip(&pairs.theirs).map(ratios).collect());
        let (ours, theirs) = (millis(&pairs.ours).median, millis(&pairs.theirs).median);
        let measured = format!("{:.2} ({ours:.2}/{theirs:.2} ms)", spread.median);
        self.line(name, &measured, &spread, spread.median, most.map(|most| (most, format!("≤ {most}"))));
    }

    /// What ours takes longer than theirs, in milliseconds, against the most that it may be.
    pub fn difference(&mut self, name: &str, pairs: &Pairs, most: Option<f64>) {
        let longer = |(ours, theirs): (&Duration, &Duration)| (ours.as_secs_f64() - theirs.as_secs_f64()) * 1e3;
        let spread = Spread::of(pairs.ours.iter().zip(&pairs.theirs).map(longer).collect());
        let (ours, theirs) = (millis(&pairs.ours).median, millis(&pairs.theirs).median);
        let measured = format!("{:+.1} ms ({ours:.1}/{theirs:.1})", spread.median);
        self.line(name, &measured, &spread, spread.median, most.map(|most| (most, format!("≤ {most} ms"))));
    }

    /// Times of a process, of which the median counts, in milliseconds.
    pub fn median(&mut self, name: &str, times: &[Duration], most: Option<f64>) {
        let spread = millis(times);
        let measured = format!("{:.1} ms", spread.median);
        self.line(name, &measured, &spread, spread.median, most.map(|most| (most, format!("≤ {most} ms"))));
    }

    /// Times of many processes at once, of which the slowest counts.
    pub fn slowest(&mut self, name: &str, times: &[Duration], most: Option<f64>) {
        let spread = millis(times);
        let slowest = times.iter().max().map_or(0.0, Duration::as_secs_f64) * 1e3;
        let measured = format!("slowest {slowest:.0} ms");
        self.line(name, &measured, &spread, slowest, most.map(|most| (most, format!("≤ {most} ms"))));
    }

    /// Something that holds or doesn't.
    pub fn fact(&mut self, name: &str, holds: bool) {
        println!("  {name:<76} {:>21}   {:<16} {}", "", "", verdict(holds));
        if !holds {
            self.missed.push(name.to_owned());
        }
    }

    /// Tells whether everything was as promised.
    pub fn end(&self) -> bool {
        println!();
        for name in &self.missed {
            println!("missed: {name}");
        }
        self.missed.is_empty()
    }

    fn line(&mut self, name: &str, measured: &str, spread: &Spread, value: f64, most: Option<(f64, String)>) {
        let between = format!("{:.2} to {:.2}", spread.low, spread.high);
        let target = most.map_or_else(String::new, |(most, words)| {
            if value > most {
                self.missed.push(name.to_owned());
            }
            format!("{words} {}", verdict(value <= most))
        });
        println!("  {name:<76} {measured:>21}   {between:<16} {target}");
    }
}

fn verdict(met: bool) -> &'static str {
    if met { "met" } else { "MISSED" }
}

/// Measures `ours` and `theirs` in turn.
pub fn in_pairs(count: usize, ours: &mut Subject<'_>, theirs: &mut Subject<'_>) -> Pairs {
    // The first run of each fetches files from the disk and is not counted.
    for warm_up in 0..2 {
        ours.run(warm_up);
        theirs.run(warm_up);
    }
    let mut pairs = Pairs { ours: Vec::new(), theirs: Vec::new() };
    for turn in 2..count + 2 {
        if turn % 2 == 0 {
            pairs.ours.push(ours.run(turn));
            pairs.theirs.push(theirs.run(turn));
        } else {
            pairs.theirs.push(theirs.run(turn));
            pairs.ours.push(ours.run(turn));
        }
    }
    pairs
}

impl Pairs {
    /// Adds a time of ours.
    pub fn ours(&mut self, time: Duration) {
        self.ours.push(time);
    }

    /// Adds one of theirs.
    pub fn theirs(&mut self, time: Duration) {
        self.theirs.push(time);
    }

    /// The times for one of the `count` things that were done in each.
    pub fn of_each(&self, count: usize) -> Pairs {
        let each = |times: &[Duration]| times.iter().map(|time| time.div_f64(count as f64)).collect();
        Pairs { ours: each(&self.ours), theirs: each(&self.theirs) }
    }
}

impl Subject<'_> {
    fn run(&mut self, turn: usize) -> Duration {
        let mut command = (self.make)(turn);
        let time = timed(self.name, &mut command);
        (self.after)(turn);
        time
    }
}

/// From before it is started until it has ended, which it has to do well.
pub fn timed(name: &str, command: &mut Command) -> Duration {
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let began = Instant::now();
    let status = command.status().unwrap();
    let time = began.elapsed();
    assert!(status.success(), "{name}: {command:?} ended with {status}");
    time
}

struct Spread {
    low: f64,
    median: f64,
    high: f64,
}

impl Spread {
    fn of(mut values: Vec<f64>) -> Self {
        values.sort_by(f64::total_cmp);
        let at = |part: f64| values[((values.len() - 1) as f64 * part).round() as usize];
        Spread { low: at(0.1), median: at(0.5), high: at(0.9) }
    }
}

fn millis(times: &[Duration]) -> Spread {
    Spread::of(times.iter().map(|time| time.as_secs_f64() * 1e3).collect())
}
