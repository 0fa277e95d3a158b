//! What this process takes, where the system tells.

use std::fs;

/// Ticks of /proc a second (USER_HZ, the same on every Linux).
const TICKS: f64 = 100.0;

/// Seconds of processor time so far, of all threads together.
pub(super) fn cpu_seconds() -> Option<f64> {
    cpu_seconds_in(&fs::read_to_string("/proc/self/stat").ok()?)
}

/// Bytes of memory.
pub(super) fn resident() -> Option<u64> {
    resident_in(&fs::read_to_string("/proc/self/status").ok()?)
}

fn cpu_seconds_in(stat: &str) -> Option<f64> {
    // The name in parentheses may hold spaces; the fields after it are fixed.
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_whitespace().skip(11);
    let user: f64 = fields.next()?.parse().ok()?;
    let system: f64 = fields.next()?.parse().ok()?;
    Some((user + system) / TICKS)
}

fn resident_in(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib: u64 = line?.split_whitespace().next()?.parse().ok()?;
    Some(kib * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fields_of_proc_are_found() {
        let stat = "42 (a name) S) S 1 1 1 0 -1 4194560 900 0 0 0 150 25 0 0 20 0 4 0 100";
        assert_eq!(cpu_seconds_in(stat), Some(1.75));
        assert_eq!(cpu_seconds_in("42 (mesh"), None);
        let status = "Name:\tmesh\nVmHWM:\t  900 kB\nVmRSS:\t  812 kB\n";
        assert_eq!(resident_in(status), Some(812 * 1024));
        assert_eq!(resident_in("Name:\tmesh\n"), None);
    }
}
