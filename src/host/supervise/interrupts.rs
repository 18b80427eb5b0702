//! Whether somebody wants to stop.

use std::{
    fmt, io,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

/// How soon a second interrupt is taken for the same as the first: git passes on what the terminal has sent to both.
const SAME: Duration = Duration::from_millis(500);

/// Whether somebody wants to stop: Ctrl-C, or what a terminal or a supervisor sends when it goes away. As long as this
/// lives such a signal ends no process by itself, so that we can end first what we have started.
///
/// All that share it see every interrupt. The first asks for an end, and the second for one at once.
pub struct Interrupts {
    came: Arc<AtomicBool>,
    seen: Mutex<Seen>,
    /// Another word to stop, which counts as one interrupt, and those that this shares the signals of.
    outer: Option<(Arc<Interrupts>, Word)>,
    #[cfg(unix)]
    handlers: Vec<signal_hook::SigId>,
}

/// Whether somebody has said to stop in another way.
type Word = Box<dyn Fn() -> bool + Send + Sync>;

#[derive(Debug, Default)]
struct Seen {
    count: usize,
    last: Option<Instant>,
}

impl Interrupts {
    /// From now on.
    ///
    /// # Errors
    /// When the system doesn't let us know of signals.
    pub fn watch() -> io::Result<Interrupts> {
        let came = Arc::new(AtomicBool::new(false));
        #[cfg(unix)]
        let handlers = {
            use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
            let watch = |signal| signal_hook::flag::register(signal, Arc::clone(&came));
            [SIGINT, SIGTERM, SIGHUP].into_iter().map(watch).collect::<io::Result<_>>()?
        };
        Ok(Interrupts {
            came,
            seen: Mutex::default(),
            outer: None,
            #[cfg(unix)]
            handlers,
        })
    }

    /// The same for a part of what is done, which `word` stops as well, and nothing else.
    pub fn or(self: &Arc<Self>, word: impl Fn() -> bool + Send + Sync + 'static) -> Interrupts {
        Interrupts {
            came: Arc::default(),
            seen: Mutex::default(),
            outer: Some((Arc::clone(self), Box::new(word))),
            #[cfg(unix)]
            handlers: Vec::new(),
        }
    }

    /// Does what Ctrl-C does.
    pub fn interrupt(&self) {
        self.came.store(true, Ordering::Relaxed);
    }

    /// How many came so far.
    pub fn count(&self) -> usize {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if self.came.swap(false, Ordering::Relaxed) && seen.last.is_none_or(|last| last.elapsed() > SAME) {
            seen.count += 1;
            seen.last = Some(Instant::now());
        }
        let outer = self.outer.as_ref();
        seen.count + outer.map_or(0, |(outer, word)| outer.count().max(usize::from(word())))
    }
}

impl fmt::Debug for Interrupts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Interrupts").field("count", &self.count()).finish_non_exhaustive()
    }
}

#[cfg(unix)]
impl Drop for Interrupts {
    fn drop(&mut self) {
        for handler in self.handlers.drain(..) {
            signal_hook::low_level::unregister(handler);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_stopped_by_itself_and_with_the_whole() {
        let whole = Arc::new(Interrupts::watch().expect("watched"));
        let word = Arc::new(AtomicBool::new(false));
        let (said, other) = (Arc::clone(&word), whole.or(|| false));
        let part = whole.or(move || said.load(Ordering::Relaxed));
        assert_eq!((part.count(), other.count()), (0, 0));
        word.store(true, Ordering::Relaxed);
        assert_eq!((part.count(), other.count(), whole.count()), (1, 0, 0));
        whole.interrupt();
        assert_eq!((part.count(), other.count()), (1, 1));
    }

    #[test]
    fn all_see_each_and_an_echo_is_none() {
        let interrupts = Interrupts::watch().expect("watched");
        assert_eq!(interrupts.count(), 0);
        interrupts.interrupt();
        assert_eq!((interrupts.count(), interrupts.count()), (1, 1));
        interrupts.interrupt();
        assert_eq!(interrupts.count(), 1, "it came at once");
        std::thread::sleep(SAME + Duration::from_millis(10));
        interrupts.interrupt();
        assert_eq!(interrupts.count(), 2);
    }
}
