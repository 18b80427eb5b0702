//! Work that is given to a tool: started when its turn has come, watched over, and heard to its end.

use super::{Error, Session, tool::Hand};
use crate::{
    base::{
        id::{InstanceId, RunId, StepPath},
        text,
    },
    host::{
        agents::headless::{self, Tool},
        stagger::{self, Told},
        supervise::{Interrupts, Watch, supervise},
        worktree,
    },
};
use std::{
    path::{Path, PathBuf},
    time::Duration,
};

pub use crate::host::supervise::{End, Ended, Heard, Unusable};

/// A piece of work for a tool.
#[derive(Debug, Clone, Copy)]
pub struct Errand<'a> {
    /// What it is told.
    pub prompt: &'a str,
    /// What it reads beside that.
    pub stdin: Option<&'a [u8]>,
    /// Where it works.
    pub dir: &'a Path,
    /// Whether it may change files.
    pub may_write: bool,
    /// A file with the schema of its answer, where it takes one.
    pub schema: Option<&'a Path>,
    /// Who it is.
    pub instance: Option<&'a InstanceId>,
    /// Variables for it.
    pub env: &'a [(String, String)],
    /// What no other errand has.
    pub mark: &'a str,
    /// Where all that it prints is kept.
    pub log: &'a Path,
    /// How long it may take.
    pub timeout: Option<Duration>,
    /// How long it may be silent.
    pub stall: Option<Duration>,
}

impl Session {
    /// Has a tool do a piece of work, once it may be started: on this machine, as many may be running as may run at once, and
    /// others of its kind may have been started just now.
    ///
    /// # Errors
    /// When it can't be started.
    pub fn send(
        &self,
        hand: &Hand,
        errand: &Errand<'_>,
        interrupts: &Interrupts,
        hear: &mut dyn FnMut(Heard),
    ) -> Result<Ended, Error> {
        let (mut has_waited, mut is_alone) = (false, false);
        let tell = &mut |told: Told<'_>| match told {
            Told::Waits if !std::mem::replace(&mut has_waited, true) => hear(Heard::Queued),
            Told::Alone(why) if !std::mem::replace(&mut is_alone, true) => {
                hear(Heard::Doing(unshared(hand.tool(), why)))
            }
            Told::Waits | Told::Alone(_) => {}
        };
        let slot = hand.max_parallel.map(|most| stagger::take_slot(hand.tool(), most, interrupts, tell)).transpose();
        let turn = slot.and_then(|slot| Ok((slot, stagger::wait_turn(hand.tool(), hand.stagger, interrupts, tell)?)));
        let (_slot, turn) = match turn {
            Ok(turn) => turn,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => return Ok(Ended::before_it_began()),
            Err(error) => return Err(Error::file(format!("can't tell when {} was started last", hand.tool()))(error)),
        };
        let mut turn = Some(turn);
        self.send_by(&hand.tool, errand, interrupts, &mut |heard| {
            if heard == Heard::Begun {
                drop(turn.take());
            }
            hear(heard);
        })
    }

    /// Runs a line of shell in the same way: what it prints on standard output is its answer.
    ///
    /// # Errors
    /// When there is no shell.
    pub fn send_line(
        &self,
        line: &str,
        errand: &Errand<'_>,
        interrupts: &Interrupts,
        hear: &mut dyn FnMut(Heard),
    ) -> Result<Ended, Error> {
        self.send_by(&Tool::Shell { line: line.to_owned() }, errand, interrupts, hear)
    }

    fn send_by(
        &self,
        tool: &Tool,
        errand: &Errand<'_>,
        interrupts: &Interrupts,
        hear: &mut dyn FnMut(Heard),
    ) -> Result<Ended, Error> {
        let instance = errand.instance.map(InstanceId::as_str).unwrap_or_default();
        let start = headless::Errand {
            prompt: errand.prompt,
            stdin: errand.stdin,
            dir: errand.dir,
            may_write: errand.may_write,
            git_dir: self.repository.common_dir(),
            schema: errand.schema,
            resume: None,
            instance,
        };
        let failed = |what: &str| Error::file(format!("{what} {}", tool.name()));
        let mut invocation = tool.invocation(&start).map_err(failed("can't read what is needed to start"))?;
        invocation.env.extend(errand.env.iter().map(|(name, value)| (name.into(), value.into())));
        let watch = Watch {
            invocation: &invocation,
            dir: errand.dir,
            timeout: errand.timeout,
            stall: errand.stall,
            mark: errand.mark,
            log: errand.log,
        };
        supervise(&watch, tool.reader(errand.dir), interrupts, hear).map_err(failed("can't start"))
    }

    /// The mark of an attempt, by which all that it starts is known: what no other has on this machine, not even the same one
    /// in a copy of this repository.
    pub fn mark_of_attempt(&self, run: &RunId, step: &StepPath, number: u32) -> String {
        let step = step.as_str().replace('/', ".");
        format!("{run}.{step}.{number}.{}", worktree::name_of(self.repository.common_dir()))
    }

    /// That of its review.
    pub fn mark_of_review(mark: &str) -> String {
        format!("{mark}.review")
    }

    /// Writes a file of a run that is no part of its record, and tells where it is.
    ///
    /// # Errors
    /// When it can't be written.
    pub fn write_beside(&self, run: &RunId, name: &str, bytes: &[u8]) -> Result<PathBuf, Error> {
        let path = self.make_run_folder(run)?.join(name);
        if let Some(folder) = path.parent() {
            let failed = Error::file(format!("can't make {}", folder.display()));
            self.repository.sharing().make_folders(folder).map_err(failed)?;
        }
        std::fs::write(&path, bytes).map_err(Error::file(format!("can't write {}", path.display())))?;
        Ok(path)
    }
}

/// That the starts of a tool are kept apart in this process alone.
fn unshared(tool: &str, why: &std::io::Error) -> String {
    text::one_line(&format!("starts {tool} without heeding other runs of this user: {why}"), 300)
}
