/// From here on a panic says where it happened and nothing else: its message could quote a patient's value.
pub fn quiet_panics() {
    std::panic::set_hook(Box::new(|info| {
        use std::io::Write as _;
        let place = info.location().map(ToString::to_string).unwrap_or_default();
        // Nothing can be done about a closed stderr.
        let _ = writeln!(std::io::stderr(), "internal error at {place}");
    }));
}
