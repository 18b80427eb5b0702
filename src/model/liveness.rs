//! Whether an instance is still there. A wrong "stale" takes work from somebody who is working, so a living agent
//! process is never stale, however silent; a wrong "live" blocks the others, so everything else must keep beating.

use crate::base::{process::Aliveness, world::Time};
use chrono::TimeDelta;

/// What can be seen of an instance from here.
#[derive(Debug, Clone, Copy)]
pub struct Observed {
    /// It is a human being, whose claims end by time and never by silence.
    pub person: bool,
    /// What shows whether it is there.
    pub signs: Signs,
    /// Its last sign of life. It lies in the future where a clock was ahead or has been put back since.
    pub last_seen: Time,
}

/// What shows whether an instance is there.
#[derive(Debug, Clone, Copy)]
pub enum Signs {
    /// It works in this clone, tied to this agent process. A shell or a script is not one, and does not count: neither
    /// its life nor its end says anything of the agent.
    Here(Option<Aliveness>),
    /// It works in this clone, and what is known of it can't be read: silence would have to be seen.
    Unreadable,
    /// It works in another clone, which alone can see its process.
    Elsewhere(Afar),
}

/// What is seen of an instance of another clone: what that clone lets us see, timed by our clock alone. Its own may
/// show anything.
#[derive(Debug, Clone, Copy, Default)]
pub struct Afar {
    /// For how long nothing of its clone has changed.
    pub unchanged: Watched,
    /// For how long its clone, which is there, has not named it among its own; counted in what that clone said anew.
    pub unnamed: Watched,
    /// Its clone says that it is idle.
    pub idle: bool,
}

/// How long something has been so, as far as we have seen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Watched {
    /// How often we saw it.
    pub times: u32,
    /// From the first to the last time.
    pub lasted: TimeDelta,
}

impl Afar {
    /// Whether whoever is seen so is gone, where the `limit` of silence is this.
    pub fn is_gone(self, limit: TimeDelta) -> bool {
        self.unchanged.is_over(limit) || self.unnamed.is_over(limit)
    }
}

impl Watched {
    /// Once may be chance, as when we ourselves were away.
    const ENOUGH: u32 = 2;

    fn is_over(self, limit: TimeDelta) -> bool {
        self.times >= Self::ENOUGH && self.lasted > limit
    }
}

/// How long silence is taken for life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// After this long without a sign of life an instance without a living agent process is stale.
    pub stale_after: TimeDelta,
    /// After this long without a sign of life a living agent is shown as idle.
    pub idle_after: TimeDelta,
    /// After this long without a change in another clone, or without a word of it about an instance of its own, that
    /// instance is stale.
    pub stale_elsewhere: TimeDelta,
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
        match self.signs {
            Signs::Elsewhere(afar) if !self.person && afar.is_gone(patience.stale_elsewhere) => Presence::Stale,
            Signs::Elsewhere(afar) if afar.idle || afar.unchanged.lasted > patience.idle_after => Presence::Idle,
            Signs::Elsewhere(_) => Presence::Live,
            Signs::Here(_) if self.person => at_most_idle,
            Signs::Unreadable | Signs::Here(Some(Aliveness::Alive)) => at_most_idle,
            Signs::Here(Some(Aliveness::Dead)) => Presence::Stale,
            Signs::Here(Some(Aliveness::Unknown) | None) if silence > patience.stale_after => Presence::Stale,
            Signs::Here(Some(Aliveness::Unknown) | None) => Presence::Live,
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

    const PATIENCE: Patience = Patience {
        stale_after: TimeDelta::minutes(5),
        idle_after: TimeDelta::hours(2),
        stale_elsewhere: TimeDelta::minutes(30),
    };

    fn after(minutes: i64, agent: Option<Aliveness>) -> Presence {
        let last_seen = Time::default();
        let observed = Observed { person: false, signs: Signs::Here(agent), last_seen };
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
    fn a_person_and_what_cannot_be_read_are_never_stale_by_silence() {
        for (person, signs) in [(true, Signs::Here(None)), (false, Signs::Unreadable)] {
            let observed = Observed { person, signs, last_seen: Time::default() };
            assert_eq!(observed.judge(Time::default() + TimeDelta::days(9), PATIENCE), Presence::Idle);
        }
    }

    fn elsewhere(person: bool, afar: Afar) -> Presence {
        // Whatever the clock of the other clone says.
        [-9, 0, 9]
            .map(|days| {
                let observed = Observed { person, signs: Signs::Elsewhere(afar), last_seen: Time::default() };
                observed.judge(Time::default() + TimeDelta::days(days), PATIENCE)
            })
            .into_iter()
            .reduce(|a, b| {
                assert_eq!(a, b);
                a
            })
            .expect("three")
    }

    fn watched(times: u32, minutes: i64) -> Watched {
        Watched { times, lasted: TimeDelta::minutes(minutes) }
    }

    #[test]
    fn another_clone_is_gone_when_it_was_seen_twice_and_long_enough_without_a_change() {
        let unchanged =
            |times, minutes| elsewhere(false, Afar { unchanged: watched(times, minutes), ..Afar::default() });
        assert_eq!(unchanged(0, 0), Presence::Live, "never seen is not judged");
        assert_eq!(unchanged(1, 0), Presence::Live);
        assert_eq!(unchanged(1, 31), Presence::Live);
        assert_eq!(unchanged(99, 30), Presence::Live);
        assert_eq!(unchanged(2, 31), Presence::Stale);
        let person = Afar { unchanged: watched(2, 31), ..Afar::default() };
        assert_eq!(elsewhere(true, person), Presence::Live, "a person's claims end by time");
        assert_eq!(elsewhere(true, Afar { unchanged: watched(2, 121), ..Afar::default() }), Presence::Idle);
    }

    #[test]
    fn one_that_its_own_clone_does_not_name_is_gone_as_if_that_were_silent() {
        let unnamed = |times, minutes| elsewhere(false, Afar { unnamed: watched(times, minutes), ..Afar::default() });
        assert_eq!(unnamed(1, 31), Presence::Live);
        assert_eq!(unnamed(2, 30), Presence::Live);
        assert_eq!(unnamed(2, 31), Presence::Stale);
        assert_eq!(elsewhere(false, Afar { idle: true, ..Afar::default() }), Presence::Idle);
    }
}
