//! Words every other crate shares: secrets and patient values that cannot be printed, the clock that is passed in, and the
//! vocabulary of failures (code, fault, the authority's own words).

mod dumps;
mod explain;
mod guarded;
mod panics;
mod time;

pub use dumps::no_crash_dumps;
pub use explain::{AuthorityWords, Explain, Fault};
pub use guarded::{Patient, Secret};
pub use panics::quiet_panics;
pub use time::{Clock, FixedClock, Ids, RandomIds, SystemClock};
