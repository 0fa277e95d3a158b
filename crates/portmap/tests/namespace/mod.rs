//! Tests with a gateway, each in network namespaces that it makes for itself.

use std::env;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::process::{self, Command};

/// Set in the processes that run inside.
const INSIDE: &str = "TELEHASH_TEST_IN_NAMESPACE";

/// Brings up a host, 10.42.42.2, whose gateway is 10.42.42.1, in a namespace of its own; the test runs
/// in both, one process each, and the gateway's ends with the host's.
const SET_UP: &str = r#"
ip link set lo up
ip link add eth0 type veth peer name lan
ip address add 10.42.42.2/24 dev eth0
ip address add 10.42.42.3/24 dev eth0
ip link set eth0 up
unshare -n sh -ec 'echo up; exec sleep 1000' > "$0.up" &
keeper=$!
until [ -s "$0.up" ]; do sleep 0.01; done
ip link set lan netns "$keeper"
trap 'kill $keeper' EXIT
inside() { nsenter --net=/proc/$keeper/ns/net "$@"; }
inside ip link set lo up
inside ip address add 10.42.42.1/24 dev lan
inside ip link set lan up
inside ip route add 224.0.0.0/4 dev lan
ip route add default via 10.42.42.1
: > "$0.gateway"
TELEHASH_TEST_IN_NAMESPACE=gateway nsenter --net=/proc/$keeper/ns/net "$@" >> "$0.gateway" &
gateway=$!
trap 'kill $gateway $keeper' EXIT
until grep -q 'gateway is up' "$0.gateway"; do kill -0 $gateway; sleep 0.01; done
code=0
TELEHASH_TEST_IN_NAMESPACE=host "$@" || code=$?
exit $code
"#;

/// Runs `gateway`, which has to start a server, and `host`, of the test of this name, each in a
/// namespace and process of its own. To the caller outside it returns what the gateway printed.
///
/// Where the user may not make a namespace the test is skipped, and says so; to root that is a
/// failure.
pub(crate) fn behind_a_gateway(
    test: &str,
    gateway: impl FnOnce(),
    host: impl FnOnce(),
) -> Option<String> {
    match env::var(INSIDE).as_deref() {
        Ok("host") => {
            host();
            return None;
        }
        Ok(_) => {
            gateway();
            println!("gateway is up");
            loop {
                std::thread::park();
            }
        }
        Err(_) => {}
    }
    let is_root = fs::metadata("/proc/self").unwrap().uid() == 0;
    let how = if is_root { "-n" } else { "-rn" };
    let possible = Command::new("unshare").args([how, "true"]).status();
    if !is_root && !possible.as_ref().is_ok_and(process::ExitStatus::success) {
        eprintln!("SKIPPED {test}: this user cannot make a network namespace ({possible:?})");
        return None;
    }
    let files = env::temp_dir().join(format!("telehash-portmap-{}-{test}", process::id()));
    let status = Command::new("unshare")
        .args([how, "sh", "-ec", SET_UP])
        .arg(&files)
        .arg(env::current_exe().unwrap())
        .args([test, "--exact", "--nocapture"])
        .status()
        .expect("unshare, of util-linux, is installed");
    let said = fs::read_to_string(files.with_extension("gateway"));
    for end in ["up", "gateway"] {
        let _ = fs::remove_file(files.with_extension(end));
    }
    assert!(status.success(), "{test} failed in its namespace: {status}");
    Some(said.unwrap())
}
