//! Network namespaces, for what broadcasts.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::process::JsonChild;

/// What making one may take.
const LIMIT: Duration = Duration::from_secs(10);

/// A host with one local network, `lan0` with 10.42.42.1/24. The process that holds it ends with its input.
const SET_UP: &str = r#"
ip link set lo up
ip link add lan0 type veth peer name lan1
ip address add 10.42.42.1/24 broadcast 10.42.42.255 dev lan0
ip link set lan0 up
ip link set lan1 up
ip route add default dev lan0
echo '{"event":"ready"}'
exec cat
"#;

/// A network namespace with one local network, until dropped.
pub(crate) struct Namespace {
    holder: JsonChild,
}

impl Namespace {
    /// Makes one, which takes root's rights.
    pub(crate) fn new() -> Result<Self> {
        let mut unshare = Command::new("unshare");
        unshare.args(["-n", "sh", "-ec", SET_UP]);
        let holder = JsonChild::start("the network namespace", &mut unshare)?;
        holder
            .expect("that it is ready", LIMIT, |line| line["event"] == "ready")
            .context("no network namespace could be made: that takes root, unshare and ip")?;
        Ok(Self { holder })
    }

    /// `program`, to be run inside.
    pub(crate) fn command(&self, program: impl AsRef<Path>) -> Command {
        let mut command = Command::new("nsenter");
        command
            .arg(format!("--net=/proc/{}/ns/net", self.holder.id()))
            .arg(program.as_ref());
        command
    }
}
