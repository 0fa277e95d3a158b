//! Web sites: a folder as one, and the names under which endpoints are some.

mod folder;
mod listing;
mod sockets;

use std::pin::Pin;
use std::time::Duration;

use mesh::thtp::proxy::{NameError, Names};
use mesh::{Hashname, Link, LinkError, Mesh, TargetError};

pub(crate) use self::folder::Folder;
pub(crate) use self::sockets::{WebSockets, to_server};

/// The endpoints that browsers may ask for by name.
#[derive(Debug)]
pub(crate) struct Sites {
    pub(crate) mesh: Mesh,
    /// How long a link may take to come up.
    pub(crate) wait: Duration,
}

impl Names for Sites {
    fn link(
        &self,
        name: String,
    ) -> Pin<Box<dyn Future<Output = Result<Link, NameError>> + Send + '_>> {
        Box::pin(link(&self.mesh, name, self.wait))
    }

    fn is_familiar(&self, name: &str) -> bool {
        known_alias(&self.mesh, name).is_some()
            || name.parse().is_ok_and(|hashname: Hashname| {
                self.mesh.known().get(&hashname).is_some() || self.mesh.get(&hashname).is_some()
            })
    }
}

/// The alias that browsers, which know no upper case in names, mean by this.
fn known_alias(mesh: &Mesh, name: &str) -> Option<String> {
    mesh.known().all().into_iter().find_map(|known| {
        let alias = known.alias?;
        alias.eq_ignore_ascii_case(name).then_some(alias)
    })
}

async fn link(mesh: &Mesh, name: String, wait: Duration) -> Result<Link, NameError> {
    let before = mesh.links();
    let linked = mesh.link(known_alias(mesh, &name).unwrap_or(name)).await;
    let link = linked.map_err(|error| match error {
        LinkError::Target(TargetError::Name(error)) => NameError::Unknown(error.to_string()),
        error => NameError::Unreachable(error.to_string()),
    })?;
    match link.wait_up(wait).await {
        Ok(()) => Ok(link),
        Err(error) => {
            if !before.contains(&link) {
                link.close();
            }
            Err(NameError::Unreachable(error.to_string()))
        }
    }
}
