//! Whether somebody wants to stop.

use std::{
    io,
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
#[derive(Debug)]
pub struct Interrupts {
    came: Arc<AtomicBool>,
    seen: Mutex<Seen>,
    #[cfg(unix)]
    handlers: Vec<signal_hook::SigId>,
}

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
            #[cfg(unix)]
            handlers,
        })
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
        seen.count
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
