//! The stage for the journeys: stand-ins, core and router in one process or the real window, a person who logs in by HTTP, a printer,
//! and other people's programs as judges. A judge that is not installed fails the test: `cargo xtask test` installs them.

mod control;
mod desk;
mod judges;
mod leaks;
mod printer;
mod process;
mod stage;
mod surroundings;
mod window;

pub use control::{Control, patiently};
pub use desk::Desk;
pub use judges::{
    Trust, as_written, cut_out, data_matrix, elements, judge, judge_fails, judge_signed_pdf, judge_tampered, judge_totals, page_text,
    python, schema_of, unpack, venv_program,
};
pub use leaks::{Leaks, every_file};
pub use printer::Printer;
pub use stage::{Answer, Stage, browser, examples, log_in_by_http, project_file, sick_note, today_plus};
pub use window::{Opening, Window};
