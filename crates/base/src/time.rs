use std::sync::Mutex;

use ::time::{Date, OffsetDateTime};

/// The time, passed in: no crate below the doors reads the system clock by itself.
pub trait Clock: Send + Sync {
    /// Now, in UTC.
    fn now(&self) -> OffsetDateTime;

    /// The calendar day on which the physician's document is dated (local time, UTC where the offset is unknown).
    fn today(&self) -> Date {
        self.now().date()
    }
}

/// The computer's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> OffsetDateTime {
        OffsetDateTime::now_utc()
    }

    fn today(&self) -> Date {
        luxembourg_date(self.now())
    }
}

/// A clock for tests that moves only when told.
#[derive(Debug)]
pub struct FixedClock(Mutex<OffsetDateTime>);

impl FixedClock {
    /// Stands still at `now`.
    #[must_use]
    pub const fn new(now: OffsetDateTime) -> Self {
        Self(Mutex::new(now))
    }

    /// Moves the clock.
    pub fn set(&self, now: OffsetDateTime) {
        *self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = now;
    }
}

impl Clock for FixedClock {
    fn now(&self) -> OffsetDateTime {
        *self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
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

/// The date in Luxembourg (CET, CEST by the rule of directive 2000/84/EC: last Sundays of March and October, 01:00 UTC).
/// Independent of the machine's own time zone: containers run in UTC, and a note written at 00:30 bears the new day.
fn luxembourg_date(now: OffsetDateTime) -> Date {
    let change = |month: ::time::Month| {
        let last = Date::from_calendar_date(now.year(), month, 31).unwrap_or(now.date());
        let sunday = last - ::time::Duration::days(i64::from(last.weekday().number_days_from_sunday()));
        sunday.midnight().assume_utc() + ::time::Duration::hours(1)
    };
    let summer = now >= change(::time::Month::March) && now < change(::time::Month::October);
    (now + ::time::Duration::hours(if summer { 2 } else { 1 })).date()
}

#[cfg(test)]
mod tests {
    use ::time::macros::{date, datetime};

    use super::luxembourg_date;

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
}
