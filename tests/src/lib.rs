//! The stage for the journeys: stand-ins, core and router in one process or the real window, a person who logs in by HTTP, a printer,
//! and other people's programs as judges. A judge that is not installed fails the test: `cargo xtask test` installs them.

mod background;
mod chromium;
mod control;
mod desk;
mod judges;
mod leaks;
mod practice;
mod printer;
mod process;
mod programs;
mod site;
mod squid;
mod stage;
mod stand_ins;
mod surroundings;
mod tray;
mod window;

pub use background::Background;
pub use chromium::Chromium;
pub use control::{Control, patiently};
pub use desk::Desk;
pub use judges::{
    Trust, as_written, cut_out, data_matrix, elements, judge, judge_fails, judge_signed_pdf, judge_tampered, judge_totals, page_text,
    python, schema_of, unpack, venv_program,
};
pub use leaks::{Leaks, every_file};
pub use practice::{Practice, connection_file};
pub use printer::Printer;
pub use programs::{Programs, end};
pub use site::Site;
pub use squid::{PROXY_PASSWORD, PROXY_USER, Squid, SquidOptions};
pub use stage::{Answer, Stage, browser, examples, log_in_by_http, project_file, sick_note, today_plus};
pub use stand_ins::{Installation, StandIns};
pub use tray::{MenuEntry, Tray};
pub use window::{Opening, Window};
