//! Watches for a network that is not the one it was (links.md: "on a network change, a resume from
//! sleep").

use std::sync::Arc;
use std::time::Duration;

use telehash_hashname::Path;
use tokio::time::{Instant, sleep};

use crate::shared::Shared;

/// How often to look.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// By how much a look may be late before we count as having been asleep: stopped by a signal, say,
/// while the clock went on. A clock that slept with us shows in the time of day.
const OVERSLEPT: Duration = Duration::from_secs(10);

/// What was seen at the last look.
struct Seen {
    at: Instant,
    paths: Vec<Path>,
}

impl Seen {
    fn now(shared: &Shared) -> Self {
        // What is mapped at the gateway says nothing of this host.
        let mut paths = shared.unmapped_paths();
        paths.sort_unstable_by_key(ToString::to_string);
        Self {
            at: Instant::now(),
            paths,
        }
    }

    /// Whether links have to find their ways anew.
    fn differs(&self, before: &Self) -> bool {
        let late = self.at.saturating_duration_since(before.at) > LOOK_EVERY + OVERSLEPT;
        late || self.paths != before.paths
    }
}

/// Looks now and then, until the mesh stops.
pub(crate) async fn watch_network(shared: Arc<Shared>) {
    let mut before = Seen::now(&shared);
    loop {
        sleep(LOOK_EVERY).await;
        shared.follow_clock();
        let seen = Seen::now(&shared);
        if seen.differs(&before) {
            tracing::info!(paths = seen.paths.len(), "the network changed, or we slept");
            shared.network_changed();
        }
        before = seen;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(at: Instant, ports: &[u16]) -> Seen {
        let path = |port: &u16| Path::udp(([192, 0, 2, 1], *port).into());
        Seen {
            at,
            paths: ports.iter().map(path).collect(),
        }
    }

    #[test]
    fn another_address_and_a_late_look_are_a_change() {
        let start = Instant::now();
        let before = seen(start, &[1, 2]);
        assert!(!seen(start + LOOK_EVERY, &[1, 2]).differs(&before));
        assert!(seen(start + LOOK_EVERY, &[1]).differs(&before));
        let late = start + LOOK_EVERY + OVERSLEPT + Duration::from_millis(1);
        assert!(seen(late, &[1, 2]).differs(&before));
    }
}
