//! The stage for the journeys: stand-ins, core and router in one process, a person who logs in by HTTP, and other people's programs as
//! judges. A judge that is not installed fails the test: `cargo xtask test` installs them.

mod judges;
mod stage;
mod window;

pub use judges::{judge, judge_fails, python, venv_program};
pub use stage::{Answer, Stage, browser, log_in_by_http, project_file, sick_note, today_plus};
pub use window::{Desk, Window};
