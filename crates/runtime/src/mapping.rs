//! Ports that a gateway passes on to us: who sees to that, and what of it is known
//! (transports.md, "Port mapping").

use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use telehash_hashname::Path;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tracing::Instrument as _;

use crate::events::MeshEvent;
use crate::lifecycle::Phase;
use crate::limits::DRAIN_TIMEOUT;
use crate::shared::Shared;

/// Keeps ports of this mesh mapped at the gateway of its network; given to
/// [`Builder::port_mapper`](crate::Builder::port_mapper).
#[async_trait]
pub trait PortMapper: Send + 'static {
    /// Does so until [`Surroundings::closing`], and then takes back what it mapped, within
    /// [`DRAIN_TIMEOUT`](crate::limits::DRAIN_TIMEOUT): after that it is dropped.
    async fn run(self: Box<Self>, surroundings: Surroundings);
}

/// What a [`PortMapper`] has to do with its mesh.
#[derive(Debug)]
pub struct Surroundings {
    shared: Arc<Shared>,
}

/// Which ports of ours are mapped, and why others are not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PortMapping {
    /// Those that are.
    pub ports: Vec<MappedPort>,
    /// What stands in the way, as a sentence.
    pub problem: Option<String>,
}

/// A port of ours that a gateway passes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MappedPort {
    /// Where we listen.
    pub inner: Path,
    /// Where others reach that. Nobody but the gateway vouches for it.
    pub outer: Path,
    /// How the gateway was asked.
    pub method: &'static str,
}

/// What the mesh knows of mappings.
#[derive(Debug, Default)]
pub(crate) struct Mappings {
    /// `None` while nobody maps.
    now: Mutex<Option<PortMapping>>,
    changed: Notify,
    task: Mutex<Option<JoinHandle<()>>>,
}

impl Surroundings {
    /// Where our transports listen.
    #[must_use]
    pub fn paths(&self) -> Vec<Path> {
        self.shared.direct_paths()
    }

    /// Says what is mapped now. Peers are told where to reach us if that changed.
    pub fn tell(&self, mapping: PortMapping) {
        self.shared.set_port_mapping(mapping);
    }

    /// Waits until the network changed, or we woke up.
    ///
    /// Cancel-safe: a change meanwhile ends the next wait.
    pub async fn changed(&self) {
        self.shared.mappings.changed.notified().await;
    }

    /// Waits until the mesh closes.
    ///
    /// Cancel-safe.
    pub fn closing(&self) -> impl Future<Output = ()> + Send + use<> {
        self.shared.lifecycle.reached(Phase::Severed)
    }
}

impl Mappings {
    pub(crate) fn network_changed(&self) {
        self.changed.notify_one();
    }

    fn outer_paths(&self) -> Vec<Path> {
        let now = self.now.lock().unwrap_or_else(PoisonError::into_inner);
        let ports = now.iter().flat_map(|mapping| &mapping.ports);
        ports.map(|port| port.outer.clone()).collect()
    }
}

impl Shared {
    /// Starts whoever maps ports.
    pub(crate) fn start_mapper(self: &Arc<Self>, mapper: Box<dyn PortMapper>) {
        *self.port_mapping_slot() = Some(PortMapping::default());
        let surroundings = Surroundings {
            shared: self.clone(),
        };
        let running = mapper.run(surroundings).instrument(self.span.clone());
        let task = self.lifecycle.spawn(running);
        *self.mapper_task() = Some(task);
    }

    /// Waits until it has taken back what it mapped.
    pub(crate) async fn mapper_over(&self) {
        let task = self.mapper_task().take();
        if let Some(mut task) = task {
            let over = tokio::time::timeout(DRAIN_TIMEOUT, &mut task);
            if over.await.is_err() {
                task.abort();
            }
        }
        *self.port_mapping_slot() = None;
    }

    /// What is mapped, if anybody maps.
    pub(crate) fn port_mapping(&self) -> Option<PortMapping> {
        self.port_mapping_slot().clone()
    }

    /// Where others reach us by a mapping.
    pub(crate) fn mapped_paths(&self) -> Vec<Path> {
        self.mappings.outer_paths()
    }

    fn set_port_mapping(self: &Arc<Self>, mapping: PortMapping) {
        let before = self.mapped_paths();
        let old = self.port_mapping_slot().replace(mapping.clone());
        if old.as_ref() == Some(&mapping) {
            return;
        }
        match &mapping.problem {
            Some(problem) => tracing::warn!(problem, "not every port is mapped"),
            None => tracing::info!(ports = mapping.ports.len(), "ports are mapped"),
        }
        self.events.publish(MeshEvent::PortMapping(mapping));
        if self.mapped_paths() != before {
            self.tell_paths();
        }
    }

    fn port_mapping_slot(&self) -> MutexGuard<'_, Option<PortMapping>> {
        let now = self.mappings.now.lock();
        now.unwrap_or_else(PoisonError::into_inner)
    }

    fn mapper_task(&self) -> MutexGuard<'_, Option<JoinHandle<()>>> {
        let task = self.mappings.task.lock();
        task.unwrap_or_else(PoisonError::into_inner)
    }
}
