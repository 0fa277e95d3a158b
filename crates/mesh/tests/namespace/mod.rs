//! Tests that broadcast, each in a network namespace that it makes for itself.

use std::env;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::process::Command;

/// Set in the process that runs inside.
const INSIDE: &str = "TELEHASH_TEST_IN_NAMESPACE";

/// Brings up what a host with one local network has, and runs the test there: `lan0`, 10.42.42.1/24
/// and fd42::1/64, whose far end is `lan1`.
const SET_UP: &str = r#"
ip link set lo up
ip link add lan0 type veth peer name lan1
ip address add 10.42.42.1/24 broadcast 10.42.42.255 dev lan0
ip -6 address add fd42::1/64 dev lan0 nodad || echo "no IPv6 here"
ip link set lan0 up
ip link set lan1 up
exec "$@"
"#;

/// Runs `body`, of the test of this name, in a network namespace of its own: this program starts
/// itself there once more, for that test alone.
///
/// Where the user may not make a namespace the test is skipped, and says so; to root that is a
/// failure.
pub(crate) fn in_its_own(test: &str, body: impl FnOnce()) {
    if env::var_os(INSIDE).is_some() {
        return body();
    }
    let is_root = fs::metadata("/proc/self").unwrap().uid() == 0;
    let how = if is_root { "-n" } else { "-rn" };
    let possible = Command::new("unshare").args([how, "true"]).status();
    if !is_root
        && !possible
            .as_ref()
            .is_ok_and(std::process::ExitStatus::success)
    {
        eprintln!("SKIPPED {test}: this user cannot make a network namespace ({possible:?})");
        return;
    }
    let status = Command::new("unshare")
        .args([how, "sh", "-ec", SET_UP, "sh"])
        .arg(env::current_exe().unwrap())
        .args([test, "--exact", "--nocapture", "--include-ignored"])
        .env(INSIDE, "1")
        .status()
        .expect("unshare, of util-linux, is installed");
    assert!(status.success(), "{test} failed in its namespace: {status}");
}
