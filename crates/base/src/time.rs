use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use ::time::{Date, OffsetDateTime};

/// The time, passed in: no crate below the doors reads the system clock by itself.
pub trait Clock: Send + Sync {
    /// Now, in UTC.
    fn now(&self) -> OffsetDateTime;

    /// The calendar day on which the physician's document is dated: Luxembourg's.
    fn today(&self) -> Date {
        luxembourg_date(self.now())
    }

    /// The moment at which that day ends in Luxembourg.
    fn end_of_today(&self) -> OffsetDateTime {
        midnight_after(self.today())
    }

    /// Time gone by since some fixed moment of this program's run. It never goes back and nobody can set it; it may stand still while
    /// the computer sleeps.
    fn elapsed(&self) -> Duration {
        static START: LazyLock<Instant> = LazyLock::new(Instant::now);
        START.elapsed()
    }
}

/// The computer's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> OffsetDateTime {
        OffsetDateTime::now_utc()
    }
}

/// A clock for tests that moves only when told.
#[derive(Debug)]
pub struct FixedClock(Mutex<(OffsetDateTime, Duration)>);

impl FixedClock {
    /// Stands still at `now`.
    #[must_use]
    pub const fn new(now: OffsetDateTime) -> Self {
        Self(Mutex::new((now, Duration::ZERO)))
    }

    /// Lets time go by.
    pub fn advance(&self, by: Duration) {
        let mut hands = self.hands();
        hands.0 += by;
        hands.1 += by;
    }

    /// Sets the time of day, as somebody at the computer may; no time goes by.
    pub fn set(&self, now: OffsetDateTime) {
        self.hands().0 = now;
    }

    /// Puts the time of day forward or back: the clock is mended, or the computer has slept.
    pub fn jump(&self, by: ::time::Duration) {
        self.hands().0 += by;
    }

    fn hands(&self) -> MutexGuard<'_, (OffsetDateTime, Duration)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Clock for FixedClock {
    fn now(&self) -> OffsetDateTime {
        self.hands().0
    }

    fn elapsed(&self) -> Duration {
        self.hands().1
    }
}

/// Identifiers, passed in, so that golden files stay byte-exact.
pub trait Ids: Send + Sync {
    /// A fresh UUID v4.
    fn next(&self) -> uuid::Uuid;
}

/// Identifiers from the operating system's random source.
#[derive(Clone, Copy, Debug, Default)]
pub struct RandomIds;

impl Ids for RandomIds {
    fn next(&self) -> uuid::Uuid {
        uuid::Uuid::new_v4()
    }
}

/// The date in Luxembourg. Independent of the machine's own time zone: containers run in UTC, and a note written at 00:30 bears the
/// new day.
fn luxembourg_date(now: OffsetDateTime) -> Date {
    (now + luxembourg_offset(now)).date()
}

/// The first moment of the day after this one in Luxembourg. No clock is changed at midnight there, nor in the hours around it.
fn midnight_after(day: Date) -> OffsetDateTime {
    let midnight = day.next_day().unwrap_or(day).midnight().assume_utc();
    midnight - luxembourg_offset(midnight - ::time::Duration::HOUR)
}

/// How far Luxembourg is ahead of UTC (CET, CEST by the rule of directive 2000/84/EC: last Sundays of March and October, 01:00 UTC).
fn luxembourg_offset(now: OffsetDateTime) -> ::time::Duration {
    let change = |month: ::time::Month| {
        let last = Date::from_calendar_date(now.year(), month, 31).unwrap_or(now.date());
        let sunday = last - ::time::Duration::days(i64::from(last.weekday().number_days_from_sunday()));
        sunday.midnight().assume_utc() + ::time::Duration::HOUR
    };
    let summer = now >= change(::time::Month::March) && now < change(::time::Month::October);
    ::time::Duration::hours(if summer { 2 } else { 1 })
}

#[cfg(test)]
mod tests {
    use ::time::macros::{date, datetime};

    use super::*;

    #[test]
    fn a_clock_that_is_set_lets_no_time_go_by() {
        let clock = FixedClock::new(datetime!(2026-03-02 10:00 UTC));
        clock.advance(Duration::from_secs(60));
        assert_eq!(
            (clock.now(), clock.elapsed()),
            (datetime!(2026-03-02 10:01 UTC), Duration::from_secs(60))
        );
        clock.jump(-::time::Duration::HOUR);
        assert_eq!(
            (clock.now(), clock.elapsed()),
            (datetime!(2026-03-02 9:01 UTC), Duration::from_secs(60))
        );
        clock.set(datetime!(2026-03-02 10:00 UTC));
        assert_eq!(
            (clock.now(), clock.elapsed()),
            (datetime!(2026-03-02 10:00 UTC), Duration::from_secs(60))
        );
        let earlier = SystemClock.elapsed();
        assert!(SystemClock.elapsed() >= earlier);
    }

    #[test]
    fn the_day_changes_at_midnight_in_luxembourg() {
        assert_eq!(luxembourg_date(datetime!(2026-01-31 22:59 UTC)), date!(2026 - 01 - 31));
        assert_eq!(luxembourg_date(datetime!(2026-01-31 23:00 UTC)), date!(2026 - 02 - 01));
        assert_eq!(luxembourg_date(datetime!(2026-07-14 21:59 UTC)), date!(2026 - 07 - 14));
        assert_eq!(luxembourg_date(datetime!(2026-07-14 22:00 UTC)), date!(2026 - 07 - 15));
        assert_eq!(luxembourg_date(datetime!(2026-03-29 00:59 UTC)), date!(2026 - 03 - 29));
        assert_eq!(luxembourg_date(datetime!(2026-10-25 22:30 UTC)), date!(2026 - 10 - 25));
        assert_eq!(luxembourg_date(datetime!(2026-10-25 23:00 UTC)), date!(2026 - 10 - 26));
    }

    #[test]
    fn a_day_ends_at_midnight_in_luxembourg() {
        for (day, end) in [
            (date!(2026 - 01 - 31), datetime!(2026-01-31 23:00 UTC)),
            (date!(2026 - 07 - 14), datetime!(2026-07-14 22:00 UTC)),
            (date!(2026 - 03 - 28), datetime!(2026-03-28 23:00 UTC)),
            (date!(2026 - 03 - 29), datetime!(2026-03-29 22:00 UTC)),
            (date!(2026 - 10 - 24), datetime!(2026-10-24 22:00 UTC)),
            (date!(2026 - 10 - 25), datetime!(2026-10-25 23:00 UTC)),
            (date!(2026 - 12 - 31), datetime!(2026-12-31 23:00 UTC)),
        ] {
            assert_eq!(midnight_after(day), end, "{day}");
            assert_eq!(luxembourg_date(end), day.next_day().unwrap());
        }
    }
}
