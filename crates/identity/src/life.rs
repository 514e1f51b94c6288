//! How long a token serves, by two clocks: one that can be set, and one that may stand still while the computer sleeps.

use std::time::Duration;

use time::OffsetDateTime;

/// A moment by both clocks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment {
    /// AeS' time of day, as far as we know it.
    pub(crate) at_aes: OffsetDateTime,
    /// [`econnector_base::Clock::elapsed`].
    pub(crate) elapsed: Duration,
}

/// The life of a token. It is over when either clock says so: a clock set back and a computer that slept are both seen.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Life {
    until: OffsetDateTime,
    over: Duration,
    whole: Duration,
}

impl Life {
    /// Of a token that was asked for at `asked` (elapsed time), lives for `whole` and dies at `until` by AeS' clock.
    pub(crate) const fn new(asked: Duration, whole: Duration, until: OffsetDateTime) -> Self {
        Self {
            until,
            over: asked.saturating_add(whole),
            whole,
        }
    }

    /// Its end by AeS' clock.
    pub(crate) const fn until(&self) -> OffsetDateTime {
        self.until
    }

    /// What is left of it.
    pub(crate) fn left(&self, now: Moment) -> Duration {
        let by_time_of_day = Duration::try_from(self.until - now.at_aes).unwrap_or_default();
        by_time_of_day.min(self.left_since_asked(now))
    }

    /// What is left of it for a token that AeS gave just now, whatever the time of day.
    pub(crate) const fn left_since_asked(&self, now: Moment) -> Duration {
        self.over.saturating_sub(now.elapsed)
    }

    /// Time until it is to be renewed: a minute before its end, or half-way to it.
    pub(crate) fn due_in(&self, now: Moment) -> Duration {
        self.left(now).saturating_sub(Duration::from_mins(1).min(self.whole / 2))
    }

    /// Enough is left of it for a call and its answer.
    pub(crate) fn is_fresh(&self, now: Moment) -> bool {
        self.left(now) > Duration::from_secs(30).min(self.whole / 4)
    }

    /// Enough is left of it where no other is to be had.
    pub(crate) fn is_bearable(&self, now: Moment) -> bool {
        self.left(now) > Duration::from_secs(5).min(self.whole / 10)
    }

    /// A quarter of the whole.
    pub(crate) fn quarter(&self) -> Duration {
        self.whole / 4
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    const START: OffsetDateTime = datetime!(2026-03-02 10:00 UTC);

    fn at(time_of_day: i64, elapsed: u64) -> Moment {
        Moment {
            at_aes: START + time::Duration::seconds(time_of_day),
            elapsed: Duration::from_secs(elapsed),
        }
    }

    fn life(seconds: i64) -> Life {
        Life::new(
            Duration::ZERO,
            Duration::from_secs(seconds.unsigned_abs()),
            START + time::Duration::seconds(seconds),
        )
    }

    #[test]
    fn whichever_clock_says_first_that_it_is_over_is_believed() {
        let life = life(300);
        assert_eq!(life.left(at(100, 100)), Duration::from_secs(200));
        assert_eq!(life.left(at(-3600, 100)), Duration::from_secs(200), "set back");
        assert_eq!(life.left(at(280, 100)), Duration::from_secs(20), "slept");
        assert_eq!(life.left(at(3600, 100)), Duration::ZERO);
        assert_eq!(life.left(at(-3600, 300)), Duration::ZERO);
    }

    #[test]
    fn the_margins_go_with_the_life() {
        for (seconds, due, fresh, bearable) in [(300, 240, 270, 295), (40, 20, 30, 36), (20, 10, 15, 18)] {
            let life = life(seconds);
            let before = |edge: i64| at(edge - 1, (edge - 1).unsigned_abs());
            let on = |edge: i64| at(edge, edge.unsigned_abs());
            assert_eq!(
                (life.due_in(before(due)), life.due_in(on(due))),
                (Duration::from_secs(1), Duration::ZERO)
            );
            assert_eq!((life.is_fresh(before(fresh)), life.is_fresh(on(fresh))), (true, false), "{seconds}");
            assert_eq!(
                (life.is_bearable(before(bearable)), life.is_bearable(on(bearable))),
                (true, false),
                "{seconds}"
            );
        }
        assert_eq!(life(300).quarter(), Duration::from_secs(75));
    }
}
