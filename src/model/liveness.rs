//! Whether an instance is still there. A wrong "stale" takes work from somebody who is working, so a living agent
//! process is never stale, however silent; a wrong "live" blocks the others, so everything else must keep beating.

use crate::base::{process::Aliveness, world::Time};
use chrono::TimeDelta;

/// What can be seen of an instance from here.
#[derive(Debug, Clone, Copy)]
pub struct Observed {
    /// It is a human being, whose claims end by time and never by silence.
    pub person: bool,
    /// It works in another clone, which alone can see its process.
    pub elsewhere: bool,
    /// The agent process it is tied to. A shell or a script is not one, and does not count: neither its life nor its
    /// end says anything of the agent.
    pub agent: Option<Aliveness>,
    /// Its last sign of life. It lies in the future where a clock was ahead or has been put back since.
    pub last_seen: Time,
}

/// How long silence is taken for life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// After this long without a sign of life an instance without a living agent process is stale.
    pub stale_after: TimeDelta,
    /// After this long without a sign of life a living agent is shown as idle.
    pub idle_after: TimeDelta,
}

/// Whether an instance is still there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presence {
    /// It works.
    Live,
    /// It lives, but has not been heard of for long.
    Idle,
    /// It is gone without having said so: its claims block nobody.
    Stale,
    /// It said good-bye, or was cleaned up.
    Ended,
}

impl Observed {
    /// Whether the instance is there at `now`. Never answers [`Presence::Ended`]: an ended one is not observed.
    pub fn judge(&self, now: Time, patience: Patience) -> Presence {
        // By the observer's clock, and whichever way it differs: a beat from the future must not count for longer than
        // one that has just been.
        let silence = now.signed_duration_since(self.last_seen).abs();
        let at_most_idle = if silence > patience.idle_after { Presence::Idle } else { Presence::Live };
        if self.elsewhere || self.person {
            return at_most_idle;
        }
        match self.agent {
            Some(Aliveness::Alive) => at_most_idle,
            Some(Aliveness::Dead) => Presence::Stale,
            Some(Aliveness::Unknown) | None if silence > patience.stale_after => Presence::Stale,
            Some(Aliveness::Unknown) | None => Presence::Live,
        }
    }
}

impl Presence {
    /// The word.
    pub fn as_str(self) -> &'static str {
        match self {
            Presence::Live => "live",
            Presence::Idle => "idle",
            Presence::Stale => "stale",
            Presence::Ended => "ended",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Patience = Patience { stale_after: TimeDelta::minutes(5), idle_after: TimeDelta::hours(2) };

    fn after(minutes: i64, agent: Option<Aliveness>) -> Presence {
        let last_seen = Time::default();
        let observed = Observed { person: false, elsewhere: false, agent, last_seen };
        observed.judge(last_seen + TimeDelta::minutes(minutes), PATIENCE)
    }

    #[test]
    fn a_living_agent_is_never_stale() {
        assert_eq!(after(60, Some(Aliveness::Alive)), Presence::Live);
        assert_eq!(after(60 * 24 * 365, Some(Aliveness::Alive)), Presence::Idle);
    }

    #[test]
    fn a_dead_agent_is_stale_at_once() {
        assert_eq!(after(0, Some(Aliveness::Dead)), Presence::Stale);
    }

    #[test]
    fn without_an_agent_process_silence_decides() {
        for agent in [None, Some(Aliveness::Unknown)] {
            assert_eq!(after(5, agent), Presence::Live);
            assert_eq!(after(6, agent), Presence::Stale);
        }
    }

    #[test]
    fn a_beat_from_the_future_is_believed_no_further_than_one_from_the_past() {
        assert_eq!(after(-1, None), Presence::Live);
        assert_eq!(after(-6, None), Presence::Stale);
        assert_eq!(after(-60 * 24 * 365, Some(Aliveness::Unknown)), Presence::Stale);
        assert_eq!(after(-60 * 24 * 365, Some(Aliveness::Alive)), Presence::Idle);
    }

    #[test]
    fn a_person_and_another_clone_are_never_stale_by_silence() {
        for (person, elsewhere) in [(true, false), (false, true)] {
            let observed = Observed { person, elsewhere, agent: None, last_seen: Time::default() };
            assert_eq!(observed.judge(Time::default() + TimeDelta::days(9), PATIENCE), Presence::Idle);
        }
    }
}
