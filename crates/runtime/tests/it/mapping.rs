//! Ports that a gateway passes on, whoever sees to that.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use telehash_hashname::Path;
use telehash_runtime::limits::DRAIN_TIMEOUT;
use telehash_runtime::{MappedPort, MeshEvent, PortMapper, PortMapping, Surroundings};
use telehash_transport::memory::MemoryNetwork;
use tokio::time::Instant;

use crate::common::{endpoint, event};

/// Maps what it finds at each change of the network, and counts what it takes back.
struct Mapper {
    outer: Path,
    returned: Arc<AtomicUsize>,
}

fn outer() -> Path {
    Path::udp("198.51.100.2:42424".parse().unwrap())
}

#[async_trait]
impl PortMapper for Mapper {
    async fn run(self: Box<Self>, surroundings: Surroundings) {
        tokio::select! {
            () = surroundings.changed() => {}
            () = surroundings.closing() => return,
        }
        let inner = surroundings.paths().remove(0);
        surroundings.tell(PortMapping {
            ports: vec![MappedPort {
                inner,
                outer: self.outer.clone(),
                method: "PCP",
            }],
            problem: None,
        });
        surroundings.closing().await;
        self.returned.fetch_add(1, Ordering::SeqCst);
    }
}

#[tokio::test(start_paused = true)]
async fn a_mapped_port_is_the_first_of_our_paths_until_it_is_taken_back() {
    let network = MemoryNetwork::new(1);
    let returned = Arc::new(AtomicUsize::new(0));
    let mapper = Mapper {
        outer: outer(),
        returned: returned.clone(),
    };
    let mesh = endpoint(&network)
        .port_mapper(mapper)
        .build()
        .await
        .unwrap();
    let mut events = mesh.events();
    assert_eq!(mesh.port_mapping(), Some(PortMapping::default()));
    assert_ne!(mesh.local_paths()[0], outer());
    mesh.network_changed();
    let mapping = event(&mut events, |event| match event {
        MeshEvent::PortMapping(mapping) => Some(mapping),
        _ => None,
    })
    .await;
    assert_eq!(mesh.port_mapping().as_ref(), Some(&mapping));
    assert_eq!(mesh.local_paths()[0], outer());
    assert_eq!(mesh.local_paths()[1], mapping.ports[0].inner);
    mesh.close().await;
    assert_eq!(returned.load(Ordering::SeqCst), 1);
    assert_eq!(mesh.port_mapping(), None);
    assert!(mesh.local_paths().is_empty());
}

/// Never ends.
struct Stubborn;

#[async_trait]
impl PortMapper for Stubborn {
    async fn run(self: Box<Self>, _: Surroundings) {
        std::future::pending::<()>().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_mapper_that_does_not_end_holds_closing_up_for_a_while_only() {
    let network = MemoryNetwork::new(1);
    let mesh = endpoint(&network)
        .port_mapper(Stubborn)
        .build()
        .await
        .unwrap();
    let start = Instant::now();
    mesh.close().await;
    assert!(start.elapsed() < 2 * DRAIN_TIMEOUT, "{:?}", start.elapsed());
}

#[tokio::test(start_paused = true)]
async fn nobody_maps_unless_asked_to() {
    let mesh = endpoint(&MemoryNetwork::new(1)).build().await.unwrap();
    assert_eq!(mesh.port_mapping(), None);
    mesh.close().await;
}
