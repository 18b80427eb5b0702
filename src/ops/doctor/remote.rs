//! What the host of the hub allows, and what it means where it doesn't.

use super::{Check, Seen, check, failed};
use crate::ops::{Error, Session, sync::Tried};

/// What a probe of the hub came to.
#[derive(Debug, Clone)]
pub struct Probed {
    /// What was tried.
    pub checks: Vec<Check>,
    /// Whether the hub didn't answer.
    pub unreached: bool,
}

/// What is lost where a host doesn't allow something, and the way on.
const NO_CREATE: &str = "nothing can be kept there. A host that takes branches only is told by `git config \
                         aio.refPrefix refs/heads/aio`, in every clone, before its first sync; else name another hub, \
                         which may be a repository for nothing but this: `git aio init --remote <remote or URL>`";
const NO_UPDATE: &str = "nothing can be added to what is there. Look what protects this ref on the host, or name \
                         another hub";
const TAKES_STALE: &str = "two clones could both be told that they were first. Don't use this host as hub";
const NO_LEASE: &str = "`git aio compact` can't shorten the history, and a clone can't say anew who is there. Let the \
                        host take forced pushes of these refs (receive.denyNonFastForwards), or live with both";
const NO_DELETE: &str = "nothing but this probe needs it";

impl Session {
    /// Tries what the host of the hub allows: of the one that is named, or `remote`.
    ///
    /// # Errors
    /// When no hub is named, or what was found can't be remembered.
    pub fn probe(&self, remote: Option<&str>) -> Result<Probed, Error> {
        let trial = self.try_host(remote)?;
        if let Some(silence) = &trial.silence {
            let left = match (&trial.create, &trial.delete) {
                (Some(_), None | Some(Err(_))) => format!("; it may still have {}", trial.refs.join(" and ")),
                _ => String::new(),
            };
            return Ok(Probed { checks: vec![failed("hub host", format!("{silence}{left}"))], unreached: true });
        }
        let tried = |name, tried: &Tried, good: &str, means: &str| {
            let finding = match tried {
                None => Ok(Seen::odd("not tried, since what comes before it failed")),
                Some(Ok(())) => Ok(Seen::from(good)),
                Some(Err(words)) => Err(format!("{words}: {means}")),
            };
            check(name, finding)
        };
        let delete = match &trial.delete {
            Some(Err(words)) => {
                let refs = trial.refs.join(" and ");
                check("hub delete", Ok(Seen::odd(format!("{words}: {NO_DELETE}, so {refs} stay there"))))
            }
            other => tried("hub delete", other, "refs can be deleted", NO_DELETE),
        };
        let checks = vec![
            check("hub host", Ok(format!("{} answers", trial.hub))),
            tried("hub create", &trial.create, "refs can be created", NO_CREATE),
            tried("hub update", &trial.update, "they can be moved forward", NO_UPDATE),
            tried("hub overtaken", &trial.refuses_stale, "whoever was overtaken is refused", TAKES_STALE),
            tried("hub lease", &trial.lease, "they can be moved elsewhere, with a lease", NO_LEASE),
            delete,
        ];
        Ok(Probed { checks, unreached: false })
    }

    /// What was found when the host of the hub was last tried, if it was, for refs where they are kept now.
    pub fn last_probe(&self) -> Option<Check> {
        let probe = self.memory_file(&self.hub_name()?).read().probe?;
        if probe.prefix != self.settings.ref_prefix {
            return None;
        }
        let abilities = [
            ("create", probe.create),
            ("update", probe.update),
            ("refuse who was overtaken", probe.refuses_stale),
            ("move with a lease", probe.lease),
            ("delete", probe.delete),
        ];
        let listed = |allowed: bool| {
            let words = abilities.iter().filter(|(_, is)| *is == allowed).map(|(word, _)| *word);
            words.collect::<Vec<_>>().join(", ")
        };
        let tried = format!("tried on {}", probe.at.format("%Y-%m-%d"));
        let (does, does_not) = (listed(true), listed(false));
        let finding = match () {
            () if does_not.is_empty() => Ok(Seen::from(format!("{tried}: it allows to {does}"))),
            () if probe.create && probe.update && probe.refuses_stale => {
                Ok(Seen::odd(format!("{tried}: it doesn't allow to {does_not}; `git aio doctor --remote` says more")))
            }
            () => Err(format!("{tried}: it doesn't allow to {does_not}; `git aio doctor --remote` says more")),
        };
        Some(check("host of the hub", finding))
    }
}
