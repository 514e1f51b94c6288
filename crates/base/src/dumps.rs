/// Keeps this process's memory out of core dumps, where patients and tokens would lie in a file; first of all in every `main`. Where
/// the system refuses, the program runs as well: most systems write none anyway. Elsewhere than on Linux it is the computer's setting.
pub fn no_crash_dumps() {
    #[cfg(target_os = "linux")]
    {
        use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};

        let none = Rlimit {
            current: Some(0),
            maximum: Some(0),
        };
        let _ = setrlimit(Resource::Core, none);
        // A program that dumps are piped to does not ask for the limit.
        let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    #[test]
    fn no_dump_is_written() {
        use rustix::process::{DumpableBehavior, Resource, dumpable_behavior, getrlimit};

        super::no_crash_dumps();
        assert_eq!(dumpable_behavior().unwrap(), DumpableBehavior::NotDumpable);
        assert_eq!(getrlimit(Resource::Core).maximum, Some(0));
    }
}
